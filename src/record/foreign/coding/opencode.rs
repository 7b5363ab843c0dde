//! Messages of opencode: rows of its database, as the export writes them, or the files of older versions.
//!
//! Invariant: a forked session copies messages under new names but with their times, so a message is known by its times and
//! tokens, too.

use std::borrow::Cow;

use super::call::{Caller, NO_ANSWER, record};
use crate::record::foreign::fields::{attempt, claimed, first, millis_between, moment, owned, status_of};
use crate::record::known::{Told, id_of};
use crate::record::skip::Refusal;
use crate::record::usage::{Claim, Counted, Parts, Writes};
use crate::record::value::Object;
use crate::routing::Status;
use crate::units::Span;

/// Reads a message; its counts are disjoint, unless its total shows otherwise.
pub(super) fn message(text: &str) -> Result<Told, Refusal> {
    let row = Object::read(text)?;
    let within = row.says("data")?.then(|| row.object("data")).transpose()?;
    let message = within.as_ref().unwrap_or(&row);
    if message.word("role")? != "assistant" {
        return Err(NO_ANSWER);
    }
    let time = message.object("time")?;
    let (created, completed) = (time.word("created")?, time.word("completed")?);
    let at = moment("time.created", &created)?;
    let ended = (!completed.is_empty()).then(|| moment("time.completed", &completed)).transpose()?;
    let tokens = message.object("tokens")?;
    let cache = tokens.object("cache")?;
    let counts = [
        tokens.count("input")?,
        tokens.count("output")?,
        tokens.count("reasoning")?,
        cache.count("read")?,
        cache.count("write")?,
    ];
    let total = tokens.count("total")?.0;
    let is_zero = counts.iter().all(|count| count.or_zero() == 0);
    let fault = message.says("error")?.then(|| Fault::read(message)).transpose()?;
    let status = fault.as_ref().map_or(Status::Ok, |fault| fault.status);
    if is_zero && status.is_ok() && ended.is_none() {
        return Err(Refusal::NotACall("an answer that has not ended"));
    }
    let [input, output, reasoning, read, write] = counts;
    let counted = if is_zero {
        // Zeros stand until an answer's end told its usage.
        Counted::default()
    } else {
        let parts = Parts {
            input: input.0,
            read: read.or_zero(),
            writes: Writes { total: write.0, ..Writes::default() },
            output: output.0,
            reasoning: reasoning.0,
            total,
            ..Parts::default()
        };
        parts.counted(Claim::DISJOINT)?
    };
    let (id, model) = (row.word("id")?, message.word("modelID")?);
    let copied = counts.map(|count| count.or_zero().to_string());
    let mut parts = vec!["opencode", &*created, &*completed, &*model];
    parts.extend(copied.iter().map(String::as_str));
    let by_content = if is_zero { None } else { id_of(&parts) };
    let mut only = attempt(&model, counted, status);
    only.provider = owned(&message.word("providerID")?);
    only.latency_ms = millis_between(at, ended);
    if let Some(fault) = fault {
        only.error = fault.words.chars().take(120).collect::<String>().into();
    }
    let path = message.object("path")?;
    let folders = [row.word("directory")?, path.word("root")?, path.word("cwd")?];
    let folder = folders.iter().find(|path| !matches!(&***path, "" | "/"));
    let caller = Caller {
        agent: "opencode",
        session: &first(&[&row.word("session_id")?, &message.word("sessionID")?]),
        folder: folder.map_or("", |path| path),
        sub_agent: &match &*row.word("parent_id")? {
            "" => Cow::Borrowed(""),
            _ => first(&[&message.first(&["agent", "mode"])?, "sub-agent"]),
        },
        // Calls are parts of messages, which stand in a table of their own.
        asked: None,
    };
    let mut record = record(&id, at, &caller, only);
    record.claimed_usd = claimed(&message.word("cost")?).filter(|cost| cost != "0");
    let open = (ended.is_none() && status.is_ok()).then_some(Span::mins(15));
    Ok(Told { open, ..Told::new(record, [id_of(&[&id]), by_content]) })
}

/// What went wrong with an answer.
struct Fault {
    words: String,
    status: Status,
}

impl Fault {
    fn read(message: &Object<'_>) -> Result<Self, String> {
        let error = message.object("error")?;
        let (name, data) = (error.word("name")?, error.object("data")?);
        let words = [data.word("statusCode")?, name.clone(), data.word("message")?];
        let words =
            words.iter().filter(|word| !word.is_empty()).map(|word| &**word).collect::<Vec<_>>().join(" ");
        let status = match &*name {
            "MessageAbortedError" => Status::Cancelled,
            "ProviderAuthError" | "ContextOverflowError" => Status::Rejected,
            _ => status_of(&words),
        };
        Ok(Self { words, status })
    }
}
