//! What an answer of ours brings back in a later turn and no provider takes: thoughts of another provider's model, which
//! carry no signature of Anthropic's, lie in no store of OpenAI's or are parts that only Mistral knows, pictures, which Anthropic takes from users alone, and citations that no search of Anthropic's found.
//!
//! Invariant: a body without such is given back as it is, after one search for a mark.

use std::borrow::Cow;

use bytes::Bytes;
use memchr::memmem;

use super::edits::apply;
use crate::wire::Dialect;
use crate::wire::chat::read_request::is_of_mistral;
use crate::wire::json::{Value, written};
use crate::wire::messages::SIGNATURE;

/// Returns the body without such thoughts.
pub(super) fn without_thoughts(to: Dialect, body: Bytes) -> Bytes {
    let (mark, list): (&[u8], _) = match to {
        Dialect::AnthropicMessages => (SIGNATURE.as_bytes(), "messages"),
        Dialect::OpenAiResponses => (b"_resp_", "input"),
        // Mistral's own servers are asked in another way.
        Dialect::OpenAiChat => (b"\"thinking\"", "messages"),
        _ => return body,
    };
    if memmem::find(&body, mark).is_none() {
        return body;
    }
    let root = std::str::from_utf8(&body).map(Value::of);
    let Some(turns) = root.ok().and_then(|root| root.get(list)) else { return body };
    let mut spans = Vec::new();
    let mut replace = |whole: Value<'_>, kept: Vec<Cow<'_, str>>, instead: &str| {
        let list = if kept.is_empty() { instead.to_owned() } else { kept.join(",") };
        spans.push((whole.span_in(&body), format!("[{list}]").into_bytes()));
    };
    if to == Dialect::OpenAiResponses {
        let kept = turns.items().filter(|item| !is_our_reasoning(*item));
        replace(turns, kept.map(|item| item.raw().into()).collect(), "");
    } else if to == Dialect::OpenAiChat {
        for content in turns.items().filter_map(|turn| turn.get("content")) {
            if content.items().any(is_of_mistral) {
                let kept = content.items().filter(|part| !is_of_mistral(*part)).map(|part| part.raw().into());
                replace(content, kept.collect(), r#"{"type":"text","text":"..."}"#);
            }
        }
    } else {
        for content in turns.items().filter_map(|turn| turn.get("content")) {
            let is_ours = |part: &Value<'_>| part.text_of("signature").is_some_and(|sign| sign == SIGNATURE);
            if content.items().any(|part| is_ours(&part) || cites_ours(part)) {
                let kept = content.items().filter(|part| !is_ours(part)).map(uncited).collect();
                // A turn has to say something.
                replace(content, kept, r#"{"type":"text","text":"..."}"#);
            }
        }
    }
    apply(&body, spans)
}

/// Says whether a text rests on something that an answer of ours told, in whose place Anthropic wants an index of its own.
fn cites_ours(part: Value<'_>) -> bool {
    let is_ours = |one: Value<'_>| one.text_of("encrypted_index").is_some_and(|index| index == SIGNATURE);
    part.list("citations").any(is_ours)
}

/// Returns a part without such citations.
fn uncited(part: Value<'_>) -> Cow<'_, str> {
    if !cites_ours(part) {
        return part.raw().into();
    }
    let kept = part.members().filter(|(key, _)| key != "citations");
    written(|o| kept.for_each(|(key, value)| o.put(&key, value))).into()
}

/// Says whether an item is thoughts that a response of ours told: their ids are made from that of the response.
fn is_our_reasoning(item: Value<'_>) -> bool {
    item.text_of("type").as_deref() == Some("reasoning")
        && item.text_of("id").is_some_and(|id| id.starts_with("rs_") && id.contains("_resp_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(to: Dialect, body: &str) -> String {
        String::from_utf8(without_thoughts(to, Bytes::from(body.to_owned())).to_vec()).unwrap()
    }

    #[test]
    fn thoughts_of_others_do_not_go_back_and_all_else_does() {
        let ours = format!(r#"{{"type":"thinking","thinking":"t","signature":"{SIGNATURE}"}}"#);
        let theirs = r#"{"type":"thinking","thinking":"t","signature":"EqQB"}"#;
        let body = |content: &str| {
            format!(
                r#"{{"messages":[{{"role":"user","content":"x"}}, {{"role":"assistant","content":{content}}}],"n": 1.0}}"#
            )
        };
        for (content, want) in [
            (
                format!("[{ours}, {{\"type\":\"text\",\"text\":\"a\"}}]"),
                "[{\"type\":\"text\",\"text\":\"a\"}]".to_owned(),
            ),
            (format!("[{theirs}, {ours}]"), format!("[{theirs}]")),
            (format!("[{ours}]"), r#"[{"type":"text","text":"..."}]"#.to_owned()),
            (format!("[ {theirs} ]"), format!("[ {theirs} ]")),
        ] {
            assert_eq!(sent(Dialect::AnthropicMessages, &body(&content)), body(&want));
        }
        let item = r#"{"type":"message","id":"msg_1_resp_c1","role":"assistant","content":[]}"#;
        let body =
            format!(r#"{{"input":[{{"type":"reasoning","id":"rs_0_resp_c1","summary":[]}}, {item}]}}"#);
        assert_eq!(sent(Dialect::OpenAiResponses, &body), format!(r#"{{"input":[{item}]}}"#));
        let native = r#"{"input":[{"type":"reasoning","id":"rs_68af","summary":[]}],"previous_response_id":"x_resp_y"}"#;
        assert_eq!(sent(Dialect::OpenAiResponses, native), native);
    }
}
