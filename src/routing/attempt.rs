//! How an attempt ended, as far as routing cares.

use crate::units::words;

/// How a call to a model ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Status {
    /// An answer came.
    #[default]
    Ok,
    /// The provider refused for quota (HTTP 429).
    RateLimited,
    /// The provider was overloaded or failed (5xx, 529), was not there, or hung up.
    ServerError,
    /// No answer in time.
    Timeout,
    /// The request was refused as wrong (4xx but 429).
    Rejected,
    /// The model cannot take this request (a parameter, its length, something it does not do); another one may.
    Unfit,
    /// The client went away.
    Cancelled,
    /// Failed, the log does not say how.
    Failed,
    /// The answer broke off after the client had a part of it, so nobody else could be asked.
    Truncated,
    /// Not made at all: a breaker, a spent quota or a local limit stood before it.
    Unavailable,
    /// Not made at all: no model may serve this request.
    Refused,
}

words!(Status {
    Ok = "ok", RateLimited = "rate_limited", ServerError = "server_error", Timeout = "timeout",
    Rejected = "rejected", Unfit = "unfit", Cancelled = "cancelled", Failed = "failed", Truncated = "cut",
    Unavailable = "unavailable", Refused = "refused",
});

impl Status {
    /// Says whether an answer came.
    pub fn is_ok(self) -> bool {
        self == Self::Ok
    }

    /// Says whether another model may still answer: trouble at the provider or with the model, not with the client.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::ServerError
                | Self::Timeout
                | Self::Unfit
                | Self::Failed
                | Self::Unavailable
        )
    }

    /// Says whether a provider was called.
    pub fn is_call(self) -> bool {
        !matches!(self, Self::Unavailable | Self::Refused)
    }

    /// Reads an HTTP status code.
    pub fn from_http(code: u16) -> Self {
        match code {
            0..400 => Self::Ok,
            429 => Self::RateLimited,
            408 | 504 => Self::Timeout,
            499 => Self::Cancelled,
            // Gone, busy, locked, too early, no room at this price: not here or not now, which says nothing of the request.
            409 | 410 | 421 | 423 | 424 | 425 | 449 | 498 => Self::ServerError,
            400..500 => Self::Rejected,
            _ => Self::ServerError,
        }
    }
}

/// What a check of the answer (schema, tool call, test, refusal) said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Check {
    /// Nobody checked.
    #[default]
    None,
    /// The answer was fit for use.
    Passed,
    /// The answer was not fit for use; policy sends the request up the ladder.
    Failed,
}
