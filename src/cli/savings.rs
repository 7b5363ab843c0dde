//! `pointsman savings`: what routing saved, net of what routing costs.

use clap::{Args, ValueEnum};

use super::args::{ReadLogsArgs, names};
use super::output;
use crate::report::{SavingsReport, SavingsScope};
use crate::savings::Against;
use crate::session::savings;

/// Says what routing saved beside a baseline, net of escalation, retries, lost caches and shadow calls.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman savings gateway.jsonl --baseline claude-opus-4-6\n  pointsman savings gateway.jsonl --against most-expensive --format json\n\nThe baseline is one model for all (the policy's, or --baseline), or of each route the rung that would have cost most. It is the same tokens at that model's price of the time, with the length of answer that a label measured where one did. Where a policy holds sessions out, what they cost is the measured figure beside it. A line without data says why; it is never zero."
)]
pub struct SavingsArgs {
    /// What to compare with.
    #[arg(long, value_enum, default_value_t)]
    pub against: Baseline,
    #[command(flatten)]
    pub(crate) input: ReadLogsArgs,
}

/// What traffic is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Default)]
pub enum Baseline {
    /// One model for all: --baseline, else the policy's.
    #[default]
    Model,
    /// The rung of each route that would have cost most.
    #[value(name = "most-expensive", alias = "dearest")]
    MostExpensive,
}

/// Runs the subcommand.
///
/// # Errors
/// Where a log, policy or price book cannot be used.
pub fn run(args: &SavingsArgs) -> anyhow::Result<()> {
    let log = args.input.load()?;
    let reading = args.input.read_as;
    let against = match args.against {
        Baseline::Model => Against::Model(log.policy.baseline),
        Baseline::MostExpensive => Against::MostExpensive,
    };
    let (found, holdout) = savings(&log, reading, against);
    let scope = SavingsScope {
        logs: names(&args.input.from.logs),
        reading: reading.name(),
        prices: log.book.clone(),
    };
    let report = SavingsReport::new(scope, (against, &found), holdout.as_ref(), &log.names);
    let format = args.input.from.format;
    output::report(format, &report, || report.text(format))?;
    output::damage(&log.skipped.damaged)
}
