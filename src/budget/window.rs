//! Windows of time: pure functions of a period, its anchor, a zone and a moment, so that nothing ever has to be reset.
//!
//! Invariants: half-open and without gaps; a boundary moves forward only, also where a zone sets its clocks back over
//! midnight; a day without midnight starts at its first moment.

use std::fmt;

use jiff::civil::{Date, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan as _};

use crate::units::{Instant, Span};

/// How long a limit lasts before it starts anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// An hour of the zone's clock.
    Hour,
    /// A calendar day.
    Day,
    /// Seven days from a weekday on.
    Week,
    /// A calendar month, or a month from a day of it on.
    Month,
    /// Three months.
    Quarter,
    /// A year.
    Year,
    /// A fixed length, counted from the anchor's moment.
    Every(Span),
    /// It never starts anew.
    Lifetime,
}

impl Period {
    /// Reads `day`, `month`, `6h`, `3600s`, `lifetime`.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "hour" => Self::Hour,
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            "quarter" => Self::Quarter,
            "year" => Self::Year,
            "lifetime" => Self::Lifetime,
            _ => Self::Every(Span::parse(text).filter(|span| span.0 >= Span::secs(1).0)?),
        })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
            Self::Lifetime => "lifetime",
            Self::Every(span) => {
                let units = [(3_600_000_000, "h"), (60_000_000, "m"), (1_000_000, "s")];
                let whole = units.into_iter().find(|(length, _)| span.0 % length == 0);
                let (length, unit) = whole.unwrap_or((1_000, "ms"));
                return write!(f, "{}{unit}", span.0 / length);
            }
        })
    }
}

/// Where the windows of a limit start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The weekday on which weeks start.
    pub weekday: Weekday,
    /// The day of the month on which months start; the last one where a month has no such day.
    pub day: i8,
    /// The month in which years start, and from which quarters are counted.
    pub month: i8,
    /// The moment from which fixed lengths are counted.
    pub from: Instant,
}

impl Default for Anchor {
    fn default() -> Self {
        Self { weekday: Weekday::Monday, day: 1, month: 1, from: Instant(0) }
    }
}

/// A time zone of the bundled database, so that every machine reckons alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// Finds a zone by its IANA name.
    pub fn find(name: &str) -> Option<Self> {
        TimeZoneDatabase::bundled().get(name).ok().map(Self)
    }

    /// Returns the zone of universal time.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    fn date(&self, at: Timestamp) -> Date {
        self.0.to_datetime(at).date()
    }

    /// Returns the first moment of a day.
    fn begin(&self, date: Date) -> Option<Timestamp> {
        let start = date.to_zoned_datetime(self.0.clone()).ok()?.start_of_day().ok()?;
        Some(start.timestamp())
    }
}

/// A window: from its start on, up to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Window {
    /// Its first moment.
    pub start: Instant,
    /// The first moment after it; none where it never ends.
    pub end: Option<Instant>,
}

impl Window {
    /// All of time.
    pub const ALWAYS: Self = Self { start: Instant(i64::MIN), end: None };

    /// Says whether a moment lies in it.
    pub fn has(&self, at: Instant) -> bool {
        self.start <= at && self.end.is_none_or(|end| at < end)
    }

    /// Finds the window in which a moment lies.
    pub fn around(at: Instant, period: Period, anchor: &Anchor, zone: &Zone) -> Self {
        match period {
            Period::Lifetime => Self::ALWAYS,
            Period::Every(span) => Self::every(at, span, anchor.from),
            // Moments that no calendar reaches lie in the one window outside of it.
            Period::Hour => Self::hour(at, zone).unwrap_or(Self::ALWAYS),
            _ => Self::calendar(at, period, anchor, zone).unwrap_or(Self::ALWAYS),
        }
    }

    fn every(at: Instant, span: Span, from: Instant) -> Self {
        let (at, from, long) = (i128::from(at.0), i128::from(from.0), i128::from(span.0.max(1)));
        let start = from + (at - from).div_euclid(long) * long;
        let instant = |micros: i128| i64::try_from(micros).map(Instant).ok();
        Self { start: instant(start).unwrap_or(Instant(i64::MIN)), end: instant(start + long) }
    }

    /// An hour of the zone's clock, ended early where that clock is set.
    fn hour(at: Instant, zone: &Zone) -> Option<Self> {
        const HOUR: i64 = 3600;
        let moment = timestamp(at)?;
        let offset = i64::from(zone.0.to_offset(moment).seconds());
        let start = (moment.as_second() + offset).div_euclid(HOUR) * HOUR - offset;
        let set = |transition: Option<jiff::tz::TimeZoneTransition<'_>>| {
            transition.map(|it| it.timestamp().as_second())
        };
        // A clock that is set this very moment is set before it.
        let after = moment.checked_add(1.nanosecond()).ok()?;
        let end = set(zone.0.following(moment).next()).map_or(start + HOUR, |set| (start + HOUR).min(set));
        let start = set(zone.0.preceding(after).next()).map_or(start, |set| start.max(set));
        Some(Self { start: Instant::from_secs(start), end: Some(Instant::from_secs(end)) })
    }

    fn calendar(at: Instant, period: Period, anchor: &Anchor, zone: &Zone) -> Option<Self> {
        let moment = timestamp(at)?;
        let mut first = first_day(zone.date(moment), period, anchor)?;
        loop {
            let next = following(first, period, anchor)?;
            let end = zone.begin(next)?;
            // Clocks set back over midnight show yesterday's date again; what has begun stays begun.
            if moment < end {
                let start = instant(zone.begin(first)?);
                return Some(Self { start, end: Some(instant(end)) });
            }
            first = next;
        }
    }
}

/// Returns the day on which the window of a day starts.
fn first_day(date: Date, period: Period, anchor: &Anchor) -> Option<Date> {
    let months = match period {
        Period::Week => {
            let back = date.weekday().since(anchor.weekday);
            return date.checked_sub(i64::from(back).days()).ok();
        }
        Period::Month => 1,
        Period::Quarter => 3,
        Period::Year => 12,
        _ => return Some(date),
    };
    let mut month = Date::new(date.year(), date.month(), 1).ok()?;
    if day_in(month, anchor.day)? > date {
        month = month.checked_sub(1.month()).ok()?;
    }
    let into = (i64::from(month.month()) - i64::from(anchor.month)).rem_euclid(months);
    day_in(month.checked_sub(into.months()).ok()?, anchor.day)
}

/// Returns the day on which the window after that of `first` starts.
fn following(first: Date, period: Period, anchor: &Anchor) -> Option<Date> {
    let months = match period {
        Period::Week => return first.checked_add(7.days()).ok(),
        Period::Month => 1,
        Period::Quarter => 3,
        Period::Year => 12,
        _ => return first.tomorrow().ok(),
    };
    let month = Date::new(first.year(), first.month(), 1).ok()?;
    day_in(month.checked_add(i64::from(months).months()).ok()?, anchor.day)
}

/// Returns a day of a month, or its last where it is shorter.
fn day_in(month: Date, day: i8) -> Option<Date> {
    Date::new(month.year(), month.month(), day.min(month.days_in_month())).ok()
}

fn timestamp(at: Instant) -> Option<Timestamp> {
    Timestamp::from_microsecond(at.0).ok()
}

fn instant(at: Timestamp) -> Instant {
    Instant(at.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Instant {
        Instant::parse(text).unwrap()
    }

    fn window(moment: &str, period: Period, anchor: &Anchor, zone: &str) -> (String, String) {
        let window = Window::around(at(moment), period, anchor, &Zone::find(zone).unwrap());
        assert!(window.has(at(moment)), "{moment} is not in {window:?}");
        (window.start.rfc3339(), window.end.map_or_else(String::new, Instant::rfc3339))
    }

    fn is(moment: &str, period: Period, anchor: &Anchor, zone: &str, start: &str, end: &str) {
        let found = window(moment, period, anchor, zone);
        let (start, end) = (at(start).rfc3339(), at(end).rfc3339());
        assert_eq!(found, (start, end), "{moment} {period} {zone}");
    }

    #[test]
    fn a_day_has_23_or_25_hours_where_clocks_are_set() {
        let plain = Anchor::default();
        let day = Period::Day;
        is(
            "2026-03-29T10:00:00Z",
            day,
            &plain,
            "Europe/Berlin",
            "2026-03-28T23:00:00Z",
            "2026-03-29T22:00:00Z",
        );
        is(
            "2026-10-25T10:00:00Z",
            day,
            &plain,
            "Europe/Berlin",
            "2026-10-24T22:00:00Z",
            "2026-10-25T23:00:00Z",
        );
        // Midnight does not exist: the clock goes from 23:59:59 to 01:00.
        is(
            "2018-11-04T12:00:00Z",
            day,
            &plain,
            "America/Sao_Paulo",
            "2018-11-04T03:00:00Z",
            "2018-11-05T02:00:00Z",
        );
        // Midnight is double: the first one counts.
        is(
            "2020-11-01T12:00:00Z",
            day,
            &plain,
            "America/Havana",
            "2020-11-01T04:00:00Z",
            "2020-11-02T05:00:00Z",
        );
        // A whole day was left out.
        is(
            "2011-12-30T09:00:00Z",
            day,
            &plain,
            "Pacific/Apia",
            "2011-12-29T10:00:00Z",
            "2011-12-30T10:00:00Z",
        );
        is(
            "2011-12-30T11:00:00Z",
            day,
            &plain,
            "Pacific/Apia",
            "2011-12-30T10:00:00Z",
            "2011-12-31T10:00:00Z",
        );
    }

    #[test]
    fn what_has_begun_stays_begun_though_yesterdays_date_shows_again() {
        // At 00:01 the clock went back to 23:01 of the day before.
        let plain = Anchor::default();
        for moment in ["2006-10-29T02:30:30Z", "2006-10-29T02:50:00Z", "2006-10-29T12:00:00Z"] {
            is(
                moment,
                Period::Day,
                &plain,
                "America/St_Johns",
                "2006-10-29T02:30:00Z",
                "2006-10-30T03:30:00Z",
            );
        }
    }

    #[test]
    fn months_start_on_their_day_or_on_their_last() {
        let on = |day| Anchor { day, ..Anchor::default() };
        let month = Period::Month;
        is("2026-02-28T12:00:00Z", month, &on(31), "UTC", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z");
        is("2026-02-27T12:00:00Z", month, &on(31), "UTC", "2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z");
        is("2028-02-29T12:00:00Z", month, &on(30), "UTC", "2028-02-29T00:00:00Z", "2028-03-30T00:00:00Z");
        is("2026-04-14T23:59:59Z", month, &on(15), "UTC", "2026-03-15T00:00:00Z", "2026-04-15T00:00:00Z");
        is(
            "2026-12-31T23:30:00Z",
            month,
            &on(1),
            "Europe/Berlin",
            "2026-12-31T23:00:00Z",
            "2027-01-31T23:00:00Z",
        );
    }

    #[test]
    fn weeks_quarters_years_and_fixed_lengths_start_at_their_anchors() {
        let plain = Anchor::default();
        is(
            "2026-11-29T12:00:00Z",
            Period::Week,
            &plain,
            "UTC",
            "2026-11-23T00:00:00Z",
            "2026-11-30T00:00:00Z",
        );
        let sunday = Anchor { weekday: Weekday::Sunday, ..plain };
        is(
            "2026-11-29T12:00:00Z",
            Period::Week,
            &sunday,
            "UTC",
            "2026-11-29T00:00:00Z",
            "2026-12-06T00:00:00Z",
        );
        is(
            "2026-11-29T12:00:00Z",
            Period::Quarter,
            &plain,
            "UTC",
            "2026-10-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
        );
        let fiscal = Anchor { month: 2, ..plain };
        is(
            "2027-01-29T12:00:00Z",
            Period::Quarter,
            &fiscal,
            "UTC",
            "2026-11-01T00:00:00Z",
            "2027-02-01T00:00:00Z",
        );
        is(
            "2027-01-29T12:00:00Z",
            Period::Year,
            &fiscal,
            "UTC",
            "2026-02-01T00:00:00Z",
            "2027-02-01T00:00:00Z",
        );
        let six = Period::parse("6h").unwrap();
        is("2026-11-29T13:00:00Z", six, &plain, "UTC", "2026-11-29T12:00:00Z", "2026-11-29T18:00:00Z");
    }

    #[test]
    fn an_hour_ends_where_the_clock_is_set_by_half_of_one() {
        let plain = Anchor::default();
        // Lord Howe goes from 02:00 (+11) back to 01:30 (+10:30).
        is(
            "2026-04-04T14:45:00Z",
            Period::Hour,
            &plain,
            "Australia/Lord_Howe",
            "2026-04-04T14:00:00Z",
            "2026-04-04T15:00:00Z",
        );
        is(
            "2026-04-04T15:10:00Z",
            Period::Hour,
            &plain,
            "Australia/Lord_Howe",
            "2026-04-04T15:00:00Z",
            "2026-04-04T15:30:00Z",
        );
        is(
            "2026-04-04T15:40:00Z",
            Period::Hour,
            &plain,
            "Asia/Kathmandu",
            "2026-04-04T15:15:00Z",
            "2026-04-04T16:15:00Z",
        );
    }

    const ZONES: [&str; 12] = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/Sao_Paulo",
        "America/Havana",
        "America/St_Johns",
        "Pacific/Apia",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Asia/Gaza",
        "Africa/Casablanca",
        "Antarctica/Troll",
    ];

    proptest! {
        #[test]
        fn windows_follow_one_another_without_gap_or_overlap(
            seconds in 0i64..2_500_000_000, zone in 0usize..ZONES.len(), kind in 0usize..7,
            weekday in 1i8..=7, day in 1i8..=31, month in 1i8..=12,
        ) {
            let zone = Zone::find(ZONES[zone]).unwrap();
            let anchor = Anchor { weekday: Weekday::from_monday_one_offset(weekday).unwrap(), day, month, from: Instant(7) };
            let period = [Period::Hour, Period::Day, Period::Week, Period::Month, Period::Quarter, Period::Year, Period::Every(Span::secs(5000))][kind];
            let at = Instant::from_secs(seconds);
            let window = Window::around(at, period, &anchor, &zone);
            prop_assert!(window.has(at), "{window:?}");
            let end = window.end.unwrap();
            prop_assert!(window.start < end);
            let next = Window::around(end, period, &anchor, &zone);
            prop_assert_eq!(next.start, end);
            prop_assert_eq!(Window::around(Instant(end.0 - 1), period, &anchor, &zone), window);
            prop_assert_eq!(Window::around(window.start, period, &anchor, &zone), window);
        }
    }
}
