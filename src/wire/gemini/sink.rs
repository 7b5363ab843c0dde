//! An answer of another dialect, written in Gemini's form, whole or in chunks. A call stands whole in one chunk, so its
//! arguments are gathered.

use bytes::BytesMut;

use super::names::member;
use crate::record::usage::Counted;
use crate::wire::calls::is_fit;
use crate::wire::calls::own_id;
use crate::wire::cited::{self, Citation, Spoken};
use crate::wire::finish::Finish;
use crate::wire::json::{Array, Object, Raw, Value, body, put};
use crate::wire::reply::{Choice, Delta, Part, Reply};
use crate::wire::sink::{Head, Sink};
use crate::wire::{Ask, Dialect, sse, usage};

/// Writes an answer.
pub(in crate::wire) fn whole(ask: &Ask, reply: &Reply) -> Vec<u8> {
    let with_thoughts = wants_thoughts(ask);
    body(512, |o| {
        o.array("candidates", |a| {
            for (at, choice) in (0u64..).zip(&reply.choices) {
                a.object(|o| candidate(o, at, choice, with_thoughts));
            }
        });
        if let Some(counted) = &reply.usage {
            put!(o, "usageMetadata": |o| usage::gemini(o, counted));
        }
        put!(o, "modelVersion": reply.model.as_deref().unwrap_or(ask.model()));
        put!(o, "responseId": &own_id("", &reply.id, ask));
    })
}

fn candidate(o: &mut Object<'_>, at: u64, choice: &Choice, with_thoughts: bool) {
    content(o, |a| {
        for part in &choice.parts {
            match part {
                Part::Thought(text) if with_thoughts => thought(a, text),
                Part::Picture { mime, data } => picture(a, mime, data),
                Part::Thought(_) | Part::Other(_) => {}
                Part::Text(said) | Part::Refusal(said) => text(a, said),
                Part::Call(made) => call(a, &made.id, &made.name, &made.arguments),
            }
        }
    });
    put!(o, "finishReason": choice.finish.word(Dialect::Gemini));
    cited::gemini(o, &choice.citations, &Spoken::from(&*choice.text()));
    if let Some(told) = &choice.logprobs {
        told.get().gemini(o);
    }
    put!(o, "index": at);
}

fn content(o: &mut Object<'_>, parts: impl FnOnce(&mut Array<'_>)) {
    o.object("content", |o| {
        o.array("parts", parts);
        put!(o, "role": "model");
    });
}

fn text(a: &mut Array<'_>, text: &str) {
    a.object(|o| put!(o, "text": text));
}

fn picture(a: &mut Array<'_>, mime: &str, data: &str) {
    a.object(|o| put!(o, "inlineData": { "mimeType": mime, "data": data }));
}

fn thought(a: &mut Array<'_>, text: &str) {
    a.object(|o| put!(o, "text": text, "thought": true));
}

fn call(a: &mut Array<'_>, id: &str, name: &str, arguments: &str) {
    let arguments = arguments.trim();
    let args = Raw(if arguments.is_empty() { "{}" } else { arguments });
    a.object(|o| put!(o, "functionCall": { "id": id, "name": name, "args": args }));
}

/// Says whether the client asks to be shown what the model thinks.
fn wants_thoughts(ask: &Ask) -> bool {
    let config = member(ask.root(), "generationConfig").and_then(|config| member(config, "thinkingConfig"));
    config.and_then(|config| member(config, "includeThoughts")).and_then(Value::flag) == Some(true)
}

/// Writes chunks.
pub(in crate::wire) struct Chunks {
    head: Head,
    with_thoughts: bool,
    /// The candidate that is being told.
    choice: usize,
    candidates: Vec<Candidate>,
}

/// What is kept of a candidate.
#[derive(Default)]
struct Candidate {
    /// The call that has begun: id, name, arguments so far.
    call: Option<(String, String, String)>,
    finish: Finish,
    /// What its text rests on, which is told at the end, and the text.
    cited: Vec<Citation>,
    spoken: Spoken,
}

impl Chunks {
    /// Starts a stream that answers `ask`.
    pub(in crate::wire) fn new(ask: &Ask) -> Self {
        let (head, with_thoughts) = (Head::new("", ask), wants_thoughts(ask));
        Self { head, with_thoughts, choice: 0, candidates: Vec::new() }
    }

    fn candidate(&mut self) -> Option<&mut Candidate> {
        while self.candidates.len() <= self.choice {
            self.candidates.push(Candidate::default());
        }
        self.candidates.get_mut(self.choice)
    }

    /// Writes a chunk of the candidate that is being told.
    fn told(&self, out: &mut BytesMut, fill: impl FnOnce(&mut Object<'_>)) {
        self.chunk(out, |o| {
            o.array("candidates", |a| {
                a.object(|o| {
                    fill(o);
                    put!(o, "index": self.choice as u64);
                });
            });
        });
    }

    fn chunk(&self, out: &mut BytesMut, fill: impl FnOnce(&mut Object<'_>)) {
        sse::event(out, "", |o| {
            fill(o);
            put!(o, "modelVersion": &self.head.model, "responseId": &self.head.id);
        });
    }
}

impl Sink for Chunks {
    fn write(&mut self, delta: Delta<'_>, out: &mut BytesMut) {
        match delta {
            Delta::Start { id, model } => self.head.name(id, model),
            Delta::Text(said) | Delta::Refusal(said) => {
                self.told(out, |o| content(o, |a| text(a, said)));
                if let (Delta::Text(_), Some(candidate)) = (delta, self.candidate()) {
                    candidate.spoken.push(said);
                }
            }
            Delta::Cited(one) => {
                if let Some(candidate) = self.candidate() {
                    candidate.cited.push(one.clone());
                }
            }
            Delta::Thought(text) if self.with_thoughts => {
                self.told(out, |o| content(o, |a| thought(a, text)));
            }
            Delta::Picture { mime, data } => self.told(out, |o| content(o, |a| picture(a, mime, data))),
            Delta::Thought(_) | Delta::Other(_) | Delta::Choice(_) => {}
            Delta::Logprobs(told) => self.told(out, |o| {
                content(o, |a| text(a, ""));
                told.gemini(o);
            }),
            Delta::CallStart { id, name, .. } => {
                if let Some(candidate) = self.candidate() {
                    candidate.call = Some((id.to_owned(), name.to_owned(), String::new()));
                }
            }
            Delta::CallArguments { text, .. } => {
                let call = self.candidate().and_then(|candidate| candidate.call.as_mut());
                if let Some((_, _, arguments)) = call {
                    arguments.push_str(text);
                }
            }
            Delta::CallEnd { .. } => {
                // Arguments that the limit of output cut are no JSON; the end tells of the limit.
                let made = self.candidate().and_then(|candidate| candidate.call.take());
                if let Some((id, name, arguments)) = made.filter(|(_, _, arguments)| is_fit(arguments)) {
                    self.told(out, |o| content(o, |a| call(a, &id, &name, &arguments)));
                }
            }
            Delta::Finish { finish, .. } => {
                if let Some(candidate) = self.candidate() {
                    candidate.finish = finish;
                }
            }
        }
    }

    /// Writes the closing chunk: why each candidate ended, and what was used.
    fn close(&mut self, counted: Option<Counted>, out: &mut BytesMut) {
        self.chunk(out, |o| {
            o.array("candidates", |a| {
                for (at, candidate) in (0u64..).zip(&self.candidates) {
                    a.object(|o| {
                        content(o, |a| text(a, ""));
                        put!(o, "finishReason": candidate.finish.word(Dialect::Gemini), "index": at);
                        cited::gemini(o, &candidate.cited, &candidate.spoken);
                    });
                }
            });
            if let Some(counted) = counted {
                put!(o, "usageMetadata": |o| usage::gemini(o, &counted));
            }
        });
    }

    fn choose(&mut self, choice: usize) {
        self.choice = choice;
    }

    fn held(&self) -> usize {
        let held = |candidate: &Candidate| {
            let call = candidate.call.as_ref().map_or(0, |(_, _, arguments)| arguments.len());
            call + candidate.spoken.held() + candidate.cited.iter().map(Citation::held).sum::<usize>()
        };
        self.candidates.iter().map(held).sum()
    }
}
