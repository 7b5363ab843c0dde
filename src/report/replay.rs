//! The replay report: one documented object, the same for every output format.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::classifier::TaskClass;
use crate::telemetry::{Cell, Percentiles, Totals};
use crate::units::{Instant, Names, Pico, members};

/// What the figures are about.
#[derive(Clone, Debug, Serialize)]
pub struct Scope {
    /// The logs.
    pub logs: Vec<String>,
    /// `recorded` or `routed`.
    pub reading: &'static str,
    /// The policy: name and version.
    pub policy: String,
    /// The price book: name and date.
    pub prices: String,
    /// The classifier that judged requests without a recorded confidence: name and hash.
    pub classifier: String,
    /// The model that savings are measured against.
    pub baseline_model: String,
}

/// That moments of a log are synthetic.
#[derive(Clone, Debug, Serialize)]
pub struct Undated {
    /// `offset` or `placed`.
    pub kind: &'static str,
    /// What that means.
    pub remark: String,
}

members! {
    /// Tokens in disjoint buckets.
    #[derive(Clone, Debug, Serialize)]
    pub struct Tokens;
    fn from(cell: &Cell) {}
    /// Fresh prompt tokens.
    pub input: u64 = cell.tokens.input,
    /// Prompt tokens read from cache.
    pub cache_read: u64 = cell.tokens.cache_read,
    /// Prompt tokens written to cache, both lifetimes.
    pub cache_write: u64 = cell.tokens.cache_write(),
    /// Answer tokens, reasoning included.
    pub output: u64 = cell.tokens.output,
    /// The reasoning part of `output`, where told.
    pub reasoning: u64 = cell.tokens.reasoning,
}

/// What a limit on streams would have done.
#[derive(Clone, Debug, Serialize)]
pub struct StreamLimitRow {
    /// The route.
    pub route: String,
    /// `first_byte`, `gap` or `tokens_per_second`.
    pub limit: &'static str,
    /// Its value: milliseconds, or tokens a second.
    pub value: u32,
    /// Calls of the route whose answers came as streams.
    pub streams: u64,
    /// Those that it would have cut.
    pub cut: u64,
    /// Those of which the log does not tell enough.
    pub unknown: u64,
}

/// Latency percentiles in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    /// How many latencies were known.
    pub known: u64,
    /// Median.
    pub p50: u64,
    /// 95th percentile.
    pub p95: u64,
    /// 99th percentile.
    pub p99: u64,
}

members! {
    /// One model, route, team, project or task.
    #[derive(Clone, Debug, Serialize)]
    pub struct Row;
    fn new(dimension: &'static str, name: Option<String>, cell: &Cell) {}
    /// Its name under the name of its dimension; null for requests that carry none.
    #[serde(flatten, serialize_with = "named")]
    pub name: (&'static str, Option<String>) = (dimension, name),
    /// Operations (at a model: those it answered).
    pub requests: u64 = cell.requests,
    /// Calls to models.
    pub attempts: u64 = cell.attempts,
    /// Calls that were not made, as a breaker, a quota or a limit stood before them.
    pub not_made: u64 = cell.not_made,
    /// Operations without an answer (at a model: failed calls).
    pub errors: u64 = cell.errors,
    /// Operations that went up the ladder.
    pub escalated: u64 = cell.escalated,
    /// Tokens.
    pub tokens: Tokens = Tokens::from(cell),
    /// Known and estimated cost in dollars; null where nothing of it is known.
    pub cost_usd: Option<String> = cell.cost.usd(),
    /// The estimated part of `cost_usd`.
    pub cost_estimated_usd: String = cell.cost.estimated.usd(),
    /// Operations (at a model: calls) whose cost is unknown and not in `cost_usd`.
    pub cost_unknown_requests: u64 = cell.cost.unknown,
    /// Latency; null where none is known.
    pub latency_ms: Option<Latency> = latency(cell),
}

fn named<S: serde::Serializer>(
    name: &(&'static str, Option<String>),
    serializer: S,
) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeMap;
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(name.0, &name.1)?;
    map.end()
}

/// What a log's own charges come to beside the given prices.
#[derive(Clone, Debug, Serialize)]
pub struct RecordedCharges {
    /// Operations whose log tells what was charged.
    pub requests: u64,
    /// Those of them that the price book would charge otherwise.
    pub differing_requests: u64,
    /// Known and estimated charges in dollars, as recorded.
    pub charged_usd: String,
    /// Operations whose recorded cost is unknown.
    pub charged_unknown_requests: u64,
    /// What the price book makes of the same calls, in dollars.
    pub book_usd: String,
    /// Operations whose cost the price book does not tell.
    pub book_unknown_requests: u64,
    /// Whether the figures of this report are the book's instead of what was charged.
    pub repriced: bool,
    /// The same in one line, where charges and book disagree.
    pub remark: Option<String>,
}

/// Whether calls went to models that their route or key forbids.
#[derive(Clone, Debug, Serialize)]
pub struct ConstraintCheck {
    /// Calls of requests for which policy or key forbid anything to anybody.
    pub checked: u64,
    /// How many of them should not have been made.
    pub broken_calls: u64,
    /// The first of those.
    pub broken: Vec<BrokenConstraint>,
}

/// A call that should not have been made.
#[derive(Clone, Debug, Serialize)]
pub struct BrokenConstraint {
    /// The request.
    pub request: String,
    /// When it arrived.
    pub at: String,
    /// Its route.
    pub route: String,
    /// The model that was called; null where the log names none.
    pub model: Option<String>,
    /// Why it should not have been.
    pub why: String,
}

/// What calls of the log bring up.
#[derive(Clone, Debug, Serialize)]
pub struct NewsRow {
    /// The first moment.
    pub at: String,
    /// In words.
    pub text: String,
}

/// Something billed that the price book has no price for.
#[derive(Clone, Debug, Serialize)]
pub struct UnknownMeter {
    /// Its name in the usage block.
    pub meter: String,
    /// Calls that tell it.
    pub calls: u64,
}

members! {
    /// The whole report.
    #[derive(Clone, Debug, Serialize)]
    pub struct ReplayReport;
    /// Draws up the report.
    pub fn new(scope: Scope, totals: &Totals, names: &Names, bounds: Option<(Instant, Instant)>) {
        let all = &totals.all;
    }
    /// The version of this object's layout.
    pub schema: &'static str = "pointsman.replay/1",
    /// What the figures are about.
    pub scope: Scope = scope,
    /// Operations.
    pub requests: u64 = all.requests,
    /// Calls to models.
    pub attempts: u64 = all.attempts,
    /// Calls that were not made, as a breaker, a quota or a limit stood before them.
    pub not_made: u64 = all.not_made,
    /// Lines that could not be used.
    pub skipped_lines: u64 = 0,
    /// The first of them, with reasons.
    pub skipped: Vec<String> = Vec::new(),
    /// Why sound entries were passed over (no model calls, answers told again), and how many for each reason.
    pub passed_over: BTreeMap<String, u64> = BTreeMap::new(),
    /// The first request's moment.
    pub first_at: Option<String> = bounds.map(|(first, _)| first.rfc3339()),
    /// The last request's moment.
    pub last_at: Option<String> = bounds.map(|(_, last)| last.rfc3339()),
    /// How well moments are known: `offset` where the log counts from its own start, `placed` where it tells none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timing: Option<Undated> = None,
    /// Files that broke off; what came before in them is counted.
    pub damaged: Vec<String> = Vec::new(),
    /// Known and estimated cost in dollars; null where nothing of it is known.
    pub cost_usd: Option<String> = all.cost.usd(),
    /// The part priced from reported tokens.
    pub cost_known_usd: String = all.cost.known.usd(),
    /// The part priced from assumed or estimated tokens.
    pub cost_estimated_usd: String = all.cost.estimated.usd(),
    /// Half-width of a 95% interval of the estimated part; null where something is estimated and nothing is known of how far
    /// off.
    pub cost_error_usd: Option<String> = error_text(all.cost.estimated, all.cost_error()),
    /// Operations whose cost is unknown and not in `cost_usd`.
    pub cost_unknown_requests: u64 = all.cost.unknown,
    /// What the log's own charges come to; null where it tells none.
    pub recorded_charges: Option<RecordedCharges> = None,
    /// Whether calls went where policy or key forbid; left out where these forbid nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constraints: Option<ConstraintCheck> = None,
    /// Meters that neither the program nor the price book knows; the cost of the calls that tell them is not known.
    pub unknown_meters: Vec<UnknownMeter> = Vec::new(),
    /// Models that answer for others and models whose end is near, with the first moment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub news: Vec<NewsRow> = Vec::new(),
    /// What the baseline model would have cost, over operations where both costs are known or estimated; null where there
    /// are none.
    pub baseline_usd: Option<String> = (all.comparable > 0).then(|| all.baseline.total().usd()),
    /// `baseline_usd` less the cost of those operations.
    pub saved_usd: Option<String> = (all.comparable > 0).then(|| all.saved().usd()),
    /// How many those operations are.
    pub compared_requests: u64 = all.comparable,
    /// Operations without a single call whose model the log names.
    pub unnamed_model_requests: u64 = totals.unnamed_model.requests,
    /// Operations that went up the ladder.
    pub escalated: u64 = all.escalated,
    /// Operations without an answer.
    pub errors: u64 = all.errors,
    /// Operations with at least one estimated call.
    pub estimated_requests: u64 = all.estimated,
    /// Operations marked as synthetic for a demonstration.
    pub simulated_requests: u64 = 0,
    /// Operations that the classifier judged.
    pub classified_requests: u64 = 0,
    /// What the policy's limits on streams would have done to the log's streams; left out where it has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stream_limits: Vec<StreamLimitRow> = Vec::new(),
    /// Tokens.
    pub tokens: Tokens = Tokens::from(all),
    /// Latency of operations; null where none is known.
    pub latency_ms: Option<Latency> = latency(all),
    /// Mean known quality of the answers (0 to 1), and over how many labels; null without labels.
    pub quality: Option<String> = quality(all.quality, all.labelled),
    /// Operations with a label of the answering model.
    pub labelled_requests: u64 = all.labelled,
    /// All of it as one row.
    #[serde(skip)]
    pub(super) all: Row = Row::new("all", None, all),
    /// By model.
    pub by_model: Vec<Row> = rows(
        "model",
        by(names.models(), &totals.models).chain([(None, &totals.unnamed_model)]),
    ),
    /// By route.
    pub by_route: Vec<Row> = rows("route", by(names.routes(), &totals.routes)),
    /// By team.
    pub by_team: Vec<Row> = rows("team", by(names.teams(), &totals.teams.0).chain([(None, &totals.teams.1)])),
    /// By project.
    pub by_project: Vec<Row> = rows(
        "project",
        by(names.projects(), &totals.projects.0).chain([(None, &totals.projects.1)]),
    ),
    /// By task class.
    pub by_task: Vec<Row> = rows(
        "task",
        TaskClass::ALL
            .iter()
            .zip(&totals.tasks)
            .map(|(class, cell)| (Some(class.name().to_owned()), cell)),
    ),
}

impl From<Percentiles> for Latency {
    fn from(of: Percentiles) -> Self {
        Self { known: of.known, p50: of.p50, p95: of.p95, p99: of.p99 }
    }
}

fn latency(cell: &Cell) -> Option<Latency> {
    cell.latency.percentiles().map(Latency::from)
}

/// Writes a mean quality, of a sum in thousandths over so many labels, to three decimals.
pub(crate) fn quality(sum: u64, labelled: u64) -> Option<String> {
    (labelled > 0).then(|| {
        let thousandths = (sum + labelled / 2) / labelled;
        format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
    })
}

/// Writes the error of an estimate; `None` where there is an estimate and nothing to judge it by.
pub(crate) fn error_text(estimated: Pico, error: Pico) -> Option<String> {
    (estimated == Pico::ZERO || error != Pico::ZERO).then(|| error.usd())
}

/// Rows of one dimension, most expensive first, then most requests, then by name.
fn rows<'a>(dimension: &'static str, cells: impl Iterator<Item = (Option<String>, &'a Cell)>) -> Vec<Row> {
    let mut list: Vec<(Pico, Row)> = cells
        .filter(|(_, cell)| !cell.is_empty())
        .map(|(name, cell)| (cell.cost.total(), Row::new(dimension, name, cell)))
        .collect();
    crate::units::sort_by(&mut list, |(a_cost, a), (b_cost, b)| {
        b_cost.cmp(a_cost).then(b.requests.cmp(&a.requests)).then_with(|| a.name.1.cmp(&b.name.1))
    });
    list.into_iter().map(|(_, row)| row).collect()
}

fn by<'a>(
    names: &'a [std::sync::Arc<str>],
    cells: &'a [Cell],
) -> impl Iterator<Item = (Option<String>, &'a Cell)> {
    cells.iter().enumerate().map(|(at, cell)| (names.get(at).map(std::string::ToString::to_string), cell))
}
