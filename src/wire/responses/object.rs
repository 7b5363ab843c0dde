//! The response object: what it says of the request, and how it ended.
//!
//! Invariant: every member that Open Responses has is there, with the request's value, or the default that holds where the
//! request says nothing.

use crate::record::usage::Counted;
use crate::wire::finish::Finish;
use crate::wire::json::{Array, Object, Raw, Value, put, written};
use crate::wire::{Ask, usage};

/// The members of a request that its response repeats as they are, and what stands there where the request says nothing.
#[rustfmt::skip]
const REPEATED: [(&str, &str); 17] = [
    ("background", "false"), ("frequency_penalty", "0"), ("instructions", "null"), ("max_output_tokens", "null"),
    ("max_tool_calls", "null"), ("metadata", "{}"), ("parallel_tool_calls", "true"), ("presence_penalty", "0"),
    ("previous_response_id", "null"), ("prompt_cache_key", "null"), ("safety_identifier", "null"), ("temperature", "1"),
    ("tool_choice", "\"auto\""), ("top_logprobs", "0"), ("top_p", "1"), ("truncation", "\"disabled\""), ("user", "null"),
];

/// The members of a request that are completed, with what has to stand in each.
const REASONING: [(&str, &str); 2] = [("effort", "null"), ("summary", "null")];
const TEXT: [(&str, &str); 2] = [("format", r#"{"type":"text"}"#), ("verbosity", "\"medium\"")];
const SCHEMA: [(&str, &str); 2] = [("description", "null"), ("strict", "false")];
const FUNCTION: [(&str, &str); 3] = [("description", "null"), ("parameters", "null"), ("strict", "false")];

/// Returns the members that a response repeats from its request, as the inside of a JSON object.
///
/// Nothing is stored of a translated answer and no other tier is asked for, whatever the request says.
pub(super) fn repeated(ask: &Ask) -> String {
    let mut found = [None; REPEATED.len()];
    let (mut reasoning, mut text, mut tools) = (None, None, None);
    for (key, value) in ask.root().members().filter(|(_, value)| !value.is_null()) {
        match &*key {
            "reasoning" => reasoning = Some(value),
            "text" => text = Some(value),
            "tools" => tools = Some(value),
            key => {
                let place = REPEATED.iter().position(|(name, _)| *name == key);
                if let Some(slot) = place.and_then(|place| found.get_mut(place)) {
                    *slot = Some(value.raw());
                }
            }
        }
    }
    written(|o| {
        for ((name, default), said) in REPEATED.iter().zip(found) {
            o.put(name, Raw(said.unwrap_or(default)));
        }
        put!(o, "reasoning": |o| filled(o, reasoning, &REASONING), "service_tier": "default", "store": false);
        put!(o, "text": |o| filled_text(o, text));
        o.array("tools", |a| {
            for tool in tools.into_iter().flat_map(Value::items) {
                let is_function = tool.text_of("type").as_deref() == Some("function");
                a.object(|o| filled(o, Some(tool), if is_function { &FUNCTION } else { &[] }));
            }
        });
    })
}

fn filled_text(o: &mut Object<'_>, text: Option<Value<'_>>) {
    let format = text.and_then(|text| text.get("format"));
    let schema = format.filter(|format| format.text_of("type").as_deref() == Some("json_schema"));
    let Some(schema) = schema else { return filled(o, text, &TEXT) };
    put!(o, "format": |o| filled(o, Some(schema), &SCHEMA));
    if let Some(text) = text {
        o.copy(text, |key| key != "format");
    }
    if text.is_none_or(|text| text.get("verbosity").is_none()) {
        put!(o, "verbosity": Raw("\"medium\""));
    }
}

/// Writes the members of an object, and those that have to be there and are not.
fn filled(o: &mut Object<'_>, value: Option<Value<'_>>, wanted: &[(&str, &str)]) {
    for (key, value) in value.into_iter().flat_map(Value::members) {
        let is_left = value.is_null() && wanted.iter().any(|(name, _)| *name == key);
        if !is_left {
            o.put(&key, value);
        }
    }
    for (name, default) in wanted {
        if value.is_none_or(|value| value.get(name).is_none()) {
            o.put(name, Raw(default));
        }
    }
}

/// What a response object says besides its output.
pub(super) struct Frame<'a> {
    pub(super) id: &'a str,
    pub(super) model: &'a str,
    pub(super) created: u64,
    pub(super) repeated: &'a str,
}

impl Frame<'_> {
    /// Writes the response object; `finish` is none while it is being made.
    ///
    /// No clock is read here, so it says of its end what is known: that it was not before the request.
    pub(super) fn write(
        &self,
        o: &mut Object<'_>,
        finish: Option<Finish>,
        usage: Option<&Counted>,
        output: impl FnOnce(&mut Array<'_>),
    ) {
        let status = status(finish);
        let reason = match finish {
            Some(Finish::Filtered) => Some("content_filter"),
            // OpenAI has these two reasons; of a turn that is paused the first says what is so, that more would come.
            Some(Finish::Length | Finish::Paused) => Some("max_output_tokens"),
            _ => None,
        };
        put!(o, "id": self.id, "object": "response", "created_at": self.created);
        put!(o, "completed_at": (status == "completed").then_some(self.created));
        put!(o, "status": status, "error": null);
        match reason {
            Some(reason) => put!(o, "incomplete_details": { "reason": reason }),
            None => put!(o, "incomplete_details": null),
        }
        put!(o, "model": self.model, "output": [output]);
        o.within(self.repeated);
        match usage {
            Some(counted) => put!(o, "usage": |o| usage::responses(o, counted)),
            None => put!(o, "usage": null),
        }
    }
}

/// Returns the status of a response that ended so; none is one that is being made.
pub(super) fn status(finish: Option<Finish>) -> &'static str {
    match finish {
        None => "in_progress",
        Some(Finish::Length | Finish::Paused | Finish::Filtered) => "incomplete",
        Some(Finish::Stop | Finish::ToolCalls | Finish::Other | Finish::Failed) => "completed",
    }
}
