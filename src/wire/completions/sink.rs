//! An answer of another dialect, written as chunks of a completion.

use bytes::BytesMut;

use super::{PREFIX, echoed, finish_word};
use crate::record::usage::Counted;
use crate::wire::json::{Object, object};
use crate::wire::reply::{Delta, Finish};
use crate::wire::translate::{as_own, own_id};
use crate::wire::{Ask, usage};

/// Writes chunks.
#[derive(Debug)]
pub(in crate::wire) struct Sink {
    id: String,
    model: String,
    created: u64,
    wants_usage: bool,
    /// The prompt, until it is repeated.
    echo: String,
    finish: Finish,
}

impl Sink {
    /// Starts a stream that answers `ask`.
    pub(in crate::wire) fn new(ask: &Ask) -> Self {
        Self {
            id: own_id(PREFIX, "", ask),
            model: ask.model().to_owned(),
            created: ask.received(),
            wants_usage: ask.wants_stream_usage(),
            echo: echoed(ask),
            finish: Finish::Other,
        }
    }

    /// Counts the text that is kept.
    pub(in crate::wire) fn held(&self) -> usize {
        self.echo.len()
    }

    /// Writes what is added.
    pub(in crate::wire) fn write(&mut self, delta: Delta<'_>, out: &mut BytesMut) {
        match delta {
            Delta::Start { id, model } => {
                if !id.is_empty() {
                    self.id = as_own(PREFIX, id);
                }
                if !model.is_empty() {
                    model.clone_into(&mut self.model);
                }
            }
            Delta::Text(text) | Delta::Refusal(text) => {
                self.echo(out);
                self.choice(out, text, None);
            }
            Delta::Finish { finish, .. } => self.finish = finish,
            Delta::Thought(_)
            | Delta::Other
            | Delta::CallStart { .. }
            | Delta::CallArguments { .. }
            | Delta::CallEnd { .. } => {}
        }
    }

    fn echo(&mut self, out: &mut BytesMut) {
        let echo = std::mem::take(&mut self.echo);
        if !echo.is_empty() {
            self.choice(out, &echo, None);
        }
    }

    fn choice(&self, out: &mut BytesMut, text: &str, finish: Option<&str>) {
        self.chunk(out, |o| {
            o.array("choices", |a| {
                a.object(|o| {
                    o.text("text", text);
                    o.number("index", 0);
                    o.raw("logprobs", "null");
                    o.text_or_null("finish_reason", finish);
                });
            });
        });
    }

    fn chunk(&self, out: &mut BytesMut, fill: impl FnOnce(&mut Object<'_>)) {
        let mut data = Vec::with_capacity(192);
        data.extend_from_slice(b"data: ");
        object(&mut data, |o| {
            o.text("id", &self.id);
            o.text("object", "text_completion");
            o.number("created", self.created);
            o.text("model", &self.model);
            fill(o);
        });
        data.extend_from_slice(b"\n\n");
        out.extend_from_slice(&data);
    }

    /// Writes the closing chunks: why it ended, what was used where the client asked for it, and the mark of the end.
    pub(in crate::wire) fn close(&mut self, counted: Option<Counted>, out: &mut BytesMut) {
        self.echo(out);
        self.choice(out, "", Some(finish_word(self.finish)));
        if let Some(counted) = counted.filter(|_| self.wants_usage) {
            self.chunk(out, |o| {
                o.array("choices", |_| {});
                o.object("usage", |o| usage::chat(o, &counted));
            });
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}
