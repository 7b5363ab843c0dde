//! Isotonic regression by pooling adjacent violators, in integers.
//!
//! Invariant: the fit never falls as its argument rises, and depends on the points alone, not on their order.

/// A fitted curve that never falls.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Isotonic {
    /// Argument and value, ascending in both; values in thousandths of the unit that was fitted.
    pub(super) knots: Vec<(i64, i64)>,
}

/// Points pooled into one value: where they begin and end, their sum and their weight.
#[derive(Clone, Copy)]
struct Block {
    first: i64,
    last: i64,
    sum: i128,
    weight: i128,
}

impl Block {
    fn exceeds(&self, next: &Self) -> bool {
        self.sum.saturating_mul(next.weight) >= next.sum.saturating_mul(self.weight)
    }

    fn mean(&self) -> i64 {
        let (sum, weight) = (self.sum.saturating_mul(1000), self.weight.max(1));
        // Halves go up, on either side of zero.
        let rounded = (sum.saturating_mul(2).saturating_add(weight)).div_euclid(weight.saturating_mul(2));
        i64::try_from(rounded).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
    }
}

impl Isotonic {
    /// Fits pairs of a score and what became of it; equal scores are one point with their mean.
    pub fn fit(points: impl IntoIterator<Item = (i64, i64)>) -> Self {
        Self::fit_weighted(points.into_iter().map(|(score, value)| (score, value, 1)))
    }

    /// Fits triples of a score, what became of it and how much that weighs; those that weigh nothing are left out.
    pub fn fit_weighted(points: impl IntoIterator<Item = (i64, i64, u32)>) -> Self {
        let mut points: Vec<(i64, i64, u32)> =
            points.into_iter().filter(|(_, _, weight)| *weight > 0).collect();
        points.sort_unstable();
        let mut blocks: Vec<Block> = Vec::new();
        let tied = points.chunk_by(|a, b| a.0 == b.0).filter_map(|tie| {
            let score = tie.first()?.0;
            let sum = tie.iter().map(|&(_, value, weight)| i128::from(value) * i128::from(weight)).sum();
            let weight = tie.iter().map(|&(_, _, weight)| i128::from(weight)).sum();
            Some(Block { first: score, last: score, sum, weight })
        });
        for mut next in tied {
            while let Some(before) = blocks.pop_if(|before| before.exceeds(&next)) {
                next.first = before.first;
                next.sum += before.sum;
                next.weight += before.weight;
            }
            blocks.push(next);
        }
        let mut knots = Vec::with_capacity(blocks.len() * 2);
        for block in &blocks {
            knots.push((block.first, block.mean()));
            if block.last > block.first {
                knots.push((block.last, block.mean()));
            }
        }
        Self { knots }
    }

    /// Returns the value at a score, in thousandths of the unit that was fitted: level beyond the ends, on a straight line between
    /// knots; `None` where nothing was fitted.
    pub fn at(&self, score: i64) -> Option<i64> {
        let (lowest, highest) = (self.knots.first()?, self.knots.last()?);
        if score <= lowest.0 {
            return Some(lowest.1);
        }
        if score >= highest.0 {
            return Some(highest.1);
        }
        let above = self.knots.partition_point(|knot| knot.0 < score);
        let (to, from) = (self.knots.get(above)?, self.knots.get(above.checked_sub(1)?)?);
        let (run, along) = (i128::from(to.0) - i128::from(from.0), i128::from(score) - i128::from(from.0));
        let rise = i128::from(to.1) - i128::from(from.1);
        let step = (2 * rise.saturating_mul(along) + run).div_euclid(2 * run.max(1));
        Some(from.1.saturating_add(i64::try_from(step).unwrap_or(0)))
    }

    /// Takes up knots that were fitted and kept before; `None` where they do not ascend.
    pub fn from_knots(knots: Vec<(i64, i64)>) -> Option<Self> {
        let ascends = knots.windows(2).all(|pair| matches!(pair, [a, b] if a.0 < b.0 && a.1 <= b.1));
        ascends.then_some(Self { knots })
    }
}
