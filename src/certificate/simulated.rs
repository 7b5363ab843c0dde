//! What is promised, tried on a thousand drawn worlds whose true loss is known.

use std::sync::Arc;

use super::{
    Drift, Kept, Label, Loss, Losses, Promise, Reference, Scope, Spread, Steps, Terms, Turn, Watch,
    Withdrawn, certify,
};
use crate::calibration::special::{binomial_at_most, chi_square_below};
use crate::units::{Instant, PerMille};

const DRAWS: u64 = 1000;

/// Numbers by counting (`SplitMix64`), the same on every machine.
pub(super) struct Draws(pub(super) u64);

impl Draws {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn chance(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The chance of a loss at a confidence: confidences are spread evenly, and the surer the safer.
fn loss_at(confidence: usize) -> f64 {
    let doubt = 1.0 - confidence as f64 / 1000.0;
    0.3 * doubt * doubt
}

/// The true loss of every threshold: of all requests, and among those served.
fn truth() -> (Vec<f64>, Vec<f64>) {
    let (mut all, mut served, mut sum) = (vec![0.0; 1001], vec![0.0; 1001], 0.0);
    for threshold in (0..=1000usize).rev() {
        sum += loss_at(threshold);
        all[threshold] = sum / 1001.0;
        served[threshold] = sum / (1001 - threshold) as f64;
    }
    (all, served)
}

fn draw(draws: &mut Draws, n: usize) -> Vec<Label> {
    let one = |draws: &mut Draws| {
        let confidence = usize::try_from(draws.next() % 1001).unwrap_or(0);
        let is_lost = draws.chance() < loss_at(confidence);
        let confidence = PerMille::clamped(i64::try_from(confidence).unwrap_or(0));
        Label::fair(confidence, if is_lost { PerMille::ZERO } else { PerMille::ONE }, PerMille::ONE)
    };
    (0..n).map(|_| one(draws)).collect()
}

/// The lowest threshold whose observed loss looks good enough.
fn naive(labels: &[Label], epsilon: f64) -> usize {
    let mut lost = [0usize; 1001];
    for label in labels {
        lost[label.confidence.bin()] += usize::from(label.cheap == PerMille::ZERO);
    }
    let (mut sum, mut best) = (0, 1000);
    for threshold in (0..=1000usize).rev() {
        sum += lost[threshold];
        if sum as f64 <= epsilon * labels.len() as f64 {
            best = threshold;
        }
    }
    best
}

/// How often of a thousand a promise of 95% may fail by luck: three deviations above 50.
const AT_MOST: u64 = 50 + 21;

#[test]
fn certified_thresholds_keep_their_promise_and_naive_ones_do_not() {
    let (all, _) = truth();
    for (epsilon, n) in [(0.02, 200), (0.02, 500), (0.02, 1000), (0.05, 300)] {
        let promise = Promise {
            epsilon,
            delta: 0.05,
            scope: Scope::All,
            loss: Loss::Acceptable(PerMille::ONE),
            from: None,
            judge: None,
        };
        let mut draws = Draws(7);
        let (mut broken, mut naively, mut share) = (0, 0, 0.0);
        for _ in 0..DRAWS {
            let labels = draw(&mut draws, n);
            if let Some(test) = certify(&labels, &promise).certified {
                broken += u64::from(all[test.threshold.bin()] > epsilon);
                share += f64::from(1001 - test.threshold.get()) / 1001.0 / DRAWS as f64;
            }
            naively += u64::from(all[naive(&labels, epsilon)] > epsilon);
        }
        eprintln!(
            "loss {epsilon} of {n} labels: certified broke {broken}, naive {naively} of {DRAWS}; cheap share {share:.3}"
        );
        assert!(broken <= AT_MOST, "{epsilon} of {n}: {broken}");
        assert!((400..=680).contains(&naively), "{epsilon} of {n}: {naively}");
        assert!(share > 0.25, "a promise that certifies nothing is no use: {share}");
    }
}

#[test]
fn the_promise_among_the_served_is_kept() {
    let (_, served) = truth();
    let mut draws = Draws(11);
    let (mut broken, mut given) = (0, 0);
    for _ in 0..DRAWS {
        let labels = draw(&mut draws, 600);
        let promise = Promise {
            epsilon: 0.05,
            delta: 0.05,
            scope: Scope::Served,
            loss: Loss::Acceptable(PerMille::ONE),
            from: None,
            judge: None,
        };
        if let Some(test) = certify(&labels, &promise).certified {
            given += 1;
            broken += u64::from(served[test.threshold.bin()] > 0.05);
        }
    }
    eprintln!("among the served: broke {broken} of {DRAWS}, given {given}");
    assert!(broken <= AT_MOST && given > 500, "{broken} of {given}");
}

#[test]
fn graded_losses_keep_their_promise() {
    let (all, _) = truth();
    let mut draws = Draws(13);
    let (mut broken, mut given) = (0, 0);
    // Half of what is lost is lost by half: three quarters of the loss.
    for _ in 0..200 {
        let mut labels = draw(&mut draws, 400);
        for label in &mut labels {
            if label.cheap == PerMille::ZERO && draws.chance() < 0.5 {
                label.cheap = PerMille::clamped(500);
            }
        }
        let promise = Promise {
            epsilon: 0.03,
            delta: 0.05,
            scope: Scope::All,
            loss: Loss::Graded,
            from: None,
            judge: None,
        };
        if let Some(test) = certify(&labels, &promise).certified {
            given += 1;
            broken += u64::from(0.75 * all[test.threshold.bin()] > 0.03);
        }
    }
    eprintln!("graded: broke {broken} of 200, given {given}");
    assert!(broken <= 10 + 10 && given > 100, "{broken} of {given}");
}

#[test]
fn evidence_holds_however_often_it_is_looked_at() {
    // The loss is exactly what must not be certified.
    let (mut falsely, mut peeking) = (0, 0);
    let mut draws = Draws(17);
    for _ in 0..DRAWS {
        let mut steps = Steps::new(0.05, 0.05);
        let (mut failures, mut has_peeked, mut is_certified) = (0, false, false);
        for n in 1..=400 {
            let is_lost = draws.chance() < 0.05;
            steps.observe((PerMille::ZERO, PerMille::ZERO), is_lost);
            is_certified |= steps.certified().is_some_and(|(threshold, _)| threshold == PerMille::ZERO);
            failures += u64::from(is_lost);
            // A test for a number fixed ahead, looked at all along.
            has_peeked |= !has_peeked && binomial_at_most(failures, n, 0.05) <= 0.05;
        }
        falsely += u64::from(is_certified);
        peeking += u64::from(has_peeked);
    }
    eprintln!(
        "looked at after each of 400 labels: evidence was wrong {falsely}, a fixed test {peeking} of {DRAWS}"
    );
    assert!(falsely <= AT_MOST, "{falsely}");
    assert!(peeking > 100, "what this guards against: {peeking}");
}

/// Traffic whose confidences are spread evenly, in the order that it comes in: by itself, in batches that are sorted, in bursts of
/// the like.
fn arriving(order: usize, draws: &mut Draws, at: u64) -> PerMille {
    let confidence = match order {
        0 => draws.next() % 1001,
        1 => at * 4 % 1001,
        2 => at * 1001 / 700 % 1001,
        _ => ((at / 40).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % 950 + draws.next() % 51,
    };
    PerMille::clamped(i64::try_from(confidence).unwrap_or(0))
}

/// Rules that take requests for independent withdrew certificates of sorted batches at once.
#[test]
fn confidences_that_are_spread_as_ever_seldom_drift_in_whatever_order_they_come() {
    const WORLDS: u64 = 100;
    for order in 0..4 {
        let (mut alarms, mut naive) = ([0, 0], [0, 0]);
        for world in 0..WORLDS {
            let mut draws = Draws(1000 + world);
            let first = draws.next() % 100_000;
            let mut spread = Spread::default();
            (0..1000).for_each(|at| spread.note(arriving(order, &mut draws, first + at)));
            let mut drift = Drift::new(Arc::new(Reference::new(&spread, 8).unwrap()), 1000);
            let independent = chi_square_below(1.0 - 0.001 / 8.0, 9) * (1.0 / 1000.0 + 1.0 / 1000.0);
            let (mut is_told, mut is_naive) = ([false; 2], [false; 2]);
            for at in 1..=5000 {
                drift.observe(arriving(order, &mut draws, first + 1000 + at));
                if at % 100 == 0 && at >= 500 {
                    let found = drift.look();
                    is_told[0] |= found.ks_critical.is_some_and(|critical| found.ks > critical.max(0.1));
                    is_told[1] |= found.psi > found.critical.max(0.05);
                    is_naive[0] |= found.ks > 0.1;
                    is_naive[1] |= found.psi > independent.max(0.05);
                }
            }
            for at in 0..2 {
                alarms[at] += u64::from(is_told[at]);
                naive[at] += u64::from(is_naive[at]);
            }
        }
        eprintln!(
            "order {order}: D and PSI over their bounds in {alarms:?}, over those of independent requests in {naive:?} of {WORLDS} worlds"
        );
        // At most one world in 8,000 is what D says; PSI says as much of each of 46 looks, most of which are at the same requests.
        assert!(alarms[0] == 0 && alarms[1] <= 1, "order {order}: {alarms:?}");
    }
}

/// A rule so careful that it finds nothing would be none: the true shift of METHODS, mean .75 to .70, by the index alone.
#[test]
fn a_shift_of_independent_confidences_is_soon_found_by_the_index() {
    const WORLDS: u64 = 100;
    // Beta(6, 2) and Beta(5.6, 2.4), as quotients of Gammas.
    let drawn = |draws: &mut Draws, shape: (f64, f64)| {
        let gamma = |draws: &mut Draws, shape: f64| {
            let whole = shape.floor();
            let mut sum = 0.0;
            let mut left = whole;
            while left > 0.5 {
                sum -= draws.chance().max(1e-12).ln();
                left -= 1.0;
            }
            let rest = shape - whole;
            if rest > 0.0 {
                // Ahrens and Dieter 1974, for shapes below one.
                let e = 1.0 + rest / std::f64::consts::E;
                loop {
                    let p = e * draws.chance();
                    let v = draws.chance().max(1e-12);
                    let x = if p <= 1.0 { p.powf(1.0 / rest) } else { -((e - p) / rest).ln() };
                    let is_in = if p <= 1.0 { v <= (-x).exp() } else { v <= x.powf(rest - 1.0) };
                    if is_in {
                        sum += x;
                        break;
                    }
                }
            }
            sum
        };
        let (a, b) = (gamma(draws, shape.0), gamma(draws, shape.1));
        #[expect(clippy::cast_possible_truncation, reason = "within 0 to 1000")]
        PerMille::clamped((a / (a + b) * 1000.0) as i64)
    };
    let mut found = 0;
    for world in 0..WORLDS {
        let mut draws = Draws(4000 + world);
        let mut spread = Spread::default();
        (0..20_000).for_each(|_| spread.note(drawn(&mut draws, (6.0, 2.0))));
        let mut drift = Drift::new(Arc::new(Reference::new(&spread, 1).unwrap()), 1000);
        (0..1000).for_each(|_| drift.observe(drawn(&mut draws, (5.6, 2.4))));
        let reading = drift.look();
        found += u64::from(reading.psi > reading.critical.max(0.05));
    }
    eprintln!("mean .75 to .70 found by the index in {found} of {WORLDS} worlds of 1,000");
    assert!(found >= 95, "{found}");
}

#[test]
fn what_confidences_hold_is_seldom_called_less_for_nothing_and_soon_where_it_is() {
    const WORLDS: u64 = 150;
    const LABELS: u64 = 1500;
    for order in 0..4 {
        for before in [212, 1000] {
            let (mut alarms, mut late, mut found) = (0, 0, 0);
            for world in 0..WORLDS {
                let mut draws = Draws(2000 + world);
                let first = draws.next() % 100_000;
                let mut told = Losses::default();
                let lost =
                    |draws: &mut Draws, confidence: PerMille| draws.chance() < loss_at(confidence.bin());
                for at in 0..before {
                    let confidence = arriving(order, &mut draws, first + at);
                    told.note(confidence, lost(&mut draws, confidence));
                }
                let mut kept = Kept::new(&told).unwrap();
                for at in 0..LABELS {
                    let confidence = arriving(order, &mut draws, first + before + at);
                    kept.observe(confidence, lost(&mut draws, confidence));
                }
                alarms += u64::from(kept.is_broken());
                let soon = (0..LABELS).position(|at| {
                    let confidence = arriving(order, &mut draws, first + before + LABELS + at);
                    let is_lost = lost(&mut draws, confidence) || draws.chance() < 0.7;
                    kept.observe(confidence, is_lost);
                    kept.is_broken()
                });
                late += soon.unwrap_or(0);
                found += u64::from(soon.is_some());
            }
            let after = late / usize::try_from(found.max(1)).unwrap();
            eprintln!(
                "order {order}, {before} labels: less for nothing in {alarms}, in truth in {found} of {WORLDS}, after {after}"
            );
            // One in 10,000 labels, so no more than in 15 of 100 worlds; it is far less.
            assert!(alarms <= WORLDS * 2 / 100, "order {order}: {alarms}");
            assert!(found == WORLDS && after < 600, "order {order}: {found} after {after}");
        }
    }
}

/// A certificate is given in the moment in which evidence looks best, so what comes after looks worse: that alone takes none back.
#[test]
fn a_certificate_is_seldom_withdrawn_for_nothing() {
    const WORLDS: u64 = 100;
    for order in 0..4 {
        let mut given = 0;
        let mut withdrawn = [0; Withdrawn::ALL.len()];
        for world in 0..WORLDS {
            let mut draws = Draws(3000 + world);
            let first = draws.next() % 100_000;
            let mut watch = Watch::new(Terms::default());
            for at in 0..3000 {
                let confidence = arriving(order, &mut draws, first + at);
                let moment = Instant::from_secs(i64::try_from(at).unwrap());
                watch.arrive(moment, confidence);
                let is_lost = draws.chance() < 0.1 * loss_at(confidence.bin());
                let cheap = if is_lost { PerMille::ZERO } else { PerMille::ONE };
                watch.judge(moment, &Label::fair(confidence, cheap, PerMille::ONE));
            }
            given += u64::from(watch.turns().iter().any(|(_, turn)| matches!(turn, Turn::Given(_))));
            for (why, count) in Withdrawn::ALL.iter().zip(&mut withdrawn) {
                let is_it = |(_, turn): &(Instant, Turn)| *turn == Turn::Withdrawn(*why);
                *count += u64::from(watch.turns().iter().any(is_it));
            }
        }
        let of = |why| withdrawn[Withdrawn::ALL.iter().position(|one| *one == why).unwrap()];
        eprintln!(
            "order {order}: given in {given}, withdrawn {withdrawn:?} of {WORLDS} ({:?})",
            Withdrawn::ALL
        );
        assert_eq!(given, WORLDS);
        assert!(of(Withdrawn::Calibration) <= 1 && of(Withdrawn::Alarm) <= 5, "order {order}: {withdrawn:?}");
        assert!(of(Withdrawn::Drift) <= 1, "order {order}: {withdrawn:?}");
    }
}
