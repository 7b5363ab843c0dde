//! `pointsman alerts`: what fires, what was told, what a log would have told.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;

use super::alert_rules::Which;
use super::args::{EngineArgs, GatewayAt, GatewayLook, names};
use super::{brought, console, output};
use crate::app::{ALERTS, order_at, read_at, unbound_in};
use crate::gateway::{AlertRow, DeliveryRow};
use crate::report::{Column, Format, Sheet, render, to_json};
use crate::session::{alerts as alerts_of, would_trip};
use crate::units::{counted, marked_lines};

/// Lists alerts, silences and acknowledges them, tries receivers.
#[derive(Args, Debug)]
pub struct AlertsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Show what would have fired over logs, or over the bundled sample; nobody is told
    #[command(
        after_help = "Examples:\n  pointsman alerts replay\n  pointsman alerts replay gateway.jsonl --budgets budgets.toml --format json"
    )]
    Replay(Box<Replay>),
    /// List the alerts of a running gateway, the newest last
    List {
        /// Only those that fire.
        #[arg(long)]
        firing: bool,
        #[command(flatten)]
        look: GatewayLook,
    },
    /// List what receivers were told, what waits, and what was given up
    History(GatewayLook),
    /// Send a receiver a message marked as a test, and show what it answers
    Test {
        /// The receiver, as alerts.toml names it.
        receiver: String,
        #[command(flatten)]
        at: GatewayAt,
    },
    /// Have nobody told of what matches, for a while; it is listed all the same
    #[command(
        after_help = "Examples:\n  pointsman alerts silence --for 2h --rule anomaly\n  pointsman alerts silence --for 1d --scope 'teams/*'"
    )]
    Silence {
        /// For how long: 30m, 2h, 1d.
        #[arg(long = "for", value_name = "LENGTH")]
        span: String,
        /// Rules; `*` stands for anything. All where absent.
        #[arg(long, default_value = "")]
        rule: String,
        /// Scopes; `*` stands for anything. All where absent.
        #[arg(long, default_value = "")]
        scope: String,
        #[command(flatten)]
        at: GatewayAt,
    },
    /// Take note of an alert
    Ack {
        /// Its id, or as much of it as tells it apart.
        id: String,
        #[command(flatten)]
        at: GatewayAt,
    },
}

fn get(at: &GatewayAt) -> anyhow::Result<Listed> {
    Ok(read_at(&at.options(), ALERTS)?.1)
}

fn post(at: &GatewayAt, body: &serde_json::Value) -> anyhow::Result<serde_json::Value> {
    order_at(&at.options(), ALERTS, body)
}

/// What a gateway tells of alerts.
#[derive(serde::Deserialize)]
struct Listed {
    alerts: Vec<AlertRow>,
    deliveries: Vec<DeliveryRow>,
}

#[derive(Args, Debug)]
struct Replay {
    /// Logs; the bundled sample where absent.
    #[arg(value_name = "LOG")]
    logs: Vec<PathBuf>,
    #[command(flatten)]
    of: Which,
    /// Budgets file (TOML) instead of budgets.toml in the configuration directory.
    #[arg(long, value_name = "FILE")]
    budgets: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Runs the subcommand.
///
/// # Errors
/// Where file, log or gateway cannot be used.
pub fn run(args: &AlertsArgs) -> anyhow::Result<()> {
    match &args.command {
        Command::Replay(replay) => over_logs(replay),
        Command::List { firing, look } => {
            let mut alerts = get(&look.at)?.alerts;
            alerts.retain(|row| !firing || row.resolved.is_none());
            print(look.format, String::new(), alerts)
        }
        Command::History(look) => history(look.format, &get(&look.at)?.deliveries),
        Command::Test { receiver, at } => {
            let answer = post(at, &json!({ "do": "test", "receiver": receiver }))?;
            let said = answer.get("answer").and_then(|said| said.as_str()).unwrap_or_default();
            if answer.get("delivered").and_then(serde_json::Value::as_bool) == Some(true) {
                return output::text(&format!("{receiver} was told: {said}\n"));
            }
            bail!("{receiver} could not be told: {said}")
        }
        Command::Silence { span, rule, scope, at } => {
            let answer = post(at, &json!({ "do": "silence", "rule": rule, "scope": scope, "for": span }))?;
            let until = answer.get("until").and_then(|until| until.as_str()).unwrap_or_default();
            output::text(&format!("silenced until {until}\n"))
        }
        Command::Ack { id, at } => {
            let answer = post(at, &json!({ "do": "ack", "id": id }))?;
            let text = answer.get("text").and_then(|text| text.as_str()).unwrap_or_default();
            output::text(&format!("acknowledged: {}\n", marked_lines(text)))
        }
    }
}

fn over_logs(replay: &Replay) -> anyhow::Result<()> {
    let rules = Arc::new(replay.of.settings()?.rules);
    let mut log = console::open(&replay.logs, &replay.engine)?;
    log.untimed().into_iter().for_each(output::remark);
    let limits = brought::of_log(replay.budgets.as_deref(), (replay.logs.is_empty(), &log.budgets))?;
    let limits = limits.map(|(limits, _)| limits).unwrap_or_default();
    for words in &unbound_in(&log, limits.all()) {
        output::remark(words);
    }
    let found = would_trip(&log, &super::runaways::rules(replay.budgets.as_ref())?);
    log.mark_runaways(&found);
    let requests = log.len() as u64;
    let found =
        output::long("alerts", requests, |step| alerts_of(&log, rules, &limits, |done| step(done as u64)))?;
    let named =
        if replay.logs.is_empty() { vec![crate::sample::NAME.to_owned()] } else { names(&replay.logs) };
    let simulated = if log.simulated > 0 { " · SIMULATED" } else { "" };
    let title = format!("{} · {}{simulated}", named.join(", "), counted(requests, "request"));
    // Rows for programs have no heading.
    let title = if replay.format == Format::Csv { String::new() } else { title };
    print(replay.format, title, found.iter().map(AlertRow::from).collect())?;
    output::damage(&log.skipped.damaged)
}

#[derive(serde::Serialize)]
struct Report {
    schema: &'static str,
    firing: usize,
    alerts: Vec<AlertRow>,
}

fn print(format: Format, title: String, alerts: Vec<AlertRow>) -> anyhow::Result<()> {
    let firing = alerts.iter().filter(|alert| alert.resolved.is_none()).count();
    if format == Format::Json {
        return output::text(&to_json(&Report { schema: "pointsman.alerts/1", firing, alerts })?);
    }
    let count = alerts.len() as u64;
    let state = |row: &AlertRow| {
        let over = row.resolved.as_ref().map_or_else(|| "fires".to_owned(), |at| output::second(at, format));
        let silenced = if row.silenced { ", silenced" } else { "" };
        let acknowledged = if row.acknowledged_by.is_some() { ", acknowledged" } else { "" };
        over + silenced + acknowledged
    };
    let columns: &[Column<'_, AlertRow>] = &[
        ("fired", &|row| output::second(&row.fired, format)),
        ("over", &state),
        ("level", &|row| row.level.clone()),
        ("rule", &|row| row.rule.clone()),
        ("what", &|row| row.text.clone()),
        ("id", &|row| row.id.clone()),
    ];
    let sheet = Sheet::of(title, alerts, columns);
    output::text(&render(&[sheet], format))?;
    if format == Format::Table {
        output::say(&format!("{}, {firing} of them still firing", counted(count, "alert")));
    }
    Ok(())
}

fn history(format: Format, deliveries: &[DeliveryRow]) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::text(&to_json(
            &json!({ "schema": "pointsman.deliveries/1", "deliveries": deliveries }),
        )?);
    }
    let columns: &[Column<'_, &DeliveryRow>] = &[
        ("at", &|row| output::second(&row.at, format)),
        ("receiver", &|row| row.receiver.clone()),
        ("alert", &|row| row.alert.clone()),
        ("news", &|row| row.news.clone()),
        ("state", &|row| row.state.replace('_', " ")),
        (">tries", &|row| row.tries.to_string()),
        ("answer", &|row| row.answer.clone()),
    ];
    let sheet = Sheet::of("", deliveries, columns);
    output::text(&render(&[sheet], format))
}
