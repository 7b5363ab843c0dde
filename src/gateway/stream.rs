//! A stream from provider to client.
//!
//! Invariants: until there is content, or where its route says so until it has been checked, only its beginning is sent on,
//! so another model may still be asked; from then on the client gets this answer or an error event; it is over when its dialect says so, is read to its end or dropped by
//! policy, and returns one account.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::{Instant as Clock, timeout, timeout_at};

use super::account::{
    Attempt, Took, accent, can_escalate, client_gone, failed, hollow, refused, report, unfit, watched,
};
use super::audience::Audience;
use super::budget::Held;
use super::checked::{self, Judged};
use super::operation::{Attempted, Operation, Outcome};
use super::pace::{Pace, too_slow};
use super::{arriving, declined, estimate, keeper, shadow};
use crate::checks::{Says, Verdict};
use crate::providers::{CallError, Permit, Reply as Upstream};
use crate::record::usage::Counted;
use crate::routing::{Check, Status};
use crate::session::{Called, Dispatch};
use crate::wire::{ApiError, ErrorKind, Preface, Relay, StreamEnd, WireError, last_event};

/// How often the ledger hears how far a long stream has come.
const PROGRESS: Duration = Duration::from_secs(2);
/// How long a whole answer waits for its last event, which may tell the usage.
const LINGER: Duration = Duration::from_secs(2);
/// What stands beside a stream that the client had before its check.
const UNFIT: &str = "did not pass its check, and the client had it already";
/// How long a stream that has gone wrong unseen may go on: a short one ends by itself, and tells what it cost.
const GRACE: Duration = Duration::from_millis(50);
/// The most bytes held back for want of content; a provider that sends more before it comes to the point is believed.
const HELD: usize = 1024 * 1024;
/// The most bytes held back until they are checked; what goes on longer is sent on without.
const UNCHECKED: usize = 16 * 1024 * 1024;

/// Why a stream came to nothing, or broke off.
enum Break {
    Call(CallError),
    Wire(WireError),
    Slow(ApiError),
    /// There is no room for more of it in memory.
    Full(ApiError),
    Disconnected,
}

impl Break {
    fn status(&self) -> Status {
        match self {
            Self::Call(error) => error.status(),
            Self::Wire(error) if error.is_models() => Status::Ok,
            Self::Wire(error) => unfit(error),
            Self::Slow(_) => Status::Timeout,
            Self::Full(_) => Status::Cancelled,
            Self::Disconnected => Status::ServerError,
        }
    }

    fn error(&self) -> ApiError {
        match self {
            Self::Call(error) => ApiError::new(error.kind(), error.to_string()),
            Self::Wire(error) => error.to_api(),
            Self::Slow(error) | Self::Full(error) => error.clone(),
            Self::Disconnected => {
                ApiError::new(ErrorKind::Server, "the provider's stream broke off before its end")
            }
        }
    }
}

/// A stream on its way.
struct Stream<'a> {
    attempt: Attempt<'a>,
    relay: Relay,
    /// What an earlier call told of the message.
    goes_on: Option<Preface>,
    /// What the client has not been sent yet.
    out: BytesMut,
    /// What it holds in memory.
    held: Held,
    /// Whether the client is sent what comes.
    told: bool,
    /// Whether its end is kept from the client until its account is on the disk.
    withholds: bool,
    /// Whether the client gets nothing of it that was not checked.
    holds: bool,
    /// How long it counts at least until its end is seen: what is worked on in the background goes on without anybody.
    least: u64,
    /// Until when it may go on, as it has gone wrong.
    doomed: Option<Clock>,
    pace: Pace,
    /// When the ledger last heard of it.
    noted: Clock,
}

/// How reading a stream ended.
enum Ended {
    Whole,
    Broke(Break),
    /// The client left, and policy says that nobody waits then.
    ClientGone,
    /// It goes wrong, nobody has seen it, and somebody else can be asked.
    Doomed,
}

/// Relays a stream to its end.
pub(super) async fn relay(
    operation: &mut Operation,
    attempt: Attempt<'_>,
    permit: Permit,
    mut upstream: Upstream,
    audience: &mut Audience,
) -> Attempted {
    let ask = operation.ask.put_to(attempt.dialect, accent(attempt.target));
    let mut relay = Relay::new(attempt.dialect, &ask);
    drop(ask);
    let goes_on = audience.preface().cloned();
    if let Some(preface) = &goes_on {
        relay.go_on(preface.clone());
    }
    let pace = Pace::new(attempt.dispatch.limits, attempt.started);
    let (held, withholds) = (operation.gateway.budget.hold(), operation.strict());
    // What nobody else would be asked for is not worth waiting for.
    let checks = attempt.dispatch.checks.as_ref();
    let is_checked_first = checks.is_some_and(|checks| checks.may_escalate());
    let dispatch = attempt.dispatch;
    let holds = (dispatch.limits.hold == Some(true) && !dispatch.last) || (is_checked_first && !dispatch.top);
    if holds || checks.is_some() {
        relay.keep_said(checks.is_some_and(|checks| checks.wants_json()));
    } else if operation.is_followed() {
        relay.keep_calls();
    }
    let least = if operation.ask.wants_background() && !attempt.target.simulated() {
        arriving::most_output(operation.ask.measures(), operation.gateway.settings.max_output_default)
    } else {
        0
    };
    if least > 0 {
        operation.delivered = least;
        operation.record_progress();
    }
    let mut stream = Stream {
        attempt,
        relay,
        goes_on,
        out: BytesMut::new(),
        held,
        told: false,
        withholds,
        holds,
        least,
        doomed: None,
        pace,
        noted: Clock::now(),
    };
    let ended = loop {
        let doomed = stream.doomed;
        let reading = stream.read(operation, &mut upstream, audience);
        let read = match doomed {
            Some(until) => timeout_at(until, reading).await.unwrap_or(Err(Ended::Doomed)),
            None => reading.await,
        };
        match read {
            Ok(Some(piece)) => {
                if let Some(ended) = stream.take(operation, &piece, audience).await {
                    break ended;
                }
            }
            Ok(None) => break stream.whole(),
            Err(ended) => break ended,
        }
    };
    match ended {
        // Nothing more is needed of the provider, but the connection may serve again once it is empty.
        Ended::Whole => upstream.let_go(),
        _ => drop(upstream),
    }
    operation.left_out.extend(stream.relay.left_out().iter().map(|name| name.as_str().into()));
    if matches!(ended, Ended::Whole) && shadow::is_wanted(operation) {
        operation.said = Some(stream.relay.delivered().to_owned());
    }
    // Of one that goes on with another's beginning the client knows no id, and nor does anybody.
    let is_unheard = !stream.told && stream.goes_on.is_none();
    let preface = is_unheard.then(|| stream.relay.preface());
    operation.unheard = preface.map(|preface| preface.id).filter(|id| !id.is_empty());
    if let Ended::Broke(Break::Wire(error)) = &ended
        && let Some(told) = declined::within(error)
        && !stream.told
        && !stream.relay.has_content()
        && stream.relay.usage().is_none()
    {
        return declined::ended(operation, &stream.attempt, permit, told);
    }
    let operation = &*operation;
    let may_go_elsewhere =
        || stream.relay.unfit().is_some() || can_escalate(operation, stream.attempt.dispatch);
    match ended {
        Ended::Whole if !stream.told => {
            let judged = stream.judge(operation, audience).await;
            // What has no place in the client's dialect is an error, whatever follows a check.
            let is_unfit = stream.relay.unfit().is_some() && stream.relay.check() == Check::Failed;
            if (is_unfit || judged.check == Check::Failed) && stream.is_needless() && may_go_elsewhere() {
                return stream.hollow(operation, permit, judged, None).await;
            }
            stream.done(operation, permit, audience, Some(judged)).await
        }
        Ended::Whole => stream.done(operation, permit, audience, None).await,
        Ended::Doomed => stream.doomed(operation, permit).await,
        Ended::ClientGone => {
            let (usage, write_ttl, _) = account(operation, &stream.attempt, &stream.relay).await;
            let took = (usage, write_ttl, true);
            let called = stream.attempt.billed(operation, took, stream.relay.usage(), stream.relay.model());
            client_gone(operation, &stream.attempt, permit, Some(called))
        }
        // What its model did wrong is a check that failed, as in an answer that came whole.
        Ended::Broke(Break::Wire(fault)) if fault.is_models() && !stream.told => {
            stream.hollow(operation, permit, Judged::default(), Some(&fault)).await
        }
        Ended::Broke(why) if !stream.told && (stream.holds || !stream.relay.has_content()) => {
            let Stream { attempt, relay, .. } = &stream;
            let called = if relay.has_content() || relay.usage().is_some() {
                let (usage, write_ttl, estimated) = account(operation, attempt, relay).await;
                // What was written before the break may not be all that was.
                let took = (usage, write_ttl, estimated || relay.has_content());
                Some(attempt.billed(operation, took, relay.usage(), relay.model()))
            } else {
                match &why {
                    Break::Wire(error) => refused(error).map(|took| attempt.took(took)),
                    _ => None,
                }
            };
            failed(operation, attempt, permit, why.status(), why.error(), called)
        }
        // Content and trouble may have come in one piece: the client gets both.
        Ended::Broke(why) => stream.broke_off(operation, permit, audience, &why).await,
    }
}

impl Stream<'_> {
    /// Returns the next piece; none at the end of the stream.
    async fn read(
        &mut self,
        operation: &Operation,
        upstream: &mut Upstream,
        audience: &mut Audience,
    ) -> Result<Option<Bytes>, Ended> {
        let is_complete = self.relay.is_complete();
        let began = Clock::now();
        let due = self.pace.due(began).filter(|_| !is_complete);
        let chunk = std::pin::pin!(upstream.chunk());
        let read = std::pin::pin!(async {
            match due {
                _ if is_complete => Ok(timeout(LINGER, chunk).await.unwrap_or(Ok(None))),
                Some((at, limit)) => timeout_at(at, chunk).await.map_err(|_| limit),
                None => Ok(chunk.await),
            }
        });
        let dispatch = self.attempt.dispatch;
        match watched(operation, dispatch, audience, read).await {
            None => Err(Ended::ClientGone),
            Some(Ok(Ok(Some(piece)))) => {
                self.pace.came(began.elapsed());
                Ok(Some(piece))
            }
            Some(Ok(Ok(None))) => Ok(None),
            // A stream that is whole has lost nothing when its connection breaks.
            Some(Ok(Err(_))) if is_complete => Ok(None),
            Some(Ok(Err(error))) => Err(Ended::Broke(Break::Call(error))),
            Some(Err(limit)) => {
                let error = too_slow(limit, dispatch, &operation.placed.route);
                Err(Ended::Broke(Break::Slow(error)))
            }
        }
    }

    /// Takes a piece, and sends on what it brings. Returns the end where that is it.
    async fn take(
        &mut self,
        operation: &mut Operation,
        piece: &[u8],
        audience: &mut Audience,
    ) -> Option<Ended> {
        if let Err(error) = self.relay.push(piece, &mut self.out) {
            return Some(Ended::Broke(Break::Wire(error)));
        }
        if !self.held.follow(self.relay.held().saturating_add(self.out.len())) {
            return Some(Ended::Broke(Break::Full(operation.gateway.budget.full())));
        }
        self.pace.wrote(self.relay.written_bytes());
        if self.holds && !self.told && self.relay.is_doomed() {
            let now = Clock::now();
            match self.doomed {
                // Where nobody else can be asked it goes on as any other.
                None if !can_escalate(operation, self.attempt.dispatch) => self.holds = false,
                None => self.doomed = Some(now + GRACE),
                Some(until) if now > until => return Some(Ended::Doomed),
                Some(_) => {}
            }
        }
        let has_content = self.relay.has_content();
        let most = if self.holds { UNCHECKED } else { HELD };
        if self.told || (has_content && !self.holds) || self.out.len() > most {
            self.tell(operation, audience).await;
        } else {
            let early = self.relay.take_early();
            if early > 0 {
                audience.begin(self.out.split_to(early.min(self.out.len())), self.relay.preface());
            }
        }
        if has_content {
            operation.delivered = self.relay.written_bytes().div_ceil(4).max(self.least);
            if self.noted.elapsed() >= PROGRESS {
                self.noted = Clock::now();
                operation.record_progress();
            }
        }
        self.relay.is_over().then_some(Ended::Whole)
    }

    /// Takes note that nothing more comes.
    fn whole(&mut self) -> Ended {
        match self.relay.finish(&mut self.out) {
            StreamEnd::Complete => Ended::Whole,
            StreamEnd::Truncated => {
                let why = self.relay.failure().cloned();
                Ended::Broke(why.map_or(Break::Disconnected, Break::Wire))
            }
        }
    }

    /// Sends the client what is there: from the first time on it gets this stream and no other.
    async fn tell(&mut self, operation: &Operation, audience: &mut Audience) {
        if !std::mem::replace(&mut self.told, true) {
            let dispatch = self.attempt.dispatch;
            audience.open(|headers| operation.sign(headers, dispatch));
            if let Some(preface) = &self.goes_on {
                keeper::disown(operation, &preface.id, &dispatch.model);
            }
            // The client knows the id from here on, and may judge what it reads.
            operation.note_served(&dispatch.model);
        }
        if self.withholds && self.relay.is_complete() {
            let end = self.out.split_off(last_event(&self.out));
            audience.send(&mut self.out).await;
            self.out = end;
        } else {
            audience.send(&mut self.out).await;
        }
    }

    /// Returns what the client is to have once the account is settled; nothing where it has had all of it.
    async fn last(&mut self, operation: &Operation, audience: &mut Audience) -> BytesMut {
        if !self.withholds {
            self.tell(operation, audience).await;
        } else if !self.told {
            let end = std::mem::take(&mut self.out);
            self.tell(operation, audience).await;
            self.out = end;
        }
        std::mem::take(&mut self.out)
    }

    /// Judges what is whole by the checks of its route.
    async fn judge(&self, operation: &Operation, audience: &mut Audience) -> Judged {
        let (dispatch, own) = (self.attempt.dispatch, self.relay.check());
        if dispatch.checks.is_none() {
            return Judged::plain(own);
        }
        let judging = checked::judge(operation, dispatch, own, self.relay.said());
        watched(operation, dispatch, audience, judging).await.unwrap_or_default()
    }

    /// Says whether the client need not have it, were it fit for nothing: somebody else can be asked, or it is an error.
    fn is_needless(&self) -> bool {
        !self.attempt.dispatch.top || self.relay.unfit().is_some()
    }

    /// Ends a stream that goes wrong before the client has any of it; what the rest would have cost is saved.
    async fn doomed(self, operation: &Operation, permit: Permit) -> Attempted {
        let (usage, write_ttl, _) = account(operation, &self.attempt, &self.relay).await;
        let mut called = self.called(operation, (usage, write_ttl, true));
        let why = "it is no JSON, so the rest was not waited for";
        let verdict = || Verdict::new(Verdict::OWN, Says::Failed, why);
        called.verdicts.extend(self.attempt.dispatch.checks.is_some().then(verdict));
        let error = ApiError::new(ErrorKind::Server, "the provider's answer did not pass its check");
        hollow(operation, &self.attempt, permit, error, called)
    }

    /// Ends a stream that holds no answer, or none that is fit for use, and of which the client has had nothing.
    async fn hollow(
        self,
        operation: &Operation,
        permit: Permit,
        judged: Judged,
        fault: Option<&WireError>,
    ) -> Attempted {
        let took = account(operation, &self.attempt, &self.relay).await;
        let why = if self.relay.has_answer() { "did not pass its check" } else { "was empty" };
        let error = self.relay.unfit().or(fault).map_or_else(
            || ApiError::new(ErrorKind::Server, format!("the provider's answer {why}")),
            WireError::to_api,
        );
        let mut called = self.called(operation, took);
        (called.verdicts, called.checking) = (judged.verdicts, judged.took);
        hollow(operation, &self.attempt, permit, error, called)
    }

    async fn done(
        mut self,
        operation: &Operation,
        permit: Permit,
        audience: &mut Audience,
        judged: Option<Judged>,
    ) -> Attempted {
        operation.calls_tools(self.relay.said().iter().flat_map(|said| &said.calls));
        let unfit = self.relay.unfit().map(WireError::to_api);
        if let Some(error) = &unfit {
            self.relay.fail(error, &mut self.out);
        }
        let last = self.last(operation, audience).await;
        let is_later = judged.is_none() && operation.judges_later(self.attempt.dispatch);
        let judged = match judged {
            Some(judged) => judged,
            None if is_later => Judged::default(),
            None => self.judge(operation, audience).await,
        };
        let took = account(operation, &self.attempt, &self.relay).await;
        report(operation, permit, Status::Ok, Some(&took.0), None);
        let mut called = self.called(operation, took);
        (called.verdicts, called.checking) = (judged.verdicts, judged.took);
        // The client has had it; no other model can be asked, but the account says what it was.
        match judged.check {
            // What breaks off for that goes nowhere, whoever is above.
            Check::Failed if self.attempt.dispatch.top || unfit.is_some() => called.check = Check::Failed,
            Check::Failed => UNFIT.clone_into(&mut called.error),
            Check::Passed if self.attempt.dispatch.checks.is_some() => called.check = Check::Passed,
            Check::Passed | Check::None => {}
        }
        if let Some(error) = unfit {
            called.error = error.message;
            // Nobody else is asked after that.
            called.status = if self.attempt.dispatch.top { called.status } else { Status::Truncated };
        }
        let outcome = Outcome::Streamed(last);
        let outcome = if is_later {
            Outcome::Unjudged(Box::new(outcome), self.relay.said(), self.relay.check())
        } else {
            outcome
        };
        Attempted { called, outcome, retry: None }
    }

    /// Ends a stream that broke after the client had a part of it.
    async fn broke_off(
        mut self,
        operation: &Operation,
        permit: Permit,
        audience: &mut Audience,
        why: &Break,
    ) -> Attempted {
        let mut error = why.error();
        error.message = self.attempt.target.redact(&error.message).into_owned();
        let said = error.message.clone();
        error.message = self.attempt.target.conceal(&said).into_owned();
        self.relay.fail(&error, &mut self.out);
        let last = self.last(operation, audience).await;
        let (usage, write_ttl, estimated) = account(operation, &self.attempt, &self.relay).await;
        report(operation, permit, why.status(), Some(&usage), Some(said.clone()));
        // The check of what its model did wrong has failed; nobody else is asked after that.
        let is_models = why.status() == Status::Ok;
        let is_over = is_models && self.attempt.dispatch.top;
        Attempted {
            called: Called {
                status: if is_over { Status::Ok } else { Status::Truncated },
                check: if is_models { Check::Failed } else { Check::None },
                error: said,
                // What was counted before the break may have been revised by what is missing, but for what broke it.
                ..self.called(operation, (usage, write_ttl, estimated || !self.relay.is_accounted()))
            },
            outcome: Outcome::Streamed(last),
            retry: None,
        }
    }

    fn called(&self, operation: &Operation, took: Took) -> Called {
        let Self { attempt, relay, pace, .. } = self;
        let called = attempt.billed(operation, took, relay.usage(), relay.model());
        Called { ttft_ms: pace.ttft(), gap_ms: pace.gap(), ..called }
    }
}

/// Returns the tokens of a stream: as reported, else as estimated, where what came says how many.
async fn account(operation: &Operation, attempt: &Attempt<'_>, relay: &Relay) -> Took {
    let counted: Option<Counted> = relay.usage();
    let told = counted.is_some_and(|counted| counted.usage.output.is_known());
    let model = &attempt.dispatch.model;
    let longest = arriving::longest(&operation.gateway, operation.ask.measures(), model).unwrap_or(u64::MAX);
    let tokens = if told { 0 } else { delivered(attempt.dispatch, relay).await.min(longest) };
    let written = if relay.is_complete() && relay.has_content() {
        Some(tokens)
    } else {
        estimate::cut_off(&operation.ask, model, (tokens, relay.thought_bytes()))
    };
    estimate::complete(counted, operation.ask.measures().estimated_prompt_tokens, written)
}

/// Counts the tokens that were written, thoughts that were shown included, where that holds nobody up.
async fn delivered(dispatch: &Dispatch, relay: &Relay) -> u64 {
    // Thoughts are billed as output, too.
    let (text, bytes) = (relay.delivered().to_owned(), relay.written_bytes());
    let kept = text.len() as u64;
    let model = Arc::clone(&dispatch.model);
    let counted = tokio::task::spawn_blocking(move || estimate::tokens(&model, &text)).await;
    let counted = counted.unwrap_or(kept.div_ceil(4));
    counted.saturating_add(bytes.saturating_sub(kept).div_ceil(4))
}
