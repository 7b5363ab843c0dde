//! Runaways: who repeats himself, spends far above his habit or beyond a cap; who is stopped, and by whom.
//!
//! Invariants: a fold over requests and charges in their order, without clock or float; memory is bounded, the work of one
//! request does not grow with what came before; whoever is stopped stays so until he is let go by name; nobody is judged by a
//! habit that is not known yet.

mod habit;
mod rule;
mod stop;
mod trip;
mod watch;
mod whom;

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::SmallVec;

pub use rule::{Rule, Test, Then, built_in};
pub use stop::{Stop, Stops};
pub use trip::{Call, ToldTrip, Trip, Whose};

use crate::pricing::Cost;
use crate::units::Instant;
use watch::Watch;
pub use watch::{LONGEST, WIDEST};
pub use whom::{Kind, Whom};

/// Trips kept to be looked at; all are counted.
const KEPT: usize = 1000;
/// The most rules; later ones are no rules.
const RULES: usize = 32;

/// What is said of a request that arrives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// What keeps it from being served.
    pub stop: Option<Arc<Stop>>,
    /// Where it has to be served more cheaply: [`Then::Degrade`] or [`Then::Cheapest`].
    pub then: Option<Then>,
    /// Rules that tripped with it.
    pub trips: SmallVec<[Arc<Trip>; 1]>,
}

/// All rules with what they have seen, and everyone who is stopped.
#[derive(Clone, Debug, Default)]
pub struct Runaways {
    watches: Vec<Watch>,
    stops: Stops,
    trips: VecDeque<Arc<Trip>>,
    last: Instant,
}

impl Runaways {
    /// Starts with rules and nothing seen.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        let mut all = Self::default();
        all.change(rules);
        all
    }

    /// Brings other rules into force. What a rule has seen stands where one of its name looks at the same.
    pub fn change(&mut self, rules: impl IntoIterator<Item = Rule>) {
        let mut before = std::mem::take(&mut self.watches);
        for rule in rules.into_iter().take(RULES) {
            let known = before.iter().position(|watch| watch.goes_on_as(&rule));
            let watch = known.map(|at| before.swap_remove(at).under(rule.clone()));
            self.watches.push(watch.unwrap_or_else(|| Watch::new(rule)));
        }
    }

    /// Says whether nobody is watched and nobody stopped.
    pub fn is_idle(&self) -> bool {
        self.watches.is_empty() && self.stops.is_empty()
    }

    /// Says whether any rule looks at tool calls.
    pub fn looks_at_calls(&self) -> bool {
        self.rules().any(|rule| matches!(rule.test, Test::Loop { .. }))
    }

    /// Lists the rules in force.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.watches.iter().map(Watch::rule)
    }

    /// Takes a request in. One that is stopped is not watched.
    pub fn arrived(&mut self, whose: &Whose, call: Option<Call>, at: Instant) -> Verdict {
        let mut verdict = Verdict::default();
        self.last = self.last.max(at);
        if let Some(stop) = self.stops.find(whose) {
            verdict.stop = Some(Arc::clone(stop));
            return verdict;
        }
        for watch in &mut self.watches {
            let (trip, then) = watch.arrived(whose, call, self.last);
            verdict.then = verdict.then.max(then.filter(|then| *then != Then::Freeze));
            let Some(trip) = trip.map(Arc::new) else { continue };
            if trip.then == Then::Freeze && verdict.stop.is_none() {
                let stop = Stop::by_rule(&trip);
                verdict.stop = Some(self.stops.stop(stop));
            }
            verdict.trips.push(trip);
        }
        for trip in &verdict.trips {
            if self.trips.len() == KEPT {
                self.trips.pop_front();
            }
            self.trips.push_back(Arc::clone(trip));
        }
        verdict
    }

    /// Books what a call cost. What nobody knows counts as a call and as no money.
    pub fn spent(&mut self, whose: &Whose, cost: Cost) {
        let Some(amount) = cost.amount() else { return };
        for watch in &mut self.watches {
            watch.spent(whose, amount);
        }
    }

    /// Says whether whoever sends a request is stopped.
    pub fn is_stopped(&self, whose: &Whose) -> bool {
        self.stops.find(whose).is_some()
    }

    /// Returns what has stopped whoever sends a request.
    pub fn stop_of(&self, whose: &Whose) -> Option<Arc<Stop>> {
        self.stops.find(whose).map(Arc::clone)
    }

    /// Stops someone; returns the stop that stands before it where he is stopped already.
    pub fn stop(&mut self, stop: Stop) -> Arc<Stop> {
        self.stops.stop(stop)
    }

    /// Lets someone go, and forgets what was seen of him, so that he starts anew. Returns what had stopped him.
    pub fn lift(&mut self, whom: &Whom) -> Option<Arc<Stop>> {
        let lifted = self.stops.lift(whom)?;
        for watch in &mut self.watches {
            watch.forget(whom);
        }
        Some(lifted)
    }

    /// Lists who is stopped, the latest first.
    pub fn stops(&self) -> Vec<Arc<Stop>> {
        self.stops.list()
    }

    /// Lists the latest trips, in order of time.
    pub fn trips(&self) -> impl DoubleEndedIterator<Item = &Arc<Trip>> {
        self.trips.iter()
    }
}

#[cfg(test)]
mod tests;
