//! Whether confidences still hold what they did: evidence that more is lost at them than they say, and than was lost at them before.
//!
//! Invariant: evidence that may be read after every label; it costs the same whatever came before. Of less lost nothing is made:
//! such confidences are off too, but nobody is hurt.

use super::evidence::{AGAINST, Alarm, mean_of_exponents, stays_below};
use crate::units::PerMille;

/// Labels that a bin rests on at least, and bins at most.
const FEWEST: u64 = 100;
const BINS: u64 = 10;
/// More lost than that by less is no other calibration.
const LEAST: f64 = 0.05;
/// The chance that what was lost before is taken for less than it was, divided among all bins.
const DELTA: f64 = 0.001;

/// How often labels were lost, by confidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Losses {
    /// Labels, and those of them that were lost.
    counts: Vec<[u32; 2]>,
}

impl Default for Losses {
    fn default() -> Self {
        Self { counts: vec![[0; 2]; PerMille::VALUES] }
    }
}

impl Losses {
    /// Takes what became of one request.
    pub fn note(&mut self, confidence: PerMille, is_lost: bool) {
        if let Some([n, lost]) = self.counts.get_mut(confidence.bin()) {
            *n = n.saturating_add(1);
            *lost = lost.saturating_add(u32::from(is_lost));
        }
    }
}

/// Neighbouring confidences.
#[derive(Clone, Debug, PartialEq)]
struct Bin {
    /// The lowest of them.
    from: usize,
    /// What was lost there stays below.
    lost: f64,
    /// The logarithms of what bets on more have won, begun anew wherever that gives more.
    logs: [f64; AGAINST.len()],
}

/// Confidences beside what became of them when a certificate was given, and since.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// From the lowest up.
    bins: Vec<Bin>,
    highest: f64,
}

impl Kept {
    /// Takes what was told up to now for how it is; `None` where it is too little to tell.
    pub fn new(told: &Losses) -> Option<Self> {
        let total: u64 = told.counts.iter().map(|[n, _]| u64::from(*n)).sum();
        let most = (total / FEWEST).min(BINS);
        let (mut found, mut open, mut seen) = (Vec::new(), [0u64; 2], 0);
        let mut from = 0;
        for (at, [n, lost]) in told.counts.iter().enumerate() {
            open = [open[0] + u64::from(*n), open[1] + u64::from(*lost)];
            seen += u64::from(*n);
            if open[0] > 0 && seen * most >= total * (found.len() as u64 + 1) {
                found.push((from, open));
                (from, open) = (at + 1, [0; 2]);
            }
        }
        let bounds: Vec<f64> =
            found.iter().map(|(_, [n, lost])| stays_below(*n, *lost, DELTA / most.max(1) as f64)).collect();
        // The surer the less is lost: within a bin no more than in the one below it, in whatever order its confidences come. Below
        // the lowest nobody knows.
        let within = found.iter().skip(1).zip(bounds.windows(2)).map(|((from, _), lost)| Bin {
            from: *from,
            lost: lost.iter().copied().fold(0.0, f64::max),
            logs: [0.0; AGAINST.len()],
        });
        let bins: Vec<Bin> = within.collect();
        (!bins.is_empty()).then_some(Self { bins, highest: 0.0 })
    }

    /// Takes what became of one request.
    pub fn observe(&mut self, confidence: PerMille, is_lost: bool) {
        let place = self.bins.partition_point(|bin| bin.from <= confidence.bin());
        let Some(bin) = place.checked_sub(1).and_then(|at| self.bins.get_mut(at)) else { return };
        let said = 1.0 - f64::from(confidence.get()) / 1000.0;
        let most = bin.lost.max(said) + LEAST;
        let off = f64::from(u8::from(is_lost)) - most;
        for (log, stake) in bin.logs.iter_mut().zip(AGAINST) {
            *log = log.max(0.0) + (stake / most * off).ln_1p();
        }
        let of_bins: Vec<f64> = self.bins.iter().map(|bin| mean_of_exponents(&bin.logs)).collect();
        self.highest = self.highest.max(mean_of_exponents(&of_bins));
    }

    /// Says whether more is lost than before and than is said: wrong once in [`Alarm::RUN_LENGTH`] labels at most, on average.
    pub fn is_broken(&self) -> bool {
        self.highest >= Alarm::RUN_LENGTH.ln()
    }
}
