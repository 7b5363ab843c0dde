//! Leave to make one call, from the question whether it may go out to the account of how it ended.
//!
//! Invariant: whatever happens to a permit, the place it took is freed exactly once; dropped, it says that nothing is
//! known of the model's health.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::breaker::Verdict;
use super::error::{Cause, Refused, safe};
use super::limit::TOKENS;
use super::provider::Slot;
use super::reply::Reply;
use crate::config::providers::Speaks;
use crate::routing::Status;

/// Leave to make one call.
#[derive(Debug)]
pub struct Permit {
    pub(super) slot: Arc<Slot>,
    probe: bool,
    reserved: u64,
    /// The HTTP status that came, and how long the provider asked to wait.
    answer: Option<(u16, Option<Duration>)>,
    /// Until when its provider had closed the model before it refused this call.
    stood: Option<Instant>,
    settled: bool,
}

/// How a call ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// The tokens that it used, prompt and answer, where they are known.
    pub tokens: Option<u64>,
    /// What went wrong, for people.
    pub error: Option<String>,
}

impl Permit {
    pub(super) fn take(
        slot: &Arc<Slot>,
        tokens: u64,
        last_resort: bool,
        now: Instant,
    ) -> Result<Self, Refused> {
        let provider = &slot.provider;
        let refuse = |cause, why: String, retry_after| Err(Refused { cause, why, retry_after });
        if let Some(why) = &provider.refusal {
            return refuse(Cause::NoKey, why.clone(), None);
        }
        let who = || format!("{} at {}", slot.upstream, provider.name);
        let mut state = slot.state();
        let probe = match state.breaker.may(last_resort, now) {
            Ok(probe) => probe,
            Err(until) => {
                let wait = until.map(|until| until.saturating_duration_since(now));
                let last = state.last_error.as_ref().map_or(String::new(), |text| format!("; last: {text}"));
                let when =
                    wait.map_or("while one call tries it".to_owned(), |wait| format!("for {}", short(wait)));
                let why = format!("{} failed too often and is left alone {when}{last}", who());
                return refuse(Cause::Breaker, why, wait);
            }
        };
        if let Err((what, wait)) = state.quota.may(tokens, last_resort, now) {
            return refuse(Cause::Quota, format!("{} {what}: {}", who(), short(wait)), Some(wait));
        }
        if let Err((what, wait)) = slot.limiter.take(tokens, now) {
            // Nobody else is asked instead: it comes again when it is told to.
            if let Some(wait) = wait.filter(|_| last_resort && what == TOKENS) {
                slot.limiter.awaits(tokens, wait);
            }
            return refuse(Cause::Limit, format!("limits.{what} of {} is reached", provider.name), wait);
        }
        state.breaker.take(probe);
        state.quota.take(tokens, now);
        (state.in_flight, state.sent) = (state.in_flight.saturating_add(1), state.sent.saturating_add(1));
        drop(state);
        Ok(Self {
            slot: Arc::clone(slot),
            probe,
            reserved: tokens,
            answer: None,
            stood: None,
            settled: false,
        })
    }

    /// Learns from the head of an answer what is left of the quota, and whether the provider asks to wait.
    pub(super) fn answered(&mut self, reply: &Reply, now: Instant) {
        self.answer = Some((reply.status, reply.retry_after));
        let mut state = self.slot.state();
        let anthropic = self.slot.provider.spec.speaks == Speaks::Anthropic;
        state.quota.learn(&reply.headers, anthropic, now, super::wait::wall);
        match reply.status {
            429 => {
                self.stood = state.quota.blocked_until;
                state.quota.refused(reply.retry_after, now);
            }
            200..400 => {
                state.quota.served();
                if std::mem::take(&mut self.probe) {
                    // The probe is answered; others need not wait until its last word has come.
                    state.breaker.ended(true, Verdict::Well, now);
                }
            }
            _ => {}
        }
    }

    /// Hears from the body of a refusal for quota how long to wait, where the head did not say so, or that it is one at all.
    /// Returns how long no call goes to this model.
    pub fn refused(&mut self, wait: Option<Duration>, now: Instant) -> Duration {
        let mut state = self.slot.state();
        if !matches!(self.answer, Some((429, _))) {
            self.stood = state.quota.blocked_until;
            state.quota.refused(wait, now);
        } else if let Some(wait) = wait {
            state.quota.block(wait, false, now);
        }
        state.quota.closed_until(now).map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// Hears that the refusal was about this request alone: others need not wait.
    pub fn forgive(&mut self) {
        self.slot.state().quota.forgive(self.stood);
    }

    /// Hears that the account's key is refused: no call goes to it for a while.
    pub fn distrust(&mut self, now: Instant) {
        self.slot.state().breaker.open(false, None, now);
    }

    pub(super) fn settle(mut self, outcome: &Outcome, now: Instant) {
        let (http, wait) = self.answer.unwrap_or((0, None));
        let verdict = match (outcome.status, http) {
            // A key that is refused serves nobody; a 403 that is one of the key's is told as a failure.
            (Status::Rejected, 401) => Verdict::Ill(None),
            // A conversation that is being spoken in, a client's own server that is away: nothing of the model.
            (_, 408 | 409 | 424) => Verdict::Unknown,
            // The provider answers, even if with a no.
            (Status::Ok | Status::Rejected | Status::Unfit, _) => Verdict::Well,
            (Status::ServerError | Status::Timeout | Status::Failed, _) => Verdict::Ill(wait),
            // A refusal for quota is the quota's affair; a client that went away says nothing.
            _ => Verdict::Unknown,
        };
        let error = outcome.error.as_deref().filter(|_| !outcome.status.is_ok());
        let error = error.map(|error| safe(&self.slot.provider.redact(error)));
        self.close(verdict, outcome.tokens, error, now);
    }

    fn close(&mut self, verdict: Verdict, tokens: Option<u64>, error: Option<String>, now: Instant) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        let mut state = self.slot.state();
        state.breaker.ended(self.probe, verdict, now);
        state.in_flight = state.in_flight.saturating_sub(1);
        if let Some(error) = error {
            state.last_error = Some(error);
        }
        drop(state);
        self.slot.limiter.give_back(self.reserved, tokens);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.settled {
            self.close(Verdict::Unknown, None, None, Instant::now());
        }
    }
}

/// Writes a wait for people.
fn short(wait: Duration) -> String {
    if wait < Duration::from_secs(1) {
        format!("{} ms", wait.as_millis())
    } else {
        format!("{} s", wait.as_millis().div_ceil(1000))
    }
}
