//! A request for Anthropic's messages, read for a provider of another dialect.

use std::borrow::Cow;

use super::own_tools::own_tool;
use crate::wire::chat::read_request::{sampling, set_effort, set_thinking};
use crate::wire::json::Value;
use crate::wire::prompt::{Data, Format, Piece, Prompt, Reader, Text, Tool, ToolChoice, ToolResult, texts};
use crate::wire::reply::{Call, content_text};
use crate::wire::table;
use crate::wire::{Accent, Dialect, WireError};

/// Reads a request.
pub(in crate::wire) fn read<'a>(root: Value<'a>, reader: Reader<'_>) -> Result<Prompt<'a>, WireError> {
    let mut prompt = Prompt::default();
    if let Some(value) = root.get("system") {
        for piece in pieces(value, "system", reader)? {
            match piece {
                Piece::Text(text) => prompt.system.push(text),
                _ => return reader.refuse("system"),
            }
        }
    }
    for (key, value) in root.members() {
        if key == "output_config" {
            for (inner, value) in value.members() {
                let name = format!("output_config.{inner}");
                match reader.takes(&name, value)?.map(|row| row.field) {
                    Some(field @ "output_config.effort") => {
                        set_effort(&mut prompt, field, value.text().as_deref());
                    }
                    Some("output_config.format") => {
                        prompt.format = format(value, "output_config.format", reader)?;
                    }
                    _ => {}
                }
            }
            continue;
        }
        let Some(row) = reader.takes(&key, value)? else { continue };
        match &*key {
            "model" | "system" | "tool_choice" => {}
            "messages" => messages(value, reader, &mut prompt)?,
            "stream" => prompt.stream = value.flag() == Some(true),
            "max_tokens" => prompt.max_output = value.number(),
            "stop_sequences" => prompt.stop = texts(value),
            "metadata" => metadata(&mut prompt, value, reader),
            "thinking" => set_thinking(&mut prompt, value),
            "output_format" => prompt.format = format(value, "output_format", reader)?,
            "service_tier" => prompt.tier = Some(tier(value, reader)),
            "tools" => {
                for (at, tool) in value.items().enumerate() {
                    prompt.tools.extend(read_tool(tool, &format!("tools[{at}]"), reader)?);
                }
            }
            _ => sampling(&mut prompt, row.field, value),
        }
    }
    if let Some(value) = root.get("tool_choice") {
        prompt.choice = Some(choice(value, reader)?);
        prompt.parallel = value.get("disable_parallel_tool_use").and_then(Value::flag).map(|off| !off);
        if prompt.parallel == Some(false) && reader.to == Dialect::Gemini {
            reader.leave_out("tool_choice.disable_parallel_tool_use");
        }
    }
    let count = root.get("messages").map_or(0, |messages| messages.items().count());
    reader.finish(prompt, count)
}

/// Takes the end user; what else stands there is left out.
fn metadata<'a>(prompt: &mut Prompt<'a>, value: Value<'a>, reader: Reader<'_>) {
    for (key, value) in value.members().filter(|(_, value)| !value.is_null()) {
        match value.text().filter(|_| key == "user_id") {
            Some(user) => prompt.user = Some(user),
            None => reader.leave_out(&format!("metadata.{key}")),
        }
    }
}

/// Gives the target's word for a service tier.
fn tier<'a>(value: Value<'a>, reader: Reader<'_>) -> Cow<'a, str> {
    match value.text() {
        Some(word) if word == "standard_only" && reader.accent != Accent::Mistral => Cow::Borrowed("default"),
        word => word.unwrap_or_default(),
    }
}

fn messages<'a>(value: Value<'a>, reader: Reader<'_>, prompt: &mut Prompt<'a>) -> Result<(), WireError> {
    for (at, message) in value.items().enumerate() {
        let place = format!("messages[{at}]");
        let role = message.text_of("role");
        let Some(content) = message.get("content") else { continue };
        match role.as_deref() {
            Some("user") => {
                let parts = pieces(content, &format!("{place}.content"), reader)?;
                for piece in &parts {
                    if let Piece::Result(result) = piece {
                        reader.answered(prompt, &result.call, &format!("{place}.content"))?;
                    }
                }
                prompt.say(true, parts);
            }
            Some("assistant") => {
                let parts = pieces(content, &format!("{place}.content"), reader)?;
                prompt.say(false, parts);
            }
            Some("system") => {
                for piece in pieces(content, &format!("{place}.content"), reader)? {
                    match piece {
                        Piece::Text(text) => prompt.say_system(text),
                        _ => return reader.refuse(format!("{place}.content")),
                    }
                }
            }
            _ => {
                let what = "has to be user, assistant or system";
                return Err(WireError::invalid(format!("{place}.role"), what));
            }
        }
    }
    Ok(())
}

fn pieces<'a>(content: Value<'a>, place: &str, reader: Reader<'_>) -> Result<Vec<Piece<'a>>, WireError> {
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

/// Reads a block; nothing where it is left out.
fn piece<'a>(block: Value<'a>, place: &str, reader: Reader<'_>) -> Result<Option<Piece<'a>>, WireError> {
    let missing = |what: &str| WireError::invalid(format!("{place}.{what}"), "is missing");
    let cache = block.get("cache_control");
    let kind = block.text_of("type");
    if reader.leaves_out(table::kinds(reader.from).1, kind.as_deref().unwrap_or_default(), place)? {
        return Ok(None);
    }
    Ok(Some(match kind.as_deref() {
        Some("text") => {
            Piece::Text(Text { text: block.text_of("text").ok_or_else(|| missing("text"))?, cache })
        }
        Some("tool_reference") => {
            let name = block.text_of("tool_name").ok_or_else(|| missing("tool_name"))?;
            let text = Cow::Owned(format!("The tool {name} may be called now."));
            Piece::Text(Text { text, cache })
        }
        Some("compaction") => {
            let text = block.text_of("content").ok_or_else(|| missing("content"))?;
            Piece::Text(Text { text, cache })
        }
        Some("search_result") => {
            let title = block.text_of("title").unwrap_or_default();
            let source = block.text_of("source").unwrap_or_default();
            let texts: Vec<_> = block
                .get("content")
                .into_iter()
                .flat_map(Value::items)
                .filter_map(|part| part.text_of("text"))
                .collect();
            let text = Cow::Owned(format!("{title} ({source})\n{}", texts.join("\n")));
            Piece::Text(Text { text, cache })
        }
        Some("mcp_tool_use") => {
            let name = block.text_of("name").ok_or_else(|| missing("name"))?;
            let input = block.get("input").map_or("{}", Value::raw);
            let text = Cow::Owned(format!("I called {name} with {input}"));
            Piece::Text(Text { text, cache })
        }
        Some("mcp_tool_result") => {
            let content = block.get("content");
            let text = content.and_then(content_text).unwrap_or_default();
            let text = Cow::Owned(format!("and got: {text}"));
            Piece::Text(Text { text, cache })
        }
        Some("image") => {
            let source = block.get("source").ok_or_else(|| missing("source"))?;
            let data = reader.data(data(source, place, reader)?, false, &format!("{place}.source"))?;
            Piece::Image { data, detail: None, cache }
        }
        Some("document") => {
            let source = block.get("source").ok_or_else(|| missing("source"))?;
            if block.get("citations").and_then(|said| said.get("enabled")).and_then(Value::flag) == Some(true)
            {
                reader.leave_out("messages.citations");
            }
            let text = match source.text_of("type").as_deref() {
                Some("text") => Some(source.text_of("data").ok_or_else(|| missing("source.data"))?),
                Some("content") => {
                    let content = source.get("content");
                    if content.into_iter().flat_map(Value::items).any(|part| part.get("text").is_none()) {
                        return reader.refuse(format!("{place}.source.content"));
                    }
                    Some(content.and_then(content_text).unwrap_or_default())
                }
                _ => None,
            };
            let (title, context) = (block.text_of("title"), block.text_of("context"));
            if let Some(text) = text {
                let text = [title, context, Some(text)]
                    .into_iter()
                    .flatten()
                    .reduce(|all, next| Cow::Owned(format!("{all}\n\n{next}")));
                return Ok(Some(Piece::Text(Text { text: text.unwrap_or_default(), cache })));
            }
            if context.is_some() {
                reader.leave_out("messages.context");
            }
            let data = reader.data(data(source, place, reader)?, true, &format!("{place}.source"))?;
            Piece::File { data, name: block.text_of("title"), cache }
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

fn data<'a>(source: Value<'a>, place: &str, reader: Reader<'_>) -> Result<Data<'a>, WireError> {
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

/// The members of a tool that are read, or that say how it is to be offered by Anthropic alone.
const READ: [&str; 10] = [
    "type",
    "name",
    "description",
    "input_schema",
    "strict",
    "cache_control",
    "defer_loading",
    "eager_input_streaming",
    "display_width_px",
    "display_height_px",
];

fn read_tool<'a>(tool: Value<'a>, place: &str, reader: Reader<'_>) -> Result<Option<Tool<'a>>, WireError> {
    let kind = tool.text_of("type").unwrap_or(Cow::Borrowed("custom"));
    let own = own_tool(&kind);
    if kind != "custom" && own.is_none() {
        // What Anthropic runs itself, or nobody knows; a choice that forces it is refused in the end.
        reader.leave_out(&format!("tools ({kind})"));
        return Ok(None);
    }
    let name = tool.text_of("name");
    reader.others(tool, &READ, "tools");
    let screen = tool.get("display_width_px").zip(tool.get("display_height_px"));
    let own_description = own.map(|own| match screen {
        Some((width, height)) => {
            let size =
                format!("{} The screen is {} by {} pixels.", own.description, width.raw(), height.raw());
            Cow::Owned(size)
        }
        None => Cow::Borrowed(own.description),
    });
    Ok(Some(Tool {
        name: name.ok_or_else(|| WireError::invalid(format!("{place}.name"), "is missing"))?,
        description: tool.text_of("description").or(own_description),
        parameters: tool.get("input_schema").or(own.map(|own| Value::of(own.parameters))),
        strict: tool.get("strict").and_then(Value::flag),
        cache: tool.get("cache_control"),
    }))
}

fn choice<'a>(value: Value<'a>, reader: Reader<'_>) -> Result<ToolChoice<'a>, WireError> {
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

fn format<'a>(value: Value<'a>, place: &str, reader: Reader<'_>) -> Result<Format<'a>, WireError> {
    match (value.text_of("type").as_deref(), value.get("schema")) {
        (Some("json_schema"), Some(schema)) => {
            Ok(Format::Schema { name: Cow::Borrowed("answer"), schema, strict: Some(true) })
        }
        (Some("json_schema"), None) => Err(WireError::invalid(format!("{place}.schema"), "is missing")),
        _ => reader.refuse(format!("{place}.type")),
    }
}
