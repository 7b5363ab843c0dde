//! Session logs of Claude Code: one line for each block of an answer's content, all with the usage of the whole answer.
//!
//! An answer is known by its message, and by its request where both tellings name one, over all files: a session that is
//! resumed or forked, and a sub-agent's own file, repeat lines. What is no answer of a model is passed over.

use std::borrow::Cow;

use rustc_hash::FxHashMap;
use serde::Deserialize;
use serde_json::Value;

use super::call::{Caller, NO_ANSWER, kept, record};
use super::called::Called;
use crate::record::foreign::answers::Ending;
use crate::record::foreign::fields::{attempt, claimed, moment, status_of};
use crate::record::foreign::written::Written;
use crate::record::json::{self, Word, maybe, nullable};
use crate::record::known::{Told, answer_key, id_of};
use crate::record::skip::Refusal;
use crate::record::usage::{AnthropicUsage, Counted};
use crate::routing::Status;
use crate::units::Span;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Line {
    #[serde(rename = "type")]
    kind: Word,
    timestamp: Word,
    session_id: Word,
    request_id: Word,
    uuid: Word,
    cwd: Word,
    agent_id: Word,
    #[serde(rename = "costUSD")]
    cost: Word,
    is_api_error_message: Option<bool>,
    is_sidechain: Option<bool>,
    is_meta: Option<bool>,
    #[serde(deserialize_with = "nullable")]
    message: Message,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    id: Word,
    model: Word,
    stop_reason: Ending,
    content: Written,
    #[serde(deserialize_with = "maybe")]
    usage: Option<AnthropicUsage>,
}

/// What a message says: its text, the tools it calls, and whether it is a tool's result.
#[derive(Debug, Default)]
struct Content {
    text: String,
    tools: Vec<String>,
    is_result: bool,
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::String(text) => Self { text, ..Self::default() },
            Value::Array(blocks) => {
                let kind =
                    |block: &Value, kind: &str| block.get("type").and_then(Value::as_str) == Some(kind);
                let texts = blocks.iter().filter(|block| kind(block, "text"));
                let text =
                    texts.filter_map(|block| block.get("text")?.as_str()).collect::<Vec<_>>().join("\n");
                let calls = blocks.iter().filter(|block| kind(block, "tool_use"));
                let tools = calls.filter_map(|block| Some(block.get("name")?.as_str()?.to_owned())).collect();
                Self { text, tools, is_result: blocks.iter().any(|block| kind(block, "tool_result")) }
            }
            _ => Self::default(),
        })
    }
}

/// What is looked at only where it is needed, as it may be long.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    #[serde(deserialize_with = "nullable")]
    message: SaidMessage,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SaidMessage {
    content: Content,
}

fn said(text: &str) -> Result<Content, Refusal> {
    json::read::<Said>(text).map(|said| said.message.content).map_err(Refusal::Bad)
}

/// Says whether a line may tell of an answer, or of what a user asked. Quotes within texts are escaped, so these are keys.
fn is_of_interest(text: &str) -> bool {
    let (answer, user) = (has(text, r#""type":"assistant""#), has(text, r#""type":"user""#));
    answer || (user && !has(text, r#""type":"tool_result""#)) || (!user && text.contains(r#""type": ""#))
}

fn has(text: &str, key: &str) -> bool {
    memchr::memmem::find(text.as_bytes(), key.as_bytes()).is_some()
}

/// What the file being read has told.
#[derive(Debug, Default)]
pub(super) struct Session {
    model: String,
    /// Whether any answer said why it ended: older versions never do.
    tells_ends: bool,
    main: Turn,
    side: Turn,
}

/// What a user or the agent that started another one asked last.
#[derive(Debug, Default)]
struct Turn {
    prompt: String,
    count: u32,
    called: Called,
}

/// The most tokens of an answer that its first event tells before there is any.
const PLACEHOLDER: u64 = 8;
/// How long the end of an answer may take: the model thinks, and tools may run between two of its blocks.
const UNTOLD_END: Span = Span::mins(15);
/// The same of an answer that looks whole.
const UNSURE_END: Span = Span::mins(1);
/// How many answers are remembered with their requests.
const ANSWERS: usize = 1 << 20;

/// Under which key an answer's first telling went, by its message.
#[derive(Debug, Default)]
pub(super) struct Answers(FxHashMap<u64, Vec<(String, u64)>>);

impl Answers {
    /// Returns the key of an answer; a telling without a request is of whichever answer has that message.
    fn key(&mut self, message: &str, request: &str) -> Option<u64> {
        let by_message = id_of(&[message])?;
        if self.0.len() >= ANSWERS {
            self.0.clear();
        }
        let told = self.0.entry(by_message).or_default();
        let same =
            told.iter_mut().find(|(known, _)| known == request || known.is_empty() || request.is_empty());
        if let Some((known, key)) = same {
            if known.is_empty() {
                request.clone_into(known);
            }
            return Some(*key);
        }
        let key = id_of(&[message, request])?;
        if told.len() < 64 {
            told.push((request.to_owned(), key));
        }
        Some(key)
    }
}

/// Reads a line.
pub(super) fn line(text: &str, session: &mut Session, answers: &mut Answers) -> Result<Told, Refusal> {
    if text.ends_with('}') && !is_of_interest(text) {
        return Err(NO_ANSWER);
    }
    let line: Line = json::read(text).map_err(Refusal::Bad)?;
    let is_side = line.is_sidechain == Some(true);
    let turn = if is_side { &mut session.side } else { &mut session.main };
    if line.kind.as_str() == "user" {
        let content = said(text)?;
        if !content.is_result && line.is_meta != Some(true) && !content.text.is_empty() {
            turn.count = if turn.prompt.is_empty() { 0 } else { turn.count.saturating_add(1) };
            turn.prompt = kept(&content.text);
            turn.called.asked();
        }
        return Err(NO_ANSWER);
    }
    if line.kind.as_str() != "assistant" {
        return Err(NO_ANSWER);
    }
    let sub_agent = match line.agent_id.as_str() {
        "" if is_side => "sub-agent",
        id if is_side => id,
        _ => "",
    };
    let message = line.message;
    turn.called.answer(message.id.as_str());
    if has(text, "tool_use") {
        said(text)?.tools.iter().for_each(|tool| turn.called.call(tool));
    }
    let caller = Caller {
        agent: "claude-code",
        session: line.session_id.as_str(),
        folder: line.cwd.as_str(),
        sub_agent,
        prompt: &turn.prompt,
        called: Some(&turn.called),
        turn: (!turn.prompt.is_empty()).then_some(turn.count),
    };
    // Claude Code writes words of its own into the log, as answers of no model; some tell that a call failed.
    if line.is_api_error_message == Some(true) {
        if session.model.is_empty() {
            return Err(NO_ANSWER);
        }
        let words = said(text)?.text;
        let status = status_of(&words);
        // What came before a connection broke or time was up, the provider bills.
        let is_disconnected = status == Status::Timeout || words.to_ascii_lowercase().contains("connection");
        let counted = if is_disconnected { Counted::default() } else { Counted::NOTHING };
        let mut only = attempt(session.model.clone(), counted, status);
        only.provider = Cow::Borrowed("anthropic");
        only.error = Cow::Owned(words.chars().take(120).collect());
        let key = id_of(&[line.uuid.as_str()]).or_else(|| id_of(&[message.id.as_str()]));
        let failed = record(line.uuid.0, moment("timestamp", &line.timestamp)?, &caller, only);
        return Ok(Told { record: failed.into(), keys: [key, None], nested: None, open: None });
    }
    if message.model.as_str() == "<synthetic>" || (message.model.is_empty() && message.usage.is_none()) {
        return Err(NO_ANSWER);
    }
    session.model.clone_from(&message.model.0);
    let counted = message.usage.map_or(Ok(Counted::default()), |usage| usage.counted())?;
    session.tells_ends |= message.stop_reason == Ending::Ended;
    // Written while the answer came; where no line with its end follows, more of it may have been billed. Older versions
    // tell no ends at all: there counts beyond a placeholder, which are enough for what stands beside them, are the last.
    let told = counted.usage.output.or_zero();
    let is_whole = !session.tells_ends && told > PLACEHOLDER && told.saturating_mul(8) >= message.content.0;
    let is_open = message.stop_reason == Ending::Open && !is_whole;
    let counted = if is_open { counted.cut(message.content.0) } else { counted };
    let status = if is_open { Status::Truncated } else { Status::Ok };
    let mut only = attempt(message.model.0, counted, status);
    only.provider = Cow::Borrowed("anthropic");
    let keys = [answers.key(message.id.as_str(), line.request_id.as_str()), answer_key(message.id.as_str())];
    let mut record = record(message.id.0, moment("timestamp", &line.timestamp)?, &caller, only);
    record.claimed_usd = claimed(line.cost);
    let open = match (is_open, &message.stop_reason) {
        (true, _) => Some(UNTOLD_END),
        // Of a version that tells no ends, or of one that does and has not told any yet.
        (false, Ending::Open) => Some(UNSURE_END),
        _ => None,
    };
    Ok(Told { record: record.into(), keys, nested: None, open })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_is_missing_in_one_telling_makes_no_second_answer() {
        let mut answers = Answers::default();
        let first = answers.key("m1", "r1");
        assert_eq!(answers.key("m1", ""), first);
        assert_ne!(answers.key("m1", "r2"), first, "a gateway may give every message one name");
        let bare = answers.key("m2", "");
        assert_eq!(answers.key("m2", "r1"), bare);
        assert_ne!(answers.key("m2", "r2"), bare);
        assert_eq!(answers.key("", "r1"), None);
    }
}
