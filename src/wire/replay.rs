//! A whole answer told as a stream of its own dialect: for a client that asked for events of a provider that gave none.
//!
//! Invariant: every item and member stands in the events as the provider wrote it; what is left empty where something
//! begins comes with what lets it grow, so that a client that puts the pieces together has the answer as it was.

use bytes::BytesMut;

use super::calls::own_id;
use super::finish::Finish;
use super::json::{Object, Raw, Value, put, quoted, written};
use super::reply::{Choice, Reply};
use super::sse::event;
use super::{Ask, Dialect, messages, usage};

/// What stands where nothing was said.
const EMPTY: &str = "\"\"";

/// Writes all the events of an answer to `ask`, the last one included; `reply` is what was read of it.
pub(super) fn write(ask: &Ask, root: Value<'_>, reply: &Reply, out: &mut BytesMut) {
    match ask.dialect() {
        Dialect::OpenAiResponses => write_response(root, out),
        Dialect::AnthropicMessages => write_message(ask, root, reply, out),
        Dialect::Gemini => event(out, "", |o| with(o, root, &[])),
        Dialect::OpenAiCompletions => {
            event(out, "", |o| with(o, root, &[]));
            out.extend_from_slice(b"data: [DONE]\n\n");
        }
        Dialect::OpenAiChat | Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings => {
            write_chat(ask, root, reply, out);
        }
    }
}

/// Writes an event that says of a response that it failed, as its provider told it, but for the message, which is cleaned.
pub(super) fn failed(data: &str, message: &str, out: &mut BytesMut) {
    let root = Value::of(data);
    event(out, &root.text_of("type").unwrap_or_default(), |o| {
        replaced(o, root, &["response", "error", "message"], &quoted(message));
    });
}

/// Writes the members of an object, with another value at a path where there is one.
fn replaced(o: &mut Object<'_>, value: Value<'_>, path: &[&str], other: &str) {
    for (key, value) in value.members() {
        match path.split_first() {
            Some((name, [])) if key == *name => o.put(&key, Raw(other)),
            Some((name, rest)) if key == *name && value.is_object() => {
                o.object(&key, |o| replaced(o, value, rest, other));
            }
            _ => o.put(&key, value),
        }
    }
}

/// Writes the members of an object, with other values for some of them, which are added where they are missing.
pub(super) fn with(o: &mut Object<'_>, value: Value<'_>, changed: &[(&str, &str)]) {
    for (key, value) in value.members() {
        let other = changed.iter().find(|(name, _)| *name == key);
        o.put(&key, Raw(other.map_or(value.raw(), |(_, other)| other)));
    }
    for (name, other) in changed {
        if !value.members().any(|(key, _)| key == *name) {
            o.put(name, Raw(other));
        }
    }
}

/// Returns a member as it was written.
fn raw<'a>(value: Value<'a>, name: &str, or: &'a str) -> Raw<'a> {
    Raw(value.get(name).map_or(or, Value::raw))
}

/// Walks the items of a member.
fn items<'a>(value: Value<'a>, name: &str) -> impl Iterator<Item = (u64, Value<'a>)> {
    (0..).zip(value.list(name))
}

/// Writes numbered events.
struct Numbered<'o> {
    out: &'o mut BytesMut,
    next: u64,
}

impl Numbered<'_> {
    fn event(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        event(self.out, name, |o| {
            put!(o, "type": name, "sequence_number": self.next);
            fill(o);
        });
        self.next += 1;
    }

    /// Writes an event about a part of an item.
    fn of(&mut self, name: &str, place: &Place<'_>, fill: impl FnOnce(&mut Object<'_>)) {
        self.event(name, |o| {
            put!(o, "item_id": Raw(place.id), "output_index": place.item);
            if let Some((key, at)) = place.part {
                o.put(key, at);
            }
            fill(o);
        });
    }
}

/// Which part of the output an event is about.
struct Place<'a> {
    id: &'a str,
    item: u64,
    part: Option<(&'static str, u64)>,
}

fn write_response(root: Value<'_>, out: &mut BytesMut) {
    let begun = [
        ("status", "\"in_progress\""),
        ("output", "[]"),
        ("usage", "null"),
        ("completed_at", "null"),
        ("incomplete_details", "null"),
        ("error", "null"),
    ];
    let mut to = Numbered { out, next: 0 };
    for name in ["response.created", "response.in_progress"] {
        to.event(name, |o| put!(o, "response": |o| with(o, root, &begun)));
    }
    items(root, "output").for_each(|(at, item)| write_item(&mut to, at, item));
    let name = match root.text_of("status").as_deref() {
        Some("incomplete") => "response.incomplete",
        Some("failed") => "response.failed",
        _ => "response.completed",
    };
    to.event(name, |o| put!(o, "response": root));
}

fn write_item(to: &mut Numbered<'_>, at: u64, item: Value<'_>) {
    // What grows, and what it is before it does.
    let grows = match &*item.text_of("type").unwrap_or_default() {
        "message" => Some(("content", "[]")),
        "reasoning" => Some(("summary", "[]")),
        "function_call" => Some(("arguments", EMPTY)),
        "custom_tool_call" => Some(("input", EMPTY)),
        _ => None,
    };
    let grows = grows.filter(|(name, _)| item.get(name).is_some());
    to.event("response.output_item.added", |o| {
        put!(o, "output_index": at);
        let Some(grows) = grows else { return put!(o, "item": item) };
        let status = item.get("status").map(|_| ("status", "\"in_progress\""));
        let changed: Vec<_> = status.into_iter().chain([grows]).collect();
        put!(o, "item": |o| with(o, item, &changed));
    });
    let Raw(id) = raw(item, "id", EMPTY);
    let whole = Place { id, item: at, part: None };
    match grows.map(|(name, _)| name) {
        Some("content") => {
            for (at, part) in items(item, "content") {
                write_part(to, &Place { part: Some(("content_index", at)), ..whole }, part);
            }
        }
        Some("summary") => {
            for (at, part) in items(item, "summary") {
                write_summary(to, &Place { part: Some(("summary_index", at)), ..whole }, part);
            }
        }
        Some(key) => {
            let is_function = key == "arguments";
            let events = if is_function { "function_call_arguments" } else { "custom_tool_call_input" };
            let grown = || raw(item, key, EMPTY);
            to.of(&format!("response.{events}.delta"), &whole, |o| put!(o, "delta": grown()));
            to.of(&format!("response.{events}.done"), &whole, |o| {
                put!(o, "name"?: is_function.then(|| raw(item, "name", EMPTY)));
                o.put(key, grown());
            });
        }
        None => {}
    }
    to.event("response.output_item.done", |o| put!(o, "output_index": at, "item": item));
}

/// Writes a part of a message.
fn write_part(to: &mut Numbered<'_>, place: &Place<'_>, part: Value<'_>) {
    let (key, delta, done) = match part.text_of("type").as_deref() {
        Some("output_text") => ("text", "response.output_text.delta", "response.output_text.done"),
        Some("refusal") => ("refusal", "response.refusal.delta", "response.refusal.done"),
        _ => ("", "", ""),
    };
    let said = part.get(key);
    to.of("response.content_part.added", place, |o| {
        if said.is_none() {
            return put!(o, "part": part);
        }
        let lists = ["annotations", "logprobs"].into_iter().filter(|name| part.get(name).is_some());
        let changed: Vec<_> = lists.map(|name| (name, "[]")).chain([(key, EMPTY)]).collect();
        put!(o, "part": |o| with(o, part, &changed));
    });
    if let Some(said) = said {
        let logprobs = || (key == "text").then(|| raw(part, "logprobs", "[]"));
        to.of(delta, place, |o| put!(o, "delta": said, "logprobs"?: logprobs()));
        for (at, note) in items(part, "annotations") {
            let name = "response.output_text.annotation.added";
            to.of(name, place, |o| put!(o, "annotation_index": at, "annotation": note));
        }
        to.of(done, place, |o| {
            o.put(key, said);
            put!(o, "logprobs"?: logprobs());
        });
    }
    to.of("response.content_part.done", place, |o| put!(o, "part": part));
}

/// Writes a part of the summary of thoughts.
fn write_summary(to: &mut Numbered<'_>, place: &Place<'_>, part: Value<'_>) {
    let said = || raw(part, "text", EMPTY);
    to.of("response.reasoning_summary_part.added", place, |o| {
        put!(o, "part": |o| with(o, part, &[("text", EMPTY)]));
    });
    to.of("response.reasoning_summary_text.delta", place, |o| put!(o, "delta": said()));
    to.of("response.reasoning_summary_text.done", place, |o| put!(o, "text": said()));
    to.of("response.reasoning_summary_part.done", place, |o| put!(o, "part": part));
}

fn write_message(ask: &Ask, root: Value<'_>, reply: &Reply, out: &mut BytesMut) {
    let used = if let Some(said) = root.get("usage") {
        said.raw().to_owned()
    } else {
        let bytes = reply.choices.iter().map(Choice::bytes).sum();
        let counted = usage::filled(reply.usage, ask.measures().estimated_prompt_tokens, bytes);
        written(|o| usage::messages(o, &counted))
    };
    let begun =
        [("content", "[]"), ("stop_reason", "null"), ("stop_sequence", "null"), ("usage", used.as_str())];
    messages::event(out, "message_start", |o| put!(o, "message": |o| with(o, root, &begun)));
    for (at, block) in items(root, "content") {
        let kind = block.text_of("type").unwrap_or_default();
        let mut empty: Vec<(&str, &str)> = match &*kind {
            "text" => vec![("text", EMPTY)],
            "thinking" => vec![("thinking", EMPTY), ("signature", EMPTY)],
            "tool_use" => vec![("input", "{}")],
            _ => Vec::new(),
        };
        if kind == "text" && block.get("citations").is_some() {
            empty.push(("citations", "[]"));
        }
        messages::block_start(out, at, |o| with(o, block, &empty));
        let mut delta = |kind: &str, key: &str, grown: Raw<'_>| {
            messages::block_delta(out, at, |o| {
                put!(o, "type": kind);
                o.put(key, grown);
            });
        };
        let grown = |key: &str| raw(block, key, EMPTY);
        match &*kind {
            "text" => {
                delta("text_delta", "text", grown("text"));
                for (_, citation) in items(block, "citations") {
                    delta("citations_delta", "citation", Raw(citation.raw()));
                }
            }
            "thinking" => {
                delta("thinking_delta", "thinking", grown("thinking"));
                delta("signature_delta", "signature", grown("signature"));
            }
            "tool_use" => {
                let Raw(input) = raw(block, "input", "{}");
                delta("input_json_delta", "partial_json", Raw(&quoted(input)));
            }
            _ => {}
        }
        messages::block_stop(out, at);
    }
    messages::event(out, "message_delta", |o| {
        o.object("delta", |o| {
            let has_calls = reply.choices.first().is_some_and(|choice| choice.finish == Finish::ToolCalls);
            let usual = if has_calls { "\"tool_use\"" } else { "\"end_turn\"" };
            put!(o, "stop_reason": raw(root, "stop_reason", usual), "stop_sequence": root.get("stop_sequence"));
            put!(o, "stop_details"?: root.get("stop_details"), "container"?: root.get("container"));
        });
        put!(o, "usage": Raw(&used), "context_management"?: root.get("context_management"));
    });
    messages::event(out, "message_stop", |_| {});
}

fn write_chat(ask: &Ask, root: Value<'_>, reply: &Reply, out: &mut BytesMut) {
    for (at, choice) in items(root, "choices") {
        let spoken = written(|o| {
            put!(o, "index": raw(choice, "index", &at.to_string()));
            o.object("delta", |o| write_delta(o, choice.get("message")));
            o.copy(choice, |key| !matches!(key, "index" | "message" | "finish_reason"));
            put!(o, "finish_reason": null);
        });
        chunk(ask, root, out, Some(&spoken), None);
    }
    for ((at, choice), read) in items(root, "choices").zip(&reply.choices) {
        // Where nothing was said of how it ended, only the calls tell.
        let usual = if read.finish == Finish::ToolCalls { "\"tool_calls\"" } else { "\"stop\"" };
        let ended = written(|o| {
            put!(o, "index": raw(choice, "index", &at.to_string()), "delta": {}, "logprobs": null);
            put!(o, "finish_reason": raw(choice, "finish_reason", usual));
        });
        chunk(ask, root, out, Some(&ended), None);
    }
    if ask.wants_stream_usage() {
        // As it was written, or as it was read where it stood elsewhere.
        let said = root.get("usage").map(|said| said.raw().to_owned());
        let used = said.or_else(|| reply.usage.map(|counted| written(|o| usage::chat(o, &counted))));
        if let Some(used) = used {
            chunk(ask, root, out, None, Some(&used));
        }
    }
    out.extend_from_slice(b"data: [DONE]\n\n");
}

/// Writes a message as what is added to nothing.
fn write_delta(o: &mut Object<'_>, message: Option<Value<'_>>) {
    let Some(message) = message else { return };
    put!(o, "role"?: message.get("role").is_none().then_some("assistant"));
    for (key, value) in message.members() {
        match &*key {
            "role" if value.is_null() => {}
            "tool_calls" if value.is_array() => o.array("tool_calls", |a| {
                for (at, call) in (0u64..).zip(value.items()) {
                    a.object(|o| with(o, call, &[("index", &at.to_string())]));
                }
            }),
            _ => o.put(&key, value),
        }
    }
}

/// Writes a chunk: what the answer says of itself, and a choice or what was used.
fn chunk(ask: &Ask, root: Value<'_>, out: &mut BytesMut, choice: Option<&str>, used: Option<&str>) {
    event(out, "", |o| {
        let lacks = |name: &str| root.get(name).is_none();
        put!(o, "id"?: lacks("id").then(|| own_id("chatcmpl-", "", ask)).as_ref());
        put!(o, "object": "chat.completion.chunk", "created"?: lacks("created").then_some(ask.received));
        put!(o, "model"?: lacks("model").then(|| ask.model()));
        for (key, value) in root.members() {
            let is_own = matches!(&*key, "object" | "choices" | "usage");
            let was_given = matches!(&*key, "id" | "created" | "model") && value.is_null();
            if !is_own && !was_given {
                o.put(&key, value);
            }
        }
        put!(o, "choices": [for said in choice.iter() => Raw(said)], "usage"?: used.map(Raw));
    });
}
