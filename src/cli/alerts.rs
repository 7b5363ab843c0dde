//! `pointsman alerts`: what fires, what was told, what a log would have told.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};

use super::args::EngineArgs;
use super::{budgets, console, output};
use crate::alert::{Alert, Rules};
use crate::app::{Cancel, Progress};
use crate::config::{self, alerts};
use crate::report::{Format, Sheet, render, to_json};
use crate::session::alerts as alerts_of;
use crate::units::counted;

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
}

/// Which file.
#[derive(Args, Debug)]
struct Which {
    /// Alerts file (TOML) instead of alerts.toml in the configuration directory.
    #[arg(long, value_name = "FILE")]
    alerts: Option<PathBuf>,
}

impl Which {
    fn settings(&self) -> anyhow::Result<alerts::AlertSettings> {
        let own = || config::user_dir().map(|dir| dir.join(alerts::FILE)).filter(|path| path.is_file());
        let Some(path) = self.alerts.clone().or_else(own) else {
            return Ok(alerts::AlertSettings::default());
        };
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).with_context(|| name.clone())?;
        Ok(alerts::parse(&text, &name)?)
    }
}

/// Reads the rules that a log is played against.
///
/// # Errors
/// Where one's own file cannot be used.
pub(super) fn rules() -> anyhow::Result<Arc<Rules>> {
    Ok(Arc::new(Which { alerts: None }.settings()?.rules))
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
    }
}

fn over_logs(replay: &Replay) -> anyhow::Result<()> {
    let rules = Arc::new(replay.of.settings()?.rules);
    let limits = budgets::of_log(replay.budgets.as_deref(), replay.logs.is_empty())?;
    let limits = limits.map_or_else(Vec::new, |(limits, _)| limits);
    let log = console::open(&replay.logs, &replay.engine)?;
    let (mut progress, requests) = (Progress::new("alerts", None), log.len() as u64);
    let cancel = Cancel::on_interrupt();
    let found = alerts_of(&log, rules, &limits, |done| {
        progress.step(done as u64, requests);
        !cancel.is_raised()
    });
    progress.finish();
    let Some(found) = found else { bail!("cancelled") };
    print(replay.format, &found)?;
    output::damage(&log.skipped.damaged)
}

#[derive(serde::Serialize)]
struct Report<'a> {
    schema: &'static str,
    firing: usize,
    alerts: Vec<AlertRow<'a>>,
}

#[derive(serde::Serialize)]
struct AlertRow<'a> {
    id: &'a str,
    rule: &'a str,
    source: &'static str,
    level: &'static str,
    scope: &'a str,
    threshold: &'a str,
    window: String,
    fired: String,
    resolved: Option<String>,
    acknowledged_by: Option<&'a str>,
    silenced: bool,
    text: &'a str,
}

impl<'a> From<&'a Alert> for AlertRow<'a> {
    fn from(alert: &'a Alert) -> Self {
        Self {
            id: &alert.id,
            rule: &alert.rule,
            source: alert.source.name(),
            level: alert.level.name(),
            scope: &alert.scope,
            threshold: &alert.threshold,
            window: if alert.window.0 == i64::MIN { String::new() } else { alert.window.rfc3339() },
            fired: alert.at.rfc3339(),
            resolved: alert.resolved.map(crate::units::Instant::rfc3339),
            acknowledged_by: alert.acked.as_deref(),
            silenced: alert.silenced,
            text: &alert.words,
        }
    }
}

fn print(format: Format, alerts: &[Alert]) -> anyhow::Result<()> {
    let firing = alerts.iter().filter(|alert| alert.resolved.is_none()).count();
    if format == Format::Json {
        let alerts = alerts.iter().map(AlertRow::from).collect();
        return output::text(&to_json(&Report { schema: "pointsman.alerts/1", firing, alerts })?);
    }
    let mut sheet = Sheet::new("", &["fired", "over", "level", "rule", "what", "id"]);
    for row in alerts.iter().map(AlertRow::from) {
        let brief = |text: &str| match format {
            Format::Table | Format::Md => text.get(..19).unwrap_or(text).replace('T', " "),
            _ => text.to_owned(),
        };
        let mut state = row.resolved.as_deref().map_or_else(|| "fires".to_owned(), brief);
        for (is_so, word) in [(row.silenced, "silenced"), (row.acknowledged_by.is_some(), "acknowledged")] {
            if is_so {
                state = format!("{state}, {word}");
            }
        }
        let (level, rule, text, id) = (row.level, row.rule, row.text, row.id);
        sheet.push(vec![
            brief(&row.fired),
            state,
            level.to_owned(),
            rule.to_owned(),
            text.to_owned(),
            id.to_owned(),
        ]);
    }
    output::text(&render(&[sheet], format))?;
    if format == Format::Table {
        output::say(&format!("{}, {firing} of them still firing", counted(alerts.len() as u64, "alert")));
    }
    Ok(())
}
