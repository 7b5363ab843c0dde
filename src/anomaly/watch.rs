//! One figure of one scope: quiet, or firing from its start over its peak to its end.
//!
//! Invariant: while it fires nothing is learnt, so what is wrong does not become what is usual, for a day at most; then the
//! new level is accepted.

use super::detector::Detector;
use super::drift::Drift;
use super::metric::{Metric, Reading};
use super::tail::Tail;
use crate::units::Instant;

/// Before so many slots nothing is told.
const FEW: f64 = 40.0;
/// Quiet slots that end it.
const APART: u32 = 3;
/// It goes on while a slot is so many spreads off, and off by this share of the most.
const SPREADS: f64 = 3.0;
const SHARE: f64 = 0.25;
/// Slots whose expectation is remembered, to know what was usual before it began.
const BEFORE: usize = 4;
/// The level above which surprises are looked at, and how far a quiet series' go above it at first.
const LEVEL: (f64, f64) = (2.0, 0.7);

/// How something unusual came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onset {
    /// At once.
    Sudden,
    /// Bit by bit.
    Drift,
}

/// A stretch in which a figure was unlike its past, in numbers of slots.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Firing {
    pub(super) start: i64,
    pub(super) peak: i64,
    /// The last slot in which it was.
    pub(super) last: i64,
    pub(super) onset: Onset,
    /// How surprising it was, in alarms' levels.
    pub(super) weight: f64,
    usual: f64,
    height: f64,
    quiet: u32,
}

/// The state of one figure of one scope.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    metric: Metric,
    detector: Detector,
    drift: Option<Drift>,
    tail: Tail,
    /// The slots before this one, the last first: their surprise, and what was expected of them.
    before: [(f64, f64); BEFORE],
    firing: Option<Firing>,
}

impl Watch {
    pub(super) fn new(metric: Metric) -> Self {
        let creeps = matches!(metric, Metric::CostPerRequest | Metric::Escalations);
        Self {
            metric,
            detector: Detector::new(metric.floor()),
            drift: creeps.then(Drift::new),
            tail: Tail::above(LEVEL.0, LEVEL.1),
            before: [(0.0, 0.0); BEFORE],
            firing: None,
        }
    }

    /// Returns what is going on.
    pub(super) fn firing(&self) -> Option<Firing> {
        self.firing
    }

    /// Takes the next slot that says something. `rate` is how often a point may be told of for nothing; `longest` how many
    /// slots a day has. Returns what has just ended.
    pub(super) fn step(
        &mut self,
        slot: i64,
        at: Instant,
        reading: Reading,
        rate: f64,
        longest: i64,
    ) -> Option<Firing> {
        if let Some(firing) = &mut self.firing {
            let off = reading.value - firing.usual;
            let depth = if self.metric.tells(off) { off.abs() } else { 0.0 };
            if depth > firing.height {
                (firing.height, firing.peak) = (depth, slot);
            }
            let spread = self.detector.spread().max(reading.noise);
            if depth >= (SPREADS * spread).max(SHARE * firing.height) {
                (firing.last, firing.quiet) = (slot, 0);
            } else {
                firing.quiet += 1;
            }
            let accepted = slot - firing.start >= longest;
            if firing.quiet < APART && !accepted {
                return None;
            }
            if accepted {
                self.detector = Detector::new(self.metric.floor());
            }
            self.before = [(0.0, reading.value); BEFORE];
            if let Some(drift) = &mut self.drift {
                drift.restart();
            }
            return self.firing.take();
        }
        let scored = self.detector.observe_noisy(at, reading.value, reading.noise);
        let tells = self.metric.tells(reading.value - scored.expected);
        let surprise = if tells { scored.surprise } else { 0.0 };
        // Two of the last three: the second largest is what is weighed.
        let mut three = [surprise, self.before[0].0, self.before[1].0];
        three.sort_unstable_by(f64::total_cmp);
        let second = three[1];
        let level = self.tail.reached(rate);
        let is_warm = self.detector.seen() > FEW;
        let (last, usual) = (self.before, self.before[BEFORE - 1].1);
        self.before = [(surprise, scored.expected), last[0], last[1], last[2]];
        let crept = (self.drift.as_mut())
            .and_then(|drift| drift.step(reading.value, reading.noise, self.metric.tells(1.0), rate));
        let begin = |start: i64, usual: f64, onset, weight| Firing {
            start,
            peak: slot,
            last: slot,
            onset,
            weight,
            usual,
            height: (reading.value - usual).abs(),
            quiet: 0,
        };
        if is_warm && second > level {
            let first = if last[1].0 > level { 2 } else { 1 };
            self.firing = Some(begin(slot - first, usual, Onset::Sudden, second / level));
        } else if let Some((since, usual)) = crept.filter(|_| is_warm) {
            self.firing = Some(begin(slot - i64::from(since), usual, Onset::Drift, 1.0));
        } else {
            self.tail.learn(second);
        }
        None
    }
}
