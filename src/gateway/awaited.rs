//! The answers that providers work on in the background, and who waits for them.
//!
//! Invariant: whoever waits gets the end of an answer once, from whoever saw it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rustc_hash::FxHashMap;
use serde::Deserialize;
use tokio::sync::oneshot;

/// What of a response says how far it is.
#[derive(Deserialize)]
pub(super) struct Ticket<'t> {
    pub(super) id: &'t str,
    status: &'t str,
}

/// Reads an answer that is not there yet.
pub(super) fn pending(body: &[u8]) -> Option<Ticket<'_>> {
    let ticket: Ticket<'_> = serde_json::from_slice(body).ok()?;
    matches!(ticket.status, "queued" | "in_progress").then_some(ticket)
}

/// Says whether an answer was given up before its end.
pub(super) fn is_cancelled(body: &[u8]) -> bool {
    serde_json::from_slice::<Ticket<'_>>(body).is_ok_and(|ticket| ticket.status == "cancelled")
}

/// The answers that operations wait for.
#[derive(Debug, Default)]
pub(super) struct Awaited(Mutex<FxHashMap<String, oneshot::Sender<Bytes>>>);

impl Awaited {
    fn lock(&self) -> MutexGuard<'_, FxHashMap<String, oneshot::Sender<Bytes>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for an answer.
    pub(super) fn enter(&self, id: &str) -> oneshot::Receiver<Bytes> {
        let (sender, receiver) = oneshot::channel();
        self.lock().insert(id.to_owned(), sender);
        receiver
    }

    /// Says whether an operation waits for an answer.
    pub(super) fn contains(&self, id: &str) -> bool {
        self.lock().contains_key(id)
    }

    /// Waits no longer.
    pub(super) fn leave(&self, id: &str) {
        self.lock().remove(id);
    }

    /// Brings an answer to whoever waits for it, if it is there.
    pub(super) fn bring(&self, id: &str, body: Bytes) {
        if pending(&body).is_none()
            && let Some(sender) = self.lock().remove(id)
        {
            let _ = sender.send(body);
        }
    }
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
