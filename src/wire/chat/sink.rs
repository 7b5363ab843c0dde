//! An answer of another dialect, written as chat chunks.

use bytes::BytesMut;

use super::answer::{FORM, called};
use super::chunks::Chunks;
use super::finish_word;
use crate::record::usage::Counted;
use crate::wire::Ask;
use crate::wire::json::Object;
use crate::wire::preface::Preface;
use crate::wire::reply::Delta;
use crate::wire::tools::{ToolKinds, custom_input};

/// Writes chunks.
#[derive(Debug)]
pub(in crate::wire) struct Sink {
    chunks: Chunks,
    tools: ToolKinds,
    /// Whether the client knows calls in their older form alone: one at most.
    is_legacy: bool,
    /// The arguments of custom tools' calls, by choice and call, whose input is known once they are whole.
    custom: Vec<((usize, usize), String)>,
}

impl Sink {
    /// Starts a stream that answers `ask`.
    pub(in crate::wire) fn new(ask: &Ask) -> Self {
        Self {
            chunks: Chunks::new(FORM, ask),
            tools: ask.tool_kinds(),
            is_legacy: ask.offers_functions(),
            custom: Vec::new(),
        }
    }

    /// Goes on with a message that has begun already.
    pub(in crate::wire) fn go_on(&mut self, preface: &Preface) {
        self.chunks.go_on(preface);
    }

    /// Says whether the message has begun.
    pub(in crate::wire) fn has_begun(&self) -> bool {
        self.chunks.has_begun()
    }

    /// Gives the id that the message has.
    pub(in crate::wire) fn id(&self) -> &str {
        self.chunks.id()
    }

    /// Turns to another choice.
    pub(in crate::wire) fn choose(&mut self, choice: usize) {
        self.chunks.choice = choice;
    }

    /// Writes what is added.
    pub(in crate::wire) fn write(&mut self, delta: Delta<'_>, out: &mut BytesMut) {
        let of = |call: usize| (self.chunks.choice, call);
        match delta {
            Delta::Start { id, model } => {
                let begins = self.chunks.begins();
                self.chunks.name(id, model);
                if begins {
                    self.start(out);
                }
            }
            Delta::Text(text) => self.delta(out, |o| o.text("content", text)),
            Delta::Refusal(text) => self.delta(out, |o| o.text("refusal", text)),
            Delta::Thought(text) => self.delta(out, |o| o.text("reasoning_content", text)),
            Delta::Logprobs(told) => {
                self.begin(out);
                self.chunks.write(out, |o| {
                    o.object("delta", |_| {});
                    told.chat(o);
                    o.raw("finish_reason", "null");
                });
            }
            Delta::CallStart { call, name, .. } if self.is_legacy => self.function(call, out, |o| {
                o.text("name", name);
                o.text("arguments", "");
            }),
            Delta::CallArguments { call, text } if self.is_legacy => {
                self.function(call, out, |o| o.text("arguments", text));
            }
            Delta::CallStart { call, id, name } => {
                let custom = self.tools.origin(name).map(|origin| origin.name.clone());
                if custom.is_some() {
                    self.custom.push((of(call), String::new()));
                }
                self.call(out, call, |o| {
                    o.text("id", id);
                    called(o, name, custom.as_deref(), "");
                });
            }
            Delta::CallArguments { call, text } => {
                let of = of(call);
                if let Some((_, arguments)) = self.custom.iter_mut().find(|(custom, _)| *custom == of) {
                    arguments.push_str(text);
                } else {
                    self.call(out, call, |o| o.object("function", |o| o.text("arguments", text)));
                }
            }
            Delta::CallEnd { call } => {
                let of = of(call);
                if let Some(at) = self.custom.iter().position(|(custom, _)| *custom == of) {
                    let (_, arguments) = self.custom.swap_remove(at);
                    let input = custom_input(&arguments);
                    self.call(out, call, |o| o.object("custom", |o| o.text("input", &input)));
                }
            }
            Delta::Other | Delta::Choice(_) => {}
            Delta::Finish { finish, .. } => {
                self.begin(out);
                self.chunks.ended(finish);
            }
        }
    }

    fn begin(&mut self, out: &mut BytesMut) {
        if self.chunks.begins() {
            self.start(out);
        }
    }

    fn start(&mut self, out: &mut BytesMut) {
        self.delta(out, |o| {
            o.text("role", "assistant");
            o.text("content", "");
            o.raw("refusal", "null");
        });
    }

    fn delta(&mut self, out: &mut BytesMut, fill: impl FnOnce(&mut Object<'_>)) {
        self.begin(out);
        self.chunks.write(out, |o| {
            o.object("delta", fill);
            o.raw("logprobs", "null");
            o.raw("finish_reason", "null");
        });
    }

    fn function(&mut self, call: usize, out: &mut BytesMut, fill: impl FnOnce(&mut Object<'_>)) {
        if call == 0 {
            self.delta(out, |o| o.object("function_call", fill));
        }
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

    /// Writes the closing chunks.
    pub(in crate::wire) fn close(&mut self, counted: Option<Counted>, out: &mut BytesMut) {
        let is_legacy = self.is_legacy;
        self.chunks.close(counted, out, |o, finish| {
            o.object("delta", |_| {});
            o.raw("logprobs", "null");
            o.text("finish_reason", finish_word(finish, is_legacy));
        });
    }
}
