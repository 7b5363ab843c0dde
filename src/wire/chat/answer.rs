//! A finished chat completion, read and written.

use std::borrow::Cow;

use super::chunks::{Form, whole};
use super::{finish_from, finish_word, thought};
use crate::record::usage::{Counted, OpenAiUsage};
use crate::wire::faults::{is_error, read_event};
use crate::wire::json::{Object, Value};
use crate::wire::logprobs::Logprobs;
use crate::wire::reply::{Call, Choice, Part, Reply, block, buckets, content_text, misended};
use crate::wire::tools::{ToolKinds, custom_input};
use crate::wire::{Ask, Dialect, WireError};

/// Reads a chat completion.
pub(in crate::wire) fn read(root: Value<'_>) -> Reply<'_> {
    let [id, model, choices, usage, groq, tier] =
        root.pick(["id", "model", "choices", "usage", "x_groq", "service_tier"]);
    let mut told = Told::default();
    told.absorb(usage);
    told.absorb(groq.and_then(|groq| groq.get("usage")));
    let choices = choices.into_iter().flat_map(Value::items).map(|value| choice(value, &mut told)).collect();
    Reply {
        id: id.and_then(Value::text).unwrap_or_default(),
        model: model.and_then(Value::text).filter(|model| !model.is_empty()),
        choices,
        usage: told.counted(tier),
    }
}

/// The usage of an answer, wherever in it servers put it: at the top, in a choice, under `x_groq`.
#[derive(Default)]
struct Told {
    usage: Option<OpenAiUsage>,
    cites: bool,
}

impl Told {
    fn absorb(&mut self, usage: Option<Value<'_>>) {
        if let Some(said) = usage.filter(|usage| usage.is_object()).and_then(block::<OpenAiUsage>) {
            self.usage.get_or_insert_default().absorb(&said);
        }
    }

    fn counted(self, tier: Option<Value<'_>>) -> Option<Counted> {
        let mut usage = self.usage?;
        usage.serve(&tier.and_then(Value::text).unwrap_or_default());
        if self.cites {
            usage.cite();
        }
        buckets(usage.counted())
    }
}

/// Says whether a message's annotations quote sources of the web, which shows that the provider searched it.
pub(super) fn cites(notes: Option<Value<'_>>) -> bool {
    let mut notes = notes.into_iter().flat_map(Value::items);
    notes.any(|note| note.text_of("type").as_deref() == Some("url_citation"))
}

fn choice<'a>(value: Value<'a>, told: &mut Told) -> Choice<'a> {
    let [message, word, error, usage, plain] =
        value.pick(["message", "finish_reason", "error", "usage", "text"]);
    told.absorb(usage);
    let mut parts = Vec::new();
    if let Some(message) = message {
        let [content, reasoning_content, reasoning, refusal, audio, images, calls, function, notes] = message
            .pick([
                "content",
                "reasoning_content",
                "reasoning",
                "refusal",
                "audio",
                "images",
                "tool_calls",
                "function_call",
                "annotations",
            ]);
        told.cites |= cites(notes);
        let text = |value: Option<Value<'a>>| value.and_then(Value::text).filter(|text| !text.is_empty());
        parts.extend(thought(reasoning_content, reasoning, content).map(Part::Thought));
        let said = content.and_then(content_text);
        parts.extend(said.filter(|text| !text.is_empty()).map(Part::Text));
        parts.extend(text(refusal).map(Part::Refusal));
        parts.extend([audio, images].into_iter().flatten().map(|_| Part::Other));
        let calls = calls.into_iter().flat_map(Value::items);
        parts.extend(calls.filter_map(|value| call(value.text_of("id"), value.get("function")?)));
        parts.extend(function.and_then(|value| call(None, value)));
    }
    // Of the older completions a choice is the text itself.
    parts.extend(plain.and_then(Value::text).filter(|text| !text.is_empty()).map(Part::Text));
    let word = word.and_then(Value::text);
    let finish = word.as_deref().map(finish_from).unwrap_or_default();
    let fault = if error.is_some_and(is_error) {
        Some(WireError::Upstream(read_event(Dialect::OpenAiChat, value.raw())))
    } else {
        misended("finish_reason", word.as_deref(), finish)
    };
    let logprobs = Logprobs::of(Dialect::OpenAiChat, value);
    Choice { parts, finish, stop: None, fault, logprobs }
}

fn call<'a>(id: Option<Cow<'a, str>>, function: Value<'a>) -> Option<Part<'a>> {
    let arguments = function.get("arguments").map(|value| value.text().unwrap_or(Cow::Borrowed(value.raw())));
    Some(Part::Call(Call {
        id: id.unwrap_or_default(),
        name: function.text_of("name")?,
        arguments: arguments.unwrap_or_default(),
    }))
}

/// What chat completions and their chunks call themselves.
pub(super) const FORM: Form =
    Form { prefix: "chatcmpl-", object: "chat.completion", chunk: "chat.completion.chunk" };

/// Writes a chat completion.
pub(in crate::wire) fn write(ask: &Ask, reply: &Reply<'_>) -> Vec<u8> {
    let (tools, is_legacy) = (ask.tool_kinds(), ask.offers_functions());
    whole(FORM, ask, reply, |o, choice| write_choice(o, choice, &tools, is_legacy))
}

/// Writes what is called, and with what: a function's arguments, or the input of a custom tool.
pub(super) fn called(o: &mut Object<'_>, function: &str, custom: Option<&str>, with: &str) {
    let (kind, name, what) = match custom {
        Some(name) => ("custom", name, "input"),
        None => ("function", function, "arguments"),
    };
    o.text("type", kind);
    o.object(kind, |o| {
        o.text("name", name);
        o.text(what, with);
    });
}

fn write_choice(o: &mut Object<'_>, choice: &Choice<'_>, tools: &ToolKinds, is_legacy: bool) {
    let text = choice.text();
    let refusal = choice.parts.iter().find_map(|part| match part {
        Part::Refusal(text) => Some(&**text),
        _ => None,
    });
    let has_calls = choice.calls().next().is_some();
    let thought = choice.parts.iter().find_map(|part| match part {
        Part::Thought(text) => Some(&**text),
        _ => None,
    });
    o.object("message", |o| {
        o.text("role", "assistant");
        let is_said = !text.is_empty() || (!has_calls && refusal.is_none());
        o.text_or_null("content", Some(&*text).filter(|_| is_said));
        o.text_or_null("refusal", refusal);
        if let Some(thought) = thought {
            o.text("reasoning_content", thought);
        }
        if let Some(call) = choice.calls().next().filter(|_| is_legacy) {
            o.object("function_call", |o| {
                o.text("name", &call.name);
                o.text("arguments", &call.arguments);
            });
        } else if has_calls {
            o.array("tool_calls", |a| {
                for call in choice.calls() {
                    a.object(|o| {
                        o.text("id", &call.id);
                        match tools.origin(&call.name) {
                            Some(origin) => {
                                called(o, &call.name, Some(&origin.name), &custom_input(&call.arguments));
                            }
                            None => called(o, &call.name, None, &call.arguments),
                        }
                    });
                }
            });
        }
    });
    match choice.logprobs {
        Some(told) => told.chat(o),
        None => o.raw("logprobs", "null"),
    }
    o.text("finish_reason", finish_word(choice.finish, is_legacy));
}
