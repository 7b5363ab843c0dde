//! What prompt caches have to say of a request that is arriving: how its session stands, and what its call is expected to cost.
//!
//! Invariant: live and when a log is run anew it is reckoned here, from the same state.

use smallvec::SmallVec;

use crate::outcome::Operation;
use crate::pricing::PriceTable;
use crate::prompt_cache::{Asking, Caches, Offer, Prompt, Standing};
use crate::routing::{Caching, Decision, NO_RUNG, Policy, Route, Step, match_route};
use crate::units::{Instant, ModelId};

/// A request before caches.
#[derive(Clone, Copy, Debug)]
pub struct Before<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// The prices.
    pub prices: &'a PriceTable,
    /// The request.
    pub operation: &'a Operation,
    /// Its prompt.
    pub prompt: &'a Prompt,
    /// Accounts that cannot be called, as numbers.
    pub blocked: &'a [u32],
}

impl Before<'_> {
    /// Says how its session stands; nothing where its route does not mind caches.
    pub fn standing(&self, caches: &Caches) -> Standing {
        let signals = self.operation.signals_by(self.prices);
        let route = self.policy.route(match_route(self.policy, &signals));
        if route.cache != Caching::Aware || route.serves_as_named(&signals) {
            return Standing::NONE;
        }
        let ladder = self.ladder(route);
        caches.standing(&self.asking(route, &ladder))
    }

    /// Says what its first call is expected to cost; none where its route does not mind caches, or its model has no price.
    pub fn expected(&self, caches: &Caches, decision: &Decision) -> Option<u64> {
        let route = self.policy.route(decision.route);
        if route.cache != Caching::Aware || decision.rung == NO_RUNG {
            return None;
        }
        let expected = caches.expected(&self.asking(route, &[]), &self.offer(decision.model))?;
        u64::try_from(expected.0).ok()
    }

    /// Says how many tokens of its prompt the model of its first call is expected to hold; none where nothing is known of its cache.
    pub fn warm(&self, caches: &Caches, decision: &Decision) -> Option<u32> {
        let route = self.policy.route(decision.route);
        let warm = caches.expected_warm(&self.asking(route, &[]), &self.offer(decision.model))?;
        u32::try_from(warm).ok()
    }

    fn asking<'b>(&'b self, route: &Route, ladder: &'b [Offer<'b>]) -> Asking<'b> {
        let Self { prompt, blocked, operation, .. } = *self;
        Asking { prompt, ladder, route: route.tag, cap: route.switch_cap, blocked, now: operation.at }
    }

    fn ladder(&self, route: &Route) -> SmallVec<[Offer<'_>; 4]> {
        route.ladder.iter().map(|rung| self.offer(rung.model)).collect()
    }

    fn offer(&self, model: ModelId) -> Offer<'_> {
        let (prices, at): (_, Instant) = (self.prices, self.operation.at);
        Offer {
            model: prices.identity(model),
            known_as: prices.known_as(model),
            rates: prices.rates(model, at),
        }
    }
}

/// Returns the rung that a request's confidence asked for; none where it did not get so far.
pub fn wanted(decision: &Decision) -> Option<u8> {
    decision.trail.iter().find_map(|step| match *step {
        Step::Placed { rung, .. } | Step::Last { rung, .. } | Step::NoSignal { rung } => Some(rung),
        _ => None,
    })
}

/// Returns what of a standing is kept with a request: what it decided, and what ties its session.
pub fn kept(standing: &Standing, policy: &Policy, decision: &Decision) -> Standing {
    if *standing == Standing::NONE {
        return Standing::NONE;
    }
    let about = decision.trail.iter().find_map(|step| match *step {
        Step::Session { wanted, .. } => policy.route(decision.route).ladder.get(usize::from(wanted)),
        _ => None,
    });
    standing.about(about.map(|rung| rung.known_as))
}
