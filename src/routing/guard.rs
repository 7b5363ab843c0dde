//! Guards: small pure stages that say which rungs of a ladder may serve a request, before any threshold looks.
//!
//! Invariants: a guard depends on its state, the request and the instant alone; what it bars, it bars with a reason; what
//! cannot be called bars nothing where nothing else is left, so that a request is never refused for what may be over.

use std::ops::Range;

use rustc_hash::FxHashMap;

use super::{
    Bar, Capability, Circumstance, Effort, Facts, Follows, Labels, MAX_RUNGS, Policy, Route, Rung, Rungs,
    Short, Signals, Step, Trail, match_route,
};
use crate::runaway::Then;
use crate::units::{Instant, ModelId, PerMille};

/// Says which label that is required a model does not carry.
pub(super) fn lacking(facts: &Facts, required: Labels) -> Option<Bar> {
    required.without(facts.labels).iter().next().map(Bar::Lacks)
}

/// Says what of a request a model is known not to take.
fn unfit(facts: &Facts, most: Option<u32>, circumstance: &Circumstance) -> Option<Bar> {
    let needs = &circumstance.needs;
    let is_lacking = |one: &Capability| needs.capabilities.has(*one) && facts.cannot.has(*one);
    if let Some(one) = Capability::ALL.into_iter().find(is_lacking) {
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

/// Constraints: bars the rungs that lack a required label, cannot be asked in its form or are known not to take the request.
pub(super) fn constrain(route: &Route, circumstance: &Circumstance, trail: &mut Trail) -> Rungs {
    let required = route.require.and(circumstance.needs.labels);
    let mut open = Rungs::all(route.ladder.len());
    let is_plain = circumstance.needs == Circumstance::PLAIN.needs && circumstance.unreached.is_empty();
    if required.is_empty() && is_plain {
        return open;
    }
    for (at, rung) in route.ladder.iter().enumerate() {
        let unreached = || circumstance.is_unreached(rung.model).then_some(Bar::Unreached);
        let unfit = || unfit(&rung.facts, rung.with.max_output, circumstance);
        if let Some(why) = lacking(&rung.facts, required).or_else(unreached).or_else(unfit) {
            open = open.without(at);
            trail.push(Step::Barred { rung: u8::try_from(at).unwrap_or(u8::MAX), why });
        }
    }
    open
}

/// Says whether policy or key forbid a request anything: to go to a model without a label, or to one that is said not to take
/// all requests.
pub fn is_constrained(policy: &Policy, signals: &Signals, circumstance: &Circumstance) -> bool {
    let route = policy.route(match_route(policy, signals));
    let limits = || route.ladder.iter().any(|rung| rung.facts.limits());
    !route.require.and(circumstance.needs.labels).is_empty() || (!route.serves_as_named(signals) && limits())
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
    let is_match = |rung: &&Rung| !is_pinned && rung.with.effort == effort && same(rung.model, model);
    let mut rungs = route.ladder.iter().filter(is_match).map(|rung| bar(&rung.facts, rung.with.max_output));
    if let Some(first) = rungs.next() {
        return rungs.fold(first, Option::and);
    }
    let known = policy.known.iter().find(|(known, _)| same(*known, model));
    bar(&known.map(|(_, facts)| *facts).unwrap_or_default(), None)
}

/// Availability: bars the rungs whose model could not be called, unless no other is left, and a fallback wherever another may
/// serve that can be called.
pub(super) fn avail(route: &Route, circumstance: &Circumstance, open: Rungs, trail: &mut Trail) -> Rungs {
    let others = if route.has_fallback() { open.without(0) } else { open };
    if circumstance.down.is_empty() {
        return if others.is_empty() { open } else { others };
    }
    // Where rungs call one model by two names (two providers), each is known by its own.
    let by_name =
        |other: &Rung, rung: &Rung| other.known_as == rung.known_as && circumstance.is_down(other.model);
    let is_taken = |rung: &Rung| {
        circumstance.is_down_as(rung.known_as) && !route.ladder.iter().any(|other| by_name(other, rung))
    };
    let is_down = |at: &usize| {
        let rung = route.ladder.get(*at).filter(|_| open.has(*at));
        rung.is_some_and(|rung| circumstance.is_down(rung.model) || is_taken(rung))
    };
    let down = || (0..route.ladder.len()).filter(is_down);
    let callable = down().fold(open, Rungs::without);
    let others_left = down().fold(others, Rungs::without);
    let left = if others_left.is_empty() { callable } else { others_left };
    if left.is_empty() {
        return if others.is_empty() { open } else { others };
    }
    let barred = down().filter(|at| others.has(*at));
    trail.extend(barred.map(|at| Step::Barred { rung: u8::try_from(at).unwrap_or(u8::MAX), why: Bar::Down }));
    left
}

/// Runaways: bars the most expensive rung, or all but the cheapest, of those that are left, and all of them for who is stopped.
pub(super) fn hold_back(open: Rungs, circumstance: &Circumstance, trail: &mut Trail) -> Rungs {
    let Some(first) = open.at_or_after(0).filter(|_| circumstance.runaway != Then::Tell) else { return open };
    let barred = |at: &usize| match circumstance.runaway {
        Then::Tell => false,
        Then::Degrade => *at != first && open.at_or_after(at + 1).is_none(),
        Then::Cheapest => *at != first,
        Then::Freeze => true,
    };
    let rungs = || (0..MAX_RUNGS).filter(|at| open.has(*at)).filter(barred);
    let why = Bar::Runaway(circumstance.runaway);
    trail.extend(rungs().map(|at| Step::Barred { rung: u8::try_from(at).unwrap_or(u8::MAX), why }));
    rungs().fold(open, Rungs::without)
}

impl Policy {
    /// Says whether it forbids any model anything.
    pub fn constrains(&self) -> bool {
        let forbids =
            |route: &Route| !route.require.is_empty() || route.ladder.iter().any(|rung| rung.facts.limits());
        self.routes.iter().any(forbids)
    }
}

impl Route {
    /// Says whether its first rung serves only where no other can.
    pub fn has_fallback(&self) -> bool {
        self.ladder.first().is_some_and(|rung| rung.fallback)
    }

    /// Returns the places of the rungs that have a threshold: all but the last, and but a fallback.
    pub fn movable(&self) -> Range<usize> {
        let last = self.ladder.len().saturating_sub(1);
        usize::from(self.has_fallback()).min(last)..last
    }

    /// Returns the thresholds that place requests: a fallback's places none.
    pub fn placing_thresholds(&self) -> impl Iterator<Item = PerMille> {
        self.ladder[self.movable()].iter().map(|rung| rung.threshold)
    }

    /// Says why a rung has no threshold to move; none where it has one.
    pub fn unmovable(&self, rung: usize) -> Option<&'static str> {
        if self.movable().contains(&rung) {
            return None;
        }
        let is_fallback = self.ladder.get(rung).is_some_and(|rung| rung.fallback);
        Some(if is_fallback {
            "a fallback has no threshold: it serves where no other rung can"
        } else {
            "the last rung has no threshold: it takes whatever the others leave"
        })
    }

    /// Returns the fallback where a request may still come to it: where all that may serve it have failed in flight.
    pub fn in_reserve(&self, circumstance: &Circumstance, open: Rungs) -> Option<u8> {
        let fallback =
            self.ladder.first().filter(|rung| rung.fallback && !open.has(0) && !open.is_empty())?;
        let is_down = circumstance.is_down(fallback.model) || circumstance.is_down_as(fallback.known_as);
        let is_short =
            circumstance.short(fallback.known_as).is_some() || circumstance.is_short_later(fallback.known_as);
        let is_barred = is_down || is_short || circumstance.runaway != Then::Tell;
        let may_serve = !is_barred && constrain(self, circumstance, &mut Trail::new()).has(0);
        may_serve.then_some(0)
    }

    /// Returns the rungs that all guards let serve a request, without the reasons.
    pub fn open(&self, circumstance: &Circumstance) -> Rungs {
        if self.require.is_empty() && circumstance == Circumstance::PLAIN && !self.has_fallback() {
            return Rungs::all(self.ladder.len());
        }
        let mut unread = Trail::new();
        let open = constrain(self, circumstance, &mut unread);
        let open = avail(self, circumstance, open, &mut unread);
        let open = hold_out(self, circumstance, open, &mut unread);
        hold_back(open, circumstance, &mut unread)
    }
}

impl Route {
    /// Returns the rung on which a request starts that a threshold places on one or above it, as budgets had room when it arrived;
    /// none where it has to be refused. What is known of the turn before counts for one of a tool loop.
    pub fn begin_after(
        &self,
        circumstance: &Circumstance,
        open: Rungs,
        placed: usize,
        follows: Follows,
    ) -> Option<u8> {
        let wanted = u8::try_from(open.at_or_after(placed).or_else(|| open.last())?).ok()?;
        let wanted = self.goes_on((circumstance, follows), open, wanted);
        afford(self, circumstance, (wanted, open), &mut Trail::new())
    }

    /// Returns the rungs but those that the request did not go to later because budgets had no room then.
    pub fn escalates_to(&self, circumstance: &Circumstance, open: Rungs, from: u8) -> Rungs {
        if circumstance.over.is_empty() {
            return open;
        }
        let is_short =
            |at: &usize| self.ladder.get(*at).is_some_and(|rung| circumstance.is_short_later(rung.known_as));
        let others = (0..self.ladder.len()).filter(|at| *at != usize::from(from));
        others.filter(is_short).fold(open, Rungs::without)
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

/// Passes a request that was placed on a rung for which budgets have no room on to the next cheaper one that they have room for,
/// else to the cheapest that only soft limits speak against, else to one further up; none where it has to be refused.
pub(super) fn afford(
    route: &Route,
    circumstance: &Circumstance,
    (wanted, open): (u8, Rungs),
    trail: &mut Trail,
) -> Option<u8> {
    if circumstance.over.is_empty() {
        return Some(wanted);
    }
    let short = |at: usize| route.ladder.get(at).and_then(|rung| circumstance.short(rung.known_as));
    let place = usize::from(wanted);
    let Some(why) = short(place) else { return Some(wanted) };
    trail.push(Step::Barred { rung: wanted, why: Bar::Budget(why) });
    let is_full = |at: usize| route.ladder.get(at).is_some_and(|rung| circumstance.is_full(rung.known_as));
    let has_room = |at: &usize| open.has(*at) && !is_full(*at) && short(*at).is_none();
    let is_over_soft = |at: &usize| open.has(*at) && !is_full(*at) && short(*at) == Some(Short::Soft);
    // Where all are over a soft limit, which refuses nothing, the least is spent on the cheapest.
    let cheaper = (0..place).rev().find(has_room).or_else(|| (0..place).find(is_over_soft));
    let mut above = place + 1..route.ladder.len();
    let to = match why {
        Short::Soft => cheaper.unwrap_or(place),
        Short::Hard => {
            cheaper.or_else(|| above.clone().find(has_room)).or_else(|| above.find(is_over_soft))?
        }
        // One that waited, and waited too long where it is so still.
        Short::Refuse | Short::Queue => return None,
        // Of escalations alone.
        Short::Later => place,
    };
    let to = u8::try_from(to).ok()?;
    if to != wanted {
        trail.push(Step::PassedOn { to });
    }
    Some(to)
}

impl Policy {
    /// Says whether any of its routes holds sessions out.
    pub fn holds_out(&self) -> bool {
        self.routes.iter().any(|route| route.holdout.is_some())
    }
}

/// Bars all rungs but the strongest that is left, for a request that is held out.
pub(super) fn hold_out(route: &Route, circumstance: &Circumstance, open: Rungs, trail: &mut Trail) -> Rungs {
    if !circumstance.drawn.is_some_and(|drawn| drawn.held) {
        return open;
    }
    let Some(strongest) = open.last() else { return open };
    (0..route.ladder.len()).filter(|at| *at != strongest && open.has(*at)).fold(open, |left, at| {
        trail.push(Step::Barred { rung: u8::try_from(at).unwrap_or(u8::MAX), why: Bar::HeldOut });
        left.without(at)
    })
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
}
