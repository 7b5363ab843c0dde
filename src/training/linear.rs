//! A ridge regression of the gain on hashed words and characters, by dual coordinate ascent.
//!
//! Invariant: the same rows and seed give the same weights, bit for bit.

use super::examples::Examples;
use crate::classifier::{BUCKETS, Bucket};
use crate::units::Draw;

/// Weights of all buckets.
#[derive(Clone, Debug)]
pub(super) struct Linear(pub(super) Vec<f32>);

/// How strongly weights are pulled to zero, in rows.
const PULL: f32 = 10.0;
const ROUNDS: usize = 4;

/// Returns what one bucket of each kind counts in a row: both kinds have length one.
pub(super) fn shares((characters, words): (&[Bucket], &[Bucket])) -> (f32, f32) {
    let share = |buckets: &[Bucket]| (buckets.len().max(1) as f32).sqrt().recip();
    (share(characters), share(words))
}

impl Linear {
    /// Fits the centred `target` of the rows.
    pub(super) fn fit(examples: &Examples, rows: &[u32], target: &[f32], seed: u64) -> Self {
        let mut model = Self(vec![0.0; BUCKETS]);
        let mut dual = vec![0.0f32; rows.len()];
        let mut order: Vec<u32> = (0u32..).take(rows.len()).collect();
        let mut draw = Draw::new(seed);
        for _ in 0..ROUNDS {
            draw.shuffle(&mut order);
            for &at in &order {
                let at = at as usize;
                let (Some(&row), Some(&wanted), Some(dual)) =
                    (rows.get(at), target.get(at), dual.get_mut(at))
                else {
                    continue;
                };
                let grams = examples.grams(row as usize);
                if grams.0.is_empty() && grams.1.is_empty() {
                    continue;
                }
                let step = (wanted - model.dot(grams) - *dual) / (1.0 + 2.0 / PULL);
                *dual += step;
                let (of_characters, of_words) = shares(grams);
                for (buckets, share) in [(grams.0, of_characters), (grams.1, of_words)] {
                    let step = step * share / PULL;
                    for &bucket in buckets {
                        if let Some(weight) = model.0.get_mut(usize::from(bucket)) {
                            *weight += step;
                        }
                    }
                }
            }
        }
        model
    }

    pub(super) fn dot(&self, grams: (&[Bucket], &[Bucket])) -> f32 {
        let sum = |buckets: &[Bucket]| {
            buckets.iter().filter_map(|&bucket| self.0.get(usize::from(bucket))).sum::<f32>()
        };
        let (of_characters, of_words) = shares(grams);
        sum(grams.0) * of_characters + sum(grams.1) * of_words
    }
}
