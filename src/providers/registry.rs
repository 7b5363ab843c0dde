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
use crate::config::providers::{KeySource, ProvidersSpec, SimulatedSpec, Speaks};
use crate::routing::Status;
use crate::telemetry::{BreakerState, ModelHealth, QuotaLeft};
use crate::wire::{Dialect, Form, Known};

/// The most names whose provider is remembered; clients may name any.
const MOST_NAMES: usize = 2048;

/// Every provider, with the state of its models. Cheap to share in an [`Arc`].
pub struct Providers {
    pub(super) all: Vec<Arc<Provider>>,
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
    pub(super) slot: Arc<Slot>,
    known: Arc<Known>,
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
    /// Returns the provider's name.
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

    /// Returns what its parameters are known to be.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// Says whether answers are simulated.
    pub fn simulated(&self) -> bool {
        self.slot.provider.simulated
    }

    /// Returns what the provider speaks, with its differences; made-up answers come in OpenAI's chat.
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
        self.slot.provider.dialect_for(dialect)
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
        let mut providers = Vec::new();
        for provider in &spec.providers {
            let (key, refusal) = fetch(provider.key.as_ref(), spec, &provider.name, keys, &mut warnings);
            let without = provider.key.is_some() && key.is_none();
            let simulated = provider.speaks == Speaks::Simulated || (without && refusal.is_none());
            let built = Provider::new(provider.clone(), key.as_ref(), simulated, refusal, now)?;
            providers.push(Arc::new(built));
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
        let provider = self.all.get(at)?;
        let known = Arc::new(known::known(&self.parameters, &upstream));
        let target = Target { model: model.into(), slot: provider.slot(&upstream, Instant::now()), known };
        let mut targets = self.targets.write().unwrap_or_else(PoisonError::into_inner);
        if targets.len() < MOST_NAMES {
            targets.insert(Arc::clone(&target.model), target.clone());
        }
        Some(target)
    }

    /// Says for how long a model cannot be called, and what stands before it; `None` where it can.
    pub fn blocked(&self, model: &str, now: Instant) -> Option<(Duration, &'static str)> {
        let target = self.target(model)?;
        let state = target.slot.state();
        if let Phase::Open(until) = state.breaker.phase(now) {
            return Some((until.saturating_duration_since(now), "breaker"));
        }
        let until = state.quota.blocked_until.filter(|&until| until > now)?;
        Some((until.saturating_duration_since(now), "quota"))
    }

    /// Asks whether a call of about that many tokens may go out now.
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
        Permit::take(&target.slot, tokens, last_resort, now)
    }

    /// Makes a call and waits for the head of its answer; what that says of quota and health is learned at once.
    pub async fn send(&self, permit: &mut Permit, call: Call) -> Result<Reply, CallError> {
        let slot = Arc::clone(permit.slot());
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
        if failure.begun || !wanted || tries >= retries.attempts || vain {
            return None;
        }
        let state = target.slot.state();
        // A breaker that has just opened means that others fail too: escalate.
        if state.breaker.phase(now) != Phase::Closed {
            return None;
        }
        let blocked = state.quota.blocked_until.map(|until| until.saturating_duration_since(now));
        drop(state);
        let draw = wait::draw(self.seed, self.draws.fetch_add(1, Ordering::Relaxed));
        let grown = wait::backoff(retries.base, retries.max_wait, tries, draw);
        let asked = failure.retry_after.max(blocked).unwrap_or_default();
        let wait = if asked.is_zero() { grown } else { asked };
        (wait <= retries.max_wait).then_some(wait)
    }

    /// Returns the health of every model that was asked for so far, by provider and name.
    pub fn health(&self, now: Instant) -> Vec<ModelHealth> {
        let mut health: Vec<ModelHealth> =
            self.all.iter().flat_map(|provider| provider.slots()).map(|slot| of(&slot, now)).collect();
        health.sort_by(|a, b| (&a.provider, &a.model).cmp(&(&b.provider, &b.model)));
        health
    }

    /// Makes the clients of every provider that has a key, so that the first call need not.
    pub fn warm(&self) -> Result<(), CallError> {
        let real = self.all.iter().filter(|provider| !provider.simulated && provider.refusal.is_none());
        for provider in real {
            provider.client()?;
        }
        Ok(())
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

fn of(slot: &Slot, now: Instant) -> ModelHealth {
    let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let state = slot.state();
    let left = |left: Option<quota::Left>| {
        left.map(|left| QuotaLeft {
            remaining: left.available(now),
            limit: left.limit,
            resets_ms: millis(left.resets_in(now)),
        })
    };
    ModelHealth {
        provider: slot.provider.name.to_string(),
        model: slot.upstream.to_string(),
        simulated: slot.provider.simulated,
        breaker: match state.breaker.phase(now) {
            Phase::Closed => BreakerState::Closed,
            Phase::HalfOpen => BreakerState::HalfOpen,
            Phase::Open(until) => BreakerState::Open { for_ms: millis(until.saturating_duration_since(now)) },
        },
        blocked_ms: state.quota.blocked_until.map_or(0, |until| millis(until.saturating_duration_since(now))),
        requests: left(state.quota.requests),
        tokens: left(state.quota.tokens),
        in_flight: state.in_flight,
        last_error: state
            .last_error
            .as_ref()
            .map(|(text, at)| (text.clone(), millis(now.saturating_duration_since(*at)))),
    }
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.all.iter().map(|provider| &*provider.name).collect();
        f.debug_struct("Providers").field("providers", &names).finish_non_exhaustive()
    }
}
