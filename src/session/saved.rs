//! What routing saved over a stretch of a log, and what its units cost.

use std::sync::Arc;

use super::fold::{any_remembers, walk};
use super::{Log, PolicySpan, Reading, settle_one};
use crate::outcome::{Evidence, Settled};
use crate::routing::Policy;
use crate::savings::{Against, Arm, Arms, Measured, Savings, Tally};
use crate::telemetry::Unit;
use crate::units::Instant;

impl Log {
    /// Lists the policies that decide it, from its start on.
    pub fn spans(&self) -> Vec<PolicySpan> {
        let first = PolicySpan { from: 0, policy: Arc::clone(&self.policy) };
        std::iter::once(first).chain(self.policies.iter().cloned()).collect()
    }
}

/// Settles a stretch of a log under a reading, request by request in order of arrival.
pub fn settle_all(
    log: &Log,
    reading: Reading,
    policies: &[PolicySpan],
    (first, end): (usize, usize),
    take: &mut dyn FnMut(usize, &Evidence<'_>, &Policy, &Settled),
) {
    if reading == Reading::Routed && any_remembers(policies) {
        // What a request meets depends on all before it.
        walk(log, (policies, end), &mut |index, evidence, policy, settled| {
            if index >= first {
                take(index, evidence, policy, settled);
            }
            true
        });
        return;
    }
    let mut settled = Settled::default();
    let outlook = log.outlook();
    for (index, recalled) in log.history.range(first, end) {
        let evidence = recalled.evidence();
        let policy = log.policy_of(policies, index);
        settle_one(&evidence, reading, policy, &outlook, &mut settled);
        take(index, &evidence, policy, &settled);
    }
}

/// Says what a log saved beside a baseline, and what a holdout measured, where there was one and the reading is what happened.
pub fn savings(log: &Log, reading: Reading, against: Against) -> (Savings, Option<Measured>) {
    let (mut tally, mut arms) = (Tally::new(against), Arms::default());
    let outlook = log.outlook();
    let whole = (log.history.start(), log.len());
    settle_all(log, reading, &log.spans(), whole, &mut |_, evidence, policy, settled| {
        tally.add(evidence, settled, policy, &outlook);
        let operation = evidence.operation;
        let is_paid = settled.attempts.iter().all(|call| !evidence.stands_in(call.model));
        if let Some(drawn) = log.circumstances.get(operation.circumstance).drawn.filter(|_| is_paid) {
            let arm = if drawn.held { Arm::Held } else { Arm::Routed };
            arms.add(arm, drawn.share, operation.session, settled.cost);
        }
    });
    let (calls, cost) = log.shadowed.second_stage(Instant(i64::MIN), Instant(i64::MAX));
    tally.classified_again(calls, &cost);
    let (calls, cost) = log.shadowed.shadow_runs(Instant(i64::MIN), Instant(i64::MAX));
    tally.ran_beside(calls, &cost);
    let measured = (reading == Reading::Recorded && !arms.is_empty()).then(|| arms.end());
    (tally.end(), measured)
}

/// Says what the units of a log cost.
pub fn unit_costs(log: &Log, reading: Reading, mut into: Unit) -> Unit {
    let outlook = log.outlook();
    let whole = (log.history.start(), log.len());
    settle_all(log, reading, &log.spans(), whole, &mut |_, evidence, _, settled| {
        into.add(evidence, settled, &outlook);
    });
    into
}
