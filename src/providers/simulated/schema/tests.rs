//! What a client that checks its answers against its schema would see.

use serde_json::json;

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
        fit(&schema, Fill::Answer),
        json!({
            "name": "SIMULATED...", "age": 18, "tags": [false, false], "who": { "id": 7 }, "kind": "a",
            "when": "2000-01-01", "maybe": 0, "strange": "SIMULATED",
        })
    );
}

#[test]
fn every_bound_is_kept() {
    for (schema, want) in [
        (json!({ "type": "integer", "minimum": 3, "maximum": 9 }), json!(3)),
        (json!({ "type": "integer", "exclusiveMinimum": 3 }), json!(4)),
        (json!({ "type": "integer", "minimum": 3, "exclusiveMinimum": true }), json!(4)),
        (json!({ "type": "integer", "maximum": -5 }), json!(-5)),
        (json!({ "type": "integer", "exclusiveMaximum": 0 }), json!(-1)),
        (json!({ "type": "integer", "minimum": 2.5 }), json!(3)),
        (json!({ "type": "integer", "minimum": 7, "multipleOf": 5 }), json!(10)),
        (json!({ "type": "number", "minimum": 0.25, "multipleOf": 0.1 }), json!(0.3)),
        (json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 }), json!(0.5)),
        (json!({ "type": "number", "minimum": -0.5, "maximum": 0.5 }), json!(0)),
        (json!({ "type": "string", "maxLength": 3 }), json!("SIM")),
        (json!({ "type": "string", "pattern": "^[A-Z]{2}-\\d{3}$" }), json!("SS-111")),
        (json!({ "type": "string", "pattern": "^(on|off)$" }), json!("on")),
        (json!({ "type": "string", "pattern": "^a+$", "minLength": 3 }), json!("aaaa")),
        (
            json!({ "type": "array", "items": { "type": "integer" }, "minItems": 3, "uniqueItems": true }),
            json!([0, 1, 2]),
        ),
        (
            json!({ "type": "array", "items": { "enum": ["a", "b"] }, "minItems": 2, "uniqueItems": true }),
            json!(["a", "b"]),
        ),
        (
            json!({ "type": "array", "prefixItems": [{ "type": "string" }, { "type": "integer" }] }),
            json!(["SIMULATED", 0]),
        ),
        (json!({ "type": "array", "maxItems": 0 }), json!([])),
        (json!({ "type": "array", "items": {}, "contains": { "const": 4 } }), json!([4])),
        (json!({ "type": "string", "enum": [null, 3, "x"] }), json!("x")),
        (
            json!({ "allOf": [{ "type": "number" }, { "type": "integer" }, { "minimum": 2 }, { "minimum": 5 }] }),
            json!(5),
        ),
        (json!({ "anyOf": [{ "type": "null" }, { "type": "integer" }] }), json!(0)),
        (json!({ "oneOf": [false, { "enum": [] }, { "const": "c" }] }), json!("c")),
        (
            json!({ "type": "object", "minProperties": 2 }),
            json!({ "simulated_0": "SIMULATED", "simulated_1": "SIMULATED" }),
        ),
        (
            json!({ "type": "object", "required": ["a"], "dependentRequired": { "a": ["b"] }, "additionalProperties": { "type": "boolean" } }),
            json!({ "a": false, "b": false }),
        ),
        (
            json!({ "type": "object", "properties": { "a": { "type": "null" }, "b": { "type": "boolean" } } }),
            json!({ "a": null, "b": false }),
        ),
        (
            json!({ "type": "object", "required": ["k"], "allOf": [{ "properties": { "k": { "type": "string" } } }, { "properties": { "k": { "minLength": 11 } } }] }),
            json!({ "k": "SIMULATED.." }),
        ),
        (json!({ "$ref": "#/definitions/a%20b", "definitions": { "a b": { "type": "integer" } } }), json!(0)),
    ] {
        assert_eq!(fit(&schema, Fill::Answer), want, "{schema}");
    }
}

#[test]
fn schemas_that_turn_in_circles_come_to_an_end() {
    let list = json!({
        "$ref": "#/$defs/node",
        "$defs": { "node": { "type": "object", "required": ["value", "next", "others"], "properties": {
            "value": { "type": "integer" },
            "next": { "anyOf": [{ "$ref": "#/$defs/node" }, { "type": "null" }] },
            "others": { "type": "array", "items": { "$ref": "#/$defs/node" } },
        } } },
    });
    assert_eq!(fit(&list, Fill::Answer), json!({ "value": 0, "next": null, "others": [] }));
    let endless = json!({
        "type": "object", "required": ["a", "b"],
        "properties": { "a": { "$ref": "#" }, "b": { "$ref": "#" } },
    });
    assert_eq!(fit(&endless, Fill::Answer), Value::Null, "nothing finite fits");
    let wide = json!({ "type": "array", "minItems": 1_000_000, "items": { "type": "array", "minItems": 1_000_000 } });
    assert!(fit(&wide, Fill::Answer).to_string().len() < 1_000_000);
    let long: serde_json::Map<String, Value> = (0..5_000)
        .map(|n| (format!("d{n}"), json!({ "items": { "$ref": format!("#/$defs/d{}", n + 1) } })))
        .collect();
    let _ = fit(&json!({ "$ref": "#/$defs/d0", "$defs": long }), Fill::Answer);
    for strange in [
        json!(null),
        json!(3),
        json!([]),
        json!({ "type": 3 }),
        json!({ "enum": [] }),
        json!({ "$ref": "#" }),
        json!({ "$ref": "https://elsewhere" }),
        json!({ "pattern": "(?!x)" }),
        json!({ "pattern": "a{999999}" }),
        json!({ "type": "number", "multipleOf": 0 }),
        json!({ "type": "integer", "minimum": 1e300 }),
    ] {
        let _ = fit(&strange, Fill::Answer);
        assert!(arguments(&strange).is_object());
    }
}

#[test]
fn arguments_do_no_harm() {
    let schema = json!({ "type": "object", "required": ["command", "path", "city"], "properties": {
        "command": { "type": "array", "items": { "type": "string" } }, "path": { "type": "string" },
        "city": { "type": "string" }, "timeout": { "type": "integer" },
    } });
    assert_eq!(arguments(&schema), json!({ "command": ["ls"], "path": ".", "city": "SIMULATED" }));
}
