//! `pointsman replay`: logs in, one report out, without a console; as it was, or in a world that is not as it was.

use std::path::PathBuf;

use clap::Args;

use super::args::{EngineArgs, input, names, readings};
use super::branches::{self, Asked, PrintAs, head};
use super::output;
use crate::app::stream_report;
use crate::report::replay_text;
use crate::session::{Reading, StreamOptions};
use crate::units::{Instant, When, counted};

/// Replays logs and prints the report.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman replay gateway.jsonl.zst --format json\n  pointsman replay spend_logs.json --as routed --policy mine.toml\n  zcat old.gz | pointsman replay - --from 14:00 --to 15:00\n  pointsman replay gateway.db --at \"30m ago\"\n  pointsman replay gateway.db --world 429-storm --against cheaper.toml --against extraction.flash=588\n\nA world is a file of what is otherwise and when (prices, outages, slowness, quotas, caches, budgets, traffic besides), or one of those that come with the program: `pointsman scenario` lists them. Every branch is decided request by request, by the same engine; one file and one log give the same bytes. With --at, the world and what is tried in it begin at that moment."
)]
pub struct ReplayArgs {
    /// Logs, plain, gzip or zstd, or folders of them; `-` is standard input. With --world, the bundled sample where absent.
    #[arg(required_unless_present = "world", value_name = "LOG")]
    pub logs: Vec<PathBuf>,
    /// The reading; in another world it is always routed.
    #[arg(long = "as", value_parser = readings(), default_value = Reading::Recorded.name())]
    pub read_as: Reading,
    /// Replay it in a world that is not as it was: a .toml file, or the name of one that comes with the program.
    #[arg(long, value_name = "NAME|FILE")]
    pub world: Option<String>,
    /// Try a policy in that world, or thresholds (extraction.flash=588,agent.4.1=200); may be given more than once.
    #[arg(long, value_name = "POLICY|SET", requires = "world")]
    pub against: Vec<String>,
    /// Budgets in force in that world, where it has none of its own.
    #[arg(long, value_name = "FILE", requires = "world")]
    pub budgets: Option<PathBuf>,
    /// The play head: a moment, or "30m ago" counted from the log's last request. What is behind it is left out; with --world,
    /// everything up to it stays as it was.
    #[arg(long, value_name = "MOMENT")]
    pub at: Option<String>,
    /// How to print.
    #[arg(long, value_enum, default_value_t = PrintAs::Table)]
    pub format: PrintAs,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

/// Runs the subcommand.
///
/// # Errors
/// Where a log, policy or price book cannot be used.
pub fn run(args: &ReplayArgs) -> anyhow::Result<()> {
    if let Some(world) = &args.world {
        let asked = Asked {
            logs: &args.logs,
            against: &args.against,
            budgets: args.budgets.as_deref(),
            at: args.at.as_deref(),
            format: args.format.tables(),
            engine: &args.engine,
        };
        return branches::run(&asked, world);
    }
    let Some(format) = args.format.tables() else {
        anyhow::bail!("a page is written of a comparison: name a world with --world");
    };
    let mut engine = args.engine.clone();
    if let Some(at) = &args.at {
        let log = engine.load(&args.logs)?;
        let head = head(at, log.bounds().unwrap_or_default())?;
        // What arrived at the moment itself has been seen.
        engine.to = Some(When::At(Instant(head.0.saturating_add(1))));
    }
    let setup = engine.start()?;
    let options = StreamOptions::from(args.read_as);
    let report = stream_report(&input(&args.logs), names(&args.logs), &setup, &engine.read(), &options)?;
    output::report(format, &report, || replay_text(&report, format))?;
    output::damage(&report.damaged)?;
    match report.constraints.filter(|check| engine.strict && check.broken_calls > 0) {
        Some(check) => anyhow::bail!(
            "{} of {} went to models that their route or key forbids; the report lists them",
            check.broken_calls,
            counted(check.checked, "constrained call")
        ),
        None => Ok(()),
    }
}
