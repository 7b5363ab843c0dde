//! A request for Anthropic's messages, read for a provider of another dialect.

use std::borrow::Cow;

use crate::wire::WireError;
use crate::wire::effort::Effort;
use crate::wire::json::Value;
use crate::wire::prompt::{Data, Format, Piece, Prompt, Reader, Text, Tool, ToolChoice, ToolResult, texts};
use crate::wire::reply::Call;

/// Members that may be left out: bookkeeping, hints, and the trimming of thoughts that are not carried anyway.
const LEFT_OUT: [&str; 6] =
    ["model", "service_tier", "speed", "betas", "context_management", "cache_control"];

/// Reads a request.
pub(in crate::wire) fn read(root: Value<'_>, reader: Reader) -> Result<Prompt<'_>, WireError> {
    let mut prompt = Prompt::default();
    for (key, value) in root.members() {
        if value.is_null() || LEFT_OUT.contains(&&*key) {
            continue;
        }
        match &*key {
            "messages" => messages(value, reader, &mut prompt)?,
            "system" => {
                for piece in pieces(value, "system", reader)? {
                    match piece {
                        Piece::Text(text) => prompt.system.push(text),
                        _ => return reader.refuse("system"),
                    }
                }
            }
            "stream" => prompt.stream = value.flag() == Some(true),
            "max_tokens" => prompt.max_output = value.number(),
            "temperature" => prompt.temperature = Some(value),
            "top_p" => prompt.top_p = Some(value),
            "top_k" => prompt.top_k = Some(value),
            "stop_sequences" => prompt.stop = texts(value),
            "metadata" => prompt.user = value.text_of("user_id"),
            "thinking" => prompt.effort = thinking(value).or(prompt.effort),
            "output_config" => {
                if let Some(word) = value.text_of("effort") {
                    prompt.effort = Effort::from_name(&word).or(prompt.effort);
                }
                if let Some(said) = value.get("format") {
                    prompt.format = format(said, reader)?;
                }
            }
            "output_format" => prompt.format = format(value, reader)?,
            "tools" => {
                for (at, tool) in value.items().enumerate() {
                    prompt.tools.push(read_tool(tool, at, reader)?);
                }
            }
            "tool_choice" => {
                prompt.choice = Some(choice(value, reader)?);
                prompt.parallel =
                    value.get("disable_parallel_tool_use").and_then(Value::flag).map(|off| !off);
            }
            key => return reader.refuse(key),
        }
    }
    Ok(prompt)
}

fn thinking(value: Value<'_>) -> Option<Effort> {
    match &*value.text_of("type")? {
        "enabled" => Some(Effort::from_budget(value.get("budget_tokens").and_then(Value::number)?)),
        _ => None,
    }
}

fn messages<'a>(value: Value<'a>, reader: Reader, prompt: &mut Prompt<'a>) -> Result<(), WireError> {
    for (at, message) in value.items().enumerate() {
        let place = format!("messages[{at}]");
        let is_user = match message.text_of("role").as_deref() {
            Some("user") => true,
            Some("assistant") => false,
            _ => return Err(WireError::invalid(format!("{place}.role"), "has to be user or assistant")),
        };
        if let Some(content) = message.get("content") {
            let parts = pieces(content, &format!("{place}.content"), reader)?;
            prompt.say(is_user, parts);
        }
    }
    Ok(())
}

fn pieces<'a>(content: Value<'a>, place: &str, reader: Reader) -> Result<Vec<Piece<'a>>, WireError> {
    if content.is_text() {
        let text = content.text().ok_or_else(|| WireError::invalid(place, "is no valid text"))?;
        let piece = Piece::Text(Text { text, cache: None });
        return Ok(vec![piece]);
    }
    if !content.is_array() {
        return Err(WireError::invalid(place, "has to be a text or a list of blocks"));
    }
    let mut found = Vec::new();
    for (at, block) in content.items().enumerate() {
        found.extend(piece(block, &format!("{place}[{at}]"), reader)?);
    }
    Ok(found)
}

/// Reads a block; thoughts are left out, as only the model that had them can read them.
fn piece<'a>(block: Value<'a>, place: &str, reader: Reader) -> Result<Option<Piece<'a>>, WireError> {
    let missing = |what: &str| WireError::invalid(format!("{place}.{what}"), "is missing");
    let cache = block.get("cache_control");
    Ok(Some(match block.text_of("type").as_deref() {
        Some("text") => {
            Piece::Text(Text { text: block.text_of("text").ok_or_else(|| missing("text"))?, cache })
        }
        Some("thinking" | "redacted_thinking") => return Ok(None),
        Some("image") => {
            let source = block.get("source").ok_or_else(|| missing("source"))?;
            Piece::Image { data: data(source, place, reader)?, detail: None, cache }
        }
        Some("document") => {
            let source = block.get("source").ok_or_else(|| missing("source"))?;
            if source.text_of("type").as_deref() == Some("text") {
                let text = source.text_of("data").ok_or_else(|| missing("source.data"))?;
                return Ok(Some(Piece::Text(Text { text, cache })));
            }
            Piece::File { data: data(source, place, reader)?, name: block.text_of("title"), cache }
        }
        Some("tool_use") => Piece::Call {
            call: Call {
                id: block.text_of("id").unwrap_or_default(),
                name: block.text_of("name").ok_or_else(|| missing("name"))?,
                arguments: Cow::Borrowed(block.get("input").map_or("{}", Value::raw)),
            },
            cache,
        },
        Some("tool_result") => {
            let content = block.get("content");
            let parts =
                content.map(|content| pieces(content, &format!("{place}.content"), reader)).transpose()?;
            Piece::Result(Box::new(ToolResult {
                call: block.text_of("tool_use_id").ok_or_else(|| missing("tool_use_id"))?,
                parts: parts.unwrap_or_default(),
                is_error: block.get("is_error").and_then(Value::flag) == Some(true),
                cache,
            }))
        }
        _ => return reader.refuse(format!("{place}.type")),
    }))
}

fn data<'a>(source: Value<'a>, place: &str, reader: Reader) -> Result<Data<'a>, WireError> {
    let missing = |what: &str| WireError::invalid(format!("{place}.source.{what}"), "is missing");
    match source.text_of("type").as_deref() {
        Some("base64") => Ok(Data::Base64 {
            kind: source.text_of("media_type").ok_or_else(|| missing("media_type"))?,
            bytes: source.text_of("data").ok_or_else(|| missing("data"))?,
        }),
        Some("url") => Ok(Data::Url(source.text_of("url").ok_or_else(|| missing("url"))?)),
        _ => reader.refuse(format!("{place}.source.type")),
    }
}

fn read_tool(tool: Value<'_>, at: usize, reader: Reader) -> Result<Tool<'_>, WireError> {
    // Tools that Anthropic runs itself have types of their own.
    if tool.text_of("type").is_some_and(|kind| kind != "custom") {
        return reader.refuse(format!("tools[{at}].type"));
    }
    let name = tool.text_of("name");
    Ok(Tool {
        name: name.ok_or_else(|| WireError::invalid(format!("tools[{at}].name"), "is missing"))?,
        description: tool.text_of("description"),
        parameters: tool.get("input_schema"),
        strict: tool.get("strict").and_then(Value::flag),
        cache: tool.get("cache_control"),
    })
}

fn choice(value: Value<'_>, reader: Reader) -> Result<ToolChoice<'_>, WireError> {
    match value.text_of("type").as_deref() {
        Some("auto") => Ok(ToolChoice::Auto),
        Some("any") => Ok(ToolChoice::Any),
        Some("none") => Ok(ToolChoice::None),
        Some("tool") => {
            let name = value.text_of("name");
            Ok(ToolChoice::Named(name.ok_or_else(|| WireError::invalid("tool_choice.name", "is missing"))?))
        }
        _ => reader.refuse("tool_choice.type"),
    }
}

fn format(value: Value<'_>, reader: Reader) -> Result<Format<'_>, WireError> {
    match (value.text_of("type").as_deref(), value.get("schema")) {
        (Some("json_schema"), Some(schema)) => {
            Ok(Format::Schema { name: Cow::Borrowed("answer"), schema, strict: Some(true) })
        }
        _ => reader.refuse("output_config.format"),
    }
}
