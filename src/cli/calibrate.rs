//! `pointsman calibrate`: what the scores of a check are worth, as a curve for the policy.

use anyhow::bail;
use clap::Args;
use serde::Serialize;

use super::args::LabelledArgs;
use super::output;
use crate::calibration::{WordsWorth, Worth, worth, worth_of_words};
use crate::report::{Format, Sheet, count, render, to_json};
use crate::session::scored;

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

#[derive(Debug, Serialize)]
struct Row {
    route: String,
    model: String,
    scored: u64,
    judged: u64,
    /// Judged answers that are missing.
    needed: u64,
    /// `isotonic` or `logistic`; `null` where there are too few.
    fit: Option<&'static str>,
    error_raw: Option<f64>,
    error_calibrated: Option<f64>,
    curve: Option<Vec<[u16; 2]>>,
    /// How often of a good and a bad answer the good one scores higher, out of fold: by the mean alone, by mean, worst,
    /// tail and, where they are told, margin and entropy.
    ranks_mean: Option<f64>,
    ranks_words: Option<f64>,
    /// Level, mean, worst and tail, and margin and entropy where those tell more, where they tell more than the mean; `curve` is then
    /// theirs.
    weights: Option<Vec<i32>>,
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
    let row =
        |((route, model), found): ((std::sync::Arc<str>, std::sync::Arc<str>), crate::session::Scored)| {
            let fitted = worth(&found.judged);
            let told = fitted.as_ref().ok();
            // Of answers of which words are told: what they tell together.
            let words = worth_of_words(&found.words).ok();
            let better = words.as_ref().filter(|words| words.loss[1] < words.loss[0]);
            let ranks = |of: usize| words.as_ref().and_then(|words| words.ranks.get(of).copied());
            let curve = better.map(|WordsWorth { curve, .. }| curve).or(told.map(|told| &told.curve));
            Row {
                ranks_mean: ranks(0),
                ranks_words: ranks(1),
                weights: better.map(|words| words.weights.clone()),
                route: route.to_string(),
                model: model.to_string(),
                scored: found.scored,
                judged: found.judged.len() as u64,
                needed: fitted.as_ref().err().map_or(0, |needed| *needed as u64),
                fit: told.map(|told| if told.is_isotonic { "isotonic" } else { "logistic" }),
                error_raw: told.map(|Worth { error, .. }| error[0]),
                error_calibrated: better
                    .map(|words| words.error)
                    .or(told.map(|Worth { error, .. }| error[1])),
                curve: curve.cloned(),
            }
        };
    let report = Report {
        schema: "pointsman.calibrate/1",
        log: args.input.from.log.display().to_string(),
        check: args.check.clone(),
        rows: found.into_iter().map(row).collect(),
    };
    match args.input.from.format {
        Format::Json => output::text(&to_json(&report)?)?,
        format => {
            output::text(&render(&[sheet(&report)], format))?;
            if format == Format::Table {
                report.rows.iter().filter_map(Row::setting).try_for_each(|text| output::text(&text))?;
            }
        }
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
    let mut sheet = Sheet::new(
        title,
        &["route", "model", ">scored", ">judged", "fit", ">error", ">calibrated", ">ranks, mean", ">all"],
    );
    for row in &report.rows {
        let error = |error: Option<f64>| error.map_or_else(|| "-".to_owned(), |error| format!("{error:.3}"));
        let fit = row.fit.map_or_else(|| format!("{} judged ones more", count(row.needed)), str::to_owned);
        sheet.push(vec![
            row.route.clone(),
            row.model.clone(),
            count(row.scored),
            count(row.judged),
            fit,
            error(row.error_raw),
            error(row.error_calibrated),
            error(row.ranks_mean),
            error(row.ranks_words),
        ]);
    }
    sheet
}
