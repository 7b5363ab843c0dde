//! Readers of foreign formats: one entry's text in, requests out.
//!
//! Invariants: cached tokens are taken out of "input" by the rule of the format; what a format does not say is unknown;
//! a model's name stays as the log has it.

mod agents;
mod answers;
mod batches;
mod bodies;
mod calls;
mod coding;
mod exports;
mod failures;
mod gateways;
mod langfuse;
mod litellm;
mod otel;
mod served;
mod terms;
mod traces;
mod written;

use std::borrow::Cow;
use std::ops::ControlFlow;

pub(crate) use agents::Place;
pub(crate) use bodies::{dialect, is_stream};
pub(crate) use coding::Coding;
pub(crate) use served::by_column;

use super::attempts::some_terms;
use super::csv::Columns;
use super::json::Word;
use super::known::{Nest, Told};
use super::skip::Refusal;
use super::usage::{Counted, or_refused};
use super::{Attempt, InputFormat};
use crate::routing::Status;
use crate::units::Instant;

/// Where logs without a date of their own are placed: the start of 2026 in UTC.
pub const TRACE_EPOCH: Instant = Instant(1_767_225_600_000_000);

/// Takes one request after another, or why something is none.
pub(crate) type Sink<'s> = dyn FnMut(Result<Told, Refusal>) -> ControlFlow<()> + 's;

/// What was met so far that entries rest on.
pub(crate) struct Met<'m> {
    /// Where sessions that tell only relative times stand.
    pub(crate) place: &'m mut Place,
    /// The spans read so far.
    pub(crate) nest: &'m mut Nest,
    /// Sessions of coding agents, and the file being read.
    pub(crate) coding: (&'m mut Coding, &'m str),
}

impl InputFormat {
    /// Says whether times are relative to sessions, so that where one stands depends on those before it.
    pub(crate) fn is_relative(self) -> bool {
        matches!(self, Self::AgentCsv | Self::AgentJson)
    }
}

/// Reads one entry of a foreign format.
pub(crate) fn parse(
    format: InputFormat,
    text: &str,
    line: u64,
    columns: &Columns,
    met: Met<'_>,
    sink: &mut Sink<'_>,
) -> ControlFlow<()> {
    use InputFormat as F;
    let Met { place, nest, coding } = met;
    let sink = &mut |told: Result<Told, Refusal>| {
        sink(told.map(|mut told| {
            if let Some(last) = told.record.attempts.last_mut() {
                served::by_name(last, &told.record.id);
            }
            told.record.attempts.iter_mut().for_each(|attempt| by_column(format, attempt));
            told
        }))
    };
    if matches!(format, F::OpenAi | F::Anthropic | F::Gemini | F::Ollama) {
        if format != F::Ollama && (is_stream(text.as_bytes()) || text.starts_with('[')) {
            return bodies::stream(text, line).map_or(ControlFlow::Continue(()), sink);
        }
        if batches::is_likely(text)
            && let Some(told) = batches::entry(format, text, line)
        {
            return sink(told);
        }
        if memchr::memmem::find(text.as_bytes(), b"\"error\"").is_some()
            && let Some(told) = failures::body(format, text, line)
        {
            return sink(Ok(told));
        }
    }
    let nameless = |record| Told { record, keys: [None, None], nested: None };
    let one = match format {
        // Read by others.
        F::Native | F::Mapped => return ControlFlow::Continue(()),
        F::Otel => return otel::spans(text, nest, sink),
        F::AgentJson => return agents::session(text, place, sink),
        F::AgentCsv => agents::row(&columns.row(text), place).map(nameless),
        F::ClaudeCode | F::Codex | F::OpenCode | F::GeminiCli => {
            return coding::entry(format, text, coding, sink);
        }
        F::LiteLlmSpend => litellm::spend_row(text),
        F::LiteLlmPayload => litellm::payload(text),
        F::OpenAi => answers::openai(text, line),
        F::Anthropic => answers::anthropic(text, line),
        F::Gemini => answers::gemini(text, line),
        F::Ollama => answers::ollama(text, line),
        F::Langfuse => langfuse::observation(text, nest),
        F::Helicone => exports::helicone(text),
        F::Portkey => exports::portkey(text),
        F::TensorZero => gateways::tensorzero(text),
        F::OpenRouter => gateways::openrouter(text),
        F::Azure => traces::azure(&columns.row(text)).map(nameless),
        F::BurstGpt => traces::burstgpt(&columns.row(text)).map(nameless),
        F::Mooncake => traces::mooncake(text).map(nameless),
    };
    sink(one.map(|mut told| {
        terms::complete(format, text, &mut told.record);
        told
    }))
}

/// Reads a moment: a date, or a number of seconds since 1970 (or milli-, micro-, nanoseconds, told by its size).
fn moment(field: &str, word: &Word) -> Result<Instant, Refusal> {
    maybe_moment(field, word)?
        .ok_or_else(|| Refusal::Bad(format!("{field}: missing; a request needs its moment")))
}

/// Reads a moment that may be missing.
fn maybe_moment(field: &str, word: &Word) -> Result<Option<Instant>, Refusal> {
    let text = word.as_str().trim();
    if text.is_empty() || text == "None" {
        return Ok(None);
    }
    if let Some(micros) = epoch_micros(text) {
        return Ok(Some(Instant(micros)));
    }
    Instant::parse(text).map(Some).map_err(|error| Refusal::Bad(format!("{field}: {error}")))
}

/// Reads a decimal number of seconds (or finer units, told by size) since 1970, digit by digit.
pub(super) fn epoch_micros(text: &str) -> Option<i64> {
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

/// Returns whole milliseconds from one moment to another; `None` where they stand the wrong way round.
pub(super) fn millis_between(from: Instant, to: Option<Instant>) -> Option<u32> {
    u32::try_from((to? - from).0 / 1000).ok()
}

/// Reads a status from an HTTP code, or from words where there is none.
pub(super) fn status_of(words: &str) -> Status {
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
fn attempt<'b>(model: String, counted: Counted, status: Status) -> Attempt<'b> {
    let Counted { usage, write_ttl, terms, is_guess, .. } = or_refused(counted, status).answered(status);
    let terms = some_terms(&terms);
    let estimated = is_guess && usage.is_known();
    Attempt { model: Cow::Owned(model), estimated, usage, write_ttl, status, terms, ..Attempt::default() }
}

/// Returns text as an owned word of an entry.
fn owned<'b>(word: Word) -> Cow<'b, str> {
    if word.is_empty() { Cow::Borrowed("") } else { Cow::Owned(word.0) }
}

/// Returns the cost that a log claims, where it does.
fn claimed<'b>(word: Word) -> Option<Cow<'b, str>> {
    (!word.is_empty()).then_some(Cow::Owned(word.0))
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
            assert_eq!(moment("t", &Word(text.into())).unwrap(), want, "{text}");
        }
        assert!(moment("t", &Word::default()).is_err());
        assert!(moment("t", &Word("soon".into())).is_err());
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
