//! All figures of all scopes, slot by slot: a fold over requests in order of time.
//!
//! Invariant: the work a request is one addition for each of its scopes, and a slot costs the same however long the log is.

use std::collections::{BTreeMap, VecDeque};

use super::metric::Metric;
use super::scope::Scope;
use super::tail::{Prior, Tail};
use super::tally::Tally;
use super::watch::{Firing, Look, Watch};
use crate::units::{Instant, Pico, Span};

/// Slots kept of each scope, to compare and explain.
const KEPT: usize = 2000;
/// Scopes that are watched; those that come later are in their wholes only.
const SCOPES: usize = 200;
/// Empty slots that are gone through one by one; a longer gap is nobody's drop in traffic.
const GAP: i64 = 400;
/// Things remembered that have ended.
const ENDED: usize = 4096;
/// Were all figures independent and each well known, the rarest of a slot would go beyond this so often, and so far.
const PRIOR: Prior = Prior { level: 3.5, peaks: 0.03, height: 1.0 };
const MONTH: Span = Span::days(30);
const DAY: Span = Span::days(1);

/// What is told, and what is too small to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Knobs {
    /// How many incidents a month may be told of when nothing is wrong.
    pub false_alarms: f64,
    /// The least change in money, for figures of money.
    pub least_usd: Pico,
    /// The least change, in per cent of what is usual; of a share also a twenty-fifth of it in points.
    pub least_percent: f64,
    /// The least number of requests in it.
    pub least_requests: u64,
}

impl Default for Knobs {
    fn default() -> Self {
        Self { false_alarms: 1.0, least_usd: Pico(500_000_000_000), least_percent: 25.0, least_requests: 20 }
    }
}

/// One scope.
#[derive(Clone, Debug)]
struct Watched {
    slot: Tally,
    /// All slots before this one, together.
    past: Tally,
    /// The slots before it in which anything happened.
    slots: VecDeque<(i64, Tally)>,
    watches: [Watch; 8],
}

impl Watched {
    fn new() -> Self {
        Self {
            slot: Tally::default(),
            past: Tally::default(),
            slots: VecDeque::new(),
            watches: Metric::ALL.map(Watch::new),
        }
    }
}

/// A figure of a scope that was unlike its past for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Signal {
    pub(super) scope: Scope,
    pub(super) metric: Metric,
    pub(super) firing: Firing,
    pub(super) is_over: bool,
}

/// The fold.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The length of a slot.
    pub length: Span,
    pub(super) knobs: Knobs,
    now: Option<i64>,
    pub(super) first: i64,
    scopes: BTreeMap<Scope, Watched>,
    ended: VecDeque<Signal>,
    /// How rare the rarest figure of a slot is, beyond what so many figures bring along.
    tail: Tail,
}

impl Survey {
    /// Starts with slots of a length, a second at least.
    pub fn new(length: Span, knobs: Knobs) -> Self {
        let length = length.max(Span::secs(1));
        Self {
            length,
            knobs,
            now: None,
            first: 0,
            scopes: BTreeMap::new(),
            ended: VecDeque::new(),
            tail: Tail::new(PRIOR),
        }
    }

    /// Returns the length of slots that suits a log: short enough to place what happened, few enough to go through.
    pub fn length_for(whole: Span) -> Span {
        const STEPS: [(Span, Span); 4] = [
            (Span::days(2), Span::mins(1)),
            (Span::days(10), Span::mins(5)),
            (Span::days(40), Span::mins(15)),
            (Span::days(400), Span::hours(1)),
        ];
        STEPS.iter().find(|(most, _)| whole <= *most).map_or(Span::hours(6), |(_, length)| *length)
    }

    /// Adds what happened at a moment in its scopes. A moment before the slot that is going on counts in that slot.
    pub fn add(&mut self, at: Instant, parts: &[(Scope, Tally)]) {
        let number = at.0.div_euclid(self.length.0);
        match self.now {
            None => (self.now, self.first) = (Some(number), number),
            Some(now) if number > now => self.go_to(number),
            Some(_) => {}
        }
        for (scope, tally) in parts {
            if let Some(watched) = self.scopes.get_mut(scope) {
                watched.slot += tally;
            } else if self.scopes.len() < SCOPES {
                let watched = Watched { slot: *tally, ..Watched::new() };
                self.scopes.insert(*scope, watched);
            }
        }
    }

    /// Lets time pass: slots before a moment are over.
    pub fn pass(&mut self, at: Instant) {
        let number = at.0.div_euclid(self.length.0);
        if self.now.is_some_and(|now| number > now) {
            self.go_to(number);
        }
    }

    fn go_to(&mut self, number: i64) {
        let Some(mut now) = self.now else { return };
        if number - now > GAP {
            self.close(now);
            now = number - 1;
        }
        while now < number {
            self.close(now);
            now += 1;
        }
        self.now = Some(number);
    }

    /// Ends a slot. What is told of goes by the rarest figure of each slot so far: that holds however many figures there are
    /// and however much they move together.
    fn close(&mut self, number: i64) {
        let at = self.at(number);
        let longest = (DAY.0 / self.length.0).max(4);
        // Half of what may be told for nothing is for all traffic, half for all its parts.
        let (mut rarest, mut looked) = ([0.0_f64; 2], [0.0_f64; 2]);
        for (scope, watched) in &mut self.scopes {
            let half = usize::from(*scope != Scope::All);
            for (watch, metric) in watched.watches.iter_mut().zip(Metric::ALL) {
                let look = match metric.read(&watched.slot, &watched.past) {
                    Some(reading) => watch.look(number, at, reading, longest),
                    None => watch.rest(number).map_or(Look::Nothing, Look::Ended),
                };
                match look {
                    Look::Rarity(rarity) => {
                        rarest[half] = rarest[half].max(rarity);
                        looked[half] += 1.0;
                    }
                    Look::Nothing => {}
                    Look::Ended(firing) => {
                        if self.ended.len() >= ENDED {
                            self.ended.pop_front();
                        }
                        self.ended.push_back(Signal { scope: *scope, metric, firing, is_over: true });
                    }
                }
            }
        }
        let many = looked.map(|looked| (2.0 * looked.max(1.0)).ln());
        let slots = MONTH.as_secs_f64() / self.length.as_secs_f64();
        let told = self.tail.reached(self.knobs.false_alarms / slots);
        let mut fires = false;
        for (scope, watched) in &mut self.scopes {
            let many = many[usize::from(*scope != Scope::All)];
            for watch in &mut watched.watches {
                fires |= watch.settle(told + many);
            }
            if watched.slot != Tally::default() {
                let slot = std::mem::take(&mut watched.slot);
                watched.past += &slot;
                if watched.slots.len() >= KEPT {
                    watched.slots.pop_front();
                }
                watched.slots.push_back((number, slot));
            }
        }
        if !fires {
            self.tail.learn((rarest[0] - many[0]).max(rarest[1] - many[1]));
        }
    }

    /// Returns the moment at which a slot begins.
    pub(super) fn at(&self, number: i64) -> Instant {
        Instant(number.saturating_mul(self.length.0))
    }

    /// Returns all that was unlike its past, by its start; what is still going on as well.
    pub(super) fn signals(&self) -> Vec<Signal> {
        let going = self.scopes.iter().flat_map(|(scope, watched)| {
            watched.watches.iter().zip(Metric::ALL).filter_map(|(watch, metric)| {
                let firing = watch.firing?;
                Some(Signal { scope: *scope, metric, firing, is_over: false })
            })
        });
        let mut all: Vec<Signal> = self.ended.iter().copied().chain(going).collect();
        crate::units::sort_by_key(&mut all, |signal| (signal.firing.start, signal.scope, signal.metric));
        all
    }

    /// Returns all scopes.
    pub(super) fn scopes(&self) -> impl Iterator<Item = Scope> {
        self.scopes.keys().copied()
    }

    /// Returns the sums of a scope over some slots, both ends counted.
    pub(super) fn sum(&self, scope: Scope, from: i64, to: i64) -> Tally {
        let mut sum = Tally::default();
        let Some(watched) = self.scopes.get(&scope) else { return sum };
        let first = watched.slots.partition_point(|(number, _)| *number < from);
        for (_, slot) in watched.slots.iter().skip(first).take_while(|(number, _)| *number <= to) {
            sum += slot;
        }
        sum
    }
}
