//! Session logs of Claude Code: one line for each block of an answer's content, all with the usage of the whole answer.
//!
//! An answer is known by its message and its request, over all files, as a session that is resumed repeats the lines of
//! the one before. Whatever is no answer of a model (prompts, results of tools, summaries) is passed over.

use std::borrow::Cow;

use serde::Deserialize;

use super::{attempt, claimed, moment, owned};
use crate::record::json::{self, Word, nullable};
use crate::record::known::{Told, answer_key, id_of};
use crate::record::skip::Refusal;
use crate::record::usage::{AnthropicUsage, Counted};
use crate::record::{Attempts, Record};
use crate::routing::Status;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Line {
    #[serde(rename = "type")]
    kind: Word,
    timestamp: Word,
    session_id: Word,
    request_id: Word,
    cwd: Word,
    #[serde(rename = "costUSD")]
    cost: Word,
    is_api_error_message: Option<bool>,
    #[serde(deserialize_with = "nullable")]
    message: Message,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    id: Word,
    model: Word,
    usage: Option<AnthropicUsage>,
}

/// Reads a line.
pub(super) fn line(text: &str) -> Result<Told, Refusal> {
    let line: Line = json::read(text).map_err(Refusal::Bad)?;
    let message = line.message;
    // Claude Code writes words of its own into the log, as answers of no model.
    let is_own = message.model.as_str() == "<synthetic>" || line.is_api_error_message == Some(true);
    if line.kind.as_str() != "assistant" || is_own || (message.model.is_empty() && message.usage.is_none()) {
        return Err(Refusal::NotACall("a line of a session that is no answer of a model"));
    }
    let counted = message.usage.map_or(Ok(Counted::default()), |usage| usage.counted())?;
    let mut only = attempt(message.model.0, counted, Status::Ok);
    only.provider = Cow::Borrowed("anthropic");
    let keys = [id_of(&[message.id.as_str(), line.request_id.as_str()]), answer_key(message.id.as_str())];
    let project = line.cwd.as_str().rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    let record = Record {
        id: owned(message.id),
        at: moment("timestamp", &line.timestamp)?,
        project: Cow::Owned(project),
        session: owned(line.session_id),
        attempts: Attempts::one(only),
        claimed_usd: claimed(line.cost),
        ..Record::default()
    };
    Ok(Told { record, keys })
}
