//! Chances of seeing so little loss by luck, and how many labels that takes.

use crate::calibration::special::{binomial_at_most, clopper_pearson};
use crate::units::PerMille;

/// Labels beyond which nobody is told to go on.
const MOST: u64 = 100_000_000;

/// Returns the chance of at most this loss by luck, were the true one `epsilon`: Hoeffding and Bentkus, for losses between 0 and 1.
pub(super) fn hoeffding_bentkus(loss: f64, n: u64, epsilon: f64) -> f64 {
    if n == 0 {
        return 1.0;
    }
    let mean = (loss / n as f64).min(epsilon);
    let relative = |a: f64, b: f64| if a <= 0.0 { 0.0 } else { a * (a / b).ln() };
    let distance = relative(mean, epsilon) + relative(1.0 - mean, 1.0 - epsilon);
    let hoeffding = (-(n as f64) * distance).exp();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most n, at least zero")]
    let whole = (loss - 1e-9).ceil().max(0.0) as u64;
    hoeffding.min(std::f64::consts::E * binomial_at_most(whole, n, epsilon)).min(1.0)
}

/// Returns the chance of such losses by luck, were the true one `epsilon`: the best that a bettor against it ever had
/// (Waudby-Smith and Ramdas), or `enough` at most as soon as it is known to be no more. The order must not depend on the losses.
pub(super) fn betting(
    losses: impl Iterator<Item = PerMille>,
    n: u64,
    (epsilon, delta): (f64, f64),
    enough: f64,
) -> f64 {
    let stake = 2.0 * (1.0 / delta).ln() / n.max(1) as f64;
    let (mut wealth, mut best) = (1.0_f64, 1.0_f64);
    let (mut sum, mut squares, mut seen) = (0.5, 0.25, 1.0);
    let mut variance: f64 = 0.25;
    for loss in losses {
        let loss = f64::from(loss.get()) / 1000.0;
        let bet = (stake / variance).sqrt().min(1.0);
        wealth *= 1.0 - bet * (loss - epsilon);
        best = best.max(wealth);
        if best >= 1.0 / enough {
            break;
        }
        sum += loss;
        seen += 1.0;
        let off = loss - sum / seen;
        squares += off * off;
        variance = squares / seen;
    }
    1.0 / best
}

/// Counts the labels that are missing where so many showed so many failures: the fewest more, none of which may fail.
pub fn needed(failures: u64, n: u64, epsilon: f64, delta: f64) -> Option<u64> {
    first(n, MOST, |all| binomial_at_most(failures, all, epsilon) <= delta).map(|all| all - n)
}

/// Counts the labels that are missing where failures go on at the rate seen; `None` where that rate is too high for any number.
pub fn needed_at_rate(failures: u64, n: u64, epsilon: f64, delta: f64) -> Option<u64> {
    if n == 0 || failures as f64 >= epsilon * n as f64 {
        return None;
    }
    let expected = |all: u64| {
        let failed = u128::from(failures) * u128::from(all);
        u64::try_from(failed.div_ceil(u128::from(n))).unwrap_or(u64::MAX)
    };
    first(n, MOST, |all| binomial_at_most(expected(all), all, epsilon) <= delta).map(|all| all - n)
}

/// Counts the labels that are missing where losses are graded: the fewest more, none of which may be lost, until bets on these win
/// enough; of very many by the bound that can be told without betting.
pub(super) fn needed_graded(
    losses: &(impl Iterator<Item = PerMille> + Clone),
    loss: f64,
    n: u64,
    (epsilon, delta): (f64, f64),
) -> Option<u64> {
    const FEW: u64 = 1_000_000;
    let more = |all: u64| {
        let none = usize::try_from(all - n).unwrap_or(0);
        losses.clone().chain(std::iter::repeat_n(PerMille::ZERO, none))
    };
    let by_bets = |all: u64| all > FEW || betting(more(all), all, (epsilon, delta), delta) <= delta;
    match first(n, MOST, by_bets) {
        Some(all) if all <= FEW => Some(all - n),
        _ => first(n, MOST, |all| hoeffding_bentkus(loss, all, epsilon) <= delta).map(|all| all - n),
    }
}

/// Counts the labels without any loss that certify something, where losses are graded.
pub(super) fn fewest_graded(epsilon: f64, delta: f64) -> u64 {
    let none = |n: u64| std::iter::repeat_n(PerMille::ZERO, usize::try_from(n).unwrap_or(0));
    // Sure bets against no loss grow by epsilon a label, after a few smaller ones.
    let about = ((1.0 / delta).ln() / epsilon.ln_1p()).clamp(0.0, 1e7);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was clamped")]
    let from = about as u64;
    (from..from.saturating_add(1000))
        .find(|&n| betting(none(n), n, (epsilon, delta), 1e-300) <= delta)
        .unwrap_or(u64::MAX)
}

/// Finds the first number from `n` on, up to about `most`, that is enough, for what stays enough.
pub(super) fn first(n: u64, most: u64, is_enough: impl Fn(u64) -> bool) -> Option<u64> {
    if is_enough(n) {
        return Some(n);
    }
    let (mut low, mut step) = (n, 1);
    while !is_enough(low + step) {
        low += step;
        step *= 2;
        if low > most {
            return None;
        }
    }
    let mut high = low + step;
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if is_enough(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

/// How far a judge of answers is trusted: answers that people looked at again, and those that it had called good wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judge {
    /// Judgements that were checked.
    pub checked: u64,
    /// Of those, called good and were not.
    pub wrong: u64,
}

impl Judge {
    /// Returns the most loss that the judge may hide, but for a chance of `delta`.
    pub fn hides(self, delta: f64) -> f64 {
        clopper_pearson(self.wrong, self.checked, delta)
    }
}

/// Returns the loss that graded losses bound, but for a chance of `delta`.
pub(super) fn betting_bound(losses: &(impl Iterator<Item = PerMille> + Clone), n: u64, delta: f64) -> f64 {
    // A few digits are enough of what is read by people, and each costs a walk over all labels.
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..24 {
        let middle = 0.5 * (low + high);
        if betting(losses.clone(), n, (middle, delta), delta) > delta { low = middle } else { high = middle }
    }
    high
}
