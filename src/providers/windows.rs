//! The windows of a subscription: what of the five hours, of the week, is used, and when each begins anew.
//!
//! Invariant: no more than [`MOST`] are kept, of names that can be shown; a window that has ended says nothing any more.

use std::time::{Duration, Instant};

use http::HeaderMap;

use super::wait;
use crate::units::Instant as Moment;

/// How the headers begin: `anthropic-ratelimit-unified-5h-utilization: 0.23`.
const UNIFIED: &str = "anthropic-ratelimit-unified-";
/// The most windows.
const MOST: usize = 8;
/// The longest that one is believed to last.
const LONGEST: Duration = Duration::from_secs(32 * 86_400);
/// What a refusal calls the window that is used up, and what the headers of that window do.
const CLAIMS: [(&str, &str); 2] = [("five_hour", "5h"), ("seven_day", "7d")];

/// One window.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Window {
    /// As the provider calls it: `5h`, `7d`, `7d_opus`.
    pub(crate) name: String,
    /// What of it is used, in thousandths.
    pub(crate) used: u32,
    pub(crate) resets_at: Instant,
    /// Whether calls are refused until then.
    pub(crate) is_closed: bool,
}

/// The windows of one model.
#[derive(Clone, Default)]
pub(crate) struct Windows(Vec<Window>);

impl Windows {
    /// Lists those that have not ended.
    pub(crate) fn open(&self, now: Instant) -> impl Iterator<Item = &Window> {
        self.0.iter().filter(move |window| now < window.resets_at)
    }

    /// Returns until when calls are refused.
    pub(crate) fn closed_until(&self, now: Instant) -> Option<Instant> {
        self.open(now).filter(|window| window.is_closed).map(|window| window.resets_at).max()
    }

    /// Reads an answer's headers.
    pub(crate) fn learn(&mut self, headers: &HeaderMap, now: Instant, wall: fn() -> Moment) {
        let text =
            |name: &str| Some(headers.get(format!("{UNIFIED}{name}"))?.to_str().ok()?.trim().to_owned());
        let mut told = headers.keys().filter_map(|key| key.as_str().strip_prefix(UNIFIED)).peekable();
        if told.peek().is_none() {
            return;
        }
        let refused = text("status").filter(|status| status == "rejected");
        let claim = refused.and_then(|_| text("representative-claim"));
        let claimed = claim.map(|claim| {
            let (from, to) = CLAIMS.iter().find(|(from, _)| claim.starts_with(from)).unwrap_or(&("", ""));
            claim.replacen(from, to, 1)
        });
        for name in told.filter_map(|key| key.strip_suffix("-reset")) {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let resets = text(&format!("{name}-reset")).and_then(|reset| until(&reset, wall()));
            let Some(resets) = resets.filter(|_| name.len() <= 16 && name.chars().all(is_name)) else {
                continue;
            };
            let is_refused = text(&format!("{name}-status")).is_some_and(|status| status == "rejected");
            let window = Window {
                used: text(&format!("{name}-utilization")).and_then(|share| thousandths(&share)).unwrap_or(0),
                resets_at: now + resets.min(LONGEST),
                is_closed: is_refused || claimed.as_deref() == Some(name),
                name: name.to_owned(),
            };
            self.0.retain(|known| known.name != name);
            if self.0.len() < MOST {
                self.0.push(window);
            }
        }
        self.0.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

/// Reads when a window begins anew: seconds since 1970, or a moment in words.
fn until(text: &str, wall: Moment) -> Option<Duration> {
    match text.parse::<u64>() {
        Ok(seconds) => {
            let now = u64::try_from(wall.0 / 1_000_000).unwrap_or(0);
            Some(Duration::from_secs(seconds.saturating_sub(now)))
        }
        Err(_) if text.bytes().all(|byte| byte.is_ascii_digit()) => None,
        Err(_) => wait::reset(text, wall),
    }
}

/// Reads a share such as `0.235`.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    whole.parse::<u32>().ok()?.checked_mul(1000)?.checked_add(part.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            let name = HeaderName::from_bytes(format!("{UNIFIED}{name}").as_bytes()).unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        };
        lines.iter().map(pair).collect()
    }

    fn wall() -> Moment {
        Moment::parse("2026-11-29T12:00:00Z").unwrap()
    }

    #[test]
    fn the_windows_of_a_subscription_are_learned_and_hold_until_they_reset() {
        let (now, mut windows) = (Instant::now(), Windows::default());
        let epoch = |secs: i64| (wall().0 / 1_000_000 + secs).to_string();
        let told = headers(&[
            ("status", "allowed"),
            ("reset", &epoch(3600)),
            ("5h-status", "allowed"),
            ("5h-utilization", "0.235"),
            ("5h-reset", &epoch(3600)),
            ("7d-utilization", "0.9"),
            ("7d-reset", &epoch(86_400)),
            ("7d_opus-utilization", "1.02"),
            ("7d_opus-reset", "2026-11-29T13:00:00Z"),
        ]);
        windows.learn(&told, now, wall);
        let shown: Vec<_> = windows.open(now).map(|window| (window.name.as_str(), window.used)).collect();
        assert_eq!(shown, [("5h", 235), ("7d", 900), ("7d_opus", 1020)]);
        assert_eq!(windows.closed_until(now), None, "what is used beyond is the provider's to refuse");
        let refused = headers(&[
            ("status", "rejected"),
            ("representative-claim", "five_hour"),
            ("5h-utilization", "1.0"),
            ("5h-reset", &epoch(1800)),
        ]);
        windows.learn(&refused, now, wall);
        let resets = now + Duration::from_secs(1800);
        assert_eq!(windows.closed_until(now), Some(resets));
        assert_eq!(windows.closed_until(resets), None);
        assert_eq!(windows.open(resets).count(), 2, "one that has ended is told no more");
    }

    #[test]
    fn headers_that_are_missing_or_broken_change_nothing() {
        let (now, mut windows) = (Instant::now(), Windows::default());
        for (name, value) in [("5h-reset", "soon"), ("a\u{7f}b-reset", "1"), ("5h-utilization", "0.5")] {
            let Ok(name) = HeaderName::from_bytes(format!("{UNIFIED}{name}").as_bytes()) else { continue };
            let map = [(name, HeaderValue::from_str(value).unwrap())].into_iter().collect();
            windows.learn(&map, now, wall);
        }
        windows.learn(&headers(&[("5h-reset", "99999999999999999999"), ("7d-utilization", "-1")]), now, wall);
        assert_eq!(windows.open(now).count(), 0);
        for (text, wanted) in
            [("0", Some(0)), ("0.2345", Some(234)), ("1", Some(1000)), (".5", None), ("0.x", None)]
        {
            assert_eq!(thousandths(text), wanted, "{text}");
        }
    }
}
