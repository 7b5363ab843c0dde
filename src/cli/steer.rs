//! `pointsman steer`: limits that are steered towards, over a log and at a running gateway.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::args::{EngineArgs, GatewayAt, GatewayLook, names};
use super::brought::of_log;
use super::output;
use crate::app::{STEERING, rows_at, said_at};
use crate::budget::LimitHistory;
use crate::report::{Format, Sheet, render};
use crate::session::{Moved, SteerRow, SteeredWindow, steer_over};
use crate::units::{Instant, Pico, counted, grouped as count, members};

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
            let order = serde_json::json!({ "accept": accept.limit });
            output::say(&said_at(&accept.at.options(), STEERING, &order)?);
            Ok(())
        }
    }
}

fn show(look: &GatewayLook) -> anyhow::Result<()> {
    let (text, rows) = rows_at::<SteerRow>(&look.at.options(), STEERING)?;
    if look.format == Format::Json {
        return output::text(&text);
    }
    let sheet = Sheet::of(
        "",
        &rows,
        &[
            ("limit", &|row| row.limit.clone()),
            (">spent", &|row| row.spent_usd.clone()),
            (">limit USD", &|row| row.limit_usd.clone()),
            ("ends", &|row| row.ends.map(Instant::rfc3339).unwrap_or_default()),
            ("moves", &|row| if row.acts { "by itself" } else { "proposes" }.to_owned()),
            ("stands", &|row| row.words()),
        ],
    );
    output::text(&render(&[sheet], look.format))?;
    if rows.is_empty() && look.format == Format::Table {
        output::say(
            "no limit has been looked at yet; `steer` in budgets.toml says which are steered towards",
        );
    }
    Ok(())
}

members! {
    #[derive(Serialize)]
    struct Report;
    fn new(args: &SteerArgs, found: &[SteeredWindow]) {}
    schema: &'static str = "pointsman.steer.v1",
    /// Always: nothing of it happened.
    simulated: bool = true,
    logs: Vec<String> = names(&args.logs),
    windows: Vec<Window> = found.iter().map(Window::from).collect(),
}

members! {
    #[derive(Serialize)]
    struct Window;
    fn from(one: &SteeredWindow) {}
    limit: String = one.limit.clone(),
    starts: String = one.window.start.rfc3339(),
    ends: Option<String> = one.window.end.map(Instant::rfc3339),
    limit_usd: String = one.amount.usd(),
    as_it_was_usd: String = one.as_it_was.usd(),
    steered_usd: String = one.steered.usd(),
    /// Of the limit.
    steered_share: Option<String> = share(one.steered, one.amount),
    requests: u64 = one.requests,
    moves: u64 = one.moves,
    last: Vec<Moved> = one.last.clone(),
}

/// Returns a part of an amount as a number with three decimals.
fn share(part: Pico, of: Pico) -> Option<String> {
    (of > Pico::ZERO).then(|| Pico::USD.ratio(part.0, of.0).usd_rounded(3))
}

fn over_logs(args: &SteerArgs) -> anyhow::Result<()> {
    let log = args.engine.load(&args.logs)?;
    let found = of_log(args.budgets.as_deref(), (false, &log.budgets))?;
    let (limits, origin) = found.unwrap_or_else(|| (LimitHistory::default(), "budgets".to_owned()));
    // What is steered towards is one limit for all of the log: the one that stands at its end.
    let limits = limits.last();
    if limits.iter().all(|limit| limit.steer.is_none()) {
        let hint = "write steer = { window = \"month\" } into a budget, or name a file with --budgets";
        bail!("{origin}: no limit is steered towards\nhint: {hint}");
    }
    let found = output::long("steering", log.len() as u64, |step| {
        steer_over(&log, limits, |done| step(done as u64))
    })?;
    let report = Report::new(args, &found);
    // For people: rounded; CSV and JSON carry every digit.
    let exact = args.format == Format::Csv;
    let money = |usd: &String| if exact { usd.clone() } else { output::money(usd) };
    let number = |n: u64| if exact { n.to_string() } else { count(n) };
    let percent = |share: &String| match Pico::from_usd(share) {
        Ok(share) if !exact => format!("{} %", Pico(share.0 * 100).usd_rounded(1)),
        _ => share.clone(),
    };
    let sheet = || {
        Sheet::of(
            format!("{}, simulated", report.logs.join(", ")),
            &report.windows,
            &[
                ("limit", &|one| one.limit.clone()),
                ("from", &|one| one.starts.clone()),
                ("to", &|one| one.ends.clone().unwrap_or_default()),
                (">limit USD", &|one| money(&one.limit_usd)),
                (">as it was", &|one| money(&one.as_it_was_usd)),
                (">steered", &|one| money(&one.steered_usd)),
                (">of the limit", &|one| one.steered_share.as_ref().map(percent).unwrap_or_default()),
                (">requests", &|one| number(one.requests)),
                (">moves", &|one| number(one.moves)),
            ],
        )
    };
    output::report(args.format, &report, || render(&[sheet()], args.format))?;
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
