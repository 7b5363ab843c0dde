//! Budgets over a log, kept at the play head.
//!
//! Invariant: they stand as recorded, the same however one got to the head (played, sought forwards or backwards).

use std::sync::Arc;

use super::alerts::Alerted;
use super::spending::Spending;
use super::tried::Tries;
use super::{AlertsView, BudgetsView, Log, PolicySpan};
use crate::alert::Rules;
use crate::budget::{LimitHistory, Spreads};
use crate::outcome::{Evidence, Settled};
use crate::units::Instant;

/// Operations between two states that are kept to go back to.
const CHECKPOINT: usize = 65_536;
/// Operations that are counted before another thread could be started.
const FEW: usize = 1024;

/// Budgets over a log, at the play head.
#[derive(Debug)]
pub(super) struct Played {
    source: String,
    limits: LimitHistory,
    start: Spending,
    /// Operations counted.
    at: usize,
    spending: Spending,
    checkpoints: Vec<(usize, Spending)>,
    view: (Instant, Arc<BudgetsView>),
    settled: Settled,
    /// How many operations a growing log had taken in between others when it was looked at last.
    seen: u64,
    alerts: Option<Alerted>,
    spreads: Spreads,
}

impl Played {
    pub(super) fn new(limits: &LimitHistory, source: String, log: &Log) -> Self {
        let start = Spending::new(limits, &log.names);
        Self {
            source,
            limits: limits.clone(),
            at: log.history.start(),
            spending: start.clone(),
            start,
            checkpoints: Vec::new(),
            view: (Instant(i64::MIN), Arc::default()),
            settled: Settled::default(),
            seen: log.inserts.count(),
            alerts: None,
            spreads: Spreads::default(),
        }
    }

    /// Returns what the log is played against; of one that grows and lets go, with how the accounts stand.
    pub(super) fn tries(&self, grows: bool) -> Tries {
        let rules = self.alerts.as_ref().map(Alerted::rules);
        let now = if grows { self.view.1.rows.clone() } else { Vec::new() };
        Tries { limits: self.limits.clone(), rules, now: now.into() }
    }

    /// Has rules told of what happens, too.
    pub(super) fn watch(&mut self, rules: Arc<Rules>, limits: &LimitHistory, log: &Log) {
        self.alerts = Some(Alerted::new(rules, limits, log));
    }

    /// Says whether so much lies between here and there that it is better counted beside other work.
    pub(super) fn is_far(&self, head: usize) -> bool {
        head.abs_diff(self.at) >= FEW
    }

    /// Returns how budgets stand and which alerts there are at a moment, once `head` operations have been counted.
    pub(super) fn views(
        &mut self,
        log: &Log,
        policies: &[PolicySpan],
        head: usize,
        clock: Instant,
    ) -> (Arc<BudgetsView>, Arc<AlertsView>) {
        let Some(mut alerts) = self.alerts.take() else {
            return (self.view(log, policies, head, clock), Arc::default());
        };
        let views = if self.is_far(head) {
            std::thread::scope(|scope| {
                let told = scope.spawn(|| alerts.view(log, head, clock));
                (self.view(log, policies, head, clock), told.join().unwrap_or_default())
            })
        } else {
            (self.view(log, policies, head, clock), alerts.view(log, head, clock))
        };
        self.alerts = Some(alerts);
        views
    }

    /// Returns how budgets stand at a moment, once `head` operations have been counted.
    fn view(&mut self, log: &Log, policies: &[PolicySpan], head: usize, clock: Instant) -> Arc<BudgetsView> {
        let grown = self.take_late(log, policies);
        if self.move_to(log, policies, head) || grown || self.view.0 != clock {
            let standings = self.spending.standings(clock, &mut self.spreads);
            self.view = (clock, Arc::new(BudgetsView::of(&standings, &self.source)));
        }
        Arc::clone(&self.view.1)
    }

    /// Counts operations that a growing log took in before the head: each belongs to the windows of its own moment, so only which
    /// request first had no room may be told later than it was. Says whether there were any.
    fn take_late(&mut self, log: &Log, policies: &[PolicySpan]) -> bool {
        let count = log.inserts.count();
        if count == self.seen {
            return false;
        }
        let places: Option<Vec<usize>> = log.inserts.since(self.seen).map(Iterator::collect);
        self.seen = count;
        let Some(places) = places else {
            // Too many to follow: what memory holds is counted anew.
            (self.at, self.spending) = (log.history.start(), self.start.clone());
            self.checkpoints.clear();
            return true;
        };
        self.spending.know(&log.names);
        for (nth, place) in places.iter().enumerate() {
            self.checkpoints.retain(|(at, _)| at <= place);
            if *place >= self.at {
                continue;
            }
            self.at += 1;
            // Later ones may have moved it on.
            let later = places.iter().skip(nth + 1);
            let index = later.fold(*place, |index, other| index + usize::from(*other <= index));
            if let Some(recalled) = log.history.recall(index) {
                let evidence = recalled.evidence();
                self.count(log, policies, index, &evidence);
            }
        }
        true
    }

    fn count(&mut self, log: &Log, policies: &[PolicySpan], index: usize, evidence: &Evidence<'_>) {
        let policy = log.policy_of(policies, index);
        self.spending.recorded(index, evidence, policy, &log.outlook(), &mut self.settled);
    }

    /// Goes to the state in which `head` operations have been counted; says whether that is another.
    fn move_to(&mut self, log: &Log, policies: &[PolicySpan], head: usize) -> bool {
        if head == self.at {
            return false;
        }
        if head < self.at {
            // What was changed since at the head holds from there on.
            self.checkpoints.retain(|(at, _)| *at <= head);
            let back = self.checkpoints.last();
            let start = || (log.history.start(), self.start.clone());
            (self.at, self.spending) = back.cloned().unwrap_or_else(start);
        }
        self.spending.know(&log.names);
        // Of a log that is followed the oldest are let go, long after they were counted.
        for (index, recalled) in log.history.range(self.at.max(log.history.start()), head) {
            let evidence = recalled.evidence();
            if index.is_multiple_of(CHECKPOINT) && self.checkpoints.last().is_none_or(|(at, _)| *at < index) {
                self.checkpoints.push((index, self.spending.clone()));
            }
            self.count(log, policies, index, &evidence);
        }
        self.at = head;
        true
    }
}
