//! How much a model wrote, in whatever shape an answer holds it.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::record::json::{Text, maybe};
use crate::record::usage::OpenAiUsage;

/// The bytes of the texts within a value: of itself, of a list's items, of what stands under the keys of contents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written(pub(super) u64);

/// Keys under which providers put what a model wrote.
const KEYS: [&str; 8] =
    ["content", "text", "parts", "message", "arguments", "thinking", "partial_json", "reasoning_content"];

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values(None))
    }
}

/// What a choice holds of an answer: how much was written, and the usage that some servers put there.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) written: Written,
    pub(super) usage: Option<OpenAiUsage>,
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut usage = None;
        let written = deserializer.deserialize_any(Values(Some(&mut usage)))?;
        Ok(Self { written, usage })
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Usage(#[serde(deserialize_with = "maybe")] Option<OpenAiUsage>);

/// Adds up texts, and keeps the usage beside them where it is asked for.
struct Values<'u>(Option<&'u mut Option<OpenAiUsage>>);

impl<'de> Visitor<'de> for Values<'_> {
    type Value = Written;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Written, E> {
        Ok(Written(text.len() as u64))
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<Written, E> {
        Ok(Written(0))
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<Written, E> {
        Ok(Written(0))
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<Written, E> {
        Ok(Written(0))
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<Written, E> {
        Ok(Written(0))
    }
    fn visit_unit<E: Error>(self) -> Result<Written, E> {
        Ok(Written(0))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Written, A::Error> {
        let mut sum = 0u64;
        while let Some(Written(bytes)) = seq.next_element()? {
            sum = sum.saturating_add(bytes);
        }
        Ok(Written(sum))
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Written, A::Error> {
        let mut sum = 0u64;
        while let Some(key) = map.next_key::<Text<'de>>()? {
            if KEYS.contains(&&*key.0) {
                sum = sum.saturating_add(map.next_value::<Written>()?.0);
            } else if let Some(usage) = self.0.as_deref_mut().filter(|_| key.0 == "usage") {
                *usage = map.next_value::<Usage>()?.0;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Written(sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::json::read;

    #[test]
    fn texts_are_found_in_every_shape() {
        for (text, want) in [
            (r#""héllo""#, 6),
            (r#"{"role":"assistant","content":"hello"}"#, 5),
            (r#"[{"type":"text","text":"one"},{"type":"tool_use","id":"t1","input":{"text":1}}]"#, 3),
            (r#"{"parts":[{"text":"hi"},null,7,true,1.5,{"inlineData":{"data":"xxxx"}}]}"#, 2),
            (r#"[{"type":"message","content":[{"type":"output_text","text":"a\"b"}]}]"#, 3),
            ("null", 0),
        ] {
            assert_eq!(read::<Written>(text).unwrap(), Written(want), "{text}");
        }
    }
}
