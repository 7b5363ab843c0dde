//! The filtered request table, out of the console or without one: every row with its exact figures.

use std::io::{self, BufWriter, Write};

use anyhow::Context as _;

use super::created;
use crate::console::screens::traffic;
use crate::outcome::Settled;
use crate::pricing::Cost;
use crate::report::{Format, RequestRow, RequestsScope, RequestsWriter};
use crate::session::Snapshot;
use crate::units::Pico;

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
    let operation = evidence.operation;
    let policy = snapshot.policy_at(index);
    snapshot.settle(index, &evidence, settled);
    let route = policy.route(settled.route);
    let usage = settled.attempts.last().map(|attempt| attempt.usage).unwrap_or_default();
    let kind = match settled.cost {
        Cost::Known(_) => "known",
        Cost::Estimated(_) => "estimated",
        Cost::Unknown(_) => "unknown",
    };
    let told: Pico = settled.attempts.iter().filter_map(|attempt| attempt.cost.amount()).sum();
    let is_part = settled.cost.amount().is_none() && told > Pico::ZERO;
    Some(RequestRow {
        id: log.history.id(index),
        at: operation.at.rfc3339(),
        team: operation.team.is_some().then(|| log.names.team(operation.team)),
        project: operation.project.is_some().then(|| log.names.project(operation.project)),
        session: Some(log.names.session(operation.session)).filter(|name| !matches!(*name, "" | "-")),
        task: operation.class.name(),
        route: &route.name,
        confidence: operation.confidence().map(crate::units::PerMille::get),
        confidence_from: operation.source.text(),
        model: settled.model.is_some().then(|| log.names.model(settled.model)),
        rung: route.ladder.get(usize::from(settled.rung)).map(|rung| &*rung.name),
        status: settled.status.name(),
        escalated: settled.escalated,
        calls: settled.attempts.len(),
        input: usage.input.get(),
        cache_read: usage.cache_read.get(),
        cache_write: usage.write_5m.get().zip(usage.write_1h.get()).map(|(a, b)| a + b),
        output: usage.output.get(),
        latency_ms: settled.latency.get(),
        cost_usd: settled.cost.amount().map(Pico::usd),
        cost_kind: kind,
        baseline_usd: settled.baseline.amount().map(Pico::usd),
        estimated: settled.estimated,
        simulated: operation.simulated,
        known_part_usd: is_part.then(|| told.usd()),
    })
}

/// Writes the listed rows to a file that does not exist yet, and names it with their number.
pub(super) fn save_requests(
    format: Format,
    table: &traffic::State,
    snapshot: &Snapshot,
) -> anyhow::Result<(String, usize)> {
    let end = match format {
        Format::Json => "json",
        Format::Md => "md",
        Format::Csv | Format::Table => "csv",
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
