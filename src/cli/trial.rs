//! `pointsman trial`: a sample of a log's requests asked of a candidate model, and graded beside the answers of the model that served.
//!
//! Invariant: nothing is sent before somebody agreed to what it costs, and no more is spent than was allowed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use serde::Serialize;

use super::args::ReadArgs;
use super::drive::Unserved;
use super::output;
use super::prices::agreed;
use crate::app::candidate::{self, Arms, End, Estimate, Kept, Question, Sampled, Tried};
use crate::app::{Cancel, read_settings};
use crate::calibration::special::clopper_pearson;
use crate::gateway::Bench;
use crate::report::{Format, Sheet, count, render};
use crate::session::LoadError;
use crate::units::{PerMille, Pico, counted, members};

/// Tries a model on a sample of a log's requests.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman trial gateway.jsonl --model gpt-4.1-nano --judge claude-opus-4-6 --sample 300 --max-spend 2\n  pointsman certify gateway.jsonl --labels trial-labels.jsonl\n  pointsman label trial-answers.jsonl\n\nThe log has to hold prompts: lines with `prompt`, or a gateway's ledger whose routes keep them (`keep-prompts` under [ledger] in gateway.toml). What was asked goes to the candidate and, as logs hold no answers, once more to the model that served; the judge grades both without knowing whose they are. The system prompt is not in a log, so neither has it. Requests with earlier turns, tools, pictures or required labels are left out.\n\nAnswers and labels are kept and used by the next trial, which asks only for what is missing. Ctrl-C keeps what is there."
)]
pub struct TrialArgs {
    /// The log, plain, gzip or zstd, or a gateway's ledger.
    #[arg(value_name = "LOG")]
    pub log: PathBuf,
    /// The candidate.
    #[arg(long, value_name = "MODEL")]
    pub model: String,
    /// Who judges, neither the candidate nor a model that served; the judge of [shadow.ROUTE] in gateway.toml where absent.
    #[arg(long, value_name = "MODEL")]
    pub judge: Option<String>,
    /// Try it on so many requests, drawn by the seed; a larger sample holds the smaller one.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub sample: u32,
    /// Never spend more than so many dollars in this run, counting what is under way at its worst.
    #[arg(long, value_name = "USD")]
    pub max_spend: Pico,
    /// What draws the sample.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Where answers are kept, with what was asked.
    #[arg(long, value_name = "FILE", default_value = "trial-answers.jsonl")]
    pub answers: PathBuf,
    /// Where labels are added.
    #[arg(short, long, value_name = "FILE", default_value = "trial-labels.jsonl")]
    pub output: PathBuf,
    /// Send and spend without asking.
    #[arg(long)]
    pub yes: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

/// What judges said of the candidate beside one model.
#[derive(Debug, Default, Serialize)]
struct Beside {
    /// The model that served.
    served: String,
    judged: u64,
    /// The candidate's answer is the better one, both are as good, or it is the worse one.
    better: u64,
    same: u64,
    worse: u64,
    /// Answers of quality 500 or better.
    served_acceptable: u64,
    candidate_acceptable: u64,
    /// The candidate's answer not acceptable, the other one acceptable.
    lost: u64,
    /// What the share of these stays below, but for a chance of 5 %.
    lost_at_most: f64,
    /// What those answers cost whose two costs are known.
    served_usd: String,
    candidate_usd: String,
    #[serde(skip)]
    costs: [Pico; 2],
}

members! {
    #[derive(Debug, Serialize)]
    struct Report;
    fn new(
        args: &TrialArgs,
        (arms, sampled): (&Arms, &Sampled),
        kept: &Kept,
        tried: &Tried,
        simulated: bool,
    ) {
        let is_acceptable = |quality: PerMille| quality.get() >= ACCEPTABLE;
        let mut models: BTreeMap<&str, Beside> = BTreeMap::new();
        for question in &sampled.questions {
            let Some([served, candidate]) = kept.verdict(question, arms) else { continue };
            let row = models.entry(&question.served).or_default();
            row.judged += 1;
            row.better += u64::from(candidate > served);
            row.same += u64::from(candidate == served);
            row.worse += u64::from(candidate < served);
            row.served_acceptable += u64::from(is_acceptable(served));
            row.candidate_acceptable += u64::from(is_acceptable(candidate));
            row.lost += u64::from(is_acceptable(served) && !is_acceptable(candidate));
            let cost = |model: &str| kept.outcome(question, model)?.cost();
            if let (Some(served), Some(candidate)) = (cost(&question.served), cost(&arms.model)) {
                row.costs = [row.costs[0] + served, row.costs[1] + candidate];
            }
        }
        let rows = models.into_iter().map(|(served, row)| Beside {
            served: served.to_owned(),
            lost_at_most: clopper_pearson(row.lost, row.judged, DELTA),
            served_usd: row.costs[0].usd(),
            candidate_usd: row.costs[1].usd(),
            ..row
        });
        let mut models: Vec<Beside> = rows.collect();
        crate::units::sort_by_key(&mut models, |row| std::cmp::Reverse(row.judged));
        let judged = models.iter().map(|row| row.judged).sum();
    }
    schema: &'static str = "pointsman.trial/1",
    log: String = args.log.display().to_string(),
    model: String = arms.model.to_string(),
    judge: String = arms.judge.to_string(),
    /// Whether an answer or a verdict is synthetic, as there is no key for its provider.
    simulated: bool = simulated,
    requests: u64 = sampled.requests,
    eligible: u64 = sampled.eligible,
    sample: usize = sampled.questions.len(),
    judged: u64 = judged,
    missing: u64 = (sampled.questions.len() as u64).saturating_sub(judged),
    left_out: BTreeMap<&'static str, u64> = sampled.left.iter().map(|(left, count)| (left.name(), *count)).collect(),
    bad_lines: u64 = sampled.bad,
    end: &'static str = tried.end.name(),
    judged_now: u64 = tried.judged,
    failed: u64 = tried.failed,
    first_failure: Option<String> = tried.first_failure.clone(),
    spent_usd: String = tried.spent.usd(),
    /// The part of it whose cost nobody told, at its most.
    assumed_usd: String = tried.assumed.usd(),
    max_spend_usd: String = args.max_spend.usd(),
    answers: String = args.answers.display().to_string(),
    labels: String = args.output.display().to_string(),
    models: Vec<Beside> = models,
}

/// Runs the subcommand.
///
/// # Errors
/// Where the log or a model cannot be used, nobody agreed to the cost, or not one request could be judged.
pub fn run(args: &TrialArgs) -> anyhow::Result<()> {
    if args.max_spend <= Pico::ZERO {
        bail!("--max-spend is an amount of dollars, above zero");
    }
    let cancel = Cancel::on_interrupt();
    let (read, book) = args.read.open()?;
    let (bench, warnings) = candidate::bench(read_settings()?, book)?;
    let arms = arms(args, &bench)?;
    let draw = (usize::try_from(args.sample).unwrap_or(usize::MAX), args.seed);
    let sampled = candidate::sample(&args.log, &read, (&bench, &arms), draw, &cancel)?;
    if sampled.questions.is_empty() {
        return Err(nothing(args, &sampled));
    }
    let mut kept = Kept::open(&args.answers, &args.output, &sampled.questions, (&bench, &arms))?;
    let is_simulated = |model: &str| bench.server(model).is_some_and(|(_, is_simulated)| is_simulated);
    let all = sampled.questions.iter().map(|question| &*question.served).chain([&*arms.model, &*arms.judge]);
    let simulated: std::collections::BTreeSet<&str> =
        all.clone().filter(|model| is_simulated(model)).collect();
    let estimate = candidate::estimate(&bench, &arms, &sampled.questions, &kept)
        .map_err(|why| anyhow::anyhow!("{why}\nhint: name a book with --prices"))?;
    if !simulated.is_empty() {
        for warning in &warnings {
            output::remark(warning);
        }
        let names: Vec<&str> = simulated.iter().copied().collect();
        output::remark(&format!(
            "SIMULATED: no key for {}; answers and verdicts with them are simulated and prove nothing",
            names.join(", ")
        ));
    }
    let is_all_simulated = all.clone().all(is_simulated);
    output::remark(&announce(args, &arms, &sampled, &estimate));
    if estimate.questions > 0 && !args.yes && !is_all_simulated {
        let what = format!(
            "send {} of the log to {} and spend up to ${}",
            counted(estimate.questions, "prompt"),
            providers(&bench, &arms, &sampled.questions),
            args.max_spend
        );
        if !agreed(&what, &mut std::io::stdout())? {
            return Err(LoadError::Cancelled.into());
        }
    }
    let tried = candidate::run(&bench, &arms, &sampled.questions, &mut kept, args.max_spend, &cancel)?;
    let report = Report::new(args, (&arms, &sampled), &kept, &tried, !simulated.is_empty());
    output::report(args.format, &report, || render(&sheets(&report), args.format))?;
    if tried.end == End::Stopped {
        return Err(LoadError::Cancelled.into());
    }
    if report.judged == 0 {
        let why = tried.first_failure.map_or_else(
            || {
                format!(
                    "${} is not enough for one request at its worst\nhint: raise --max-spend",
                    args.max_spend
                )
            },
            |why| format!("not one request could be judged: {why}"),
        );
        return Err(Unserved::new(why).into());
    }
    Ok(())
}

fn arms(args: &TrialArgs, bench: &Bench) -> anyhow::Result<Arms> {
    let Some(judge) = args.judge.as_deref().or_else(|| bench.judge()) else {
        bail!(
            "who judges is not known\nhint: name a model with --judge, or one judge for all [shadow.ROUTE] in gateway.toml"
        );
    };
    if bench.are_one(judge, &args.model) {
        bail!("{judge} would judge its own answers\nhint: name another model with --judge");
    }
    for (option, model) in [("--model", &*args.model), ("--judge", judge)] {
        if bench.server(model).is_none() {
            bail!("{option} {model}: no provider serves it\nhint: name it in providers.toml");
        }
        bench
            .prices(model)
            .map_err(|why| anyhow::anyhow!("{option}: {why}\nhint: name a book with --prices"))?;
    }
    Ok(Arms { model: args.model.as_str().into(), judge: judge.into() })
}

/// Says why nothing could be drawn, and what would help.
fn nothing(args: &TrialArgs, sampled: &Sampled) -> anyhow::Error {
    let place = args.log.display();
    if sampled.requests == 0 {
        return anyhow::anyhow!("{place} holds no requests");
    }
    let without = sampled.left.get(&candidate::Left::NoPrompt).copied().unwrap_or(0);
    if without == sampled.requests {
        return anyhow::anyhow!(
            "{place}: not one of {} holds what was asked\nhint: have the gateway keep prompts (`keep-prompts = [\"ROUTE\"]` under [ledger] in gateway.toml) and give its ledger as LOG, or a log whose lines have `prompt`",
            counted(sampled.requests, "request")
        );
    }
    let left: Vec<String> =
        sampled.left.iter().map(|(left, count)| format!("{} ({count})", left.name())).collect();
    anyhow::anyhow!(
        "{place}: not one of {} can be asked again: {}",
        counted(sampled.requests, "request"),
        left.join(", ")
    )
}

fn announce(args: &TrialArgs, arms: &Arms, sampled: &Sampled, estimate: &Estimate) -> String {
    let mut text = format!(
        "{} of {} that can be asked again ({} in the log)",
        counted(sampled.questions.len() as u64, "request"),
        count(sampled.eligible),
        count(sampled.requests)
    );
    if sampled.questions.len() < usize::try_from(args.sample).unwrap_or(usize::MAX) {
        let _ = write!(text, ", fewer than --sample {}", args.sample);
    }
    if estimate.questions == 0 {
        let _ = write!(text, "; all are judged already, nothing is sent");
        return text;
    }
    let _ = write!(
        text,
        "\n{} and {} by {}: about ${}, never more than ${}",
        counted(estimate.answers, "answer"),
        counted(estimate.questions, "verdict"),
        arms.judge,
        estimate.about.usd_rounded(4),
        args.max_spend
    );
    if estimate.about > args.max_spend {
        let _ = write!(text, "; that will not be enough for all");
    }
    text
}

fn providers(bench: &Bench, arms: &Arms, questions: &[Question]) -> String {
    let models = questions.iter().map(|question| &question.served).chain([&arms.model, &arms.judge]);
    let names: std::collections::BTreeSet<Arc<str>> =
        models.filter_map(|model| bench.server(model).map(|(name, _)| name)).collect();
    names.iter().map(|name| &**name).collect::<Vec<_>>().join(", ")
}

/// What is acceptable, of 1000.
const ACCEPTABLE: u16 = 500;
/// The chance that a bound is wrong.
const DELTA: f64 = 0.05;

fn sheets(report: &Report) -> Vec<Sheet> {
    let mark = if report.simulated { " · SIMULATED, proves nothing" } else { "" };
    let title = format!(
        "{} on {} of {} · judged by {}{mark}",
        report.model,
        report.log,
        counted(report.sample as u64, "request"),
        report.judge
    );
    let share = |of: u64, row: &Beside| format!("{:.1} %", of as f64 * 100.0 / row.judged.max(1) as f64);
    let found = Sheet::of(
        title,
        &report.models,
        &[
            ("beside", &|row| row.served.clone()),
            (">judged", &|row| count(row.judged)),
            (">better", &|row| count(row.better)),
            (">same", &|row| count(row.same)),
            (">worse", &|row| count(row.worse)),
            (">acceptable", &|row| share(row.candidate_acceptable, row)),
            (">its own", &|row| share(row.served_acceptable, row)),
            (">lost", &|row| count(row.lost)),
            (">lost at most", &|row| format!("{:.1} %", row.lost_at_most * 100.0)),
            (">cost", &|row| format!("${}", row.costs[1].usd_rounded(4))),
            (">its own", &|row| format!("${}", row.costs[0].usd_rounded(4))),
        ],
    );
    let mut run = Sheet::new("", &["run", "", ""]);
    let mut row = |what: &str, value: String, more: String| run.push(vec![what.to_owned(), value, more]);
    row(
        "judged",
        count(report.judged),
        format!("{} in this run, {} missing", report.judged_now, report.missing),
    );
    row("spent", format!("${}", report.spent_usd), format!("of ${}", report.max_spend_usd));
    if report.assumed_usd != "0" {
        row("of it at its most", format!("${}", report.assumed_usd), "nobody told what it cost".to_owned());
    }
    match report.end {
        "done" => {}
        "capped" => row("ended", "capped".to_owned(), "the next could cost more than is left".to_owned()),
        "failing" => row("ended", "failing".to_owned(), "too many in a row failed".to_owned()),
        other => row("ended", other.to_owned(), "the same command goes on".to_owned()),
    }
    if let Some(why) = &report.first_failure {
        row("failed", count(report.failed), format!("the first: {why}"));
    }
    for (why, left) in &report.left_out {
        row("left out", count(*left), (*why).to_owned());
    }
    row("answers", report.answers.clone(), "people judge them with `pointsman label`".to_owned());
    row("labels", report.labels.clone(), "for --labels of certify, advise, optimise, whatif".to_owned());
    vec![found, run]
}
