//! The immutable picture that the console and reports read.

use std::sync::Arc;
use std::time::Duration;

use super::branches::BranchState;
use super::proof::{Proofs, RungProof, leaving};
use super::status::LiveView;
use super::{AlertsView, BudgetsTried, BudgetsView, Log, PolicySpan, Switching, TriedLimit};
use crate::certificate::OffPolicy;
use crate::outcome::Spread;
use crate::pricing::Billed;
use crate::pricing::CostSum;
use crate::routing::{Policy, Route, RouteId};
use crate::telemetry::{CurvePoint, Forecast, Slot, Totals};
use crate::units::{Instant, PerMille, Pico, Span};

/// How a log is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reading {
    /// Account for what happened.
    Recorded,
    /// The engine decides; outcomes observed where the log has that model's answer, estimated where not.
    Routed,
}

crate::units::words!(Reading { Recorded = "recorded", Routed = "routed" });

/// What the player is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Play {
    /// Time runs.
    Playing,
    /// Time stands.
    Paused,
    /// The log is played out.
    Ended,
    /// The log is live, and its newest is shown as it comes.
    Following,
}

/// The windows to choose from; `None` is "from the start".
pub const WINDOWS: [Option<Span>; 11] = [
    Some(Span::mins(1)),
    Some(Span::mins(5)),
    Some(Span::mins(15)),
    Some(Span::hours(1)),
    Some(Span::hours(3)),
    Some(Span::hours(6)),
    Some(Span::hours(12)),
    Some(Span::days(1)),
    Some(Span::days(7)),
    Some(Span::days(30)),
    None,
];

/// Names a window: `15m`, `all so far`.
pub fn window_label(window: Option<Span>) -> String {
    window.map_or_else(|| "all so far".to_owned(), |span| span.to_string())
}

/// The stretch of traffic that windowed figures are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowScope {
    /// The chosen length; `None` for "from the start".
    pub window: Option<Span>,
    /// Where it starts (the log's start where that is later).
    pub from: Instant,
    /// Where it ends: the clock.
    pub to: Instant,
    /// Index of its first operation.
    pub first: usize,
    /// Index after its last operation.
    pub end: usize,
}

impl WindowScope {
    /// Returns the time that the window really covers, at least a second.
    pub fn covered(&self) -> Span {
        Span((self.to - self.from).0.max(1_000_000))
    }
}

/// A change that an operator made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The version it brought into force.
    pub version: u32,
    /// The traffic's time at which it took effect.
    pub at: Instant,
    /// The operation from which on it holds.
    pub from: usize,
    /// Who changed it, where somebody else may have.
    pub who: String,
    /// What changed: `extraction · flash 620 → 588`.
    pub what: String,
}

/// What one route's applied and staged thresholds give over the window.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteConsequences {
    /// The route: as the policy in force has it, or as an earlier one had it.
    pub setting: Arc<Route>,
    /// Requests per confidence value.
    pub histogram: Arc<Vec<u32>>,
    /// Requests without a confidence.
    pub unsure: u32,
    /// Under the policy that was in force at each of them.
    pub applied: Forecast,
    /// With what is staged changed in each of those policies; the same as `applied` where nothing is staged.
    pub staged: Forecast,
    /// What became of its requests whose clients named their model: no threshold moves them, so they are on neither side.
    pub pinned: Forecast,
    /// Requests that start on another rung.
    pub flips: u64,
    /// How far off the cost of those may be: where they started, and where they would.
    pub moved: [Spread; 2],
    /// What explored requests say of it; none where nothing was explored, or nothing moves.
    pub explored: Option<OffPolicy>,
}

impl RouteConsequences {
    /// Returns half the width of a 95% interval of the change of cost: what is the same on both sides is not in it.
    pub fn change_error(&self) -> Pico {
        Spread::apart(self.moved)
    }
}

/// Says whether what changes in the cost of routes is no more than the error of what changes; what is the same on both sides
/// adds nothing to either.
pub fn is_within_error<'a>(routes: impl Iterator<Item = &'a RouteConsequences> + Clone) -> bool {
    let change = routes
        .clone()
        .fold(Pico::ZERO, |change, route| change + route.staged.cost.total() - route.applied.cost.total());
    change != Pico::ZERO && change.0.abs() <= change_error(routes).0
}

/// Returns half the width of a 95% interval of the change of cost of routes together.
pub fn change_error<'a>(routes: impl Iterator<Item = &'a RouteConsequences>) -> Pico {
    Spread::apart_all(routes.map(|route| route.moved))
}

/// What the staged policy would have meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Consequences {
    /// By route: those of the policy in force in its order, then what earlier policies had besides.
    pub routes: Vec<RouteConsequences>,
    /// The curve of the focused rung's threshold; empty on a rung without one.
    pub curve: Arc<Vec<CurvePoint>>,
    /// The focused route.
    pub route: RouteId,
    /// The focused rung.
    pub rung: usize,
    /// How long the answer took.
    pub took: Duration,
    /// Whether policies were too many to keep apart, so that the oldest count as later ones.
    pub is_joined: bool,
}

impl Consequences {
    /// Returns what all routes cost, pinned requests included: under the policy in force, and under the staged one.
    pub fn costs(&self) -> (CostSum, CostSum) {
        self.routes.iter().fold(Default::default(), |(mut applied, mut staged), route| {
            applied += &route.applied.cost;
            applied += &route.pinned.cost;
            staged += &route.staged.cost;
            staged += &route.pinned.cost;
            (applied, staged)
        })
    }

    /// Counts the requests of all routes, pinned ones included.
    pub fn requests(&self) -> u64 {
        self.routes.iter().map(|route| route.applied.requests + route.pinned.requests).sum()
    }

    /// Counts the operations that the staged policy sends elsewhere.
    pub fn flips(&self) -> u64 {
        self.routes.iter().map(|route| route.flips).sum()
    }
}

/// The full re-run that confirms the instant figure.
#[derive(Clone, Debug, PartialEq)]
pub enum RerunState {
    /// Nothing is staged, or the log is playing.
    Idle,
    /// Going on.
    Running {
        /// Operations done.
        done: usize,
        /// Operations in all.
        total: usize,
    },
    /// While traffic comes only budgets and alerts are tried, over the requests of a moment ago.
    Tried(Arc<BudgetsTried>),
    /// Done.
    Done {
        /// Operations decided anew.
        requests: u64,
        /// Their cost.
        cost: CostSum,
        /// Whether it equals the instant figure to the pico-dollar.
        agrees: bool,
        /// Whether it is the figure: calls are capped, which the instant one leaves out.
        in_order: bool,
        /// How long it took.
        took: Duration,
        /// What budgets would have come to, where the log is played against some.
        budgets: Option<Arc<BudgetsTried>>,
        /// What changes of model cost under what is in force and under what is staged, where either minds prompt caches.
        switching: Option<Box<[Switching; 2]>>,
    },
}

/// All that a reader needs to draw or report.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The log.
    pub log: Arc<Log>,
    /// How it is read.
    pub reading: Reading,
    /// What the player does.
    pub play: Play,
    /// How fast.
    pub speed: Speed,
    /// Operations played.
    pub head: usize,
    /// The traffic's clock.
    pub clock: Instant,
    /// Policies with the operations from which on they decide.
    pub policies: Arc<Vec<PolicySpan>>,
    /// The policy in force at the head.
    pub policy: Arc<Policy>,
    /// The policy being tried, if any.
    pub staged: Option<Arc<Policy>>,
    /// Limits being tried.
    pub limits: Arc<[TriedLimit]>,
    /// The other classifier being tried: name and hash.
    pub second: Option<String>,
    /// Changes made, oldest first.
    pub changes: Arc<Vec<Change>>,
    /// How many changes `undo` can take back.
    pub undoable: usize,
    /// The window.
    pub window: WindowScope,
    /// Sums over the window.
    pub totals: Arc<Totals>,
    /// Sums since the start of the log.
    pub to_date: Arc<Totals>,
    /// Slots over the window, oldest first.
    pub trend: Arc<Vec<Option<Slot>>>,
    /// The length of a slot.
    pub trend_slot: Span,
    /// What staging gives.
    pub consequences: Arc<Consequences>,
    /// The full re-run.
    pub rerun: RerunState,
    /// Branches in other worlds.
    pub branches: BranchState,
    /// Marked operations, ascending.
    pub marks: Arc<Vec<usize>>,
    /// The loop, as operations.
    pub looped: Option<(usize, usize)>,
    /// What the player has to say: a skipped silence, a refused command.
    pub message: Option<String>,
    /// Whether the message says that what was asked for is done.
    pub is_done: bool,
    /// What the live session says, where the log is live.
    pub live: Option<LiveView>,
    /// How budgets stand over a log at the clock; those of a live session are told with its state.
    pub spending: Arc<BudgetsView>,
    /// What labels prove of the thresholds of the policy in force, up to the clock.
    pub proofs: Arc<Proofs>,
    /// What would have been told of a log up to the clock; a live session's alerts are told with its state.
    pub alerts: Arc<AlertsView>,
    /// What a bill said of the log; of a live session that is told with its state.
    pub billed: Option<Arc<Billed>>,
}

impl Snapshot {
    /// Returns what the latest bill said.
    pub fn billed(&self) -> Option<&Billed> {
        self.live.as_ref().and_then(|live| live.status.billed.as_ref()).or(self.billed.as_deref())
    }

    /// Returns how budgets stand.
    pub fn budgets(&self) -> &BudgetsView {
        // A log that is followed tells of none: it is played against the operator's own.
        let told = self.live.as_ref().map(|live| &live.status.budgets).filter(|told| !told.is_empty());
        told.unwrap_or(&self.spending)
    }

    /// Returns the alerts.
    pub fn alerts(&self) -> &AlertsView {
        self.live.as_ref().map_or(&*self.alerts, |live| &live.status.alerts)
    }

    /// Returns the policy that decides an operation.
    pub fn policy_at(&self, index: usize) -> &Arc<Policy> {
        self.policies.iter().rev().find(|span| span.from <= index).map_or(&self.policy, |span| &span.policy)
    }

    /// Says whether a route's thresholds changed within the window, whose sums then account for each policy in its time.
    pub fn changed_within(&self, route: RouteId) -> bool {
        let (first, end) = (self.window.first, self.window.end);
        let next = self.policies.iter().skip(1).map(|next| next.from).chain([usize::MAX]);
        let spans = self.policies.iter().zip(next).filter(|(span, next)| span.from <= end && *next > first);
        let mut thresholds = spans.map(|(span, _)| span.policy.route(route).thresholds());
        thresholds.next().is_some_and(|before| thresholds.any(|other| other != before))
    }

    /// Returns the policy being tried: the staged one, or the one in force where nothing is staged.
    pub fn tried(&self) -> &Policy {
        self.staged.as_deref().unwrap_or(&self.policy)
    }

    /// Returns what labels prove of a threshold.
    pub fn proof(&self, route: RouteId, rung: usize) -> Option<&RungProof> {
        self.proofs.get(route.index())?.get(rung)
    }

    /// Returns the lowest certified value of a threshold, where a certificate stands.
    pub fn certified(&self, route: RouteId, rung: usize) -> Option<PerMille> {
        self.proof(route, rung)?.standing.given.map(|given| given.threshold)
    }

    /// Lists the staged thresholds that leave what is certified, with the lowest value that is.
    pub fn uncertified(&self) -> Vec<(RouteId, usize, PerMille)> {
        self.staged.as_ref().map_or_else(Vec::new, |staged| leaving(&self.proofs, &self.policy, staged))
    }

    /// Says whether what is staged depends on how requests before were routed, which the instant figure leaves out.
    pub fn staged_remembers(&self) -> bool {
        let remembers = |policy: &Arc<Policy>| policy.remembers() || self.log.circumstances.have_loops();
        self.staged.as_ref().is_some_and(remembers)
    }
}

/// How fast the player runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Speed {
    /// In tenths of the recorded pace.
    Tenths(u32),
    /// As fast as the machine can.
    Max,
}

const SPEEDS: [u32; 15] = [1, 2, 5, 10, 20, 40, 80, 150, 300, 600, 1200, 3000, 6000, 12_000, 36_000];

impl Speed {
    /// The recorded pace.
    pub const RECORDED: Self = Self::Tenths(10);

    /// Returns the next faster speed.
    #[must_use]
    pub fn faster(self) -> Self {
        match self {
            Self::Max => Self::Max,
            Self::Tenths(now) => {
                SPEEDS.iter().find(|&&speed| speed > now).map_or(Self::Max, |&speed| Self::Tenths(speed))
            }
        }
    }

    /// Returns the next slower speed.
    #[must_use]
    pub fn slower(self) -> Self {
        let now = match self {
            Self::Max => u32::MAX,
            Self::Tenths(now) => now,
        };
        Self::Tenths(SPEEDS.iter().rev().find(|&&speed| speed < now).copied().unwrap_or(SPEEDS[0]))
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Max => f.pad("max"),
            Self::Tenths(tenths) if tenths % 10 == 0 => f.pad(&format!("{}x", tenths / 10)),
            Self::Tenths(tenths) => f.pad(&format!("{}.{}x", tenths / 10, tenths % 10)),
        }
    }
}
