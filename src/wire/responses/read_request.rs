//! A request for OpenAI's responses, read for a provider of another dialect.
//!
//! Only what a request says in full can be carried: an earlier response, a stored conversation or a stored prompt lies
//! with OpenAI, and tools that OpenAI runs cannot be run elsewhere.

use std::borrow::Cow;

use crate::wire::WireError;
use crate::wire::chat::read_request::word;
use crate::wire::error::Result;
use crate::wire::json::Value;
use crate::wire::prompt::{Data, Piece, Prompt, Reader, Text, Tool, ToolChoice, read_pieces, told_arguments};
use crate::wire::table;
use crate::wire::tools::{self, Offered};

/// Reads a request.
pub(in crate::wire) fn read<'a>(root: Value<'a>, reader: Reader<'_>) -> Result<Prompt<'a>> {
    let mut prompt = Prompt::default();
    prompt.system.extend(root.text_of("instructions").map(|text| Text { text, cache: None }));
    for (key, value) in root.members() {
        if matches!(&*key, "reasoning" | "text") {
            for (inner, value) in value.members() {
                match reader.takes(&format!("{key}.{inner}"), value)?.map(|row| row.field) {
                    Some("reasoning.summary" | "reasoning.generate_summary") => prompt.wants_thoughts = true,
                    Some(place @ "text.format") => {
                        prompt.format = reader.format(value, (Some(value), place), place)?;
                    }
                    Some("text.verbosity") => prompt.set("verbosity", value),
                    Some(field @ "reasoning.effort") => prompt.take(field, value, reader),
                    _ => {}
                }
            }
            continue;
        }
        let Some(row) = reader.takes(&key, value)? else { continue };
        match &*key {
            "instructions" | "tool_choice" => {}
            "input" if value.is_text() => prompt.say(true, pieces(value, "input", reader)?),
            "input" => {
                for (at, item) in value.items().enumerate() {
                    read_item(item, &format!("input[{at}]"), reader, &mut prompt)?;
                }
            }
            // Logprobs may be added to the answer; all else is left out.
            "include" => {
                for wanted in value.items().filter_map(Value::text) {
                    match &*wanted {
                        "message.output_text.logprobs" => prompt.set("logprobs", Value::of("true")),
                        _ => reader.leave_out("include"),
                    }
                }
            }
            "top_logprobs" => {
                prompt.set("logprobs", Value::of("true"));
                prompt.set("top_logprobs", value);
            }
            "tools" => {
                for (at, tool) in value.items().enumerate() {
                    offer(tool, &format!("tools[{at}]"), reader, &mut prompt)?;
                }
            }
            _ => prompt.take(row.field, value, reader),
        }
    }
    if let Some(value) = root.get("tool_choice") {
        prompt.choice = Some(choice(value, &mut prompt, reader)?);
    }
    reader.finish(prompt, root.list("input").count())
}

fn offer<'a>(tool: Value<'a>, place: &str, reader: Reader<'_>, prompt: &mut Prompt<'a>) -> Result<()> {
    let mut outcome = Ok(());
    tools::responses(tool, &mut |offered| match offered {
        Offered::Function { tool, .. } => {
            let says = |tool: &Tool<'_>| tool.parameters.map(|schema| schema.raw().to_owned());
            let known = prompt.offered.get(&*tool.name).and_then(|at| prompt.tools.get(*at));
            match known {
                None => {
                    prompt.offered.insert(tool.name.clone().into_owned(), prompt.tools.len());
                    prompt.tools.push(tool);
                }
                // A search may find what was offered already.
                Some(known) if known.description == tool.description && says(known) == says(&tool) => {}
                Some(_) => reader.leave_out(&format!("tools ({} twice)", tool.name)),
            }
        }
        Offered::Nowhere { kind } => reader.leave_out(&format!("tools ({kind})")),
        Offered::Incomplete { what } => outcome = Err(WireError::missing(place, what)),
    });
    outcome
}

fn choice<'a>(value: Value<'a>, prompt: &mut Prompt<'a>, reader: Reader<'_>) -> Result<ToolChoice<'a>> {
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
        let names: Vec<String> = value.list("tools").filter_map(sent).collect();
        return reader.allow(prompt, value.text_of("mode").as_deref(), &names);
    }
    match sent(value) {
        Some(name) => Ok(ToolChoice::Named(name.into())),
        // A tool that is left out cannot be forced.
        None => Err(WireError::Forced { to: reader.to }),
    }
}

fn read_item<'a>(item: Value<'a>, place: &str, reader: Reader<'_>, prompt: &mut Prompt<'a>) -> Result<()> {
    let missing = |what: &str| WireError::missing(place, what);
    let kind = item.text_of("type").unwrap_or(Cow::Borrowed("message"));
    if reader.wants_thoughts() && is_our_reasoning(item) {
        let told: Vec<_> = item.list("summary").filter_map(|part| part.text_of("text")).collect();
        prompt.say(false, vec![Piece::Thought(told.join("\n\n").into())]);
        return Ok(());
    }
    if reader.leaves_out(table::kinds(reader.from).1, &kind, place)? {
        return Ok(());
    }
    // The output of a shell has its id in `id` where it has no other.
    let call_id = || item.text_of("call_id").or_else(|| item.text_of("id")).ok_or_else(|| missing("call_id"));
    match &*kind {
        "message" => {
            let content = item.get("content").ok_or_else(|| missing("content"))?;
            let at_content = format!("{place}.content");
            let parts = pieces(content, &at_content, reader)?;
            match item.text_of("role").as_deref() {
                Some("user") => prompt.say(true, parts),
                Some("assistant") => prompt.say(false, parts),
                Some("system" | "developer") => prompt.say_system(parts, &at_content, reader)?,
                _ => {
                    let what = "has to be user, assistant, system or developer";
                    return Err(WireError::invalid(format!("{place}.role"), what));
                }
            }
        }
        "function_call" => {
            let name = item.need("name", place)?;
            let name = match item.text_of("namespace") {
                Some(namespace) => tools::sent_name(Some(&namespace), &name).into(),
                None => name,
            };
            let arguments = told_arguments(item);
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
            prompt.say(true, vec![Piece::result(call, parts)]);
        }
        "additional_tools" => brought(item, place, reader, prompt)?,
        "mcp_call" => {
            let say = |label: &str, key: &str| {
                item.text_of(key).map(|text| format!("{label}{text}")).unwrap_or_default()
            };
            let text = say("I called ", "name") + &say(" with ", "arguments") + &say(" and got: ", "output");
            prompt.say(false, vec![Piece::text(text, None)]);
        }
        _ => return reader.refuse(format!("{place}.type")),
    }
    Ok(())
}

/// Says whether an item is thoughts that a response of ours told: their ids are made from that of the response.
pub(in crate::wire) fn is_our_reasoning(item: Value<'_>) -> bool {
    item.text_of("type").as_deref() == Some("reasoning")
        && item.text_of("id").is_some_and(|id| id.starts_with("rs_") && id.contains("_resp_"))
}

/// Offers the tools that an item brings.
fn brought<'a>(item: Value<'a>, place: &str, reader: Reader<'_>, prompt: &mut Prompt<'a>) -> Result<()> {
    let brought = item.get("tools").filter(|_| tools::brings_tools(item));
    for (at, tool) in brought.into_iter().flat_map(Value::items).enumerate() {
        offer(tool, &format!("{place}.tools[{at}]"), reader, prompt)?;
    }
    Ok(())
}

/// Reads what a tool gave back.
fn output<'a>(item: Value<'a>, kind: &str, place: &str, reader: Reader<'_>) -> Result<Vec<Piece<'a>>> {
    let text = |text: Cow<'a, str>| vec![Piece::text(text, None)];
    match (kind, item.get("output")) {
        ("tool_search_output", _) => {
            let mut names = Vec::new();
            for tool in item.list("tools") {
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
        (_, None) => Err(WireError::missing(place, "output")),
    }
}

fn pieces<'a>(content: Value<'a>, place: &str, reader: Reader<'_>) -> Result<Vec<Piece<'a>>> {
    read_pieces(content, place, |part, place| piece(part, place, reader).map(Some))
}

fn piece<'a>(part: Value<'a>, place: &str, reader: Reader<'_>) -> Result<Piece<'a>> {
    let file = |data: Data<'a>, key: &str| {
        reader.file(data, part.text_of("filename"), None, &format!("{place}.{key}"))
    };
    match part.text_of("type").as_deref() {
        Some("input_text" | "output_text" | "text") => {
            if part.list("annotations").next().is_some() {
                reader.leave_out("input.annotations");
            }
            Ok(Piece::text(part.need("text", place)?, None))
        }
        Some("refusal") => Ok(Piece::text(part.need("refusal", place)?, None)),
        Some("input_image") => {
            let Some(url) = part.text_of("image_url") else {
                return reader.refuse(format!("{place}.file_id"));
            };
            let data = reader.data(Data::of_url(url), false, &format!("{place}.image_url"))?;
            Ok(Piece::Image { data, detail: part.text_of("detail"), cache: None })
        }
        Some("input_file") => match (part.text_of("file_data"), part.text_of("file_url")) {
            (Some(data), _) => file(Data::of_file(data), "file_data"),
            (None, Some(url)) => file(Data::Url(url), "file_url"),
            (None, None) => reader.refuse(format!("{place}.file_id")),
        },
        _ => reader.refuse(format!("{place}.type")),
    }
}
