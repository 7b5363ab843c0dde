//! A call beside the traffic: made like any other, on the books like any other, and no part of any figure of the users.
//!
//! Invariant: whatever becomes of it, it has one account in ledger and log.

use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use http::HeaderMap;
use tokio::time::{Instant as Clock, timeout};

use super::account::{accent, written};
use super::pace::millis;
use super::{Gateway, estimate, now};
use crate::config::gateway::Durability;
use crate::ledger::{AttemptEnded, AttemptStarted, Closed, Entry, Opened};
use crate::pricing::{Cost, Usage};
use crate::providers::{Call, Outcome as Told, Target};
use crate::record::WriteTtl;
use crate::routing::{Parameters, Status};
use crate::session::{Aside, Called, SIMULATED};
use crate::units::{Count, SHADOW, Span};
use crate::wire::{self, Ask};

/// The longest that one may take.
const PATIENCE: Duration = Duration::from_secs(300);

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
        Self { text: Err(why), cost: Cost::Known(crate::units::Pico::ZERO), output: None }
    }
}

/// Makes the call.
pub(super) async fn call(gateway: &Arc<Gateway>, asked: Asked<'_>) -> Came {
    let Asked { ask, model, ref with, .. } = asked;
    let Some(target) = gateway.providers.target(model) else {
        return Came::nothing(format!("no provider serves {model}"));
    };
    let Some(dialect) = target.dialect_for(ask.dialect()) else {
        return Came::nothing(format!(
            "{} cannot take requests in the form of {}",
            target.provider(),
            ask.dialect()
        ));
    };
    let sent = match written(
        ask,
        with,
        (&target, dialect),
        gateway.settings.max_output_default,
        &HeaderMap::new(),
    ) {
        Ok(sent) => sent,
        Err(error) => return Came::nothing(error.to_string()),
    };
    let tokens = ask.measures().estimated_prompt_tokens;
    let mut permit = match gateway.providers.permit(&target, tokens, false, Moment::now()) {
        Ok(permit) => permit,
        Err(stands) => return Came::nothing(stands.why),
    };
    let target = target.at_account(&permit);
    let (aside, id) = (gateway.live.beside(now()), gateway.next_id());
    opened(gateway, &asked, &target, (&aside, &id));
    if gateway.settings.ledger.durability == Durability::Strict {
        let _ = gateway.ledger.commit().await;
    }
    let started = Clock::now();
    let sending = Call { dialect, body: sent.body, stream: false, headers: HeaderMap::new(), attempt: 0 };
    let limit = gateway.settings.limits.answer;
    let mut held = gateway.budget.hold();
    let came = timeout(PATIENCE, async {
        let reply = gateway.providers.send(&mut permit, sending).await?;
        let status = reply.status;
        Ok::<_, crate::providers::CallError>((status, reply.whole(limit, |size| held.follow(size)).await?))
    });
    let mut called = Called {
        model: Arc::clone(model),
        provider: Arc::clone(target.provider()),
        simulated: target.simulated(),
        left_out: sent.left_out.into_iter().map(Into::into).collect(),
        usage: Usage::NONE,
        ..Called::default()
    };
    let mut account = |counted, output| {
        let (usage, write_ttl, estimated) = estimate::complete(counted, tokens, output);
        (called.usage, called.write_ttl, called.estimated) = (usage, write_ttl, estimated);
    };
    let text = match came.await {
        Err(_) => {
            account(None, 0);
            called.status = Status::Timeout;
            Err("it took too long".to_owned())
        }
        Ok(Err(error)) => {
            if !error.is_untouched() {
                account(None, 0);
            }
            called.status = error.status();
            Err(error.to_string())
        }
        Ok(Ok((status, body))) if !(200..300).contains(&status) => {
            called.status = Status::from_http(status);
            Err(format!("{status}: {}", wire::read_error(dialect, status, &body).message))
        }
        Ok(Ok((_, body))) => match wire::answer(dialect, &ask.put_to(dialect, accent(&target)), body) {
            Ok(answer) => {
                account(answer.usage, answer.output_bytes.div_ceil(4));
                called.terms = answer.usage.map(|counted| counted.terms).unwrap_or_default();
                wire::said(ask.dialect(), &answer.body).ok_or_else(|| "the answer has no text".to_owned())
            }
            Err(error) => {
                account(None, 0);
                called.status = Status::ServerError;
                Err(error.to_string())
            }
        },
    };
    called.latency_ms = Some(millis(started.elapsed()));
    if let Err(why) = &text {
        called.error = target.redact(why).into_owned();
    }
    let used = called.usage.prompt().zip(called.usage.output.get()).map(|(prompt, output)| prompt + output);
    let error = text.as_ref().err().cloned();
    gateway.providers.report(permit, &Told { status: called.status, tokens: used, error }, Moment::now());
    gateway.look_at(model, called.status);
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
    })));
}

/// Tells ledger and readers that it is over; returns what it cost.
fn ended(gateway: &Gateway, asked: &Asked<'_>, called: Called, (aside, id): (&Aside, &Arc<str>)) -> Cost {
    let latency = i64::from(called.latency_ms.unwrap_or(0));
    let entry = AttemptEnded {
        seq: aside.seq,
        n: 0,
        model: "".into(),
        usage: called.usage,
        estimated: called.estimated || called.write_ttl == WriteTtl::Assumed,
        cost: Cost::Known(crate::units::Pico::ZERO),
        price: gateway.prices.at(&gateway.live.book(), asked.model, aside.at),
        status: called.status,
        check: called.check,
        error: called.error.as_str().into(),
        latency_ms: called.latency_ms,
        ttft_ms: None,
        terms: called.terms,
        left_out: called.left_out.clone(),
        gap_ms: None,
        effort: None,
        verdicts: Vec::new(),
    };
    let (status, seq) = (called.status, aside.seq);
    let cost = gateway.live.beside_ended(aside, id, asked.of, called);
    gateway.ledger.record_quietly(Entry::AttemptEnded(Box::new(AttemptEnded { cost, ..entry })));
    let at = aside.at + Span(latency.saturating_mul(1000));
    gateway.ledger.record(Entry::Closed(Closed { seq, status, at, down: None }));
    cost
}
