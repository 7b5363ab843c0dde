//! `pointsman rollout`: rollouts of a running gateway, and what would have become of one over a log.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::args::{EngineArgs, GatewayAt, GatewayLook, names};
use super::output;
use crate::app::{ROLLOUTS, rows_at, said_at};
use crate::config::{self, rollouts};
use crate::report::{Format, Sheet, render, to_json};
use crate::rollout::{Plan, Rollout};
use crate::routing::Policy;
use crate::session::{Log, PolicySpan, RolloutRow, RolloutStep, RolloutTried, roll_over};
use crate::units::{Instant, counted, members};

/// Changes a route step by step, as far as the evidence lets it.
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  pointsman rollout gateway.jsonl --plan rollouts.toml cheaper-code   # when would each step have come?\n  pointsman rollout start cheaper-code\n  pointsman rollout show\n  pointsman rollout hold cheaper-code --why \"release on Friday\"\n  pointsman rollout back cheaper-code\n\nOver a log everything is simulated: what a drawn session would have cost is estimated where the log has no answer of that model."
)]
pub struct RolloutArgs {
    #[command(subcommand)]
    deed: Option<Deed>,
    /// Logs or ledgers, to try a plan over.
    #[arg(value_name = "LOG", required = true)]
    logs: Vec<PathBuf>,
    /// The file of plans (rollouts.toml in the configuration directory where absent).
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// The rollout, where the file plans several.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(Args, Debug)]
struct Look {
    /// The rollout; all of them where absent.
    name: Option<String>,
    #[command(flatten)]
    from: GatewayLook,
}

#[derive(Args, Debug)]
struct Start {
    /// The rollout, as the file names it.
    name: String,
    /// The file of plans (rollouts.toml in the configuration directory where absent).
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    at: GatewayAt,
}

#[derive(Args, Debug)]
struct One {
    /// The rollout.
    name: String,
    /// Why, for whoever reads the audit.
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
    #[command(flatten)]
    at: GatewayAt,
}

#[derive(Subcommand, Debug)]
enum Deed {
    /// List the rollouts of a running gateway
    List(Look),
    /// Show how both sides of a rollout did, and what its next step lacks
    Show(Look),
    /// Begin a rollout by its plan
    Start(Start),
    /// Let it take no step by itself; it is still taken back where the evidence turns
    Hold(One),
    /// Let it take steps by itself again
    Go(One),
    /// Take the next step now, whatever evidence lacks
    Skip(One),
    /// Take it back: all as it was
    Back(One),
}

/// Runs the subcommand.
///
/// # Errors
/// Where plan, log or gateway cannot be used.
pub fn run(args: &RolloutArgs) -> anyhow::Result<()> {
    match &args.deed {
        None => over_logs(args),
        Some(Deed::List(look)) => list(look, false),
        Some(Deed::Show(look)) => list(look, true),
        Some(Deed::Start(start)) => {
            let (path, text) = plan_text(start.plan.as_deref())?;
            // A slip is told with the file's own name.
            rollouts::find(&text, &path, &start.name)?;
            let order = serde_json::json!({ "start": start.name, "plan": text });
            output::say(&said_at(&start.at.options(), ROLLOUTS, &order)?);
            Ok(())
        }
        Some(Deed::Hold(one)) => order("hold", one),
        Some(Deed::Go(one)) => order("go", one),
        Some(Deed::Skip(one)) => order("skip", one),
        Some(Deed::Back(one)) => order("back", one),
    }
}

fn order(word: &str, one: &One) -> anyhow::Result<()> {
    let order = serde_json::json!({ word: one.name, "why": one.why });
    output::say(&said_at(&one.at.options(), ROLLOUTS, &order)?);
    Ok(())
}

fn plan_text(named: Option<&Path>) -> anyhow::Result<(String, String)> {
    let path = config::named_or_own(named, rollouts::FILE, "--plan")?;
    let other = if named.is_some() { "" } else { "; --plan names another file" };
    config::named_text(&path, &format!("\nhint: docs/rollouts.md has an example{other}"))
}

fn list(look: &Look, in_full: bool) -> anyhow::Result<()> {
    let (text, rows) = rows_at::<RolloutRow>(&look.from.at.options(), ROLLOUTS)?;
    let rows: Vec<&RolloutRow> =
        rows.iter().filter(|row| look.name.as_ref().is_none_or(|name| row.name == *name)).collect();
    if let Some(name) = look.name.as_ref().filter(|_| rows.is_empty()) {
        bail!("there is no rollout `{name}` at this gateway; `pointsman rollout list` names them");
    }
    if look.from.format == Format::Json {
        return output::text(&if look.name.is_none() { text } else { to_json(&rows)? });
    }
    if in_full && look.from.format == Format::Table {
        for (at, row) in rows.iter().enumerate() {
            let gap = if at > 0 { "\n" } else { "" };
            let lines = row.lines();
            let text = format!("{gap}{}\n", lines.join("\n  "));
            output::text(&crate::units::marked_lines(&text))?;
        }
    } else {
        output::text(&render(&[sheet("", rows.iter().copied())], look.from.format))?;
    }
    if rows.is_empty() && look.from.format == Format::Table {
        output::say("no rollout has begun here; `pointsman rollout start NAME` begins one");
    }
    Ok(())
}

fn sheet<'r>(title: &str, rows: impl Iterator<Item = &'r RolloutRow>) -> Sheet {
    let money = |usd: &Option<String>| usd.clone().unwrap_or_else(|| "unknown".to_owned());
    let count = |count: Option<u64>| count.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
    Sheet::of(
        title,
        rows,
        &[
            ("rollout", &|row| row.name.clone()),
            ("route", &|row| row.route.clone()),
            ("change", &|row| row.change.clone()),
            ("stands", &|row| row.place()),
            ("since", &|row| row.since.rfc3339()),
            (">canary requests", &|row| row.canary.requests.to_string()),
            (">USD per 1,000", &|row| money(&row.canary.usd_per_thousand)),
            (">beside", &|row| money(&row.base.usd_per_thousand)),
            (">failed ‰", &|row| count(row.canary.failed)),
            (">beside", &|row| count(row.base.failed)),
            (">labels", &|row| row.canary.judged.to_string()),
            ("lacks", &|row| if row.is_open() { row.lacks.join("; ") } else { row.why.clone() }),
        ],
    )
}

members! {
    #[derive(Serialize)]
    struct Report<'a>;
    fn new(args: &RolloutArgs, log: &Log, plan: &'a Plan, tried: &'a RolloutTried) {}
    schema: &'static str = "pointsman.rollout.v1",
    /// Always: nothing of it happened.
    simulated: bool = true,
    logs: Vec<String> = names(&args.logs),
    rollout: &'a str = &plan.name,
    route: &'a str = &plan.route,
    requests: u64 = log.len() as u64,
    drawn: u64 = tried.drawn,
    drawn_estimated: u64 = tried.estimated,
    steps: Vec<StepRow<'a>> = tried.steps.iter().map(StepRow::new).collect(),
    last: &'a RolloutRow = &tried.last,
}

members! {
    #[derive(Serialize)]
    struct StepRow<'a>;
    fn new(step: &'a RolloutStep) {}
    at: String = step.at.rfc3339(),
    what: &'a str = &step.what,
    stood: &'a RolloutRow = &step.stood,
}

fn over_logs(args: &RolloutArgs) -> anyhow::Result<()> {
    let (path, text) = plan_text(args.plan.as_deref())?;
    let plan = match &args.name {
        Some(name) => rollouts::find(&text, &path, name)?,
        None => match <[Plan; 1]>::try_from(rollouts::parse(&text, &path)?) {
            Ok([plan]) => plan,
            Err(plans) => {
                let known: Vec<&str> = plans.iter().map(|plan| &*plan.name).collect();
                bail!(
                    "{path} plans {}; say which with --name: {}",
                    counted(known.len() as u64, "rollout"),
                    known.join(", ")
                )
            }
        },
    };
    let log = args.engine.load(&args.logs)?;
    let (log, staged) = staged(log, &plan)?;
    let plan = Arc::new(plan);
    let began = log.bounds().map_or(Instant(0), |(first, _)| first);
    let tried = roll_over(&log, Rollout::new(Arc::clone(&plan), "this try", began), &staged);
    print(args, &log, &plan, &tried)?;
    output::damage(&log.skipped.damaged)
}

/// Returns the log's policies with the canary at each stage's share, and the log with the names that it brought.
fn staged(log: Log, plan: &Plan) -> anyhow::Result<(Log, Vec<Vec<PolicySpan>>)> {
    let mut names = log.names.clone();
    let mut all = Vec::with_capacity(plan.stages.len());
    for stage in 0..plan.stages.len() {
        let mut spans = Vec::new();
        for span in log.spans() {
            let spec = span.policy.spec(&log.names);
            let is_only = log.policies.is_empty();
            // Policies of before may not have had the route; then there is nothing to roll out yet.
            let policy = match plan.staged(&spec, stage) {
                Ok(spec) => Arc::new(Policy::compile(&spec, span.policy.version, &mut names)?),
                Err(why) if is_only => bail!(why),
                Err(_) => Arc::clone(&span.policy),
            };
            spans.push(PolicySpan { from: span.from, policy });
        }
        all.push(spans);
    }
    if !all.iter().flatten().any(|span| span.policy.find_route(&plan.name).is_some()) {
        let why = plan.staged(&log.policy_at(log.len()).spec(&log.names), 0).err();
        bail!(why.unwrap_or_else(|| format!("no policy of the log has route `{}`", plan.route)));
    }
    Ok((log.naming(names), all))
}

fn print(args: &RolloutArgs, log: &Log, plan: &Plan, tried: &RolloutTried) -> anyhow::Result<()> {
    let RolloutTried { last, drawn, estimated, .. } = tried;
    let report = Report::new(args, log, plan, tried);
    let sheet = || {
        Sheet::of(
            format!("rollout {} of route {}, simulated", plan.name, plan.route),
            &report.steps,
            &[
                ("at", &|step| step.at.clone()),
                ("what", &|step| step.what.to_owned()),
                (">requests", &|step| step.stood.canary.requests.to_string()),
                ("canary before", &|step| step.stood.canary.words()),
                ("route beside it", &|step| step.stood.base.words()),
            ],
        )
    };
    output::report(args.format, &report, || render(&[sheet()], args.format))?;
    if args.format == Format::Table {
        let lines = last.lines();
        output::say(&format!("at the log's end:\n  {}", lines.get(1..).unwrap_or_default().join("\n  ")));
        output::say(&format!(
            "{} drawn, {estimated} of them estimated: nothing of this happened, and sessions are as the log names them",
            counted(*drawn, "request")
        ));
    }
    Ok(())
}
