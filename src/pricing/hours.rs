//! Hours of the week: when a price is another one than usual.
//!
//! Invariants: whole minutes of UTC, so that a moment lies in them or does not, on every machine; a stretch over midnight
//! belongs to the day on which it begins; what is written reads back as the same.

use std::fmt;

use crate::units::{Instant, choice};

/// Minutes of a day, and of a week.
const DAY: u16 = 1440;
const WEEK: u16 = 7 * DAY;
/// All seven days.
const EVERY: u8 = 0b111_1111;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Stretches of the day on some days of the week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    /// A bit a day, Monday the lowest.
    days: u8,
    /// Where each stretch starts, in minutes of the day, and how many it lasts; by start.
    stretches: Vec<(u16, u16)>,
}

/// What is wrong with hours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HoursError {
    /// A stretch is none.
    #[error("`{0}` is no stretch of the day, which is written like 22:00-06:00")]
    Stretch(String),
    /// A stretch ends where it begins.
    #[error("`{0}` lasts no time; a whole day is 00:00-24:00")]
    Empty(String),
    /// A day is none.
    #[error("`{0}` is no day of the week; {1}")]
    Day(String, String),
    /// A moment lies in two stretches.
    #[error("{0} UTC lies in two stretches, and a moment has one price")]
    Overlap(String),
    /// Multiplied, a price cannot be held exactly.
    #[error("multiplied by {0}, a price cannot be held exactly")]
    Inexact(String),
}

impl Hours {
    /// Reads stretches of the day (`01:00-04:00, 22:00-06:00`) and days (`mon-fri`, `sat, sun`; none for each).
    ///
    /// # Errors
    /// What cannot be read, or lasts no time.
    pub fn parse(utc: &str, days: &str) -> Result<Self, HoursError> {
        let stretches = utc.split(',').map(|text| stretch(text.trim())).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::new(read_days(days)?, stretches))
    }

    /// Takes days, a bit each, Monday the lowest, and stretches by start and length in minutes.
    pub(super) fn new(days: u8, mut stretches: Vec<(u16, u16)>) -> Self {
        stretches.sort_unstable();
        Self { days: days & EVERY, stretches }
    }

    /// Says whether a moment lies in them.
    pub fn hold_at(&self, at: Instant) -> bool {
        self.count(minute_of_week(at)) > 0
    }

    /// Counts the stretches that a minute of the week lies in.
    fn count(&self, minute: u16) -> usize {
        let (day, minute) = (minute / DAY, minute % DAY);
        let is_on = |day: u16| self.days & (1 << (day % 7)) != 0;
        let (today, yesterday) = (is_on(day), is_on(day + 6));
        let holds = |&&(start, length): &&(u16, u16)| {
            let end = start + length;
            (today && minute >= start && minute < end) || (yesterday && minute + DAY < end)
        };
        self.stretches.iter().filter(holds).count()
    }

    /// Returns the first moment of the week that lies in two stretches, where one does.
    pub(super) fn overlap(all: &[&Self]) -> Option<String> {
        let is_twice = |minute: &u16| all.iter().map(|hours| hours.count(*minute)).sum::<usize>() > 1;
        let minute = (0..WEEK).find(is_twice)?;
        let name = NAMES.get(usize::from(minute / DAY)).copied().unwrap_or_default();
        Some(format!("{name} {}", clock(minute % DAY)))
    }

    /// Returns the stretches as they are written.
    pub fn utc(&self) -> String {
        let written = |&(start, length): &(u16, u16)| {
            let end = start + length;
            format!("{}-{}", clock(start), clock(if end > DAY { end - DAY } else { end }))
        };
        self.stretches.iter().map(written).collect::<Vec<_>>().join(", ")
    }

    /// Returns the days as they are written; none where it is each of them.
    pub fn days(&self) -> Option<String> {
        (self.days != EVERY).then(|| self.named(&DAYS))
    }

    /// Returns the days for people: `Mon-Fri`, or `daily`.
    pub fn named_days(&self) -> String {
        if self.days == EVERY { "daily".to_owned() } else { self.named(&NAMES) }
    }

    fn named(&self, names: &[&'static str; 7]) -> String {
        let is_on = |day: usize| day < 7 && self.days & (1 << day) != 0;
        let mut parts = Vec::new();
        let mut day = 0;
        while day < 7 {
            let first = day;
            while is_on(day) {
                day += 1;
            }
            let name = |day: usize| names.get(day).copied().unwrap_or_default();
            match day - first {
                0 => day += 1,
                1 => parts.push(name(first).to_owned()),
                2 => parts.push(format!("{}, {}", name(first), name(day - 1))),
                _ => parts.push(format!("{}-{}", name(first), name(day - 1))),
            }
        }
        parts.join(", ")
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} UTC", self.named_days(), self.utc())
    }
}

/// Returns the minute of the week, counted from Monday's midnight in UTC.
fn minute_of_week(at: Instant) -> u16 {
    // The first day of the epoch was a Thursday.
    let minutes = at.0.div_euclid(60_000_000).saturating_add(3 * i64::from(DAY));
    u16::try_from(minutes.rem_euclid(i64::from(WEEK))).unwrap_or(0)
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// Reads a stretch as start and length.
fn stretch(text: &str) -> Result<(u16, u16), HoursError> {
    let minute = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let number = |text: &str, most: u16| {
            let is_plain = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u16>().ok().filter(|number| is_plain && *number <= most)
        };
        let at = number(hour, 24)? * 60 + number(minute, 59)?;
        (at <= DAY).then_some(at)
    };
    let ends = text.split_once('-').and_then(|(start, end)| Some((minute(start)?, minute(end)?)));
    match ends {
        Some((start, end)) if start == end => Err(HoursError::Empty(text.to_owned())),
        Some((start, end)) if start < end => Ok((start, end - start)),
        Some((start, end)) if start < DAY => Ok((start, DAY - start + end)),
        _ => Err(HoursError::Stretch(text.to_owned())),
    }
}

fn read_days(text: &str) -> Result<u8, HoursError> {
    if text.trim().is_empty() {
        return Ok(EVERY);
    }
    let day = |name: &str| {
        let name = name.trim().to_ascii_lowercase();
        let found = DAYS.iter().position(|day| *day == name);
        found.ok_or_else(|| HoursError::Day(name.clone(), choice(&name, &DAYS)))
    };
    let mut days = 0u8;
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut at, last) = (day(first)?, day(last)?);
        days |= 1 << at;
        while at != last {
            at = (at + 1) % 7;
            days |= 1 << at;
        }
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A Monday's midnight.
    const MONDAY: i64 = 1_780_272_000_000_000;

    fn at(minute: u16) -> Instant {
        Instant(MONDAY + i64::from(minute) * 60_000_000)
    }

    #[test]
    fn a_week_reads_as_people_write_it() {
        assert_eq!(Instant(MONDAY).rfc3339(), "2026-06-01T00:00:00.000Z", "a Monday");
        let peak = Hours::parse("01:00-04:00, 06:00-10:00", "mon-fri").unwrap();
        let holds = |text: &str| peak.hold_at(Instant::parse(text).unwrap());
        assert!(!holds("2026-06-01T00:59:59.999Z") && holds("2026-06-01T01:00:00Z"));
        assert!(holds("2026-06-05T09:59:59.999999Z") && !holds("2026-06-05T10:00:00Z"));
        assert!(!holds("2026-06-06T02:00:00Z") && !holds("2026-06-07T02:00:00Z"), "the weekend");
        assert_eq!(peak.to_string(), "Mon-Fri 01:00-04:00, 06:00-10:00 UTC");
        // Sunday's night ends on Monday, over the end of the week.
        let night = Hours::parse("22:00-6:00", "sun").unwrap();
        let holds = |text: &str| night.hold_at(Instant::parse(text).unwrap());
        assert!(holds("2026-06-07T22:00:00Z") && holds("2026-06-08T05:59:00Z"));
        assert!(!holds("2026-06-08T06:00:00Z") && !holds("2026-06-07T03:00:00Z"));
        assert_eq!(Hours::parse("00:00-24:00", "").unwrap().to_string(), "daily 00:00-24:00 UTC");
        assert_eq!(Hours::parse("22:00-00:00", "Sat, sun,wed").unwrap().days().unwrap(), "wed, sat, sun");
        assert!(
            Hours::parse("0:00-24:00", "fri-mon").unwrap().hold_at(Instant(MONDAY)),
            "over the week's end"
        );
    }

    #[test]
    fn what_is_wrong_is_told() {
        let told = |utc, days| Hours::parse(utc, days).unwrap_err().to_string();
        assert_eq!(told("5:00-5:00", ""), "`5:00-5:00` lasts no time; a whole day is 00:00-24:00");
        for wrong in
            ["", "5-6", "25:00-26:00", "23:60-24:00", "24:00-02:00", "24:01-2:00", "1:00", "-1:00-2:00"]
        {
            assert!(matches!(Hours::parse(wrong, ""), Err(HoursError::Stretch(_))), "{wrong}");
        }
        assert!(told("1:00-2:00", "mon-fry").starts_with("`fry` is no day of the week; "));
        let [one, two] = ["22:00-06:00", "05:00-07:00"].map(|utc| Hours::parse(utc, "mon").unwrap());
        assert_eq!(Hours::overlap(&[&one, &two]), None, "the night ends on Tuesday");
        let two = Hours::parse("05:00-07:00", "tue").unwrap();
        assert_eq!(Hours::overlap(&[&one, &two]).unwrap(), "Tue 05:00");
    }

    proptest! {
        #[test]
        fn every_minute_is_as_a_naive_reading_has_it(
            days in 1u8..=EVERY, stretches in proptest::collection::vec((0u16..DAY, 1u16..DAY), 1..4),
        ) {
            let hours = Hours::new(days, stretches.clone());
            // Minute by minute over the circle of the week, from each day's start.
            let mut naive = vec![0usize; usize::from(WEEK)];
            for day in (0..7u16).filter(|day| days & (1 << day) != 0) {
                for (start, length) in &stretches {
                    for minute in 0..*length {
                        naive[usize::from((day * DAY + start + minute) % WEEK)] += 1;
                    }
                }
            }
            for minute in 0..WEEK {
                prop_assert_eq!(hours.count(minute), naive[usize::from(minute)], "{}", minute);
                prop_assert_eq!(hours.hold_at(at(minute)), naive[usize::from(minute)] > 0);
            }
            prop_assert_eq!(Hours::overlap(&[&hours]).is_some(), naive.iter().any(|count| *count > 1));
            prop_assert_eq!(Hours::parse(&hours.utc(), &hours.days().unwrap_or_default()).unwrap(), hours);
        }
    }
}
