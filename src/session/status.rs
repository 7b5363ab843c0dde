//! What a live session says of itself besides its traffic: where it listens, how its models are, what its ledger does.
//!
//! Plain data; whoever drives the live traffic fills it in and the console draws it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{AlertsView, AutomationRow, BudgetsView, RolloutRow, SteerRow, Tries};
use crate::pricing::Billed;
use crate::telemetry::{Breaker, ModelHealth};
use crate::units::{Instant, Pico, Span};

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Severity {
    /// All is well.
    #[default]
    Fine,
    /// Somebody should look.
    Warning,
    /// Something does not work.
    Failure,
}

/// What the ledger does, in words.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LedgerState {
    /// In a few words; empty for nothing to say.
    pub text: String,
    /// How bad it is.
    pub severity: Severity,
}

/// Requests that were refused before they were any, for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TurnedAway {
    /// The reason, in a word or two.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// A live session at one moment.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LiveStatus {
    /// Where it listens: `http://127.0.0.1:4141`.
    pub address: String,
    /// Since when.
    pub started: Instant,
    /// Whether any answer may be synthetic.
    pub simulated: bool,
    /// The providers whose answers are simulated.
    pub simulated_providers: Vec<String>,
    /// How the models are.
    pub models: Vec<ModelHealth>,
    /// Operations begun and not answered.
    pub open: u64,
    /// The ledger.
    pub ledger: LedgerState,
    /// Virtual keys in use.
    pub keys: u64,
    /// What was refused at the gate since it started, by reason, the most frequent first; no total of requests has it.
    pub turned_away: Vec<TurnedAway>,
    /// Whether it takes no new requests and waits for those in flight.
    pub draining: bool,
    /// How budgets stand.
    #[serde(skip_serializing_if = "BudgetsView::is_empty")]
    pub budgets: BudgetsView,
    /// The file of budgets as it is in force, for consoles that are elsewhere.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub budgets_file: Arc<str>,
    /// What it says, and the rules of alerts: what a what-if is tried against.
    #[serde(skip)]
    pub tries: Tries,
    /// What the latest bill said of its ledger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billed: Option<Billed>,
    /// The newest alerts.
    #[serde(skip_serializing_if = "AlertsView::is_empty")]
    pub alerts: AlertsView,
    /// Who is stopped, the latest first: `key ci-bot`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stopped: Vec<String>,
    /// How rollouts stand, the open ones first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rollouts: Vec<RolloutRow>,
    /// How automations stand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub automations: Vec<AutomationRow>,
    /// How limits stand that are steered towards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steering: Vec<SteerRow>,
    /// Bytes that requests, answers, streams and backlogs hold.
    pub memory_held: u64,
    /// How many they may hold; 0 where that is not told.
    pub memory_limit: u64,
}

impl LiveStatus {
    /// Counts what was refused at the gate, whatever the reason.
    pub fn refused(&self) -> u64 {
        self.turned_away.iter().map(|one| one.count).sum()
    }

    /// Names the reasons with their counts, the most frequent first: `8 not found, 4 no valid key`.
    pub fn reasons(&self) -> impl Iterator<Item = String> {
        self.turned_away.iter().map(|one| format!("{} {}", one.count, one.reason))
    }

    /// Lists how a model is at each provider and account that has it.
    pub fn healths<'a>(&'a self, model: &'a str) -> impl Iterator<Item = &'a ModelHealth> {
        self.models.iter().filter(move |health| health.model == model)
    }

    /// Finds how a model is: the worst of it where several providers have it; of one provider's accounts the best, for that one is
    /// called.
    pub fn health<'a>(&'a self, model: &'a str) -> Option<&'a ModelHealth> {
        let rank = |health: &ModelHealth| match health.breaker {
            Breaker::Open { .. } => 2,
            Breaker::HalfOpen => 1,
            Breaker::Closed => 0,
        };
        let is_best = |health: &&ModelHealth| {
            let mut alike = self.healths(model).filter(|other| other.owner() == health.owner());
            alike.all(|other| rank(other) >= rank(health))
        };
        self.healths(model).filter(is_best).max_by_key(|health| rank(health))
    }
}

/// What the player knows of the live session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveView {
    /// What it says of itself.
    pub status: Arc<LiveStatus>,
    /// The moment by its clock.
    pub now: Instant,
    /// How long the view has been held, where it is.
    pub held: Option<Span>,
    /// Requests that came in since.
    pub fresh: u64,
    /// Whether the view was moved to an earlier moment.
    pub rewound: bool,
    /// Lines of the feed that were lost on the way here.
    pub lost: u64,
    /// Why the feed ended, where it did.
    pub closed: Option<Arc<str>>,
    /// When it is asked for again, where it is.
    pub again: Option<Instant>,
    /// Why this console may not change anything; none where it may.
    pub read_only: Option<Arc<str>>,
    /// Whether leaving this console ends the session.
    pub owns: bool,
    /// Whether logs are followed that others write, without a gateway.
    pub is_log: bool,
    /// Operations that estimates rest on.
    pub fitted: usize,
    /// What was asked of the prompt box last, and what came of it.
    pub answer: Option<Arc<Answer>>,
}

/// A prompt typed in the console.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Question {
    /// Tells answers apart.
    pub ticket: u64,
    /// What was typed.
    pub prompt: String,
    /// The team; empty for none.
    pub team: String,
    /// The project; empty for none.
    pub project: String,
    /// The kind of work; empty leaves that to the classifier.
    pub task: String,
    /// The model to ask for: `auto`, `auto/ROUTE` or a name.
    pub model: String,
}

/// What came of a question that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The question's.
    pub ticket: u64,
    /// The answer, or why there is none.
    pub outcome: Result<Reply, String>,
}

/// An answer of a model.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Reply {
    /// The text, as it came; to be cleaned before it is drawn.
    pub text: String,
    /// The model that served.
    pub model: String,
    /// The rung, where a ladder applied.
    pub rung: String,
    /// What it cost, where known.
    pub cost: Option<Pico>,
    /// How long it took, in milliseconds.
    pub latency_ms: u64,
    /// The operation's id, as in the traffic.
    pub operation: String,
    /// Whether it is synthetic.
    pub simulated: bool,
}
