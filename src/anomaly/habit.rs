//! How large a measure usually is: its own past as counts in bins of a quarter octave.
//!
//! Invariant: bins are counted in whole numbers and never forgotten, so a measure costs the same after a year as at the start.

/// Bins; from 2⁻¹² on, four an octave.
const BINS: usize = 128;
/// Bins whose counts are also kept together, so that what is larger is added up in few steps.
const BLOCK: usize = 16;
/// The least value told apart, as the upper bits of its float.
const LEAST: u64 = ((1023 - 12) << 2) as u64;
/// What is larger than anything before is the more surprising the further beyond it lies: so much for each doubling.
const BEYOND: f64 = 0.5;
/// Doublings that count.
const DOUBLINGS: f64 = 8.0;
/// Before so many there is no largest to go by.
const FEW: u32 = 10;

/// The past of one measure.
#[derive(Clone, Debug)]
pub(super) struct Habit {
    bins: [u32; BINS],
    blocks: [u32; BINS / BLOCK],
    seen: u32,
    largest: f64,
}

impl Default for Habit {
    fn default() -> Self {
        Self { bins: [0; BINS], blocks: [0; BINS / BLOCK], seen: 0, largest: 0.0 }
    }
}

/// Finds the bin of a measure: exponent and two bits of the fraction, as they lie in the float.
fn bin(measure: f64) -> usize {
    let upper = measure.max(0.0).to_bits() >> 50;
    usize::try_from(upper.saturating_sub(LEAST)).unwrap_or(BINS).min(BINS - 1)
}

impl Habit {
    /// Says how surprising a measure is: tenfold rarer is one more.
    pub(super) fn surprise(&self, measure: f64) -> f64 {
        let at = bin(measure);
        let above = self.above(at);
        let tail = f64::from(above) + 0.5 * f64::from(self.bins[at]);
        let rarity = ((f64::from(self.seen) + 2.0) / (tail + 1.0)).log10();
        if measure > self.largest && self.seen > FEW {
            let doublings = (measure / self.largest.max(f64::MIN_POSITIVE)).log2();
            rarity + BEYOND * doublings.min(DOUBLINGS)
        } else {
            rarity
        }
    }

    /// Counts what lies in larger bins.
    fn above(&self, at: usize) -> u32 {
        let block = at / BLOCK;
        let within: u32 = self.bins[at + 1..(block + 1) * BLOCK].iter().sum();
        within + self.blocks[block + 1..].iter().sum::<u32>()
    }

    /// Remembers a measure.
    pub(super) fn learn(&mut self, measure: f64) {
        // A series of four thousand million points has habits enough.
        if self.seen < u32::MAX {
            let at = bin(measure);
            self.bins[at] += 1;
            self.blocks[at / BLOCK] += 1;
            self.seen += 1;
        }
        self.largest = self.largest.max(measure);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_follow_size_and_hold_every_number() {
        let sizes = [0.0, 1e-9, 0.001, 0.3, 0.4, 1.0, 1.3, 1.6, 2.0, 100.0, 1e6, 1e300, f64::INFINITY];
        let bins: Vec<usize> = sizes.iter().map(|size| bin(*size)).collect();
        assert!(bins.is_sorted(), "{bins:?}");
        assert_eq!((bins[0], bins[12]), (0, BINS - 1));
        assert!(bins[5] < bins[6] && bins[6] < bins[7], "a quarter of an octave is told apart: {bins:?}");
        assert_eq!(bin(f64::NAN), 0);
        assert_eq!(bin(-1.0), 0);
    }

    #[test]
    fn all_that_is_larger_is_counted_and_nothing_else() {
        let mut habit = Habit::default();
        for n in 0..BINS * 2 {
            habit.learn(f64::from_bits((LEAST + (n as u64 * 37) % (BINS as u64)) << 50));
        }
        for at in 0..BINS {
            assert_eq!(habit.above(at), habit.bins[at + 1..].iter().sum::<u32>(), "above {at}");
        }
        assert_eq!(habit.above(0) + habit.bins[0], habit.seen);
    }

    #[test]
    fn the_rare_surprises_and_what_is_beyond_all_before_more_so() {
        let mut habit = Habit::default();
        for _ in 0..1000 {
            habit.learn(1.0);
        }
        assert!(habit.surprise(0.5) < 0.01);
        assert!(habit.surprise(1.0) < 0.4);
        assert!(habit.surprise(3.0) > 3.0);
        assert!(habit.surprise(30.0) > habit.surprise(3.0) + 1.0);
        assert!(habit.surprise(f64::INFINITY).is_finite());
        assert!(Habit::default().surprise(5.0) < 0.5, "nothing is surprising at first");
    }
}
