//! An answer of another dialect, written in Gemini's form.

use super::names::member;
use crate::wire::json::{Array, Object, Value, object};
use crate::wire::reply::{Choice, Finish, Part, Reply};
use crate::wire::translate::own_id;
use crate::wire::{Ask, usage};

/// Writes an answer.
pub(in crate::wire) fn write(ask: &Ask, reply: &Reply<'_>) -> Vec<u8> {
    let with_thoughts = wants_thoughts(ask);
    let mut out = Vec::with_capacity(512);
    object(&mut out, |o| {
        o.array("candidates", |a| {
            for (at, choice) in reply.choices.iter().enumerate() {
                a.object(|o| candidate(o, at, choice, with_thoughts));
            }
        });
        if let Some(counted) = &reply.usage {
            o.object("usageMetadata", |o| usage::gemini(o, counted));
        }
        o.text("modelVersion", reply.model.as_deref().unwrap_or(ask.model()));
        o.text("responseId", &own_id("", &reply.id, ask));
    });
    out
}

fn candidate(o: &mut Object<'_>, at: usize, choice: &Choice<'_>, with_thoughts: bool) {
    o.object("content", |o| {
        o.array("parts", |a| choice.parts.iter().for_each(|said| part(a, said, with_thoughts)));
        o.text("role", "model");
    });
    o.text("finishReason", finish_word(choice.finish));
    if let Some(told) = choice.logprobs {
        told.gemini(o);
    }
    o.number("index", at as u64);
}

fn part(a: &mut Array<'_>, part: &Part<'_>, with_thoughts: bool) {
    match part {
        Part::Thought(text) if with_thoughts => a.object(|o| {
            o.text("text", text);
            o.flag("thought", true);
        }),
        Part::Thought(_) | Part::Other => {}
        Part::Text(text) | Part::Refusal(text) => a.object(|o| o.text("text", text)),
        Part::Call(call) => a.object(|o| function_call(o, &call.id, &call.name, &call.arguments)),
    }
}

/// Writes a call.
pub(super) fn function_call(o: &mut Object<'_>, id: &str, name: &str, arguments: &str) {
    let arguments = arguments.trim();
    o.object("functionCall", |o| {
        o.text("id", id);
        o.text("name", name);
        o.raw("args", if arguments.is_empty() { "{}" } else { arguments });
    });
}

/// Says why an answer ended.
pub(super) fn finish_word(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::ToolCalls | Finish::Other => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::Filtered => "SAFETY",
        Finish::Failed => "OTHER",
    }
}

/// Says whether the client asks to be shown what the model thinks.
pub(super) fn wants_thoughts(ask: &Ask) -> bool {
    let config = member(ask.root(), "generationConfig").and_then(|config| member(config, "thinkingConfig"));
    config.and_then(|config| member(config, "includeThoughts")).and_then(Value::flag) == Some(true)
}
