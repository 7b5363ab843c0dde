//! An answer of another dialect, written as chunks of a completion.

use bytes::BytesMut;

use super::{FORM, echoed, finish_word};
use crate::record::usage::Counted;
use crate::wire::Ask;
use crate::wire::chat::chunks::Chunks;
use crate::wire::json::Object;
use crate::wire::reply::Delta;

/// Writes chunks.
#[derive(Debug)]
pub(in crate::wire) struct Sink {
    chunks: Chunks,
    /// The prompt, where it is to be repeated before every choice.
    echo: String,
    /// The characters of each choice before the next token.
    offsets: Vec<u64>,
}

impl Sink {
    /// Starts a stream that answers `ask`.
    pub(in crate::wire) fn new(ask: &Ask) -> Self {
        Self { chunks: Chunks::new(FORM, ask), echo: echoed(ask), offsets: Vec::new() }
    }

    /// Turns to another choice.
    pub(in crate::wire) fn choose(&mut self, choice: usize) {
        self.chunks.choice = choice;
    }

    /// Counts the text that is kept.
    pub(in crate::wire) fn held(&self) -> usize {
        self.echo.len()
    }

    /// Writes what is added.
    pub(in crate::wire) fn write(&mut self, delta: Delta<'_>, out: &mut BytesMut) {
        match delta {
            Delta::Start { id, model } => self.chunks.name(id, model),
            Delta::Text(text) | Delta::Refusal(text) => self.say(text, out),
            Delta::Logprobs(told) => {
                self.begin(out);
                let mut offset = self.offsets.get(self.chunks.choice).copied().unwrap_or_default();
                self.chunks.write(out, |o| {
                    o.text("text", "");
                    told.completions(o, &mut offset);
                    o.raw("finish_reason", "null");
                });
                if let Some(kept) = self.offsets.get_mut(self.chunks.choice) {
                    *kept = offset;
                }
            }
            Delta::Finish { finish, .. } => {
                self.begin(out);
                self.chunks.ended(finish);
            }
            Delta::Thought(_)
            | Delta::Other
            | Delta::Choice(_)
            | Delta::CallStart { .. }
            | Delta::CallArguments { .. }
            | Delta::CallEnd { .. } => {}
        }
    }

    fn begin(&mut self, out: &mut BytesMut) {
        if self.chunks.begins() {
            self.offsets.resize(self.chunks.choice + 1, self.echo.chars().count() as u64);
            if !self.echo.is_empty() {
                self.chunks.write(out, |o| piece(o, &self.echo));
            }
        }
    }

    fn say(&mut self, text: &str, out: &mut BytesMut) {
        self.begin(out);
        self.chunks.write(out, |o| piece(o, text));
    }

    /// Writes the closing chunks.
    pub(in crate::wire) fn close(&mut self, counted: Option<Counted>, out: &mut BytesMut) {
        self.chunks.close(counted, out, |o, finish| {
            o.text("text", "");
            o.raw("logprobs", "null");
            o.text("finish_reason", finish_word(finish));
        });
    }
}

fn piece(o: &mut Object<'_>, text: &str) {
    o.text("text", text);
    o.raw("logprobs", "null");
    o.raw("finish_reason", "null");
}
