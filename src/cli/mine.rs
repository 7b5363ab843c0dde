//! `pointsman mine`: what the coding agents on this machine have spent.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::args::{EngineArgs, input};
use super::console::{self, LookArgs};
use super::output;
use crate::app::{
    AgentLogs, Setup, agent_logs, codex_plans, follow, mine_report, run_console, stream_report,
};
use crate::report::{Format, MineReport, OtherPolicy};
use crate::session::{Reading, StreamOptions};

/// Opens the logs that Claude Code, Codex, opencode and Gemini CLI keep on this machine.
#[derive(Args, Debug)]
pub struct MineArgs {
    /// Print the report instead of opening the console.
    #[arg(long)]
    pub report: bool,
    /// Watch the logs while they grow.
    #[arg(long, conflicts_with_all = ["report", "format"])]
    pub follow: bool,
    /// How to print the report; implies --report.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<Format>,
    #[command(flatten)]
    pub(crate) look: LookArgs,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

/// Runs the subcommand.
///
/// # Errors
/// Where no agent has logs here, or logs, policy or prices cannot be used.
pub fn run(args: &MineArgs) -> anyhow::Result<()> {
    let found = agent_logs();
    if found.is_empty() {
        anyhow::bail!(
            "no logs of Claude Code, Codex, opencode or Gemini CLI on this machine\nhint: where they lie elsewhere, set \
             CLAUDE_CONFIG_DIR, CODEX_HOME, OPENCODE_DATA_DIR or GEMINI_CLI_HOME, or name the folders: pointsman FOLDER.."
        );
    }
    let paths: Vec<PathBuf> = found.iter().map(|logs| logs.path.clone()).collect();
    if args.report || args.format.is_some() || !console::can_draw() {
        let report = report(&found, &paths, &args.engine)?;
        let format = args.format.unwrap_or(Format::Table);
        return output::report(format, &report, || report.text(format));
    }
    for logs in &found {
        output::say(&format!("{}: {}", logs.agent, logs.path.display()));
    }
    if args.follow {
        let setup = args.engine.start()?;
        return follow(&paths, setup, &args.engine.read(), &args.look.options(), |player| {
            super::brought::play(player, None, false)
        });
    }
    let log = console::open(&paths, &args.engine)?;
    let mut player = console::start(Arc::new(log), Reading::Recorded, false);
    console::arrive(&mut player, false);
    run_console(player, &args.look.options())
}

fn report(found: &[AgentLogs], paths: &[PathBuf], engine: &EngineArgs) -> anyhow::Result<MineReport> {
    let mut report = mine_report(found, engine.start()?, &engine.read())?;
    report.plans = codex_plans(found);
    if report.calls == 0 {
        return Ok(report);
    }
    let options = StreamOptions::from(Reading::Routed);
    let routed =
        stream_report(&input(paths), Vec::new(), &Setup::new(&engine.setup())?, &engine.read(), &options)?;
    let models = routed.by_model.iter().map(|row| (row.name.1.clone().unwrap_or_default(), row.requests));
    report.other_policy = Some(OtherPolicy {
        policy: routed.scope.policy,
        cost_usd: routed.cost_usd,
        estimated_usd: routed.cost_estimated_usd,
        error_usd: routed.cost_error_usd,
        unknown_calls: routed.cost_unknown_requests,
        models: models.collect(),
    });
    Ok(report)
}
