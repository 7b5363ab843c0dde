//! A request for messages, written as Bedrock's Converse.
//!
//! Invariant: what Converse has no place for is an error where leaving it out would change what is asked, and noted
//! otherwise.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;

use memchr::memmem;

use crate::wire::WireError;
use crate::wire::error::Result;
use crate::wire::json::{Array, Object, Put, Raw, Value, array, is_json, put, try_body};
use crate::wire::prompt::safe_id;
use crate::wire::tools::{custom_arguments, sent_name};

/// Members that Claude alone takes, beside what Converse knows.
const CLAUDES: [&str; 5] = ["top_k", "thinking", "output_config", "context_management", "speed"];

/// The pictures that Converse takes.
const PICTURES: [&str; 4] = ["png", "jpeg", "gif", "webp"];
/// The documents.
const DOCUMENTS: [&str; 9] = ["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"];

/// Says whether a model of Converse's answers a request in one piece alone, as those do that "don't support tool use in streaming
/// mode". <https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html>
pub fn is_answered_whole(model: &str, body: &[u8]) -> bool {
    model.contains("llama") && memmem::find(body, b"\"toolConfig\":{").is_some()
}

/// Whom a request goes to.
#[derive(Clone, Copy)]
struct To<'n> {
    is_claude: bool,
    /// Whether it takes marks for caches here.
    is_marked: bool,
    /// What is left out within the members.
    notes: &'n RefCell<BTreeSet<String>>,
}

impl To<'_> {
    fn leave_out(self, name: impl Into<String>) {
        self.notes.borrow_mut().insert(name.into());
    }
}

fn is_claude(model: &str) -> bool {
    model.contains("claude") || model.contains("anthropic")
}

/// Says whether a model takes marks for caches. Nova caches what is said, not tools; others refuse any mark.
pub(super) fn is_marked(model: &str) -> bool {
    is_claude(model) || model.contains("nova")
}

/// Writes a request.
pub(super) fn request(
    root: Value<'_>,
    model: &str,
    betas: &[Cow<'_, str>],
    left_out: &mut Vec<String>,
) -> Result<Vec<u8>> {
    let (is_claude, is_marked) = (is_claude(model), is_marked(model));
    let notes = RefCell::default();
    let to = To { is_claude, is_marked, notes: &notes };
    let sent = try_body(root.raw().len() + 256, |o| {
        o.array("messages", |a| messages(a, root, to))?;
        if let Some(system) = root.get("system") {
            o.array("system", |a| blocks(a, system, "system", to, &mut Has::default()))?;
        }
        // "This model doesn't support the stopSequences field."
        let takes_stops = !["gpt-oss", "qwen"].iter().any(|one| model.contains(one));
        let has_stops = Stops(root).list().next().is_some();
        put!(o, "inferenceConfig": {
            "maxTokens"?: root.get("max_tokens"),
            "temperature"?: root.get("temperature"),
            "topP"?: root.get("top_p"),
            "stopSequences"?: has_stops.then_some(Stops(root)).filter(|_| takes_stops),
        });
        if has_stops && !takes_stops {
            left_out.push("stop_sequences".to_owned());
        }
        let choice = root.get("tool_choice");
        let kind = choice.and_then(|choice| choice.text_of("type"));
        if choice.and_then(|choice| choice.get("disable_parallel_tool_use")).and_then(Value::flag)
            == Some(true)
        {
            to.leave_out("tool_choice.disable_parallel_tool_use");
        }
        let tools = || root.list("tools");
        // There is no word for "none"; where calls stand in the conversation, its tools have to be told all the same.
        let is_none = kind.as_deref() == Some("none");
        let is_midway = has_calls(root);
        if is_midway || (!is_none && tools().next().is_some()) {
            if is_none {
                left_out.push("tool_choice".to_owned());
            }
            // Some families can be told to call as they see fit alone.
            let is_forced = !is_marked && kind.as_deref().is_some_and(|kind| matches!(kind, "any" | "tool"));
            if is_forced && ["llama", "deepseek", "cohere"].iter().any(|family| model.contains(family)) {
                return Err(untranslatable("tool_choice"));
            }
            o.object("toolConfig", |o| {
                o.array("tools", |a| {
                    if tools().next().is_none() {
                        called(a, root);
                    }
                    tools().try_for_each(|tool| offer(a, tool, to))
                })?;
                match kind.as_deref() {
                    Some("auto") => put!(o, "toolChoice": { "auto": {} }),
                    Some("any") => put!(o, "toolChoice": { "any": {} }),
                    Some("tool") => {
                        let name = choice.and_then(|choice| choice.text_of("name")).unwrap_or_default();
                        put!(o, "toolChoice": { "tool": { "name": &sent_name(None, &name) } });
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
    })?;
    let notes = notes.into_inner().into_iter().filter(|name| !left_out.contains(name));
    let notes: Vec<String> = notes.collect();
    left_out.extend(notes);
    Ok(sent)
}

/// Says whether calls of tools, or what they gave, stand in the conversation.
fn has_calls(root: Value<'_>) -> bool {
    root.list("messages").any(|message| {
        message
            .list("content")
            .any(|block| matches!(block.text_of("type").as_deref(), Some("tool_use" | "tool_result")))
    })
}

/// Offers the tools that were called in the conversation, where none is offered: they have to be told all the same.
fn called(a: &mut Array<'_>, root: Value<'_>) {
    let mut names = BTreeSet::new();
    for block in root.list("messages").flat_map(|message| message.list("content")) {
        if block.text_of("type").as_deref() == Some("tool_use") {
            names.extend(block.text_of("name"));
        }
    }
    let none = names.is_empty().then_some(Cow::Borrowed("tool"));
    for name in names.into_iter().chain(none) {
        let schema = "{\"type\":\"object\"}";
        a.object(|o| {
            put!(o, "toolSpec": {
                "name": &sent_name(None, &name), "description": "No longer offered: do not call it.", "inputSchema": { "json": Raw(schema) },
            });
        });
    }
}

/// The stop sequences that say something.
struct Stops<'a>(Value<'a>);

impl<'a> Stops<'a> {
    fn list(&self) -> impl Iterator<Item = Cow<'a, str>> {
        self.0.list("stop_sequences").filter_map(Value::text).filter(|stop| !stop.trim().is_empty())
    }
}

impl Put for Stops<'_> {
    fn put(self, out: &mut Vec<u8>) {
        array(out, |a| self.list().for_each(|stop| (&*stop).put(a.item())));
    }
}

/// Writes the conversation. Turns of one side that follow each other are one: Anthropic joins them, Converse refuses them.
fn messages(a: &mut Array<'_>, root: Value<'_>, to: To<'_>) -> Result<()> {
    let all: Vec<Value<'_>> = root.list("messages").collect();
    // The user has the first word.
    if all.first().is_some_and(|first| role(first) == "assistant") {
        a.object(|o| put!(o, "role": "user", "content": [|a| a.object(|o| put!(o, "text": "..."))]));
    }
    let mut at = 0;
    for turns in all.chunk_by(|one, other| role(one) == role(other)) {
        a.object(|o| {
            put!(o, "role": turns.first().map(role).unwrap_or_default());
            o.array("content", |a| turn(a, turns, at, to))
        })?;
        at += turns.len();
    }
    Ok(())
}

fn role<'a>(message: &Value<'a>) -> Cow<'a, str> {
    message.text_of("role").unwrap_or_default()
}

/// Writes what one side says; `first` is its place in the request.
fn turn(a: &mut Array<'_>, turns: &[Value<'_>], first: usize, to: To<'_>) -> Result<()> {
    let mut has = Has::default();
    for (nth, message) in turns.iter().enumerate() {
        let content = message.get("content").unwrap_or(Value::of("\"\""));
        blocks(a, content, &format!("messages[{}].content", first + nth), to, &mut has)?;
    }
    if has.document && !has.text {
        // Documents are taken beside a text alone.
        a.object(|o| put!(o, "text": "The document is attached."));
    } else if !has.any {
        a.object(|o| put!(o, "text": "..."));
    }
    Ok(())
}

/// What a content has.
#[derive(Default)]
struct Has {
    text: bool,
    document: bool,
    any: bool,
}

/// Writes content: a text, or a list of blocks. A text of nothing is refused there.
fn blocks(a: &mut Array<'_>, content: Value<'_>, place: &str, to: To<'_>, has: &mut Has) -> Result<()> {
    if let Some(text) = content.text().filter(|text| !text.trim().is_empty()) {
        a.object(|o| put!(o, "text": &text));
        (has.text, has.any) = (true, true);
    }
    for (at, block) in content.items().enumerate() {
        let kind = block.text_of("type").unwrap_or_default();
        let is_blank = kind == "text" && block.text_of("text").is_none_or(|text| text.trim().is_empty());
        if !to.is_claude && matches!(&*kind, "thinking" | "redacted_thinking") {
            // "User messages cannot contain reasoning content."
            to.leave_out(format!("messages ({kind})"));
        } else if !is_blank {
            write(a, block, &format!("{place}[{at}]"), to)?;
            has.any = true;
            has.text |= kind == "text";
            has.document |= kind == "document";
        }
        point(a, block, to);
    }
    Ok(())
}

/// Writes where the provider is to keep the prompt so far.
fn point(a: &mut Array<'_>, block: Value<'_>, to: To<'_>) {
    if let Some(control) = block.get("cache_control").filter(|control| control.is_object()) {
        if !to.is_marked {
            return to.leave_out("cache_control");
        }
        let ttl = control.text_of("ttl");
        a.object(|o| put!(o, "cachePoint": { "type": "default", "ttl"?: ttl }));
    }
}

fn write(a: &mut Array<'_>, block: Value<'_>, place: &str, to: To<'_>) -> Result<()> {
    let text = |name| block.text_of(name).unwrap_or_default();
    let id = |name| made_id(&text(name)).into_owned();
    match &*text("type") {
        "text" => a.object(|o| put!(o, "text": text("text"))),
        kind @ ("image" | "document") => {
            let (format, bytes) = source(block, place)?;
            let known = if kind == "image" { &PICTURES[..] } else { &DOCUMENTS[..] };
            if !known.contains(&&*format) {
                return Err(untranslatable(&format!("{place}.source.media_type")));
            }
            a.object(|o| {
                o.object(kind, |o| {
                    put!(o, "format": format);
                    if kind == "document" {
                        put!(o, "name": &document_name(place));
                    }
                    put!(o, "source": { "bytes": &bytes });
                    if kind == "document" {
                        besides(o, block, to);
                    }
                });
            });
        }
        "tool_use" => a.object(|o| {
            let input = block.get("input").map(Value::told).unwrap_or_default();
            let input = match input.trim() {
                "" | "null" => Cow::Borrowed("{}"),
                object if object.starts_with('{') && is_json(object) => Cow::Borrowed(object),
                other => {
                    to.leave_out(format!("{place}.input"));
                    Cow::Owned(custom_arguments(other))
                }
            };
            put!(o, "toolUse": {
                "toolUseId": &id("id"), "name": &sent_name(None, &text("name")), "input": Raw(&input),
            });
        }),
        "tool_result" => {
            let content = block.get("content").unwrap_or(Value::of("\"\""));
            let is_error = block.get("is_error").and_then(Value::flag) == Some(true);
            a.object(|o| {
                o.object("toolResult", |o| {
                    put!(o, "toolUseId": &id("tool_use_id"));
                    let mut has = Has::default();
                    let written = o.array("content", |a| {
                        blocks(a, content, &format!("{place}.content"), To { is_marked: false, ..to }, &mut has)?;
                        if !has.any {
                            a.object(|o| put!(o, "text": "(no output)"));
                        }
                        Ok(())
                    });
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

/// Writes what is said of a document: only Claude cites.
fn besides(o: &mut Object<'_>, block: Value<'_>, to: To<'_>) {
    let cites =
        block.get("citations").and_then(|said| said.get("enabled")).and_then(Value::flag) == Some(true);
    let context = block.text_of("context");
    if to.is_claude {
        put!(o, "context"?: &context);
        if cites {
            put!(o, "citations": { "enabled": true });
        }
    }
    let title = block.text_of("title").is_some_and(|title| !title.is_empty());
    let (has_context, cites) = (context.is_some() && !to.is_claude, cites && !to.is_claude);
    for (name, is_left_out) in [("title", title), ("context", has_context), ("citations", cites)] {
        if is_left_out {
            to.leave_out(format!("messages.{name}"));
        }
    }
}

/// Returns the id of a call as Converse takes it: letters, digits, `_` and `-`, 64 at most.
fn made_id(id: &str) -> Cow<'_, str> {
    if id.len() > 64 { Cow::Owned(sent_name(None, id)) } else { safe_id(id) }
}

fn untranslatable(place: &str) -> WireError {
    WireError::invalid(
        place,
        "Bedrock's Converse has no place for it; leave it out, or ask for a model elsewhere",
    )
}

/// Names a document by its place in the conversation: no two may have one name, and a later turn changes none.
fn document_name(place: &str) -> String {
    let numbers = place.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty());
    let numbers: Vec<String> = numbers
        .map(|number| number.parse::<u64>().map_or(0, |at| at.saturating_add(1)).to_string())
        .collect();
    format!("document {}", numbers.join("-"))
}

/// Returns the format and the bytes of a picture or a document; addresses are not fetched.
fn source<'a>(block: Value<'a>, place: &str) -> Result<(Cow<'static, str>, Cow<'a, str>)> {
    use base64::Engine as _;
    let source = block.get("source").ok_or_else(|| WireError::missing(place, "source"))?;
    let data = source.text_of("data").unwrap_or_default();
    match source.text_of("type").as_deref() {
        Some("base64") => {
            let media = source.text_of("media_type").unwrap_or_default().to_ascii_lowercase();
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
fn offer(a: &mut Array<'_>, tool: Value<'_>, to: To<'_>) -> Result<()> {
    let kind = tool.text_of("type").filter(|kind| kind != "custom");
    let name = tool.text_of("name").unwrap_or_default();
    if let Some(kind) = kind {
        return Err(untranslatable(&format!("tools: {kind}")));
    }
    let schema = tool.get("input_schema").map_or("{\"type\":\"object\"}", Value::raw);
    a.object(|o| {
        put!(o, "toolSpec": {
            "name": &sent_name(None, &name),
            "description"?: tool.text_of("description").filter(|said| !said.is_empty()),
            "inputSchema": { "json": Raw(schema) },
        });
    });
    if tool.get("strict").and_then(Value::flag) == Some(true) {
        to.leave_out("tools.strict");
    }
    point(a, tool, To { is_marked: to.is_claude, ..to });
    Ok(())
}
