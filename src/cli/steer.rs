//! `pointsman steer`: limits that are steered towards, over a log and at a running gateway.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::args::{EngineArgs, GatewayAt, GatewayLook, input, names};
use super::brought::of_log;
use super::output;
use crate::app::{Cancel, Progress, accept_at, load_log, steering_at};
use crate::budget::LimitHistory;
use crate::report::{Format, Sheet, render, to_json};
use crate::session::{Moved, SteerRow, SteeredWindow, steer_over};
use crate::units::{Instant, Pico, counted};

/// Moves thresholds so that what a budget's window costs comes out right below its limit.
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  pointsman steer gateway.jsonl --budgets budgets.toml    # what would each window have cost?\n  pointsman steer show\n  pointsman steer accept company/month\n\nWhich limits are steered towards, and how, stands in budgets.toml: steer = { window = \"month\", act = true }. Over a log everything is simulated: calls that the log does not have are estimated, and no limit refuses anybody."
)]
pub struct SteerArgs {
    #[command(subcommand)]
    deed: Option<Deed>,
    /// Logs or ledgers, to steer over.
    #[arg(value_name = "LOG", required = true)]
    logs: Vec<PathBuf>,
    /// The file of budgets (that of the configuration directory where absent).
    #[arg(long, value_name = "FILE")]
    budgets: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(Args, Debug)]
struct Accept {
    /// The limit: `company/month`.
    limit: String,
    #[command(flatten)]
    at: GatewayAt,
}

#[derive(Subcommand, Debug)]
enum Deed {
    /// Show how limits of a running gateway stand that are steered towards, and what is proposed
    Show(GatewayLook),
    /// Move thresholds as is proposed for a limit
    Accept(Accept),
}

/// Runs the subcommand.
///
/// # Errors
/// Where file, log or gateway cannot be used.
pub fn run(args: &SteerArgs) -> anyhow::Result<()> {
    match &args.deed {
        None => over_logs(args),
        Some(Deed::Show(look)) => show(look),
        Some(Deed::Accept(accept)) => {
            output::say(&accept_at(&accept.at.options(), &accept.limit)?);
            Ok(())
        }
    }
}

fn show(look: &GatewayLook) -> anyhow::Result<()> {
    let (text, rows) = steering_at(&look.at.options())?;
    if look.format == Format::Json {
        return output::text(&text);
    }
    let mut sheet = Sheet::new("", &["limit", ">spent", ">limit", "ends", "moves", "stands"]);
    for row in &rows {
        sheet.push(vec![
            row.limit.clone(),
            row.spent_usd.clone(),
            row.limit_usd.clone(),
            row.ends.map(Instant::rfc3339).unwrap_or_default(),
            if row.acts { "by itself" } else { "proposes" }.to_owned(),
            row.words(),
        ]);
    }
    output::text(&render(&[sheet], look.format))?;
    if rows.is_empty() && look.format == Format::Table {
        output::say(
            "no limit has been looked at yet; `steer` in budgets.toml says which are steered towards",
        );
    }
    Ok(())
}

#[derive(Serialize)]
struct Report {
    schema: &'static str,
    /// Always: nothing of it happened.
    simulated: bool,
    logs: Vec<String>,
    windows: Vec<Window>,
}

#[derive(Serialize)]
struct Window {
    limit: String,
    starts: String,
    ends: Option<String>,
    limit_usd: String,
    as_it_was_usd: String,
    steered_usd: String,
    /// Of the limit.
    steered_share: Option<String>,
    requests: u64,
    moves: u64,
    last: Vec<Moved>,
}

impl From<&SteeredWindow> for Window {
    fn from(one: &SteeredWindow) -> Self {
        Self {
            limit: one.limit.clone(),
            starts: one.window.start.rfc3339(),
            ends: one.window.end.map(Instant::rfc3339),
            limit_usd: one.amount.usd(),
            as_it_was_usd: one.as_it_was.usd(),
            steered_usd: one.steered.usd(),
            steered_share: share(one.steered, one.amount),
            requests: one.requests,
            moves: one.moves,
            last: one.last.clone(),
        }
    }
}

/// Returns a part of an amount as a number with three decimals.
fn share(part: Pico, of: Pico) -> Option<String> {
    (of > Pico::ZERO).then(|| Pico::USD.ratio(part.0, of.0).usd_rounded(3))
}

fn over_logs(args: &SteerArgs) -> anyhow::Result<()> {
    let log = load_log(&input(&args.logs), &args.logs, args.engine.start()?, &args.engine.read(), None)?;
    let found = of_log(args.budgets.as_deref(), (false, &log.budgets))?;
    let (limits, origin) = found.unwrap_or_else(|| (LimitHistory::default(), "budgets".to_owned()));
    // What is steered towards is one limit for all of the log: the one that stands at its end.
    let limits = limits.last();
    if limits.iter().all(|limit| limit.steer.is_none()) {
        let hint = "write steer = { window = \"month\" } into a budget, or name a file with --budgets";
        bail!("{origin}: no limit is steered towards\nhint: {hint}");
    }
    let mut progress = Progress::new("steering", None);
    let (cancel, total) = (Cancel::on_interrupt(), log.len() as u64);
    let found = steer_over(&log, limits, |done| {
        progress.step(done as u64, total);
        !cancel.is_raised()
    });
    progress.finish();
    let Some(found) = found else { bail!("cancelled") };
    let report = Report {
        schema: "pointsman.steer.v1",
        simulated: true,
        logs: names(&args.logs),
        windows: found.iter().map(Window::from).collect(),
    };
    if args.format == Format::Json {
        output::text(&to_json(&report)?)?;
        return output::damage(&log.skipped.damaged);
    }
    let heads =
        ["limit", "from", "to", ">limit", ">as it was", ">steered", ">of the limit", ">requests", ">moves"];
    let mut sheet = Sheet::new(format!("{}, simulated", report.logs.join(", ")), &heads);
    for one in &report.windows {
        sheet.push(vec![
            one.limit.clone(),
            one.starts.clone(),
            one.ends.clone().unwrap_or_default(),
            one.limit_usd.clone(),
            one.as_it_was_usd.clone(),
            one.steered_usd.clone(),
            one.steered_share.clone().unwrap_or_default(),
            one.requests.to_string(),
            one.moves.to_string(),
        ]);
    }
    output::text(&render(&[sheet], args.format))?;
    if args.format == Format::Table {
        if let Some(one) = report.windows.iter().rev().find(|one| !one.last.is_empty()) {
            let row = SteerRow { moves: one.last.clone(), ..SteerRow::default() };
            output::say(&format!("{} from {}, last move{}", one.limit, one.starts, row.moved()));
        }
        output::say(&format!(
            "{} decided twice, simulated: calls that the log does not have are estimated",
            counted(log.len() as u64, "request")
        ));
    }
    output::damage(&log.skipped.damaged)
}
