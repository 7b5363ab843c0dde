//! One operation settled under a reading, without an engine.

use super::snapshot::Reading;
use crate::outcome::{Evidence, Outlook, Settled, recorded, routed};
use crate::routing::{Policy, decide, match_route};

/// Settles one operation under a reading, without an engine; the engine gives the same (a property test holds that).
pub fn settle_one(
    evidence: &Evidence<'_>,
    reading: Reading,
    policy: &Policy,
    outlook: &Outlook<'_>,
    into: &mut Settled,
) {
    let signals = evidence.operation.signals();
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
