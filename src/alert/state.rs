//! The state machine: armed, firing, resolved, by subject and window.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Level, Pattern, Source};
use crate::units::{Instant, Sha256, hex};

/// The most subjects that are remembered; those whose windows are the oldest go first.
const MOST: usize = 1 << 16;

/// What may be told once in each window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// The rule that tells it.
    pub rule: Arc<str>,
    /// What it is about: `teams/day of search`, `model gpt-4.1`.
    pub scope: Arc<str>,
    /// What was passed: `75%`; empty where there is nothing to pass.
    pub threshold: Arc<str>,
}

/// Something that somebody should be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// The same for the same rule, scope, window and threshold, on every machine and in every replay.
    pub id: String,
    /// The rule.
    pub rule: Arc<str>,
    /// What it comes from.
    pub source: Source,
    /// How urgent it is.
    pub level: Level,
    /// What it is about.
    pub scope: Arc<str>,
    /// What was passed; empty where there is nothing to pass.
    pub threshold: Arc<str>,
    /// The first moment of the window in which it is told once.
    pub window: Instant,
    /// When it fired.
    pub at: Instant,
    /// When it was over.
    pub resolved: Option<Instant>,
    /// What is wrong, in a line.
    pub words: String,
    /// Who took note of it.
    #[serde(default)]
    pub acked: Option<String>,
    /// Whether nobody was told, because somebody wished so.
    #[serde(default)]
    pub silenced: bool,
}

/// What becomes of alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// One fires.
    Fired(Alert),
    /// One is over.
    Resolved(Alert),
}

impl Change {
    /// Returns the alert.
    pub fn alert(&self) -> &Alert {
        let (Self::Fired(alert) | Self::Resolved(alert)) = self;
        alert
    }

    /// Returns the moment.
    pub fn at(&self) -> Instant {
        match self {
            Self::Fired(alert) => alert.at,
            Self::Resolved(alert) => alert.resolved.unwrap_or(alert.at),
        }
    }
}

/// What nobody wants to be told for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// The rules.
    pub rule: Pattern,
    /// The scopes.
    pub scope: Pattern,
    /// Up to this moment.
    pub until: Instant,
    /// Who wishes so.
    #[serde(default)]
    pub who: String,
}

impl Silence {
    /// Says whether an alert is to be kept from everybody.
    pub fn covers(&self, alert: &Alert, now: Instant) -> bool {
        now < self.until && self.rule.matches(&alert.rule) && self.scope.matches(&alert.scope)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    window: Instant,
    /// The alert, while it fires, and when its window is over.
    firing: Option<(Alert, Option<Instant>)>,
}

/// What is firing, and what was told. A subject that is not there is armed.
#[derive(Clone, Debug, Default)]
pub struct Alerts {
    states: BTreeMap<Subject, State>,
}

/// Returns what tells alerts apart.
fn id(subject: &Subject, window: Instant) -> String {
    let mut hash = Sha256::default();
    for part in [&subject.rule, &subject.scope, &subject.threshold] {
        // No other parts give the same bytes.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.update(window.0.to_be_bytes());
    hex(hash.finalize().get(..12).unwrap_or_default())
}

impl Alerts {
    /// Fires, unless that was told of this window or a later one. `ends` is when the window is over, and the alert with it.
    pub fn fire(
        &mut self,
        subject: Subject,
        (window, ends): (Instant, Option<Instant>),
        at: Instant,
        (source, level): (Source, Level),
        words: impl FnOnce() -> String,
    ) -> Vec<Change> {
        let known = self.states.get(&subject);
        if known.is_some_and(|state| state.window >= window) {
            return Vec::new();
        }
        let mut changes: Vec<Change> = self.resolve(&subject, at).into_iter().collect();
        let alert = Alert {
            id: id(&subject, window),
            rule: Arc::clone(&subject.rule),
            source,
            level,
            scope: Arc::clone(&subject.scope),
            threshold: Arc::clone(&subject.threshold),
            window,
            at,
            resolved: None,
            words: words(),
            acked: None,
            silenced: false,
        };
        changes.push(Change::Fired(alert.clone()));
        self.states.insert(subject, State { window, firing: Some((alert, ends)) });
        if self.states.len() > MOST {
            self.forget();
        }
        changes
    }

    /// Ends what fires; it may fire again in a later window.
    pub fn resolve(&mut self, subject: &Subject, at: Instant) -> Option<Change> {
        let (mut alert, _) = self.states.get_mut(subject)?.firing.take()?;
        alert.resolved = Some(at);
        Some(Change::Resolved(alert))
    }

    /// Says whether a subject fires.
    pub fn fires(&self, subject: &Subject) -> bool {
        self.states.get(subject).is_some_and(|state| state.firing.is_some())
    }

    /// Ends all whose windows are over at a moment.
    pub fn pass(&mut self, now: Instant) -> Vec<Change> {
        let mut over: Vec<(Instant, Subject)> = Vec::new();
        for (subject, state) in &self.states {
            if let Some((_, Some(ends))) = state.firing
                && ends <= now
            {
                over.push((ends, subject.clone()));
            }
        }
        over.sort();
        over.iter().filter_map(|(ends, subject)| self.resolve(subject, *ends)).collect()
    }

    /// Lists what fires, in the order in which it began.
    pub fn firing(&self) -> Vec<&Alert> {
        let mut all: Vec<&Alert> =
            self.states.values().filter_map(|state| state.firing.as_ref()).map(|(alert, _)| alert).collect();
        crate::units::sort_by_key(&mut all, |alert| alert.at);
        all
    }

    fn forget(&mut self) {
        let mut windows: Vec<Instant> = self.states.values().map(|state| state.window).collect();
        let middle = windows.len() / 2;
        let (_, middle, _) = windows.select_nth_unstable(middle);
        let middle = *middle;
        self.states.retain(|_, state| state.window > middle || state.firing.is_some());
    }
}
