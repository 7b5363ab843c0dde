//! One figure of one scope: quiet, or firing from its start over its peak to its end.
//!
//! Invariant: while it fires nothing is learnt, so what is wrong does not become what is usual, for a day at most; then the
//! new level is accepted.

use super::detector::Detector;
use super::drift::Drift;
use super::metric::{Metric, Reading};
use super::tail::{Prior, Tail};
use crate::units::Instant;

/// Before so many slots nothing is told.
const FEW: f64 = 40.0;
/// Quiet slots that end it.
const APART: u32 = 3;
/// It goes on while a slot is so many spreads off, and off by this share of the most. What drifts is looked at over slots.
const SPREADS: f64 = 3.0;
const DRIFT_SPREADS: f64 = 0.5;
const SHARE: f64 = 0.25;
/// How fast that looks on, a slot.
const SMOOTH: f64 = 0.1;
/// Slots that say nothing after which it is over, too.
const SILENT: i64 = 30;
/// Slots whose expectation is remembered, to know what was usual before it began.
const BEFORE: usize = 4;
/// The surprise that is looked at first, and how often and how far a quiet series goes beyond it.
const PRIOR: Prior = Prior { level: 2.0, peaks: 0.01, height: 0.7 };

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
    /// How rare it was when it began.
    pub(super) weight: f64,
    /// The slot from which on it was known.
    known: i64,
    usual: f64,
    height: f64,
    smooth: f64,
    quiet: u32,
}

/// What a slot would begin: at once, or by what has crept up to it.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    sudden: Firing,
    crept: Option<Firing>,
    surprise: f64,
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
    /// What is going on.
    pub(super) firing: Option<Firing>,
    /// What the current slot would begin, if it is told of, and the surprise to learn if not.
    waiting: Option<Waiting>,
}

impl Watch {
    pub(super) fn new(metric: Metric) -> Self {
        let creeps = matches!(metric, Metric::CostPerRequest | Metric::Escalations);
        Self {
            metric,
            detector: Detector::new(metric.floor()),
            drift: creeps.then(Drift::new),
            tail: Tail::new(PRIOR),
            before: [(0.0, 0.0); BEFORE],
            firing: None,
            waiting: None,
        }
    }

    /// Takes the next slot that says something, and says how rare it is, as the logarithm of the slots that one comes in. What
    /// comes of that is told by [`Watch::settle`]. `longest` is how many slots a day has.
    pub(super) fn look(&mut self, slot: i64, at: Instant, reading: Reading, longest: i64) -> Look {
        self.waiting = None;
        if let Some(firing) = &mut self.firing {
            let off = reading.value - firing.usual;
            firing.smooth += SMOOTH * (off - firing.smooth);
            let (off, spreads) = match firing.onset {
                Onset::Sudden => (off, SPREADS),
                Onset::Drift => (firing.smooth, DRIFT_SPREADS),
            };
            let depth = if self.metric.tells(off) { off.abs() } else { 0.0 };
            if depth > firing.height {
                (firing.height, firing.peak) = (depth, slot);
            }
            let spread = self.detector.spread().max(reading.noise);
            if depth >= (spreads * spread).max(SHARE * firing.height) {
                (firing.last, firing.quiet) = (slot, 0);
            } else {
                firing.quiet += 1;
            }
            let accepted = slot - firing.known >= longest;
            if firing.quiet < APART && !accepted {
                return Look::Nothing;
            }
            if accepted {
                self.detector = Detector::new(self.metric.floor());
            }
            self.before = [(0.0, reading.value); BEFORE];
            if let Some(drift) = &mut self.drift {
                drift.restart();
            }
            return self.firing.take().map_or(Look::Nothing, Look::Ended);
        }
        let scored = self.detector.observe_noisy(at, reading.value, reading.noise);
        let tells = self.metric.tells(reading.value - scored.expected);
        let surprise = if tells { scored.surprise } else { 0.0 };
        // Two of the last three: the second largest is what is weighed.
        let mut three = [surprise, self.before[0].0, self.before[1].0];
        three.sort_unstable_by(f64::total_cmp);
        let second = three[1];
        let last = self.before;
        self.before = [(surprise, scored.expected), last[0], last[1], last[2]];
        let begun = |start: i64, usual: f64, onset, weight| Firing {
            start,
            peak: slot,
            last: slot,
            onset,
            weight,
            known: slot,
            usual,
            height: if onset == Onset::Drift { 0.0 } else { (reading.value - usual).abs() },
            smooth: reading.value - usual,
            quiet: 0,
        };
        let rising = self.metric.tells(1.0);
        let crept = self.drift.as_mut().map(|drift| {
            let rarity = drift.step(reading.value, reading.noise, rising);
            begun(slot - i64::from(drift.since), drift.usual, Onset::Drift, rarity)
        });
        let first = if last[1].0 >= second { 2 } else { 1 };
        let sudden = begun(slot - first, last[BEFORE - 1].1, Onset::Sudden, self.tail.rarity(second));
        self.waiting = Some(Waiting { sudden, crept, surprise: second });
        if self.detector.seen <= FEW {
            return Look::Rarity(0.0);
        }
        Look::Rarity(crept.map_or(0.0, |crept| crept.weight).max(sudden.weight))
    }

    /// Lets a slot pass that says nothing; returns what is over, as nothing has been heard of it for long.
    pub(super) fn rest(&mut self, slot: i64) -> Option<Firing> {
        self.waiting = None;
        self.firing.take_if(|firing| slot - firing.last > SILENT)
    }

    /// Begins to fire where the current slot is rarer than what is told of, or learns it.
    pub(super) fn settle(&mut self, told: f64) -> bool {
        let Some(Waiting { sudden, crept, surprise }) = self.waiting.take() else { return false };
        if self.detector.seen > FEW {
            self.firing = [Some(sudden), crept].into_iter().flatten().find(|firing| firing.weight >= told);
            if self.firing.is_some() {
                return true;
            }
        }
        self.tail.learn(surprise);
        if let Some(drift) = &mut self.drift {
            drift.learn();
        }
        false
    }
}

/// What a watch makes of a slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Look {
    /// Nothing is going on; so rare is what was seen.
    Rarity(f64),
    /// Something goes on, or nothing was heard.
    Nothing,
    /// Something has just ended.
    Ended(Firing),
}
