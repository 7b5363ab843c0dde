//! Alerts over a log: the same fold live and in replay.
//!
//! Invariants: what is over counts at the moment at which it was over, whatever order it came in; every minute is looked at once, in
//! order; nothing depends on how the fold got to where it is.

mod accounts;
mod expected;
mod feed;
mod incidents;
mod said;
mod shown;
mod sink;
#[cfg(test)]
mod tests;
mod trouble;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::accounts::Accounts;
use self::expected::Expected;
pub use self::feed::AlertFeed;
use self::incidents::Incidents;
use self::said::Said;
pub use self::shown::AlertsView;
use self::sink::{AlertSink, Call, Done};
use self::trouble::Trouble;
pub use self::view::alerts;
pub(super) use self::view::{Alerted, up_to};
use super::anomalies::tell;
use super::proof::Rungs;
use super::spending::Before;
use crate::alert::{Alert, Alerts, Change, Rules, Source};
use crate::budget::{Limit, LimitHistory, Standing};
use crate::outcome::{Attempt, Evidence, Outlook, Settled, recorded};
use crate::pricing::{Cost, PriceTable};
use crate::routing::{Bar, Circumstance, Policy, Short, Step, decide, match_route};
use crate::units::{Instant, ModelId, Names, Pico, Span};

const MINUTE: Span = Span::mins(1);
const HOUR: Span = Span::hours(1);
/// After so long without a request only full hours are looked at: nothing else can change any more.
const IDLE: Span = Span::days(4);
/// After so long every window has turned and every silence is over: up to what comes next there is nothing to look at, be it
/// decades away by a clock that is wrong.
const EMPTY: Span = Span::days(400);

/// The fold.
#[derive(Debug)]
pub struct Watcher {
    sink: AlertSink,
    accounts: Accounts,
    incidents: Incidents,
    trouble: Trouble,
    expected: Expected,
    /// Certificates of quality, where anybody is told of them.
    quality: Rungs,
    /// Rules against runaways that tripped.
    tripped: Vec<String>,
    /// What came and is not counted yet, by when it was over.
    waiting: BTreeMap<(Instant, u64), Done>,
    came: u64,
    /// Up to here everything is counted.
    now: Instant,
    /// The next minute to look at; none before the first request.
    minute: Option<Instant>,
    last: Instant,
    settled: Settled,
    /// Limits that came into force beside the run, and may have been drawn on before.
    fresh: Vec<u16>,
}

impl Watcher {
    /// Starts with nothing seen.
    pub fn new(rules: Arc<Rules>, limits: &LimitHistory, names: &Names) -> Self {
        Self {
            accounts: Accounts::new(&rules, limits, names),
            incidents: Incidents::new(&rules),
            sink: AlertSink { rules, alerts: Alerts::default(), changes: Vec::new() },
            trouble: Trouble::default(),
            expected: Expected::default(),
            quality: Rungs::default(),
            tripped: Vec::new(),
            waiting: BTreeMap::new(),
            came: 0,
            now: Instant(i64::MIN),
            minute: None,
            last: Instant(i64::MIN),
            settled: Settled::default(),
            fresh: Vec::new(),
        }
    }

    /// Takes a request that is over. One whose moment is past is counted now.
    pub fn take(&mut self, evidence: &Evidence<'_>, policy: &Arc<Policy>, outlook: &Outlook<'_>) {
        let route = match_route(policy, &evidence.operation.signals());
        let mut settled = std::mem::take(&mut self.settled);
        recorded(evidence, policy, route, outlook, &mut settled);
        let circumstance = outlook.circumstances.get(evidence.operation.circumstance);
        let (over, mut done) = self.done(evidence, policy, circumstance, (&settled, outlook));
        self.settled = settled;
        if self.looks_at_quality() {
            self.quality.fold(outlook.prices, policy, evidence);
            done.said = self.turns();
        }
        self.put(over, done);
    }

    /// Takes a request as it would have gone.
    pub(super) fn take_tried(
        &mut self,
        evidence: &Evidence<'_>,
        policy: &Policy,
        circumstance: &Circumstance,
        outcome: (&Settled, &Outlook<'_>),
    ) {
        let (over, done) = self.done(evidence, policy, circumstance, outcome);
        self.put(over, done);
    }

    /// Returns what alerts go by of a request that is over, and when it was.
    fn done(
        &mut self,
        evidence: &Evidence<'_>,
        policy: &Policy,
        circumstance: &Circumstance,
        (settled, outlook): (&Settled, &Outlook<'_>),
    ) -> (Instant, Done) {
        let operation = evidence.operation;
        let name = &policy.route(match_route(policy, &operation.signals())).name;
        let mut parts = Vec::new();
        tell(settled, operation.team, operation.project, &mut parts);
        let made = (0..).zip(&settled.attempts).filter(|(_, attempt)| attempt.status.is_call());
        // The first call was foretold, where it was made and answered.
        let foretold = |nth: usize, attempt: &Attempt| match (operation.expected, attempt.cost) {
            (Some(expected), Cost::Known(billed))
                if nth == 0 && attempt.observed && attempt.status.is_ok() =>
            {
                Some((Pico(expected.get().into()), billed))
            }
            _ => None,
        };
        let spending = &mut self.accounts.spending;
        let calls = made.map(|(nth, attempt)| Call {
            expected: foretold(nth, attempt),
            model: attempt.model,
            is_ok: attempt.status.is_ok(),
            unpriced: match attempt.cost {
                Cost::Unknown(why) => Some(why),
                Cost::Known(_) | Cost::Estimated(_) => None,
            },
            payment: spending.call(evidence, name, circumstance, (attempt, outlook)),
        });
        let calls = calls.collect();
        let short = kept_from(evidence, policy, circumstance, outlook.prices).into_iter();
        let short = short.map(|model| spending.draws(evidence, name, (model, outlook))).collect();
        let down = circumstance.down.iter().copied().collect();
        let took = Span::millis(settled.latency.get().unwrap_or(0));
        let done = Done { arrived: operation.at, calls, parts, short, down, said: Vec::new() };
        (operation.at + took, done)
    }

    /// Adds what was spent before the log began.
    pub(super) fn carry(&mut self, before: &[Before]) {
        self.accounts.spending.carry(before);
    }

    /// Takes a note of the log.
    pub fn note(&mut self, at: Instant, text: &str) {
        if let Some(said) = Said::note(text, &mut self.tripped) {
            self.put(at, Done { arrived: at, said: vec![said], ..Done::default() });
        }
    }

    /// Takes a judgement of a request that was taken before.
    pub fn judge(&mut self, at: Instant, evidence: &Evidence<'_>, policy: &Policy, prices: &PriceTable) {
        self.quality.judge(prices, policy, evidence, at);
        let said = self.turns();
        if !said.is_empty() {
            self.put(at, Done { arrived: at, said, ..Done::default() });
        }
    }

    /// Says whether anybody is told of quality.
    pub fn looks_at_quality(&self) -> bool {
        self.sink.rules.of(Source::Quality).next().is_some()
    }

    fn turns(&mut self) -> Vec<Said> {
        self.quality.take_turned().iter().map(Said::turned).collect()
    }

    fn put(&mut self, at: Instant, done: Done) {
        self.waiting.insert((at.max(self.now), self.came), done);
        self.came += 1;
    }

    /// Lets time pass: all that was over before a moment has come.
    pub fn pass(&mut self, to: Instant) {
        loop {
            let over = self.waiting.first_key_value().map(|((at, _), _)| *at);
            match self.minute.filter(|minute| over.is_none_or(|over| *minute <= over)) {
                Some(minute) if minute < to => self.look(minute, over.unwrap_or(to).min(to)),
                None if over.is_some_and(|over| over < to) => self.count(),
                Some(_) | None => break,
            }
        }
        self.now = self.now.max(to);
    }

    /// Counts all that has come, however late it was over.
    pub fn finish(&mut self) {
        if let Some(((last, _), _)) = self.waiting.last_key_value() {
            let last = *last;
            self.pass(last + Span(1));
        }
    }

    fn count(&mut self) {
        let Some(((at, _), done)) = self.waiting.pop_first() else { return };
        self.last = at;
        if self.minute.is_none() {
            self.minute = Some(Instant((at.0.div_euclid(MINUTE.0) + 1) * MINUTE.0));
        }
        self.accounts.count(at, &done, &mut self.sink);
        self.trouble.count(at, &done, &self.accounts.spending.names, &mut self.sink);
        self.expected.count(at, &done, &self.accounts.spending.names, &mut self.sink);
        self.incidents.add(at, &done.parts);
        done.said.iter().for_each(|said| self.sink.hear(said, at));
    }

    /// Looks how things stand at the end of a minute, where something comes next at a moment.
    fn look(&mut self, at: Instant, next: Instant) {
        let over = self.sink.alerts.pass(at);
        self.sink.changes.extend(over);
        self.accounts.look(at, &mut self.sink);
        let names = &self.accounts.spending.names;
        self.trouble.look(at, names, &mut self.sink);
        self.incidents.look(at, names, &mut self.sink);
        let idle = at.0.saturating_sub(self.last.0);
        let step = if idle > IDLE.0 { HOUR } else { MINUTE };
        let mut minute = (at.0.div_euclid(step.0) + 1) * step.0;
        if idle > EMPTY.0 {
            minute = minute.max(next.0.div_euclid(HOUR.0) * HOUR.0);
        }
        self.minute = Some(Instant(minute));
    }

    /// Takes what has changed since this was asked last, in the order in which it happened.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.sink.changes)
    }

    /// Lists what fires.
    pub fn firing(&self) -> Vec<&Alert> {
        self.sink.alerts.firing()
    }

    /// Brings other rules into force; what was told of stands, and what is learnt.
    pub fn set_rules(&mut self, rules: Arc<Rules>) {
        if (rules.slot, rules.knobs) != (self.sink.rules.slot, self.sink.rules.knobs) {
            self.incidents = Incidents::new(&rules);
        }
        self.accounts.set_rules(&rules);
        self.sink.rules = rules;
    }

    /// Brings other limits into force; what was spent stands.
    pub fn set_limits(&mut self, limits: &[Limit]) {
        self.fresh.extend(self.accounts.spending.change(limits));
    }

    /// Has limits that came into force beside a run stand at what was spent of them before, as whoever counts tells it.
    pub(super) fn raise(&mut self, told: &[Standing]) {
        let Self { accounts, waiting, fresh, .. } = self;
        // What is over and not counted yet is in what is told.
        let payments = || waiting.values().flat_map(|done| &done.calls).map(|call| &call.payment);
        let ahead = |draw| {
            let own = payments().filter(|payment| payment.draws.contains(&draw));
            own.map(|payment| payment.cost.amount().unwrap_or_default()).sum::<Pico>()
        };
        for one in told {
            accounts.spending.raise(one, ahead, fresh);
        }
    }

    pub(super) fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// Takes it that all that was spent of limits before they came is told.
    pub(super) fn settle_fresh(&mut self) {
        self.fresh.clear();
    }

    /// Takes names that were met since.
    pub fn know(&mut self, names: &Names) {
        self.accounts.spending.know(names);
    }
}

/// Lists the models that a request was kept from for want of room: it was refused, moved or could not go up to them. That others,
/// which nobody needed, had no room either is nobody's trouble.
fn kept_from(
    evidence: &Evidence<'_>,
    policy: &Policy,
    circumstance: &Circumstance,
    prices: &PriceTable,
) -> Vec<ModelId> {
    if circumstance.over.is_empty() {
        return Vec::new();
    }
    let later = circumstance.over.iter().filter(|(_, short)| *short == Short::Later).map(|(model, _)| *model);
    let decision = decide(policy, &evidence.operation.signals_by(prices), circumstance);
    let goes_on = |step: &Step| matches!(step, Step::PassedOn { .. });
    let is_kept = decision.refused || decision.trail.iter().any(goes_on);
    let ladder = &policy.route(decision.route).ladder;
    let barred = decision.trail.iter().filter(|_| is_kept).find_map(|step| match step {
        Step::Barred { rung, why: Bar::Budget(_) } => {
            Some(ladder.get(usize::from(*rung)).map_or(evidence.operation.asked, |rung| rung.model))
        }
        _ => None,
    });
    later.chain(barred).collect()
}
