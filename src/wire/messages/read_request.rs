//! A request for Anthropic's messages, read for a provider of another dialect.

use std::borrow::Cow;

use super::SIGNATURE;
use super::own_tools::own_tool;
use crate::wire::error::Result;
use crate::wire::json::{Value, is_json};
use crate::wire::prompt::{Data, Format, Piece, Prompt, Reader, Tool, ToolChoice, ToolResult, read_pieces};
use crate::wire::reply::content_text;
use crate::wire::table;
use crate::wire::{Accent, Dialect, WireError};

/// Reads a request.
pub(in crate::wire) fn read<'a>(root: Value<'a>, reader: Reader<'_>) -> Result<Prompt<'a>> {
    let mut prompt = Prompt::default();
    if let Some(value) = root.get("system") {
        prompt.say_system(pieces(value, "system", reader)?, "system", reader)?;
    }
    for (key, value) in root.members() {
        if key == "output_config" {
            for (inner, value) in value.members() {
                match reader.takes(&format!("output_config.{inner}"), value)?.map(|row| row.field) {
                    Some(place @ "output_config.format") => prompt.format = format(value, place, reader)?,
                    Some(field @ "output_config.effort") => prompt.take(field, value, reader),
                    _ => {}
                }
            }
            continue;
        }
        let Some(row) = reader.takes(&key, value)? else { continue };
        match &*key {
            "system" | "tool_choice" => {}
            "messages" => {
                for (at, said) in value.items().enumerate() {
                    message(said, &format!("messages[{at}]"), reader, &mut prompt)?;
                }
            }
            "metadata" => metadata(&mut prompt, value, reader),
            "output_format" => prompt.format = format(value, "output_format", reader)?,
            "service_tier" => prompt.tier = Some(tier(value, reader)),
            "tools" => {
                for (at, tool) in value.items().enumerate() {
                    prompt.tools.extend(read_tool(tool, &format!("tools[{at}]"), reader)?);
                }
            }
            _ => prompt.take(row.field, value, reader),
        }
    }
    if let Some(value) = root.get("tool_choice") {
        prompt.choice = Some(choice(value, reader)?);
        prompt.parallel = value.get("disable_parallel_tool_use").and_then(Value::flag).map(|off| !off);
        if prompt.parallel == Some(false) && reader.to == Dialect::Gemini {
            reader.leave_out("tool_choice.disable_parallel_tool_use");
        }
    }
    reader.finish(prompt, root.list("messages").count())
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

/// Returns the target's word for a service tier.
fn tier<'a>(value: Value<'a>, reader: Reader<'_>) -> Cow<'a, str> {
    match value.text() {
        Some(word) if word == "standard_only" && reader.sending.accent != Accent::Mistral => {
            Cow::Borrowed("default")
        }
        word => word.unwrap_or_default(),
    }
}

fn message<'a>(message: Value<'a>, place: &str, reader: Reader<'_>, prompt: &mut Prompt<'a>) -> Result<()> {
    let Some(content) = message.get("content") else { return Ok(()) };
    let at_content = format!("{place}.content");
    let said = || pieces(content, &at_content, reader);
    match message.text_of("role").as_deref() {
        Some("user") => {
            let parts = said()?;
            for piece in &parts {
                if let Piece::Result(result) = piece {
                    reader.answered(prompt, &result.call, &at_content)?;
                }
            }
            prompt.say(true, parts);
        }
        Some("assistant") => prompt.say(false, said()?),
        Some("system") => prompt.say_system(said()?, &at_content, reader)?,
        _ => {
            let what = "has to be user, assistant or system";
            return Err(WireError::invalid(format!("{place}.role"), what));
        }
    }
    Ok(())
}

fn pieces<'a>(content: Value<'a>, place: &str, reader: Reader<'_>) -> Result<Vec<Piece<'a>>> {
    read_pieces(content, place, |block, place| piece(block, place, reader))
}

/// Reads a block; nothing where it is left out.
fn piece<'a>(block: Value<'a>, place: &str, reader: Reader<'_>) -> Result<Option<Piece<'a>>> {
    let cache = block.get("cache_control");
    let kind = block.text_of("type");
    let is_ours = || block.text_of("signature").is_some_and(|signature| signature == SIGNATURE);
    if kind.as_deref() == Some("thinking") && reader.wants_thoughts() && is_ours() {
        return Ok(block.text_of("thinking").map(Piece::Thought));
    }
    if reader.leaves_out(table::kinds(reader.from).1, kind.as_deref().unwrap_or_default(), place)? {
        return Ok(None);
    }
    // What a client encoded twice is an object all the same, if it is one.
    let is_object = |input: &Cow<'_, str>| input.trim_start().starts_with('{') && is_json(input);
    let encoded = block.text_of("input");
    let encoded = encoded.filter(|input| reader.to != Dialect::OpenAiChat || is_object(input));
    let input = || encoded.clone().unwrap_or(block.get("input").map_or("{}", Value::raw).into());
    Ok(Some(match kind.as_deref() {
        Some("text") => {
            if block.list("citations").next().is_some() {
                reader.leave_out("messages.citations");
            }
            Piece::text(block.need("text", place)?, cache)
        }
        Some("tool_reference") => {
            let name = block.need("tool_name", place)?;
            Piece::text(format!("The tool {name} may be called now."), cache)
        }
        Some("compaction") => Piece::text(block.need("content", place)?, cache),
        Some("search_result") => {
            let title = block.text_of("title").unwrap_or_default();
            let source = block.text_of("source").unwrap_or_default();
            let texts: Vec<_> = block.list("content").filter_map(|part| part.text_of("text")).collect();
            Piece::text(format!("{title} ({source})\n{}", texts.join("\n")), cache)
        }
        Some("mcp_tool_use") => {
            Piece::text(format!("I called {} with {}", block.need("name", place)?, input()), cache)
        }
        Some("mcp_tool_result") => {
            let text = block.get("content").and_then(content_text).unwrap_or_default();
            Piece::text(format!("and got: {text}"), cache)
        }
        Some("image") => Piece::Image { data: data(block, false, place, reader)?, detail: None, cache },
        Some("document") => return document(block, place, reader).map(Some),
        Some("tool_use") => Piece::Call {
            call: reader.call(
                block.text_of("id").unwrap_or_default(),
                block.need("name", place)?,
                input(),
                &format!("{place}.input"),
            ),
            cache,
        },
        Some("tool_result") => {
            let content = block.get("content");
            let parts = content.map(|content| pieces(content, &format!("{place}.content"), reader));
            Piece::Result(Box::new(ToolResult {
                call: block.need("tool_use_id", place)?,
                parts: parts.transpose()?.unwrap_or_default(),
                is_error: block.get("is_error").and_then(Value::flag) == Some(true),
                cache,
            }))
        }
        _ => return reader.refuse(format!("{place}.type")),
    }))
}

fn document<'a>(block: Value<'a>, place: &str, reader: Reader<'_>) -> Result<Piece<'a>> {
    let cache = block.get("cache_control");
    let source = block.get("source").ok_or_else(|| WireError::missing(place, "source"))?;
    if block.get("citations").and_then(|said| said.get("enabled")).and_then(Value::flag) == Some(true) {
        reader.leave_out("messages.citations");
    }
    let text = match source.text_of("type").as_deref() {
        Some("text") => Some(source.need("data", &format!("{place}.source"))?),
        Some("content") => {
            if source.list("content").any(|part| part.get("text").is_none()) {
                return reader.refuse(format!("{place}.source.content"));
            }
            Some(source.get("content").and_then(content_text).unwrap_or_default())
        }
        _ => None,
    };
    let (title, context) = (block.text_of("title"), block.text_of("context"));
    if text.is_some() {
        let texts: Vec<_> = [title, context, text].into_iter().flatten().collect();
        return Ok(Piece::text(texts.join("\n\n"), cache));
    }
    if context.is_some() {
        reader.leave_out("messages.context");
    }
    Ok(Piece::File { data: data(block, true, place, reader)?, name: title, cache })
}

/// Reads the source of a picture or a document.
fn data<'a>(block: Value<'a>, is_file: bool, place: &str, reader: Reader<'_>) -> Result<Data<'a>> {
    let source = block.get("source").ok_or_else(|| WireError::missing(place, "source"))?;
    let place = format!("{place}.source");
    let data = match source.text_of("type").as_deref() {
        Some("base64") => Data::bytes(&source.need("media_type", &place)?, source.need("data", &place)?),
        Some("url") => Data::Url(source.need("url", &place)?),
        _ => return reader.refuse(format!("{place}.type")),
    };
    reader.data(data, is_file, &place)
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

fn read_tool<'a>(tool: Value<'a>, place: &str, reader: Reader<'_>) -> Result<Option<Tool<'a>>> {
    let kind = tool.text_of("type").unwrap_or(Cow::Borrowed("custom"));
    let own = own_tool(&kind);
    if kind != "custom" && own.is_none() {
        // What Anthropic runs itself, or nobody knows; a choice that forces it is refused in the end.
        reader.leave_out(&format!("tools ({kind})"));
        return Ok(None);
    }
    let name = tool.need("name", place)?;
    reader.others(tool, &READ, "tools");
    let screen = tool.get("display_width_px").zip(tool.get("display_height_px"));
    let own_description = own.map(|(said, _)| match screen {
        Some((width, height)) => {
            let (width, height) = (width.raw(), height.raw());
            Cow::Owned(format!("{said} The screen is {width} by {height} pixels."))
        }
        None => Cow::Borrowed(said),
    });
    Ok(Some(Tool {
        name,
        description: tool.text_of("description").or(own_description),
        parameters: tool.get("input_schema").or(own.map(|(_, schema)| Value::of(schema))),
        strict: tool.get("strict").and_then(Value::flag),
        is_deferred: tool.get("defer_loading").and_then(Value::flag) == Some(true),
        cache: tool.get("cache_control"),
    }))
}

fn choice<'a>(value: Value<'a>, reader: Reader<'_>) -> Result<ToolChoice<'a>> {
    match value.text_of("type").as_deref() {
        Some("auto") => Ok(ToolChoice::Auto),
        Some("any") => Ok(ToolChoice::Any),
        Some("none") => Ok(ToolChoice::None),
        Some("tool") => value.need("name", "tool_choice").map(ToolChoice::Named),
        _ => reader.refuse("tool_choice.type"),
    }
}

fn format<'a>(value: Value<'a>, place: &str, reader: Reader<'_>) -> Result<Format<'a>> {
    match (value.text_of("type").as_deref(), value.get("schema")) {
        (Some("json_schema"), Some(schema)) => {
            Ok(Format::Schema { name: Cow::Borrowed("answer"), schema, strict: Some(true) })
        }
        (Some("json_schema"), None) => Err(WireError::missing(place, "schema")),
        _ => reader.refuse(format!("{place}.type")),
    }
}
