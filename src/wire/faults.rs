//! Errors as clients' libraries read them, and errors as providers tell them.
//!
//! Invariant: what an upstream says is passed on without control characters, without anything that looks like a key,
//! and never longer than [`LONGEST`] characters.

use bytes::Bytes;

use super::json::{BYTE_ORDER_MARK, Object, Value, body, check, put};
use super::{ApiError, Dialect, ErrorKind, WireError};
use crate::units::{Span, is_safe};

/// The most characters of an upstream's message that are kept.
const LONGEST: usize = 1_000;
/// The most bytes of an upstream's error that are read.
const READ: usize = 64 * 1024;

/// Writes an error in the exact shape that the libraries of a dialect parse.
pub fn error_body(to: Dialect, error: &ApiError) -> Bytes {
    body(160 + error.message.len(), |o| write(o, to, error)).into()
}

fn write(o: &mut Object<'_>, to: Dialect, error: &ApiError) {
    let ApiError { message, code, .. } = error;
    match to {
        Dialect::OpenAiChat
        | Dialect::OpenAiResponses
        | Dialect::OpenAiEmbeddings
        | Dialect::OpenAiCompletions => put!(o, "error": |o| openai_error(o, error)),
        Dialect::AnthropicMessages => {
            put!(o, "type": "error");
            o.object("error", |o| {
                // By these words its clients know that a conversation has to be made shorter.
                let words_of_it = "prompt is too long";
                let is_lacking = code.as_deref() == Some(TOO_LONG) && !message.contains(words_of_it);
                let said = if is_lacking { format!("{words_of_it}: {message}") } else { message.clone() };
                put!(o, "type": error.kind.told().3, "message": &said);
                // By these words Anthropic's libraries know that a thread goes on in another way, or not at all.
                let is_told = |code: &&str| code.starts_with("thread_") || *code == NO_MODEL_MAY_SERVE;
                if let Some(code) = code.as_deref().filter(is_told) {
                    put!(o, "details": { "error_code": code });
                }
                spent(o, error);
            });
        }
        Dialect::Gemini | Dialect::GeminiEmbeddings => o.object("error", |o| {
            put!(o, "code": u64::from(error.status), "message": message, "status": error.kind.told().4);
            if code.as_deref() == Some(NO_MODEL_MAY_SERVE) {
                let info = "type.googleapis.com/google.rpc.ErrorInfo";
                put!(o, "details": [|a| a.object(|o| put!(o, "@type": info, "reason": NO_MODEL_MAY_SERVE))]);
            }
            spent(o, error);
        }),
    }
}

/// The code by which OpenAI's clients know that a prompt is longer than the model takes.
pub const TOO_LONG: &str = "context_length_exceeded";

/// Says whether a provider refuses a prompt for its length: each has other words for it.
fn is_too_long(error: &ApiError) -> bool {
    const WORDS: [&str; 9] = [
        "prompt is too long",
        "must be less than the context length",
        "exceeds model context length",
        "maximum context length",
        "exceeds the context window",
        "exceed context limit",
        "exceeds the maximum number of tokens",
        "input is too long for requested model",
        "too large for model with",
    ];
    let text = error.message.to_ascii_lowercase();
    error.code.as_deref() == Some(TOO_LONG) || WORDS.iter().any(|word| text.contains(word))
}

/// The code of the error by which a request is refused that no model may serve.
pub const NO_MODEL_MAY_SERVE: &str = "no_model_may_serve";

/// Writes the data of an error event; `number` counts the events of a stream of responses.
pub(super) fn write_event(o: &mut Object<'_>, to: Dialect, error: &ApiError, number: u64) {
    if to != Dialect::OpenAiResponses {
        return write(o, to, error);
    }
    let code = error.code.as_deref().or(error.kind.told().2);
    put!(o, "type": "error", "sequence_number": number, "code": code, "message": &error.message);
    // Without the last member OpenAI's library passes the event to the program instead of raising it.
    put!(o, "param": error.param.as_ref(), "error": |o| openai_error(o, error));
}

/// Writes the members of OpenAI's error object.
fn openai_error(o: &mut Object<'_>, error: &ApiError) {
    let code = error.code.as_deref().or(error.kind.told().2);
    put!(o, "message": &error.message, "type": error.kind.told().1);
    put!(o, "param": error.param.as_ref(), "code": code);
    spent(o, error);
}

/// Writes the budget that has no room, in the same members for everybody.
fn spent(o: &mut Object<'_>, error: &ApiError) {
    if let Some(halted) = &error.halted {
        put!(o, "limit_source": halted.limit_source, "rule": &halted.rule, "stopped": &halted.whom);
        put!(o, "since": &halted.since, "lifted_by": &halted.lifted_by);
    }
    let Some(budget) = &error.budget else { return };
    put!(o, "limit_source": &budget.limit_source, "limit": &budget.limit, "spent": &budget.spent);
    put!(o, "held": &budget.held, "resets_at": budget.resets_at.as_ref());
}

/// Reads the error that a provider answered with; where the body says nothing, the status speaks.
///
/// `from` names the provider; all their shapes are tried, as gateways in between often answer in another's.
pub fn read_error(from: Dialect, status: u16, body: &[u8]) -> ApiError {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let body = body.get(..body.len().min(READ)).unwrap_or(body);
    // A number that is none of an error's is not one to send on.
    let known = if (300..600).contains(&status) { status } else { 502 };
    let mut error = ApiError { status: known, ..ApiError::new(ErrorKind::from_status(known), "") };
    match check(body) {
        // Gemini wraps its errors into a list where it would have streamed one.
        Ok(root) => read_object(root.items().next().unwrap_or(root), &mut error),
        Err(_) => error.message = as_plain_text(body),
    }
    if error.message.is_empty() {
        error.message = format!("{from} answered with status {status} and no message");
    }
    error.message = clean(&error.message);
    error.code = error.code.map(|code| clean(&code)).filter(|code| !code.is_empty());
    if matches!(error.status, 400 | 403 | 413 | 422) && is_too_long(&error) {
        error.code = Some(TOO_LONG.to_owned());
    }
    error.param = error.param.map(|param| clean(&param)).filter(|param| !param.is_empty());
    error
}

/// Reads an error event of a stream, which comes without a status of its own.
pub(super) fn read_event(from: Dialect, data: &str) -> ApiError {
    let status = check(data.as_bytes()).ok().and_then(|root| {
        // Gemini wraps its errors into a list where it would have streamed one.
        let root = root.items().next().unwrap_or(root);
        let nested = root.get("error").or_else(|| root.get("response")?.get("error"));
        let error = nested.filter(|error| error.is_object()).unwrap_or(root);
        let code = ["code", "status", "status_code"].iter().find_map(|key| error.get(key)?.number());
        let by_code = code.and_then(|code| u16::try_from(code).ok()).filter(|code| (400..600).contains(code));
        let kind = error.text_of("type").filter(|kind| kind != "error");
        by_code.or_else(|| Some(status_of(&kind.or_else(|| error.text_of("code"))?)))
    });
    read_error(from, status.unwrap_or(502), data.as_bytes())
}

/// Returns why a body cannot be read: a page, which no model wrote, is the word of what stands before it that there is no answer.
pub(super) fn unreadable(body: &[u8], why: &str) -> WireError {
    if body.trim_ascii_start().starts_with(b"<") {
        let message = "the provider's answer cannot be read: it is a page, not JSON";
        return WireError::Upstream(ApiError::new(ErrorKind::Server, message));
    }
    WireError::Malformed(why.to_owned())
}

/// Says whether a value under the key `error` reports one; some servers always have the key.
pub(super) fn is_error(value: Value<'_>) -> bool {
    match value.text() {
        Some(text) => !text.trim().is_empty(),
        None if value.is_object() => value.members().next().is_some(),
        None => value.flag() == Some(true) || value.items().next().is_some(),
    }
}

/// Says whether an object is the report of an error, in any of the shapes that servers have for it.
pub(super) fn reports_error(root: Value<'_>) -> bool {
    let [error, kind, object, detail] = root.pick(["error", "type", "object", "detail"]);
    let says_error = |word: Option<Value<'_>>| word.and_then(Value::text).as_deref() == Some("error");
    error.is_some_and(is_error) || says_error(kind) || says_error(object) || detail.is_some()
}

fn status_of(kind: &str) -> u16 {
    match kind {
        // What OpenAI's failed responses say of their requests is behind it.
        "invalid_request_error"
        | "invalid_prompt"
        | "invalid_image"
        | "invalid_image_format"
        | "invalid_base64_image"
        | "invalid_image_url"
        | "invalid_image_mode"
        | "image_too_large"
        | "image_too_small"
        | "image_parse_error"
        | "image_content_policy_violation"
        | "image_file_too_large"
        | "unsupported_image_media_type"
        | "empty_image_file"
        | "failed_to_download_image"
        | "image_file_not_found" => 400,
        "authentication_error" => 401,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" | "rate_limit_exceeded" | "insufficient_quota" => 429,
        "overloaded_error" => 529,
        "timeout_error" => 504,
        _ => 502,
    }
}

fn read_object(root: Value<'_>, error: &mut ApiError) {
    let nested = root.get("error").or_else(|| root.get("response")?.get("error"));
    let inner = nested.filter(|inner| inner.is_object()).unwrap_or(root);
    let said = ["message", "detail", "error", "msg"].iter().find_map(|key| inner.text_of(key));
    let said = said.or_else(|| nested.and_then(Value::text));
    // Some servers answer with a list of what is wrong.
    let listed = || {
        let within = || inner.get("message")?.get("detail");
        let first = inner.get("detail").or_else(|| root.get("detail")).or_else(within)?.items().next()?;
        first.text_of("msg").or_else(|| first.text_of("message"))
    };
    error.message = said.or_else(listed).unwrap_or_default().into_owned();
    let code = inner.text_of("code").or_else(|| inner.get("details")?.text_of("error_code"));
    let word = code
        .or_else(|| inner.text_of("status"))
        .or_else(|| inner.text_of("type").filter(|kind| kind != "error"));
    error.param = inner.text_of("param").map(std::borrow::Cow::into_owned);
    error.retry_after_ms = retry_delay(inner);
    if let Some(word) = word {
        if matches!(&*word, "insufficient_quota" | "billing_error") {
            error.kind = ErrorKind::Budget;
        } else if word == "overloaded_error" {
            error.kind = ErrorKind::Overloaded;
        }
        error.code = Some(word.into_owned());
    }
}

/// Reads Google's `retryDelay: "34s"`.
fn retry_delay(error: Value<'_>) -> Option<u64> {
    let delay = error.get("details")?.items().find_map(|detail| detail.text_of("retryDelay"))?;
    u64::try_from(Span::parse(&delay)?.0 / 1_000).ok()
}

/// Returns a body that is no JSON as text; a page of HTML says nothing to anyone.
fn as_plain_text(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.starts_with('<') { String::new() } else { text.to_owned() }
}

/// Takes out control characters and what looks like a key, and cuts to [`LONGEST`] characters.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(LONGEST * 4));
    let mut bearer = false;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        if bearer {
            out.push_str("[redacted]");
        } else {
            redact(word, &mut out);
        }
        bearer = word.trim_end_matches(':').eq_ignore_ascii_case("bearer");
    }
    out.chars().filter(|c| is_safe(*c)).take(LONGEST).collect()
}

/// What keys of the usual providers, and our own, begin with.
const KEYS: [&str; 14] =
    ["sk-", "sk_", "pk-", "pm_", "AIza", "ya29.", "gsk_", "xai-", "rk_", "hf_", "ghp_", "eyJ", "AKIA", "or-"];

/// Writes a word with the parts that look like keys taken out.
fn redact(word: &str, out: &mut String) {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*' | '+' | '/' | '~');
    let mut rest = word;
    let mut after_key = false;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let (token, tail) = rest.split_at(end);
        let looks = (token.len() >= 8 && KEYS.iter().any(|key| token.starts_with(key)))
            || (after_key && token.len() >= 8)
            // Long runs of letters and digits mixed are no words.
            || (token.len() >= 40
                && token.bytes().any(|b| b.is_ascii_digit())
                && token.bytes().any(|b| b.is_ascii_alphabetic())
                && !token.contains(['/', '.']));
        out.push_str(if looks { "[redacted]" } else { token });
        let mark = tail.find(is_part).unwrap_or(tail.len());
        let (marks, next) = tail.split_at(mark);
        after_key = marks.ends_with('=') && token.to_ascii_lowercase().ends_with("key");
        out.push_str(marks);
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &Bytes) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn each_library_finds_its_own_shape() {
        let mut error = ApiError::new(ErrorKind::RateLimited, "too \"fast\"");
        error.param = Some("model".into());
        assert_eq!(
            text(&error_body(Dialect::OpenAiChat, &error)),
            r#"{"error":{"message":"too \"fast\"","type":"rate_limit_error","param":"model","code":"rate_limit_exceeded"}}"#
        );
        assert_eq!(
            text(&error_body(Dialect::AnthropicMessages, &error)),
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"too \"fast\""}}"#
        );
        assert_eq!(
            text(&error_body(Dialect::Gemini, &error)),
            r#"{"error":{"code":429,"message":"too \"fast\"","status":"RESOURCE_EXHAUSTED"}}"#
        );
    }

    #[test]
    fn errors_of_every_provider_are_understood() {
        use Dialect::{AnthropicMessages, Gemini, OpenAiChat};
        #[rustfmt::skip]
        let cases = [
            (OpenAiChat, 429, r#"{"error":{"message":"slow","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#, ErrorKind::RateLimited, "slow"),
            (OpenAiChat, 429, r#"{"error":{"message":"pay","type":"insufficient_quota","code":"insufficient_quota"}}"#, ErrorKind::Budget, "pay"),
            (AnthropicMessages, 529, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}"#, ErrorKind::Overloaded, "Overloaded"),
            (Gemini, 400, r#"[{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}]"#, ErrorKind::InvalidRequest, "bad"),
            (OpenAiChat, 422, r#"{"detail":[{"loc":["body"],"msg":"extra","type":"x"}]}"#, ErrorKind::InvalidRequest, "extra"),
            (OpenAiChat, 500, r#"{"error":"broken"}"#, ErrorKind::Server, "broken"),
            (OpenAiChat, 422, r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","x"],"msg":"Extra inputs"}]},"code":null}"#, ErrorKind::InvalidRequest, "Extra inputs"),
            (OpenAiChat, 502, "<html>bad gateway</html>", ErrorKind::Server, "OpenAI chat completions answered with status 502 and no message"),
            (OpenAiChat, 503, "no\u{7}\x1b[31mupstream", ErrorKind::Overloaded, "no [31mupstream"),
            (OpenAiChat, 404, "", ErrorKind::NotFound, "OpenAI chat completions answered with status 404 and no message"),
        ];
        for (from, status, body, kind, message) in cases {
            let error = read_error(from, status, body.as_bytes());
            assert_eq!((error.kind, error.message.as_str(), error.status), (kind, message, status), "{body}");
        }
        assert_eq!(read_error(OpenAiChat, 999, b"{}").status, 502, "no status of HTTP's");
        let waiting = r#"{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{"@type":"x"},{"retryDelay":"34.5s"}]}}"#;
        assert_eq!(read_error(Gemini, 429, waiting.as_bytes()).retry_after_ms, Some(34_500));
    }

    #[test]
    fn no_key_survives_in_a_message() {
        let synthetic = "abcdEFGH0123456789";
        for wrap in [
            "sk-X",
            "Incorrect key: sk-X.",
            "Authorization: Bearer X",
            "at https://h/v1?key=X&a=b",
            "'AIzaX'",
            "(pm_X)",
        ] {
            let said = clean(&wrap.replace('X', synthetic));
            assert!(!said.contains(synthetic) && said.contains("[redacted]"), "{said}");
        }
        assert_eq!(clean("The model `gpt-4.1` does not exist"), "The model `gpt-4.1` does not exist");
        assert_eq!(clean(&"é ".repeat(2_000)).chars().count(), LONGEST);
    }

    #[test]
    fn an_error_in_a_stream_finds_its_kind() {
        let event = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        let error = read_event(Dialect::AnthropicMessages, event);
        assert_eq!((error.status, error.kind), (529, ErrorKind::Overloaded));
        let event = r#"{"error":{"message":"boom","type":"server_error","code":503}}"#;
        assert_eq!(read_event(Dialect::OpenAiChat, event).status, 503);
        // One client's flagged prompt was the provider's outage for everybody.
        for (code, status) in [
            ("invalid_prompt", 400),
            ("failed_to_download_image", 400),
            ("rate_limit_exceeded", 429),
            ("server_error", 502),
        ] {
            let failed = format!(r#"{{"status":"failed","error":{{"code":"{code}","message":"m"}}}}"#);
            let event = format!(r#"{{"type":"error","code":"{code}","message":"m","param":null}}"#);
            let told = [failed, event].map(|data| read_event(Dialect::OpenAiResponses, &data).status);
            assert_eq!(told, [status; 2], "{code}");
        }
    }
}
