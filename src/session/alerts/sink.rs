//! What sources of alerts are told, and where they tell what they see.

use std::sync::Arc;

use smallvec::SmallVec;

use super::said::Said;
use crate::alert::{Alerts, Change, Level, Rule, Rules, Source, Subject};
use crate::anomaly::{Scope, Tally};
use crate::budget::Draws;
use crate::pricing::Unpriced;
use crate::session::spending::Payment;
use crate::units::{Instant, ModelId, Pico};

/// A call that is over.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) model: ModelId,
    pub(super) is_ok: bool,
    pub(super) unpriced: Option<Unpriced>,
    /// What it was expected to cost, and what it cost, where both are known.
    pub(super) expected: Option<(Pico, Pico)>,
    pub(super) payment: Payment,
}

/// A request that is over, as far as alerts go by it.
#[derive(Clone, Debug, Default)]
pub(super) struct Done {
    pub(super) arrived: Instant,
    pub(super) calls: SmallVec<[Call; 1]>,
    pub(super) parts: Vec<(Scope, Tally)>,
    /// The accounts of models that there was no room for.
    pub(super) short: SmallVec<[Draws; 1]>,
    /// Models that could not be called when it arrived.
    pub(super) down: SmallVec<[ModelId; 2]>,
    /// What was said then.
    pub(super) said: Vec<Said>,
}

/// Where sources tell what they see.
#[derive(Debug)]
pub(super) struct AlertSink {
    pub(super) rules: Arc<Rules>,
    pub(super) alerts: Alerts,
    pub(super) changes: Vec<Change>,
}

/// What a source sees.
pub(super) struct Seen<'a> {
    pub(super) source: Source,
    pub(super) scope: &'a str,
    pub(super) threshold: &'a str,
    /// The window in which it is told once, and its end where that ends it.
    pub(super) window: (Instant, Option<Instant>),
    pub(super) at: Instant,
    pub(super) level: Level,
}

impl<'a> Seen<'a> {
    pub(super) fn new(
        source: Source,
        (scope, threshold): (&'a str, &'a str),
        window: (Instant, Option<Instant>),
        (at, level): (Instant, Level),
    ) -> Self {
        Self { source, scope, threshold, window, at, level }
    }
}

pub(super) fn subject(rule: &Rule, scope: &str, threshold: &str) -> Subject {
    Subject { rule: Arc::clone(&rule.name), scope: scope.into(), threshold: threshold.into() }
}

impl AlertSink {
    /// Fires by every rule of the source that the scope is of.
    pub(super) fn fire(&mut self, seen: &Seen<'_>, words: impl Fn() -> String) {
        let rules = Arc::clone(&self.rules);
        for rule in rules.of(seen.source).filter(|rule| rule.scope.matches(seen.scope)) {
            self.fire_by(rule, seen, &words);
        }
    }

    pub(super) fn fire_by(&mut self, rule: &Rule, seen: &Seen<'_>, words: impl Fn() -> String) {
        let level = rule.level.unwrap_or(seen.level);
        let subject = subject(rule, seen.scope, seen.threshold);
        self.changes.extend(self.alerts.fire(subject, seen.window, seen.at, (seen.source, level), words));
    }

    /// Ends what fires of a source, by every rule.
    pub(super) fn resolve(&mut self, source: Source, scope: &str, threshold: &str, at: Instant) {
        let rules = Arc::clone(&self.rules);
        for rule in rules.of(source) {
            self.changes.extend(self.alerts.resolve(&subject(rule, scope, threshold), at));
        }
    }

    /// Takes what a log says.
    pub(super) fn hear(&mut self, said: &Said, at: Instant) {
        match said {
            Said::Fires { source, scope, threshold, ends, level, words } => {
                let window = (at, ends.map(|ends| at + ends));
                self.fire(&Seen::new(*source, (scope, threshold), window, (at, *level)), || words.clone());
            }
            Said::Over { source, scope, thresholds } => {
                for threshold in thresholds {
                    self.resolve(*source, scope, threshold, at);
                }
            }
        }
    }
}
