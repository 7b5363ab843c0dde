//! One series scored as it comes: how unlike its own past each point is, in constant time and without looking ahead.
//!
//! Four measures are taken of a point: its distance from the recent level, of the short level from the long one, from what
//! its hour of the day is like, and how long it has leant to one side of that. Each is weighed by how rare it is in its own
//! past, so no series needs a threshold of its own; what lies outside all that was ever seen counts besides.

use super::habit::Habit;
use super::profile::Profile;
use crate::units::Instant;

/// How fast the recent level, the short one, the long one and the usual distance are learnt, a point.
const RECENT: f64 = 0.1;
const SHORT: f64 = 0.05;
const LONG: f64 = 0.002;
const SPREAD: f64 = 0.005;
/// How fast a lean to one side of the hour's usual value grows and is forgotten.
const LEAN: f64 = 0.08;
/// What rarity of each measure weighs: recent, level, hour, lean.
const WEIGHTS: [f64; 4] = [0.5, 0.7, 1.0, 0.3];
/// Spreads are taken to be at least this share of the least change that matters.
const LEAST_SPREAD: f64 = 0.2;
/// A point outside all before it by this share of their range is news.
const OUTSIDE: f64 = 0.05;
/// What such news weighs, and how much more each doubling of the distance, up to so many.
const NEWS: f64 = 3.0;
const NEWS_DOUBLINGS: f64 = 5.0;
/// Before so many points there is no range to be outside of.
const FEW: f64 = 20.0;
/// The surprise that scores one half, which is where an alarm is worth its while on the labelled series.
const HALF: f64 = 5.2;
/// After a high score, lower ones are halved: one alarm for each onset. The mark falls over this share of the points seen.
const AFTERMATH: f64 = 0.03;
const AFTERMATH_POINTS: f64 = 300.0;
/// Larger values are taken as this, so that no distance overflows.
const LARGEST: f64 = 1e150;

/// The least change that matters; what varies less is taken to vary so much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Floor {
    /// A share of the series' long level.
    OfLevel(f64),
    /// An amount, in the series' own unit.
    Amount(f64),
}

/// How unusual a point is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// From 0 to 1; one half and more is worth an alarm. Lower ones that follow a high one are held down.
    pub score: f64,
    /// The weighed rarity behind it, held down by nothing: unbounded, one more is about tenfold rarer.
    pub surprise: f64,
    /// What was to be expected.
    pub expected: f64,
    /// How far from that it usually is.
    pub spread: f64,
}

/// A series and what was learnt of it.
#[derive(Clone, Debug, Default)]
pub struct Detector {
    floor: Floor,
    /// The points learnt.
    pub(super) seen: f64,
    recent: f64,
    short: f64,
    long: f64,
    spread: f64,
    long_spread: f64,
    low: f64,
    high: f64,
    noise: f64,
    day: Profile,
    lean: f64,
    lean_spread: f64,
    habits: [Habit; 4],
    mark: f64,
}

/// What was measured of a point.
struct Measured {
    measures: [Option<f64>; 4],
    surprise: f64,
}

impl Default for Floor {
    fn default() -> Self {
        Self::OfLevel(0.1)
    }
}

impl Detector {
    /// Starts a series of which nothing is known.
    pub fn new(floor: Floor) -> Self {
        Self { floor, ..Self::default() }
    }

    /// Scores the next point and learns it.
    pub fn observe(&mut self, at: Instant, value: f64) -> Score {
        self.observe_noisy(at, value, 0.0)
    }

    /// Scores the next point, whose value is known within `noise` (one standard deviation), and learns it.
    pub fn observe_noisy(&mut self, at: Instant, value: f64, noise: f64) -> Score {
        let (value, noise) = (sound(value), sound(noise).abs());
        let measured = self.measure(at, value, noise);
        let surprise = measured.surprise;
        self.mark *= 1.0 - 1.0 / (AFTERMATH * self.seen.max(AFTERMATH_POINTS));
        let is_first = surprise > self.mark;
        self.mark = if is_first { surprise } else { self.mark };
        let score = bounded(if is_first { surprise } else { 0.5 * surprise });
        let scored = Score { score, surprise, expected: self.short, spread: self.spread() };
        self.learn(at, value, noise, &measured);
        scored
    }

    /// Returns how far points usually lie from what is expected of the next one, the level of the last twenty or so.
    pub fn spread(&self) -> f64 {
        self.spread.max(self.least() * LEAST_SPREAD)
    }

    fn least(&self) -> f64 {
        let least = match self.floor {
            Floor::OfLevel(share) => self.long.abs() * share,
            Floor::Amount(amount) => amount,
        };
        least.max(1e-9)
    }

    fn measure(&self, at: Instant, value: f64, noise: f64) -> Measured {
        if self.seen < 1.0 {
            return Measured { measures: [None; 4], surprise: 0.0 };
        }
        let least = self.least();
        let floor = least * LEAST_SPREAD;
        // Averages of several points are better known than each of them.
        let averaged = noise.max(self.noise) * 0.25;
        let hour = self.day.at(at);
        let lean = hour.map(|hour| self.lean + LEAN * (value - hour.usual - self.lean));
        let measures = [
            Some((value - self.recent).abs() / self.spread.max(floor).max(noise)),
            Some((self.short - self.long).abs() / self.long_spread.max(floor).max(averaged)),
            hour.map(|hour| (value - hour.usual).abs() / hour.spread.max(floor).max(noise)),
            lean.map(|lean| lean.abs() / self.lean_spread.max(floor).max(averaged)),
        ];
        let rarity: f64 = (measures.iter().zip(&self.habits).zip(WEIGHTS))
            .filter_map(|((measure, habit), weight)| measure.map(|measure| weight * habit.surprise(measure)))
            .sum();
        Measured { measures, surprise: rarity + self.news(value, noise, least) }
    }

    fn news(&self, value: f64, noise: f64, least: f64) -> f64 {
        let outside = (value - self.high).max(self.low - value) - noise;
        if outside <= 0.0 || self.seen < FEW {
            return 0.0;
        }
        let share = outside / (self.high - self.low + least);
        if share > OUTSIDE { NEWS + (share / OUTSIDE).log2().min(NEWS_DOUBLINGS) } else { 0.0 }
    }

    fn learn(&mut self, at: Instant, value: f64, noise: f64, measured: &Measured) {
        if self.seen < 1.0 {
            (self.recent, self.short, self.long) = (value, value, value);
            (self.low, self.high) = (value, value);
        }
        self.seen += 1.0;
        // A rate counts from the start as a mean would.
        let rate = |rate: f64| rate.max(1.0 / self.seen);
        for (habit, measure) in self.habits.iter_mut().zip(measured.measures) {
            if let Some(measure) = measure {
                habit.learn(measure);
            }
        }
        if let Some(hour) = self.day.at(at) {
            let off = value - hour.usual;
            self.lean += LEAN * (off - self.lean);
            self.lean_spread += rate(SPREAD) * (off.abs() - self.lean_spread);
        }
        let (off, off_long) = (value - self.recent, value - self.long);
        self.day.learn(at, value, self.spread);
        self.noise += rate(SHORT) * (noise - self.noise);
        self.spread += rate(SPREAD) * (off.abs() - self.spread);
        self.recent += rate(RECENT) * off;
        self.short += rate(SHORT) * (value - self.short);
        self.long_spread += rate(2.0 * LONG) * (off_long.abs() - self.long_spread);
        self.long += rate(LONG) * off_long;
        self.low = self.low.min(value);
        self.high = self.high.max(value);
    }
}

/// Turns a surprise into a score between 0 and 1.
fn bounded(surprise: f64) -> f64 {
    let surprise = surprise.max(0.0);
    surprise / (surprise + HALF)
}

fn sound(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(-LARGEST, LARGEST) }
}
