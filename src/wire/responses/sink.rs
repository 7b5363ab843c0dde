//! An answer of another dialect, written as the events of a response.
//!
//! Every item of output is announced, grows, and is given whole when it is done; at the end the response is given whole.
//! So the texts are kept until then.

use bytes::BytesMut;

use super::answer::{Frame, content, function_call, message, repeated, status};
use crate::record::usage::Counted;
use crate::wire::Ask;
use crate::wire::json::{Object, object};
use crate::wire::reply::{Call, Delta, Finish};
use crate::wire::translate::{as_own, own_id};

/// What ids of responses begin with.
const PREFIX: &str = "resp_";

/// Writes events.
#[derive(Debug)]
pub(in crate::wire) struct Sink {
    id: String,
    model: String,
    created: u64,
    repeated: Vec<(&'static str, String)>,
    has_started: bool,
    items: Vec<Item>,
    /// The items of the calls, in the order of the calls.
    calls: Vec<usize>,
    /// The message being written.
    open: Option<usize>,
    finish: Finish,
    sequence: u64,
}

/// An item of output.
#[derive(Debug)]
struct Item {
    id: String,
    /// The text, or the arguments.
    text: String,
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Refusal,
    Call { id: String, name: String },
}

impl Kind {
    fn part(&self) -> &'static str {
        if *self == Self::Refusal { "refusal" } else { "output_text" }
    }
}

impl Item {
    fn write(&self, o: &mut Object<'_>, status: &str) {
        match &self.kind {
            Kind::Call { id, name } => {
                let call = Call { id: id.into(), name: name.into(), arguments: self.text.as_str().into() };
                function_call(o, &self.id, status, &call);
            }
            kind => {
                let is_done = status != "in_progress";
                message(o, &self.id, status, is_done.then_some((kind.part(), self.text.as_str())));
            }
        }
    }
}

impl Sink {
    /// Starts a stream that answers `ask`.
    pub(in crate::wire) fn new(ask: &Ask) -> Self {
        Self {
            id: own_id(PREFIX, "", ask),
            model: ask.model().to_owned(),
            created: ask.received(),
            repeated: repeated(ask),
            has_started: false,
            items: Vec::new(),
            calls: Vec::new(),
            open: None,
            finish: Finish::Other,
            sequence: 0,
        }
    }

    /// Gives the number of the next event.
    pub(in crate::wire) fn sequence(&self) -> u64 {
        self.sequence
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
            Delta::Text(text) => self.say(Kind::Text, text, out),
            Delta::Refusal(text) => self.say(Kind::Refusal, text, out),
            Delta::Thought(_) => {}
            Delta::CallStart { id, name, .. } => {
                self.close_message(out);
                self.calls.push(self.items.len());
                self.begin("fc", Kind::Call { id: id.to_owned(), name: name.to_owned() }, out);
            }
            Delta::CallArguments { call, text } => {
                let Some(at) = self.calls.get(call).copied() else { return };
                let Some(id) = self.grow(at, text) else { return };
                self.event("response.function_call_arguments.delta", out, |o| {
                    o.text("item_id", &id);
                    o.number("output_index", at as u64);
                    o.text("delta", text);
                });
            }
            Delta::CallEnd { .. } => {}
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
        let fits = |at: &usize| self.items.get(*at).is_some_and(|item| item.kind == kind);
        let part = kind.part();
        let at = if let Some(at) = self.open.filter(fits) {
            at
        } else {
            self.close_message(out);
            let at = self.items.len();
            self.begin("msg", kind, out);
            self.open = Some(at);
            let id = self.items.get(at).map(|item| item.id.clone()).unwrap_or_default();
            self.event("response.content_part.added", out, |o| {
                place(o, &id, at);
                o.object("part", |o| content(o, part, ""));
            });
            at
        };
        let Some(id) = self.grow(at, text) else { return };
        let name = if part == "refusal" { "response.refusal.delta" } else { "response.output_text.delta" };
        self.event(name, out, |o| {
            place(o, &id, at);
            o.text("delta", text);
            if part != "refusal" {
                o.array("logprobs", |_| {});
            }
        });
    }

    /// Adds to an item's text and gives its id.
    fn grow(&mut self, at: usize, text: &str) -> Option<String> {
        let item = self.items.get_mut(at)?;
        item.text.push_str(text);
        Some(item.id.clone())
    }

    fn begin(&mut self, prefix: &str, kind: Kind, out: &mut BytesMut) {
        self.start(out);
        let at = self.items.len();
        let item = Item { id: format!("{prefix}_{at}_{}", self.id), text: String::new(), kind };
        self.event("response.output_item.added", out, |o| {
            o.number("output_index", at as u64);
            o.object("item", |o| item.write(o, "in_progress"));
        });
        self.items.push(item);
    }

    fn close_message(&mut self, out: &mut BytesMut) {
        if let Some(at) = self.open.take() {
            self.done(at, out);
        }
    }

    fn done(&mut self, at: usize, out: &mut BytesMut) {
        let Some(item) = self.items.get_mut(at) else { return };
        let mut item =
            std::mem::replace(item, Item { id: String::new(), text: String::new(), kind: Kind::Text });
        if matches!(item.kind, Kind::Call { .. }) {
            if item.text.is_empty() {
                item.text.push_str("{}");
            }
            self.event("response.function_call_arguments.done", out, |o| {
                o.text("item_id", &item.id);
                o.number("output_index", at as u64);
                if let Kind::Call { name, .. } = &item.kind {
                    o.text("name", name);
                }
                o.text("arguments", &item.text);
            });
        } else {
            let part = item.kind.part();
            let (name, key) = match part {
                "refusal" => ("response.refusal.done", "refusal"),
                _ => ("response.output_text.done", "text"),
            };
            self.event(name, out, |o| {
                place(o, &item.id, at);
                o.text(key, &item.text);
                if key == "text" {
                    o.array("logprobs", |_| {});
                }
            });
            self.event("response.content_part.done", out, |o| {
                place(o, &item.id, at);
                o.object("part", |o| content(o, part, &item.text));
            });
        }
        self.event("response.output_item.done", out, |o| {
            o.number("output_index", at as u64);
            o.object("item", |o| item.write(o, "completed"));
        });
        if let Some(place) = self.items.get_mut(at) {
            *place = item;
        }
    }

    /// Writes the closing events.
    pub(in crate::wire) fn close(&mut self, usage: Option<Counted>, out: &mut BytesMut) {
        self.start(out);
        self.close_message(out);
        for call in std::mem::take(&mut self.calls) {
            self.done(call, out);
        }
        let finish = self.finish;
        let name =
            if status(Some(finish)) == "incomplete" { "response.incomplete" } else { "response.completed" };
        self.whole(name, Some(finish), usage.as_ref(), out);
    }

    /// Writes an event that carries the whole response.
    fn whole(&mut self, name: &str, finish: Option<Finish>, usage: Option<&Counted>, out: &mut BytesMut) {
        let items = std::mem::take(&mut self.items);
        let (id, model) = (self.id.clone(), self.model.clone());
        let repeated = std::mem::take(&mut self.repeated);
        let frame = Frame { id: &id, model: &model, created: self.created, repeated: &repeated };
        self.event(name, out, |o| {
            o.object("response", |o| {
                frame.write(o, finish, usage, |a| {
                    for item in &items {
                        a.object(|o| item.write(o, "completed"));
                    }
                });
            });
        });
        self.items = items;
        self.repeated = repeated;
    }

    fn event(&mut self, name: &str, out: &mut BytesMut, fill: impl FnOnce(&mut Object<'_>)) {
        let mut data = Vec::with_capacity(256);
        data.extend_from_slice(b"event: ");
        data.extend_from_slice(name.as_bytes());
        data.extend_from_slice(b"\ndata: ");
        object(&mut data, |o| {
            o.text("type", name);
            o.number("sequence_number", self.sequence);
            fill(o);
        });
        data.extend_from_slice(b"\n\n");
        self.sequence += 1;
        out.extend_from_slice(&data);
    }
}

fn place(o: &mut Object<'_>, id: &str, at: usize) {
    o.text("item_id", id);
    o.number("output_index", at as u64);
    o.number("content_index", 0);
}
