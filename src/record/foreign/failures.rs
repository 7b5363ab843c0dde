//! Errors that providers sent in place of an answer: requests that failed.
//!
//! Invariant: what holds an answer beside its error is read as the answer.

use std::borrow::Cow;

use super::fields::{attempt, owned, status_of, told_or_placed};
use crate::record::known::Told;
use crate::record::usage::Counted;
use crate::record::value::{Object, Value};
use crate::record::{Attempts, InputFormat, Record};
use crate::routing::Status;

/// How a request ended, and the word for it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: Status,
    pub(super) word: String,
}

impl Failure {
    /// Makes one that says nothing of itself.
    pub(super) const fn new(status: Status) -> Self {
        Self { status, word: String::new() }
    }

    /// Reads an error: an object, or text; nothing where it is none.
    pub(super) fn read(text: &str) -> Option<Self> {
        if matches!(text, "" | "null" | "{}" | "[]" | "\"\"" | "false") {
            return None;
        }
        let fault = Object::read(text);
        let fault = match &fault {
            Ok(fault) => {
                // Where the error is within a body of one.
                if let Some(inner) = fault.get("error").ok().and_then(Value::said) {
                    return Self::read(inner);
                }
                ["status", "type", "code", "message"].map(|name| fault.word(name).unwrap_or_default())
            }
            // Some write the message alone.
            Err(_) => {
                ["", "", "", &*Value::of(text).word().unwrap_or_default()].map(|word| word.to_owned().into())
            }
        };
        let [status, kind, code, message] = &fault;
        let words = format!("{kind} {code} {status}");
        let code = code.parse().ok().filter(|code| (400..600).contains(code));
        // Figures in a message are no code; its words may say all there is.
        let message: String = message.chars().filter(|c| !c.is_ascii_digit()).collect();
        let status = match (code.map_or_else(|| status_of(&words), Status::from_http), code) {
            (Status::Failed, None) => status_of(&message),
            (status, _) => status,
        };
        let word = fault.iter().find(|word| !word.is_empty()).map_or("", |word| word);
        let word = word.chars().take(120).collect();
        Some(Self { status, word })
    }

    /// Makes a request of it that was not answered.
    pub(super) fn told(self, id: &str, model: &str, format: InputFormat, line: u64) -> Told {
        let mut only = attempt(model, Counted::default(), self.status);
        only.error = Cow::Owned(self.word);
        only.provider = Cow::Borrowed(provider(Some(format)));
        let attempts = Attempts::one(only);
        let (at, timing) = told_or_placed(None, line);
        let record = Record { id: owned(id), at, timing, attempts, ..Record::default() };
        Told::new(record, [None, None])
    }
}

/// Names whoever made an answer of a dialect; nobody where several may.
pub(super) fn provider(format: Option<InputFormat>) -> &'static str {
    match format {
        Some(InputFormat::Anthropic) => "anthropic",
        Some(InputFormat::Gemini) => "google",
        Some(InputFormat::Ollama) => "ollama",
        _ => "",
    }
}

/// Says whether a reason to end says that the model or its server went wrong.
pub(super) fn went_wrong(reason: &str) -> bool {
    let word = reason.split([':', ' ']).next().unwrap_or_default().to_ascii_lowercase();
    matches!(
        word.as_str(),
        "error"
            | "failed"
            | "malformed_function_call"
            | "malformed_response"
            | "unexpected_tool_call"
            | "too_many_tool_calls"
            | "missing_thought_signature"
            | "other"
    )
}

/// Reads a body that is an error; nothing where it is an answer, or none of both.
pub(super) fn body(format: InputFormat, text: &str, line: u64) -> Option<Told> {
    let body = Object::read(text).ok()?;
    let is_said = |name: &str| {
        let value = body.get(name).ok().and_then(Value::said);
        value.is_some_and(|raw| !matches!(raw, "{}" | "[]"))
    };
    // A response that failed is an answer, which tells by itself what it used.
    if is_said("usage") || is_said("usageMetadata|usage_metadata") || body.says("output").ok()? {
        return None;
    }
    let failure = match body.get("error").ok()?.said() {
        Some(error) => Failure::read(error)?,
        None if body.word("object").ok()? == "error" => Failure::read(text)?,
        None => return None,
    };
    let id = body.first(&["id", "request_id"]).ok()?;
    Some(failure.told(&id, &body.word("model").ok()?, format, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_tell_their_status_by_code_else_by_word_else_by_message() {
        for (text, status) in [
            (r#"{"message":"x","type":"requests","code":"rate_limit_exceeded"}"#, Status::RateLimited),
            (
                r#"{"message":"x","type":"insufficient_quota","code":"insufficient_quota"}"#,
                Status::RateLimited,
            ),
            (r#"{"message":"x","type":"server_error","code":null}"#, Status::ServerError),
            (r#"{"message":"Provider returned error","code":502}"#, Status::ServerError),
            (r#"{"message":"at most 500 tokens","type":"invalid_request_error"}"#, Status::Rejected),
            (r#"{"type":"overloaded_error","message":"Overloaded"}"#, Status::ServerError),
            (r#"{"type":"api_error","message":"Internal server error"}"#, Status::ServerError),
            (r#"{"type":"authentication_error"}"#, Status::Rejected),
            (r#"{"type":"not_found_error"}"#, Status::Rejected),
            (r#"{"code":429,"status":"RESOURCE_EXHAUSTED"}"#, Status::RateLimited),
            (r#"{"code":14,"status":"UNAVAILABLE"}"#, Status::ServerError),
            (r#"{"status":"DEADLINE_EXCEEDED"}"#, Status::Timeout),
            (r#"{"type":"error","error":{"type":"rate_limit_error"}}"#, Status::RateLimited),
            (r#""model 'x' not found""#, Status::Rejected),
            (r#"{"message":"error after 504 tokens"}"#, Status::Failed),
        ] {
            assert_eq!(Failure::read(text).unwrap().status, status, "{text}");
        }
        assert!(["null", "{}", "\"\"", ""].iter().all(|text| Failure::read(text).is_none()));
    }
}
