//! An answer of another dialect, written as the events of a message.
//!
//! Blocks come one after the other: a new one closes the last. The prompt's tokens are known at the end only, so they
//! stand in `message_delta`, where clients take the last value said.

use bytes::BytesMut;

use super::finish_word;
use crate::record::usage::Counted;
use crate::wire::json::{Object, object};
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
    /// The blocks of the calls, in the order of the calls.
    calls: Vec<u64>,
    finish: Finish,
    stop: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
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
            calls: Vec::new(),
            finish: Finish::Other,
            stop: None,
        }
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
                let index = self.text_block(out);
                block_delta(out, index, |o| {
                    o.text("type", "text_delta");
                    o.text("text", text);
                });
            }
            Delta::Thought(_) => {}
            Delta::CallStart { id, name, .. } => {
                self.close_block(out);
                let index = self.begin(out, |o| {
                    o.text("type", "tool_use");
                    o.text("id", &safe_id(id));
                    o.text("name", name);
                    o.object("input", |_| {});
                });
                self.calls.push(index);
                self.open = Some(Open::Call(index));
            }
            Delta::CallArguments { call, text } => {
                if let Some(index) = self.calls.get(call) {
                    block_delta(out, *index, |o| {
                        o.text("type", "input_json_delta");
                        o.text("partial_json", text);
                    });
                }
            }
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
                o.object("usage", |o| usage::messages(o, &Counted::default()));
            });
        });
    }

    fn text_block(&mut self, out: &mut BytesMut) -> u64 {
        if let Some(Open::Text(index)) = self.open {
            return index;
        }
        self.close_block(out);
        let index = self.begin(out, |o| {
            o.text("type", "text");
            o.text("text", "");
        });
        self.open = Some(Open::Text(index));
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
        let Some(Open::Text(index) | Open::Call(index)) = self.open.take() else { return };
        event(out, "content_block_stop", |o| o.number("index", index));
    }

    /// Writes the closing events.
    pub(in crate::wire) fn close(&mut self, counted: Option<Counted>, out: &mut BytesMut) {
        self.start(out);
        self.close_block(out);
        let has_calls = !self.calls.is_empty() && self.finish == Finish::Stop;
        let finish = if has_calls { Finish::ToolCalls } else { self.finish };
        event(out, "message_delta", |o| {
            o.object("delta", |o| {
                o.text("stop_reason", finish_word(finish, self.stop.as_deref()));
                o.text_or_null("stop_sequence", self.stop.as_deref());
            });
            o.object("usage", |o| usage::messages(o, &counted.unwrap_or_default()));
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
