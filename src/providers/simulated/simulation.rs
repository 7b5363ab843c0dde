//! A synthetic answer, as it is sent: its head, and its pieces with the waits between them.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Value, json};
use tokio::time::sleep;

/// Stands in every synthetic answer's headers.
pub(super) const SIMULATED: HeaderName = HeaderName::from_static("x-simulated");

/// A synthetic answer.
pub(crate) struct Simulation {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The wait before the head.
    pub(super) first: Duration,
    pub(super) pieces: VecDeque<Piece>,
}

/// A piece of the body, or the break of the connection, and the wait before it.
pub(super) struct Piece {
    pub(super) wait: Duration,
    pub(super) bytes: Result<Bytes, &'static str>,
}

impl Simulation {
    /// Returns the next piece after its wait.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, &'static str> {
        let Some(wait) = self.pieces.front().map(|piece| piece.wait) else { return Ok(None) };
        if !wait.is_zero() {
            sleep(wait).await;
        }
        self.pieces.pop_front().map_or(Ok(None), |piece| piece.bytes.map(Some))
    }

    pub(super) fn whole(status: u16, first: Duration, body: &Value) -> Self {
        let piece = Piece { wait: Duration::ZERO, bytes: Ok(Bytes::from(body.to_string())) };
        Self { status, headers: headers("application/json"), first, pieces: VecDeque::from([piece]) }
    }

    pub(super) fn invalid(code: &str, message: &str) -> Self {
        Self::error(400, "invalid_request_error", code, message)
    }

    pub(super) fn error(status: u16, kind: &str, code: &str, message: &str) -> Self {
        let error =
            json!({ "message": format!("SIMULATED: {message}"), "type": kind, "param": null, "code": code });
        Self::whole(status, Duration::ZERO, &json!({ "error": error }))
    }
}

pub(super) fn headers(content: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
    headers.insert(SIMULATED, HeaderValue::from_static("true"));
    headers
}
