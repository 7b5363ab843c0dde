//! A request for OpenAI's responses, read for a provider of another dialect.
//!
//! Only what a request says in full can be carried: an earlier response, a stored conversation or a stored prompt lies
//! with OpenAI, and tools that OpenAI runs cannot be run elsewhere.

use std::borrow::Cow;

use crate::wire::WireError;
use crate::wire::chat::read_request::word;
use crate::wire::effort::Effort;
use crate::wire::json::Value;
use crate::wire::prompt::{Data, Format, Piece, Prompt, Reader, Text, Tool, ToolChoice, ToolResult, is_zero};
use crate::wire::reply::Call;

/// Members that may be left out: bookkeeping, storage and hints of OpenAI's, and extras to be added to the answer.
const LEFT_OUT: [&str; 11] = [
    "include",
    "max_tool_calls",
    "metadata",
    "model",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "stream_options",
    "truncation",
];

/// Reads a request.
pub(in crate::wire) fn read(root: Value<'_>, reader: Reader) -> Result<Prompt<'_>, WireError> {
    let mut prompt = Prompt::default();
    if let Some(text) = root.text_of("instructions") {
        prompt.system.push(Text { text, cache: None });
    }
    for (key, value) in root.members() {
        if value.is_null() || LEFT_OUT.contains(&&*key) {
            continue;
        }
        match &*key {
            "instructions" => {}
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
            "temperature" => prompt.temperature = Some(value),
            "top_p" => prompt.top_p = Some(value),
            "user" => prompt.user = value.text(),
            "reasoning" => prompt.effort = value.text_of("effort").and_then(|word| Effort::from_name(&word)),
            "text" => {
                if let Some(said) = value.get("format") {
                    prompt.format = format(said, reader)?;
                }
            }
            "tools" => {
                for (at, tool) in value.items().enumerate() {
                    prompt.tools.push(read_tool(tool, at, reader)?);
                }
            }
            "tool_choice" => {
                let is_function = value.text_of("type").as_deref() == Some("function");
                prompt.choice = Some(match value.text_of("name").filter(|_| is_function) {
                    Some(name) => ToolChoice::Named(name),
                    None => word(value.text().as_deref(), reader)?,
                });
            }
            "parallel_tool_calls" => prompt.parallel = value.flag(),
            // Said, but saying what holds anyway.
            "background" if value.flag() == Some(false) => {}
            "top_logprobs" if is_zero(value) => {}
            key => return reader.refuse(key),
        }
    }
    Ok(prompt)
}

fn read_item<'a>(
    item: Value<'a>,
    place: &str,
    reader: Reader,
    prompt: &mut Prompt<'a>,
) -> Result<(), WireError> {
    let missing = |what: &str| WireError::invalid(format!("{place}.{what}"), "is missing");
    match item.text_of("type").as_deref() {
        None | Some("message") => {
            let content = item.get("content").ok_or_else(|| missing("content"))?;
            let parts = pieces(content, &format!("{place}.content"), reader)?;
            match item.text_of("role").as_deref() {
                Some("user") => prompt.say(true, parts),
                Some("assistant") => prompt.say(false, parts),
                Some("system" | "developer") => {
                    for piece in parts {
                        match piece {
                            Piece::Text(text) => prompt.system.push(text),
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
        Some("function_call") => {
            let call = Call {
                id: item.text_of("call_id").ok_or_else(|| missing("call_id"))?,
                name: item.text_of("name").ok_or_else(|| missing("name"))?,
                arguments: item.text_of("arguments").unwrap_or_default(),
            };
            prompt.say(false, vec![Piece::Call { call, cache: None }]);
        }
        Some("function_call_output") => {
            let output = item.get("output").ok_or_else(|| missing("output"))?;
            let result = ToolResult {
                call: item.text_of("call_id").ok_or_else(|| missing("call_id"))?,
                parts: pieces(output, &format!("{place}.output"), reader)?,
                is_error: false,
                cache: None,
            };
            prompt.say(true, vec![Piece::Result(Box::new(result))]);
        }
        // Only the model that had a thought can read it.
        Some("reasoning") => {}
        _ => return reader.refuse(format!("{place}.type")),
    }
    Ok(())
}

fn pieces<'a>(content: Value<'a>, place: &str, reader: Reader) -> Result<Vec<Piece<'a>>, WireError> {
    if content.is_text() {
        let text = content.text().ok_or_else(|| WireError::invalid(place, "is no valid text"))?;
        let piece = Piece::Text(Text { text, cache: None });
        return Ok(vec![piece]);
    }
    content.items().enumerate().map(|(at, part)| piece(part, &format!("{place}[{at}]"), reader)).collect()
}

fn piece<'a>(part: Value<'a>, place: &str, reader: Reader) -> Result<Piece<'a>, WireError> {
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
            Ok(Piece::Image { data: Data::of_url(url), detail: part.text_of("detail"), cache: None })
        }
        Some("input_file") => {
            let name = part.text_of("filename");
            match (part.text_of("file_data"), part.text_of("file_url")) {
                (Some(data), _) => Ok(Piece::File { data: Data::of_url(data), name, cache: None }),
                (None, Some(url)) => Ok(Piece::File { data: Data::Url(url), name, cache: None }),
                (None, None) => reader.refuse(format!("{place}.file_id")),
            }
        }
        _ => reader.refuse(format!("{place}.type")),
    }
}

fn read_tool(tool: Value<'_>, at: usize, reader: Reader) -> Result<Tool<'_>, WireError> {
    if tool.text_of("type").as_deref() != Some("function") {
        return reader.refuse(format!("tools[{at}].type"));
    }
    let name = tool.text_of("name");
    Ok(Tool {
        name: name.ok_or_else(|| WireError::invalid(format!("tools[{at}].name"), "is missing"))?,
        description: tool.text_of("description"),
        parameters: tool.get("parameters"),
        strict: tool.get("strict").and_then(Value::flag),
        cache: None,
    })
}

fn format(value: Value<'_>, reader: Reader) -> Result<Format<'_>, WireError> {
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
