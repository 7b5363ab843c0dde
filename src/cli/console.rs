//! The console itself; a report where stdout is no terminal.

use clap::Args;
use std::path::PathBuf;

use super::args::EngineArgs;

/// Opens the console.
#[derive(Args, Debug)]
pub struct ConsoleArgs {
    /// Logs, plain, gzip or zstd; `-` is standard input. Without one the bundled sample opens.
    #[arg(value_name = "LOG")]
    pub logs: Vec<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the text would replace the flattened help")]
    pub engine: EngineArgs,
}

/// Opens the console.
///
/// # Errors
/// none yet
pub fn run(_args: &ConsoleArgs) -> anyhow::Result<()> {
    Ok(())
}
