//! A route that learns: among the rungs on which a request may start, the one of which verdicts promise most.
//!
//! Invariants: it chooses among what the guards leave and the floors allow, and nowhere else; what it chooses by was kept with the
//! request at its arrival; it moves nobody whom a lot has moved, so that chances stay exact.

use super::{Adapt, Circumstance, Policy, Route, Rungs, Step, Trail};
use crate::bandit::{Advice, Offer};
use crate::units::PerMille;

impl Route {
    /// Returns the rungs on which a request of a confidence may start by what was learnt: those whose floor it reaches.
    pub fn adapts_among(&self, adapt: &Adapt, confidence: PerMille) -> Rungs {
        let mut among = Rungs::all(self.ladder.len());
        for (at, rung) in self.ladder.iter().enumerate() {
            if rung.fallback || confidence < adapt.floor(at).unwrap_or(rung.threshold) {
                among = among.without(at);
            }
        }
        among
    }
}

impl Policy {
    /// Says whether any of its routes learns.
    pub fn adapts(&self) -> bool {
        self.routes.iter().any(|route| route.adapt.is_some())
    }
}

/// Moves a request that was placed to the rung of which most is expected, among those that may serve it.
pub(super) fn adapt(
    route: &Route,
    confidence: Option<PerMille>,
    (circumstance, open): (&Circumstance, Rungs),
    placed: u8,
    trail: &mut Trail,
) -> u8 {
    let (Some(adapt), Some(confidence)) = (&route.adapt, confidence) else { return placed };
    if let Advice::Few { seen, least } = circumstance.advice {
        trail.push(Step::Unlearnt { seen, least });
        return placed;
    }
    let among = route.adapts_among(adapt, confidence);
    let may = |rung: u8| open.has(usize::from(rung)) && among.has(usize::from(rung));
    let Some(here) = circumstance.advice.offer(placed).filter(|_| may(placed)) else { return placed };
    let Advice::Of(offers) = &circumstance.advice else { return placed };
    // Who is placed there stays where another promises no more, and of two that promise the same the cheaper serves.
    let better = |best: &'_ Offer, offer: &Offer| offer.score() > best.score();
    let best = offers
        .iter()
        .filter(|offer| may(offer.rung))
        .fold(here, |best, offer| if better(best, offer) { offer } else { best });
    if offers.iter().filter(|offer| may(offer.rung)).count() > 1 {
        trail.push(Step::Adapted { to: *best, from: *here });
    }
    best.rung
}
