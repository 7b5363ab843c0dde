//! What fires, who was told, who wishes not to be: the state that the gateway, its console and its outbox share.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant as Moment;

use tokio::sync::Notify;

use super::job::Job;
use super::send::{self, Outcome};
use crate::alert::{Alert, Change, Level, Pattern, Rules, Silence, Source};
use crate::config::alerts::{AlertSettings, Receiver};
use crate::ledger::{Alarms, Alerting, Audit, Delivery, DeliveryState, Entry, Ledger, News, now};
use crate::units::Instant;

/// Alerts that are known: the newest.
const ALERTS: usize = 2000;
/// Deliveries that are known: the newest.
const DELIVERIES: usize = 500;

/// How much was told since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Alerts that fired.
    pub fired: u64,
    /// Deliveries that arrived.
    pub delivered: u64,
    /// Tries that failed.
    pub failed: u64,
    /// Deliveries that were given up.
    pub given_up: u64,
    /// Deliveries that wait.
    pub waiting: u64,
}

/// Everything that a notifier tells of itself.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Alerts, in the order in which they fired.
    pub alerts: Vec<Alert>,
    /// Deliveries, in the order in which they changed last.
    pub deliveries: Vec<Delivery>,
    /// Silences that are not over.
    pub silences: Vec<Silence>,
    /// Receivers: the name, the way, and the least urgent level.
    pub receivers: Vec<(Arc<str>, &'static str, Level)>,
}

/// Tells receivers of alerts, and remembers what fired and who was told.
#[derive(Debug)]
pub struct Notifier {
    pub(super) ledger: Ledger,
    pub(super) client: Option<reqwest::Client>,
    pub(super) state: Mutex<State>,
    pub(super) wake: Notify,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) settings: Arc<AlertSettings>,
    silences: Vec<Silence>,
    alerts: VecDeque<Alert>,
    pub(super) deliveries: VecDeque<Delivery>,
    pub(super) jobs: Vec<Job>,
    pub(super) counts: Counts,
    /// Words that somebody should hear, once.
    pub(super) remarks: Vec<String>,
    /// Receivers that could not be told lately.
    pub(super) trouble: Vec<Arc<str>>,
}

impl State {
    fn known(&mut self, id: &str) -> Option<&mut Alert> {
        self.alerts.iter_mut().rev().find(|alert| alert.id == id)
    }

    fn keep(&mut self, alert: Alert) {
        self.alerts.push_back(alert);
        if self.alerts.len() > ALERTS {
            // What fires is not forgotten while anything else can be.
            let old = self.alerts.iter().position(|alert| alert.resolved.is_some()).unwrap_or(0);
            self.alerts.remove(old);
        }
    }

    pub(super) fn note(&mut self, delivery: Delivery) {
        let same = |known: &Delivery| {
            (&known.alert, known.news, &known.receiver)
                == (&delivery.alert, delivery.news, &delivery.receiver)
        };
        self.deliveries.retain(|known| !same(known));
        self.deliveries.push_back(delivery);
        if self.deliveries.len() > DELIVERIES {
            self.deliveries.pop_front();
        }
    }

    fn is_silenced(&self, alert: &Alert, at: Instant) -> bool {
        self.settings.silences.iter().chain(&self.silences).any(|silence| silence.covers(alert, at))
    }

    /// Lists who is told of an alert.
    fn receivers(&self, alert: &Alert) -> Vec<Arc<str>> {
        let rule = self.settings.rules.find(&alert.rule);
        let is_addressed = |receiver: &&Receiver| {
            rule.is_none_or(|rule| rule.to.is_empty() || rule.to.contains(&receiver.name))
        };
        let all = self.settings.receivers.iter().filter(is_addressed);
        all.filter(|receiver| receiver.least <= alert.level)
            .map(|receiver| Arc::clone(&receiver.name))
            .collect()
    }

    fn queue(&mut self, alert: &Alert, news: News, to: &[Arc<str>], at: Instant) {
        for receiver in to {
            self.jobs.push(Job::new(alert.clone(), news, Arc::clone(receiver), 0, Moment::now()));
            self.note(Delivery {
                alert: alert.id.clone(),
                news,
                receiver: Arc::clone(receiver),
                state: DeliveryState::Waiting,
                tries: 0,
                at,
                answer: String::new(),
            });
        }
    }
}

impl Notifier {
    /// Starts with nothing known and nobody to tell.
    pub fn new(ledger: Ledger) -> Self {
        Self { ledger, client: send::client(), state: Mutex::default(), wake: Notify::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, alerting: Alerting) {
        self.ledger.record(Entry::Alerting(Box::new(alerting)));
    }

    /// Takes up what a ledger knows: deliveries that wait are made now.
    pub fn take_up(&self, alarms: Alarms) {
        let mut state = self.lock();
        state.silences.extend(alarms.silences);
        for alert in alarms.alerts {
            state.keep(alert);
        }
        for delivery in alarms.deliveries {
            let alert = state.known(&delivery.alert).cloned();
            if let Some(alert) = alert.filter(|_| delivery.state == DeliveryState::Waiting) {
                let receiver = Arc::clone(&delivery.receiver);
                state.jobs.push(Job::new(alert, delivery.news, receiver, delivery.tries, Moment::now()));
            }
            state.note(delivery);
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Returns the rules in force.
    pub fn rules(&self) -> Arc<Rules> {
        Arc::new(self.lock().settings.rules.clone())
    }

    /// Brings other rules, receivers and silences into force.
    pub fn set_settings(&self, settings: Arc<AlertSettings>) {
        let mut state = self.lock();
        state.settings = settings;
        self.hush(&mut state);
        drop(state);
        self.wake.notify_one();
    }

    /// Takes what has changed. Of what fired before `since` nobody is told any more: it is only known.
    pub fn take(&self, changes: Vec<Change>, since: Instant) {
        if changes.is_empty() {
            return;
        }
        let mut state = self.lock();
        for change in changes {
            match change {
                Change::Fired(alert) => self.fired(&mut state, alert, since),
                Change::Resolved(alert) => self.resolved(&mut state, &alert),
            }
        }
        drop(state);
        self.wake.notify_one();
    }

    fn fired(&self, state: &mut State, mut alert: Alert, since: Instant) {
        if state.known(&alert.id).is_some() {
            return;
        }
        alert.silenced = state.is_silenced(&alert, now());
        let is_told = alert.at >= since && !alert.silenced;
        let to = if is_told { state.receivers(&alert) } else { Vec::new() };
        state.counts.fired += 1;
        tracing::warn!(id = alert.id, level = alert.level.name(), "alert: {}", alert.words);
        self.record(Alerting::Fired(alert.clone(), to.clone()));
        state.queue(&alert, News::Firing, &to, alert.at);
        state.keep(alert);
    }

    fn resolved(&self, state: &mut State, over: &Alert) {
        let at = over.resolved.unwrap_or(over.at);
        let Some(alert) = state.known(&over.id).filter(|alert| alert.resolved.is_none()) else { return };
        alert.resolved = Some(at);
        let alert = alert.clone();
        // Only who was told that it fires is told that it is over.
        let told: Vec<Arc<str>> = (state.deliveries.iter())
            .filter(|one| one.alert == alert.id && one.news == News::Firing)
            .map(|one| Arc::clone(&one.receiver))
            .collect();
        let is_wanted = |name: &Arc<str>| {
            state.settings.receivers.iter().any(|receiver| receiver.name == *name && receiver.resolved)
        };
        let to: Vec<Arc<str>> = told.into_iter().filter(is_wanted).collect();
        self.record(Alerting::Resolved(alert.id.clone(), at, to.clone()));
        state.queue(&alert, News::Resolved, &to, at);
    }

    /// Ends what fires here though the fold, which has seen everything, knows nothing of it.
    pub fn end_others(&self, firing: &[&Alert], at: Instant) {
        let state = self.lock();
        let is_over =
            |alert: &&Alert| alert.resolved.is_none() && !firing.iter().any(|one| one.id == alert.id);
        let over: Vec<Change> = (state.alerts.iter().filter(is_over))
            .map(|alert| Change::Resolved(Alert { resolved: Some(at), ..alert.clone() }))
            .collect();
        drop(state);
        self.take(over, at);
    }

    /// Takes note of an alert in somebody's name.
    ///
    /// # Errors
    /// Where there is no such alert, or several begin so.
    pub fn ack(&self, id: &str, who: &str) -> Result<Alert, String> {
        let mut state = self.lock();
        let mut found = state.alerts.iter_mut().filter(|alert| !id.is_empty() && alert.id.starts_with(id));
        let Some(alert) = found.next() else { return Err(format!("there is no alert {id}")) };
        if found.next().is_some() {
            return Err(format!("several alerts begin with {id}; write more of it"));
        }
        alert.acked = Some(who.to_owned());
        let alert = alert.clone();
        drop(state);
        self.record(Alerting::Acked(alert.id.clone(), who.to_owned()));
        self.audit(who, "alert acknowledged", &alert.words);
        Ok(alert)
    }

    /// Has nobody told of what matches, up to a moment. What fires is marked, too.
    pub fn silence(&self, silence: Silence) {
        let mut state = self.lock();
        state.silences.retain(|known| known.until > now());
        let words =
            format!("rule {}, scope {}, until {}", silence.rule.0, silence.scope.0, silence.until.rfc3339());
        state.silences.push(silence.clone());
        self.hush(&mut state);
        drop(state);
        self.audit(&silence.who, "alerts silenced", &words);
        self.record(Alerting::Silenced(silence));
    }

    /// Marks what fires and nobody wishes to be told of.
    fn hush(&self, state: &mut State) {
        let at = now();
        let hushed =
            |alert: &&Alert| alert.resolved.is_none() && !alert.silenced && state.is_silenced(alert, at);
        let ids: Vec<String> = state.alerts.iter().filter(hushed).map(|alert| alert.id.clone()).collect();
        for id in ids {
            if let Some(alert) = state.known(&id) {
                alert.silenced = true;
            }
            self.record(Alerting::Hushed(id));
        }
    }

    fn audit(&self, who: &str, what: &str, after: &str) {
        let (who, what, after) = (who.into(), what.into(), after.into());
        self.ledger.record(Entry::Audit(Box::new(Audit { at: now(), who, what, before: "".into(), after })));
    }

    /// Sends a receiver a message that is marked as a test; nothing of it is kept.
    ///
    /// # Errors
    /// Where there is no such receiver.
    pub async fn test(&self, name: &str) -> Result<Outcome, String> {
        let settings = Arc::clone(&self.lock().settings);
        let Some(receiver) = settings.receivers.iter().find(|receiver| *receiver.name == *name) else {
            let known: Vec<&str> = settings.receivers.iter().map(|receiver| &*receiver.name).collect();
            let hint = if known.is_empty() {
                "there is none".to_owned()
            } else {
                format!("there is {}", known.join(", "))
            };
            return Err(format!("there is no receiver {name}; {hint}"));
        };
        let alert = test_alert(now());
        Ok(send::send(self.client.as_ref(), receiver, (&alert, News::Firing), true).await)
    }

    /// Tells all that is known.
    pub fn told(&self) -> Told {
        let state = self.lock();
        let silences = state.settings.silences.iter().chain(&state.silences);
        let way = |receiver: &Receiver| match receiver.way {
            crate::config::alerts::Way::Webhook(_) => "webhook",
            crate::config::alerts::Way::Slack(_) => "slack",
            crate::config::alerts::Way::Command(_) => "command",
        };
        let receivers = state.settings.receivers.iter();
        Told {
            alerts: state.alerts.iter().cloned().collect(),
            deliveries: state.deliveries.iter().cloned().collect(),
            silences: silences.filter(|silence| silence.until > now()).cloned().collect(),
            receivers: receivers.map(|one| (Arc::clone(&one.name), way(one), one.least)).collect(),
        }
    }

    /// Returns the alerts, and which receivers could not be told, in words.
    pub fn shown(&self) -> (Vec<Alert>, String) {
        let state = self.lock();
        let trouble = match &*state.trouble {
            [] => String::new(),
            names => format!("alerts do not reach {}", names.join(", ")),
        };
        (state.alerts.iter().cloned().collect(), trouble)
    }

    /// Returns how much was told.
    pub fn counts(&self) -> Counts {
        let state = self.lock();
        Counts { waiting: state.jobs.len() as u64, ..state.counts }
    }

    /// Counts what fires, by level.
    pub fn firing(&self) -> [(Level, u64); 3] {
        let state = self.lock();
        Level::ALL.map(|(_, level)| {
            let is_firing = |alert: &&Alert| alert.resolved.is_none() && alert.level == level;
            (level, state.alerts.iter().filter(is_firing).count() as u64)
        })
    }

    /// Has something said to whoever runs the gateway.
    pub fn remark(&self, words: String) {
        self.lock().remarks.push(words);
    }

    /// Takes what somebody should hear.
    pub fn take_remarks(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().remarks)
    }
}

fn test_alert(at: Instant) -> Alert {
    Alert {
        id: format!("test-{}", at.0),
        rule: "test".into(),
        source: Source::Budget,
        level: Level::Notice,
        scope: "test".into(),
        threshold: "".into(),
        window: at,
        at,
        resolved: None,
        words: "this is a test: nothing is wrong".to_owned(),
        acked: None,
        silenced: false,
    }
}

impl Told {
    /// Makes a silence over patterns; every rule and every scope where they are empty.
    pub fn silence(rule: &str, scope: &str, until: Instant, who: &str) -> Silence {
        let pattern = |text: &str| if text.is_empty() { Pattern::any() } else { Pattern(text.into()) };
        Silence { rule: pattern(rule), scope: pattern(scope), until, who: who.to_owned() }
    }
}
