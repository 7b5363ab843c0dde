//! `pointsman unit`: what a request, a session and a good answer cost.

use clap::Args;

use super::args::{ReadLogsArgs, names, request_dimension};
use super::output;
use crate::report::{UnitReport, UnitScope};
use crate::session::unit_costs;
use crate::telemetry::{Dimension, Unit};
use crate::units::PerMille;

/// Says what a request, a session and a good answer cost, with retries, escalations and failures inside.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman unit gateway.jsonl --by task\n  pointsman unit ~/.claude/projects --by session --limit 20\n  pointsman unit gateway.jsonl --by team,task --good 800 --format csv\n\nBy session, agents and sub-agents stand below theirs where the log tells them apart, and below those the tools whose results their requests brought along (tag `tool`). A good answer is one that a label gives --good or more; what was spent on worse ones and on requests without an answer is in its cost."
)]
pub struct UnitArgs {
    /// What to tell requests apart by: team, project, route, task, user, key, session, hour, day, month, tag.NAME.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "task", value_parser = request_dimension)]
    pub by: Vec<Dimension>,
    /// The least quality of a good answer, in per mille.
    #[arg(long, value_name = "PERMILLE", default_value_t = Unit::GOOD, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub good: u16,
    /// Only the most expensive so many rows, the rest as `(others)`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    #[command(flatten)]
    pub(crate) input: ReadLogsArgs,
}

/// Runs the subcommand.
///
/// # Errors
/// Where a log, policy or price book cannot be used.
pub fn run(args: &UnitArgs) -> anyhow::Result<()> {
    let log = args.input.load()?;
    let reading = args.input.read_as;
    let good = PerMille::clamped(i64::from(args.good));
    let mut by: Vec<Dimension> = Vec::new();
    for one in &args.by {
        if !by.contains(one) {
            by.push(one.clone());
        }
    }
    let found = unit_costs(&log, reading, Unit::new(by.clone(), good));
    let below = |by: &[Dimension]| unit_costs(&log, reading, Unit::new(by.to_vec(), good)).named(&log.names);
    let levels = [Dimension::Session, Dimension::User, Dimension::Tag("tag.tool".into())];
    let (agents, tools) = match levels.split_last() {
        Some((_, two)) if by == [Dimension::Session] => (below(two), below(&levels)),
        _ => Default::default(),
    };
    let scope = UnitScope {
        logs: names(&args.input.from.logs),
        reading: reading.name(),
        prices: log.book.clone(),
        by: by.iter().map(|by| by.name().to_owned()).collect(),
        good_permille: good.get(),
    };
    let limit = args.limit.and_then(|limit| usize::try_from(limit).ok());
    let report = UnitReport::new(scope, found.all, found.named(&log.names), &agents, &tools, limit);
    let format = args.input.from.format;
    output::report(format, &report, || report.text(format))?;
    if let Some(remark) = report.remark() {
        output::remark(&remark);
    }
    output::damage(&log.skipped.damaged)
}
