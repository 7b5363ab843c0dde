//! A request of another dialect, written for Anthropic's messages.
//!
//! Where a model has no mode for JSON or for a schema, an instruction at the end of the system prompt asks for it; the
//! answer is checked to be JSON in any case.

use std::borrow::Cow;

use crate::wire::effort::{
    Claude, Effort, LEAST_BUDGET, claude, claude_keeps_thoughts, claude_lacks_schemas, claude_word,
};
use crate::wire::json::{Array, Object, Value, object};
use crate::wire::prompt::{
    Data, Format, Piece, Prompt, Reader, Text, ToolChoice, ToolResult, Turn, arguments, reminder, safe_id,
};
use crate::wire::{Sending, WireError};

/// Writes a request.
pub(in crate::wire) fn write(
    prompt: &Prompt<'_>,
    model: &str,
    sending: &Sending<'_>,
    reader: Reader<'_>,
) -> Result<Vec<u8>, WireError> {
    let most = sending.limit(prompt.max_output.or(Some(sending.default_max_output))).unwrap_or(1).max(1);
    let mut out = Vec::with_capacity(1024);
    let mut outcome = Ok(());
    object(&mut out, |o| {
        o.text("model", model);
        o.number("max_tokens", most);
        let asked = instruction(&prompt.format, model);
        if asked.is_some() || prompt.system.iter().any(is_said) {
            o.array("system", |a| {
                for said in prompt.system.iter().filter(|text| is_said(text)) {
                    text(a, said);
                }
                if let Some(asked) = asked {
                    text(a, &Text { text: asked, cache: None });
                }
            });
        }
        o.array("messages", |a| {
            for turn in prompt.turns.iter().filter(|turn| turn.parts.iter().any(is_sent)) {
                let (said, after) = split(turn, sending.known.takes_system);
                a.object(|o| {
                    o.text("role", if turn.is_user { "user" } else { "assistant" });
                    o.array("content", |a| {
                        let written = said.iter().try_for_each(|piece| block(a, piece, reader));
                        if outcome.is_ok() {
                            outcome = written;
                        }
                    });
                });
                if !after.is_empty() {
                    a.object(|o| {
                        o.text("role", "system");
                        o.array("content", |a| after.iter().for_each(|piece| system(a, piece)));
                    });
                }
            }
        });
        tools(o, prompt, model, reader);
        thinking_and_format(o, prompt, model, most, reader);
        let temperature = prompt.temperature.filter(|value| {
            // Anthropic's range ends at 1, which is also what holds where nothing is said.
            let is_taken = value.measure().is_none_or(|temperature| temperature <= 1.0);
            if !is_taken {
                reader.leave_out("temperature");
            }
            is_taken
        });
        for (key, value) in [("temperature", temperature), ("top_p", prompt.top_p), ("top_k", prompt.top_k)] {
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
        for (key, value) in &prompt.passed {
            o.raw(key, value.raw());
        }
        if prompt.stream {
            o.flag("stream", true);
        }
    });
    outcome.map(|()| out)
}

/// Gives the pieces of a turn, and what the system says after them where that is to be a message of its own: Anthropic
/// takes one right after what the user says, as the last or before the assistant.
fn split<'p, 'a>(turn: &'p Turn<'a>, takes_system: bool) -> (&'p [Piece<'a>], &'p [Piece<'a>]) {
    let is_system = |piece: &Piece<'_>| matches!(piece, Piece::System(_));
    let after = turn.parts.iter().rev().take_while(|piece| is_system(piece)).count();
    let at = turn.parts.len() - after;
    match turn.parts.split_at_checked(at) {
        Some((said, after))
            if takes_system && said.iter().any(|piece| is_sent(piece) && !is_system(piece)) =>
        {
            (said, after)
        }
        _ => (turn.parts.as_slice(), &[]),
    }
}

fn system(a: &mut Array<'_>, piece: &Piece<'_>) {
    if let Piece::System(said) = piece
        && is_said(said)
    {
        text(a, said);
    }
}

/// Gives the words that ask for JSON, where the model has no mode for it.
fn instruction(format: &Format<'_>, model: &str) -> Option<Cow<'static, str>> {
    const ALONE: &str = "and nothing else: no words around it and no code fence.";
    match format {
        Format::Json => Some(format!("Answer with one JSON object {ALONE}").into()),
        Format::Schema { schema, .. } if claude_lacks_schemas(model) => {
            let schema = schema.raw();
            Some(format!("Answer with JSON that fits this JSON schema, {ALONE}\n{schema}").into())
        }
        Format::Schema { .. } | Format::Text => None,
    }
}

/// Says whether a text says anything; Anthropic refuses blocks that do not.
fn is_said(text: &Text<'_>) -> bool {
    !text.text.trim().is_empty()
}

fn is_sent(piece: &Piece<'_>) -> bool {
    !matches!(piece, Piece::Text(text) | Piece::System(text) if !is_said(text))
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

fn block(a: &mut Array<'_>, piece: &Piece<'_>, reader: Reader<'_>) -> Result<(), WireError> {
    match piece {
        Piece::Text(said) => {
            if is_said(said) {
                text(a, said);
            }
        }
        Piece::System(said) => {
            if is_said(said) {
                text(a, &Text { text: reminder(&said.text).into(), cache: said.cache });
            }
        }
        Piece::Image { data, detail, cache: mark } => {
            reader.detail(detail.as_deref());
            a.object(|o| {
                o.text("type", "image");
                source(o, data);
                cache(o, *mark);
            });
        }
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
            let input = arguments(call);
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

fn tool_result(a: &mut Array<'_>, result: &ToolResult<'_>, reader: Reader<'_>) -> Result<(), WireError> {
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

fn tools(o: &mut Object<'_>, prompt: &Prompt<'_>, model: &str, reader: Reader<'_>) {
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
                match tool.strict {
                    Some(true) if claude_lacks_schemas(model) => reader.leave_out("tools.strict"),
                    Some(true) => o.flag("strict", true),
                    _ => {}
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
fn thinking_and_format(o: &mut Object<'_>, prompt: &Prompt<'_>, model: &str, most: u64, reader: Reader<'_>) {
    let effort = prompt.effort.filter(|effort| *effort != Effort::None);
    let mut word = None;
    let thinks = may_think(prompt);
    match (effort.filter(|_| thinks || prompt.is_effort_policys), claude(model)) {
        (Some(effort), Claude::Budget) if thinks && most / 2 >= LEAST_BUDGET => o.object("thinking", |o| {
            o.text("type", "enabled");
            let budget = prompt.budget.unwrap_or(effort.budget());
            o.number("budget_tokens", budget.clamp(LEAST_BUDGET, most / 2));
        }),
        (Some(effort), Claude::Adaptive) => {
            if thinks {
                o.object("thinking", |o| {
                    o.text("type", "adaptive");
                    if claude_keeps_thoughts(model) {
                        o.text("display", "summarized");
                    }
                });
            }
            let taken = claude_word(model, effort);
            if effort.is_beyond_high() && taken != effort.name() {
                reader.leave_out(prompt.effort_member);
            }
            word = Some(taken);
        }
        _ if effort.is_some() => reader.leave_out(prompt.effort_member),
        _ => {}
    }
    let schema = match &prompt.format {
        Format::Schema { schema, .. } if !claude_lacks_schemas(model) => Some(schema),
        Format::Schema { .. } | Format::Text | Format::Json => None,
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
                let mut closed = Vec::new();
                close(*schema, &mut closed);
                o.raw("schema", std::str::from_utf8(&closed).unwrap_or(schema.raw()));
            });
        }
    });
}

/// Writes a schema in which objects take no further members where it does not say: Anthropic wants that said, and whatever
/// fits the narrower schema fits the one given.
fn close(schema: Value<'_>, out: &mut Vec<u8>) {
    if schema.is_array() {
        let mut comma: &[u8] = b"[";
        for item in schema.items() {
            out.extend_from_slice(comma);
            comma = b",";
            close(item, out);
        }
        out.extend_from_slice(if comma == b"[" { b"[]" } else { b"]" });
        return;
    }
    let is_open = schema.is_object()
        && schema.text_of("type").as_deref() == Some("object")
        && schema.get("additionalProperties").is_none();
    let is_closed = |schema: Value<'_>| !schema.is_object() || !schema.raw().contains("\"object\"");
    if !is_open && is_closed(schema) {
        out.extend_from_slice(schema.raw().as_bytes());
        return;
    }
    object(out, |o| {
        for (key, value) in schema.members() {
            // Examples and the like are data, no schemas.
            if matches!(&*key, "const" | "enum" | "default" | "examples") {
                o.raw(&key, value.raw());
                continue;
            }
            let mut inner = Vec::new();
            close(value, &mut inner);
            o.raw(&key, std::str::from_utf8(&inner).unwrap_or(value.raw()));
        }
        if is_open {
            o.flag("additionalProperties", false);
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
