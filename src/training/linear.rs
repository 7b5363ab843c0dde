//! A ridge regression of the gain on hashed words and characters, by dual coordinate ascent.
//!
//! What stands in many rows tells them apart the least, and is pulled to zero the more (as by inverse document frequency); what decides
//! adds weights up as before, so this costs it nothing.
//!
//! Invariant: the same rows and seed give the same weights, bit for bit.

use std::collections::BTreeMap;

use super::examples::Examples;
use crate::classifier::{BUCKETS, Bucket, Tags};
use crate::units::Draw;

/// Weights of all buckets, and beside them of tags by kind: so words need not say again what a tag tells.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    pub(super) buckets: Vec<f32>,
    pub(super) tags: [BTreeMap<u64, f32>; 2],
}

/// How strongly weights are pulled to zero, in rows.
const PULL: f32 = 16.0;
/// How freely a tag's weight moves beside all words of a row, which count one.
const TAG: f32 = 0.3;
const ROUNDS: usize = 6;

/// Returns what one bucket of each kind counts in a row: both kinds have length one.
pub(super) fn shares((characters, words): (&[Bucket], &[Bucket])) -> (f32, f32) {
    let share = |buckets: &[Bucket]| (buckets.len().max(1) as f32).sqrt().recip();
    (share(characters), share(words))
}

/// How freely the weight of each bucket moves: by the squared logarithm of how few of the rows hold it, so that a row's is one of each
/// kind in the mean.
struct Freedom(Vec<f32>);

impl Freedom {
    fn of(examples: &Examples, rows: &[u32]) -> Self {
        let mut held = vec![0u32; BUCKETS];
        for &row in rows {
            let (characters, words) = examples.grams(row as usize);
            for &bucket in characters.iter().chain(words) {
                if let Some(count) = held.get_mut(bucket as usize) {
                    *count += 1;
                }
            }
        }
        let of = |count: u32| ((rows.len() as f32 + 1.0) / (count as f32 + 1.0)).ln().powi(2) + 1e-6;
        let mut freedom = Self(held.into_iter().map(of).collect());
        let (mut characters, mut words) = (0.0f64, 0.0f64);
        for &row in rows {
            let grams = examples.grams(row as usize);
            characters += f64::from(freedom.mean(grams.0));
            words += f64::from(freedom.mean(grams.1));
        }
        let (of_characters, of_words) = freedom.0.split_at_mut(crate::classifier::CHARACTERS);
        for (kind, sum) in [(of_characters, characters), (of_words, words)] {
            let mean = narrow(sum.max(1e-6) / rows.len() as f64);
            for one in kind {
                *one /= mean;
            }
        }
        freedom
    }

    fn at(&self, bucket: Bucket) -> f32 {
        self.0.get(bucket as usize).copied().unwrap_or(0.0)
    }

    /// Returns the mean over the buckets of a row.
    fn mean(&self, buckets: &[Bucket]) -> f32 {
        buckets.iter().map(|&bucket| self.at(bucket)).sum::<f32>() / buckets.len().max(1) as f32
    }
}

#[expect(clippy::cast_possible_truncation, reason = "weights and qualities need no more digits")]
pub(super) fn narrow(number: f64) -> f32 {
    number as f32
}

impl Linear {
    /// Fits the centred `target` of the rows.
    pub(super) fn fit(examples: &Examples, rows: &[u32], target: &[f32], seed: u64) -> Self {
        let mut model = Self { buckets: vec![0.0; BUCKETS], tags: Default::default() };
        let freedom = Freedom::of(examples, rows);
        let mut dual = vec![(0.0f32, 0.0f32); rows.len()];
        for (&row, (_, length)) in rows.iter().zip(&mut dual) {
            let grams = examples.grams(row as usize);
            let tags = tags_of(examples, row).0.into_iter().filter(|&tag| tag != 0).count();
            *length = freedom.mean(grams.0) + freedom.mean(grams.1) + TAG * tags as f32;
        }
        let mut order: Vec<u32> = (0u32..).take(rows.len()).collect();
        let mut draw = Draw::new(seed);
        for _ in 0..ROUNDS {
            draw.shuffle(&mut order);
            for &at in &order {
                let at = at as usize;
                let (Some(&row), Some(&wanted), Some((dual, length))) =
                    (rows.get(at), target.get(at), dual.get_mut(at))
                else {
                    continue;
                };
                let grams = examples.grams(row as usize);
                if grams.0.is_empty() && grams.1.is_empty() {
                    continue;
                }
                let tags = tags_of(examples, row);
                let step = (wanted - model.say(grams, tags) - *dual) / (1.0 + *length / PULL);
                *dual += step;
                for (table, tag) in model.tags.iter_mut().zip(tags.0).filter(|&(_, tag)| tag != 0) {
                    *table.entry(tag).or_default() += step * TAG / PULL;
                }
                let (of_characters, of_words) = shares(grams);
                for (buckets, share) in [(grams.0, of_characters), (grams.1, of_words)] {
                    let step = step * share / PULL;
                    for &bucket in buckets {
                        if let Some(weight) = model.buckets.get_mut(bucket as usize) {
                            *weight += step * freedom.at(bucket);
                        }
                    }
                }
            }
        }
        model
    }

    pub(super) fn say(&self, grams: (&[Bucket], &[Bucket]), tags: Tags) -> f32 {
        let sum = |buckets: &[Bucket]| {
            buckets.iter().filter_map(|&bucket| self.buckets.get(bucket as usize)).sum::<f32>()
        };
        let (of_characters, of_words) = shares(grams);
        let tags = self.tags.iter().zip(tags.0).filter_map(|(table, tag)| table.get(&tag));
        sum(grams.0) * of_characters + sum(grams.1) * of_words + tags.sum::<f32>()
    }
}

fn tags_of(examples: &Examples, row: u32) -> Tags {
    examples.tags.get(row as usize).copied().unwrap_or_default()
}
