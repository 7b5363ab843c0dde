//! A moment as people write it: whole, or a time of day whose day the log tells.

use super::{Instant, InstantError, Span};

/// A moment, or a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// A moment.
    At(Instant),
    /// A time of day (UTC), counted from midnight.
    Clock(Span),
}

const DAY: Span = Span::days(1);

impl When {
    /// Reads `15:05`, `15:05:30`, a day, or a moment with or without seconds; UTC unless it has an offset.
    ///
    /// # Errors
    /// Where it is none of these.
    pub fn parse(text: &str) -> Result<Self, InstantError> {
        let text = text.trim();
        if let Some(clock) = Span::parse_clock(text) {
            return Ok(Self::Clock(clock));
        }
        let full = match (text.len(), text.get(..16)) {
            (10, _) => format!("{text}T00:00:00Z"),
            (17, Some(minute)) if text.ends_with('Z') => format!("{minute}:00Z"),
            _ => text.to_owned(),
        };
        Instant::parse(&full).map(Self::At)
    }

    /// Says whether a text names a day without a time.
    pub fn is_day(text: &str) -> bool {
        let text = text.trim();
        text.len() == 10 && Instant::parse(&format!("{text}T00:00:00Z")).is_ok()
    }

    /// Returns the same a day later; a time of day stays what it is.
    #[must_use]
    pub fn a_day_later(self) -> Self {
        match self {
            Self::At(at) => Self::At(at + DAY),
            clock @ Self::Clock(_) => clock,
        }
    }

    /// Returns the moment, for a time of day the one of the day on which something starts, or of the next where that is
    /// nearer to the start.
    #[must_use]
    pub fn near_start(self, start: Instant) -> Instant {
        match self {
            Self::At(at) => at,
            Self::Clock(clock) => {
                let same = start.day_start() + clock;
                let distance = |at: Instant| (at - start).0.abs();
                if distance(same + DAY) < distance(same) { same + DAY } else { same }
            }
        }
    }

    /// Returns the moment, for a time of day the first one after `from`.
    #[must_use]
    pub fn after(self, from: Instant) -> Instant {
        match self {
            Self::At(at) => at,
            Self::Clock(clock) => {
                let same = from.day_start() + clock;
                if same > from { same } else { same + DAY }
            }
        }
    }

    /// Returns the moment, for a time of day the last one not after `now`.
    #[must_use]
    pub fn before(self, now: Instant) -> Instant {
        match self {
            Self::At(at) => at,
            Self::Clock(clock) => {
                let same = now.day_start() + clock;
                if same <= now { same } else { same - DAY }
            }
        }
    }
}

impl Span {
    /// Reads a time of day, `14:03` or `14:03:20`, as what has passed since midnight.
    pub fn parse_clock(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let mut next = |limit: i64| {
            let part = parts.next()?;
            let digits = part.len() <= 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<i64>().ok().filter(|n| digits && (0..limit).contains(n))
        };
        let (hours, minutes) = (next(24)?, next(60)?);
        let seconds = match text.matches(':').count() {
            1 => 0,
            2 => next(60)?,
            _ => return None,
        };
        Some(Self::secs(hours * 3600 + minutes * 60 + seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse(text).unwrap()
    }

    #[test]
    fn moments_are_read_whole_or_by_the_clock() {
        for (text, moment) in [
            ("2026-05-23", "2026-05-23T00:00:00Z"),
            ("2026-05-23T15:05", "2026-05-23T15:05:00Z"),
            ("2026-05-23T15:05Z", "2026-05-23T15:05:00Z"),
            ("2026-05-23T15:05:10+02:00", "2026-05-23T13:05:10Z"),
        ] {
            assert_eq!(When::parse(text).unwrap(), When::At(at(moment)), "{text}");
        }
        assert_eq!(When::parse(" 15:05 ").unwrap(), When::Clock(Span::mins(905)));
        assert_eq!(When::parse("00:00:07").unwrap(), When::Clock(Span::secs(7)));
        for wrong in ["", "24:00", "15:60", "15", "15:05:00:00", "+5:00", "noon", "2026-13-01"] {
            assert!(When::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_day_of_a_time_comes_from_what_it_is_near() {
        let clock = |text| When::parse(text).unwrap();
        let (noon, late) = (at("2026-05-23T13:00:01Z"), at("2026-05-23T23:10:00Z"));
        assert_eq!(clock("15:05").near_start(noon), at("2026-05-23T15:05:00Z"));
        assert_eq!(clock("12:00").near_start(noon), at("2026-05-23T12:00:00Z"));
        assert_eq!(clock("01:00").near_start(late), at("2026-05-24T01:00:00Z"));
        // Never the day before, which would leave nothing out.
        let midnight = at("2026-05-23T00:00:00Z");
        assert_eq!(clock("15:25").near_start(midnight), at("2026-05-23T15:25:00Z"));
        assert_eq!(clock("00:30").after(late), at("2026-05-24T00:30:00Z"));
        assert_eq!(clock("13:00").before(noon), at("2026-05-23T13:00:00Z"));
        assert_eq!(clock("14:00").before(noon), at("2026-05-22T14:00:00Z"));
    }
}
