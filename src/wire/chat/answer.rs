//! A finished chat completion, read.

use std::borrow::Cow;

use super::finish_from;
use crate::record::usage::OpenAiUsage;
use crate::wire::json::Value;
use crate::wire::reply::{Call, Choice, Part, Reply, block, buckets, content_text};

/// Reads a chat completion.
pub(in crate::wire) fn read(root: Value<'_>) -> Reply<'_> {
    Reply {
        id: root.text_of("id").unwrap_or_default(),
        model: root.text_of("model").filter(|model| !model.is_empty()),
        choices: root.get("choices").into_iter().flat_map(Value::items).map(choice).collect(),
        usage: root.get("usage").and_then(block::<OpenAiUsage>).and_then(|usage| buckets(usage.counted())),
    }
}

fn choice(value: Value<'_>) -> Choice<'_> {
    let mut parts = Vec::new();
    if let Some(message) = value.get("message") {
        let text = message.get("content").and_then(content_text);
        parts.extend(text.filter(|text| !text.is_empty()).map(Part::Text));
        parts.extend(message.text_of("refusal").filter(|text| !text.is_empty()).map(Part::Refusal));
        let calls = message.get("tool_calls").into_iter().flat_map(Value::items);
        parts.extend(calls.filter_map(|value| call(value.text_of("id"), value.get("function")?)));
        parts.extend(message.get("function_call").and_then(|value| call(None, value)));
    }
    let finish = value.text_of("finish_reason").map(|word| finish_from(&word)).unwrap_or_default();
    Choice { parts, finish, stop: None }
}

fn call<'a>(id: Option<Cow<'a, str>>, function: Value<'a>) -> Option<Part<'a>> {
    let arguments = function.get("arguments").map(|value| value.text().unwrap_or(Cow::Borrowed(value.raw())));
    Some(Part::Call(Call {
        id: id.unwrap_or_default(),
        name: function.text_of("name")?,
        arguments: arguments.unwrap_or_default(),
    }))
}
