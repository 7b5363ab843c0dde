//! A finished completion, read and written.

use super::{PREFIX, echoed, finish_word};
use crate::record::usage::OpenAiUsage;
use crate::wire::chat::finish_from;
use crate::wire::json::{Value, object};
use crate::wire::reply::{Choice, Part, Reply, block, buckets, misended};
use crate::wire::translate::own_id;
use crate::wire::{Ask, usage};

/// Reads a completion.
pub(in crate::wire) fn read(root: Value<'_>) -> Reply<'_> {
    Reply {
        id: root.text_of("id").unwrap_or_default(),
        model: root.text_of("model").filter(|model| !model.is_empty()),
        choices: root.get("choices").into_iter().flat_map(Value::items).map(choice).collect(),
        usage: root.get("usage").and_then(block::<OpenAiUsage>).and_then(|usage| buckets(usage.counted())),
    }
}

fn choice(value: Value<'_>) -> Choice<'_> {
    let text = value.text_of("text").filter(|text| !text.is_empty());
    let word = value.text_of("finish_reason");
    let finish = word.as_deref().map(finish_from).unwrap_or_default();
    Choice {
        parts: text.map(Part::Text).into_iter().collect(),
        finish,
        stop: None,
        fault: misended("finish_reason", word.as_deref(), finish),
    }
}

/// Writes a completion.
pub(in crate::wire) fn write(ask: &Ask, reply: &Reply<'_>) -> Vec<u8> {
    let before = echoed(ask);
    let mut out = Vec::with_capacity(512);
    object(&mut out, |o| {
        o.text("id", &own_id(PREFIX, &reply.id, ask));
        o.text("object", "text_completion");
        o.number("created", ask.received());
        o.text("model", reply.model.as_deref().unwrap_or(ask.model()));
        o.array("choices", |a| {
            for (at, choice) in reply.choices.iter().enumerate() {
                a.object(|o| {
                    o.text("text", &format!("{before}{}", said(choice)));
                    o.number("index", at as u64);
                    o.raw("logprobs", "null");
                    o.text("finish_reason", finish_word(choice.finish));
                });
            }
        });
        if let Some(counted) = &reply.usage {
            o.object("usage", |o| usage::chat(o, counted));
        }
    });
    out
}

/// Gives what was said, a refusal too, as there is no other place for it.
fn said(choice: &Choice<'_>) -> String {
    let text = |part: &Part<'_>| match part {
        Part::Text(text) | Part::Refusal(text) => Some(text.to_string()),
        Part::Thought(_) | Part::Call(_) | Part::Other => None,
    };
    choice.parts.iter().filter_map(text).collect()
}
