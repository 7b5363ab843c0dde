//! Chat as Mistral speaks it: the same words, but strict. Mistral refuses a request that holds a member it does not know,
//! and ids of calls that are not nine letters or digits.
//!
//! So a chat request is put together anew: values stay as they were written; members whose absence changes nothing are
//! left out, two have another name, ids become a digest of themselves, and what Mistral has no place for is left out and told.

use std::borrow::Cow;

use crate::units::Sha256;
use crate::wire::error::Result;
use crate::wire::json::{Array, Object, Value, put, try_body, written};
use crate::wire::prompt::{Reader, reminder, told_arguments};
use crate::wire::reply::content_text;
use crate::wire::tools::{self, Offered};
use crate::wire::{Ask, WireError};

/// How the address of a document begins that is in it.
const PDF: &str = "data:application/pdf;base64,";

/// Returns the members of a message that are read: what Mistral knows of who says it, and what becomes that.
fn read(message: Value<'_>) -> &'static [&'static str] {
    match message.text_of("role").as_deref() {
        Some("tool") => &["role", "content", "cache_control", "name", "tool_call_id"],
        Some("assistant") => &["role", "content", "cache_control", "prefix", "tool_calls", "refusal"],
        _ => &["role", "content", "cache_control"],
    }
}

/// Writes a client's chat request for Mistral; the table says what of it Mistral takes.
pub(in crate::wire) fn write(ask: &Ask, reader: Reader<'_>) -> Result<Vec<u8>> {
    let root = ask.root();
    let allowed = root.get("tool_choice").and_then(|choice| choice.get("allowed_tools"));
    let tools = || root.list("tools");
    let is_none_allowed = allowed.is_some_and(|allowed| !tools().any(|tool| is_allowed(tool, allowed)));
    let is_forced = || allowed?.text_of("mode").filter(|mode| mode == "required");
    if is_none_allowed && is_forced().is_some() {
        return Err(WireError::Forced { to: reader.to });
    }
    let said = root.get("messages");
    let speaker = Speaker {
        is_alone: said.into_iter().flat_map(Value::items).all(is_system),
        begins: said.into_iter().flat_map(Value::items).take_while(|said| is_system(*said)).count(),
        last: said.map_or(0, |said| said.items().count()).saturating_sub(1),
    };
    let refused = reader.sending.known.changes(reader.to, &|name| root.get(name));
    try_body(root.raw().len() + 64, |o| {
        put!(o, "model": reader.upstream);
        for (key, value) in root.members() {
            let Some(row) = reader.takes(&key, value)? else { continue };
            if refused.iter().any(|change| change.member == row.field && change.instead.is_none()) {
                reader.leave_out(row.field);
                continue;
            }
            match row.field {
                "model" | "max_tokens" | "max_completion_tokens" => {}
                "messages" => o.array("messages", |a| {
                    let mut is_after = false;
                    for (at, said) in value.items().enumerate() {
                        reader.others(said, read(said), "messages");
                        let role = said.text_of("role");
                        // No word of the user's is taken right after what tools gave back.
                        if is_after && !matches!(role.as_deref(), Some("tool" | "assistant")) {
                            a.object(|o| put!(o, "role": "assistant", "content": "..."));
                        }
                        is_after = role.as_deref() == Some("tool");
                        a.object(|o| message(o, said, at, speaker));
                    }
                }),
                "tools" | "tool_choice" if is_none_allowed => {}
                "tools" => o.array("tools", |a| {
                    let tools =
                        value.items().filter(|tool| allowed.is_none_or(|allowed| is_allowed(*tool, allowed)));
                    tools.for_each(|tool| write_tool(a, tool, reader));
                }),
                "tool_choice" if allowed.is_some() => {
                    let mode = allowed.and_then(|allowed| allowed.text_of("mode"));
                    put!(o, "tool_choice": if mode.as_deref() == Some("required") { "any" } else { "auto" });
                }
                "seed" => put!(o, "random_seed": value),
                field => o.put(field, value),
            }
        }
        put!(o, "max_tokens"?: reader.sending.limit(ask.measures().max_output));
        Ok(())
    })
}

/// Who speaks in a conversation.
#[derive(Clone, Copy)]
struct Speaker {
    /// Whether nobody but the system does.
    is_alone: bool,
    /// The place at which others than the system begin to.
    begins: usize,
    /// The place of the last message.
    last: usize,
}

fn is_system(message: Value<'_>) -> bool {
    matches!(message.text_of("role").as_deref(), Some("system" | "developer"))
}

fn is_allowed(tool: Value<'_>, allowed: Value<'_>) -> bool {
    let wanted = tools::name_of_chat(tool);
    wanted.is_some() && allowed.list("tools").any(|tool| tools::name_of_chat(tool) == wanted)
}

/// Writes a tool; one that is no function becomes one.
fn write_tool(a: &mut Array<'_>, tool: Value<'_>, reader: Reader<'_>) {
    match tools::custom_of_chat(tool) {
        None if tool.text_of("type").is_none_or(|kind| kind == "function") => {
            let lacks = |function: &Value<'_>| function.get("parameters").is_none();
            let Some(function) = tool.get("function").filter(lacks) else { return a.put(tool) };
            a.object(|o| {
                put!(o, "type": "function", "function": |o| {
                    o.copy(function, |key| key != "parameters");
                    put!(o, "parameters": { "type": "object", "properties": {} });
                });
            });
        }
        Some(Offered::Function { tool, .. }) => a.object(|o| {
            let parameters = tool.parameters.unwrap_or(Value::of("{}"));
            put!(o, "type": "function", "function": {
                "name": &tool.name, "description"?: &tool.description, "parameters": parameters,
            });
        }),
        _ => {
            let kind = tool.text_of("type").unwrap_or_default();
            reader.leave_out(&format!("tools ({kind})"));
        }
    }
}

fn message(o: &mut Object<'_>, message: Value<'_>, at: usize, speaker: Speaker) {
    if at >= speaker.begins && is_system(message) {
        // Nobody but the user and its tools may speak after the assistant.
        let said = message.get("content").map(|content| content_text(content).unwrap_or_default());
        return put!(o, "role": "user", "content": &reminder(&said.unwrap_or_default()));
    }
    let is_prefix = at == speaker.last && message.text_of("role").as_deref() == Some("assistant");
    let is_bare = is_prefix && message.get("prefix").is_none() && message.get("tool_calls").is_none();
    put!(o, "prefix"?: is_bare.then_some(true));
    for (key, value) in message.members() {
        match &*key {
            _ if value.is_null() && key != "content" => {}
            key if key == "cache_control" || !read(message).contains(&key) => {}
            // What a model declined to say is what it said.
            "content" if value.is_null() && message.get("refusal").is_some_and(Value::is_text) => {}
            "refusal" if message.get("content").is_none() => put!(o, "content": value),
            "role" if speaker.is_alone => put!(o, "role": "user"),
            "role" if value.text().as_deref() == Some("developer") => put!(o, "role": "system"),
            "tool_call_id" => put!(o, "tool_call_id": &short_id(&value.text().unwrap_or_default())),
            "content" if value.is_array() => o.array("content", |a| {
                for part in value.items() {
                    if let Some(document) = document(part) {
                        a.put(Value::of(&document));
                        continue;
                    }
                    a.object(|o| o.copy(part, |key| key != "cache_control"));
                }
            }),
            "tool_calls" => o.array("tool_calls", |a| {
                for call in value.items() {
                    a.object(|o| {
                        for (key, value) in call.members() {
                            match &*key {
                                "id" => put!(o, "id": short_id(&value.text().unwrap_or_default())),
                                "function" if !is_encoded(value) => {
                                    let name = value.get("name").unwrap_or(Value::of("\"\""));
                                    let said = told_arguments(value);
                                    let said = if said.trim().is_empty() { "{}" } else { &*said };
                                    put!(o, "function": { "name": name, "arguments": said });
                                }
                                key => o.put(key, value),
                            }
                        }
                    });
                }
            }),
            key => o.put(key, value),
        }
    }
}

/// Says whether a call has its arguments as chat writes them: JSON within a text.
fn is_encoded(function: Value<'_>) -> bool {
    function.text_of("arguments").is_some_and(|said| !matches!(said.trim(), "" | "null"))
}

/// Returns a document that comes along as Mistral takes one: by its address, which may hold it.
fn document(part: Value<'_>) -> Option<String> {
    let file = part.get("file").filter(|_| part.text_of("type").as_deref() == Some("file"))?;
    let (address, name) = (file.text_of("file_data")?, file.text_of("filename"));
    let address = if address.contains(':') { address } else { format!("{PDF}{address}").into() };
    Some(written(|o| {
        put!(o, "type": "document_url", "document_url": &address, "document_name"?: name.as_deref());
    }))
}

/// Returns an id that Mistral takes: the same for the same id, so that results find their calls.
pub(in crate::wire) fn short_id(id: &str) -> Cow<'_, str> {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Cow::Borrowed(id);
    }
    let digest = Sha256::digest(id.as_bytes());
    let digit =
        |byte: &u8| DIGITS.get(usize::from(*byte) % DIGITS.len()).map_or('0', |digit| char::from(*digit));
    Cow::Owned(digest.iter().take(9).map(digit).collect())
}
