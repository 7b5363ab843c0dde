//! A finished message, read and written.

use std::borrow::Cow;

use super::{SIGNATURE, finish_from, finish_word};
use crate::record::usage::{AnthropicUsage, ServerBlocks};
use crate::wire::json::{Value, object};
use crate::wire::prompt::safe_id;
use crate::wire::reply::{Call, Choice, Part, Reply, block, buckets, misended};
use crate::wire::translate::own_id;
use crate::wire::{Ask, usage};

/// Reads a message.
pub(in crate::wire) fn read(root: Value<'_>) -> Reply<'_> {
    let word = root.text_of("stop_reason");
    let finish = word.as_deref().map(finish_from).unwrap_or_default();
    let [content, usage, container] = root.pick(["content", "usage", "container"]);
    let mut shown = ServerBlocks::default();
    let mut parts = Vec::new();
    for value in content.into_iter().flat_map(Value::items) {
        let Some(part) = part(value) else { continue };
        if matches!(part, Part::Other) {
            shown.read_block(value.raw());
        }
        parts.push(part);
    }
    if container.is_some() {
        shown.has_run();
    }
    let has_content = content.is_some();
    Reply {
        id: root.text_of("id").unwrap_or_default(),
        model: root.text_of("model").filter(|model| !model.is_empty()),
        choices: has_content
            .then(|| Choice {
                parts,
                finish,
                stop: root.text_of("stop_sequence"),
                fault: misended("stop_reason", word.as_deref(), finish),
                logprobs: None,
            })
            .into_iter()
            .collect(),
        usage: usage.and_then(block::<AnthropicUsage>).and_then(|mut usage| {
            usage.show(shown);
            buckets(usage.counted())
        }),
    }
}

fn part(value: Value<'_>) -> Option<Part<'_>> {
    match &*value.text_of("type")? {
        "thinking" => value.text_of("thinking").filter(|text| !text.is_empty()).map(Part::Thought),
        "text" => value.text_of("text").filter(|text| !text.is_empty()).map(Part::Text),
        "redacted_thinking" => None,
        "tool_use" => Some(Part::Call(Call {
            id: value.text_of("id").unwrap_or_default(),
            name: value.text_of("name")?,
            arguments: Cow::Borrowed(value.get("input").map_or("{}", Value::raw)),
        })),
        _ => Some(Part::Other),
    }
}

/// Writes a message.
pub(in crate::wire) fn write(ask: &Ask, reply: &Reply<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let choice = reply.choices.first();
    object(&mut out, |o| {
        o.text("id", &own_id("msg_", &reply.id, ask));
        o.text("type", "message");
        o.text("role", "assistant");
        o.text("model", reply.model.as_deref().unwrap_or(ask.model()));
        o.array("content", |a| {
            for part in choice.into_iter().flat_map(|choice| &choice.parts) {
                a.object(|o| match part {
                    Part::Other => {}
                    Part::Thought(text) => {
                        o.text("type", "thinking");
                        o.text("thinking", text);
                        o.text("signature", SIGNATURE);
                    }
                    Part::Text(text) | Part::Refusal(text) => {
                        o.text("type", "text");
                        o.text("text", text);
                    }
                    Part::Call(call) => {
                        o.text("type", "tool_use");
                        o.text("id", &safe_id(&call.id));
                        o.text("name", &call.name);
                        o.raw("input", call.arguments.trim());
                    }
                });
            }
        });
        let stop = choice.and_then(|choice| choice.stop.as_deref());
        o.text("stop_reason", finish_word(choice.map(|choice| choice.finish).unwrap_or_default(), stop));
        o.text_or_null("stop_sequence", stop);
        let estimate = || usage::prompt_alone(ask.measures().estimated_prompt_tokens);
        let counted = reply.usage.unwrap_or_else(estimate);
        o.object("usage", |o| usage::messages(o, &counted));
    });
    out
}
