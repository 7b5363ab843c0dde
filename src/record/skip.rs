//! What could not be read as an entry, and why.

use std::fmt;

/// Why something in a log is no entry, before its line is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It should have been one but is broken.
    Bad(String),
    /// It is sound but no model call.
    NotACall(&'static str),
    /// It is a file that is no log.
    NoLog(String),
    /// It tells again of what is counted already.
    Repeated(&'static str),
}

impl Refusal {
    /// Refuses for a fixed reason.
    pub(crate) fn bad(reason: &str) -> Self {
        Self::Bad(reason.to_owned())
    }

    /// Adds the line.
    pub(crate) fn at_line(self, line: u64) -> Skip {
        match self {
            Self::Bad(reason) => Skip { line, reason, kind: SkipKind::Bad },
            Self::NoLog(reason) => Skip { line, reason, kind: SkipKind::NotACall },
            Self::NotACall(reason) => Skip { line, reason: reason.to_owned(), kind: SkipKind::NotACall },
            Self::Repeated(reason) => Skip { line, reason: reason.to_owned(), kind: SkipKind::Repeated },
        }
    }
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self::Bad(reason)
    }
}

impl From<super::usage::UsageError> for Refusal {
    fn from(error: super::usage::UsageError) -> Self {
        Self::Bad(format!("usage: {error}"))
    }
}

/// Says whether what was passed over should have been an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipKind {
    /// A broken line; strict reading stops at it.
    Bad,
    /// Sound, but no model call (a tool span, a part of a stream); no reason to stop.
    NotACall,
    /// Sound, but told before: the same answer again, or another span of the same call.
    Repeated,
}

/// Something in a log that was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// The line on which it starts, from 1.
    pub line: u64,
    /// Why, naming the field where there is one.
    pub reason: String,
    /// Whether it should have been an entry.
    pub kind: SkipKind,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}
