//! Answers that a provider works on in the background: the client has its ticket at once, the operation goes on until the
//! answer is there, and is charged once, for what it then says.
//!
//! Invariants: waiting buys nothing: the answer is looked for, never asked for again; an answer that nobody saw the end of
//! counts as the longest that it may have been.

use std::cell::RefCell;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use tokio::sync::oneshot;
use tokio::time::Instant as Clock;

use super::awaited::{is_cancelled, pending};
use super::body::Reply;
use super::operation::Operation;
use super::respond::json;
use crate::pricing::Usage;
use crate::providers::Target;
use crate::routing::Status;
use crate::session::{Called, Dispatch};
use crate::units::Count;
use crate::wire::ApiError;

/// How long an answer is waited for; one that takes longer is charged as an estimate.
const PATIENCE: Duration = Duration::from_secs(3600);
/// The first pause between two looks; it doubles.
const FIRST: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(10);

tokio::task_local! {
    /// Where the ticket goes of the operation that runs within this task.
    static TICKET: RefCell<Option<oneshot::Sender<Response<Reply>>>>;
}

/// What became of an answer that was waited for.
pub(super) enum Ended {
    /// It is there.
    Answer(Bytes),
    /// It will not come: what was last heard of it, and why.
    Lost(Bytes, &'static str),
}

/// Runs an operation whose client gets a ticket, should the provider give one. The operation then goes on by itself.
pub(super) async fn run(
    operation: impl Future<Output = Result<Response<Reply>, ApiError>>,
) -> Result<Response<Reply>, ApiError> {
    let (sender, ticket) = oneshot::channel();
    let operation = TICKET.scope(RefCell::new(Some(sender)), operation);
    tokio::select! {
        biased;
        Ok(ticket) = ticket => Ok(ticket),
        answer = operation => answer,
    }
}

/// Waits until an answer is there that the provider works on in the background; any other comes back as it is.
pub(super) async fn settled(
    operation: &mut Operation,
    dispatch: &Dispatch,
    target: &Target,
    (body, most): (Bytes, u64),
) -> Ended {
    let id = pending(&body).filter(|_| !target.simulated()).map(|ticket| ticket.id.to_owned());
    let Some(id) = id else { return Ended::Answer(body) };
    // Should nobody be here any more when it is there, it counts as the longest that it may be.
    operation.delivered = most;
    operation.record_progress();
    let awaited = &operation.gateway.awaited;
    let mut brought = awaited.enter(&id);
    let sender = TICKET.try_with(|ticket| ticket.borrow_mut().take()).ok().flatten();
    if let Some(sender) = sender {
        let mut response = json(StatusCode::OK, body.clone());
        operation.sign(response.headers_mut(), dispatch);
        let _ = sender.send(response);
        // Lets the client have it, and this operation a task of its own.
        tokio::task::yield_now().await;
    }
    let ended = look(operation, target, &id, body, &mut brought).await;
    awaited.leave(&id);
    match ended {
        Ended::Answer(body) if is_cancelled(&body) => {
            Ended::Lost(body, "it was cancelled while it was worked on")
        }
        ended => ended,
    }
}

/// Charges a stream that nobody saw the end of: its answer is worked on all the same, and can be had later, so it counts as the
/// longest that it may be.
pub(super) fn given_up(called: &mut Called, most: u64) {
    let is_open = matches!(
        called.status,
        Status::Cancelled | Status::Truncated | Status::Timeout | Status::ServerError
    );
    if is_open && called.usage != Usage::NONE && called.usage.output.get().is_none_or(|output| output < most)
    {
        called.usage.output = Count::new(most).unwrap_or(called.usage.output);
        called.estimated = true;
    }
}

/// Looks for an answer again and again.
async fn look(
    operation: &Operation,
    target: &Target,
    id: &str,
    body: Bytes,
    brought: &mut oneshot::Receiver<Bytes>,
) -> Ended {
    let (until, mut pause, mut last) = (Clock::now() + PATIENCE, FIRST, body);
    while Clock::now() < until {
        tokio::select! {
            biased;
            Ok(answer) = &mut *brought => return Ended::Answer(answer),
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(LONGEST);
        let gateway = &operation.gateway;
        let mut held = gateway.budget.hold();
        let hold = &mut |size| held.follow(size);
        let told = gateway.providers.stored(target.provider(), &Method::GET, id, "", None, hold).await;
        match told {
            Ok(told) if told.status == 200 => {
                last = held.tie(told.body);
                if pending(&last).is_none() {
                    return Ended::Answer(last);
                }
            }
            // Deleted, or never kept. Whoever deleted it here brought it before, if it was there.
            Ok(told) if matches!(told.status, 404 | 410) => {
                return match brought.try_recv() {
                    Ok(answer) => Ended::Answer(answer),
                    Err(_) => Ended::Lost(last, "it was deleted before its end was seen"),
                };
            }
            _ => {}
        }
    }
    Ended::Lost(last, "it was not there within an hour")
}
