//! Answers that a provider works on in the background: the client has its ticket at once, the operation goes on until the
//! answer is there, and is charged once, for what it then says.
//!
//! Invariant: waiting buys nothing: the answer is looked for, never asked for again.

use std::cell::RefCell;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde::Deserialize;
use tokio::sync::oneshot;
use tokio::time::Instant as Clock;

use super::body::Reply;
use super::operation::Operation;
use super::respond::json;
use crate::providers::Target;
use crate::session::Dispatch;
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

/// What of a response says how far it is.
#[derive(Deserialize)]
struct Ticket<'t> {
    id: &'t str,
    status: &'t str,
}

/// Reads an answer that is not there yet.
fn pending(body: &[u8]) -> Option<Ticket<'_>> {
    let ticket: Ticket<'_> = serde_json::from_slice(body).ok()?;
    matches!(ticket.status, "queued" | "in_progress").then_some(ticket)
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
    operation: &Operation,
    dispatch: &Dispatch,
    target: &Target,
    body: Bytes,
) -> Bytes {
    if target.simulated() {
        return body;
    }
    let Some(id) = pending(&body).map(|ticket| ticket.id.to_owned()) else { return body };
    let sender = TICKET.try_with(|ticket| ticket.borrow_mut().take()).ok().flatten();
    if let Some(sender) = sender {
        let mut response = json(StatusCode::OK, body.clone());
        operation.sign(response.headers_mut(), dispatch);
        let _ = sender.send(response);
        // Lets the client have it, and this operation a task of its own.
        tokio::task::yield_now().await;
    }
    let (until, mut pause, mut last) = (Clock::now() + PATIENCE, FIRST, body);
    while Clock::now() < until {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
        let gateway = &operation.gateway;
        let mut held = gateway.budget.hold();
        let hold = &mut |size| held.follow(size);
        let told = gateway.providers.stored(target.provider(), &Method::GET, &id, "", None, hold).await;
        match told {
            Ok(told) if told.status == 200 => {
                last = held.tie(told.body);
                if pending(&last).is_none() {
                    return last;
                }
            }
            // Deleted, or never kept: what it used will not be known.
            Ok(told) if matches!(told.status, 404 | 410) => return last,
            _ => {}
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_there_yet_is_waited_for() {
        for (body, id) in [
            (r#"{"id":"resp_1","object":"response","status":"queued","output":[]}"#, Some("resp_1")),
            (r#"{"status":"in_progress","id":"resp_2"}"#, Some("resp_2")),
            (r#"{"id":"resp_1","status":"completed"}"#, None),
            (r#"{"id":"resp_1","status":"failed"}"#, None),
            (r#"{"id":"resp_1"}"#, None),
            ("", None),
        ] {
            assert_eq!(pending(body.as_bytes()).map(|ticket| ticket.id), id, "{body}");
        }
    }
}
