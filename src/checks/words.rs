//! How likely the words of an answer were, in whole numbers, and what a small logistic makes of them.
//!
//! Invariant: the same words and weights give the same place on every machine; the less likely words were, the lower it is.

use serde::{Deserialize, Serialize};

use crate::units::PerMille;

/// How unlikely the words of an answer were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u16; 3]", into = "[u16; 3]")]
pub struct Words {
    /// On average: the logarithm of their chance, less its sign, in thousandths.
    pub mean: u16,
    /// The least likely of them, likewise.
    pub worst: u16,
    /// How many of a thousand were less likely than not.
    pub tail: u16,
}

impl From<[u16; 3]> for Words {
    fn from([mean, worst, tail]: [u16; 3]) -> Self {
        Self { mean, worst, tail }
    }
}

impl From<Words> for [u16; 3] {
    fn from(words: Words) -> Self {
        [words.mean, words.worst, words.tail]
    }
}

/// What a logistic makes of them: log-odds in thousandths, for itself and for each whole unit of mean, worst and tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights([i32; 4]);

impl Weights {
    /// How many thousandths of log-odds lie between two places, of which 500 is the middle.
    pub const STEP: i32 = 16;
    /// The furthest that a weight may lie from nothing.
    const MOST: i32 = 1_000_000;

    /// Checks weights as they are written.
    ///
    /// # Errors
    /// How to mend them.
    pub fn new(weights: [i32; 4]) -> Result<Self, &'static str> {
        let [level, mean, worst, tail] = weights;
        if [mean, worst, tail].iter().any(|weight| *weight > 0) {
            return Err(
                "would hold unlikely words for a good sign: those of mean, worst and tail are at most 0, as `pointsman calibrate` writes them",
            );
        }
        if [level, mean, worst, tail].iter().any(|weight| weight.unsigned_abs() > Self::MOST.unsigned_abs()) {
            return Err("is outside -1000000 to 1000000");
        }
        Ok(Self(weights))
    }

    /// Returns where words lie, from 0 to 1000.
    pub fn place(self, words: Words) -> PerMille {
        let [level, mean, worst, tail] = self.0.map(i64::from);
        let sum =
            mean * i64::from(words.mean) + worst * i64::from(words.worst) + tail * i64::from(words.tail);
        PerMille::clamped(500 + (level + sum.div_euclid(1000)).div_euclid(i64::from(Self::STEP)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_likely_words_never_lie_higher_and_nothing_overflows() {
        let weights = Weights::new([2_000, -3_000, -200, -1_500]).unwrap();
        let place = |mean, worst, tail| weights.place(Words { mean, worst, tail }).get();
        // 2 - 3 × 0.2 - 0.2 × 1 - 1.5 × 0.1 = 1.05 of log-odds.
        assert_eq!(place(200, 1_000, 100), 500 + 1_050 / 16);
        assert!(place(200, 5_000, 100) < place(200, 1_000, 100));
        assert_eq!(place(u16::MAX, u16::MAX, 1000), 0);
        assert!(Weights::new([0, 1, 0, 0]).is_err() && Weights::new([i32::MIN, 0, 0, 0]).is_err());
        let read: Words = serde_json::from_str("[350,2100,120]").unwrap();
        assert_eq!(read, Words { mean: 350, worst: 2_100, tail: 120 });
        assert_eq!(serde_json::to_string(&read).unwrap(), "[350,2100,120]");
    }
}
