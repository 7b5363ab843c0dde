//! OpenAI's older completions: a prompt that is continued. Many servers of open models have them still.

pub(super) mod answer;
pub(super) mod read_request;
pub(super) mod sink;

use super::Ask;
use super::chat::chunks::Form;
use super::json::Value;
use super::reply::Finish;

/// What completions and their chunks call themselves.
const FORM: Form = Form { prefix: "cmpl-", object: "text_completion", chunk: "text_completion" };

/// The tokens of an answer where the client names no limit, as OpenAI documents.
pub(super) const USUAL_LIMIT: u64 = 16;

/// Says why an answer ended. There is no word for calls of tools, as there are no tools.
fn finish_word(finish: Finish) -> &'static str {
    match finish {
        Finish::Length => "length",
        Finish::Filtered => "content_filter",
        _ => "stop",
    }
}

/// Gives the prompt where the client wants it repeated before the answer.
fn echoed(ask: &Ask) -> String {
    let root = ask.root();
    if root.get("echo").and_then(Value::flag) != Some(true) {
        return String::new();
    }
    root.get("prompt")
        .and_then(read_request::sole_prompt)
        .map(std::borrow::Cow::into_owned)
        .unwrap_or_default()
}
