//! The filtered request table, out of the console or without one: every row with its exact figures.

use std::io::{self, BufWriter, Write};

use anyhow::Context as _;

use super::created;
use crate::console::screens::traffic;
use crate::outcome::Settled;
use crate::report::{Format, RequestRow, RequestsScope, RequestsWriter};
use crate::session::Snapshot;

/// Writes the rows that a table lists, as many as `limit` says, and counts them.
///
/// # Errors
/// Where the output cannot be written.
pub fn write_requests<W: Write>(
    out: W,
    format: Format,
    table: &traffic::State,
    snapshot: &Snapshot,
    limit: Option<usize>,
) -> io::Result<(W, usize)> {
    let scope = RequestsScope {
        log: snapshot.log.title.clone(),
        reading: snapshot.reading.name(),
        filter: traffic::filter(table).text.clone(),
        prices: snapshot.log.book.clone(),
    };
    let mut writer = RequestsWriter::new(out, format, &scope)?;
    let rows = traffic::rows(table, snapshot);
    let rows = limit.map_or(rows, |limit| rows.min(limit));
    let mut settled = Settled::default();
    for place in 0..rows {
        let Some(index) = traffic::request_at(table, place, snapshot) else { break };
        if let Some(row) = request_row(index, snapshot, &mut settled) {
            writer.push(&row)?;
        }
    }
    Ok((writer.finish()?, rows))
}

fn request_row<'a>(index: usize, snapshot: &'a Snapshot, settled: &mut Settled) -> Option<RequestRow<'a>> {
    let log = &snapshot.log;
    let recalled = log.history.recall(index)?;
    let evidence = recalled.evidence();
    snapshot.settle(index, &evidence, settled);
    let route = snapshot.policy_at(index).route(settled.route);
    Some(RequestRow::new(log.history.id(index), evidence.operation, settled, route, &log.names))
}

/// Writes the listed rows to a file that does not exist yet, whose ending says in which form, and names it with their number.
pub(super) fn save_requests(
    end: &str,
    table: &traffic::State,
    snapshot: &Snapshot,
) -> anyhow::Result<(String, usize)> {
    let format = match end {
        "json" => Format::Json,
        "md" => Format::Md,
        _ => Format::Csv,
    };
    let (file, path) = created::create(|number| format!("requests-{number}.{end}"))?;
    let written = write_requests(BufWriter::new(file), format, table, snapshot, None);
    let (_, rows) = written.with_context(|| path.clone())?;
    Ok((path, rows))
}

/// Returns the listed rows as one Markdown table, to be copied.
pub(super) fn requests_markdown(table: &traffic::State, snapshot: &Snapshot) -> String {
    let written = write_requests(Vec::new(), Format::Md, table, snapshot, Some(COPIED));
    written.map_or_else(|_| String::new(), |(text, _)| String::from_utf8_lossy(&text).into_owned())
}

/// The most rows copied to the clipboard.
const COPIED: usize = 500;
