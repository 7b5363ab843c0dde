//! A finished response, read and written.

use super::finish_of;
use crate::record::usage::{Counted, OpenAiUsage};
use crate::wire::json::{Array, Object, Value, object};
use crate::wire::reply::{Call, Choice, Finish, Part, Reply, block, buckets, ended};
use crate::wire::translate::own_id;
use crate::wire::{Ask, usage};

/// Reads a response.
pub(in crate::wire) fn read(root: Value<'_>) -> Reply<'_> {
    let mut parts = Vec::new();
    for item in root.get("output").into_iter().flat_map(Value::items) {
        match item.text_of("type").as_deref() {
            Some("message") => {
                let content = item.get("content").into_iter().flat_map(Value::items);
                parts.extend(content.filter_map(|part| match &*part.text_of("type")? {
                    "output_text" => part.text_of("text").filter(|text| !text.is_empty()).map(Part::Text),
                    "refusal" => part.text_of("refusal").map(Part::Refusal),
                    _ => None,
                }));
            }
            Some("function_call") => parts.push(Part::Call(Call {
                id: item.text_of("call_id").unwrap_or_default(),
                name: item.text_of("name").unwrap_or_default(),
                arguments: item.text_of("arguments").unwrap_or_default(),
            })),
            // Calls of hosted tools and custom tools are content too, though nothing here can check them.
            Some(kind) if kind.ends_with("_call") => parts.push(Part::Text(kind.to_owned().into())),
            _ => {}
        }
    }
    let finish = finish_of(root);
    let status = root.text_of("status").filter(|_| finish == Finish::Failed);
    let fault = status.map(|status| ended("status", &status));
    Reply {
        id: root.text_of("id").unwrap_or_default(),
        model: root.text_of("model").filter(|model| !model.is_empty()),
        choices: vec![Choice { parts, finish, stop: None, fault }],
        usage: root.get("usage").and_then(block::<OpenAiUsage>).and_then(|usage| buckets(usage.counted())),
    }
}

/// The members of a request that its response repeats, and what stands there where the request says nothing.
const REPEATED: [(&str, &str); 11] = [
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("temperature", "null"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", "\"auto\""),
    ("tools", "[]"),
    ("top_p", "null"),
];

/// Gives the members that a response repeats from its request, as JSON.
pub(in crate::wire) fn repeated(ask: &Ask) -> Vec<(&'static str, String)> {
    let root = ask.root();
    let said = |name: &str, default: &str| root.get(name).map_or(default, Value::raw).to_owned();
    REPEATED.iter().map(|(name, default)| (*name, said(name, default))).collect()
}

/// What a response object says besides its output.
#[derive(Debug)]
pub(in crate::wire) struct Frame<'a> {
    pub(in crate::wire) id: &'a str,
    pub(in crate::wire) model: &'a str,
    pub(in crate::wire) created: u64,
    pub(in crate::wire) repeated: &'a [(&'static str, String)],
}

impl Frame<'_> {
    /// Writes the response object; `finish` is none while it is being made.
    pub(in crate::wire) fn write(
        &self,
        o: &mut Object<'_>,
        finish: Option<Finish>,
        usage: Option<&Counted>,
        output: impl FnOnce(&mut Array<'_>),
    ) {
        let reason = match finish {
            Some(Finish::Length) => Some("max_output_tokens"),
            Some(Finish::Filtered) => Some("content_filter"),
            _ => None,
        };
        o.text("id", self.id);
        o.text("object", "response");
        o.number("created_at", self.created);
        o.text("status", status(finish));
        o.raw("error", "null");
        match reason {
            Some(reason) => o.object("incomplete_details", |o| o.text("reason", reason)),
            None => o.raw("incomplete_details", "null"),
        }
        o.text("model", self.model);
        o.array("output", output);
        for (name, value) in self.repeated {
            o.raw(name, value);
        }
        match usage {
            Some(counted) => o.object("usage", |o| usage::responses(o, counted)),
            None => o.raw("usage", "null"),
        }
    }
}

/// Gives the status of a response that ended so; none is one that is being made.
pub(in crate::wire) fn status(finish: Option<Finish>) -> &'static str {
    match finish {
        None => "in_progress",
        Some(Finish::Length | Finish::Filtered) => "incomplete",
        Some(Finish::Stop | Finish::ToolCalls | Finish::Other | Finish::Failed) => "completed",
    }
}

/// Writes an item of output that is a message of one part.
pub(in crate::wire) fn message(o: &mut Object<'_>, id: &str, status: &str, part: Option<(&str, &str)>) {
    o.text("id", id);
    o.text("type", "message");
    o.text("status", status);
    o.text("role", "assistant");
    o.array("content", |a| {
        if let Some((kind, text)) = part {
            a.object(|o| content(o, kind, text));
        }
    });
}

/// Writes a part of a message: `output_text` or `refusal`.
pub(in crate::wire) fn content(o: &mut Object<'_>, kind: &str, text: &str) {
    o.text("type", kind);
    if kind == "refusal" {
        o.text("refusal", text);
        return;
    }
    o.text("text", text);
    o.array("annotations", |_| {});
    o.array("logprobs", |_| {});
}

/// Writes an item of output that is a call of a tool.
pub(in crate::wire) fn function_call(o: &mut Object<'_>, id: &str, status: &str, call: &Call<'_>) {
    o.text("id", id);
    o.text("type", "function_call");
    o.text("status", status);
    o.text("call_id", &call.id);
    o.text("name", &call.name);
    o.text("arguments", &call.arguments);
}

/// Writes a response.
pub(in crate::wire) fn write(ask: &Ask, reply: &Reply<'_>) -> Vec<u8> {
    let id = own_id("resp_", &reply.id, ask);
    let frame = Frame {
        id: &id,
        model: reply.model.as_deref().unwrap_or(ask.model()),
        created: ask.received(),
        repeated: &repeated(ask),
    };
    let choice = reply.choices.first();
    let finish = choice.map(|choice| choice.finish).unwrap_or_default();
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |o| {
        frame.write(o, Some(finish), reply.usage.as_ref(), |a| {
            for (at, part) in choice.into_iter().flat_map(|choice| &choice.parts).enumerate() {
                a.object(|o| match part {
                    Part::Thought(_) => {}
                    Part::Text(text) => {
                        message(
                            o,
                            &format!("msg_{at}_{id}"),
                            status(Some(finish)),
                            Some(("output_text", text)),
                        );
                    }
                    Part::Refusal(text) => {
                        message(o, &format!("msg_{at}_{id}"), status(Some(finish)), Some(("refusal", text)));
                    }
                    Part::Call(call) => function_call(o, &format!("fc_{at}_{id}"), "completed", call),
                });
            }
        });
    });
    out
}
