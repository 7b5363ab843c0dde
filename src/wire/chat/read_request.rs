//! A chat request, read for a provider of another dialect.

use std::borrow::Cow;

use crate::wire::effort::Effort;
use crate::wire::json::Value;
use crate::wire::prompt::{Data, Format, Piece, Prompt, Reader, Text, Tool, ToolChoice, ToolResult, texts};
use crate::wire::reply::Call;
use crate::wire::tools::{self, Offered};
use crate::wire::{Dialect, WireError};

/// Reads a request.
pub(in crate::wire) fn read<'a>(root: Value<'a>, reader: Reader<'_>) -> Result<Prompt<'a>, WireError> {
    let mut prompt = Prompt::default();
    let mut identifier = None;
    for (key, value) in root.members() {
        let Some(row) = reader.takes(&key, value)? else { continue };
        match &*key {
            "model" | "tool_choice" | "function_call" => {}
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
            "messages" => messages(value, reader, &mut prompt)?,
            "stream" => prompt.stream = value.flag() == Some(true),
            "max_tokens" | "max_completion_tokens" => {
                let limit = value.number();
                prompt.max_output = prompt.max_output.into_iter().chain(limit).min();
            }
            "stop" => prompt.stop = texts(value),
            "user" => prompt.user = value.text(),
            "safety_identifier" => identifier = value.text(),
            "reasoning_effort" => set_effort(&mut prompt, "reasoning_effort", value.text().as_deref()),
            "reasoning" => {
                set_effort(&mut prompt, "reasoning", value.text_of("effort").as_deref());
                if let Some(budget) = value.get("max_tokens").and_then(Value::number) {
                    set_budget(&mut prompt, "reasoning", budget);
                }
            }
            "thinking" => set_thinking(&mut prompt, value),
            "service_tier" => prompt.tier = value.text(),
            "tools" => {
                for (at, tool) in value.items().enumerate() {
                    prompt.tools.extend(read_tool(tool, at, reader)?);
                }
            }
            "parallel_tool_calls" => prompt.parallel = value.flag(),
            "response_format" => prompt.format = format(value, reader)?,
            _ => sampling(&mut prompt, row.field, value),
        }
    }
    prompt.user = prompt.user.or(identifier);
    if let Some(value) = root.get("tool_choice") {
        prompt.choice = Some(choice(value, &mut prompt, reader)?);
    } else if let Some(value) = root.get("function_call") {
        prompt.choice = Some(match value.text_of("name") {
            Some(name) => ToolChoice::Named(name),
            None => word(value.text().as_deref(), "function_call", reader)?,
        });
    }
    let count = root.get("messages").map_or(0, |messages| messages.items().count());
    reader.finish(prompt, count)
}

/// Takes a setting of sampling, or a member that goes along as it is.
pub(in crate::wire) fn sampling<'a>(prompt: &mut Prompt<'a>, field: &'static str, value: Value<'a>) {
    match field {
        "temperature" => prompt.temperature = Some(value),
        "top_p" => prompt.top_p = Some(value),
        "top_k" => prompt.top_k = Some(value),
        "seed" => prompt.seed = Some(value),
        "presence_penalty" => prompt.presence_penalty = Some(value),
        "frequency_penalty" => prompt.frequency_penalty = Some(value),
        _ => prompt.passed.push((field, value)),
    }
}

/// Takes an effort by its word.
pub(in crate::wire) fn set_effort(prompt: &mut Prompt<'_>, member: &'static str, word: Option<&str>) {
    if let Some(effort) = word.and_then(Effort::from_name) {
        prompt.effort = Some(effort);
        prompt.effort_member = member;
    }
}

/// Takes an effort stated in tokens.
pub(in crate::wire) fn set_budget(prompt: &mut Prompt<'_>, member: &'static str, budget: u64) {
    prompt.effort = Some(Effort::from_budget(budget));
    prompt.effort_member = member;
    prompt.budget = Some(budget);
}

/// Takes what `thinking` says in the manner of Anthropic.
pub(in crate::wire) fn set_thinking(prompt: &mut Prompt<'_>, value: Value<'_>) {
    let budget = value.get("budget_tokens").and_then(Value::number);
    match (value.text_of("type").as_deref(), budget) {
        (Some("enabled"), Some(budget)) => set_budget(prompt, "thinking", budget),
        (Some("disabled"), _) => set_effort(prompt, "thinking", Some("none")),
        // As the model sees fit; an effort that is stated beside it stays.
        (Some("enabled" | "adaptive"), _) if prompt.effort.is_none() => {
            set_effort(prompt, "thinking", Some("medium"));
        }
        _ => {}
    }
    prompt.wants_thoughts = matches!(value.text_of("type").as_deref(), Some("enabled" | "adaptive"))
        && value.text_of("display").as_deref() != Some("omitted");
}

fn messages<'a>(value: Value<'a>, reader: Reader<'_>, prompt: &mut Prompt<'a>) -> Result<(), WireError> {
    for (at, message) in value.items().enumerate() {
        let place = format!("messages[{at}]");
        let role = message.text_of("role").unwrap_or_default();
        let content = message.get("content");
        for key in ["name", "audio"] {
            if role != "function" && message.get(key).is_some() {
                reader.leave_out(&format!("messages.{key}"));
            }
        }
        match &*role {
            "system" | "developer" => {
                for piece in pieces(content, &place, reader)? {
                    match piece {
                        Piece::Text(text) => prompt.say_system(text),
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
                for (nth, call) in message.get("tool_calls").into_iter().flat_map(Value::items).enumerate() {
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
                let call = message.text_of("tool_call_id");
                let call =
                    call.ok_or_else(|| WireError::invalid(format!("{place}.tool_call_id"), "is missing"))?;
                reader.answered(prompt, &call, &format!("{place}.tool_call_id"))?;
                let parts = pieces(content, &place, reader)?;
                let cache = message.get("cache_control");
                prompt.say(
                    true,
                    vec![Piece::Result(Box::new(ToolResult { call, parts, is_error: false, cache }))],
                );
            }
            "function" => {
                let name = message.text_of("name").unwrap_or_default();
                let call = prompt.called_as(&name).map(str::to_owned);
                let call = call.ok_or_else(|| {
                    WireError::invalid(format!("{place}.name"), "no earlier turn calls that function")
                })?;
                let parts = pieces(content, &place, reader)?;
                let result = ToolResult { call: call.into(), parts, is_error: false, cache: None };
                prompt.say(true, vec![Piece::Result(Box::new(result))]);
            }
            _ => {
                return Err(WireError::invalid(
                    format!("{place}.role"),
                    "has to be system, developer, user, assistant, tool or function",
                ));
            }
        }
    }
    Ok(())
}

fn pieces<'a>(
    content: Option<Value<'a>>,
    place: &str,
    reader: Reader<'_>,
) -> Result<Vec<Piece<'a>>, WireError> {
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

fn piece<'a>(part: Value<'a>, place: &str, reader: Reader<'_>) -> Result<Piece<'a>, WireError> {
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
            let data = reader.data(data, false, &format!("{place}.image_url.url"))?;
            Ok(Piece::Image { data, detail: image.text_of("detail"), cache })
        }
        Some("input_audio") => {
            let audio = part.get("input_audio").ok_or_else(|| missing("input_audio"))?;
            let kind = audio.text_of("format").ok_or_else(|| missing("input_audio.format"))?;
            let bytes = audio.text_of("data").ok_or_else(|| missing("input_audio.data"))?;
            let data = Data::Base64 { kind: Cow::Owned(format!("audio/{kind}")), bytes };
            let data = reader.data(data, true, &format!("{place}.input_audio"))?;
            Ok(Piece::File { data, name: None, cache })
        }
        Some("file") => {
            let file = part.get("file").ok_or_else(|| missing("file"))?;
            // A file that lies with OpenAI cannot be had elsewhere.
            let Some(data) = file.text_of("file_data") else {
                return reader.refuse(format!("{place}.file.file_id"));
            };
            let data = reader.data(Data::of_url(data), true, &format!("{place}.file.file_data"))?;
            Ok(Piece::File { data, name: file.text_of("filename"), cache })
        }
        _ => reader.refuse(format!("{place}.type")),
    }
}

fn read_call<'a>(call: Value<'a>, place: &str, reader: Reader<'_>) -> Result<Piece<'a>, WireError> {
    let id = call.text_of("id").unwrap_or_default();
    let cache = call.get("cache_control");
    if let Some(custom) = call.get("custom") {
        let name = custom.text_of("name");
        let name = name.ok_or_else(|| WireError::invalid(format!("{place}.custom.name"), "is missing"))?;
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
) -> Result<Piece<'a>, WireError> {
    let name = function.text_of("name");
    let name = name.ok_or_else(|| WireError::invalid(format!("{place}.name"), "is missing"))?;
    let arguments = function.text_of("arguments").unwrap_or_default();
    Ok(Piece::Call { call: reader.call(id, name, arguments, &format!("{place}.arguments")), cache })
}

/// Reads a function that is offered, within `tool` or by itself.
fn read_function<'a>(tool: Value<'a>, function: Value<'a>, place: &str) -> Result<Tool<'a>, WireError> {
    let name = function.text_of("name");
    Ok(Tool {
        name: name.ok_or_else(|| WireError::invalid(format!("{place}.name"), "is missing"))?,
        description: function.text_of("description"),
        parameters: function.get("parameters"),
        strict: function.get("strict").and_then(Value::flag),
        cache: tool.get("cache_control").or_else(|| function.get("cache_control")),
    })
}

fn read_tool<'a>(tool: Value<'a>, at: usize, reader: Reader<'_>) -> Result<Option<Tool<'a>>, WireError> {
    let place = format!("tools[{at}]");
    match tools::custom_of_chat(tool) {
        Some(Offered::Function { tool, .. }) => return Ok(Some(tool)),
        Some(Offered::Incomplete { what }) => {
            return Err(WireError::invalid(format!("{place}.{what}"), "is missing"));
        }
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

fn choice<'a>(
    value: Value<'a>,
    prompt: &mut Prompt<'a>,
    reader: Reader<'_>,
) -> Result<ToolChoice<'a>, WireError> {
    if let Some(name) = value.get("function").and_then(|function| function.text_of("name")) {
        return Ok(ToolChoice::Named(name));
    }
    if let Some(name) = value.get("custom").and_then(|custom| custom.text_of("name")) {
        return Ok(ToolChoice::Named(tools::sent_name(None, &name).into()));
    }
    if let Some(allowed) = value.get("allowed_tools") {
        let named = |tool: Value<'_>| {
            let function = tool.get("function").or_else(|| tool.get("custom"))?;
            function.text_of("name").map(Cow::into_owned)
        };
        let names: Vec<String> =
            allowed.get("tools").into_iter().flat_map(Value::items).filter_map(named).collect();
        return reader.allow(prompt, allowed.text_of("mode").as_deref(), &names);
    }
    word(value.text().as_deref(), "tool_choice", reader)
}

/// Reads OpenAI's word for which tools are to be called.
pub(in crate::wire) fn word<'a>(
    word: Option<&str>,
    field: &str,
    reader: Reader<'_>,
) -> Result<ToolChoice<'a>, WireError> {
    match word {
        Some("auto") => Ok(ToolChoice::Auto),
        Some("none") => Ok(ToolChoice::None),
        Some("required" | "any") => Ok(ToolChoice::Any),
        _ => reader.refuse(field),
    }
}

fn format<'a>(value: Value<'a>, reader: Reader<'_>) -> Result<Format<'a>, WireError> {
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
