//! Moments in UTC and spans between them, in whole microseconds. Time enters the core with each event, never from a clock.

use std::fmt::{self, Write as _};
use std::ops::{Add, Sub};

use chrono::{DateTime, NaiveDateTime};

/// A moment in UTC, in microseconds since 1970.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Instant(pub i64);

/// A length of time in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Span(pub i64);

const DAY: i64 = 86_400_000_000;

/// A text that is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time; write it like 2026-05-23T10:00:01.120Z")]
pub struct InstantError(pub String);

/// Takes the offset in minutes off the end of a moment as databases and languages write it: `+00`, `+0530`, ` UTC`, `Z`.
fn without_offset(text: &str) -> Option<(&str, i64)> {
    let is_clock = |text: &str| text.contains(':') && text.ends_with(|c: char| c.is_ascii_digit());
    if let Some(bare) = ["UTC", "GMT", "Z", "z"].iter().find_map(|zone| text.strip_suffix(zone)) {
        return Some((bare.trim_end(), 0)).filter(|(bare, _)| is_clock(bare));
    }
    let (bare, zone) = text.split_at(text.rfind(['+', '-'])?);
    let (bare, digits) = (bare.trim_end(), zone.get(1..)?.replace(':', ""));
    if !is_clock(bare) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = match digits.len() {
        2 => (digits.as_str(), "0"),
        4 => digits.split_at(2),
        _ => return None,
    };
    let (hours, minutes) = (hours.parse::<i64>().ok()?, minutes.parse::<i64>().ok()?);
    let offset = (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)?;
    Some((bare, if zone.starts_with('-') { -offset } else { offset }))
}

impl Instant {
    /// Reads RFC 3339 (`2026-05-23T10:00:01.120Z`, offsets allowed) or `YYYY-MM-DD HH:MM:SS[.f]`, taken as UTC.
    pub fn parse(text: &str) -> Result<Self, InstantError> {
        if let Some(fast) = parse_utc(text.as_bytes()) {
            return Ok(Self(fast));
        }
        let text = text.trim();
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self(at.timestamp_micros()));
        }
        for form in ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"] {
            if let Ok(at) = NaiveDateTime::parse_from_str(text, form) {
                return Ok(Self(at.and_utc().timestamp_micros()));
            }
        }
        if let Some((bare, offset)) = without_offset(text)
            && let Ok(at) = Self::parse(bare)
        {
            return Ok(at - Span::mins(offset));
        }
        Err(InstantError(text.to_owned()))
    }

    /// Builds from seconds since 1970.
    pub fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Builds from milliseconds since 1970.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Returns year, month and day (Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`).
    fn civil(self) -> [i64; 3] {
        let days = self.0.div_euclid(DAY) + 719_468;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        // Counted from March on, so that a leap day is the last of its year.
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        [year + era * 400 + i64::from(month <= 2), month, day]
    }

    /// Returns hours, minutes, seconds and microseconds.
    fn time(self) -> [i64; 4] {
        let of_day = self.0.rem_euclid(DAY);
        let seconds = of_day / 1_000_000;
        [seconds / 3600, seconds / 60 % 60, seconds % 60, of_day % 1_000_000]
    }

    /// Writes RFC 3339 with milliseconds (microseconds where there are any): `2026-05-23T10:00:01.120Z`.
    pub fn rfc3339(self) -> String {
        let ([year, month, day], [hour, minute, second, micros]) = (self.civil(), self.time());
        let fraction = if micros % 1000 == 0 { (micros / 1000, 3, "Z") } else { (micros, 6, "Z") };
        let (year, month, day) = ((year, 4, "-"), (month, 2, "-"), (day, 2, "T"));
        digits([year, month, day, (hour, 2, ":"), (minute, 2, ":"), (second, 2, "."), fraction])
    }

    /// Writes the time of day to the second: `14:03:20`.
    pub fn clock(self) -> String {
        let [hour, minute, second, _] = self.time();
        digits([(hour, 2, ":"), (minute, 2, ":"), (second, 2, "")])
    }

    /// Writes the time of day to the millisecond: `14:03:20.412`.
    pub fn clock_millis(self) -> String {
        let [hour, minute, second, micros] = self.time();
        digits([(hour, 2, ":"), (minute, 2, ":"), (second, 2, "."), (micros / 1000, 3, "")])
    }

    /// Writes the date: `2026-05-23`.
    pub fn date(self) -> String {
        let [year, month, day] = self.civil();
        digits([(year, 4, "-"), (month, 2, "-"), (day, 2, "")])
    }

    /// Returns the midnight (UTC) that starts this day.
    #[must_use]
    pub fn day_start(self) -> Self {
        Self(self.0 - self.0.rem_euclid(DAY))
    }

    /// Returns the start of this hour.
    #[must_use]
    pub fn hour_start(self) -> Self {
        Self(self.0 - self.0.rem_euclid(3_600_000_000))
    }

    /// Returns the midnight (UTC) that starts this month.
    #[must_use]
    pub fn month_start(self) -> Self {
        let [_, _, day] = self.civil();
        self.day_start() - Span::days(day - 1)
    }
}

/// Writes numbers with so many digits, and what stands behind each. Moments are written for every request, and a format that is
/// read each time takes ten times as long.
fn digits<const N: usize>(parts: [(i64, u32, &str); N]) -> String {
    let mut text = String::with_capacity(27);
    for (value, places, behind) in parts {
        if (0..10_i64.pow(places)).contains(&value) {
            let digit = |place| u32::try_from(value / 10_i64.pow(place) % 10).ok();
            text.extend((0..places).rev().filter_map(|place| char::from_digit(digit(place)?, 10)));
        } else {
            // A year before the first or after the 9999th.
            let _ = write!(text, "{value:+05}");
        }
        text.push_str(behind);
    }
    text
}

/// Reads exactly `YYYY-MM-DDTHH:MM:SS[.fraction]Z`; one tenth of the general reader's time, and most logs are written so.
fn parse_utc(b: &[u8]) -> Option<i64> {
    fn digits(b: &[u8]) -> Option<i64> {
        b.iter().try_fold(0i64, |n, d| d.is_ascii_digit().then(|| n * 10 + i64::from(d - b'0')))
    }
    if b.len() < 20 || b.len() > 30 || b[b.len() - 1] != b'Z' {
        return None;
    }
    if b[4] != b'-' || b[7] != b'-' || b[10] != b'T' || b[13] != b':' || b[16] != b':' {
        return None;
    }
    let (year, month, day) = (digits(&b[..4])?, digits(&b[5..7])?, digits(&b[8..10])?);
    let (hour, minute, second) = (digits(&b[11..13])?, digits(&b[14..16])?, digits(&b[17..19])?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let longest = *days.get(usize::try_from(month).ok()?.checked_sub(1)?)?;
    if day < 1 || day > longest || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut micros = 0;
    let fraction = &b[19..b.len() - 1];
    if !fraction.is_empty() {
        if fraction[0] != b'.' || fraction.len() < 2 {
            return None;
        }
        let mut scale = 100_000;
        for &d in &fraction[1..] {
            if !d.is_ascii_digit() {
                return None;
            }
            micros += i64::from(d - b'0') * scale;
            scale /= 10;
        }
    }
    // Days since 1970 by the civil-from-days rule (Hinnant, "chrono-compatible low-level date algorithms").
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + micros)
}

impl Span {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// Builds from whole milliseconds.
    pub fn millis(millis: u64) -> Self {
        Self(i64::try_from(millis).unwrap_or(i64::MAX).saturating_mul(1_000))
    }
    /// Builds from whole seconds.
    pub const fn secs(seconds: i64) -> Self {
        Self(seconds * 1_000_000)
    }
    /// Builds from whole minutes.
    pub const fn mins(minutes: i64) -> Self {
        Self::secs(minutes * 60)
    }
    /// Builds from whole hours.
    pub const fn hours(hours: i64) -> Self {
        Self::secs(hours * 3600)
    }
    /// Builds from whole days.
    pub const fn days(days: i64) -> Self {
        Self::hours(days * 24)
    }
    /// Reads `90s`, `1h30m`, `250ms`, `1m3.5s`: numbers and their units, from `ns` to `d`; what is finer than a microsecond is
    /// rounded, and what is too long to count is the longest there is.
    pub fn parse(text: &str) -> Option<Self> {
        let (mut rest, mut nanos) = (text.trim(), 0u128);
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            let (number, behind) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
            let behind = behind.trim_start();
            let letters = behind.find(|c: char| c.is_ascii_digit() || c == '.' || c == ' ');
            let (unit, next) = behind.split_at(letters.unwrap_or(behind.len()));
            let unit = match unit {
                "ns" | "nsec" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => 1,
                "us" | "µs" | "μs" | "usec" | "micros" | "microsecond" | "microseconds" => 1_000,
                "ms" | "msec" | "millis" | "millisecond" | "milliseconds" => 1_000_000,
                "s" | "sec" | "secs" | "second" | "seconds" => 1_000_000_000,
                "m" | "min" | "mins" | "minute" | "minutes" => 60_000_000_000,
                "h" | "hour" | "hours" => 3_600_000_000_000,
                "d" | "day" | "days" => 86_400_000_000_000,
                _ => return None,
            };
            let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
            if whole.is_empty() && fraction.is_empty() {
                return None;
            }
            if fraction.contains('.') {
                return None;
            }
            let fraction = fraction.get(..fraction.len().min(9))?;
            // Of nothing but digits, what cannot be read is too much.
            let read = |digits: &str| {
                digits.parse::<u128>().unwrap_or(if digits.is_empty() { 0 } else { u128::MAX })
            };
            let tenths = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
            let part = read(whole).saturating_mul(unit).saturating_add(read(fraction) * unit / tenths);
            nanos = nanos.saturating_add(part);
            rest = next.trim_start();
        }
        Some(Self(i64::try_from(nanos.saturating_add(500) / 1_000).unwrap_or(i64::MAX)))
    }
    /// Returns seconds as a float, for drawing.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl fmt::Display for Span {
    /// Writes a short human form: `45s`, `15m`, `2h 05m`, `3d 04h`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000_000;
        match seconds {
            0 => write!(f, "{}ms", self.0 / 1000),
            1..60 => write!(f, "{seconds}s"),
            60..3600 if seconds % 60 == 0 => write!(f, "{}m", seconds / 60),
            60..3600 => write!(f, "{}m {:02}s", seconds / 60, seconds % 60),
            3600..86_400 if seconds % 3600 == 0 => write!(f, "{}h", seconds / 3600),
            3600..86_400 => write!(f, "{}h {:02}m", seconds / 3600, seconds / 60 % 60),
            _ if seconds % 86_400 == 0 => write!(f, "{}d", seconds / 86_400),
            _ => write!(f, "{}d {:02}h", seconds / 86_400, seconds / 3600 % 24),
        }
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.rfc3339())
    }
}
impl Add<Span> for Instant {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}
impl Sub<Span> for Instant {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}
impl Sub for Instant {
    type Output = Span;
    fn sub(self, other: Self) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_forms_logs_use() {
        let at = Instant(1_779_530_401_120_000);
        for text in [
            "2026-05-23T10:00:01.120Z",
            "2026-05-23T10:00:01.12Z",
            "2026-05-23T10:00:01.120000+00:00",
            "2026-05-23T12:00:01.120+02:00",
            "2026-05-23 10:00:01.120",
        ] {
            assert_eq!(Instant::parse(text).unwrap(), at, "{text}");
        }
        for bad in ["", "yesterday", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-05-23T10:00:01.Z"]
        {
            assert!(Instant::parse(bad).is_err(), "{bad} should be refused");
        }
        assert_eq!(at.rfc3339(), "2026-05-23T10:00:01.120Z");
    }

    #[test]
    fn spans_read_short() {
        assert_eq!(Span::mins(15).to_string(), "15m");
        assert_eq!(Span::secs(7500).to_string(), "2h 05m");
        assert_eq!(Span::days(30).to_string(), "30d");
        assert_eq!(Span(250_000).to_string(), "250ms");
    }

    #[test]
    fn lengths_are_read_as_people_and_providers_write_them() {
        for (text, micros) in [
            ("90s", 90_000_000),
            ("250ms", 250_000),
            ("1h30m", 5_400_000_000),
            ("1h2m3.5s", 3_723_500_000),
            ("2 min 5 s", 125_000_000),
            ("1 hour 250 milliseconds", 3_600_250_000),
            (".5s", 500_000),
            ("1500ns", 2),
            ("12µs", 12),
            ("2d", 172_800_000_000),
            ("0s", 0),
            ("99999999999999999999d", i64::MAX),
            (&format!("{}h", "9".repeat(60)), i64::MAX),
        ] {
            assert_eq!(Span::parse(text), Some(Span(micros)), "{text}");
        }
        for none in ["", " ", "s", "5", "1m30", "1.2.3s", ".s", "-5s", "5 weeks"] {
            assert_eq!(Span::parse(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn the_calendar_agrees_with_chrono(micros in -8_000_000_000_000_000_000i64..8_000_000_000_000_000_000) {
            let (at, slow) = (Instant(micros), DateTime::from_timestamp_micros(micros).unwrap());
            prop_assert_eq!(at.rfc3339(), slow.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string().replace("000Z", "Z"));
            prop_assert_eq!(at.date(), slow.date_naive().to_string());
            prop_assert_eq!(at.clock_millis(), slow.format("%H:%M:%S%.3f").to_string());
            prop_assert_eq!(at.month_start().date(), slow.format("%Y-%m-01").to_string());
        }

        #[test]
        fn fast_reader_agrees_with_chrono(micros in -2_000_000_000_000_000i64..7_000_000_000_000_000) {
            let text = Instant(micros).rfc3339();
            let slow = DateTime::parse_from_rfc3339(&text).unwrap().timestamp_micros();
            prop_assert_eq!(parse_utc(text.as_bytes()), Some(slow));
        }
    }
}
