//! What has happened in a stream so far, whatever dialect it is in.
//!
//! Invariant: memory is bounded whatever the length of the stream.

use super::json::{Progress, Value, is_json};
use super::logprobs::Sureness;
use super::reply::{Delta, is_blank, keep};
use super::{Ask, Finish, WireError};
use crate::checks::{Call, Said};
use crate::routing::Check;

/// The most bytes of delivered text that wait for whoever counts them, and of what is checked at the end.
const KEPT: usize = 1024 * 1024;

/// The most choices that are told apart, where no more were asked for.
const CHOICES: usize = 128;

/// What has happened so far.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each notes one thing that happened or did not")]
pub(super) struct Story {
    /// The client has been shown something of the answer, thoughts included.
    pub(super) has_content: bool,
    /// There was an answer: text, a refusal, a call.
    pub(super) has_answer: bool,
    pub(super) delivered: String,
    pub(super) delivered_bytes: u64,
    pub(super) thought_bytes: u64,
    /// Whether the text has to be JSON.
    wants_json: bool,
    wants_object: bool,
    /// Whether it is looked at as it comes.
    watches_json: bool,
    /// Whether the answer is kept for checks.
    keeps: bool,
    /// Whether its calls are kept.
    keeps_calls: bool,
    /// How much is kept for what is looked at in the end, and whether that is all of it.
    kept_bytes: usize,
    keeps_all: bool,
    /// The calls, where the answer is kept: of which choice each is.
    calls: Vec<(u64, Call)>,
    /// Whether a text that has to be JSON cannot become any more.
    pub(super) is_no_json: bool,
    /// Of which choice each call is, and how far its arguments have come.
    arguments: Vec<(u64, Progress)>,
    /// Whether a choice ended well with a call whose arguments are no object.
    pub(super) is_unfit: bool,
    /// The choices that have begun, and the one that is told of.
    begun: Vec<Begun>,
    at: u64,
    /// All those beyond what is told apart.
    rest: Begun,
    pub(super) model: Option<String>,
    pub(super) finish: Option<Finish>,
    /// How many choices there are to be.
    choices: u32,
    /// The last event has come.
    pub(super) is_over: bool,
    /// The closing events, or an error, have been written.
    pub(super) is_closed: bool,
    /// The stream could not be followed further.
    pub(super) failure: Option<WireError>,
}

/// A choice that has begun.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each notes one thing that happened or did not")]
struct Begun {
    nth: u64,
    has_answer: bool,
    has_calls: bool,
    /// Its text, where that has to be JSON or is checked, as far as it is kept.
    text: String,
    text_bytes: u64,
    /// How far that has come towards being JSON, where it has to be.
    json: Progress,
    /// Whether not all of its calls is kept.
    is_truncated: bool,
    has_more: bool,
    sureness: Sureness,
    finish: Option<Finish>,
}

impl Story {
    /// Begins the answer to `ask`.
    pub(super) fn new(ask: &Ask) -> Self {
        let measures = ask.measures();
        Self {
            wants_json: measures.wants_json,
            wants_object: measures.wants_object,
            choices: measures.choices.max(1),
            ..Self::default()
        }
    }

    /// Begins an answer that has come whole, all of which may be kept; it is, where it is checked.
    pub(super) fn of_whole(ask: &Ask, is_checked: bool) -> Self {
        Self { keeps_all: true, keeps: is_checked, keeps_calls: is_checked, ..Self::new(ask) }
    }

    /// Keeps the answer for checks; `wants_json` says that it has to be JSON for them.
    pub(super) fn keep(&mut self, wants_json: bool) {
        (self.keeps, self.watches_json) = (true, self.wants_json || wants_json);
        self.keep_calls();
    }

    /// Keeps its calls from now on, and no text.
    pub(super) fn keep_calls(&mut self) {
        self.keeps_calls = true;
    }

    /// Returns the answers as checks see them.
    pub(super) fn said(&self) -> Vec<Said> {
        let one = |choice: &Begun| Said {
            text: choice.text.clone(),
            calls: self
                .calls
                .iter()
                .filter(|(of, _)| *of == choice.nth)
                .map(|(_, call)| call.clone())
                .collect(),
            has_more: choice.has_more,
            ended: choice.finish.unwrap_or_default().ended(),
            sureness: choice.sureness.get(),
            words: choice.sureness.words(),
            is_truncated: choice.is_truncated || choice.text.len() as u64 != choice.text_bytes,
        };
        self.begun.iter().map(one).collect()
    }

    /// Counts the text that is kept.
    pub(super) fn held(&self) -> usize {
        self.delivered.len() + self.kept_bytes
    }

    /// Returns the bytes that the model has written so far: what was delivered, and its thoughts.
    pub(super) fn written_bytes(&self) -> u64 {
        self.delivered_bytes.saturating_add(self.thought_bytes)
    }

    fn room(&self) -> usize {
        if self.keeps_all { usize::MAX } else { KEPT.saturating_sub(self.kept_bytes) }
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
                let is_kept = self.wants_json || self.keeps;
                let room = if is_kept { self.room() } else { 0 };
                let (is_answer, watches_json) = (!is_blank(text), self.watches_json);
                let choice = self.choice();
                choice.text_bytes = choice.text_bytes.saturating_add(text.len() as u64);
                choice.has_answer |= is_answer;
                let kept = keep(&mut choice.text, room, text);
                if watches_json {
                    choice.json.push(text);
                }
                let is_no_json = watches_json && choice.json.is_wrong();
                self.kept_bytes += kept;
                self.has_answer |= is_answer;
                self.is_no_json |= is_no_json;
                self.deliver(text);
            }
            Delta::Refusal(text) => {
                self.answers().has_more = true;
                self.deliver(text);
            }
            Delta::CallStart { name, .. } => {
                self.answers().has_calls = true;
                self.arguments.push((self.at, Progress::default()));
                if self.keeps_calls {
                    self.calls.push((self.at, Call { name: (*name).to_owned(), arguments: String::new() }));
                    self.kept_bytes += name.len();
                }
                self.deliver(name);
            }
            Delta::CallArguments { call, text } => {
                if let Some((_, arguments)) = self.arguments.get_mut(*call) {
                    arguments.push(text);
                }
                self.keep_arguments(*call, text);
                self.deliver(text);
            }
            Delta::Thought(text) => {
                self.choice();
                self.has_content = true;
                self.thought_bytes = self.thought_bytes.saturating_add(text.len() as u64);
            }
            Delta::Picture { .. } | Delta::Other(_) => {
                self.answers().has_more = true;
                self.has_content = true;
            }
            Delta::Choice(nth) => {
                self.at = *nth;
                self.choice();
            }
            Delta::Logprobs(told) if self.keeps => self.choice().sureness.take(*told),
            Delta::CallEnd { .. } | Delta::Logprobs(_) | Delta::Cited(_) => {}
            Delta::Finish { finish, .. } => {
                let choice = self.choice();
                let finish = finish.beside(choice.has_calls);
                choice.finish = Some(finish);
                self.finish = Some(finish);
                // What the limit of output cut off is no fault of the answer's.
                self.is_unfit |= finish == Finish::ToolCalls
                    && self.arguments.iter().any(|(of, arguments)| *of == self.at && !arguments.is_fit());
            }
        }
    }

    fn keep_arguments(&mut self, call: usize, text: &str) {
        let room = self.room();
        let Some((of, call)) = self.calls.get_mut(call) else { return };
        let kept = keep(&mut call.arguments, room, text);
        self.kept_bytes += kept;
        if kept < text.len()
            && let Some(choice) = self.begun.iter_mut().find(|choice| choice.nth == *of)
        {
            choice.is_truncated = true;
        }
    }

    /// Returns the choice that is told of.
    fn choice(&mut self) -> &mut Begun {
        let most = (self.choices as usize).max(CHOICES);
        let nth = self.at;
        let mut at = self.begun.iter().position(|choice| choice.nth == nth);
        if at.is_none() && self.begun.len() < most {
            at = Some(self.begun.len());
            self.begun.push(Begun { nth, ..Begun::default() });
        }
        at.and_then(|at| self.begun.get_mut(at)).unwrap_or(&mut self.rest)
    }

    /// Takes note that the choice that is told of holds an answer.
    fn answers(&mut self) -> &mut Begun {
        self.has_answer = true;
        let choice = self.choice();
        choice.has_answer = true;
        choice
    }

    fn deliver(&mut self, text: &str) {
        self.has_content = true;
        self.delivered_bytes = self.delivered_bytes.saturating_add(text.len() as u64);
        let room = KEPT.saturating_sub(self.delivered.len());
        keep(&mut self.delivered, room, text);
    }

    /// Says whether every choice that began has ended, and there is one.
    pub(super) fn has_ended(&self) -> bool {
        self.finish.is_some() && self.begun.iter().all(|choice| choice.finish.is_some())
    }

    /// Says whether the answer is whole: its last event, or the end of every choice, has come.
    pub(super) fn is_complete(&self) -> bool {
        let is_complete = || self.begun.len() >= self.choices as usize && self.has_ended();
        self.failure.is_none() && (self.is_over || is_complete())
    }

    /// Says whether a whole answer is fit for use: every choice has to be.
    pub(super) fn check(&self, required: &[String]) -> Check {
        if !self.is_complete() {
            return Check::None;
        }
        if !self.has_answer || !self.arguments.iter().all(|(_, arguments)| arguments.is_fit()) {
            return Check::Failed;
        }
        let mut all = Check::None;
        for choice in &self.begun {
            match choice.check((self.wants_json, self.wants_object), required) {
                Check::Failed => return Check::Failed,
                Check::Passed => all = Check::Passed,
                Check::None => {}
            }
        }
        all
    }
}

impl Begun {
    /// Says whether the choice is fit for use, but for the arguments of its calls: where JSON is wanted, that it is some, and whole.
    /// Where the model calls tools first, the JSON comes with a later answer, whatever it says beside them.
    fn check(&self, (wants_json, wants_object): (bool, bool), required: &[String]) -> Check {
        let is_truncated = || matches!(self.finish, Some(Finish::Length | Finish::Paused));
        match () {
            () if !self.has_answer => Check::Failed,
            () if self.has_calls => Check::Passed,
            // What was too long to keep is not looked into.
            () if !wants_json || self.text.len() as u64 != self.text_bytes => Check::None,
            () if !is_truncated() && fits(&self.text, wants_object, required) => Check::Passed,
            () => Check::Failed,
        }
    }
}

/// Says whether a text is JSON, an object where one is wanted, and has the keys that its schema demands.
fn fits(text: &str, wants_object: bool, required: &[String]) -> bool {
    let value = Value::of(text);
    let has = |name: &String| value.members().any(|(key, _)| key == name.as_str());
    is_json(text) && (!wants_object || value.is_object()) && required.iter().all(has)
}
