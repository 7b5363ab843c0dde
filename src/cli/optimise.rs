//! `pointsman optimise`: the best thresholds of all routes at once, for a cost or a quality.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{ArgGroup, Args};
use serde::Serialize;

use super::args::LogArgs;
use super::certify::PromiseArgs;
use super::output;
use super::whatif::rates;
use crate::certificate::{Label, certify};
use crate::pricing::CostSum;
use crate::report::{Format, Sheet, count, error_text, quality, render, simulated};
use crate::routing::{Route, Rung};
use crate::session::{Aim, GOOD, Keeping, Plan, PlannedRoute, Trial};
use crate::telemetry::{Basis, Forecast};
use crate::units::{PerMille, Pico, Span, When, counted, members};

/// Says what labels prove of a rung: the threshold, none where none can be, and how many labels there were.
type Proved<'a> = dyn Fn(&Route, usize) -> Option<(Option<PerMille>, u64)> + 'a;

/// Finds the best thresholds of all routes together.
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("goal").args(["budget", "quality", "cost", "certified"]).required(true).multiple(true),
    after_help = "Examples:\n  pointsman optimise gateway.jsonl --budget 900/month\n  pointsman optimise gateway.jsonl --quality .97\n  pointsman optimise gateway.jsonl --cost -20% --certified\n\nOf all settings of all thresholds, the one of highest quality within a cost, or the cheapest of a quality. Costs are the log's own, exact at every threshold; quality is that of labels where there are any, and else what confidences say of themselves, which is marked. With --certified no threshold goes below what labels prove safe (pointsman certify)."
)]
pub struct OptimiseArgs {
    /// Most quality for at most this cost, in USD: per hour, day, week or month at the log's rate, or of the whole log.
    #[arg(long, value_name = "USD[/PERIOD]", conflicts_with_all = ["quality", "cost"], allow_hyphen_values = true)]
    pub budget: Option<String>,
    /// The least cost at this quality on average.
    #[arg(long, value_name = "SHARE", conflicts_with = "cost", allow_negative_numbers = true)]
    pub quality: Option<String>,
    /// Most quality for a cost changed by so much.
    #[arg(long, value_name = "PERCENT", allow_hyphen_values = true)]
    pub cost: Option<String>,
    /// Keep every threshold within what labels prove safe for --epsilon and --delta; alone, the least cost there.
    #[arg(long)]
    pub certified: bool,
    /// Have 95 of 100 requests of each route over within this time, as far as thresholds can: `8s`, `1500ms`.
    #[arg(long, value_name = "TIME", value_parser = Aim::within)]
    pub within: Option<u64>,
    #[command(flatten)]
    pub(crate) promise: PromiseArgs,
    #[command(flatten)]
    pub(crate) input: LogArgs,
}

members! {
    #[derive(Debug, Serialize)]
    struct Side;
    fn new(
        (cost, cost_error): (&CostSum, Pico),
        (sum, between): (i128, Option<(f64, f64)>),
        requests: u64,
        span: Option<Span>,
    ) {}
    cost_usd: String = cost.total().usd(),
    cost_estimated_usd: String = cost.estimated.usd(),
    /// Half the width of a 95% interval of the cost; `null` where it is not known how far off an estimate is.
    cost_error_usd: Option<String> = error_text(cost.estimated, cost_error),
    cost_per_month_usd: Option<String> = per_month(cost.total(), span),
    /// Per request, what nobody judged filled in.
    quality: String = share(sum, requests),
    /// Its 95% interval; `null` where it does not rest on labels.
    quality_low: Option<String> = between.map(|(low, _)| format!("{low:.6}")),
    quality_high: Option<String> = between.map(|(_, high)| format!("{high:.6}")),
}

members! {
    /// What the plan changes, and how sure that is.
    #[derive(Debug, Serialize)]
    struct ChangeReport;
    fn new(plan: &Plan) {}
    cost_usd: String = (plan.cost_after.total() - plan.cost_before.total()).usd(),
    /// Half the width of a 95% interval of it: of what moves alone, not of what is estimated on both sides.
    cost_error_usd: String = plan.change_error().usd(),
    /// Whether that error is as large as the change.
    cost_within_error: bool = plan.is_cost_within_error(),
    /// The same of quality: whether either side may be off so far towards the other; `null` where it is not known.
    quality_within_error: Option<bool> = plan.is_quality_within_error(),
}

members! {
    #[derive(Debug, Serialize)]
    struct RungReport;
    fn new(trial: &Trial, rung: &Rung, to: PerMille, (lowest, labels): (Option<PerMille>, u64)) {}
    rung: String = rung.name.to_string(),
    model: String = trial.names.model(rung.model).to_owned(),
    applied_threshold: u16 = rung.threshold.get(),
    threshold: u16 = to.get(),
    /// Whether labels prove this threshold safe, by itself, for epsilon and delta; `null` where none are there.
    certified: Option<bool> = (labels > 0).then(|| lowest.is_some_and(|lowest| to >= lowest)),
    /// The lowest threshold that they do.
    certified_threshold: Option<u16> = lowest.map(PerMille::get),
    labels: u64 = labels,
}

members! {
    #[derive(Debug, Serialize)]
    struct RouteReport;
    fn new(trial: &Trial, planned: &PlannedRoute, proved: &Proved<'_>, flips: &[u64]) {
        let (route, span) = (trial.now.route(planned.route), trial.rated());
        let requests = planned.applied.requests;
        let between = planned.quality_between();
        let side = |forecast: &Forecast, quality: (i128, Option<(f64, f64)>)| {
            Side::new((&forecast.cost, forecast.cost_error()), quality, requests, span)
        };
        let rungs = route.ladder.iter().zip(&planned.thresholds).enumerate();
        let thresholds = rungs.filter(|(_, (rung, _))| !rung.fallback).map(|(at, (rung, to))| {
            RungReport::new(trial, rung, *to, proved(route, at).unwrap_or((None, 0)))
        });
    }
    route: String = route.name.to_string(),
    requests: u64 = requests,
    flipped_requests: u64 = flips.get(planned.route.index()).copied().unwrap_or(0),
    /// What quality rests on: `labels`, `confidence` where there are none, `labels in part` where some rungs have none.
    quality_from: &'static str = planned.basis.word(),
    labelled_requests: u64 = planned.planned.labelled,
    /// Of the labels alone, as `whatif` has it.
    labelled_quality: Option<String> = quality(planned.planned.quality, planned.planned.labelled),
    applied: Side = side(&planned.applied, (planned.quality.0, between[0])),
    planned: Side = side(&planned.planned, (planned.quality.1, between[1])),
    /// Within how many milliseconds 95 of 100 requests are over, as far as latencies are known.
    applied_p95_ms: Option<u64> = planned.p95_ms.0,
    planned_p95_ms: Option<u64> = planned.p95_ms.1,
    thresholds: Vec<RungReport> = thresholds.collect(),
}

members! {
    #[derive(Debug, Serialize)]
    struct Report;
    fn new(
        args: &OptimiseArgs,
        aim: &Aim,
        trial: &Trial,
        plan: &Plan,
        proved: &Proved<'_>,
        flips: &[u64],
    ) {
        let (now, span) = (&trial.now, trial.rated());
        let routes: Vec<RouteReport> =
            plan.routes.iter().map(|planned| RouteReport::new(trial, planned, proved, flips)).collect();
        let set = plan.routes.iter().flat_map(|planned| {
            let route = now.route(planned.route);
            let moved = route.ladder.iter().zip(&planned.thresholds);
            moved
                .filter(|(rung, to)| rung.threshold != **to)
                .map(|(rung, to)| format!("{}.{}={to}", route.name, rung.name))
                .collect::<Vec<_>>()
        });
        let set: Vec<String> = set.collect();
        let is_quality = matches!(aim, Aim::Quality(_) | Aim::Least);
        let (before, after) = (plan.cost_before.total(), plan.cost_after.total());
        let (costs_off, between) = (plan.cost_error(), plan.quality_between());
        let side = |cost: (&CostSum, Pico), quality: (i128, Option<(f64, f64)>)| {
            Side::new(cost, quality, plan.requests, span)
        };
    }
    schema: &'static str = "pointsman.optimise/1",
    log: String = trial.title.clone(),
    prices: String = trial.book.clone(),
    goal: String = format!(
        "{aim}{}{}",
        if args.certified { ", within what these labels certify as they stand" } else { "" },
        args.within.map_or_else(String::new, |within| format!(", 95 of 100 within {} ms", count(within)))
    ),
    feasible: bool = plan.is_feasible,
    /// Where the goal is out of reach: that what follows comes nearest to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    nearest: Option<String> = (!plan.is_feasible).then(|| {
        if !plan.too_slow.is_empty() {
            format!("slower than that, wherever thresholds stand: {}", plan.too_slow.join(", "))
        } else if is_quality {
            format!(
                "no thresholds reach it; the highest quality is {}",
                share(plan.quality.1, plan.requests)
            )
        } else {
            let month = per_month(plan.cost_after.total(), span);
            format!(
                "no thresholds keep it; the least cost is ${}{}",
                plan.cost_after.total().usd_rounded(6),
                month.map_or_else(String::new, |month| format!(", ${month} a month at this rate"))
            )
        }
    }),
    requests: u64 = plan.requests,
    /// Requests of the log whose answers were simulated: their part of the costs nobody bills.
    simulated_requests: u64 = trial.simulated,
    flipped_requests: u64 = routes.iter().map(|route| route.flipped_requests).sum(),
    epsilon: f64 = args.promise.epsilon,
    delta: f64 = args.promise.delta,
    applied: Side = side((&plan.cost_before, costs_off.0), (plan.quality.0, between[0])),
    planned: Side = side((&plan.cost_after, costs_off.1), (plan.quality.1, between[1])),
    change: ChangeReport = ChangeReport::new(plan),
    change_percent: Option<String> = rates::percent(before, after).filter(|_| before.0 > 0),
    /// Where a time was wanted: the routes of whose requests nobody knows how long they took, so that nothing is kept there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    untimed: Vec<String> = plan.untimed.iter().map(ToString::to_string).collect(),
    /// The rungs of which nobody knows what they cost; their routes are left as they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unpriced: Vec<String> = plan.unpriced.iter().map(|(route, rung)| format!("{route}.{rung}")).collect(),
    /// What no threshold moves: it is in both costs.
    fixed_usd: String = plan.fixed.total().usd(),
    /// Requests whose cost is not known; what is known of them is counted.
    cost_unknown_requests: u64 = plan.cost_after.unknown,
    /// Any other thresholds are better by at most this, in quality or, of a least cost, in USD.
    gap: String = if is_quality { Pico(plan.gap).usd() } else { share(plan.gap, plan.requests) },
    /// What a dollar more buys here, in good answers.
    answers_per_usd: Option<String> = plan.margin.filter(|margin| margin.cost > 0).map(|margin| {
        // Pico-dollars and millionths of an answer: millionths of an answer a dollar.
        share(margin.quality.saturating_mul(1_000_000_000_000) / margin.cost, 1)
    }),
    /// Whether calls are capped or there are tool loops, so that only a full run tells exactly.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    approximate: bool = trial.remembers(),
    /// What the figures leave out then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<&'static str> = trial.left_out(),
    /// The command that shows them closely.
    #[serde(skip_serializing_if = "Option::is_none")]
    look: Option<String> = look_at(args, &set),
    set: Vec<String> = set,
    routes: Vec<RouteReport> = routes,
}

/// Runs the subcommand.
///
/// # Errors
/// Where the log cannot be used, or the goal cannot be understood.
pub fn run(args: &OptimiseArgs) -> anyhow::Result<()> {
    // What cannot be meant is said before hours of reading.
    let aim = aim(args)?;
    let mut trial = args.input.trial()?;
    let target = aim.target(trial.rated())?;
    if let Some(joined) = trial.joined() {
        output::remark(&format!("{joined}; `pointsman whatif` decides every request"));
    }
    let promise = args.promise.promise();
    let lowest = |trial: &Trial, route: &Route, rung: usize| {
        let labels: Vec<Label> = trial.pairs(route, rung).shuffled().into_iter().map(Label::from).collect();
        let finding = certify(&labels, &promise);
        (finding.certified.map(|test| test.threshold), finding.labels)
    };
    let now = Arc::clone(&trial.now);
    let proved: Vec<Vec<(Option<PerMille>, u64)>> = now
        .routes
        .iter()
        .map(|route| {
            // By the place on the ladder; a fallback has nothing to prove.
            let none = (0..route.movable().start).map(|_| (None, 0));
            none.chain(route.movable().map(|rung| lowest(&trial, route, rung))).collect()
        })
        .collect();
    let of = |route: &Route, rung: usize| {
        let at = now.routes.iter().position(|one| one.tag == route.tag)?;
        proved.get(at)?.get(rung).copied()
    };
    let floor = |route: &Route, rung: usize| {
        args.certified.then(|| of(route, rung).and_then(|(lowest, _)| lowest).unwrap_or(PerMille::ONE))
    };
    let keeping = Keeping { floor: &floor, within_ms: args.within };
    let Some(plan) = trial.plan(target, &keeping) else {
        anyhow::bail!(
            "no threshold moves any request of this log: its routes have one rung, only observe, took nothing, or have a rung whose model has no price"
        )
    };
    let staged = plan.staged(&now);
    let flips: Vec<u64> = {
        let rows = trial.consequences(&staged);
        let of = |route: &Route| rows.iter().filter(|row| row.is_of(route)).map(|row| row.flips).sum();
        now.routes.iter().map(of).collect()
    };
    let report = Report::new(args, &aim, &trial, &plan, &of, &flips);
    let format = args.input.format;
    output::report(format, &report, || {
        if format == Format::Csv {
            render(&[flat(&report)], format)
        } else {
            render(&sheets(&report), format)
        }
    })?;
    if args.certified && format == Format::Table {
        output::say(
            "these are the labels as they stand; Tune and the ledger go by running certificates, which a price that changes withdraws (docs/quality.md)",
        );
    }
    // A table says it itself.
    let is_data = matches!(format, Format::Json | Format::Csv);
    if let Some(nearest) = report.nearest.as_ref().filter(|_| is_data) {
        output::say(&format!("infeasible: {nearest}"));
    }
    output::damage(&trial.damaged)
}

fn aim(args: &OptimiseArgs) -> anyhow::Result<Aim> {
    let parsed = match (&args.budget, &args.quality, &args.cost) {
        (Some(budget), _, _) => Aim::budget(budget).map_err(|error| format!("--budget {budget}: {error}")),
        (_, Some(quality), _) => {
            Aim::quality(quality).map_err(|error| format!("--quality {quality}: {error}"))
        }
        (_, _, Some(cost)) => Aim::change(cost).map_err(|error| format!("--cost {cost}: {error}")),
        (None, None, None) => Ok(Aim::Least),
    };
    parsed.map_err(anyhow::Error::msg)
}

fn per_month(cost: Pico, span: Option<Span>) -> Option<String> {
    rates::per_month(cost, span).map(|amount| amount.usd_rounded(2).replace(',', ""))
}

/// Writes quality in millionths, summed over requests, as a share of them.
fn share(sum: i128, requests: u64) -> String {
    let each = Pico(sum).ratio(1, i128::from(requests.max(1))).0;
    let sign = if each < 0 { "-" } else { "" };
    format!("{sign}{}.{:06}", (each / GOOD).abs(), (each % GOOD).abs())
}

/// Returns the command that shows new thresholds closely, read as this one read the log; none where nothing moves.
fn look_at(args: &OptimiseArgs, set: &[String]) -> Option<String> {
    if set.is_empty() {
        return None;
    }
    let (input, engine) = (&args.input, &args.input.engine);
    let mut words = vec!["pointsman".to_owned(), "whatif".to_owned(), input.log.display().to_string()];
    let mut flag = |name: &str, value: Option<String>| {
        words.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
    };
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    for one in set {
        flag("--set", Some(one.clone()));
    }
    for one in &input.more {
        flag("--labels", Some(one.display().to_string()));
    }
    flag("--policy", path(&engine.serving.policy));
    flag("--prices", Some(engine.serving.prices.clone()).filter(|prices| prices != "list"));
    flag("--classifier", path(&engine.serving.classifier));
    flag("--from", engine.from.map(moment));
    flag("--to", engine.to.map(moment));
    flag("--input-format", engine.input_format.map(|format| format.to_string()));
    flag("--assume-model", engine.assume_model.clone());
    let switches =
        [(engine.strict, "--strict"), (engine.reclassify, "--reclassify"), (engine.reprice, "--reprice")];
    words.extend(switches.iter().filter(|(is_on, _)| *is_on).map(|(_, name)| (*name).to_owned()));
    let words: Vec<String> = words.iter().map(|word| output::for_shell(word)).collect();
    // A mapping was read into what it says; the words of it are gone.
    let map = if engine.map.is_some() { " --map .." } else { "" };
    Some(format!("{}{map}", words.join(" ")))
}

fn moment(when: When) -> String {
    match when {
        When::At(at) => at.rfc3339(),
        When::Clock(clock) => {
            let seconds = clock.0 / 1_000_000;
            format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
        }
    }
}

fn millis(millis: Option<u64>) -> String {
    millis.map_or_else(|| "-".to_owned(), |millis| format!("{} ms", count(millis)))
}

/// A row for each threshold, with the figures of its route, exact: what CSV is.
fn flat(report: &Report) -> Sheet {
    let rows = report.routes.iter().flat_map(|route| route.thresholds.iter().map(move |rung| (route, rung)));
    output::fields(
        rows,
        "route=0/route rung=1/rung model=1/model applied_threshold=1/applied_threshold threshold=1/threshold \
         certified=1/certified certified_threshold=1/certified_threshold labels=1/labels route_requests=0/requests \
         route_flipped_requests=0/flipped_requests route_applied_usd=0/applied/cost_usd \
         route_applied_error_usd=0/applied/cost_error_usd route_planned_usd=0/planned/cost_usd \
         route_planned_error_usd=0/planned/cost_error_usd route_applied_quality=0/applied/quality \
         route_planned_quality=0/planned/quality route_quality_from=0/quality_from \
         route_applied_p95_ms=0/applied_p95_ms route_planned_p95_ms=0/planned_p95_ms",
    )
}

fn sheets(report: &Report) -> Vec<Sheet> {
    let month =
        |side: &Side| side.cost_per_month_usd.as_deref().map_or_else(|| "-".to_owned(), output::money);
    let short = |text: &str| text.get(..text.len().saturating_sub(2)).unwrap_or(text).to_owned();
    let title = format!(
        "{} · {} · {}{} · prices {}",
        report.log,
        report.goal,
        counted(report.requests, "request"),
        simulated(report.simulated_requests),
        report.prices
    );
    let mut all = Sheet::new(title, &["", ">applied", ">planned", ""]);
    let within = |is_within: bool| if is_within { ", within error" } else { "" };
    let is_within = within(report.change.cost_within_error);
    let change =
        report.change_percent.as_ref().map_or_else(String::new, |change| format!("{change} %{is_within}"));
    let (applied, planned) = (&report.applied, &report.planned);
    let cost = |side: &Side| match &side.cost_error_usd {
        Some(error) if error == "0" => output::money(&side.cost_usd),
        Some(error) => format!("{} ±{}", output::money(&side.cost_usd), output::money(error)),
        None => format!("{} ±?", output::money(&side.cost_usd)),
    };
    all.push(vec!["cost".into(), cost(applied), cost(planned), change]);
    all.push(vec!["per month at this rate".into(), month(applied), month(planned), String::new()]);
    let on = |basis: Basis| report.routes.iter().filter(|route| route.quality_from == basis.word()).count();
    let routes = report.routes.len();
    let basis = match (on(Basis::Partly), on(Basis::Confidence)) {
        (0, 0) => "by labels".to_owned(),
        (0, some) if some == routes => "by confidence alone: nobody judged".to_owned(),
        (0, some) => format!("of {some} of {routes} routes by confidence alone"),
        (some, 0) => {
            format!("by labels, but of rungs without any by confidence, on {some} of {routes} routes")
        }
        (some, alone) => {
            format!("by confidence alone on {alone} of {routes} routes, for some rungs on {some} more")
        }
    };
    let note = basis + within(report.change.quality_within_error == Some(true));
    let good = |side: &Side| {
        let between = side.quality_low.as_ref().zip(side.quality_high.as_ref());
        let between = between.map(|(low, high)| format!(" ({}-{})", short(low), short(high)));
        short(&side.quality) + &between.unwrap_or_default()
    };
    all.push(vec!["quality".into(), good(applied), good(planned), note]);
    all.push(vec![
        "requests that flip".into(),
        String::new(),
        count(report.flipped_requests),
        if report.left_out.is_empty() {
            String::new()
        } else {
            format!("without {}: whatif tells exactly", report.left_out.join(", "))
        },
    ]);
    if report.cost_unknown_requests > 0 {
        all.push(vec![
            "requests of unknown cost".into(),
            String::new(),
            count(report.cost_unknown_requests),
            "what is known of them is counted".into(),
        ]);
    }
    if !report.untimed.is_empty() {
        let routes = report.untimed.join(", ");
        all.push(vec![
            "time".into(),
            String::new(),
            "unknown".into(),
            format!("nobody knows how long requests of {routes} took"),
        ]);
    }
    if !report.unpriced.is_empty() {
        let rungs = report.unpriced.join(", ");
        all.push(vec![
            "left as they are".into(),
            String::new(),
            counted(report.unpriced.len() as u64, "route"),
            format!("nobody knows what {rungs} costs"),
        ]);
    }
    if let Some(nearest) = &report.nearest {
        all.push(vec!["infeasible".into(), String::new(), String::new(), nearest.clone()]);
    }
    let mut by_route = Sheet::new(
        "",
        &[
            "route",
            "rung",
            ">applied",
            ">planned",
            ">certified",
            ">labels",
            ">cost",
            ">planned",
            ">quality",
            "from",
            ">p95",
            ">planned",
        ],
    );
    for route in &report.routes {
        for (at, rung) in route.thresholds.iter().enumerate() {
            let certified = match (rung.certified, rung.certified_threshold) {
                (None, _) => "no labels".to_owned(),
                (Some(true), Some(from)) => format!("yes, from {from}"),
                (Some(_), Some(from)) => format!("no, from {from}"),
                (Some(_), None) => "no".to_owned(),
            };
            let first = |text: String| if at == 0 { text } else { String::new() };
            by_route.push(vec![
                first(route.route.clone()),
                rung.rung.clone(),
                format!("{}‰", rung.applied_threshold),
                format!("{}‰", rung.threshold),
                certified,
                count(rung.labels),
                first(output::money(&route.applied.cost_usd)),
                first(cost(&route.planned)),
                first(good(&route.planned)),
                first(route.quality_from.to_owned()),
                first(millis(route.applied_p95_ms)),
                first(millis(route.planned_p95_ms)),
            ]);
        }
    }
    let mut sheets = vec![all, by_route];
    if let Some(look) = &report.look {
        let mut set = Sheet::new("to look at it closely", &[""]);
        set.push(vec![look.clone()]);
        sheets.push(set);
    }
    sheets
}
