//! Confidences as they came: how many of each, and how alike those that came together are.
//!
//! Invariant: state is of fixed size, and a confidence costs the same however many came before.

use crate::units::PerMille;

/// Confidences that are looked at together.
const BLOCK: u64 = 100;
/// What is looked at of a confidence: itself, for where it lies, and its square, for how far from the others.
const POWERS: [u32; 2] = [1, 2];

/// How alike confidences are that came one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Order {
    blocks: u64,
    /// Of the block that is open: how many, and by power their sum and the sum of squares.
    open: u64,
    sums: [u128; POWERS.len()],
    squares: [u128; POWERS.len()],
    /// Of those that are full: the sums of both, and of squared sums.
    all: [[u128; 3]; POWERS.len()],
}

impl Order {
    pub(super) fn note(&mut self, confidence: u16) {
        self.open += 1;
        for ((sum, square), power) in self.sums.iter_mut().zip(&mut self.squares).zip(POWERS) {
            let value = u128::from(confidence).pow(power);
            *sum += value;
            *square += value * value;
        }
        if self.open < BLOCK {
            return;
        }
        for ((all, sum), square) in self.all.iter_mut().zip(&mut self.sums).zip(&mut self.squares) {
            for (total, more) in all.iter_mut().zip([*sum, *square, *sum * *sum]) {
                *total += more;
            }
            (*sum, *square) = (0, 0);
        }
        (self.open, self.blocks) = (0, self.blocks + 1);
    }

    /// Returns for how many of its neighbours a confidence speaks: by how much means of blocks differ more than those of as many
    /// that came by themselves would (the design effect of clusters, Kish 1965), at least 1.
    pub(super) fn alike(&self) -> f64 {
        if self.blocks < 2 {
            return 1.0;
        }
        let (blocks, n) = (self.blocks as f64, (self.blocks * BLOCK) as f64);
        let of = |&[sum, squares, of_blocks]: &[u128; 3]| {
            let mean = sum as f64 / n;
            let spread = (squares as f64 / n - mean * mean) * n / (n - 1.0);
            let between = (of_blocks as f64 - sum as f64 * sum as f64 / blocks) / (blocks - 1.0);
            if spread > 0.0 { between / BLOCK as f64 / spread } else { 1.0 }
        };
        self.all.iter().map(of).fold(1.0, f64::max)
    }

    /// Returns the same with twice what chance may take from it where blocks are few.
    pub(super) fn alike_at_most(&self) -> f64 {
        self.alike() * (1.0 + 2.0 * (2.0 / (self.blocks.max(2) - 1) as f64).sqrt())
    }
}

/// Confidences as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    pub(super) counts: Vec<u32>,
    pub(super) order: Order,
}

impl Default for Spread {
    fn default() -> Self {
        Self { counts: vec![0; PerMille::VALUES], order: Order::default() }
    }
}

impl Spread {
    /// Takes the confidence of one request.
    pub fn note(&mut self, confidence: PerMille) {
        if let Some(count) = self.counts.get_mut(confidence.bin()) {
            *count = count.saturating_add(1);
        }
        self.order.note(confidence.get());
    }

    /// Counts all.
    pub fn n(&self) -> u64 {
        self.counts.iter().map(|&count| u64::from(count)).sum()
    }
}
