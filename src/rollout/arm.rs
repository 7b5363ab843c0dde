//! What was seen of one side of a rollout.
//!
//! Invariants: sums of whole numbers, of bounded size; a request of unknown cost is counted and adds nothing to what a request
//! costs.

use std::collections::BTreeMap;

use crate::pricing::Cost;
use crate::routing::Lot;
use crate::units::{Millis, PerMille, Pico};

/// Groups of sessions that costs are added up by: requests of a session go together.
const GROUPS: u32 = 1 << 14;

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The route as it was.
    Base,
    /// The route as it is to be.
    Canary,
}

/// A request that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// By what it was drawn.
    pub lot: Lot,
    /// What all its calls cost.
    pub cost: Cost,
    /// Whether its client got no answer, or one that failed its check.
    pub failed: bool,
    /// Whether it went up the ladder.
    pub escalated: bool,
    /// How long it took.
    pub latency: Millis,
}

/// What was seen of one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arm {
    /// Requests.
    pub requests: u64,
    /// Of those, without an answer that passed its check.
    pub failed: u64,
    /// Of those, gone up the ladder.
    pub escalated: u64,
    /// Requests whose cost is there.
    pub priced: u64,
    /// What those cost.
    pub cost: Pico,
    /// Requests of which it is known how long they took.
    pub timed: u64,
    /// Their milliseconds.
    pub millis: u64,
    /// Judged answers.
    pub judged: u64,
    /// Their qualities, in per mille.
    pub quality: u64,
    /// Of those, not acceptable.
    pub unacceptable: u64,
    groups: BTreeMap<u32, (u64, Pico)>,
}

impl Arm {
    pub(super) fn take(&mut self, seen: &Seen) {
        self.requests += 1;
        self.failed += u64::from(seen.failed);
        self.escalated += u64::from(seen.escalated);
        if let Some(cost) = seen.cost.amount() {
            self.priced += 1;
            self.cost += cost;
            let group = self.groups.entry(seen.lot.group(GROUPS)).or_default();
            group.0 += 1;
            group.1 += cost;
        }
        if let Some(millis) = seen.latency.get() {
            self.timed += 1;
            self.millis = self.millis.saturating_add(millis);
        }
    }

    pub(super) fn judge(&mut self, quality: PerMille, acceptable: PerMille) {
        self.judged += 1;
        self.quality += u64::from(quality.get());
        self.unacceptable += u64::from(quality < acceptable);
    }

    /// Returns what a thousand requests cost.
    pub fn per_thousand(&self) -> Option<Pico> {
        (self.priced > 0).then(|| self.cost.proportion([1000], [self.priced]))
    }

    /// Returns how many of a thousand failed.
    pub fn failures(&self) -> Option<u64> {
        (self.requests > 0).then(|| self.failed * 1000 / self.requests)
    }

    /// Returns how many of a thousand went up the ladder.
    pub fn escalations(&self) -> Option<u64> {
        (self.requests > 0).then(|| self.escalated * 1000 / self.requests)
    }

    /// Returns how long a request took, on average.
    pub fn mean_millis(&self) -> Option<u64> {
        (self.timed > 0).then(|| self.millis / self.timed)
    }

    /// Returns how good judged answers were, on average.
    pub fn mean_quality(&self) -> Option<u64> {
        (self.judged > 0).then(|| self.quality / self.judged)
    }

    /// Lists requests and cost by group of sessions, costs in thousandths of themselves.
    pub(super) fn groups(&self, thousandths: u32) -> Vec<(u64, Pico)> {
        let scaled =
            |(requests, cost): &(u64, Pico)| (*requests, cost.proportion([u64::from(thousandths)], [1000]));
        self.groups.values().map(scaled).collect()
    }
}

/// Both sides: the canary in this stage, its route in this stage and since the rollout began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arms {
    /// The canary.
    pub canary: Arm,
    /// The route beside it.
    pub base: Arm,
    /// The route since the rollout began, for stages that leave it too little.
    pub before: Arm,
}

impl Arms {
    /// Returns the side of the route that the canary is compared with.
    pub fn beside(&self, least: u64) -> &Arm {
        if self.base.requests >= least.max(1) { &self.base } else { &self.before }
    }

    pub(super) fn next_stage(&mut self) {
        (self.canary, self.base) = (Arm::default(), Arm::default());
    }
}
