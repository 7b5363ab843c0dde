//! What a series is like by hour of the day.

use crate::units::Instant;

/// How fast an hour learns, a point.
const RATE: f64 = 0.03;
const HOURS: usize = 24;
const HOUR: i64 = 3_600_000_000;

/// One hour of the day.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hour {
    /// The usual value.
    pub(super) usual: f64,
    /// The usual distance from it.
    pub(super) spread: f64,
    seen: u32,
}

/// All hours of the day, in UTC.
#[derive(Clone, Debug, Default)]
pub(super) struct Profile {
    hours: [Hour; HOURS],
}

fn hour(at: Instant) -> usize {
    usize::try_from(at.0.div_euclid(HOUR).rem_euclid(24)).unwrap_or(0).min(HOURS - 1)
}

impl Profile {
    /// Returns what is known of the hour at a moment, if anything.
    pub(super) fn at(&self, at: Instant) -> Option<Hour> {
        Some(self.hours[hour(at)]).filter(|hour| hour.seen > 0)
    }

    /// Learns a value; `spread` is that of the whole series, for an hour seen the first time.
    pub(super) fn learn(&mut self, at: Instant, value: f64, spread: f64) {
        let hour = &mut self.hours[hour(at)];
        if hour.seen == 0 {
            (hour.usual, hour.spread) = (value, spread);
        } else {
            let rate = RATE.max(1.0 / (f64::from(hour.seen) + 1.0));
            let off = value - hour.usual;
            hour.spread += rate * (off.abs() - hour.spread);
            hour.usual += rate * off;
        }
        hour.seen = hour.seen.saturating_add(1);
    }
}
