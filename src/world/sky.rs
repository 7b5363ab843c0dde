//! A world at work: what it does to each request in its turn, by what went before.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{Models, What, World};
use crate::outcome::{Operation, Settled, Weather};
use crate::pricing::PriceTable;
use crate::routing::Status;
use crate::runaway::{Call, Runaways, Then, Trip, Whose};
use crate::units::{Instant, ModelId, Names, PerMille, SessionId, Span};

/// A change, with the moments and the models that it is about.
#[derive(Clone, Debug)]
struct Rule {
    from: Instant,
    to: Instant,
    /// By identity, in ascending order.
    models: Vec<ModelId>,
    what: What,
    /// The stretch of a quota that is counted, and the calls in it.
    counted: (i64, u32),
}

impl Rule {
    fn is_on(&self, at: Instant) -> bool {
        at >= self.from && at < self.to
    }

    fn is_about(&self, model: ModelId) -> bool {
        self.models.binary_search(&model).is_ok()
    }
}

/// What became of a world, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Calls that failed because of it.
    pub failed_calls: u64,
    /// Requests at whose arrival it kept a model from being called.
    pub barred_requests: u64,
    /// Calls that found cold what had been warm.
    pub cold_calls: u64,
    /// Requests without a session while caches were otherwise: nobody knows what they found.
    pub unknown_sessions: u64,
}

/// A world at work.
#[derive(Clone, Debug, Default)]
pub struct Sky {
    rules: Vec<Rule>,
    seed: u64,
    breaker: super::Breaker,
    /// Failures in a row by model, and until when it is left alone.
    failing: FxHashMap<ModelId, (u32, Instant)>,
    /// When a session last called a model.
    sent: FxHashMap<(SessionId, ModelId), Instant>,
    runaways: Runaways,
    /// What the world does to the request that was taken in last.
    pub weather: Weather,
    /// Every name of a model, with the identity behind it.
    names: Vec<(ModelId, ModelId)>,
    /// The models that cannot be called for it, as the gateway knows, under all their names.
    pub down: Vec<ModelId>,
    /// What became of the world.
    pub seen: Seen,
}

impl Sky {
    /// Lets a world begin at a moment. `is_it` says which models a change is about.
    pub fn new(
        world: &World,
        start: Instant,
        names: &Names,
        prices: &PriceTable,
        is_it: impl Fn(&Models, ModelId) -> bool,
    ) -> Self {
        let all = (0..names.models().len()).filter_map(|index| u16::try_from(index).ok().map(ModelId));
        let all: Vec<ModelId> = all.collect();
        let rule = |change: &super::Change| {
            let (from, to) = change.stretch.within(start);
            let mut models: Vec<_> = all
                .iter()
                .filter(|model| is_it(&change.models, **model))
                .map(|model| prices.identity(*model))
                .collect();
            models.sort_unstable();
            models.dedup();
            Rule { from, to, models, what: change.what.clone(), counted: (i64::MIN, 0) }
        };
        Self {
            rules: world.changes.iter().map(rule).collect(),
            seed: world.seed,
            breaker: world.breaker,
            runaways: Runaways::new(world.rules.iter().cloned()),
            names: all.iter().map(|model| (*model, prices.identity(*model))).collect(),
            ..Self::default()
        }
    }

    /// Says whether anybody is watched.
    pub fn watches(&self) -> bool {
        !self.runaways.is_idle()
    }

    /// Lists the rules that tripped.
    pub fn trips(&self) -> Vec<Arc<Trip>> {
        self.runaways.trips().cloned().collect()
    }

    /// Says whether who sent a request is stopped.
    pub fn is_stopped(&self, whose: Option<&Whose>) -> bool {
        whose.is_some_and(|whose| self.runaways.is_stopped(whose))
    }

    /// Takes a request in, by its place in the order of arrival. Says what holds for who sent it.
    pub fn arrive(&mut self, index: usize, operation: &Operation, whose: Option<&Whose>) -> Then {
        self.look(index, operation);
        self.seen.barred_requests += u64::from(!self.down.is_empty());
        let is_cache_on = |rule: &Rule| rule.is_on(operation.at) && matches!(rule.what, What::Cache(_));
        self.seen.unknown_sessions +=
            u64::from(!operation.session.is_some() && self.rules.iter().any(is_cache_on));
        let Some(whose) = whose else { return Then::Tell };
        let verdict = self.runaways.arrived(whose, Call::unpacked(operation.call), operation.at);
        if verdict.stop.is_some() { Then::Freeze } else { verdict.then.unwrap_or(Then::Tell) }
    }

    /// Finds out what the world does to a request at its moment, which may be asked again: it has not arrived.
    pub fn look(&mut self, index: usize, operation: &Operation) {
        let at = operation.at;
        self.weather.clear();
        self.down.clear();
        self.down.extend(self.failing.iter().filter(|(_, (_, until))| at < *until).map(|(model, _)| *model));
        for rule in self.rules.iter_mut().filter(|rule| rule.is_on(at)) {
            match &rule.what {
                What::Price(_) => self.weather.priced.extend(&rule.models),
                What::Fails(share, status, takes) => {
                    let fails = |model: &&ModelId| drawn(self.seed, index, **model) < share.get();
                    let all = rule.models.iter().filter(fails).map(|model| (*model, *status, *takes));
                    self.weather.fails.extend(all);
                }
                What::Slow(thousandths) => {
                    self.weather.slow.extend(rule.models.iter().map(|model| (*model, *thousandths)));
                }
                What::Quota(calls, every) => {
                    let window = at.0.div_euclid(every.0.max(1));
                    if rule.counted.0 != window {
                        rule.counted = (window, 0);
                    }
                    if rule.counted.1 >= *calls {
                        self.down.extend(&rule.models);
                        let full = rule.models.iter().map(|model| (*model, Status::RateLimited, 0));
                        self.weather.fails.extend(full);
                    }
                }
                What::Cache(lasts) => {
                    let is_cold = |model: &&ModelId| {
                        let last = self.sent.get(&(operation.session, **model));
                        last.is_some_and(|last| at - *last > *lasts)
                    };
                    self.weather.cold.extend(rule.models.iter().filter(is_cold));
                }
            }
        }
        if !self.down.is_empty() {
            let down = std::mem::take(&mut self.down);
            let is_down = |(_, identity): &&(ModelId, ModelId)| down.contains(identity);
            self.down.extend(self.names.iter().filter(is_down).map(|(name, _)| *name));
        }
    }

    /// Takes what became of it: counts against quotas, trips breakers, warms caches.
    pub fn settle(
        &mut self,
        operation: &Operation,
        settled: &Settled,
        whose: Option<&Whose>,
        prices: &PriceTable,
    ) {
        let at = operation.at;
        let caches = self.rules.iter().any(|rule| matches!(rule.what, What::Cache(_)));
        for attempt in settled.attempts.iter().filter(|attempt| attempt.status.is_call()) {
            let model = prices.identity(attempt.model);
            let is_made_to_fail =
                self.weather.fails.iter().any(|(other, ..)| *other == model) && !attempt.status.is_ok();
            self.seen.failed_calls += u64::from(is_made_to_fail);
            self.seen.cold_calls += u64::from(self.weather.cold.contains(&model) && attempt.status.is_ok());
            for rule in self.rules.iter_mut().filter(|rule| rule.is_on(at) && rule.is_about(model)) {
                if matches!(rule.what, What::Quota(..)) {
                    rule.counted.1 = rule.counted.1.saturating_add(1);
                }
            }
            if is_made_to_fail {
                let end = at + Span::millis(attempt.latency.get().unwrap_or(0));
                let (failures, until) = self.failing.entry(model).or_insert((0, Instant(i64::MIN)));
                *failures = failures.saturating_add(1);
                if *failures >= self.breaker.failures {
                    *until = end + self.breaker.cool_down;
                }
            } else if attempt.status.is_ok() {
                self.failing.remove(&model);
            }
            if caches && operation.session.is_some() && attempt.status.is_ok() {
                self.sent.insert((operation.session, model), at);
            }
            if let Some(whose) = whose {
                self.runaways.spent(whose, attempt.cost);
            }
        }
    }
}

/// Draws a number below a thousand for a call, always the same for one seed.
fn drawn(seed: u64, index: usize, model: ModelId) -> u16 {
    let mut mixed = seed.wrapping_add((index as u64) << 16 | u64::from(model.0));
    for factor in [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb_u64] {
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(factor);
    }
    u16::try_from(((mixed >> 32) * u64::from(PerMille::ONE.get())) >> 32).unwrap_or(0)
}
