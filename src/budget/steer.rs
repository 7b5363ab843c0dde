//! How a limit is steered towards: thresholds are moved so that what a window costs comes out right below it.
//!
//! Invariants: integers only; what is left is spread anew over the requests that are expected each time, so nothing is made up
//! for twice (Balseiro and others, "Robust budget pacing with a single sample": a plan of spend that is made again as it goes).

use std::collections::VecDeque;
use std::sync::Arc;

use crate::forecast::{Hours, Method, ahead};
use crate::units::{Instant, PerMille, Pico, Span};

/// How a limit is steered towards, as its file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steer {
    /// The routes whose thresholds may be moved; all of them where none is named.
    pub routes: Vec<Arc<str>>,
    /// How much of the limit a window is to cost.
    pub aim: PerMille,
    /// How long thresholds stand at least.
    pub dwell: Span,
    /// How far a threshold moves at once at most.
    pub step: PerMille,
    /// Whether thresholds stay within what is certified.
    pub certified: bool,
    /// Whether it moves them itself, or proposes.
    pub acts: bool,
}

impl Default for Steer {
    fn default() -> Self {
        Self {
            routes: Vec::new(),
            aim: PerMille::clamped(990),
            dwell: Span::mins(15),
            step: PerMille::clamped(100),
            certified: false,
            acts: false,
        }
    }
}

impl Steer {
    /// The shortest time that thresholds may be told to stand.
    pub const SHORTEST: Span = Span::mins(1);

    /// Says whether a route's thresholds may be moved.
    pub fn moves(&self, route: &str) -> bool {
        self.routes.is_empty() || self.routes.iter().any(|name| **name == *route)
    }

    /// Returns where a threshold may be at once, on its way to another.
    pub fn toward(&self, from: PerMille, to: PerMille) -> PerMille {
        let (now, step) = (i64::from(from.get()), i64::from(self.step.get()));
        PerMille::clamped(i64::from(to.get()).clamp(now - step, now + step))
    }
}

/// Hours of requests that are kept: eight weeks.
const KEPT: usize = 8 * 7 * 24;
/// A request as an amount, so that parts of one are not lost where requests are foretold.
const REQUEST: Pico = Pico(1_000_000);

/// How many requests came by the hour, from which it is foretold how many will.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    first: i64,
    hours: VecDeque<u32>,
}

fn hour_of(at: Instant) -> i64 {
    at.0.div_euclid(Span::hours(1).0)
}

fn hour_start(hour: i64) -> Instant {
    Instant(hour.saturating_mul(Span::hours(1).0))
}

impl Demand {
    /// Counts a request in its hour; one from before all that is kept is let go.
    pub fn count(&mut self, at: Instant) {
        let hour = hour_of(at);
        if self.hours.is_empty() {
            self.first = hour;
        }
        let Ok(mut place) = usize::try_from(hour - self.first) else { return };
        if place >= self.hours.len() + KEPT {
            self.hours.clear();
            (self.first, place) = (hour, 0);
        }
        while place >= self.hours.len() {
            self.hours.push_back(0);
        }
        while self.hours.len() > KEPT {
            self.hours.pop_front();
            self.first += 1;
            place = place.saturating_sub(1);
        }
        if let Some(count) = self.hours.get_mut(place) {
            *count = count.saturating_add(1);
        }
    }

    /// Lists the whole hours before one.
    fn before(&self, hour: i64) -> Hours {
        let whole = (self.first..hour).map(|hour| {
            let place = usize::try_from(hour - self.first).ok();
            let count = place.and_then(|place| self.hours.get(place)).copied().unwrap_or(0);
            REQUEST.ratio(i128::from(count), 1)
        });
        Hours::new(whole.collect())
    }

    /// Foretells how many requests come until a window's end, in millionths: by the hours of the week at the level of the last
    /// hour, and under a week by the last hour alone. None where no whole hour is known.
    pub fn ahead(&self, at: Instant, ends: Instant) -> Option<i128> {
        let now = hour_of(at);
        let last = now - 1;
        if self.hours.is_empty() || last < self.first {
            return None;
        }
        let until = |past: &Hours, at, ends| ahead(past, at, Some(ends), Pico::ZERO, Pico(i128::MAX));
        let past = self.before(now);
        let whole = until(&past, at, ends)?;
        let (left, seen) = (whole.end?, past.last());
        if seen == Pico::ZERO {
            return Some(left.0);
        }
        if whole.method == Method::RunRate {
            return Some(seen.ratio(i128::from((ends - at).0.max(0)), i128::from(Span::hours(1).0)).0);
        }
        // What the last hour was expected to bring says how far the forecast is off by now; one out of all proportion says nothing.
        let expected = until(&self.before(last), hour_start(last), hour_start(now)).and_then(|one| one.end);
        let expected = expected.filter(|expected| *expected > Pico::ZERO).unwrap_or(seen).0;
        Some(left.ratio(seen.0.clamp(expected / 8, expected.saturating_mul(8)), expected).0)
    }
}

/// Returns what requests like some of late may cost, so that what is left lasts: room by requests to come, times their number.
pub fn target(room: Pico, ahead: i128, requests: u64) -> Pico {
    room.ratio(i128::from(requests).saturating_mul(REQUEST.0), ahead.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(hour: i64, minutes: i64) -> Instant {
        Instant(0) + Span::hours(hour) + Span::mins(minutes)
    }

    #[test]
    fn requests_to_come_follow_the_last_hour() {
        let mut demand = Demand::default();
        assert_eq!(demand.ahead(at(0, 30), at(24, 0)), None);
        (0..10).for_each(|_| demand.count(at(0, 5)));
        assert_eq!(demand.ahead(at(0, 30), at(24, 0)), None, "no hour is over yet");
        (0..10).for_each(|_| demand.count(at(1, 5)));
        let ten = |hours: i128| Some(10 * hours * REQUEST.0);
        assert_eq!(demand.ahead(at(2, 0), at(12, 0)), ten(10));
        // Three times as many in the last hour: three times as many are expected.
        (0..30).for_each(|_| demand.count(at(2, 5)));
        assert_eq!(demand.ahead(at(3, 0), at(13, 0)), ten(30));
        assert_eq!(demand.ahead(at(3, 30), at(4, 0)), Some(15 * REQUEST.0));
    }

    proptest! {
        #[test]
        fn a_step_never_overshoots_and_keeps_order(mut from in prop::collection::vec(0u16..=1000, 2), mut to in prop::collection::vec(0u16..=1000, 2), step in 1u16..=1000) {
            from.sort_unstable();
            to.sort_unstable();
            let steer = Steer { step: PerMille::clamped(step.into()), ..Steer::default() };
            let moved: Vec<u16> = from.iter().zip(&to).map(|(from, to)| steer.toward(PerMille::clamped((*from).into()), PerMille::clamped((*to).into())).get()).collect();
            for ((from, to), moved) in from.iter().zip(&to).zip(&moved) {
                prop_assert!(from.abs_diff(*moved) <= step && to.abs_diff(*moved) <= to.abs_diff(*from));
            }
            prop_assert!(moved[0] <= moved[1], "thresholds that descend still do");
        }
    }
}
