//! What has happened in a stream so far, whatever dialect it is in.
//!
//! Invariant: memory is bounded whatever the length of the stream.

use super::answer::fits;
use super::json::Progress;
use super::reply::Delta;
use super::{Ask, Finish, WireError};
use crate::routing::Check;

/// The most bytes of delivered text that wait for whoever counts them, and of JSON that is checked at the end.
const KEPT: usize = 1024 * 1024;

/// What has happened so far.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each notes one thing that happened or did not")]
pub(super) struct Story {
    /// The client has been shown something of the answer, thoughts included.
    pub(super) has_content: bool,
    /// There was an answer: text, a refusal, a call.
    pub(super) has_answer: bool,
    pub(super) delivered: String,
    pub(super) delivered_bytes: u64,
    pub(super) thought_bytes: u64,
    /// The text, where it has to be JSON, as far as it is kept.
    json: Option<String>,
    text_bytes: u64,
    /// How far the arguments of the calls have come.
    arguments: Vec<Progress>,
    pub(super) model: Option<String>,
    pub(super) finish: Option<Finish>,
    /// How many choices have ended, and how many there are to be.
    finished: u32,
    choices: u32,
    /// The last event has come.
    pub(super) is_over: bool,
    /// The closing events, or an error, have been written.
    pub(super) is_closed: bool,
    /// The stream could not be followed further.
    pub(super) failure: Option<WireError>,
}

impl Story {
    /// Begins the answer to `ask`.
    pub(super) fn new(ask: &Ask) -> Self {
        let measures = ask.measures();
        let json = (measures.wants_json && measures.choices == 1).then(String::new);
        Self { json, choices: measures.choices.max(1), ..Self::default() }
    }

    /// Counts the text that is kept.
    pub(super) fn held(&self) -> usize {
        self.delivered.len() + self.json.as_ref().map_or(0, String::len)
    }

    /// Takes note of what is added.
    pub(super) fn note(&mut self, delta: &Delta<'_>) {
        match delta {
            Delta::Start { model, .. } => {
                if !model.is_empty() && self.model.as_deref() != Some(*model) {
                    self.model = Some((*model).to_owned());
                }
            }
            Delta::Text(text) => {
                self.text_bytes = self.text_bytes.saturating_add(text.len() as u64);
                if let Some(json) = &mut self.json {
                    keep(json, text);
                }
                self.has_answer |= !text.trim().is_empty();
                self.deliver(text);
            }
            Delta::Refusal(text) => {
                self.has_answer = true;
                self.deliver(text);
            }
            Delta::CallStart { name, .. } => {
                self.has_answer = true;
                self.arguments.push(Progress::default());
                self.deliver(name);
            }
            Delta::CallArguments { call, text } => {
                if let Some(arguments) = self.arguments.get_mut(*call) {
                    arguments.push(text);
                }
                self.deliver(text);
            }
            Delta::Thought(text) => {
                self.has_content = true;
                self.thought_bytes = self.thought_bytes.saturating_add(text.len() as u64);
            }
            Delta::Other => {
                self.has_answer = true;
                self.has_content = true;
            }
            Delta::CallEnd { .. } | Delta::Choice(_) | Delta::Logprobs(_) => {}
            Delta::Finish { finish, .. } => {
                self.finish = Some(finish.beside(!self.arguments.is_empty()));
                self.finished = self.finished.saturating_add(1);
            }
        }
    }

    fn deliver(&mut self, text: &str) {
        self.has_content = true;
        self.delivered_bytes = self.delivered_bytes.saturating_add(text.len() as u64);
        keep(&mut self.delivered, text);
    }

    /// Says whether the answer is whole: its last event, or the end of every choice, has come.
    pub(super) fn is_complete(&self) -> bool {
        self.failure.is_none() && (self.is_over || self.finished >= self.choices)
    }

    /// Says whether a whole answer is fit for use.
    pub(super) fn check(&self, required: &[String]) -> Check {
        if !self.is_complete() {
            return Check::None;
        }
        let is_fit = |arguments: &Progress| arguments.is_object() || arguments.is_nothing();
        if !self.has_answer || !self.arguments.iter().all(is_fit) {
            return Check::Failed;
        }
        match &self.json {
            _ if !self.arguments.is_empty() => Check::Passed,
            Some(json) if json.len() as u64 == self.text_bytes => {
                let is_cut = self.finish == Some(Finish::Length);
                if !is_cut && fits(json, required) { Check::Passed } else { Check::Failed }
            }
            _ => Check::None,
        }
    }
}

/// Adds what there is room for.
fn keep(kept: &mut String, text: &str) {
    let mut room = KEPT.saturating_sub(kept.len()).min(text.len());
    while !text.is_char_boundary(room) {
        room -= 1;
    }
    kept.push_str(text.get(..room).unwrap_or_default());
}
