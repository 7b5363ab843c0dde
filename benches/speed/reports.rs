//! How fast spend is reported, and written as FOCUS.

use pointsman::config::prices;
use pointsman::record::{self, Input, ReadOptions};
use pointsman::report::{FocusOptions, FocusVersion, focus};
use pointsman::session::{Reading, StreamOptions, stream};
use pointsman::telemetry::{Dimension, Period, SpendOptions};

use super::{best, ingest, row};

/// A report over the log, and its charges by meter written as FOCUS again and again.
pub(super) fn reports(path: &std::path::Path) {
    let book = prices::builtin("list").unwrap();
    let read = |meters: Option<Period>| {
        let (ingest, policy) = ingest();
        let source = record::open(&Input::paths([path]), &ReadOptions::default()).unwrap();
        let tables = vec![vec![Dimension::Team, Dimension::Model, Dimension::Day]];
        let spend = Some(SpendOptions { tables, most: SpendOptions::MOST, meters });
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
