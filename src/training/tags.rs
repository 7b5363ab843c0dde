//! The mean gain of every tag, shrunk towards the mean of all.

use std::collections::BTreeMap;

/// How many rows of the mean of all stand in every tag's mean.
pub(super) const SHRINK: f64 = 20.0;

/// Mean gain by tag, less that of all.
#[derive(Clone, Debug, Default)]
pub(super) struct Tags(pub(super) BTreeMap<u64, f32>);

impl Tags {
    /// Sums the centred `target` of the rows by the tag of a kind.
    pub(super) fn fit(tags: &[crate::classifier::Tags], kind: usize, rows: &[u32], target: &[f32]) -> Self {
        let mut sums = BTreeMap::<u64, (f64, f64)>::new();
        for (&row, &wanted) in rows.iter().zip(target) {
            if let Some(&tag @ 1..) = tags.get(row as usize).and_then(|tags| tags.0.get(kind)) {
                let sum = sums.entry(tag).or_default();
                *sum = (sum.0 + f64::from(wanted), sum.1 + 1.0);
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "quality needs no more digits")]
        let shrunk = |(sum, count): (f64, f64)| (sum / (count + SHRINK)) as f32;
        Self(sums.into_iter().map(|(tag, sum)| (tag, shrunk(sum))).collect())
    }

    pub(super) fn value(&self, tag: u64) -> f32 {
        self.0.get(&tag).copied().unwrap_or(0.0)
    }
}
