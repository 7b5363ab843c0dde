//! What the schemas say that hold for one value.

use serde_json::{Map, Value};

/// A schema's members; several of them may hold for one value.
pub(super) type Facet<'s> = &'s Map<String, Value>;
/// Walks a list among a schema's members; of anything else there are none.
pub(super) fn list<'s>(facet: Facet<'s>, key: &str) -> impl Iterator<Item = &'s Value> + use<'s> {
    facet.get(key).and_then(Value::as_array).into_iter().flatten()
}

pub(super) fn is_null(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

/// Returns the kinds that every schema allows, in the order of the first; `None` where none speaks of it.
pub(super) fn kinds<'s>(facets: &[Facet<'s>]) -> Option<Vec<&'s str>> {
    let said = |facet: &Facet<'s>| match facet.get("type")? {
        Value::String(kind) => Some(vec![kind.as_str()]),
        Value::Array(kinds) => Some(kinds.iter().filter_map(Value::as_str).collect()),
        _ => None,
    };
    facets.iter().filter_map(said).reduce(|all, more| {
        let both = |a: &'s str, b: &'s str| match (a, b) {
            (a, b) if a == b => Some(a),
            ("integer", "number") | ("number", "integer") => Some("integer"),
            _ => None,
        };
        all.iter().filter_map(|a| more.iter().find_map(|b| both(a, b))).collect()
    })
}

/// Guesses the kind from the members that speak of one.
pub(super) fn implied(facets: &[Facet<'_>]) -> &'static str {
    let has = |keys: &[&str]| facets.iter().any(|facet| keys.iter().any(|key| facet.contains_key(*key)));
    match () {
        () if has(&["properties", "required", "additionalProperties", "minProperties"]) => "object",
        () if has(&["items", "prefixItems", "minItems", "contains"]) => "array",
        () if has(&["minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"]) => "number",
        () => "string",
    }
}

pub(super) fn is_of(value: &Value, kind: &str) -> bool {
    match value {
        Value::Null => kind == "null",
        Value::Bool(_) => kind == "boolean",
        Value::String(_) => kind == "string",
        Value::Array(_) => kind == "array",
        Value::Object(_) => kind == "object",
        Value::Number(number) => kind == "number" || (kind == "integer" && !number.to_string().contains('.')),
    }
}
