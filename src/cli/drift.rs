//! `pointsman drift`: whether confidences are spread, and hold what they say, as they did in an earlier stretch of a log.

use anyhow::bail;
use clap::Args;
use serde::Serialize;

use super::args::LabelledArgs;
use super::explain::{WindowArg, window};
use super::output;
use crate::calibration::Diagram;
use crate::certificate::Loss;
use crate::report::{Format, Sheet, count, render};
use crate::session::{Drifted, drifted, first_half};
use crate::units::members;

/// Compares confidences with how they were.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman drift gateway.jsonl\n  pointsman drift gateway.jsonl --reference 2026-05-01..2026-05-08 --format json\n\nThe population stability index says `drifted` above both .05 and what chance reaches once in 1,000 (chi-square, divided among all rungs), on 500 confidences or more on either side. So does Kolmogorov and Smirnov's D above both .1 and what chance reaches as seldom, the more the more alike confidences are that came together. The calibration error needs labels of both answers; it is told less what chance adds to it. `holds less` is said where more is lost than confidences say and than was lost before, by bets that win for nothing once in 10,000 labels."
)]
pub struct DriftArgs {
    /// How it was, two moments or days; the first half of the requests where absent. What came after it is compared.
    #[arg(long, value_name = "FROM..TO", value_parser = window)]
    pub reference: Option<WindowArg>,
    #[command(flatten)]
    pub(crate) input: LabelledArgs,
}

members! {
    #[derive(Debug, Serialize)]
    struct Row;
    fn from(found: Drifted) {
        let reading = found.reading.as_ref();
        let [then, now] = found.calibration.each_ref().map(Option::as_ref);
    }
    route: String = found.route.to_string(),
    rung: String = found.rung.to_string(),
    model: String = found.model.to_string(),
    reference_requests: u64 = found.requests[0],
    requests: u64 = found.requests[1],
    /// `null` with everything that rests on it: too few, or all alike.
    psi: Option<f64> = reading.map(|reading| reading.psi),
    psi_critical: Option<f64> = reading.map(|reading| reading.critical),
    ks: Option<f64> = reading.map(|reading| reading.ks),
    ks_critical: Option<f64> = reading.and_then(|reading| reading.ks_critical),
    drifted: Option<bool> = reading.map(|reading| reading.has_drifted),
    reference_labels: u64 = then.map_or(0, Diagram::n),
    labels: u64 = now.map_or(0, Diagram::n),
    /// The calibration error less what chance adds to it; `null` without labels.
    reference_ece: Option<f64> = then.map(Diagram::ece_debiased),
    ece: Option<f64> = now.map(Diagram::ece_debiased),
    holds_less: Option<bool> = found.holds_less,
}

#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    log: String,
    reference_from: String,
    reference_to: String,
    rungs: Vec<Row>,
}

/// Runs the subcommand.
///
/// # Errors
/// Where the log cannot be used.
pub fn run(args: &DriftArgs) -> anyhow::Result<()> {
    let log = args.input.load()?;
    let named = args.reference.map(|reference| reference.moments(&log, "--reference"));
    let Some((from, to)) = named.or_else(|| first_half(&log)) else {
        bail!("{} holds no requests", args.input.from.log.display());
    };
    let rungs: Vec<Row> = drifted(&log, (from, to), Loss::Acceptable(args.input.acceptable))
        .into_iter()
        .map(Row::from)
        .collect();
    if rungs.is_empty() {
        bail!(
            "no request of {} from {} on has a confidence\nhint: name an earlier --reference, or have the classifier judge them (--reclassify)",
            args.input.from.log.display(),
            from.rfc3339()
        );
    }
    let report = Report {
        schema: "pointsman.drift/1",
        log: args.input.from.log.display().to_string(),
        reference_from: from.rfc3339(),
        reference_to: to.rfc3339(),
        rungs,
    };
    let format = args.input.from.format;
    let sheet = || if format == Format::Csv { flat(&report) } else { sheet(&report) };
    output::report(format, &report, || render(&[sheet()], format))?;
    output::damage(&log.skipped.damaged)
}

/// Everything of each rung, exact: what CSV is.
fn flat(report: &Report) -> Sheet {
    output::fields(
        &report.rungs,
        "route rung model reference_requests requests psi psi_critical ks ks_critical drifted reference_labels labels \
         reference_ece ece holds_less",
    )
}

fn sheet(report: &Report) -> Sheet {
    let title = format!(
        "{} · what came after {} beside what came from {} on",
        report.log, report.reference_to, report.reference_from
    );
    let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
    let word = |row: &Row| match (row.drifted, row.holds_less) {
        (Some(true), Some(true)) => "drifted, holds less",
        (_, Some(true)) => "holds less",
        (Some(true), _) => "drifted",
        (Some(false), _) => "steady",
        (None, _) => "too few",
    };
    Sheet::of(
        title,
        &report.rungs,
        &[
            ("route", &|row| row.route.clone()),
            ("rung", &|row| row.rung.clone()),
            ("model", &|row| row.model.clone()),
            (">then", &|row| count(row.reference_requests)),
            (">now", &|row| count(row.requests)),
            ("is", &|row| word(row).to_owned()),
            (">PSI", &|row| figure(row.psi)),
            (">chance", &|row| figure(row.psi_critical)),
            (">D", &|row| figure(row.ks)),
            (">chance", &|row| figure(row.ks_critical)),
            (">ECE then", &|row| figure(row.reference_ece)),
            (">now", &|row| figure(row.ece)),
        ],
    )
}
