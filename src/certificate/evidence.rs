//! Evidence that may be read after every label: e-processes by betting, mixed over stakes (Ville's inequality).
//!
//! Invariant: state is of fixed size; every label costs the same; reading changes nothing.

use crate::units::PerMille;

/// Shares of the largest stake that are bet at once on the loss being below epsilon.
const FOR: [f64; 10] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99];
/// Shares that are bet on its being above.
const AGAINST: [f64; 6] = [0.02, 0.05, 0.1, 0.2, 0.4, 0.8];

fn mean_of_exponents<const N: usize>(logs: &[f64; N]) -> f64 {
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + (logs.iter().map(|log| (log - top).exp()).sum::<f64>() / N as f64).ln()
}

fn share(loss: PerMille) -> f64 {
    f64::from(loss.get()) / 1000.0
}

/// Evidence that the mean loss is below epsilon: enough of it licenses a threshold, at any moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Licence {
    epsilon: f64,
    logs: [f64; FOR.len()],
    best: f64,
    n: u64,
    loss: u64,
}

impl Licence {
    /// Starts with no evidence.
    pub fn new(epsilon: f64) -> Self {
        Self { epsilon, logs: [0.0; FOR.len()], best: 0.0, n: 0, loss: 0 }
    }

    /// Takes the loss of one request, which must not have been chosen by its outcome.
    pub fn observe(&mut self, loss: PerMille) {
        self.n += 1;
        self.loss += u64::from(loss.get());
        let off = self.epsilon - share(loss);
        for (log, stake) in self.logs.iter_mut().zip(FOR) {
            *log += (stake / (1.0 - self.epsilon) * off).ln_1p();
        }
        self.best = self.best.max(self.log_wealth());
    }

    /// Returns the logarithm of the evidence at present.
    pub fn log_wealth(&self) -> f64 {
        mean_of_exponents(&self.logs)
    }

    /// Says whether the evidence was ever enough, which is wrong with a chance of delta at most however often it is asked.
    pub fn holds(&self, delta: f64) -> bool {
        self.best >= -delta.ln()
    }

    /// Counts the labels.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Returns the losses, in per mille.
    pub fn loss(&self) -> u64 {
        self.loss
    }
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
