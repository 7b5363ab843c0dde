//! Ridge regression on three figures, solved exactly by cofactors.
//!
//! Invariant: all sums are of integers whose size is bounded by [`super::KEPT`], so that nothing overflows and the one division
//! at the end is the one rounding.

use crate::units::PerMille;

/// The scale of a context's figures.
const ONE: i32 = 128;
/// The scale of weights.
pub(super) const WEIGHT: i64 = 1024;

/// What an estimate rests on: a constant, the confidence, the length of the prompt; in 128ths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Context([i16; 3]);

impl Context {
    /// Takes a request's confidence and the tokens of its prompt, 0 where those are not known: lengths count by their doublings.
    pub fn of(confidence: PerMille, tokens: u32) -> Self {
        let confidence = i32::from(confidence.get()) * ONE / 1000;
        let doublings = u32::BITS - tokens.leading_zeros();
        let length = i32::try_from(doublings).unwrap_or(0).min(20) * ONE / 20;
        // Around their middles, so that the constant says what is usual.
        let [confidence, length] = [confidence - ONE / 2, length - ONE / 2];
        let small = |value: i32| i16::try_from(value).unwrap_or(0);
        Self([small(ONE), small(confidence), small(length)])
    }
}

/// Weighted sums over the lessons of one arm.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    /// The sums of products, those on and above the diagonal: 00, 01, 02, 11, 12, 22.
    products: [i64; 6],
    rewards: [i64; 3],
}

impl Sums {
    /// Starts with the prior, which counts as much as one lesson: no better and no worse than the route as a whole.
    pub(super) fn new() -> Self {
        let ridge = i64::from(ONE) * i64::from(ONE) * WEIGHT;
        Self { products: [ridge, 0, 0, ridge, 0, ridge], rewards: [0; 3] }
    }

    /// Adds a lesson.
    pub(super) fn add(&mut self, Context(x): Context, reward: i32, weight: i64) {
        let [a, b, c] = x.map(i64::from);
        for (sum, product) in self.products.iter_mut().zip([a * a, a * b, a * c, b * b, b * c, c * c]) {
            *sum += weight * product;
        }
        for (sum, x) in self.rewards.iter_mut().zip([a, b, c]) {
            *sum += weight * x * i64::from(reward);
        }
    }
}

/// The same sums solved.
#[derive(Clone, Debug)]
pub(super) struct Solved {
    adjugate: [[i128; 3]; 3],
    determinant: i128,
    /// The adjugate times the rewards.
    slopes: [i128; 3],
}

impl Solved {
    /// Solves sums.
    pub(super) fn of(sums: &Sums) -> Self {
        let [m00, m01, m02, m11, m12, m22] = sums.products.map(i128::from);
        let adjugate = [
            [m11 * m22 - m12 * m12, m02 * m12 - m01 * m22, m01 * m12 - m02 * m11],
            [m02 * m12 - m01 * m22, m00 * m22 - m02 * m02, m01 * m02 - m00 * m12],
            [m01 * m12 - m02 * m11, m01 * m02 - m00 * m12, m00 * m11 - m01 * m01],
        ];
        let determinant = m00 * adjugate[0][0] + m01 * adjugate[1][0] + m02 * adjugate[2][0];
        let rewards = sums.rewards.map(i128::from);
        let slopes = adjugate.map(|row| dot(row, rewards));
        Self { adjugate, determinant, slopes }
    }

    /// Returns the expected reward at a context beside the route's mean, in per mille.
    pub(super) fn estimate(&self, Context(x): Context) -> i32 {
        let estimate = dot(self.slopes, x.map(i128::from));
        let half = self.determinant / 2;
        let rounded = (estimate + half).div_euclid(self.determinant.max(1));
        i32::try_from(rounded).unwrap_or(0)
    }

    /// Returns how unsure that is, the square root of `LinUCB`, in per mille.
    pub(super) fn width(&self, Context(x): Context) -> u32 {
        let x = x.map(i128::from);
        let square = dot(self.adjugate.map(|row| dot(row, x)), x).max(0);
        let square = square * i128::from(WEIGHT) * 1_000_000 / self.determinant.max(1);
        u32::try_from(square.unsigned_abs().isqrt()).unwrap_or(u32::MAX)
    }
}

fn dot(a: [i128; 3], b: [i128; 3]) -> i128 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
