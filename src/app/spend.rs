//! What logs and ledgers come to, told apart as asked for.

use super::load::{LATE, Setup, baselines, nothing_in, streamed};
use crate::record::{Input, ReadOptions};
use crate::report::SpendScope;
use crate::session::{Reading, StreamOptions};
use crate::telemetry::{Spend, SpendOptions};
use crate::units::Names;

/// What a pass over logs came to.
#[derive(Debug)]
pub struct Spent {
    /// The sums.
    pub spend: Spend,
    /// The names in them.
    pub names: Names,
    /// What they are about.
    pub scope: SpendScope,
    /// Files that broke off, and what else makes the sums incomplete.
    pub damaged: Vec<String>,
}

/// Adds up what logs say was spent, in one pass that holds no more than the sums.
///
/// # Errors
/// Where a log cannot be read, is empty, or Ctrl-C cancels.
pub fn spent(
    input: &Input,
    logs: Vec<String>,
    setup: &Setup,
    read: &ReadOptions,
    options: SpendOptions,
) -> anyhow::Result<Spent> {
    let options = StreamOptions { spend: Some(options), ..Reading::Recorded.into() };
    let found = streamed(input, setup, read, &options)?;
    if let Some(nothing) = nothing_in(&found, logs.join(", "), setup.ingest.is_windowed(), read) {
        return Err(nothing.into());
    }
    let late = found.late.as_ref().map(|_| LATE);
    let scope = SpendScope {
        logs,
        by: Vec::new(),
        first_at: None,
        last_at: None,
        prices: format!("{} {}", setup.book.name, setup.book.dated),
        repriced: setup.ingest.options.reprice,
        baseline_model: baselines(&found.policies, &found.names),
        times: found.undated,
        skipped_lines: found.skipped.count,
    };
    let mut damaged = found.skipped.damaged;
    damaged.extend(late.map(str::to_owned));
    Ok(Spent { spend: found.spend.unwrap_or_default(), names: found.names, scope, damaged })
}
