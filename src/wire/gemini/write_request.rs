//! A request of another dialect, written for Gemini. The model and whether to stream stand in the address, not here.
//!
//! Schemas go as `responseJsonSchema` and `parametersJsonSchema`, which take JSON Schema as clients write it; the older
//! `responseSchema` takes a subset, and narrowing a schema would change what it means.

use crate::wire::effort::{Effort, gemini_always_thinks, gemini_thinks};
use crate::wire::json::{Array, Object, Value, object};
use crate::wire::prompt::{
    Data, Format, ORDINARY_TIER, Piece, Prompt, Reader, ToolChoice, ToolResult, arguments, gemini_tier,
    reminder,
};
use crate::wire::{Sending, WireError};

/// Stands for the signature of a thought that another model had, as Google's documents ask for it.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Writes a request.
pub(in crate::wire) fn write(
    prompt: &Prompt<'_>,
    model: &str,
    sending: &Sending<'_>,
    reader: Reader<'_>,
) -> Result<Vec<u8>, WireError> {
    let mut out = Vec::with_capacity(1024);
    let mut outcome = Ok(());
    object(&mut out, |o| {
        if prompt.system.iter().any(|said| !said.text.is_empty()) {
            o.object("systemInstruction", |o| {
                o.array("parts", |a| {
                    let said = prompt.system.iter().filter(|said| !said.text.is_empty());
                    said.for_each(|said| a.object(|o| o.text("text", &said.text)));
                });
            });
        }
        o.array("contents", |a| {
            for turn in prompt.turns.iter().filter(|turn| turn.parts.iter().any(is_sent)) {
                a.object(|o| {
                    o.text("role", if turn.is_user { "user" } else { "model" });
                    o.array("parts", |a| {
                        let mut writer =
                            Writer { prompt, reader, wants_signature: model.contains("gemini-3") };
                        let written = turn
                            .parts
                            .iter()
                            .filter(|piece| is_sent(piece))
                            .try_for_each(|piece| writer.part(a, piece));
                        if outcome.is_ok() {
                            outcome = written;
                        }
                    });
                });
            }
        });
        tools(o, prompt, reader);
        match prompt.tier.as_deref().map(gemini_tier) {
            None | Some(Some(ORDINARY_TIER)) => {}
            Some(Some(word)) => o.raw("serviceTier", word),
            Some(None) => reader.leave_out("service_tier"),
        }
        o.object("generationConfig", |o| settings(o, prompt, model, sending, reader));
    });
    outcome.map(|()| out)
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
    fn part(&mut self, a: &mut Array<'_>, piece: &Piece<'_>) -> Result<(), WireError> {
        if let Piece::Image { detail, .. } = piece {
            self.reader.detail(detail.as_deref());
        }
        match piece {
            Piece::Text(said) => a.object(|o| o.text("text", &said.text)),
            Piece::System(said) => a.object(|o| o.text("text", &reminder(&said.text))),
            Piece::Image { data, .. } | Piece::File { data, .. } => match data {
                Data::Base64 { kind, bytes } => a.object(|o| {
                    o.object("inlineData", |o| {
                        o.text("mimeType", kind);
                        o.text("data", bytes);
                    });
                }),
                Data::Url(_) => return self.reader.refuse("a picture or document by its address"),
            },
            Piece::Call { call, .. } => {
                let args = arguments(call);
                // The first call of a turn carries the signature of the thought before it.
                let is_first = std::mem::take(&mut self.wants_signature);
                a.object(|o| {
                    o.object("functionCall", |o| {
                        o.text("name", &call.name);
                        o.raw("args", args);
                    });
                    if is_first {
                        o.text("thoughtSignature", NO_SIGNATURE);
                    }
                });
            }
            Piece::Result(result) => return self.result(a, result),
        }
        Ok(())
    }

    fn result(&mut self, a: &mut Array<'_>, result: &ToolResult<'_>) -> Result<(), WireError> {
        let Some(name) = self.prompt.tool_called(&result.call) else {
            return Err(WireError::invalid(
                format!("a result of call {}", crate::wire::faults::clean(&result.call)),
                "no earlier turn makes that call",
            ));
        };
        let texts: Vec<&str> = result
            .parts
            .iter()
            .filter_map(|part| match part {
                Piece::Text(said) => Some(&*said.text),
                _ => None,
            })
            .collect();
        a.object(|o| {
            o.object("functionResponse", |o| {
                o.text("name", name);
                let key = if result.is_error { "error" } else { "output" };
                o.object("response", |o| o.text(key, &texts.join("\n")));
            });
        });
        result
            .parts
            .iter()
            .filter(|part| !matches!(part, Piece::Text(_)))
            .try_for_each(|part| self.part(a, part))
    }
}

fn tools(o: &mut Object<'_>, prompt: &Prompt<'_>, reader: Reader<'_>) {
    if prompt.tools.is_empty() {
        return;
    }
    if prompt.tools.iter().any(|tool| tool.strict == Some(true)) {
        reader.leave_out("tools.strict");
    }
    o.array("tools", |a| {
        a.object(|o| {
            o.array("functionDeclarations", |a| {
                for tool in &prompt.tools {
                    a.object(|o| {
                        o.text("name", &tool.name);
                        o.text("description", tool.description.as_deref().unwrap_or_default());
                        if let Some(schema) = tool.parameters {
                            o.raw("parametersJsonSchema", schema.raw());
                        }
                    });
                }
            });
        });
    });
    let Some(choice) = &prompt.choice else { return };
    o.object("toolConfig", |o| {
        o.object("functionCallingConfig", |o| match choice {
            ToolChoice::Auto => o.text("mode", "AUTO"),
            ToolChoice::None => o.text("mode", "NONE"),
            ToolChoice::Any => o.text("mode", "ANY"),
            ToolChoice::Named(name) => {
                o.text("mode", "ANY");
                o.array("allowedFunctionNames", |a| a.text(name));
            }
        });
    });
}

fn settings(o: &mut Object<'_>, prompt: &Prompt<'_>, model: &str, sending: &Sending<'_>, reader: Reader<'_>) {
    if let Some(limit) = sending.limit(prompt.max_output) {
        o.number("maxOutputTokens", limit);
    }
    let numbers = [
        ("temperature", prompt.temperature),
        ("topP", prompt.top_p),
        ("topK", prompt.top_k),
        ("seed", prompt.seed),
        ("presencePenalty", prompt.presence_penalty),
        ("frequencyPenalty", prompt.frequency_penalty),
    ];
    for (key, value) in numbers {
        if let Some(value) = value {
            o.raw(key, value.raw());
        }
    }
    for (key, value) in &prompt.passed {
        match *key {
            "n" => o.raw("candidateCount", value.raw()),
            "logprobs" => o.raw("responseLogprobs", value.raw()),
            "top_logprobs" => o.raw("logprobs", value.raw()),
            _ => {}
        }
    }
    if !prompt.stop.is_empty() {
        o.array("stopSequences", |a| prompt.stop.iter().for_each(|stop| a.text(stop)));
    }
    match &prompt.format {
        Format::Text => {}
        Format::Json => o.text("responseMimeType", "application/json"),
        Format::Schema { schema, .. } => {
            o.text("responseMimeType", "application/json");
            o.raw("responseJsonSchema", Value::raw(*schema));
        }
    }
    if !gemini_thinks(model) {
        if prompt.effort.is_some_and(|effort| effort != Effort::None) {
            reader.leave_out(prompt.effort_member);
        }
        return;
    }
    let budget = prompt.budget;
    let is_unheard = |effort: &Effort| *effort == Effort::None && gemini_always_thinks(model);
    let is_stepped = |effort: Effort| effort.is_beyond_high() && budget.is_none();
    if prompt.effort.is_some_and(|effort| is_unheard(&effort) || is_stepped(effort)) {
        reader.leave_out(prompt.effort_member);
    }
    let effort = prompt.effort.filter(|effort| !is_unheard(effort));
    if effort.is_none() && !prompt.wants_thoughts {
        return;
    }
    o.object("thinkingConfig", |o| {
        if let Some(effort) = effort {
            // Thoughts count against the limit of output; half of it is left for the answer.
            let room = sending.limit(prompt.max_output).map_or(u64::MAX, |limit| limit / 2);
            o.number("thinkingBudget", budget.unwrap_or(effort.budget()).min(room));
        }
        if prompt.wants_thoughts {
            o.flag("includeThoughts", true);
        }
    });
}
