//! The items of a response's output: thoughts, messages, calls of tools.

use crate::wire::json::{Array, Object};
use crate::wire::reply::{Call, Part};
use crate::wire::tools::{ToolKind, ToolKinds, ToolOrigin, write_call};

/// An item of output.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) kind: Kind,
    /// The text, or the arguments.
    pub(super) text: String,
    /// Whether that is all of it.
    pub(super) is_whole: bool,
    /// How likely its tokens were, as a list; empty where that is not known.
    logprobs: String,
}

/// What kind of item it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Thought,
    Text,
    Refusal,
    Call { id: String, name: String, origin: Option<ToolOrigin> },
}

impl Kind {
    /// Makes the kind of a call, by what was offered under the name.
    pub(super) fn call(tools: &ToolKinds, id: &str, name: &str) -> Self {
        Self::Call { id: id.to_owned(), name: name.to_owned(), origin: tools.origin(name).cloned() }
    }

    /// Gives what ids of such items begin with.
    fn prefix(&self) -> &'static str {
        let Self::Call { origin, .. } = self else {
            return if *self == Self::Thought { "rs" } else { "msg" };
        };
        match origin.as_ref().map(|origin| origin.kind) {
            None | Some(ToolKind::Function) => "fc",
            Some(ToolKind::Custom) => "ctc",
            Some(ToolKind::LocalShell) => "lsh",
            Some(ToolKind::Shell) => "sh",
            Some(ToolKind::ApplyPatch) => "apc",
            Some(ToolKind::Search) => "tsc",
        }
    }

    /// Gives the kind of the part that holds the text.
    pub(super) fn part(&self) -> &'static str {
        match self {
            Self::Thought => "summary_text",
            Self::Refusal => "refusal",
            Self::Text | Self::Call { .. } => "output_text",
        }
    }
}

impl Item {
    /// Makes the item at a place of a response.
    pub(super) fn new(kind: Kind, at: usize, response: &str) -> Self {
        let id = format!("{}_{at}_{response}", kind.prefix());
        Self { id, kind, text: String::new(), is_whole: true, logprobs: String::new() }
    }

    /// Makes the item of a part of a whole answer.
    pub(super) fn of(part: &Part<'_>, at: usize, response: &str, tools: &ToolKinds) -> Option<Self> {
        let (kind, text) = match part {
            Part::Thought(text) => (Kind::Thought, text),
            Part::Text(text) => (Kind::Text, text),
            Part::Refusal(text) => (Kind::Refusal, text),
            Part::Call(call) => (Kind::call(tools, &call.id, &call.name), &call.arguments),
            Part::Other => return None,
        };
        Some(Self { text: text.clone().into_owned(), ..Self::new(kind, at, response) })
    }

    /// Adds a list of how likely tokens were.
    pub(super) fn weigh(&mut self, list: &str) {
        if self.logprobs.pop().is_some() {
            self.logprobs.push(',');
            self.logprobs.push_str(list.get(1..).unwrap_or_default());
        } else {
            list.clone_into(&mut self.logprobs);
        }
    }

    /// Gives how likely its tokens were, as a list.
    pub(super) fn logprobs(&self) -> &str {
        if self.logprobs.is_empty() { "[]" } else { &self.logprobs }
    }

    /// Writes the item. One in progress has no text yet.
    pub(super) fn write(&self, o: &mut Object<'_>, status: &str) {
        let is_begun = status == "in_progress";
        o.text("id", &self.id);
        match &self.kind {
            Kind::Thought => {
                o.text("type", "reasoning");
                o.array("summary", |a| self.parts(a, is_begun));
            }
            Kind::Text | Kind::Refusal => {
                o.text("type", "message");
                o.text("status", status);
                o.text("role", "assistant");
                o.array("content", |a| self.parts(a, is_begun));
            }
            Kind::Call { id, name, origin } => {
                o.text("status", status);
                o.text("call_id", id);
                let arguments = if is_begun { "" } else { self.text.as_str() };
                if let Some(origin) = origin {
                    let call = Call { id: id.into(), name: name.into(), arguments: arguments.into() };
                    write_call(o, origin, &call);
                } else {
                    o.text("type", "function_call");
                    o.text("name", name);
                    o.text("arguments", arguments);
                }
            }
        }
    }

    fn parts(&self, a: &mut Array<'_>, is_begun: bool) {
        if !is_begun {
            a.object(|o| part(o, self.kind.part(), &self.text, self.logprobs()));
        }
    }
}

/// Writes a part of a message or of thoughts.
pub(super) fn part(o: &mut Object<'_>, kind: &str, text: &str, logprobs: &str) {
    o.text("type", kind);
    match kind {
        "refusal" => o.text("refusal", text),
        "summary_text" => o.text("text", text),
        _ => {
            o.text("text", text);
            o.array("annotations", |_| {});
            o.raw("logprobs", logprobs);
        }
    }
}
