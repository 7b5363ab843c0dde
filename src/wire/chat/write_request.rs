//! A request of another dialect, written as a chat request.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use super::mistral::short_id;
use crate::wire::effort::{openai_word, thinks_before_answering};
use crate::wire::json::{Array, Object, object};
use crate::wire::prompt::{
    Data, Format, Piece, Prompt, Reader, Text, ToolChoice, ToolResult, Turn, reminder, safe_id,
};
use crate::wire::{Accent, Sending, WireError};

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
        o.text("model", model);
        o.array("messages", |a| {
            if !prompt.system.is_empty() {
                a.object(|o| {
                    o.text("role", "system");
                    let texts: Vec<&str> = prompt.system.iter().map(|text| &*text.text).collect();
                    o.text("content", &texts.join("\n\n"));
                });
            }
            let last = prompt.turns.len().saturating_sub(1);
            outcome = prompt.turns.iter().enumerate().try_for_each(|(at, turn)| {
                if turn.is_user { user(a, turn, reader) } else { assistant(a, turn, at == last, reader) }
            });
        });
        tools(o, prompt);
        let is_mistral = reader.accent == Accent::Mistral;
        let is_thinker = thinks_before_answering(model);
        if let Some(limit) = sending.limit(prompt.max_output) {
            o.number(if is_thinker { "max_completion_tokens" } else { "max_tokens" }, limit);
        }
        match prompt.effort {
            Some(effort) if is_thinker => {
                let taken = openai_word(model, effort);
                if effort.is_beyond_high() && taken != effort.name() {
                    reader.leave_out(prompt.effort_member);
                }
                o.text("reasoning_effort", taken);
            }
            // Of other models it is not known; policy does.
            Some(effort) if prompt.is_effort_policys => o.text("reasoning_effort", effort.name()),
            Some(_) => reader.leave_out(prompt.effort_member),
            None => {}
        }
        let numbers = [
            ("temperature", prompt.temperature),
            ("top_p", prompt.top_p),
            ("top_k", prompt.top_k),
            (if is_mistral { "random_seed" } else { "seed" }, prompt.seed),
            ("presence_penalty", prompt.presence_penalty),
            ("frequency_penalty", prompt.frequency_penalty),
        ];
        for (key, value) in numbers {
            if let Some(value) = value {
                o.raw(key, value.raw());
            }
        }
        if !prompt.stop.is_empty() {
            o.array("stop", |a| prompt.stop.iter().for_each(|stop| a.text(stop)));
        }
        format(o, &prompt.format);
        if let Some(user) = prompt.user.as_deref().filter(|_| !is_mistral) {
            o.text("user", &short_user(user));
        }
        if let Some(tier) = &prompt.tier {
            o.text("service_tier", tier);
        }
        for (key, value) in &prompt.passed {
            o.raw(key, value.raw());
        }
        if prompt.stream {
            o.flag("stream", true);
            if !is_mistral {
                o.object("stream_options", |o| o.flag("include_usage", true));
            }
        }
    });
    outcome.map(|()| out)
}

/// Gives the name of an end user in at most the 64 characters that OpenAI takes; a longer one as its digest.
fn short_user(user: &str) -> Cow<'_, str> {
    if user.chars().count() <= 64 {
        return Cow::Borrowed(user);
    }
    let hex = |text: String, byte: &u8| text + &format!("{byte:02x}");
    Cow::Owned(Sha256::digest(user.as_bytes()).iter().fold(String::with_capacity(64), hex))
}

fn tools(o: &mut Object<'_>, prompt: &Prompt<'_>) {
    if prompt.tools.is_empty() {
        return;
    }
    o.array("tools", |a| {
        for tool in &prompt.tools {
            a.object(|o| {
                o.text("type", "function");
                o.object("function", |o| {
                    o.text("name", &tool.name);
                    if let Some(description) = &tool.description {
                        o.text("description", description);
                    }
                    let none = r#"{"type":"object","properties":{}}"#;
                    o.raw("parameters", tool.parameters.map_or(none, |schema| schema.raw()));
                    if tool.strict == Some(true) {
                        o.flag("strict", true);
                    }
                });
            });
        }
    });
    match &prompt.choice {
        None => {}
        Some(ToolChoice::Auto) => o.text("tool_choice", "auto"),
        Some(ToolChoice::None) => o.text("tool_choice", "none"),
        Some(ToolChoice::Any) => o.text("tool_choice", "required"),
        Some(ToolChoice::Named(name)) => o.object("tool_choice", |o| {
            o.text("type", "function");
            o.object("function", |o| o.text("name", name));
        }),
    }
    if prompt.parallel == Some(false) {
        o.flag("parallel_tool_calls", false);
    }
}

fn format(o: &mut Object<'_>, format: &Format<'_>) {
    match format {
        Format::Text => {}
        Format::Json => o.object("response_format", |o| o.text("type", "json_object")),
        Format::Schema { name, schema, strict } => o.object("response_format", |o| {
            o.text("type", "json_schema");
            o.object("json_schema", |o| {
                o.text("name", name);
                o.raw("schema", schema.raw());
                if let Some(strict) = strict {
                    o.flag("strict", *strict);
                }
            });
        }),
    }
}

/// Writes a user's turn: results of tools first, each a message of its own, then what the user says; what the system
/// says in between stays there, as a message of its own where the server takes one.
fn user(a: &mut Array<'_>, turn: &Turn<'_>, reader: Reader<'_>) -> Result<(), WireError> {
    let mut said: Vec<&Piece<'_>> = Vec::new();
    for part in &turn.parts {
        match part {
            Piece::Result(result) => tool_result(a, result, reader, &mut said),
            Piece::System(text) if reader.accent == Accent::OpenAi => {
                said_by_user(a, &said, reader)?;
                said.clear();
                a.object(|o| {
                    o.text("role", "system");
                    o.text("content", &text.text);
                });
            }
            part => said.push(part),
        }
    }
    said_by_user(a, &said, reader)
}

fn said_by_user(a: &mut Array<'_>, said: &[&Piece<'_>], reader: Reader<'_>) -> Result<(), WireError> {
    match said {
        [] => return Ok(()),
        [Piece::Text(text)] => a.object(|o| {
            o.text("role", "user");
            o.text("content", &text.text);
        }),
        _ => {
            let mut outcome = Ok(());
            a.object(|o| {
                o.text("role", "user");
                o.array("content", |a| outcome = said.iter().try_for_each(|piece| part(a, piece, reader)));
            });
            outcome?;
        }
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
    let texts: Vec<&str> = result
        .parts
        .iter()
        .filter_map(|part| match part {
            Piece::Text(text) => Some(&*text.text),
            _ => None,
        })
        .collect();
    said.extend(result.parts.iter().filter(|part| !matches!(part, Piece::Text(_))));
    a.object(|o| {
        o.text("role", "tool");
        o.text("tool_call_id", &call_id(&result.call, reader));
        let text = texts.join("\n");
        // Chat has no mark for it.
        let is_marked = !result.is_error || text.starts_with("Error");
        o.text("content", &if is_marked { text } else { format!("Error: {text}") });
    });
}

/// Gives an id of a call that the provider takes.
fn call_id<'a>(id: &'a str, reader: Reader<'_>) -> Cow<'a, str> {
    match reader.accent {
        Accent::OpenAi => safe_id(id),
        Accent::Mistral => short_id(id),
    }
}

fn part(a: &mut Array<'_>, piece: &Piece<'_>, reader: Reader<'_>) -> Result<(), WireError> {
    match piece {
        Piece::Text(Text { text, .. }) => a.object(|o| {
            o.text("type", "text");
            o.text("text", text);
        }),
        Piece::System(Text { text, .. }) => a.object(|o| {
            o.text("type", "text");
            o.text("text", &reminder(text));
        }),
        Piece::Image { data, detail, .. } => a.object(|o| {
            o.text("type", "image_url");
            o.object("image_url", |o| {
                o.text("url", &data.url());
                if let Some(detail) = detail {
                    o.text("detail", detail);
                }
            });
        }),
        Piece::File { data: Data::Base64 { kind, bytes }, .. } if audio_format(kind).is_some() => {
            a.object(|o| {
                o.text("type", "input_audio");
                o.object("input_audio", |o| {
                    o.text("data", bytes);
                    o.text("format", audio_format(kind).unwrap_or_default());
                });
            });
        }
        Piece::File { data: data @ Data::Base64 { .. }, name, .. } => a.object(|o| {
            o.text("type", "file");
            o.object("file", |o| {
                o.text("filename", name.as_deref().unwrap_or("document.pdf"));
                o.text("file_data", &data.url());
            });
        }),
        Piece::File { .. } => return reader.refuse("a document by its address"),
        Piece::Call { .. } | Piece::Result(_) => return reader.refuse("a call of a tool in a user's turn"),
    }
    Ok(())
}

/// Gives chat's word for a kind of sound.
pub(in crate::wire) fn audio_format(kind: &str) -> Option<&'static str> {
    match kind.split(';').next()? {
        "audio/wav" | "audio/x-wav" | "audio/wave" => Some("wav"),
        "audio/mp3" | "audio/mpeg" => Some("mp3"),
        _ => None,
    }
}

fn assistant(a: &mut Array<'_>, turn: &Turn<'_>, is_last: bool, reader: Reader<'_>) -> Result<(), WireError> {
    let mut text = String::new();
    let mut calls = Vec::new();
    for part in &turn.parts {
        match part {
            Piece::Text(said) => text.push_str(&said.text),
            Piece::Call { call, .. } => calls.push(call),
            _ => return reader.refuse("a picture or document in a turn of the assistant"),
        }
    }
    a.object(|o| {
        o.text("role", "assistant");
        o.text_or_null("content", Some(text.as_str()).filter(|text| !text.is_empty() || calls.is_empty()));
        if is_last && reader.accent == Accent::Mistral {
            o.flag("prefix", true);
        }
        if calls.is_empty() {
            return;
        }
        o.array("tool_calls", |a| {
            for call in &calls {
                a.object(|o| {
                    o.text("id", &call_id(&call.id, reader));
                    o.text("type", "function");
                    o.object("function", |o| {
                        o.text("name", &call.name);
                        o.text("arguments", if call.arguments.is_empty() { "{}" } else { &call.arguments });
                    });
                });
            }
        });
    });
    Ok(())
}
