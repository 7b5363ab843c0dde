//! `pointsman frontier`: cost, split and quality of a route for every threshold.

use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::args::LogArgs;
use super::output;
use crate::report::{Format, Sheet, quality, render, simulated};
use crate::routing::{Route, Rung};
use crate::session::{RouteConsequences, Trial};
use crate::telemetry::{CurvePoint, Forecast};
use crate::units::{Pico, choice, counted, members};

/// Prints cost, split and quality of a route for every threshold of one of its rungs.
#[derive(Args, Debug)]
pub struct FrontierArgs {
    /// The route.
    #[arg(long, value_name = "ROUTE")]
    pub route: String,
    /// The rung whose threshold moves: name, model or number from 1; the first that has a threshold where absent.
    #[arg(long, value_name = "RUNG")]
    pub rung: Option<String>,
    /// Print only every N-th threshold.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub step: u16,
    #[command(flatten)]
    pub(crate) input: LogArgs,
}

members! {
    #[derive(Debug, Serialize)]
    struct Point;
    fn new(point: &CurvePoint, applied: u16) {}
    threshold: u16 = point.threshold.get(),
    requests_on_rung: u64 = point.placed,
    requests_on_strongest: u64 = point.strongest,
    cost_usd: Option<String> = point.cost.usd(),
    cost_estimated_usd: String = point.cost.estimated.usd(),
    cost_unknown_requests: u64 = point.cost.unknown,
    quality: Option<String> = quality(point.quality, point.labelled),
    labelled_requests: u64 = point.labelled,
    applied: bool = point.threshold.get() == applied,
}

members! {
    #[derive(Debug, Serialize)]
    struct FrontierReport;
    fn new(trial: &Trial, (route, rung): (&Route, &Rung), rows: &[&RouteConsequences], pinned: &Forecast, points: Vec<Point>) {}
    schema: &'static str = "pointsman.frontier/1",
    log: String = trial.title.clone(),
    route: String = route.name.to_string(),
    rung: String = rung.name.to_string(),
    model: String = trial.names.model(rung.model).to_owned(),
    requests: u64 = rows.iter().map(|row| row.applied.requests).sum(),
    /// Requests of the log whose answers were simulated: their part of the costs nobody bills.
    simulated_requests: u64 = trial.simulated,
    /// Those of the route whose clients named their model, which are in no point.
    pinned_requests: u64 = pinned.requests,
    pinned_cost_usd: Option<String> = pinned.cost.usd(),
    without_confidence: u32 = rows.iter().map(|row| row.unsure).sum(),
    prices: String = trial.book.clone(),
    /// What the points leave out: only a full run tells.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<&'static str> = trial.left_out(),
    points: Vec<Point> = points,
}

/// Runs the subcommand.
///
/// # Errors
/// Where the log, policy, route or rung cannot be used.
pub fn run(args: &FrontierArgs) -> anyhow::Result<()> {
    let mut trial = args.input.trial()?;
    // The policy in force at the end: the log may bring its own.
    let mut policy = Arc::clone(&trial.now);
    if policy.find_route(&args.route).is_none() {
        let all = trial.with_earlier();
        if all.find_route(&args.route).is_some() {
            policy = Arc::new(all);
        }
    }
    let Some(id) = policy.find_route(&args.route) else {
        let known: Vec<&str> = policy.routes.iter().map(|route| &*route.name).collect();
        anyhow::bail!(
            "--route {}: no such route in policy {} v{}; {}",
            args.route,
            policy.name,
            policy.version,
            choice(&args.route, &known)
        );
    };
    let route = policy.route(id);
    let rung = match &args.rung {
        None => route.movable().start,
        Some(text) => route.find_rung(text, &trial.names).ok_or_else(|| {
            let known: Vec<&str> = route.ladder.iter().map(|rung| &*rung.name).collect();
            anyhow::anyhow!("--rung {text}: route {} has no such rung; {}", route.name, choice(text, &known))
        })?,
    };
    if let Some(why) = route.unmovable(rung) {
        anyhow::bail!("route {}, rung {}: {why}", route.name, route.ladder[rung].name);
    }
    if let Some(joined) = trial.joined() {
        output::remark(&format!("{joined}; `pointsman whatif` decides every request"));
    }
    let routes = trial.consequences(&policy);
    // Policies may have given the route different rungs: all that have this one share the curve.
    let is_row = |row: &&RouteConsequences| row.moves_with(route, rung) && row.applied.requests > 0;
    let rows: Vec<_> = routes.iter().filter(is_row).collect();
    if rows.is_empty() {
        anyhow::bail!("no request of the log came to route {}", route.name)
    }
    let mut pinned = Forecast::default();
    for row in &rows {
        pinned.merge(&row.pinned);
    }
    let applied = route.ladder[rung].threshold.get();
    let points = trial.curve(&policy, route, rung);
    let is_told = |point: &&CurvePoint| {
        let at = point.threshold.get();
        at.is_multiple_of(args.step) || at == applied
    };
    let points = points.iter().filter(is_told).map(|point| Point::new(point, applied)).collect();
    let report = FrontierReport::new(&trial, (route, &route.ladder[rung]), &rows, &pinned, points);
    let format = args.input.format;
    output::report(format, &report, || render(&[sheet(&report, format)], format))?;
    if pinned.requests > 0 && format != Format::Json {
        let cost = report.pinned_cost_usd.as_deref().unwrap_or("unknown");
        output::say(&format!(
            "not in these costs: {} of the route ({cost} USD), which no threshold moves",
            counted(pinned.requests, "pinned request")
        ));
    }
    if !report.left_out.is_empty() && format != Format::Json {
        let what = report.left_out.join(", ");
        output::say(&format!("without {what}; `pointsman whatif` decides them in order"));
    }
    output::damage(&trial.damaged)
}

fn sheet(report: &FrontierReport, format: Format) -> Sheet {
    // For people: rounded, so that points stand below each other; CSV and JSON carry every digit.
    let money = |usd: &str| match Pico::from_usd(usd) {
        Ok(amount) if format != Format::Csv => amount.usd_rounded(6).replace(',', ""),
        _ => usd.to_owned(),
    };
    let title = format!(
        "{} · route {} · threshold of {} ({}) · {}{} · prices {}",
        report.log,
        report.route,
        report.rung,
        report.model,
        counted(report.requests, "request"),
        simulated(report.simulated_requests),
        report.prices
    );
    Sheet::of(
        title,
        &report.points,
        &[
            (">threshold", &|point| point.threshold.to_string()),
            (">on_rung", &|point| point.requests_on_rung.to_string()),
            (">on_strongest", &|point| point.requests_on_strongest.to_string()),
            (">cost_usd", &|point| point.cost_usd.as_deref().map(money).unwrap_or_default()),
            (">estimated_usd", &|point| money(&point.cost_estimated_usd)),
            (">unknown", &|point| point.cost_unknown_requests.to_string()),
            (">quality", &|point| point.quality.clone().unwrap_or_default()),
            (">labels", &|point| point.labelled_requests.to_string()),
            ("applied", &|point| if point.applied { "applied" } else { "" }.to_owned()),
        ],
    )
}
