//! Lengths of time as files write them.
//!
//! Invariant: every number has its unit; none is longer than a week.

use std::fmt;
use std::time::Duration;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};

use crate::units;

/// A length of time, written `250ms`, `5s`, `2m`, `1h`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span(pub(super) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl Visitor<'_> for Words {
            type Value = Span;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a length of time such as \"250ms\", \"5s\", \"2m\" or \"1h\"")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Span, E> {
                duration(text)
                    .map(Span)
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Words)
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.0
    }
}

impl Span {
    /// Returns it in whole milliseconds.
    pub(super) fn millis(self) -> u32 {
        u32::try_from(self.0.as_millis()).unwrap_or(u32::MAX)
    }
}

fn duration(text: &str) -> Option<Duration> {
    // A week is longer than anything here should take, and short enough that no clock overflows.
    let span = units::Span::parse(text).filter(|span| *span <= units::Span::days(7))?;
    u64::try_from(span.0).ok().map(Duration::from_micros)
}
