//! The engine: one fold over events. `apply(event)` gives an effect, `snapshot()` an immutable picture.
//!
//! Invariants: deterministic; no I/O, no clock; total on any order of events (unexpected ones are counted, not feared); live
//! traffic and replay differ only in where events come from.

mod adapting;
mod claims;
mod decider;
mod event;
mod loops;
mod snapshot;
mod warmth;

use std::sync::Arc;

pub use adapting::{advice, learn};
pub use claims::{Claims, Written, held, held_by_book, most, of_any, short};
pub use decider::{Closed, Course, Decider, UnknownOperation};
pub use event::{Arrival, Effect, Effects, Event, OperationKey};
pub use loops::{Loops, Moved, is_answered};
pub use snapshot::{EngineSnapshot, Unexpected};
pub use warmth::{Before, kept, wanted};

use crate::outcome::{Evidence, Settled};
use crate::pricing::PriceTable;
use crate::routing::{Decision, Policy};
use crate::telemetry::{Sign, Totals};

/// The state machine with its sums.
#[derive(Clone, Debug)]
pub struct Engine {
    decider: Decider,
    totals: Totals,
    applied: u64,
}

impl Engine {
    /// Starts an engine.
    pub fn new(policy: Arc<Policy>, prices: Arc<PriceTable>) -> Self {
        Self { decider: Decider::new(policy, prices), totals: Totals::default(), applied: 0 }
    }

    /// Takes one event.
    pub fn apply(&mut self, event: Event<'_>) -> Effects {
        self.applied += 1;
        match event {
            Event::Arrived(arrival) => {
                let key = arrival.key;
                let course = self.decider.arrived(arrival)?;
                Some(self.effect(key, course, None))
            }
            Event::Attempted { key, attempt, evidence } => {
                let course = self.decider.attempted(key, attempt, evidence.as_ref()).ok()?;
                Some(self.effect(key, course, evidence.as_ref()))
            }
            Event::Retried { key, attempt } => {
                // Counted as unexpected where it is that.
                let course = self.decider.retried(key, attempt).ok().flatten()?;
                Some(self.effect(key, course, None))
            }
            Event::Recorded { evidence, settled } => {
                self.decider.seen(evidence.operation.at);
                self.totals.apply(&evidence, settled, Sign::Plus);
                None
            }
            Event::PolicyChanged(policy) => {
                self.decider.change_policy(policy);
                None
            }
            Event::PriceChanged { model, row } => {
                self.decider.change_price(model, row);
                None
            }
            Event::PricesLoaded(prices) => {
                self.decider.load_prices(prices);
                None
            }
        }
    }

    fn effect(&mut self, key: OperationKey, course: Course, evidence: Option<&Evidence<'_>>) -> Effect {
        match course {
            Course::Call { rung, model, .. } => Effect::Send { key, rung, model },
            Course::Over(closed) => {
                let Closed { operation, decision, settled } = *closed;
                let bare = Evidence { operation: &operation, extra: None };
                self.totals.apply(evidence.unwrap_or(&bare), &settled, Sign::Plus);
                Effect::Answer { key, decision, settled }
            }
        }
    }

    /// Returns the settled operation back, so that its memory serves the next one.
    pub fn recycle(&mut self, settled: Settled) {
        self.decider.recycle(settled);
    }

    /// Returns how an open operation was decided, and by which policy.
    pub fn decision(&self, key: OperationKey) -> Option<(&Arc<Policy>, &Decision)> {
        self.decider.decision(key)
    }

    /// Returns the policy in force.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.decider.policy
    }

    /// Returns the prices in force.
    pub fn prices(&self) -> &Arc<PriceTable> {
        &self.decider.prices
    }

    /// Returns the sums so far.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Returns an immutable picture.
    pub fn snapshot(&self) -> Arc<EngineSnapshot> {
        Arc::new(EngineSnapshot {
            at: self.decider.at,
            applied: self.applied,
            open: self.decider.open(),
            policy: Arc::clone(&self.decider.policy),
            totals: self.totals.clone(),
            unexpected: self.decider.unexpected,
        })
    }
}

#[cfg(test)]
mod tests;
