//! What was said beside what came: reliability diagrams, expected calibration error, Brier score.
//!
//! Bins hold equal numbers, and equal confidences are never parted, so that no bin's edge depends on the order of labels.

use super::special::folded_normal_mean;
use crate::units::PerMille;

/// A confidence and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Judged {
    /// What was said.
    pub confidence: PerMille,
    /// What came: 0 or 1000, or a grade between.
    pub quality: PerMille,
}

impl Judged {
    /// Takes an answer for good, or not.
    pub fn of(confidence: PerMille, is_good: bool) -> Self {
        Self { confidence, quality: if is_good { PerMille::ONE } else { PerMille::ZERO } }
    }
}

/// Judgements of neighbouring confidences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bin {
    /// The lowest confidence within.
    pub low: PerMille,
    /// The highest.
    pub high: PerMille,
    /// Judgements.
    pub n: u64,
    /// Sum of their confidences, in per mille.
    pub said: u64,
    /// Sum of what came, in per mille.
    pub did: u64,
}

impl Bin {
    /// Returns the mean confidence.
    pub fn mean_said(&self) -> f64 {
        self.said as f64 / 1000.0 / self.n.max(1) as f64
    }

    /// Returns the mean of what came.
    pub fn mean_did(&self) -> f64 {
        self.did as f64 / 1000.0 / self.n.max(1) as f64
    }

    /// Returns the 95% interval of what comes.
    pub fn interval(&self) -> (f64, f64) {
        wilson(self.did as f64 / 1000.0, self.n)
    }
}

/// Returns the Wilson interval of a share at 95%; all of 0 to 1 where nothing was seen.
pub fn wilson(successes: f64, n: u64) -> (f64, f64) {
    const Z: f64 = 1.959_963_984_540_054;
    if n == 0 {
        return (0.0, 1.0);
    }
    let n = n as f64;
    let p = (successes / n).clamp(0.0, 1.0);
    let centre = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

/// A reliability diagram, and the figures that go with it.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Diagram {
    /// The bins, lowest confidence first.
    pub bins: Vec<Bin>,
    /// Mean of squared differences.
    pub brier: f64,
}

impl Diagram {
    /// Makes one with at most so many bins of equal mass.
    pub fn new(judged: &mut [Judged], bins: usize) -> Self {
        judged.sort_unstable();
        let (n, most) = (judged.len(), bins.max(1));
        let mut made: Vec<Bin> = Vec::with_capacity(most);
        let (mut taken, mut squares) = (0usize, 0.0);
        let mut open: Option<Bin> = None;
        for tie in judged.chunk_by(|a, b| a.confidence == b.confidence) {
            let Some(confidence) = tie.first().map(|one| one.confidence) else { continue };
            let bin = open.get_or_insert(Bin { low: confidence, high: confidence, n: 0, said: 0, did: 0 });
            bin.high = confidence;
            for one in tie {
                let gap = f64::from(one.quality.get()) - f64::from(one.confidence.get());
                squares += gap * gap / 1e6;
                bin.n += 1;
                bin.said += u64::from(one.confidence.get());
                bin.did += u64::from(one.quality.get());
            }
            taken += tie.len();
            if taken * most >= n * (made.len() + 1)
                && let Some(full) = open.take()
            {
                made.push(full);
            }
        }
        made.extend(open);
        Self { bins: made, brier: squares / n.max(1) as f64 }
    }

    /// Counts the judgements.
    pub fn n(&self) -> u64 {
        self.bins.iter().map(|bin| bin.n).sum()
    }

    /// Returns the expected calibration error as it comes: too high where bins are small.
    pub fn ece(&self) -> f64 {
        self.weighted(|bin| (bin.mean_did() - bin.mean_said()).abs())
    }

    /// Returns the expected calibration error less what chance alone adds to it (Kumar et al. 2019), at least zero.
    pub fn ece_debiased(&self) -> f64 {
        let debiased = self.weighted(|bin| {
            let (gap, did) = (bin.mean_did() - bin.mean_said(), bin.mean_did());
            let deviation = (did * (1.0 - did) / bin.n.max(1) as f64).max(0.0).sqrt();
            2.0 * gap.abs() - folded_normal_mean(gap, deviation)
        });
        debiased.max(0.0)
    }

    fn weighted(&self, of: impl Fn(&Bin) -> f64) -> f64 {
        let n = self.n().max(1) as f64;
        self.bins.iter().map(|bin| bin.n as f64 / n * of(bin)).sum()
    }
}
