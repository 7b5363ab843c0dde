//! What is promised, tried on a thousand drawn worlds whose true loss is known.

use super::{Label, Loss, Promise, Scope, Steps, certify};
use crate::calibration::special::binomial_at_most;
use crate::units::PerMille;

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
        Label {
            confidence: PerMille::clamped(i64::try_from(confidence).unwrap_or(0)),
            cheap: if is_lost { PerMille::ZERO } else { PerMille::ONE },
            strong: PerMille::ONE,
        }
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
            steps.observe(PerMille::ZERO, is_lost);
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
