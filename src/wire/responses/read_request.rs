//! A request for OpenAI's responses, read for a provider of another dialect.
//!
//! Only what a request says in full can be carried: an earlier response, a stored conversation or a stored prompt lies
//! with OpenAI, and tools that OpenAI runs cannot be run elsewhere.

use std::borrow::Cow;

use crate::wire::chat::read_request::{sampling, set_effort, word};
use crate::wire::json::Value;
use crate::wire::prompt::{Data, Format, Piece, Prompt, Reader, Text, ToolChoice, ToolResult, texts};
use crate::wire::table;
use crate::wire::tools::{self, Offered};
use crate::wire::{Dialect, WireError};

/// Reads a request.
pub(in crate::wire) fn read<'a>(root: Value<'a>, reader: Reader<'_>) -> Result<Prompt<'a>, WireError> {
    let mut prompt = Prompt::default();
    if let Some(text) = root.text_of("instructions") {
        prompt.system.push(Text { text, cache: None });
    }
    let mut identifier = None;
    for (key, value) in root.members() {
        if matches!(&*key, "reasoning" | "text") {
            for (inner, value) in value.members() {
                let name = format!("{key}.{inner}");
                if let Some(row) = reader.takes(&name, value)? {
                    setting(&mut prompt, row.field, value, reader)?;
                }
            }
            continue;
        }
        let Some(row) = reader.takes(&key, value)? else { continue };
        match &*key {
            "model" | "instructions" | "tool_choice" => {}
            "input" if value.is_text() => {
                let text = value.text().ok_or_else(|| WireError::invalid("input", "is no valid text"))?;
                prompt.say(true, vec![Piece::Text(Text { text, cache: None })]);
            }
            "input" => {
                for (at, item) in value.items().enumerate() {
                    read_item(item, &format!("input[{at}]"), reader, &mut prompt)?;
                }
            }
            "stream" => prompt.stream = value.flag() == Some(true),
            "max_output_tokens" => prompt.max_output = value.number(),
            "stop" => prompt.stop = texts(value),
            "user" => prompt.user = value.text(),
            // Chat has both.
            "safety_identifier" if reader.to != Dialect::OpenAiChat => identifier = value.text(),
            "include" => include(&mut prompt, value, reader),
            "top_logprobs" => {
                ask_for_logprobs(&mut prompt);
                prompt.passed.push((row.field, value));
            }
            "service_tier" => prompt.tier = value.text(),
            "tools" => {
                for (at, tool) in value.items().enumerate() {
                    offer(tool, &format!("tools[{at}]"), reader, &mut prompt)?;
                }
            }
            "parallel_tool_calls" => prompt.parallel = value.flag(),
            _ => sampling(&mut prompt, row.field, value),
        }
    }
    prompt.user = prompt.user.or(identifier);
    if let Some(value) = root.get("tool_choice") {
        prompt.choice = Some(choice(value, &mut prompt, reader)?);
    }
    let count = root.get("input").map_or(0, |input| input.items().count());
    reader.finish(prompt, count)
}

/// Takes a member of `reasoning` or `text`.
fn setting<'a>(
    prompt: &mut Prompt<'a>,
    field: &'static str,
    value: Value<'a>,
    reader: Reader<'_>,
) -> Result<(), WireError> {
    match field {
        "reasoning.effort" => set_effort(prompt, field, value.text().as_deref()),
        "reasoning.summary" | "reasoning.generate_summary" => prompt.wants_thoughts = true,
        "text.format" => prompt.format = format(value, reader)?,
        "text.verbosity" => prompt.passed.push(("verbosity", value)),
        _ => {}
    }
    Ok(())
}

/// Takes what is to be added to the answer: logprobs; all else is left out.
fn include(prompt: &mut Prompt<'_>, value: Value<'_>, reader: Reader<'_>) {
    for wanted in value.items().filter_map(Value::text) {
        if wanted == "message.output_text.logprobs" {
            ask_for_logprobs(prompt);
        } else {
            reader.leave_out("include");
        }
    }
}

fn ask_for_logprobs(prompt: &mut Prompt<'_>) {
    if !prompt.passed.iter().any(|(field, _)| *field == "logprobs") {
        prompt.passed.push(("logprobs", Value::of("true")));
    }
}

fn offer<'a>(
    tool: Value<'a>,
    place: &str,
    reader: Reader<'_>,
    prompt: &mut Prompt<'a>,
) -> Result<(), WireError> {
    let mut outcome = Ok(());
    tools::responses(tool, &mut |offered| match offered {
        Offered::Function { tool, .. } => {
            // A search may find what was offered already.
            if !prompt.tools.iter().any(|known| known.name == tool.name) {
                prompt.tools.push(tool);
            }
        }
        Offered::Nowhere { kind } => reader.leave_out(&format!("tools ({kind})")),
        Offered::Incomplete { what } => {
            outcome = Err(WireError::invalid(format!("{place}.{what}"), "is missing"));
        }
    });
    outcome
}

fn choice<'a>(
    value: Value<'a>,
    prompt: &mut Prompt<'a>,
    reader: Reader<'_>,
) -> Result<ToolChoice<'a>, WireError> {
    let sent = |tool: Value<'_>| -> Option<String> {
        match &*tool.text_of("type")? {
            "function" | "custom" => {
                let namespace = tool.text_of("namespace");
                let name = tool.text_of("name")?;
                let is_plain = namespace.is_none() && tool.text_of("type").as_deref() == Some("function");
                Some(if is_plain { name.into_owned() } else { tools::sent_name(namespace.as_deref(), &name) })
            }
            kind @ ("local_shell" | "shell" | "apply_patch" | "tool_search") => Some(kind.to_owned()),
            _ => None,
        }
    };
    if value.is_text() {
        return word(value.text().as_deref(), "tool_choice", reader);
    }
    if value.text_of("type").as_deref() == Some("allowed_tools") {
        let names: Vec<String> =
            value.get("tools").into_iter().flat_map(Value::items).filter_map(sent).collect();
        return reader.allow(prompt, value.text_of("mode").as_deref(), &names);
    }
    match sent(value) {
        Some(name) => Ok(ToolChoice::Named(name.into())),
        // A tool that is left out cannot be forced.
        None => Err(WireError::Forced { to: reader.to }),
    }
}

fn read_item<'a>(
    item: Value<'a>,
    place: &str,
    reader: Reader<'_>,
    prompt: &mut Prompt<'a>,
) -> Result<(), WireError> {
    let missing = |what: &str| WireError::invalid(format!("{place}.{what}"), "is missing");
    let kind = item.text_of("type").unwrap_or(Cow::Borrowed("message"));
    if reader.leaves_out(table::kinds(reader.from).1, &kind, place)? {
        return Ok(());
    }
    // The output of a shell has its id in `id` where it has no other.
    let call_id = || item.text_of("call_id").or_else(|| item.text_of("id")).ok_or_else(|| missing("call_id"));
    match &*kind {
        "message" => {
            let content = item.get("content").ok_or_else(|| missing("content"))?;
            let parts = pieces(content, &format!("{place}.content"), reader)?;
            match item.text_of("role").as_deref() {
                Some("user") => prompt.say(true, parts),
                Some("assistant") => prompt.say(false, parts),
                Some("system" | "developer") => {
                    for piece in parts {
                        match piece {
                            Piece::Text(text) => prompt.say_system(text),
                            _ => return reader.refuse(format!("{place}.content")),
                        }
                    }
                }
                _ => {
                    let what = "has to be user, assistant, system or developer";
                    return Err(WireError::invalid(format!("{place}.role"), what));
                }
            }
        }
        "function_call" => {
            let name = item.text_of("name").ok_or_else(|| missing("name"))?;
            let name = match item.text_of("namespace") {
                Some(namespace) => tools::sent_name(Some(&namespace), &name).into(),
                None => name,
            };
            let arguments = item.text_of("arguments").unwrap_or_default();
            let call = reader.call(call_id()?, name, arguments, &format!("{place}.arguments"));
            prompt.say(false, vec![Piece::Call { call, cache: None }]);
        }
        // One that OpenAI executed brought tools, no result.
        "tool_search_call" | "tool_search_output"
            if item.text_of("execution").as_deref() != Some("client") =>
        {
            brought(item, place, reader, prompt)?;
        }
        "custom_tool_call" | "local_shell_call" | "shell_call" | "apply_patch_call" | "tool_search_call" => {
            let (name, arguments) = tools::earlier_call(item)
                .ok_or_else(|| WireError::invalid(place, "does not say what was called, and with what"))?;
            let call = reader.call(call_id()?, name.into(), arguments, &format!("{place}.arguments"));
            prompt.say(false, vec![Piece::Call { call, cache: None }]);
        }
        "function_call_output"
        | "custom_tool_call_output"
        | "local_shell_call_output"
        | "shell_call_output"
        | "apply_patch_call_output"
        | "tool_search_output" => {
            let call = call_id()?;
            reader.answered(prompt, &call, &format!("{place}.call_id"))?;
            brought(item, place, reader, prompt)?;
            let parts = output(item, &kind, place, reader)?;
            let result = ToolResult { call, parts, is_error: false, cache: None };
            prompt.say(true, vec![Piece::Result(Box::new(result))]);
        }
        "additional_tools" => brought(item, place, reader, prompt)?,
        "mcp_call" => {
            let say = |label: &str, key: &str| {
                item.text_of(key).map(|text| format!("{label}{text}")).unwrap_or_default()
            };
            let text = say("I called ", "name") + &say(" with ", "arguments") + &say(" and got: ", "output");
            prompt.say(false, vec![Piece::Text(Text { text: text.into(), cache: None })]);
        }
        _ => return reader.refuse(format!("{place}.type")),
    }
    Ok(())
}

/// Offers the tools that an item brings.
fn brought<'a>(
    item: Value<'a>,
    place: &str,
    reader: Reader<'_>,
    prompt: &mut Prompt<'a>,
) -> Result<(), WireError> {
    let brought = item.get("tools").filter(|_| tools::brings_tools(item));
    for (at, tool) in brought.into_iter().flat_map(Value::items).enumerate() {
        offer(tool, &format!("{place}.tools[{at}]"), reader, prompt)?;
    }
    Ok(())
}

/// Reads what a tool gave back.
fn output<'a>(
    item: Value<'a>,
    kind: &str,
    place: &str,
    reader: Reader<'_>,
) -> Result<Vec<Piece<'a>>, WireError> {
    let text = |text: Cow<'a, str>| vec![Piece::Text(Text { text, cache: None })];
    match (kind, item.get("output")) {
        ("tool_search_output", _) => {
            let mut names = Vec::new();
            for tool in item.get("tools").into_iter().flat_map(Value::items) {
                tools::responses(tool, &mut |offered| {
                    if let Offered::Function { tool, .. } = offered {
                        names.push(tool.name.into_owned());
                    }
                });
            }
            Ok(text(Cow::Owned(format!("Tools that may be called now: {}", names.join(", ")))))
        }
        // A list of what each command gave; a model reads it as it is.
        ("shell_call_output", Some(output)) if output.is_array() => Ok(text(Cow::Borrowed(output.raw()))),
        ("apply_patch_call_output", None) => {
            Ok(text(item.text_of("status").unwrap_or(Cow::Borrowed("completed"))))
        }
        (_, Some(output)) => pieces(output, &format!("{place}.output"), reader),
        (_, None) => Err(WireError::invalid(format!("{place}.output"), "is missing")),
    }
}

fn pieces<'a>(content: Value<'a>, place: &str, reader: Reader<'_>) -> Result<Vec<Piece<'a>>, WireError> {
    if content.is_text() {
        let text = content.text().ok_or_else(|| WireError::invalid(place, "is no valid text"))?;
        let piece = Piece::Text(Text { text, cache: None });
        return Ok(vec![piece]);
    }
    content.items().enumerate().map(|(at, part)| piece(part, &format!("{place}[{at}]"), reader)).collect()
}

fn piece<'a>(part: Value<'a>, place: &str, reader: Reader<'_>) -> Result<Piece<'a>, WireError> {
    let missing = |what: &str| WireError::invalid(format!("{place}.{what}"), "is missing");
    let text = |key: &str| part.text_of(key).ok_or_else(|| missing(key));
    match part.text_of("type").as_deref() {
        Some("input_text" | "output_text" | "text") => {
            Ok(Piece::Text(Text { text: text("text")?, cache: None }))
        }
        Some("refusal") => Ok(Piece::Text(Text { text: text("refusal")?, cache: None })),
        Some("input_image") => {
            let Some(url) = part.text_of("image_url") else {
                return reader.refuse(format!("{place}.file_id"));
            };
            let data = reader.data(Data::of_url(url), false, &format!("{place}.image_url"))?;
            Ok(Piece::Image { data, detail: part.text_of("detail"), cache: None })
        }
        Some("input_file") => {
            let name = part.text_of("filename");
            match (part.text_of("file_data"), part.text_of("file_url")) {
                (Some(data), _) => {
                    let data = reader.data(Data::of_url(data), true, &format!("{place}.file_data"))?;
                    Ok(Piece::File { data, name, cache: None })
                }
                (None, Some(url)) => {
                    let data = reader.data(Data::Url(url), true, &format!("{place}.file_url"))?;
                    Ok(Piece::File { data, name, cache: None })
                }
                (None, None) => reader.refuse(format!("{place}.file_id")),
            }
        }
        _ => reader.refuse(format!("{place}.type")),
    }
}

fn format<'a>(value: Value<'a>, reader: Reader<'_>) -> Result<Format<'a>, WireError> {
    match value.text_of("type").as_deref() {
        Some("text") => Ok(Format::Text),
        Some("json_object") => Ok(Format::Json),
        Some("json_schema") => {
            let schema = value.get("schema");
            Ok(Format::Schema {
                name: value.text_of("name").unwrap_or(Cow::Borrowed("answer")),
                schema: schema.ok_or_else(|| WireError::invalid("text.format.schema", "is missing"))?,
                strict: value.get("strict").and_then(Value::flag),
            })
        }
        _ => reader.refuse("text.format.type"),
    }
}
