//! A provider's answer, whole or in pieces, as every dialect has it.

use std::borrow::Cow;

use serde::Deserialize;

use super::WireError;
use super::faults::clean;
use super::json::Value;
use super::logprobs::Logprobs;
use crate::record::json;
use crate::record::usage::{Counted, UsageError};

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Finish {
    /// The model was done, or met a stop sequence.
    Stop,
    /// The limit of output was reached.
    Length,
    /// The model wants tools to be called.
    ToolCalls,
    /// The provider held the answer back, or the model refused.
    Filtered,
    /// The provider did not say.
    #[default]
    Other,
    /// As no whole answer ends: the provider says that it went wrong, or a word that nobody knows.
    Failed,
}

impl Finish {
    /// Gives why an answer ended that has calls of tools, or none, whatever word its provider has for it.
    pub(super) fn beside(self, has_calls: bool) -> Self {
        match self {
            Self::Stop | Self::Other if has_calls => Self::ToolCalls,
            Self::ToolCalls if !has_calls => Self::Stop,
            finish => finish,
        }
    }
}

/// A finished answer.
#[derive(Debug, Default)]
pub(super) struct Reply<'a> {
    pub(super) id: Cow<'a, str>,
    pub(super) model: Option<Cow<'a, str>>,
    pub(super) choices: Vec<Choice<'a>>,
    pub(super) usage: Option<Counted>,
}

/// One of the answers to a request.
#[derive(Debug, Default)]
pub(super) struct Choice<'a> {
    pub(super) parts: Vec<Part<'a>>,
    pub(super) finish: Finish,
    /// The stop sequence that was met.
    pub(super) stop: Option<Cow<'a, str>>,
    /// What the provider says went wrong with it.
    pub(super) fault: Option<WireError>,
    /// How likely its tokens were.
    pub(super) logprobs: Option<Logprobs<'a>>,
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// What the model thought before it spoke, as far as the provider shows it.
    Thought(Cow<'a, str>),
    Text(Cow<'a, str>),
    Refusal(Cow<'a, str>),
    Call(Call<'a>),
    /// What only the provider's own dialect has: a picture, a sound, a call of a tool that the provider runs.
    Other,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call<'a> {
    /// Empty where the provider gives none.
    pub(super) id: Cow<'a, str>,
    pub(super) name: Cow<'a, str>,
    /// The arguments as JSON text, exactly as the model wrote them.
    pub(super) arguments: Cow<'a, str>,
}

impl<'a> Choice<'a> {
    /// Gives the texts put together.
    pub(super) fn text(&self) -> Cow<'_, str> {
        let mut texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text),
            _ => None,
        });
        let first = texts.next().map(|text| Cow::Borrowed(&**text)).unwrap_or_default();
        texts.fold(first, |mut all, text| {
            all.to_mut().push_str(text);
            all
        })
    }

    /// Says whether there is anything for the one who asked; thoughts alone are nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.parts.iter().all(|part| match part {
            Part::Thought(_) => true,
            Part::Text(text) => text.trim().is_empty(),
            Part::Refusal(_) | Part::Call(_) | Part::Other => false,
        })
    }

    /// Gives the calls of tools.
    pub(super) fn calls(&self) -> impl Iterator<Item = &Call<'a>> {
        self.parts.iter().filter_map(|part| match part {
            Part::Call(call) => Some(call),
            _ => None,
        })
    }

    /// Gives the calls of tools, to be completed.
    pub(super) fn calls_mut(&mut self) -> impl Iterator<Item = &mut Call<'a>> {
        self.parts.iter_mut().filter_map(|part| match part {
            Part::Call(call) => Some(call),
            _ => None,
        })
    }

    /// Gives the bytes of everything the model wrote.
    pub(super) fn bytes(&self) -> u64 {
        let of = |part: &Part<'_>| match part {
            Part::Text(text) | Part::Refusal(text) | Part::Thought(text) => text.len(),
            Part::Other => 0,
            Part::Call(call) => call.name.len() + call.arguments.len(),
        };
        self.parts.iter().map(|part| of(part) as u64).sum()
    }
}

/// What an event of a stream adds to the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Something that only the provider's own dialect has.
    Other,
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

/// What an event was besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// An event like any other.
    Some,
    /// It carries nothing but usage.
    UsageOnly,
    /// The last one.
    End,
}

/// The most characters of a provider's word that are told on.
const WORD: usize = 80;

/// Makes the error of an answer that ended as no whole one does: `field` said `word`.
pub(super) fn ended(field: &str, word: &str) -> WireError {
    let word: String = clean(word).chars().take(WORD).collect();
    WireError::Ended(format!("it ended with {field} \"{word}\""))
}

/// Makes the error of an answer whose provider did not say that it had ended: a null is none of its words for that.
pub(super) fn unended(field: &str) -> WireError {
    WireError::Ended(format!("it ended without a {field}"))
}

/// Says what is wrong with how an answer ended, by the word for it.
pub(super) fn misended(field: &str, word: Option<&str>, finish: Finish) -> Option<WireError> {
    match word {
        None => Some(unended(field)),
        Some(word) => (word.is_empty() || finish == Finish::Failed).then(|| ended(field, word)),
    }
}

/// Makes the error of an answer that ends well and says nothing.
pub(super) fn ended_empty() -> WireError {
    WireError::Ended("it ended without a word".to_owned())
}

/// Reads a usage block; one that cannot be right counts as not said, as an answer is worth more than its bill.
pub(super) fn block<T: for<'de> Deserialize<'de>>(value: Value<'_>) -> Option<T> {
    json::read(value.raw()).ok()
}

/// Gives the buckets of a block, where they say anything.
pub(super) fn buckets(counted: Result<Counted, UsageError>) -> Option<Counted> {
    counted.ok().filter(|counted| counted.usage.is_known())
}

/// Reads the text of a message's content: a string, or the text parts of a list.
pub(super) fn content_text(content: Value<'_>) -> Option<Cow<'_, str>> {
    if content.is_text() {
        return content.text();
    }
    let mut texts = content.items().filter_map(|part| part.text_of("text"));
    let first = texts.next()?;
    Some(texts.fold(first, |mut all, text| {
        all.to_mut().push_str(&text);
        all
    }))
}
