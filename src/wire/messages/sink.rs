//! An answer of another dialect, written as the events of a message.
//!
//! Blocks come one after the other: a new one closes the last. The prompt's tokens are known at the end only: they stand in
//! `message_delta`, where clients take the last value said, and `message_start` carries an estimate, as clients read from it
//! how full their context is.

use bytes::BytesMut;

use super::{SIGNATURE, finish_word};
use crate::record::usage::Counted;
use crate::wire::json::{Object, object};
use crate::wire::preface::Preface;
use crate::wire::prompt::safe_id;
use crate::wire::reply::{Delta, Finish};
use crate::wire::translate::{as_own, own_id};
use crate::wire::{Ask, usage};

/// What ids of messages begin with.
const PREFIX: &str = "msg_";

/// Writes events.
#[derive(Debug)]
pub(in crate::wire) struct Sink {
    id: String,
    model: String,
    has_started: bool,
    /// The block being written.
    open: Option<Open>,
    /// How many blocks have begun.
    blocks: u64,
    /// What the prompt comes to until the provider has counted it.
    prompt: Counted,
    finish: Finish,
    stop: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Thought(u64),
    Text(u64),
    Call(u64),
}

impl Sink {
    /// Starts a stream that answers `ask`.
    pub(in crate::wire) fn new(ask: &Ask) -> Self {
        Self {
            id: own_id(PREFIX, "", ask),
            model: ask.model().to_owned(),
            has_started: false,
            open: None,
            blocks: 0,
            prompt: usage::prompt_alone(ask.measures().estimated_prompt_tokens),
            finish: Finish::Other,
            stop: None,
        }
    }

    /// Goes on with a message that has begun already.
    pub(in crate::wire) fn go_on(&mut self, preface: &Preface) {
        if !preface.id.is_empty() {
            self.id.clone_from(&preface.id);
        }
        self.has_started = true;
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
            Delta::Text(text) | Delta::Refusal(text) => {
                let index = self.block(false, out);
                block_delta(out, index, |o| {
                    o.text("type", "text_delta");
                    o.text("text", text);
                });
            }
            Delta::Thought(text) => {
                let index = self.block(true, out);
                block_delta(out, index, |o| {
                    o.text("type", "thinking_delta");
                    o.text("thinking", text);
                });
            }
            Delta::CallStart { id, name, .. } => {
                self.close_block(out);
                let index = self.begin(out, |o| {
                    o.text("type", "tool_use");
                    o.text("id", &safe_id(id));
                    o.text("name", name);
                    o.object("input", |_| {});
                });
                self.open = Some(Open::Call(index));
            }
            Delta::CallArguments { text, .. } => {
                if let Some(Open::Call(index)) = self.open {
                    block_delta(out, index, |o| {
                        o.text("type", "input_json_delta");
                        o.text("partial_json", text);
                    });
                }
            }
            Delta::CallEnd { .. } => self.close_block(out),
            Delta::Other | Delta::Choice(_) | Delta::Logprobs(_) => {}
            Delta::Finish { finish, stop } => {
                self.finish = finish;
                self.stop = stop.map(str::to_owned);
            }
        }
    }

    fn start(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        event(out, "message_start", |o| {
            o.object("message", |o| {
                o.text("id", &self.id);
                o.text("type", "message");
                o.text("role", "assistant");
                o.text("model", &self.model);
                o.array("content", |_| {});
                o.raw("stop_reason", "null");
                o.raw("stop_sequence", "null");
                o.object("usage", |o| usage::messages(o, &self.prompt));
            });
        });
    }

    /// Gives the block of thoughts or of text that is being written, which may begin now.
    fn block(&mut self, is_thought: bool, out: &mut BytesMut) -> u64 {
        match self.open {
            Some(Open::Thought(index)) if is_thought => return index,
            Some(Open::Text(index)) if !is_thought => return index,
            _ => self.close_block(out),
        }
        let index = self.begin(out, |o| {
            let kind = if is_thought { "thinking" } else { "text" };
            o.text("type", kind);
            o.text(kind, "");
            if is_thought {
                o.text("signature", "");
            }
        });
        self.open = Some(if is_thought { Open::Thought(index) } else { Open::Text(index) });
        index
    }

    fn begin(&mut self, out: &mut BytesMut, fill: impl FnOnce(&mut Object<'_>)) -> u64 {
        self.start(out);
        let index = self.blocks;
        self.blocks += 1;
        event(out, "content_block_start", |o| {
            o.number("index", index);
            o.object("content_block", fill);
        });
        index
    }

    fn close_block(&mut self, out: &mut BytesMut) {
        let Some(open) = self.open.take() else { return };
        let (Open::Thought(index) | Open::Text(index) | Open::Call(index)) = open;
        if let Open::Thought(_) = open {
            block_delta(out, index, |o| {
                o.text("type", "signature_delta");
                o.text("signature", SIGNATURE);
            });
        }
        event(out, "content_block_stop", |o| o.number("index", index));
    }

    /// Writes the closing events.
    pub(in crate::wire) fn close(&mut self, counted: Option<Counted>, out: &mut BytesMut) {
        self.start(out);
        self.close_block(out);
        event(out, "message_delta", |o| {
            o.object("delta", |o| {
                o.text("stop_reason", finish_word(self.finish, self.stop.as_deref()));
                o.text_or_null("stop_sequence", self.stop.as_deref());
            });
            o.object("usage", |o| usage::messages(o, &counted.unwrap_or(self.prompt)));
        });
        event(out, "message_stop", |_| {});
    }
}

fn block_delta(out: &mut BytesMut, index: u64, fill: impl FnOnce(&mut Object<'_>)) {
    event(out, "content_block_delta", |o| {
        o.number("index", index);
        o.object("delta", fill);
    });
}

fn event(out: &mut BytesMut, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
    let mut data = Vec::with_capacity(256);
    data.extend_from_slice(b"event: ");
    data.extend_from_slice(name.as_bytes());
    data.extend_from_slice(b"\ndata: ");
    object(&mut data, |o| {
        o.text("type", name);
        fill(o);
    });
    data.extend_from_slice(b"\n\n");
    out.extend_from_slice(&data);
}
