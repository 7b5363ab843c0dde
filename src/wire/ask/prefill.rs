//! A last turn by the assistant in a request for Anthropic's messages, which newer models refuse to go on with, and which
//! none takes with blanks at its end.
//!
//! Invariant: a turn that waits for tools of Anthropic's own to go on stays as it is.

use bytes::Bytes;

use super::edits::apply;
use crate::wire::json::{Value, object, put, quoted};
use crate::wire::prompt::{Reader, go_on};

/// Trims the turn, or has the user ask to go on with it.
pub(super) fn settle(body: Bytes, reader: Reader<'_>) -> Bytes {
    let Ok(root) = std::str::from_utf8(&body).map(Value::of) else { return body };
    let turns = root.list("messages");
    let Some(last) = turns.last().filter(|turn| turn.text_of("role").as_deref() == Some("assistant")) else {
        return body;
    };
    let Some(content) = last.get("content") else { return body };
    let is_text = |block: Value<'_>| {
        matches!(block.text_of("type").as_deref(), Some("text" | "thinking" | "redacted_thinking"))
    };
    let is_spoken = content.is_text() || content.items().all(is_text);
    let said = if content.is_text() {
        Some(content)
    } else {
        content.items().last().and_then(|block| block.get("text"))
    };
    let Some((said, text)) = said.filter(|_| is_spoken).and_then(|said| Some((said, said.text()?))) else {
        return body;
    };
    if reader.sending.known.refuses_prefill(reader.to) {
        reader.leave_out("messages (prefill)");
        let mut turn = b",".to_vec();
        object(&mut turn, |o| put!(o, "role": "user", "content": &go_on()));
        let end = last.span_in(&body).end;
        return apply(&body, vec![(end..end, turn)]);
    }
    let kept = text.trim_end();
    if kept.len() == text.len() || kept.is_empty() {
        return body;
    }
    apply(&body, vec![(said.span_in(&body), quoted(kept).into())])
}
