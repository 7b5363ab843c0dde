//! How far off a sum of estimates may be.
//!
//! Invariant: what request by request is off by chance adds up in squares; what all requests are off by together, as a model is
//! wordier than was thought, adds up as it is and never averages out.

use crate::units::Pico;

/// The uncertainty of an estimated cost, or of a sum of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Spread {
    /// The variance by chance, in square pico-dollars.
    pub chance: i128,
    /// One standard deviation of what all are off by together, in pico-dollars.
    pub habit: i128,
}

impl Spread {
    /// Nothing is estimated.
    pub const NONE: Self = Self { chance: 0, habit: 0 };

    /// Adds another's.
    pub fn add(&mut self, other: Self) {
        self.chance = self.chance.saturating_add(other.chance);
        self.habit = self.habit.saturating_add(other.habit);
    }

    /// Takes another's away.
    pub fn remove(&mut self, other: Self) {
        self.chance = self.chance.saturating_sub(other.chance);
        self.habit = self.habit.saturating_sub(other.habit);
    }

    /// Returns that of the difference of two estimates of the same unknown tokens, at one price and at another.
    #[must_use]
    pub fn beside(self, other: Self) -> Self {
        let root =
            |variance: i128| i128::try_from(variance.max(0).unsigned_abs().isqrt()).unwrap_or(i128::MAX);
        let chance = (root(self.chance) - root(other.chance)).saturating_pow(2);
        Self { chance, habit: (self.habit - other.habit).abs() }
    }

    /// Returns half the width of a 95% interval.
    pub fn half_width(self) -> Pico {
        let variance = self.chance.max(0).saturating_add(self.habit.saturating_mul(self.habit));
        let deviation = variance.unsigned_abs().isqrt();
        Pico(i128::try_from(deviation).unwrap_or(i128::MAX).saturating_mul(196) / 100)
    }

    /// Returns the root of the sum of squares of half widths that have nothing to do with each other.
    fn together(widths: impl IntoIterator<Item = Pico>) -> Pico {
        let squared = widths.into_iter().map(|width| width.0.saturating_pow(2)).fold(0, i128::saturating_add);
        Pico(i128::try_from(squared.unsigned_abs().isqrt()).unwrap_or(i128::MAX))
    }

    /// Returns half the width of a 95% interval of the difference of two sums: of what is estimated on one side and not alike on
    /// the other.
    pub fn apart(sides: [Self; 2]) -> Pico {
        Self::together(sides.map(Self::half_width))
    }

    /// The same of several such differences together: a model's habit is one over all of them.
    pub fn apart_all(differences: impl IntoIterator<Item = [Self; 2]>) -> Pico {
        let mut sums = [Self::NONE; 2];
        for sides in differences {
            sums.iter_mut().zip(sides).for_each(|(sum, side)| sum.add(side));
        }
        Self::apart(sums)
    }
}
