//! Session files of Gemini CLI: one document with its messages, or a line for each after a line for the session.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::call::{Asked, Caller, NO_ANSWER, record, texts};
use crate::record::foreign::fields::{attempt, moment};
use crate::record::json::Plain;
use crate::record::known::{Sink, Told, id_of};
use crate::record::skip::Refusal;
use crate::record::usage::{Claim, Counted, Parts};
use crate::record::value::{Object, Value};
use crate::routing::Status;

/// What the file being read has told.
#[derive(Debug, Default)]
pub(super) struct Session {
    id: String,
    project: String,
    sub_agent: &'static str,
    asked: Asked,
}

/// Reads a document or a line.
pub(super) fn entry(
    text: &str,
    (session, file): (&mut Session, &str),
    sink: &mut Sink<'_>,
) -> ControlFlow<()> {
    match Object::read(text).and_then(|entry| told(&entry, session, file)) {
        Ok(told) => told.into_iter().try_for_each(sink),
        Err(reason) => sink(Err(Refusal::Bad(reason))),
    }
}

/// Reads the session, one of its messages, or what changed of it.
fn told(entry: &Object<'_>, session: &mut Session, file: &str) -> Result<Vec<Result<Told, Refusal>>, String> {
    let id = entry.word("sessionId")?;
    if !id.is_empty() {
        session.id = id.into_owned();
        session.project = project(file, &entry.word("projectHash")?);
        session.sub_agent = if entry.word("kind")? == "subagent" { "sub-agent" } else { "" };
    }
    let mut messages = entry.objects("messages")?;
    messages.extend(entry.object("$set")?.objects("messages")?);
    if messages.is_empty() {
        return Ok(vec![message(entry, session)]);
    }
    Ok(messages.iter().map(|one| message(one, session)).collect())
}

/// Reads a message: the prompt includes what is cached, thoughts and tools' prompts lie beside.
fn message(message: &Object<'_>, session: &mut Session) -> Result<Told, Refusal> {
    let (id, kind, model) = (message.word("id")?, message.word("type")?, message.word("model")?);
    if kind == "user" {
        session.asked.ask(&said(message.get("content")?)?);
    }
    if kind != "gemini" || (model.is_empty() && !message.says("tokens")?) {
        return Err(NO_ANSWER);
    }
    let tokens = message.object("tokens")?;
    let (input, tool) = (tokens.count("input")?.0, tokens.count("tool")?.or_zero());
    let parts = Parts {
        input: input.map(|input| input.saturating_add(tool)),
        read: tokens.count("cached")?.or_zero(),
        output: tokens.count("output")?.0,
        reasoning: tokens.count("thoughts")?.0,
        total: tokens.count("total")?.0,
        ..Parts::default()
    };
    let counted = if input.is_some() { parts.counted(Claim::SPOKEN)? } else { Counted::default() };
    let mut only = attempt(&model, counted, Status::Ok);
    only.provider = Cow::Borrowed("gemini");
    session.asked.called.answer(&id);
    for call in message.objects("toolCalls")? {
        session.asked.called.call(&call.word("name")?);
    }
    let caller = Caller {
        agent: "gemini-cli",
        session: &session.id,
        folder: &session.project,
        sub_agent: session.sub_agent,
        asked: Some(&session.asked),
    };
    let timestamp = message.word("timestamp")?;
    let key = id_of(&[&id, "gemini-cli", &timestamp]);
    Ok(Told::new(record(&id, moment("timestamp", &timestamp)?, &caller, only), [key, None]))
}

/// Names a project: its folder under `tmp`, unless that is a hash, of which eight digits will do.
fn project(file: &str, hash: &str) -> String {
    let mut parts = file.rsplit(['/', '\\']);
    let folder = parts.find(|part| *part == "chats").and_then(|_| parts.next()).unwrap_or(hash);
    let is_hash = folder.len() >= 32 && folder.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { folder.get(..8).unwrap_or_default().to_owned() } else { folder.to_owned() }
}

/// Returns the text of what a user said: text, or a list of parts.
fn said(content: Value<'_>) -> Result<String, String> {
    Ok(match content.plain()? {
        Plain::Text(text) => text.into_owned(),
        Plain::List { .. } => texts(&content.items()?, |_| true),
        _ => String::new(),
    })
}
