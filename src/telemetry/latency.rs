//! Latency distributions: HDR histograms for what happened, coarse mergeable buckets for what-if.

use hdrhistogram::Histogram;

use super::Sign;
use super::sign::Summed;
use crate::units::Millis;

/// The range that a histogram starts with, one hour; it grows where a latency is longer.
const USUAL_MS: u64 = 3_600_000;

/// Percentiles of a distribution in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Percentiles {
    /// How many latencies were known.
    pub known: u64,
    /// Half are at most this.
    pub p50: u64,
    /// 95% are at most this.
    pub p95: u64,
    /// 99% are at most this.
    pub p99: u64,
}

/// Latencies of one cell, to two significant digits (HDR histogram). Taking away is kept apart and subtracted on reading.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    added: Option<Box<Histogram<u32>>>,
    removed: Option<Box<Histogram<u32>>>,
}

fn empty() -> Option<Box<Histogram<u32>>> {
    let mut histogram = Histogram::new_with_bounds(1, USUAL_MS, 2).ok()?;
    histogram.auto(true);
    Some(Box::new(histogram))
}

impl Latencies {
    /// Adds or takes away a latency; an unknown one changes nothing.
    pub fn apply(&mut self, latency: Millis, sign: Sign) {
        let Some(millis) = latency.get() else { return };
        let side = match sign {
            Sign::Plus => &mut self.added,
            Sign::Minus => &mut self.removed,
        };
        if side.is_none() {
            *side = empty();
        }
        if let Some(histogram) = side {
            // It grows as far as a latency can reach: cannot be refused.
            let _ = histogram.record(millis.max(1));
        }
        // Folding now and then keeps the counters small however long a window slides.
        if sign == Sign::Minus && self.removed.as_ref().is_some_and(|removed| removed.len() > 1 << 20) {
            self.fold();
        }
    }

    fn fold(&mut self) {
        if let (Some(added), Some(removed)) = (&mut self.added, &mut self.removed)
            && added.subtract(&**removed).is_ok()
        {
            removed.reset();
        }
    }

    /// Returns the percentiles; `None` where no latency is known.
    pub fn percentiles(&self) -> Option<Percentiles> {
        let added = self.added.as_ref()?;
        let read = |histogram: &Histogram<u32>| {
            (!histogram.is_empty()).then(|| Percentiles {
                known: histogram.len(),
                p50: histogram.median_equivalent(histogram.value_at_quantile(0.50)),
                p95: histogram.median_equivalent(histogram.value_at_quantile(0.95)),
                p99: histogram.median_equivalent(histogram.value_at_quantile(0.99)),
            })
        };
        match &self.removed {
            Some(removed) if !removed.is_empty() => {
                let mut left = added.clone();
                left.subtract(&**removed).ok()?;
                read(&left)
            }
            _ => read(added),
        }
    }
}

impl Summed for Latencies {
    fn sum(&mut self, other: &Self, sign: Sign) {
        let (added, removed) = match sign {
            Sign::Plus => (&other.added, &other.removed),
            Sign::Minus => (&other.removed, &other.added),
        };
        for (mine, theirs) in [(&mut self.added, added), (&mut self.removed, removed)] {
            let Some(theirs) = theirs else { continue };
            if mine.is_none() {
                *mine = empty();
            }
            if let Some(mine) = mine {
                // It grows with what is added: cannot be refused.
                let _ = mine.add(&**theirs);
            }
        }
    }
}

impl PartialEq for Latencies {
    fn eq(&self, other: &Self) -> bool {
        self.percentiles() == other.percentiles()
    }
}

/// Buckets of [`LatencyBuckets`]: eight to an octave from 1 ms to the longest that [`Millis`] holds, 49 days.
pub(crate) const BUCKETS: usize = 240;
/// Buckets to an octave; they start and end with whole octaves.
pub(crate) const OCTAVE: usize = 8;

/// Returns the bucket of a latency.
pub(crate) fn bucket(millis: u64) -> usize {
    if millis < 16 {
        return usize::try_from(millis).unwrap_or(0);
    }
    let octave = millis.ilog2();
    let eighth = (millis >> (octave - 3)) & 7;
    ((octave as usize - 4) * 8 + 16 + usize::try_from(eighth).unwrap_or(0)).min(BUCKETS - 1)
}

/// Returns the middle of a bucket in milliseconds.
pub(super) fn middle(bucket: usize) -> u64 {
    if bucket < 16 {
        return bucket as u64;
    }
    let octave = (bucket - 16) / 8 + 4;
    let eighth = ((bucket - 16) % 8) as u64;
    let width = 1u64 << (octave - 3);
    (8 + eighth) * width + width / 2
}

/// A distribution in buckets at most 12.5% wide, so a percentile is within 6.3% of the exact one; sums of these are sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatencyBuckets(pub(crate) [u64; BUCKETS]);

impl Default for LatencyBuckets {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl LatencyBuckets {
    /// Counts the latencies.
    pub fn known(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Returns the latency that `per_mille` of all are at most.
    pub fn quantile(&self, per_mille: u64) -> Option<u64> {
        let known = self.known();
        if known == 0 {
            return None;
        }
        let wanted = (known * per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (at, &count) in self.0.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Some(middle(at));
            }
        }
        None
    }

    /// Returns the percentiles shown beside thresholds.
    pub fn percentiles(&self) -> Option<Percentiles> {
        Some(Percentiles {
            known: self.known(),
            p50: self.quantile(500)?,
            p95: self.quantile(950)?,
            p99: self.quantile(990)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn buckets_ascend_and_hold_their_width(millis in prop_oneof![0u64..5_000_000, 0u64..4_294_967_295]) {
            prop_assert!(bucket(millis) <= bucket(millis + 1));
            let middle = middle(bucket(millis));
            prop_assert!(middle.abs_diff(millis) * 1000 <= millis * 63 + 1000, "{millis} is shown as {middle}");
        }

        #[test]
        fn a_latency_of_hours_or_days_is_not_cut(hours in 1u64..1000) {
            let mut all = Latencies::default();
            for ms in [10, hours * 3_600_000] {
                all.apply(Millis::new(ms), Sign::Plus);
            }
            let shown = all.percentiles().unwrap().p99;
            prop_assert!(shown.abs_diff(hours * 3_600_000) * 100 <= hours * 3_600_000, "{hours} h are shown as {shown} ms");
            all.apply(Millis::new(hours * 3_600_000), Sign::Minus);
            prop_assert_eq!(all.percentiles().unwrap().p99, 10);
        }

        #[test]
        fn taking_away_undoes_adding(kept in proptest::collection::vec(0u64..100_000, 1..50), gone in proptest::collection::vec(0u64..100_000, 0..50)) {
            let mut all = Latencies::default();
            let mut only = Latencies::default();
            for &ms in &kept {
                all.apply(Millis::new(ms), Sign::Plus);
                only.apply(Millis::new(ms), Sign::Plus);
            }
            for &ms in &gone {
                all.apply(Millis::new(ms), Sign::Plus);
            }
            for &ms in &gone {
                all.apply(Millis::new(ms), Sign::Minus);
            }
            prop_assert_eq!(all.percentiles(), only.percentiles());
        }
    }
}
