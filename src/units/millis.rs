//! A latency in milliseconds that may be unknown; four bytes wide.

use std::fmt;

/// Counts milliseconds, or says that nobody measured them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Millis(u32);

impl Millis {
    /// Not measured.
    pub const UNKNOWN: Self = Self(u32::MAX);

    /// Builds a known latency; the longest that can be held is 49 days.
    pub fn new(millis: u64) -> Self {
        Self(u32::try_from(millis).unwrap_or(u32::MAX - 1).min(u32::MAX - 1))
    }

    /// Builds a latency from one that may be absent.
    pub fn from_option(millis: Option<u32>) -> Self {
        millis.map_or(Self::UNKNOWN, |millis| Self::new(u64::from(millis)))
    }

    /// Returns the milliseconds where they are known.
    pub fn get(self) -> Option<u64> {
        (self.0 != u32::MAX).then_some(u64::from(self.0))
    }

    /// Adds two latencies; unknown with anything is unknown.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        match (self.get(), other.get()) {
            (Some(a), Some(b)) => Self::new(a + b),
            _ => Self::UNKNOWN,
        }
    }
}

impl Default for Millis {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

impl fmt::Debug for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(n) => write!(f, "{n} ms"),
            None => f.write_str("unknown"),
        }
    }
}
