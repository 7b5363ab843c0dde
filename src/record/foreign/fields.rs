//! What the readers of foreign formats make of fields: moments, statuses, attempts.

use std::borrow::Cow;

use crate::record::skip::Refusal;
use crate::record::usage::{Counted, or_refused};
use crate::record::{Attempt, Timing, some_terms};
use crate::routing::Status;
use crate::units::{Instant, Span};

/// Where logs without a date of their own are placed: the start of 2026 in UTC.
pub const TRACE_EPOCH: Instant = Instant(1_767_225_600_000_000);

/// Reads a moment: a date, or a number of seconds since 1970 (or milli-, micro-, nanoseconds, told by its size).
pub(super) fn moment(field: &str, word: &str) -> Result<Instant, Refusal> {
    maybe_moment(field, word)?
        .ok_or_else(|| Refusal::Bad(format!("{field}: missing; a request needs its moment")))
}

/// Reads a moment that may be missing.
pub(super) fn maybe_moment(field: &str, word: &str) -> Result<Option<Instant>, Refusal> {
    let text = word.trim();
    if text.is_empty() || text == "None" {
        return Ok(None);
    }
    if let Some(micros) = epoch_micros(text) {
        return Ok(Some(Instant(micros)));
    }
    Instant::parse(text).map(Some).map_err(|error| Refusal::Bad(format!("{field}: {error}")))
}

/// Reads a decimal number of seconds (or finer units, told by size) since 1970, digit by digit.
pub(in crate::record) fn epoch_micros(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    match number {
        100_000_000_000_000_000.. => Some(number / 1000),
        100_000_000_000_000.. => Some(number),
        100_000_000_000.. => number.checked_mul(1000),
        _ => {
            let micros: String = fraction.chars().chain("000000".chars()).take(6).collect();
            number.checked_mul(1_000_000)?.checked_add(micros.parse().ok()?)
        }
    }
}

/// Returns the moment that an answer tells, or else its place among the lines.
pub(super) fn told_or_placed(told: Option<Instant>, line: u64) -> (Instant, Timing) {
    let seconds = i64::try_from(line.saturating_sub(1)).unwrap_or(0);
    let place = || (TRACE_EPOCH + Span(seconds.saturating_mul(1_000_000)), Timing::Placed);
    told.map_or_else(place, |at| (at, Timing::Told))
}

/// Returns whole milliseconds from one moment to another; `None` where they stand the wrong way round, or the first is zero and
/// thus none.
pub(in crate::record) fn millis_between(from: Instant, to: Option<Instant>) -> Option<u32> {
    u32::try_from((to.filter(|_| from.0 > 0)? - from).0 / 1000).ok()
}

/// Returns when a call began: its end stands for a beginning of zero.
pub(super) fn began(at: Instant, end: Option<Instant>) -> Instant {
    if at.0 > 0 { at } else { end.unwrap_or(at) }
}

/// Reads a status from an HTTP code, or from words where there is none.
pub(in crate::record) fn status_of(words: &str) -> Status {
    let lower = words.to_ascii_lowercase();
    let code = lower
        .split(|c: char| !c.is_ascii_digit())
        .find(|part| part.len() == 3)
        .and_then(|code| code.parse().ok());
    if let Some(code @ 400..600) = code {
        return Status::from_http(code);
    }
    let said = WORDS.iter().find(|(words, _)| words.iter().any(|word| lower.contains(word)));
    said.map_or(Status::Failed, |(_, status)| *status)
}

/// Words by which errors are known, those of exceptions and those of providers.
const WORDS: [(&[&str], Status); 5] = [
    (
        &["ratelimit", "rate limit", "rate_limit", "resource_exhausted", "_quota", "too many requests"],
        Status::RateLimited,
    ),
    (&["timeout", "timed out", "deadline_exceeded"], Status::Timeout),
    (
        &["overloaded", "internalserver", "internal server", "unavailable", "server_error", "api_error"],
        Status::ServerError,
    ),
    (&["cancel"], Status::Cancelled),
    (
        &[
            "badrequest",
            "contextwindow",
            "context_length",
            "authentication",
            "invalid_",
            "permission",
            "not_found",
            "not found",
            "notfound",
            "too_large",
            "unauthenticated",
            "failed_precondition",
        ],
        Status::Rejected,
    ),
];

/// Puts usage and status into an attempt; a refused call without usage used nothing.
pub(super) fn attempt(model: &str, counted: Counted, status: Status) -> Attempt<'static> {
    let Counted { usage, write_ttl, terms, is_guess, .. } = or_refused(counted, status).answered(status);
    let terms = some_terms(&terms);
    let estimated = is_guess && usage.is_known();
    Attempt { model: owned(model), estimated, usage, write_ttl, status, terms, ..Attempt::default() }
}

/// Returns a word that outlives its line.
pub(super) fn owned(word: &str) -> Cow<'static, str> {
    if word.is_empty() { Cow::Borrowed("") } else { Cow::Owned(word.to_owned()) }
}

/// Returns the first word that says something.
pub(super) fn first(words: &[&str]) -> Cow<'static, str> {
    owned(words.iter().find(|word| !word.is_empty()).copied().unwrap_or_default())
}

/// Returns the cost that a log claims, where it does.
pub(super) fn claimed(word: &str) -> Option<Cow<'static, str>> {
    (!word.is_empty()).then(|| owned(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_every_unit() {
        let want = Instant(1_779_530_412_370_000);
        for text in [
            "1779530412.37",
            "1779530412370",
            "1779530412370000",
            "1779530412370000000",
            "2026-05-23T10:00:12.370Z",
        ] {
            assert_eq!(moment("t", text).unwrap(), want, "{text}");
        }
        assert!(moment("t", "").is_err());
        assert!(moment("t", "soon").is_err());
    }

    #[test]
    fn error_words_tell_the_status() {
        for (words, status) in [
            ("429 Rate limit reached", Status::RateLimited),
            ("RateLimitError", Status::RateLimited),
            ("529", Status::ServerError),
            ("APITimeoutError", Status::Timeout),
            ("ContextWindowExceededError", Status::Rejected),
            ("whatever 12345", Status::Failed),
        ] {
            assert_eq!(status_of(words), status, "{words}");
        }
    }
}
