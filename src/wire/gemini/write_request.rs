//! A request of another dialect, written for Gemini. The model and whether to stream stand in the address, not here.
//!
//! Schemas go as `responseJsonSchema` and `parametersJsonSchema`, which take JSON Schema as clients write it; the older
//! `responseSchema` takes a subset, and narrowing a schema would change what it means.

use crate::wire::effort::{Effort, gemini_always_thinks, gemini_budget, gemini_thinks};
use crate::wire::error::Result;
use crate::wire::json::{Array, Object, Raw, put, try_body};
use crate::wire::known::place;
use crate::wire::prompt::{
    Data, Format, ORDINARY_TIER, Piece, Prompt, Reader, ToolChoice, ToolResult, arguments, gemini_tier,
    reminder,
};
use crate::wire::{Dialect, WireError};

/// Stands for the signature of a thought that another model had, as Google's documents ask for it.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Writes a request.
pub(in crate::wire) fn write(prompt: &Prompt<'_>, reader: Reader<'_>) -> Result<Vec<u8>> {
    try_body(1024, |o| {
        let asked = prompt.format.instruction().filter(|_| lacks_mode(prompt, reader.model));
        let said =
            || prompt.system.iter().map(|said| &said.text).chain(&asked).filter(|said| !said.is_empty());
        let is_bare = is_bare(reader.model);
        if is_bare && !prompt.tools.is_empty() {
            return reader.refuse("tools");
        }
        if said().next().is_some() && !is_bare {
            put!(o, "systemInstruction": { "parts": [for said in said() => { "text": said }] });
        }
        let mut turns = prompt.turns.iter().filter(|turn| turn.parts.iter().any(is_sent));
        o.array("contents", |a| {
            if said().next().is_some() && is_bare {
                a.object(|o| put!(o, "role": "user", "parts": [for said in said() => { "text": said }]));
            }
            turns.try_for_each(|turn| {
                a.object(|o| {
                    put!(o, "role": if turn.is_user { "user" } else { "model" });
                    let mut writer =
                        Writer { prompt, reader, wants_signature: reader.model.contains("gemini-3") };
                    let mut parts = turn.parts.iter().filter(|piece| is_sent(piece));
                    o.array("parts", |a| parts.try_for_each(|piece| writer.part(a, piece)))
                })
            })
        })?;
        tools(o, prompt, reader);
        match prompt.tier.as_deref().map(gemini_tier) {
            None | Some(Some(ORDINARY_TIER)) => {}
            Some(Some(word)) => put!(o, "serviceTier": Raw(word)),
            Some(None) => reader.leave_out("service_tier"),
        }
        o.object("generationConfig", |o| settings(o, prompt, reader));
        Ok(())
    })
}

/// Says whether a model that Google serves has neither instructions, which become the user's words, nor functions or a mode for
/// JSON.
/// <https://ai.google.dev/gemma/docs/core/prompt-structure>
fn is_bare(model: &str) -> bool {
    ["gemma-2", "gemma-3"].iter().any(|bare| model.contains(bare))
}

/// Says whether a model has no mode for JSON beside functions: those before Gemini 3 refuse both together.
fn lacks_mode(prompt: &Prompt<'_>, model: &str) -> bool {
    let is_older = ["gemini-1", "gemini-2"].iter().any(|older| model.contains(older));
    is_bare(model) || (is_older && !prompt.tools.is_empty())
}

/// Says whether a part holds anything: an empty text is to Gemini a part without content, which it refuses.
fn is_sent(piece: &Piece<'_>) -> bool {
    !matches!(piece, Piece::Text(said) | Piece::System(said) if said.text.is_empty())
}

struct Writer<'p, 'a> {
    prompt: &'p Prompt<'a>,
    reader: Reader<'p>,
    wants_signature: bool,
}

impl Writer<'_, '_> {
    fn part(&mut self, a: &mut Array<'_>, piece: &Piece<'_>) -> Result<()> {
        if let Piece::Image { detail, .. } = piece {
            self.reader.detail(detail.as_deref());
        }
        match piece {
            Piece::Thought(_) => {}
            Piece::Text(said) => a.object(|o| put!(o, "text": &said.text)),
            Piece::System(said) => a.object(|o| put!(o, "text": &reminder(&said.text))),
            Piece::Image { data, .. } | Piece::File { data, .. } => match data {
                Data::Base64 { kind, bytes } => {
                    a.object(|o| put!(o, "inlineData": { "mimeType": kind, "data": bytes }));
                }
                Data::Url(_) => return self.reader.refuse("a picture or document by its address"),
            },
            Piece::Call { call, .. } => {
                // The first call of a turn carries the signature of the thought before it.
                let signature = std::mem::take(&mut self.wants_signature).then_some(NO_SIGNATURE);
                a.object(|o| {
                    put!(o, "functionCall": { "name": &call.name, "args": Raw(arguments(call)) });
                    put!(o, "thoughtSignature"?: signature);
                });
            }
            Piece::Result(result) => return self.result(a, result),
        }
        Ok(())
    }

    fn result(&mut self, a: &mut Array<'_>, result: &ToolResult<'_>) -> Result<()> {
        let Some(name) = self.prompt.tool_called(&result.call) else {
            let place = format!("a result of call {}", crate::wire::faults::clean(&result.call));
            return Err(WireError::invalid(place, "no earlier turn makes that call"));
        };
        let key = if result.is_error { "error" } else { "output" };
        a.object(|o| {
            put!(o, "functionResponse": { "name": &*name, "response": |o| o.put(key, &result.text()) });
        });
        let mut others = result.parts.iter().filter(|part| !matches!(part, Piece::Text(_)));
        others.try_for_each(|part| self.part(a, part))
    }
}

fn tools(o: &mut Object<'_>, prompt: &Prompt<'_>, reader: Reader<'_>) {
    if prompt.tools.is_empty() {
        return;
    }
    if prompt.tools.iter().any(|tool| tool.strict == Some(true)) {
        reader.leave_out("tools.strict");
    }
    put!(o, "tools": [|a| a.object(|o| put!(o, "functionDeclarations": [for tool in &prompt.tools => {
        "name": &tool.name, "description": tool.description.as_deref().unwrap_or_default(),
        "parametersJsonSchema"?: tool.parameters,
    }]))]);
    let (mode, name) = match &prompt.choice {
        None => return,
        Some(ToolChoice::Auto) => ("AUTO", None),
        Some(ToolChoice::None) => ("NONE", None),
        Some(ToolChoice::Any) => ("ANY", None),
        Some(ToolChoice::Named(name)) => ("ANY", Some(name)),
    };
    o.object("toolConfig", |o| {
        o.object("functionCallingConfig", |o| {
            put!(o, "mode": mode);
            if let Some(name) = name {
                put!(o, "allowedFunctionNames": [|a| a.put(name)]);
            }
        });
    });
}

fn settings(o: &mut Object<'_>, prompt: &Prompt<'_>, reader: Reader<'_>) {
    let model = reader.model;
    let limit = reader.sending.limit(prompt.max_output);
    put!(o, "maxOutputTokens"?: limit);
    for (key, value) in &prompt.passed {
        if let Some(name) = place(Dialect::Gemini, key).strip_prefix("generationConfig.") {
            o.put(name, *value);
        }
    }
    if !prompt.stop.is_empty() {
        put!(o, "stopSequences": [for stop in &prompt.stop => stop]);
    }
    match &prompt.format {
        Format::Text => {}
        _ if lacks_mode(prompt, model) => {}
        Format::Json => put!(o, "responseMimeType": "application/json"),
        Format::Schema { schema, .. } => {
            put!(o, "responseMimeType": "application/json", "responseJsonSchema": *schema);
        }
    }
    if !gemini_thinks(model) {
        if prompt.effort.is_some_and(|effort| effort != Effort::None) {
            reader.leave_out(prompt.effort_member);
        }
        return;
    }
    let is_stepped = |effort: Effort| effort.is_beyond_high() && prompt.budget.is_none();
    let is_refused = |effort: Effort| effort == Effort::None && gemini_always_thinks(model);
    if prompt.effort.is_some_and(|effort| is_refused(effort) || is_stepped(effort)) {
        reader.leave_out(prompt.effort_member);
    }
    // Thoughts count against the limit of output; half of it is left for the answer.
    let room = limit.map_or(u64::MAX, |limit| limit / 2);
    let asked = prompt.effort.map(|effort| prompt.budget.unwrap_or(effort.budget()));
    let budget = asked.map(|budget| gemini_budget(model, budget.min(room)));
    // Thoughts are told only where there are any.
    let thoughts = (prompt.wants_thoughts && budget != Some(0)).then_some(true);
    if budget.is_some() || thoughts.is_some() {
        put!(o, "thinkingConfig": { "thinkingBudget"?: budget, "includeThoughts"?: thoughts });
    }
}
