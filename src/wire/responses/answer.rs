//! A finished response, read.

use super::finish_of;
use crate::record::usage::OpenAiUsage;
use crate::wire::json::Value;
use crate::wire::reply::{Call, Choice, Part, Reply, block, buckets};

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
    let has_calls = parts.iter().any(|part| matches!(part, Part::Call(_)));
    Reply {
        id: root.text_of("id").unwrap_or_default(),
        model: root.text_of("model").filter(|model| !model.is_empty()),
        choices: vec![Choice { parts, finish: finish_of(root, has_calls), stop: None }],
        usage: root.get("usage").and_then(block::<OpenAiUsage>).and_then(|usage| buckets(usage.counted())),
    }
}
