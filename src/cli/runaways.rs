//! `pointsman runaways`: where rules would have tripped in a log and what was spent from there on, or how things stand at a gateway.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::args::{EngineArgs, gateway_at};
use super::output;
use crate::app::{RUNAWAYS, read_at};
use crate::config::{self, budgets};
use crate::gateway::{StopRow, TripRow};
use crate::report::{Format, Sheet, dollars_rounded, render};
use crate::runaway::{Rule, built_in};
use crate::session::{Log, Tripped, Watched, watched};
use crate::units::{Pico, counted, grouped as count, members};

/// Shows where rules would have tripped, or who is stopped now.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman runaways gateway.jsonl\n  pointsman runaways gateway.jsonl --rules budgets.toml --format json\n  pointsman runaways                       # at the gateway on 127.0.0.1:4141\n\nWhat a stop would have saved is what the same one spent from the trip to the end of the log: what came in that time is known, but nobody knows what he would have done instead."
)]
pub struct RunawaysArgs {
    /// Logs; where absent, the gateway at --url is asked.
    #[arg(value_name = "LOG")]
    logs: Vec<PathBuf>,
    /// File with rules (`[runaways]` of a budgets file) instead of budgets.toml in the configuration directory; the built-in
    /// rules where there is neither.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// The gateway's address.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4141", conflicts_with = "logs")]
    url: String,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    engine: EngineArgs,
}

members! {
    #[derive(Serialize)]
    struct Report;
    fn new(log: &Log, rules: &[Rule], found: &Watched) {}
    schema: &'static str = "pointsman.runaways.v1",
    requests: u64 = found.requests,
    /// Requests of which the log tells the tool call that they follow; without, loops cannot be seen.
    requests_with_tool_calls: u64 = found.calls_told,
    rules: Vec<RuleRow> = rules.iter().map(|rule| RuleRow::new(rule, found)).collect(),
    trips_total: u64 = found.count,
    trips: Vec<Row> = found.tripped.iter().map(|one| Row::new(one, log)).collect(),
}

members! {
    #[derive(Serialize)]
    struct RuleRow;
    fn new(rule: &Rule, found: &Watched) {}
    rule: String = rule.name.to_string(),
    each: &'static str = rule.each.name(),
    looks_for: String = rule.test.words(),
    then: &'static str = rule.then.name(),
    trips: usize = found.tripped.iter().filter(|one| one.trip.rule == rule.name).count(),
}

members! {
    #[derive(Serialize)]
    struct Row;
    fn new(one: &Tripped, log: &Log) {
        let Tripped { trip, index, requests_after, cost_after, last } = one;
    }
    at: String = trip.at.rfc3339(),
    rule: String = trip.rule.to_string(),
    whom: String = trip.whom.to_string(),
    team: String = trip.whose.team.to_string(),
    project: String = trip.whose.project.to_string(),
    key: String = trip.whose.key.to_string(),
    session: String = trip.whose.session.to_string(),
    seen: String = trip.seen.clone(),
    then: &'static str = trip.then.name(),
    request: String = log.history.id(*index).to_owned(),
    last_request: String = last.rfc3339(),
    requests_after: u64 = *requests_after,
    /// What was spent from the trip on: at most what a stop would have saved.
    saved_usd: Option<String> = cost_after.usd(),
    /// `known`, or `estimated` where part of it is; what nobody knows is in no sum.
    saved_kind: &'static str = if cost_after.estimated == Pico::ZERO { "known" } else { "estimated" },
    unknown_costs: u64 = cost_after.unknown,
}

/// Runs the subcommand.
///
/// # Errors
/// Where log, rules or gateway cannot be used.
pub fn run(args: &RunawaysArgs) -> anyhow::Result<()> {
    if args.logs.is_empty() { of_gateway(args) } else { of_logs(args) }
}

/// Returns the rules of a file, of one's own, or those that are built in.
pub(super) fn rules(named: Option<&PathBuf>) -> anyhow::Result<Vec<Rule>> {
    let usual = || config::own_file(budgets::FILE);
    let Some(path) = named.cloned().or_else(usual) else { return Ok(built_in()) };
    let (name, text) = config::named_text(&path, "")?;
    Ok(budgets::parse_all(&text, &name)?.1)
}

fn of_logs(args: &RunawaysArgs) -> anyhow::Result<()> {
    let rules = rules(args.rules.as_ref())?;
    let log = args.engine.load(&args.logs)?;
    log.untimed().into_iter().for_each(output::remark);
    let found =
        output::long("runaways", log.len() as u64, |step| watched(&log, &rules, |done| step(done as u64)))?;
    let report = Report::new(&log, &rules, &found);
    output::report(args.format, &report, || render(&[sheet(&report, args.format)], args.format))?;
    if args.format == Format::Table {
        let words = format!(
            "{} in {}, {}; a stop there would have saved at most what was spent after",
            counted(found.count, "trip"),
            counted(found.requests, "request"),
            counted(rules.len() as u64, "rule")
        );
        output::say(&words);
        if found.calls_told == 0 && rules.iter().any(|rule| rule.each == crate::runaway::Kind::Session) {
            output::say("the log tells no tool calls, so loops of equal calls cannot be seen in it");
        }
    }
    output::damage(&log.skipped.damaged)
}

fn sheet(report: &Report, format: Format) -> Sheet {
    let is_for_people = matches!(format, Format::Table | Format::Md);
    let saved = |row: &Row| match &row.saved_usd {
        None => "unknown".to_owned(),
        Some(usd) if is_for_people => {
            let mark = if row.saved_kind == "known" && row.unknown_costs == 0 { "" } else { "~" };
            format!("{mark}{}", dollars_rounded(usd))
        }
        Some(usd) => usd.clone(),
    };
    Sheet::of(
        "",
        &report.trips,
        &[
            ("at", &|row| output::second(&row.at, format)),
            ("rule", &|row| row.rule.clone()),
            ("whom", &|row| row.whom.clone()),
            ("team", &|row| row.team.clone()),
            ("project", &|row| row.project.clone()),
            ("seen", &|row| row.seen.clone()),
            ("then", &|row| row.then.to_owned()),
            (">requests after", &|row| {
                if is_for_people { count(row.requests_after) } else { row.requests_after.to_string() }
            }),
            (">spent after", &|row| saved(row)),
        ],
    )
}

/// What a gateway says of who is stopped, and of what tripped, the latest first.
#[derive(serde::Deserialize)]
struct Stopped {
    stops: Vec<StopRow>,
    trips: Vec<TripRow>,
}

fn of_gateway(args: &RunawaysArgs) -> anyhow::Result<()> {
    let (text, found) = read_at::<Stopped>(&gateway_at(&args.url), RUNAWAYS)?;
    if args.format == Format::Json {
        return output::text(&text);
    }
    let mut stops = Sheet::new("stopped", &["whom", "since", "by", "why", "lifted by"]);
    for stop in found.stops {
        stops.push(vec![stop.whom, stop.since, stop.by, stop.why, stop.lifted_by]);
    }
    let mut trips = Sheet::new("tripped", &["at", "rule", "whom", "team", "project", "seen", "then"]);
    for trip in found.trips {
        trips.push(vec![trip.at, trip.rule, trip.whom, trip.team, trip.project, trip.seen, trip.then]);
    }
    output::text(&render(&[stops, trips], args.format))
}
