//! Runs a log under policies and budgets that are tried.
//!
//! Invariant: each request is decided in order of arrival on how the budgets stood then, on either side by the same fold.

use std::sync::Arc;

use super::fold::Fold;
use super::frontiers::with_staged;
use super::spending::{Budgeted, Spending};
use super::{Log, Player, PolicySpan};
use crate::budget::Limit;
use crate::routing::Policy;
use crate::units::Instant;

/// Runs a log up to a request under policies and budgets, in order. `tick` may cancel by answering false.
pub(super) fn tried(
    log: &Log,
    policies: &[PolicySpan],
    spending: Spending,
    end: usize,
    mut tick: impl FnMut() -> bool,
) -> Option<Budgeted> {
    let outlook = log.outlook();
    let mut fold = Fold::with(spending);
    let mut at = log.bounds().map_or(Instant(0), |(first, _)| first);
    for (index, evidence) in log.history.range(log.history.start(), end.min(log.len())) {
        let span = policies.iter().rev().find(|span| span.from <= index).or(policies.first());
        fold.arrive(index, &evidence, span.map_or(&log.policy, |span| &span.policy), &outlook);
        at = evidence.operation.at;
        if index % 4096 == 0 && !tick() {
            return None;
        }
    }
    fold.end(at)
}

/// Runs a log twice: under the policies that were in force with some limits, and with what is staged changed in each with others.
/// `tick` may cancel by answering false.
pub fn try_budgets(
    log: &Log,
    (now, staged): (&Policy, &Policy),
    limits: [&[Limit]; 2],
    mut tick: impl FnMut() -> bool,
) -> Option<[Budgeted; 2]> {
    let spans = log.spans();
    let changed: Vec<PolicySpan> = spans
        .iter()
        .map(|span| PolicySpan { from: span.from, policy: Arc::new(with_staged(&span.policy, now, staged)) })
        .collect();
    let [applied_limits, staged_limits] = limits.map(|limits| Spending::new(limits, &log.names));
    let applied = tried(log, &spans, applied_limits, log.len(), &mut tick)?;
    let staged = tried(log, &changed, staged_limits, log.len(), &mut tick)?;
    Some([applied, staged])
}

impl Player {
    /// Returns the budgets that the log is played against, with nothing spent; none where there are none.
    pub(super) fn fresh_budgets(&self) -> Option<Spending> {
        self.budgets.as_ref().map(|played| played.fresh()).filter(|_| !self.is_live())
    }

    /// Lists the policies that were in force.
    pub(super) fn policies_in_force(&self) -> Arc<[PolicySpan]> {
        self.policies.iter().cloned().collect()
    }
}
