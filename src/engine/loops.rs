//! Where the tool loops of agents were served last: a fold over requests with tools, by the ask that they are or go on with.
//!
//! Invariants: live, when a log is run anew and after a restart it is reckoned here; memory is bounded, the loop that was longest
//! without a turn going first; where a call went is noted as it begins, so that a turn cannot come before it is known, and taken
//! back where the request ends without an answer; a model that the client named itself counts as well.

use crate::pricing::Usage;
use crate::prompt_cache::Recent;
use crate::routing::{AskId, Circumstance, Decision, Follows, NO_RUNG, Policy, Rung, Status, Step};
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

/// How a request moved its loop.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moved {
    before: Follows,
    to: Follows,
}

impl Loops {
    /// Says where the turn before a request was served; none where it is no later turn, or nothing is known of its loop.
    pub fn follows(&self, ask: AskId) -> Option<Follows> {
        ask.key().filter(|_| ask.is_turn()).and_then(|key| self.0.get(key))
    }

    /// Takes a request that was decided. `named` is the model that its client named, as policies speak of it.
    pub fn decided(
        &mut self,
        (ask, named): (AskId, ModelId),
        policy: &Policy,
        decision: &Decision,
        circumstance: &Circumstance,
    ) -> Moved {
        let stands = self.stand(ask);
        let mut moved = Moved { before: stands, to: stands };
        // Where a holdout sent a request says nothing of its loop, and would else be counted as routing's.
        let is_held = circumstance.drawn.is_some_and(|drawn| drawn.held);
        if ask.key().is_none() || is_held {
            return moved;
        }
        let route = policy.route(decision.route);
        if decision.rung == NO_RUNG {
            let is_pinned = decision.trail.iter().any(|step| matches!(step, Step::Pinned { .. }));
            let is_as_named = |rung: &&Rung| rung.known_as == named && rung.with.effort.is_none();
            if let Some(rung) = route.ladder.iter().find(is_as_named).filter(|_| is_pinned) {
                moved.to = self.went(ask, rung, false);
            }
            return moved;
        }
        let Some(rung) = route.ladder.get(usize::from(decision.rung)) else { return moved };
        let is_drawn = |step: &Step| matches!(step, Step::Lot { placed_as: Some(_), .. });
        let stayed =
            circumstance.follows.stays && route.followed(circumstance.follows) == Some(decision.rung);
        let stays = stayed || ask.is_seconded() || decision.trail.iter().any(is_drawn);
        moved.to = self.went(ask, rung, stays);
        moved
    }

    /// Takes a request that goes to another rung, as the one before failed.
    pub fn moved(&mut self, ask: AskId, rung: &Rung, moved: &mut Moved) {
        moved.to = self.went(ask, rung, false);
    }

    /// Takes the end of a request that nobody answered: its loop goes on where it stood before, unless another turn has moved it
    /// meanwhile.
    pub fn unanswered(&mut self, ask: AskId, moved: Moved) {
        if let Some(key) = ask.key()
            && self.0.get(key) == Some(moved.to)
        {
            self.0.put(key, moved.before);
        }
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

    fn stand(&self, ask: AskId) -> Follows {
        ask.key().and_then(|key| self.0.get(key)).unwrap_or_default()
    }

    fn went(&mut self, ask: AskId, rung: &Rung, stays: bool) -> Follows {
        let to = Follows { model: rung.known_as, effort: rung.with.effort, stays };
        if let Some(key) = ask.key() {
            self.0.put(key, to);
        }
        to
    }
}

/// Says whether the client had an answer by the last call of a request, or some of one.
pub fn is_answered(status: Status, usage: &Usage) -> bool {
    match status {
        Status::Ok => true,
        Status::Cancelled | Status::Truncated => usage.output.get() != Some(0),
        _ => false,
    }
}
