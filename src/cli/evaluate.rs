//! `pointsman evaluate`: what a classifier is worth on questions of which both answers are known, beside doing without.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use serde::Serialize;

use super::args::{ReadArgs, Shape};
use super::output;
use super::train::{ladder, tell};
use crate::app::{Lessons, classifier, meant};
use crate::classifier::Classifier;
use crate::report::{Format, Sheet, render, to_json};
use crate::training::{Evaluation, Judged, evaluate};
use crate::units::{counted, members};

/// The fewest questions not learned from by which a classifier is judged alone.
const FEWEST: usize = 20;

/// Measures what a classifier is worth, beside doing without.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman evaluate outcomes.jsonl.gz --weights weights.toml\n  pointsman evaluate outcomes.jsonl.gz --cheap haiku --strong sonnet --format json\n\nAPGR is the share of the quality gap between the models that is recovered, averaged over all shares of requests that go to the strong one: chance has .500. CPT 50 is the strong share at which half of the gap is recovered. Questions that the weights were trained on are left out where others remain; --all takes them in."
)]
pub struct EvaluateArgs {
    /// A set of outcomes, or a log with labels; plain, gzip or zstd.
    #[arg(value_name = "OUTCOMES|LOG")]
    pub from: PathBuf,
    /// The cheap model, or a part of its name; that of the weights where absent.
    #[arg(long, value_name = "MODEL", requires = "strong")]
    pub cheap: Option<String>,
    /// The strong model, or a part of its name.
    #[arg(long, value_name = "MODEL", requires = "cheap")]
    pub strong: Option<String>,
    /// The classifier's file, or `public` for the weights trained on public sets; the built-in one where absent.
    #[arg(long, visible_alias = "classifier", value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Judge by the questions, too, that the weights were trained on.
    #[arg(long)]
    pub all: bool,
    /// What draws the interval.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Shape::Table)]
    pub format: Shape,
    /// Files with more labels of the same requests, as `pointsman label` writes them.
    #[arg(long, value_name = "FILE")]
    pub labels: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

members! {
    /// What routing is worth otherwise: the share of the gap recovered, as `apgr` has it.
    #[derive(Debug, Serialize)]
    struct Baselines;
    fn new(found: &Evaluation) {}
    always_cheap: f64 = 0.0,
    always_strong: f64 = 1.0,
    random: f64 = 0.5,
    length_only: Option<f64> = found.baselines.length_only,
    tags_only: Option<f64> = found.baselines.tags_only,
    oracle: Option<f64> = found.baselines.oracle,
}

members! {
    #[derive(Debug, Serialize)]
    struct Report;
    fn new(
        args: &EvaluateArgs,
        made: &Classifier,
        (cheap, strong): (&str, &str),
        found: &Evaluation,
        (half_known, trained_on, includes): (u64, u64, bool),
        remarks: Vec<String>,
    ) {}
    schema: &'static str = "pointsman.evaluate/1",
    outcomes: String = args.from.display().to_string(),
    cheap: String = cheap.to_owned(),
    strong: String = strong.to_owned(),
    weights: String = made.name().to_owned(),
    hash: String = format!("{:016x}", made.hash()),
    n: usize = found.n,
    apgr: Option<f64> = found.apgr,
    apgr_low: Option<f64> = found.interval.map(|(low, _)| low),
    apgr_high: Option<f64> = found.interval.map(|(_, high)| high),
    cpt50: Option<f64> = found.cpt.0,
    cpt80: Option<f64> = found.cpt.1,
    saved_at_95: Option<f64> = found.saved_at_95,
    /// The share of requests to the strong model that keeps 95% of its quality.
    strong_share_at_95: Option<f64> = found.share_at_95,
    ece: Option<f64> = found.ece,
    brier: Option<f64> = found.brier,
    baselines: Baselines = Baselines::new(found),
    quality_cheap: f64 = found.quality.0,
    quality_strong: f64 = found.quality.1,
    /// The share of questions whose cheap answer is no worse.
    cheap_will_do: f64 = found.will_do,
    /// Questions without a confidence: they go to the strong model first.
    without_confidence: usize = found.silent,
    /// Questions whose costs of both answers are known.
    costs_known: usize = found.costed,
    /// Questions with only one of the answers known; they are in no figure.
    half_known: u64 = half_known,
    /// Questions that the weights were trained on: left out, or judged all the same.
    trained_on: u64 = trained_on,
    trained_on_included: bool = includes,
    remarks: Vec<String> = remarks,
}

/// Runs the subcommand.
///
/// # Errors
/// Where the file or the weights cannot be used, or no question tells of both models.
pub fn run(args: &EvaluateArgs) -> anyhow::Result<()> {
    let made = classifier(args.weights.as_deref())?;
    let (options, book) = args.read.open()?;
    let (lessons, contents) = Lessons::open(&args.from, &args.labels, &options, &book)?;
    let trained = made.about().map_or(&[][..], |about| about.ladder.as_slice());
    let ladder = match (args.cheap.as_deref().zip(args.strong.as_deref()), trained) {
        (None, [cheap, .., strong])
            if meant(cheap, &contents, &args.from).is_ok()
                && meant(strong, &contents, &args.from).is_ok() =>
        {
            vec![meant(cheap, &contents, &args.from)?, meant(strong, &contents, &args.from)?]
        }
        (pair, _) => ladder(&[], pair, &contents, &args.from)?,
    };
    let ([cheap, strong] | [cheap, .., strong]) = ladder.as_slice() else { bail!("two models are needed") };
    tell(&contents);

    let (mut fresh, mut seen, mut half_known) = (Vec::new(), Vec::new(), 0);
    lessons.each("judging", |lesson| {
        let (Some(low), Some(high)) = (lesson.quality(cheap), lesson.quality(strong)) else {
            half_known += u64::from(lesson.quality(cheap).is_some() || lesson.quality(strong).is_some());
            return;
        };
        let opinion = made.classify(lesson.prompt, &lesson.measures);
        let tagged = made.tables().and_then(|tables| {
            let parts = tables.parts(None, tables.tags_of(&lesson.measures)).tags;
            parts.iter().any(Option::is_some).then(|| parts.iter().flatten().sum())
        });
        let judged = Judged {
            group: lesson.question,
            cheap: low,
            strong: high,
            confidence: opinion.confidence.map(crate::units::PerMille::get),
            length: lesson.prompt.map_or(0, str::len),
            tagged,
            costs: lesson.cost(cheap).zip(lesson.cost(strong)).map(|(low, high)| (low.0, high.0)),
        };
        let has_seen = made.about().is_some_and(|about| about.has_seen(lesson.question));
        if has_seen { &mut seen } else { &mut fresh }.push(judged);
    })?;
    let trained_on = seen.len() as u64;
    let includes = trained_on > 0 && (args.all || fresh.len() < FEWEST);
    if includes {
        fresh.append(&mut seen);
    }
    if fresh.is_empty() {
        bail!(
            "{}: no question tells how good the answers of both {cheap} and {strong} were",
            args.from.display()
        );
    }
    let found = evaluate(&fresh, args.seed);
    let mut remarks = remarks(&found, trained, &[cheap.clone(), strong.clone()]);
    if includes {
        let all = counted(trained_on, "question");
        remarks.push(format!(
            "trained on: {all} of {}; these figures are too good, for it knows them by heart; judge it by others",
            found.n
        ));
    } else if trained_on > 0 {
        remarks.push(format!("left out, for it was trained on: {}", counted(trained_on, "question")));
    }
    let report =
        Report::new(args, &made, (cheap, strong), &found, (half_known, trained_on, includes), remarks);
    match args.format {
        Shape::Json => output::text(&to_json(&report)?),
        Shape::Table => {
            output::text(&render(&[sheet(&report)], Format::Table))?;
            for remark in &report.remarks {
                output::remark(remark);
            }
            Ok(())
        }
    }
}

/// Says what a reader of the figures should know.
fn remarks(found: &Evaluation, trained: &[String], judged: &[String]) -> Vec<String> {
    let mut remarks = Vec::new();
    let (cheap, strong) = found.quality;
    if found.apgr.is_none() {
        remarks.push(format!(
            "the strong model is no better in the mean ({strong:.3} against {cheap:.3}): there is no gap to recover, and no APGR"
        ));
    } else if found.interval.is_none() {
        remarks.push("too few questions for an interval".to_owned());
    }
    if found.n < 100 {
        remarks.push(format!("only {}: chance weighs heavily", counted(found.n as u64, "question")));
    }
    if found.costed * 10 < found.n * 9 {
        remarks.push(format!(
            "the costs of both answers are known for {} of {}: what is saved stays unknown",
            found.costed, found.n
        ));
    }
    if let (Some(apgr), Some(length)) = (found.apgr, found.baselines.length_only)
        && apgr <= length
    {
        remarks.push("no better than the length of the prompt alone".to_owned());
    }
    let ends = trained.first().zip(trained.last());
    if let Some((cheap, strong)) = ends
        && ends != judged.first().zip(judged.last())
    {
        remarks.push(format!("trained for {cheap} and {strong}, judged on other models"));
    }
    remarks
}

fn sheet(report: &Report) -> Sheet {
    let title = format!(
        "{} · {} → {} · weights {} {}",
        report.outcomes,
        report.cheap,
        report.strong,
        report.weights,
        report.hash.get(..8).unwrap_or("")
    );
    let mut sheet = Sheet::new(title, &["", ">", ""]);
    let share =
        |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), |value| format!("{value:.3}"));
    let mut line = |name: &str, value: String, note: &str| sheet.push(vec![name.into(), value, note.into()]);
    line("questions", report.n.to_string(), "");
    line("quality, cheap", share(Some(report.quality_cheap)), "");
    line("quality, strong", share(Some(report.quality_strong)), "");
    let interval = match (report.apgr_low, report.apgr_high) {
        (Some(low), Some(high)) => format!("95% {low:.3} to {high:.3}"),
        _ => String::new(),
    };
    line("APGR", share(report.apgr), &interval);
    line("  by chance", share(Some(report.baselines.random)), "");
    line("  by length alone", share(report.baselines.length_only), "");
    line("  by tags alone", share(report.baselines.tags_only), "");
    line("  knowing the answers", share(report.baselines.oracle), "nobody can do better");
    line("CPT 50", share(report.cpt50), "strong share that recovers half of the gap");
    line("CPT 80", share(report.cpt80), "strong share that recovers four fifths");
    line(
        "saved at 95%",
        share(report.saved_at_95),
        "of always asking the strong model, at 95% of its quality",
    );
    line("  strong share there", share(report.strong_share_at_95), "");
    line("calibration error", share(report.ece), "");
    line("without confidence", report.without_confidence.to_string(), "these go to the strong model");
    sheet
}
