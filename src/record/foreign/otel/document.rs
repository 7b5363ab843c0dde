//! The shape of a document of spans, and what the attributes of one say.

use serde::Deserialize;

use super::names;
use crate::record::foreign::failures::went_wrong;
use crate::record::foreign::tagged::Tags;
use crate::record::foreign::terms;
use crate::record::json::{self, Num, Word, nullable};
use crate::record::skip::Refusal;
use crate::record::usage::is_known_key;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Document {
    #[serde(deserialize_with = "nullable")]
    pub(super) resource_spans: Vec<ResourceSpans>,
    // A document that was opened up gives its parts one by one.
    #[serde(deserialize_with = "nullable")]
    pub(super) resource: Resource,
    #[serde(deserialize_with = "nullable")]
    pub(super) scope_spans: Vec<ScopeSpans>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ResourceSpans {
    #[serde(deserialize_with = "nullable")]
    pub(super) resource: Resource,
    #[serde(deserialize_with = "nullable", alias = "instrumentationLibrarySpans")]
    pub(super) scope_spans: Vec<ScopeSpans>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Resource {
    #[serde(deserialize_with = "nullable")]
    pub(super) attributes: Attributes,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ScopeSpans {
    #[serde(deserialize_with = "nullable")]
    pub(super) spans: Vec<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Span {
    pub(super) trace_id: Word,
    #[serde(rename = "spanId")]
    pub(super) id: Word,
    pub(super) parent_span_id: Word,
    pub(super) start_time_unix_nano: Word,
    pub(super) end_time_unix_nano: Word,
    #[serde(deserialize_with = "nullable")]
    pub(super) attributes: Attributes,
    #[serde(deserialize_with = "nullable")]
    pub(super) status: SpanStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SpanStatus {
    pub(super) code: Word,
    pub(super) message: Word,
}

#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Attributes(Vec<Attribute>);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attribute {
    key: Word,
    #[serde(deserialize_with = "nullable")]
    value: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Value {
    #[serde(rename = "stringValue")]
    text: Word,
    #[serde(rename = "intValue")]
    whole: Word,
    #[serde(rename = "doubleValue")]
    real: Word,
    #[serde(rename = "boolValue")]
    truth: Word,
    #[serde(rename = "arrayValue", deserialize_with = "nullable")]
    list: List,
}

/// A list, as far as it holds words.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct List {
    #[serde(deserialize_with = "nullable")]
    values: Vec<Item>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item {
    #[serde(rename = "stringValue")]
    text: Word,
}

impl Attributes {
    /// Returns the first of the named attributes that says something.
    pub(super) fn get(&self, names: &[&str]) -> Word {
        let find = |name: &&str| {
            let value = &self.0.iter().find(|attribute| attribute.key.as_str() == *name)?.value;
            let word = Word::first([&value.text, &value.whole, &value.real, &value.truth]);
            // MLflow writes what it says itself as JSON.
            let quoted = word.strip_prefix('"').and_then(|word| word.strip_suffix('"'));
            let word =
                quoted.filter(|_| name.starts_with("mlflow.")).map_or_else(|| word.clone(), str::to_owned);
            (!word.is_empty()).then_some(Word(word))
        };
        names.iter().find_map(find).unwrap_or_default()
    }

    /// Lists what the span is tagged with: lists and maps of tags, and attributes that have the name of one in theirs.
    pub(super) fn tags(&self) -> Tags {
        let whole = self.0.iter().filter(|attribute| names::TAGS.contains(&attribute.key.as_str()));
        let mut pairs: Vec<(String, String)> = Vec::new();
        for Attribute { value, .. } in whole {
            pairs.extend(json::read::<Tags>(value.text.as_str()).unwrap_or_default());
            pairs.extend(Tags::of_words(value.list.values.iter().map(|item| item.text.0.clone().into())));
        }
        for Attribute { key, value } in &self.0 {
            let name = names::TAGGED.iter().find_map(|prefix| key.as_str().strip_prefix(prefix));
            let word = || Word::first([&value.text, &value.whole, &value.real, &value.truth]);
            pairs.extend(name.map(|name| (name.to_owned(), word())));
        }
        Tags::of_pairs(pairs)
    }

    /// Says whether every reason to end that is told says that the model or its server went wrong.
    pub(super) fn went_wrong(&self) -> bool {
        let told = self.0.iter().filter(|attribute| names::ENDED.contains(&attribute.key.as_str()));
        let mut reasons = told
            .flat_map(|attribute| {
                let listed = attribute.value.list.values.iter().map(|item| item.text.as_str());
                listed.chain(attribute.value.text.as_str().split(['[', ']', '"', ',', ' ']))
            })
            .filter(|reason| !reason.is_empty())
            .peekable();
        // Frameworks say `other` of what they have no word for.
        reasons.peek().is_some() && reasons.all(|reason| reason != "other" && went_wrong(reason))
    }

    /// Returns the largest of the named counts.
    pub(super) fn count(&self, names: &[&str]) -> Result<Num, Refusal> {
        let mut most = Num(None);
        for attribute in self.0.iter().filter(|attribute| names.contains(&attribute.key.as_str())) {
            let value = &attribute.value;
            let word = Word::first([&value.whole, &value.text, &value.real]);
            if word.is_empty() {
                continue;
            }
            let read = Num::parse(&word).ok_or_else(|| {
                Refusal::Bad(format!("{}: `{word}` is not a whole number", attribute.key.as_str()))
            })?;
            most = most.most(read);
        }
        Ok(most)
    }

    /// Returns the counts of usage that stand under names which nobody here knows.
    pub(super) fn unlisted(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().filter_map(|attribute| {
            let key = attribute.key.as_str();
            let name = names::COUNTS.iter().find_map(|prefix| key.strip_prefix(prefix))?;
            // `advisor.input_tokens` are not those of the call itself.
            let own = name.strip_prefix("details.").unwrap_or(name);
            let is_known = names::ALL.iter().any(|names| names.contains(&key))
                || terms::is_told(key)
                || is_known_key(own)
                || own.split(['.', '_']).any(|word| word == "text");
            let value = &attribute.value;
            let count = Num::parse(&Word::first([&value.whole, &value.real, &value.text]))?.0?;
            (!is_known && count > 0).then_some((name, count))
        })
    }

    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.0.iter().any(|attribute| names.contains(&attribute.key.as_str()))
    }
}
