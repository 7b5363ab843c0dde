//! One attempt: the provider is asked for permission, called, and what came is understood.
//!
//! Invariant: whatever happens, an attempt has an account of its tokens: what the provider reports, nothing where it
//! refused at the door, an estimate where an answer was lost.

use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use tokio::time::Instant as Clock;

use super::account::{
    Attempt, Took, accent, can_escalate, client_gone, failed, hollow, refused as refused_within, report,
    unfit, watched, written,
};
use super::audience::Audience;
use super::background::{self, Ended};
use super::checked::{self, Judged};
use super::large::{self, LARGE};
use super::operation::{Attempted, Operation, Outcome, not_made};
use super::pace::{self, millis};
use super::{arriving, budget, declined, estimate, stream};
use crate::pricing::{Usage, costs_more, is_ordinary};
use crate::providers::{Call, CallError, Cause, Permit, Refused, Target};
use crate::record::WriteTtl;
use crate::routing::{Check, Parameters, Status};
use crate::session::{Called, Dispatch};
use crate::units::counted;
use crate::wire::{self, ApiError, Dialect, ErrorKind};

/// From this size on an answer is counted while it comes.
const COUNTED: usize = 4096;

/// What stands beside an answer that is sent on though its check says that it is not fit for use.
const UNCHECKED: &str = "did not pass its check; no rung behind can take the request";

/// Makes one attempt. A stream is relayed to its end before this returns.
pub(super) async fn attempt(
    operation: &mut Operation,
    dispatch: &Dispatch,
    audience: &mut Audience,
) -> Attempted {
    let gateway = Arc::clone(&operation.gateway);
    let nobody: Arc<str> = "".into();
    let measures = operation.ask.measures();
    let tokens = measures.estimated_prompt_tokens.saturating_add(measures.max_output.unwrap_or(0));
    // What goes on from something kept goes to its keeper, or nowhere.
    let is_kept = operation.ask.names_kept()
        || operation.ask.leans_on().is_some_and(|(member, _)| member != "background");
    let found = if is_kept {
        gateway.providers.target(&dispatch.model)
    } else {
        gateway.providers.target_now(&dispatch.model, tokens, Moment::now())
    };
    let Some(target) = found else {
        let message = format!("no provider serves {}; add it to providers.toml", dispatch.model);
        return refused(operation, dispatch, &nobody, ApiError::new(ErrorKind::NotFound, message));
    };
    let provider = Arc::clone(target.provider());
    if operation.calls >= gateway.settings.attempts {
        let message = format!(
            "{} made for this request already (attempts in gateway.toml)",
            counted(u64::from(operation.calls), "call")
        );
        return refused(operation, dispatch, &provider, ApiError::new(ErrorKind::Overloaded, message));
    }
    let Some(dialect) = target.dialect_for(operation.ask.dialect()) else {
        let form = operation.ask.dialect();
        let message = if target.known().responses_alone {
            format!("{} is served by {provider} in Responses alone: ask for it there", dispatch.model)
        } else {
            format!("{provider} cannot take requests in the form of {form}")
        };
        return refused(operation, dispatch, &provider, ApiError::new(ErrorKind::InvalidRequest, message));
    };
    if operation.placed.ticket.is_reserved()
        && let Some(member) = operation.ask.hands_on()
    {
        let message = format!(
            "{member}: only models with certain labels may have this request, and by this member others would see it, or it would be \
             worked on elsewhere; leave it out"
        );
        let error =
            ApiError { param: Some(member.to_owned()), ..ApiError::new(ErrorKind::InvalidRequest, message) };
        return refused(operation, dispatch, &provider, error);
    }
    // What is sent is a copy, so there has to be room for it before it is written.
    let mut copy = gateway.budget.hold();
    if !copy.make_room(operation.ask.body(), operation.ask.is_translated(dialect)) {
        return refused(operation, dispatch, &provider, gateway.budget.full());
    }
    let most = gateway.settings.max_output_default;
    let mut with =
        Parameters { logprobs: dispatch.with.logprobs && !operation.lacks.logprobs, ..dispatch.with.clone() };
    let has_tiers = matches!(dialect, Dialect::OpenAiChat | Dialect::OpenAiResponses);
    let is_unasked =
        || operation.ask.tiers().all(|tier| is_ordinary(&tier)) && operation.placed.ticket.is_held_plainly();
    if has_tiers && target.known().chooses_tier && is_unasked() {
        // What nobody asks for is not held for either.
        with.service_tier.get_or_insert_with(|| "standard".into());
    }
    if asks_unpriced(operation, &dispatch.model) {
        with.service_tier.get_or_insert_with(|| "standard".into());
    }
    let sent = if operation.ask.body().len() < LARGE {
        written(&operation.ask, &with, (&target, dialect), most, &operation.headers)
    } else {
        let (ask, target) = (operation.ask.clone(), target.clone());
        let headers = operation.headers.clone();
        large::apart(move || written(&ask, &with, (&target, dialect), most, &headers)).await
    };
    let body = match sent {
        Ok(sent) => {
            operation.left_out = sent.left_out.into_iter().map(Into::into).collect();
            if operation.lacks.reasoning {
                operation.left_out.push("input (reasoning)".into());
            } else if operation.lacks.reasoning_ids {
                operation.left_out.push("input (reasoning ids)".into());
            }
            operation.tier = sent.tier;
            operation.place = target.place().cloned();
            sent.body
        }
        Err(error) => return refused(operation, dispatch, &provider, error.to_api()),
    };
    let mut permit = match permitted(operation, dispatch, &target, tokens, audience).await {
        Ok(permit) => permit,
        Err(None) => {
            let gone = || ApiError::new(ErrorKind::Timeout, "the client went away");
            let error = operation.halted().unwrap_or_else(gone);
            let mut left = refused(operation, dispatch, &provider, error);
            left.called.status = Status::Cancelled;
            return left;
        }
        Err(Some(stands)) => {
            let kind = match stands.cause {
                Cause::Quota | Cause::Limit => ErrorKind::RateLimited,
                Cause::Breaker | Cause::NoKey => ErrorKind::Overloaded,
            };
            let mut error = ApiError::new(kind, stands.why);
            error.retry_after_ms = stands.retry_after.map(|wait| u64::from(millis(wait)));
            return refused(operation, dispatch, &provider, error);
        }
    };
    // Where a provider has several accounts, this is the one that is called.
    let target = target.at_account(&permit);
    let provider = Arc::clone(target.provider());
    if target.simulated() {
        operation.simulates();
    }
    if let Err(error) = operation.begins(dispatch, &provider).await {
        return not_made(dispatch, &provider, error);
    }
    let body = if operation.may_be_marked(dispatch) {
        gateway.marks.place(&mut operation.prompt(), (&target, dialect), body)
    } else {
        body
    };
    let started = Clock::now();
    let call = Call {
        dialect,
        body: copy.tie_copy(body),
        stream: operation.ask.stream(),
        headers: operation.headers.clone(),
        attempt: operation.tries.saturating_sub(1),
    };
    let due = pace::first_byte(dispatch.limits, started).filter(|_| operation.ask.stream());
    // Pinned here, it is not moved from future to future, each of which would have room for it.
    let sent = {
        let sending = std::pin::pin!(async {
            // The writer is woken once the request is on its way, not while it waits for a core.
            let waking = async {
                tokio::task::yield_now().await;
                gateway.ledger.wake();
            };
            tokio::join!(gateway.providers.send(&mut permit, call), waking).0
        });
        let sending = std::pin::pin!(async {
            match due {
                Some((at, limit)) => tokio::time::timeout_at(at, sending).await.map_err(|_| limit),
                None => Ok(sending.await),
            }
        });
        watched(operation, dispatch, audience, sending).await
    };
    let attempt = Attempt { dispatch, target: &target, dialect, started };
    let reply = match sent {
        None => return client_gone(operation, &attempt, permit, None),
        Some(Err(limit)) => {
            let error = pace::too_slow(limit, dispatch, &operation.placed.route);
            return failed(operation, &attempt, permit, Status::Timeout, error, None);
        }
        Some(Ok(Err(error))) => return transport_error(operation, &attempt, permit, &error, None),
        Some(Ok(Ok(reply))) => reply,
    };
    if !reply.is_success() {
        return Box::pin(declined::answered(operation, &attempt, permit, reply)).await;
    }
    operation.served_tier = reply.served_tier().map(Arc::from);
    if operation.ask.stream() {
        audience.provider_began();
        // What only some requests need does not make the others' futures large.
        let mut attempted = Box::pin(stream::relay(operation, attempt, permit, reply, audience)).await;
        if operation.ask.wants_background() && !target.simulated() {
            background::given_up(&mut attempted.called, operation.delivered);
        }
        return attempted;
    }
    let limit = gateway.settings.limits.answer;
    // One of the client's own dialect goes on as it came; another is read and written anew beside what came.
    let is_own = !operation.ask.put_to(dialect, accent(&target)).is_translated(dialect);
    let copies = if is_own { 1 } else { 2 };
    let (mut held, mut beside) = (gateway.budget.hold(), gateway.budget.hold());
    let whole = {
        let may_hold =
            |size: usize| size < COUNTED || held.follow(size) && beside.follow(size.saturating_mul(copies));
        let whole = std::pin::pin!(reply.whole_or_part(limit, may_hold));
        watched(operation, dispatch, audience, whole).await
    };
    let bytes = match whole {
        None => return client_gone(operation, &attempt, permit, None),
        Some(Err(part)) => {
            let told = wire::used_in_part(dialect, &part.came);
            // What was not read to its end here was written to it.
            let is_ours = matches!(part.error, CallError::NoRoom(..) | CallError::TooLarge { .. });
            let came = if is_ours { part.length.div_ceil(4) } else { 0 };
            // Nobody bills more than was asked for.
            let longest = arriving::longest(&gateway, measures, &dispatch.model);
            let most = arriving::most_output(measures, gateway.settings.max_output_default);
            let came = came.min(longest.unwrap_or(most)).min(most);
            let written = estimate::cut_off(&operation.ask, &dispatch.model, (came, 0));
            let (usage, write_ttl, _) = estimate::complete(told, measures.estimated_prompt_tokens, written);
            let used = (usage, write_ttl, true);
            return transport_error(operation, &attempt, permit, &part.error, Some(used));
        }
        Some(Ok(bytes)) => held.tie(bytes),
    };
    let bytes = if operation.ask.wants_background() {
        let most = arriving::most_output(measures, gateway.settings.max_output_default);
        match Box::pin(background::settled(operation, dispatch, &target, (bytes, most))).await {
            Ended::Answer(bytes) => bytes,
            Ended::Lost(bytes, why) => {
                let used = estimate::complete(
                    wire::used(dialect, &bytes),
                    measures.estimated_prompt_tokens,
                    Some(most),
                );
                let error = ApiError::new(ErrorKind::NotFound, format!("the answer is lost: {why}"));
                let called = Some(attempt.unanswered(operation, used));
                return failed(operation, &attempt, permit, Status::Cancelled, error, called);
            }
        }
    } else {
        bytes
    };
    if !beside.follow(bytes.len().saturating_mul(copies).saturating_add(budget::members(&bytes))) {
        let full = gateway.budget.full();
        return failed(operation, &attempt, permit, Status::Cancelled, full, None);
    }
    operation.delivered = 0;
    let is_checked = dispatch.checks.is_some();
    let ask = operation.ask.put_to(dialect, accent(&target));
    let answer = if bytes.len() < LARGE {
        wire::answer_and_said(dialect, &ask, bytes.clone(), is_checked)
    } else {
        let (ask, bytes) = (ask.into_owned(), bytes.clone());
        large::apart(move || wire::answer_and_said(dialect, &ask, bytes, is_checked)).await
    };
    drop(beside);
    match answer {
        Ok((answer, said)) => {
            let prompt = measures.estimated_prompt_tokens;
            let longest = arriving::longest(&gateway, measures, &dispatch.model).unwrap_or(u64::MAX);
            let written = answer.output_bytes.div_ceil(4).min(longest);
            let took = estimate::complete(answer.usage, prompt, Some(written));
            let called = attempt.billed(operation, took, answer.usage, answer.model.as_deref());
            operation.left_out.extend(answer.left_out.iter().map(|name| name.as_str().into()));
            match &answer.fault {
                Some(fault) if fault.is_models() => {
                    return hollow(operation, &attempt, permit, fault.to_api(), called);
                }
                Some(fault) => {
                    return failed(operation, &attempt, permit, unfit(fault), fault.to_api(), Some(called));
                }
                None => report(operation, permit, Status::Ok, Some(&called.usage), None),
            }
            let (judged, said) = if operation.judges_later(dispatch) {
                (Judged::default(), Some(said))
            } else if is_checked {
                let judging = checked::judge(operation, dispatch, answer.check, said);
                (watched(operation, dispatch, audience, judging).await.unwrap_or_default(), None)
            } else {
                (Judged::plain(answer.check), None)
            };
            let stays = judged.check == Check::Failed && !dispatch.top && !can_escalate(operation, dispatch);
            Attempted {
                called: Called {
                    error: if stays { UNCHECKED.to_owned() } else { String::new() },
                    check: if stays { Check::None } else { judged.check },
                    verdicts: judged.verdicts,
                    checking: judged.took,
                    ..called
                },
                outcome: {
                    // What goes on as it came is counted already.
                    let body = if is_own { answer.body } else { gateway.budget.tie(answer.body) };
                    let outcome = Outcome::Answer(body);
                    match said {
                        Some(said) => Outcome::Unjudged(Box::new(outcome), said, answer.check),
                        None => outcome,
                    }
                },
                retry: None,
            }
        }
        Err(error) => {
            let counted = wire::used(dialect, &bytes);
            if let Some(told) = declined::within(&error).filter(|_| counted.is_none()) {
                return declined::ended(operation, &attempt, permit, told);
            }
            let mut api = error.to_api();
            let status = unfit(&error);
            if api.status < 400 {
                api.status = 502;
            }
            // An answer that failed on the way is billed for what it says it took.
            let prompt = measures.estimated_prompt_tokens;
            let unseen = estimate::cut_off(&operation.ask, &dispatch.model, (0, 0));
            let told = counted.map(|counted| estimate::complete(Some(counted), prompt, unseen));
            let told =
                told.or_else(|| refused_within(&error)).map(|took| attempt.unanswered(operation, took));
            failed(operation, &attempt, permit, status, api, told)
        }
    }
}

/// Says whether a hard limit is about a request that asks for a dearer tier than its model has a price of: it is not sent for.
fn asks_unpriced(operation: &Operation, model: &str) -> bool {
    let book = operation.gateway.live.book();
    let row = book.find_named(model).and_then(|(_, prices)| prices.dated(super::now()));
    let is_priced = |tier: &str| row.is_some_and(|row| row.tiers.contains_key(tier));
    operation.placed.ticket.is_hard()
        && operation.ask.tiers().any(|tier| costs_more(&tier) && !is_priced(&tier))
}

/// How long a request waits for a call that tries a model out.
const TRYING: Duration = Duration::from_millis(250);

/// Asks for permission. Where nobody else can be asked, it is waited for as long as the provider's settings say; nothing comes
/// of it where the client left meanwhile, or was stopped.
async fn permitted(
    operation: &Operation,
    dispatch: &Dispatch,
    target: &Target,
    tokens: u64,
    audience: &mut Audience,
) -> Result<Permit, Option<Refused>> {
    let until = Clock::now() + target.patience();
    let target = &target.preferring(operation.placed.account);
    loop {
        let permit = operation.gateway.providers.permit(target, tokens, dispatch.last, Moment::now());
        let stands = match permit {
            Err(stands) if dispatch.last && stands.cause != Cause::NoKey => stands,
            other => return other.map_err(Some),
        };
        let wait = stands.retry_after.unwrap_or(TRYING).max(Duration::from_millis(1));
        if Clock::now() + wait > until {
            return Err(Some(stands));
        }
        let waiting = std::pin::pin!(tokio::time::sleep(wait));
        watched(operation, dispatch, audience, waiting).await.ok_or(None)?;
        // Who was stopped meanwhile waits for nothing any more.
        if operation.halted().is_some() {
            return Err(None);
        }
    }
}

/// Ends an attempt that was never a call.
fn refused(
    operation: &mut Operation,
    dispatch: &Dispatch,
    provider: &Arc<str>,
    error: ApiError,
) -> Attempted {
    operation.record_start(dispatch, provider);
    not_made(dispatch, provider, error)
}

/// Ends a call that got no answer, or only a part of one.
fn transport_error(
    operation: &Operation,
    attempt: &Attempt<'_>,
    permit: Permit,
    error: &CallError,
    used: Option<Took>,
) -> Attempted {
    let api = match error {
        CallError::NoRoom { .. } => operation.gateway.budget.full(),
        _ => ApiError::new(error.kind(), error.to_string()),
    };
    // No connection, no bill; anything later may have been worked on.
    let none = || error.is_untouched().then_some((Usage::NONE, WriteTtl::Reported, false));
    let called = used.or_else(none).map(|took| attempt.unanswered(operation, took));
    failed(operation, attempt, permit, error.status(), api, called)
}
