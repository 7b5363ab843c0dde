//! How a limit is steered towards: thresholds are moved so that what a window costs comes out right below it.
//!
//! Invariants: integers only; what is left is spread anew over the requests that are expected each time, so nothing is invented
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
    /// Within how many milliseconds 95 of 100 requests of each of those routes are to be over; none where that is all the same.
    pub within_ms: Option<u64>,
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
            within_ms: None,
            acts: false,
        }
    }
}

impl Steer {
    /// The shortest time that thresholds may be told to stand.
    pub const SHORTEST: Span = Span::secs(10);

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
const HOUR: Span = Span::hours(1);
/// A request as an amount, so that parts of one are not lost where requests are foretold.
pub(crate) const REQUEST: Pico = Pico(1_000_000);

/// How many requests came by the hour, from which it is foretold how many will.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    since: Option<Instant>,
    first: i64,
    hours: VecDeque<u32>,
    /// The minutes of the last hour in which any came.
    minutes: VecDeque<(i64, u32)>,
}

fn hour_of(at: Instant) -> i64 {
    at.0.div_euclid(HOUR.0)
}

fn minute_of(at: Instant) -> i64 {
    at.0.div_euclid(Span::mins(1).0)
}

fn hour_start(hour: i64) -> Instant {
    Instant(hour.saturating_mul(HOUR.0))
}

impl Demand {
    /// Counts a request in its hour; one from before all that is kept is let go.
    pub fn count(&mut self, at: Instant) {
        self.since = Some(self.since.map_or(at, |since| since.min(at)));
        let minute = minute_of(at);
        match self.minutes.back_mut() {
            Some((last, count)) if *last >= minute => *count = count.saturating_add(1),
            _ => self.minutes.push_back((minute, 1)),
        }
        while self.minutes.front().is_some_and(|(first, _)| *first + 60 < minute) {
            self.minutes.pop_front();
        }
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

    /// Returns how many came within the last hour, or since the first, and how long that is.
    fn lately(&self, at: Instant, since: Instant) -> (Pico, Span) {
        let from = since.max(at - HOUR);
        let within = self.minutes.iter().filter(|(minute, _)| *minute >= minute_of(from));
        let count: i128 = within.map(|(_, count)| i128::from(*count)).sum();
        // A minute counts whole where any of it does.
        let from = from.max(Instant(minute_of(from).saturating_mul(Span::mins(1).0)).max(since));
        (REQUEST.ratio(count, 1), at - from)
    }

    /// Foretells how many requests come until a window's end, in millionths: by the hours of the week at the level of the last
    /// hour, and under a week by the last hour alone. None where less than `least` of traffic is known.
    pub fn ahead(&self, at: Instant, ends: Instant, least: Span) -> Option<i128> {
        let since = self.since.filter(|since| at - *since >= least)?;
        let rest = i128::from((ends - at).0.max(0));
        let now = hour_of(at);
        let past = self.before(now);
        let until = |past: &Hours, at, ends| ahead(past, at, Some(ends), Pico::ZERO, Pico(i128::MAX));
        let whole = until(&past, at, ends).filter(|whole| whole.method == Method::Profile);
        let Some(left) = whole.and_then(|whole| whole.end) else {
            let (count, over) = self.lately(at, since);
            return Some(count.ratio(rest, i128::from(over.0.max(1))).0);
        };
        // What the last hour was expected to bring says how far the forecast is off by now; one out of all proportion says nothing.
        let (last, seen) = (now - 1, past.last());
        let expected = until(&self.before(last), hour_start(last), hour_start(now)).and_then(|one| one.end);
        match expected.filter(|expected| *expected > Pico::ZERO && seen > Pico::ZERO) {
            Some(Pico(expected)) => {
                Some(left.ratio(seen.0.clamp(expected / 8, expected.saturating_mul(8)), expected).0)
            }
            None => Some(left.0),
        }
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
        let least = Span::mins(15);
        assert_eq!(demand.ahead(at(0, 30), at(24, 0), least), None);
        (0..60).for_each(|minute| demand.count(at(0, minute)));
        assert_eq!(demand.ahead(at(0, 14), at(24, 0), least), None, "too little is known");
        let many = |requests: i128| Some(requests * REQUEST.0);
        assert_eq!(demand.ahead(at(1, 0), at(11, 0), least), many(600));
        // Three times as many in the last hour: three times as many are expected.
        (0..180).for_each(|nth| demand.count(at(1, nth / 3)));
        assert_eq!(demand.ahead(at(2, 0), at(12, 0), least), many(1800));
        assert_eq!(demand.ahead(at(2, 0), at(2, 0), least), many(0));
    }

    #[test]
    fn from_a_week_on_nights_are_known_to_be_quiet() {
        let mut demand = Demand::default();
        for hour in 0..9 * 24 {
            let count = if hour % 24 < 12 { 10 } else { 100 };
            (0..count).for_each(|nth| demand.count(at(hour, nth * 60 / count)));
        }
        let requests = |ahead: Option<i128>| ahead.unwrap() / REQUEST.0;
        // At midnight half a quiet day and half a busy one lie ahead; by the last hour alone it would be 2,400.
        let day = requests(demand.ahead(at(216, 0), at(240, 0), Span::mins(15)));
        assert!((1_250..=1_390).contains(&day), "{day}");
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
