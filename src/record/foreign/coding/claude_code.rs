//! Session logs of Claude Code: one line for each block of an answer's content, all with the usage of the whole answer.
//!
//! An answer is known by its message, and by its request where both tellings name one, over all files: a session that is
//! resumed or forked, and a sub-agent's own file, repeat lines. What is no answer of a model is passed over.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::call::{Asked, Caller, NO_ANSWER, record, texts};
use crate::record::foreign::answers::Ending;
use crate::record::foreign::fields::{attempt, claimed, moment, status_of};
use crate::record::foreign::terms::has;
use crate::record::foreign::written::Written;
use crate::record::json::Plain;
use crate::record::known::{Told, answer_key, id_of};
use crate::record::skip::Refusal;
use crate::record::usage::{AnthropicUsage, Counted};
use crate::record::value::{FromValue as _, Object};
use crate::routing::Status;
use crate::units::Span;

/// Returns the blocks of a message, and its text.
fn said<'a>(message: &Object<'a>) -> Result<(Vec<Object<'a>>, String), String> {
    let content = message.get("content")?;
    Ok(match content.plain()? {
        Plain::Text(text) => (Vec::new(), text.into_owned()),
        Plain::List { .. } => {
            let items = content.items()?;
            let blocks = items.iter().filter_map(|block| block.object().ok()).collect();
            (blocks, texts(&items, |block| is_of(block, "text")))
        }
        _ => Default::default(),
    })
}

fn is_of(block: &Object<'_>, kind: &str) -> bool {
    block.word("type").is_ok_and(|word| word == kind)
}

/// Says whether a line may tell of an answer, or of what a user asked. Quotes within texts are escaped, so these are keys.
fn is_of_interest(text: &str) -> bool {
    let (answer, user) = (has(text, r#""type":"assistant""#), has(text, r#""type":"user""#));
    answer || (user && !has(text, r#""type":"tool_result""#)) || (!user && text.contains(r#""type": ""#))
}

/// What the file being read has told.
#[derive(Debug, Default)]
pub(super) struct Session {
    model: String,
    /// Whether any answer said why it ended: older versions never do.
    tells_ends: bool,
    main: Asked,
    side: Asked,
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
    let line = Object::read(text)?;
    let is_side = line.flag("isSidechain")? == Some(true);
    let asked = if is_side { &mut session.side } else { &mut session.main };
    let (kind, message) = (line.word("type")?, line.object("message")?);
    if kind == "user" {
        let (blocks, text) = said(&message)?;
        let is_result = blocks.iter().any(|block| is_of(block, "tool_result"));
        if !is_result && line.flag("isMeta")? != Some(true) && !text.is_empty() {
            asked.ask(&text);
        }
        return Err(NO_ANSWER);
    }
    if kind != "assistant" {
        return Err(NO_ANSWER);
    }
    let agent = line.word("agentId")?;
    let sub_agent = match &*agent {
        "" if is_side => "sub-agent",
        id if is_side => id,
        _ => "",
    };
    let (id, model) = (message.word("id")?, message.word("model")?);
    asked.called.answer(&id);
    if has(text, "tool_use") {
        for call in said(&message)?.0.iter().filter(|block| is_of(block, "tool_use")) {
            asked.called.call(&call.word("name")?);
        }
    }
    let (session_id, folder) = (line.word("sessionId")?, line.word("cwd")?);
    let caller = Caller {
        agent: "claude-code",
        session: &session_id,
        folder: &folder,
        sub_agent,
        asked: Some(&*asked),
    };
    let at = || moment("timestamp", &line.word("timestamp")?);
    // Claude Code writes words of its own into the log, as answers of no model; some tell that a call failed.
    if line.flag("isApiErrorMessage")? == Some(true) {
        if session.model.is_empty() {
            return Err(NO_ANSWER);
        }
        let words = said(&message)?.1;
        let status = status_of(&words);
        // What came before a connection broke or time was up, the provider bills.
        let is_disconnected = status == Status::Timeout || words.to_ascii_lowercase().contains("connection");
        let counted = if is_disconnected { Counted::default() } else { Counted::NOTHING };
        let mut only = attempt(&session.model, counted, status);
        only.provider = Cow::Borrowed("anthropic");
        only.error = Cow::Owned(words.chars().take(120).collect());
        let uuid = line.word("uuid")?;
        let key = id_of(&[&uuid]).or_else(|| id_of(&[&id]));
        return Ok(Told::new(record(&uuid, at()?, &caller, only), [key, None]));
    }
    let usage: Option<AnthropicUsage> = message.maybe("usage")?;
    if model == "<synthetic>" || (model.is_empty() && usage.is_none()) {
        return Err(NO_ANSWER);
    }
    (*model).clone_into(&mut session.model);
    let counted = usage.map_or(Ok(Counted::default()), |usage| usage.counted())?;
    let ending = Ending::of(message.find("stop_reason")?)?;
    session.tells_ends |= ending == Ending::Ended;
    // Written while the answer came; where no line with its end follows, more of it may have been billed. Older versions
    // tell no ends at all: there counts beyond a placeholder, which are enough for what stands beside them, are the last.
    let told = counted.usage.output.or_zero();
    let Written(bytes) = Written::from_value(message.get("content")?)?;
    let is_whole = !session.tells_ends && told > PLACEHOLDER && told.saturating_mul(8) >= bytes;
    let is_open = ending == Ending::Open && !is_whole;
    let counted = if is_open { counted.cut(bytes) } else { counted };
    let status = if is_open { Status::Truncated } else { Status::Ok };
    let mut only = attempt(&model, counted, status);
    only.provider = Cow::Borrowed("anthropic");
    let keys = [answers.key(&id, &line.word("requestId")?), answer_key(&id)];
    let mut record = record(&id, at()?, &caller, only);
    record.claimed_usd = claimed(&line.word("costUSD")?);
    let open = match ending {
        Ending::Open if is_open => Some(UNTOLD_END),
        // Of a version that tells no ends, or of one that does and has not told any yet.
        Ending::Open => Some(UNSURE_END),
        _ => None,
    };
    Ok(Told { open, ..Told::new(record, keys) })
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
