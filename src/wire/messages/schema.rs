//! Schemas as Anthropic takes them for answers and strict calls: a part of JSON Schema, and the rest put into words.
//!
//! Invariant: whatever Anthropic would refuse is left out and told; whatever bound is left out stands in the description, so
//! that the model knows of it all the same. Where what was left would hold answers that were asked for back, or nothing can be
//! left, the schema is no mode but an instruction.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write as _;

use crate::wire::json::{Value, array, object};
use crate::wire::prompt::Reader;

/// The bounds that are refused.
const BOUNDS: [&str; 24] = [
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
    "not",
    "if",
    "then",
    "else",
    "contains",
    "prefixItems",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// The most references that lead on from one to the next.
const CHAIN: usize = 32;

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

/// What strict schemas of one request come to, which Anthropic compiles together.
#[derive(Clone, Copy, Default)]
pub(super) struct Strictness {
    pub(super) tools: usize,
    optional: usize,
    unions: usize,
}

impl Strictness {
    /// Takes in a schema.
    pub(super) fn add(&mut self, schema: Value<'_>) {
        if schema.is_array() {
            return schema.items().for_each(|item| self.add(item));
        }
        if !schema.is_object() {
            return;
        }
        let required: HashSet<_> = schema.list("required").filter_map(Value::text).collect();
        let members = || schema.get("properties").into_iter().flat_map(Value::members);
        self.optional += members().filter(|(name, _)| !required.contains(name)).count();
        let is_union = ["anyOf", "oneOf"].iter().any(|key| schema.get(key).is_some());
        self.unions += usize::from(is_union || schema.get("type").is_some_and(Value::is_array));
        for (key, value) in schema.members() {
            match &*key {
                "const" | "enum" | "default" | "examples" | "required" | "type" => {}
                "properties" | "$defs" | "definitions" => {
                    value.members().for_each(|(_, value)| self.add(value));
                }
                _ => self.add(value),
            }
        }
    }

    /// Says whether that is more than Anthropic compiles.
    /// <https://platform.claude.com/docs/en/build-with-claude/structured-outputs#schema-complexity-limits>
    pub(super) fn is_too_much(self) -> bool {
        self.tools > 20 || self.optional > 24 || self.unions > 16
    }
}

/// Says whether Anthropic holds answers to a schema, bounds aside: not where members may have any name, where values are listed
/// that have parts, where it refers to itself or to what lies elsewhere.
pub(super) fn is_held(schema: Value<'_>) -> bool {
    Holding { root: schema, open: Vec::new(), held: HashSet::new() }.holds(schema)
}

/// A schema that is walked through, by what it refers to.
struct Holding<'a> {
    root: Value<'a>,
    /// The references that are being followed.
    open: Vec<String>,
    /// Those that need not be followed again.
    held: HashSet<String>,
}

impl<'a> Holding<'a> {
    fn holds(&mut self, schema: Value<'a>) -> bool {
        if schema.is_array() {
            return schema.items().all(|item| self.holds(item));
        }
        let has_parts = |value: Value<'_>| value.is_object() || value.is_array();
        let is_empty = |value: Value<'_>| value.members().next().is_none();
        let takes_any = schema.get("additionalProperties").is_none_or(|more| more.flag() != Some(false));
        if is_object(schema) && takes_any && schema.get("properties").is_none_or(is_empty) {
            return false;
        }
        schema.members().all(|(key, value)| match &*key {
            "const" | "default" | "examples" => true,
            "enum" => !value.items().any(has_parts),
            "properties" | "$defs" | "definitions" => value.members().all(|(_, value)| self.holds(value)),
            "patternProperties" | "additionalProperties" => is_empty(value),
            "allOf" => value.items().all(|item| item.get("$ref").is_none() && self.holds(item)),
            "$ref" => value.text().is_some_and(|to| self.leads(&to)),
            key if is_refused(key, value) => true,
            _ => self.holds(value),
        })
    }

    /// Follows a reference.
    fn leads(&mut self, to: &str) -> bool {
        if self.held.contains(to) {
            return true;
        }
        let found = to.strip_prefix("#/").and_then(|path| path.split_once('/'));
        let found = found.filter(|(holder, _)| matches!(*holder, "$defs" | "definitions"));
        let found = found.and_then(|(holder, name)| self.root.get(holder)?.get(name));
        let Some(found) = found.filter(|_| self.open.len() < CHAIN && !self.open.iter().any(|one| one == to))
        else {
            return false;
        };
        self.open.push(to.to_owned());
        let holds = self.holds(found);
        self.open.pop();
        self.held.insert(to.to_owned());
        holds
    }
}

/// Says whether what fits a schema may be an object.
fn is_object(schema: Value<'_>) -> bool {
    let is_one = |kind: Value<'_>| kind.text().as_deref() == Some("object");
    schema.get("type").is_some_and(|kind| is_one(kind) || kind.items().any(is_one))
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
    let is_object = is_object(schema);
    let has_choice = schema.get("anyOf").is_some();
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
                // No more than one of them can be told from any of them by the description alone.
                "oneOf" if !has_choice => write(value, o.key("anyOf"), reader),
                key if is_refused(key, value) || key == "oneOf" => {
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
