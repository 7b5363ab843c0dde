//! What may go wrong with a provider, told so that a person can mend it.
//!
//! Invariant: no message holds a key, an address with credentials in it, or a control character.

use std::time::Duration;

use crate::routing::Status;
use crate::units::is_safe;
use crate::wire::ErrorKind;

/// Why the providers cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: provider.{provider}.{field}: {why}")]
pub struct ProviderError {
    /// File and line.
    pub origin: String,
    /// The provider.
    pub provider: String,
    /// The setting that cannot be used.
    pub field: &'static str,
    /// What is wrong and how to mend it.
    pub why: String,
}

/// Why a call is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refused {
    /// What stands in the way.
    pub cause: Cause,
    /// The same for people.
    pub why: String,
    /// How long until it may be gone, where that is known.
    pub retry_after: Option<Duration>,
}

/// What stands in the way of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The model failed too often lately.
    Breaker,
    /// The provider's quota is used up.
    Quota,
    /// The operator's own limit is reached.
    Limit,
    /// There is no key, and the simulated provider shall not stand in.
    NoKey,
}

/// Why a call failed: the provider and its host, and what the system says, or the time that it had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no connection.
    #[error("cannot connect to {0}: {1}")]
    Connect(String, String),
    /// There is no secure connection.
    #[error("no secure connection to {0}: {1}")]
    Tls(String, String),
    /// There was no connection in time.
    #[error("no connection to {0} within {ms} ms (timeouts.connect)", ms = .1.as_millis())]
    ConnectTimeout(String, Duration),
    /// The connection ended, or the call was turned back, before the provider can have worked on it.
    #[error("{0} did not take the request: {1}")]
    NotTaken(String, String),
    /// The answer did not begin in time.
    #[error("{0} did not begin to answer within {ms} ms (timeouts.first_byte)", ms = .1.as_millis())]
    FirstByteTimeout(String, Duration),
    /// The answer stopped in the middle.
    #[error("{0} sent nothing for {ms} ms in the middle of an answer (timeouts.idle)", ms = .1.as_millis())]
    IdleTimeout(String, Duration),
    /// The answer was not complete in time.
    #[error("{0} did not complete its answer within {ms} ms (timeouts.total)", ms = .1.as_millis())]
    TotalTimeout(String, Duration),
    /// The connection broke.
    #[error("the connection to {0} broke: {1}")]
    Transport(String, String),
    /// The answer is packed, and cannot be unpacked.
    #[error("the answer of {0} cannot be read: {1}")]
    Packed(String, String),
    /// The answer is longer than it may be.
    #[error("the answer of {to} is longer than {limit} bytes")]
    TooLarge {
        /// Provider and host.
        to: String,
        /// The limit.
        limit: usize,
    },
    /// There is no room for the answer in memory.
    #[error("the answer of {0} was given up: there is no room in memory for it (limits.memory)")]
    NoRoom(String),
    /// The provider does not have the interface that was asked for.
    #[error("{0} does not speak {1}")]
    Unsupported(String, &'static str),
    /// There is nothing to sign a call with.
    #[error("no call to {0} can be signed: {1}")]
    Credentials(String, String),
    /// The program cannot make calls at all.
    #[error("cannot set up calls to {0}: {1}")]
    Setup(String, String),
}

impl CallError {
    /// Returns the error as routing sees it. Who hangs up, or is not there, has failed; only a wait that ended is a timeout.
    pub fn status(&self) -> Status {
        match self {
            Self::ConnectTimeout(..)
            | Self::FirstByteTimeout(..)
            | Self::IdleTimeout(..)
            | Self::TotalTimeout(..) => Status::Timeout,
            Self::Unsupported(..) | Self::Credentials(..) | Self::Setup(..) => Status::Failed,
            // Not the provider's doing.
            Self::NoRoom(..) => Status::Cancelled,
            _ => Status::ServerError,
        }
    }

    /// Returns the error as a client is told.
    pub fn kind(&self) -> ErrorKind {
        match self.status() {
            Status::Timeout => ErrorKind::Timeout,
            Status::Cancelled => ErrorKind::Overloaded,
            _ => ErrorKind::Server,
        }
    }

    /// Says whether the provider cannot have worked on the call, which then costs nothing.
    pub fn is_untouched(&self) -> bool {
        matches!(
            self,
            Self::Connect(..)
                | Self::ConnectTimeout(..)
                | Self::Tls(..)
                | Self::NotTaken(..)
                | Self::Unsupported(..)
                | Self::Credentials(..)
                | Self::Setup(..)
        )
    }

    /// Tells apart what reqwest reports, by its kind and by the causes below it; the address is left out. `stale` says
    /// that the call went out alone on a connection that had served before, and failed at once.
    pub(super) fn from_reqwest(to: String, error: &reqwest::Error, stale: bool, connect: Duration) -> Self {
        let why = innermost(error);
        let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
        let (mut tls, mut hung_up, mut turned_back) = (false, false, false);
        // An io::Error hides what it wraps from `source`, also another io::Error.
        while let Some(error) = cause {
            tls |= error.is::<rustls::Error>();
            if let Some(error) = error.downcast_ref::<hyper::Error>() {
                hung_up |= error.is_incomplete_message();
                turned_back |= error.is_canceled();
            }
            if let Some(error) = error.downcast_ref::<h2::Error>() {
                turned_back |= is_turned_back(error);
            }
            let io = error.downcast_ref::<std::io::Error>();
            hung_up |= io.is_some_and(|io| is_hanging_up(io.kind()));
            let inner = io.and_then(std::io::Error::get_ref);
            cause = inner.map_or_else(|| error.source(), |inner| Some(inner));
        }
        match () {
            () if tls => Self::Tls(to, why),
            () if error.is_connect() && error.is_timeout() => Self::ConnectTimeout(to, connect),
            () if error.is_connect() => Self::Connect(to, why),
            () if turned_back || (stale && hung_up) => Self::NotTaken(to, why),
            () => Self::Transport(to, why),
        }
    }
}

/// Says whether HTTP/2 itself tells that a stream was not worked on: refused, or above the last one of a connection that
/// is being closed (only such streams are told of that).
fn is_turned_back(error: &h2::Error) -> bool {
    let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    error.is_remote() && (refused || error.is_go_away())
}

fn is_hanging_up(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// Returns the lowest cause in words that are safe to show.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    let mut depth = 0;
    while let Some(below) = cause.source().filter(|_| depth < 16) {
        cause = below;
        depth += 1;
    }
    // The outermost may hold the address; only what lies below it is told.
    if depth == 0 {
        return "no more is known".to_owned();
    }
    safe(&cause.to_string())
}

/// Cuts a text from outside to what may be shown: one line, no control characters, not long.
pub(super) fn safe(text: &str) -> String {
    text.chars().map(|c| if is_safe(c) { c } else { ' ' }).take(300).collect()
}
