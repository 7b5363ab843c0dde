//! Schemas of tools with a choice at the top, which Anthropic and OpenAI refuse, and the whole request with them.
//!
//! Invariant: what fits the schema as given fits it as it is sent; what is lost stands in its description.

use std::borrow::Cow;

use super::json::{Value, put, written};

/// What may not stand at the top, and what it says in words.
const BRANCHES: [(&str, &str); 5] = [
    ("anyOf", "at least one of"),
    ("oneOf", "exactly one of"),
    ("allOf", "all of"),
    ("enum", "one of the values"),
    ("not", "anything but"),
];

/// Returns a schema of an object with its branches folded into the root; nothing where it has none.
pub(super) fn folded(schema: Value<'_>) -> Option<String> {
    if !BRANCHES.iter().any(|(key, _)| schema.get(key).is_some()) {
        return None;
    }
    let branches = |key: &str| {
        schema.list(key).map(|branch| resolved(branch, schema).unwrap_or(branch)).collect::<Vec<_>>()
    };
    let names =
        |of: Value<'_>| of.list("required").filter_map(Value::text).map(Cow::into_owned).collect::<Vec<_>>();
    let mut required = names(schema);
    for key in ["allOf", "anyOf", "oneOf"] {
        let each: Vec<Vec<String>> = branches(key).into_iter().map(names).collect();
        let all = each.iter().flatten();
        let is_needed = |name: &&String| key == "allOf" || each.iter().all(|known| known.contains(name));
        let needed: Vec<String> = all.filter(is_needed).cloned().collect();
        required.extend(needed);
    }
    required.sort_unstable();
    required.dedup();
    let mut properties: Vec<(Cow<'_, str>, Value<'_>)> = Vec::new();
    let within = ["allOf", "anyOf", "oneOf"].into_iter().flat_map(branches);
    for holder in std::iter::once(schema).chain(within) {
        for (name, value) in holder.get("properties").into_iter().flat_map(Value::members) {
            if !properties.iter().any(|(known, _)| *known == name) {
                properties.push((name, value));
            }
        }
    }
    let choices = BRANCHES.iter().filter_map(|(key, words)| {
        Some(format!("The arguments have to fit {words} {}", schema.get(key)?.raw()))
    });
    let said = schema.text_of("description").map(Cow::into_owned);
    let description: Vec<String> = said.into_iter().chain(choices).collect();
    let is_written = |key: &str| {
        matches!(key, "type" | "description" | "properties" | "required")
            || BRANCHES.iter().any(|(known, _)| *known == key)
    };
    Some(written(|o| {
        put!(o, "type": "object", "description": &description.join("\n"));
        o.object("properties", |o| properties.iter().for_each(|(name, value)| o.put(name, *value)));
        if !required.is_empty() {
            put!(o, "required": [for name in &required => name]);
        }
        schema.members().filter(|(key, _)| !is_written(key)).for_each(|(key, value)| o.put(&key, value));
    }))
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
}
