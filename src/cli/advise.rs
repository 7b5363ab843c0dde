//! `pointsman advise`: models that nobody uses yet and that would cost less, each with the evidence that is missing.

use clap::Args;
use serde::Serialize;

use super::args::{LogArgs, time};
use super::certify::PromiseArgs;
use super::output;
use crate::report::{Format, Sheet, count, render, simulated};
use crate::session::{Advice, Asked, Candidate, InUse, Log, PriceNews, Verdict, advise};
use crate::units::{Pico, When, counted, members};

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

members! {
    #[derive(Debug, Serialize)]
    struct CandidateReport;
    fn new(used: Pico, one: &Candidate) {
        let saved = used - one.cost;
        let tenths = Pico(saved.0.saturating_mul(1000)).ratio(1, used.0.max(1)).0;
    }
    model: String = one.model.clone(),
    /// The same tokens there: an estimate.
    cost_usd: String = one.cost.usd(),
    /// Half the width of a 95% interval of it, and of what is saved: wide, for the log has never seen what the model reads and writes.
    cost_error_usd: String = one.error.usd(),
    saved_usd: String = saved.usd(),
    /// Whether no more is saved than that.
    within_error: bool = saved <= one.error,
    saved_percent: String = format!("{}.{}", tenths / 10, tenths % 10),
    /// `proven`, `worse` or `unknown`, by labels alone.
    quality: &'static str = match one.verdict {
        Verdict::Proven => "proven",
        Verdict::Worse => "worse",
        Verdict::Unknown(_) => "unknown",
    },
    pairs: u64 = one.pairs,
    lost: u64 = one.lost,
    /// What the loss stays below, but for a chance of delta.
    bound: f64 = one.bound,
    /// Pairs of judged answers that are missing, none of which may be lost.
    needed_labels: Option<u64> = match one.verdict {
        Verdict::Proven => Some(0),
        Verdict::Unknown(needed) => needed,
        Verdict::Worse => None,
    },
}

members! {
    #[derive(Debug, Serialize)]
    struct ModelReport;
    fn new(used: InUse, most: usize) {}
    model: String = used.model,
    calls: u64 = used.calls,
    /// Its tokens at the latest of its own prices, which need not be what was charged.
    cost_usd: String = used.cost.usd(),
    deprecated: Option<String> = used.deprecated,
    cheaper_models: usize = used.candidates.len(),
    candidates: Vec<CandidateReport> =
        used.candidates.iter().take(most).map(|one| CandidateReport::new(used.cost, one)).collect(),
}

members! {
    #[derive(Debug, Serialize)]
    struct NewsReport;
    fn from(one: PriceNews) {}
    model: String = one.model,
    at: String = one.at.to_string(),
    /// `price`, or `model` where it is new.
    what: &'static str = if one.change.is_some() { "price" } else { "model" },
    /// What the log's tokens cost more at it.
    change_usd: Option<String> = one.change.map(Pico::usd),
}

members! {
    #[derive(Debug, Serialize)]
    struct Report;
    fn new(args: &AdviseArgs, log: &Log, asked: &Asked, Advice { models, news }: Advice) {}
    schema: &'static str = "pointsman.advise/1",
    log: String = log.title.clone(),
    /// Requests of it whose answers were simulated.
    simulated_requests: u64 = log.simulated as u64,
    prices: String = log.book.clone(),
    epsilon: f64 = asked.epsilon,
    delta: f64 = asked.delta,
    models: Vec<ModelReport> = models.into_iter().map(|used| ModelReport::new(used, args.most)).collect(),
    news: Vec<NewsReport> = news.into_iter().map(NewsReport::from).collect(),
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
    let report = Report::new(args, &log, &asked, advise(&log, &asked));
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

/// A row for each model in use and each that would cost less, exact: what CSV is. News have no place in it.
fn flat(report: &Report) -> Sheet {
    let rows = report.models.iter().flat_map(|used| {
        let nothing = used.candidates.is_empty().then_some((used, None));
        used.candidates.iter().map(move |one| (used, Some(one))).chain(nothing)
    });
    output::fields(
        rows,
        "model=0/model calls=0/calls cost_usd=0/cost_usd deprecated=0/deprecated instead=1/model instead_usd=1/cost_usd \
         instead_error_usd=1/cost_error_usd saved_usd=1/saved_usd saved_percent=1/saved_percent within_error=1/within_error \
         quality=1/quality pairs=1/pairs lost=1/lost bound=1/bound needed_labels=1/needed_labels",
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
