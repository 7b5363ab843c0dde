//! An answer of another dialect, written as Gemini's chunks. A call stands whole in one chunk, so its arguments are gathered.

use bytes::BytesMut;

use super::write_answer::{finish_word, function_call, wants_thoughts};
use crate::record::usage::Counted;
use crate::wire::calls::is_fit;
use crate::wire::json::{Array, Object, object};
use crate::wire::reply::{Delta, Finish};
use crate::wire::translate::own_id;
use crate::wire::{Ask, usage};

/// Writes chunks.
#[derive(Debug)]
pub(in crate::wire) struct Sink {
    id: String,
    model: String,
    with_thoughts: bool,
    /// The call that has begun: id, name, arguments so far.
    call: Option<(String, String, String)>,
    finish: Finish,
}

impl Sink {
    /// Starts a stream that answers `ask`.
    pub(in crate::wire) fn new(ask: &Ask) -> Self {
        Self {
            id: own_id("", "", ask),
            model: ask.model().to_owned(),
            with_thoughts: wants_thoughts(ask),
            call: None,
            finish: Finish::Other,
        }
    }

    /// Counts the text that is kept.
    pub(in crate::wire) fn held(&self) -> usize {
        self.call.as_ref().map_or(0, |(_, _, arguments)| arguments.len())
    }

    /// Writes what is added.
    pub(in crate::wire) fn write(&mut self, delta: Delta<'_>, out: &mut BytesMut) {
        match delta {
            Delta::Start { id, model } => {
                if !id.is_empty() {
                    id.clone_into(&mut self.id);
                }
                if !model.is_empty() {
                    model.clone_into(&mut self.model);
                }
            }
            Delta::Text(text) | Delta::Refusal(text) => {
                self.parts(out, |a| a.object(|o| o.text("text", text)));
            }
            Delta::Thought(text) if self.with_thoughts => self.parts(out, |a| {
                a.object(|o| {
                    o.text("text", text);
                    o.flag("thought", true);
                });
            }),
            Delta::Thought(_) | Delta::Other => {}
            Delta::CallStart { id, name, .. } => {
                self.call = Some((id.to_owned(), name.to_owned(), String::new()));
            }
            Delta::CallArguments { text, .. } => {
                if let Some((_, _, arguments)) = &mut self.call {
                    arguments.push_str(text);
                }
            }
            Delta::CallEnd { .. } => {
                // Arguments that the limit of output cut are no JSON; the end tells of the limit.
                let call = self.call.take().filter(|(_, _, arguments)| is_fit(arguments));
                if let Some((id, name, arguments)) = call {
                    self.parts(out, |a| a.object(|o| function_call(o, &id, &name, &arguments)));
                }
            }
            Delta::Finish { finish, .. } => self.finish = finish,
        }
    }

    fn parts(&self, out: &mut BytesMut, fill: impl FnOnce(&mut Array<'_>)) {
        self.chunk(out, |o| {
            o.array("candidates", |a| {
                a.object(|o| {
                    o.object("content", |o| {
                        o.array("parts", fill);
                        o.text("role", "model");
                    });
                    o.number("index", 0);
                });
            });
        });
    }

    fn chunk(&self, out: &mut BytesMut, fill: impl FnOnce(&mut Object<'_>)) {
        let mut data = Vec::with_capacity(192);
        data.extend_from_slice(b"data: ");
        object(&mut data, |o| {
            fill(o);
            o.text("modelVersion", &self.model);
            o.text("responseId", &self.id);
        });
        data.extend_from_slice(b"\n\n");
        out.extend_from_slice(&data);
    }

    /// Writes the closing chunk: why it ended, and what was used.
    pub(in crate::wire) fn close(&mut self, counted: Option<Counted>, out: &mut BytesMut) {
        self.chunk(out, |o| {
            o.array("candidates", |a| {
                a.object(|o| {
                    o.object("content", |o| {
                        o.array("parts", |a| a.object(|o| o.text("text", "")));
                        o.text("role", "model");
                    });
                    o.text("finishReason", finish_word(self.finish));
                    o.number("index", 0);
                });
            });
            if let Some(counted) = counted {
                o.object("usageMetadata", |o| usage::gemini(o, &counted));
            }
        });
    }
}
