//! Google's generateContent.

pub(super) mod answer;
pub(super) mod stream;
pub(super) mod write_request;

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::json::Value;
use super::reply::{Call, Finish, Part};

/// Reads why an answer ended.
fn finish_from(word: &str) -> Finish {
    match word {
        "STOP" => Finish::Stop,
        "MAX_TOKENS" => Finish::Length,
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "IMAGE_SAFETY"
        | "LANGUAGE" => Finish::Filtered,
        _ => Finish::Other,
    }
}

/// Reads a part of an answer; `nth` numbers the calls of the answer `id`. Thoughts are no part of it.
fn part<'a>(value: Value<'a>, id: &str, nth: usize) -> Option<Part<'a>> {
    if let Some(function) = value.get("functionCall") {
        let name = function.text_of("name")?;
        let arguments = function.get("args").map_or("{}", Value::raw);
        let given = function.text_of("id").filter(|id| !id.is_empty());
        let call = given.unwrap_or_else(|| Cow::Owned(call_id(id, nth, &name, arguments)));
        return Some(Part::Call(Call { id: call, name, arguments: Cow::Borrowed(arguments) }));
    }
    if value.get("thought").and_then(Value::flag) == Some(true) {
        return None;
    }
    value.text_of("text").filter(|text| !text.is_empty()).map(Part::Text)
}

/// Makes an id for a call, which Gemini often gives none: the same for the same answer, and different within a conversation.
fn call_id(answer: &str, nth: usize, name: &str, arguments: &str) -> String {
    let digest = Sha256::digest(format!("{answer}\n{nth}\n{name}\n{arguments}"));
    let hex = |out: String, byte: &u8| out + &format!("{byte:02x}");
    digest.iter().take(12).fold("call_".to_owned(), hex)
}
