//! A rollout as it is written down, so that a restart goes on with it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Phase, Plan, Rollout};
use crate::units::Instant;

/// What is kept of a rollout; what was seen is read again from the requests themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// The rollout.
    pub rollout: String,
    /// The file with its plan, as it was written.
    pub plan: String,
    /// Who began it.
    pub who: String,
    /// When.
    pub began: Instant,
    /// The stage, from 0.
    pub stage: usize,
    /// Since when it stands there.
    pub since: Instant,
    /// Where it stands.
    pub phase: String,
    /// Why, where it was taken back.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

impl Saved {
    /// Writes a rollout down.
    pub fn of(rollout: &Rollout) -> Self {
        let why = if let Phase::Back(why) = &rollout.phase { why.to_string() } else { String::new() };
        Self {
            rollout: rollout.plan.name.to_string(),
            plan: rollout.plan.text.to_string(),
            who: rollout.who.to_string(),
            began: rollout.began,
            stage: rollout.stage,
            since: rollout.since,
            phase: rollout.phase.word().to_owned(),
            why,
        }
    }

    /// Returns the rollout with its plan, nothing seen of it yet.
    pub fn rollout(&self, plan: Arc<Plan>) -> Rollout {
        let phase = match &*self.phase {
            "held" => Phase::Held,
            "done" => Phase::Done,
            "taken back" => Phase::Back(self.why.as_str().into()),
            _ => Phase::Running,
        };
        let mut rollout = Rollout::new(plan, &self.who, self.began);
        (rollout.stage, rollout.since, rollout.phase) = (self.stage, self.since, phase);
        rollout
    }
}
