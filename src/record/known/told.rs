//! A request as a reader of a foreign format gives it.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::ids::{id_of, is_unique, names_nothing};
use super::nest::Nested;
use crate::record::Record;
use crate::record::skip::Refusal;
use crate::units::Span;

/// The same answer, told before.
pub(crate) const REPEATED: Refusal = Refusal::Repeated("tells again of an answer that is counted already");
/// A file that was read before.
pub(crate) const NAMED_TWICE: Refusal = Refusal::Repeated("a file that is named twice; it is read once");

/// A request as a reader gives it, with what it is known by.
#[derive(Debug)]
pub(crate) struct Told {
    /// Apart, so that what is moved about is small.
    pub(crate) record: Box<Record<'static>>,
    /// Names of the answer; two tellings that share one are of the same answer.
    pub(crate) keys: [Option<u64>; 2],
    /// How it stands to spans around and below it.
    pub(crate) nested: Option<Nested>,
    /// How long after its moment more may still be told of it, where its end was not.
    pub(crate) open: Option<Span>,
}

impl Told {
    /// Makes one that is known by these names, and stands in no other. What stands for no name is none.
    pub(crate) fn new(mut record: Record<'static>, keys: [Option<u64>; 2]) -> Self {
        for name in [&mut record.team, &mut record.project, &mut record.user, &mut record.session] {
            if names_nothing(name) {
                *name = Cow::Borrowed("");
            }
        }
        Self { record: record.into(), keys, nested: None, open: None }
    }

    /// Makes one that a row tells, known by the row's id and by the answer's. An id that is short may be a word, or be given
    /// again: with another moment and another prompt it is another call's.
    pub(crate) fn of_row(record: Record<'static>, answer: Option<u64>) -> Self {
        let id = &*record.id;
        let keys = if is_unique(id) {
            [id_of(&[id]), answer]
        } else {
            let prompt = record.attempts.last().and_then(|last| last.usage.prompt());
            let by_prompt = || id_of(&[id, "prompt", &prompt?.to_string()]);
            [id_of(&[id, "at", &record.at.0.to_string()]), answer.or_else(by_prompt)]
        };
        Self::new(record, keys)
    }

    /// Returns the request on: one that may be counted twice as an estimate.
    pub(super) fn given(mut self) -> Record<'static> {
        if self.nested.as_ref().is_some_and(|nested| nested.is_doubtful) {
            let attempts = self.record.attempts.iter_mut();
            attempts.for_each(|attempt| attempt.estimated |= attempt.usage.is_known());
        }
        *self.record
    }

    pub(super) fn is_within(&self, outer: u64) -> bool {
        self.nested.as_ref().is_some_and(|nested| nested.around == Some(outer))
    }

    /// Says whether it is what a span tells, by itself or in other words.
    pub(super) fn is_of(&self, span: u64) -> bool {
        let is_repeat = |nested: &Nested| nested.repeats.contains(&span);
        self.keys.contains(&Some(span)) || self.nested.as_ref().is_some_and(is_repeat)
    }

    pub(super) fn nested(&mut self) -> &mut Nested {
        self.nested.get_or_insert_default()
    }

    pub(super) fn is_sure(&mut self) {
        let repeats = std::mem::take(&mut self.nested().repeats);
        self.nested = Some(Nested { repeats, ..Nested::default() });
    }
}

impl From<Record<'static>> for Told {
    /// Knows a request by its own id.
    fn from(record: Record<'static>) -> Self {
        Self::of_row(record, None)
    }
}

/// Takes one request after another, or why something is none.
pub(crate) type Sink<'s> = dyn FnMut(Result<Told, Refusal>) -> ControlFlow<()> + 's;
