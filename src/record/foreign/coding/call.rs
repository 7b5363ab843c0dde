//! A call within a session of a coding agent: who called, and the record of it.

use std::borrow::Cow;

use super::called::Called;
use crate::classifier::TaskClass;
use crate::record::foreign::fields::owned;
use crate::record::json::Plain;
use crate::record::skip::Refusal;
use crate::record::value::{Object, Value};
use crate::record::{Attempt, Attempts, Record, RecordedNeeds};
use crate::units::Instant;

/// A line that is no answer of a model.
pub(super) const NO_ANSWER: Refusal = Refusal::NotACall("a line of a session that is no answer of a model");
/// How much of a prompt is kept, in bytes; the classifier reads no more.
const PROMPT: usize = 16 << 10;
/// Whoever is no sub-agent.
const MAIN: &str = "main";

/// Who called, in which session and project.
pub(super) struct Caller<'c> {
    pub(super) agent: &'static str,
    pub(super) session: &'c str,
    pub(super) folder: &'c str,
    /// The sub-agent; empty for the main one.
    pub(super) sub_agent: &'c str,
    /// What it was asked, where the log tells.
    pub(super) asked: Option<&'c Asked>,
}

/// What a person, or the agent that started another one, asked last in a session, and what tools were called for it.
#[derive(Debug, Default)]
pub(super) struct Asked {
    prompt: String,
    turns: u32,
    pub(super) called: Called,
}

impl Asked {
    /// Takes in what is asked now.
    pub(super) fn ask(&mut self, prompt: &str) {
        self.turns = if self.prompt.is_empty() { 0 } else { self.turns.saturating_add(1) };
        self.prompt = kept(prompt);
        self.called.asked();
    }
}

/// Makes a record of one call.
pub(super) fn record(id: &str, at: Instant, caller: &Caller<'_>, only: Attempt<'static>) -> Record<'static> {
    let asked = caller.asked.filter(|asked| !asked.prompt.is_empty());
    let sub_agent = if caller.sub_agent.is_empty() { MAIN } else { caller.sub_agent };
    Record {
        id: owned(id),
        at,
        team: Cow::Borrowed(caller.agent),
        project: Cow::Owned(last_part(caller.folder).to_owned()),
        user: Cow::Owned(sub_agent.to_owned()),
        session: Cow::Owned(caller.session.to_owned()),
        task: Some(TaskClass::Agent),
        turn: asked.map(|asked| asked.turns),
        prompt: asked.map(|asked| Cow::Owned(asked.prompt.clone())),
        attempts: Attempts::one(only),
        needs: RecordedNeeds {
            down: caller.asked.map(|asked| asked.called.tag()).unwrap_or_default(),
            ..RecordedNeeds::default()
        },
        ..Record::default()
    }
}

/// Joins the texts of those parts of a message that are asked for.
pub(super) fn texts(parts: &[Value<'_>], is_asked: impl Fn(&Object<'_>) -> bool) -> String {
    let objects =
        parts.iter().filter(|part| part.raw().starts_with('{')).filter_map(|part| part.object().ok());
    let text = |part: Object<'_>| match part.get("text").ok()?.plain().ok()? {
        Plain::Text(text) => Some(text.into_owned()),
        _ => None,
    };
    objects.filter(is_asked).filter_map(text).collect::<Vec<_>>().join("\n")
}

/// Returns the last part of a path, of either kind.
fn last_part(path: &str) -> &str {
    path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default()
}

/// Cuts a prompt to what is kept of it.
fn kept(text: &str) -> String {
    let mut end = text.len().min(PROMPT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
