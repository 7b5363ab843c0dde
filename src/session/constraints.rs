//! Whether any call of a log went to a model that its route or key forbids, under the policy of its time.
//!
//! Invariant: what happened is held to this whatever the reading; only what was really called counts.

use std::sync::Arc;

use crate::outcome::Evidence;
use crate::pricing::PriceTable;
use crate::routing::{Bar, Circumstance, Policy, forbids, is_constrained, match_route};
use crate::units::{Instant, ModelId};

/// Calls listed one by one.
const LISTED: usize = 100;

/// What was compared, and what should not have been.
#[derive(Clone, Debug, Default)]
pub struct Constraints {
    /// Calls of requests for which policy or key forbid anything to anybody.
    pub checked: u64,
    /// Those that should not have been made.
    pub broken: u64,
    /// The first of them.
    pub list: Vec<Broken>,
}

/// A call that should not have been made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The request's id.
    pub id: Box<str>,
    /// When it arrived.
    pub at: Instant,
    /// Its route.
    pub route: Arc<str>,
    /// The model that was called; none where the log names none.
    pub model: ModelId,
    /// Why it should not have been.
    pub why: Bar,
}

impl Constraints {
    /// Compares the calls of a request.
    pub fn add(
        &mut self,
        id: &str,
        evidence: &Evidence<'_>,
        policy: &Policy,
        circumstance: &Circumstance,
        prices: &PriceTable,
    ) {
        let signals = evidence.operation.signals();
        if !is_constrained(policy, &signals, circumstance) {
            return;
        }
        let same = |one, other| prices.same(one, other);
        for call in evidence.attempts().filter(|call| call.status.is_call()) {
            self.checked += 1;
            // Whoever was asked, what served is what was billed; a name of the house's own, which no book prices, is billed as what
            // stands behind it.
            let is_listed = prices.dated(call.model, evidence.operation.at).is_some();
            let billed = Some(call.billed).filter(|billed| billed.is_some() && is_listed);
            let served = [Some(call.model), billed];
            let mut served = served.into_iter().flatten();
            let broken =
                served.find_map(|model| forbids(policy, &signals, circumstance, (model, call.effort), same));
            let Some(why) = broken else { continue };
            self.broken += 1;
            if self.list.len() < LISTED {
                let route = Arc::clone(&policy.route(match_route(policy, &signals)).name);
                let at = evidence.operation.at;
                self.list.push(Broken { id: id.into(), at, route, model: call.model, why });
            }
        }
    }
}
