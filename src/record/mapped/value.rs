//! Words of a log of one's own shape as counts, moments, lengths of time and ends.

use chrono::{DateTime, NaiveDateTime};
use rust_decimal::Decimal;

use super::date;
use super::field::Unit;
use crate::record::Check;
use crate::record::bill::point_of;
use crate::record::foreign::{TRACE_EPOCH, epoch_micros, status_of};
use crate::routing::Status;
use crate::units::{Instant, Pico, Span};

/// Numbers of seconds below this are no dates but times from the start of the log.
const RELATIVE: i64 = 100_000_000;

/// Reads a count; digits may stand in groups of three (`1,234`).
pub(super) fn count(text: &str) -> Option<u64> {
    // `1.000` is a thousand in half of the world.
    if text.split_once('.').is_some_and(|(n, zeros)| zeros == "000" && n.len() <= 3) {
        return None;
    }
    let whole =
        text.split_once('.').filter(|(_, zeros)| zeros.bytes().all(|b| b == b'0')).map_or(text, |(n, _)| n);
    if let Ok(count) = whole.parse() {
        return Some(count);
    }
    let mut groups = whole.split([',', '_', '\u{202f}', '\u{a0}', ' ', '\'']);
    let first = groups.next()?;
    let mut digits = first.to_owned();
    for group in groups {
        if group.len() != 3 {
            return None;
        }
        digits.push_str(group);
    }
    (first.len() <= 3).then(|| digits.parse().ok()).flatten().or_else(|| {
        // JSON may write whole numbers as `1.2e3`.
        let number = Decimal::from_scientific(text).ok()?.normalize();
        (number.scale() == 0).then(|| u64::try_from(number).ok()).flatten()
    })
}

/// Reads a date in digits alone (`20260523`, `20260523100000`, with milliseconds): as a number it would be another time.
fn in_digits(text: &str) -> Option<NaiveDateTime> {
    let clock = match text.len() {
        8 => "000000000",
        14 => "000",
        17 => "",
        _ => return None,
    };
    let is_ours = text.starts_with("19") || text.starts_with("20");
    let read = || NaiveDateTime::parse_from_str(&format!("{text}{clock}"), "%Y%m%d%H%M%S%3f").ok();
    is_ours.then(read).flatten()
}

fn micros_told(number: Decimal, unit: Option<Unit>) -> Option<i64> {
    match unit.and_then(Unit::seconds_exponent) {
        Some(places) => micros_of(number, places),
        None if number.trunc() < Decimal::from(RELATIVE) => micros_of(number, 0),
        None => epoch_micros(&number.to_string()),
    }
}

fn is_relative(micros: i64) -> bool {
    (0..RELATIVE.saturating_mul(1_000_000)).contains(&micros)
}

/// Says whether a moment is told as what has passed since the start of the log.
pub(super) fn is_offset(text: &str, unit: Option<Unit>) -> bool {
    let number = text.parse::<Decimal>().or_else(|_| Decimal::from_scientific(text));
    let number = number.ok().filter(|_| unit.is_some() || in_digits(text).is_none());
    number.and_then(|number| micros_told(number, unit)).is_some_and(is_relative)
}

/// Reads a moment, in the unit told, or in the one that its size tells.
pub(super) fn moment(text: &str, unit: Option<Unit>) -> Option<Instant> {
    if let Some(at) = in_digits(text).filter(|_| unit.is_none()) {
        return Some(Instant(at.and_utc().timestamp_micros()));
    }
    if let Ok(number) = text.parse::<Decimal>().or_else(|_| Decimal::from_scientific(text)) {
        let micros = micros_told(number, unit)?;
        return Some(if is_relative(micros) { TRACE_EPOCH + Span(micros) } else { Instant(micros) });
    }
    let text = text.strip_suffix("UTC").map_or(text, str::trim_end);
    // Python's logging parts milliseconds by a comma.
    let dotted = text.rsplit_once(',').filter(|(clock, part)| {
        clock.contains(':') && !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())
    });
    let dotted = dotted.map(|(clock, part)| format!("{clock}.{part}"));
    let text = dotted.as_deref().unwrap_or(text);
    if let Ok(at) = Instant::parse(text) {
        return Some(at);
    }
    let zoned = [
        "%d/%b/%Y:%H:%M:%S %z",
        "%Y-%m-%d %H:%M:%S%.f %z",
        "%Y-%m-%d %H:%M:%S%.f%#z",
        "%Y-%m-%dT%H:%M:%S%.f%#z",
    ];
    let zoned = zoned.iter().find_map(|form| DateTime::parse_from_str(text, form).ok());
    if let Some(at) = zoned.or_else(|| DateTime::parse_from_rfc2822(text).ok()) {
        return Some(Instant(at.timestamp_micros()));
    }
    let plain = ["%Y%m%dT%H%M%S%.f", "%Y%m%dT%H%M%S%.fZ", "%Y-%m-%d-%H:%M:%S%.f"];
    let plain = plain.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    plain.or_else(|| date::civil(text, unit)).map(|at| Instant(at.and_utc().timestamp_micros()))
}

fn micros_of(number: Decimal, places: u32) -> Option<i64> {
    let scaled = if places <= 6 {
        number.checked_mul(Decimal::from(10_i64.pow(6 - places)))?
    } else {
        number.checked_div(Decimal::from(10_i64.pow(places - 6)))?
    };
    i64::try_from(scaled.round()).ok()
}

/// Reads a length of time as milliseconds; units within the text (`1.2s`, `1m3s`, `00:00:01.5`) go before the one told.
/// `None` where it is none, or no unit is told.
pub(super) fn millis(text: &str, unit: Option<Unit>) -> Option<u32> {
    if let Ok(number) = text.parse::<Decimal>().or_else(|_| Decimal::from_scientific(text)) {
        return whole_millis(micros_of(number, unit?.seconds_exponent()?)?);
    }
    if text.contains(':') {
        let mut seconds = Decimal::ZERO;
        for part in text.split(':') {
            seconds = seconds.checked_mul(Decimal::from(60))?.checked_add(part.trim().parse().ok()?)?;
        }
        return whole_millis(micros_of(seconds, 0)?);
    }
    whole_millis(Span::parse(&text.to_lowercase())?.0)
}

fn whole_millis(micros: i64) -> Option<u32> {
    u32::try_from(micros.checked_add(500)?.div_euclid(1000)).ok()
}

/// Reads an amount as dollars, digit by digit.
pub(super) fn dollars(text: &str, unit: Option<Unit>) -> Option<String> {
    let bare = text.trim_start_matches('$').trim_end_matches("USD").trim();
    // A lone comma before three digits may be either; a point is what programs write.
    let bare = match point_of(bare) {
        Some(',') => bare.replace('.', "").replace(',', "."),
        None if bare.contains(',') => return None,
        _ => bare.replace(',', ""),
    };
    let amount = match Decimal::from_scientific(&bare) {
        Ok(small) => Pico::from_usd(&small.to_string()).ok()?,
        Err(_) => Pico::from_usd(&bare).ok()?,
    };
    Some(if unit == Some(Unit::Cents) { amount.ratio(1, 100).usd() } else { amount.usd() })
}

/// Reads how a call ended: our words, HTTP codes, words for fine, or what an error says.
pub(super) fn status(text: &str) -> Status {
    let lower = text.to_ascii_lowercase();
    if let Some(status) = Status::from_name(&lower) {
        return status;
    }
    if let Ok(code) = lower.parse::<u16>() {
        return match code {
            0 | 1 => {
                if code == 1 {
                    Status::Ok
                } else {
                    Status::Failed
                }
            }
            100..400 => Status::Ok,
            code => Status::from_http(code),
        };
    }
    let fine = [
        "true",
        "success",
        "succeeded",
        "successful",
        "completed",
        "complete",
        "done",
        "finished",
        "ok",
        "okay",
        "yes",
        "stop",
        "end_turn",
        "tool_use",
        "tool_calls",
        "length",
        "max_tokens",
        "stop_sequence",
        "passed",
        "cached",
        "200 ok",
    ];
    if fine.contains(&lower.as_str()) { Status::Ok } else { status_of(&lower) }
}

/// Reads whether something is said to be so.
pub(super) fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" | "passed" | "pass" | "ok" | "good" => Some(true),
        "false" | "no" | "0" | "failed" | "fail" | "bad" => Some(false),
        _ => None,
    }
}

/// Reads whether an answer was fit for use.
pub(super) fn checked(text: &str) -> Option<Check> {
    flag(text).map(|fit| if fit { Check::Passed } else { Check::Failed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_whole_or_none() {
        for (text, want) in [
            ("12", Some(12)),
            ("12.0", Some(12)),
            ("1,234", Some(1234)),
            ("1_234_567", Some(1_234_567)),
            ("1.2e3", Some(1200)),
            ("1.5", None),
            ("1.000", None),
            ("1.00", Some(1)),
            ("-1", None),
            ("1,23", None),
            ("x", None),
            ("1234,567", None),
        ] {
            assert_eq!(count(text), want, "{text}");
        }
    }

    #[test]
    fn moments_are_read_in_every_unit_and_form() {
        let want = Instant::parse("2026-05-23T10:00:12.370Z").unwrap();
        for (text, unit) in [
            ("2026-05-23T10:00:12.370Z", None),
            ("2026-05-23 12:00:12.370 +0200", None),
            ("2026-05-23 12:00:12.370+02", None),
            ("2026-05-23 10:00:12.370 UTC", None),
            ("2026/05/23 10:00:12.370", None),
            ("2026-05-23 10:00:12,370", None),
            ("05/23/2026 10:00:12.370", None),
            ("23/05/2026 10:00:12.370", None),
            ("1779530412.37", None),
            ("1779530412370", None),
            ("1779530412370000000", None),
            ("1.77953041237e9", None),
            ("1779530412370", Some(Unit::Millis)),
            ("1779530412370000", Some(Unit::Micros)),
        ] {
            assert_eq!(moment(text, unit), Some(want), "{text}");
        }
        assert_eq!(moment("23/May/2026:10:00:12 +0000", None).unwrap().0, want.0 - 370_000);
        assert_eq!(
            moment("1500", Some(Unit::Millis)),
            Some(TRACE_EPOCH + Span(1_500_000)),
            "from the start of the log"
        );
        assert_eq!(moment("0.5", None), Some(TRACE_EPOCH + Span(500_000)));
        assert!(moment("23.05.2026 10:00", None).is_some());
        for text in ["20260523", "20260523000000", "20260523000000000"] {
            assert_eq!(moment(text, None), Instant::parse("2026-05-23T00:00:00Z").ok(), "{text}");
            assert!(!is_offset(text, None));
        }
        assert_eq!(moment("05/06/2026 10:00:00", None), None, "which is the day?");
        assert_eq!(moment("05/06/2026 10:00:00", Some(Unit::DayFirst)), moment("2026-06-05 10:00", None));
        assert_eq!(moment("soon", None), None);
    }

    #[test]
    fn lengths_need_a_unit_from_somewhere() {
        for (text, unit, want) in [
            ("812", Some(Unit::Millis), Some(812)),
            ("0.8125", Some(Unit::Seconds), Some(813)),
            ("812000", Some(Unit::Micros), Some(812)),
            ("1.2s", None, Some(1200)),
            ("350 ms", Some(Unit::Seconds), Some(350)),
            ("1m2.5s", None, Some(62_500)),
            ("00:00:01.500", None, Some(1500)),
            ("812", None, None),
            ("-5", Some(Unit::Millis), None),
            ("fast", Some(Unit::Millis), None),
        ] {
            assert_eq!(millis(text, unit), want, "{text}");
        }
    }

    #[test]
    fn ends_and_amounts_are_understood() {
        for (text, want) in [
            ("200", Status::Ok),
            ("success", Status::Ok),
            ("true", Status::Ok),
            ("false", Status::Failed),
            ("429", Status::RateLimited),
            ("timeout", Status::Timeout),
            ("error", Status::Failed),
            ("503", Status::ServerError),
        ] {
            assert_eq!(status(text), want, "{text}");
        }
        assert_eq!(dollars("1.25", Some(Unit::Cents)).as_deref(), Some("0.0125"));
        assert_eq!(dollars("$0,0012", None).as_deref(), Some("0.0012"));
        assert_eq!(dollars("1.2e-5", None).as_deref(), Some("0.000012"));
        for (text, read_as) in [
            ("1.234,56", "1234.56"),
            ("1,234.56", "1234.56"),
            ("1.234.567", "1234567"),
            ("12,5", "12.5"),
            ("1.000", "1"),
        ] {
            assert_eq!(dollars(text, None).as_deref(), Some(read_as), "{text}");
        }
        assert_eq!(dollars("1,234", None), None, "which is it?");
        assert_eq!(dollars("dear", None), None);
    }
}
