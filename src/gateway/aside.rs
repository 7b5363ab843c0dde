//! A call beside the traffic: made like any other, on the books like any other, and no part of any figure of the users.
//!
//! Invariant: whatever becomes of it, it has one account in ledger and log.

use std::sync::Arc;

use super::operation::ended_entry;
use super::single::Ready;
use super::{Gateway, now};
use crate::config::gateway::Durability;
use crate::ledger::{AttemptEnded, AttemptStarted, Closed, Entry, Opened};
use crate::outcome::SIMULATED;
use crate::pricing::{Cost, Terms};
use crate::providers::Target;
use crate::record::WriteTtl;
use crate::routing::{AtMost, Parameters};
use crate::session::{Aside, Called};
use crate::units::{Count, Pico, SHADOW, Span};
use crate::wire::Ask;

/// What is called beside the traffic, and for which request.
pub(super) struct Asked<'a> {
    pub(super) ask: &'a Ask,
    pub(super) model: &'a Arc<str>,
    /// What is written into it.
    pub(super) with: Parameters,
    pub(super) route: &'a Arc<str>,
    /// The request that it is about.
    pub(super) of: &'a Arc<str>,
    /// What it is for.
    pub(super) why: &'static str,
    /// How log and ledger say that, where they tell it apart.
    pub(super) word: Option<&'static str>,
    /// The most tokens that it can come to, which a restart is to know of one whose cost nobody told.
    pub(super) at_most: AtMost,
}

impl Asked<'_> {
    fn words(&self) -> Vec<Arc<str>> {
        self.word.map(Arc::from).into_iter().chain([self.at_most.word().into()]).collect()
    }
}

/// Bounds a call by the tokens of its prompt and of its answer.
pub(super) fn at_most(prompt: u64, output: u32) -> AtMost {
    AtMost { prompt: u32::try_from(prompt).unwrap_or(u32::MAX), output, ..AtMost::default() }
}

/// What came of it.
pub(super) struct Came {
    /// The text of the answer, where there was one.
    pub(super) text: Result<String, String>,
    pub(super) cost: Cost,
    pub(super) output: Option<u64>,
}

impl Came {
    fn nothing(why: String) -> Self {
        Self { text: Err(why), cost: Cost::Known(Pico::ZERO), output: None }
    }
}

/// Makes the call.
pub(super) async fn call(gateway: &Arc<Gateway>, asked: Asked<'_>) -> Came {
    let whose = (&*gateway.providers, &gateway.settings);
    let ready = match Ready::new(whose, asked.ask, asked.model, &asked.with) {
        Ok(ready) => ready,
        Err(stands) => return Came::nothing(stands.why),
    };
    let (aside, id) = (gateway.live.beside(now()), gateway.next_id());
    opened(gateway, &asked, &ready.target, (&aside, &id));
    if gateway.settings.ledger.durability == Durability::Strict {
        let _ = gateway.ledger.commit().await;
    }
    let mut held = gateway.budget.hold();
    let book = gateway.live.book();
    let made = ready.make(whose, &book, |size| held.follow(size));
    let (called, text) = made.await;
    gateway.look_at(asked.model, called.status);
    let output = called.usage.output.get();
    let cost = ended(gateway, &asked, called, (&aside, &id));
    Came { text, cost, output }
}

/// Tells the ledger that it begins.
fn opened(gateway: &Gateway, asked: &Asked<'_>, target: &Target, (aside, id): (&Aside, &Arc<str>)) {
    let ask = asked.ask;
    gateway.ledger.record_quietly(Entry::Opened(Box::new(Opened {
        seq: aside.seq,
        id: Arc::clone(id),
        at: aside.at,
        key: SHADOW.into(),
        session: Arc::clone(asked.of),
        asked: Arc::clone(asked.model),
        pinned: true,
        classified: "none".into(),
        prompt_bytes: ask.body().len() as u64,
        route: Arc::clone(asked.route),
        policy_version: aside.policy,
        reason: format!("{} of {}", asked.why, asked.of).into(),
        down: asked.words(),
        simulated: if target.simulated() { SIMULATED.into() } else { "".into() },
        ..Opened::default()
    })));
    gateway.ledger.record_quietly(Entry::AttemptStarted(Box::new(AttemptStarted {
        seq: aside.seq,
        n: 0,
        at: aside.at,
        asked: Arc::clone(asked.model),
        model: Arc::clone(asked.model),
        provider: Arc::clone(target.provider()),
        rung: None,
        effort: None,
        prompt_tokens: Count::from_option(Some(ask.measures().estimated_prompt_tokens)).unwrap_or_default(),
        price: gateway.prices.at(&gateway.live.book(), asked.model, aside.at),
        terms: Terms::NONE,
    })));
}

/// Tells ledger and readers that it is over; returns what it cost.
fn ended(gateway: &Gateway, asked: &Asked<'_>, called: Called, (aside, id): (&Aside, &Arc<str>)) -> Cost {
    let latency = i64::from(called.latency_ms.unwrap_or(0));
    let entry = ended_entry(gateway, &called, (aside.seq, 0, aside.at));
    let estimated = entry.estimated || called.write_ttl == WriteTtl::Assumed;
    let (status, seq) = (called.status, aside.seq);
    let cost = gateway.live.beside_ended(aside, (id, asked.of, &asked.words()), called);
    gateway.ledger.record_quietly(Entry::AttemptEnded(Box::new(AttemptEnded { estimated, cost, ..entry })));
    let at = aside.at + Span(latency.saturating_mul(1000));
    gateway.ledger.record(Entry::Closed(Closed { seq, status, at, down: None }));
    cost
}

impl Gateway {
    /// Sets an amount aside where there is room for it; where there is none, Events has it once a day: who waits for verdicts
    /// would else not know that none can come.
    pub(super) fn sets_aside(&self, purse: &Arc<str>, (what, amount): (&str, Pico), most: Pico) -> bool {
        let fits = self.shadows.hold(purse, amount, most);
        if !fits && let Some(left) = self.shadows.left_untold(purse, most) {
            let [amount, left, most] = [amount, left, most].map(|one| one.usd_rounded(4));
            self.remark(&format!(
                "no {what} until tomorrow that may cost as much as this one: up to ${amount}, and ${left} of max-spend-per-day ${most} is left"
            ));
        }
        fits
    }
}
