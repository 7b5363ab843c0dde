//! Google's older form of schemas (`parameters`, `responseSchema`: a subset of `OpenAPI`'s), put into JSON Schema.
//!
//! Types are in capitals there, `nullable` stands beside them, and counts may come as text.

use super::names::{camel, member};
use crate::wire::json::{Array, Object, Raw, Value, put, written};

/// The schemas of a request in JSON Schema.
#[derive(Default)]
pub(in crate::wire) struct Schemas {
    /// Those of the functions, in their order; none where a function says it in JSON Schema or has no parameters.
    pub(in crate::wire) functions: Vec<Option<String>>,
    /// That of the answer.
    pub(in crate::wire) answer: Option<String>,
}

impl Schemas {
    /// Finds and converts the schemas of a request.
    pub(in crate::wire) fn of(root: Value<'_>) -> Self {
        let tools = member(root, "tools").into_iter().flat_map(Value::each);
        let functions = tools.filter_map(|tool| member(tool, "functionDeclarations")).flat_map(Value::each);
        let functions = functions.map(|function| {
            let is_plain = member(function, "parametersJsonSchema").is_none();
            member(function, "parameters").filter(|_| is_plain).map(converted)
        });
        let config = member(root, "generationConfig");
        Self {
            functions: functions.collect(),
            answer: config.and_then(|config| member(config, "responseSchema")).map(converted),
        }
    }
}

/// Puts a schema into JSON Schema.
fn converted(schema: Value<'_>) -> String {
    written(|o| members(o, schema))
}

fn members(o: &mut Object<'_>, schema: Value<'_>) {
    let is_nullable = member(schema, "nullable").and_then(Value::flag) == Some(true);
    for (key, value) in schema.members().filter(|(_, value)| !value.is_null()) {
        match &*camel(&key) {
            "nullable" | "propertyOrdering" | "example" => {}
            "type" if value.is_text() => {
                let kind = value.text().unwrap_or_default().to_ascii_lowercase();
                match &*kind {
                    "type_unspecified" => {}
                    kind if is_nullable => o.array("type", |a| {
                        a.put(kind);
                        a.put("null");
                    }),
                    kind => put!(o, "type": kind),
                }
            }
            "format" if value.text().as_deref() == Some("enum") => {}
            "enum" if is_nullable && value.is_array() => {
                let inner =
                    value.raw().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or_default();
                put!(o, "enum": Raw(&format!("[{inner}{}null]", if inner.trim().is_empty() { "" } else { "," })));
            }
            "properties" | "defs" | "$defs" => {
                let name = if key == "properties" { "properties" } else { "$defs" };
                o.object(name, |o| {
                    value.members().for_each(|(key, schema)| nested(o, &key, schema));
                });
            }
            "ref" => put!(o, "$ref": value),
            name @ ("items" | "additionalProperties") => nested(o, name, value),
            name @ ("anyOf" | "oneOf" | "allOf" | "prefixItems") => {
                o.array(name, |a| value.items().for_each(|schema| listed(a, schema)));
            }
            name @ ("minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties"
            | "maxProperties") => {
                let text = value.text();
                let number = text.as_deref().unwrap_or(value.raw());
                if number.parse::<u64>().is_ok() {
                    o.put(name, Raw(number));
                }
            }
            name => o.put(name, value),
        }
    }
}

fn nested(o: &mut Object<'_>, key: &str, schema: Value<'_>) {
    if schema.is_object() {
        o.object(key, |o| members(o, schema));
    } else {
        o.put(key, schema);
    }
}

fn listed(a: &mut Array<'_>, schema: Value<'_>) {
    a.object(|o| members(o, schema));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_counts_and_nullables_are_said_as_json_schema_has_them() {
        let old = r#"{"type":"OBJECT","properties":{"type":{"type":"STRING","nullable":true},"n":{"type":"ARRAY","items":{"type":"INTEGER","format":"int32"},"min_items":"2"},
            "e":{"type":"STRING","format":"enum","enum":["a"],"nullable":true},"u":{"any_of":[{"type":"NUMBER"}]}},"required":["n"],"propertyOrdering":["n"],"nullable":null}"#;
        let new = converted(Value::of(old));
        let want = serde_json::json!({
            "type": "object", "required": ["n"], "properties": {
                "type": { "type": ["string", "null"] },
                "n": { "type": "array", "items": { "type": "integer", "format": "int32" }, "minItems": 2 },
                "e": { "type": ["string", "null"], "enum": ["a", null] },
                "u": { "anyOf": [{ "type": "number" }] },
            },
        });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&new).unwrap(), want);
    }
}
