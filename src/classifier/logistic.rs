//! Integer arithmetic of the score: logarithm, logistic function and calibration. The same on every machine.
//!
//! Invariant: each of the three functions never falls as its argument grows, so a higher score is never a lower confidence.

use arrayvec::ArrayVec;

use crate::units::PerMille;

/// A million: scores before calibration are parts per million.
const MILLION: i64 = 1_000_000;
/// The distance between two entries of [`SIGMOID`], in milli-logits.
const STEP: i64 = 125;
/// The logistic function at 0, 0.125, 0.25 .. 8 logits, in parts per million.
#[rustfmt::skip]
const SIGMOID: [u32; 65] = [
    500_000, 531_209, 562_177, 592_667, 622_459, 651_355, 679_179, 705_785,
    731_059, 754_915, 777_300, 798_187, 817_574, 835_484, 851_953, 867_036,
    880_797, 893_309, 904_651, 914_901, 924_142, 932_453, 939_913, 946_597,
    952_574, 957_912, 962_673, 966_914, 970_688, 974_043, 977_023, 979_668,
    982_014, 984_094, 985_936, 987_568, 989_013, 990_292, 991_423, 992_423,
    993_307, 994_089, 994_780, 995_390, 995_930, 996_406, 996_827, 997_199,
    997_527, 997_817, 998_073, 998_299, 998_499, 998_675, 998_830, 998_968,
    999_089, 999_196, 999_290, 999_374, 999_447, 999_512, 999_569, 999_620,
    999_665,
];

/// Returns 1000 times the binary logarithm, taken as straight between powers of two; 0 for 0.
pub(super) fn log2_milli(n: u64) -> u64 {
    let Some(whole) = n.checked_ilog2() else { return 0 };
    let whole = u64::from(whole);
    // Ten bits below the leading one; exact enough, and cannot overflow.
    let mantissa = if whole >= 10 { n >> (whole - 10) } else { n << (10 - whole) };
    whole * 1000 + (mantissa.saturating_sub(1024) * 1000) / 1024
}

/// Returns the logistic function of milli-logits, in parts per million.
pub(super) fn sigmoid(milli_logits: i64) -> i64 {
    let x = milli_logits.saturating_abs().min(8000);
    let at = |n: i64| usize::try_from(n).ok().and_then(|n| SIGMOID.get(n)).map_or(MILLION, |&v| i64::from(v));
    let (cell, rest) = (x / STEP, x % STEP);
    let low = at(cell);
    let up = if rest == 0 { low } else { low + (at(cell + 1) - low) * rest / STEP };
    if milli_logits < 0 { MILLION - up } else { up }
}

/// The most knots a calibration may have.
pub(super) const MOST_KNOTS: usize = 32;

/// Maps a score to a confidence along straight lines between knots.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Calibration(ArrayVec<(PerMille, PerMille), MOST_KNOTS>);

impl Calibration {
    /// Builds from knots (score, confidence) that rise in the score and do not fall in the confidence.
    pub(super) fn new(knots: &[(PerMille, PerMille)]) -> Result<Self, &'static str> {
        if knots.len() < 2 || knots.len() > MOST_KNOTS {
            return Err("2 to 32 knots are needed");
        }
        for pair in knots.windows(2) {
            if let [(a, p), (b, q)] = pair
                && (a >= b || p > q)
            {
                return Err("scores must rise and confidences must not fall from knot to knot");
            }
        }
        Ok(Self(knots.iter().copied().collect()))
    }

    pub(super) fn knots(&self) -> &[(PerMille, PerMille)] {
        &self.0
    }

    /// Returns the confidence for a score in parts per million; level beyond the outermost knots.
    pub(super) fn apply(&self, score: i64) -> PerMille {
        let mut last: Option<(i64, i64)> = None;
        for &(x, y) in &self.0 {
            let (x, y) = (i64::from(x.get()) * 1000, i64::from(y.get()) * 1000);
            if score <= x {
                let millis = match last {
                    Some((x0, y0)) => y0 + (y - y0) * (score - x0) / (x - x0).max(1),
                    None => y,
                };
                return PerMille::clamped((millis + 500) / 1000);
            }
            last = Some((x, y));
        }
        PerMille::clamped(last.map_or(0, |(_, y)| (y + 500) / 1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn knots(pairs: &[(u16, u16)]) -> Vec<(PerMille, PerMille)> {
        pairs.iter().map(|&(x, y)| (PerMille::new(x).unwrap(), PerMille::new(y).unwrap())).collect()
    }

    #[test]
    fn sigmoid_never_falls_and_stays_close_to_the_real_one() {
        let mut last = 0;
        for x in -12_000..=12_000 {
            let y = sigmoid(x);
            assert!(y >= last, "fell at {x}");
            last = y;
            let real = 1e6 / (1.0 + (-f64::from(i32::try_from(x).unwrap()) / 1000.0).exp());
            assert!((real - y as f64).abs() < 400.0, "{x}: {y} against {real}");
        }
        assert_eq!(sigmoid(0), 500_000);
        assert_eq!(sigmoid(i64::MIN) + sigmoid(i64::MAX), MILLION);
    }

    #[test]
    fn logarithm_is_exact_at_powers_of_two() {
        assert_eq!(log2_milli(0), 0);
        for power in 0u32..64 {
            assert_eq!(log2_milli(1 << power), u64::from(power) * 1000);
        }
        assert_eq!(log2_milli(u64::MAX) / 1000, 63);
    }

    #[test]
    fn calibration_is_straight_between_knots_and_level_outside() {
        let map = Calibration::new(&knots(&[(200, 300), (400, 500), (800, 900)])).unwrap();
        let at = |x| map.apply(x).get();
        assert_eq!(
            [at(0), at(200_000), at(300_000), at(400_000), at(600_000), at(1_000_000)],
            [300, 300, 400, 500, 700, 900]
        );
    }

    #[test]
    fn calibration_refuses_knots_that_fall() {
        for bad in
            [&[(100, 100)][..], &[(100, 200), (100, 300)], &[(100, 300), (200, 200)], &[(300, 1), (200, 2)]]
        {
            assert!(Calibration::new(&knots(bad)).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn logarithm_never_falls(a in any::<u64>(), b in any::<u64>()) {
            prop_assert!(log2_milli(a.min(b)) <= log2_milli(a.max(b)));
        }

        #[test]
        fn calibration_never_falls(a in 0i64..=1_000_000, b in 0i64..=1_000_000) {
            let map = Calibration::new(&knots(&[(0, 20), (250, 200), (251, 640), (900, 640), (1000, 910)])).unwrap();
            prop_assert!(map.apply(a.min(b)) <= map.apply(a.max(b)));
        }
    }
}
