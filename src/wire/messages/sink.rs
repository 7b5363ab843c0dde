//! An answer of another dialect, written as a message or as the events of one.
//!
//! Blocks come one after the other: a new one closes the last. The prompt's tokens are known at the end only: they stand in
//! `message_delta`, where clients take the last value said, and `message_start` carries an estimate, as clients read from it
//! how full their context is.

use bytes::BytesMut;

use super::{SIGNATURE, block_delta, block_start, block_stop, event};
use crate::record::usage::Counted;
use crate::wire::calls::own_id;
use crate::wire::finish::Finish;
use crate::wire::json::{Object, Raw, body, put};
use crate::wire::preface::Preface;
use crate::wire::prompt::safe_id;
use crate::wire::reply::{Choice, Delta, Part, Reply};
use crate::wire::sink::{Head, Sink};
use crate::wire::{Ask, Dialect, usage};

/// What ids of messages begin with.
const PREFIX: &str = "msg_";

/// Writes a message.
pub(in crate::wire) fn whole(ask: &Ask, reply: &Reply) -> Vec<u8> {
    let none = Choice::default();
    let choice = reply.choices.first().unwrap_or(&none);
    body(512, |o| {
        put!(o, "id": &own_id(PREFIX, &reply.id, ask), "type": "message", "role": "assistant");
        put!(o, "model": reply.model.as_deref().unwrap_or(ask.model()));
        o.array("content", |a| {
            let told = choice.parts.iter().zip(choice.homes());
            for (part, home) in told.filter(|(part, _)| !matches!(part, Part::Other(_))) {
                a.object(|o| match part {
                    Part::Picture { mime, data } => picture(o, mime, data),
                    Part::Other(_) => {}
                    Part::Thought(text) => {
                        put!(o, "type": "thinking", "thinking": text, "signature": SIGNATURE);
                    }
                    Part::Text(text) | Part::Refusal(text) => {
                        put!(o, "type": "text", "text": text);
                        if !home.cited.is_empty() {
                            o.array("citations", |a| {
                                home.cited.iter().for_each(|one| a.object(|o| one.messages(o)));
                            });
                        }
                    }
                    Part::Call(call) => {
                        put!(o, "type": "tool_use", "id": &safe_id(&call.id), "name": &call.name);
                        put!(o, "input": Raw(call.arguments.trim()));
                    }
                });
            }
        });
        ended(o, choice.finish, choice.stop.as_deref());
        let written = reply.choices.iter().map(Choice::bytes).sum();
        let counted = usage::filled(reply.usage, ask.measures().estimated_prompt_tokens, written);
        put!(o, "usage": |o| usage::messages(o, &counted));
    })
}

/// Writes a picture as requests have it: answers of Anthropic's own hold none, and Anthropic takes none in a turn of its own,
/// so it is marked as thoughts are, and like them does not go back to it.
fn picture(o: &mut Object<'_>, mime: &str, data: &str) {
    put!(o, "type": "image", "source": { "type": "base64", "media_type": mime, "data": data });
    put!(o, "signature": SIGNATURE);
}

/// Writes why a message ended.
fn ended(o: &mut Object<'_>, finish: Finish, stop: Option<&str>) {
    let is_sequence = finish == Finish::Stop && stop.is_some();
    let word = if is_sequence { "stop_sequence" } else { finish.word(Dialect::AnthropicMessages) };
    put!(o, "stop_reason": word, "stop_sequence": stop);
}

/// Writes events.
pub(in crate::wire) struct Events {
    head: Head,
    /// The block being written.
    open: Option<Open>,
    /// How many blocks have begun.
    blocks: u64,
    /// What the prompt comes to until the provider has counted it.
    prompt_tokens: u64,
    written_bytes: u64,
    finish: Finish,
    stop: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Thought,
    Text,
    Call,
}

impl Events {
    /// Starts a stream that answers `ask`.
    pub(in crate::wire) fn new(ask: &Ask) -> Self {
        Self {
            head: Head::new(PREFIX, ask),
            open: None,
            blocks: 0,
            prompt_tokens: ask.measures().estimated_prompt_tokens,
            written_bytes: 0,
            finish: Finish::Other,
            stop: None,
        }
    }

    fn start(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.head.has_begun, true) {
            return;
        }
        event(out, "message_start", |o| {
            put!(o, "message": {
                "id": &self.head.id, "type": "message", "role": "assistant", "model": &self.head.model,
                "content": [], "stop_reason": null, "stop_sequence": null,
                "usage": |o| usage::messages(o, &usage::filled(None, self.prompt_tokens, 0)),
            });
        });
    }

    /// Begins a block.
    fn begin(&mut self, open: Open, out: &mut BytesMut, fill: impl FnOnce(&mut Object<'_>)) {
        self.close_block(out);
        self.start(out);
        block_start(out, self.blocks, fill);
        self.blocks += 1;
        self.open = Some(open);
    }

    /// Adds to the open block.
    fn grow(&mut self, out: &mut BytesMut, fill: impl FnOnce(&mut Object<'_>)) {
        block_delta(out, self.blocks.saturating_sub(1), fill);
    }

    fn close_block(&mut self, out: &mut BytesMut) {
        let Some(open) = self.open.take() else { return };
        if open == Open::Thought {
            self.grow(out, |o| put!(o, "type": "signature_delta", "signature": SIGNATURE));
        }
        block_stop(out, self.blocks.saturating_sub(1));
    }
}

impl Sink for Events {
    fn write(&mut self, delta: Delta<'_>, out: &mut BytesMut) {
        self.written_bytes = self.written_bytes.saturating_add(delta.bytes());
        match delta {
            Delta::Start { id, model } => {
                if !self.head.has_begun {
                    self.head.name(id, model);
                    self.start(out);
                }
            }
            Delta::Text(text) | Delta::Refusal(text) => {
                if self.open != Some(Open::Text) {
                    self.begin(Open::Text, out, |o| put!(o, "type": "text", "text": ""));
                }
                self.grow(out, |o| put!(o, "type": "text_delta", "text": text));
            }
            Delta::Thought(text) => {
                if self.open != Some(Open::Thought) {
                    self.begin(Open::Thought, out, |o| {
                        put!(o, "type": "thinking", "thinking": "", "signature": "");
                    });
                }
                self.grow(out, |o| put!(o, "type": "thinking_delta", "thinking": text));
            }
            Delta::CallStart { id, name, .. } => self.begin(Open::Call, out, |o| {
                put!(o, "type": "tool_use", "id": &safe_id(id), "name": name, "input": {});
            }),
            Delta::CallArguments { text, .. } => {
                if self.open == Some(Open::Call) {
                    self.grow(out, |o| put!(o, "type": "input_json_delta", "partial_json": text));
                }
            }
            Delta::CallEnd { .. } => self.close_block(out),
            Delta::Picture { mime, data } => {
                self.begin(Open::Text, out, |o| picture(o, mime, data));
                self.close_block(out);
            }
            Delta::Cited(one) if self.open == Some(Open::Text) => self.grow(out, |o| {
                put!(o, "type": "citations_delta", "citation": |o| one.messages(o));
            }),
            Delta::Other(_) | Delta::Cited(_) | Delta::Choice(_) | Delta::Logprobs(_) => {}
            Delta::Finish { finish, stop } => {
                self.finish = finish;
                self.stop = stop.map(str::to_owned);
            }
        }
    }

    fn close(&mut self, counted: Option<Counted>, out: &mut BytesMut) {
        self.start(out);
        self.close_block(out);
        let counted = usage::filled(counted, self.prompt_tokens, self.written_bytes);
        event(out, "message_delta", |o| {
            put!(o, "delta": |o| ended(o, self.finish, self.stop.as_deref()));
            put!(o, "usage": |o| usage::messages(o, &counted));
        });
        event(out, "message_stop", |_| {});
    }

    fn go_on(&mut self, preface: &Preface) {
        self.head.go_on(preface);
    }

    fn preface(&self) -> Preface {
        self.head.preface(0)
    }
}
