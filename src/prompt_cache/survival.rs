//! How likely a prefix is still warm after a pause, learned from the cached tokens that calls report.
//!
//! Invariant: without a report it is what the provider says; each report weighs the same, whenever it came.

use super::Rule;
use crate::units::{PerMille, Span};

/// Pauses that are told apart: each is shorter than its bound.
pub const BUCKETS: [(&str, Span); 7] = [
    ("under 1 min", Span::mins(1)),
    ("1 to 5 min", Span::mins(5)),
    ("5 to 10 min", Span::mins(10)),
    ("10 to 30 min", Span::mins(30)),
    ("30 to 60 min", Span::hours(1)),
    ("1 to 24 h", Span::hours(24)),
    ("over 24 h", Span(i64::MAX)),
];

/// What a provider's word weighs, in calls.
const PRIOR: u64 = 2;
/// The chance by its word within the time that it promises, and after it.
const WITHIN: u64 = 970;
const AFTER: u64 = 20;

/// Reports on one model, by pause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survival {
    /// Calls that expected a warm prefix, and how much of it was read, in thousandths of a call.
    counts: [(u64, u64); BUCKETS.len()],
}

fn bucket(idle: Span) -> usize {
    BUCKETS.iter().position(|(_, bound)| idle < *bound).unwrap_or(BUCKETS.len() - 1)
}

impl Survival {
    /// Takes a call after a pause that could have read `expected` tokens and read `read`.
    pub fn saw(&mut self, idle: Span, expected: u64, read: u64) {
        if let (Some(part), Some((calls, reads))) = (
            (u128::from(read.min(expected)) * 1000).checked_div(u128::from(expected)),
            self.counts.get_mut(bucket(idle)),
        ) {
            *calls += 1;
            *reads += u64::try_from(part).unwrap_or(1000);
        }
    }

    /// Returns the chance that a prefix is warm after a pause: the mean of a Beta whose prior is the provider's word.
    pub fn chance(&self, idle: Span, rule: Option<&Rule>) -> PerMille {
        let place = bucket(idle);
        let (calls, reads) = self.counts.get(place).copied().unwrap_or_default();
        let promised = rule.map_or(Span::mins(5), |rule| rule.ttl);
        let word = if idle <= promised { WITHIN } else { AFTER };
        let mean = (reads + PRIOR * word) / (calls + PRIOR);
        PerMille::clamped(i64::try_from(mean).unwrap_or(1000))
    }

    /// Returns the pauses that calls came after: which, how many, and the share of what was expected that they read.
    pub fn seen(&self) -> impl Iterator<Item = (&'static str, u64, PerMille)> + '_ {
        BUCKETS.iter().zip(&self.counts).filter(|(_, (calls, _))| *calls > 0).map(
            |((name, _), (calls, reads))| {
                (*name, *calls, PerMille::clamped(i64::try_from(reads / calls).unwrap_or(1000)))
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_outweigh_a_providers_word() {
        let mut seen = Survival::default();
        let (short, long) = (Span::mins(2), Span::mins(8));
        assert_eq!((seen.chance(short, None).get(), seen.chance(long, None).get()), (970, 20));
        for _ in 0..98 {
            seen.saw(long, 50_000, 50_000);
            seen.saw(short, 50_000, 0);
        }
        assert_eq!(seen.chance(long, None).get(), 980);
        assert_eq!(seen.chance(short, None).get(), 19);
        seen.saw(long, 0, 0);
        seen.saw(long, 10, 999);
        assert_eq!(seen.seen().map(|(_, calls, _)| calls).collect::<Vec<_>>(), [98, 99]);
    }
}
