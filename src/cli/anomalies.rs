//! `pointsman anomalies`: what is unlike its past, in a log or in any series.

use std::path::{Path, PathBuf};

use clap::Args;

use super::args::{EngineArgs, input, names, one_input, usd};
use super::output;
use crate::anomaly::{Detector, Knobs};
use crate::app::load_log;
use crate::record::{Input, Series};
use crate::report::{AnomalyReport, Format, Naming, ScoredPoint, SeriesReport, series_text};
use crate::session::survey;
use crate::units::{Pico, Span};

/// Finds what is unlike its past.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman anomalies gateway.jsonl\n  pointsman anomalies gateway.jsonl --false-alarms 0.1 --format json\n  pointsman anomalies cpu.csv --format csv\n\nOf a log: spend, requests, cost and tokens per request, escalations, failed calls, latency and cache hits, of all traffic and of each team, project, route and model; what belongs together is one incident, with the part of the traffic that explains it.\n\nA series is a table of a moment and a value: two columns, or columns called timestamp and value. Each point gets one score from 0 to 1, from what came before it; one half and more is worth an alarm."
)]
pub struct AnomaliesArgs {
    /// Logs, or series as CSV; plain, gzip or zstd; `-` is standard input.
    #[arg(required = true, value_name = "LOG|SERIES")]
    pub files: Vec<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// How many incidents a month may be told of although nothing is wrong.
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = false_alarms)]
    pub false_alarms: f64,
    /// Tell of a change in spend or in cost per request only where it comes to so many dollars.
    #[arg(long, value_name = "USD", default_value = "0.50", value_parser = usd, allow_negative_numbers = true)]
    pub least_usd: Pico,
    /// Tell only of changes by so many per cent; of shares, by a twenty-fifth as many points besides.
    #[arg(long, value_name = "PERCENT", default_value_t = 25.0, value_parser = percent)]
    pub least_percent: f64,
    /// Tell only of what so many requests show.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub least_requests: u64,
    /// Look at slots of this length (1m, 5m, 1h); one that suits the log where absent.
    #[arg(long, value_name = "LENGTH", value_parser = slot)]
    pub slot: Option<Span>,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

fn number(text: &str, least: f64, most: f64) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("`{text}` is no number from {least} to {most}"))
}

fn false_alarms(text: &str) -> Result<f64, String> {
    number(text, 0.000_001, 1000.0)
}

fn percent(text: &str) -> Result<f64, String> {
    number(text, 0.0, 1_000_000.0)
}

fn slot(text: &str) -> Result<Span, String> {
    Span::parse(text)
        .filter(|span| (Span::secs(1)..=Span::days(1)).contains(span))
        .ok_or_else(|| format!("`{text}` is no length from 1s to 1d; write 1m, 5m or 1h"))
}

/// Runs the subcommand.
///
/// # Errors
/// Where a file cannot be read.
pub fn run(args: &AnomaliesArgs) -> anyhow::Result<()> {
    let mut scored = Vec::new();
    let mut logs = Vec::new();
    for path in &args.files {
        let part = one_input(path)?;
        let series = if is_settled(args, path) { None } else { Series::open(&part)? };
        match series {
            Some(series) => scored.push(score(series)),
            None => logs.push((path.clone(), part)),
        }
    }
    if !scored.is_empty() {
        if let Some((path, _)) = logs.first() {
            anyhow::bail!(
                "{} is a series and {} is none: name series and logs in commands of their own",
                scored.first().map_or("", |series| series.file.as_str()),
                path.display()
            );
        }
        return output::text(&series_text(&scored, args.format)?);
    }
    of_logs(args, logs)
}

/// Says whether a file is to be read as a log without looking: because that is said, or because it is a folder of logs.
fn is_settled(args: &AnomaliesArgs, path: &Path) -> bool {
    args.engine.input_format.is_some() || args.engine.map.is_some() || path.is_dir()
}

fn score(series: Series) -> SeriesReport {
    let mut detector = Detector::default();
    let points = series.points.into_iter().map(|point| ScoredPoint {
        score: point.value.map(|value| detector.observe(point.at, value).score),
        timestamp: point.stamp,
        value: point.value,
    });
    SeriesReport { points: points.collect(), file: series.name }
}

fn of_logs(args: &AnomaliesArgs, logs: Vec<(PathBuf, Input)>) -> anyhow::Result<()> {
    let paths: Vec<PathBuf> = logs.iter().map(|(path, _)| path.clone()).collect();
    let whole = match logs.into_iter().next() {
        // What came by standard input is read already.
        Some((path, part)) if paths.len() == 1 && path == Path::new("-") => part,
        _ => input(&paths),
    };
    let setup = args.engine.start()?;
    let log = load_log(&whole, &paths, setup, &args.engine.read(), None)?;
    log.untimed().into_iter().for_each(output::remark);
    output::simulated(log.simulated as u64);
    let knobs = Knobs {
        false_alarms: args.false_alarms,
        least_usd: args.least_usd,
        least_percent: args.least_percent,
        least_requests: args.least_requests,
    };
    let found = survey(&log, knobs, args.slot);
    let names = names(&paths);
    let shown = names.join(" ");
    let naming = Naming { names: &log.names, slot: found.slot, slots: found.slots, log: &shown };
    let report = AnomalyReport::new(names.clone(), log.book.clone(), &knobs, &naming, &found.incidents);
    output::report(args.format, &report, || report.text(args.format))?;
    output::damage(&log.skipped.damaged)
}
