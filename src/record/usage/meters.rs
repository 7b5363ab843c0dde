//! What usage blocks tell besides tokens: the service tier, what else is billed, and counts that nobody here knows.
//!
//! Invariants: nothing here refuses a block; a key that is not known and counts something that providers bill becomes a
//! meter of its own name, so that the cost is not taken for known.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::grow;
use crate::pricing::{ShortName, Terms};
use crate::record::json::Num;

/// A word that a provider says of an answer, like its service tier; anything else is no word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said(ShortName);

impl Said {
    /// Takes a word.
    pub(crate) fn new(word: &str) -> Self {
        Self(ShortName::new(word.trim()))
    }

    /// Gives the word; empty for none.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Takes over a later word, where one is said.
    pub(crate) fn absorb(&mut self, then: Self) {
        if !then.as_str().is_empty() {
            *self = then;
        }
    }
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = Said;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a word")
            }
            fn visit_str<E: Error>(self, word: &str) -> Result<Said, E> {
                Ok(Said::new(word))
            }
            fn visit_unit<E: Error>(self) -> Result<Said, E> {
                Ok(Said::default())
            }
            fn visit_bool<E: Error>(self, _: bool) -> Result<Said, E> {
                Ok(Said::default())
            }
            fn visit_u64<E: Error>(self, _: u64) -> Result<Said, E> {
                Ok(Said::default())
            }
            fn visit_i64<E: Error>(self, _: i64) -> Result<Said, E> {
                Ok(Said::default())
            }
            fn visit_f64<E: Error>(self, _: f64) -> Result<Said, E> {
                Ok(Said::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Said, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Said::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Said, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Said::default())
            }
        }
        deserializer.deserialize_any(Words)
    }
}

/// Tools that a provider ran itself and bills by the call.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ServerTools {
    #[serde(alias = "web_search_calls")]
    web_search_requests: Num,
    /// Free but for the tokens that it brings.
    #[serde(rename = "web_fetch_requests")]
    _web_fetch: IgnoredAny,
    #[serde(flatten)]
    unlisted: Unlisted,
}

impl ServerTools {
    pub(crate) fn absorb(&mut self, then: Self) {
        grow(&mut self.web_search_requests, then.web_search_requests);
        self.unlisted.absorb(then.unlisted);
    }

    /// Takes the number of searches as it is told elsewhere.
    pub(crate) fn searched(&mut self, searches: Num) {
        grow(&mut self.web_search_requests, searches);
    }

    /// Gives the number of searches.
    pub(crate) fn searches(&self) -> Num {
        self.web_search_requests
    }

    pub(crate) fn tell(&self, terms: &mut Terms) {
        terms.meter("web_search", self.web_search_requests.or_zero());
        self.unlisted.tell(terms);
    }
}

/// The meter of sessions in a container: an answer does not tell whether its own was begun before, or will be used again.
pub(super) const SESSIONS: &str = "code_interpreter";

/// Names the meter of searches by the tools that were offered: the preview of the tool has a price of its own.
pub(crate) fn search_meter<'t>(mut tools: impl Iterator<Item = &'t str>) -> &'static str {
    if tools.any(|tool| tool.starts_with("web_search_preview")) { "web_search_preview" } else { "web_search" }
}

/// Names the meter of an item of a response that is a call of a tool which the provider ran and bills by the call; what
/// such a search did besides searching is free, and so is one that failed. `search` is the meter of searches.
pub(crate) fn billed_item(
    kind: &str,
    action: &str,
    status: &str,
    search: &'static str,
) -> Option<&'static str> {
    match kind {
        "web_search_call" | "file_search_call" if status == "failed" => None,
        "web_search_call" => matches!(action, "" | "search").then_some(search),
        "file_search_call" => Some("file_search"),
        "code_interpreter_call" => Some(SESSIONS),
        "image_generation_call" => Some("image_generation"),
        _ => None,
    }
}

/// Adds where an answer was made to its terms, in the words of the provider.
pub(crate) fn place(said: Said, terms: &mut Terms) {
    let word = said.as_str().to_ascii_lowercase();
    if !matches!(word.as_str(), "" | "global" | "default" | "not_available" | "null" | "none") {
        terms.meter(&format!("region:{word}"), 1);
    }
}

/// Counts of keys that nobody here knows: the first two of a block by name.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unlisted([(ShortName, u64); 2]);

impl Unlisted {
    fn add(&mut self, name: ShortName, count: u64) {
        let slot = self.0.iter_mut().find(|(known, there)| *known == name || *there == 0);
        if let Some(slot) = slot.filter(|_| count > 0) {
            *slot = (name, slot.1.max(count));
        }
    }

    pub(crate) fn absorb(&mut self, then: Self) {
        then.0.into_iter().for_each(|(name, count)| self.add(name, count));
    }

    pub(crate) fn tell(&self, terms: &mut Terms) {
        self.0.iter().for_each(|(name, count)| terms.meter(name.as_str(), *count));
    }
}

/// What stands in names of things that are billed.
const BILLED: [&str; 22] = [
    "token",
    "request",
    "search",
    "quer",
    "fetch",
    "image",
    "audio",
    "video",
    "second",
    "page",
    "char",
    "unit",
    "call",
    "session",
    "source",
    "credit",
    "tool",
    "execution",
    "generation",
    "document",
    "citation",
    "frame",
];
/// What stands in names of things that are not, though a word of the above may stand there too.
const MEASURED: [&str; 12] = [
    "cost",
    "price",
    "usd",
    "time",
    "duration",
    "latency",
    "rate",
    "limit",
    "total",
    "per_second",
    "_ms",
    "throughput",
];
/// Names of counts that are in the buckets already, or free.
const HARMLESS: [&str; 13] = [
    "text_tokens",
    "accepted_prediction_tokens",
    "rejected_prediction_tokens",
    "cache_deleted_input_tokens",
    "request_count",
    "prompt_tokens",
    "completion_tokens",
    "input_tokens",
    "output_tokens",
    "context_tokens",
    "max_tokens",
    "video_tokens",
    "document_tokens",
];

/// Says whether a key names a count that is in the buckets already or free, or measures what is not billed.
pub(crate) fn is_known_key(key: &str) -> bool {
    HARMLESS.contains(&key) || MEASURED.iter().any(|part| key.contains(part))
}

/// Names the meter that a key is where it counts something that providers bill and nobody here knows.
pub(crate) fn unlisted_key(key: &str) -> Option<ShortName> {
    // `videoTokenCount` and `video_token_count` are one name.
    let mut word = String::with_capacity(key.len() + 4);
    for c in key.chars() {
        if c.is_ascii_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.push(c.to_ascii_lowercase());
    }
    let has = |words: &[&str]| words.iter().any(|part| word.contains(part));
    let is_billed = has(&BILLED) && !has(&MEASURED) && !HARMLESS.contains(&word.as_str());
    is_billed.then(|| ShortName::new(&word))
}

/// A key, as a meter where it is one.
struct Key(Option<ShortName>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl Visitor<'_> for Words {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_str<E: Error>(self, key: &str) -> Result<Key, E> {
                Ok(Key(unlisted_key(key)))
            }
        }
        deserializer.deserialize_identifier(Words)
    }
}

/// A quantity, or the quantities within an object; anything else counts nothing.
#[derive(Default)]
struct Quantity {
    count: u64,
    within: Unlisted,
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl<'de> Visitor<'de> for Numbers {
            type Value = Quantity;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_u64<E: Error>(self, count: u64) -> Result<Quantity, E> {
                Ok(Quantity { count, ..Quantity::default() })
            }
            fn visit_i64<E: Error>(self, count: i64) -> Result<Quantity, E> {
                Ok(Quantity { count: u64::try_from(count).unwrap_or(0), ..Quantity::default() })
            }
            fn visit_f64<E: Error>(self, count: f64) -> Result<Quantity, E> {
                // A part of a unit is something billed all the same.
                Ok(Quantity { count: u64::from(count > 0.0), ..Quantity::default() })
            }
            fn visit_str<E: Error>(self, _: &str) -> Result<Quantity, E> {
                Ok(Quantity::default())
            }
            fn visit_bool<E: Error>(self, _: bool) -> Result<Quantity, E> {
                Ok(Quantity::default())
            }
            fn visit_unit<E: Error>(self) -> Result<Quantity, E> {
                Ok(Quantity::default())
            }
            fn visit_none<E: Error>(self) -> Result<Quantity, E> {
                Ok(Quantity::default())
            }
            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Quantity, D::Error> {
                Quantity::deserialize(inner)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Quantity, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Quantity::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Quantity, A::Error> {
                Ok(Quantity { count: 0, within: gather(map)? })
            }
        }
        deserializer.deserialize_any(Numbers)
    }
}

fn gather<'de, A: MapAccess<'de>>(mut map: A) -> Result<Unlisted, A::Error> {
    let mut found = Unlisted::default();
    while let Some(key) = map.next_key::<Key>()? {
        let quantity = map.next_value::<Quantity>()?;
        if let Some(name) = key.0 {
            found.add(name, quantity.count);
        }
        found.absorb(quantity.within);
    }
    Ok(found)
}

impl<'de> Deserialize<'de> for Unlisted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rest;
        impl<'de> Visitor<'de> for Rest {
            type Value = Unlisted;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("further keys")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Unlisted, A::Error> {
                gather(map)
            }
        }
        deserializer.deserialize_map(Rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::json::read;

    #[test]
    fn only_what_may_be_billed_is_a_meter() {
        let found = |text: &str| {
            let mut terms = Terms::NONE;
            read::<Unlisted>(text).unwrap().tell(&mut terms);
            terms.meters().map(|(name, count)| format!("{name}={count}")).collect::<Vec<_>>().join(" ")
        };
        for (text, want) in [
            (r#"{"num_search_queries":4}"#, "num_search_queries=4"),
            (r#"{"videoTokenCount":12,"b":{"pages_read":3,"x":[1]}}"#, "video_token_count=12 pages_read=3"),
            (r#"{"prompt_audio_seconds":2.5}"#, "prompt_audio_seconds=1"),
            (r#"{"prompt_audio_seconds":{},"num_sources_used":0,"web_pages":null,"images":"no"}"#, ""),
            (r#"{"cost":0.1,"queue_time":0.2,"total_time":1,"tokens_per_second":80,"is_byok":true}"#, ""),
            (
                r#"{"cost_details":{"upstream_inference_cost":3},"text_tokens":7,"iterations":[{"tokens":1}]}"#,
                "",
            ),
            (r#"{"request_cost":3,"rejected_prediction_tokens":9,"pad":5}"#, ""),
        ] {
            assert_eq!(found(text), want, "{text}");
        }
    }
}
