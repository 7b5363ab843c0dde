//! A JSON value that fits a JSON schema, made by walking the schema's parts where they lie.
//!
//! Invariants: a reference is never entered again on its own path, so schemas that refer to themselves come to an end;
//! depth, parts and values are bounded whatever the schema says. What no finite value fits becomes `null`.

mod facet;
mod number;
mod text;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use facet::{Facet, implied, is_null, is_of, kinds, list};

/// The deepest that a schema is followed.
const DEEPEST: u32 = 64;
/// The most values tried for one schema.
const MOST: u32 = 10_000;
/// The most schemas that may hold for one value at once.
const MOST_FACETS: usize = 64;
/// The most items of a list.
const MOST_ITEMS: u64 = 1_000;

/// What is put in beyond what has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    /// Nothing, and texts of well-known names do no harm: a command is `ls`. For arguments of tools.
    Arguments,
    /// Every property, where the schema requires none. For answers.
    Answer,
}

/// Makes a value that fits.
pub(super) fn fit(schema: &Value, fill: Fill) -> Value {
    let mut maker = Maker { root: schema, fill, left: MOST, entered: Vec::new(), nth: 0 };
    maker.value(vec![schema], "", 0).unwrap_or(Value::Null)
}

/// Makes arguments of a call: always an object.
pub(super) fn arguments(schema: &Value) -> Value {
    match fit(schema, Fill::Arguments) {
        made @ Value::Object(_) => made,
        _ => Value::Object(Map::new()),
    }
}

/// Alternatives, each a list of schemas that then hold too.
type Choice<'s> = Vec<Vec<&'s Value>>;

struct Maker<'s> {
    root: &'s Value,
    fill: Fill,
    left: u32,
    /// The references on the path to the value being made.
    entered: Vec<&'s str>,
    /// Tells the items of a list apart that may not repeat.
    nth: u64,
}

/// What is known of one value while its schemas are unfolded.
#[derive(Clone, Default)]
struct Node<'s> {
    facets: Vec<Facet<'s>>,
    choices: Vec<Choice<'s>>,
    /// How many references were entered before this value.
    start: usize,
}

impl<'s> Maker<'s> {
    /// Makes a value for which all schemas hold; `name` is the property it is for.
    fn value(&mut self, schemas: Vec<&'s Value>, name: &str, depth: u32) -> Option<Value> {
        let start = self.entered.len();
        let made = self.unfold(Node { start, ..Node::default() }, schemas, name, depth);
        self.entered.truncate(start);
        made
    }

    fn unfold(
        &mut self,
        mut node: Node<'s>,
        mut schemas: Vec<&'s Value>,
        name: &str,
        depth: u32,
    ) -> Option<Value> {
        self.left = self.left.checked_sub(1)?;
        if depth > DEEPEST {
            return None;
        }
        while let Some(schema) = schemas.pop() {
            let facet = match schema {
                Value::Object(facet) => facet,
                Value::Bool(false) => return None,
                _ => continue,
            };
            if node.facets.len() >= MOST_FACETS {
                return None;
            }
            if let Some(path) = facet.get("$ref").and_then(Value::as_str) {
                match self.entered.iter().position(|entered| *entered == path) {
                    Some(at) if at < node.start => return None,
                    Some(_) => {}
                    None => {
                        self.entered.push(path);
                        schemas.extend(self.target(path));
                    }
                }
            }
            schemas.extend(list(facet, "allOf"));
            for key in ["oneOf", "anyOf"] {
                let branches: Choice<'s> = list(facet, key).map(|branch| vec![branch]).collect();
                if !branches.is_empty() {
                    // Nothing at all is the last resort.
                    let (null, some): (Choice<'s>, Choice<'s>) =
                        branches.into_iter().partition(|branch| branch.iter().all(|one| is_null(one)));
                    node.choices.push([some, null].concat());
                }
            }
            if let (Some(condition), Some(then)) = (facet.get("if"), facet.get("then")) {
                node.choices.push(vec![vec![condition, then], vec![]]);
            }
            node.facets.push(facet);
        }
        let Some(choice) = node.choices.pop() else { return self.leaf(&node.facets, name, depth) };
        let entered = self.entered.len();
        choice.into_iter().find_map(|branch| {
            self.entered.truncate(entered);
            self.unfold(node.clone(), branch, name, depth + 1)
        })
    }

    /// Finds what a reference means; what lies elsewhere may be anything.
    fn target(&self, path: &str) -> Option<&'s Value> {
        let pointer = path.strip_prefix('#')?;
        self.root
            .pointer(pointer)
            .or_else(|| self.root.pointer(&pointer.replace("%20", " ").replace("%25", "%")))
    }

    fn leaf(&mut self, facets: &[Facet<'s>], name: &str, depth: u32) -> Option<Value> {
        let kinds = kinds(facets);
        let listed = facets.iter().find_map(|facet| facet.get("enum")?.as_array());
        let fixed = facets.iter().find_map(|facet| facet.get("const"));
        if fixed.is_some() || listed.is_some() {
            let fits = |value: &&Value| {
                kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|kind| is_of(value, kind)))
                    && facets.iter().all(|facet| {
                        facet.get("const").is_none_or(|only| only == *value)
                            && facet
                                .get("enum")
                                .and_then(Value::as_array)
                                .is_none_or(|list| list.contains(value))
                    })
            };
            let mut fitting = fixed.into_iter().chain(listed.into_iter().flatten()).filter(fits);
            return fitting.nth(usize::try_from(self.nth).unwrap_or(0)).cloned();
        }
        let kind = match &kinds {
            Some(kinds) => kinds.iter().find(|kind| **kind != "null").or(kinds.first()).copied()?,
            None => implied(facets),
        };
        match kind {
            "object" => self.object(facets, depth),
            "array" => self.array(facets, name, depth),
            "integer" => number::fit(facets, true, self.nth),
            "number" => number::fit(facets, false, self.nth),
            "boolean" => Some(Value::Bool(self.nth % 2 == 1)),
            "null" => Some(Value::Null),
            _ => {
                let harmless = if self.fill == Fill::Arguments { text::harmless(name) } else { None };
                Some(Value::String(text::fit(facets, harmless, self.nth)))
            }
        }
    }

    fn object(&mut self, facets: &[Facet<'s>], depth: u32) -> Option<Value> {
        let mut known: BTreeMap<&str, Vec<&'s Value>> = BTreeMap::new();
        for facet in facets {
            for (key, schema) in facet.get("properties").and_then(Value::as_object).into_iter().flatten() {
                known.entry(key).or_default().push(schema);
            }
        }
        let other: Vec<&'s Value> =
            facets.iter().filter_map(|facet| facet.get("additionalProperties")).collect();
        let count = |key: &'static str| facets.iter().filter_map(move |facet| facet.get(key)?.as_u64());
        let least = count("minProperties").max().unwrap_or(0).min(MOST_ITEMS);
        let mut wanted: Vec<&str> =
            facets.iter().flat_map(|facet| list(facet, "required")).filter_map(Value::as_str).collect();
        let says_required = facets.iter().any(|facet| facet.contains_key("required"));
        let fills = self.fill == Fill::Answer && !says_required && count("maxProperties").next().is_none();
        let mut made = Map::new();
        let mut at = 0;
        while let Some(&key) = wanted.get(at) {
            at += 1;
            if made.contains_key(key) {
                continue;
            }
            let schemas = known.get(key).unwrap_or(&other).clone();
            made.insert(key.to_owned(), self.value(schemas, key, depth + 1)?);
            let along =
                facets.iter().filter_map(|facet| facet.get("dependentRequired")?.get(key)?.as_array());
            wanted.extend(along.flatten().filter_map(Value::as_str));
        }
        for (key, schemas) in known {
            let is_missing = fills || (made.len() as u64) < least;
            if is_missing
                && !made.contains_key(key)
                && let Some(value) = self.value(schemas, key, depth + 1)
            {
                made.insert(key.to_owned(), value);
            }
        }
        for n in 0..least.saturating_sub(made.len() as u64) {
            let value = self.value(other.clone(), "", depth + 1)?;
            made.insert(format!("simulated_{n}"), value);
        }
        Some(Value::Object(made))
    }

    fn array(&mut self, facets: &[Facet<'s>], name: &str, depth: u32) -> Option<Value> {
        let count = |key: &'static str| facets.iter().filter_map(move |facet| facet.get(key)?.as_u64());
        let (least, most) = (count("minItems").max().unwrap_or(0), count("maxItems").min());
        // Draft 4 has a list in `items` for what is `prefixItems` now.
        let places = |at: usize| {
            facets.iter().filter_map(move |facet| {
                let first = list(facet, "prefixItems").chain(list(facet, "items")).nth(at);
                first.or_else(|| facet.get("items").filter(|items| !items.is_array()))
            })
        };
        let prefix =
            facets.iter().map(|facet| list(facet, "prefixItems").chain(list(facet, "items")).count());
        let prefix = prefix.max().unwrap_or(0) as u64;
        let contained = || facets.iter().filter_map(|facet| facet.get("contains"));
        let contains = facets
            .iter()
            .filter(|facet| facet.contains_key("contains"))
            .map(|facet| facet.get("minContains").and_then(Value::as_u64).unwrap_or(1))
            .max()
            .unwrap_or(0);
        let length = least.max(prefix).max(contains).max(1).min(most.unwrap_or(u64::MAX)).min(MOST_ITEMS);
        let is_unique =
            facets.iter().any(|facet| facet.get("uniqueItems").and_then(Value::as_bool) == Some(true));
        let nth = self.nth;
        let mut made: Vec<Value> = Vec::new();
        for at in 0..length {
            let mut schemas: Vec<&'s Value> = places(usize::try_from(at).unwrap_or(usize::MAX)).collect();
            if at < contains {
                schemas.extend(contained());
            }
            if is_unique {
                self.nth = at;
            }
            match self.value(schemas, name, depth + 1) {
                Some(value) if !is_unique || !made.contains(&value) => made.push(value),
                _ => break,
            }
        }
        self.nth = nth;
        (made.len() as u64 >= least.max(contains).min(MOST_ITEMS) || self.left == 0)
            .then_some(Value::Array(made))
    }
}
