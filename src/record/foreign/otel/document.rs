//! The shape of a document of spans, and what the attributes of one say.

use std::borrow::Cow;

use super::names;
use crate::record::foreign::failures::went_wrong;
use crate::record::foreign::tagged::Tags;
use crate::record::foreign::terms;
use crate::record::json::Num;
use crate::record::skip::Refusal;
use crate::record::usage::is_known_key;
use crate::record::value::{self, Object};

/// A span.
pub(super) struct Span<'a> {
    pub(super) trace_id: Cow<'a, str>,
    pub(super) id: Cow<'a, str>,
    pub(super) parent_span_id: Cow<'a, str>,
    pub(super) started: Cow<'a, str>,
    pub(super) ended: Cow<'a, str>,
    pub(super) attributes: Attributes<'a>,
    /// The code and the words with which it ended.
    pub(super) code: Cow<'a, str>,
    pub(super) message: Cow<'a, str>,
}

#[derive(Default)]
pub(super) struct Attributes<'a>(Vec<Attribute<'a>>);

struct Attribute<'a> {
    key: Cow<'a, str>,
    /// Text or a number, as it prints.
    word: Cow<'a, str>,
    truth: Cow<'a, str>,
    /// A list, as far as it holds words.
    list: Vec<Cow<'a, str>>,
}

/// Reads the spans of a document, each part with the attributes of its resource. A document that was opened up gives its
/// parts one by one.
pub(super) fn read(text: &str) -> Result<Vec<(Attributes<'_>, Vec<Span<'_>>)>, String> {
    let document = Object::read(text)?;
    let mut parts = document.objects("resourceSpans")?;
    parts.push(document);
    let mut read = Vec::new();
    for part in &parts {
        let mut spans = Vec::new();
        for scope in part.objects("scopeSpans|instrumentationLibrarySpans")? {
            for span in scope.objects("spans")? {
                spans.push(Span::read(&span)?);
            }
        }
        read.push((Attributes::read(&part.object("resource")?)?, spans));
    }
    Ok(read)
}

impl<'a> Span<'a> {
    fn read(span: &Object<'a>) -> Result<Self, String> {
        let status = span.object("status")?;
        Ok(Self {
            trace_id: span.word("traceId")?,
            id: span.word("spanId")?,
            parent_span_id: span.word("parentSpanId")?,
            started: span.word("startTimeUnixNano")?,
            ended: span.word("endTimeUnixNano")?,
            attributes: Attributes::read(span)?,
            code: status.word("code")?,
            message: status.word("message")?,
        })
    }
}

impl<'a> Attributes<'a> {
    fn read(of: &Object<'a>) -> Result<Self, String> {
        let read = |attribute: Object<'a>| {
            let value = attribute.object("value")?;
            let items = value.object("arrayValue")?.objects("values")?;
            Ok(Attribute {
                key: attribute.word("key")?,
                word: value.first(&["stringValue", "intValue", "doubleValue"])?,
                truth: value.word("boolValue")?,
                list: items.iter().map(|item| item.word("stringValue")).collect::<Result<_, _>>()?,
            })
        };
        of.objects("attributes")?.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Returns the first of the named attributes that says something.
    pub(super) fn get(&self, names: &[&str]) -> &str {
        let find = |name: &&str| {
            let found = self.0.iter().find(|attribute| attribute.key == *name)?;
            let word = if found.word.is_empty() { &*found.truth } else { &*found.word };
            // MLflow writes what it says itself as JSON.
            let quoted = word.strip_prefix('"').and_then(|word| word.strip_suffix('"'));
            let word = quoted.filter(|_| name.starts_with("mlflow.")).unwrap_or(word);
            (!word.is_empty()).then_some(word)
        };
        names.iter().find_map(find).unwrap_or_default()
    }

    /// Lists what the span is tagged with: lists and maps of tags, and attributes that have the name of one in theirs.
    pub(super) fn tags(&self) -> Tags {
        let mut tags = Tags::default();
        for told in self.0.iter().filter(|attribute| names::TAGS.contains(&&*attribute.key)) {
            tags.add(value::read(&told.word).unwrap_or_default());
            tags.add(Tags::of_words(told.list.iter().map(|word| word.to_string().into())));
        }
        let named = self.0.iter().filter_map(|told| {
            let name = names::TAGGED.iter().find_map(|prefix| told.key.strip_prefix(prefix))?;
            Some((name.to_owned(), if told.word.is_empty() { &told.truth } else { &told.word }.to_string()))
        });
        tags.add(Tags::of_pairs(named));
        tags
    }

    /// Says whether every reason to end that is told says that the model or its server went wrong.
    pub(super) fn went_wrong(&self) -> bool {
        let told = self.0.iter().filter(|attribute| names::ENDED.contains(&&*attribute.key));
        let mut reasons = told
            .flat_map(|told| {
                told.list.iter().map(|word| &**word).chain(told.word.split(['[', ']', '"', ',', ' ']))
            })
            .filter(|reason| !reason.is_empty())
            .peekable();
        // Frameworks say `other` of what they have no word for.
        reasons.peek().is_some() && reasons.all(|reason| reason != "other" && went_wrong(reason))
    }

    /// Returns the largest of the named counts.
    pub(super) fn count(&self, names: &[&str]) -> Result<Num, Refusal> {
        let mut most = Num(None);
        for Attribute { key, word, .. } in self.0.iter().filter(|told| names.contains(&&*told.key)) {
            if !word.is_empty() {
                let read = Num::parse(word);
                most = most.most(
                    read.ok_or_else(|| Refusal::Bad(format!("{key}: `{word}` is not a whole number")))?,
                );
            }
        }
        Ok(most)
    }

    /// Returns the counts of usage that stand under names which nobody here knows.
    pub(super) fn unlisted(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().filter_map(|Attribute { key, word, .. }| {
            let name = names::COUNTS.iter().find_map(|prefix| key.strip_prefix(prefix))?;
            // `advisor.input_tokens` are not those of the call itself.
            let own = name.strip_prefix("details.").unwrap_or(name);
            let is_known = names::ALL.iter().any(|names| names.contains(&&**key))
                || terms::is_told(key)
                || is_known_key(own)
                || own.split(['.', '_']).any(|word| word == "text");
            let count = Num::parse(word)?.0?;
            (!is_known && count > 0).then_some((name, count))
        })
    }

    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.0.iter().any(|attribute| names.contains(&&*attribute.key))
    }
}
