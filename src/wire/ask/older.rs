//! A chat request for servers that know chat in its older form: one message of the system, at the beginning, by that role; something
//! that the assistant said in each of its turns, and after what tools gave back where a model wants that; a limit of output by its
//! first name. Thoughts go where the server refuses
//! them, and come under the name, and with the empty text, that a model wants.

use super::edits::Edits;
use crate::wire::effort::thinks_before_answering;
use crate::wire::json::{Array, Value, array, put, written};
use crate::wire::prompt::{Format, Reader, reminder};
use crate::wire::reply::content_text;

/// The members in which thoughts come back.
const THOUGHTS: [&str; 3] = ["reasoning_content", "reasoning", "reasoning_details"];

/// Changes what has to be changed.
pub(super) fn settle(edits: &mut Edits<'_>, reader: Reader<'_>) {
    let known = reader.sending.known;
    if known.older_chat || (known.older_words && !thinks_before_answering(reader.model)) {
        edits.rename("max_completion_tokens", "max_tokens");
    }
    let Some(messages) = edits.ask.member("messages") else { return };
    let all: Vec<(Value<'_>, Role)> = messages.items().map(|said| (said, Role::of(said))).collect();
    let leading = all.iter().take_while(|(_, role)| role.is_system()).count();
    // Nothing but the system speaks: somebody has to.
    let is_alone = known.older_chat && leading > 0 && leading == all.len();
    // Some models take no word of the user's right after what tools gave back.
    let is_rested = |before: Role, said: Role| {
        known.wants_turn_after_tools && before == Role::Tool && !matches!(said, Role::Tool | Role::Assistant)
    };
    let is_rest = all.windows(2).any(|two| matches!(two, [(_, one), (_, two)] if is_rested(*one, *two)));
    let is_changed = is_rest
        || all.iter().enumerate().any(|(at, (said, role))| match role {
            Role::Developer => known.older_chat || known.older_words,
            Role::System => known.older_chat && at > 0,
            Role::Assistant => assistant(*said, reader).is_some(),
            Role::Tool | Role::User => false,
        });
    let asked = schema_in_words(edits, reader);
    if !is_changed && !is_alone && asked.is_none() {
        return;
    }
    let mut out = Vec::with_capacity(messages.raw().len() + 64);
    array(&mut out, |list| {
        let leading = if known.older_chat || asked.is_some() { leading } else { 0 };
        let texts: Vec<_> =
            all.iter().take(leading).map(|(said, _)| text(*said)).chain(asked.clone()).collect();
        let role = if is_alone { "user" } else { "system" };
        match all
            .first()
            .filter(|_| leading == 1 && asked.is_none())
            .and_then(|(said, _)| said.get("content"))
        {
            Some(content) => list.object(|o| put!(o, "role": role, "content": content)),
            None if !texts.is_empty() => {
                list.object(|o| put!(o, "role": role, "content": &texts.join("\n\n")));
            }
            None => {}
        }
        let mut waiting = Vec::new();
        let mut before = Role::User;
        for (said, role) in all.iter().skip(leading) {
            if role.is_system() && known.older_chat {
                waiting.push(text(*said));
                continue;
            }
            // What tools gave back stands right behind their calls.
            if *role != Role::Tool {
                let said = if waiting.is_empty() { *role } else { Role::System };
                if is_rested(before, said) {
                    list.object(|o| put!(o, "role": "assistant", "content": "..."));
                }
                remind(list, &mut waiting);
            }
            before = *role;
            if *role == Role::Developer {
                list.object(|o| {
                    put!(o, "role": "system");
                    o.copy(*said, |key| key != "role");
                });
            } else if let Some(said) =
                Some(*said).filter(|_| *role == Role::Assistant).and_then(|said| assistant(said, reader))
            {
                list.put(Value::of(&said));
            } else {
                list.put(*said);
            }
        }
        if is_rested(before, Role::System) && !waiting.is_empty() {
            list.object(|o| put!(o, "role": "assistant", "content": "..."));
        }
        remind(list, &mut waiting);
    });
    if all.iter().any(|(said, role)| *role == Role::Assistant && drops(*said, reader)) {
        reader.leave_out("messages.reasoning_content");
    }
    edits.replace(messages.span_in(&edits.ask.body), out);
}

/// Asks in words for an answer that fits a schema, where the server knows no schemas.
fn schema_in_words(edits: &mut Edits<'_>, reader: Reader<'_>) -> Option<String> {
    if !reader.sending.known.json_object_alone {
        return None;
    }
    let format = edits.ask.member("response_format")?;
    let schema =
        format.get("json_schema").filter(|_| format.text_of("type").as_deref() == Some("json_schema"))?;
    let schema = schema.get("schema")?;
    let asked = Format::Schema { name: "".into(), schema, strict: None }.instruction()?.into_owned();
    edits.replace(format.span_in(&edits.ask.body), r#"{"type":"json_object"}"#);
    reader.leave_out("response_format.json_schema");
    Some(asked)
}

/// Says whether a turn holds thoughts that the server refuses.
fn drops(said: Value<'_>, reader: Reader<'_>) -> bool {
    reader.sending.known.refuses_thoughts && THOUGHTS.iter().any(|name| said.get(name).is_some())
}

/// Returns a turn of the assistant's as the server wants it; nothing where it is so.
fn assistant(said: Value<'_>, reader: Reader<'_>) -> Option<String> {
    let drops = drops(said, reader);
    let calls = said.list("tool_calls").next().is_some();
    let is_bare = reader.wants_empty_thoughts() && calls && said.get("reasoning_content").is_none();
    let says = ["content", "tool_calls", "function_call", "refusal", "audio"];
    // A turn has to say something: it was cut off while the model thought.
    let is_silent = reader.sending.known.older_chat && !says.iter().any(|name| said.get(name).is_some());
    if !drops && !is_bare && !is_silent {
        return None;
    }
    let thought = said.text_of("reasoning").unwrap_or_default();
    Some(written(|o| {
        o.copy(said, |key| {
            let is_dropped = drops && THOUGHTS.contains(&key);
            let is_replaced = is_bare && matches!(key, "reasoning_content" | "reasoning");
            !(is_dropped || is_replaced || is_silent && key == "content")
        });
        put!(o, "content"?: is_silent.then_some("..."), "reasoning_content"?: is_bare.then_some(&*thought));
    }))
}

/// Who says a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    System,
    Developer,
    Assistant,
    Tool,
    User,
}

impl Role {
    fn of(said: Value<'_>) -> Self {
        match said.text_of("role").as_deref() {
            Some("system") => Self::System,
            Some("developer") => Self::Developer,
            Some("assistant") => Self::Assistant,
            Some("tool" | "function") => Self::Tool,
            _ => Self::User,
        }
    }

    fn is_system(self) -> bool {
        matches!(self, Self::System | Self::Developer)
    }
}

fn text(said: Value<'_>) -> String {
    said.get("content").and_then(content_text).unwrap_or_default().into_owned()
}

/// Writes what the system said meanwhile as a turn of the user's.
fn remind(list: &mut Array<'_>, waiting: &mut Vec<String>) {
    let said = waiting.drain(..).filter(|text| !text.trim().is_empty()).collect::<Vec<_>>().join("\n\n");
    if !said.is_empty() {
        list.object(|o| put!(o, "role": "user", "content": &reminder(&said)));
    }
}
