//! A chat request, read for a provider of another dialect.

use std::borrow::Cow;

use crate::wire::error::Result;
use crate::wire::json::Value;
use crate::wire::prompt::{
    Data, Piece, Prompt, Reader, Tool, ToolChoice, ToolResult, read_pieces, told_arguments,
};
use crate::wire::reply::Call;
use crate::wire::tools::{self, Offered};
use crate::wire::{Dialect, WireError};

/// Reads a request.
pub(in crate::wire) fn read<'a>(root: Value<'a>, reader: Reader<'_>) -> Result<Prompt<'a>> {
    let mut prompt = Prompt::default();
    for (key, value) in root.members() {
        let Some(row) = reader.takes(&key, value)? else { continue };
        match &*key {
            "tool_choice" | "function_call" => {}
            "functions" => {
                for (at, function) in value.items().enumerate() {
                    prompt.tools.push(read_function(function, function, &format!("functions[{at}]"))?);
                }
                prompt.parallel = Some(false);
                if reader.to == Dialect::Gemini {
                    // It may call several, of which the form has room for the first.
                    reader.leave_out("functions (one call)");
                }
            }
            "messages" => {
                for (at, said) in value.items().enumerate() {
                    message(said, at, reader, &mut prompt)?;
                }
            }
            "reasoning" => {
                prompt.set_effort("reasoning", value.text_of("effort").as_deref());
                if let Some(budget) = value.get("max_tokens").and_then(Value::number) {
                    prompt.set_budget("reasoning", budget);
                }
            }
            "tools" => {
                for (at, tool) in value.items().enumerate() {
                    prompt.tools.extend(read_tool(tool, at, reader)?);
                }
            }
            "response_format" => {
                let holder = (value.get("json_schema"), "response_format.json_schema");
                prompt.format = reader.format(value, holder, "response_format")?;
            }
            _ => prompt.take(row.field, value, reader),
        }
    }
    if let Some(value) = root.get("tool_choice") {
        prompt.choice = Some(choice(value, &mut prompt, reader)?);
    } else if let Some(value) = root.get("function_call") {
        prompt.choice = Some(match value.text_of("name") {
            Some(name) => ToolChoice::Named(name),
            None => word(value.text().as_deref(), "function_call", reader)?,
        });
    }
    reader.finish(prompt, root.list("messages").count())
}

/// The members of a message that are read, or noted by what they are.
const READ: [&str; 9] = [
    "role",
    "content",
    "tool_calls",
    "tool_call_id",
    "function_call",
    "refusal",
    "annotations",
    "images",
    "cache_control",
];

fn message<'a>(message: Value<'a>, at: usize, reader: Reader<'_>, prompt: &mut Prompt<'a>) -> Result<()> {
    let place = format!("messages[{at}]");
    let role = message.text_of("role").unwrap_or_default();
    let named = if role == "function" { "name" } else { "" };
    reader.others(message, &[READ.as_slice(), &[named]].concat(), "messages");
    let at_content = format!("{place}.content");
    let pieces = || match message.get("content") {
        Some(content) => read_pieces(content, &at_content, |part, place| {
            if role == "assistant" && is_of_mistral(part) {
                return Ok(None);
            }
            piece(part, place, reader).map(Some)
        }),
        None => Ok(Vec::new()),
    };
    match &*role {
        "system" | "developer" => prompt.say_system(pieces()?, &at_content, reader)?,
        "user" => prompt.say(true, pieces()?),
        "assistant" => {
            let mut parts = pieces()?;
            if message.list("annotations").next().is_some() {
                reader.leave_out("messages.annotations");
            }
            // Pictures of earlier answers, as OpenRouter and others have them; an address is for nobody to fetch again.
            for image in message.list("images") {
                let url = image.get("image_url").and_then(|image| image.text_of("url")).unwrap_or_default();
                match Data::of_url(url) {
                    data @ Data::Base64 { .. } => {
                        parts.push(Piece::Image { data, detail: None, cache: None });
                    }
                    Data::Url(_) => reader.leave_out("messages (picture)"),
                }
            }
            let refusal = message.text_of("refusal").filter(|text| !text.is_empty());
            parts.extend(refusal.map(|text| Piece::text(text, None)));
            for (nth, call) in message.list("tool_calls").enumerate() {
                parts.push(read_call(call, &format!("{place}.tool_calls[{nth}]"), reader)?);
            }
            // Older calls have no id; the place of one is its own.
            if let Some(function) = message.get("function_call") {
                let place = format!("{place}.function_call");
                parts.push(read_called(format!("call_{at}").into(), function, None, &place, reader)?);
            }
            prompt.say(false, parts);
        }
        "tool" => {
            let call = message.need("tool_call_id", &place)?;
            reader.answered(prompt, &call, &format!("{place}.tool_call_id"))?;
            let (parts, cache) = (pieces()?, message.get("cache_control"));
            let result = ToolResult { call, parts, is_error: false, cache };
            prompt.say(true, vec![Piece::Result(Box::new(result))]);
        }
        "function" => {
            let name = message.text_of("name").unwrap_or_default();
            let what = "no earlier turn calls that function";
            let call = prompt.called_as(&name).map(|id| id.to_string());
            let call = call.ok_or_else(|| WireError::invalid(format!("{place}.name"), what))?;
            prompt.say(true, vec![Piece::result(call.into(), pieces()?)]);
        }
        _ => {
            let what = "has to be system, developer, user, assistant, tool or function";
            return Err(WireError::invalid(format!("{place}.role"), what));
        }
    }
    Ok(())
}

/// Says whether a part of an answer is a thought of a model of Mistral's, which nobody else can read, or names a source that only it had.
pub(in crate::wire) fn is_of_mistral(part: Value<'_>) -> bool {
    part.is_object() && matches!(part.text_of("type").as_deref(), Some("thinking" | "reference"))
}

fn piece<'a>(part: Value<'a>, place: &str, reader: Reader<'_>) -> Result<Piece<'a>> {
    let within = |name: &str| part.get(name).ok_or_else(|| WireError::missing(place, name));
    let cache = part.get("cache_control");
    if part.is_text() {
        return Ok(Piece::text(part.text().unwrap_or_default(), None));
    }
    let kind = part.text_of("type");
    reader.others(part, &["type", kind.as_deref().unwrap_or_default(), "cache_control"], "messages.content");
    match kind.as_deref() {
        Some(kind @ ("text" | "refusal")) => Ok(Piece::text(part.need(kind, place)?, cache)),
        Some("image_url") => {
            let image = within("image_url")?;
            let place = format!("{place}.image_url");
            let url = image.text_or("url").ok_or_else(|| WireError::missing(&place, "url"))?;
            let data = reader.data(Data::of_url(url), false, &format!("{place}.url"))?;
            Ok(Piece::Image { data, detail: image.text_of("detail"), cache })
        }
        // As Qwen and others have it; Google takes film as it takes pictures.
        Some("video_url") if reader.to == Dialect::Gemini => {
            let film = within("video_url")?;
            let place = format!("{place}.video_url");
            let url = film.text_or("url").ok_or_else(|| WireError::missing(&place, "url"))?;
            let data = reader.data(Data::of_url(url), true, &format!("{place}.url"))?;
            Ok(Piece::File { data, name: None, cache })
        }
        Some("input_audio") => {
            let audio = within("input_audio")?;
            let place = format!("{place}.input_audio");
            let kind = format!("audio/{}", audio.need("format", &place)?);
            let data = Data::bytes(&kind, audio.need("data", &place)?);
            Ok(Piece::File { data: reader.data(data, true, &place)?, name: None, cache })
        }
        Some("file") => {
            let file = within("file")?;
            // A file that lies with OpenAI cannot be had elsewhere.
            let Some(data) = file.text_of("file_data") else {
                return reader.refuse(format!("{place}.file.file_id"));
            };
            let place = format!("{place}.file.file_data");
            reader.file(Data::of_file(data), file.text_of("filename"), cache, &place)
        }
        _ => reader.refuse(format!("{place}.type")),
    }
}

fn read_call<'a>(call: Value<'a>, place: &str, reader: Reader<'_>) -> Result<Piece<'a>> {
    let id = call.text_of("id").unwrap_or_default();
    let cache = call.get("cache_control");
    if let Some(custom) = call.get("custom") {
        let name = custom.need("name", &format!("{place}.custom"))?;
        let arguments = tools::custom_arguments(&custom.text_of("input").unwrap_or_default());
        let name = Cow::Owned(tools::sent_name(None, &name));
        return Ok(Piece::Call { call: Call { id, name, arguments: arguments.into() }, cache });
    }
    let Some(function) = call.get("function") else { return reader.refuse(format!("{place}.type")) };
    read_called(id, function, cache, &format!("{place}.function"), reader)
}

fn read_called<'a>(
    id: Cow<'a, str>,
    function: Value<'a>,
    cache: Option<Value<'a>>,
    place: &str,
    reader: Reader<'_>,
) -> Result<Piece<'a>> {
    let name = function.need("name", place)?;
    let arguments = told_arguments(function);
    Ok(Piece::Call { call: reader.call(id, name, arguments, &format!("{place}.arguments")), cache })
}

/// Reads a function that is offered, within `tool` or by itself.
fn read_function<'a>(tool: Value<'a>, function: Value<'a>, place: &str) -> Result<Tool<'a>> {
    Ok(Tool {
        name: function.need("name", place)?,
        description: function.text_of("description"),
        parameters: function.get("parameters"),
        strict: function.get("strict").and_then(Value::flag),
        is_deferred: false,
        cache: tool.get("cache_control").or_else(|| function.get("cache_control")),
    })
}

fn read_tool<'a>(tool: Value<'a>, at: usize, reader: Reader<'_>) -> Result<Option<Tool<'a>>> {
    let place = format!("tools[{at}]");
    match tools::custom_of_chat(tool) {
        Some(Offered::Function { tool, .. }) => return Ok(Some(tool)),
        Some(Offered::Incomplete { what }) => return Err(WireError::missing(&place, what)),
        Some(Offered::Nowhere { .. }) | None => {}
    }
    let Some(function) =
        tool.get("function").filter(|_| tool.text_of("type").is_none_or(|kind| kind == "function"))
    else {
        // No other kind is known to chat, so nobody counts on what it would do.
        let kind = tool.text_of("type").unwrap_or(Cow::Borrowed("no type"));
        reader.leave_out(&format!("tools ({kind})"));
        return Ok(None);
    };
    read_function(tool, function, &format!("{place}.function")).map(Some)
}

fn choice<'a>(value: Value<'a>, prompt: &mut Prompt<'a>, reader: Reader<'_>) -> Result<ToolChoice<'a>> {
    if let Some(name) = value.get("function").and_then(|function| function.text_of("name")) {
        return Ok(ToolChoice::Named(name));
    }
    if let Some(name) = value.get("custom").and_then(|custom| custom.text_of("name")) {
        return Ok(ToolChoice::Named(tools::sent_name(None, &name).into()));
    }
    if let Some(allowed) = value.get("allowed_tools") {
        let names = allowed.list("tools").filter_map(tools::name_of_chat);
        let names: Vec<String> = names.map(Cow::into_owned).collect();
        return reader.allow(prompt, allowed.text_of("mode").as_deref(), &names);
    }
    word(value.text().as_deref(), "tool_choice", reader)
}

/// Reads OpenAI's word for which tools are to be called.
pub(in crate::wire) fn word<'a>(
    word: Option<&str>,
    field: &str,
    reader: Reader<'_>,
) -> Result<ToolChoice<'a>> {
    match word {
        Some("auto") => Ok(ToolChoice::Auto),
        Some("none") => Ok(ToolChoice::None),
        Some("required" | "any") => Ok(ToolChoice::Any),
        _ => reader.refuse(field),
    }
}
