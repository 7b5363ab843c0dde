//! Golden values are `SciPy` 1.17.1's and scikit-learn 1.9.1's, computed once.

use super::special::{
    binomial_at_most, chi_square_below, clopper_pearson, folded_normal_mean, normal_at_most,
};
use super::{Agreement, Diagram, Isotonic, Judged, wilson};
use crate::units::PerMille;

fn near(found: f64, wanted: f64, relative: f64) -> bool {
    (found - wanted).abs() <= wanted.abs() * relative
}

#[test]
fn binomial_tails_are_scipys() {
    for (k, n, p, wanted) in [
        (0, 149, 0.02, 0.049_281_654_330_089_596),
        (0, 148, 0.02, 0.050_287_402_377_642_45),
        (12, 1000, 0.02, 0.037_604_810_397_184_225),
        (83, 5000, 0.02, 0.044_717_726_008_724_98),
        (84, 5000, 0.02, 0.055_746_170_748_467_53),
        (29, 2000, 0.02, 0.041_706_640_693_696_91),
        (10, 1000, 0.02, 0.010_236_548_159_763_267),
        (5, 10, 0.5, 0.623_046_875),
        (700, 10_000, 0.05, 1.0),
        (450, 10_000, 0.05, 0.010_688_078_131_714_015),
        // `SciPy` gives 0.010335785844903855; this is the sum in 50 decimal digits.
        (3, 1_000_000, 1e-5, 0.010_335_785_844_433_468),
        (199, 200, 0.99, 0.866_020_325_142_038_3),
        (0, 10, 0.3, 0.028_247_524_900_000_005),
        (250, 400, 0.3, 1.0),
    ] {
        let found = binomial_at_most(k, n, p);
        assert!(near(found, wanted, 1e-11), "{k} of {n} at {p}: {found}, not {wanted}");
    }
    assert!(near(binomial_at_most(9, 10, 0.0), 1.0, 0.0) && binomial_at_most(9, 10, 1.0) < 1e-300);
}

#[test]
fn bounds_of_a_chance_are_scipys() {
    for (k, n, delta, wanted) in [
        (0, 149, 0.05, 0.019_904_816_220_685_077),
        (11, 1204, 0.05, 0.015_077_252_403_183_502),
        (12, 1000, 0.05, 0.019_370_199_285_059_248),
        (1, 10, 0.1, 0.336_847_723_306_724_74),
        (0, 1, 0.05, 0.95),
        (83, 5000, 0.01, 0.021_304_939_989_090_8),
    ] {
        let found = clopper_pearson(k, n, delta);
        assert!(near(found, wanted, 1e-11), "{k} of {n}: {found}, not {wanted}");
    }
    assert!(near(clopper_pearson(0, 0, 0.05), 1.0, 0.0), "nothing seen bounds nothing");
}

#[test]
fn chi_square_and_normal_are_scipys() {
    for (p, degrees, wanted) in [
        (0.999, 9, 27.877_164_871_256_568),
        (0.999, 1, 10.827_566_170_662_733),
        (0.95, 9, 16.918_977_604_620_448),
        (0.9999, 4, 23.512_742_444_991_076),
        (0.999, 99, 148.230_359_165_101_73),
    ] {
        let found = chi_square_below(p, degrees);
        assert!(near(found, wanted, 1e-9), "{p} of {degrees}: {found}, not {wanted}");
    }
    for (z, wanted) in [(-3.0, 0.001_349_898_031_630_093_3), (-1.0, 0.158_655_253_931_457_07), (0.0, 0.5)] {
        assert!(near(normal_at_most(z), wanted, 1e-10), "{z}");
    }
    assert!(near(folded_normal_mean(0.02, 0.05), 0.043_043_883_694_745_3, 1e-10));
    assert!(near(folded_normal_mean(0.3, 0.1), 0.300_076_430_863_409_57, 1e-10));
}

#[test]
fn isotonic_regression_is_scikit_learns() {
    let scores = [100, 200, 200, 300, 400, 450, 500, 600, 700, 800];
    let values = [0, 1000, 0, 0, 1000, 0, 1000, 1000, 600, 1000];
    let fit = Isotonic::fit(scores.into_iter().zip(values));
    for (score, wanted) in [
        (0, 0),
        (150, 166_667),
        (200, 333_333),
        (300, 333_333),
        (420, 500_000),
        (475, 683_334),
        (620, 866_667),
        (750, 933_334),
        (1000, 1_000_000),
    ] {
        assert_eq!(fit.at(score), Some(wanted), "at {score}");
    }
    assert_eq!(Isotonic::default().at(5), None, "nothing was fitted");
    assert_eq!(Isotonic::from_knots(fit.knots.clone()), Some(fit));
    assert_eq!(Isotonic::from_knots(vec![(0, 5), (1, 4)]), None, "it must not fall");
}

proptest::proptest! {
    #[test]
    fn isotonic_never_falls_and_keeps_the_mean(points in proptest::collection::vec((0i64..50, -1000i64..=1000), 1..80)) {
        let fit = Isotonic::fit(points.iter().copied());
        let curve: Vec<i64> = (0..50).filter_map(|score| fit.at(score)).collect();
        proptest::prop_assert!(curve.is_sorted());
        let (sum, fitted): (i64, i64) = points.iter().fold((0, 0), |(sum, fitted), &(score, value)| {
            (sum + value * 1000, fitted + fit.at(score).unwrap_or(0))
        });
        proptest::prop_assert!((sum - fitted).unsigned_abs() <= points.len() as u64, "{sum} {fitted}");
        let mut turned = points;
        turned.reverse();
        proptest::prop_assert_eq!(Isotonic::fit(turned), fit, "the order of points is nothing");
    }
}

fn per_mille(value: u16) -> PerMille {
    PerMille::new(value).unwrap_or_default()
}

/// Judgements of which so many in a thousand are good, `each` of every confidence given.
fn judged(said_did: &[(u16, u64)], each: u64) -> Vec<Judged> {
    let one = |confidence: u16, is_good: bool| Judged {
        confidence: per_mille(confidence),
        quality: if is_good { PerMille::ONE } else { PerMille::ZERO },
    };
    said_did
        .iter()
        .flat_map(|&(said, did)| (0..each).map(move |at| one(said, at * 1000 < did * each)))
        .collect()
}

#[test]
fn calibration_error_is_what_was_said_less_what_came() {
    let diagram = Diagram::new(&mut judged(&[(600, 500), (800, 900)], 100), 10);
    assert_eq!(diagram.bins.len(), 2, "equal confidences are never parted");
    assert!(near(diagram.ece(), 0.1, 1e-12), "{}", diagram.ece());
    assert!(near(diagram.brier, (0.36 + 0.16) / 4.0 + f64::midpoint(0.9 * 0.04, 0.1 * 0.64), 1e-12));
    // Said and done agree but for chance: the plain figure takes chance for an error.
    let calibrated = Diagram::new(&mut judged(&[(600, 660), (800, 760)], 50), 10);
    assert!(near(calibrated.ece(), 0.05, 1e-12) && calibrated.ece_debiased() < 0.04);
    assert!(Diagram::new(&mut [], 10).bins.is_empty());
}

#[test]
fn equal_mass_bins_hold_equal_numbers() {
    let all: Vec<(u16, u64)> = (0..100).map(|at| (at * 10, 500)).collect();
    let diagram = Diagram::new(&mut judged(&all, 3), 10);
    assert_eq!(diagram.bins.iter().map(|bin| bin.n).collect::<Vec<_>>(), [30; 10]);
    assert_eq!((diagram.bins[0].low, diagram.bins[0].high), (per_mille(0), per_mille(90)));
}

#[test]
fn wilson_is_the_published_interval() {
    let (low, high) = wilson(90.0, 100);
    assert!(near(low, 0.825_637, 1e-5) && near(high, 0.944_772, 1e-5), "{low} {high}");
    assert_eq!(wilson(0.0, 0), (0.0, 1.0));
}

#[test]
fn kappa_and_its_interval_are_those_of_statsmodels() {
    // statsmodels 0.15.0, `cohens_kappa`.
    for (counts, wanted) in [
        ([[20, 5], [10, 15]], [0.399_999_999_999_999_9, 0.151_092_290_476_661, 0.648_907_709_523_338_9]),
        ([[3, 1], [17, 179]], [0.224_137_931_034_482_98, 0.003_145_972_405_645_875, 0.445_129_889_663_320_1]),
        ([[50, 0], [0, 50]], [1.0, 1.0, 1.0]),
    ] {
        let mut both = Agreement::default();
        for (first, row) in counts.into_iter().enumerate() {
            for (second, count) in row.into_iter().enumerate() {
                (0..count).for_each(|_| both.note(first == 1, second == 1));
            }
        }
        let kappa = both.kappa().unwrap();
        let found = [kappa.value, kappa.low, kappa.high];
        let is_near = found.iter().zip(wanted).all(|(found, wanted)| near(*found, wanted, 1e-9));
        assert!(is_near, "{counts:?}: {found:?}, not {wanted:?}");
    }
    let mut same = Agreement::default();
    (0..40).for_each(|_| same.note(true, true));
    assert_eq!(
        (same.n(), same.alike(), same.kappa()),
        (40, 40, None),
        "always good tells nothing of agreement"
    );
}
