//! The tool call that a request follows, as a hash of names and arguments: equal where the same is called in the same way, whatever
//! the order of members and blanks, in whichever dialect.
//!
//! Invariant: text goes into the hash and nowhere else; what nobody called has none.

use std::hash::Hasher;

use super::Ask;
use crate::checks::Call;
use crate::wire::Dialect;
use crate::wire::gemini::names::member;
use crate::wire::json::{Value, check};

/// The most levels of arguments that are put in order; what lies deeper is taken as it was written.
const DEEPEST: u8 = 16;

impl Ask {
    /// Hashes the calls of the assistant's last turn, and counts the turns. None where it called nothing.
    pub fn last_call(&self, hasher: impl Hasher) -> Option<(u64, usize)> {
        let mut hash = Hash { calls: 0, hasher };
        self.each_last(|name, arguments| hash.take(name, arguments));
        hash.finish().map(|hash| (hash, self.scan.turns))
    }

    /// Counts the turns that it brings.
    pub fn turns(&self) -> usize {
        self.scan.turns
    }

    /// Says whether the assistant's last turn called anything.
    pub fn has_called(&self) -> bool {
        let mut any = false;
        self.each_last(|_, _| any = true);
        any
    }

    /// Returns the names of the tools that the assistant's last turn called, in order, each once, joined by `+`.
    pub fn last_tools(&self) -> String {
        let mut names: Vec<String> = Vec::new();
        self.each_last(|name, _| names.push(name.to_owned()));
        names.retain(|name| !name.is_empty());
        names.sort_unstable();
        names.dedup();
        names.join("+")
    }

    /// Tells each call of the assistant's last turn.
    fn each_last(&self, mut tell: impl FnMut(&str, Option<Value<'_>>)) {
        for turn in self.scan.last_turn.iter().filter_map(|span| self.value(span)) {
            each_call(self.dialect, turn, &mut tell);
        }
    }
}

/// Hashes the calls of an answer as [`Ask::last_call`] does those of a request that brings them back; none where nothing was called.
pub fn hash_calls<'a>(calls: impl Iterator<Item = &'a Call>, hasher: impl Hasher) -> Option<u64> {
    let mut hash = Hash { calls: 0, hasher };
    for call in calls {
        // As OpenAI writes arguments: JSON within text.
        let arguments = serde_json::Value::from(call.arguments.as_str()).to_string();
        hash.take(&call.name, Some(Value::of(&arguments)));
    }
    hash.finish()
}

/// A hash of calls, one after the other.
struct Hash<H> {
    calls: usize,
    hasher: H,
}

impl<H: Hasher> Hash<H> {
    fn take(&mut self, name: &str, arguments: Option<Value<'_>>) {
        self.calls += 1;
        self.hasher.write(name.as_bytes());
        self.hasher.write_u8(0);
        match arguments {
            Some(arguments) => canonical(arguments, DEEPEST, &mut self.hasher),
            None => self.hasher.write(b"{}"),
        }
        self.hasher.write_u8(0);
    }

    fn finish(self) -> Option<u64> {
        (self.calls > 0).then(|| self.hasher.finish())
    }
}

/// Tells each call of a turn: its name and its arguments.
fn each_call(dialect: Dialect, turn: Value<'_>, tell: &mut dyn FnMut(&str, Option<Value<'_>>)) {
    match dialect {
        Dialect::OpenAiChat => {
            let older = turn.get("function_call");
            let calls = turn
                .list("tool_calls")
                .filter_map(|call| call.get("function").or_else(|| call.get("custom")));
            for call in calls.chain(older) {
                let [name, arguments, input] = call.pick(["name", "arguments", "input"]);
                tell(&name.and_then(Value::text).unwrap_or_default(), arguments.or(input));
            }
        }
        Dialect::AnthropicMessages => {
            for part in turn.list("content") {
                let [kind, name, input] = part.pick(["type", "name", "input"]);
                if kind.and_then(Value::text).as_deref() == Some("tool_use") {
                    tell(&name.and_then(Value::text).unwrap_or_default(), input);
                }
            }
        }
        Dialect::OpenAiResponses => {
            let [kind, name, arguments, input] = turn.pick(["type", "name", "arguments", "input"]);
            let kind = kind.and_then(Value::text).filter(|kind| kind.ends_with("_call"));
            if let Some(kind) = kind {
                let action = || turn.get("action");
                let name = name.and_then(Value::text).unwrap_or(kind);
                tell(&name, arguments.or(input).or_else(action));
            }
        }
        Dialect::Gemini => {
            let calls = member(turn, "parts").into_iter().flat_map(Value::each);
            for call in calls.filter_map(|part| member(part, "functionCall")) {
                let name = member(call, "name").and_then(Value::text);
                tell(&name.unwrap_or_default(), member(call, "args"));
            }
        }
        Dialect::OpenAiCompletions | Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings => {}
    }
}

/// Hashes a value: members in the order of their names, without blanks, text as it reads. Text that is itself an object is
/// that object, as OpenAI writes arguments.
fn canonical(value: Value<'_>, levels: u8, hasher: &mut impl Hasher) {
    let Some(below) = levels.checked_sub(1) else { return hasher.write(value.raw().as_bytes()) };
    if value.is_object() {
        let mut members: Vec<_> = value.members().collect();
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        hasher.write_u8(b'{');
        for (name, value) in members {
            hasher.write(name.as_bytes());
            hasher.write_u8(b':');
            canonical(value, below, hasher);
        }
        hasher.write_u8(b'}');
    } else if value.is_array() {
        hasher.write_u8(b'[');
        for item in value.items() {
            canonical(item, below, hasher);
            hasher.write_u8(b',');
        }
        hasher.write_u8(b']');
    } else if let Some(text) = value.text() {
        let within =
            (levels == DEEPEST && text.trim_start().starts_with('{')).then(|| check(text.as_bytes()).ok());
        if let Some(object) = within.flatten() {
            canonical(object, below, hasher);
        } else {
            hasher.write_u8(b'"');
            hasher.write(text.as_bytes());
            hasher.write_u8(b'"');
        }
    } else {
        hasher.write(value.raw().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::hash::DefaultHasher;

    use bytes::Bytes;

    use super::*;

    fn of(dialect: Dialect, body: &str) -> Option<(u64, usize)> {
        let named = (dialect == Dialect::Gemini).then_some("m");
        Ask::read_for(dialect, Bytes::from(body.to_owned()), named).unwrap().last_call(DefaultHasher::new())
    }

    fn chat(arguments: &str, after: &str) -> String {
        let quoted = serde_json::Value::from(arguments).to_string();
        format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"go"}},{{"role":"assistant","content":null,"tool_calls":[{{"id":"1","type":"function","function":{{"name":"read","arguments":{quoted}}}}}]}},{{"role":"tool","tool_call_id":"1","content":"ok"}}{after}]}}"#
        )
    }

    #[test]
    fn one_call_hashes_alike_in_every_dialect_and_manner_of_writing() {
        let wanted = of(Dialect::OpenAiChat, &chat(r#"{"path":"a","n":1}"#, "")).unwrap();
        assert_eq!(wanted.1, 3);
        let same = chat("{ \"n\" : 1,\n \"path\" : \"\\u0061\" }", "");
        assert_eq!(of(Dialect::OpenAiChat, &same).unwrap(), wanted, "order, blanks and escapes say nothing");
        let messages = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"go"},{"role":"assistant","content":[{"type":"text","text":"hm"},{"type":"tool_use","id":"1","name":"read","input":{"n":1,"path":"a"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"ok"}]}]}"#;
        assert_eq!(of(Dialect::AnthropicMessages, messages).unwrap(), wanted);
        let responses = r#"{"model":"m","input":[{"role":"user","content":"go"},{"type":"function_call","call_id":"1","name":"read","arguments":"{\"path\":\"a\",\"n\":1}"},{"type":"function_call_output","call_id":"1","output":"ok"}]}"#;
        assert_eq!(of(Dialect::OpenAiResponses, responses).unwrap(), wanted);
        let gemini = r#"{"contents":[{"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[{"functionCall":{"name":"read","args":{"path":"a","n":1}}}]},{"role":"user","parts":[{"functionResponse":{"name":"read","response":{}}}]}]}"#;
        assert_eq!(of(Dialect::Gemini, gemini).unwrap(), wanted);
    }

    #[test]
    fn another_argument_is_another_call_and_an_answer_ends_it() {
        let one = of(Dialect::OpenAiChat, &chat(r#"{"path":"a"}"#, "")).unwrap();
        assert_ne!(of(Dialect::OpenAiChat, &chat(r#"{"path":"b"}"#, "")).unwrap().0, one.0);
        let answered = r#",{"role":"assistant","content":"done"},{"role":"user","content":"and now?"}"#;
        assert_eq!(of(Dialect::OpenAiChat, &chat(r#"{"path":"a"}"#, answered)), None);
        let plain = r#"{"model":"m","messages":[{"role":"user","content":"go"}]}"#;
        assert_eq!(of(Dialect::OpenAiChat, plain), None);
    }

    #[test]
    fn calls_of_one_turn_belong_together() {
        let item = |id: u8, path: &str| {
            format!(
                r#"{{"type":"function_call","call_id":"{id}","name":"read","arguments":"{{\"path\":\"{path}\"}}"}}"#
            )
        };
        let output = r#"{"type":"function_call_output","call_id":"1","output":"ok"}"#;
        let body = |items: &[String]| format!(r#"{{"model":"m","input":[{}]}}"#, items.join(","));
        let read = |items: &[String]| of(Dialect::OpenAiResponses, &body(items)).unwrap().0;
        let both = read(&[item(1, "a"), item(2, "b"), output.to_owned()]);
        assert_ne!(both, read(&[item(2, "b"), output.to_owned()]));
        let later = [item(0, "z"), output.to_owned(), item(1, "a"), item(2, "b"), output.to_owned()];
        assert_eq!(both, read(&later), "what came before a result is an earlier turn");
    }
}
