//! An answer of another dialect, written as the events of a response.
//!
//! Every item of output is announced, grows, and is given whole when it is done; at the end the response is given whole.
//! So the texts are kept until then, once and up to [`KEPT`] bytes. What goes beyond stands in the events that let an item
//! grow and nowhere else; the item and the response say of themselves then that they are incomplete.

use bytes::BytesMut;

use super::item::{Item, Kind, part};
use super::object::{Frame, repeated, status};
use crate::record::usage::Counted;
use crate::wire::Ask;
use crate::wire::calls::{is_fit, own_id};
use crate::wire::cited::Citation;
use crate::wire::finish::Finish;
use crate::wire::json::{Object, Raw, body, put};
use crate::wire::logprobs::Logprobs;
use crate::wire::preface::Preface;
use crate::wire::reply::{Choice, Delta, Part, Reply, keep};
use crate::wire::sink::{Head, Sink};
use crate::wire::sse;
use crate::wire::tools::{ToolKind, ToolKinds, custom_input};

/// What ids of responses begin with.
const PREFIX: &str = "resp_";
/// The most bytes of text that are repeated when an item, and the response, is done.
const KEPT: usize = 4 * 1024 * 1024;

/// Writes a response.
pub(in crate::wire) fn whole(ask: &Ask, reply: &Reply) -> Vec<u8> {
    let id = own_id(PREFIX, &reply.id, ask);
    let model = reply.model.as_deref().unwrap_or(ask.model());
    let frame = Frame { id: &id, model, created: ask.received, repeated: &repeated(ask) };
    let none = Choice::default();
    let choice = reply.choices.first().unwrap_or(&none);
    // What was cut off is the last.
    let last = choice.parts.len().saturating_sub(1);
    let tools = ask.tool_kinds();
    body(1024, |o| {
        frame.write(o, Some(choice.finish), reply.usage.as_ref(), |a| {
            for (at, (part, home)) in choice.parts.iter().zip(choice.homes()).enumerate() {
                let status = if at == last { status(Some(choice.finish)) } else { "completed" };
                if let Some(mut item) = Item::of(part, at, &id, &tools) {
                    if let (Part::Text(_), Some(told)) = (part, &choice.logprobs) {
                        item.weigh(&told.get().json());
                    }
                    item.from = home.from;
                    for citation in home.cited {
                        item.annotate(&item.note(citation));
                    }
                    a.object(|o| item.write(o, status));
                }
            }
        });
    })
}

/// Writes events.
pub(in crate::wire) struct Events {
    head: Head,
    created: u64,
    repeated: String,
    tools: ToolKinds,
    /// The items that are done.
    items: Vec<Item>,
    /// The item being written.
    open: Option<Item>,
    kept: usize,
    /// The characters of text so far.
    chars: u64,
    finish: Finish,
    sequence: u64,
}

impl Sink for Events {
    fn write(&mut self, delta: Delta<'_>, out: &mut BytesMut) {
        match delta {
            Delta::Start { id, model } => {
                // The model of a message that an earlier try began is the one that answers.
                if !self.head.has_begun || self.head.goes_on {
                    self.head.name(id, model);
                    self.start(out);
                }
            }
            Delta::Text(text) => self.say(Kind::Text, text, out),
            Delta::Refusal(text) => self.say(Kind::Refusal, text, out),
            Delta::Thought(text) => self.say(Kind::Thought, text, out),
            Delta::CallStart { id, name, .. } => {
                self.done(out);
                self.begin(Kind::call(&self.tools, id, name), out);
            }
            Delta::CallArguments { text, .. } => {
                self.grow(text);
                if self.open.as_ref().is_some_and(|item| item.kind.tool() == Some(ToolKind::Function)) {
                    let name = "response.function_call_arguments.delta";
                    self.of_item(name, out, |o, _| put!(o, "delta": text));
                }
            }
            Delta::Logprobs(told) => self.weigh(told, out),
            Delta::Picture { data, .. } => self.picture(data, out),
            Delta::Cited(citation) => self.cite(citation, out),
            // Whether an item is whole is known when the next begins, or why the answer ended.
            Delta::CallEnd { .. } | Delta::Other(_) | Delta::Choice(_) => {}
            Delta::Finish { finish, .. } => self.finish = finish,
        }
    }

    fn close(&mut self, usage: Option<Counted>, out: &mut BytesMut) {
        self.start(out);
        let is_cut = status(Some(self.finish)) == "incomplete";
        if let Some(item) = self.open.as_mut().filter(|_| is_cut) {
            item.is_whole &= item.kind.tool().is_some() && is_fit(&item.text);
        }
        self.done(out);
        let is_whole = self.items.iter().all(|item| item.is_whole);
        let finish = if is_whole || is_cut { self.finish } else { Finish::Length };
        let is_incomplete = status(Some(finish)) == "incomplete";
        let name = if is_incomplete { "response.incomplete" } else { "response.completed" };
        self.response(name, Some(finish), usage.as_ref(), out);
    }

    fn held(&self) -> usize {
        self.kept.saturating_add(self.repeated.len())
    }

    fn go_on(&mut self, preface: &Preface) {
        self.head.go_on(preface);
        self.sequence = preface.events;
    }

    fn preface(&self) -> Preface {
        self.head.preface(self.sequence)
    }
}

impl Events {
    /// Starts a stream that answers `ask`.
    pub(in crate::wire) fn new(ask: &Ask) -> Self {
        Self {
            head: Head::new(PREFIX, ask),
            created: ask.received,
            repeated: repeated(ask),
            tools: ask.tool_kinds(),
            items: Vec::new(),
            open: None,
            kept: 0,
            chars: 0,
            finish: Finish::Other,
            sequence: 0,
        }
    }

    fn start(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.head.has_begun, true) {
            return;
        }
        self.response("response.created", None, None, out);
        self.response("response.in_progress", None, None, out);
    }

    fn say(&mut self, kind: Kind, text: &str, out: &mut BytesMut) {
        let ((of_part, of_text), kind_is_text) = (kind.events(), kind == Kind::Text);
        if self.open.as_ref().is_none_or(|open| open.kind != kind) {
            self.done(out);
            self.begin(kind, out);
            self.of_item(&format!("{of_part}.added"), out, |o, item| {
                put!(o, "part": |o| part(o, item.kind.part(), "", ["[]"; 2]));
            });
        }
        if kind_is_text {
            self.chars += text.chars().count() as u64;
        }
        self.grow(text);
        self.of_item(&format!("{of_text}.delta"), out, |o, item| {
            put!(o, "delta": text, "logprobs"?: (item.kind == Kind::Text).then_some(Raw("[]")));
        });
    }

    /// Tells a picture, which comes in one piece. One that there is no room for stands in its own event alone.
    fn picture(&mut self, data: &str, out: &mut BytesMut) {
        self.done(out);
        self.begin(Kind::Picture, out);
        let Some(mut item) = self.open.take() else { return };
        data.clone_into(&mut item.text);
        self.event("response.output_item.done", out, |o, sink| {
            put!(o, "output_index": sink.items.len() as u64, "item": |o| item.write(o, ending(&item)));
        });
        if self.kept.saturating_add(data.len()) <= KEPT {
            self.kept += data.len();
        } else {
            (item.text, item.is_whole) = (String::new(), false);
        }
        self.items.push(item);
    }

    /// Tells how likely the tokens of the open item's text were.
    fn weigh(&mut self, told: Logprobs<'_>, out: &mut BytesMut) {
        let list = told.json();
        let Some(item) = self.open.as_mut().filter(|item| item.kind == Kind::Text && list.len() > 2) else {
            return;
        };
        if self.kept.saturating_add(list.len()) <= KEPT {
            self.kept += list.len();
            item.weigh(&list);
        }
        let name = "response.output_text.delta";
        self.of_item(name, out, |o, _| put!(o, "delta": "", "logprobs": Raw(&list)));
    }

    /// Tells what a stretch of text rests on, in the last text that begins before it.
    fn cite(&mut self, citation: &Citation, out: &mut BytesMut) {
        let is_home =
            |item: &Item| item.kind == Kind::Text && item.from <= citation.span.unwrap_or_default().0;
        let done = self.items.iter().rposition(is_home);
        let is_open = self.open.as_ref().is_some_and(is_home);
        let at = if is_open { self.items.len() } else { done.unwrap_or_default() };
        let home = if is_open { self.open.as_ref() } else { self.items.get(at).filter(|item| is_home(item)) };
        let Some((note, id, nth)) = home.map(|item| (item.note(citation), item.id.clone(), item.notes))
        else {
            return;
        };
        self.event("response.output_text.annotation.added", out, |o, _| {
            put!(o, "item_id": &id, "output_index": at as u64, "content_index": 0);
            put!(o, "annotation_index": nth, "annotation": Raw(&note));
        });
        let has_room = self.kept.saturating_add(note.len()) <= KEPT;
        self.kept += if has_room { note.len() } else { 0 };
        let home = if is_open { self.open.as_mut() } else { self.items.get_mut(at) };
        if let Some(item) = home {
            item.notes += 1;
            if has_room { item.annotate(&note) } else { item.is_whole = false }
        }
    }

    /// Adds to the open item's text what there is room for.
    fn grow(&mut self, text: &str) {
        let Some(item) = &mut self.open else { return };
        let kept = keep(&mut item.text, KEPT.saturating_sub(self.kept), text);
        item.is_whole &= kept == text.len();
        self.kept += kept;
    }

    fn begin(&mut self, kind: Kind, out: &mut BytesMut) {
        self.start(out);
        let mut item = Item::new(kind, self.items.len(), &self.head.id);
        item.from = self.chars;
        self.event("response.output_item.added", out, |o, sink| {
            put!(o, "output_index": sink.items.len() as u64, "item": |o| item.write(o, "in_progress"));
        });
        self.open = Some(item);
    }

    fn done(&mut self, out: &mut BytesMut) {
        let Some(item) = &self.open else { return };
        match item.kind.tool() {
            None => self.done_text(item.kind.events(), out),
            // Half a call is not for anybody to make.
            Some(_) if !item.is_whole => {}
            Some(ToolKind::Function) => {
                self.of_item("response.function_call_arguments.done", out, |o, item| {
                    put!(o, "name"?: item.kind.name(), "arguments": &item.text);
                });
            }
            // Its input is known once the arguments are whole.
            Some(ToolKind::Custom) => {
                self.of_item("response.custom_tool_call_input.delta", out, |o, item| {
                    put!(o, "delta": &custom_input(&item.text));
                });
                self.of_item("response.custom_tool_call_input.done", out, |o, item| {
                    put!(o, "input": &custom_input(&item.text));
                });
            }
            Some(_) => {}
        }
        let Some(item) = self.open.take() else { return };
        self.event("response.output_item.done", out, |o, sink| {
            put!(o, "output_index": sink.items.len() as u64, "item": |o| item.write(o, ending(&item)));
        });
        self.items.push(item);
    }

    fn done_text(&mut self, (of_part, of_text): (&str, &str), out: &mut BytesMut) {
        self.of_item(&format!("{of_text}.done"), out, |o, item| {
            o.put(if item.kind == Kind::Refusal { "refusal" } else { "text" }, &item.text);
            put!(o, "logprobs"?: (item.kind == Kind::Text).then_some(Raw(item.logprobs())));
        });
        self.of_item(&format!("{of_part}.done"), out, |o, item| {
            put!(o, "part": |o| part(o, item.kind.part(), &item.text, [item.annotations(), item.logprobs()]));
        });
    }

    /// Writes an event that carries the whole response.
    fn response(&mut self, name: &str, finish: Option<Finish>, usage: Option<&Counted>, out: &mut BytesMut) {
        self.event(name, out, |o, sink| {
            let Self { head: Head { id, model, .. }, created, repeated, items, .. } = sink;
            let frame = Frame { id, model, created: *created, repeated };
            o.object("response", |o| {
                frame.write(o, finish, usage, |a| {
                    for item in items {
                        a.object(|o| item.write(o, ending(item)));
                    }
                });
            });
        });
    }

    /// Writes an event of the open item, which has one part where it is no call.
    fn of_item(&mut self, name: &str, out: &mut BytesMut, fill: impl FnOnce(&mut Object<'_>, &Item)) {
        self.event(name, out, |o, sink| {
            let Some(item) = &sink.open else { return };
            put!(o, "item_id": &item.id, "output_index": sink.items.len() as u64);
            match item.kind {
                Kind::Thought => put!(o, "summary_index": 0),
                Kind::Text | Kind::Refusal => put!(o, "content_index": 0),
                Kind::Picture | Kind::Call { .. } => {}
            }
            fill(o, item);
        });
    }

    fn event(&mut self, name: &str, out: &mut BytesMut, fill: impl FnOnce(&mut Object<'_>, &Self)) {
        sse::event(out, name, |o| {
            put!(o, "type": name, "sequence_number": self.sequence);
            fill(o, self);
        });
        self.sequence += 1;
    }
}

/// Returns the status of an item that nothing more is added to.
fn ending(item: &Item) -> &'static str {
    if item.is_whole { "completed" } else { "incomplete" }
}
