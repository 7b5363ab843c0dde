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
use crate::wire::json::{Object, object};
use crate::wire::logprobs::Logprobs;
use crate::wire::preface::Preface;
use crate::wire::reply::{Delta, Finish};
use crate::wire::tools::{ToolKind, ToolKinds, custom_input};
use crate::wire::translate::{as_own, own_id};

/// What ids of responses begin with.
const PREFIX: &str = "resp_";
/// The most bytes of text that are repeated when an item, and the response, is done.
const KEPT: usize = 4 * 1024 * 1024;

/// Writes events.
#[derive(Debug)]
pub(in crate::wire) struct Sink {
    id: String,
    model: String,
    created: u64,
    repeated: String,
    tools: ToolKinds,
    has_started: bool,
    /// Whether the model needs no further name.
    is_named: bool,
    /// The items that are done.
    items: Vec<Item>,
    /// The item being written.
    open: Option<Item>,
    kept: usize,
    finish: Finish,
    sequence: u64,
}

impl Sink {
    /// Starts a stream that answers `ask`.
    pub(in crate::wire) fn new(ask: &Ask) -> Self {
        Self {
            id: own_id(PREFIX, "", ask),
            model: ask.model().to_owned(),
            created: ask.received(),
            repeated: repeated(ask),
            tools: ask.tool_kinds(),
            has_started: false,
            is_named: true,
            items: Vec::new(),
            open: None,
            kept: 0,
            finish: Finish::Other,
            sequence: 0,
        }
    }

    /// Counts the text that is kept.
    pub(in crate::wire) fn held(&self) -> usize {
        self.kept.saturating_add(self.repeated.len())
    }

    /// Gives the number of the next event.
    pub(in crate::wire) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Goes on with a message that has begun already.
    pub(in crate::wire) fn go_on(&mut self, preface: &Preface) {
        if !preface.id.is_empty() {
            self.id.clone_from(&preface.id);
        }
        self.has_started = true;
        self.is_named = false;
        self.sequence = preface.events;
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
                    // The model of a message that an earlier try began is the one that answers.
                    if !std::mem::replace(&mut self.is_named, true) && !model.is_empty() {
                        model.clone_into(&mut self.model);
                    }
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
            Delta::Text(text) => self.say(Kind::Text, text, out),
            Delta::Refusal(text) => self.say(Kind::Refusal, text, out),
            Delta::Thought(text) => self.say(Kind::Thought, text, out),
            Delta::CallStart { id, name, .. } => {
                self.done(out);
                self.begin(Kind::call(&self.tools, id, name), out);
            }
            Delta::CallArguments { text, .. } => {
                self.grow(text);
                if self.is_function() {
                    self.of_item("response.function_call_arguments.delta", out, |o, _| o.text("delta", text));
                }
            }
            Delta::CallEnd { .. } => self.done(out),
            Delta::Logprobs(told) => self.weigh(told, out),
            Delta::Other | Delta::Choice(_) => {}
            Delta::Finish { finish, .. } => self.finish = finish,
        }
    }

    fn start(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        self.whole("response.created", None, None, out);
        self.whole("response.in_progress", None, None, out);
    }

    fn say(&mut self, kind: Kind, text: &str, out: &mut BytesMut) {
        let (is_thought, is_refusal) = (kind == Kind::Thought, kind == Kind::Refusal);
        if self.open.as_ref().is_none_or(|open| open.kind != kind) {
            self.done(out);
            self.begin(kind, out);
            let name = if is_thought {
                "response.reasoning_summary_part.added"
            } else {
                "response.content_part.added"
            };
            self.of_item(name, out, |o, item| {
                place(o, &item.kind);
                o.object("part", |o| part(o, item.kind.part(), "", "[]"));
            });
        }
        self.grow(text);
        let name = match (is_thought, is_refusal) {
            (true, _) => "response.reasoning_summary_text.delta",
            (_, true) => "response.refusal.delta",
            _ => "response.output_text.delta",
        };
        self.of_item(name, out, |o, item| {
            place(o, &item.kind);
            o.text("delta", text);
            if item.kind == Kind::Text {
                o.array("logprobs", |_| {});
            }
        });
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
        self.of_item("response.output_text.delta", out, |o, item| {
            place(o, &item.kind);
            o.text("delta", "");
            o.raw("logprobs", &list);
        });
    }

    /// Adds to the open item's text what there is room for.
    fn grow(&mut self, text: &str) {
        let Some(item) = &mut self.open else { return };
        let room = KEPT.saturating_sub(self.kept);
        let mut end = room.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let kept = text.get(..end).unwrap_or_default();
        item.text.push_str(kept);
        item.is_whole &= kept.len() == text.len();
        self.kept += kept.len();
    }

    /// Says whether the open item is a call of a function.
    fn is_function(&self) -> bool {
        self.open.as_ref().is_some_and(|item| match &item.kind {
            Kind::Call { origin, .. } => {
                origin.as_ref().is_none_or(|origin| origin.kind == ToolKind::Function)
            }
            _ => false,
        })
    }

    fn begin(&mut self, kind: Kind, out: &mut BytesMut) {
        self.start(out);
        let item = Item::new(kind, self.items.len(), &self.id);
        self.event("response.output_item.added", out, |o, sink| {
            o.number("output_index", sink.items.len() as u64);
            o.object("item", |o| item.write(o, "in_progress"));
        });
        self.open = Some(item);
    }

    fn done(&mut self, out: &mut BytesMut) {
        let Some(item) = &self.open else { return };
        match &item.kind {
            Kind::Call { origin, .. } => {
                let kind = origin.as_ref().map_or(ToolKind::Function, |origin| origin.kind);
                self.done_call(kind, out);
            }
            Kind::Thought | Kind::Text | Kind::Refusal => self.done_text(out),
        }
        let Some(item) = self.open.take() else { return };
        self.event("response.output_item.done", out, |o, sink| {
            o.number("output_index", sink.items.len() as u64);
            o.object("item", |o| item.write(o, ending(&item)));
        });
        self.items.push(item);
    }

    fn done_call(&mut self, kind: ToolKind, out: &mut BytesMut) {
        match kind {
            ToolKind::Function => self.of_item("response.function_call_arguments.done", out, |o, item| {
                if let Kind::Call { name, origin, .. } = &item.kind {
                    o.text("name", origin.as_ref().map_or(name, |origin| &origin.name));
                }
                o.text("arguments", &item.text);
            }),
            // Its input is known once the arguments are whole.
            ToolKind::Custom => {
                self.of_item("response.custom_tool_call_input.delta", out, |o, item| {
                    o.text("delta", &custom_input(&item.text));
                });
                self.of_item("response.custom_tool_call_input.done", out, |o, item| {
                    o.text("input", &custom_input(&item.text));
                });
            }
            ToolKind::LocalShell | ToolKind::Shell | ToolKind::ApplyPatch | ToolKind::Search => {}
        }
    }

    fn done_text(&mut self, out: &mut BytesMut) {
        let (name, key, part_name) = match self.open.as_ref().map(|item| &item.kind) {
            Some(Kind::Thought) => {
                ("response.reasoning_summary_text.done", "text", "response.reasoning_summary_part.done")
            }
            Some(Kind::Refusal) => ("response.refusal.done", "refusal", "response.content_part.done"),
            _ => ("response.output_text.done", "text", "response.content_part.done"),
        };
        self.of_item(name, out, |o, item| {
            place(o, &item.kind);
            o.text(key, &item.text);
            if item.kind == Kind::Text {
                o.raw("logprobs", item.logprobs());
            }
        });
        self.of_item(part_name, out, |o, item| {
            place(o, &item.kind);
            o.object("part", |o| part(o, item.kind.part(), &item.text, item.logprobs()));
        });
    }

    /// Writes the closing events.
    pub(in crate::wire) fn close(&mut self, usage: Option<Counted>, out: &mut BytesMut) {
        self.start(out);
        self.done(out);
        let is_whole = self.items.iter().all(|item| item.is_whole);
        let finish = if is_whole { self.finish } else { Finish::Length };
        let name =
            if status(Some(finish)) == "incomplete" { "response.incomplete" } else { "response.completed" };
        self.whole(name, Some(finish), usage.as_ref(), out);
    }

    /// Writes an event that carries the whole response.
    fn whole(&mut self, name: &str, finish: Option<Finish>, usage: Option<&Counted>, out: &mut BytesMut) {
        self.event(name, out, |o, sink| {
            let Self { id, model, created, repeated, items, .. } = sink;
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

    /// Writes an event of the open item.
    fn of_item(&mut self, name: &str, out: &mut BytesMut, fill: impl FnOnce(&mut Object<'_>, &Item)) {
        self.event(name, out, |o, sink| {
            if let Some(item) = &sink.open {
                o.text("item_id", &item.id);
                o.number("output_index", sink.items.len() as u64);
                fill(o, item);
            }
        });
    }

    fn event(&mut self, name: &str, out: &mut BytesMut, fill: impl FnOnce(&mut Object<'_>, &Self)) {
        let mut data = Vec::with_capacity(256);
        data.extend_from_slice(b"event: ");
        data.extend_from_slice(name.as_bytes());
        data.extend_from_slice(b"\ndata: ");
        object(&mut data, |o| {
            o.text("type", name);
            o.number("sequence_number", self.sequence);
            fill(o, self);
        });
        data.extend_from_slice(b"\n\n");
        self.sequence += 1;
        out.extend_from_slice(&data);
    }
}

/// Gives the status of an item that nothing more is added to.
fn ending(item: &Item) -> &'static str {
    if item.is_whole { "completed" } else { "incomplete" }
}

/// Writes which part of an item an event is about; there is one.
fn place(o: &mut Object<'_>, kind: &Kind) {
    o.number(if *kind == Kind::Thought { "summary_index" } else { "content_index" }, 0);
}
