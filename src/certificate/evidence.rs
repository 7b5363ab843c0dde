//! Evidence that may be read after every label: e-processes by betting, mixed over stakes (Ville's inequality).
//!
//! Invariant: state is of fixed size; every label costs the same; reading changes nothing.

use super::tails::first;
use crate::calibration::special::falling;
use crate::units::PerMille;

/// Shares of the largest stake that are bet at once on the loss being below epsilon.
const FOR: [f64; 10] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99];
/// Shares that are bet on its being above.
pub(super) const AGAINST: [f64; 6] = [0.02, 0.05, 0.1, 0.2, 0.4, 0.8];

pub(super) fn mean_of_exponents(logs: &[f64]) -> f64 {
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + (logs.iter().map(|log| (log - top).exp()).sum::<f64>() / logs.len() as f64).ln()
}

fn share(loss: PerMille) -> f64 {
    f64::from(loss.get()) / 1000.0
}

/// The logarithm of the evidence, of so many labels with so many losses, that the mean loss is below epsilon.
fn log_wealth(epsilon: f64, n: u64, losses: u64) -> f64 {
    let logs = FOR.map(|stake| {
        let bet = stake / (1.0 - epsilon);
        n.saturating_sub(losses) as f64 * (bet * epsilon).ln_1p()
            + losses as f64 * (bet * (epsilon - 1.0)).ln_1p()
    });
    mean_of_exponents(&logs)
}

/// Returns what the mean loss stays below, but for a chance of delta, whenever that is read.
pub(super) fn stays_below(n: u64, losses: u64, delta: f64) -> f64 {
    falling(0.5, |epsilon| {
        let is_out = epsilon > 0.0 && epsilon < 1.0 && log_wealth(epsilon, n, losses) >= -delta.ln();
        if is_out { 0.0 } else { 1.0 }
    })
}

/// Evidence that the mean loss is above epsilon: from the start, and since whenever it may have changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    epsilon: f64,
    logs: [f64; AGAINST.len()],
    /// The same begun anew wherever that gives more (e-CUSUM).
    since: [f64; AGAINST.len()],
    best: f64,
    highest: f64,
}

impl Alarm {
    /// Labels between false alarms of a change, at least, on average.
    pub const RUN_LENGTH: f64 = 10_000.0;

    /// Starts with no evidence.
    pub fn new(epsilon: f64) -> Self {
        Self { epsilon, logs: [0.0; AGAINST.len()], since: [0.0; AGAINST.len()], best: 0.0, highest: 0.0 }
    }

    /// Takes the loss of one request.
    pub fn observe(&mut self, loss: PerMille) {
        let off = share(loss) - self.epsilon;
        for ((log, since), stake) in self.logs.iter_mut().zip(&mut self.since).zip(AGAINST) {
            let step = (stake / self.epsilon * off).ln_1p();
            *log += step;
            *since = since.max(0.0) + step;
        }
        self.best = self.best.max(mean_of_exponents(&self.logs));
        self.highest = self.highest.max(mean_of_exponents(&self.since));
    }

    /// Returns the logarithm of the evidence at present, from the start.
    pub fn log_wealth(&self) -> f64 {
        mean_of_exponents(&self.logs)
    }

    /// Says whether the loss is above epsilon, or has come to be: wrong with a chance of delta over all time for the first, once
    /// in [`Alarm::RUN_LENGTH`] labels for the second.
    pub fn fires(&self, delta: f64) -> bool {
        self.best >= -delta.ln() || self.highest >= Self::RUN_LENGTH.ln()
    }
}

/// Evidence for every threshold at once, that may be read after every label: losses at or above a threshold are what it lets
/// through, so that the lowest certified one follows from the labels counted and the confidences lost.
#[derive(Clone, Debug, PartialEq)]
pub struct Steps {
    epsilon: f64,
    delta: f64,
    n: u64,
    /// Confidences of requests that were lost, highest first.
    lost: Vec<PerMille>,
    /// Losses that so many labels allow; none where they are too few for any.
    allowed: Option<u64>,
    /// The least confidence of which answers are judged: nothing can be lost in sight of nobody.
    judged_from: PerMille,
}

impl Steps {
    /// Starts with no evidence.
    pub fn new(epsilon: f64, delta: f64) -> Self {
        Self { epsilon, delta, n: 0, lost: Vec::new(), allowed: None, judged_from: PerMille::ONE }
    }

    /// Takes a label: the confidence of its request and from which on answers are judged, and whether serving it cheaply loses it.
    pub fn observe(&mut self, (confidence, judged_from): (PerMille, PerMille), is_lost: bool) {
        self.n += 1;
        self.judged_from = self.judged_from.min(judged_from);
        if is_lost {
            let at = self.lost.partition_point(|known| *known >= confidence);
            self.lost.insert(at, confidence);
        }
        // More labels only ever allow more losses.
        let mut next = self.allowed.map_or(0, |allowed| allowed + 1);
        while next <= self.n && log_wealth(self.epsilon, self.n, next) >= -self.delta.ln() {
            self.allowed = Some(next);
            next += 1;
        }
    }

    /// Returns the lowest threshold that the evidence certifies now, and the losses it lets through.
    pub fn certified(&self) -> Option<(PerMille, u64)> {
        let allowed = usize::try_from(self.allowed?).unwrap_or(usize::MAX);
        let last = self.lost.get(allowed).map_or(0, |first_out| first_out.get() + 1);
        let threshold = PerMille::new(last)?.max(self.judged_from);
        Some((threshold, self.losses_from(threshold)))
    }

    /// Counts the losses at or above a threshold.
    pub fn losses_from(&self, threshold: PerMille) -> u64 {
        self.lost.partition_point(|lost| *lost >= threshold) as u64
    }

    /// Returns the least confidence of which answers are judged; no threshold below it is certified.
    pub fn judged_from(&self) -> PerMille {
        self.judged_from
    }

    /// Counts the labels.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Returns the chance of so few losses at a threshold by luck at any moment up to now, at most.
    pub fn p_value(&self, threshold: PerMille) -> f64 {
        (-log_wealth(self.epsilon, self.n, self.losses_from(threshold))).exp().min(1.0)
    }

    /// Returns what the loss at a threshold stays below, but for a chance of delta, however often that is read.
    pub fn bound(&self, threshold: PerMille) -> f64 {
        stays_below(self.n, self.losses_from(threshold), self.delta)
    }

    /// Counts the labels that are missing until a threshold is certified, none of which may be lost.
    pub fn needed(&self, threshold: PerMille) -> u64 {
        let losses = self.losses_from(threshold);
        let is_enough = |n: u64| log_wealth(self.epsilon, n, losses) >= -self.delta.ln();
        first(self.n, 1 << 40, is_enough).unwrap_or(1 << 40) - self.n
    }
}
