//! `pointsman calibrate`: what the scores of a check are worth, as a curve for the policy.

use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use serde::Serialize;

use super::args::LabelledArgs;
use super::output;
use crate::calibration::{WordsWorth, Worth, worth, worth_of_words};
use crate::report::{Format, Sheet, count, render};
use crate::session::{Scored, scored};
use crate::units::members;

/// Fits what a check's scores are worth.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman calibrate gateway.jsonl --labels labels.jsonl\n\nTakes the scores in a log's verdicts (kind = \"logprobs\", on_fail = \"record\" to begin with) and what labels say of the same answers, by route and model. Under 200 judged answers nothing is fitted; from 1,000 on the curve is isotonic, before that logistic. The calibration error is less what chance adds to it, that of the curve out of fold."
)]
pub struct CalibrateArgs {
    /// The check's name.
    #[arg(long, value_name = "NAME", default_value = "logprobs")]
    pub check: String,
    #[command(flatten)]
    pub(crate) input: LabelledArgs,
}

members! {
    #[derive(Debug, Serialize)]
    struct Row;
    fn new(((route, model), found): ((Arc<str>, Arc<str>), Scored)) {
        let fitted = worth(&found.judged);
        let told = fitted.as_ref().ok();
        // Of answers of which words are told: what they tell together.
        let words = worth_of_words(&found.words).ok();
        let better = words.as_ref().filter(|words| words.loss[1] < words.loss[0]);
        let ranks = |of: usize| words.as_ref().and_then(|words| words.ranks.get(of).copied());
        let curve = better.map(|WordsWorth { curve, .. }| curve).or(told.map(|told| &told.curve));
    }
    route: String = route.to_string(),
    model: String = model.to_string(),
    scored: u64 = found.scored,
    judged: u64 = found.judged.len() as u64,
    /// Judged answers that are missing.
    needed: u64 = fitted.as_ref().err().map_or(0, |needed| *needed as u64),
    /// `isotonic` or `logistic`; `null` where there are too few.
    fit: Option<&'static str> = told.map(|told| if told.is_isotonic { "isotonic" } else { "logistic" }),
    error_raw: Option<f64> = told.map(|Worth { error, .. }| error[0]),
    error_calibrated: Option<f64> = better
        .map(|words| words.error)
        .or(told.map(|Worth { error, .. }| error[1])),
    curve: Option<Vec<[u16; 2]>> = curve.cloned(),
    /// How often of a good and a bad answer the good one scores higher, out of fold: by the mean alone, by mean, worst,
    /// tail and, where they are told, margin and entropy.
    ranks_mean: Option<f64> = ranks(0),
    ranks_words: Option<f64> = ranks(1),
    /// Level, mean, worst and tail, and margin and entropy where those tell more, where they tell more than the mean; `curve` is then
    /// theirs.
    weights: Option<Vec<i32>> = better.map(|words| words.weights.clone()),
}

#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    log: String,
    check: String,
    rows: Vec<Row>,
}

/// Runs the subcommand.
///
/// # Errors
/// Where the log cannot be used, or has no scores of that check.
pub fn run(args: &CalibrateArgs) -> anyhow::Result<()> {
    let log = args.input.load()?;
    let found = scored(&log, &args.check, args.input.acceptable);
    if found.is_empty() {
        bail!(
            "no verdict of a check `{}` in {} has a score\nhint: a route with checks = [{{ kind = \"logprobs\", least = 500, on_fail = \"record\" }}] writes them",
            args.check,
            args.input.from.log.display()
        );
    }
    let report = Report {
        schema: "pointsman.calibrate/1",
        log: args.input.from.log.display().to_string(),
        check: args.check.clone(),
        rows: found.into_iter().map(Row::new).collect(),
    };
    let format = args.input.from.format;
    output::report(format, &report, || render(&[sheet(&report)], format))?;
    if format == Format::Table {
        report.rows.iter().filter_map(Row::setting).try_for_each(|text| output::text(&text))?;
    }
    output::damage(&log.skipped.damaged)
}

impl Row {
    /// Writes the curve as a policy takes it.
    fn setting(&self) -> Option<String> {
        let curve = self.curve.as_ref()?;
        let points: Vec<String> =
            curve.iter().map(|[score, chance]| format!("[{score}, {chance}]")).collect();
        Some(format!(
            "\n# {} on {}: `least` is then a chance that the answer is good\n{}curve = [{}]\n",
            self.model,
            self.route,
            self.weights.as_ref().map(|weights| format!("weights = {weights:?}\n")).unwrap_or_default(),
            points.join(", ")
        ))
    }
}

fn sheet(report: &Report) -> Sheet {
    let title = format!("{} · what scores of check {} are worth", report.log, report.check);
    let fit = |row: &Row| {
        row.fit.map_or_else(|| format!("{} more judged answers", count(row.needed)), str::to_owned)
    };
    let share = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |share| format!("{share:.3}"));
    Sheet::of(
        title,
        &report.rows,
        &[
            ("route", &|row| row.route.clone()),
            ("model", &|row| row.model.clone()),
            (">scored", &|row| count(row.scored)),
            (">judged", &|row| count(row.judged)),
            ("fit", &|row| fit(row)),
            (">error", &|row| share(row.error_raw)),
            (">calibrated", &|row| share(row.error_calibrated)),
            (">ranks, mean", &|row| share(row.ranks_mean)),
            (">all", &|row| share(row.ranks_words)),
        ],
    )
}
