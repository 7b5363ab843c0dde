//! The guard that caps how many calls a model may have under way, and its state: a fold over calls that begin and end.
//!
//! Invariants: what it says of a request depends on the instant of its arrival alone and is kept with the request, as what
//! was down is; a call that escalates is counted, and turned away nowhere: the cap may be exceeded so, as what failed below
//! would else be an error that a model above could have spared the client.

use super::{Bar, Caching, Circumstance, Policy, Route, Rungs, Step, Trail, WhenFull};
use crate::units::ModelId;

/// Counts the calls under way by model.
#[derive(Clone, Debug, Default)]
pub struct InFlight(Vec<u32>);

impl InFlight {
    /// Takes the begin of a call.
    pub fn begin(&mut self, model: ModelId) {
        let Some(at) = model.index() else { return };
        if self.0.len() <= at {
            self.0.resize(at + 1, 0);
        }
        if let Some(calls) = self.0.get_mut(at) {
            *calls = calls.saturating_add(1);
        }
    }

    /// Takes the end of a call.
    pub fn end(&mut self, model: ModelId) {
        if let Some(calls) = model.index().and_then(|at| self.0.get_mut(at)) {
            *calls = calls.saturating_sub(1);
        }
    }

    /// Counts the calls under way to a model.
    pub fn calls(&self, model: ModelId) -> u32 {
        model.index().and_then(|at| self.0.get(at)).copied().unwrap_or(0)
    }

    /// Lists the models that a policy caps and that have as many calls under way as it lets them, in ascending order.
    /// `identity` gives the id that stands for a model under all its names.
    pub fn full(&self, policy: &Policy, identity: impl Fn(ModelId) -> ModelId) -> Vec<ModelId> {
        let is_full = |(model, most): (ModelId, u32)| (self.calls(identity(model)) >= most).then_some(model);
        let mut full: Vec<ModelId> = policy.capped().filter_map(is_full).collect();
        full.sort_unstable();
        full
    }
}

/// Passes a request that was placed on a rung whose model is full on to the next with room, or turns it away, as its route
/// says. Returns the rung.
pub(super) fn admit(
    route: &Route,
    circumstance: &Circumstance,
    open: Rungs,
    wanted: u8,
    trail: &mut Trail,
) -> Option<u8> {
    if circumstance.full.is_empty() {
        return Some(wanted);
    }
    let mut left = open;
    for (at, rung) in route.ladder.iter().enumerate() {
        let is_capped = rung.facts.max_in_flight.is_some();
        if open.has(at) && is_capped && circumstance.is_full(rung.known_as) {
            left = left.without(at);
            trail.push(Step::Barred { rung: u8::try_from(at).unwrap_or(u8::MAX), why: Bar::Full });
        }
    }
    if left.has(usize::from(wanted)) {
        return Some(wanted);
    }
    let next = match route.when_full {
        WhenFull::Next => left.at_or_after(usize::from(wanted)),
        WhenFull::Refuse => None,
    };
    let to = u8::try_from(next?).ok()?;
    trail.push(Step::PassedOn { to });
    Some(to)
}

impl Route {
    /// Says whether where it sends a request depends on those before: it minds prompt caches, or calls a model that is capped.
    pub fn remembers(&self) -> bool {
        self.cache == Caching::Aware || self.ladder.iter().any(|rung| rung.facts.max_in_flight.is_some())
    }
}

impl Policy {
    /// Lists the models that it caps, with how many calls each may have under way.
    pub fn capped(&self) -> impl Iterator<Item = (ModelId, u32)> {
        self.known.iter().filter_map(|(model, facts)| Some((*model, facts.max_in_flight?)))
    }

    /// Says whether what it decides depends on how requests before were routed.
    pub fn remembers(&self) -> bool {
        self.capped().next().is_some() || self.minds_caches()
    }
}
