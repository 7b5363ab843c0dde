//! `pointsman reprice`: what a log was charged, and what it comes to at other prices.

use clap::Args;
use serde::Serialize;

use super::args::{EngineArgs, LogsArgs, names, or_dash, time};
use super::output;
use crate::config::{self, prices};
use crate::pricing::PriceTable;
use crate::report::{Format, Sheet, cell, count, dollars_rounded, left_out, render};
use crate::session::{Log, Repriced, Twice, reprice};
use crate::units::{Instant, Pico, When, members};

/// Prices a log at another book or at the prices of a date, beside what was charged; the two are never mixed.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman reprice may.jsonl --prices negotiated.toml\n  pointsman reprice may.jsonl --at 2026-06-01 --format json\n\nAs charged is what the log tells; where it tells nothing, the price list of the moment at which each request arrived. Without --prices that is the list as it is, without changes that the log brings. --at takes the prices in force at one moment for every call: those of --prices, or without it those of the list and of the log's own changes."
)]
pub struct RepriceArgs {
    /// Take the prices in force at this moment, whenever a request arrived.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub at: Option<When>,
    #[command(flatten)]
    pub(crate) input: LogsArgs,
}

members! {
    #[derive(Debug, Serialize)]
    struct Row;
    fn new(twice: &Twice, model: Option<String>, [requests, calls]: [Option<u64>; 2]) {}
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String> = model,
    #[serde(skip_serializing_if = "Option::is_none")]
    requests: Option<u64> = requests,
    #[serde(skip_serializing_if = "Option::is_none")]
    calls: Option<u64> = calls,
    charged_usd: Option<String> = twice.charged.usd(),
    charged_estimated_usd: String = twice.charged.estimated.usd(),
    charged_unknown: u64 = twice.charged.unknown,
    repriced_usd: Option<String> = twice.repriced.usd(),
    repriced_estimated_usd: String = twice.repriced.estimated.usd(),
    repriced_unknown: u64 = twice.repriced.unknown,
    /// Those of which both are there.
    compared: u64 = twice.compared,
    /// What those cost more at the other prices.
    change_usd: Option<String> = (twice.compared > 0).then(|| twice.change.usd()),
}

members! {
    #[derive(Debug, Serialize)]
    struct Report;
    fn new(args: &RepriceArgs, log: &Log, found: &Repriced, (book, at): (String, Option<Instant>), by_model: Vec<Row>) {}
    schema: &'static str = "pointsman.reprice/1",
    logs: Vec<String> = names(&args.input.logs),
    /// The prices that requests were charged by, where the log does not tell.
    charged_by: String = log.book.clone(),
    /// Requests whose log tells what was charged.
    charged_told_requests: u64 = found.told,
    /// Requests that are in no figure: simulated for want of a key, so that nobody was charged.
    left_out_requests: u64 = found.left_out,
    repriced_by: String = book,
    /// The moment whose prices are taken; null where each call has those of its own.
    repriced_at: Option<String> = at.map(Instant::rfc3339),
    #[serde(flatten)]
    all: Row = Row::new(&found.all, None, [Some(found.all.count), None]),
    by_model: Vec<Row> = by_model,
}

/// Runs the subcommand.
///
/// # Errors
/// Where a log or a price book cannot be used.
pub fn run(args: &RepriceArgs) -> anyhow::Result<()> {
    // What was charged rests on the list, whatever is tried beside it.
    let mut base = EngineArgs { reprice: false, ..args.input.engine.clone() };
    "list".clone_into(&mut base.serving.prices);
    let log = base.load(&args.input.logs)?;
    let named = &args.input.engine.serving.prices;
    let (table, book) = if args.at.is_some() && named == "list" {
        // The log's own prices, as they were at that moment.
        ((*log.prices).clone(), log.book.clone())
    } else {
        let book = prices::layered(named, config::user_dir().as_deref())?;
        (PriceTable::new(&book, &log.names), format!("{} {}", book.name, book.dated))
    };
    let at = args.at.map(|at| at.near_start(log.bounds().unwrap_or_default().0));
    let found = reprice(&log, &table, at);
    let models = found.models.iter().map(|(model, twice)| {
        let name = if model.is_some() { log.names.model(*model).to_owned() } else { String::new() };
        (twice.charged.total(), Row::new(twice, Some(name), [None, Some(twice.count)]))
    });
    let mut by_model: Vec<(Pico, Row)> = models.collect();
    crate::units::sort_by(&mut by_model, |(one, a), (other, b)| {
        other.cmp(one).then_with(|| a.model.cmp(&b.model))
    });
    let by_model = by_model.into_iter().map(|(_, row)| row).collect();
    let report = Report::new(args, &log, &found, (book, at), by_model);
    let format = args.input.format;
    output::report(format, &report, || render(&[sheet(&report, &found, format)], format))?;
    output::damage(&log.skipped.damaged)
}

fn sheet(report: &Report, found: &Repriced, format: Format) -> Sheet {
    let exact = format == Format::Csv;
    let money = |usd: &Option<String>| match usd {
        _ if exact => cell(usd.as_ref()),
        Some(usd) => dollars_rounded(usd),
        None => "unknown".to_owned(),
    };
    let number = |n: u64| if exact { n.to_string() } else { count(n) };
    let told = match found.told {
        0 => format!("as charged by {}", report.charged_by),
        n if n == found.all.count => "as charged by the log".to_owned(),
        n => format!(
            "as charged by the log ({} of {}) and {}",
            count(n),
            count(found.all.count),
            report.charged_by
        ),
    };
    let at = report.repriced_at.as_ref().map_or_else(String::new, |at| format!(" of {at}"));
    let left_out = left_out(report.left_out_requests);
    let title =
        format!("{} · {told} · re-priced by {}{at}{left_out}", report.logs.join(", "), report.repriced_by);
    let name = |row: &Row| match &row.model {
        None => "all (requests)".to_owned(),
        Some(name) => or_dash(name),
    };
    Sheet::of(
        title,
        report.by_model.iter().chain([&report.all]),
        &[
            ("model", &|row| name(row)),
            (">calls", &|row| number(row.calls.or(row.requests).unwrap_or_default())),
            (">charged", &|row| money(&row.charged_usd)),
            (">unknown", &|row| number(row.charged_unknown)),
            (">re-priced", &|row| money(&row.repriced_usd)),
            (">then unknown", &|row| number(row.repriced_unknown)),
            (">change", &|row| money(&row.change_usd)),
            (">compared", &|row| number(row.compared)),
        ],
    )
}
