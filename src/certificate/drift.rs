//! Whether confidences are still spread as they were: population stability by the chi-square rule, Kolmogorov-Smirnov.
//!
//! Invariant: an observation costs the same whatever the window; what is read depends on the last `window` confidences, and on how
//! often it was looked at, alone.

use std::collections::VecDeque;
use std::sync::Arc;

use super::spread::{Order, Spread};
use crate::calibration::special::chi_square_below;
use crate::units::PerMille;

/// Bins of equal mass.
const BINS: u64 = 10;
/// Confidences that a reading takes at least.
const FEWEST: u64 = 500;
/// A shift smaller than this is none, however sure: of the population stability index, and of Kolmogorov and Smirnov's D.
const LEAST: f64 = 0.05;
const LEAST_APART: f64 = 0.1;

/// How confidences were spread over a stretch that nothing was wrong with.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// By confidence, its bin.
    bin_of: Vec<u8>,
    /// Of every bin, how many; none is empty.
    counts: Vec<u64>,
    /// Of every confidence, how many lie at or below it.
    below: Vec<u64>,
    total: u64,
    /// For how many of them each speaks that is like its neighbours: as found, and at most.
    alike: f64,
    alike_at_most: f64,
    critical: f64,
    /// How seldom chance may reach what is critical.
    alpha: f64,
}

impl Reference {
    /// Makes one of confidences as they came, for one of so many series that are watched at once; `None` where there is nothing to
    /// compare: fewer than 500 confidences, or all alike.
    pub fn new(spread: &Spread, series: u32) -> Option<Self> {
        let histogram = &spread.counts;
        let total: u64 = histogram.iter().take(PerMille::VALUES).map(|&count| u64::from(count)).sum();
        if total < FEWEST {
            return None;
        }
        let (mut counts, mut open, mut seen) = (Vec::new(), 0u64, 0u64);
        let (mut bin_of, mut below) = (Vec::new(), Vec::new());
        for at in 0..PerMille::VALUES {
            let count = u64::from(histogram.get(at).copied().unwrap_or(0));
            bin_of.push(u8::try_from(counts.len()).unwrap_or(u8::MAX));
            open += count;
            seen += count;
            below.push(seen);
            let is_full = seen * BINS >= total * (counts.len() as u64 + 1);
            if open > 0 && is_full && seen < total {
                counts.push(open);
                open = 0;
            }
        }
        if open > 0 {
            counts.push(open);
        }
        let degrees = u32::try_from(counts.len().checked_sub(1).filter(|free| *free > 0)?).ok()?;
        let alpha = 0.001 / f64::from(series.max(1));
        let critical = chi_square_below(1.0 - alpha, degrees);
        let (alike, alike_at_most) = (spread.order.alike(), spread.order.alike_at_most());
        Some(Self { bin_of, counts, below, total, alike, alike_at_most, critical, alpha })
    }
}

/// The last confidences of one route beside how they were.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    reference: Arc<Reference>,
    window: usize,
    recent: VecDeque<u16>,
    counts: Vec<u64>,
    histogram: Vec<u32>,
    /// How often it was looked at.
    looks: u64,
}

/// How far confidences are from how they were.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DriftReading {
    /// Confidences that were looked at.
    pub n: u64,
    /// Population stability index.
    pub psi: f64,
    /// What it stays below 999 times in 1,000, divided among all series, where nothing has changed; the more the more alike those are
    /// that came together.
    pub critical: f64,
    /// The largest difference between the two shares below a confidence.
    pub ks: f64,
    /// What that stays below where nothing has changed, over all looks together, 999 times in 1,000, divided among all series; none
    /// where those that came together are so alike that no D would tell.
    pub ks_critical: Option<f64>,
    /// Whether they have drifted: either is beyond that, by enough to matter, and on enough of them.
    pub has_drifted: bool,
}

impl Drift {
    /// Starts to watch, looking at the last so many.
    pub fn new(reference: Arc<Reference>, window: usize) -> Self {
        let counts = vec![0; reference.counts.len()];
        let histogram = vec![0; PerMille::VALUES];
        Self { reference, window: window.max(1), recent: VecDeque::new(), counts, histogram, looks: 0 }
    }

    /// Takes the confidence of one request.
    pub fn observe(&mut self, confidence: PerMille) {
        if self.recent.len() >= self.window
            && let Some(oldest) = self.recent.pop_front()
        {
            self.count(usize::from(oldest), false);
        }
        self.recent.push_back(confidence.get());
        self.count(confidence.bin(), true);
    }

    fn count(&mut self, confidence: usize, is_new: bool) {
        let bin = self.reference.bin_of.get(confidence).map_or(0, |bin| usize::from(*bin));
        let bin = bin.min(self.counts.len().saturating_sub(1));
        if let (Some(count), Some(one)) = (self.counts.get_mut(bin), self.histogram.get_mut(confidence)) {
            *count = if is_new { *count + 1 } else { count.saturating_sub(1) };
            *one = if is_new { *one + 1 } else { one.saturating_sub(1) };
        }
    }

    /// Looks whether they have drifted: every look is one more that chance might take in.
    pub fn look(&mut self) -> DriftReading {
        let found = self.read();
        self.looks += 1;
        found
    }

    /// Reads it as the next look would.
    pub fn read(&self) -> DriftReading {
        let (n, reference) = (self.recent.len() as u64, &*self.reference);
        let (now, then) = (n.max(1) as f64, reference.total as f64);
        let psi = self
            .counts
            .iter()
            .zip(&reference.counts)
            .map(|(&count, &was)| {
                // An empty bin counts as half of one, since of nothing there is no logarithm.
                let p = if count == 0 { 0.5 } else { count as f64 } / now;
                let q = was as f64 / then;
                (p - q) * (p / q).ln()
            })
            .sum();
        let (mut seen, mut ks) = (0u64, 0.0_f64);
        for (&count, &below) in self.histogram.iter().zip(&reference.below) {
            seen += u64::from(count);
            ks = ks.max((seen as f64 / now - below as f64 / then).abs());
        }
        let mut order = Order::default();
        self.recent.iter().for_each(|&confidence| order.note(confidence));
        // As many count as speak for themselves (Rao and Scott 1981).
        let alike = reference.alike.max(order.alike());
        let critical = reference.critical * alike * (1.0 / now + 1.0 / then);
        let ks_critical = self.apart_by_chance(order.alike());
        let is_apart = ks_critical.is_some_and(|critical| ks > critical.max(LEAST_APART));
        let has_drifted = n >= FEWEST && (psi > critical.max(LEAST) || is_apart);
        DriftReading { n, psi, critical, ks: if n == 0 { 0.0 } else { ks }, ks_critical, has_drifted }
    }

    /// Returns what D stays below: how far a sample lies from the truth at most (Massart 1990), once for the reference and, with less
    /// at every look so that all of them add up to no more, for the window. As many count as speak for themselves.
    fn apart_by_chance(&self, alike: f64) -> Option<f64> {
        let reference = &*self.reference;
        let looks = self.looks as f64;
        let now = self.recent.len().max(1) as f64 / reference.alike_at_most.max(alike);
        let then = reference.total as f64 / reference.alike_at_most;
        let within = |alpha: f64, n: f64| (-(alpha / 4.0).ln() / (2.0 * n)).sqrt();
        let apart =
            within(reference.alpha, then) + within(reference.alpha / ((looks + 1.0) * (looks + 2.0)), now);
        (apart < 1.0).then_some(apart)
    }
}
