//! Every provider, and who serves a model: permission, the call, and what became of it.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use secrecy::SecretString;

use super::breaker::Phase;
use super::call::Call;
use super::error::{CallError, ProviderError, Refused};
use super::names::Models;
use super::permit::{Outcome, Permit};
use super::provider::{Provider, Slot};
use super::reply::Reply;
use super::secret::{FoundKey, KeyError};
use super::{http, known, quota, simulated, wait};
use crate::config::parameters::Parameters;
use crate::config::providers::{AccountSpec, Drain, KeySource, ProvidersSpec, SimulatedSpec, Speaks};
use crate::prompt_cache::account_number;
use crate::routing::Status;
use crate::telemetry::{Breaker, Headroom, ModelHealth, QuotaWindow};
use crate::units::{self, Span};
use crate::wire::{Dialect, Form, Known};

/// The most names whose provider is remembered; clients may name any.
const MOST_NAMES: usize = 2048;

/// Every provider, with the state of its models. Cheap to share in an [`Arc`].
pub struct Providers {
    /// Each with its first account.
    pub(super) all: Vec<Arc<Provider>>,
    /// The other accounts of each.
    pub(super) others: Vec<Vec<Arc<Provider>>>,
    pub(super) models: Models,
    simulated: SimulatedSpec,
    parameters: Parameters,
    targets: RwLock<FxHashMap<Arc<str>, Target>>,
    warnings: Vec<String>,
    seed: u64,
    draws: AtomicU64,
}

/// Who serves a model.
#[derive(Clone, Debug)]
pub struct Target {
    model: Arc<str>,
    /// The model at its provider; where that has several accounts, at the first or the one that was chosen.
    pub(super) slot: Arc<Slot>,
    /// The same at the other accounts.
    others: Arc<[Arc<Slot>]>,
    /// The same model at the provider that is asked while this one cannot be called.
    fallback: Option<Arc<Target>>,
    known: Arc<Known>,
    /// The account that is asked first, as a number; 0 for none.
    prefers: u32,
}

/// How a try failed, for [`Providers::retry`].
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    /// How it ended.
    pub status: Status,
    /// Whether a part of an answer had come; then there is no second try.
    pub begun: bool,
    /// How long the provider asks to wait.
    pub retry_after: Option<Duration>,
    /// What the provider says of trying again.
    pub should_retry: Option<bool>,
}

impl Target {
    /// Returns the same at the account that a permit was given for.
    #[must_use]
    pub fn at_account(&self, permit: &Permit) -> Self {
        let slot = &permit.slot;
        if self.others.is_empty() || Arc::ptr_eq(slot, &self.slot) {
            return self.clone();
        }
        let others = self.slots().filter(|other| !Arc::ptr_eq(other, slot)).cloned().collect();
        Self { slot: Arc::clone(slot), others, ..self.clone() }
    }

    /// Says whether its provider has other accounts.
    pub fn has_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// Returns the same, to be called at an account before all others where that can be called: the one whose cache is warm.
    #[must_use]
    pub fn preferring(&self, account: u32) -> Self {
        Self { prefers: account, ..self.clone() }
    }

    /// Says for how long it cannot be called at any of its accounts, and what stands before it.
    fn blocked(&self, now: Instant) -> Option<(Duration, &'static str)> {
        let mut soonest = None;
        for slot in self.slots() {
            let (wait, why) = blocked(slot, now)?;
            soonest =
                Some(soonest.map_or((wait, why), |least: (Duration, &'static str)| least.min((wait, why))));
        }
        soonest
    }

    /// Returns how long a request waits for it where nobody else can be asked.
    pub fn patience(&self) -> Duration {
        self.slot.provider.spec.patience
    }

    /// Lists it at each of its accounts.
    fn slots(&self) -> impl Iterator<Item = &Arc<Slot>> {
        std::iter::once(&self.slot).chain(self.others.iter())
    }

    /// Returns the provider's name, with that of the account where it has several.
    pub fn provider(&self) -> &Arc<str> {
        &self.slot.provider.name
    }

    /// Returns the model's name as it was asked for.
    pub fn model(&self) -> &Arc<str> {
        &self.model
    }

    /// Returns the model's name as the provider knows it.
    pub fn upstream(&self) -> &Arc<str> {
        &self.slot.upstream
    }

    /// Returns the name that tells what it is: the provider's, or where that says nothing, the one under which it is served.
    pub fn known_as(&self) -> &str {
        self.known.name.as_deref().unwrap_or(self.upstream())
    }

    /// Returns what its parameters are known to be.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// Says whether answers are simulated.
    pub fn simulated(&self) -> bool {
        self.slot.provider.simulated
    }

    /// Returns what the provider speaks, with its differences; synthetic answers come in OpenAI's chat.
    pub fn speaks(&self) -> Speaks {
        if self.simulated() { Speaks::Simulated } else { self.slot.provider.spec.speaks }
    }

    /// Returns the meter of the place where it runs, where that is said: `region:eu`.
    pub fn place(&self) -> Option<&Arc<str>> {
        self.slot.place.as_ref()
    }

    /// Returns the form in which messages travel to it.
    pub fn form(&self) -> Form {
        self.slot.provider.form()
    }

    /// Takes the provider's key out of a text that it sent, should it have repeated it there.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.slot.provider.redact(text)
    }

    /// Takes the provider's address out of a text that a client gets.
    pub fn conceal<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.slot.provider.conceal(text)
    }

    /// Returns the dialect in which a client's request of `dialect` is to be put; `None` where it cannot be.
    pub fn dialect_for(&self, dialect: Dialect) -> Option<Dialect> {
        let provider = &self.slot.provider;
        let is_elsewhere = provider.spec.responses && !provider.simulated && self.known().responses_alone;
        provider.dialect_for(dialect).filter(|found| !is_elsewhere || *found != Dialect::OpenAiChat)
    }
}

impl Providers {
    /// Sets the providers up; `keys` fetches their keys ([`super::from_system`], or a test's own).
    pub fn build(
        spec: &ProvidersSpec,
        keys: &dyn Fn(&KeySource) -> Result<FoundKey, KeyError>,
        now: Instant,
    ) -> Result<Self, ProviderError> {
        let mut warnings = Vec::new();
        let (mut providers, mut others) = (Vec::new(), Vec::new());
        for provider in &spec.providers {
            let mut build = |account: Option<&AccountSpec>| {
                let mut provider = provider.clone();
                if let Some(account) = account {
                    provider.key = Some(account.key.clone());
                    provider.base_url = account.base_url.clone().unwrap_or(provider.base_url);
                }
                let name = account.map(|account| account.name.as_str());
                let who =
                    name.map_or_else(|| provider.name.clone(), |name| format!("{}/{name}", provider.name));
                let (key, refusal) = fetch(provider.key.as_ref(), spec, &who, keys, &mut warnings);
                let without = provider.key.is_some() && key.is_none();
                let simulated = provider.speaks == Speaks::Simulated || (without && refusal.is_none());
                if without && account.is_some() {
                    warnings.push(format!("{who}: no key, so this account is not called"));
                }
                Provider::new(provider, name, key.as_ref(), simulated, refusal, now).map(Arc::new)
            };
            let each: Vec<Option<&AccountSpec>> = match provider.accounts.as_slice() {
                [] => vec![None],
                accounts => accounts.iter().map(Some).collect(),
            };
            let built = each.into_iter().map(&mut build).collect::<Result<Vec<_>, _>>()?;
            // Where one has a key, nothing is simulated or refused for the others.
            let has_key = |account: &Arc<Provider>| !account.simulated && account.refusal.is_none();
            let keyed: Vec<Arc<Provider>> =
                built.iter().filter(|account| has_key(account)).cloned().collect();
            let mut usable = if keyed.is_empty() { built } else { keyed }.into_iter();
            providers.extend(usable.next());
            others.push(usable.collect());
        }
        let mut seed = [0; 8];
        // Without it the waits of two programs may fall together; that is all.
        let _ = getrandom::fill(&mut seed);
        Ok(Self {
            models: Models::new(&spec.providers),
            simulated: spec.simulated,
            parameters: spec.parameters.clone(),
            targets: RwLock::default(),
            seed: u64::from_le_bytes(seed),
            draws: AtomicU64::new(0),
            warnings,
            all: providers,
            others,
        })
    }

    /// Draws waits from this seed instead of the system's randomness.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Returns what is not as it should be with keys and their places, for people.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Finds who serves a model. Names that a policy uses should be looked up first: they then keep a state of their own
    /// however many others clients name.
    pub fn target(&self, model: &str) -> Option<Target> {
        if let Some(target) = self.targets.read().unwrap_or_else(PoisonError::into_inner).get(model) {
            return Some(target.clone());
        }
        if model.len() > 256 {
            return None;
        }
        let (at, upstream) = self.models.find(model)?;
        let name: Arc<str> = model.into();
        let mut target = self.target_at(&name, at, &upstream)?;
        if let Some(fallback) = &target.slot.provider.spec.fallback {
            let at = self.all.iter().position(|provider| provider.spec.name == *fallback);
            let found = at.and_then(|at| Some((at, self.all.get(at)?.calls(model)?.to_owned())));
            let other = found.and_then(|(at, upstream)| self.target_at(&name, at, &upstream));
            target.fallback = other.map(Arc::new);
        }
        let mut targets = self.targets.write().unwrap_or_else(PoisonError::into_inner);
        if targets.len() < MOST_NAMES {
            targets.insert(Arc::clone(&target.model), target.clone());
        }
        Some(target)
    }

    fn target_at(&self, model: &Arc<str>, at: usize, upstream: &str) -> Option<Target> {
        let slot = |provider: &Arc<Provider>| provider.slot(upstream, Instant::now());
        Some(Target {
            model: Arc::clone(model),
            slot: slot(self.all.get(at)?),
            others: self.others.get(at).into_iter().flatten().map(slot).collect(),
            known: Arc::new(known::known(&self.parameters, &self.all.get(at)?.spec, upstream, model)),
            fallback: None,
            prefers: 0,
        })
    }

    /// Finds who is to be called for a model now, with so many tokens: another provider of it where the first cannot be called, or has
    /// no place within the operator's own limits.
    pub fn target_now(&self, model: &str, tokens: u64, now: Instant) -> Option<Target> {
        let target = self.target(model)?;
        let is_full = || target.slots().all(|slot| slot.limiter.is_full(tokens, now));
        match &target.fallback {
            Some(other) if (target.blocked(now).is_some() || is_full()) && other.blocked(now).is_none() => {
                Some(other.as_ref().clone())
            }
            _ => Some(target),
        }
    }

    /// Says for how long a model cannot be called by anybody, and what stands before it; `None` where it can.
    pub fn blocked(&self, model: &str, now: Instant) -> Option<(Duration, &'static str)> {
        let target = self.target(model)?;
        let own = target.blocked(now)?;
        match &target.fallback {
            Some(other) => other.blocked(now).map(|other| own.min(other)),
            None => Some(own),
        }
    }

    /// Asks whether a call of about that many tokens may go out now; where a provider has several accounts, at one of them.
    ///
    /// As a last resort, when every other rung is out, an open breaker lets one call through before its time, and an
    /// estimate of the quota does not count. What the provider itself asked for, and the operator's limits, always hold.
    pub fn permit(
        &self,
        target: &Target,
        tokens: u64,
        last_resort: bool,
        now: Instant,
    ) -> Result<Permit, Refused> {
        if target.others.is_empty() {
            return Permit::take(&target.slot, tokens, last_resort, now);
        }
        let mut slots: Vec<&Arc<Slot>> = target.slots().collect();
        if target.slot.provider.spec.drain == Drain::Balanced {
            // Within a twentieth they are alike; then the one with the fewest calls.
            slots.sort_by_cached_key(|slot| {
                let state = slot.state();
                (state.quota.used(now) / 50, state.sent)
            });
        }
        if target.prefers != 0 {
            slots.sort_by_key(|slot| account_number(&slot.provider.name) != target.prefers);
        }
        let mut refused: Option<Refused> = None;
        for is_last in [false, true] {
            for slot in slots.iter().filter(|_| last_resort || !is_last) {
                match Permit::take(slot, tokens, is_last, now) {
                    Ok(permit) => return Ok(permit),
                    Err(refusal) => {
                        let wait = |refusal: &Refused| refusal.retry_after.unwrap_or(Duration::MAX);
                        let is_sooner = refused.as_ref().is_none_or(|other| wait(&refusal) < wait(other));
                        refused = if is_sooner { Some(refusal) } else { refused };
                    }
                }
            }
        }
        refused.map_or_else(|| Permit::take(&target.slot, tokens, last_resort, now), Err)
    }

    /// Makes a call and waits for the head of its answer; what that says of quota and health is learned at once.
    pub async fn send(&self, permit: &mut Permit, call: Call) -> Result<Reply, CallError> {
        let slot = Arc::clone(&permit.slot);
        let reply = if slot.provider.simulated {
            simulated::call(&slot, &self.simulated, call).await?
        } else {
            http::call(&slot, call).await?
        };
        permit.answered(&reply, Instant::now());
        Ok(reply)
    }

    /// Hears how a call ended. A permit that is dropped without a report says that the client went away.
    pub fn report(&self, permit: Permit, outcome: &Outcome, now: Instant) {
        permit.settle(outcome, now);
    }

    /// Says whether, and after what wait, the same model should be asked again.
    ///
    /// `tries` counts the calls to this model so far, the failed one included. How many an operation may make in all, over
    /// every rung, is the caller's to bound.
    pub fn retry(&self, target: &Target, tries: u32, failure: &Failure, now: Instant) -> Option<Duration> {
        let retries = target.slot.provider.spec.retries;
        let wanted = failure.should_retry.unwrap_or_else(|| failure.status.is_retryable());
        let vain = matches!(failure.status, Status::Cancelled | Status::Unfit);
        if failure.begun || vain {
            return None;
        }
        // Another account, or another provider, may have room where this one has none; each is asked at most once for that.
        let is_here = |slot: &&Arc<Slot>| Arc::ptr_eq(slot, &target.slot);
        let accounts = u32::try_from(target.others.len()).unwrap_or(u32::MAX);
        let is_elsewhere = || {
            let other = target.fallback.as_ref().filter(|_| target.blocked(now).is_some());
            target.slots().filter(|slot| !is_here(slot)).any(|slot| blocked(slot, now).is_none())
                || other.is_some_and(|other| other.blocked(now).is_none())
        };
        let most = retries.attempts.saturating_add(accounts).saturating_add(target.fallback.is_some().into());
        if tries < most && blocked(&target.slot, now).is_some() && is_elsewhere() {
            return Some(Duration::ZERO);
        }
        if !wanted || tries >= retries.attempts {
            return None;
        }
        let state = target.slot.state();
        // A breaker that has just opened means that others fail too: escalate.
        if state.breaker.phase(now) != Phase::Closed {
            return None;
        }
        let blocked = state.quota.closed_until(now).map(|until| until.saturating_duration_since(now));
        drop(state);
        let draw = wait::draw(self.seed, self.draws.fetch_add(1, Ordering::Relaxed));
        let grown = wait::backoff(retries.base, retries.max_wait, tries, draw);
        let asked = failure.retry_after.max(blocked).unwrap_or_default();
        let wait = if asked.is_zero() { grown } else { asked };
        (wait <= retries.max_wait).then_some(wait)
    }

    /// Lists the providers, each of their accounts for itself.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.all.iter().chain(self.others.iter().flatten())
    }

    /// Lists the accounts, as numbers, at which a model cannot be called now; of providers that have several.
    pub fn blocked_accounts(&self, now: Instant) -> Vec<u32> {
        let several = self.all.iter().zip(&self.others).filter(|(_, others)| !others.is_empty());
        let accounts = several.flat_map(|(first, others)| std::iter::once(first).chain(others));
        let is_blocked =
            |account: &&Arc<Provider>| account.slots().iter().any(|slot| blocked(slot, now).is_some());
        accounts.filter(is_blocked).map(|account| account_number(&account.name)).collect()
    }

    /// Returns the health of every model that was asked for so far, by provider and name, at a moment of which the date is told.
    pub fn health(&self, now: Instant, date: units::Instant) -> Vec<ModelHealth> {
        let slots = self.accounts().flat_map(|provider| provider.slots());
        let mut health: Vec<ModelHealth> = slots.map(|slot| of(&slot, now, date)).collect();
        crate::units::sort_by(&mut health, |a, b| (&a.provider, &a.model).cmp(&(&b.provider, &b.model)));
        health
    }

    /// Says whether any provider is a real one that may be called.
    pub fn has_real(&self) -> bool {
        self.accounts().any(|provider| !provider.simulated && provider.refusal.is_none())
    }
}

/// Fetches a provider's key; without one, gives why no call may be made, unless answers may be simulated.
fn fetch(
    source: Option<&KeySource>,
    spec: &ProvidersSpec,
    name: &str,
    keys: &dyn Fn(&KeySource) -> Result<FoundKey, KeyError>,
    warnings: &mut Vec<String>,
) -> (Option<SecretString>, Option<String>) {
    let Some(source) = source else { return (None, None) };
    match keys(source) {
        Ok(found) => {
            warnings.extend(found.warning.map(|warning| format!("{name}: {warning}")));
            (Some(found.key), None)
        }
        Err(error) if spec.simulated.without_key => {
            // An environment variable that is not set is the usual way to have no key.
            if !matches!(error, KeyError::Unset(_)) {
                warnings.push(format!("{name}: no key ({error}); its models are SIMULATED"));
            }
            (None, None)
        }
        Err(error) => (None, Some(format!("{name} has no key: {error}"))),
    }
}

/// Says for how long a model cannot be called at one account, and what stands before it.
fn blocked(slot: &Slot, now: Instant) -> Option<(Duration, &'static str)> {
    let state = slot.state();
    if let Phase::Open(until) = state.breaker.phase(now) {
        return Some((until.saturating_duration_since(now), "breaker"));
    }
    let until = state.quota.closed_until(now)?;
    Some((until.saturating_duration_since(now), "quota"))
}

fn of(slot: &Slot, now: Instant, date: units::Instant) -> ModelHealth {
    let after = |span: Duration| {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        date + Span(millis.saturating_mul(1000).min(i64::MAX / 4))
    };
    let at = |moment: Instant| after(moment.saturating_duration_since(now));
    let state = slot.state();
    let quota = &state.quota;
    let left = |left: Option<quota::Left>| {
        left.map(|left| Headroom { left: left.available(now), limit: Some(left.limit) })
    };
    ModelHealth {
        provider: slot.provider.name.to_string(),
        model: slot.upstream.to_string(),
        breaker: match state.breaker.phase(now) {
            Phase::Closed => Breaker::Closed,
            Phase::HalfOpen => Breaker::HalfOpen,
            Phase::Open(until) => Breaker::Open { until: at(until) },
        },
        blocked: quota.closed_until(now).map(at).filter(|&until| until > date),
        windows: quota
            .windows
            .open(now)
            .map(|window| QuotaWindow {
                name: window.name.clone(),
                used: window.used,
                resets: at(window.resets_at),
                is_closed: window.is_closed,
            })
            .collect(),
        requests: left(quota.requests),
        tokens: left(quota.tokens),
        resets: [quota.tokens, quota.requests]
            .into_iter()
            .flatten()
            .map(|left| after(left.resets_in(now)))
            .max(),
        in_flight: u64::from(state.in_flight),
        warm_sessions: None,
        last_error: state.last_error.clone().unwrap_or_default(),
        simulated: slot.provider.simulated,
    }
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.all.iter().map(|provider| &*provider.name).collect();
        f.debug_struct("Providers").field("providers", &names).finish_non_exhaustive()
    }
}
