//! Google's generateContent.

pub(super) mod answer;
pub(super) mod listed;
pub(super) mod names;
pub(super) mod read_request;
pub(super) mod read_schema;
pub(super) mod sink;
pub(super) mod stream;
pub(super) mod write_answer;
pub(super) mod write_request;

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::calls::call_id;
use super::json::Value;
use super::reply::{Call, Finish, Part};

/// Reads why an answer ended.
fn finish_from(word: &str) -> Finish {
    match word {
        "STOP" => Finish::Stop,
        "MAX_TOKENS" => Finish::Length,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => Finish::Filtered,
        "" => Finish::Other,
        // `MALFORMED_FUNCTION_CALL`, `UNEXPECTED_TOOL_CALL`, `TOO_MANY_TOOL_CALLS`, `MISSING_THOUGHT_SIGNATURE`, `OTHER`:
        // the model went wrong, and what it wrote is nothing to go on with.
        _ => Finish::Failed,
    }
}

/// Reads a part of an answer; `nth` numbers the calls of the answer `id`.
fn part<'a>(value: Value<'a>, id: &str, nth: usize) -> Option<Part<'a>> {
    if let Some(function) = value.get("functionCall") {
        let name = function.text_of("name")?;
        let arguments = function.get("args").map_or("{}", Value::raw);
        let given = function.text_of("id").filter(|id| !id.is_empty());
        let call = given.unwrap_or_else(|| Cow::Owned(id_for(id, nth, &name, arguments)));
        return Some(Part::Call(Call { id: call, name, arguments: Cow::Borrowed(arguments) }));
    }
    let is_thought = value.get("thought").and_then(Value::flag) == Some(true);
    let other = ["inlineData", "fileData", "executableCode", "codeExecutionResult"];
    if !is_thought && other.iter().any(|key| value.get(key).is_some()) {
        return Some(Part::Other);
    }
    let text = value.text_of("text").filter(|text| !text.is_empty())?;
    Some(if is_thought { Part::Thought(text) } else { Part::Text(text) })
}

/// Makes an id for a call, which Gemini often gives none: the same for the same answer, and different within a conversation.
fn id_for(answer: &str, nth: usize, name: &str, arguments: &str) -> String {
    call_id(&Sha256::digest(format!("{answer}\n{nth}\n{name}\n{arguments}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_gemini_is_known_and_no_other() {
        for (finish, words) in [
            (Finish::Stop, "STOP"),
            (Finish::Length, "MAX_TOKENS"),
            (
                Finish::Filtered,
                "SAFETY RECITATION LANGUAGE BLOCKLIST PROHIBITED_CONTENT SPII MODEL_ARMOR IMAGE_SAFETY",
            ),
            (
                Finish::Failed,
                "MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS MISSING_THOUGHT_SIGNATURE OTHER FINISH_REASON_UNSPECIFIED x",
            ),
        ] {
            for word in words.split(' ') {
                assert_eq!(finish_from(word), finish, "{word}");
            }
        }
    }
}
