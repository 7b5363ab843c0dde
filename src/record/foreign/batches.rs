//! Results of batches: a line for each request, with its answer or why there is none, at the price of batches.
//!
//! Invariant: what a provider did not do in time, or was told to leave, was not billed.

use serde::Deserialize;
use sonic_rs::LazyValue;

use super::failures::{self, Failure};
use super::{answers, bodies};
use crate::record::json::{self, Num, Word};
use crate::record::known::Told;
use crate::record::skip::Refusal;
use crate::record::usage::Counted;
use crate::record::{Attempt, InputFormat, some_terms};
use crate::routing::Status;

/// A line of `OpenAI`'s and Mistral's results, of Anthropic's, or of Gemini's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line<'a> {
    #[serde(alias = "key")]
    custom_id: Word,
    #[serde(borrow)]
    response: Option<LazyValue<'a>>,
    #[serde(borrow)]
    result: Option<LazyValue<'a>>,
    #[serde(borrow)]
    error: Option<LazyValue<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Response<'a> {
    status_code: Num,
    #[serde(borrow)]
    body: Option<LazyValue<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Outcome<'a> {
    #[serde(rename = "type")]
    kind: Word,
    #[serde(borrow)]
    message: Option<LazyValue<'a>>,
    #[serde(borrow)]
    error: Option<LazyValue<'a>>,
}

/// Says whether a text may be a line of results. Quotes within texts are escaped, so these are keys.
pub(super) fn is_likely(text: &str) -> bool {
    let has = |key: &str| memchr::memmem::find(text.as_bytes(), key.as_bytes()).is_some();
    has("\"custom_id\"") || (has("\"key\"") && (has("\"response\"") || has("\"error\"")))
}

/// Reads a line of results; nothing where it is none.
pub(super) fn entry(format: InputFormat, text: &str, line: u64) -> Option<Result<Told, Refusal>> {
    let row: Line<'_> = json::read(text).ok()?;
    if row.custom_id.is_empty() || (row.response.is_none() && row.result.is_none() && row.error.is_none()) {
        return None;
    }
    let raw = |value: &Option<LazyValue<'_>>| {
        value.as_ref().map(|value| value.as_raw_str().to_owned()).filter(|raw| raw != "null")
    };
    let (body, error) = match (raw(&row.response), raw(&row.result)) {
        (Some(response), _) => {
            let held: Response<'_> = json::read(&response).unwrap_or_default();
            let code = held.status_code.0.and_then(|code| u16::try_from(code).ok()).unwrap_or(200);
            let body = raw(&held.body).unwrap_or_else(|| response.clone());
            if code >= 400 { (None, Some(body)) } else { (Some(body), raw(&row.error)) }
        }
        (_, Some(result)) => {
            let held: Outcome<'_> = json::read(&result).unwrap_or_default();
            match raw(&held.message) {
                Some(message) => (Some(message), None),
                None => (None, raw(&held.error).or_else(|| Some(format!("{{\"type\":{:?}}}", held.kind.0)))),
            }
        }
        _ => (None, raw(&row.error)),
    };
    let read = body.as_deref().map(|body| {
        failures::body(format, body, line).map(Ok).or_else(|| bodies::answer(body, line)).unwrap_or_else(
            || match format {
                InputFormat::Anthropic => answers::anthropic(body, line),
                InputFormat::Gemini => answers::gemini(body, line),
                _ => answers::openai(body, line),
            },
        )
    });
    Some(read.unwrap_or_else(|| {
        let failure = Failure::read(error.as_deref().unwrap_or_default());
        let mut failure = failure.unwrap_or_else(|| Failure::new(Status::Failed));
        if failure.word.ends_with("expired") {
            failure.status = Status::Unavailable;
        }
        Ok(failure.told(row.custom_id, Word::default(), format, line))
    }))
    .map(|read| {
        read.map(|told| {
            let has_failed = |last: &Attempt<'_>| {
                !matches!(last.status, Status::Ok | Status::Truncated) && !last.usage.is_known()
            };
            let mut told =
                if told.record.attempts.last().is_some_and(has_failed) { unbilled(told) } else { told };
            if let Some(last) = told.record.attempts.last_mut() {
                let mut terms = last.terms.as_deref().copied().unwrap_or_default();
                terms.serve("batch");
                last.terms = some_terms(&terms);
            }
            told
        })
    })
}

/// Takes a request of a batch that was not answered as one that used nothing.
fn unbilled(mut told: Told) -> Told {
    if let Some(last) = told.record.attempts.last_mut() {
        last.usage = Counted::NOTHING.usage;
    }
    told
}
