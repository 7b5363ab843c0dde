//! A JSON Schema, compiled: texts that fit it, and where one does not.
//!
//! Invariants: a schema fetches nothing; no pattern in it takes longer than the text is long; what is wrong is told by its place
//! in the schema, never by what stands in the answer.

use std::collections::BTreeMap;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

/// A schema.
#[derive(Debug)]
pub(super) struct Schema(Validator);

/// The largest schema that is compiled.
const MOST: usize = 256 * 1024;
/// The most values of a client's schema, each counted wherever it is referred to.
const PARTS: u64 = 4096;
/// How many of its references may lead to each other.
const DEEPEST: u8 = 32;

/// How many values a schema has, with all that it refers to.
struct Sizes<'a> {
    root: &'a Value,
    /// By what they are referred to; none while it is being counted.
    known: BTreeMap<&'a str, Option<u64>>,
    /// How many references led here.
    deep: u8,
}

impl<'a> Sizes<'a> {
    /// Counts a value; none where it refers to itself, or to what is not found here.
    fn of(&mut self, value: &'a Value) -> Option<u64> {
        match value {
            Value::Array(list) => {
                list.iter().try_fold(1, |all: u64, one| Some(all.saturating_add(self.of(one)?)))
            }
            Value::Object(members) => members.iter().try_fold(1, |all: u64, (key, value)| {
                let size = match (key.as_str(), value) {
                    ("$ref", Value::String(to)) => self.referred(to)?,
                    ("$ref" | "$dynamicRef" | "$recursiveRef", _) => return None,
                    // They count where they are referred to.
                    ("$defs" | "definitions", _) => 0,
                    _ => self.of(value)?,
                };
                Some(all.saturating_add(size))
            }),
            _ => Some(1),
        }
    }

    fn referred(&mut self, to: &'a str) -> Option<u64> {
        if let Some(known) = self.known.get(to) {
            return *known;
        }
        self.known.insert(to, None);
        self.deep = self.deep.checked_add(1).filter(|deep| *deep <= DEEPEST)?;
        let size = self.of(self.root.pointer(to.strip_prefix('#')?)?)?;
        self.deep -= 1;
        self.known.insert(to, Some(size));
        Some(size)
    }
}

impl Schema {
    /// Compiles a schema.
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        if text.len() > MOST {
            return Err(format!("is larger than {} KiB", MOST / 1024));
        }
        let schema = serde_json::from_str(text).map_err(|error| format!("is no JSON: {error}"))?;
        Self::build(&schema)
    }

    /// Compiles a schema that came with a request: one whose parts refer to each other so that a text could be looked at many
    /// times over is left alone.
    pub(super) fn of_client(text: &str) -> Option<Self> {
        let schema: Value = serde_json::from_str(text).ok().filter(|_| text.len() <= MOST)?;
        let mut sizes = Sizes { root: &schema, known: BTreeMap::new(), deep: 0 };
        sizes.of(&schema).filter(|size| *size <= PARTS)?;
        Self::build(&schema).ok()
    }

    fn build(schema: &Value) -> Result<Self, String> {
        let patterns = PatternOptions::regex().size_limit(1 << 20);
        let built = jsonschema::options().with_pattern_options(patterns).build(schema);
        built.map(Self).map_err(|error| format!("is no JSON Schema: {error}"))
    }

    /// Says whether a text is JSON that fits.
    pub(super) fn fits(&self, text: &str) -> Result<(), String> {
        let Ok(value) = serde_json::from_str::<Value>(text.trim()) else {
            return Err("it is no JSON".to_owned());
        };
        self.0.validate(&value).map_err(|error| {
            if let ValidationErrorKind::Required { property } = error.kind() {
                return format!("it lacks {property}");
            }
            let place = error.schema_path().to_string();
            format!("it does not fit the schema at {}", if place.is_empty() { "/" } else { &place })
        })
    }
}
