//! What a change of model within a session loses of the prompt cache: tokens that one model throughout would have read from it.
//!
//! Invariant: nothing is lost where traffic caches nothing, and nobody knows where no session is named.

use rustc_hash::FxHashMap;

use crate::outcome::Attempt;
use crate::pricing::PriceTable;
use crate::units::{Instant, ModelId, SessionId, Span};

/// How long a prompt stays cached: five minutes, or an hour where that was paid for.
const SHORT: Span = Span::mins(5);
const LONG: Span = Span::hours(1);

/// What a session's last call left in a cache.
#[derive(Clone, Copy, Debug)]
struct Left {
    model: ModelId,
    at: Instant,
    prompt: u64,
    keeps: Span,
}

/// The caches of all sessions.
#[derive(Clone, Debug, Default)]
pub(super) struct Warm {
    sessions: FxHashMap<SessionId, Left>,
    /// Whether anything was read from a cache, or written to one.
    pub(super) caches: bool,
    /// Requests that name a session.
    pub(super) named: u64,
}

impl Warm {
    /// Takes the call that ended a request; returns the tokens that it had to send anew because the call before it went to
    /// another model.
    pub(super) fn call(
        &mut self,
        session: SessionId,
        at: Instant,
        call: &Attempt,
        prices: &PriceTable,
    ) -> u64 {
        if !session.is_some() {
            return 0;
        }
        self.named += 1;
        let usage = &call.usage;
        let (Some(prompt), model) = (usage.prompt(), prices.identity(call.model)) else { return 0 };
        let uses_cache = usage.cached() > 0;
        self.caches |= uses_cache;
        let before = self.sessions.get(&session).copied();
        let lost = match before {
            Some(left) if left.model != model && at - left.at <= left.keeps => {
                left.prompt.min(prompt).saturating_sub(usage.cache_read.or_zero())
            }
            _ => 0,
        };
        let is_cached = uses_cache || before.is_some_and(|left| left.prompt > 0);
        let keeps = if usage.write_1h.or_zero() > 0 { LONG } else { SHORT };
        let prompt = if is_cached { prompt } else { 0 };
        self.sessions.insert(session, Left { model, at, prompt, keeps });
        lost
    }
}
