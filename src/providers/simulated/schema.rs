//! A JSON value that fits a simple JSON schema: what is required is there, and of the right kind.

use serde_json::{Map, Value, json};

/// The deepest that a schema is followed; one may refer to itself.
const DEEPEST: u32 = 12;
/// The most values made for one schema.
const MOST: u32 = 2_000;

/// Makes a value that fits.
pub(super) fn fit(schema: &Value) -> Value {
    let mut left = MOST;
    value(schema, schema, 0, &mut left)
}

fn value(schema: &Value, root: &Value, depth: u32, left: &mut u32) -> Value {
    if depth > DEEPEST || *left == 0 {
        return Value::Null;
    }
    *left -= 1;
    if let Some(path) = schema.get("$ref").and_then(Value::as_str) {
        let target = path.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.map_or(Value::Null, |target| value(target, root, depth + 1, left));
    }
    if let Some(fixed) = schema.get("const").or_else(|| schema.get("enum")?.as_array()?.first()) {
        return fixed.clone();
    }
    let choice = ["anyOf", "oneOf", "allOf"].into_iter().find_map(|key| schema.get(key)?.as_array()?.first());
    if let Some(choice) = choice {
        return value(choice, root, depth + 1, left);
    }
    let kind = match schema.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        // Of several kinds the first that is not null.
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null")
        }
        _ if schema.get("properties").is_some() => "object",
        _ => "string",
    };
    match kind {
        "object" => object(schema, root, depth, left),
        "array" => {
            let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).min(100);
            let item = schema.get("items").cloned().unwrap_or_else(|| json!({ "type": "string" }));
            Value::Array((0..least).map(|_| value(&item, root, depth + 1, left)).collect())
        }
        "integer" | "number" => number(schema),
        "boolean" => Value::Bool(false),
        "null" => Value::Null,
        _ => text(schema),
    }
}

fn object(schema: &Value, root: &Value, depth: u32, left: &mut u32) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut made = Map::new();
    for key in required {
        let of = properties.and_then(|properties| properties.get(key));
        let fitting = of.map_or_else(|| Value::from("SIMULATED"), |of| value(of, root, depth + 1, left));
        made.insert(key.to_owned(), fitting);
    }
    Value::Object(made)
}

fn number(schema: &Value) -> Value {
    let bound = |key: &str| schema.get(key).and_then(Value::as_i64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|least| least.saturating_add(1)));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|most| most.saturating_sub(1)));
    let number = least.unwrap_or(0);
    Value::from(most.map_or(number, |most| number.min(most)))
}

fn text(schema: &Value) -> Value {
    let bound = |key: &str| schema.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let fixed = match schema.get("format").and_then(Value::as_str) {
        Some("date-time") => Some("2000-01-01T00:00:00Z"),
        Some("date") => Some("2000-01-01"),
        Some("time") => Some("00:00:00Z"),
        Some("email") => Some("simulated@example.com"),
        Some("uri") => Some("https://example.com/simulated"),
        Some("uuid") => Some("00000000-0000-4000-8000-000000000000"),
        _ => None,
    };
    let mut text = fixed.unwrap_or("SIMULATED").to_owned();
    if let Some(least) = bound("minLength") {
        let missing = least.min(10_000).saturating_sub(text.len());
        text.extend(std::iter::repeat_n('.', missing));
    }
    if let Some(most) = bound("maxLength") {
        text.truncate(most);
    }
    Value::String(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_keys_are_there_and_of_their_kind() {
        let schema = json!({
            "type": "object",
            "required": ["name", "age", "tags", "who", "kind", "when", "maybe", "strange"],
            "properties": {
                "name": { "type": "string", "minLength": 12 },
                "age": { "type": "integer", "minimum": 18 },
                "tags": { "type": "array", "items": { "type": "boolean" }, "minItems": 2 },
                "who": { "$ref": "#/$defs/person" },
                "kind": { "enum": ["a", "b"] },
                "when": { "type": "string", "format": "date" },
                "maybe": { "type": ["null", "number"] },
                "optional": { "type": "string" },
            },
            "$defs": { "person": { "type": "object", "required": ["id"], "properties": { "id": { "const": 7 } } } },
        });
        assert_eq!(
            fit(&schema),
            json!({
                "name": "SIMULATED...", "age": 18, "tags": [false, false], "who": { "id": 7 }, "kind": "a",
                "when": "2000-01-01", "maybe": 0, "strange": "SIMULATED",
            })
        );
    }

    #[test]
    fn schemas_that_turn_in_circles_come_to_an_end() {
        let tree = json!({
            "type": "object", "required": ["a", "b"],
            "properties": { "a": { "$ref": "#" }, "b": { "$ref": "#" } },
        });
        assert!(fit(&tree).to_string().len() < 100_000);
        assert_eq!(fit(&json!({ "$ref": "#" })), Value::Null);
        let wide = json!({ "type": "array", "minItems": 1_000_000, "items": { "type": "array", "minItems": 1_000_000 } });
        assert!(fit(&wide).to_string().len() < 100_000);
        for strange in [json!(null), json!(3), json!([]), json!({ "type": 3 }), json!({ "enum": [] })] {
            let _ = fit(&strange);
        }
    }
}
