//! An operation under way, and its account: what engine and ledger hear of it, and what an answer says of itself.
//!
//! Invariant: every call is ended once in the engine and in the ledger, even where the gateway itself fails.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http::{HeaderMap, HeaderValue};
use tokio::time::Instant as Clock;

use super::gate::InFlight;
use super::marks::Prompt;
use super::{Gateway, headers};
use crate::checks::Said;
use crate::config::gateway::{Durability, Place, WhenFailing};
use crate::engine::UnknownOperation;
use crate::ledger::{AttemptEnded, AttemptStarted, Closed, Entry};
use crate::outcome::{ALL_SIMULATED, SIMULATED};
use crate::pricing::{Cost, Terms};
use crate::record::WriteTtl;
use crate::record::usage::Counted;
use crate::routing::{Check, Status};
use crate::session::{Called, Dispatch, Follow, Placed};
use crate::units::{Count, Instant, Span, members};
use crate::wire::{ApiError, Ask, ErrorKind};

/// What a request is sent without once it was refused with it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lacks {
    /// How likely its words are, which policy asks for and its model does not say.
    pub(super) logprobs: bool,
    /// The ids of thoughts that are not kept where they are looked for.
    pub(super) reasoning_ids: bool,
    /// Thoughts that another provider sealed.
    pub(super) reasoning: bool,
}

members! {
    /// An operation under way.
    #[derive(Debug)]
    pub(super) struct Operation;
    /// One that has been placed and is not called yet: with the beginnings of its prompt and its turns before the answer, and
    /// the team that pays with the key that asked.
    pub(super) fn new(
        gateway: &Arc<Gateway>,
        (ask, headers, id): (Ask, HeaderMap, Arc<str>),
        placed: Placed,
        (prefix, turns): (Arc<[u64]>, Option<usize>),
        (team, key): (Arc<str>, Arc<str>),
        place: InFlight,
    ) {
        let call_began = placed.at;
    }
    pub(super) gateway: Arc<Gateway> = Arc::clone(gateway),
    pub(super) ask: Ask = ask,
    /// The client's headers, for those that a provider understands.
    pub(super) headers: HeaderMap = headers,
    pub(super) id: Arc<str> = id,
    pub(super) placed: Placed = placed,
    /// Hashes of the prompt's beginnings.
    pub(super) prefix: Arc<[u64]> = prefix,
    /// The turns before its answer, where the calls of that are to be known to requests that go on from it.
    pub(super) turns: Option<usize> = turns,
    /// The number of the prompt cache that was asked last, and whether a mark pays there.
    pub(super) marks: Option<(u64, bool)> = None,
    /// The team that pays.
    pub(super) team: Arc<str> = team,
    /// The name of the key that asked.
    pub(super) key: Arc<str> = key,
    /// Calls really made.
    pub(super) calls: u32 = 0,
    /// Calls made to the present model.
    pub(super) tries: u32 = 0,
    /// What it is asked without.
    pub(super) lacks: Lacks = Lacks::default(),
    /// Attempts so far, refused ones included.
    pub(super) n: u32 = 0,
    pub(super) simulated: bool = false,
    /// Why it left its first rung.
    pub(super) escalated: Option<Cow<'static, str>> = None,
    /// What was left out of the request for the present model.
    pub(super) left_out: Vec<Arc<str>> = Vec::new(),
    /// The service tier that its rung asks for in it.
    pub(super) tier: Option<Arc<str>> = None,
    /// The tier in which the last call was served, where a header told.
    pub(super) served_tier: Option<Arc<str>> = None,
    /// The meter of the place where its model runs, where that is said.
    pub(super) place: Option<Arc<str>> = None,
    /// The attempt under way, for the account of it should this task fail.
    pub(super) underway: Option<(Dispatch, Arc<str>)> = None,
    /// Tokens of the stream under way that came so far.
    pub(super) delivered: u64 = 0,
    /// When it arrived, by a clock that never jumps.
    pub(super) began: Clock = Clock::now(),
    /// When the present call began.
    pub(super) call_began: Instant = call_began,
    /// The text of a streamed answer, where it is to be compared with another.
    pub(super) said: Option<String> = None,
    /// The id of a stream of which the client had nothing.
    pub(super) unheard: Option<String> = None,
    /// Whether it is settled.
    pub(super) is_settled: bool = false,
    /// Held until the operation is over.
    pub(super) _place: InFlight = place,
}

/// What the client gets of an attempt.
#[derive(Debug)]
pub(super) enum Outcome {
    /// An answer in one piece.
    Answer(bytes::Bytes),
    /// One of these, which is judged once the client has it; with what is always checked of it.
    Unjudged(Box<Outcome>, Vec<Said>, Check),
    /// Nothing; this is what to say where nothing follows.
    Failed(ApiError),
    /// A stream that the client has had already, but for its end: what is left to send once that is durable.
    Streamed(BytesMut),
}

/// An attempt that is over.
#[derive(Debug)]
pub(super) struct Attempted {
    pub(super) called: Called,
    pub(super) outcome: Outcome,
    /// After what wait the same model may be asked once more.
    pub(super) retry: Option<Duration>,
}

/// The members by which a tier is asked for.
const TIERS: [&str; 3] = ["service_tier", "speed", "serviceTier"];

impl Operation {
    /// Says whether a call may be marked for a prompt cache.
    pub(super) fn may_be_marked(&self, dispatch: &Dispatch) -> bool {
        match self.gateway.settings.caching.place {
            Place::Never => false,
            Place::Always => true,
            Place::Routed => dispatch.rung.is_some(),
        }
    }

    /// Says what marks for prompt caches go by.
    pub(super) fn prompt(&mut self) -> Prompt<'_> {
        Prompt {
            session: self.placed.ticket.session(),
            prefix: &self.prefix,
            at: self.placed.at,
            tokens: self.ask.measures().estimated_prompt_tokens,
            decided: &mut self.marks,
        }
    }

    /// Says whether nothing is answered before its account is on the disk.
    pub(super) fn strict(&self) -> bool {
        self.gateway.settings.ledger.durability == Durability::Strict
    }

    /// Says whether an answer is judged once its client has it: nothing follows from the verdict, so nobody waits for it; but
    /// nothing strict is answered before its account is written.
    pub(super) fn judges_later(&self, dispatch: &Dispatch) -> bool {
        dispatch.checks.as_ref().is_some_and(|checks| !checks.may_escalate()) && !self.strict()
    }

    /// Waits for the disk where that is asked for; an error where policy says that nothing goes on without it.
    pub(super) async fn committed(&self) -> Result<(), ApiError> {
        if !self.strict() {
            return Ok(());
        }
        match self.gateway.ledger.commit().await {
            Err(error) if self.gateway.settings.ledger.when_failing == WhenFailing::Refuse => {
                tracing::warn!(%error, "refused: the ledger");
                Err(ApiError::new(ErrorKind::Overloaded, "the ledger cannot be written, so nothing is spent"))
            }
            _ => Ok(()),
        }
    }

    /// Ends the operation in the ledger.
    pub(super) fn close(&mut self, status: Status) {
        self.is_settled = true;
        let (seq, at) = (self.placed.seq, self.now());
        let down = self.placed.ticket.down_since();
        let what = self.placed.ticket.simulation();
        if !matches!(&*what, "" | SIMULATED | ALL_SIMULATED) {
            let what = what.into();
            self.gateway.ledger.record(Entry::Simulated { seq, what });
        }
        self.gateway.ledger.record(Entry::Closed(Closed { seq, status, at, down }));
    }

    /// Returns the moment by the time of arrival and a clock that never jumps.
    fn now(&self) -> Instant {
        self.placed.at + Span(i64::try_from(self.began.elapsed().as_micros()).unwrap_or(0))
    }

    /// Returns how long after the request's arrival the present call began.
    pub(super) fn call_began_us(&self) -> u64 {
        u64::try_from((self.call_began - self.placed.at).0).unwrap_or(0)
    }

    /// Writes into headers what an answer says of itself.
    pub(super) fn sign(&self, into: &mut HeaderMap, dispatch: &Dispatch) {
        let id = headers::value(&self.id);
        into.insert("x-request-id", id.clone());
        into.insert("request-id", id.clone());
        into.insert(headers::OPERATION, id);
        if !dispatch.model.is_empty() {
            into.insert(headers::MODEL, headers::value(&dispatch.model));
            into.insert(headers::RUNG, headers::value(&dispatch.name));
        }
        if let Some(would) = &self.placed.would {
            into.insert(headers::WOULD, headers::value(would));
        }
        into.insert(headers::ROUTE, headers::value(&self.placed.route));
        into.insert(
            headers::REASON,
            headers::value(self.escalated.as_deref().unwrap_or(&self.placed.reason)),
        );
        into.insert(headers::POLICY, HeaderValue::from(self.placed.policy_version));
        into.insert(headers::ATTEMPTS, HeaderValue::from(self.calls));
        if !self.left_out.is_empty() {
            into.insert(headers::LEFT_OUT, headers::value(&self.left_out.join(", ")));
        }
        if self.simulated {
            into.insert(headers::SIMULATED, HeaderValue::from_static("true"));
        }
        if self.gateway.ledger.is_failing() {
            into.insert(
                headers::LEDGER,
                HeaderValue::from_static(if self.gateway.keeps_ledger { "failing" } else { "off" }),
            );
        }
    }

    /// Marks the operation as simulated.
    pub(super) fn simulates(&mut self) {
        if !std::mem::replace(&mut self.simulated, true) {
            let what = self.placed.ticket.first_simulation().into();
            self.gateway.ledger.record(Entry::Simulated { seq: self.placed.seq, what });
        }
    }

    /// Tells the ledger that a call begins, and waits for the disk where that is asked for.
    ///
    /// # Errors
    /// Where nothing may be spent without a record.
    pub(super) async fn begins(&mut self, dispatch: &Dispatch, provider: &Arc<str>) -> Result<(), ApiError> {
        self.record_start(dispatch, provider);
        self.calls += 1;
        self.tries += 1;
        self.committed().await
    }

    /// Returns what a call is billed by: as the answer says, and where it is silent on the tier, the one that was asked for. Says
    /// besides whether it took that: whoever is short of a tier serves another, so the cost is then an estimate.
    pub(super) fn terms(&self, counted: Option<Counted>) -> (Terms, bool) {
        let mut terms = counted.map(|counted| counted.terms).unwrap_or_default();
        if let Some(place) = &self.place
            && !terms.meters().any(|(meter, _)| meter.starts_with("region:"))
        {
            terms.meter(place, 1);
        }
        if counted.is_some_and(|counted| counted.is_tier_told) {
            return (terms, false);
        }
        if let Some(tier) = &self.served_tier {
            terms.serve(tier);
            return (terms, false);
        }
        let before = terms;
        match &self.tier {
            Some(tier) => terms.serve(tier),
            // What was left out was not asked for.
            None if self.left_out.iter().any(|name| TIERS.contains(&&**name)) => {}
            None => terms.serve(&self.ask.tier().unwrap_or_default()),
        }
        (terms, terms != before)
    }

    /// Writes the start of an attempt into the ledger.
    pub(super) fn record_start(&mut self, dispatch: &Dispatch, provider: &Arc<str>) {
        self.call_began = self.now();
        self.underway = Some((dispatch.clone(), Arc::clone(provider)));
        let gateway = &self.gateway;
        gateway.ledger.record_quietly(Entry::AttemptStarted(Box::new(AttemptStarted {
            seq: self.placed.seq,
            n: self.n,
            at: self.call_began,
            asked: Arc::clone(&dispatch.model),
            model: Arc::clone(&dispatch.model),
            provider: Arc::clone(provider),
            rung: dispatch.rung,
            effort: dispatch.with.effort,
            prompt_tokens: Count::from_option(Some(self.ask.measures().estimated_prompt_tokens))
                .unwrap_or_default(),
            price: gateway.prices.at(&gateway.live.book(), &dispatch.model, self.placed.at),
            terms: self.terms(None).0,
        })));
    }

    /// Tells the ledger how far a stream has come, for the account of it should the program die.
    pub(super) fn record_progress(&self) {
        let (seq, n, delivered) = (self.placed.seq, self.n, self.delivered);
        self.gateway.ledger.record(Entry::Progress { seq, n, delivered });
    }

    pub(super) fn ended_entry(&self, called: &Called) -> AttemptEnded {
        ended_entry(&self.gateway, called, (self.placed.seq, self.n, self.placed.at))
    }
}

/// Writes the end of a call into its entry, but for what it cost: of which request, the how manieth, and when that arrived.
pub(super) fn ended_entry(
    gateway: &Gateway,
    called: &Called,
    (seq, n, at): (u64, u32, Instant),
) -> AttemptEnded {
    let billed = called.billed.as_ref().unwrap_or(&called.model);
    AttemptEnded {
        seq,
        n,
        model: called.billed.clone().unwrap_or_else(|| "".into()),
        usage: called.usage,
        estimated: called.estimated,
        cost: Cost::Known(crate::units::Pico::ZERO),
        price: gateway.prices.at(&gateway.live.book(), billed, at),
        status: called.status,
        check: called.check,
        verdicts: called.verdicts.clone(),
        error: called.error.as_str().into(),
        latency_ms: called.latency_ms,
        ttft_ms: called.ttft_ms,
        terms: called.terms,
        left_out: called.left_out.clone(),
        effort: called.effort,
        gap_ms: called.gap_ms,
    }
}

/// Puts what a call came to into its entry. How long a cache keeps what was written matters only where the price does by it:
/// elsewhere a lifetime that nobody told makes no estimate.
pub(super) fn charged(ended: AttemptEnded, write_ttl: WriteTtl, cost: Cost) -> AttemptEnded {
    let by_lifetime = write_ttl == WriteTtl::Assumed && matches!(cost, Cost::Estimated(_));
    AttemptEnded { cost, estimated: ended.estimated || by_lifetime, ..ended }
}

impl Drop for Operation {
    /// Settles an operation whose task failed. One that is dropped with the program stays open in the ledger, whose next
    /// start knows how far it came.
    fn drop(&mut self) {
        if self.is_settled {
            return;
        }
        if !std::thread::panicking() {
            return self.record_progress();
        }
        tracing::error!(operation = &*self.id, "failed within the gateway; settled as an estimate");
        // Should what failed fail again, the next start settles it.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.give_up()));
    }
}

impl Operation {
    fn give_up(&mut self) {
        let prompt = self.ask.measures().estimated_prompt_tokens;
        let (dispatch, provider, told) = if let Some((dispatch, provider)) = self.underway.take() {
            let written = super::estimate::cut_off(&self.ask, &dispatch.model, (self.delivered, 0));
            (dispatch, provider, super::estimate::complete(None, prompt, written))
        } else {
            let dispatch = self.placed.send.clone().unwrap_or_else(|_| Dispatch::nowhere());
            let provider = Arc::from("");
            self.record_start(&dispatch, &provider);
            (dispatch, provider, (crate::pricing::Usage::NONE, WriteTtl::Reported, false))
        };
        let called = Called {
            model: dispatch.model,
            provider,
            usage: told.0,
            write_ttl: told.1,
            estimated: told.2,
            // A status after which nobody else is asked.
            began_us: self.call_began_us(),
            status: Status::Truncated,
            error: "the gateway itself failed".to_owned(),
            effort: dispatch.with.effort,
            simulated: self.simulated,
            ..Called::default()
        };
        let (ended, write_ttl) = (self.ended_entry(&called), called.write_ttl);
        let ended_live = self.gateway.live.ended(&mut self.placed.ticket, called, false);
        let (cost, _) = ended_live.unwrap_or_else(unknown_operation);
        self.gateway.ledger.record(Entry::AttemptEnded(Box::new(charged(ended, write_ttl, cost))));
        self.close(Status::Truncated);
        self.gateway.ledger.wake();
    }
}

/// Tells of a call whose operation the engine does not know: what it cost is not known to the sums, so it is not said to be
/// nothing.
pub(super) fn unknown_operation(error: UnknownOperation) -> (Cost, Follow) {
    tracing::error!(%error, "a call ended that the engine knows nothing of");
    let cost = Cost::Unknown(crate::pricing::Unpriced::NoUsage);
    (cost, Follow::Answer { cost })
}

/// Makes the end of an attempt that was never a call.
pub(super) fn not_made(dispatch: &Dispatch, provider: &Arc<str>, error: ApiError) -> Attempted {
    Attempted {
        called: Called {
            model: Arc::clone(&dispatch.model),
            provider: Arc::clone(provider),
            usage: crate::pricing::Usage::NONE,
            status: Status::Unavailable,
            check: Check::None,
            error: error.message.clone(),
            effort: dispatch.with.effort,
            ..Called::default()
        },
        outcome: Outcome::Failed(error),
        retry: None,
    }
}
