//! Messages of opencode: rows of its database, as the export writes them, or the files of older versions.
//!
//! Invariant: a forked session copies messages under new names but with their times, so a message is known by its times and
//! tokens, too.

use serde::Deserialize;

use super::call::{Caller, NO_ANSWER, record};
use crate::record::foreign::fields::{attempt, claimed, millis_between, moment, owned, status_of};
use crate::record::json::{self, Num, Word, nullable};
use crate::record::known::{Told, id_of};
use crate::record::skip::Refusal;
use crate::record::usage::{Claim, Counted, Parts, Writes};
use crate::routing::Status;
use crate::units::Span;

/// A message, or the row around it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Row {
    id: Word,
    session_id: Word,
    directory: Word,
    parent_id: Word,
    data: Option<Message>,
    #[serde(flatten)]
    message: Message,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    #[serde(rename = "sessionID")]
    session: Word,
    role: Word,
    #[serde(rename = "modelID")]
    model: Word,
    #[serde(rename = "providerID")]
    provider: Word,
    agent: Word,
    mode: Word,
    #[serde(deserialize_with = "nullable")]
    path: Folder,
    cost: Word,
    tokens: Option<Tokens>,
    #[serde(deserialize_with = "nullable")]
    time: Times,
    error: Option<Fault>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Folder {
    cwd: Word,
    root: Word,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Times {
    created: Word,
    completed: Word,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tokens {
    total: Num,
    input: Num,
    output: Num,
    reasoning: Num,
    #[serde(deserialize_with = "nullable")]
    cache: Cache,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cache {
    read: Num,
    write: Num,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fault {
    name: Word,
    #[serde(deserialize_with = "nullable")]
    data: FaultData,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct FaultData {
    message: Word,
    status_code: Word,
}

/// Reads a message; its counts are disjoint, unless its total shows otherwise.
pub(super) fn message(text: &str) -> Result<Told, Refusal> {
    let row: Row = json::read(text).map_err(Refusal::Bad)?;
    let message = row.data.unwrap_or(row.message);
    if message.role.as_str() != "assistant" {
        return Err(NO_ANSWER);
    }
    let at = moment("time.created", &message.time.created)?;
    let ended =
        (!message.time.completed.is_empty()).then(|| moment("time.completed", &message.time.completed));
    let ended = ended.transpose()?;
    let tokens = message.tokens.unwrap_or_default();
    let counts = [tokens.input, tokens.output, tokens.reasoning, tokens.cache.read, tokens.cache.write];
    let is_zero = counts.iter().all(|count| count.or_zero() == 0);
    let status = message.error.as_ref().map_or(Status::Ok, Fault::status);
    if is_zero && status.is_ok() && ended.is_none() {
        return Err(Refusal::NotACall("an answer that has not ended"));
    }
    let counted = if is_zero {
        // Zeros stand until an answer's end told its usage.
        Counted::default()
    } else {
        let parts = Parts {
            input: tokens.input.0,
            read: tokens.cache.read.or_zero(),
            writes: Writes { total: tokens.cache.write.0, ..Writes::default() },
            output: tokens.output.0,
            reasoning: tokens.reasoning.0,
            total: tokens.total.0,
            ..Parts::default()
        };
        parts.counted(Claim::DISJOINT)?
    };
    let copied: Vec<String> = counts.iter().map(|count| count.or_zero().to_string()).collect();
    let (created, completed) = (message.time.created.as_str(), message.time.completed.as_str());
    let mut parts = vec!["opencode", created, completed, message.model.as_str()];
    parts.extend(copied.iter().map(String::as_str));
    let by_content = if is_zero { None } else { id_of(&parts) };
    let keys = [id_of(&[row.id.as_str()]), by_content];
    let mut only = attempt(message.model.0, counted, status);
    only.provider = owned(message.provider);
    only.latency_ms = millis_between(at, ended);
    if let Some(fault) = message.error {
        only.error = std::borrow::Cow::Owned(fault.words().chars().take(120).collect());
    }
    let caller = Caller {
        agent: "opencode",
        session: &Word::first([&row.session_id, &message.session]),
        folder: &Word::first(
            [&row.directory, &message.path.root, &message.path.cwd]
                .into_iter()
                .filter(|path| path.as_str() != "/"),
        ),
        sub_agent: &if row.parent_id.is_empty() {
            String::new()
        } else {
            sub_agent(&message.agent, &message.mode)
        },
        prompt: "",
        // Calls are parts of messages, which stand in a table of their own.
        called: None,
        turn: None,
    };
    let mut record = record(row.id.0, at, &caller, only);
    record.claimed_usd = claimed(message.cost).filter(|cost| cost != "0");
    let open = (ended.is_none() && status.is_ok()).then_some(Span::mins(15));
    Ok(Told { record: record.into(), keys, nested: None, open })
}

fn sub_agent(agent: &Word, mode: &Word) -> String {
    let name = Word::first([agent, mode]);
    if name.is_empty() { "sub-agent".to_owned() } else { name }
}

impl Fault {
    fn words(&self) -> String {
        let words = [self.data.status_code.as_str(), self.name.as_str(), self.data.message.as_str()];
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }

    fn status(&self) -> Status {
        match self.name.as_str() {
            "MessageAbortedError" => Status::Cancelled,
            "ProviderAuthError" | "ContextOverflowError" => Status::Rejected,
            _ => status_of(&self.words()),
        }
    }
}
