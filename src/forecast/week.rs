//! How fast money goes at some hours of the week, beside an even pace.
//!
//! Invariant: over any whole week it is the even pace.

use super::Hours;
use super::profile::{Profile, WEEK};
use crate::units::{Instant, Span};

const HOUR: i64 = Span::hours(1).0;
const LENGTH: i64 = 7 * 24 * HOUR;
/// An even pace, in thousandths.
const EVEN: u64 = 1000;

/// The share of each hour of the week, by the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Week {
    profile: Profile,
    /// The number of the first hour of the past.
    first: i64,
}

impl Week {
    /// Learns it from hours of which the first has a number; none where there is no whole week with any cost.
    pub fn learn(past: &Hours, first: i64) -> Option<Self> {
        past.profile().map(|profile| Self { profile, first })
    }

    /// Returns how much of a week's share lies between two moments.
    fn share(&self, from: Instant, to: Instant) -> u128 {
        let (mut at, weeks) = (from.0, (to.0 - from.0).max(0) / LENGTH);
        let whole: u64 = (0..WEEK).map(|hour| self.profile.share(hour)).sum();
        let mut sum = u128::from(whole) * u128::from(HOUR.unsigned_abs()) * u128::from(weeks.unsigned_abs());
        at += weeks * LENGTH;
        while at < to.0 {
            let hour = at.div_euclid(HOUR);
            let end = ((hour + 1) * HOUR).min(to.0);
            let place = usize::try_from((hour - self.first).rem_euclid(i64::try_from(WEEK).unwrap_or(1)));
            sum += u128::from(self.profile.share(place.unwrap_or(0))) * u128::from((end - at).unsigned_abs());
            at = end;
        }
        sum
    }

    /// Says how fast a stretch before a moment usually is beside the window that it lies in, in thousandths of an even pace.
    pub fn pace(&self, (from, to): (Instant, Instant), (starts, ends): (Instant, Instant)) -> u64 {
        let length = |from: Instant, to: Instant| u128::from((to.0 - from.0).max(1).unsigned_abs());
        let mine = self.share(from, to) / length(from, to);
        let all = (self.share(starts, ends) / length(starts, ends)).max(1);
        u64::try_from(mine * u128::from(EVEN) / all).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Pico;

    #[test]
    fn working_hours_are_faster_than_nights_and_a_week_is_even() {
        // Four weeks in which all is spent from 9 to 17 on five days, beginning at an odd hour.
        let first = 1005;
        let cost = |hour: i64| {
            let (day, hour) = (hour.div_euclid(24).rem_euclid(7), hour.rem_euclid(24));
            if day < 5 && (9..17).contains(&hour) { Pico::USD } else { Pico::ZERO }
        };
        let hours = Hours::new((first..first + 4 * 168).map(cost).collect());
        let week = Week::learn(&hours, first).unwrap();
        let at = |hour: i64| Instant(hour * HOUR);
        let window = (at(1008), at(1008 + 4 * 168));
        let pace = |from: i64, to: i64| week.pace((at(from), at(to)), window);
        assert!((3000..=4200).contains(&pace(1008 + 10, 1008 + 11)), "{}", pace(1018, 1019));
        assert!(pace(1008 + 2, 1008 + 3) < 50);
        assert_eq!(pace(1010, 1010 + 168), 1000);
        let minutes = |minute: i64| Instant(at(1018).0 + minute * HOUR / 60);
        assert_eq!(week.pace((minutes(5), minutes(10)), window), pace(1018, 1019));
        assert!(Week::learn(&Hours::new(vec![Pico::USD; 100]), 0).is_none());
    }
}
