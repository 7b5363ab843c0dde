//! The engine: one fold over events. `apply(event)` gives effects, `snapshot()` an immutable picture.
//!
//! Invariants: deterministic; no I/O, no clock; total on any order of events (strays are counted, not feared); live
//! traffic and replay differ only in where events come from.

mod event;
mod snapshot;

use std::sync::Arc;

use rustc_hash::FxHashMap;

pub use event::{Arrival, Effect, Effects, Event, OperationKey};
pub use snapshot::{EngineSnapshot, Strays};

use crate::outcome::{Evidence, Leg, Operation, Settled};
use crate::pricing::PriceTable;
use crate::routing::{Decision, Next, Policy, Step, after_attempt, decide};
use crate::telemetry::{Sign, Totals};
use crate::units::Instant;

/// An operation that was sent and has not been answered.
#[derive(Clone, Debug)]
struct Open {
    operation: Operation,
    decision: Decision,
    /// The policy that decided; its ladder is climbed also when another has come into force meanwhile.
    policy: Arc<Policy>,
    rung: u8,
    settled: Settled,
}

impl Open {
    fn note(&mut self, leg: Leg) {
        self.settled.push(leg);
        self.settled.rung = self.rung;
        if self.decision.trail.len() < self.decision.trail.capacity() {
            self.decision.trail.push(Step::Attempted {
                model: leg.model,
                status: leg.status,
                check: leg.check,
                observed: leg.observed,
            });
        }
    }
}

/// The state machine.
#[derive(Clone, Debug)]
pub struct Engine {
    policy: Arc<Policy>,
    prices: Arc<PriceTable>,
    open: FxHashMap<OperationKey, Open>,
    totals: Totals,
    at: Instant,
    applied: u64,
    strays: Strays,
    spare: Vec<Settled>,
}

impl Engine {
    /// Starts an engine.
    pub fn new(policy: Arc<Policy>, prices: Arc<PriceTable>) -> Self {
        Self {
            policy,
            prices,
            open: FxHashMap::default(),
            totals: Totals::default(),
            at: Instant(i64::MIN),
            applied: 0,
            strays: Strays::default(),
            spare: Vec::new(),
        }
    }

    /// Takes one event.
    pub fn apply(&mut self, event: Event<'_>) -> Effects {
        let mut effects = Effects::new();
        self.applied += 1;
        match event {
            Event::Arrived(arrival) => self.arrived(&arrival, &mut effects),
            Event::Attempted { key, leg, evidence } => {
                self.attempted(key, leg, evidence.as_ref(), &mut effects);
            }
            Event::Retried { key, leg } => match self.open.get_mut(&key) {
                Some(open) => open.note(leg),
                None => self.strays.unknown_operations += 1,
            },
            Event::Recorded { evidence, settled } => {
                self.seen(evidence.operation.at);
                self.totals.apply(&evidence, settled, Sign::Plus);
            }
            Event::PolicyChanged(policy) => {
                if policy.version <= self.policy.version {
                    self.strays.stale_policies += 1;
                } else {
                    self.policy = policy;
                }
            }
            Event::PriceChanged { model, row } => Arc::make_mut(&mut self.prices).change(model, row),
            Event::PricesLoaded(prices) => self.prices = prices,
            Event::Tick(at) => self.seen(at),
        }
        effects
    }

    /// Gives the settled operation back, so that its memory serves the next one.
    pub fn recycle(&mut self, settled: Settled) {
        if self.spare.len() < 64 {
            self.spare.push(settled);
        }
    }

    fn seen(&mut self, at: Instant) {
        self.at = self.at.max(at);
    }

    fn arrived(&mut self, arrival: &Arrival, effects: &mut Effects) {
        self.seen(arrival.operation.at);
        if self.open.contains_key(&arrival.key) {
            self.strays.repeated_arrivals += 1;
            return;
        }
        let decision = decide(&self.policy, &arrival.operation.signals());
        let mut settled = self.spare.pop().unwrap_or_default();
        settled.begin(&self.policy, decision.route, decision.rung);
        effects.push(Effect::Send { key: arrival.key, rung: decision.rung, model: decision.model });
        let rung = decision.rung;
        self.open.insert(
            arrival.key,
            Open { operation: arrival.operation, decision, policy: Arc::clone(&self.policy), rung, settled },
        );
    }

    fn attempted(
        &mut self,
        key: OperationKey,
        leg: Leg,
        evidence: Option<&Evidence<'_>>,
        effects: &mut Effects,
    ) {
        let Some(open) = self.open.get_mut(&key) else {
            self.strays.unknown_operations += 1;
            return;
        };
        open.note(leg);
        let ladder = &open.policy.route(open.decision.route).ladder;
        if let Next::Climb { to, why } = after_attempt(open.rung, ladder.len(), leg.status, leg.check)
            && let Some(next) = ladder.get(usize::from(to))
        {
            open.rung = to;
            open.settled.escalated = true;
            if open.decision.trail.len() < open.decision.trail.capacity() {
                open.decision.trail.push(Step::Climbed { to, why });
            }
            effects.push(Effect::Send { key, rung: to, model: next.model });
            return;
        }
        let Some(mut open) = self.open.remove(&key) else { return };
        let bare = Evidence { operation: &open.operation, extra: None };
        let evidence = evidence.unwrap_or(&bare);
        open.settled.conclude(evidence, open.policy.baseline, &self.prices);
        self.totals.apply(evidence, &open.settled, Sign::Plus);
        effects.push(Effect::Answer { key, decision: open.decision, settled: open.settled });
    }

    /// Gives how an open operation was decided, and by which policy.
    pub fn decision(&self, key: OperationKey) -> Option<(&Arc<Policy>, &Decision)> {
        self.open.get(&key).map(|open| (&open.policy, &open.decision))
    }

    /// Gives the policy in force.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Gives the prices in force.
    pub fn prices(&self) -> &Arc<PriceTable> {
        &self.prices
    }

    /// Gives the sums so far.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Gives an immutable picture.
    pub fn snapshot(&self) -> Arc<EngineSnapshot> {
        Arc::new(EngineSnapshot {
            at: self.at,
            applied: self.applied,
            open: self.open.len(),
            policy: Arc::clone(&self.policy),
            totals: self.totals.clone(),
            strays: self.strays,
        })
    }
}
