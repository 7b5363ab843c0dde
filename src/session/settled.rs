//! What came of one operation, as a snapshot has it.

use super::settle::settle_one;
use super::snapshot::{Reading, Snapshot};
use crate::outcome::{Evidence, Settled};

impl Snapshot {
    /// Settles an operation under the reading and the policy that decides it.
    pub fn settle(&self, index: usize, evidence: &Evidence<'_>, into: &mut Settled) {
        settle_one(evidence, self.reading, self.policy_at(index), &self.log.outlook(), into);
    }

    /// Settles an operation as the policy being tried would route it; `None` where there is no such operation.
    pub fn settled_as_tried(&self, index: usize) -> Option<Settled> {
        let mut settled = Settled::default();
        let evidence = self.log.history.evidence(index)?;
        settle_one(&evidence, Reading::Routed, self.tried(), &self.log.outlook(), &mut settled);
        Some(settled)
    }
}
