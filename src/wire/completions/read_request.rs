//! A request for a completion, read for a provider of chat: the prompt is what the user says.

use std::borrow::Cow;

use crate::wire::WireError;
use crate::wire::error::Result;
use crate::wire::json::Value;
use crate::wire::prompt::{Piece, Prompt, Reader};

/// Reads a request.
pub(in crate::wire) fn read<'a>(root: Value<'a>, reader: Reader<'_>) -> Result<Prompt<'a>> {
    let mut prompt = Prompt::default();
    for (key, value) in root.members() {
        let Some(row) = reader.takes(&key, value)? else { continue };
        match &*key {
            "echo" => {}
            "prompt" => {
                let text = sole_prompt(value).ok_or_else(|| not_one(value))?;
                prompt.say(true, vec![Piece::text(text, None)]);
            }
            // Chat wants to be asked twice.
            "logprobs" => {
                prompt.set("logprobs", Value::of("true"));
                if value.number().is_some_and(|number| number > 0) {
                    prompt.set("top_logprobs", value);
                }
            }
            _ => prompt.take(row.field, value, reader),
        }
    }
    reader.finish(prompt, 1)
}

/// Returns the prompt where it is one text, by itself or alone in a list.
pub(super) fn sole_prompt(value: Value<'_>) -> Option<Cow<'_, str>> {
    let mut items = value.items();
    match (items.next(), items.next()) {
        (None, _) => value.text(),
        (Some(only), None) => only.text(),
        _ => None,
    }
}

fn not_one(value: Value<'_>) -> WireError {
    let what = match value.items().next() {
        Some(first) if first.is_text() => {
            "holds several prompts, which the model that was picked takes one by one; send a request for each"
        }
        Some(_) => "is a list of tokens, which mean something else to every model; send it as text",
        None => "has to be a text, or a list with one",
    };
    WireError::invalid("prompt", what)
}
