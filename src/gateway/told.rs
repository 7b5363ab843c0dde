//! What a client hears where every attempt failed: of a call that was made rather than of one that was not.

use crate::routing::Status;
use crate::wire::{ApiError, ErrorKind};

/// What the failed attempts of an operation said.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The last error of a call that was really made.
    made: Option<ApiError>,
    /// The shortest wait that any of them asked for.
    retry_after_ms: Option<u64>,
}

impl Told {
    /// Takes the error of an attempt.
    pub(super) fn note(&mut self, error: &ApiError, status: Status) {
        self.retry_after_ms = match (self.retry_after_ms, error.retry_after_ms) {
            (Some(before), Some(now)) => Some(before.min(now)),
            (before, now) => before.or(now),
        };
        if status.is_call() {
            self.made = Some(error.clone());
        }
    }

    /// Returns what the client hears: of a call that was made rather than of one that was not, and the shortest wait.
    pub(super) fn tell(self, last: ApiError) -> ApiError {
        let overloaded = last.kind == ErrorKind::Overloaded;
        let mut error = self.made.filter(|_| overloaded).unwrap_or(last);
        let passing = [ErrorKind::RateLimited, ErrorKind::Overloaded, ErrorKind::Server, ErrorKind::Timeout];
        if passing.contains(&error.kind) {
            error.retry_after_ms = self.retry_after_ms;
        }
        error
    }
}
