//! Edits of the context that clear thoughts, in a request that is not to think any more: Anthropic refuses them there.
//!
//! Invariant: they go only where the thinking that the client asked for was taken away; other edits stay as they came.

use bytes::Bytes;
use memchr::memmem;

use super::request::Ask;
use crate::wire::json::{Value, put, written};
use crate::wire::prompt::Reader;

/// What the types of such edits begin with.
const CLEARING: &str = "clear_thinking_";

/// Returns the body without them, where `asked` is to think and the body is not.
pub(super) fn settle(asked: &Ask, body: Bytes, reader: Reader<'_>) -> Bytes {
    if memmem::find(&body, CLEARING.as_bytes()).is_none() || !thinks(asked.root()) {
        return body;
    }
    let Ok(root) = std::str::from_utf8(&body).map(Value::of) else { return body };
    let is_clearing = |edit: &Value<'_>| edit.text_of("type").is_some_and(|kind| kind.starts_with(CLEARING));
    let management = root.get("context_management");
    let edits = || management.into_iter().flat_map(|management| management.list("edits"));
    if thinks(root) || !edits().any(|edit| is_clearing(&edit)) {
        return body;
    }
    reader.leave_out("context_management.edits (clear_thinking)");
    let is_empty = edits().all(|edit| is_clearing(&edit))
        && management.is_none_or(|management| management.members().all(|(key, _)| key == "edits"));
    written(|o| {
        for (key, value) in root.members() {
            if key != "context_management" {
                o.put(&key, value);
            } else if !is_empty {
                o.object(&key, |o| {
                    for (key, value) in value.members() {
                        if key == "edits" {
                            put!(o, "edits": [for edit in value.items().filter(|edit| !is_clearing(edit)) => edit]);
                        } else {
                            o.put(&key, value);
                        }
                    }
                });
            }
        }
    })
    .into()
}

/// Says whether a request is to think.
fn thinks(root: Value<'_>) -> bool {
    let kind = root.get("thinking").and_then(|thinking| thinking.text_of("type"));
    matches!(kind.as_deref(), Some("enabled" | "adaptive"))
}
