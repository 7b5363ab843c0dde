//! What a live session knows of prompt caches, and what of a request they look at.
//!
//! Invariant: where no route minds caches nothing is kept of any prompt.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::{Log, learnt, loops_of};
use super::{Arriving, Core, Live, lock};
use crate::outcome::Operation;
use crate::pricing::{Usage, charge};
use crate::prompt_cache::{
    Answered, Prompt, RuleTable, Rules, Standing, Underway, account_number, session_number,
};
use crate::units::Instant;

/// What one model holds at one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WarmModel {
    /// The model.
    pub model: Arc<str>,
    /// The account as a number; 0 where its provider has but one.
    pub account: u32,
    /// Sessions whose last prompt it may still hold.
    pub sessions: u64,
}

impl Live {
    /// Learns how providers' caches work.
    pub fn know_caches(&self, rules: Rules) {
        let core = &mut *lock(&self.core);
        core.decider.caches_mut().rule(RuleTable::new(Arc::new(rules)));
        core.decider.caches_mut().know(&core.names);
    }

    /// Takes in a call that was answered before a restart: its prompt, model, account and tokens.
    pub fn recall(&self, prompt: Prompt, (model, provider): (&str, &str), at: Instant, usage: &Usage) {
        let core = &mut *lock(&self.core);
        let book = self.book();
        let model = core.model(model, &book);
        core.price_new_models(&book);
        let prices = Arc::clone(core.decider.prices());
        let cost = charge(usage, prices.rates(model, at));
        // Where its confidence would have sent it nobody knows any more: to the strongest rung, as far as this says.
        let turn = Underway { prompt, wanted: u8::MAX, account: account_number(provider) };
        let answered = Answered { model: prices.identity(model), at, usage, cost, prices: &prices };
        core.decider.caches_mut().answered(&turn, &answered);
    }

    /// Goes on with what routes had learnt before a restart, as a log of it tells.
    pub fn go_on_learning(&self, log: &Log) {
        let learners = learnt(log);
        let core = &mut *lock(&self.core);
        let book = self.book();
        let (first, last) = (core.next_seq, u64::try_from(log.len()).unwrap_or(u64::MAX));
        let order = |place: u64| first.saturating_sub(last.saturating_sub(place));
        let learners = learners.carried_over(order, |model| core.model(log.names.model(model), &book));
        core.price_new_models(&book);
        core.decider.go_on_with(learners);
    }

    /// Goes on with tool loops as they stood before a restart, as a log of it tells.
    pub fn go_on_in_loops(&self, log: &Log) {
        let loops = loops_of(log);
        let core = &mut *lock(&self.core);
        let book = self.book();
        let loops = loops.carried_over(|model| {
            let model = core.model(log.names.model(model), &book);
            core.names.identity(model)
        });
        core.price_new_models(&book);
        core.decider.go_on_in(loops);
    }

    /// Says whether any route minds caches.
    pub fn minds_caches(&self) -> bool {
        self.minds_caches.load(Ordering::Relaxed)
    }

    /// Lists what models hold at a moment, and counts all beginnings of prompts that are remembered.
    pub fn warm(&self, now: Instant) -> (Vec<WarmModel>, usize) {
        let core = lock(&self.core);
        let caches = core.decider.caches();
        let one = |((model, account), sessions)| WarmModel {
            model: core.names.model(model).into(),
            account,
            sessions,
        };
        (caches.held(now).into_iter().map(one).collect(), caches.beginnings())
    }
}

impl Core {
    /// Returns a request's prompt as caches see it; none where nobody minds them.
    pub(super) fn prompt(&self, arriving: &Arriving<'_>) -> Option<Box<(Prompt, Arc<[u32]>)>> {
        if !self.decider.policy().minds_caches() {
            return None;
        }
        let measures = &arriving.measures;
        let prompt = Prompt {
            session: session_number(&arriving.session, &arriving.user),
            beginnings: Arc::clone(&arriving.beginnings),
            tokens: measures.prompt_tokens?,
            has_past: measures.turn.is_some_and(|turn| turn > 0)
                || measures.history.is_some_and(|said| said > 0),
            tie: arriving.tie,
        };
        Some(Box::new((prompt, Arc::clone(&arriving.blocked))))
    }

    /// Says how its session stands.
    pub(super) fn standing(&self, operation: &Operation, prompt: Option<&(Prompt, Arc<[u32]>)>) -> Standing {
        prompt.map_or(Standing::NONE, |(prompt, blocked)| self.decider.standing(operation, prompt, blocked))
    }
}
