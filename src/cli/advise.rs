//! `pointsman advise`: models that nobody uses yet and that would cost less, each with the evidence that is missing.

use clap::Args;
use serde::Serialize;

use super::args::{LogArgs, time};
use super::certify::PromiseArgs;
use super::output;
use crate::report::{Format, Sheet, cell, count, render, simulated};
use crate::session::{Advice, Asked, Verdict, advise};
use crate::units::{Pico, When, counted};

/// Looks for models of the price book that would cost less.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman advise gateway.jsonl\n  pointsman advise gateway.jsonl --prices catalogue.json --most 10 --format json\n\nOf every model in use: the same tokens at the prices of models that nobody uses, an estimate with a wide error, for models differ in length and these were never seen. What labels prove of their answers beside those of the model in use is said, and what is missing where they do not; without labels nothing is said of quality."
)]
pub struct AdviseArgs {
    /// Say at most so many of each model in use.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub most: usize,
    /// Prices and models are news since then; since the start of the log where absent.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<When>,
    #[command(flatten)]
    pub(crate) promise: PromiseArgs,
    #[command(flatten)]
    pub(crate) input: LogArgs,
}

#[derive(Debug, Serialize)]
struct CandidateReport {
    model: String,
    /// The same tokens there: an estimate.
    cost_usd: String,
    /// Half the width of a 95% interval of it, and of what is saved: wide, for the log has never seen what the model reads and writes.
    cost_error_usd: String,
    saved_usd: String,
    /// Whether no more is saved than that.
    within_error: bool,
    saved_percent: String,
    /// `proven`, `worse` or `unknown`, by labels alone.
    quality: &'static str,
    pairs: u64,
    lost: u64,
    /// What the loss stays below, but for a chance of delta.
    bound: f64,
    /// Pairs of judged answers that are missing, none of which may be lost.
    needed_labels: Option<u64>,
}

#[derive(Debug, Serialize)]
struct ModelReport {
    model: String,
    calls: u64,
    /// Its tokens at the latest of its own prices, which need not be what was charged.
    cost_usd: String,
    deprecated: Option<String>,
    cheaper_models: usize,
    candidates: Vec<CandidateReport>,
}

#[derive(Debug, Serialize)]
struct NewsReport {
    model: String,
    at: String,
    /// `price`, or `model` where it is new.
    what: &'static str,
    /// What the log's tokens cost more at it.
    change_usd: Option<String>,
}

#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    log: String,
    /// Requests of it whose answers were simulated.
    simulated_requests: u64,
    prices: String,
    epsilon: f64,
    delta: f64,
    models: Vec<ModelReport>,
    news: Vec<NewsReport>,
}

/// Runs the subcommand.
///
/// # Errors
/// Where the log cannot be used.
pub fn run(args: &AdviseArgs) -> anyhow::Result<()> {
    let log = args.input.engine.load(&args.input.logs())?;
    let first = log.bounds().unwrap_or_default().0;
    let since = args.since.map(|since| since.near_start(first));
    let asked = Asked {
        epsilon: args.promise.epsilon,
        delta: args.promise.delta,
        loss: args.promise.promise().loss,
        since,
    };
    let Advice { models, news } = advise(&log, &asked);
    let report = Report {
        schema: "pointsman.advise/1",
        log: log.title.clone(),
        simulated_requests: log.simulated as u64,
        prices: log.book.clone(),
        epsilon: asked.epsilon,
        delta: asked.delta,
        models: models
            .into_iter()
            .map(|used| ModelReport {
                cheaper_models: used.candidates.len(),
                candidates: used
                    .candidates
                    .iter()
                    .take(args.most)
                    .map(|one| {
                        let saved = used.cost - one.cost;
                        let tenths = Pico(saved.0.saturating_mul(1000)).ratio(1, used.cost.0.max(1)).0;
                        CandidateReport {
                            model: one.model.clone(),
                            cost_usd: one.cost.usd(),
                            cost_error_usd: one.error.usd(),
                            saved_usd: saved.usd(),
                            within_error: saved <= one.error,
                            saved_percent: format!("{}.{}", tenths / 10, tenths % 10),
                            quality: match one.verdict {
                                Verdict::Proven => "proven",
                                Verdict::Worse => "worse",
                                Verdict::Unknown(_) => "unknown",
                            },
                            pairs: one.pairs,
                            lost: one.lost,
                            bound: one.bound,
                            needed_labels: match one.verdict {
                                Verdict::Proven => Some(0),
                                Verdict::Unknown(needed) => needed,
                                Verdict::Worse => None,
                            },
                        }
                    })
                    .collect(),
                model: used.model,
                calls: used.calls,
                cost_usd: used.cost.usd(),
                deprecated: used.deprecated,
            })
            .collect(),
        news: news
            .into_iter()
            .map(|one| NewsReport {
                model: one.model,
                at: one.at.to_string(),
                what: if one.change.is_some() { "price" } else { "model" },
                change_usd: one.change.map(Pico::usd),
            })
            .collect(),
    };
    let format = args.input.format;
    output::report(format, &report, || {
        if format == Format::Csv {
            render(&[flat(&report)], format)
        } else {
            render(&sheets(&report), format)
        }
    })?;
    output::damage(&log.skipped.damaged)
}

/// A model in use, and one that would cost less.
type Beside<'r> = (&'r ModelReport, Option<&'r CandidateReport>);

/// A row for each model in use and each that would cost less, exact: what CSV is. News have no place in it.
fn flat(report: &Report) -> Sheet {
    let rows = report.models.iter().flat_map(|used| {
        let nothing = used.candidates.is_empty().then_some((used, None));
        used.candidates.iter().map(move |one| (used, Some(one))).chain(nothing)
    });
    Sheet::of(
        "",
        rows,
        &[
            ("model", &|(used, _): &Beside<'_>| used.model.clone()),
            ("calls", &|(used, _)| used.calls.to_string()),
            ("cost_usd", &|(used, _)| used.cost_usd.clone()),
            ("deprecated", &|(used, _)| cell(used.deprecated.as_ref())),
            ("instead", &|(_, one)| cell(one.map(|one| &one.model))),
            ("instead_usd", &|(_, one)| cell(one.map(|one| &one.cost_usd))),
            ("instead_error_usd", &|(_, one)| cell(one.map(|one| &one.cost_error_usd))),
            ("saved_usd", &|(_, one)| cell(one.map(|one| &one.saved_usd))),
            ("saved_percent", &|(_, one)| cell(one.map(|one| &one.saved_percent))),
            ("within_error", &|(_, one)| cell(one.map(|one| one.within_error))),
            ("quality", &|(_, one)| cell(one.map(|one| one.quality))),
            ("pairs", &|(_, one)| cell(one.map(|one| one.pairs))),
            ("lost", &|(_, one)| cell(one.map(|one| one.lost))),
            ("bound", &|(_, one)| cell(one.map(|one| one.bound))),
            ("needed_labels", &|(_, one)| cell(one.and_then(|one| one.needed_labels))),
        ],
    )
}

fn sheets(report: &Report) -> Vec<Sheet> {
    let title = format!(
        "{} · models that nobody uses and that would cost less{} · prices {}",
        report.log,
        simulated(report.simulated_requests),
        report.prices
    );
    let mut table = Sheet::new(
        title,
        &["in use", ">at the latest prices", "instead", ">same tokens ~", ">saved", "what labels say of it"],
    );
    for used in &report.models {
        let mut first = Some((used.model.clone(), output::money(&used.cost_usd)));
        for one in &used.candidates {
            let evidence = match (one.quality, one.needed_labels) {
                ("proven", _) => format!(
                    "loses at most {:.2} %: {} of {}",
                    one.bound * 100.0,
                    one.lost,
                    counted(one.pairs, "pair")
                ),
                ("worse", _) => format!("worse: {} of {} lost", one.lost, counted(one.pairs, "pair")),
                (_, Some(needed)) => format!("unknown: {} judged pairs are missing", count(needed)),
                (_, None) => "unknown".to_owned(),
            };
            let (model, cost) = first.take().unwrap_or_default();
            let within = if one.within_error { ", within error" } else { "" };
            let saved = format!("{} %{within}", one.saved_percent);
            let there = format!("{} ±{}", output::money(&one.cost_usd), output::money(&one.cost_error_usd));
            table.push(vec![model, cost, one.model.clone(), there, saved, evidence]);
        }
        if let Some((model, cost)) = first {
            let nothing =
                vec![model, cost, "nothing cheaper".into(), String::new(), String::new(), String::new()];
            table.push(nothing);
        }
    }
    let mut sheets = vec![table];
    let deprecated =
        report.models.iter().filter_map(|used| Some((used.model.clone(), used.deprecated.clone()?)));
    let mut news = Sheet::new("news", &["model", "when", "what", ">change of this log's cost"]);
    for (model, day) in deprecated {
        news.push(vec![model, day, "no longer served from then on".into(), String::new()]);
    }
    for one in &report.news {
        let what = if one.what == "model" { "is new" } else { "changed its price" };
        let change = one.change_usd.as_deref().map(output::money).unwrap_or_default();
        news.push(vec![one.model.clone(), one.at.clone(), what.into(), change]);
    }
    if !news.rows.is_empty() {
        sheets.push(news);
    }
    sheets
}
