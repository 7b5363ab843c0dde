//! An answer of another dialect, written as a completion or as chunks of one.

use bytes::BytesMut;

use super::read_request::sole_prompt;
use crate::record::usage::Counted;
use crate::wire::chat::chunks::{self, Chunks, Form};
use crate::wire::json::{Object, Value, put};
use crate::wire::reply::{Delta, Part, Reply};
use crate::wire::sink::Sink;
use crate::wire::{Ask, Dialect};

/// What completions and their chunks call themselves.
const FORM: Form = Form { prefix: "cmpl-", object: "text_completion", chunk: "text_completion" };

/// Returns the prompt where the client wants it repeated before the answer.
fn echoed(ask: &Ask) -> String {
    let root = ask.root();
    let is_wanted = root.get("echo").and_then(Value::flag) == Some(true);
    let prompt = root.get("prompt").filter(|_| is_wanted).and_then(sole_prompt);
    prompt.unwrap_or_default().into_owned()
}

/// Writes a completion.
pub(in crate::wire) fn whole(ask: &Ask, reply: &Reply) -> Vec<u8> {
    let before = echoed(ask);
    chunks::whole(FORM, ask, reply, |o, choice| {
        // A refusal too, as there is no other place for it.
        let said = choice.parts.iter().filter_map(|part| match part {
            Part::Text(text) | Part::Refusal(text) => Some(text.as_str()),
            _ => None,
        });
        put!(o, "text": &std::iter::once(before.as_str()).chain(said).collect::<String>());
        match &choice.logprobs {
            Some(told) => told.get().completions(o, &mut (before.chars().count() as u64)),
            None => put!(o, "logprobs": null),
        }
        put!(o, "finish_reason": choice.finish.word(Dialect::OpenAiCompletions));
    })
}

/// Writes chunks.
pub(in crate::wire) struct Texts {
    chunks: Chunks,
    /// The prompt, where it is to be repeated before every choice.
    echo: String,
    /// The characters of each choice before the next token.
    offsets: Vec<u64>,
}

impl Texts {
    /// Starts a stream that answers `ask`.
    pub(in crate::wire) fn new(ask: &Ask) -> Self {
        Self { chunks: Chunks::new(FORM, ask), echo: echoed(ask), offsets: Vec::new() }
    }

    fn begin(&mut self, out: &mut BytesMut) {
        if self.chunks.begins() {
            self.offsets.resize(self.chunks.choice + 1, self.echo.chars().count() as u64);
            if !self.echo.is_empty() {
                self.chunks.write(out, |o| piece(o, &self.echo));
            }
        }
    }
}

impl Sink for Texts {
    fn write(&mut self, delta: Delta<'_>, out: &mut BytesMut) {
        match delta {
            Delta::Start { id, model } => self.chunks.head.name(id, model),
            Delta::Text(text) | Delta::Refusal(text) => {
                self.begin(out);
                self.chunks.write(out, |o| piece(o, text));
            }
            Delta::Logprobs(told) => {
                self.begin(out);
                let mut offset = self.offsets.get(self.chunks.choice).copied().unwrap_or_default();
                self.chunks.write(out, |o| {
                    put!(o, "text": "");
                    told.completions(o, &mut offset);
                    put!(o, "finish_reason": null);
                });
                if let Some(kept) = self.offsets.get_mut(self.chunks.choice) {
                    *kept = offset;
                }
            }
            Delta::Finish { finish, .. } => {
                self.begin(out);
                self.chunks.ended(finish);
            }
            // There is no place for anything else.
            _ => {}
        }
    }

    fn close(&mut self, counted: Option<Counted>, out: &mut BytesMut) {
        self.chunks.close(counted, out, |o, finish| {
            put!(o, "text": "", "logprobs": null, "finish_reason": finish.word(Dialect::OpenAiCompletions));
        });
    }

    fn choose(&mut self, choice: usize) {
        self.chunks.choice = choice;
    }

    fn held(&self) -> usize {
        self.echo.len()
    }
}

fn piece(o: &mut Object<'_>, text: &str) {
    put!(o, "text": text, "logprobs": null, "finish_reason": null);
}
