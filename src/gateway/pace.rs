//! How quick a stream is, and by when its next piece has to come where its route says so.
//!
//! Invariant: only waiting for the provider counts, never a client that takes its time; without limits no timer is set.

use std::time::Duration;

use tokio::time::Instant as Clock;

use crate::routing::{StreamLimit, StreamLimits};
use crate::session::Dispatch;
use crate::wire::{ApiError, ErrorKind};

/// How quick a stream has been so far.
#[derive(Debug)]
pub(super) struct Pace {
    limits: StreamLimits,
    started: Clock,
    ttft: Option<u32>,
    longest: Duration,
    /// How long its content has been coming.
    coming: Duration,
    has_content: bool,
    /// Tokens so far, thoughts included: four bytes are taken for one.
    tokens: u64,
}

impl Pace {
    /// Starts with a call.
    pub(super) fn new(limits: StreamLimits, started: Clock) -> Self {
        Self {
            limits,
            started,
            ttft: None,
            longest: Duration::ZERO,
            coming: Duration::ZERO,
            has_content: false,
            tokens: 0,
        }
    }

    /// Returns by when the piece that is waited for from `now` on has to come, and by which limit.
    pub(super) fn due(&self, now: Clock) -> Option<(Clock, StreamLimit)> {
        if self.limits.is_none() {
            return None;
        }
        let after = |millis: u32| Duration::from_millis(u64::from(millis));
        if self.ttft.is_none() {
            return first_byte(self.limits, self.started);
        }
        let gap = self.limits.gap_ms.map(|gap| (now + after(gap), StreamLimit::Gap));
        let allowance = self.limits.allowance_ms(self.tokens).filter(|_| self.has_content);
        let rate = allowance.map(|allowance| {
            let left = Duration::from_millis(allowance).saturating_sub(self.coming);
            (now + left, StreamLimit::Rate)
        });
        gap.into_iter().chain(rate).min()
    }

    /// Takes note of a piece that came after such a wait.
    pub(super) fn came(&mut self, waited: Duration) {
        if self.ttft.is_none() {
            self.ttft = Some(millis(self.started.elapsed()));
            return;
        }
        self.longest = self.longest.max(waited);
        if self.has_content {
            self.coming += waited;
        }
    }

    /// Takes note of how many bytes the model has written so far.
    pub(super) fn wrote(&mut self, bytes: u64) {
        self.has_content |= bytes > 0;
        self.tokens = bytes.div_ceil(4);
    }

    /// Returns the milliseconds to the first piece.
    pub(super) fn ttft(&self) -> Option<u32> {
        self.ttft
    }

    /// Returns the milliseconds of the longest silence after the first piece.
    pub(super) fn gap(&self) -> Option<u32> {
        self.ttft.map(|_| millis(self.longest))
    }
}

/// Returns whole milliseconds, as many as a log holds.
pub(super) fn millis(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}

/// Returns by when a call has to begin to answer.
pub(super) fn first_byte(limits: StreamLimits, started: Clock) -> Option<(Clock, StreamLimit)> {
    let limit = limits.first_byte_ms?;
    Some((started + Duration::from_millis(u64::from(limit)), StreamLimit::FirstByte))
}

/// Says that a stream was too slow, and by which setting.
pub(super) fn too_slow(limit: StreamLimit, dispatch: &Dispatch, route: &str) -> ApiError {
    let (model, value) = (&dispatch.model, dispatch.limits.get(limit).unwrap_or_default());
    let what = match limit {
        StreamLimit::FirstByte => format!("did not begin to answer within {value} ms"),
        StreamLimit::Gap => format!("sent nothing for {value} ms in the middle of an answer"),
        StreamLimit::Rate => format!("wrote fewer than {value} tokens a second"),
    };
    let message = format!("{model} {what} (stream.{} of route {route})", limit.name());
    ApiError::new(ErrorKind::Timeout, message)
}
