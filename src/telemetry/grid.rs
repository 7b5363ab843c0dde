//! Confidence values as bins, and latencies by bin.
//!
//! Invariant: what a grid counted does not depend on how much room it has.

use std::ops::Range;

use super::Sign;
use super::latency::{BUCKETS, OCTAVE, bucket, middle};
use crate::units::PerMille;

/// Bins: one per confidence value, and one for requests without a confidence.
pub(super) const BINS: usize = PerMille::VALUES + 1;
/// The bin of requests without a confidence.
pub(super) const NONE: usize = PerMille::VALUES;
/// Latency blocks of this many bins are summed up ahead.
const BLOCK: usize = 32;
const BLOCKS: usize = PerMille::VALUES.div_ceil(BLOCK);

/// Latency counts of one rung: by bin, and by block of bins ahead of time. Only the octaves that were seen have room.
#[derive(Clone, Debug, Default)]
pub(super) struct LatencyGrid {
    /// The buckets of each row, whole octaves.
    buckets: Range<usize>,
    bins: Vec<u32>,
    blocks: Vec<u32>,
}

impl LatencyGrid {
    /// Counts a latency, or takes it away.
    pub(super) fn apply(&mut self, bin: usize, millis: u64, sign: Sign) {
        let bucket = bucket(millis);
        if !self.buckets.contains(&bucket) {
            self.make_room(&(bucket..bucket + 1));
        }
        let (at, width) = (bucket - self.buckets.start, self.buckets.len());
        sign.one(&mut self.bins[bin * width + at]);
        if bin < NONE {
            sign.one(&mut self.blocks[bin / BLOCK * width + at]);
        }
    }

    /// Widens every row so that it holds some buckets besides.
    fn make_room(&mut self, wanted: &Range<usize>) {
        let old = self.buckets.clone();
        let all = if old.is_empty() {
            wanted.clone()
        } else {
            old.start.min(wanted.start)..old.end.max(wanted.end)
        };
        let all = all.start / OCTAVE * OCTAVE..all.end.next_multiple_of(OCTAVE).min(BUCKETS);
        let widened = |rows: &[u32], count: usize| {
            let mut wide = vec![0; count * all.len()];
            if !old.is_empty() {
                let offset = old.start - all.start;
                for (wide, row) in wide.chunks_exact_mut(all.len()).zip(rows.chunks_exact(old.len())) {
                    wide[offset..offset + row.len()].copy_from_slice(row);
                }
            }
            wide
        };
        self.bins = widened(&self.bins, BINS);
        self.blocks = widened(&self.blocks, BLOCKS);
        self.buckets = all;
    }

    fn row<'a>(&self, rows: &'a [u32], at: usize) -> &'a [u32] {
        rows.get(at * self.buckets.len()..(at + 1) * self.buckets.len()).unwrap_or(&[])
    }

    /// Adds the counts of bins `from..to`.
    pub(super) fn collect(&self, from: usize, to: usize, into: &mut [u64; BUCKETS]) {
        let mut add = |row: &[u32]| {
            for (sum, &count) in into.iter_mut().skip(self.buckets.start).zip(row) {
                *sum += u64::from(count);
            }
        };
        let mut bin = from;
        while bin < to {
            if bin.is_multiple_of(BLOCK) && bin + BLOCK <= to && bin < NONE {
                add(self.row(&self.blocks, bin / BLOCK));
                bin += BLOCK;
            } else {
                add(self.row(&self.bins, bin));
                bin += 1;
            }
        }
    }

    /// Counts the latencies of a bin, and how many of them are within so many milliseconds, as they are shown.
    pub(super) fn within(&self, bin: usize, millis: u64) -> (u64, u64) {
        let row = self.row(&self.bins, bin).iter().zip(self.buckets.clone());
        row.fold((0, 0), |(all, within), (&count, bucket)| {
            let count = u64::from(count);
            (all + count, within + if middle(bucket) <= millis { count } else { 0 })
        })
    }

    /// Adds what another grid counted.
    pub(super) fn merge(&mut self, other: &Self) {
        if other.bins.is_empty() {
            return;
        }
        if self.bins.is_empty() {
            self.clone_from(other);
            return;
        }
        self.make_room(&other.buckets);
        let (offset, width) = (other.buckets.start - self.buckets.start, self.buckets.len());
        for (mine, theirs) in [(&mut self.bins, &other.bins), (&mut self.blocks, &other.blocks)] {
            for (mine, theirs) in mine.chunks_exact_mut(width).zip(theirs.chunks_exact(other.buckets.len())) {
                for (mine, theirs) in mine.iter_mut().skip(offset).zip(theirs) {
                    *mine = mine.saturating_add(*theirs);
                }
            }
        }
    }
}

impl PartialEq for LatencyGrid {
    /// Compares what was counted, wherever there is room for more.
    fn eq(&self, other: &Self) -> bool {
        let counts = |grid: &Self, bin| {
            let mut counts = [0; BUCKETS];
            grid.collect(bin, bin + 1, &mut counts);
            counts
        };
        (0..BINS).all(|bin| counts(self, bin) == counts(other, bin))
    }
}

impl Eq for LatencyGrid {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_grid_counts_the_same_however_it_came_to_its_room(
            all in proptest::collection::vec((0..BINS, 0u64..4_000_000_000), 1..60),
            cut in 0usize..60,
            (from, to) in (0..BINS, 0..=BINS),
        ) {
            let grid = |latencies: &[(usize, u64)]| {
                let mut grid = LatencyGrid::default();
                for &(bin, millis) in latencies {
                    grid.apply(bin, millis, Sign::Plus);
                }
                grid
            };
            let whole = grid(&all);
            let (first, second) = all.split_at(cut.min(all.len()));
            let mut merged = grid(first);
            merged.merge(&grid(second));
            prop_assert!(merged == whole);
            let mut counts = [0; BUCKETS];
            whole.collect(from, to, &mut counts);
            for (at, &count) in counts.iter().enumerate() {
                let counted = all.iter().filter(|(bin, ms)| (from..to).contains(bin) && bucket(*ms) == at).count();
                prop_assert_eq!(count, counted as u64);
            }
            for &(bin, millis) in second {
                merged.apply(bin, millis, Sign::Minus);
            }
            prop_assert!(merged == grid(first));
        }
    }
}
