//! What a score is worth: a curve from scores to the chance that the answer is good, fitted ahead, in whole numbers.
//!
//! Invariant: a higher score is never worth less.

use crate::units::PerMille;

/// The most points of a curve.
const MOST: usize = 64;

/// A curve from scores to chances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Curve(Vec<(u16, u16)>);

impl Curve {
    /// Reads points; none where there are none.
    ///
    /// # Errors
    /// How to mend them.
    pub(super) fn compile(points: &[[u16; 2]]) -> Result<Option<Self>, String> {
        if points.is_empty() {
            return Ok(None);
        }
        let is_within = points.iter().flatten().all(|value| *value <= 1000);
        let ascends = points.windows(2).all(|pair| matches!(pair, [[a, p], [b, q]] if a < b && p <= q));
        if points.len() < 2 || points.len() > MOST || !is_within || !ascends {
            return Err(format!(
                "is no curve: 2 to {MOST} points [score, chance], each within 0 to 1000 and scores ascending, chances never falling, as `pointsman calibrate` writes it"
            ));
        }
        Ok(Some(Self(points.iter().map(|[score, chance]| (*score, *chance)).collect())))
    }

    /// Returns what a score is worth: level beyond the ends, on a straight line between points.
    pub(super) fn at(&self, score: PerMille) -> PerMille {
        let score = score.get();
        let above = self.0.partition_point(|(at, _)| *at <= score);
        let value = match (above.checked_sub(1).and_then(|at| self.0.get(at)), self.0.get(above)) {
            (Some(from), Some(to)) => {
                let (run, rise) = (u32::from(to.0 - from.0), u32::from(to.1 - from.1));
                let step = (2 * rise * u32::from(score - from.0) + run) / (2 * run);
                u32::from(from.1) + step
            }
            (Some(end), None) | (None, Some(end)) => u32::from(end.1),
            (None, None) => 0,
        };
        PerMille::clamped(value.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_points_lies_a_straight_line_and_beyond_them_nothing_changes() {
        let curve = Curve::compile(&[[200, 100], [600, 500], [800, 500]]).unwrap().unwrap();
        let at = |score| curve.at(PerMille::new(score).unwrap()).get();
        assert_eq!([0, 200, 400, 599, 600, 700, 1000].map(at), [100, 100, 300, 499, 500, 500, 500]);
        assert_eq!(Curve::compile(&[]), Ok(None));
        for wrong in [&[[1, 1]][..], &[[2, 1], [1, 2]], &[[1, 5], [2, 4]], &[[0, 0], [1001, 9]]] {
            assert!(Curve::compile(wrong).is_err(), "{wrong:?}");
        }
    }
}
