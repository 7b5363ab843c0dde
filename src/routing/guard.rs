//! Guards: small pure stages that say which rungs of a ladder may serve a request, before any threshold looks.
//!
//! Invariants: a guard depends on its state, the request and the instant alone; what it bars, it bars with a reason; what
//! cannot be called bars nothing where nothing else is left, so that a request is never refused for what may be over.

use rustc_hash::FxHashMap;

use super::{
    Capability, Circumstance, Effort, Facts, Labels, MAX_RUNGS, Policy, Route, Rung, Signals, Step, Trail,
    match_route,
};
use crate::units::{Instant, LabelId, ModelId, Names};

/// A set of rungs of one ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rungs(u8);

impl Rungs {
    /// None.
    pub const NONE: Self = Self(0);

    /// All rungs of a ladder.
    pub fn all(rungs: usize) -> Self {
        Self(u8::try_from((1u32 << rungs.min(MAX_RUNGS)) - 1).unwrap_or(u8::MAX))
    }

    /// Returns the set without one.
    #[must_use]
    pub fn without(self, rung: usize) -> Self {
        if rung < MAX_RUNGS { Self(self.0 & !(1 << rung)) } else { self }
    }

    /// Says whether one is in it.
    pub fn has(self, rung: usize) -> bool {
        rung < MAX_RUNGS && self.0 & 1 << rung != 0
    }

    /// Says whether it is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the first at a place or after it.
    pub fn at_or_after(self, rung: usize) -> Option<usize> {
        (rung..MAX_RUNGS).find(|&at| self.has(at))
    }

    /// Returns the last.
    pub fn last(self) -> Option<usize> {
        (0..MAX_RUNGS).rev().find(|&at| self.has(at))
    }
}

/// Why a rung may not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bar {
    /// It does not carry a label that is required.
    Lacks(LabelId),
    /// Its model cannot do what the request needs.
    Cannot(Capability),
    /// The prompt is longer than its context window.
    Window {
        /// The tokens of the prompt, at least.
        needs: u32,
        /// The tokens it takes.
        takes: u32,
    },
    /// The answer may be longer than its model can give.
    Output {
        /// The tokens asked for, at least.
        needs: u32,
        /// The tokens it gives.
        gives: u32,
    },
    /// It could not be called when the request arrived: a breaker is open, or a quota is spent.
    Down,
    /// Its model had as many calls under way as it may have.
    Full,
}

impl Bar {
    /// Says it of a rung: `lacks region=eu`.
    pub fn describe(self, names: &Names) -> String {
        match self {
            Self::Lacks(label) => format!("lacks {}", names.label(label)),
            Self::Cannot(Capability::Vision) => "takes no pictures".to_owned(),
            Self::Cannot(Capability::Tools) => "calls no tools".to_owned(),
            Self::Window { needs, takes } => format!("takes {takes} tokens, the prompt has {needs} or more"),
            Self::Output { needs, gives } => {
                format!("answers with {gives} tokens at most, {needs} or more are asked for")
            }
            Self::Down => "could not be called then".to_owned(),
            Self::Full => "had as many calls in flight as it may have".to_owned(),
        }
    }
}

/// Says which label that is required a model does not carry.
pub(super) fn lacking(facts: &Facts, required: Labels) -> Option<Bar> {
    required.without(facts.labels).iter().next().map(Bar::Lacks)
}

/// Says what of a request a model is known not to take.
fn unfit(facts: &Facts, most: Option<u32>, circumstance: &Circumstance) -> Option<Bar> {
    let needs = &circumstance.needs;
    let cannot = |one: &Capability| needs.capabilities.has(*one) && facts.cannot.has(*one);
    if let Some(one) = Capability::ALL.into_iter().find(cannot) {
        return Some(Bar::Cannot(one));
    }
    if let Some(takes) = facts.context.filter(|&takes| needs.window > takes) {
        return Some(Bar::Window { needs: needs.window, takes });
    }
    // What its rung cuts the answer to is all that is asked of it.
    let asked = most.map_or(needs.output, |most| needs.output.min(most));
    let gives = facts.max_output.filter(|&gives| asked > gives)?;
    Some(Bar::Output { needs: asked, gives })
}

/// Constraints: bars the rungs that lack a required label or are known not to take the request.
pub(super) fn constrain(route: &Route, circumstance: &Circumstance, trail: &mut Trail) -> Rungs {
    let required = route.require.and(circumstance.needs.labels);
    let mut open = Rungs::all(route.ladder.len());
    if required.is_empty() && circumstance.needs == Circumstance::PLAIN.needs {
        return open;
    }
    for (at, rung) in route.ladder.iter().enumerate() {
        if let Some(why) =
            lacking(&rung.facts, required).or_else(|| unfit(&rung.facts, rung.with.max_output, circumstance))
        {
            open = open.without(at);
            trail.push(Step::Barred { rung: u8::try_from(at).unwrap_or(u8::MAX), why });
        }
    }
    open
}

/// Says why a model should not have served a request that was sent to it at an effort: under this policy it lacks a label
/// that is required, or is known not to take the request. `same` says whether two names are one model's.
pub fn forbids(
    policy: &Policy,
    signals: &Signals,
    circumstance: &Circumstance,
    (model, effort): (ModelId, Option<Effort>),
    same: impl Fn(ModelId, ModelId) -> bool,
) -> Option<Bar> {
    let route = policy.route(match_route(policy, signals));
    let required = route.require.and(circumstance.needs.labels);
    let is_pinned = route.serves_as_named(signals);
    // Whoever names a model knows what it takes.
    let takes = |facts: &Facts, most| if is_pinned { None } else { unfit(facts, most, circumstance) };
    let bar = |facts: &Facts, most| lacking(facts, required).or_else(|| takes(facts, most));
    let is_it = |rung: &&Rung| !is_pinned && rung.with.effort == effort && same(rung.model, model);
    let mut rungs = route.ladder.iter().filter(is_it).map(|rung| bar(&rung.facts, rung.with.max_output));
    if let Some(first) = rungs.next() {
        return rungs.fold(first, Option::and);
    }
    let known = policy.models.iter().find(|(known, _)| same(*known, model));
    bar(&known.map(|(_, facts)| *facts).unwrap_or_default(), None)
}

/// Availability: bars the rungs whose model could not be called, unless no other is left.
pub(super) fn avail(route: &Route, circumstance: &Circumstance, open: Rungs, trail: &mut Trail) -> Rungs {
    if circumstance.down.is_empty() {
        return open;
    }
    let is_down = |at: &usize| {
        open.has(*at) && route.ladder.get(*at).is_some_and(|rung| circumstance.is_down(rung.model))
    };
    let down = || (0..route.ladder.len()).filter(is_down);
    let left = down().fold(open, Rungs::without);
    if left.is_empty() {
        return open;
    }
    trail.extend(down().map(|at| Step::Barred { rung: u8::try_from(at).unwrap_or(u8::MAX), why: Bar::Down }));
    left
}

impl Route {
    /// Returns the rungs that all guards let serve a request, without the reasons.
    pub fn open(&self, circumstance: &Circumstance) -> Rungs {
        if self.require.is_empty() && circumstance == Circumstance::PLAIN {
            return Rungs::all(self.ladder.len());
        }
        let mut unread = Trail::new();
        let open = constrain(self, circumstance, &mut unread);
        avail(self, circumstance, open, &mut unread)
    }
}

/// The state of the availability guard: a fold over what providers signal.
#[derive(Clone, Debug, Default)]
pub struct Availability {
    down: FxHashMap<ModelId, Instant>,
}

impl Availability {
    /// Takes a signal: a model cannot be called before a moment, or can again.
    pub fn signal(&mut self, model: ModelId, until: Option<Instant>) {
        match until {
            Some(until) => _ = self.down.insert(model, until),
            None => _ = self.down.remove(&model),
        }
    }

    /// Lists the models that cannot be called at a moment, in ascending order.
    pub fn down_at(&self, at: Instant) -> Vec<ModelId> {
        if self.down.is_empty() {
            return Vec::new();
        }
        let mut down: Vec<_> =
            self.down.iter().filter(|(_, until)| at < **until).map(|(model, _)| *model).collect();
        down.sort_unstable();
        down
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_holds_until_its_moment_or_the_next() {
        let mut guard = Availability::default();
        guard.signal(ModelId(3), Some(Instant(100)));
        guard.signal(ModelId(1), Some(Instant(50)));
        assert_eq!(guard.down_at(Instant(49)), [ModelId(1), ModelId(3)]);
        assert_eq!(guard.down_at(Instant(50)), [ModelId(3)]);
        guard.signal(ModelId(3), None);
        assert_eq!(guard.down_at(Instant(50)), []);
    }

    #[test]
    fn sets_of_rungs_know_first_and_last() {
        let open = Rungs::all(4).without(1).without(3);
        assert_eq!((open.at_or_after(0), open.at_or_after(1), open.at_or_after(3)), (Some(0), Some(2), None));
        assert_eq!((open.last(), Rungs::NONE.last(), Rungs::all(8).last()), (Some(2), None, Some(7)));
    }
}
