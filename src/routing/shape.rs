//! What of two policies makes the same calls, whatever their thresholds.
//!
//! Invariant: policies of one shape are told apart by thresholds and modes alone, which is what the frontier answers exactly.

use super::{Policy, Rung};

impl Policy {
    /// Says whether two policies differ in nothing but thresholds and modes, which is what the frontier can answer exactly.
    pub fn same_shape(&self, other: &Self) -> bool {
        self.routes.len() == other.routes.len()
            && self.routes.iter().zip(&other.routes).all(|(a, b)| {
                a.matcher == b.matcher
                    && a.canary == b.canary
                    && a.require == b.require
                    && (a.when_full, a.when_failed) == (b.when_full, b.when_failed)
                    && (a.cache, a.switch_cap) == (b.cache, b.switch_cap)
                    && a.no_signal == b.no_signal
                    && a.explore == b.explore
                    && a.adapt == b.adapt
                    && a.ladder.len() == b.ladder.len()
                    && a.ladder.iter().zip(&b.ladder).all(|(x, y)| x.same_call(y))
            })
    }
}

impl Rung {
    /// Says whether two rungs make the same calls for the same requests.
    pub fn same_call(&self, other: &Self) -> bool {
        self.model == other.model
            && self.facts == other.facts
            && self.with == other.with
            && self.fallback == other.fallback
    }
}
