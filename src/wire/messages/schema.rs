//! Schemas as Anthropic takes them for answers and strict calls: a part of JSON Schema, and the rest put into words.
//!
//! Invariant: whatever Anthropic would refuse is left out and told; whatever bound is left out stands in the description, so
//! that the model knows of it all the same.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::wire::json::{Value, array, object};
use crate::wire::prompt::Reader;

/// The bounds that are refused.
const BOUNDS: [&str; 13] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minContains",
    "maxContains",
    "minProperties",
    "maxProperties",
];

/// The forms of texts that are known.
const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// Says whether a member of a schema is a bound that is refused. Lists may be told to be empty or not, and no more.
fn is_refused(key: &str, value: Value<'_>) -> bool {
    match key {
        "minItems" => value.number().is_none_or(|least| least > 1),
        "format" => value.text().is_some_and(|format| !FORMATS.contains(&&*format)),
        key => BOUNDS.contains(&key),
    }
}

/// Writes a schema. Objects take no further members: Anthropic wants that said, and whatever fits the narrower schema fits one
/// that leaves it open.
pub(super) fn write(schema: Value<'_>, out: &mut Vec<u8>, reader: Reader<'_>) {
    if schema.is_array() {
        return array(out, |a| schema.items().for_each(|item| write(item, a.item(), reader)));
    }
    if !schema.is_object() {
        return out.extend_from_slice(schema.raw().as_bytes());
    }
    let kind = schema.get("type");
    let is_object = kind.is_some_and(|kind| {
        kind.text().as_deref() == Some("object")
            || kind.items().any(|kind| kind.text().as_deref() == Some("object"))
    });
    let mut bounds = String::new();
    object(out, |o| {
        for (key, value) in schema.members() {
            match &*key {
                // Examples and the like are data, no schemas.
                "const" | "enum" | "default" | "examples" => o.put(&key, value),
                "properties" | "$defs" | "definitions" if value.is_object() => o.object(&key, |o| {
                    for (name, value) in value.members() {
                        write(value, o.key(&name), reader);
                    }
                }),
                "description" => {}
                "additionalProperties" if is_object => {
                    if value.flag() != Some(false) {
                        reader.leave_out("schema.additionalProperties");
                    }
                }
                key if is_refused(key, value) => {
                    reader.leave_out(&format!("schema.{key}"));
                    let separator = if bounds.is_empty() { "" } else { ", " };
                    let _ = write!(bounds, "{separator}{key}: {}", value.raw());
                }
                _ => write(value, o.key(&key), reader),
            }
        }
        let text = schema.text_of("description");
        let described = match (text, bounds.is_empty()) {
            (text, true) => text,
            (None, false) => Some(Cow::Owned(format!("{{{bounds}}}"))),
            (Some(text), false) => Some(Cow::Owned(format!("{text}\n\n{{{bounds}}}"))),
        };
        if let Some(text) = described {
            o.put("description", &*text);
        }
        if is_object {
            o.put("additionalProperties", false);
        }
    });
}
