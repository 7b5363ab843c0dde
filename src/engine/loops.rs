//! Where the tool loops of agents were served last: a fold over requests with tools, by the ask that they are or go on with.
//!
//! Invariants: live, when a log is run anew and after a restart it is reckoned here; memory is bounded, the loop that was longest
//! without a turn going first; what is noted is where a call went, so that a turn cannot come before it is known.

use crate::prompt_cache::Recent;
use crate::routing::{AskId, Circumstance, Decision, Follows, NO_RUNG, Policy, Rung, Step};
use crate::units::ModelId;

/// The most loops that are remembered.
const MOST: usize = 32_768;

/// Where tool loops were served last.
#[derive(Clone, Debug)]
pub struct Loops(Recent<Follows>);

impl Default for Loops {
    fn default() -> Self {
        Self(Recent::new(MOST))
    }
}

impl Loops {
    /// Says where the turn before a request was served; none where it is no later turn, or nothing is known of its loop.
    pub fn follows(&self, ask: AskId) -> Option<Follows> {
        ask.key().filter(|_| ask.is_turn()).and_then(|key| self.0.get(key))
    }

    /// Takes a request that was decided.
    pub fn decided(&mut self, ask: AskId, policy: &Policy, decision: &Decision, circumstance: &Circumstance) {
        // Where a holdout sent a request says nothing of its loop, and would else be counted as routing's.
        let is_held = circumstance.drawn.is_some_and(|drawn| drawn.held);
        if ask.key().is_none() || decision.rung == NO_RUNG || is_held {
            return;
        }
        let route = policy.route(decision.route);
        let Some(rung) = route.ladder.get(usize::from(decision.rung)) else { return };
        let is_drawn = |step: &Step| matches!(step, Step::Lot { placed_as: Some(_), .. });
        let stayed =
            circumstance.follows.stays && route.followed(circumstance.follows) == Some(decision.rung);
        let stays = stayed || ask.is_seconded() || decision.trail.iter().any(is_drawn);
        self.went(ask, rung, stays);
    }

    /// Takes a request that goes to another rung, as the one before failed.
    pub fn moved(&mut self, ask: AskId, rung: &Rung) {
        self.went(ask, rung, false);
    }

    /// Returns it under other names of models.
    #[must_use]
    pub fn carried_over(&self, mut name: impl FnMut(ModelId) -> ModelId) -> Self {
        let mut carried = Self::default();
        for (key, follows) in self.0.oldest_first() {
            carried.0.put(key, Follows { model: name(follows.model), ..follows });
        }
        carried
    }

    fn went(&mut self, ask: AskId, rung: &Rung, stays: bool) {
        if let Some(key) = ask.key() {
            self.0.put(key, Follows { model: rung.known_as, effort: rung.with.effort, stays });
        }
    }
}
