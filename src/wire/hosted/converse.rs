//! A request for messages, written as Bedrock's Converse.
//!
//! Invariant: what Converse has no place for is an error where leaving it out would change what is asked, and noted
//! otherwise.

use std::borrow::Cow;

use crate::wire::WireError;
use crate::wire::error::Result;
use crate::wire::json::{Array, Object, Raw, Value, put, try_body};

/// Members that Claude alone takes, beside what Converse knows.
const CLAUDES: [&str; 5] = ["top_k", "thinking", "output_config", "context_management", "speed"];

/// Writes a request.
pub(super) fn request(
    root: Value<'_>,
    model: &str,
    betas: &[Cow<'_, str>],
    left_out: &mut Vec<String>,
) -> Result<Vec<u8>> {
    let is_claude = model.contains("claude") || model.contains("anthropic");
    try_body(root.raw().len() + 256, |o| members(o, root, is_claude, betas, left_out))
}

fn members(
    o: &mut Object<'_>,
    root: Value<'_>,
    is_claude: bool,
    betas: &[Cow<'_, str>],
    left_out: &mut Vec<String>,
) -> Result<()> {
    o.array("messages", |a| messages(a, root))?;
    if let Some(system) = root.get("system").filter(|system| !system.is_null()) {
        o.array("system", |a| blocks(a, system, "system"))?;
    }
    let number = |name| root.get(name).filter(|value: &Value<'_>| !value.is_null());
    put!(o, "inferenceConfig": {
        "maxTokens"?: number("max_tokens"),
        "temperature"?: number("temperature"),
        "topP"?: number("top_p"),
        "stopSequences"?: number("stop_sequences").filter(|list| list.items().next().is_some()),
    });
    let choice = root.get("tool_choice");
    let kind = choice.and_then(|choice| choice.text_of("type"));
    let tools = || root.list("tools");
    // There is no word for "none"; where calls stand in the conversation, its tools have to be told all the same.
    let is_none = kind.as_deref() == Some("none");
    if (!is_none || has_calls(root)) && tools().next().is_some() {
        if is_none {
            left_out.push("tool_choice".to_owned());
        }
        o.object("toolConfig", |o| {
            o.array("tools", |a| tools().try_for_each(|tool| offer(a, tool)))?;
            match kind.as_deref() {
                Some("auto") => put!(o, "toolChoice": { "auto": {} }),
                Some("any") => put!(o, "toolChoice": { "any": {} }),
                Some("tool") => {
                    let name = choice.and_then(|choice| choice.text_of("name")).unwrap_or_default();
                    put!(o, "toolChoice": { "tool": { "name": name } });
                }
                _ => {}
            }
            Ok::<_, WireError>(())
        })?;
    }
    let own = || root.members().filter(|(key, value)| CLAUDES.contains(&&**key) && !value.is_null());
    if is_claude && (own().next().is_some() || !betas.is_empty()) {
        o.object("additionalModelRequestFields", |o| {
            if !betas.is_empty() {
                put!(o, "anthropic_beta": [for beta in betas => beta]);
            }
            own().for_each(|(key, value)| o.put(&key, value));
        });
    }
    let known = |key: &str| {
        matches!(
            key,
            "model"
                | "stream"
                | "messages"
                | "system"
                | "max_tokens"
                | "temperature"
                | "top_p"
                | "tools"
                | "stop_sequences"
                | "tool_choice"
                | "anthropic_beta"
                | "anthropic_version"
        ) || (is_claude && CLAUDES.contains(&key))
    };
    let rest = root.members().filter(|(key, value)| !known(key) && !value.is_null());
    left_out.extend(rest.map(|(key, _)| key.into_owned()));
    Ok(())
}

/// Says whether calls of tools, or what they gave, stand in the conversation.
fn has_calls(root: Value<'_>) -> bool {
    root.list("messages").any(|message| {
        message
            .list("content")
            .any(|block| matches!(block.text_of("type").as_deref(), Some("tool_use" | "tool_result")))
    })
}

fn messages(a: &mut Array<'_>, root: Value<'_>) -> Result<()> {
    for (at, message) in root.list("messages").enumerate() {
        a.object(|o| {
            put!(o, "role": message.text_of("role").unwrap_or_default());
            let content = message.get("content").unwrap_or(Value::of("\"\""));
            o.array("content", |a| blocks(a, content, &format!("messages[{at}].content")))
        })?;
    }
    Ok(())
}

/// Writes content: a text, or a list of blocks.
fn blocks(a: &mut Array<'_>, content: Value<'_>, place: &str) -> Result<()> {
    if let Some(text) = content.text() {
        if !text.is_empty() {
            a.object(|o| put!(o, "text": &text));
        }
        return Ok(());
    }
    for (at, block) in content.items().enumerate() {
        write(a, block, at, &format!("{place}[{at}]"))?;
        point(a, block);
    }
    Ok(())
}

/// Writes where the provider is to keep the prompt so far.
fn point(a: &mut Array<'_>, block: Value<'_>) {
    if let Some(control) = block.get("cache_control").filter(|control| control.is_object()) {
        let ttl = control.text_of("ttl");
        a.object(|o| put!(o, "cachePoint": { "type": "default", "ttl"?: ttl }));
    }
}

fn write(a: &mut Array<'_>, block: Value<'_>, at: usize, place: &str) -> Result<()> {
    let text = |name| block.text_of(name).unwrap_or_default();
    match &*text("type") {
        // A block of nothing is refused there.
        "text" if text("text").is_empty() => {}
        "text" => a.object(|o| put!(o, "text": text("text"))),
        kind @ ("image" | "document") => {
            let (format, bytes) = source(block, place)?;
            a.object(|o| {
                o.object(kind, |o| {
                    put!(o, "format": format);
                    if kind == "document" {
                        put!(o, "name": &format!("document {}", at + 1));
                    }
                    put!(o, "source": { "bytes": &bytes });
                });
            });
        }
        "tool_use" => a.object(|o| {
            let input = block.get("input").filter(|input| input.is_object());
            let input = input.unwrap_or(Value::of("{}"));
            put!(o, "toolUse": { "toolUseId": text("id"), "name": text("name"), "input": input });
        }),
        "tool_result" => {
            let content = block.get("content").filter(|content| !content.is_null());
            // A result says something.
            let content = content.unwrap_or(Value::of("\" \""));
            let is_error = block.get("is_error").and_then(Value::flag) == Some(true);
            a.object(|o| {
                o.object("toolResult", |o| {
                    put!(o, "toolUseId": text("tool_use_id"));
                    let written = o.array("content", |a| blocks(a, content, &format!("{place}.content")));
                    put!(o, "status"?: is_error.then_some("error"));
                    written
                })
            })?;
        }
        "thinking" => a.object(|o| {
            let signature = block.text_of("signature").filter(|signature| !signature.is_empty());
            put!(o, "reasoningContent": { "reasoningText": { "text": text("thinking"), "signature"?: signature } });
        }),
        "redacted_thinking" => {
            a.object(|o| put!(o, "reasoningContent": { "redactedContent": text("data") }));
        }
        _ => return Err(untranslatable(place)),
    }
    Ok(())
}

fn untranslatable(place: &str) -> WireError {
    WireError::invalid(
        place,
        "Bedrock's Converse has no place for it; leave it out, or ask for a model elsewhere",
    )
}

/// Returns the format and the bytes of a picture or a document; addresses are not fetched.
fn source<'a>(block: Value<'a>, place: &str) -> Result<(Cow<'static, str>, Cow<'a, str>)> {
    use base64::Engine as _;
    let source = block.get("source").ok_or_else(|| WireError::missing(place, "source"))?;
    let data = source.text_of("data").unwrap_or_default();
    match source.text_of("type").as_deref() {
        Some("base64") => {
            let media = source.text_of("media_type").unwrap_or_default();
            let format = match media.rsplit_once('/').map_or("", |(_, format)| format) {
                "jpg" => "jpeg",
                "plain" => "txt",
                "markdown" => "md",
                format => format,
            };
            Ok((Cow::Owned(format.to_owned()), data))
        }
        Some("text") => {
            let bytes = base64::engine::general_purpose::STANDARD.encode(data.as_bytes());
            Ok((Cow::Borrowed("txt"), Cow::Owned(bytes)))
        }
        _ => Err(untranslatable(&format!("{place}.source"))),
    }
}

/// Writes a tool that is offered.
fn offer(a: &mut Array<'_>, tool: Value<'_>) -> Result<()> {
    let kind = tool.text_of("type").filter(|kind| kind != "custom");
    let name = tool.text_of("name").unwrap_or_default();
    if let Some(kind) = kind {
        return Err(untranslatable(&format!("tools: {kind}")));
    }
    let schema = tool.get("input_schema").map_or("{\"type\":\"object\"}", Value::raw);
    a.object(|o| {
        put!(o, "toolSpec": {
            "name": name,
            "description"?: tool.text_of("description").filter(|said| !said.is_empty()),
            "inputSchema": { "json": Raw(schema) },
        });
    });
    point(a, tool);
    Ok(())
}
