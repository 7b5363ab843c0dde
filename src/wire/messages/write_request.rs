//! A request of another dialect, written for Anthropic's messages.
//!
//! Where a model has no mode for JSON or for a schema, an instruction at the end of the system prompt asks for it; the
//! answer is checked to be JSON in any case.

use std::borrow::Cow;

use super::opaque;
use super::schema::{self, Strictness};
use crate::wire::effort::{
    Claude, Effort, LEAST_BUDGET, claude, claude_keeps_thoughts, claude_lacks_schemas, claude_word,
};
use crate::wire::error::Result;
use crate::wire::json::{Array, Object, Raw, Value, put, try_body};
use crate::wire::prompt::{
    Data, Format, PICTURES, Piece, Prompt, Reader, Text, Tool, ToolChoice, ToolResult, Turn, arguments,
    reminder, safe_id,
};

/// Writes a request.
pub(in crate::wire) fn write(prompt: &Prompt<'_>, reader: Reader<'_>) -> Result<Vec<u8>> {
    let Reader { model, sending, .. } = reader;
    let limit = sending.limit(prompt.max_output);
    let most = limit.unwrap_or(sending.default_max_output).max(1);
    try_body(1024, |o| {
        let told = limit.map(|limit| limit.max(1)).or(sending.needs_limit.then_some(most));
        put!(o, "model": reader.upstream, "max_tokens"?: told);
        let held = Held::of(prompt, model);
        let asked =
            prompt.format.instruction().filter(|_| !held.format).map(|text| Text { text, cache: None });
        if asked.is_some() || prompt.system.iter().any(is_said) {
            let said = prompt.system.iter().filter(|text| is_said(text)).chain(&asked);
            o.array("system", |a| said.for_each(|said| text(a, said)));
        }
        o.array("messages", |a| messages(a, prompt, reader))?;
        tools(o, prompt, held, reader);
        thinking_and_format(o, prompt, (most, held), reader);
        if !prompt.stop.is_empty() {
            put!(o, "stop_sequences": [for stop in &prompt.stop => stop]);
        }
        if let Some(user) = &prompt.user {
            let lengths = if sending.known.plain_users { 6..=128 } else { 1..=256 };
            put!(o, "metadata": { "user_id": opaque(user, lengths) });
        }
        for (key, value) in &prompt.passed {
            o.put(key, *value);
        }
        put!(o, "stream"?: prompt.stream.then_some(true));
        Ok(())
    })
}

fn messages(a: &mut Array<'_>, prompt: &Prompt<'_>, reader: Reader<'_>) -> Result<()> {
    for turn in prompt.turns.iter().filter(|turn| turn.parts.iter().any(is_sent)) {
        let (said, after) = split(turn, reader.sending.known.takes_system);
        a.object(|o| {
            put!(o, "role": if turn.is_user { "user" } else { "assistant" });
            o.array("content", |a| said.iter().try_for_each(|piece| block(a, piece, reader)))
        })?;
        if !after.is_empty() {
            a.object(|o| {
                put!(o, "role": "system");
                o.array("content", |a| after.iter().for_each(|piece| system(a, piece)));
            });
        }
    }
    Ok(())
}

/// Returns the pieces of a turn, and what the system says after them where that is to be a message of its own: Anthropic
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

/// What the model is held to.
#[derive(Clone, Copy)]
struct Held {
    /// Whether to the schemas of strict tools.
    tools: bool,
    /// Whether to the schema of its answer.
    format: bool,
}

impl Held {
    /// Says to what it is held: Anthropic compiles only so much, the form of the answer first.
    fn of(prompt: &Prompt<'_>, model: &str) -> Self {
        let mut all = Strictness::default();
        let mut is_held = false;
        if let Format::Schema { schema, .. } = &prompt.format
            && is_mode(*schema, model)
        {
            let mut alone = Strictness::default();
            alone.add(*schema);
            is_held = !alone.is_too_much();
            all = if is_held { alone } else { all };
        }
        for tool in prompt.tools.iter().filter(|tool| tool.strict == Some(true)) {
            let schema = tool.rooted_schema();
            if is_mode(Value::of(&schema), model) {
                all.tools += 1;
                all.add(Value::of(&schema));
            }
        }
        Self { tools: !all.is_too_much(), format: is_held }
    }
}

/// Says whether a model holds its answer to a schema.
fn is_mode(schema: Value<'_>, model: &str) -> bool {
    !claude_lacks_schemas(model) && schema::is_held(schema)
}

/// Says whether a text says anything; Anthropic refuses blocks that do not.
fn is_said(text: &Text<'_>) -> bool {
    !text.text.trim().is_empty()
}

fn is_sent(piece: &Piece<'_>) -> bool {
    !matches!(piece, Piece::Text(text) | Piece::System(text) if !is_said(text))
}

fn text(a: &mut Array<'_>, said: &Text<'_>) {
    a.object(|o| put!(o, "type": "text", "text": &said.text, "cache_control"?: said.cache));
}

fn block(a: &mut Array<'_>, piece: &Piece<'_>, reader: Reader<'_>) -> Result<()> {
    match piece {
        Piece::Thought(_) => {}
        Piece::Text(said) | Piece::System(said) if !is_said(said) => {}
        Piece::Text(said) => text(a, said),
        Piece::System(said) => text(a, &Text { text: reminder(&said.text).into(), cache: said.cache }),
        Piece::Image { data: Data::Base64 { kind, .. }, .. } if !PICTURES.contains(&&**kind) => {
            return reader.refuse(format!("a picture of type {kind}"));
        }
        Piece::Image { data, detail, cache } => {
            reader.detail(detail.as_deref());
            a.object(|o| put!(o, "type": "image", "source": |o| source(o, data), "cache_control"?: *cache));
        }
        Piece::File { data: Data::Base64 { kind, .. }, .. } if kind != "application/pdf" => {
            return reader.refuse(format!("a file of type {kind}"));
        }
        Piece::File { data, name, cache } => a.object(|o| {
            put!(o, "type": "document", "source": |o| source(o, data), "title"?: name, "cache_control"?: *cache);
        }),
        Piece::Call { call, cache } => a.object(|o| {
            put!(o, "type": "tool_use", "id": safe_id(&call.id), "name": &call.name);
            put!(o, "input": Raw(arguments(call)), "cache_control"?: *cache);
        }),
        Piece::Result(result) => return tool_result(a, result, reader),
    }
    Ok(())
}

fn tool_result(a: &mut Array<'_>, result: &ToolResult<'_>, reader: Reader<'_>) -> Result<()> {
    a.object(|o| {
        put!(o, "type": "tool_result", "tool_use_id": safe_id(&result.call));
        match result.parts.as_slice() {
            [] => {}
            [Piece::Text(said)] if said.cache.is_none() => put!(o, "content": &said.text),
            parts => o.array("content", |a| parts.iter().try_for_each(|piece| block(a, piece, reader)))?,
        }
        put!(o, "is_error"?: result.is_error.then_some(true), "cache_control"?: result.cache);
        Ok(())
    })
}

fn source(o: &mut Object<'_>, data: &Data<'_>) {
    match data {
        Data::Url(url) => put!(o, "type": "url", "url": url),
        Data::Base64 { kind, bytes } => put!(o, "type": "base64", "media_type": kind, "data": bytes),
    }
}

/// Returns the schema of a tool's arguments; a strict one is held to what Anthropic takes.
fn input_schema<'a>(tool: &Tool<'a>, is_strict: bool, reader: Reader<'_>) -> Cow<'a, str> {
    let given = tool.rooted_schema();
    if !is_strict {
        return given;
    }
    let mut out = Vec::new();
    schema::write(Value::of(&given), &mut out, reader);
    String::from_utf8(out).map_or(given, Cow::Owned)
}

fn tools(o: &mut Object<'_>, prompt: &Prompt<'_>, held: Held, reader: Reader<'_>) {
    if prompt.tools.is_empty() {
        return;
    }
    let is_strict = |tool: &Tool<'_>| {
        held.tools && tool.strict == Some(true) && is_mode(Value::of(&tool.rooted_schema()), reader.model)
    };
    if prompt.tools.iter().any(|tool| tool.schema() != tool.rooted_schema()) {
        reader.leave_out("tools.schema");
    }
    if prompt.tools.iter().any(|tool| tool.strict == Some(true) && !is_strict(tool)) {
        reader.leave_out("tools.strict");
    }
    put!(o, "tools": [for tool in &prompt.tools => {
        "name": &tool.name, "description"?: &tool.description,
        "input_schema": Raw(&input_schema(tool, is_strict(tool), reader)),
        "strict"?: is_strict(tool).then_some(true), "cache_control"?: tool.cache,
    }]);
    let one_at_a_time = prompt.parallel.filter(|parallel| !parallel).map(|_| true);
    if prompt.choice.is_none() && one_at_a_time.is_none() {
        return;
    }
    let (kind, name) = match prompt.choice.as_ref().unwrap_or(&ToolChoice::Auto) {
        ToolChoice::Auto => ("auto", None),
        ToolChoice::None => return put!(o, "tool_choice": { "type": "none" }),
        ToolChoice::Any => ("any", None),
        ToolChoice::Named(name) => ("tool", Some(name)),
    };
    put!(o, "tool_choice": { "type": kind, "name"?: name, "disable_parallel_tool_use"?: one_at_a_time });
}

/// Writes how hard to think, where that goes together with the rest of the request, and the schema of the answer.
fn thinking_and_format(
    o: &mut Object<'_>,
    prompt: &Prompt<'_>,
    (most, held): (u64, Held),
    reader: Reader<'_>,
) {
    let model = reader.model;
    let effort = prompt.effort.filter(|effort| *effort != Effort::None);
    let mut word = None;
    let thinks = may_think(prompt);
    match (effort, claude(model)) {
        (Some(effort), Claude::Budget) if thinks && !is_midway(prompt) && most / 2 >= LEAST_BUDGET => {
            let budget = prompt.budget.unwrap_or(effort.budget()).clamp(LEAST_BUDGET, most / 2);
            put!(o, "thinking": { "type": "enabled", "budget_tokens": budget });
        }
        (Some(effort), Claude::Adaptive) => {
            if thinks {
                let display = claude_keeps_thoughts(model).then_some("summarized");
                put!(o, "thinking": { "type": "adaptive", "display"?: display });
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
        Format::Schema { schema, .. } if held.format => Some(*schema),
        Format::Schema { .. } | Format::Text | Format::Json => None,
    };
    if word.is_none() && schema.is_none() {
        return;
    }
    o.object("output_config", |o| {
        put!(o, "effort"?: word);
        if let Some(schema) = schema {
            o.object("format", |o| {
                put!(o, "type": "json_schema");
                schema::write(schema, o.named("\"schema\":"), reader);
            });
        }
    });
}

/// Says whether thinking goes together with the request: not with a forced tool or set sampling.
fn may_think(prompt: &Prompt<'_>) -> bool {
    let is_forced = matches!(prompt.choice, Some(ToolChoice::Any | ToolChoice::Named(_)));
    let is_sampled = ["temperature", "top_p", "top_k"].iter().any(|name| prompt.get(name).is_some());
    !is_forced && !is_sampled
}

/// Says whether the request stands in the middle of calls whose thoughts were not kept: thinking by a budget wants them.
fn is_midway(prompt: &Prompt<'_>) -> bool {
    prompt
        .turns
        .last()
        .is_some_and(|turn| !turn.is_user || turn.parts.iter().any(|part| matches!(part, Piece::Result(_))))
}
