//! How likely the words of an answer were, in whole numbers, and what a small logistic makes of them.
//!
//! Invariant: the same words and weights give the same place on every machine; the less likely words were, and the nearer others came,
//! the lower it is.

use serde::{Deserialize, Serialize};

use crate::units::PerMille;

/// How unlikely the words of an answer were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Told", into = "Told")]
pub struct Words {
    /// On average: the logarithm of their chance, less its sign, in thousandths.
    pub mean: u16,
    /// The least likely of them, likewise.
    pub worst: u16,
    /// How many of a thousand were less likely than not.
    pub tail: u16,
    /// What else might have stood there; none where nobody told.
    pub others: Option<Others>,
}

/// What else might have stood in the place of the words of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// How much likelier the likeliest word was than the next one, on average in thousandths.
    pub margin: u16,
    /// The entropy of the likeliest five, on average in thousandths of a nat.
    pub entropy: u16,
}

/// As they are written: mean, worst, tail, and margin and entropy where they are known.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Told {
    Three([u16; 3]),
    Five([u16; 5]),
}

impl From<Told> for Words {
    fn from(told: Told) -> Self {
        match told {
            Told::Three([mean, worst, tail]) => Self { mean, worst, tail, others: None },
            Told::Five([mean, worst, tail, margin, entropy]) => {
                Self { mean, worst, tail, others: Some(Others { margin, entropy }) }
            }
        }
    }
}

impl From<Words> for Told {
    fn from(Words { mean, worst, tail, others }: Words) -> Self {
        match others {
            None => Self::Three([mean, worst, tail]),
            Some(Others { margin, entropy }) => Self::Five([mean, worst, tail, margin, entropy]),
        }
    }
}

/// What a logistic makes of them: log-odds in thousandths, for itself and for each whole unit of mean, worst, tail, margin and
/// entropy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights([i32; 6]);

impl Weights {
    /// How many thousandths of log-odds lie between two places, of which 500 is the middle.
    pub const STEP: i32 = 16;
    /// The furthest that a weight may lie from nothing.
    const MOST: i32 = 1_000_000;

    /// Checks weights as they are written: four, or six where margin and entropy are weighed as well.
    ///
    /// # Errors
    /// How to mend them.
    pub fn new(weights: &[i32]) -> Result<Self, &'static str> {
        let all: [i32; 6] = match *weights {
            [level, mean, worst, tail] => [level, mean, worst, tail, 0, 0],
            [level, mean, worst, tail, margin, entropy] => [level, mean, worst, tail, margin, entropy],
            _ => {
                return Err(
                    "has neither four numbers (level, mean, worst, tail) nor six (margin and entropy besides)",
                );
            }
        };
        let [_, mean, worst, tail, margin, entropy] = all;
        if [mean, worst, tail, -margin, entropy].iter().any(|weight| *weight > 0) {
            return Err(
                "would hold unlikely words for a good sign: those of mean, worst, tail and entropy are at most 0 and that of margin at least, as `pointsman calibrate` writes them",
            );
        }
        if all.iter().any(|weight| weight.unsigned_abs() > Self::MOST.unsigned_abs()) {
            return Err("is outside -1000000 to 1000000");
        }
        Ok(Self(all))
    }

    /// Returns where words lie, from 0 to 1000; none where something is weighed that nobody told.
    pub fn place(self, words: Words) -> Option<PerMille> {
        let [level, mean, worst, tail, margin, entropy] = self.0.map(i64::from);
        let others = match words.others {
            None if margin != 0 || entropy != 0 => return None,
            others => others.unwrap_or_default(),
        };
        let sum = mean * i64::from(words.mean)
            + worst * i64::from(words.worst)
            + tail * i64::from(words.tail)
            + margin * i64::from(others.margin)
            + entropy * i64::from(others.entropy);
        Some(PerMille::clamped(500 + (level + sum.div_euclid(1000)).div_euclid(i64::from(Self::STEP))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_likely_words_never_lie_higher_and_nothing_overflows() {
        let weights = Weights::new(&[2_000, -3_000, -200, -1_500]).unwrap();
        let plain = |mean, worst, tail| Words { mean, worst, tail, others: None };
        let place = |mean, worst, tail| weights.place(plain(mean, worst, tail)).unwrap().get();
        // 2 - 3 × 0.2 - 0.2 × 1 - 1.5 × 0.1 = 1.05 of log-odds.
        assert_eq!(place(200, 1_000, 100), 500 + 1_050 / 16);
        assert!(place(200, 5_000, 100) < place(200, 1_000, 100));
        assert_eq!(place(u16::MAX, u16::MAX, 1000), 0);
        for wrong in
            [&[0, 1, 0, 0][..], &[i32::MIN, 0, 0, 0], &[0, 0, 0, 0, -1, 0], &[0, 0, 0, 0, 0, 1], &[0; 5]]
        {
            assert!(Weights::new(wrong).is_err(), "{wrong:?}");
        }
        // 1 + 2 × 0.5 - 1 × 0.25 = 1.75 more; of an answer of which nobody told it, nothing is said.
        let six = Weights::new(&[1_000, 0, 0, 0, 2_000, -1_000]).unwrap();
        let told = Words { others: Some(Others { margin: 500, entropy: 250 }), ..plain(200, 1_000, 100) };
        assert_eq!(six.place(told).map(PerMille::get), Some(500 + 1_750 / 16));
        assert_eq!(six.place(plain(200, 1_000, 100)), None);
        assert_eq!(weights.place(told), weights.place(plain(200, 1_000, 100)));
    }

    #[test]
    fn words_are_written_with_what_is_known_of_them() {
        for (text, others) in
            [("[350,2100,120]", None), ("[350,2100,120,810,400]", Some(Others { margin: 810, entropy: 400 }))]
        {
            let read: Words = serde_json::from_str(text).unwrap();
            assert_eq!(read, Words { mean: 350, worst: 2_100, tail: 120, others });
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
        assert!(serde_json::from_str::<Words>("[1,2]").is_err());
    }
}
