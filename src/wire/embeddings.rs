//! Embeddings in Gemini's form: one text (`embedContent`) or several (`batchEmbedContents`), for a provider that speaks the same
//! or has embeddings in OpenAI's manner.
//!
//! Invariants: a provider of the same dialect is always asked for several, and whoever asked for one gets the one; every member
//! arrives, is left out and told, or is refused by its own name.

use std::borrow::Cow;

use bytes::Bytes;

use super::error::Result;
use super::gemini::names::{camel, member, text_of};
use super::json::{self, Raw, Value, body, put};
use super::prompt::Reader;
use super::{Accent, Ask, Dialect, WireError};

/// How OpenAI and Mistral call the size of vectors.
pub(super) const SIZES: [&str; 2] = ["dimensions", "output_dimension"];

/// The members that Mistral takes, which refuses all others, and the one that becomes such.
pub(super) const OF_MISTRAL: [&str; 8] =
    ["model", "input", "inputs", SIZES[0], SIZES[1], "output_dtype", "encoding_format", "metadata"];

/// Returns the requests for one text each: those of a list, or the body itself.
fn requests(root: Value<'_>) -> Vec<Value<'_>> {
    let list = member(root, "requests");
    list.map_or_else(|| vec![root], |list| list.items().collect())
}

/// Refuses a request that names another model than its address does.
pub(super) fn names(root: Value<'_>, model: &str) -> Result<()> {
    let bare = |name: &str| name.rsplit_once("models/").map_or(name, |(_, name)| name).to_owned();
    let list = member(root, "requests").into_iter().flat_map(Value::items).enumerate();
    let places = list.map(|(at, request)| (format!("requests[{at}].model"), request));
    for (place, request) in std::iter::once(("model".to_owned(), root)).chain(places) {
        if request.get("model").is_some_and(|said| said.text().is_none_or(|said| bare(&said) != bare(model)))
        {
            return Err(WireError::invalid(
                place,
                format!("has to be the one in the address, models/{}", bare(model)),
            ));
        }
    }
    Ok(())
}

/// Says whether a body asks for several.
fn is_batch(root: Value<'_>) -> bool {
    member(root, "requests").is_some()
}

/// Returns the texts' place in the body, to be weighed and looked at.
pub(super) fn content(root: Value<'_>) -> Result<Value<'_>> {
    if is_batch(root) {
        let list = member(root, "requests").filter(|list| list.items().next().is_some());
        return list
            .ok_or_else(|| WireError::invalid("requests", "has to be a list with a request at least"));
    }
    let content = member(root, "content").ok_or_else(|| WireError::invalid("content", "is missing"))?;
    Ok(member(content, "parts").unwrap_or(content))
}

/// Writes a request for a provider that speaks `reader.to`.
pub(super) fn write(root: Value<'_>, reader: Reader<'_>) -> Result<Bytes> {
    match reader.to {
        Dialect::GeminiEmbeddings => Ok(write_gemini(root, reader.upstream)),
        Dialect::OpenAiEmbeddings => write_openai(root, reader),
        to => Err(WireError::Unsupported { from: reader.from, to }),
    }
}

fn write_gemini(root: Value<'_>, model: &str) -> Bytes {
    let model = format!("models/{}", model.trim_start_matches("models/"));
    body(root.raw().len() + 64, |o| {
        o.array("requests", |a| {
            for request in requests(root) {
                a.object(|o| {
                    put!(o, "model": &model);
                    o.copy(request, |key| key != "model");
                });
            }
        });
    })
    .into()
}

fn write_openai(root: Value<'_>, reader: Reader<'_>) -> Result<Bytes> {
    let is_batch = is_batch(root);
    let mut texts = Vec::new();
    let mut sizes = Vec::new();
    for (at, request) in requests(root).into_iter().enumerate() {
        let place = |field: &str| if is_batch { format!("requests[{at}].{field}") } else { field.to_owned() };
        let content =
            member(request, "content").ok_or_else(|| WireError::invalid(place("content"), "is missing"))?;
        texts.push(text(content, &place("content.parts"), reader)?);
        let config = member(request, "embedContentConfig");
        let mut size = None;
        for (key, value) in request.members().chain(config.into_iter().flat_map(Value::members)) {
            match &*camel(&key) {
                "model" | "content" | "embedContentConfig" => {}
                _ if value.is_null() => {}
                "outputDimensionality" => size = value.number(),
                // What the vectors are for: they are as good without, if not as good as they might be.
                key => reader.leave_out(key),
            }
        }
        sizes.push(size);
    }
    if sizes.iter().any(|size| Some(size) != sizes.first()) {
        return Err(WireError::invalid(
            "requests",
            "ask for vectors of different size; send a request for each",
        ));
    }
    Ok(body(root.raw().len() + 64, |o| {
        let size = sizes.first().copied().flatten();
        put!(o, "model": reader.upstream, "input": [for text in &texts => text], "encoding_format": "float");
        if let Some(size) = size {
            o.put(SIZES[usize::from(reader.sending.accent == Accent::Mistral)], size);
        }
    })
    .into())
}

/// Reads the text of a content.
fn text<'a>(content: Value<'a>, place: &str, reader: Reader<'_>) -> Result<Cow<'a, str>> {
    if let Some(text) = content.text() {
        return Ok(text);
    }
    let parts = member(content, "parts");
    let mut all: Option<Cow<'a, str>> = None;
    for part in parts.into_iter().flat_map(Value::each) {
        let Some(text) = text_of(part, "text") else { return reader.refuse(place) };
        all = Some(match all {
            Some(before) => Cow::Owned(format!("{before}\n{text}")),
            None => text,
        });
    }
    all.ok_or_else(|| WireError::invalid(place, "hold no text"))
}

/// Counts the texts of which a request wants vectors; a list of tokens is one.
pub(super) fn wanted(ask: &Ask) -> usize {
    let root = ask.root();
    if ask.dialect() == Dialect::GeminiEmbeddings {
        return requests(root).len();
    }
    let input = root.get("input");
    let texts =
        input.map_or(0, |input| input.items().filter(|item| item.is_text() || item.is_array()).count());
    texts.max(1)
}

/// Puts a provider's answer into the form that the client asked for.
pub(super) fn answer(from: Dialect, ask: &Ask, root: Value<'_>, body: Bytes) -> Bytes {
    let is_batch = is_batch(ask.root());
    if ask.dialect() != Dialect::GeminiEmbeddings || (from == ask.dialect() && is_batch) {
        return body;
    }
    let (list, values) = match from {
        Dialect::GeminiEmbeddings => ("embeddings", "values"),
        _ => ("data", "embedding"),
    };
    // OpenAI's form promises the index alone, no order.
    let mut found: Vec<(u64, &str)> = (0..)
        .zip(root.list(list))
        .map(|(at, vector)| {
            let index = vector.get("index").and_then(Value::number).unwrap_or(at);
            (index, vector.get(values).map_or("[]", Value::raw))
        })
        .collect();
    found.sort_by_key(|(index, _)| *index);
    let mut vectors = found.into_iter().map(|(_, vector)| vector);
    json::body(body.len(), |o| {
        if is_batch {
            put!(o, "embeddings": [for vector in vectors => { "values": Raw(vector) }]);
        } else {
            put!(o, "embedding": { "values": Raw(vectors.next().unwrap_or("[]")) });
        }
        if let Some(used) = member(root, "usageMetadata") {
            put!(o, "usageMetadata": used);
        } else if let Some(tokens) = root.get("usage").and_then(|usage| usage.get("prompt_tokens")) {
            put!(o, "usageMetadata": { "promptTokenCount": tokens });
        }
    })
    .into()
}
