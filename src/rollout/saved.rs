//! A rollout as it is written down, so that a restart goes on with it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Phase, Plan, Rollout};
use crate::units::{Instant, members};

members! {
    /// What is kept of a rollout; what was seen is read again from the requests themselves.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Saved;
    /// Writes a rollout down.
    pub fn of(rollout: &Rollout) {}
    /// The rollout.
    pub rollout: String = rollout.plan.name.to_string(),
    /// The file with its plan, as it was written.
    pub plan: String = rollout.plan.text.to_string(),
    /// Who began it.
    pub who: String = rollout.who.to_string(),
    /// When.
    pub began: Instant = rollout.began,
    /// The stage, from 0.
    pub stage: usize = rollout.stage,
    /// Since when it stands there.
    pub since: Instant = rollout.since,
    /// Where it stands.
    pub phase: String = rollout.phase.word().to_owned(),
    /// Why, where it was taken back.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String = if let Phase::Back(why) = &rollout.phase { why.to_string() } else { String::new() },
}

impl Saved {
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
