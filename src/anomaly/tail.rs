//! How often a surprise this large comes along when nothing is wrong: the far end of a series' own surprises.
//!
//! Peaks over a threshold: how often surprises rise above a level, and how far above it they then go, which falls off
//! exponentially. That reaches beyond what was ever seen, so an alarm may be set at one in a month or in a year.

/// Quiet points that end a peak.
const APART: u32 = 6;
/// What is taken before anything is seen: peaks a point, and how much that and the usual height of one weigh.
const PEAKS: f64 = 0.01;
const POINTS: f64 = 500.0;
const EXCESSES: f64 = 10.0;
/// A peak counts for at most so many times the usual: what is really wrong must not make itself usual.
const MOST: f64 = 4.0;

/// The far end of a series' surprises.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail {
    /// The level above which surprises are looked at, and how far peaks are taken to go above it at first.
    level: f64,
    height: f64,
    points: f64,
    peaks: f64,
    excess: f64,
    /// The peak that is going on.
    highest: f64,
    below: u32,
}

impl Tail {
    /// Starts with the level above which surprises are looked at, and how far they are taken to go above it at first.
    pub(super) fn above(level: f64, height: f64) -> Self {
        Self { level, height, ..Self::default() }
    }

    /// Learns a surprise.
    pub(super) fn learn(&mut self, surprise: f64) {
        self.points += 1.0;
        if surprise > self.level {
            self.highest = self.highest.max(surprise);
            self.below = 0;
        } else if self.highest > 0.0 {
            self.below += 1;
            if self.below >= APART {
                let usual = self.usual_excess();
                self.excess += (self.highest - self.level).min(MOST * usual);
                self.peaks += 1.0;
                self.highest = 0.0;
            }
        }
    }

    fn usual_excess(&self) -> f64 {
        (self.height * EXCESSES + self.excess) / (EXCESSES + self.peaks)
    }

    /// Returns the surprise that is reached at most so often a point.
    pub(super) fn reached(&self, rate: f64) -> f64 {
        let peaks = (PEAKS * POINTS + self.peaks) / (POINTS + self.points);
        self.level + self.usual_excess() * (peaks / rate.max(f64::MIN_POSITIVE)).ln().max(0.0)
    }
}
