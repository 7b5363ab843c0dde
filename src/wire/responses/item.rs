//! The items of a response's output: thoughts, messages, calls of tools.

use crate::wire::cited::Citation;
use crate::wire::json::{Array, Object, Raw, put, written};
use crate::wire::reply::{Call, Part};
use crate::wire::tools::{ToolKind, ToolKinds, ToolOrigin, write_call};

/// An item of output.
pub(super) struct Item {
    pub(super) id: String,
    pub(super) kind: Kind,
    /// The text, or the arguments.
    pub(super) text: String,
    /// Whether that is all of it.
    pub(super) is_whole: bool,
    /// How likely its tokens were, as a list; empty where that is not known.
    logprobs: String,
    /// What its text rests on, as a list; empty where nothing is said of that.
    annotations: String,
    pub(super) notes: u64,
    /// At which character of all the text it begins.
    pub(super) from: u64,
}

/// What kind of item it is.
#[derive(PartialEq, Eq)]
pub(super) enum Kind {
    Thought,
    Text,
    Refusal,
    Picture,
    Call { id: String, name: String, origin: Option<ToolOrigin> },
}

impl Kind {
    /// Makes the kind of a call, by what was offered under the name.
    pub(super) fn call(tools: &ToolKinds, id: &str, name: &str) -> Self {
        Self::Call { id: id.to_owned(), name: name.to_owned(), origin: tools.origin(name).cloned() }
    }

    /// Returns the kind of tool that a call is of.
    pub(super) fn tool(&self) -> Option<ToolKind> {
        let Self::Call { origin, .. } = self else { return None };
        Some(origin.as_ref().map_or(ToolKind::Function, |origin| origin.kind))
    }

    /// Returns the name of what a call calls, as the client has it.
    pub(super) fn name(&self) -> Option<&String> {
        let Self::Call { name, origin, .. } = self else { return None };
        Some(origin.as_ref().map_or(name, |origin| &origin.name))
    }

    /// Returns what the names of the events begin with by which the part of such an item, and the text in it, grows.
    pub(super) fn events(&self) -> (&'static str, &'static str) {
        match self {
            Self::Thought => ("response.reasoning_summary_part", "response.reasoning_summary_text"),
            Self::Refusal => ("response.content_part", "response.refusal"),
            Self::Text | Self::Picture | Self::Call { .. } => {
                ("response.content_part", "response.output_text")
            }
        }
    }

    /// Returns what ids of such items begin with.
    fn prefix(&self) -> &'static str {
        match self.tool() {
            None if *self == Self::Thought => "rs",
            None if *self == Self::Picture => "ig",
            None => "msg",
            Some(ToolKind::Function) => "fc",
            Some(ToolKind::Custom) => "ctc",
            Some(ToolKind::LocalShell) => "lsh",
            Some(ToolKind::Shell) => "sh",
            Some(ToolKind::ApplyPatch) => "apc",
            Some(ToolKind::Search) => "tsc",
        }
    }

    /// Returns the kind of the part that holds the text.
    pub(super) fn part(&self) -> &'static str {
        match self {
            Self::Thought => "summary_text",
            Self::Refusal => "refusal",
            Self::Text | Self::Picture | Self::Call { .. } => "output_text",
        }
    }
}

impl Item {
    /// Makes the item at a place of a response.
    pub(super) fn new(kind: Kind, at: usize, response: &str) -> Self {
        let id = format!("{}_{at}_{response}", kind.prefix());
        let (text, logprobs, annotations) = Default::default();
        Self { id, kind, text, is_whole: true, logprobs, annotations, notes: 0, from: 0 }
    }

    /// Makes the item of a part of a whole answer.
    pub(super) fn of(part: &Part, at: usize, response: &str, tools: &ToolKinds) -> Option<Self> {
        let (kind, text) = match part {
            Part::Thought(text) => (Kind::Thought, text.as_str()),
            Part::Text(text) => (Kind::Text, text.as_str()),
            Part::Refusal(text) => (Kind::Refusal, text.as_str()),
            Part::Call(call) => (Kind::call(tools, &call.id, &call.name), &*call.arguments),
            Part::Picture { data, .. } => (Kind::Picture, data.as_str()),
            Part::Other(_) => return None,
        };
        Some(Self { text: text.to_owned(), ..Self::new(kind, at, response) })
    }

    /// Adds a list of how likely tokens were.
    pub(super) fn weigh(&mut self, list: &str) {
        extend(&mut self.logprobs, list);
    }

    /// Returns what a citation says of the item's text.
    pub(super) fn note(&self, citation: &Citation) -> String {
        written(|o| citation.responses(o, self.from))
    }

    /// Adds an annotation of the text.
    pub(super) fn annotate(&mut self, note: &str) {
        extend(&mut self.annotations, &format!("[{note}]"));
    }

    /// Returns what its text rests on, as a list.
    pub(super) fn annotations(&self) -> &str {
        if self.annotations.is_empty() { "[]" } else { &self.annotations }
    }

    /// Returns how likely its tokens were, as a list.
    pub(super) fn logprobs(&self) -> &str {
        if self.logprobs.is_empty() { "[]" } else { &self.logprobs }
    }

    /// Writes the item. One in progress has no text yet.
    pub(super) fn write(&self, o: &mut Object<'_>, status: &str) {
        let is_begun = status == "in_progress";
        put!(o, "id": &self.id);
        match &self.kind {
            Kind::Thought => {
                put!(o, "type": "reasoning", "summary": [|a| self.parts(a, is_begun)]);
            }
            Kind::Text | Kind::Refusal => {
                put!(o,
                    "type": "message", "status": status, "role": "assistant",
                    "content": [|a| self.parts(a, is_begun)],
                );
            }
            Kind::Picture => {
                let result = Some(&self.text).filter(|text| !is_begun && !text.is_empty());
                put!(o, "type": "image_generation_call", "status": status, "result": result);
            }
            Kind::Call { id, name, origin } => {
                put!(o, "status": status, "call_id": id);
                let arguments = if is_begun { "" } else { self.text.as_str() };
                if let Some(origin) = origin {
                    let call = Call { id: id.into(), name: name.into(), arguments: arguments.into() };
                    write_call(o, origin, &call);
                } else {
                    put!(o, "type": "function_call", "name": name, "arguments": arguments);
                }
            }
        }
    }

    fn parts(&self, a: &mut Array<'_>, is_begun: bool) {
        if !is_begun {
            a.object(|o| part(o, self.kind.part(), &self.text, [self.annotations(), self.logprobs()]));
        }
    }
}

/// Adds a list to a list; empty text stands for one without items.
fn extend(list: &mut String, more: &str) {
    if list.pop().is_some() {
        list.push(',');
        list.push_str(more.get(1..).unwrap_or_default());
    } else {
        more.clone_into(list);
    }
}

/// Writes a part of a message or of thoughts.
pub(super) fn part(o: &mut Object<'_>, kind: &str, text: &str, [annotations, logprobs]: [&str; 2]) {
    put!(o, "type": kind);
    match kind {
        "refusal" => put!(o, "refusal": text),
        "summary_text" => put!(o, "text": text),
        _ => {
            put!(o, "text": text, "annotations": Raw(annotations), "logprobs": Raw(logprobs));
        }
    }
}
