//! `pointsman runaways`: where rules would have tripped in a log and what was spent from there on, or how things stand at a gateway.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;

use super::args::{EngineArgs, gateway_at, input};
use super::output;
use crate::app::{Cancel, Progress, load_log, runaways_at};
use crate::config::{self, budgets};
use crate::report::{Format, Sheet, render, to_json};
use crate::runaway::{Rule, built_in};
use crate::session::{Tripped, watched};
use crate::units::counted;

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

#[derive(Serialize)]
struct Report {
    schema: &'static str,
    requests: u64,
    /// Requests of which the log tells the tool call that they follow; without, loops cannot be seen.
    requests_with_tool_calls: u64,
    rules: Vec<RuleRow>,
    trips_total: u64,
    trips: Vec<Row>,
}

#[derive(Serialize)]
struct RuleRow {
    rule: String,
    each: &'static str,
    looks_for: String,
    then: &'static str,
    trips: usize,
}

#[derive(Serialize)]
struct Row {
    at: String,
    rule: String,
    whom: String,
    team: String,
    project: String,
    key: String,
    session: String,
    seen: String,
    then: &'static str,
    request: String,
    last_request: String,
    requests_after: u64,
    /// What was spent from the trip on: at most what a stop would have saved.
    saved_usd: Option<String>,
    /// `known`, or `estimated` where part of it is; what nobody knows is in no sum.
    saved_kind: &'static str,
    unknown_costs: u64,
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
    let usual = || config::user_dir().map(|dir| dir.join(budgets::FILE)).filter(|path| path.is_file());
    let Some(path) = named.cloned().or_else(usual) else { return Ok(built_in()) };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(&path).with_context(|| name.clone())?;
    Ok(budgets::parse_all(&text, &name)?.1)
}

fn of_logs(args: &RunawaysArgs) -> anyhow::Result<()> {
    let rules = rules(args.rules.as_ref())?;
    let setup = args.engine.start()?;
    let log = load_log(&input(&args.logs), &args.logs, setup, &args.engine.read(), None)?;
    log.untimed().into_iter().for_each(output::remark);
    let (mut progress, requests) = (Progress::new("runaways", None), log.len() as u64);
    let cancel = Cancel::on_interrupt();
    let found = watched(&log, &rules, |done| {
        progress.step(done as u64, requests);
        !cancel.is_raised()
    });
    progress.finish();
    let Some(found) = found else { bail!("cancelled") };
    let row = |one: &Tripped| {
        let Tripped { trip, index, requests_after, cost_after, last } = one;
        Row {
            at: trip.at.rfc3339(),
            rule: trip.rule.to_string(),
            whom: trip.whom.to_string(),
            team: trip.whose.team.to_string(),
            project: trip.whose.project.to_string(),
            key: trip.whose.key.to_string(),
            session: trip.whose.session.to_string(),
            seen: trip.seen.clone(),
            then: trip.then.name(),
            request: log.history.id(*index).to_owned(),
            last_request: last.rfc3339(),
            requests_after: *requests_after,
            saved_usd: cost_after.usd(),
            saved_kind: if cost_after.estimated == crate::units::Pico::ZERO { "known" } else { "estimated" },
            unknown_costs: cost_after.unknown,
        }
    };
    let report = Report {
        schema: "pointsman.runaways.v1",
        requests: found.requests,
        requests_with_tool_calls: found.calls_told,
        rules: rules
            .iter()
            .map(|rule| RuleRow {
                rule: rule.name.to_string(),
                each: rule.each.name(),
                looks_for: rule.test.words(),
                then: rule.then.name(),
                trips: found.tripped.iter().filter(|one| one.trip.rule == rule.name).count(),
            })
            .collect(),
        trips_total: found.count,
        trips: found.tripped.iter().map(row).collect(),
    };
    if args.format == Format::Json {
        output::text(&to_json(&report)?)?;
        return output::damage(&log.skipped.damaged);
    }
    let heads =
        ["at", "rule", "whom", "team", "project", "seen", "then", ">requests after", ">spent after USD"];
    let mut sheet = Sheet::new("", &heads);
    let is_for_people = matches!(args.format, Format::Table | Format::Md);
    for (row, one) in report.trips.iter().zip(&found.tripped) {
        let at = row.at.get(..19).filter(|_| is_for_people).map(|text| text.replace('T', " "));
        let saved = match &row.saved_usd {
            None => "unknown".to_owned(),
            Some(_) if is_for_people => {
                let mark = if row.saved_kind == "known" && row.unknown_costs == 0 { "" } else { "~" };
                format!("{mark}{}", one.cost_after.total().usd_rounded(2))
            }
            Some(usd) => usd.clone(),
        };
        let whom = [at.unwrap_or_else(|| row.at.clone()), row.rule.clone(), row.whom.clone()];
        let what = [row.team.clone(), row.project.clone(), row.seen.clone(), row.then.to_owned()];
        let after = [row.requests_after.to_string(), saved];
        sheet.push(whom.into_iter().chain(what).chain(after).collect());
    }
    output::text(&render(&[sheet], args.format))?;
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

fn of_gateway(args: &RunawaysArgs) -> anyhow::Result<()> {
    let (text, found) = runaways_at(&gateway_at(&args.url))?;
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
