//! Session files of Gemini CLI: one document with its messages, or a line for each after a line for the session.

use std::borrow::Cow;
use std::ops::ControlFlow;

use serde::Deserialize;
use serde_json::Value;

use super::call::{Caller, NO_ANSWER, kept, record};
use super::called::Called;
use crate::record::foreign::fields::{attempt, moment};
use crate::record::json::{self, Num, Word, nullable};
use crate::record::known::{Sink, Told, id_of};
use crate::record::skip::Refusal;
use crate::record::usage::{Claim, Counted, Parts};
use crate::routing::Status;

/// The session, one of its messages, or what changed of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    #[serde(rename = "sessionId")]
    session_id: Word,
    #[serde(rename = "projectHash")]
    project_hash: Word,
    kind: Word,
    #[serde(deserialize_with = "nullable")]
    messages: Vec<Message>,
    #[serde(rename = "$set", deserialize_with = "nullable")]
    set: Changed,
    #[serde(flatten)]
    message: Message,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Changed {
    #[serde(deserialize_with = "nullable")]
    messages: Vec<Message>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    id: Word,
    timestamp: Word,
    #[serde(rename = "type")]
    kind: Word,
    model: Word,
    content: Option<Value>,
    tokens: Option<Tokens>,
    #[serde(rename = "toolCalls", deserialize_with = "nullable")]
    tool_calls: Vec<ToolCall>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ToolCall {
    name: Word,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tokens {
    input: Num,
    output: Num,
    cached: Num,
    thoughts: Num,
    tool: Num,
    total: Num,
}

/// What the file being read has told.
#[derive(Debug, Default)]
pub(super) struct Session {
    id: String,
    project: String,
    sub_agent: &'static str,
    prompt: String,
    turns: u32,
    called: Called,
}

/// Reads a document or a line.
pub(super) fn entry(
    text: &str,
    (session, file): (&mut Session, &str),
    sink: &mut Sink<'_>,
) -> ControlFlow<()> {
    let entry: Entry = match json::read(text) {
        Ok(entry) => entry,
        Err(reason) => return sink(Err(Refusal::Bad(reason))),
    };
    if !entry.session_id.is_empty() {
        session.id = entry.session_id.0;
        session.project = project(file, entry.project_hash.as_str());
        session.sub_agent = if entry.kind.as_str() == "subagent" { "sub-agent" } else { "" };
    }
    if entry.messages.is_empty() && entry.set.messages.is_empty() {
        return sink(message(entry.message, session));
    }
    for one in entry.messages.into_iter().chain(entry.set.messages) {
        sink(message(one, session))?;
    }
    ControlFlow::Continue(())
}

/// Reads a message: the prompt includes what is cached, thoughts and tools' prompts lie beside.
fn message(message: Message, session: &mut Session) -> Result<Told, Refusal> {
    if message.kind.as_str() == "user" {
        if !session.prompt.is_empty() {
            session.turns = session.turns.saturating_add(1);
        }
        session.prompt = kept(&said(message.content.as_ref()));
        session.called.asked();
    }
    let tokens = match message.tokens {
        Some(tokens) if message.kind.as_str() == "gemini" => tokens,
        None if message.kind.as_str() == "gemini" && !message.model.is_empty() => Tokens::default(),
        _ => return Err(NO_ANSWER),
    };
    let parts = Parts {
        input: tokens.input.0.map(|input| input.saturating_add(tokens.tool.or_zero())),
        read: tokens.cached.or_zero(),
        output: tokens.output.0,
        reasoning: tokens.thoughts.0,
        total: tokens.total.0,
        ..Parts::default()
    };
    let counted = if tokens.input.0.is_some() { parts.counted(Claim::SPOKEN)? } else { Counted::default() };
    let mut only = attempt(message.model.0, counted, Status::Ok);
    only.provider = Cow::Borrowed("gemini");
    session.called.answer(message.id.as_str());
    message.tool_calls.iter().for_each(|call| session.called.call(call.name.as_str()));
    let caller = Caller {
        agent: "gemini-cli",
        session: &session.id,
        folder: &session.project,
        sub_agent: session.sub_agent,
        prompt: &session.prompt,
        called: Some(&session.called),
        turn: (!session.prompt.is_empty()).then_some(session.turns),
    };
    let key = id_of(&[message.id.as_str(), "gemini-cli", message.timestamp.as_str()]);
    let at = moment("timestamp", &message.timestamp)?;
    Ok(Told {
        record: record(message.id.0, at, &caller, only).into(),
        keys: [key, None],
        nested: None,
        open: None,
    })
}

/// Names a project: its folder under `tmp`, unless that is a hash, of which eight digits will do.
fn project(file: &str, hash: &str) -> String {
    let mut parts = file.rsplit(['/', '\\']);
    let folder = parts.find(|part| *part == "chats").and_then(|_| parts.next()).unwrap_or(hash);
    let is_hash = folder.len() >= 32 && folder.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { folder.get(..8).unwrap_or_default().to_owned() } else { folder.to_owned() }
}

/// Returns the text of what a user said: text, or a list of parts.
fn said(content: Option<&Value>) -> String {
    match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            parts.iter().filter_map(|part| part.get("text")?.as_str()).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}
