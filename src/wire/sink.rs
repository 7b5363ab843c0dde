//! An answer of another dialect written in the client's, whole or as events.

use bytes::BytesMut;

use super::Ask;
use super::calls::{as_own, own_id};
use super::preface::Preface;
use super::reply::Delta;
use crate::record::usage::Counted;

/// Writes the parts of an answer as events of the client's dialect.
pub(super) trait Sink: Send + Sync {
    /// Writes what is added.
    fn write(&mut self, delta: Delta<'_>, out: &mut BytesMut);

    /// Writes the closing events.
    fn close(&mut self, usage: Option<Counted>, out: &mut BytesMut);

    /// Turns to another of the answers, where the dialect has several.
    fn choose(&mut self, _choice: usize) {}

    /// Counts the text that is kept.
    fn held(&self) -> usize {
        0
    }

    /// Goes on with a message that has begun already.
    fn go_on(&mut self, _preface: &Preface) {}

    /// Returns what a client knows of the message, where it is told of it before there is content.
    fn preface(&self) -> Preface {
        Preface::default()
    }
}

/// What a message says of itself: its id and its model.
pub(super) struct Head {
    prefix: &'static str,
    pub(super) id: String,
    pub(super) model: String,
    /// Whether the message has begun.
    pub(super) has_begun: bool,
    /// Whether an earlier try began it, so that its id stays.
    pub(super) goes_on: bool,
}

impl Head {
    /// Makes that of an answer to `ask`; ids of the dialect begin with `prefix`.
    pub(super) fn new(prefix: &'static str, ask: &Ask) -> Self {
        let (id, model) = (own_id(prefix, "", ask), ask.model().to_owned());
        Self { prefix, id, model, has_begun: false, goes_on: false }
    }

    /// Takes over what the provider says of itself.
    pub(super) fn name(&mut self, id: &str, model: &str) {
        if !id.is_empty() && !self.goes_on {
            self.id = as_own(self.prefix, id);
        }
        if !model.is_empty() {
            model.clone_into(&mut self.model);
        }
    }

    /// Goes on with a message that an earlier try began.
    pub(super) fn go_on(&mut self, preface: &Preface) {
        if !preface.id.is_empty() {
            self.id.clone_from(&preface.id);
        }
        (self.has_begun, self.goes_on) = (true, true);
    }

    /// Returns what a client knows of the message; `events` numbers the next one.
    pub(super) fn preface(&self, events: u64) -> Preface {
        Preface { id: self.id.clone(), events, has_begun: self.has_begun, ..Preface::default() }
    }
}
