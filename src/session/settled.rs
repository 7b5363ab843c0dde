//! One operation settled under a reading, without an engine.

use super::snapshot::{Reading, Snapshot};
use crate::outcome::{Evidence, Outlook, Profiles, Settled, recorded, routed};
use crate::pricing::PriceTable;
use crate::routing::{Circumstance, Circumstances, Policy, decide, match_route};

/// Returns what estimates rest on, in the world as it was.
pub(super) fn outlook<'a>(
    prices: &'a PriceTable,
    profiles: &'a Profiles,
    circumstances: &'a Circumstances,
) -> Outlook<'a> {
    Outlook { prices, profiles, circumstances, weather: None }
}

/// Settles one operation under a reading, without an engine; the engine gives the same (a property test holds that).
pub fn settle_one(
    evidence: &Evidence<'_>,
    reading: Reading,
    policy: &Policy,
    outlook: &Outlook<'_>,
    into: &mut Settled,
) {
    let signals = evidence.operation.signals_by(outlook.prices);
    match reading {
        Reading::Recorded => {
            recorded(evidence, policy, match_route(policy, &signals), outlook, into);
        }
        Reading::Routed => {
            let circumstance = outlook.circumstances.get(evidence.operation.circumstance);
            routed(evidence, policy, &decide(policy, &signals, circumstance), outlook, into);
        }
    }
}

/// Settles one operation as a policy would route it that is only tried: a turn of a tool loop goes on where that policy would have served
/// its loop, as it does in the sums.
pub(super) fn settle_tried(
    evidence: &Evidence<'_>,
    policy: &Policy,
    outlook: &Outlook<'_>,
    into: &mut Settled,
) {
    let operation = evidence.operation;
    let Some(least) = operation.least else {
        return settle_one(evidence, Reading::Routed, policy, outlook, into);
    };
    let signals = operation.signals_by(outlook.prices);
    let follows = least.follows(policy.route(match_route(policy, &signals)));
    let circumstance = outlook.circumstances.get(operation.circumstance);
    let circumstance = Circumstance { follows, ..circumstance.clone() };
    routed(evidence, policy, &decide(policy, &signals, &circumstance), outlook, into);
}

impl Snapshot {
    /// Settles an operation under the reading and the policy that decides it.
    pub fn settle(&self, index: usize, evidence: &Evidence<'_>, into: &mut Settled) {
        settle_one(evidence, self.reading, self.policy_at(index), &self.log.outlook(), into);
    }

    /// Settles an operation as the policy being tried would route it; `None` where there is no such operation.
    pub fn settled_as_tried(&self, index: usize) -> Option<Settled> {
        let mut settled = Settled::default();
        let recalled = self.log.history.recall(index)?;
        let evidence = recalled.evidence();
        settle_tried(&evidence, self.tried(), &self.log.outlook(), &mut settled);
        Some(settled)
    }
}
