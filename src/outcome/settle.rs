//! The settled outcome of an operation under one of two readings: as recorded, or as routed by a policy.

use super::{Evidence, Leg, Outlook, on_model};
use crate::pricing::{Cost, Unpriced, charge};
use crate::routing::{Decision, Next, Policy, RouteId, Status, Why, after_attempt};
use crate::units::{Millis, ModelId, Pico};

/// Stands for "no rung": a recorded reading decides nothing.
pub const NO_RUNG: u8 = u8::MAX;

/// What became of an operation. Reused between operations: `legs` keeps its memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// Every call, in order.
    pub legs: Vec<Leg>,
    /// The route that takes it.
    pub route: RouteId,
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
    /// The sum over its calls.
    pub latency: Millis,
    /// How the last call ended.
    pub status: Status,
    /// Whether it went up the ladder (or to another model, in a recorded reading).
    pub escalated: bool,
    /// Whether any call is an estimate.
    pub estimated: bool,
}

impl Default for Settled {
    fn default() -> Self {
        Self {
            legs: Vec::with_capacity(2),
            route: RouteId::default(),
            first_rung: NO_RUNG,
            rung: NO_RUNG,
            model: ModelId::NONE,
            cost: Cost::Unknown(Unpriced::NoUsage),
            baseline: Cost::Unknown(Unpriced::NoUsage),
            latency: Millis::UNKNOWN,
            status: Status::Ok,
            escalated: false,
            estimated: false,
        }
    }
}

/// What kind of cost a [`Settlement`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SettledKind {
    /// All observed.
    Known,
    /// Something was estimated.
    Estimated,
    /// Not knowable.
    Unknown,
}

/// A [`Settled`] packed into 32 bytes, kept for every operation of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The cost in pico-dollars, cut at nine million dollars; meaningless where `kind` is unknown.
    pub pico: i64,
    /// How long it took.
    pub latency: Millis,
    /// The version of the policy it was decided under; 0 in a recorded reading.
    pub policy_version: u32,
    /// The model that answered.
    pub model: ModelId,
    /// The route.
    pub route: RouteId,
    /// The rung that answered.
    pub rung: u8,
    /// The rung it started on.
    pub first_rung: u8,
    /// What `pico` is worth.
    pub kind: SettledKind,
    /// How it ended.
    pub status: Status,
    /// Whether it went up the ladder.
    pub escalated: bool,
}

impl Settlement {
    /// Gives the cost.
    pub fn cost(&self) -> Cost {
        let amount = Pico(i128::from(self.pico));
        match self.kind {
            SettledKind::Known => Cost::Known(amount),
            SettledKind::Estimated => Cost::Estimated(amount),
            SettledKind::Unknown => Cost::Unknown(Unpriced::NoUsage),
        }
    }
}

impl Settled {
    /// Empties it for the next operation.
    pub fn begin(&mut self, route: RouteId, first_rung: u8) {
        self.legs.clear();
        self.route = route;
        self.first_rung = first_rung;
        self.rung = first_rung;
        self.model = ModelId::NONE;
        self.cost = Cost::Known(Pico::ZERO);
        self.baseline = Cost::Unknown(Unpriced::NoUsage);
        self.latency = Millis::new(0);
        self.status = Status::Ok;
        self.escalated = false;
        self.estimated = false;
    }

    /// Adds a call.
    pub fn push(&mut self, leg: Leg) {
        self.cost = self.cost.plus(leg.cost);
        self.latency = self.latency.plus(leg.latency);
        self.status = leg.status;
        self.model = leg.model;
        self.estimated |= !leg.observed;
        self.legs.push(leg);
    }

    /// Prices the answering call's tokens on the baseline model.
    pub fn set_baseline(&mut self, evidence: &Evidence<'_>, baseline: ModelId, outlook: &Outlook<'_>) {
        let Some(last) = self.legs.last() else { return };
        self.baseline = if last.model == baseline {
            last.cost
        } else if last.status.is_ok() {
            charge(&last.usage, outlook.prices.rates(baseline, evidence.operation.at)).as_estimate()
        } else {
            // Nothing was answered: the baseline is not charged for it either.
            last.cost
        };
    }

    /// Packs it.
    pub fn pack(&self, policy_version: u32) -> Settlement {
        let (pico, kind) = match self.cost {
            Cost::Known(amount) => (amount, SettledKind::Known),
            Cost::Estimated(amount) => (amount, SettledKind::Estimated),
            Cost::Unknown(_) => (Pico::ZERO, SettledKind::Unknown),
        };
        Settlement {
            pico: i64::try_from(pico.0).unwrap_or(i64::MAX),
            latency: self.latency,
            policy_version,
            model: self.model,
            route: self.route,
            rung: self.rung,
            first_rung: self.first_rung,
            kind,
            status: self.status,
            escalated: self.escalated,
        }
    }
}

/// Settles an operation as the log has it: every attempt at its own model.
pub fn recorded(evidence: &Evidence<'_>, route: RouteId, baseline: ModelId, outlook: &Outlook<'_>, into: &mut Settled) {
    into.begin(route, NO_RUNG);
    let at = evidence.operation.at;
    let first = evidence.attempts().next().map(|attempt| attempt.model);
    for seen in evidence.attempts() {
        let cost = if seen.model.is_some() {
            charge(&seen.usage, outlook.prices.rates(seen.model, at))
        } else if seen.usage == crate::pricing::Usage::NONE {
            Cost::Known(Pico::ZERO)
        } else {
            Cost::Unknown(Unpriced::NoModel)
        };
        into.push(Leg {
            model: seen.model,
            usage: seen.usage,
            cost: if seen.assumed { cost.as_estimate() } else { cost },
            latency: seen.latency,
            status: seen.status,
            check: seen.check,
            observed: true,
            variance: 0,
        });
    }
    into.escalated = first.is_some_and(|first| first != into.model);
    into.set_baseline(evidence, baseline, outlook);
}

/// Settles an operation as a policy routes it: observed where the log has the model's answer, estimated where not.
/// `climbed` hears of every step up the ladder.
pub fn routed(
    evidence: &Evidence<'_>,
    policy: &Policy,
    decision: &Decision,
    outlook: &Outlook<'_>,
    into: &mut Settled,
    mut climbed: impl FnMut(&Leg, Option<(u8, Why)>),
) {
    into.begin(decision.route, decision.rung);
    let ladder = &policy.route(decision.route).ladder;
    let mut rung = decision.rung;
    while let Some(step) = ladder.get(usize::from(rung)) {
        let leg = on_model(evidence, step.model, outlook);
        into.push(leg);
        into.rung = rung;
        match after_attempt(rung, ladder.len(), leg.status, leg.check) {
            Next::Answer => {
                climbed(&leg, None);
                break;
            }
            Next::Climb { to, why } => {
                climbed(&leg, Some((to, why)));
                into.escalated = true;
                rung = to;
            }
        }
    }
    into.set_baseline(evidence, policy.baseline, outlook);
}
