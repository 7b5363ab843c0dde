//! How often a surprise this large comes along when nothing is wrong: the far end of a series' own surprises.
//!
//! Peaks over a threshold: how often surprises rise above a level, and how far above it they then go, which falls off
//! exponentially. That reaches beyond what was ever seen, so an alarm may be set at one in a month or in a year.

/// Quiet points that end a peak.
const APART: u32 = 6;
/// How many points and peaks what is taken at first weighs.
const POINTS: f64 = 500.0;
const EXCESSES: f64 = 10.0;
/// A peak counts for at most so many times the usual: what is really wrong must not make itself usual.
const MOST: f64 = 4.0;

/// What is taken of a series before anything is seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Prior {
    /// The level above which surprises are looked at.
    pub(super) level: f64,
    /// Peaks above it, a point.
    pub(super) peaks: f64,
    /// How far they go above it on average.
    pub(super) height: f64,
}

/// The far end of a series' surprises.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail {
    prior: Prior,
    points: f64,
    peaks: f64,
    excess: f64,
    /// The peak that is going on.
    highest: f64,
    below: u32,
}

impl Tail {
    pub(super) fn new(prior: Prior) -> Self {
        Self { prior, ..Self::default() }
    }

    /// Learns a surprise.
    pub(super) fn learn(&mut self, surprise: f64) {
        self.points += 1.0;
        if surprise > self.prior.level {
            self.highest = self.highest.max(surprise);
            self.below = 0;
        } else if self.highest > 0.0 {
            self.below += 1;
            if self.below >= APART {
                let usual = self.usual_excess();
                self.excess += (self.highest - self.prior.level).min(MOST * usual);
                self.peaks += 1.0;
                self.highest = 0.0;
            }
        }
    }

    fn usual_excess(&self) -> f64 {
        (self.prior.height * EXCESSES + self.excess) / (EXCESSES + self.peaks)
    }

    fn usual_peaks(&self) -> f64 {
        (self.prior.peaks * POINTS + self.peaks) / (POINTS + self.points)
    }

    /// Returns the surprise that is reached at most so often a point.
    pub(super) fn reached(&self, rate: f64) -> f64 {
        let peaks = self.usual_peaks() / rate.max(f64::MIN_POSITIVE);
        self.prior.level + self.usual_excess() * peaks.ln().max(0.0)
    }

    /// Says how rare a peak this high is, as the logarithm of the points that one comes in; zero below the level.
    pub(super) fn rarity(&self, surprise: f64) -> f64 {
        let above = surprise - self.prior.level;
        if above <= 0.0 { 0.0 } else { above / self.usual_excess() - self.usual_peaks().ln() }
    }
}
