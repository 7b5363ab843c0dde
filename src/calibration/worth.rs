//! What scores of answers are worth: a curve to the chance that an answer is good, from answers that were judged.
//!
//! Under a thousand of them a logistic curve held to the identity (Platt 1999), from there on an isotonic one; what either is
//! worth is measured out of fold. The curve comes out in whole numbers.

use super::{Diagram, Isotonic, Judged, Logistic};
use crate::units::PerMille;

/// So many judged answers a curve takes at least.
pub(super) const LEAST: usize = 200;
/// From so many on it is isotonic.
pub(super) const MANY: usize = 1000;
pub(super) const FOLDS: usize = 5;
/// Points of a curve, at every fortieth.
pub(super) const STEP: u16 = 40;
pub(super) const BINS: usize = 10;

/// A curve, and what it is worth.
#[derive(Clone, Debug)]
pub struct Worth {
    /// Scores and what they are worth.
    pub curve: Vec<[u16; 2]>,
    /// Whether it is isotonic.
    pub is_isotonic: bool,
    /// The calibration error less what chance adds: of the scores as they are, and of the curve, out of fold.
    pub error: [f64; 2],
}

/// Fits a curve to scores and whether the answer was good.
///
/// # Errors
/// How many more are needed, where there are too few.
pub fn worth(rows: &[(PerMille, bool)]) -> Result<Worth, usize> {
    if rows.len() < LEAST {
        return Err(LEAST - rows.len());
    }
    let curve = fit(rows.iter().copied());
    let mut raw: Vec<Judged> = rows.iter().map(|&(score, good)| Judged::of(score, good)).collect();
    let mut out_of_fold: Vec<Judged> = Vec::with_capacity(rows.len());
    for fold in 0..FOLDS {
        let others = rows.iter().enumerate().filter(|(at, _)| at % FOLDS != fold).map(|(_, row)| *row);
        let held = fit(others);
        let own = rows.iter().enumerate().filter(|(at, _)| at % FOLDS == fold);
        out_of_fold.extend(own.map(|(_, &(score, good))| Judged::of(at(&held, score), good)));
    }
    let error = [&mut raw, &mut out_of_fold].map(|judged| Diagram::new(judged, BINS).ece_debiased());
    Ok(Worth { curve, is_isotonic: rows.len() >= MANY, error })
}

pub(super) fn fit(rows: impl Iterator<Item = (PerMille, bool)>) -> Vec<[u16; 2]> {
    let rows: Vec<(PerMille, bool)> = rows.collect();
    let points = rows.iter().map(|(score, good)| (*score, *good));
    curve(points, || {
        let scores: Vec<_> = rows.iter().map(|(score, good)| (logit(score.get()), *good)).collect();
        // Pulled to the identity; one that falls would turn the order round.
        let line = Logistic { level: 0.0, slope: 1.0 }.fit(&scores, 50, [0.1, 1.0], 0.01..=20.0);
        move |score| line.at(logit(score))
    })
}

/// Returns the curve of scores: an isotonic one from a thousand answers on, else the one that is given.
pub(super) fn curve<C: Fn(u16) -> f64>(
    rows: impl ExactSizeIterator<Item = (PerMille, bool)>,
    other: impl FnOnce() -> C,
) -> Vec<[u16; 2]> {
    let grid = (0..=1000 / STEP).map(|step| step * STEP);
    let point = |score, chance| [score, PerMille::from_probability(chance).unwrap_or_default().get()];
    if rows.len() * FOLDS < MANY * (FOLDS - 1) {
        let chance = other();
        return grid.map(|score| point(score, chance(score))).collect();
    }
    let curve = Isotonic::fit(rows.map(|(score, good)| (i64::from(score.get()), i64::from(good) * 1000)));
    let chance = |score: u16| curve.at(score.into()).map_or(0.5, |chance| chance as f64 / 1e6);
    grid.map(|score| point(score, chance(score))).collect()
}

pub(super) fn at(curve: &[[u16; 2]], score: PerMille) -> PerMille {
    let points = curve.iter().map(|[score, chance]| (i64::from(*score), i64::from(*chance) * 1000));
    let curve = Isotonic::from_knots(points.collect()).unwrap_or_default();
    PerMille::clamped((curve.at(score.get().into()).unwrap_or(0) + 500) / 1000)
}

fn logit(score: u16) -> f64 {
    let p = (f64::from(score) / 1000.0).clamp(0.001, 0.999);
    (p / (1.0 - p)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores that promise too much: at 0.9 half of the answers are good.
    fn rows(n: u64) -> Vec<(PerMille, bool)> {
        let row = |at: u64| {
            let lot = |k: u64| {
                let z = (at * 2 + k).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 54
            };
            let score = lot(0).min(1000);
            (PerMille::clamped(i64::try_from(score).unwrap()), lot(1) * 10 < score * score / 180)
        };
        (0..n).map(row).collect()
    }

    #[test]
    fn scores_that_promise_too_much_are_brought_to_what_they_are_worth() {
        for n in [400, 4000] {
            let found = worth(&rows(n)).unwrap();
            assert_eq!(found.is_isotonic, n == 4000);
            assert!(found.error[0] > 0.1 && found.error[1] < 0.05, "{n}: {:?}", found.error);
            let ascends =
                found.curve.windows(2).all(|pair| pair[0][0] < pair[1][0] && pair[0][1] <= pair[1][1]);
            assert!(ascends && found.curve.len() <= 64, "{:?}", found.curve);
        }
        assert_eq!(worth(&rows(150)).unwrap_err(), 50);
    }
}
