//! How fast spend is reported, and written as FOCUS.

use std::sync::Arc;

use pointsman::config::prices;
use pointsman::ledger::{self, Ledger, LedgerOptions, Range};
use pointsman::record::{self, EntryReader, Input, ReadOptions};
use pointsman::report::{FocusOptions, FocusVersion, focus};
use pointsman::session::{Reading, StreamOptions, stream};
use pointsman::telemetry::{Dimension, Period, SpendOptions};

use super::{best, ingest, row};

#[path = "../../tests/support/ledger.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod made;

/// A report over a ledger of so many requests, read directly and as its export.
pub(super) fn ledger(requests: u64) {
    let folder = tempfile::tempdir().unwrap();
    let options = LedgerOptions { queue_limit: usize::MAX, ..made::options(folder.path()) };
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    for seq in 1..=requests {
        ledger.record_all(made::operation(seq));
        if seq.is_multiple_of(10_000) {
            made::wait(ledger.commit()).unwrap();
        }
    }
    ledger.close().unwrap();
    let book = prices::builtin("list").unwrap();
    let report = |input: &Input| {
        let (ingest, policy) = ingest();
        let source = record::open(input, &ReadOptions::default()).unwrap();
        let tables = vec![vec![Dimension::Team, Dimension::Model, Dimension::Day]];
        let spend = Some(SpendOptions { tables, most: SpendOptions::MOST, ..SpendOptions::default() });
        let options = StreamOptions { spend, ..Reading::Recorded.into() };
        stream(source, ingest, &policy, &book, &options, |_| true).unwrap()
    };
    let path = options.path.clone();
    let open = move || -> std::io::Result<Box<dyn EntryReader>> {
        Ok(Box::new(ledger::entries(&path, &Range::default()).map_err(std::io::Error::other)?))
    };
    let directly = Input::entries("ledger", Arc::new(open));
    let (took, found) = best(3, || report(&directly));
    let all = found.totals.all.clone();
    row(
        &format!("report over a ledger of {} requests", all.requests),
        &format!("{:.2} s", took.as_secs_f64()),
        "<= 2 s a million",
        &format!("{} rows", found.spend.unwrap().tables[0].rows.len()),
    );
    let (took, text) = best(1, || {
        let mut text = Vec::new();
        ledger::export(&options.path, &Range::default(), &mut text).unwrap();
        text
    });
    row("  its export as a log alone", &format!("{:.2} s", took.as_secs_f64()), "", "");
    let (took, found) = best(1, || report(&Input::bytes("export", text.clone())));
    let same = format!("{:?}", found.totals.all) == format!("{all:?}");
    let note = if same { "the same sums" } else { "OTHER SUMS" };
    row("  a report over that export", &format!("{:.2} s", took.as_secs_f64()), "", note);
}

/// A report over the log, and its charges by meter written as FOCUS again and again.
pub(super) fn reports(path: &std::path::Path) {
    let book = prices::builtin("list").unwrap();
    let read = |meters: Option<Period>| {
        let (ingest, policy) = ingest();
        let source = record::open(&Input::paths([path]), &ReadOptions::default()).unwrap();
        let tables = vec![vec![Dimension::Team, Dimension::Model, Dimension::Day]];
        let spend =
            Some(SpendOptions { tables, most: SpendOptions::MOST, meters, ..SpendOptions::default() });
        let options = StreamOptions { spend, ..Reading::Recorded.into() };
        stream(source, ingest, &policy, &book, &options, |_| true).unwrap()
    };
    let (took, found) = best(3, || read(None));
    let requests = found.totals.all.requests;
    row(
        &format!("report by team, model and day over {requests} requests"),
        &format!("{:.2} s", took.as_secs_f64()),
        "<= 2 s a million",
        &format!("{} rows", found.spend.unwrap().tables[0].rows.len()),
    );
    let found = read(Some(Period::Hour));
    let (spend, names) = (found.spend.unwrap(), found.names);
    let options =
        FocusOptions { version: FocusVersion::V1_2, account: "a".to_owned(), account_name: "A".to_owned() };
    let (took, rows) = best(3, || {
        (0..50).map(|_| focus(&spend, &names, &options, &mut std::io::sink()).unwrap().rows).sum::<u64>()
    });
    row(
        "FOCUS CSV",
        &format!("{:.0} k rows/s", rows as f64 / took.as_secs_f64() / 1e3),
        ">= 200 k rows/s",
        &format!("{} rows, 50 times", rows / 50),
    );
}
