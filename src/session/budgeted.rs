//! A log played against budgets.
//!
//! Invariant: as recorded, every call stands as it was made and only counts; as routed, each request is decided on how the budgets
//! stood at its arrival.

use std::sync::Arc;

use super::played::Played;
use super::queueing::{Script, in_turn};
use super::snapshot::Reading;
use super::spending::{Budgeted, Spending};
use super::{AlertsView, BudgetsView, Fold, Log, Player, PolicySpan};
use crate::alert::Rules;
use crate::budget::LimitHistory;
use crate::outcome::Settled;
use crate::pricing::Billed;
use crate::units::Instant;

/// Plays a log against budgets. `policies` say who decides from where on; `tick` hears how many requests are over, and may
/// cancel by answering false, which gives none.
pub fn budgeted(
    log: &Log,
    policies: &[PolicySpan],
    limits: &LimitHistory,
    reading: Reading,
    mut tick: impl FnMut(usize) -> bool,
) -> Option<Budgeted> {
    let mut spending = Spending::new(limits, &log.names);
    let end = log.bounds().map_or(Instant(0), |(_, end)| end);
    let mut goes_on = |index: usize| !index.is_multiple_of(4096) || tick(index);
    if reading == Reading::Routed {
        let mut fold = Fold::with(spending).minding(log, policies.iter().map(|span| &span.policy));
        let script = Script::new(policies, log.len());
        let is_whole = in_turn(log, &mut fold, script, &mut |came| goes_on(came.index));
        return fold.spending.filter(|_| is_whole).map(|spending| spending.end_foretold(end));
    }
    let (outlook, mut settled) = (log.outlook(), Settled::default());
    for (index, recalled) in log.history.range(log.history.start(), log.history.len()) {
        spending.recorded(
            index,
            &recalled.evidence(),
            log.policy_of(policies, index),
            &outlook,
            &mut settled,
        );
        if !goes_on(index) {
            return None;
        }
    }
    Some(spending.end_foretold(end))
}

impl Player {
    /// Plays the log against budgets; `source` says where they are from.
    pub fn set_budgets(&mut self, limits: &LimitHistory, source: String) {
        self.budgets = Some(Box::new(Played::new(limits, source, &self.log)));
    }

    /// Shows what a bill said of the log.
    pub fn set_billed(&mut self, billed: Option<Billed>) {
        self.billed = billed.map(Arc::new);
    }

    /// Plays the log against budgets and rules: what would have been told.
    pub fn set_alerts(&mut self, rules: Arc<Rules>, limits: &LimitHistory, source: String) {
        let mut played = Played::new(limits, source, &self.log);
        played.watch(rules, limits, &self.log);
        self.budgets = Some(Box::new(played));
    }

    /// Goes to `to` as `go` does; where that is far, budgets and alerts are counted meanwhile.
    pub(super) fn beside_budgets(&mut self, to: usize, go: impl FnOnce(&mut Self)) {
        let Some(mut played) = self.budgets.take_if(|played| played.is_far(to)) else { return go(self) };
        let (log, policies, clock) = (Arc::clone(&self.log), self.policies.clone(), self.clock);
        std::thread::scope(|scope| {
            scope.spawn(|| played.views(&log, &policies, to, clock));
            go(self);
        });
        self.budgets = Some(played);
    }

    /// Returns how budgets stand at the head, and which alerts there are.
    pub(super) fn spending_and_alerts(&mut self) -> (Arc<BudgetsView>, Arc<AlertsView>) {
        let Self { budgets, log, policies, head, clock, .. } = self;
        budgets.as_mut().map_or_else(Default::default, |played| played.views(log, policies, *head, *clock))
    }
}
