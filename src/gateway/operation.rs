//! One operation from arrival to settlement: calls, retries and escalations, whatever becomes of its client.
//!
//! Invariants: a client that leaves cannot stop it half-way; every call is ended once in
//! the engine and in the ledger; a client hears of an answer or of one error, never both.

mod arriving;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use futures::FutureExt as _;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use tokio::sync::oneshot;
use tokio::time::Instant as Clock;

pub(super) use self::arriving::{arriving, open};
use super::audience::{Audience, Client};
use super::body::Reply;
use super::headers;
use super::requests::{InFlight, refuse};
use super::told::Told;
use super::{Gateway, call};
use crate::access::Caller;
use crate::config::gateway::{Durability, WhenFailing};
use crate::engine::UnknownOperation;
use crate::ledger::{AttemptEnded, AttemptStarted, Closed, Entry};
use crate::pricing::Cost;
use crate::routing::{Check, Status};
use crate::session::{Called, Dispatch, Follow, Placed};
use crate::units::{Count, Instant, Span};
use crate::wire::{ApiError, Ask, ErrorKind, NO_MODEL_MAY_SERVE};

/// An operation under way.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) gateway: Arc<Gateway>,
    pub(super) ask: Ask,
    /// The client's headers, for those that a provider understands.
    pub(super) headers: HeaderMap,
    pub(super) id: Arc<str>,
    pub(super) placed: Placed,
    /// The team that pays.
    pub(super) team: Arc<str>,
    /// The name of the key that asked.
    pub(super) key: Arc<str>,
    /// Calls really made.
    pub(super) calls: u32,
    /// Calls made to the present model.
    pub(super) tries: u32,
    /// Attempts so far, refused ones included.
    n: u32,
    simulated: bool,
    /// Why it left its first rung.
    escalated: Option<&'static str>,
    /// What was left out of the request for the present model.
    pub(super) left_out: Vec<Arc<str>>,
    /// The service tier that its rung asks for in it.
    pub(super) tier: Option<Arc<str>>,
    /// The attempt under way, for the account of it should this task fail.
    underway: Option<(Dispatch, Arc<str>)>,
    /// Tokens of the stream under way that came so far.
    pub(super) delivered: u64,
    /// When it arrived, by a clock that never jumps.
    began: Clock,
    /// When the present call began.
    call_began: Instant,
    /// Whether it is settled.
    is_settled: bool,
    /// Held until the operation is over.
    _place: InFlight,
}

/// What the client gets of an attempt.
#[derive(Debug)]
pub(super) enum Outcome {
    /// An answer in one piece.
    Answer(bytes::Bytes),
    /// Nothing; this is what to say where nothing follows.
    Failed(ApiError),
    /// A stream that the client has had already, but for its end: what is left to hand on once that is durable.
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

/// Runs an operation and gives what its client gets.
pub(super) async fn run(
    gateway: &Arc<Gateway>,
    ask: Ask,
    pinned: bool,
    headers: HeaderMap,
    caller: &Caller,
    place: InFlight,
) -> Result<Response<Reply>, ApiError> {
    let operation = open(gateway, ask, pinned, headers, caller, place);
    let (client, response) = oneshot::channel();
    let work = Box::pin(async move {
        let _ = std::panic::AssertUnwindSafe(operation.work(client)).catch_unwind().await;
    });
    let carried = Carried { work: Some(work), response };
    carried.await.map_err(|_| ApiError::new(ErrorKind::Server, "the operation ended without an answer"))
}

/// Runs an operation within its connection's task until the client has its response, and in a task of its own from then on,
/// or from the moment that the client is gone. So an ordinary request wakes no other thread.
struct Carried {
    work: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    response: oneshot::Receiver<Response<Reply>>,
}

impl Future for Carried {
    type Output = Result<Response<Reply>, oneshot::error::RecvError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.work.as_mut().is_some_and(|work| work.as_mut().poll(context).is_ready()) {
            self.work = None;
        }
        Pin::new(&mut self.response).poll(context)
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.work.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

impl Operation {
    pub(super) fn strict(&self) -> bool {
        self.gateway.settings.ledger.durability == Durability::Strict
    }

    /// Waits for the disk where that is asked for; an error where policy says that nothing goes on without it.
    async fn committed(&self) -> Result<(), ApiError> {
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

    async fn work(mut self, client: Client) {
        let (dialect, streams) = (self.ask.dialect(), self.ask.stream());
        let mut audience = Audience::new(client, dialect, streams, &self.gateway);
        let mut dispatch = match self.placed.send.clone() {
            Ok(dispatch) => dispatch,
            Err(why) => return self.refused(&why, audience),
        };
        let mut told = Told::default();
        loop {
            let (started, calls) = (Clock::now(), self.calls);
            audience.call_begins();
            self.left_out.clear();
            self.tier = None;
            // What was asked for is read to its end, but nothing further is bought for a client that is gone.
            let mut attempted = if self.n > 0 && audience.is_gone() {
                self.left_before(&dispatch)
            } else {
                call::attempt(&mut self, &dispatch, &mut audience).await
            };
            self.simulated |= attempted.called.simulated;
            let is_made = self.calls > calls && attempted.called.status.is_call();
            attempted.called.latency_ms = is_made.then(|| millis(started.elapsed()));
            attempted.called.left_out.clone_from(&self.left_out);
            attempted.called.began_us = self.call_began_us();
            let left = self.calls < self.gateway.settings.attempts;
            let again = attempted.retry.is_some() && left && !audience.is_gone();
            if !again && !dispatch.last && audience.is_gone() {
                nobody_waits(&mut attempted.called);
            }
            let status = attempted.called.status;
            if let Outcome::Failed(error) = &attempted.outcome {
                told.note(error, status);
            }
            let ended = self.ended_entry(&attempted.called);
            let model = Arc::clone(&dispatch.model);
            let ended_live = self.gateway.live.ended(&mut self.placed.ticket, attempted.called, again);
            let (cost, follow) = ended_live.unwrap_or_else(unknown_operation);
            self.gateway.signals.look(&self.gateway, &model, status);
            self.gateway.ledger.record_quietly(Entry::AttemptEnded(Box::new(AttemptEnded { cost, ..ended })));
            self.underway = None;
            self.n += 1;
            match follow {
                Follow::Again => {
                    self.gateway.ledger.wake();
                    let wait = tokio::time::sleep(attempted.retry.unwrap_or_default());
                    Box::pin(call::watched(&self, &dispatch, &mut audience, wait)).await;
                }
                Follow::Escalate(next, why) => {
                    self.escalated = Some(why);
                    self.tries = 0;
                    dispatch = next;
                }
                Follow::Answer { cost } => {
                    self.close(status);
                    let payer = (&self.team, &self.key);
                    self.gateway.served.note(&self.id, self.placed.seq, &dispatch.model, payer);
                    let outcome = match attempted.outcome {
                        Outcome::Failed(error) => Outcome::Failed(told.tell(error)),
                        outcome => outcome,
                    };
                    let ledger = self.gateway.ledger.clone();
                    self.answer(outcome, &dispatch, cost, &mut audience).await;
                    // In its turn, after the response has been written.
                    tokio::spawn(async move { ledger.wake() });
                    return;
                }
            }
        }
    }

    /// Answers a request that no model may serve.
    fn refused(mut self, why: &str, mut audience: Audience) {
        let (dispatch, provider) = (Dispatch::nowhere(), Arc::from(""));
        self.record_start(&dispatch, &provider);
        let ended = self.ended_entry(&Called::refused(why));
        self.gateway.ledger.record(Entry::AttemptEnded(Box::new(ended)));
        self.close(Status::Refused);
        let mut error = ApiError::new(ErrorKind::InvalidRequest, why);
        if self.placed.is_crowded_out() {
            // It may be sent again as it is.
            error = ApiError::new(ErrorKind::RateLimited, why);
            error.retry_after_ms = Some(1000);
        } else {
            error.code = Some(NO_MODEL_MAY_SERVE.to_owned());
        }
        let mut response = refuse(self.ask.dialect(), &error);
        self.sign(response.headers_mut(), &dispatch);
        price(response.headers_mut(), Cost::Known(crate::units::Pico::ZERO));
        audience.respond(response);
        self.gateway.ledger.wake();
    }

    /// Ends the operation in the ledger.
    fn close(&mut self, status: Status) {
        self.is_settled = true;
        let (seq, at) = (self.placed.seq, self.now());
        self.gateway.ledger.record(Entry::Closed(Closed { seq, status, at }));
    }

    /// Returns the moment by the time of arrival and a clock that never jumps.
    fn now(&self) -> Instant {
        self.placed.at + Span(i64::try_from(self.began.elapsed().as_micros()).unwrap_or(0))
    }

    /// Returns how long after the request's arrival the present call began.
    fn call_began_us(&self) -> u64 {
        u64::try_from((self.call_began - self.placed.at).0).unwrap_or(0)
    }

    /// Ends an attempt before it is made, as nobody is there any more.
    fn left_before(&mut self, dispatch: &Dispatch) -> Attempted {
        let provider = self.gateway.providers.target(&dispatch.model);
        let provider = provider.map_or_else(|| Arc::from(""), |target| Arc::clone(target.provider()));
        self.record_start(dispatch, &provider);
        let error = ApiError::new(ErrorKind::Timeout, "the client went away");
        let mut attempted = not_made(dispatch, &provider, error);
        attempted.called.status = Status::Cancelled;
        attempted
    }

    /// Hands the client what became of its request.
    async fn answer(&self, outcome: Outcome, dispatch: &Dispatch, cost: Cost, audience: &mut Audience) {
        let durable = self.committed().await;
        let signed = |mut response: Response<Reply>| {
            self.sign(response.headers_mut(), dispatch);
            price(response.headers_mut(), cost);
            response
        };
        match outcome {
            Outcome::Failed(error) if !audience.is_listening() => {
                return audience.respond(signed(refuse(self.ask.dialect(), &error)));
            }
            Outcome::Answer(body) => {
                return audience.respond(match durable {
                    Ok(()) => signed(super::requests::json(StatusCode::OK, body)),
                    Err(error) => refuse(self.ask.dialect(), &error),
                });
            }
            Outcome::Failed(error) => audience.fail(&error),
            Outcome::Streamed(mut last) => match durable {
                Ok(()) => audience.hand(&mut last).await,
                // It had all of the answer; without its end it cannot take it for one that is accounted for.
                Err(error) => audience.fail(&error),
            },
        }
        audience.end(cost.amount().map(crate::units::Pico::usd), &dispatch.model);
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
        into.insert(headers::REASON, headers::value(self.escalated.unwrap_or(&self.placed.reason)));
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

    /// Marks the operation as made up.
    pub(super) fn simulates(&mut self) {
        if !std::mem::replace(&mut self.simulated, true) {
            let what = crate::session::SIMULATED.into();
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
            price: gateway.prices.at(gateway.live.book(), &dispatch.model, self.placed.at),
        })));
    }

    /// Tells the ledger how far a stream has come, for the account of it should the program die.
    pub(super) fn record_progress(&self) {
        let (seq, n, delivered) = (self.placed.seq, self.n, self.delivered);
        self.gateway.ledger.record(Entry::Progress { seq, n, delivered });
    }

    fn ended_entry(&self, called: &Called) -> AttemptEnded {
        let gateway = &self.gateway;
        let billed = called.billed.as_ref().unwrap_or(&called.model);
        AttemptEnded {
            seq: self.placed.seq,
            n: self.n,
            model: called.billed.clone().unwrap_or_else(|| "".into()),
            usage: called.usage,
            estimated: called.estimated || called.write_ttl == crate::record::WriteTtl::Assumed,
            cost: Cost::Known(crate::units::Pico::ZERO),
            price: gateway.prices.at(gateway.live.book(), billed, self.placed.at),
            status: called.status,
            check: called.check,
            error: called.error.as_str().into(),
            latency_ms: called.latency_ms,
            ttft_ms: called.ttft_ms,
            terms: called.terms,
            left_out: called.left_out.clone(),
            effort: called.effort,
            gap_ms: called.gap_ms,
        }
    }
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
            (dispatch, provider, super::estimate::complete(None, prompt, self.delivered))
        } else {
            let dispatch = self.placed.send.clone().unwrap_or_else(|_| Dispatch::nowhere());
            let provider = Arc::from("");
            self.record_start(&dispatch, &provider);
            (dispatch, provider, (crate::pricing::Usage::NONE, crate::record::WriteTtl::Reported, false))
        };
        let called = Called {
            model: dispatch.model,
            provider,
            usage: told.0,
            write_ttl: told.1,
            estimated: told.2,
            // A status after which nobody else is asked.
            began_us: self.call_began_us(),
            status: Status::Cut,
            error: "the gateway itself failed".to_owned(),
            effort: dispatch.with.effort,
            simulated: self.simulated,
            ..Called::default()
        };
        let ended = self.ended_entry(&called);
        let ended_live = self.gateway.live.ended(&mut self.placed.ticket, called, false);
        let (cost, _) = ended_live.unwrap_or_else(unknown_operation);
        self.gateway.ledger.record(Entry::AttemptEnded(Box::new(AttemptEnded { cost, ..ended })));
        self.close(Status::Cut);
        self.gateway.ledger.wake();
    }
}

/// Tells of a call whose operation the engine does not know: what it cost is not known to the sums, so it is not said to be
/// nothing.
fn unknown_operation(error: UnknownOperation) -> (Cost, Follow) {
    tracing::error!(%error, "a call ended that the engine knows nothing of");
    let cost = Cost::Unknown(crate::pricing::Unpriced::NoUsage);
    (cost, Follow::Answer { cost })
}

/// Keeps a call that nobody waits for any more from being tried elsewhere; what it cost stands.
fn nobody_waits(called: &mut Called) {
    if called.status.is_retryable() || (called.status.is_ok() && called.check == Check::Failed) {
        let was = if called.error.is_empty() { called.status.name() } else { &called.error };
        called.error = format!("the client went away ({was})");
        called.status = Status::Cancelled;
    }
}

fn price(into: &mut HeaderMap, cost: Cost) {
    let kind = match cost {
        Cost::Known(_) => "known",
        Cost::Estimated(_) => "estimated",
        Cost::Unknown(_) => "unknown",
    };
    into.insert(headers::COST_KIND, HeaderValue::from_static(kind));
    if let Some(amount) = cost.amount() {
        into.insert(headers::COST, headers::value(&amount.usd()));
    }
}

/// Returns whole milliseconds, as many as a log holds.
pub(super) fn millis(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
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
