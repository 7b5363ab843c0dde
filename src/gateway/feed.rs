//! The live log for those attached: lines as they are written, and what the gateway says of itself once a second.
//!
//! Invariant: a reader that falls behind loses lines and is told how many; it never holds traffic up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use tokio::sync::mpsc;

use super::body::Reply;
use super::requests::json;
use super::{Gateway, watch};
use crate::access::Caller;
use crate::record::{self, Entry};
use crate::wire::{ApiError, ErrorKind};

/// Lines that may wait for a reader: more than the backlog it is greeted with.
const WAITING: usize = 16_384;

/// Answers with the live log, without end.
pub(super) fn follow(gateway: &Arc<Gateway>, _query: &str) -> Response<Reply> {
    let (line, pieces) = mpsc::channel::<Bytes>(WAITING);
    let lost = Arc::new(AtomicU64::new(0));
    let (sink, missed) = (line.clone(), Arc::clone(&lost));
    gateway.live.follow(Box::new(move |text| match sink.try_send(Bytes::copy_from_slice(text.as_bytes())) {
        Ok(()) => true,
        Err(mpsc::error::TrySendError::Full(_)) => {
            missed.fetch_add(1, Ordering::Relaxed);
            true
        }
        Err(mpsc::error::TrySendError::Closed(_)) => false,
    }));
    let gateway = Arc::clone(gateway);
    tokio::spawn(async move {
        let mut clock = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                () = line.closed() => return,
                _ = clock.tick() => {}
            }
            let gap = lost.swap(0, Ordering::Relaxed);
            let status = watch::live_status(&gateway);
            let text = serde_json::json!({ "status": status, "gap": gap }).to_string() + "\n";
            if line.send(text.into()).await.is_err() {
                return;
            }
        }
    });
    let mut response = Response::new(Reply::Pieces(pieces));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}

/// Brings a policy into force that an operator sends as a policy event of the log.
pub(super) fn apply(gateway: &Gateway, body: &Bytes, caller: &Caller) -> Result<Response<Reply>, ApiError> {
    let wrong = |message: String| ApiError::new(ErrorKind::InvalidRequest, message);
    let text = std::str::from_utf8(body).map_err(|_| wrong("the body is not UTF-8".to_owned()))?;
    let mut found = None;
    record::each_line(text, |_, entry| {
        found.get_or_insert_with(|| match entry {
            Ok(Entry::Policy(change)) => Ok((change.spec.clone(), change.what.into_owned(), change.version)),
            Ok(_) => Err("send one policy event, as LOG-FORMAT.md describes it".to_owned()),
            Err(skip) => Err(skip.reason),
        });
    });
    let (spec, what, seen) = match found {
        Some(Ok(found)) => found,
        Some(Err(problem)) => return Err(wrong(problem)),
        None => return Err(wrong("send one policy event, as LOG-FORMAT.md describes it".to_owned())),
    };
    let (version, _) = gateway.live.policy_spec();
    if seen != version.saturating_add(1) {
        let message = format!(
            "the policy is at version {version}, yours follows version {}; look again and apply anew",
            seen.saturating_sub(1)
        );
        let mut error = wrong(message);
        error.status = 409;
        return Err(error);
    }
    let applied = gateway.apply(&spec, &caller.name, &what).map_err(|error| wrong(error.to_string()))?;
    Ok(json(StatusCode::OK, applied.line.to_string()))
}
