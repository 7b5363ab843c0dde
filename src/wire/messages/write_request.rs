//! A request of another dialect, written for Anthropic's messages.
//!
//! Left out, besides what the reader leaves out: `seed` (best effort where it exists at all) and the mode
//! `json_object`, which asks for what the prompt has to ask for anyway; the answer is checked to be JSON in any case.

use crate::wire::effort::{Claude, Effort, claude};
use crate::wire::json::{Array, Object, Value, object};
use crate::wire::prompt::{
    Data, Format, Piece, Prompt, Reader, Text, ToolChoice, ToolResult, arguments, safe_id,
};
use crate::wire::{Sending, WireError};

/// The least budget of thinking that Anthropic takes.
const LEAST_BUDGET: u64 = 1_024;

/// Writes a request.
pub(in crate::wire) fn write(
    prompt: &Prompt<'_>,
    model: &str,
    sending: &Sending,
    reader: Reader,
) -> Result<Vec<u8>, WireError> {
    refusals(prompt, reader)?;
    let most = sending.limit(prompt.max_output.or(Some(sending.default_max_output))).unwrap_or(1).max(1);
    let mut out = Vec::with_capacity(1024);
    let mut outcome = Ok(());
    object(&mut out, |o| {
        o.text("model", model);
        o.number("max_tokens", most);
        if prompt.system.iter().any(is_said) {
            o.array("system", |a| {
                for said in prompt.system.iter().filter(|text| is_said(text)) {
                    text(a, said);
                }
            });
        }
        o.array("messages", |a| {
            for turn in prompt.turns.iter().filter(|turn| turn.parts.iter().any(is_sent)) {
                a.object(|o| {
                    o.text("role", if turn.is_user { "user" } else { "assistant" });
                    o.array("content", |a| {
                        let written = turn.parts.iter().try_for_each(|piece| block(a, piece, reader));
                        if outcome.is_ok() {
                            outcome = written;
                        }
                    });
                });
            }
        });
        tools(o, prompt);
        thinking_and_format(o, prompt, model, most);
        for (key, value) in
            [("temperature", prompt.temperature), ("top_p", prompt.top_p), ("top_k", prompt.top_k)]
        {
            if let Some(value) = value {
                o.raw(key, value.raw());
            }
        }
        if !prompt.stop.is_empty() {
            o.array("stop_sequences", |a| prompt.stop.iter().for_each(|stop| a.text(stop)));
        }
        if let Some(user) = &prompt.user {
            o.object("metadata", |o| o.text("user_id", user));
        }
        if prompt.stream {
            o.flag("stream", true);
        }
    });
    outcome.map(|()| out)
}

/// Refuses what messages have no counterpart for.
fn refusals(prompt: &Prompt<'_>, reader: Reader) -> Result<(), WireError> {
    if prompt.temperature.and_then(Value::measure).is_some_and(|temperature| temperature > 1.0) {
        return reader.refuse("temperature above 1");
    }
    // Anthropic would go on with a last turn of the model's; elsewhere that is an answer already given.
    if prompt.turns.last().is_some_and(|turn| !turn.is_user) {
        return reader.refuse("a last turn by the assistant");
    }
    if prompt.presence_penalty.is_some() {
        return reader.refuse("presence_penalty");
    }
    if prompt.frequency_penalty.is_some() {
        return reader.refuse("frequency_penalty");
    }
    Ok(())
}

/// Says whether a text says anything; Anthropic refuses blocks that do not.
fn is_said(text: &Text<'_>) -> bool {
    !text.text.trim().is_empty()
}

fn is_sent(piece: &Piece<'_>) -> bool {
    !matches!(piece, Piece::Text(text) if !is_said(text))
}

fn cache(o: &mut Object<'_>, cache: Option<Value<'_>>) {
    if let Some(cache) = cache {
        o.raw("cache_control", cache.raw());
    }
}

fn text(a: &mut Array<'_>, said: &Text<'_>) {
    a.object(|o| {
        o.text("type", "text");
        o.text("text", &said.text);
        cache(o, said.cache);
    });
}

fn block(a: &mut Array<'_>, piece: &Piece<'_>, reader: Reader) -> Result<(), WireError> {
    match piece {
        Piece::Text(said) => {
            if is_said(said) {
                text(a, said);
            }
        }
        Piece::Image { data, cache: mark, .. } => a.object(|o| {
            o.text("type", "image");
            source(o, data);
            cache(o, *mark);
        }),
        Piece::File { data, name, cache: mark } => {
            if let Data::Base64 { kind, .. } = data
                && kind != "application/pdf"
            {
                return reader.refuse(format!("a file of type {kind}"));
            }
            a.object(|o| {
                o.text("type", "document");
                source(o, data);
                if let Some(name) = name {
                    o.text("title", name);
                }
                cache(o, *mark);
            });
        }
        Piece::Call { call, cache: mark } => {
            let input = arguments(call)?;
            a.object(|o| {
                o.text("type", "tool_use");
                o.text("id", &safe_id(&call.id));
                o.text("name", &call.name);
                o.raw("input", input);
                cache(o, *mark);
            });
        }
        Piece::Result(result) => return tool_result(a, result, reader),
    }
    Ok(())
}

fn tool_result(a: &mut Array<'_>, result: &ToolResult<'_>, reader: Reader) -> Result<(), WireError> {
    let mut outcome = Ok(());
    a.object(|o| {
        o.text("type", "tool_result");
        o.text("tool_use_id", &safe_id(&result.call));
        match result.parts.as_slice() {
            [] => {}
            [Piece::Text(said)] if said.cache.is_none() => o.text("content", &said.text),
            parts => o.array("content", |a| {
                outcome = parts.iter().try_for_each(|piece| block(a, piece, reader));
            }),
        }
        if result.is_error {
            o.flag("is_error", true);
        }
        cache(o, result.cache);
    });
    outcome
}

fn source(o: &mut Object<'_>, data: &Data<'_>) {
    o.object("source", |o| match data {
        Data::Url(url) => {
            o.text("type", "url");
            o.text("url", url);
        }
        Data::Base64 { kind, bytes } => {
            o.text("type", "base64");
            o.text("media_type", kind);
            o.text("data", bytes);
        }
    });
}

fn tools(o: &mut Object<'_>, prompt: &Prompt<'_>) {
    if prompt.tools.is_empty() {
        return;
    }
    o.array("tools", |a| {
        for tool in &prompt.tools {
            a.object(|o| {
                o.text("name", &tool.name);
                if let Some(description) = &tool.description {
                    o.text("description", description);
                }
                let none = r#"{"type":"object","properties":{}}"#;
                o.raw("input_schema", tool.parameters.map_or(none, Value::raw));
                if tool.strict == Some(true) {
                    o.flag("strict", true);
                }
                cache(o, tool.cache);
            });
        }
    });
    let one_at_a_time = prompt.parallel == Some(false);
    if prompt.choice.is_none() && !one_at_a_time {
        return;
    }
    o.object("tool_choice", |o| {
        match prompt.choice.as_ref().unwrap_or(&ToolChoice::Auto) {
            ToolChoice::Auto => o.text("type", "auto"),
            ToolChoice::None => return o.text("type", "none"),
            ToolChoice::Any => o.text("type", "any"),
            ToolChoice::Named(name) => {
                o.text("type", "tool");
                o.text("name", name);
            }
        }
        if one_at_a_time {
            o.flag("disable_parallel_tool_use", true);
        }
    });
}

/// Writes how hard to think, where that goes together with the rest of the request, and the schema of the answer.
fn thinking_and_format(o: &mut Object<'_>, prompt: &Prompt<'_>, model: &str, most: u64) {
    let effort = prompt.effort.filter(|effort| *effort != Effort::None && may_think(prompt));
    let mut word = None;
    match (effort, claude(model)) {
        (Some(effort), Claude::Budget) if most / 2 >= LEAST_BUDGET => o.object("thinking", |o| {
            o.text("type", "enabled");
            o.number("budget_tokens", effort.budget().clamp(LEAST_BUDGET, most / 2));
        }),
        (Some(effort), Claude::Adaptive) => {
            o.object("thinking", |o| o.text("type", "adaptive"));
            word = Some(if effort == Effort::Minimal { "low" } else { effort.name() });
        }
        _ => {}
    }
    let schema = match &prompt.format {
        Format::Schema { schema, .. } => Some(schema),
        Format::Text | Format::Json => None,
    };
    if word.is_none() && schema.is_none() {
        return;
    }
    o.object("output_config", |o| {
        if let Some(word) = word {
            o.text("effort", word);
        }
        if let Some(schema) = schema {
            o.object("format", |o| {
                o.text("type", "json_schema");
                o.raw("schema", schema.raw());
            });
        }
    });
}

/// Says whether thinking goes together with the request: not with a forced tool or set sampling, and not in the middle
/// of calls whose thoughts were not kept.
fn may_think(prompt: &Prompt<'_>) -> bool {
    let is_forced = matches!(prompt.choice, Some(ToolChoice::Any | ToolChoice::Named(_)));
    let is_sampled = prompt.temperature.is_some() || prompt.top_p.is_some() || prompt.top_k.is_some();
    let is_midway = prompt
        .turns
        .last()
        .is_some_and(|turn| !turn.is_user || turn.parts.iter().any(|part| matches!(part, Piece::Result(_))));
    !is_forced && !is_sampled && !is_midway
}
