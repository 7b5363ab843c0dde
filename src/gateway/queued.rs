//! A request that has to wait for room in a budget before it is taken in.
//!
//! Invariants: it holds nothing but its body and its place in flight, which are bounded; it leaves its place in the queue whatever
//! becomes of it, also with its client.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant as Clock;

use super::gate::ending;
use super::{Gateway, now};
use crate::session::{Arriving, Placed, Waiting};
use crate::units::{Instant, Span};
use crate::wire::ApiError;

/// A place in the queue.
struct InLine<'a> {
    gateway: &'a Gateway,
    turn: u64,
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.gateway.live.leave(self.turn);
    }
}

impl Gateway {
    /// Takes a request in as soon as budgets that queue have room for it.
    ///
    /// # Errors
    /// Where the gateway is about to end before that.
    pub(super) async fn take_in(&self, arriving: Arriving<'_>, at: Instant) -> Result<Placed, ApiError> {
        let bell = Arc::new(Notify::new());
        let ring = || {
            let bell = Arc::clone(&bell);
            Box::new(move || bell.notify_one()) as crate::session::Bell
        };
        match self.live.arrive_or_wait(arriving, at, ring) {
            Ok(placed) => Ok(placed),
            // In a box of its own: few wait, and all would carry it about.
            Err(waiting) => Box::pin(self.wait(waiting, &bell)).await,
        }
    }

    async fn wait(&self, mut waiting: Box<Waiting<'_>>, bell: &Notify) -> Result<Placed, ApiError> {
        let _line = InLine { gateway: self, turn: waiting.turn };
        let began = Clock::now();
        loop {
            let most = began + length(waiting.over.limit.wait);
            let anew = waiting.over.resets_at.map(|reset| Clock::now() + length(reset - now()));
            let until = anew.map_or(most, |anew| anew.min(most));
            tokio::select! {
                () = bell.notified() => {}
                () = tokio::time::sleep_until(until) => {}
            }
            if self.is_draining() {
                return Err(ending());
            }
            match self.live.ask_again(waiting, now(), Clock::now() >= most) {
                Ok(placed) => return Ok(placed),
                Err(still) => waiting = still,
            }
        }
    }
}

/// Returns a span as a duration: a moment at least, so that nobody asks again without end where clocks differ.
fn length(span: Span) -> Duration {
    Duration::from_micros(u64::try_from(span.0).unwrap_or(0)).max(Duration::from_millis(1))
}
