//! A finished message, read.

use std::borrow::Cow;

use super::finish_from;
use crate::record::usage::AnthropicUsage;
use crate::wire::json::Value;
use crate::wire::reply::{Call, Choice, Part, Reply, block, buckets};

/// Reads a message.
pub(in crate::wire) fn read(root: Value<'_>) -> Reply<'_> {
    let finish = root.text_of("stop_reason").map(|word| finish_from(&word)).unwrap_or_default();
    let parts = root.get("content").into_iter().flat_map(Value::items).filter_map(part).collect();
    let has_content = root.get("content").is_some();
    Reply {
        id: root.text_of("id").unwrap_or_default(),
        model: root.text_of("model").filter(|model| !model.is_empty()),
        choices: has_content
            .then(|| Choice { parts, finish, stop: root.text_of("stop_sequence") })
            .into_iter()
            .collect(),
        usage: root.get("usage").and_then(block::<AnthropicUsage>).and_then(|usage| buckets(usage.counted())),
    }
}

fn part(value: Value<'_>) -> Option<Part<'_>> {
    match &*value.text_of("type")? {
        "text" => value.text_of("text").filter(|text| !text.is_empty()).map(Part::Text),
        "tool_use" => Some(Part::Call(Call {
            id: value.text_of("id").unwrap_or_default(),
            name: value.text_of("name")?,
            arguments: Cow::Borrowed(value.get("input").map_or("{}", Value::raw)),
        })),
        _ => None,
    }
}
