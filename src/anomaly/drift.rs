//! What creeps: small deviations to one side that add up, each too small to be seen by itself (Page's cumulative sum).

use super::tail::{Prior, Tail};

/// Deviations up to this many spreads are let pass.
const ALLOWED: f64 = 0.5;
/// One deviation counts for at most so many.
const MOST: f64 = 3.0;
/// The sum that is looked at first, and how often and how far a quiet series goes beyond it.
const PRIOR: Prior = Prior { level: 5.0, peaks: 0.01, height: 2.0 };
/// How fast the reference follows, a point: slower than any drift that is to be found.
const RATE: f64 = 0.0005;
/// Before so many points there is no reference.
const FEW: f64 = 60.0;

/// A sum of deviations to the side that is told of.
#[derive(Clone, Debug)]
pub(super) struct Drift {
    seen: f64,
    pub(super) usual: f64,
    spread: f64,
    sum: f64,
    /// Points since the sum began to grow.
    pub(super) since: u32,
    tail: Tail,
}

impl Drift {
    pub(super) fn new() -> Self {
        Self { seen: 0.0, usual: 0.0, spread: 0.0, sum: 0.0, since: 0, tail: Tail::new(PRIOR) }
    }

    /// Takes the next value, `rising` being the side that counts, and says how rare the sum is.
    pub(super) fn step(&mut self, value: f64, noise: f64, rising: bool) -> f64 {
        self.seen += 1.0;
        let off = value - self.usual;
        let rate = RATE.max(1.0 / self.seen);
        let mut rarity = 0.0;
        if self.seen > FEW {
            let side = if rising { off } else { -off };
            let spread = self.spread.max(noise).max(1e-9);
            self.sum = (self.sum + (side / spread).min(MOST) - ALLOWED).max(0.0);
            self.since = if self.sum > 0.0 { self.since.saturating_add(1) } else { 0 };
            rarity = self.tail.rarity(self.sum);
        }
        self.spread += rate * (off.abs() * 1.25 - self.spread);
        self.usual += rate * off;
        rarity
    }

    /// Learns the sum as one of a quiet series.
    pub(super) fn learn(&mut self) {
        self.tail.learn(self.sum);
    }

    /// Begins anew at what is now usual.
    pub(super) fn restart(&mut self) {
        let tail = std::mem::take(&mut self.tail);
        *self = Self { tail, ..Self::new() };
    }
}
