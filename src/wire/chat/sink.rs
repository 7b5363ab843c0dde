//! An answer of another dialect, written as a chat completion or as chunks of one.

use bytes::BytesMut;

use super::chunks::{self, Chunks, Form};
use crate::record::usage::Counted;
use crate::wire::finish::Finish;
use crate::wire::json::{Object, put};
use crate::wire::preface::Preface;
use crate::wire::reply::{Choice, Delta, Part, Reply};
use crate::wire::sink::Sink;
use crate::wire::tools::{ToolKinds, custom_input};
use crate::wire::{Ask, Dialect};

/// What chat completions and their chunks call themselves.
const FORM: Form = Form { prefix: "chatcmpl-", object: "chat.completion", chunk: "chat.completion.chunk" };

/// Writes a chat completion.
pub(in crate::wire) fn whole(ask: &Ask, reply: &Reply) -> Vec<u8> {
    let (tools, is_legacy) = (ask.tool_kinds(), ask.offers_functions());
    chunks::whole(FORM, ask, reply, |o, choice| {
        put!(o, "message": |o| message(o, choice, &tools, is_legacy));
        match &choice.logprobs {
            Some(told) => told.get().chat(o),
            None => put!(o, "logprobs": null),
        }
        put!(o, "finish_reason": word(choice.finish, is_legacy));
    })
}

fn message(o: &mut Object<'_>, choice: &Choice, tools: &ToolKinds, is_legacy: bool) {
    let text = choice.text();
    let (mut refusal, mut thought) = (String::new(), String::new());
    for part in &choice.parts {
        match part {
            Part::Refusal(text) => refusal.push_str(text),
            Part::Thought(text) => thought.push_str(text),
            _ => {}
        }
    }
    let [refusal, thought] = [refusal, thought].map(|all| Some(all).filter(|all| !all.is_empty()));
    let first = choice.calls().next();
    let is_said = !text.is_empty() || (first.is_none() && refusal.is_none());
    put!(o, "role": "assistant", "content": is_said.then_some(&text), "refusal": refusal.as_deref());
    put!(o, "reasoning_content"?: thought.as_deref());
    let pictures = || {
        choice.parts.iter().filter_map(|part| match part {
            Part::Picture { mime, data } => Some((mime, data)),
            _ => None,
        })
    };
    if pictures().next().is_some() {
        o.array("images", |a| pictures().for_each(|(mime, data)| a.object(|o| picture(o, mime, data))));
    }
    if !choice.citations.is_empty() {
        put!(o, "annotations": [|a| choice.citations.iter().for_each(|one| a.object(|o| one.chat(o)))]);
    }
    match first {
        None => {}
        Some(call) if is_legacy => {
            put!(o, "function_call": { "name": &call.name, "arguments": &call.arguments });
        }
        Some(_) => o.array("tool_calls", |a| {
            for call in choice.calls() {
                a.object(|o| {
                    put!(o, "id": &call.id);
                    if let Some(origin) = tools.origin(&call.name) {
                        let input = custom_input(&call.arguments);
                        put!(o, "type": "custom", "custom": { "name": &origin.name, "input": &input });
                    } else {
                        put!(o, "type": "function");
                        put!(o, "function": { "name": &call.name, "arguments": &call.arguments });
                    }
                });
            }
        }),
    }
}

/// Writes a picture as OpenRouter and others give it: answers of OpenAI's own hold none.
fn picture(o: &mut Object<'_>, mime: &str, data: &str) {
    let url = format!("data:{mime};base64,{data}");
    put!(o, "type": "image_url", "image_url": { "url": &url });
}

/// Says why an answer ended, to a client that may know calls in their older form alone.
fn word(finish: Finish, is_legacy: bool) -> &'static str {
    let is_call = is_legacy && finish == Finish::ToolCalls;
    if is_call { "function_call" } else { finish.word(Dialect::OpenAiChat) }
}

/// Writes chunks.
pub(in crate::wire) struct Deltas {
    chunks: Chunks,
    tools: ToolKinds,
    /// Whether the client knows calls in their older form alone: one at most.
    is_legacy: bool,
    /// The arguments of custom tools' calls, by choice and call, whose input is known once they are whole.
    custom: Vec<((usize, usize), String)>,
}

impl Deltas {
    /// Starts a stream that answers `ask`.
    pub(in crate::wire) fn new(ask: &Ask) -> Self {
        let (tools, is_legacy) = (ask.tool_kinds(), ask.offers_functions());
        Self { chunks: Chunks::new(FORM, ask), tools, is_legacy, custom: Vec::new() }
    }

    fn begin(&mut self, out: &mut BytesMut) {
        if self.chunks.begins() {
            self.delta(out, |o| put!(o, "role": "assistant", "content": "", "refusal": null));
        }
    }

    fn delta(&mut self, out: &mut BytesMut, fill: impl FnOnce(&mut Object<'_>)) {
        self.begin(out);
        self.chunks.write(out, |o| {
            o.object("delta", fill);
            put!(o, "logprobs": null, "finish_reason": null);
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
                    put!(o, "index": call as u64);
                    fill(o);
                });
            });
        });
    }
}

impl Sink for Deltas {
    fn write(&mut self, delta: Delta<'_>, out: &mut BytesMut) {
        let of = |call: usize| (self.chunks.choice, call);
        match delta {
            Delta::Start { id, model } => {
                self.chunks.head.name(id, model);
                self.begin(out);
            }
            Delta::Text(text) => self.delta(out, |o| put!(o, "content": text)),
            Delta::Refusal(text) => self.delta(out, |o| put!(o, "refusal": text)),
            Delta::Thought(text) => self.delta(out, |o| put!(o, "reasoning_content": text)),
            Delta::Logprobs(told) => {
                self.begin(out);
                self.chunks.write(out, |o| {
                    put!(o, "delta": {});
                    told.chat(o);
                    put!(o, "finish_reason": null);
                });
            }
            Delta::CallStart { call, name, .. } if self.is_legacy => {
                self.function(call, out, |o| put!(o, "name": name, "arguments": ""));
            }
            Delta::CallArguments { call, text } if self.is_legacy => {
                self.function(call, out, |o| put!(o, "arguments": text));
            }
            Delta::CallStart { call, id, name } => {
                if let Some(custom) = self.tools.origin(name).map(|origin| origin.name.clone()) {
                    self.custom.push((of(call), String::new()));
                    self.call(out, call, |o| {
                        put!(o, "id": id, "type": "custom", "custom": { "name": &custom, "input": "" });
                    });
                } else {
                    self.call(out, call, |o| {
                        put!(o, "id": id, "type": "function", "function": { "name": name, "arguments": "" });
                    });
                }
            }
            Delta::CallArguments { call, text } => {
                let of = of(call);
                if let Some((_, arguments)) = self.custom.iter_mut().find(|(custom, _)| *custom == of) {
                    arguments.push_str(text);
                } else {
                    self.call(out, call, |o| put!(o, "function": { "arguments": text }));
                }
            }
            Delta::CallEnd { call } => {
                let of = of(call);
                if let Some(at) = self.custom.iter().position(|(custom, _)| *custom == of) {
                    let (_, arguments) = self.custom.swap_remove(at);
                    self.call(out, call, |o| put!(o, "custom": { "input": &custom_input(&arguments) }));
                }
            }
            Delta::Picture { mime, data } => {
                self.delta(out, |o| o.array("images", |a| a.object(|o| picture(o, mime, data))));
            }
            Delta::Cited(one) => self.delta(out, |o| o.array("annotations", |a| a.object(|o| one.chat(o)))),
            Delta::Other(_) | Delta::Choice(_) => {}
            Delta::Finish { finish, .. } => {
                self.begin(out);
                self.chunks.ended(finish);
            }
        }
    }

    fn close(&mut self, counted: Option<Counted>, out: &mut BytesMut) {
        let is_legacy = self.is_legacy;
        self.chunks.close(counted, out, |o, finish| {
            put!(o, "delta": {}, "logprobs": null, "finish_reason": word(finish, is_legacy));
        });
    }

    fn choose(&mut self, choice: usize) {
        self.chunks.choice = choice;
    }

    fn go_on(&mut self, preface: &Preface) {
        self.chunks.go_on(preface);
    }

    fn preface(&self) -> Preface {
        self.chunks.head.preface(0)
    }
}
