//! The alerts of a log: at the play head, and of all of it.

use std::sync::Arc;

use super::{AlertsView, Watcher};
use crate::alert::{Alert, Change, Rules};
use crate::budget::LimitHistory;
use crate::session::Log;
use crate::units::Instant;

/// Takes changes up to a moment together.
pub(in crate::session) fn up_to(changes: &[Change], clock: Instant) -> Vec<Alert> {
    let mut alerts: Vec<Alert> = Vec::new();
    for change in changes.iter().filter(|change| change.at() <= clock) {
        match change {
            Change::Fired(alert) => alerts.push(alert.clone()),
            Change::Resolved(alert) => {
                if let Some(known) = alerts.iter_mut().rev().find(|known| known.id == alert.id) {
                    known.resolved = alert.resolved;
                }
            }
        }
    }
    alerts
}

/// Plays a log against rules and budgets: what would have fired, and when it was over. `tick` hears how many requests are over and may
/// cancel by answering false, which gives none.
pub fn alerts(
    log: &Log,
    rules: Arc<Rules>,
    limits: &LimitHistory,
    mut tick: impl FnMut(usize) -> bool,
) -> Option<Vec<Alert>> {
    let mut alerted = Alerted::new(rules, limits, log);
    let (start, len) = (log.history.start(), log.len());
    for end in (start..len).step_by(4096).skip(1).chain([len]) {
        alerted.move_to(log, end);
        if !tick(end) {
            return None;
        }
    }
    Some(up_to(&alerted.changes, Instant(i64::MAX)))
}

/// Alerts over a log, at the play head.
#[derive(Debug)]
pub(in crate::session) struct Alerted {
    watcher: Watcher,
    /// Operations counted; going back takes none away, for what came later is told by its moment.
    at: usize,
    /// Up to here notes have been taken.
    noted: Instant,
    changes: Vec<Change>,
    shown: (Instant, usize, Arc<AlertsView>),
}

impl Alerted {
    pub(in crate::session) fn new(rules: Arc<Rules>, limits: &LimitHistory, log: &Log) -> Self {
        let watcher = Watcher::new(rules, limits, &log.names);
        let shown = (Instant(i64::MIN), 0, Arc::default());
        Self { watcher, at: log.history.start(), noted: Instant(i64::MIN), changes: Vec::new(), shown }
    }

    fn move_to(&mut self, log: &Log, head: usize) {
        if head <= self.at {
            return;
        }
        let outlook = log.outlook();
        for (index, recalled) in log.history.range(self.at, head) {
            let evidence = recalled.evidence();
            self.note(log, evidence.operation.at);
            self.watcher.pass(evidence.operation.at);
            self.watcher.take(&evidence, log.policy_at(index), &outlook);
        }
        self.at = head;
        if head == log.len() {
            self.note(log, Instant(i64::MAX));
            self.watcher.finish();
        }
        self.changes.extend(self.watcher.take_changes());
    }

    /// Returns the rules.
    pub(in crate::session) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.watcher.sink.rules)
    }

    /// Takes the log's notes up to a moment.
    fn note(&mut self, log: &Log, to: Instant) {
        let place = |at: Instant| log.notes.partition_point(|note| note.at <= at);
        for note in log.notes.get(place(self.noted)..place(to)).unwrap_or_default() {
            self.watcher.note(note.at, &note.text);
            self.noted = note.at;
        }
    }

    /// Returns the alerts at a moment, once `head` operations have been counted.
    pub(in crate::session) fn view(&mut self, log: &Log, head: usize, clock: Instant) -> Arc<AlertsView> {
        self.move_to(log, head);
        // At the end of a log what was under way comes to its end.
        let clock = if head == log.len() { Instant(i64::MAX) } else { clock };
        if (self.shown.0, self.shown.1) != (clock, self.changes.len()) {
            let view = AlertsView::of(up_to(&self.changes, clock), String::new());
            let old = &self.shown.2;
            let view = if **old == view { Arc::clone(old) } else { Arc::new(view) };
            self.shown = (clock, self.changes.len(), view);
        }
        Arc::clone(&self.shown.2)
    }
}
