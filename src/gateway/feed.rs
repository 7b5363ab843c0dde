//! The live log for those attached: lines as they are written, and what the gateway says of itself once a second.
//!
//! Invariant: a reader that falls behind loses lines and is told how many; it never holds traffic up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::body::{self, Reply};
use super::budget::Budget;
use super::gate::admit;
use super::{Gateway, watch};
use crate::access::Scope;
use crate::ledger::Cursor;

/// Lines that may wait for a reader: more than the backlog it is greeted with.
const WAITING: usize = 16_384;
/// Pieces that may wait in its connection.
const IN_FLIGHT: usize = 64;
/// How long a reader may take nothing.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether the reader may still read, and whether the gateway is about to end.
const LOOK: Duration = Duration::from_millis(250);
/// Looks from one status to the next.
const LOOKS: u32 = 4;

/// What the lines hold that wait for one reader.
#[derive(Debug)]
struct Queue {
    budget: Arc<Budget>,
    held: AtomicUsize,
}

impl Queue {
    fn take(&self, bytes: usize) -> bool {
        let fits = self.budget.add(bytes);
        if fits {
            self.held.fetch_add(bytes, Ordering::Relaxed);
        }
        fits
    }

    fn give_back(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
        self.budget.sub(bytes);
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.budget.sub(self.held.load(Ordering::Relaxed));
    }
}

/// Where the ledger stood at a moment, with the lines that were told before and wait for the reader yet.
struct Stood {
    cursor: Option<Cursor>,
    before: usize,
}

/// Answers with the live log, until the gateway ends or the caller's key no longer lets it read.
pub(super) fn follow(gateway: &Arc<Gateway>, headers: &HeaderMap) -> Response<Reply> {
    let (sink, mut lines) = mpsc::channel::<Arc<str>>(WAITING);
    let lost = Arc::new(AtomicU64::new(0));
    let missed = Arc::clone(&lost);
    let queue = Arc::new(Queue { budget: Arc::clone(&gateway.budget), held: AtomicUsize::new(0) });
    let waiting = Arc::clone(&queue);
    gateway.live.follow(Box::new(move |text| {
        // Lines of the backlog are shared; whoever lags behind it holds them alone.
        if !waiting.take(text.len()) {
            missed.fetch_add(1, Ordering::Relaxed);
            return !sink.is_closed();
        }
        match sink.try_send(Arc::clone(text)) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                waiting.give_back(text.len());
                missed.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(mpsc::error::TrySendError::Closed(_)) => {
                waiting.give_back(text.len());
                false
            }
        }
    }));
    let (mut line, reply) = body::line(IN_FLIGHT, &gateway.budget);
    let (gateway, key) = (Arc::clone(gateway), headers.clone());
    tokio::spawn(FutureExt::boxed(async move {
        let mut clock = tokio::time::interval(LOOK);
        clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut looks = 0;
        let mut batch = Vec::with_capacity(IN_FLIGHT);
        let mut stood = Stood { cursor: None, before: 0 };
        let mut cursor: Option<Cursor> = None;
        loop {
            let piece = tokio::select! {
                () = line.closed() => return,
                _ = clock.tick() => {
                    if admit(&gateway, &key, &[Scope::Read], false).is_err() {
                        return;
                    }
                    // The last requests are told of before the feed ends.
                    if gateway.is_draining() && gateway.in_flight() == 0 && lines.is_empty() {
                        return line.end();
                    }
                    looks = (looks + 1) % LOOKS;
                    if looks != 1 {
                        continue;
                    }
                    let gap = lost.swap(0, Ordering::Relaxed);
                    // What the ledger has was told before: so the reader has it, or hears of a gap, once that has gone out.
                    if stood.before == 0 {
                        cursor = stood.cursor.take();
                        stood = Stood { cursor: gateway.ledger.newest(), before: lines.len() };
                    }
                    let mut said = serde_json::json!({ "status": watch::live_status(&gateway), "gap": gap });
                    if let Some(cursor) = &cursor {
                        said["ledger"] = serde_json::json!({ "cursor": cursor.to_string() });
                    }
                    said.to_string() + "\n"
                }
                count = lines.recv_many(&mut batch, IN_FLIGHT) => {
                    if count == 0 {
                        return;
                    }
                    stood.before = stood.before.saturating_sub(count);
                    let piece = batch.drain(..).fold(String::new(), |all, line| all + &line);
                    queue.give_back(piece.len());
                    piece
                }
            };
            if !line.send(piece.into(), PATIENCE).await {
                return;
            }
        }
    }));
    let mut response = Response::new(reply);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}
