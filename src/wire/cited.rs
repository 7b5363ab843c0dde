//! What a text rests on: the citations of an answer, as every dialect has them.
//!
//! Invariant: a span counts characters (not bytes, not halves of UTF-16) of the text of its choice, from its beginning, and
//! ends within it.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::json::{Array, Object, Value, put};
use super::messages::SIGNATURE;

/// The most citations of a choice that are translated.
pub(super) const MOST: usize = 1024;

/// The most bytes of an address, a title or a quotation.
const LONGEST: usize = 4 * 1024;

/// The most bytes of a text that are kept to find stretches of it.
const KEPT: usize = 1024 * 1024;

/// What a citation names, which decides where it has a place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Basis {
    /// A page, by its address.
    Page,
    /// A file that lies with the provider.
    File,
    /// A document that the client sent, by its title or a quotation.
    Document,
    /// Nothing that another dialect could name.
    Nothing,
}

/// A stretch of text, and what it rests on.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Citation {
    /// Its kind, as the provider calls it.
    pub(super) kind: String,
    url: Option<String>,
    title: Option<String>,
    /// What stands there, as far as the provider quotes it.
    quote: Option<String>,
    file: Option<String>,
    /// From which character of the text to which; none where that is not said.
    pub(super) span: Option<(u64, u64)>,
}

impl Citation {
    /// Makes one of which nothing is known but its kind.
    pub(super) fn of_kind(kind: &str) -> Self {
        Self { kind: kind.to_owned(), ..Self::default() }
    }

    /// Reads an annotation of chat, whose members stand under its type, or beside it as in responses.
    pub(super) fn of_chat(note: Value<'_>) -> Self {
        let kind = note.text_of("type").unwrap_or_default();
        let inner = note.get(&kind).filter(|inner| inner.is_object()).unwrap_or(note);
        let [url, title, content, file, name, start, end] =
            inner.pick(["url", "title", "content", "file_id", "filename", "start_index", "end_index"]);
        let [start, end] = [start, end].map(|index| index.and_then(Value::number));
        Self {
            kind: kind.into_owned(),
            url: said(url),
            title: said(title).or_else(|| said(name)),
            quote: quoted(content),
            file: said(file),
            span: start.zip(end).filter(|(start, end)| start < end),
        }
    }

    /// Reads a page that the answer rests on as a whole: its address, or what is told of it.
    pub(super) fn of_page(page: Value<'_>) -> Self {
        let [url, title, snippet] = page.pick(["url", "title", "snippet"]);
        let url = said(Some(page)).or_else(|| said(url));
        Self {
            kind: "url_citation".to_owned(),
            url,
            title: said(title),
            quote: quoted(snippet),
            ..Self::default()
        }
    }

    /// Reads a citation of Anthropic's.
    pub(super) fn of_messages(told: Value<'_>) -> Self {
        let [kind, url, source, title, document, text, file] =
            told.pick(["type", "url", "source", "title", "document_title", "cited_text", "file_id"]);
        let source = said(source);
        let is_address = |source: &String| source.starts_with("https://") || source.starts_with("http://");
        Self {
            kind: said(kind).unwrap_or_else(|| "citations".to_owned()),
            url: said(url).or_else(|| source.clone().filter(is_address)),
            title: said(title).or_else(|| said(document)).or(source),
            quote: quoted(text),
            file: said(file),
            span: None,
        }
    }

    /// Reads one of the sources that Gemini's answer is grounded in.
    pub(super) fn of_chunk(chunk: Value<'_>) -> Self {
        let held = chunk.members().find_map(|(_, held)| held.is_object().then_some(held));
        let [uri, title, text] = held.map(|held| held.pick(["uri", "title", "text"])).unwrap_or_default();
        Self {
            kind: "groundingMetadata".to_owned(),
            url: said(uri),
            title: said(title),
            quote: quoted(text),
            ..Self::default()
        }
    }

    /// Reads one of the sources that Gemini's answer repeats.
    pub(super) fn of_recited(told: Value<'_>) -> Self {
        let [uri, title] = told.pick(["uri", "title"]);
        Self { kind: "citationMetadata".to_owned(), url: said(uri), title: said(title), ..Self::default() }
    }

    /// Returns it of a stretch of text.
    pub(super) fn of_span(self, span: Option<(u64, u64)>) -> Self {
        Self { span, ..self }
    }

    /// Says what it names.
    pub(super) fn basis(&self) -> Basis {
        if self.url.is_some() {
            Basis::Page
        } else if self.file.is_some() {
            Basis::File
        } else if self.title.is_some() || self.quote.is_some() {
            Basis::Document
        } else {
            Basis::Nothing
        }
    }

    /// Returns it of a text of so many characters; one that does not say of which stretch it is, is of all of it.
    pub(super) fn within(&self, chars: u64) -> Self {
        let (start, end) = self.span.unwrap_or((0, chars));
        Self { span: Some((start.min(chars), end.min(chars))), ..self.clone() }
    }

    /// Counts the bytes that it holds.
    pub(super) fn held(&self) -> usize {
        let texts = [&self.url, &self.title, &self.quote, &self.file];
        self.kind.len() + texts.into_iter().flatten().map(String::len).sum::<usize>()
    }

    /// Returns a number that is the same for those that say the same.
    pub(super) fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    /// Returns its span in a text that begins at `from`.
    fn span_from(&self, from: u64) -> (u64, u64) {
        let (start, end) = self.span.unwrap_or_default();
        (start.saturating_sub(from), end.saturating_sub(from))
    }

    /// Writes it as an annotation of chat.
    pub(super) fn chat(&self, o: &mut Object<'_>) {
        let (start, end) = self.span_from(0);
        put!(o, "type": "url_citation", "url_citation": {
            "start_index": start, "end_index": end, "title": self.name(), "url": self.address(),
        });
    }

    /// Writes it as an annotation of a text of a response that begins at `from`.
    pub(super) fn responses(&self, o: &mut Object<'_>, from: u64) {
        let (start, end) = self.span_from(from);
        if let (Basis::File, Some(file)) = (self.basis(), &self.file) {
            put!(o, "type": "file_citation", "file_id": file, "filename": self.name(), "index": start);
        } else {
            put!(o, "type": "url_citation", "start_index": start, "end_index": end);
            put!(o, "title": self.name(), "url": self.address());
        }
    }

    /// Writes it as a citation of Anthropic's; by its index we know it when it comes back, which Anthropic could not read.
    pub(super) fn messages(&self, o: &mut Object<'_>) {
        put!(o, "type": "web_search_result_location", "cited_text": self.quote.as_deref().unwrap_or_default());
        put!(o, "encrypted_index": SIGNATURE, "title": self.title.as_ref(), "url": self.address());
    }

    fn address(&self) -> &str {
        self.url.as_deref().unwrap_or_default()
    }

    /// Returns its title, or what there is in its place.
    fn name(&self) -> &str {
        let name = [&self.title, &self.url, &self.file].into_iter().flatten().next();
        name.map_or("", String::as_str)
    }
}

/// Reads what says anything; an address or a name that is longer than any says nothing.
fn said(value: Option<Value<'_>>) -> Option<String> {
    value.and_then(Value::text).filter(|text| !text.is_empty() && text.len() <= LONGEST).map(Cow::into_owned)
}

/// Reads a quotation, cut where it is very long.
fn quoted(value: Option<Value<'_>>) -> Option<String> {
    let text = value.and_then(Value::text).filter(|text| !text.is_empty())?;
    if text.len() <= LONGEST {
        return Some(text.into_owned());
    }
    let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    Some(format!("{}\u{2026}", text.get(..end).unwrap_or_default()))
}

/// Writes citations as what Gemini's answer is grounded in; nothing where there are none.
pub(super) fn gemini(o: &mut Object<'_>, citations: &[Citation], spoken: &Spoken) {
    if citations.is_empty() {
        return;
    }
    o.object("groundingMetadata", |o| {
        put!(o, "groundingChunks": [|a| citations.iter().for_each(|one| a.object(|o| chunk(o, one)))]);
        put!(o, "groundingSupports": [|a| {
            for (at, one) in (0u64..).zip(citations) {
                support(a, at, one, spoken);
            }
        }]);
    });
}

fn chunk(o: &mut Object<'_>, one: &Citation) {
    if one.basis() == Basis::Page {
        put!(o, "web": { "uri": one.address(), "title": one.name() });
    } else {
        let (file, title, quote) = (one.file.as_ref(), one.title.as_ref(), one.quote.as_ref());
        put!(o, "retrievedContext": { "uri"?: file, "title"?: title, "text"?: quote });
    }
}

fn support(a: &mut Array<'_>, at: u64, one: &Citation, spoken: &Spoken) {
    let Some((start, end)) = one.span.and_then(|span| spoken.bytes(span)) else { return };
    let text = spoken.text.get(start..end).unwrap_or_default();
    a.object(|o| {
        put!(o, "segment": { "startIndex": start as u64, "endIndex": end as u64, "text": text });
        put!(o, "groundingChunkIndices": [|a| a.put(at)]);
    });
}

/// A text as far as it is kept, for those who count in bytes.
#[derive(Default)]
pub(super) struct Spoken {
    text: String,
    /// Whether there was more than is kept.
    is_truncated: bool,
}

impl Spoken {
    /// Takes what is added.
    pub(super) fn push(&mut self, text: &str) {
        self.is_truncated |= self.text.len().saturating_add(text.len()) > KEPT;
        if !self.is_truncated {
            self.text.push_str(text);
        }
    }

    /// Counts the bytes that are kept.
    pub(super) fn held(&self) -> usize {
        self.text.len()
    }

    /// Finds a stretch by its bytes, or where they mislead (they may count from another place) by its text.
    pub(super) fn find(&self, start: Option<u64>, end: Option<u64>, text: &str) -> Option<(u64, u64)> {
        let at = |index: Option<u64>| usize::try_from(index.unwrap_or_default()).ok();
        let told = at(start).zip(at(end)).filter(|(start, end)| start < end);
        let fits = |&(start, end): &(usize, usize)| {
            self.text.get(start..end).is_some_and(|part| text.is_empty() || part == text)
        };
        let (start, end) = told.filter(fits).or_else(|| {
            let start = self.text.find(text).filter(|_| !text.is_empty())?;
            Some((start, start + text.len()))
        })?;
        let chars = |end: usize| self.text.get(..end).map(|text| text.chars().count() as u64);
        chars(start).zip(chars(end))
    }

    /// Returns the bytes of a stretch, where it is kept and not empty.
    fn bytes(&self, (start, end): (u64, u64)) -> Option<(usize, usize)> {
        let (start, length) = (usize::try_from(start).ok()?, usize::try_from(end.checked_sub(start)?).ok()?);
        let place = |text: &str, nth: usize| {
            let ends = std::iter::once(text.len());
            text.char_indices().map(|(at, _)| at).chain(ends).nth(nth)
        };
        let from = place(&self.text, start)?;
        let to = place(self.text.get(from..)?, length)?;
        (to > 0).then_some((from, from + to))
    }
}

impl From<&str> for Spoken {
    fn from(text: &str) -> Self {
        let mut spoken = Self::default();
        spoken.push(text);
        spoken
    }
}
