//! A provider's answer, whole or in pieces, as every dialect has it.

use std::borrow::Cow;
use std::collections::HashSet;

use super::cited::Citation;
use super::error::Result;
use super::faults::clean;
use super::finish::Finish;
use super::json::Value;
use super::logprobs::{Logprobs, ToldLogprobs};
use super::{Dialect, WireError, cited, table};
use crate::record::usage::{Counted, UsageBlock, UsageError, sound};

/// A finished answer: the parts that its source told, put together.
#[derive(Default)]
pub(super) struct Reply {
    pub(super) id: String,
    pub(super) model: Option<String>,
    pub(super) choices: Vec<Choice>,
    pub(super) usage: Option<Counted>,
    /// What the client's dialect has no place for.
    pub(super) left_out: LeftOut,
}

/// One of the answers to a request.
#[derive(Default)]
pub(super) struct Choice {
    pub(super) parts: Vec<Part>,
    pub(super) finish: Finish,
    /// The stop sequence that was met.
    pub(super) stop: Option<String>,
    /// How likely its tokens were.
    pub(super) logprobs: Option<ToldLogprobs>,
    /// What its text rests on.
    pub(super) citations: Vec<Citation>,
}

/// What is cited of a part of a choice, which begins at that character of all its text.
#[derive(Clone, Default)]
pub(super) struct Home<'a> {
    pub(super) from: u64,
    pub(super) cited: Vec<&'a Citation>,
}

/// The kinds of content that were left out of an answer.
#[derive(Default)]
pub(super) struct LeftOut(pub(super) Vec<String>);

/// The most kinds that are named, and the most characters of a name.
const KINDS: usize = 16;
const KIND: usize = 64;

impl LeftOut {
    /// Takes note of what a client's dialect has no place for, and says whether it was that.
    pub(super) fn takes(&mut self, delta: &Delta<'_>, to: Dialect) -> bool {
        let kind = match delta {
            Delta::Picture { .. } if !table::has_pictures(to) => "picture",
            Delta::Other(kind) => kind,
            Delta::Cited(citation) if !table::has_citations(citation.basis(), to) => &citation.kind,
            _ => return false,
        };
        self.note(kind);
        true
    }

    /// Takes note of a kind that was left out.
    pub(super) fn note(&mut self, kind: &str) {
        let kind: String = clean(kind).chars().take(KIND).collect();
        let name = format!("answer ({kind})");
        if self.0.len() < KINDS && !self.0.contains(&name) {
            self.0.push(name);
        }
    }

    /// Makes the error of an answer that holds nothing else.
    pub(super) fn all(&self, to: Dialect) -> Option<WireError> {
        (!self.0.is_empty()).then(|| WireError::Unplaced { what: self.0.join(", "), to })
    }
}

/// A piece of an answer.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// What the model thought before it spoke, as far as the provider shows it.
    Thought(String),
    Text(String),
    Refusal(String),
    Call(Call<'static>),
    /// A picture: what it is in, and its bytes in base64.
    Picture {
        mime: String,
        data: String,
    },
    /// What only the provider's own dialect has, by its kind: a sound, a call of a tool that the provider runs.
    Other(String),
}

/// A call of a tool.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Call<'a> {
    /// Empty where the provider gives none.
    pub(super) id: Cow<'a, str>,
    pub(super) name: Cow<'a, str>,
    /// The arguments as JSON text, exactly as the model wrote them.
    pub(super) arguments: Cow<'a, str>,
}

impl Reply {
    /// Takes what is added; a source tells a whole answer choice by choice, and each call with its arguments right behind it.
    pub(super) fn take(&mut self, delta: Delta<'_>) {
        if let Delta::Start { id, model } = delta {
            id.clone_into(&mut self.id);
            self.model = Some(model.to_owned()).filter(|model| !model.is_empty());
        } else if let Delta::Choice(_) = delta {
            self.choices.push(Choice::default());
        }
        if let Some(choice) = self.choices.last_mut() {
            choice.take(delta);
        }
    }
}

impl Choice {
    /// Takes what is added to it.
    pub(super) fn take(&mut self, delta: Delta<'_>) {
        match (delta, self.parts.last_mut()) {
            (Delta::Text(text), Some(Part::Text(last))) => last.push_str(text),
            (Delta::CallArguments { text, .. }, Some(Part::Call(call))) => {
                call.arguments.to_mut().push_str(text);
            }
            (Delta::Finish { finish, stop }, _) => {
                self.finish = finish;
                self.stop = stop.map(str::to_owned);
            }
            (Delta::Logprobs(told), _) => self.logprobs = Some(told.kept()),
            // One more tells that there were more.
            (Delta::Cited(citation), _) if self.citations.len() <= cited::MOST => {
                self.citations.push(citation.clone());
            }
            (delta, _) => self.parts.extend(Part::of(delta)),
        }
    }
}

impl Reply {
    /// Tells all of it again.
    pub(super) fn tell(&self, tell: Tell<'_>) {
        tell(Delta::Start { id: &self.id, model: self.model.as_deref().unwrap_or_default() });
        let mut calls = 0;
        self.choices.iter().enumerate().for_each(|(nth, choice)| choice.tell(nth, &mut calls, tell));
    }
}

impl Part {
    /// Keeps what is added, where that is a piece of its own.
    pub(super) fn of(delta: Delta<'_>) -> Option<Self> {
        Some(match delta {
            Delta::Text(text) => Self::Text(text.to_owned()),
            Delta::Refusal(text) => Self::Refusal(text.to_owned()),
            Delta::Thought(text) => Self::Thought(text.to_owned()),
            Delta::Picture { mime, data } => Self::Picture { mime: mime.to_owned(), data: data.to_owned() },
            Delta::Other(kind) => Self::Other(kind.to_owned()),
            Delta::CallStart { id, name, .. } => {
                let (id, name) = (id.to_owned().into(), name.to_owned().into());
                Self::Call(Call { id, name, arguments: Cow::default() })
            }
            _ => return None,
        })
    }

    /// Returns what it adds, but for the arguments of a call.
    pub(super) fn delta(&self) -> Delta<'_> {
        match self {
            Self::Thought(text) => Delta::Thought(text),
            Self::Text(text) => Delta::Text(text),
            Self::Refusal(text) => Delta::Refusal(text),
            Self::Picture { mime, data } => Delta::Picture { mime, data },
            Self::Other(kind) => Delta::Other(kind),
            Self::Call(call) => Delta::CallStart { call: 0, id: &call.id, name: &call.name },
        }
    }
}

impl Choice {
    /// Tells it again; `calls` numbers the calls of the answer.
    fn tell(&self, nth: usize, calls: &mut usize, tell: Tell<'_>) {
        if nth > 0 {
            tell(Delta::Choice(nth as u64));
        }
        for (part, home) in self.parts.iter().zip(self.homes()) {
            match part {
                Part::Call(call) => {
                    tell(Delta::CallStart { call: *calls, id: &call.id, name: &call.name });
                    tell(Delta::CallArguments { call: *calls, text: &call.arguments });
                    *calls += 1;
                }
                part => tell(part.delta()),
            }
            home.cited.into_iter().for_each(|citation| tell(Delta::Cited(citation)));
        }
        if let Some(told) = &self.logprobs {
            tell(Delta::Logprobs(told.get()));
        }
        tell(Delta::Finish { finish: self.finish, stop: self.stop.as_deref() });
    }

    /// Returns the texts put together.
    pub(super) fn text(&self) -> Cow<'_, str> {
        let mut texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text),
            _ => None,
        });
        let first = texts.next().map(|text| Cow::Borrowed(text.as_str())).unwrap_or_default();
        texts.fold(first, |mut all, text| {
            all.to_mut().push_str(text);
            all
        })
    }

    /// Brings the citations into order: each once, within the text. Says whether there were too many.
    pub(super) fn settle_citations(&mut self) -> bool {
        if self.citations.is_empty() {
            return false;
        }
        let chars = self.text().chars().count() as u64;
        let mut told = HashSet::new();
        self.citations.iter_mut().for_each(|citation| *citation = citation.within(chars));
        self.citations.retain(|citation| told.insert(citation.key()));
        let is_more = self.citations.len() > cited::MOST;
        self.citations.truncate(cited::MOST);
        is_more
    }

    /// Finds of each part what is cited of it: a citation is about the last text that begins before it.
    pub(super) fn homes(&self) -> Vec<Home<'_>> {
        let mut homes = vec![Home::default(); self.parts.len()];
        if self.citations.is_empty() {
            return homes;
        }
        let (mut chars, mut starts) = (0, Vec::new());
        for (at, (part, home)) in self.parts.iter().zip(&mut homes).enumerate() {
            if let Part::Text(text) = part {
                home.from = chars;
                starts.push((chars, at));
                chars += text.chars().count() as u64;
            }
        }
        for citation in &self.citations {
            let start = citation.span.unwrap_or_default().0;
            let after = starts.partition_point(|(from, _)| *from <= start);
            let at = starts.get(after.saturating_sub(1)).map(|(_, at)| *at);
            if let Some(home) = at.and_then(|at| homes.get_mut(at)) {
                home.cited.push(citation);
            }
        }
        homes
    }

    /// Says whether there is anything for the one who asked; thoughts alone are nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.parts.iter().all(|part| match part {
            Part::Thought(_) => true,
            Part::Text(text) => is_blank(text),
            Part::Refusal(_) | Part::Call(_) | Part::Picture { .. } | Part::Other(_) => false,
        })
    }

    /// Returns the calls of tools.
    pub(super) fn calls(&self) -> impl Iterator<Item = &Call<'static>> {
        self.parts.iter().filter_map(|part| match part {
            Part::Call(call) => Some(call),
            _ => None,
        })
    }

    /// Returns the calls of tools, to be completed.
    pub(super) fn calls_mut(&mut self) -> impl Iterator<Item = &mut Call<'static>> {
        self.parts.iter_mut().filter_map(|part| match part {
            Part::Call(call) => Some(call),
            _ => None,
        })
    }

    /// Returns the bytes of everything the model wrote.
    pub(super) fn bytes(&self) -> u64 {
        let of = |part: &Part| match part {
            Part::Text(text) | Part::Refusal(text) | Part::Thought(text) => text.len(),
            Part::Picture { .. } | Part::Other(_) => 0,
            Part::Call(call) => call.name.len() + call.arguments.len(),
        };
        self.parts.iter().map(|part| of(part) as u64).sum()
    }
}

/// What an event of a stream adds to the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Delta<'a> {
    /// The answer has begun; comes at least once before anything else, and may come again.
    Start {
        id: &'a str,
        model: &'a str,
    },
    Text(&'a str),
    Refusal(&'a str),
    /// The model thinks aloud.
    Thought(&'a str),
    /// A picture: what it is in, and its bytes in base64.
    Picture {
        mime: &'a str,
        data: &'a str,
    },
    /// Something that only the provider's own dialect has, by its kind.
    Other(&'a str),
    /// What a stretch of the text rests on.
    Cited(&'a Citation),
    /// What follows is of this choice; without a word it is of the first.
    Choice(u64),
    /// How likely the tokens of the text before it were.
    Logprobs(Logprobs<'a>),
    /// A call of a tool begins; `call` numbers the calls of this answer. The id is empty where the provider gives none.
    CallStart {
        call: usize,
        id: &'a str,
        name: &'a str,
    },
    CallArguments {
        call: usize,
        text: &'a str,
    },
    /// A call has all its arguments. No reader says this: [`super::order`] does, for writers.
    CallEnd {
        call: usize,
    },
    Finish {
        finish: Finish,
        stop: Option<&'a str>,
    },
}

impl Delta<'_> {
    /// Counts the bytes that it adds to the answer, as [`Choice::bytes`] does of a whole one.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Text(text)
            | Self::Refusal(text)
            | Self::Thought(text)
            | Self::CallStart { name: text, .. }
            | Self::CallArguments { text, .. } => text.len() as u64,
            _ => 0,
        }
    }
}

/// What an event was besides.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// An event like any other.
    Some,
    /// It carries nothing but usage.
    UsageOnly,
    /// The last one.
    End,
}

/// Takes what is added.
pub(super) type Tell<'t> = &'t mut (dyn FnMut(Delta<'_>) + 't);

/// Reads the answers of a provider: one that comes as events, or one that comes whole.
pub(super) trait Source: Send + Sync {
    /// Reads one event and says what it adds.
    fn event(&mut self, root: Value<'_>, tell: Tell<'_>) -> Result<Seen>;

    /// Reads a whole answer and says what it consists of, every choice by its place. What was said of usage is known even
    /// where the answer turns out to be none.
    fn whole(&mut self, root: Value<'_>, tell: Tell<'_>) -> Result<()>;

    /// Says what the mark of the end means (`[DONE]`).
    fn done(&mut self) -> Result<Seen> {
        Ok(Seen::End)
    }

    /// Returns the last event with numbers of its calls that tell them apart, where its own do not.
    fn numbered(&self, _event: &str) -> Option<String> {
        None
    }

    /// Returns the usage said so far.
    fn usage(&self) -> Option<Counted>;
}

/// Tells the texts that say anything.
pub(super) fn said(text: Option<Cow<'_, str>>, tell: impl FnOnce(&str)) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        tell(&text);
    }
}

/// Reads a usage block; what cannot be right in it counts as not said, as an answer is worth more than its bill.
pub(super) fn block<T: UsageBlock>(value: Value<'_>) -> Option<T> {
    sound(value.raw())
}

/// Returns the buckets of a block, where they say anything.
pub(super) fn buckets(counted: Result<Counted, UsageError>) -> Option<Counted> {
    counted.ok().filter(|counted| counted.usage.is_known())
}

/// Reads the text of a message's content: a string, or the text parts of a list.
pub(super) fn content_text(content: Value<'_>) -> Option<Cow<'_, str>> {
    if content.is_text() {
        return content.text();
    }
    let mut texts = content.items().filter_map(|part| part.text_of("text").or_else(|| part.text()));
    let first = texts.next()?;
    Some(texts.fold(first, |mut all, text| {
        all.to_mut().push_str(&text);
        all
    }))
}

/// Adds what there is room for, and says how much that was.
pub(super) fn keep(kept: &mut String, room: usize, text: &str) -> usize {
    let mut room = room.min(text.len());
    while !text.is_char_boundary(room) {
        room -= 1;
    }
    kept.push_str(text.get(..room).unwrap_or_default());
    room
}

/// Says whether nothing of a text can be seen.
pub(super) fn is_blank(text: &str) -> bool {
    let is_unseen =
        |c: char| c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}');
    text.chars().all(is_unseen)
}
