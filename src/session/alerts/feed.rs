//! Alerts over a log that is written at this moment: its lines in the order in which requests end.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

use super::Watcher;
use crate::alert::{Alert, Change, Rules};
use crate::budget::{Limit, Standing};
use crate::outcome::{Evidence, Extra, ModelLabel, Operation, Outlook, Profiles};
use crate::pricing::{PriceBook, PriceTable};
use crate::record::{self, Entry};
use crate::routing::Policy;
use crate::session::{Automations, Course, Ingest, Rollouts, SteerRow, Steering, Steps};
use crate::units::{Instant, Span};

/// How long a line may take from the end of its request to here.
const ON_THE_WAY: Span = Span::secs(1);
/// How long a request of the past may have taken without being counted late.
const LONGEST: Span = Span::hours(1);
/// Policies that are remembered: those that decided requests which are still under way.
const POLICIES: usize = 64;
/// Requests whose answers may still be judged: the latest.
const JUDGED: usize = 8192;
/// Names of sessions that are kept before they are forgotten.
const SESSIONS: usize = 65_536;

/// The fold over a log's lines.
#[derive(Debug)]
pub struct AlertFeed {
    watcher: Watcher,
    ingest: Ingest,
    book: PriceBook,
    prices: PriceTable,
    profiles: Profiles,
    policies: Vec<(Instant, Arc<Policy>)>,
    swept: usize,
    last: Instant,
    recent: Recent,
    rollouts: Arc<Mutex<Rollouts>>,
    steering: Steering,
    automations: Arc<Mutex<Automations>>,
}

/// A request whose answers may still be judged.
#[derive(Debug)]
struct Judged {
    operation: Operation,
    labels: Vec<ModelLabel>,
    policy: Arc<Policy>,
}

/// The latest of them, by id.
#[derive(Debug, Default)]
struct Recent {
    known: FxHashMap<Arc<str>, Judged>,
    order: VecDeque<Arc<str>>,
}

impl Recent {
    fn keep(&mut self, id: &str, judged: Judged) {
        let id: Arc<str> = id.into();
        if self.known.insert(Arc::clone(&id), judged).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > JUDGED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

fn outlook<'a>(prices: &'a PriceTable, profiles: &'a Profiles, ingest: &'a Ingest) -> Outlook<'a> {
    Outlook { prices, profiles, circumstances: &ingest.circumstances, weather: None }
}

impl AlertFeed {
    /// Starts with nothing seen.
    pub fn new(
        rules: Arc<Rules>,
        limits: &[Limit],
        (ingest, policy, book): (Ingest, Arc<Policy>, PriceBook),
    ) -> Self {
        let prices = PriceTable::new(&book, &ingest.names);
        Self {
            watcher: Watcher::new(rules, &limits.into(), &ingest.names),
            prices,
            ingest,
            book,
            profiles: Profiles::default(),
            policies: vec![(Instant(i64::MIN), policy)],
            swept: 0,
            last: Instant(i64::MIN),
            recent: Recent::default(),
            rollouts: Arc::default(),
            steering: Steering::new(limits),
            automations: Arc::default(),
        }
    }

    /// Tells these rollouts and automations of all that is over, too.
    #[must_use]
    pub fn telling(self, rollouts: Arc<Mutex<Rollouts>>, automations: Arc<Mutex<Automations>>) -> Self {
        Self { rollouts, automations, ..self }
    }

    fn rolling(rollouts: &Mutex<Rollouts>) -> Option<MutexGuard<'_, Rollouts>> {
        let rollouts = rollouts.lock().unwrap_or_else(PoisonError::into_inner);
        rollouts.are_open().then_some(rollouts)
    }

    /// Takes lines of a past, in the order in which their requests arrived or ended.
    pub fn take_past(&mut self, lines: &str) {
        self.take(lines);
        self.watcher.pass(self.last - LONGEST);
    }

    /// Returns when the last request arrived.
    pub fn last(&self) -> Option<Instant> {
        Some(self.last).filter(|last| last.0 != i64::MIN)
    }

    /// Takes lines.
    pub fn take(&mut self, lines: &str) {
        record::each_line(lines, |_, entry| match entry {
            Ok(Entry::Request(record)) if record.is_beside() => {}
            Ok(Entry::Request(record)) => {
                self.last = self.last.max(record.at);
                let (operation, extra) = self.ingest.take(&record);
                self.prices.extend(&self.book, &self.ingest.names);
                self.watcher.know(&self.ingest.names);
                let evidence = Evidence { operation: &operation, extra: extra.as_ref() };
                let outlook = outlook(&self.prices, &self.profiles, &self.ingest);
                let at = self.policies.partition_point(|(from, _)| *from <= operation.at);
                let policy = at.checked_sub(1).and_then(|at| self.policies.get(at));
                if let Some((_, policy)) = policy.or(self.policies.first()) {
                    self.watcher.take(&evidence, policy, &outlook);
                    self.steering.take(&evidence, policy, (&outlook, &self.ingest.names));
                    self.automations.lock().unwrap_or_else(PoisonError::into_inner).take(
                        &evidence,
                        &outlook,
                        &self.ingest.names,
                    );
                    let rolling = Self::rolling(&self.rollouts);
                    let is_judged = rolling.is_some()
                        || (operation.confidence().is_some() && self.watcher.looks_at_quality());
                    if let Some(mut rollouts) = rolling {
                        rollouts.take(&evidence, policy, &outlook);
                    }
                    if is_judged {
                        let labels = extra.map_or_else(Vec::new, |extra| extra.labels);
                        self.recent
                            .keep(&record.id, Judged { operation, labels, policy: Arc::clone(policy) });
                    }
                }
                let sessions = self.ingest.names.session_count();
                if sessions - self.swept > SESSIONS {
                    self.swept = sessions;
                    self.ingest.names.forget_sessions(|_| false);
                }
            }
            Ok(Entry::Policy(change)) => {
                if let Ok(Some(policy)) = self.ingest.policy(&change) {
                    self.policies.push((change.at, policy));
                    let old = self.policies.len().saturating_sub(POLICIES);
                    self.policies.drain(..old);
                }
            }
            Ok(Entry::Price(change)) => {
                let model = self.ingest.names.intern_model(&change.model);
                self.prices.extend(&self.book, &self.ingest.names);
                self.prices.change(model, change.row.clone());
            }
            Ok(Entry::Note { at, text, .. }) => self.watcher.note(at, &text),
            Ok(Entry::Label(late)) => {
                let label = self.ingest.label(&late.label);
                self.prices.extend(&self.book, &self.ingest.names);
                let Some(judged) = self.recent.known.get_mut(&*late.id) else { return };
                let label = label.about(judged.operation.simulated);
                if judged.labels.iter().any(|known| known.model == label.model) {
                    return;
                }
                judged.labels.push(label);
                let extra = Extra { labels: judged.labels.clone(), ..Extra::default() };
                let evidence = Evidence { operation: &judged.operation, extra: Some(&extra) };
                if judged.operation.confidence().is_some() && self.watcher.looks_at_quality() {
                    self.watcher.judge(late.at, &evidence, &judged.policy, &self.prices);
                }
                if let Some(mut rollouts) = Self::rolling(&self.rollouts) {
                    // What was said before of other models was counted then.
                    let extra = Extra { labels: vec![label], ..Extra::default() };
                    let evidence = Evidence { operation: &judged.operation, extra: Some(&extra) };
                    let outlook = outlook(&self.prices, &self.profiles, &self.ingest);
                    rollouts.judge(&evidence, &judged.policy, &outlook);
                }
            }
            Ok(Entry::Signal(_) | Entry::Correction(_)) | Err(_) => {}
        });
    }

    /// Lets time pass up to a moment by the clock. What is on its way here is waited for.
    pub fn pass(&mut self, now: Instant) -> Vec<Change> {
        self.watcher.pass(now - ON_THE_WAY);
        self.watcher.take_changes()
    }

    /// Takes a past whole, up to its end.
    pub fn finish(&mut self) -> Vec<Change> {
        self.watcher.finish();
        self.watcher.take_changes()
    }

    /// Says how thresholds are to be moved so that windows come out right, and how limits stand that are steered towards;
    /// nothing before it is time to look.
    pub fn steer(
        &mut self,
        now: Instant,
        (courses, busy): (impl FnOnce() -> Vec<(String, Course)>, &[Arc<str>]),
    ) -> Option<(Vec<Steps>, Vec<SteerRow>)> {
        if !self.steering.is_due(now) {
            return None;
        }
        let courses = courses();
        let course = |name: &str| courses.iter().find(|(known, _)| known == name).map(|(_, course)| *course);
        let (_, policy) = self.policies.last()?;
        let outlook = outlook(&self.prices, &self.profiles, &self.ingest);
        let moves = self.steering.look(now, policy, &outlook, (course, busy));
        Some((moves, self.steering.rows()))
    }

    /// Lists what fires.
    pub fn firing(&self) -> Vec<&Alert> {
        self.watcher.firing()
    }

    /// Brings other rules into force.
    pub fn set_rules(&mut self, rules: Arc<Rules>) {
        self.watcher.set_rules(rules);
    }

    /// Brings other limits into force.
    pub fn set_limits(&mut self, limits: &[Limit]) {
        self.watcher.set_limits(limits);
        self.steering.change(limits);
    }

    /// Says whether limits came into force beside it that may have been drawn on before.
    pub fn awaits_past(&self) -> bool {
        self.watcher.has_fresh()
    }

    /// Takes what a gateway says was spent of limits that came into force beside it; `is_all` where nothing more is to come.
    pub fn raise(&mut self, told: &[Standing], is_all: bool) {
        self.watcher.raise(told);
        if is_all {
            self.watcher.settle_fresh();
        }
    }
}
