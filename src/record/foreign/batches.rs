//! Results of batches: a line for each request, with its answer or why there is none, at the price of batches.
//!
//! Invariant: what a provider did not do in time, or was told to leave, was not billed.

use super::failures::{self, Failure};
use super::terms::has;
use super::{answers, bodies};
use crate::record::known::Told;
use crate::record::skip::Refusal;
use crate::record::usage::Counted;
use crate::record::value::Object;
use crate::record::{Attempt, InputFormat, some_terms};
use crate::routing::Status;

/// Says whether a text may be a line of results. Quotes within texts are escaped, so these are keys.
pub(super) fn is_likely(text: &str) -> bool {
    let is_told = || ["\"response\"", "\"error\"", "\"status\""].iter().any(|key| has(text, key));
    has(text, "\"custom_id\"") || (has(text, "\"key\"") && is_told())
}

/// Reads a line of results; nothing where it is none.
pub(super) fn entry(format: InputFormat, text: &str, line: u64) -> Option<Result<Told, Refusal>> {
    // A line of OpenAI's and Mistral's results, of Anthropic's, or of Gemini's.
    let row = Object::read(text).ok()?;
    let id = row.word("custom_id|key").ok()?;
    let said = |of: &Object<'_>, name: &str| of.get(name).ok()?.said().map(str::to_owned);
    let [response, result, failed] = ["response", "result", "error"].map(|name| said(&row, name));
    // Gemini tells a failure as a status, as its service interface does.
    let failed = failed.or_else(|| {
        let status = said(&row, "status")?;
        let code = Object::read(&status).ok()?.count("code").ok()?.0?;
        (code > 0).then_some(status)
    });
    if id.is_empty() || (response.is_none() && result.is_none() && failed.is_none()) {
        return None;
    }
    let (body, error) = match (response, result) {
        (Some(response), _) => {
            let held = Object::read(&response).unwrap_or_default();
            let code = held.count("status_code").unwrap_or_default().0;
            let code = code.and_then(|code| u16::try_from(code).ok()).unwrap_or(200);
            let body = said(&held, "body").unwrap_or_else(|| response.clone());
            if code >= 400 { (None, Some(body)) } else { (Some(body), failed) }
        }
        (_, Some(result)) => {
            let held = Object::read(&result).unwrap_or_default();
            let kind = || Some(format!("{{\"type\":{:?}}}", held.word("type").unwrap_or_default()));
            match said(&held, "message") {
                Some(message) => (Some(message), None),
                None => (None, said(&held, "error").or_else(kind)),
            }
        }
        _ => (None, failed),
    };
    let read = body.as_deref().map(|body| {
        let known = failures::body(format, body, line).map(Ok).or_else(|| bodies::answer(body, line));
        known.unwrap_or_else(|| answers::read(format, body, line))
    });
    Some(read.unwrap_or_else(|| {
        let failure = Failure::read(error.as_deref().unwrap_or_default());
        let mut failure = failure.unwrap_or_else(|| Failure::new(Status::Failed));
        if failure.word.ends_with("expired") {
            failure.status = Status::Unavailable;
        }
        Ok(failure.told(&id, "", format, line))
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
