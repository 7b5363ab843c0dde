//! A trace log of what the program does, for those who ask for one: `POINTSMAN_LOG=FILE`.
//!
//! It names files, counts and times, never a prompt, an answer or a key; what looks like a key all the same is masked.

use std::fs::OpenOptions;
use std::sync::Mutex;

use anyhow::Context as _;
use tracing::level_filters::LevelFilter;

use crate::access::Redacting;

/// The environment variable that names the file.
pub const VARIABLE: &str = "POINTSMAN_LOG";

/// Starts the trace log where one is asked for; lines are appended.
///
/// # Errors
/// Where the file cannot be opened.
pub fn start() -> anyhow::Result<()> {
    let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) else { return Ok(()) };
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("{VARIABLE}={}", path.display()))?;
    let trace_log = tracing_subscriber::fmt()
        .with_writer(Mutex::new(Redacting(file)))
        .with_ansi(false)
        .with_max_level(LevelFilter::DEBUG)
        .finish();
    // Only a second call could fail, and the trace log that is there then goes on.
    let _ = tracing::subscriber::set_global_default(trace_log);
    Ok(())
}
