//! Answers that are made up in a provider's place: whose they are, and what they would have cost.
//!
//! Invariant: beside real providers they draw on no budget, and what they would have cost is told apart.

use rustc_hash::FxHashMap;

use super::ticket::{Called, Ticket};
use crate::outcome::{Attempt, SIMULATED, simulated_word};
use crate::pricing::CostSum;
use crate::units::TeamId;

/// Says whether the answers of a model are made up in a provider's place.
type IsMadeUp = Box<dyn Fn(&str) -> bool + Send>;

/// What answers that were made up would have cost, by whom they were for and by model.
#[derive(Clone, Debug, Default)]
pub struct MadeUpCosts {
    /// By the team's place among the names; none for whoever named none.
    pub teams: FxHashMap<Option<usize>, CostSum>,
    /// By the model's.
    pub models: FxHashMap<Option<usize>, CostSum>,
}

/// What a session knows of answers that are made up.
#[derive(Default)]
pub(super) struct MadeUp {
    /// Whether all providers are simulated: a trial, in which money counts as if it were some.
    pub(super) is_trial: bool,
    /// Whose answers are.
    pub(super) is_one: Option<IsMadeUp>,
    /// What they would have cost.
    pub(super) costs: MadeUpCosts,
}

impl MadeUp {
    /// Says whether a call to a model would cost nobody anything.
    pub(super) fn is_free(&self, model: &str) -> bool {
        !self.is_trial && self.is_one.as_ref().is_some_and(|is_one| is_one(model))
    }

    /// Takes in a call that ended.
    pub(super) fn note(&mut self, team: TeamId, call: &Called, attempt: &Attempt) {
        if call.simulated {
            self.costs.teams.entry(team.index()).or_default().add(attempt.cost);
            self.costs.models.entry(attempt.model.index()).or_default().add(attempt.cost);
        }
    }
}

impl Ticket {
    /// Returns what stands in the log for what of its answers was made up; nothing where none was.
    pub fn simulation(&self) -> std::borrow::Cow<'static, str> {
        let calls = self.calls.iter().map(|(call, _)| (call.status.is_call(), call.simulated));
        simulated_word(&calls, self.is_trial)
    }

    /// Returns it as it is known before the first of its calls has ended.
    pub fn first_simulation(&self) -> &'static str {
        if self.is_trial { crate::outcome::ALL_SIMULATED } else { SIMULATED }
    }
}
