//! Whether confidences are still spread as they were: population stability by the chi-square rule, Kolmogorov-Smirnov.
//!
//! Invariant: an observation costs the same whatever the window; what is read depends on the last `window` confidences alone.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::calibration::special::chi_square_below;
use crate::units::PerMille;

/// Bins of equal mass.
const BINS: u64 = 10;
/// Confidences that a reading takes at least.
const FEWEST: u64 = 500;
/// A shift smaller than this is none, however sure.
const LEAST: f64 = 0.05;

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
    critical: f64,
    /// How seldom chance may reach what is critical.
    alpha: f64,
}

impl Reference {
    /// Makes one of counts by confidence, for one of so many series that are watched at once; `None` where there is nothing to
    /// compare: fewer than 500 confidences, or all alike.
    pub fn new(histogram: &[u32], series: u32) -> Option<Self> {
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
        Some(Self { bin_of, counts, below, total, critical, alpha })
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
}

/// How far confidences are from how they were.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DriftReading {
    /// Confidences that were looked at.
    pub n: u64,
    /// Population stability index.
    pub psi: f64,
    /// What it stays below 999 times in 1,000, divided among all series, where nothing has changed.
    pub critical: f64,
    /// The largest difference between the two shares below a confidence.
    pub ks: f64,
    /// What that stays below as often where nothing has changed: the asymptotic bound, on the safe side where confidences repeat.
    pub ks_critical: f64,
    /// Whether they have drifted: beyond that, by enough to matter, and on enough of them.
    pub has_drifted: bool,
}

impl Drift {
    /// Starts to watch, looking at the last so many.
    pub fn new(reference: Arc<Reference>, window: usize) -> Self {
        let counts = vec![0; reference.counts.len()];
        let histogram = vec![0; PerMille::VALUES];
        Self { reference, window: window.max(1), recent: VecDeque::new(), counts, histogram }
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

    /// Reads it.
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
        let spread = 1.0 / now + 1.0 / then;
        let critical = reference.critical * spread;
        let ks_critical = (-(reference.alpha / 2.0).ln() / 2.0 * spread).sqrt();
        let has_drifted = n >= FEWEST && psi > critical.max(LEAST);
        DriftReading { n, psi, critical, ks: if n == 0 { 0.0 } else { ks }, ks_critical, has_drifted }
    }
}
