//! What the hours of an account cost, from which it is foretold where it is heading.
//!
//! Invariant: as long as memory holds them, the hours add up to what was spent in them, in whatever order charges come.

use std::sync::Arc;

use crate::forecast::{Ahead, Hours, ahead, spread};
use crate::units::{Instant, Pico, Span};

/// Hours that are kept: eight weeks, as much as a forecast looks at.
const KEPT: usize = 8 * 7 * 24;

/// The hours of an account, up to the latest with a charge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pace {
    /// The number of the first hour.
    first: i64,
    /// Shared with pictures of it, and copied only when a charge comes while one is looked at.
    hours: Arc<Vec<Pico>>,
}

fn hour_of(at: Instant) -> i64 {
    at.0.div_euclid(Span::hours(1).0)
}

impl Pace {
    /// Books a charge in its hour; one from before all that is kept is let go.
    pub(super) fn spend(&mut self, at: Instant, amount: Pico) {
        let hour = hour_of(at);
        let hours = Arc::make_mut(&mut self.hours);
        if hours.is_empty() {
            self.first = hour;
        }
        if hour < self.first {
            let Ok(missing) = usize::try_from(self.first - hour) else { return };
            if missing.saturating_add(hours.len()) > KEPT {
                return;
            }
            hours.splice(0..0, std::iter::repeat_n(Pico::ZERO, missing));
            self.first = hour;
        }
        let Ok(mut place) = usize::try_from(hour - self.first) else { return };
        if place >= KEPT {
            let old = (place + 1 - KEPT).min(hours.len());
            hours.drain(..old);
            self.first = hour - i64::try_from(KEPT - 1).unwrap_or(0);
            place = KEPT - 1;
        }
        if place >= hours.len() {
            hours.resize(place + 1, Pico::ZERO);
        }
        if let Some(slot) = hours.get_mut(place) {
            slot.0 = slot.0.saturating_add(amount.0);
        }
    }

    /// Foretells a window of the account; `since` is when anybody began to be counted.
    pub(super) fn ahead(
        &self,
        since: Instant,
        at: Instant,
        ends: Option<Instant>,
        spent: Pico,
        limit: Pico,
    ) -> Option<Ahead> {
        let now = hour_of(at);
        ahead(&self.past(since, now), at, ends, spent, limit)
    }

    /// Says how far what is left of a window may be off.
    pub(super) fn spread(&self, since: Instant, at: Instant, ends: Option<Instant>) -> Option<(u64, u64)> {
        spread(&self.past(since, hour_of(at)), at, ends)
    }

    /// Lists the hours before one. Those in which nothing was spent count, too: before the first charge, and since the last.
    fn past(&self, since: Instant, now: i64) -> Hours {
        let from = hour_of(since).max(now - i64::try_from(KEPT).unwrap_or(0));
        let hours = (from..now).map(|hour| {
            let place = usize::try_from(hour - self.first).ok();
            place.and_then(|place| self.hours.get(place)).copied().unwrap_or(Pico::ZERO)
        });
        Hours::new(hours.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64, minutes: i64) -> Instant {
        Instant(0) + Span::hours(hour) + Span::mins(minutes)
    }

    #[test]
    fn a_window_is_foretold_from_the_hours_before_it_quiet_ones_included() {
        let mut pace = Pace::default();
        assert_eq!(pace.ahead(at(0, 0), at(0, 30), Some(at(24, 0)), Pico::ZERO, Pico::USD), None);
        for (hour, dollars) in [(1, 2), (3, 6), (2, 4)] {
            pace.spend(at(hour, 10), Pico(Pico::USD.0 * dollars));
        }
        // Four hours cost 0, 2, 4 and 6 dollars: 3 an hour, and half of the fifth hour is left with 19 more.
        let dollars = |amount: i128| Pico(Pico::USD.0 * amount);
        let ahead = pace.ahead(at(0, 0), at(4, 30), Some(at(24, 0)), dollars(12), dollars(30)).unwrap();
        assert_eq!(ahead.end, Some(Pico(Pico::USD.0 * 705 / 10)));
        assert_eq!(
            ahead.runs_out,
            Some(at(11, 0)),
            "18 dollars last to within the sixth hour after this one"
        );
        assert_eq!(ahead.method.name(), "run_rate");
        let enough = pace.ahead(at(0, 0), at(4, 30), Some(at(24, 0)), dollars(12), dollars(71)).unwrap();
        assert_eq!(enough.runs_out, None);
        let spent = pace.ahead(at(0, 0), at(4, 30), Some(at(24, 0)), dollars(31), dollars(30)).unwrap();
        assert_eq!(spent.runs_out, Some(at(4, 30)));
        let endless = pace.ahead(at(0, 0), at(4, 30), None, dollars(12), dollars(30)).unwrap();
        assert_eq!((endless.end, endless.runs_out), (None, Some(at(11, 0))));
    }

    #[test]
    fn hours_are_bounded_and_late_charges_find_theirs() {
        let mut pace = Pace::default();
        pace.spend(at(10, 0), Pico(5));
        pace.spend(at(8, 0), Pico(3));
        pace.spend(at(10, 59), Pico(1));
        assert_eq!((pace.first, &**pace.hours), (8, &[Pico(3), Pico(0), Pico(6)][..]));
        pace.spend(at(100_000, 0), Pico(7));
        assert_eq!(pace.hours.len(), KEPT);
        assert_eq!(pace.hours.iter().copied().sum::<Pico>(), Pico(7));
        pace.spend(at(8, 0), Pico(3));
        assert_eq!(pace.hours.iter().copied().sum::<Pico>(), Pico(7), "too old to be kept");
    }
}
