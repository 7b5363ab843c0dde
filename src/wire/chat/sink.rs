//! An answer of another dialect, written as chat chunks.

use bytes::BytesMut;

use super::answer::called;
use super::finish_word;
use crate::record::usage::Counted;
use crate::wire::json::{Object, object};
use crate::wire::preface::Preface;
use crate::wire::reply::{Delta, Finish};
use crate::wire::tools::{ToolKinds, custom_input};
use crate::wire::translate::{as_own, own_id};
use crate::wire::{Ask, usage};

/// What ids of chat completions begin with.
const PREFIX: &str = "chatcmpl-";

/// Writes chunks.
#[derive(Debug)]
pub(in crate::wire) struct Sink {
    id: String,
    model: String,
    created: u64,
    wants_usage: bool,
    has_started: bool,
    /// Whether the model needs no further name.
    is_named: bool,
    tools: ToolKinds,
    /// The arguments of custom tools' calls, whose input is known once they are whole.
    custom: Vec<(usize, String)>,
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
            has_started: false,
            is_named: true,
            tools: ask.tool_kinds(),
            custom: Vec::new(),
            finish: Finish::Other,
        }
    }

    /// Goes on with a message that has begun already.
    pub(in crate::wire) fn go_on(&mut self, preface: &Preface) {
        if !preface.id.is_empty() {
            self.id.clone_from(&preface.id);
        }
        self.has_started = true;
        self.is_named = false;
    }

    /// Says whether the message has begun.
    pub(in crate::wire) fn has_begun(&self) -> bool {
        self.has_started
    }

    /// Gives the id that the message has.
    pub(in crate::wire) fn id(&self) -> &str {
        &self.id
    }

    /// Writes what is added.
    pub(in crate::wire) fn write(&mut self, delta: Delta<'_>, out: &mut BytesMut) {
        match delta {
            Delta::Start { id, model } => {
                if self.has_started {
                    // The model of a message that an earlier try began is the one that answers.
                    if !std::mem::replace(&mut self.is_named, true) && !model.is_empty() {
                        model.clone_into(&mut self.model);
                    }
                    return;
                }
                if !id.is_empty() {
                    self.id = as_own(PREFIX, id);
                }
                if !model.is_empty() {
                    model.clone_into(&mut self.model);
                }
                self.start(out);
            }
            Delta::Text(text) => self.delta(out, |o| o.text("content", text)),
            Delta::Refusal(text) => self.delta(out, |o| o.text("refusal", text)),
            Delta::Thought(text) => self.delta(out, |o| o.text("reasoning_content", text)),
            Delta::CallStart { call, id, name } => {
                let custom = self.tools.origin(name).map(|origin| origin.name.clone());
                if custom.is_some() {
                    self.custom.push((call, String::new()));
                }
                self.call(out, call, |o| {
                    o.text("id", id);
                    called(o, name, custom.as_deref(), "");
                });
            }
            Delta::CallArguments { call, text } => {
                if let Some((_, arguments)) = self.custom.iter_mut().find(|(of, _)| *of == call) {
                    arguments.push_str(text);
                } else {
                    self.call(out, call, |o| o.object("function", |o| o.text("arguments", text)));
                }
            }
            Delta::CallEnd { call } => {
                if let Some(at) = self.custom.iter().position(|(of, _)| *of == call) {
                    let (_, arguments) = self.custom.swap_remove(at);
                    let input = custom_input(&arguments);
                    self.call(out, call, |o| o.object("custom", |o| o.text("input", &input)));
                }
            }
            Delta::Other => {}
            Delta::Finish { finish, .. } => self.finish = finish,
        }
    }

    fn start(&mut self, out: &mut BytesMut) {
        self.has_started = true;
        self.delta(out, |o| {
            o.text("role", "assistant");
            o.text("content", "");
            o.raw("refusal", "null");
        });
    }

    fn delta(&mut self, out: &mut BytesMut, fill: impl FnOnce(&mut Object<'_>)) {
        if !self.has_started {
            self.start(out);
        }
        self.chunk(out, |o| {
            o.array("choices", |a| {
                a.object(|o| {
                    o.number("index", 0);
                    o.object("delta", fill);
                    o.raw("logprobs", "null");
                    o.raw("finish_reason", "null");
                });
            });
        });
    }

    fn call(&mut self, out: &mut BytesMut, call: usize, fill: impl FnOnce(&mut Object<'_>)) {
        self.delta(out, |o| {
            o.array("tool_calls", |a| {
                a.object(|o| {
                    o.number("index", call as u64);
                    fill(o);
                });
            });
        });
    }

    fn chunk(&self, out: &mut BytesMut, fill: impl FnOnce(&mut Object<'_>)) {
        let mut data = Vec::with_capacity(256);
        data.extend_from_slice(b"data: ");
        object(&mut data, |o| {
            o.text("id", &self.id);
            o.text("object", "chat.completion.chunk");
            o.number("created", self.created);
            o.text("model", &self.model);
            fill(o);
        });
        data.extend_from_slice(b"\n\n");
        out.extend_from_slice(&data);
    }

    /// Writes the closing chunks: why it ended, what was used where the client asked for it, and the mark of the end.
    pub(in crate::wire) fn close(&mut self, counted: Option<Counted>, out: &mut BytesMut) {
        if !self.has_started {
            self.start(out);
        }
        self.chunk(out, |o| {
            o.array("choices", |a| {
                a.object(|o| {
                    o.number("index", 0);
                    o.object("delta", |_| {});
                    o.raw("logprobs", "null");
                    o.text("finish_reason", finish_word(self.finish));
                });
            });
        });
        if let Some(counted) = counted.filter(|_| self.wants_usage) {
            self.chunk(out, |o| {
                o.array("choices", |_| {});
                o.object("usage", |o| usage::chat(o, &counted));
            });
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}
