//! Tags of a request as a line tells them: `{"env":"prod"}`, or `["env=prod"]` as we write them.
//!
//! Invariant: what is no tag is passed over, as it is in lines that others wrote.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::routing::TAG;

/// Tags, as words among what a request's circumstances were.
#[derive(Clone, Debug, Default)]
pub(super) struct TagWords(pub(super) Vec<Cow<'static, str>>);

impl<'de> Deserialize<'de> for TagWords {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Value::deserialize(deserializer)? {
            Value::Array(list) => {
                let words = list.iter().filter_map(Value::as_str).filter(|word| word.contains('='));
                words.map(|word| format!("{TAG}{word}").into()).collect()
            }
            Value::Object(map) => {
                let text = |value: &Value| match value {
                    Value::String(text) => Some(text.clone()),
                    Value::Number(number) => Some(number.to_string()),
                    Value::Bool(yes) => Some(yes.to_string()),
                    _ => None,
                };
                let word = |(name, value)| Some(format!("{TAG}{name}={}", text(value)?).into());
                map.iter().filter_map(word).collect()
            }
            _ => Vec::new(),
        }))
    }
}
