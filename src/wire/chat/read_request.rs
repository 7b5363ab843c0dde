//! A chat request, read for a provider of another dialect.

use std::borrow::Cow;

use crate::wire::WireError;
use crate::wire::effort::Effort;
use crate::wire::json::Value;
use crate::wire::prompt::{
    Data, Format, Piece, Prompt, Reader, Text, Tool, ToolChoice, ToolResult, is_zero, texts,
};
use crate::wire::reply::Call;

/// Members that may be left out: bookkeeping, storage and hints of OpenAI's, none of which changes what is asked.
pub(super) const LEFT_OUT: [&str; 9] = [
    "metadata",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "stream_options",
    "verbosity",
    "model",
];

/// Reads a request.
pub(in crate::wire) fn read(root: Value<'_>, reader: Reader) -> Result<Prompt<'_>, WireError> {
    let mut prompt = Prompt::default();
    for (key, value) in root.members() {
        if value.is_null() || LEFT_OUT.contains(&&*key) || is_inert(&key, value) {
            continue;
        }
        match &*key {
            "messages" => messages(value, reader, &mut prompt)?,
            "stream" => prompt.stream = value.flag() == Some(true),
            "max_tokens" | "max_completion_tokens" => {
                let limit = value.number();
                prompt.max_output = prompt.max_output.into_iter().chain(limit).min();
            }
            "temperature" => prompt.temperature = Some(value),
            "top_p" => prompt.top_p = Some(value),
            "top_k" => prompt.top_k = Some(value),
            "stop" => prompt.stop = texts(value),
            "seed" => prompt.seed = Some(value),
            "presence_penalty" => prompt.presence_penalty = Some(value),
            "frequency_penalty" => prompt.frequency_penalty = Some(value),
            "user" => prompt.user = value.text(),
            "reasoning_effort" => prompt.effort = value.text().and_then(|word| Effort::from_name(&word)),
            "tools" => {
                for (at, tool) in value.items().enumerate() {
                    prompt.tools.push(read_tool(tool, at, reader)?);
                }
            }
            "tool_choice" => prompt.choice = Some(choice(value, reader)?),
            "parallel_tool_calls" => prompt.parallel = value.flag(),
            "response_format" => prompt.format = format(value, reader)?,
            key => return reader.refuse(key),
        }
    }
    Ok(prompt)
}

/// Says whether a member says what holds anyway.
pub(super) fn is_inert(key: &str, value: Value<'_>) -> bool {
    match key {
        "n" => value.number() == Some(1),
        "logprobs" => value.flag() == Some(false),
        "top_logprobs" | "presence_penalty" | "frequency_penalty" => is_zero(value),
        "logit_bias" => value.members().next().is_none(),
        "modalities" => value.items().all(|item| item.text().as_deref() == Some("text")),
        _ => false,
    }
}

fn messages<'a>(value: Value<'a>, reader: Reader, prompt: &mut Prompt<'a>) -> Result<(), WireError> {
    for (at, message) in value.items().enumerate() {
        let place = format!("messages[{at}]");
        let role = message.text_of("role").unwrap_or_default();
        let content = message.get("content");
        match &*role {
            "system" | "developer" => {
                for piece in pieces(content, &place, reader)? {
                    match piece {
                        Piece::Text(text) => prompt.system.push(text),
                        _ => return reader.refuse(format!("{place}.content")),
                    }
                }
            }
            "user" => {
                let parts = pieces(content, &place, reader)?;
                prompt.say(true, parts);
            }
            "assistant" => {
                let mut parts = pieces(content, &place, reader)?;
                let refusal = message.text_of("refusal").filter(|text| !text.is_empty());
                parts.extend(refusal.map(|text| Piece::Text(Text { text, cache: None })));
                for call in message.get("tool_calls").into_iter().flat_map(Value::items) {
                    parts.push(read_call(call, &place, reader)?);
                }
                if message.get("function_call").is_some() {
                    return reader.refuse(format!("{place}.function_call"));
                }
                prompt.say(false, parts);
            }
            "tool" => {
                let call = message.text_of("tool_call_id");
                let call =
                    call.ok_or_else(|| WireError::invalid(format!("{place}.tool_call_id"), "is missing"))?;
                let parts = pieces(content, &place, reader)?;
                let cache = message.get("cache_control");
                prompt.say(
                    true,
                    vec![Piece::Result(Box::new(ToolResult { call, parts, is_error: false, cache }))],
                );
            }
            "function" => return reader.refuse(format!("{place}.role \"function\"")),
            _ => {
                return Err(WireError::invalid(
                    format!("{place}.role"),
                    "has to be system, developer, user, assistant or tool",
                ));
            }
        }
    }
    Ok(())
}

fn pieces<'a>(content: Option<Value<'a>>, place: &str, reader: Reader) -> Result<Vec<Piece<'a>>, WireError> {
    let Some(content) = content else { return Ok(Vec::new()) };
    if content.is_text() {
        let text = content
            .text()
            .ok_or_else(|| WireError::invalid(format!("{place}.content"), "is no valid text"))?;
        let piece = Piece::Text(Text { text, cache: None });
        return Ok(vec![piece]);
    }
    if !content.is_array() {
        return Err(WireError::invalid(format!("{place}.content"), "has to be a text or a list of parts"));
    }
    content
        .items()
        .enumerate()
        .map(|(at, part)| piece(part, &format!("{place}.content[{at}]"), reader))
        .collect()
}

fn piece<'a>(part: Value<'a>, place: &str, reader: Reader) -> Result<Piece<'a>, WireError> {
    let missing = |what: &str| WireError::invalid(format!("{place}.{what}"), "is missing");
    let cache = part.get("cache_control");
    if part.is_text() {
        return Ok(Piece::Text(Text { text: part.text().unwrap_or_default(), cache: None }));
    }
    match part.text_of("type").as_deref() {
        Some("text") => {
            Ok(Piece::Text(Text { text: part.text_of("text").ok_or_else(|| missing("text"))?, cache }))
        }
        Some("refusal") => {
            Ok(Piece::Text(Text { text: part.text_of("refusal").ok_or_else(|| missing("refusal"))?, cache }))
        }
        Some("image_url") => {
            let image = part.get("image_url").ok_or_else(|| missing("image_url"))?;
            let url = if image.is_text() { image.text() } else { image.text_of("url") };
            let data = Data::of_url(url.ok_or_else(|| missing("image_url.url"))?);
            Ok(Piece::Image { data, detail: image.text_of("detail"), cache })
        }
        Some("input_audio") => {
            let audio = part.get("input_audio").ok_or_else(|| missing("input_audio"))?;
            let kind = audio.text_of("format").ok_or_else(|| missing("input_audio.format"))?;
            let bytes = audio.text_of("data").ok_or_else(|| missing("input_audio.data"))?;
            let data = Data::Base64 { kind: Cow::Owned(format!("audio/{kind}")), bytes };
            Ok(Piece::File { data, name: None, cache })
        }
        Some("file") => {
            let file = part.get("file").ok_or_else(|| missing("file"))?;
            // A file that lies with OpenAI cannot be had elsewhere.
            let Some(data) = file.text_of("file_data") else {
                return reader.refuse(format!("{place}.file.file_id"));
            };
            Ok(Piece::File { data: Data::of_url(data), name: file.text_of("filename"), cache })
        }
        _ => reader.refuse(format!("{place}.type")),
    }
}

fn read_call<'a>(call: Value<'a>, place: &str, reader: Reader) -> Result<Piece<'a>, WireError> {
    let Some(function) = call.get("function") else { return reader.refuse(format!("{place}.tool_calls")) };
    let name = function.text_of("name");
    Ok(Piece::Call {
        call: Call {
            id: call.text_of("id").unwrap_or_default(),
            name: name
                .ok_or_else(|| WireError::invalid(format!("{place}.tool_calls"), "a call has no name"))?,
            arguments: function.text_of("arguments").unwrap_or_default(),
        },
        cache: call.get("cache_control"),
    })
}

fn read_tool(tool: Value<'_>, at: usize, reader: Reader) -> Result<Tool<'_>, WireError> {
    let Some(function) =
        tool.get("function").filter(|_| tool.text_of("type").is_none_or(|kind| kind == "function"))
    else {
        return reader.refuse(format!("tools[{at}].type"));
    };
    let name = function.text_of("name");
    Ok(Tool {
        name: name.ok_or_else(|| WireError::invalid(format!("tools[{at}].function.name"), "is missing"))?,
        description: function.text_of("description"),
        parameters: function.get("parameters"),
        strict: function.get("strict").and_then(Value::flag),
        cache: tool.get("cache_control").or_else(|| function.get("cache_control")),
    })
}

fn choice(value: Value<'_>, reader: Reader) -> Result<ToolChoice<'_>, WireError> {
    if let Some(name) = value.get("function").and_then(|function| function.text_of("name")) {
        return Ok(ToolChoice::Named(name));
    }
    word(value.text().as_deref(), reader)
}

/// Reads OpenAI's word for which tools are to be called.
pub(in crate::wire) fn word<'a>(word: Option<&str>, reader: Reader) -> Result<ToolChoice<'a>, WireError> {
    match word {
        Some("auto") => Ok(ToolChoice::Auto),
        Some("none") => Ok(ToolChoice::None),
        Some("required" | "any") => Ok(ToolChoice::Any),
        _ => reader.refuse("tool_choice"),
    }
}

fn format(value: Value<'_>, reader: Reader) -> Result<Format<'_>, WireError> {
    match value.text_of("type").as_deref() {
        Some("text") => Ok(Format::Text),
        Some("json_object") => Ok(Format::Json),
        Some("json_schema") => {
            let said = value.get("json_schema");
            let schema = said.and_then(|said| said.get("schema"));
            Ok(Format::Schema {
                name: said.and_then(|said| said.text_of("name")).unwrap_or(Cow::Borrowed("answer")),
                schema: schema
                    .ok_or_else(|| WireError::invalid("response_format.json_schema.schema", "is missing"))?,
                strict: said.and_then(|said| said.get("strict")).and_then(Value::flag),
            })
        }
        _ => reader.refuse("response_format.type"),
    }
}
