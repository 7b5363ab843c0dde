//! A whole answer told as a stream of its own dialect: for a client that asked for events of a provider that gave none.
//!
//! Invariant: every item and member stands in the events as the provider wrote it; what is left empty where something
//! begins comes with what lets it grow, so that a client that puts the pieces together has the answer as it was.

use bytes::BytesMut;

use crate::record::usage::Counted;
use crate::wire::json::{Object, Value, object};
use crate::wire::reply::{Finish, Reply};
use crate::wire::translate::own_id;
use crate::wire::{Ask, Dialect, usage};

/// Writes all the events of an answer to `ask`, the last one included; `reply` is what was read of it.
pub(in crate::wire) fn write(ask: &Ask, root: Value<'_>, reply: &Reply<'_>, out: &mut BytesMut) {
    match ask.dialect() {
        Dialect::OpenAiResponses => write_response(root, out),
        Dialect::AnthropicMessages => write_message(ask, root, reply, out),
        Dialect::Gemini => event(out, None, |o| with(o, root, &[])),
        Dialect::OpenAiCompletions => {
            event(out, None, |o| with(o, root, &[]));
            out.extend_from_slice(b"data: [DONE]\n\n");
        }
        Dialect::OpenAiChat | Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings => {
            write_chat(ask, root, reply, out);
        }
    }
}

/// Writes an event that says of a response that it failed, as its provider told it, but for the message, which is cleaned.
pub(in crate::wire) fn failed(data: &str, message: &str, out: &mut BytesMut) {
    let root = Value::of(data);
    let name = root.text_of("type").unwrap_or_default();
    event(out, Some(&name), |o| {
        for (key, value) in root.members() {
            if key != "response" || !value.is_object() {
                o.raw(&key, value.raw());
                continue;
            }
            o.object("response", |o| {
                for (key, value) in value.members() {
                    if key == "error" && value.is_object() {
                        o.object("error", |o| {
                            for (key, value) in value.members() {
                                if key == "message" {
                                    o.text("message", message);
                                } else {
                                    o.raw(&key, value.raw());
                                }
                            }
                        });
                    } else {
                        o.raw(&key, value.raw());
                    }
                }
            });
        }
    });
}

/// Writes an event; of one with a name the caller writes the type.
pub(in crate::wire) fn event(out: &mut BytesMut, name: Option<&str>, fill: impl FnOnce(&mut Object<'_>)) {
    let mut data = Vec::with_capacity(256);
    object(&mut data, fill);
    if let Some(name) = name {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\n");
    }
    out.extend_from_slice(b"data: ");
    // A line's end within would end the data; in JSON it is a blank.
    data.retain(|byte| !matches!(byte, b'\n' | b'\r'));
    out.extend_from_slice(&data);
    out.extend_from_slice(b"\n\n");
}

/// Writes the members of an object, with other values for some of them, which are added where they are missing.
pub(in crate::wire) fn with(o: &mut Object<'_>, value: Value<'_>, changed: &[(&str, &str)]) {
    for (key, value) in value.members() {
        let other = changed.iter().find(|(name, _)| *name == key);
        o.raw(&key, other.map_or(value.raw(), |(_, other)| other));
    }
    for (name, other) in changed {
        if !value.members().any(|(key, _)| key == *name) {
            o.raw(name, other);
        }
    }
}

/// Gives a member as it was written.
fn raw<'a>(value: Value<'a>, name: &str) -> Option<&'a str> {
    value.get(name).map(Value::raw)
}

/// Walks the items of a member.
fn items<'a>(value: Value<'a>, name: &str) -> impl Iterator<Item = Value<'a>> {
    value.get(name).into_iter().flat_map(Value::items)
}

/// Writes numbered events.
struct Numbered<'o> {
    out: &'o mut BytesMut,
    next: u64,
}

impl Numbered<'_> {
    fn event(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        let number = self.next;
        self.next += 1;
        event(self.out, Some(name), |o| {
            o.text("type", name);
            o.number("sequence_number", number);
            fill(o);
        });
    }

    /// Writes an event about a part of an item.
    fn of(&mut self, name: &str, place: &Place<'_>, fill: impl FnOnce(&mut Object<'_>)) {
        self.event(name, |o| {
            o.raw("item_id", place.id);
            o.number("output_index", place.item);
            if let Some((key, at)) = place.part {
                o.number(key, at);
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
        to.event(name, |o| o.object("response", |o| with(o, root, &begun)));
    }
    for (at, item) in (0..).zip(items(root, "output")) {
        write_item(&mut to, at, item);
    }
    let name = match root.text_of("status").as_deref() {
        Some("incomplete") => "response.incomplete",
        Some("failed") => "response.failed",
        _ => "response.completed",
    };
    to.event(name, |o| o.raw("response", root.raw()));
}

fn write_item(to: &mut Numbered<'_>, at: u64, item: Value<'_>) {
    let kind = item.text_of("type").unwrap_or_default();
    // What grows, and what it is before it does.
    let grows = match &*kind {
        "message" => Some(("content", "[]")),
        "reasoning" => Some(("summary", "[]")),
        "function_call" => Some(("arguments", "\"\"")),
        "custom_tool_call" => Some(("input", "\"\"")),
        _ => None,
    };
    let grows = grows.filter(|(name, _)| item.get(name).is_some());
    to.event("response.output_item.added", |o| {
        o.number("output_index", at);
        let Some(grows) = grows else { return o.raw("item", item.raw()) };
        let status = item.get("status").map(|_| ("status", "\"in_progress\""));
        let changed: Vec<_> = status.into_iter().chain([grows]).collect();
        o.object("item", |o| with(o, item, &changed));
    });
    let id = raw(item, "id").unwrap_or("\"\"");
    let whole = Place { id, item: at, part: None };
    match grows {
        Some(("content", _)) => {
            for (part_at, part) in (0..).zip(items(item, "content")) {
                write_part(to, &Place { part: Some(("content_index", part_at)), ..whole }, part);
            }
        }
        Some(("summary", _)) => {
            for (part_at, part) in (0..).zip(items(item, "summary")) {
                write_summary(to, &Place { part: Some(("summary_index", part_at)), ..whole }, part);
            }
        }
        Some(("arguments", _)) => {
            let arguments = raw(item, "arguments").unwrap_or("\"\"");
            to.of("response.function_call_arguments.delta", &whole, |o| o.raw("delta", arguments));
            to.of("response.function_call_arguments.done", &whole, |o| {
                o.raw("name", raw(item, "name").unwrap_or("\"\""));
                o.raw("arguments", arguments);
            });
        }
        Some(_) => {
            let input = raw(item, "input").unwrap_or("\"\"");
            to.of("response.custom_tool_call_input.delta", &whole, |o| o.raw("delta", input));
            to.of("response.custom_tool_call_input.done", &whole, |o| o.raw("input", input));
        }
        None => {}
    }
    to.event("response.output_item.done", |o| {
        o.number("output_index", at);
        o.raw("item", item.raw());
    });
}

/// Writes a part of a message.
fn write_part(to: &mut Numbered<'_>, place: &Place<'_>, part: Value<'_>) {
    let key = match part.text_of("type").as_deref() {
        Some("output_text") => "text",
        Some("refusal") => "refusal",
        _ => "",
    };
    let said = raw(part, key);
    to.of("response.content_part.added", place, |o| {
        if said.is_none() {
            return o.raw("part", part.raw());
        }
        let lists = ["annotations", "logprobs"].into_iter().filter(|name| part.get(name).is_some());
        let changed: Vec<_> = lists.map(|name| (name, "[]")).chain([(key, "\"\"")]).collect();
        o.object("part", |o| with(o, part, &changed));
    });
    if let Some(said) = said {
        let is_text = key == "text";
        let (delta, done) = if is_text {
            ("response.output_text.delta", "response.output_text.done")
        } else {
            ("response.refusal.delta", "response.refusal.done")
        };
        let logprobs = |o: &mut Object<'_>| {
            if is_text {
                o.raw("logprobs", raw(part, "logprobs").unwrap_or("[]"));
            }
        };
        to.of(delta, place, |o| {
            o.raw("delta", said);
            logprobs(o);
        });
        for (at, note) in (0..).zip(items(part, "annotations")) {
            to.of("response.output_text.annotation.added", place, |o| {
                o.number("annotation_index", at);
                o.raw("annotation", note.raw());
            });
        }
        to.of(done, place, |o| {
            o.raw(key, said);
            logprobs(o);
        });
    }
    to.of("response.content_part.done", place, |o| o.raw("part", part.raw()));
}

/// Writes a part of the summary of thoughts.
fn write_summary(to: &mut Numbered<'_>, place: &Place<'_>, part: Value<'_>) {
    let said = raw(part, "text").unwrap_or("\"\"");
    to.of("response.reasoning_summary_part.added", place, |o| {
        o.object("part", |o| with(o, part, &[("text", "\"\"")]));
    });
    to.of("response.reasoning_summary_text.delta", place, |o| o.raw("delta", said));
    to.of("response.reasoning_summary_text.done", place, |o| o.raw("text", said));
    to.of("response.reasoning_summary_part.done", place, |o| o.raw("part", part.raw()));
}

fn write_message(ask: &Ask, root: Value<'_>, reply: &Reply<'_>, out: &mut BytesMut) {
    let mut named = |name: &str, fill: &dyn Fn(&mut Object<'_>)| {
        event(out, Some(name), |o| {
            o.text("type", name);
            fill(o);
        });
    };
    let used = match raw(root, "usage") {
        Some(said) => said.to_owned(),
        None => written(|o| {
            let prompt = usage::prompt_alone(ask.measures().estimated_prompt_tokens);
            usage::messages(o, &reply.usage.unwrap_or(prompt));
        }),
    };
    let begun =
        [("content", "[]"), ("stop_reason", "null"), ("stop_sequence", "null"), ("usage", used.as_str())];
    named("message_start", &|o| o.object("message", |o| with(o, root, &begun)));
    for (at, block) in (0u64..).zip(items(root, "content")) {
        let kind = block.text_of("type").unwrap_or_default();
        let mut empty: Vec<(&str, &str)> = match &*kind {
            "text" => vec![("text", "\"\"")],
            "thinking" => vec![("thinking", "\"\""), ("signature", "\"\"")],
            "tool_use" => vec![("input", "{}")],
            _ => Vec::new(),
        };
        if kind == "text" && block.get("citations").is_some() {
            empty.push(("citations", "[]"));
        }
        named("content_block_start", &|o| {
            o.number("index", at);
            o.object("content_block", |o| with(o, block, &empty));
        });
        let mut delta = |kind: &str, fill: &dyn Fn(&mut Object<'_>)| {
            named("content_block_delta", &|o| {
                o.number("index", at);
                o.object("delta", |o| {
                    o.text("type", kind);
                    fill(o);
                });
            });
        };
        let grown = |key: &str| raw(block, key).unwrap_or("\"\"");
        match &*kind {
            "text" => {
                delta("text_delta", &|o| o.raw("text", grown("text")));
                for citation in items(block, "citations") {
                    delta("citations_delta", &|o| o.raw("citation", citation.raw()));
                }
            }
            "thinking" => {
                delta("thinking_delta", &|o| o.raw("thinking", grown("thinking")));
                delta("signature_delta", &|o| o.raw("signature", grown("signature")));
            }
            "tool_use" => {
                delta("input_json_delta", &|o| {
                    o.text("partial_json", raw(block, "input").unwrap_or("{}"));
                });
            }
            _ => {}
        }
        named("content_block_stop", &|o| o.number("index", at));
    }
    named("message_delta", &|o| {
        o.object("delta", |o| {
            let has_calls = reply.choices.first().is_some_and(|choice| choice.finish == Finish::ToolCalls);
            let usual = if has_calls { "\"tool_use\"" } else { "\"end_turn\"" };
            o.raw("stop_reason", raw(root, "stop_reason").unwrap_or(usual));
            o.raw("stop_sequence", raw(root, "stop_sequence").unwrap_or("null"));
            for name in ["stop_details", "container"] {
                if let Some(said) = raw(root, name) {
                    o.raw(name, said);
                }
            }
        });
        o.raw("usage", &used);
        if let Some(said) = raw(root, "context_management") {
            o.raw("context_management", said);
        }
    });
    named("message_stop", &|_| {});
}

/// Writes an object that stands by itself.
fn written(fill: impl FnOnce(&mut Object<'_>)) -> String {
    let mut out = Vec::new();
    object(&mut out, fill);
    String::from_utf8(out).unwrap_or_default()
}

fn write_chat(ask: &Ask, root: Value<'_>, reply: &Reply<'_>, out: &mut BytesMut) {
    for (at, choice) in (0..).zip(items(root, "choices")) {
        let spoken = written(|o| {
            o.raw("index", raw(choice, "index").unwrap_or(&at.to_string()));
            o.object("delta", |o| write_delta(o, choice.get("message")));
            for (key, value) in choice.members() {
                if !matches!(&*key, "index" | "message" | "finish_reason") {
                    o.raw(&key, value.raw());
                }
            }
            o.raw("finish_reason", "null");
        });
        chunk(ask, root, out, &[&spoken], None);
    }
    for (at, choice) in (0usize..).zip(items(root, "choices")) {
        let ended = written(|o| {
            o.raw("index", raw(choice, "index").unwrap_or(&at.to_string()));
            o.object("delta", |_| {});
            o.raw("logprobs", "null");
            // Where nothing was said of how it ended, only the calls tell.
            let has_calls = reply.choices.get(at).is_some_and(|choice| choice.finish == Finish::ToolCalls);
            let usual = if has_calls { "\"tool_calls\"" } else { "\"stop\"" };
            o.raw("finish_reason", raw(choice, "finish_reason").unwrap_or(usual));
        });
        chunk(ask, root, out, &[&ended], None);
    }
    if ask.wants_stream_usage()
        && let Some(used) = used_by_chat(root, reply.usage.as_ref())
    {
        chunk(ask, root, out, &[], Some(&used));
    }
    out.extend_from_slice(b"data: [DONE]\n\n");
}

/// Gives the usage as it was written, or as it was read where it stood elsewhere.
fn used_by_chat(root: Value<'_>, read: Option<&Counted>) -> Option<String> {
    raw(root, "usage").map(str::to_owned).or_else(|| read.map(|counted| written(|o| usage::chat(o, counted))))
}

/// Writes a message as what is added to nothing.
fn write_delta(o: &mut Object<'_>, message: Option<Value<'_>>) {
    let Some(message) = message else { return };
    if message.get("role").is_none() {
        o.text("role", "assistant");
    }
    for (key, value) in message.members() {
        match &*key {
            "role" if value.is_null() => {}
            "tool_calls" if value.is_array() => o.array("tool_calls", |a| {
                for (at, call) in (0u64..).zip(value.items()) {
                    a.object(|o| with(o, call, &[("index", &at.to_string())]));
                }
            }),
            _ => o.raw(&key, value.raw()),
        }
    }
}

/// Writes a chunk: what the answer says of itself, and `choices`.
fn chunk(ask: &Ask, root: Value<'_>, out: &mut BytesMut, choices: &[&str], used: Option<&str>) {
    event(out, None, |o| {
        if root.get("id").is_none() {
            o.text("id", &own_id("chatcmpl-", "", ask));
        }
        o.text("object", "chat.completion.chunk");
        if root.get("created").is_none() {
            o.number("created", ask.received());
        }
        if root.get("model").is_none() {
            o.text("model", ask.model());
        }
        for (key, value) in root.members() {
            let is_own = matches!(&*key, "object" | "choices" | "usage");
            let was_given = matches!(&*key, "id" | "created" | "model") && value.is_null();
            if !is_own && !was_given {
                o.raw(&key, value.raw());
            }
        }
        o.array("choices", |a| choices.iter().for_each(|choice| a.raw(choice)));
        if let Some(used) = used {
            o.raw("usage", used);
        }
    });
}
