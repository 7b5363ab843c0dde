//! One operation from arrival to settlement: calls, retries and escalations, whatever becomes of its client.
//!
//! Invariants: a client that leaves cannot stop it half-way; a client hears of an answer or of one error, never both.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use futures::FutureExt;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use tokio::sync::oneshot;
use tokio::time::Instant as Clock;

use super::account::watched;
use super::arriving::{Hashes, open};
use super::audience::{Audience, Client};
use super::body::Reply;
use super::gate::InFlight;
use super::operation::{Attempted, Operation, Outcome, charged, not_made, unknown_operation};
use super::pace::millis;
use super::remembered::Judged;
use super::respond::{json, refuse};
use super::runaways::halted;
use super::{Gateway, call, checked, headers, keeper, large, shadow};
use crate::access::Caller;
use crate::budget::Over;
use crate::checks::{Says, Verdict};
use crate::ledger::Entry;
use crate::pricing::{Cost, Usage};
use crate::routing::{Check, Status};
use crate::session::{Called, Dispatch, Follow, Refusal};
use crate::units::{Instant, Sha256};
use crate::wire::{ApiError, Ask, ErrorKind, NO_MODEL_MAY_SERVE, SpentBudget};

/// Runs an operation and returns what its client gets.
pub(super) async fn run(
    gateway: &Arc<Gateway>,
    ask: Ask,
    pinned: bool,
    headers: HeaderMap,
    caller: &Caller,
    place: InFlight,
) -> Result<Response<Reply>, ApiError> {
    let (key, bytes) = (gateway.prefix_key, ask.body().len());
    let hash = move || {
        let prompt = Sha256::digest(ask.body());
        let prefix = ask.prefix(&key).into();
        (ask, Hashes { prompt, prefix })
    };
    let (ask, hashes) = large::on(bytes, hash).await;
    let operation = open(gateway, ask, pinned, headers, caller, (place, hashes)).await?;
    let (client, response) = oneshot::channel();
    let work = Box::pin(async move {
        // Pinned in its place: it is large, and each adapter would move it.
        let work = std::pin::pin!(operation.work(client));
        let _ = std::panic::AssertUnwindSafe(work).catch_unwind().await;
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
    async fn work(mut self, client: Client) {
        let (dialect, streams) = (self.ask.dialect(), self.ask.stream());
        let mut audience = Audience::new(client, dialect, streams, &self.gateway);
        let mut dispatch = match self.placed.send.clone() {
            Ok(dispatch) => dispatch,
            Err(why) => return self.refused(&why, audience),
        };
        let mut told = Told::default();
        let mut unseen = Vec::new();
        loop {
            let (started, calls) = (Clock::now(), self.calls);
            audience.call_begins();
            self.left_out.clear();
            (self.tier, self.place) = (None, None);
            // What was asked for is read to its end, but nothing further is bought for a client that is gone.
            let nobody = (self.n > 0).then(|| self.no_more(&audience)).flatten();
            let mut attempted = match nobody {
                Some(why) => self.left_before(&dispatch, why),
                None => call::attempt(&mut self, &dispatch, &mut audience).await,
            };
            self.simulated |= attempted.called.simulated;
            let is_made = self.calls > calls && attempted.called.status.is_call();
            let spent = started.elapsed().saturating_sub(attempted.called.checking);
            attempted.called.latency_ms = is_made.then(|| millis(spent));
            attempted.called.left_out.clone_from(&self.left_out);
            attempted.called.began_us = self.call_began_us();
            if is_made && self.ask.is_said_into_conversation() {
                stays_said(&mut attempted);
            }
            let left = self.calls < self.gateway.settings.attempts;
            let again = attempted.retry.is_some() && left && !audience.is_gone();
            if !again && !dispatch.last && audience.is_gone() {
                nobody_waits(&mut attempted.called);
            }
            let status = attempted.called.status;
            if let Outcome::Failed(error) = &attempted.outcome {
                told.note(error, status);
            }
            let mut is_answered = false;
            if let Outcome::Unjudged(outcome, said, own) = attempted.outcome {
                attempted.outcome = match &*outcome {
                    Outcome::Answer(body) => Outcome::Answer(body.clone()),
                    _ => Outcome::Streamed(BytesMut::new()),
                };
                self.calls_within(&attempted.outcome);
                let cost = self.gateway.live.cost_with(&self.placed.ticket, &attempted.called);
                self.note_served(&dispatch.model);
                self.answer(*outcome, &dispatch, cost, &mut audience).await;
                is_answered = true;
                let judged = checked::judge(&self, &dispatch, own, said).await;
                (attempted.called.check, attempted.called.verdicts) = (judged.check, judged.verdicts);
            }
            let (ended, write_ttl) = (self.ended_entry(&attempted.called), attempted.called.write_ttl);
            let by = failed_by(&attempted.called);
            let (model, provider) = (Arc::clone(&dispatch.model), Arc::clone(&attempted.called.provider));
            let ended_live = self.gateway.live.ended(&mut self.placed.ticket, attempted.called, again);
            let (cost, follow) = ended_live.unwrap_or_else(unknown_operation);
            self.gateway.look_at(&model, status);
            self.gateway
                .ledger
                .record_quietly(Entry::AttemptEnded(Box::new(charged(ended, write_ttl, cost))));
            self.underway = None;
            self.n += 1;
            match follow {
                Follow::Again => {
                    self.gateway.ledger.wake();
                    let wait = tokio::time::sleep(attempted.retry.unwrap_or_default());
                    Box::pin(watched(&self, &dispatch, &mut audience, wait)).await;
                }
                Follow::Escalate(next, why) => {
                    let id = match &attempted.outcome {
                        Outcome::Answer(body) => keeper::id_in(body).map(str::to_owned),
                        _ => self.unheard.take(),
                    };
                    unseen.extend(id.map(|id| (provider, id)));
                    self.escalated = Some(by.map_or(why.into(), |by| format!("{why} ({by})").into()));
                    (self.tries, self.lacks.logprobs) = (0, false);
                    dispatch = next;
                }
                Follow::Answer { cost } => {
                    self.close(status);
                    if !is_answered {
                        self.note_served(&dispatch.model);
                        self.calls_within(&attempted.outcome);
                    }
                    let outcome = match attempted.outcome {
                        Outcome::Failed(error) => Outcome::Failed(told.tell(error)),
                        outcome => outcome,
                    };
                    let ledger = self.gateway.ledger.clone();
                    let run = shadow::of(&mut self, &dispatch, &outcome).filter(|_| status.is_ok());
                    if !is_answered {
                        self.answer(outcome, &dispatch, cost, &mut audience).await;
                    }
                    if let Some(run) = run {
                        run.begin();
                    }
                    for (provider, id) in unseen {
                        keeper::discard(&self, provider, id);
                    }
                    // In its turn, after the response has been written.
                    tokio::spawn(FutureExt::boxed(async move { ledger.wake() }));
                    return;
                }
            }
        }
    }

    /// Remembers who serves it, for those that judge the answer.
    pub(super) fn note_served(&self, model: &Arc<str>) {
        let [model, team, key] = [model, &self.team, &self.key].map(Arc::clone);
        self.gateway.served.note(&self.id, Judged { seq: self.placed.seq, model, team, key });
    }

    /// Answers a request that no model may serve.
    fn refused(mut self, refusal: &Refusal, mut audience: Audience) {
        let why = refusal.why.as_str();
        let (dispatch, provider) = (Dispatch::nowhere(), Arc::from(""));
        self.record_start(&dispatch, &provider);
        let ended = self.ended_entry(&Called::refused(why));
        self.gateway.ledger.record(Entry::AttemptEnded(Box::new(ended)));
        self.close(Status::Refused);
        let error = if let Some(stop) = &refusal.stop {
            halted(stop, why)
        } else if let Some(over) = &refusal.over {
            over_budget(over, why, self.placed.at)
        } else if self.placed.is_crowded_out() {
            // It may be sent again as it is.
            ApiError::new(ErrorKind::RateLimited, why).again_after(1000)
        } else {
            ApiError::invalid(why).coded(NO_MODEL_MAY_SERVE)
        };
        let mut response = refuse(self.ask.dialect(), &error);
        if error.budget.is_some() || error.halted.is_some() {
            // Libraries would try again at once, where the wait is longer than they are willing to.
            response.headers_mut().insert("x-should-retry", HeaderValue::from_static("false"));
        }
        self.sign(response.headers_mut(), &dispatch);
        price(response.headers_mut(), Cost::Known(crate::units::Pico::ZERO));
        audience.respond(response);
        self.gateway.ledger.wake();
    }

    /// Says why nothing further is sent for a request, if so: nobody is there any more, or who sent it was stopped meanwhile.
    fn no_more(&self, audience: &Audience) -> Option<ApiError> {
        let gone = || ApiError::new(ErrorKind::Timeout, "the client went away");
        self.halted().or_else(|| audience.is_gone().then(gone))
    }

    /// Tells that who sent the request is stopped, if so.
    pub(super) fn halted(&self) -> Option<ApiError> {
        self.gateway.live.stop_of(&self.placed.ticket.whose()).map(|stop| halted(&stop, &stop.words()))
    }

    /// Ends an attempt before it is made.
    fn left_before(&mut self, dispatch: &Dispatch, error: ApiError) -> Attempted {
        let provider = self.gateway.providers.target(&dispatch.model);
        let provider = provider.map_or_else(|| Arc::from(""), |target| Arc::clone(target.provider()));
        self.record_start(dispatch, &provider);
        let mut attempted = not_made(dispatch, &provider, error);
        attempted.called.status = Status::Cancelled;
        attempted
    }

    /// Sends the client what became of its request.
    async fn answer(&self, outcome: Outcome, dispatch: &Dispatch, cost: Cost, audience: &mut Audience) {
        let durable = self.committed().await;
        let signed = |mut response: Response<Reply>| {
            self.sign(response.headers_mut(), dispatch);
            price(response.headers_mut(), cost);
            if self.simulated {
                // Nobody bills it, whatever is known of it.
                response.headers_mut().insert(headers::COST_KIND, HeaderValue::from_static("simulated"));
            }
            response
        };
        match outcome {
            Outcome::Failed(error) if !audience.is_listening() => {
                return audience.respond(signed(refuse(self.ask.dialect(), &error)));
            }
            Outcome::Answer(body) => {
                return audience.respond(match durable {
                    Ok(()) => signed(json(StatusCode::OK, body)),
                    Err(error) => refuse(self.ask.dialect(), &error),
                });
            }
            Outcome::Failed(error) => audience.fail(&error),
            // It is answered as what it holds.
            Outcome::Unjudged(..) => {}
            Outcome::Streamed(mut last) => match durable {
                Ok(()) => audience.send(&mut last).await,
                // It had all of the answer; without its end it cannot take it for one that is accounted for.
                Err(error) => audience.fail(&error),
            },
        }
        audience.end(cost.amount().map(crate::units::Pico::usd), &dispatch.model, &self.left_out);
    }
}

/// What the failed attempts of an operation said.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The last error of a call that was really made.
    made: Option<ApiError>,
    /// The shortest wait that any of them asked for.
    retry_after_ms: Option<u64>,
}

impl Told {
    /// Takes the error of an attempt.
    pub(super) fn note(&mut self, error: &ApiError, status: Status) {
        self.retry_after_ms = match (self.retry_after_ms, error.retry_after_ms) {
            (Some(before), Some(now)) => Some(before.min(now)),
            (before, now) => before.or(now),
        };
        if status.is_call() {
            self.made = Some(error.clone());
        }
    }

    /// Returns what the client hears: of a call that was made rather than of one that was not, and the shortest wait.
    pub(super) fn tell(self, last: ApiError) -> ApiError {
        let overloaded = last.kind == ErrorKind::Overloaded;
        let mut error = self.made.filter(|_| overloaded).unwrap_or(last);
        let passing = [ErrorKind::RateLimited, ErrorKind::Overloaded, ErrorKind::Server, ErrorKind::Timeout];
        if passing.contains(&error.kind) {
            error.retry_after_ms = self.retry_after_ms;
        }
        error
    }
}

/// Tells a client of the budget that has no room for its request.
fn over_budget(over: &Over, why: &str, at: Instant) -> ApiError {
    let wait = over.resets_at.and_then(|reset| u64::try_from((reset - at).0 / 1000).ok());
    ApiError {
        retry_after_ms: wait,
        budget: Some(Box::new(SpentBudget {
            limit_source: over.source(),
            limit: over.amount.usd(),
            spent: over.spent.usd(),
            held: over.held.usd(),
            resets_at: over.resets_at.map(Instant::rfc3339),
        })),
        ..ApiError::new(ErrorKind::Budget, why)
    }
}

/// Names the check of its route that an answer failed, where that is what sends the request up.
fn failed_by(called: &Called) -> Option<Box<str>> {
    let is_match = |verdict: &&Verdict| verdict.says == Says::Failed && *verdict.by != *Verdict::OWN;
    let failed = called.verdicts.iter().find(is_match).filter(|_| called.check == Check::Failed);
    failed.map(|verdict| verdict.by.clone())
}

/// Keeps a request from being said twice into a conversation that its provider keeps, where the call may have come that far.
fn stays_said(attempted: &mut Attempted) {
    let called = &mut attempted.called;
    // Refused at the door, it was not heard: who is short of room or of a key answers so.
    let was_heard = called.usage != Usage::NONE
        || matches!(&attempted.outcome, Outcome::Failed(error) if matches!(error.status, 500 | 504));
    if called.status.is_retryable() && was_heard {
        let was = if called.error.is_empty() { called.status.name() } else { &called.error };
        called.error = format!("not asked again: the conversation may hold it already ({was})");
        called.status = Status::Truncated;
        attempted.retry = None;
    }
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
