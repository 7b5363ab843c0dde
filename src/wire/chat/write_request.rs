//! A request of another dialect, written as a chat request.

use std::borrow::Cow;

use super::mistral::short_id;
use crate::units::{Sha256, hex};
use crate::wire::Accent;
use crate::wire::calls::{self, LONGEST_ID};
use crate::wire::effort::{Effort, openai_word, thinking_type, thinks_before_answering};
use crate::wire::error::Result;
use crate::wire::json::{Array, Object, Raw, Value, put, try_body};
use crate::wire::prompt::{
    Data, Format, Piece, Prompt, Reader, Tool, ToolChoice, ToolResult, Turn, reminder,
};

/// Writes a request.
pub(in crate::wire) fn write(prompt: &Prompt<'_>, reader: Reader<'_>) -> Result<Vec<u8>> {
    let Reader { model, sending, .. } = reader;
    let is_mistral = sending.accent == Accent::Mistral;
    try_body(1024, |o| {
        put!(o, "model": reader.upstream);
        o.array("messages", |a| {
            let is_mode = !matches!(prompt.format, Format::Schema { schema, .. } if !is_mode(schema, reader));
            let asked = prompt.format.instruction().filter(|_| !is_mistral && !is_mode);
            if !prompt.system.is_empty() || asked.is_some() {
                let texts = prompt.system.iter().map(|text| &*text.text).chain(asked.as_deref());
                let texts: Vec<&str> = texts.collect();
                a.object(|o| put!(o, "role": "system", "content": &texts.join("\n\n")));
            }
            let last = prompt.turns.len().saturating_sub(1);
            prompt.turns.iter().enumerate().try_for_each(|(at, turn)| {
                if turn.is_user { user(a, turn, reader) } else { assistant(a, turn, at == last, reader) }
            })
        })?;
        tools(o, prompt, reader);
        let (is_thinker, known) = (thinks_before_answering(model), sending.known);
        if let Some(limit) = sending.limit(prompt.max_output) {
            o.put(if is_thinker { "max_completion_tokens" } else { "max_tokens" }, limit);
        }
        match prompt.effort {
            Some(effort) if is_thinker => {
                let taken = openai_word(model, effort);
                if effort.is_beyond_high() && taken != effort.name() {
                    reader.leave_out(prompt.effort_member);
                }
                put!(o, "reasoning_effort": taken);
            }
            Some(effort) if known.takes_thinking => {
                let word = (known.takes_effort && effort != Effort::None).then(|| effort.name());
                put!(o, "thinking": { "type": thinking_type(effort) }, "reasoning_effort"?: word);
            }
            // Of others than these it is not known; policy does.
            Some(effort) if known.takes_effort || prompt.is_effort_policys => {
                put!(o, "reasoning_effort": effort.name());
            }
            Some(_) => reader.leave_out(prompt.effort_member),
            None => {}
        }
        if !prompt.stop.is_empty() {
            put!(o, "stop": [for stop in &prompt.stop => stop]);
        }
        match &prompt.format {
            Format::Text => {}
            Format::Json => put!(o, "response_format": { "type": "json_object" }),
            Format::Schema { schema, .. } if !is_mistral && !is_mode(*schema, reader) => {
                let is_object = sending.known.json_object_alone && has_object_root(*schema);
                put!(o, "response_format"?: is_object.then_some(Raw(r#"{"type":"json_object"}"#)));
            }
            Format::Schema { name, schema, strict } => {
                let strict = strict.filter(|strict| !strict || is_mistral || is_strict(*schema));
                put!(o, "response_format": {
                    "type": "json_schema", "json_schema": { "name": name, "schema": *schema, "strict"?: strict },
                });
            }
        }
        put!(o, "user"?: prompt.user.as_deref().filter(|_| !is_mistral).map(short_user));
        put!(o, "service_tier"?: &prompt.tier);
        for (key, value) in &prompt.passed {
            o.put(if is_mistral && *key == "seed" { "random_seed" } else { key }, *value);
        }
        if prompt.stream {
            put!(o, "stream": true);
            if !is_mistral {
                put!(o, "stream_options": { "include_usage": true });
            }
        }
        Ok(())
    })
}

/// Says whether the server has a mode for answers of a schema. OpenAI has one for objects alone.
fn is_mode(schema: Value<'_>, reader: Reader<'_>) -> bool {
    has_object_root(schema) && !reader.sending.known.json_object_alone
}

/// Says whether a schema is of an object, as OpenAI wants the form of an answer.
fn has_object_root(schema: Value<'_>) -> bool {
    schema.text_of("type").as_deref() == Some("object") || schema.get("$ref").is_some()
}

/// Says whether OpenAI takes a schema as strict: every member of every object required, no others let in, no choice but `anyOf`.
fn is_strict(schema: Value<'_>) -> bool {
    if schema.is_array() {
        return schema.items().all(is_strict);
    }
    let members = || schema.get("properties").into_iter().flat_map(Value::members).map(|(name, _)| name);
    let required: Vec<_> = schema.list("required").filter_map(Value::text).collect();
    let is_object = schema.text_of("type").as_deref() == Some("object") || schema.get("properties").is_some();
    let is_closed = schema.get("additionalProperties").and_then(Value::flag) == Some(false);
    if is_object && !(is_closed && members().all(|name| required.contains(&name))) {
        return false;
    }
    schema.members().all(|(key, value)| match &*key {
        "oneOf" | "allOf" | "not" | "if" | "then" | "else" | "dependentRequired" | "dependentSchemas"
        | "patternProperties" => false,
        "const" | "enum" | "default" | "examples" | "required" => true,
        "properties" | "$defs" | "definitions" => value.members().all(|(_, value)| is_strict(value)),
        _ => !value.is_object() && !value.is_array() || is_strict(value),
    })
}

/// Returns the name of an end user in at most the 64 characters that OpenAI takes; a longer one as its digest.
fn short_user(user: &str) -> Cow<'_, str> {
    if user.chars().count() <= 64 {
        return Cow::Borrowed(user);
    }
    Cow::Owned(hex(&Sha256::digest(user.as_bytes())))
}

/// Returns the schema of a tool's arguments. Others than OpenAI take a choice at its top.
fn parameters<'a>(tool: &Tool<'a>, reader: Reader<'_>) -> Cow<'a, str> {
    let known = reader.sending.known;
    let is_open = reader.sending.accent == Accent::Mistral || known.older_words || known.older_chat;
    if is_open { tool.schema() } else { tool.rooted_schema() }
}

fn tools(o: &mut Object<'_>, prompt: &Prompt<'_>, reader: Reader<'_>) {
    if prompt.tools.is_empty() {
        return;
    }
    if prompt.tools.iter().any(|tool| tool.schema() != parameters(tool, reader)) {
        reader.leave_out("tools.schema");
    }
    put!(o, "tools": [for tool in &prompt.tools => {
        "type": "function",
        "function": {
            "name": &tool.name, "description"?: &tool.description,
            "parameters": Raw(&parameters(tool, reader)),
            "strict"?: tool.strict.filter(|strict| *strict && is_strict(Value::of(&parameters(tool, reader)))),
        },
    }]);
    let is_loose =
        |tool: &Tool<'_>| tool.strict == Some(true) && !is_strict(Value::of(&parameters(tool, reader)));
    if prompt.tools.iter().any(is_loose) {
        reader.leave_out("tools.strict");
    }
    match &prompt.choice {
        None => {}
        Some(ToolChoice::Auto) => put!(o, "tool_choice": "auto"),
        Some(ToolChoice::None) => put!(o, "tool_choice": "none"),
        Some(ToolChoice::Any) => put!(o, "tool_choice": "required"),
        Some(ToolChoice::Named(name)) => {
            put!(o, "tool_choice": { "type": "function", "function": { "name": name } });
        }
    }
    put!(o, "parallel_tool_calls"?: prompt.parallel.filter(|parallel| !parallel));
}

/// Writes a user's turn: results of tools first, each a message of its own, then what the user says; what the system
/// says in between stays there, as a message of its own where the server takes one.
fn user(a: &mut Array<'_>, turn: &Turn<'_>, reader: Reader<'_>) -> Result<()> {
    let mut said: Vec<&Piece<'_>> = Vec::new();
    // Mistral's models take no word of the user's right after what tools gave back.
    let is_rested = reader.sending.accent == Accent::Mistral || reader.sending.known.wants_turn_after_tools;
    let mut is_after = false;
    let rest = |a: &mut Array<'_>, is_after: &mut bool| {
        if std::mem::take(is_after) {
            a.object(|o| put!(o, "role": "assistant", "content": "..."));
        }
    };
    for part in &turn.parts {
        match part {
            Piece::Result(result) => {
                tool_result(a, result, reader, &mut said);
                is_after = is_rested;
            }
            Piece::System(text)
                if reader.sending.accent == Accent::OpenAi && !reader.sending.known.older_chat =>
            {
                rest(a, &mut is_after);
                said_by_user(a, &said, reader)?;
                said.clear();
                a.object(|o| put!(o, "role": "system", "content": &text.text));
            }
            part => said.push(part),
        }
    }
    if !said.is_empty() {
        rest(a, &mut is_after);
    }
    said_by_user(a, &said, reader)
}

fn said_by_user(a: &mut Array<'_>, said: &[&Piece<'_>], reader: Reader<'_>) -> Result<()> {
    match said {
        [] => {}
        [Piece::Text(text)] => a.object(|o| put!(o, "role": "user", "content": &text.text)),
        _ => a.object(|o| {
            put!(o, "role": "user");
            o.array("content", |a| said.iter().try_for_each(|piece| part(a, piece, reader)))
        })?,
    }
    Ok(())
}

/// Writes a result; pictures in it follow in a message of the user's, as a result can hold text alone.
fn tool_result<'p, 'a>(
    a: &mut Array<'_>,
    result: &'p ToolResult<'a>,
    reader: Reader<'_>,
    said: &mut Vec<&'p Piece<'a>>,
) {
    said.extend(result.parts.iter().filter(|part| !matches!(part, Piece::Text(_))));
    let text = result.text();
    // Chat has no mark for it.
    let is_marked = !result.is_error || text.starts_with("Error");
    let text = if is_marked { text } else { format!("Error: {text}") };
    let id = call_id(&result.call, reader);
    a.object(|o| put!(o, "role": "tool", "tool_call_id": id, "content": &text));
}

/// Returns an id of a call that the provider takes.
fn call_id<'a>(id: &'a str, reader: Reader<'_>) -> Cow<'a, str> {
    match reader.sending.accent {
        Accent::OpenAi if id.len() > LONGEST_ID && !id.starts_with("functions.") => {
            Cow::Owned(calls::short_id(id))
        }
        Accent::OpenAi => Cow::Borrowed(id),
        Accent::Mistral => short_id(id),
    }
}

fn part(a: &mut Array<'_>, piece: &Piece<'_>, reader: Reader<'_>) -> Result<()> {
    match piece {
        Piece::Text(said) => a.object(|o| put!(o, "type": "text", "text": &said.text)),
        Piece::System(said) => a.object(|o| put!(o, "type": "text", "text": &reminder(&said.text))),
        Piece::Image { data, detail, .. } => a.object(|o| {
            put!(o, "type": "image_url", "image_url": { "url": data.url(), "detail"?: detail });
        }),
        Piece::File { data: Data::Base64 { kind, bytes }, .. } if let Some(format) = audio_format(kind) => {
            a.object(|o| put!(o, "type": "input_audio", "input_audio": { "data": bytes, "format": format }));
        }
        Piece::File { data, name, .. } if reader.sending.accent == Accent::Mistral => a.object(|o| {
            put!(o, "type": "document_url", "document_url": data.url(), "document_name"?: name.as_deref());
        }),
        Piece::File { data: Data::Url(_), .. } => return reader.refuse("a document by its address"),
        Piece::File { data, name, .. } => a.object(|o| {
            let name = name.as_deref().unwrap_or("document.pdf");
            put!(o, "type": "file", "file": { "filename": name, "file_data": data.url() });
        }),
        Piece::Call { .. } | Piece::Result(_) | Piece::Thought(_) => {
            return reader.refuse("a call of a tool in a user's turn");
        }
    }
    Ok(())
}

/// Returns chat's word for a kind of sound.
pub(in crate::wire) fn audio_format(kind: &str) -> Option<&'static str> {
    match kind.split(';').next()? {
        "audio/wav" | "audio/x-wav" | "audio/wave" => Some("wav"),
        "audio/mp3" | "audio/mpeg" => Some("mp3"),
        _ => None,
    }
}

fn assistant(a: &mut Array<'_>, turn: &Turn<'_>, is_last: bool, reader: Reader<'_>) -> Result<()> {
    let (mut text, mut thought) = (String::new(), String::new());
    let mut calls = Vec::new();
    for part in &turn.parts {
        match part {
            Piece::Text(said) => text.push_str(&said.text),
            Piece::Thought(told) => thought.push_str(told),
            Piece::Call { call, .. } => calls.push(call),
            _ => return reader.refuse("a picture or document in a turn of the assistant"),
        }
    }
    a.object(|o| {
        let text = Some(&text).filter(|text| !text.is_empty() || calls.is_empty());
        let prefix = (is_last && reader.sending.accent == Accent::Mistral).then_some(true);
        put!(o, "role": "assistant", "content": text, "prefix"?: prefix);
        let is_told = !thought.is_empty() || !calls.is_empty();
        let is_wanted = reader.wants_empty_thoughts() || (reader.wants_thoughts() && !thought.is_empty());
        put!(o, "reasoning_content"?: Some(&thought).filter(|_| is_told && is_wanted));
        if !calls.is_empty() {
            put!(o, "tool_calls": [for call in &calls => {
                "id": call_id(&call.id, reader), "type": "function",
                "function": {
                    "name": &call.name,
                    "arguments": if call.arguments.is_empty() { "{}" } else { &call.arguments },
                },
            }]);
        }
    });
    Ok(())
}
