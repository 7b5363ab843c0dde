//! How long to wait: Retry-After in its three forms, the lengths of time that quota headers use, and growing waits.
//!
//! Invariant: pure; the time of day is passed in, and what cannot be read is `None`, never zero.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime};
use http::{HeaderMap, HeaderName};

use crate::units::{Instant as Moment, Span};

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// Reads how long a provider asks to wait: `retry-after-ms`, then `retry-after` in seconds, then as a date.
///
/// A date is taken against the answer's own `Date`, for the provider's clock need not agree with ours.
pub fn retry_after(headers: &HeaderMap, wall: Moment) -> Option<Duration> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(millis) = text(&RETRY_AFTER_MS).and_then(|text| seconds(text, 1e-3)) {
        return Some(millis);
    }
    let said = text(&http::header::RETRY_AFTER)?;
    seconds(said, 1.0).or_else(|| {
        let now = text(&http::header::DATE).and_then(http_date).unwrap_or(wall);
        let micros = u64::try_from((http_date(said)? - now).0).unwrap_or(0);
        Some(Duration::from_micros(micros))
    })
}

/// The longest wait: what is longer, or too large to count, is as good as that.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Reads a decimal number of a unit; negative ones are none.
fn seconds(text: &str, unit: f64) -> Option<Duration> {
    let plain = |b: u8| b.is_ascii_digit() || b == b'.';
    if text.is_empty() || !text.bytes().all(plain) {
        return None;
    }
    let seconds = text.parse::<f64>().ok()? * unit;
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).min(LONGEST))
}

/// Reads a date as HTTP writes it, in any of its three forms.
fn http_date(text: &str) -> Option<Moment> {
    if let Ok(at) = DateTime::parse_from_rfc2822(text) {
        return Some(Moment(at.timestamp_micros()));
    }
    ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
        .into_iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|at| Moment(at.and_utc().timestamp_micros()))
}

/// Reads when a quota is whole again: `6m0s`, `12ms`, `1h2m3.5s`, bare seconds, or a moment in RFC 3339.
pub(crate) fn reset(text: &str, wall: Moment) -> Option<Duration> {
    let text = text.trim();
    if text.contains('T') {
        let micros = u64::try_from((Moment::parse(text).ok()? - wall).0).unwrap_or(0);
        return Some(Duration::from_micros(micros));
    }
    let micros = |span: Span| Duration::from_micros(u64::try_from(span.0).unwrap_or(0)).min(LONGEST);
    seconds(text, 1.0).or_else(|| Span::parse(text).map(micros))
}

/// Returns the wait before another try: `base`, doubled for each try there was, cut at `most`, less a random part of up
/// to a half, so that clients which failed together do not come back together.
pub(crate) fn backoff(base: Duration, most: Duration, tries_so_far: u32, draw: u64) -> Duration {
    let doublings = tries_so_far.saturating_sub(1).min(20);
    let whole = base.saturating_mul(1 << doublings).min(most);
    let half = whole / 2;
    let part = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).saturating_add(1);
    half + Duration::from_micros(draw % part)
}

/// Returns the `n`th draw of a seed (splitmix64): no state but a count, so threads need no lock.
pub(crate) fn draw(seed: u64, n: u64) -> u64 {
    let mut z = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Returns the time of day, for headers that name one.
pub(super) fn wall() -> crate::units::Instant {
    crate::units::Instant(chrono::Utc::now().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn noon() -> Moment {
        Moment::parse("2026-11-23T12:00:00Z").unwrap()
    }

    #[test]
    fn retry_after_is_read_in_every_form_a_provider_writes() {
        let wait = |pairs: &[(&'static str, &str)]| retry_after(&headers(pairs), noon());
        let millis = |n| Some(Duration::from_millis(n));
        assert_eq!(wait(&[("retry-after-ms", "612"), ("retry-after", "1")]), millis(612));
        assert_eq!(wait(&[("retry-after-ms", "61.5")]), Some(Duration::from_micros(61_500)));
        assert_eq!(wait(&[("retry-after-ms", "soon"), ("retry-after", "17")]), millis(17_000));
        assert_eq!(wait(&[("retry-after", "0.25")]), millis(250));
        assert_eq!(wait(&[("retry-after", "0")]), millis(0));
        assert_eq!(wait(&[("retry-after", "Mon, 23 Nov 2026 12:00:09 GMT")]), millis(9_000));
        assert_eq!(wait(&[("retry-after", "Monday, 23-Nov-26 12:00:09 GMT")]), millis(9_000));
        assert_eq!(wait(&[("retry-after", "Mon Nov 23 12:00:09 2026")]), millis(9_000));
        assert_eq!(wait(&[("retry-after", "Mon, 23 Nov 2026 11:00:00 GMT")]), millis(0), "past: at once");
        for large in ["99999999999999999999999999", "9".repeat(400).as_str(), "18446744073709551616"] {
            assert_eq!(wait(&[("retry-after", large)]), Some(LONGEST), "a wait all the same: {large}");
            assert_eq!(wait(&[("retry-after-ms", large)]).map(|wait| wait.as_secs() > 1 << 31), Some(true));
            assert_eq!(reset(&format!("{large}h"), noon()), Some(LONGEST), "{large}");
        }
        for nonsense in ["", "-1", "inf", "NaN", "1e9", "tomorrow", "."] {
            assert_eq!(wait(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn a_providers_date_counts_against_its_own_clock() {
        let late =
            [("date", "Mon, 23 Nov 2026 15:00:00 GMT"), ("retry-after", "Mon, 23 Nov 2026 15:00:04 GMT")];
        assert_eq!(retry_after(&headers(&late), noon()), Some(Duration::from_secs(4)));
    }

    #[test]
    fn resets_are_read_in_every_form_a_provider_writes() {
        let cases = [
            ("12ms", 12),
            ("1s", 1_000),
            ("6m0s", 360_000),
            ("1h2m3.5s", 3_723_500),
            ("1m30.951s", 90_951),
            ("2d", 172_800_000),
            ("0", 0),
            ("8.64", 8_640),
            ("2026-11-23T12:00:59Z", 59_000),
            ("2026-11-23T11:00:00Z", 0),
        ];
        for (text, millis) in cases {
            assert_eq!(reset(text, noon()), Some(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(reset("500µs", noon()), Some(Duration::from_micros(500)));
        for nonsense in ["", "m", "5x", "1.2.3s", "-1", "s5", "T", "12", "５s"] {
            let read = reset(nonsense, noon());
            assert!(read.is_none() || nonsense == "12", "{nonsense}: {read:?}");
        }
    }

    proptest! {
        #[test]
        fn waits_grow_within_bounds(tries in 1u32..100, draw in any::<u64>(), base in 0u64..5_000, most in 0u64..60_000) {
            let (base, most) = (Duration::from_millis(base), Duration::from_millis(most));
            let wait = backoff(base, most, tries, draw);
            prop_assert!(wait <= most);
            prop_assert!(wait >= base.min(most) / 2);
        }

        #[test]
        fn no_header_brings_the_readers_down(text in "\\PC{0,40}") {
            let _ = reset(&text, noon());
            if let Ok(value) = HeaderValue::from_str(&text) {
                let mut map = HeaderMap::new();
                map.insert("retry-after", value);
                let _ = retry_after(&map, noon());
            }
        }
    }
}
