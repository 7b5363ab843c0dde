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
use crate::wire::prompt::Reader;
use crate::wire::responses::read_request::is_our_reasoning;

/// Returns the body without such thoughts. Anthropic wants a thought before calls whose results follow where the model is to
/// think by a budget: where another model called, none is asked for.
pub(super) fn without_thoughts(body: Bytes, reader: Reader<'_>) -> Bytes {
    let to = reader.to;
    let (mark, list): (&[u8], _) = match to {
        Dialect::AnthropicMessages => (SIGNATURE.as_bytes(), "messages"),
        Dialect::OpenAiResponses => (b"_resp_", "input"),
        // Mistral's own servers are asked in another way.
        Dialect::OpenAiChat => (b"\"thinking\"", "messages"),
        _ => return body,
    };
    let has = |mark: &[u8]| memmem::find(&body, mark).is_some();
    let may_be_bare = to == Dialect::AnthropicMessages && has(b"\"enabled\"") && has(b"\"tool_use\"");
    if !has(mark) && !may_be_bare {
        return body;
    }
    let root = std::str::from_utf8(&body).map(Value::of);
    let Some(turns) = root.as_ref().ok().and_then(|root| root.get(list)) else { return body };
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
        let is_of = |part: Value<'_>, kind: &str| part.text_of("type").as_deref() == Some(kind);
        // All calls since the user spoke are one turn, which begins with a thought.
        let mut turn_of = Loop::default();
        for turn in turns.items() {
            let Some(content) = turn.get("content") else { continue };
            let is_ours = |part: &Value<'_>| part.text_of("signature").is_some_and(|sign| sign == SIGNATURE);
            match turn.text_of("role").as_deref() {
                Some("assistant") => turn_of.answers(content.items().filter(|part| !is_ours(part))),
                Some("user") => turn_of.hears(content.items().any(|part| is_of(part, "tool_result"))),
                // The server's own, between them.
                _ => {}
            }
            if content.items().any(|part| is_ours(&part) || cites_ours(part)) {
                let kept = content.items().filter(|part| !is_ours(part)).map(uncited).collect();
                // A turn has to say something.
                replace(content, kept, r#"{"type":"text","text":"..."}"#);
            }
        }
        let thinking = root.ok().and_then(|root| root.get("thinking")).filter(|_| turn_of.calls_bare());
        if let Some(thinking) = thinking.filter(|said| said.text_of("type").as_deref() == Some("enabled")) {
            spans.push((thinking.span_in(&body), br#"{"type":"disabled"}"#.to_vec()));
            reader.leave_out("thinking");
        }
    }
    apply(&body, spans)
}

/// All calls since the user spoke: to Claude they are one turn, which begins with a thought.
#[derive(Default)]
struct Loop {
    /// Whether it calls before it thinks, once it does either.
    begins_bare: Option<bool>,
    /// Whether messages of the user stand last, and whether one of them brings a result: those in a row are one.
    hears: Option<bool>,
}

impl Loop {
    fn hears(&mut self, has_result: bool) {
        self.hears = Some(self.hears.unwrap_or_default() || has_result);
    }

    fn answers<'a>(&mut self, parts: impl Iterator<Item = Value<'a>>) {
        self.ends();
        for kind in parts.filter_map(|part| part.text_of("type")) {
            let said = match &*kind {
                "thinking" | "redacted_thinking" => false,
                "tool_use" => true,
                _ => continue,
            };
            self.begins_bare.get_or_insert(said);
        }
    }

    /// The user spoke, and brought no result: another turn begins.
    fn ends(&mut self) {
        if self.hears.take() == Some(false) {
            self.begins_bare = None;
        }
    }

    fn calls_bare(mut self) -> bool {
        self.ends();
        self.begins_bare == Some(true)
    }
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
    written(|o| o.copy(part, |key| key != "citations")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Sending;
    use crate::wire::reader::Notes;

    fn sent(to: Dialect, body: &str) -> String {
        let (sending, notes) = (Sending::default(), Notes::default());
        let reader = Reader { from: to, to, model: "m", upstream: "m", sending: &sending, notes: &notes };
        String::from_utf8(without_thoughts(Bytes::from(body.to_owned()), reader).to_vec()).unwrap()
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
        let call = r#"{"type":"tool_use","id":"t","name":"f","input":{}}"#;
        let thinks = |content: &str, kind: &str| {
            let body = body(content);
            format!("{},\"thinking\":{{\"type\":\"{kind}\"}}}}", body.trim_end_matches('}'))
        };
        for (content, left, kind) in [
            (format!("[{ours},{call}]"), format!("[{call}]"), "disabled"),
            (format!("[{theirs},{call}]"), format!("[{theirs},{call}]"), "enabled"),
            (format!("[{call}]"), format!("[{call}]"), "disabled"),
        ] {
            let got = sent(Dialect::AnthropicMessages, &thinks(&content, "enabled"));
            assert_eq!(
                got,
                thinks(&left, kind),
                "Claude wants a thought of its own before calls whose results follow"
            );
        }
        // A loop of calls is one turn: Claude thinks at its beginning alone, and each change throws its cache away.
        let loops = |first: &str, then: &str| {
            let said = |role: &str, content: &str| format!(r#"{{"role":"{role}","content":{content}}}"#);
            let result = r#"[{"type":"tool_result","tool_use_id":"t","content":"r"},{"type":"text","text":"<system-reminder>"}]"#;
            let turns = [said("user", "\"x\""), said("assistant", first), said("user", result)];
            let turns = [&turns[..], &[said("assistant", then), said("user", result)]].concat().join(",");
            format!(r#"{{"messages":[{turns}],"thinking":{{"type":"enabled"}}}}"#)
        };
        let native = loops(&format!("[{theirs},{call}]"), &format!("[{call}]"));
        assert_eq!(sent(Dialect::AnthropicMessages, &native), native);
        let mixed = loops(&format!("[{call}]"), &format!("[{theirs},{call}]"));
        assert!(sent(Dialect::AnthropicMessages, &mixed).contains("disabled"), "the loop began without");
        // What stands between, or before the thought, ends no turn.
        let say = |role: &str, content: &str| format!(r#"{{"role":"{role}","content":{content}}}"#);
        let result = r#"[{"type":"tool_result","tool_use_id":"t","content":"r"}]"#;
        let aside = |role: &str, first: &str| {
            let turns = [
                say("user", "\"x\""),
                say("assistant", first),
                say("user", result),
                say(role, "\"<system-reminder>\""),
                say("assistant", &format!("[{call}]")),
                say("user", result),
            ];
            format!(r#"{{"messages":[{}],"thinking":{{"type":"enabled"}}}}"#, turns.join(","))
        };
        let compacted = format!(
            r#"[{{"type":"compaction","content":"c"}},{{"type":"text","text":"a"}},{theirs},{call}]"#
        );
        for body in [
            aside("user", &format!("[{theirs},{call}]")),
            aside("system", &format!("[{theirs},{call}]")),
            aside("user", &compacted),
        ] {
            assert_eq!(sent(Dialect::AnthropicMessages, &body), body);
        }
        assert!(sent(Dialect::AnthropicMessages, &aside("user", &format!("[{call}]"))).contains("disabled"));
        let item = r#"{"type":"message","id":"msg_1_resp_c1","role":"assistant","content":[]}"#;
        let body =
            format!(r#"{{"input":[{{"type":"reasoning","id":"rs_0_resp_c1","summary":[]}}, {item}]}}"#);
        assert_eq!(sent(Dialect::OpenAiResponses, &body), format!(r#"{{"input":[{item}]}}"#));
        let native = r#"{"input":[{"type":"reasoning","id":"rs_68af","summary":[]}],"previous_response_id":"x_resp_y"}"#;
        assert_eq!(sent(Dialect::OpenAiResponses, native), native);
    }
}
