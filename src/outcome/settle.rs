//! The settled outcome of an operation under one of two readings: as recorded, or as routed by a policy.

use super::attempt::seen_attempt;
use super::{Attempt, Choice, Evidence, Outlook, Spread, calls, visit};
use crate::pricing::{Cost, PriceTable, Unpriced, elsewhere};
use crate::routing::{Decision, NO_RUNG, Next, Policy, RouteId, Status, after_attempt};
use crate::units::{Millis, ModelId, PerMille, Pico, RouteTag};

/// What became of an operation. Reused between operations: `attempts` keeps its memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// Every call, in order.
    pub attempts: Vec<Attempt>,
    /// The route that takes it, by its place in the policy.
    pub route: RouteId,
    /// The same by its name.
    pub tag: RouteTag,
    /// The rung it started on.
    pub first_rung: u8,
    /// The rung that answered.
    pub rung: u8,
    /// The model that answered.
    pub model: ModelId,
    /// The sum over its calls.
    pub cost: Cost,
    /// What the same tokens cost on the baseline model.
    pub baseline: Cost,
    /// From its arrival to the last byte of the last call, waits included; unknown where nobody was called.
    pub latency: Millis,
    /// The same up to now, whether or not somebody was called.
    reached: Millis,
    called: bool,
    /// How the last call ended.
    pub status: Status,
    /// Whether it went up the ladder (or to another model, in a recorded reading).
    pub escalated: bool,
    /// Whether any call is an estimate.
    pub estimated: bool,
    /// How good the answer is known to be.
    pub quality: Option<PerMille>,
}

impl Default for Settled {
    fn default() -> Self {
        Self {
            attempts: Vec::new(),
            route: RouteId::default(),
            tag: RouteTag::NONE,
            first_rung: NO_RUNG,
            rung: NO_RUNG,
            model: ModelId::NONE,
            cost: Cost::Unknown(Unpriced::NoUsage),
            baseline: Cost::Unknown(Unpriced::NoUsage),
            latency: Millis::UNKNOWN,
            reached: Millis::new(0),
            called: false,
            status: Status::Ok,
            escalated: false,
            estimated: false,
            quality: None,
        }
    }
}

impl Settled {
    /// Empties it for the next operation.
    pub fn begin(&mut self, policy: &Policy, route: RouteId, first_rung: u8) {
        let mut attempts = std::mem::take(&mut self.attempts);
        attempts.clear();
        *self = Self {
            attempts,
            route,
            tag: policy.route(route).tag,
            first_rung,
            rung: first_rung,
            cost: Cost::Known(Pico::ZERO),
            ..Self::default()
        };
    }

    /// Adds a call.
    pub fn push(&mut self, attempt: Attempt) {
        self.cost = self.cost.plus(attempt.cost);
        self.reached = self.reached.plus(Millis::new(u64::from(attempt.waited)));
        if attempt.status.is_call() {
            self.called = true;
            self.reached = self.reached.plus(attempt.latency);
        }
        if self.called {
            self.latency = self.reached;
        }
        self.status = attempt.status;
        self.model = attempt.model;
        self.estimated |= !attempt.observed;
        self.attempts.push(attempt);
    }

    /// Says how far off the estimated part of its cost may be.
    pub fn spread(&self) -> Spread {
        let mut all = Spread::NONE;
        self.attempts.iter().for_each(|attempt| all.add(attempt.spread));
        all
    }

    /// Returns the cost of each call.
    pub fn costs(&self) -> impl Iterator<Item = Cost> {
        self.attempts.iter().map(|attempt| attempt.cost)
    }

    /// Ends it: looks up how good the answer is known to be, and prices its tokens on the baseline model. Where nothing was
    /// answered, the baseline is charged what was charged: a failure is no saving.
    pub fn conclude(&mut self, evidence: &Evidence<'_>, baseline: ModelId, prices: &PriceTable) {
        self.quality = evidence.label(self.model, prices).and_then(|label| label.quality);
        let Some(last) = self.attempts.last() else { return };
        self.baseline = if prices.same(last.model, baseline) || !last.status.is_ok() {
            last.cost
        } else {
            elsewhere(&last.usage, evidence.terms(last.model), prices.row(baseline, evidence.operation.at))
        };
    }
}

/// Settles an operation as the log has it: every attempt at its own model.
pub fn recorded(
    evidence: &Evidence<'_>,
    policy: &Policy,
    route: RouteId,
    outlook: &Outlook<'_>,
    into: &mut Settled,
) {
    into.begin(policy, route, NO_RUNG);
    let at = evidence.operation.at;
    let mut ends = evidence.attempts().map(|attempt| (attempt.model, attempt.effort));
    let first = ends.next();
    let last = ends.last();
    for seen in evidence.seen() {
        into.push(seen_attempt(seen, at, outlook.prices));
    }
    // Rungs of one model differ by their effort.
    let is_other = |((model, effort), (last, at))| effort != at || !outlook.prices.same(model, last);
    into.escalated = first.zip(last).is_some_and(is_other);
    into.conclude(evidence, policy.baseline, outlook.prices);
}

/// Settles an operation as a policy routes it: observed where the log has the model's answer, estimated where not.
pub fn routed(
    evidence: &Evidence<'_>,
    policy: &Policy,
    decision: &Decision,
    outlook: &Outlook<'_>,
    into: &mut Settled,
) {
    if decision.rung == NO_RUNG {
        // The client chose, or nobody may serve: no ladder applies.
        into.begin(policy, decision.route, NO_RUNG);
        if decision.refused {
            into.push(Attempt::REFUSED);
        } else {
            calls(evidence, decision.model, outlook).for_each(|attempt| into.push(attempt));
        }
        into.conclude(evidence, policy.baseline, outlook.prices);
        return;
    }
    into.begin(policy, decision.route, decision.rung);
    let route = policy.route(decision.route);
    let (ladder, reach) = (&route.ladder, decision.reach(route));
    let mut rung = decision.rung;
    while let Some(step) = ladder.get(usize::from(rung)) {
        let mut last = None;
        let is_first = rung == decision.rung && into.attempts.is_empty();
        let choice = Choice { warm: evidence.operation.warm.filter(|_| is_first), ..step.into() };
        for attempt in visit(evidence, choice, outlook) {
            into.push(attempt);
            last = Some(attempt);
        }
        let Some(attempt) = last else { break };
        into.rung = rung;
        match after_attempt(rung, reach, attempt.status, attempt.check) {
            Next::Answer => break,
            Next::Escalate { to, .. } => {
                into.escalated = true;
                rung = to;
            }
        }
    }
    into.conclude(evidence, policy.baseline, outlook.prices);
}
