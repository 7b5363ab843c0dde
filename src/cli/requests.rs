//! `pointsman requests`: the requests of a log one by one, filtered and sorted as in the console.

use std::io::{self, BufWriter, Write as _};
use std::sync::Arc;

use clap::Args;

use super::args::{Choice, LogsArgs, chosen, readings};
use super::output;
use crate::app::write_requests;
use crate::console::screen::Screen;
use crate::console::screens::traffic;
use crate::session::listing::SortBy;
use crate::session::{Command, Player, Reading};

/// Lists the requests of logs that pass a filter, with their exact figures.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman requests gateway.jsonl --filter 'status:error team:payments' --format csv\n  pointsman requests gateway.jsonl --filter 'cost>0.05' --sort cost --limit 20\n\nFilters are those of the console: words, team:search, model:gpt-4.1, status:error, cost>0.05, conf<600, escalated, !word."
)]
pub struct RequestsArgs {
    /// Only requests that pass this filter.
    #[arg(long, value_name = "FILTER", default_value = "", allow_hyphen_values = true)]
    pub filter: String,
    /// The reading.
    #[arg(long = "as", value_parser = readings(), default_value = Reading::Recorded.name())]
    pub read_as: Reading,
    /// The order; as they arrived where absent.
    #[arg(long, value_parser = chosen(ORDERS))]
    pub sort: Option<SortBy>,
    /// Turns the order round.
    #[arg(long)]
    pub reverse: bool,
    /// Only the first so many.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    #[command(flatten)]
    pub(crate) input: LogsArgs,
}

/// The orders.
const ORDERS: &[Choice<SortBy>] = &[
    ("time", "The newest first", SortBy::Time),
    ("cost", "The most expensive first", SortBy::Cost),
    ("latency", "The slowest first", SortBy::Latency),
    ("confidence", "The surest first", SortBy::Confidence),
    ("tokens", "The longest first", SortBy::Tokens),
];

/// Runs the subcommand.
///
/// # Errors
/// Where the log, policy or filter cannot be used.
pub fn run(args: &RequestsArgs) -> anyhow::Result<()> {
    let mut table = traffic::State::default();
    traffic::set_filter(&mut table, &args.filter);
    if let Some(wrong) = traffic::filter(&table).wrong.first() {
        anyhow::bail!("--filter {}: {wrong}", args.filter);
    }
    if traffic::filter(&table).asks_flips() {
        anyhow::bail!(
            "--filter {}: nothing is staged here, so nothing flips\nhint: `pointsman whatif LOG --set ROUTE.RUNG=PERMILLE` says how many would",
            args.filter
        );
    }
    // The console's own order begins with the newest; a list in a file reads from the first.
    traffic::set_order(&mut table, args.sort.unwrap_or(SortBy::Time), args.sort.is_none() != args.reverse);
    let log = Arc::new(args.input.engine.load(&args.input.logs)?);
    let mut player = Player::new(Arc::clone(&log), args.read_as, None);
    player.handle(Command::Follow);
    let snapshot = player.snapshot();
    while table.work(&snapshot) {}
    if let Some(problem) = traffic::problem(&table, &snapshot) {
        output::remark(&format!("--filter {}: {problem}", args.filter));
    } else if traffic::rows(&table, &snapshot) == 0 && !log.is_empty() {
        output::remark(&format!("--filter {}: no request of the log passes it", args.filter));
    }
    let out = BufWriter::new(io::stdout().lock());
    match write_requests(out, args.input.format, &table, &snapshot, args.limit)
        .and_then(|(mut out, _)| out.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
        other => other?,
    }
    output::damage(&log.skipped.damaged)
}
