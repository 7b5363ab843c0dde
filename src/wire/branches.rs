//! Schemas of tools with a choice at the top, which Anthropic and OpenAI refuse, and the whole request with them.
//!
//! Invariant: whatever a branch says of a property is taken in the schema as it is sent; what is lost stands in its description.

use std::borrow::Cow;

use super::json::{Raw, Value, put, written};

/// What may not stand at the top, and what it says in words.
const BRANCHES: [(&str, &str); 5] = [
    ("anyOf", "at least one of"),
    ("oneOf", "exactly one of"),
    ("allOf", "all of"),
    ("enum", "one of the values"),
    ("not", "anything but"),
];

/// The keys that hold branches; what the first refers to counts as a branch that has to fit.
const HOLDERS: [&str; 4] = ["$ref", "allOf", "anyOf", "oneOf"];
/// So deep branches are followed: they may refer to themselves.
const DEEPEST: u8 = 8;

/// Returns a schema of an object with its branches folded into the root; nothing where it has none.
pub(super) fn folded(schema: Value<'_>) -> Option<String> {
    let has_branches = |of: Value<'_>| BRANCHES.iter().any(|(key, _)| of.get(key).is_some());
    if !has_branches(schema) && !resolved(schema, schema).is_some_and(has_branches) {
        return None;
    }
    let mut fold = Fold { root: schema, properties: Vec::new(), has_lost: false };
    fold.gather(schema, DEEPEST);
    let mut required = fold.required(schema, DEEPEST);
    required.sort_unstable();
    required.dedup();
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
                o.raw(name, &either(each));
            }
        });
        if !required.is_empty() {
            put!(o, "required": [for name in &required => name]);
        }
        schema.members().filter(|(key, _)| !is_written(key)).for_each(|(key, value)| o.put(&key, value));
    }))
}

/// What branches come to.
struct Fold<'a> {
    root: Value<'a>,
    /// Each property with all that may stand there, as a root and its branches say it.
    properties: Vec<(String, Vec<Value<'a>>)>,
    /// Whether there was something that could not be followed.
    has_lost: bool,
}

/// Lists the branches that a schema holds under a key.
fn branches<'a>(schema: Value<'a>, root: Value<'a>, key: &str) -> Vec<Value<'a>> {
    match key {
        "$ref" => resolved(schema, root).into_iter().collect(),
        key => schema.list(key).collect(),
    }
}

impl<'a> Fold<'a> {
    fn gather(&mut self, schema: Value<'a>, levels: u8) {
        for (name, value) in schema.get("properties").into_iter().flat_map(Value::members) {
            match self.properties.iter_mut().find(|(known, _)| *known == name) {
                Some((_, each)) if each.iter().any(|known| known.raw() == value.raw()) => {}
                Some((_, each)) => each.push(value),
                None => self.properties.push((name.into_owned(), vec![value])),
            }
        }
        self.has_lost |= schema.get("$ref").is_some() && resolved(schema, self.root).is_none();
        let root = self.root;
        for branch in HOLDERS.into_iter().flat_map(|key| branches(schema, root, key)) {
            match levels.checked_sub(1) {
                Some(below) => self.gather(branch, below),
                None => self.has_lost = true,
            }
        }
    }

    /// Lists what a schema demands whichever branch is taken.
    fn required(&self, schema: Value<'a>, levels: u8) -> Vec<String> {
        let mut names: Vec<String> =
            schema.list("required").filter_map(Value::text).map(Cow::into_owned).collect();
        let Some(below) = levels.checked_sub(1) else { return names };
        for key in HOLDERS {
            let each: Vec<Vec<String>> = branches(schema, self.root, key)
                .into_iter()
                .map(|branch| self.required(branch, below))
                .collect();
            let is_all = matches!(key, "$ref" | "allOf");
            let is_needed = |name: &&String| is_all || each.iter().all(|known| known.contains(name));
            names.extend(each.iter().flatten().filter(is_needed).cloned());
        }
        names
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
        let mut list: Vec<String> = Vec::new();
        for value in values.into_iter().flatten() {
            if !list.contains(&value) {
                list.push(value);
            }
        }
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

/// Returns what a branch refers to within the schema.
fn resolved<'a>(branch: Value<'_>, root: Value<'a>) -> Option<Value<'a>> {
    let place = branch.text_of("$ref")?;
    let mut names = place.strip_prefix("#/")?.split('/');
    let holder = names.next().filter(|name| matches!(*name, "$defs" | "definitions"))?;
    root.get(holder)?.get(names.next()?)
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
    }
}
