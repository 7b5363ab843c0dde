//! What becomes of a call whose provider said why it gives no answer: by a status, or under a good one in the answer's place.
//!
//! Invariant: what was said is judged by what it says, wherever it stood.

use std::fmt::Write as _;
use std::time::{Duration, Instant as Moment};

use super::account::{Attempt, report};
use super::operation::{Attempted, Operation, Outcome};
use super::pace::millis;
use super::refusals::{is_account, is_clients_own, is_content, is_requests, is_sealed, is_too_large, told};
use super::unquoted::unquoted;
use crate::pricing::Usage;
use crate::providers::{Failure, Permit, Reply};
use crate::record::WriteTtl;
use crate::routing::Status;
use crate::session::Called;
use crate::wire::{self, ApiError, ErrorKind, WireError};

/// The largest error body that is read.
const ERROR_BODY: usize = 256 * 1024;

/// What a provider said instead of an answer.
pub(super) struct Said {
    http: u16,
    error: ApiError,
    should_retry: Option<bool>,
    retry_after: Option<Duration>,
}

/// Ends a call that the provider answered with an error.
pub(super) async fn answered(
    operation: &mut Operation,
    attempt: &Attempt<'_>,
    permit: Permit,
    reply: Reply,
) -> Attempted {
    let (http, should_retry, retry_after) = (reply.status, reply.should_retry, reply.retry_after);
    let body = reply.whole(ERROR_BODY, |_| true).await.unwrap_or_default();
    let error = wire::read_error(attempt.dialect, http, &body);
    ended(operation, attempt, permit, Said { http, error, should_retry, retry_after })
}

/// Returns what a provider said under a good status in place of an answer, where it is what a bad one would say of account, model,
/// limits or the request.
pub(super) fn within(error: &WireError) -> Option<Said> {
    let WireError::Upstream(error) = error else { return None };
    let is_refusal = (400..500).contains(&error.status);
    is_refusal.then(|| Said {
        http: error.status,
        error: error.clone(),
        should_retry: None,
        retry_after: None,
    })
}

/// Ends a call by what its provider said.
pub(super) fn ended(
    operation: &mut Operation,
    attempt: &Attempt<'_>,
    mut permit: Permit,
    said: Said,
) -> Attempted {
    let target = attempt.target;
    let Said { http, mut error, should_retry: said, mut retry_after } = said;
    error.message = target.redact(&error.message).into_owned();
    let provider = target.provider();
    // What the provider thinks of our key or our model name is none of the client's doing: somebody else may serve it.
    let provider_fault = |message: String| ApiError::new(ErrorKind::Server, message);
    let (status, should_retry) = match http {
        300..=399 => {
            error = provider_fault(format!("{provider} answered with a redirect, which is not followed"));
            (Status::Failed, Some(false))
        }
        // What a prompt says is nobody's doing but its own: no account serves it, and none is left alone for it.
        403 if is_content(&error) => (told(&error), Some(false)),
        403 | 404 | 410 if is_clients_own(&error) => (Status::Rejected, Some(false)),
        _ if is_account(&error) => {
            error = provider_fault(format!("{provider} refused the gateway's own key: {}", error.message));
            // Another account may serve, this request too.
            if target.has_others() {
                permit.distrust(Moment::now());
            }
            (Status::Failed, Some(false))
        }
        // What this request demands is not to be had here: another rung may have it, and other requests are served.
        401 | 403 | 404 if is_requests(&error, target.upstream()) => {
            if error.code.as_deref() == Some(wire::TOO_LONG) {
                error = ApiError { status: 400, kind: ErrorKind::InvalidRequest, ..error };
            } else if http == 401 {
                // It is not the client's key to this gateway that was refused.
                error = ApiError { status: 424, kind: ErrorKind::InvalidRequest, ..error };
            }
            (Status::Unfit, Some(false))
        }
        403 => {
            let upstream = target.upstream();
            error = provider_fault(format!("{provider} does not serve {upstream} here: {}", error.message));
            (Status::Failed, Some(false))
        }
        404 | 410 => {
            let upstream = target.upstream();
            error = provider_fault(format!("{provider} does not know {upstream}: {}", error.message));
            (Status::Failed, Some(false))
        }
        ..=299 => {
            error = provider_fault(format!("{provider} answered with status {http}"));
            (Status::Failed, None)
        }
        // However long it waits, it does not become shorter.
        429 if is_too_large(&error) => {
            permit.forgive();
            (retry_after, error.retry_after_ms) = (None, None);
            error = ApiError { status: 413, kind: ErrorKind::TooLarge, ..error };
            (Status::Unfit, Some(false))
        }
        429 => {
            retry_after = retry_after.or(error.retry_after_ms.map(Duration::from_millis));
            let alone = permit.refused(retry_after, Moment::now());
            if retry_after.is_none() {
                let upstream = target.upstream();
                let _ = write!(
                    error.message,
                    " ({provider} sent no Retry-After; no call goes to {upstream} for {} ms)",
                    alone.as_millis()
                );
                error.retry_after_ms = Some(u64::from(millis(alone)));
            }
            (Status::RateLimited, said)
        }
        _ => (told(&error), said),
    };
    if let Some(wait) = retry_after {
        error.retry_after_ms = Some(u64::from(millis(wait)));
    }
    let failure = Failure { status, begun: false, retry_after, should_retry };
    let message = format!("{http}: {}", unquoted(&error.message, operation.ask.body()));
    report(operation, permit, status, Some(&Usage::NONE), Some(message.clone()));
    error.message = target.conceal(&error.message).into_owned();
    // What policy adds to look at the answer costs nobody the answer.
    let is_ours =
        status == Status::Unfit && attempt.dispatch.with.logprobs && !operation.ask.wants_logprobs();
    let asks_less =
        is_ours && !operation.lacks.logprobs && error.message.to_ascii_lowercase().contains("logprobs");
    operation.lacks.logprobs |= asks_less;
    // What one provider's model thought no other can read, nor find by its id.
    let is_sealed = !operation.lacks.reasoning && is_sealed(&error);
    // An item that is not kept there may be read all the same: what was thought goes along with it, sealed.
    let by_id = if is_sealed && http == 404 && !operation.lacks.reasoning_ids {
        operation.ask.without_reasoning_ids()
    } else {
        None
    };
    operation.lacks.reasoning_ids |= by_id.is_some();
    let is_whole = by_id.is_none();
    let unsealed = by_id.or_else(|| operation.ask.without_reasoning().filter(|_| is_sealed));
    let asks_less = asks_less || unsealed.is_some();
    let retry = operation.gateway.providers.retry(target, operation.tries, &failure, Moment::now());
    if let Some(ask) = unsealed {
        (operation.ask, operation.lacks.reasoning) = (ask, is_whole);
    }
    Attempted {
        called: Called { status, error: message, ..attempt.took((Usage::NONE, WriteTtl::Reported, false)) },
        retry: if asks_less { Some(Duration::ZERO) } else { retry },
        outcome: Outcome::Failed(error),
    }
}
