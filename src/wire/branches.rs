//! Schemas of tools with a choice at the top, which Anthropic and OpenAI refuse, and the whole request with them.
//!
//! Invariant: whatever a branch says of a property is taken in the schema as it is sent; what is lost stands in its description.

use std::borrow::Cow;
use std::collections::BTreeSet;

use rustc_hash::{FxHashMap, FxHashSet};

use super::json::{Raw, Value, put, written};

/// What may not stand at the top, and what it says in words.
const BRANCHES: [(&str, &str); 5] = [
    ("anyOf", "at least one of"),
    ("oneOf", "exactly one of"),
    ("allOf", "all of"),
    ("enum", "one of the values"),
    ("not", "anything but"),
];

/// So deep branches are followed, and so many in all: they may refer to themselves.
const DEEPEST: u8 = 8;
const MOST: usize = 4096;

/// Returns a schema of an object with its branches folded into the root; nothing where it has none.
pub(super) fn folded(schema: Value<'_>) -> Option<String> {
    let has_branches = |of: Value<'_>| BRANCHES.iter().any(|(key, _)| of.get(key).is_some());
    let referred = |place: &str| {
        let (holder, name) = place.strip_prefix("#/")?.split_once('/')?;
        schema.get(holder)?.get(name)
    };
    let target = schema.text_of("$ref").and_then(|place| referred(&place));
    if !has_branches(schema) && !target.is_some_and(has_branches) {
        return None;
    }
    let mut fold = Fold::new(schema);
    let required: BTreeSet<String> = fold.gather(schema, DEEPEST).into_iter().collect();
    let choices = BRANCHES.iter().filter_map(|(key, words)| {
        Some(format!("The arguments have to fit {words} {}", schema.get(key)?.raw()))
    });
    let said = schema.text_of("description").map(Cow::into_owned);
    let description: Vec<String> = said.into_iter().chain(choices).collect();
    let is_written = |key: &str| {
        matches!(key, "$ref" | "type" | "description" | "properties" | "required")
            || (key == "additionalProperties" && fold.has_lost)
            || BRANCHES.iter().any(|(known, _)| *known == key)
    };
    Some(written(|o| {
        put!(o, "type": "object", "description": &description.join("\n"));
        o.object("properties", |o| {
            for (name, each) in &fold.properties {
                o.put(name, Raw(&either(each)));
            }
        });
        if !required.is_empty() {
            put!(o, "required": [for name in &required => name]);
        }
        o.copy(schema, |key| !is_written(key));
    }))
}

/// What branches come to. Each is gone through once, and so is each name in it.
struct Fold<'a> {
    /// What may be referred to, by its place.
    referred: FxHashMap<String, Value<'a>>,
    /// Each property with all that may stand there, as a root and its branches say it.
    properties: Vec<(String, Vec<Value<'a>>)>,
    /// Where each of them stands, and what is known to stand there.
    places: FxHashMap<String, usize>,
    known: FxHashSet<(usize, &'a str)>,
    /// Branches that may be followed yet.
    left: usize,
    /// Whether there was something that could not be followed.
    has_lost: bool,
}

impl<'a> Fold<'a> {
    fn new(root: Value<'a>) -> Self {
        let mut referred = FxHashMap::default();
        for holder in ["$defs", "definitions"] {
            for (name, value) in root.get(holder).into_iter().flat_map(Value::members) {
                referred.insert(format!("#/{holder}/{name}"), value);
            }
        }
        let (properties, places, known) = (Vec::new(), FxHashMap::default(), FxHashSet::default());
        Self { referred, properties, places, known, left: MOST, has_lost: false }
    }

    /// Takes in what a schema says; returns what it demands whichever branch is taken.
    fn gather(&mut self, schema: Value<'a>, levels: u8) -> FxHashSet<String> {
        for (name, value) in schema.get("properties").into_iter().flat_map(Value::members) {
            let next = self.properties.len();
            let at = *self.places.entry(name.to_string()).or_insert(next);
            if at == next {
                self.properties.push((name.into_owned(), Vec::new()));
            }
            if let Some((_, each)) =
                self.properties.get_mut(at).filter(|_| self.known.insert((at, value.raw())))
            {
                each.push(value);
            }
        }
        let mut required: FxHashSet<String> =
            schema.list("required").filter_map(Value::text).map(Cow::into_owned).collect();
        let target = schema.text_of("$ref").map(|place| self.referred.get(&*place).copied());
        self.has_lost |= matches!(target, Some(None));
        for (key, is_all) in [("$ref", true), ("allOf", true), ("anyOf", false), ("oneOf", false)] {
            let referred = target.flatten().filter(|_| key == "$ref");
            let (mut count, mut demanded): (usize, FxHashMap<String, usize>) = (0, FxHashMap::default());
            for branch in referred.into_iter().chain(schema.list(key)) {
                let (Some(below), Some(left)) = (levels.checked_sub(1), self.left.checked_sub(1)) else {
                    self.has_lost = true;
                    count += 1;
                    continue;
                };
                self.left = left;
                for name in self.gather(branch, below) {
                    *demanded.entry(name).or_insert(0) += 1;
                }
                count += 1;
            }
            let is_needed = |by: usize| is_all || by == count;
            required.extend(demanded.into_iter().filter(|(_, by)| is_needed(*by)).map(|(name, _)| name));
        }
        required
    }
}

/// Writes a schema that all that fits one of several fits: values that are told one by one as a list.
fn either(each: &[Value<'_>]) -> String {
    if let [one] = each {
        return one.raw().to_owned();
    }
    // Whatever is taken by one that says nothing is taken.
    if let Some(any) = each.iter().find(|one| one.is_object() && one.members().next().is_none()) {
        return any.raw().to_owned();
    }
    let told = |one: &Value<'_>| {
        let is_known =
            |key: &str| matches!(key, "type" | "const" | "enum" | "title" | "description" | "default");
        let only = one.is_object() && one.members().all(|(key, _)| is_known(&key));
        let values: Vec<String> = one
            .get("const")
            .into_iter()
            .chain(one.list("enum"))
            .map(|value| value.raw().to_owned())
            .collect();
        (only && !values.is_empty()).then_some(values)
    };
    if let Some(values) = each.iter().map(told).collect::<Option<Vec<_>>>() {
        let mut seen = FxHashSet::default();
        let list: Vec<String> =
            values.into_iter().flatten().filter(|value| seen.insert(value.clone())).collect();
        let kinds: Vec<_> = each.iter().map(|one| one.text_of("type")).collect();
        let kind = kinds
            .first()
            .cloned()
            .flatten()
            .filter(|kind| kinds.iter().all(|other| other.as_ref() == Some(kind)));
        return written(|o| put!(o, "type"?: kind.as_deref(), "enum": Raw(&format!("[{}]", list.join(",")))));
    }
    written(|o| put!(o, "anyOf": [for one in each => *one]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_are_folded_and_what_all_of_them_demand_is_demanded() {
        let one = r#"{"properties":{"a":{"type":"string"}},"required":["a","k"]}"#;
        let two = r##"{"$ref":"#/$defs/two"}"##;
        let schema = format!(
            r#"{{"type":"object","description":"d","properties":{{"k":{{}}}},"anyOf":[{one},{two}],"$defs":{{"two":{{"properties":{{"b":{{}}}},"required":["k"]}}}}}}"#
        );
        let folded: serde_json::Value = serde_json::from_str(&folded(Value::of(&schema)).unwrap()).unwrap();
        assert_eq!(folded["required"], serde_json::json!(["k"]));
        let names: Vec<&String> = folded["properties"].as_object().unwrap().keys().collect();
        assert_eq!(names.len(), 3, "{names:?}");
        assert!(folded.get("anyOf").is_none() && folded["description"].as_str().unwrap().starts_with("d\n"));
        assert_eq!(super::folded(Value::of(r#"{"type":"object","properties":{"anyOf":{}}}"#)), None);
    }

    /// With the first branch's constant alone a tool could not be called to delete.
    #[test]
    fn what_branches_say_of_one_property_is_all_taken_however_deep_they_lie() {
        let read = |schema: serde_json::Value| -> serde_json::Value {
            serde_json::from_str(&folded(Value::of(&schema.to_string())).unwrap()).unwrap()
        };
        let of = |action: &str, more: &str| {
            serde_json::json!({"properties": {"action": {"type": "string", "const": action},
            more: {"type": "string"}}, "required": ["action", more], "additionalProperties": false})
        };
        let union =
            serde_json::json!({"type": "object", "oneOf": [of("create", "title"), of("delete", "id")]});
        for schema in [union.clone(), serde_json::json!({"$ref": "#/$defs/T", "$defs": {"T": union}})] {
            let got = read(schema);
            assert_eq!(
                got["properties"]["action"],
                serde_json::json!({"type": "string", "enum": ["create", "delete"]})
            );
            assert_eq!(got["required"], serde_json::json!(["action"]), "{got}");
            assert!(got["properties"]["title"].is_object() && got["properties"]["id"].is_object(), "{got}");
        }
        let kinds = read(
            serde_json::json!({"anyOf": [{"properties": {"v": {"type": "string"}}}, {"properties": {"v": {"type": "integer"}}}]}),
        );
        assert_eq!(kinds["properties"]["v"]["anyOf"].as_array().unwrap().len(), 2, "{kinds}");
        let nested = read(
            serde_json::json!({"additionalProperties": false, "anyOf": [{"anyOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]},
            {"properties": {"c": {}}}]}),
        );
        assert_eq!(nested["properties"].as_object().unwrap().len(), 3, "{nested}");
        assert_eq!(nested["additionalProperties"], false);
        let lost = read(
            serde_json::json!({"additionalProperties": false, "anyOf": [{"$ref": "https://elsewhere"}]}),
        );
        assert!(lost.get("additionalProperties").is_none(), "what is not known may be given: {lost}");
        // Each refers to all: followed to the end there would be a hundred million.
        let all: Vec<serde_json::Value> = (0..10).map(|_| serde_json::json!({"$ref": "#/$defs/T"})).collect();
        let round =
            read(serde_json::json!({"anyOf": all, "$defs": {"T": {"anyOf": all, "properties": {"a": {}}}}}));
        assert!(round["properties"]["a"].is_object(), "{round}");
    }
}
