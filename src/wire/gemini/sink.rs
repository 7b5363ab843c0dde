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
    /// The candidate that is being told.
    choice: usize,
    candidates: Vec<Candidate>,
}

/// What is kept of a candidate.
#[derive(Debug, Default)]
struct Candidate {
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
            choice: 0,
            candidates: Vec::new(),
        }
    }

    /// Counts the text that is kept.
    pub(in crate::wire) fn held(&self) -> usize {
        self.candidates
            .iter()
            .filter_map(|candidate| candidate.call.as_ref())
            .map(|(_, _, arguments)| arguments.len())
            .sum()
    }

    /// Turns to another candidate.
    pub(in crate::wire) fn choose(&mut self, choice: usize) {
        self.choice = choice;
    }

    fn candidate(&mut self) -> Option<&mut Candidate> {
        while self.candidates.len() <= self.choice {
            self.candidates.push(Candidate::default());
        }
        self.candidates.get_mut(self.choice)
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
            Delta::Thought(_) | Delta::Other | Delta::Choice(_) => {}
            Delta::Logprobs(told) => self.chunk(out, |o| {
                self.told(o, |o| {
                    parts(o, |a| a.object(|o| o.text("text", "")));
                    told.gemini(o);
                });
            }),
            Delta::CallStart { id, name, .. } => {
                if let Some(candidate) = self.candidate() {
                    candidate.call = Some((id.to_owned(), name.to_owned(), String::new()));
                }
            }
            Delta::CallArguments { text, .. } => {
                if let Some((_, _, arguments)) =
                    self.candidate().and_then(|candidate| candidate.call.as_mut())
                {
                    arguments.push_str(text);
                }
            }
            Delta::CallEnd { .. } => {
                // Arguments that the limit of output cut are no JSON; the end tells of the limit.
                let call = self.candidate().and_then(|candidate| candidate.call.take());
                if let Some((id, name, arguments)) = call.filter(|(_, _, arguments)| is_fit(arguments)) {
                    self.parts(out, |a| a.object(|o| function_call(o, &id, &name, &arguments)));
                }
            }
            Delta::Finish { finish, .. } => {
                if let Some(candidate) = self.candidate() {
                    candidate.finish = finish;
                }
            }
        }
    }

    fn parts(&self, out: &mut BytesMut, fill: impl FnOnce(&mut Array<'_>)) {
        self.chunk(out, |o| self.told(o, |o| parts(o, fill)));
    }

    /// Writes the candidate that is being told.
    fn told(&self, o: &mut Object<'_>, fill: impl FnOnce(&mut Object<'_>)) {
        o.array("candidates", |a| {
            a.object(|o| {
                fill(o);
                o.number("index", self.choice as u64);
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

    /// Writes the closing chunk: why each candidate ended, and what was used.
    pub(in crate::wire) fn close(&mut self, counted: Option<Counted>, out: &mut BytesMut) {
        self.chunk(out, |o| {
            o.array("candidates", |a| {
                for (at, candidate) in (0..).zip(&self.candidates) {
                    a.object(|o| {
                        parts(o, |a| a.object(|o| o.text("text", "")));
                        o.text("finishReason", finish_word(candidate.finish));
                        o.number("index", at);
                    });
                }
            });
            if let Some(counted) = counted {
                o.object("usageMetadata", |o| usage::gemini(o, &counted));
            }
        });
    }
}

fn parts(o: &mut Object<'_>, fill: impl FnOnce(&mut Array<'_>)) {
    o.object("content", |o| {
        o.array("parts", fill);
        o.text("role", "model");
    });
}
