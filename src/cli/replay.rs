//! `pointsman replay`: logs in, one report out, without a console.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::args::{EngineArgs, input, names};
use super::output;
use crate::app::stream_report;
use crate::report::{Format, replay_text, to_json};
use crate::session::{Reading, StreamOptions};
use crate::units::counted;

/// How a log is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Default)]
pub enum ReadAs {
    /// Account for what happened.
    #[default]
    Recorded,
    /// Let the engine decide; estimated where the log lacks that model's answer.
    Routed,
}

impl From<ReadAs> for Reading {
    fn from(read: ReadAs) -> Self {
        match read {
            ReadAs::Recorded => Self::Recorded,
            ReadAs::Routed => Self::Routed,
        }
    }
}

/// Replays logs and prints the report.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman replay gateway.jsonl.zst --format json\n  pointsman replay spend_logs.json --as routed --policy mine.toml\n  zcat old.gz | pointsman replay - --from 14:00 --to 15:00"
)]
pub struct ReplayArgs {
    /// Logs, plain, gzip or zstd, or folders of them; `-` is standard input.
    #[arg(required = true, value_name = "LOG")]
    pub logs: Vec<PathBuf>,
    /// The reading.
    #[arg(long = "as", value_enum, default_value_t)]
    pub read_as: ReadAs,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the text would replace the flattened help")]
    pub engine: EngineArgs,
}

/// Runs the subcommand.
///
/// # Errors
/// Where a log, policy or price book cannot be used.
pub fn run(args: &ReplayArgs) -> anyhow::Result<()> {
    let setup = args.engine.start()?;
    let options = StreamOptions::from(Reading::from(args.read_as));
    let report = stream_report(&input(&args.logs), names(&args.logs), &setup, &args.engine.read(), &options)?;
    match args.format {
        Format::Json => output::text(&to_json(&report)?)?,
        format => output::text(&replay_text(&report, format))?,
    }
    output::damage(&report.damaged)?;
    match report.constraints.filter(|check| args.engine.strict && check.broken_calls > 0) {
        Some(check) => anyhow::bail!(
            "{} of {} went to models that their route or key forbids; the report lists them",
            check.broken_calls,
            counted(check.checked, "constrained call")
        ),
        None => Ok(()),
    }
}
