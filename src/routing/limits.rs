//! How slow a stream may be before it counts as failed, whether it is checked before it is shown, and how logged streams
//! stand to that.
//!
//! Invariant: a limit that is not set cuts nothing; what a log does not tell is never taken for quick.

use crate::units::words;

/// How slow a stream may be; none where there is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Deserialize)]
#[serde(default)]
pub struct StreamLimits {
    /// Milliseconds to the first piece of the answer.
    pub first_byte_ms: Option<u32>,
    /// Milliseconds of silence between two pieces.
    pub gap_ms: Option<u32>,
    /// Tokens of the answer a second, from its first content on.
    pub tokens_per_second: Option<u32>,
    /// Whether its content waits until it is whole and has passed its checks.
    pub hold: Option<bool>,
}

/// One of the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StreamLimit {
    /// To the first piece.
    FirstByte,
    /// Between two pieces.
    Gap,
    /// Tokens a second.
    Rate,
}

/// A stream as a log tells it; none where it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct StreamFigures {
    /// Milliseconds to the first piece.
    pub ttft_ms: Option<u64>,
    /// The longest silence after it.
    pub gap_ms: Option<u64>,
    /// Milliseconds to the end.
    pub latency_ms: Option<u64>,
    /// Tokens of the answer.
    pub output: Option<u64>,
}

words!(StreamLimit { FirstByte = "first_byte", Gap = "gap", Rate = "tokens_per_second" });

impl StreamLimits {
    /// For how long a slow answer is given the benefit of the doubt.
    pub const SLOW_MS: u64 = 5_000;

    /// Says whether nothing is limited.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Lays these limits over others: what they leave out stays.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        Self {
            first_byte_ms: self.first_byte_ms.or(below.first_byte_ms),
            gap_ms: self.gap_ms.or(below.gap_ms),
            tokens_per_second: self.tokens_per_second.or(below.tokens_per_second),
            hold: self.hold.or(below.hold),
        }
    }

    /// Returns one limit.
    pub fn get(self, limit: StreamLimit) -> Option<u32> {
        match limit {
            StreamLimit::FirstByte => self.first_byte_ms,
            StreamLimit::Gap => self.gap_ms,
            StreamLimit::Rate => self.tokens_per_second,
        }
    }

    /// Returns for how many milliseconds, from its first content on, an answer of so many tokens may have been coming.
    pub fn allowance_ms(self, tokens: u64) -> Option<u64> {
        let floor = u64::from(self.tokens_per_second?.max(1));
        Some((tokens.saturating_mul(1_000) / floor).max(Self::SLOW_MS))
    }

    /// Says whether a limit would have cut a stream that went like this; none where there is no such limit or the log does
    /// not tell. The floor is held against the whole of an answer: one that crawled in between may have been cut besides.
    pub fn would_cut(self, limit: StreamLimit, figures: &StreamFigures) -> Option<bool> {
        match limit {
            StreamLimit::FirstByte => Some(figures.ttft_ms? > u64::from(self.first_byte_ms?)),
            StreamLimit::Gap => Some(figures.gap_ms? > u64::from(self.gap_ms?)),
            StreamLimit::Rate => {
                let coming = figures.latency_ms?.saturating_sub(figures.ttft_ms?);
                Some(coming > self.allowance_ms(figures.output?)?)
            }
        }
    }
}

/// A limit of nothing would cut every stream.
pub(super) fn check_limits(limits: StreamLimits) -> Result<(), &'static str> {
    let all = [limits.first_byte_ms, limits.gap_ms, limits.tokens_per_second];
    if all.contains(&Some(0)) { Err("a limit of 0 would cut every stream; leave it out") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_cuts_what_is_slower_and_nothing_of_which_the_log_is_silent() {
        let limits = StreamLimits {
            first_byte_ms: Some(2_000),
            gap_ms: Some(500),
            tokens_per_second: Some(10),
            hold: None,
        };
        let quick = StreamFigures {
            ttft_ms: Some(2_000),
            gap_ms: Some(500),
            latency_ms: Some(12_000),
            output: Some(100),
        };
        for limit in StreamLimit::ALL {
            assert_eq!(limits.would_cut(limit, &quick), Some(false), "{limit:?}");
            assert_eq!(limits.would_cut(limit, &StreamFigures::default()), None, "{limit:?}");
            assert_eq!(StreamLimits::default().would_cut(limit, &quick), None, "{limit:?}");
        }
        let slow = StreamFigures {
            ttft_ms: Some(2_001),
            gap_ms: Some(501),
            latency_ms: Some(12_002),
            output: Some(99),
        };
        for limit in StreamLimit::ALL {
            assert_eq!(limits.would_cut(limit, &slow), Some(true), "{limit:?}");
        }
        let short = StreamFigures { latency_ms: Some(6_000), output: Some(1), ..quick };
        assert_eq!(limits.would_cut(StreamLimit::Rate, &short), Some(false), "too short to be judged");
    }

    #[test]
    fn a_rungs_limits_lie_over_its_routes() {
        let route = StreamLimits {
            first_byte_ms: Some(1),
            gap_ms: Some(2),
            hold: Some(true),
            ..StreamLimits::default()
        };
        let rung = StreamLimits { gap_ms: Some(3), hold: Some(false), ..StreamLimits::default() };
        assert_eq!(rung.over(route), StreamLimits { gap_ms: Some(3), hold: Some(false), ..route });
        assert!(StreamLimits::default().over(StreamLimits::default()).is_none());
    }
}
