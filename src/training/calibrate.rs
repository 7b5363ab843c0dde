//! From a gain to the confidence that the cheap answer will do: a logistic curve held to a prior, and from a thousand rows on
//! mostly an isotonic one.
//!
//! Invariant: a larger gain never gives a larger confidence, and hardly ever the same one, so calibration changes no order.

use crate::calibration::{Isotonic, Logistic};
use crate::classifier::MOST_KNOTS;
use crate::units::PerMille;

/// From so many rows on the curve is mostly isotonic.
const MANY: usize = 1000;
/// What of it is then isotonic; the rest keeps values apart that it would make equal.
const ISOTONIC: f64 = 0.85;
/// Stretches of the isotonic curve.
const STRETCHES: usize = 24;
/// Knots of the logistic curve alone.
const KNOTS: usize = 33;
/// Where the slope is pulled to: a gain of one is a logit of four, as around the middle of the logistic function.
const SLOPE: f64 = -4.0;

/// A curve from gains to confidences.
pub(super) type Curve = Vec<(i32, PerMille)>;

/// Fits the share that did to the gain, pulled to the share of all and to [`SLOPE`].
fn logistic(rows: &[(f64, bool)]) -> Logistic {
    let did = rows.iter().filter(|(_, did)| *did).count() as f64;
    let share = (did + 1.0) / (rows.len() as f64 + 2.0);
    let middle = rows.iter().map(|(gain, _)| gain).sum::<f64>() / (rows.len() as f64).max(1.0);
    let prior = (share / (1.0 - share)).ln() - SLOPE * middle;
    // A curve that rises with the gain would turn the order round.
    Logistic { level: prior, slope: SLOPE }.fit(rows, 40, [1.0, 0.25], -60.0..=-0.2)
}

/// The mean gain of stretches of equal size, with the share that did, made to fall.
fn isotonic(sorted: &[(f64, bool)]) -> Vec<(f64, f64)> {
    let size = sorted.len().div_ceil(STRETCHES).max(1);
    let stretch = |rows: &[(f64, bool)]| {
        let gain = rows.iter().map(|(gain, _)| gain).sum::<f64>() / rows.len() as f64;
        let did = rows.iter().filter(|(_, did)| *did).count();
        (gain, did as f64 / rows.len() as f64, u32::try_from(rows.len()).unwrap_or(u32::MAX))
    };
    let stretches: Vec<(f64, f64, u32)> = sorted.chunks(size).map(stretch).collect();
    // A confidence falls with the gain: the curve is fitted to what is saved, which rises.
    let against = |gain: f64| -i64::from(millionths(gain));
    let points = stretches.iter().map(|&(gain, did, rows)| (against(gain), i64::from(millionths(did)), rows));
    let fitted = Isotonic::fit_weighted(points);
    let level = |gain| fitted.at(against(gain)).map_or(0.5, |level| level as f64 / 1e9);
    stretches.iter().map(|&(gain, ..)| (gain, level(gain))).collect()
}

/// Fits the curve of rows: what they were thought to gain, and whether the cheap answer did.
pub(super) fn fit(rows: &[(f64, bool)]) -> Curve {
    let mut sorted = rows.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (Some(&(least, _)), Some(&(most, _))) = (sorted.first(), sorted.last()) else {
        return vec![(0, PerMille::ZERO), (1, PerMille::ZERO)];
    };
    let logistic = logistic(&sorted);
    let spare = ((most - least) * 0.1).max(0.01);
    let mut points: Vec<(f64, f64)> = if sorted.len() >= MANY {
        let levels = isotonic(&sorted);
        let (first, last) =
            (levels.first().map_or(0.5, |level| level.1), levels.last().map_or(0.5, |level| level.1));
        let ends = [(least - spare, first), (most + spare, last)];
        let blend =
            |(gain, level): (f64, f64)| (gain, ISOTONIC * level + (1.0 - ISOTONIC) * logistic.at(gain));
        levels.into_iter().chain(ends).map(blend).collect()
    } else {
        let step = (most - least + 2.0 * spare) / (KNOTS - 1) as f64;
        (0..KNOTS)
            .map(|knot| least - spare + step * knot as f64)
            .map(|gain| (gain, logistic.at(gain)))
            .collect()
    };
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut curve = Curve::new();
    for (gain, share) in points {
        let (gain, share) = (millionths(gain), PerMille::clamped(whole(share * 1000.0)));
        match curve.last() {
            Some(&(before, _)) if gain <= before => {}
            Some(&(_, before)) => curve.push((gain, share.min(before))),
            None => curve.push((gain, share)),
        }
    }
    if let [only] = curve.as_slice() {
        curve.push((only.0 + 1, only.1));
    }
    curve.truncate(MOST_KNOTS);
    curve
}

/// Reads a curve as the deciding side does, though without rounding.
pub(super) fn exact(curve: &Curve, gain: f64) -> f64 {
    let gain = gain * 1e6;
    let mut last: Option<(f64, f64)> = None;
    for &(x, y) in curve {
        let (x, y) = (f64::from(x), f64::from(y.get()));
        if gain <= x {
            return last.map_or(y, |(x0, y0)| y0 + (y - y0) * (gain - x0) / (x - x0));
        }
        last = Some((x, y));
    }
    last.map_or(0.0, |(_, y)| y)
}

/// Rounds quality to millionths.
pub(super) fn millionths(quality: f64) -> i32 {
    i32::try_from(whole(quality * 1e6)).unwrap_or(if quality < 0.0 { i32::MIN } else { i32::MAX })
}

/// Rounds to a whole number; what is none counts nothing.
#[expect(clippy::cast_possible_truncation, reason = "rounded; beyond the range the nearest end is meant")]
pub(super) fn whole(number: f64) -> i64 {
    number.round() as i64
}
