//! `pointsman whatif`: the policy in force against one with other thresholds, over a log.

mod budgets;
mod explored;
mod on_fail;
pub(super) mod rates;
mod second;
mod set;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use self::budgets::{BudgetsReport, Limits};
use self::explored::{ExploredReport, ExploringReport};
use self::on_fail::{OnFailReport, consequence};
use self::rates::{in_percent, per_month, percent};
use self::second::SecondReport;
use self::set::assignment;
pub(super) use self::set::staged;
use super::args::{LogArgs, input};
use super::output;
use crate::app::{load_log, policies_text, unbound_in};
use crate::console::format;
use crate::record::{self, BudgetFiles, Timing};
use crate::report::{Format, Latency, Sheet, count, error_text, quality, render, simulated, to_json};
use crate::routing::{Mode, Policy, Route, Rung};
use crate::session::{
    RouteConsequences, Trial, carried, change_error, is_within_error, quality_between, quality_change,
    rechecked, reclassified,
};
use crate::telemetry::Forecast;
use crate::units::{Names, PerMille, Pico, Span, changed, counted, members};

/// Compares the policy in force with one whose thresholds are moved.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman whatif gateway.jsonl --set extraction.flash=588 --set agent.flash=700\n  pointsman whatif gateway.jsonl --budgets budgets.toml --budget company=400/day --budget team:search=50/day\n\nRUNG is a rung's name, its model, or its number from 1; a route with one threshold needs none: --set extraction=588"
)]
pub struct WhatIfArgs {
    /// Moves a threshold; may be given more than once. Where routes observe, what they would do is told without it.
    #[arg(long = "set", value_name = "ROUTE[.RUNG]=PERMILLE")]
    pub set: Vec<String>,
    /// Budgets (TOML) in force on both sides, in place of those that the log may bring: each request is then decided in order, on how they stood at its arrival.
    #[arg(long, value_name = "FILE")]
    pub budgets: Option<PathBuf>,
    /// Tries a limit: one of the file by its name (company=400/day) or a new one (team:search=50/day, each:team=25/day,
    /// all=450/day); may be given more than once.
    #[arg(long = "budget", value_name = "WHOSE=USD/WINDOW")]
    pub budget: Vec<String>,
    /// Tries another classifier: weights as `--classifier` takes them. Requests whose text the log has are judged anew.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["budgets", "budget"])]
    pub try_classifier: Option<PathBuf>,
    /// Tries another consequence of a check that says an answer is not fit, where the log has its verdicts.
    #[arg(long, value_name = "ROUTE.CHECK=escalate|record", conflicts_with_all = ["budgets", "budget", "try_classifier"])]
    pub on_fail: Option<String>,
    #[command(flatten)]
    pub(crate) input: LogArgs,
}

members! {
    /// One side of the comparison.
    #[derive(Debug, Serialize)]
    pub struct Side;
    fn new(forecast: &Forecast, span: Option<Span>, split: Vec<Share>) {
        let total = Some(forecast.cost.total()).filter(|_| !forecast.cost.is_unknown());
        let counted = i128::from(forecast.requests - forecast.cost.unknown.min(forecast.requests));
    }
    requests: u64 = forecast.requests,
    cost_usd: Option<String> = forecast.cost.usd(),
    cost_known_usd: String = forecast.cost.known.usd(),
    cost_estimated_usd: String = forecast.cost.estimated.usd(),
    cost_error_usd: Option<String> = error_text(forecast.cost.estimated, forecast.cost_error()),
    cost_unknown_requests: u64 = forecast.cost.unknown,
    cost_per_1000_usd: Option<String> = total.map(|_| forecast.cost.whole().ratio(1000, counted).usd_rounded(6)),
    cost_per_month_usd: Option<String> = total
        .and_then(|total| per_month(total, span))
        .map(|amount| amount.usd_rounded(2).replace(',', "")),
    escalated: u64 = forecast.escalated,
    /// Of the requests that start below the strongest rung, in percent.
    escalation_rate: Option<String> = forecast.cascade.rate().map(in_percent),
    /// Below which rate it is cheaper to ask the cheaper rung first.
    escalation_break_even: Option<String> = forecast.cascade.break_even().map(in_percent),
    errors: u64 = forecast.errors,
    quality: Option<String> = quality(forecast.quality, forecast.labelled),
    /// Its 95% interval.
    quality_low: Option<String> = quality_between(forecast).map(|(low, _)| format!("{low:.3}")),
    quality_high: Option<String> = quality_between(forecast).map(|(_, high)| format!("{high:.3}")),
    labelled_requests: u64 = forecast.labelled,
    latency_ms: Option<Latency> = forecast.latency.percentiles().map(Latency::from),
    split: Vec<Share> = split,
    /// Of a route that only observes: the requests that went to the model that their client named, on no rung.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_named: Option<u64> = None,
    /// Of a route that explores: what that costs at worst.
    #[serde(skip_serializing_if = "Option::is_none")]
    exploring: Option<ExploringReport> = ExploringReport::new(forecast.exploring),
}

members! {
    #[derive(Debug, Serialize)]
    struct Share;
    fn new((at, rung): (usize, &Rung), thresholds: &[PerMille], names: &Names, forecast: &Forecast) {}
    rung: String = rung.name.to_string(),
    model: String = names.model(rung.model).to_owned(),
    threshold: Option<u16> = thresholds.get(at).filter(|_| !rung.fallback).map(|threshold| threshold.get()),
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    fallback: bool = rung.fallback,
    starts: u64 = forecast.placed[at],
    answers: u64 = forecast.answered[at],
}

members! {
    #[derive(Debug, Serialize)]
    struct RouteReport;
    fn new(trial: &Trial, route: &RouteConsequences, policies: Option<String>, changed: &[PerMille]) {
        let (span, setting) = (trial.rated(), &*route.setting);
        let split = |thresholds: &[PerMille], forecast: &Forecast| split(setting, thresholds, &trial.names, forecast);
        let observes = setting.mode == Mode::Observe;
        let on_rungs = route.applied.placed.iter().fold(0, |all: u64, &one| all.saturating_add(one));
        let as_named = observes.then(|| route.applied.requests.saturating_sub(on_rungs));
    }
    route: String = setting.name.to_string(),
    /// The policies that have it so, where others in force gave it other rungs, which is then another row.
    #[serde(skip_serializing_if = "Option::is_none")]
    policies: Option<String> = policies,
    /// Whether it only observes: applied is what clients asked for, staged what the route would have done.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    observes: bool = observes,
    flipped_requests: u64 = route.flips,
    applied: Side =
        Side { as_named, ..Side::new(&route.applied, span, split(&setting.thresholds(), &route.applied)) },
    staged: Side = Side::new(&route.staged, span, split(changed, &route.staged)),
    /// Whether the change of cost is no larger than its error.
    within_error: bool = is_within_error(std::iter::once(route)),
    /// The change of what labels say of quality.
    quality_change: Option<QualityChange> = QualityChange::between(&route.applied, &route.staged),
    /// What explored requests say of the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    explored: Option<ExploredReport> = route.explored.as_ref().map(ExploredReport::new),
}

impl RouteReport {
    fn name(&self) -> String {
        let of = |policies: &String| format!("{} (policy {policies})", self.route);
        self.policies.as_ref().map_or_else(|| self.route.clone(), of)
    }
}

members! {
    #[derive(Debug, Serialize)]
    struct WhatIfReport;
    fn new(trial: &Trial, consequences: &[RouteConsequences], policy: &Policy, after: &Policy) {
        let span = trial.rated();
        let (mut applied, mut staged) = (Forecast::default(), Forecast::default());
        let mut pinned = Forecast::default();
        let mut routes = Vec::new();
        let having = |row: &RouteConsequences| -> Vec<Arc<Policy>> {
            let has = |policy: &&Arc<Policy>| policy.routes.iter().any(|route| row.is_of(route));
            trial.policies.iter().filter(has).cloned().collect()
        };
        let is_again = |row: &RouteConsequences| {
            let named = |one: &&RouteConsequences| one.applied.requests > 0 && one.setting.tag == row.setting.tag;
            consequences.iter().filter(named).count() > 1
        };
        for route in consequences {
            applied.merge(&route.applied);
            staged.merge(&route.staged);
            pinned.merge(&route.pinned);
            if route.applied.requests == 0 {
                continue;
            }
            let policies = is_again(route).then(|| policies_text(&having(route)));
            let changed = carried(&route.setting, policy, after);
            routes.push(RouteReport::new(trial, route, policies, &changed));
        }
        // No threshold moves them, but they are part of what is spent.
        applied.merge(&pinned);
        staged.merge(&pinned);
    }
        schema: &'static str = "pointsman.whatif/1",
        log: String = trial.title.clone(),
        policy: String = policies_text(&trial.policies),
        prices: String = trial.book.clone(),
        requests: u64 = applied.requests,
        /// Requests of the log whose answers were simulated: their part of the costs nobody bills.
        simulated_requests: u64 = trial.simulated,
        /// Those of them whose clients named their model: they cost the same on both sides.
        pinned_requests: u64 = pinned.requests,
        pinned_cost_usd: Option<String> = pinned.cost.usd(),
        /// How well its moments are known: `offset` or `placed` where they are synthetic.
        #[serde(skip_serializing_if = "str::is_empty")]
        timing: &'static str = trial.timing.word(),
        /// Whether every request was decided in order of time: calls are capped, caches minded, there are tool loops, or policies
        /// are too many to keep apart.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        in_order: bool = false,
        flipped_requests: u64 = consequences.iter().map(|route| route.flips).sum(),
        applied: Side = Side::new(&applied, span, Vec::new()),
        staged: Side = Side::new(&staged, span, Vec::new()),
        change: ChangeReport = ChangeReport::new((&applied, &staged), consequences, span),
        by_route: Vec<RouteReport> = routes,
        #[serde(skip_serializing_if = "Option::is_none")]
        budgets: Option<BudgetsReport> = None,
        #[serde(skip_serializing_if = "Option::is_none")]
        classifier: Option<SecondReport> = None,
        #[serde(skip_serializing_if = "Option::is_none")]
        on_fail: Option<OnFailReport> = None,
}

members! {
    #[derive(Debug, Serialize)]
    struct ChangeReport;
    fn new(
        (applied, staged): (&Forecast, &Forecast),
        consequences: &[RouteConsequences],
        span: Option<Span>,
    ) {
        let is_told = !staged.cost.is_unknown() && !applied.cost.is_unknown();
        let difference = Some(staged.cost.total() - applied.cost.total()).filter(|_| is_told);
        let signed = |a: u64, b: u64| i64::try_from(b).unwrap_or(i64::MAX) - i64::try_from(a).unwrap_or(i64::MAX);
    }
    cost_usd: Option<String> = difference.map(Pico::usd),
    /// Half the width of a 95% interval of it: of what changes alone, not of what is estimated on both sides.
    cost_error_usd: Option<String> = difference.map(|_| change_error(consequences.iter()).usd()),
    /// Whether that error is as large as the change.
    within_error: bool = is_within_error(consequences.iter()),
    cost_percent: Option<String> = difference.and_then(|_| percent(applied.cost.total(), staged.cost.total())),
    cost_per_month_usd: Option<String> = difference
        .and_then(|difference| per_month(difference, span))
        .map(|amount| amount.usd_rounded(2).replace(',', "")),
    escalated: i64 = signed(applied.escalated, staged.escalated),
    errors: i64 = signed(applied.errors, staged.errors),
    /// The change of what labels say of quality.
    quality: Option<QualityChange> = QualityChange::between(applied, staged),
}

/// A change of quality, with its 95% interval.
#[derive(Debug, Serialize)]
struct QualityChange {
    change: String,
    low: String,
    high: String,
    /// Whether the interval holds no change.
    within_error: bool,
}

impl QualityChange {
    fn between(applied: &Forecast, staged: &Forecast) -> Option<Self> {
        let (change, (low, high)) = quality_change(applied, staged)?;
        let [told, low_told, high_told] = [change, low, high].map(|one| format!("{one:+.3}"));
        let within_error = change != 0.0 && low <= 0.0 && high >= 0.0;
        Some(Self { change: told, low: low_told, high: high_told, within_error })
    }

    fn words(&self) -> (String, &'static str) {
        (self.change.clone(), if self.within_error { "within error" } else { "" })
    }
}

fn split(route: &Route, thresholds: &[PerMille], names: &Names, forecast: &Forecast) -> Vec<Share> {
    route.ladder.iter().enumerate().map(|one| Share::new(one, thresholds, names, forecast)).collect()
}

/// Returns the budgets that a log brings, as files have them; none where it brings none or can be read but once.
fn brought(args: &WhatIfArgs) -> BudgetFiles {
    let logs = input(&args.input.logs());
    if !logs.can_be_read_again() {
        return BudgetFiles::default();
    }
    // What cannot be opened is told when the log is read.
    let opened = record::open(&logs, &args.input.engine.read());
    opened.map(|source| source.header().budgets.clone()).unwrap_or_default()
}

/// Runs the subcommand.
///
/// # Errors
/// Where the log, policy or an assignment cannot be used.
pub fn run(args: &WhatIfArgs) -> anyhow::Result<()> {
    let second = args.try_classifier.as_deref();
    let on_fail = args.on_fail.as_deref();
    // Two opinions, or two consequences, of every request are no matter of order.
    let brought = if second.or(args.on_fail.as_deref().map(Path::new)).is_none() {
        brought(args)
    } else {
        BudgetFiles::default()
    };
    let limits = Limits::read(args.budgets.as_deref(), &args.budget, &brought)?;
    let is_tried = limits.as_ref().is_some_and(|limits| limits.is_changed() || args.budgets.is_some());
    let (log, mut trial) = if limits.is_none() && second.is_none() && on_fail.is_none() {
        (None, args.input.trial()?)
    } else {
        // Budgets are a matter of order, and two opinions of every request: the log is held in memory.
        let logs = args.input.logs();
        let setup = args.input.engine.start()?.beside(second)?;
        let log = load_log(&input(&logs), &logs, setup, &args.input.engine.read(), None)?;
        output::simulated(log.simulated as u64);
        let tried = limits.iter().flat_map(Limits::all);
        for words in &unbound_in(&log, tried) {
            output::remark(words);
        }
        let log = Arc::new(log);
        let trial = Trial::loaded(&log);
        (Some(log), trial)
    };
    let observes = trial.policies.iter().any(|policy| policy.observes());
    if args.set.is_empty() && !observes && !is_tried && second.is_none() && on_fail.is_none() {
        anyhow::bail!(
            "nothing to compare: no threshold is moved, and no route of the policy observes\nhint: --set ROUTE.RUNG=PERMILLE moves one; mode = \"observe\" in a policy compares its ladders with what clients asked for"
        );
    }
    // A route that only an earlier policy has can be asked for, too.
    let (policy, all) = (Arc::clone(&trial.now), trial.with_earlier());
    let is_current = |text: &String| assignment(text, &policy, &trial.names).is_ok();
    let grounds = if args.set.iter().all(is_current) { &*policy } else { &all };
    let after = Arc::new(staged(grounds, &args.set, &trial.names)?);
    let judged = second.zip(log.as_ref()).map(|(_, log)| reclassified(log, grounds, &after, second::LISTED));
    let wanted = on_fail.map(|text| consequence(text, grounds, log.as_deref())).transpose()?;
    let checked = wanted
        .as_ref()
        .zip(log.as_ref())
        .map(|(on_fail, log)| rechecked(log, grounds, &after, on_fail.parts()));
    let twice = judged.as_ref().or(checked.as_ref());
    let in_order = trial.in_order(&after).filter(|_| twice.is_none());
    let is_in_order = in_order.is_some();
    let routes = twice.map(|found| found.routes.clone()).or(in_order);
    let routes = routes.unwrap_or_else(|| trial.consequences(&after));
    let mut report = WhatIfReport::new(&trial, &routes, grounds, &after);
    report.in_order = is_in_order;
    if let Some(joined) = trial.joined().filter(|_| !is_in_order) {
        output::remark(&joined);
    }
    report.on_fail = wanted.zip(checked).map(|(on_fail, found)| on_fail.told(found.read));
    report.classifier = judged.map(|found| SecondReport::new(&found, second)).transpose()?;
    if let Some((log, limits)) = log.zip(limits) {
        report.budgets = Some(budgets::tried(&log, (grounds, &after), &limits, trial.rated())?);
    }
    match args.input.format {
        Format::Json => output::text(&to_json(&report)?)?,
        Format::Csv => {
            let mut all = vec![flat(&report)];
            all.extend(report.budgets.iter().map(|budgets| budgets.came_to(Format::Csv)));
            all.extend(report.budgets.iter().map(|budgets| budgets.sheet(Format::Csv)));
            all.extend(report.budgets.iter().filter_map(|budgets| budgets.told(Format::Csv)));
            output::text(&render(&all, Format::Csv))?;
        }
        format => {
            let mut all = sheets(&report);
            all.extend(
                report
                    .budgets
                    .iter()
                    .flat_map(|budgets| {
                        [
                            Some(budgets.came_to(format)),
                            Some(budgets.sheet(format)),
                            Some(budgets.turned(format)),
                            budgets.told(format),
                        ]
                    })
                    .flatten(),
            );
            all.extend(report.classifier.as_ref().map(SecondReport::sheet));
            all.extend(report.on_fail.as_ref().map(OnFailReport::sheet));
            all.retain(|sheet| !sheet.rows.is_empty());
            output::text(&render(&all, format))?;
        }
    }
    output::damage(&trial.damaged)
}

/// Writes every figure with every digit, one a row, with the name of its route; none for all of them together.
fn flat(report: &WhatIfReport) -> Sheet {
    let mut sheet = Sheet::new("", &["route", "figure", "applied", "staged"]);
    let side = |sheet: &mut Sheet, route: &str, flips: u64, before: &Side, after: &Side| {
        let mut row = |figure: &str, of: &dyn Fn(&Side) -> String| {
            sheet.push(vec![route.to_owned(), figure.to_owned(), of(before), of(after)]);
        };
        row("requests", &|side| side.requests.to_string());
        row("flipped_requests", &|_| flips.to_string());
        row("cost_usd", &|side| side.cost_usd.clone().unwrap_or_default());
        row("cost_known_usd", &|side| side.cost_known_usd.clone());
        row("cost_estimated_usd", &|side| side.cost_estimated_usd.clone());
        row("cost_error_usd", &|side| side.cost_error_usd.clone().unwrap_or_default());
        row("cost_unknown_requests", &|side| side.cost_unknown_requests.to_string());
        row("cost_per_1000_usd", &|side| side.cost_per_1000_usd.clone().unwrap_or_default());
        row("cost_per_month_usd", &|side| side.cost_per_month_usd.clone().unwrap_or_default());
        row("escalated", &|side| side.escalated.to_string());
        row("escalation_rate", &|side| side.escalation_rate.clone().unwrap_or_default());
        row("escalation_break_even", &|side| side.escalation_break_even.clone().unwrap_or_default());
        row("failed_requests", &|side| side.errors.to_string());
        row("quality", &|side| side.quality.clone().unwrap_or_default());
        row("quality_low", &|side| side.quality_low.clone().unwrap_or_default());
        row("quality_high", &|side| side.quality_high.clone().unwrap_or_default());
        row("labelled_requests", &|side| side.labelled_requests.to_string());
        row("latency_p95_ms", &|side| {
            side.latency_ms.as_ref().map(|l| l.p95.to_string()).unwrap_or_default()
        });
        for (at, rung) in before.split.iter().enumerate() {
            let of = |side: &Side, pick: &dyn Fn(&Share) -> String| {
                side.split.get(at).map(pick).unwrap_or_default()
            };
            let threshold =
                |share: &Share| share.threshold.map(|threshold| threshold.to_string()).unwrap_or_default();
            row(&format!("threshold of {}", rung.rung), &|side| of(side, &threshold));
            row(&format!("starts on {}", rung.rung), &|side| of(side, &|share| share.starts.to_string()));
            row(&format!("answered by {}", rung.rung), &|side| of(side, &|share| share.answers.to_string()));
        }
    };
    side(&mut sheet, "", report.flipped_requests, &report.applied, &report.staged);
    if report.pinned_requests > 0 {
        let cost = report.pinned_cost_usd.clone().unwrap_or_default();
        for (figure, of) in
            [("pinned_requests", report.pinned_requests.to_string()), ("pinned_cost_usd", cost)]
        {
            sheet.push(vec![String::new(), figure.to_owned(), of.clone(), of]);
        }
    }
    for route in &report.by_route {
        side(&mut sheet, &route.name(), route.flipped_requests, &route.applied, &route.staged);
    }
    sheet
}

fn sheets(report: &WhatIfReport) -> Vec<Sheet> {
    let title = format!(
        "{} · {}, {}{}{}{} · policy {} · prices {}",
        report.log,
        counted(report.requests, "request"),
        counted(report.flipped_requests, "flip"),
        simulated(report.simulated_requests),
        if report.in_order { " · decided in order" } else { "" },
        if report.budgets.is_some() { " · limits that are tried are below" } else { "" },
        report.policy,
        report.prices
    );
    let mut all = Sheet::new(title, &["", ">applied", ">staged", ">change"]);
    compare(&mut all, report.timing, (&report.applied, &report.staged), report.change.within_error);
    tell_quality(&mut all, (&report.applied, &report.staged), report.change.quality.as_ref());
    if report.pinned_requests > 0 {
        let cost = report.pinned_cost_usd.as_deref().map_or_else(|| "unknown".to_owned(), output::money);
        let name = format!("of it {}, not moved", counted(report.pinned_requests, "pinned request"));
        all.push(vec![name, cost.clone(), cost, String::new()]);
    }
    let mut sheets = vec![all];
    for route in report.by_route.iter().filter(|route| route.flipped_requests > 0) {
        let mut sheet = Sheet::new(
            format!(
                "{}{} · {}, {}",
                route.name(),
                if route.observes { " · OBSERVE" } else { "" },
                counted(route.applied.requests, "request"),
                counted(route.flipped_requests, "flip")
            ),
            if route.observes {
                &["", ">as asked", ">if on", ">change"]
            } else {
                &["", ">applied", ">staged", ">change"]
            },
        );
        compare(&mut sheet, report.timing, (&route.applied, &route.staged), route.within_error);
        tell_quality(&mut sheet, (&route.applied, &route.staged), route.quality_change.as_ref());
        for (before, after) in route.applied.split.iter().zip(&route.staged.split) {
            let threshold =
                |share: &Share| share.threshold.map_or_else(String::new, |t| format!(" from {t}‰"));
            if before.fallback && before.starts.max(after.starts) == 0 {
                continue;
            }
            sheet.push(vec![
                format!("starts on {} ({})", before.rung, before.model),
                if route.observes && before.starts == 0 {
                    "-".to_owned()
                } else {
                    format!("{}{}", count(before.starts), threshold(before))
                },
                format!("{}{}", count(after.starts), threshold(after)),
                if route.observes { String::new() } else { changed(before.starts, after.starts) },
            ]);
        }
        if let Some(named) = route.applied.as_named.filter(|named| *named > 0) {
            sheet.push(vec!["went as named".into(), count(named), String::new(), String::new()]);
        }
        explored::rows(
            &mut sheet,
            (&route.applied.exploring, &route.staged.exploring),
            route.explored.as_ref(),
        );
        sheets.push(sheet);
    }
    sheets
}

fn compare(sheet: &mut Sheet, timing: &str, (applied, staged): (&Side, &Side), is_within: bool) {
    let dollars = |a: &Option<String>, b: &Option<String>| {
        let (Some(a), Some(b)) = (a, b) else { return String::new() };
        let (Ok(a), Ok(b)) = (Pico::from_usd(a), Pico::from_usd(b)) else { return String::new() };
        let within = if is_within { ", within error" } else { "" };
        percent(a, b).map_or_else(String::new, |percent| format!("{percent} %{within}"))
    };
    let told = |usd: &Option<String>| usd.as_deref().map_or_else(|| "unknown".to_owned(), output::money);
    sheet.push(vec![
        "cost".into(),
        told(&applied.cost_usd),
        told(&staged.cost_usd),
        dollars(&applied.cost_usd, &staged.cost_usd),
    ]);
    let error = |side: &Side| side.cost_error_usd.as_deref().map_or_else(|| "?".into(), output::money);
    let estimated = |side: &Side| match &side.cost_usd {
        None => "unknown".to_owned(),
        Some(_) => format!("{} ±{}", output::money(&side.cost_estimated_usd), error(side)),
    };
    sheet.push(vec!["  of it estimated".into(), estimated(applied), estimated(staged), String::new()]);
    if applied.cost_unknown_requests + staged.cost_unknown_requests > 0 {
        sheet.push(vec![
            "  requests of unknown cost".into(),
            count(applied.cost_unknown_requests),
            count(staged.cost_unknown_requests),
            changed(applied.cost_unknown_requests, staged.cost_unknown_requests),
        ]);
    }
    sheet.push(vec![
        "per 1,000 requests".into(),
        told(&applied.cost_per_1000_usd),
        told(&staged.cost_per_1000_usd),
        String::new(),
    ]);
    let month = |side: &Side| side.cost_per_month_usd.as_deref().map_or_else(|| "-".into(), output::money);
    let is_placed = timing == Timing::Placed.word();
    let note = if is_placed { "the log tells no times" } else { "" };
    sheet.push(vec!["per month at this rate".into(), month(applied), month(staged), note.into()]);
    sheet.push(vec![
        "escalated".into(),
        count(applied.escalated),
        count(staged.escalated),
        changed(applied.escalated, staged.escalated),
    ]);
    let rate = |side: &Side| Some(format!("{} %", side.escalation_rate.as_ref()?));
    both(sheet, "  of what starts below the top", (applied, staged), &rate);
    let most = |side: &Side| Some(format!("{} %", side.escalation_break_even.as_ref()?));
    both(sheet, "  which pays below", (applied, staged), &most);
    sheet.push(vec![
        "failed".into(),
        count(applied.errors),
        count(staged.errors),
        changed(applied.errors, staged.errors),
    ]);
    let latency = |side: &Side| {
        let p95 = i64::try_from(side.latency_ms.as_ref()?.p95).unwrap_or(i64::MAX / 1000);
        Some(format::duration(Span(p95 * 1000)).to_string())
    };
    both(sheet, "p95 latency (estimated where unseen)", (applied, staged), &latency);
}

/// Adds a row of what both sides have, the change of which says nothing.
fn both(sheet: &mut Sheet, name: &str, sides: (&Side, &Side), told: &dyn Fn(&Side) -> Option<String>) {
    let [one, other] = [sides.0, sides.1].map(|side| told(side).unwrap_or_else(|| "-".into()));
    sheet.push(vec![name.into(), one, other, String::new()]);
}

fn tell_quality(sheet: &mut Sheet, sides: (&Side, &Side), change: Option<&QualityChange>) {
    let told = |side: &Side| side.quality.clone().unwrap_or_else(|| "no labels".into());
    let (by, within) = change.map_or((String::new(), ""), QualityChange::words);
    sheet.push(vec!["quality".into(), told(sides.0), told(sides.1), by]);
    if sides.0.labelled_requests + sides.1.labelled_requests > 0 {
        let between = |side: &Side| match (&side.quality_low, &side.quality_high) {
            (Some(low), Some(high)) => format!("{low}-{high}"),
            _ => "-".into(),
        };
        sheet.push(vec!["  95 % between".into(), between(sides.0), between(sides.1), within.into()]);
        both(sheet, "  labels", sides, &|side| Some(count(side.labelled_requests)));
    }
}
