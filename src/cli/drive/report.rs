//! What a drive came to, as a table or JSON. Money leaves as decimal text, and a worst case is never sold as a cost.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::cli::args::Shape;
use crate::drive::{End, Tally};
use crate::report::{Format, Latency, Sheet, render as sheets, to_json};
use crate::telemetry::Percentiles;
use crate::units::{Pico, members};

members! {
    #[derive(Serialize)]
    struct Report<'a>;
    fn new(tally: &'a Tally, end: End, took: Duration, bad: u64) {}
    schema: &'static str = "pointsman.drive/1",
    end: &'static str = match end {
        End::Done => "done",
        End::Capped { .. } => "capped",
        End::Stopped => "stopped",
        End::Unreachable => "unreachable",
    },
    requests: u64 = tally.sent,
    ok: u64 = tally.ok,
    failed: u64 = tally.failed,
    late: u64 = tally.late,
    filler: u64 = tally.filler,
    streams: u64 = tally.streams,
    unreadable_lines: u64 = bad,
    seconds: String = seconds(took),
    statuses: &'a BTreeMap<String, u64> = &tally.endings,
    models: &'a BTreeMap<String, u64> = &tally.models,
    latency_ms: Option<Latency> = tally.latency().map(Latency::from),
    first_byte_ms: Option<Latency> = tally.first_byte().map(Latency::from),
    spent_usd: String = tally.cap.spent().usd(),
    spent_assumed_usd: String = tally.cap.assumed().usd(),
    cost_unknown_requests: u64 = tally.cap.unknown(),
    cost_beyond_worst_requests: u64 = tally.cap.beyond_worst(),
    max_spend_usd: String = tally.cap.limit().usd(),
    simulated_requests: u64 = tally.simulated,
}

pub(super) fn render(
    format: Shape,
    tally: &Tally,
    end: End,
    took: Duration,
    bad: u64,
) -> anyhow::Result<String> {
    match format {
        Shape::Json => Ok(to_json(&Report::new(tally, end, took, bad))?),
        Shape::Table => Ok(sheets(&tables(tally, end, took), Format::Table)),
    }
}

fn tables(tally: &Tally, end: End, took: Duration) -> Vec<Sheet> {
    let mut summary = Sheet::new(why(end, tally), &["", ">", ""]);
    let mut line = |name: &str, value: String, note: String| summary.push(vec![name.to_owned(), value, note]);
    line("requests", tally.sent.to_string(), format!("in {} s", seconds(took)));
    line("served", tally.ok.to_string(), String::new());
    line("failed", tally.failed.to_string(), String::new());
    if tally.late > 0 {
        line(
            "late",
            tally.late.to_string(),
            "sent after their moment: --concurrency or the cap held them back".to_owned(),
        );
    }
    let mut notes = vec![format!("of at most ${}", tally.cap.limit())];
    if tally.cap.unknown() > 0 {
        let (assumed, unknown) = (tally.cap.assumed(), tally.cap.unknown());
        notes.push(format!(
            "${assumed} of it assumed: {unknown} requests told no cost and count at their worst"
        ));
    }
    if tally.cap.beyond_worst() > 0 {
        let beyond = tally.cap.beyond_worst();
        notes.push(format!("{beyond} requests cost more than their worst case; check --policy and --prices"));
    }
    line("spent", format!("${}", tally.cap.spent()), notes.join("; "));
    if tally.simulated > 0 {
        let note = format!("SIMULATED answers, {} of those served", share(tally.simulated, tally.ok));
        line("simulated", tally.simulated.to_string(), note);
    }
    if tally.filler > 0 {
        line("filler", tally.filler.to_string(), "words of ours in place of the prompt".to_owned());
    }
    let mut all = vec![summary];
    if let Some(latency) = tally.latency() {
        let mut sheet = Sheet::new("Latency of served requests, ms", &["", ">p50", ">p95", ">p99"]);
        let row = |name: &str, of: Percentiles| {
            vec![name.to_owned(), of.p50.to_string(), of.p95.to_string(), of.p99.to_string()]
        };
        sheet.push(row("last byte", latency));
        sheet.rows.extend(tally.first_byte().map(|first| row("first byte", first)));
        all.push(sheet);
    }
    for (title, counts, whole) in
        [("By status", &tally.endings, tally.sent), ("By model", &tally.models, tally.ok)]
    {
        if !counts.is_empty() {
            let mut sheet = Sheet::new(title, &["name", ">requests", ">share"]);
            let mut counts: Vec<_> = counts.iter().collect();
            crate::units::sort_by_key(&mut counts, |(name, count)| (std::cmp::Reverse(**count), *name));
            for (name, count) in counts {
                sheet.rows.push(vec![name.clone(), count.to_string(), share(*count, whole)]);
            }
            all.push(sheet);
        }
    }
    all
}

/// Says why the run ended.
fn why(end: End, tally: &Tally) -> String {
    let nobody = tally.endings.keys().all(|ending| *ending == crate::drive::Ending::UNREACHABLE.name());
    match end {
        End::Done if tally.ok == 0 && tally.sent > 0 && nobody => "nobody answers at the address".to_owned(),
        End::Done => "everything was sent".to_owned(),
        End::Capped { next } => {
            let left = Pico((tally.cap.limit() - tally.cap.spent()).0.max(0));
            format!("stopped before --max-spend: the next request could cost up to ${next}, ${left} is left")
        }
        End::Stopped => "stopped by you".to_owned(),
        End::Unreachable => "stopped: nothing listens at the address".to_owned(),
    }
}

fn share(part: u64, whole: u64) -> String {
    let whole = u128::from(whole);
    let tenths = (u128::from(part) * 1000 + whole / 2).checked_div(whole).unwrap_or(0);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

fn seconds(time: Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}
