//! The frame of chat completions and of the older completions, whole and in chunks: they differ in names and in what a choice
//! holds.

use bytes::BytesMut;

use crate::record::usage::Counted;
use crate::wire::calls::own_id;
use crate::wire::finish::Finish;
use crate::wire::json::{Object, body, put};
use crate::wire::preface::Preface;
use crate::wire::reply::{Choice, Reply};
use crate::wire::sink::Head;
use crate::wire::sse::event;
use crate::wire::{Ask, usage};

/// What tells the two forms apart.
#[derive(Clone, Copy)]
pub(in crate::wire) struct Form {
    /// What ids begin with.
    pub(in crate::wire) prefix: &'static str,
    /// What a whole answer, and a chunk of one, calls itself.
    pub(in crate::wire) object: &'static str,
    pub(in crate::wire) chunk: &'static str,
}

/// Writes a whole answer, whose choices the caller fills.
pub(in crate::wire) fn whole(
    form: Form,
    ask: &Ask,
    reply: &Reply,
    mut fill: impl FnMut(&mut Object<'_>, &Choice),
) -> Vec<u8> {
    body(512, |o| {
        put!(o, "id": &own_id(form.prefix, &reply.id, ask), "object": form.object, "created": ask.received);
        put!(o, "model": reply.model.as_deref().unwrap_or(ask.model()));
        o.array("choices", |a| {
            for (at, choice) in (0u64..).zip(&reply.choices) {
                a.object(|o| {
                    put!(o, "index": at);
                    fill(o, choice);
                });
            }
        });
        if let Some(counted) = &reply.usage {
            put!(o, "usage": |o| usage::chat(o, counted));
        }
    })
}

/// Writes chunks.
pub(in crate::wire) struct Chunks {
    form: Form,
    pub(in crate::wire) head: Head,
    created: u64,
    wants_usage: bool,
    /// The choice that is being told.
    pub(in crate::wire) choice: usize,
    /// Why each choice ended, as far as they have begun.
    ends: Vec<Finish>,
}

impl Chunks {
    /// Starts a stream that answers `ask`.
    pub(in crate::wire) fn new(form: Form, ask: &Ask) -> Self {
        Self {
            form,
            head: Head::new(form.prefix, ask),
            created: ask.received,
            wants_usage: ask.wants_stream_usage(),
            choice: 0,
            ends: Vec::new(),
        }
    }

    /// Goes on with a message whose first choice has begun already.
    pub(in crate::wire) fn go_on(&mut self, preface: &Preface) {
        self.head.go_on(preface);
        self.begins();
    }

    /// Notes that something is told of the choice; says whether that is the first.
    pub(in crate::wire) fn begins(&mut self) -> bool {
        let is_new = self.ends.len() <= self.choice;
        if is_new {
            self.head.has_begun = true;
            self.ends.resize(self.choice + 1, Finish::Other);
        }
        is_new
    }

    /// Notes why the choice ended.
    pub(in crate::wire) fn ended(&mut self, finish: Finish) {
        self.begins();
        if let Some(end) = self.ends.get_mut(self.choice) {
            *end = finish;
        }
    }

    /// Writes a chunk of the choice, of which the caller writes all but its number.
    pub(in crate::wire) fn write(&self, out: &mut BytesMut, fill: impl FnOnce(&mut Object<'_>)) {
        self.chunk(out, |o| {
            o.array("choices", |a| {
                a.object(|o| {
                    put!(o, "index": self.choice as u64);
                    fill(o);
                });
            });
        });
    }

    fn chunk(&self, out: &mut BytesMut, fill: impl FnOnce(&mut Object<'_>)) {
        event(out, "", |o| {
            put!(o, "id": &self.head.id, "object": self.form.chunk, "created": self.created);
            put!(o, "model": &self.head.model);
            fill(o);
        });
    }

    /// Writes the closing chunks: why each choice ended, what was used where the client asked for it, and the mark of the end.
    pub(in crate::wire) fn close(
        &mut self,
        counted: Option<Counted>,
        out: &mut BytesMut,
        fill: impl Fn(&mut Object<'_>, Finish),
    ) {
        for (at, finish) in std::mem::take(&mut self.ends).into_iter().enumerate() {
            self.choice = at;
            self.write(out, |o| fill(o, finish));
        }
        if let Some(counted) = counted.filter(|_| self.wants_usage) {
            self.chunk(out, |o| put!(o, "choices": [], "usage": |o| usage::chat(o, &counted)));
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}
