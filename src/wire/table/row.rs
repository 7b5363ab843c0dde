//! The shape of the table: members, kinds of tools and content, and what becomes of each.

use crate::units::words;
use crate::wire::Dialect;
use crate::wire::sending::Accent;

/// Whom a request is written for, as far as the table tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A server that speaks chat as OpenAI does.
    Chat,
    /// Mistral.
    Mistral,
    /// Anthropic.
    Messages,
    /// Google.
    Gemini,
}

/// What becomes of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives under its own name, as it was written.
    Passed,
    /// It arrives by its meaning, at one of these places (divided by `|`).
    As(&'static str),
    /// It is said elsewhere than in the body, or by the gateway itself.
    Elsewhere,
    /// It is left out, and the client is told.
    LeftOut,
    /// The request is refused: without it the answer would be wrong.
    Refused,
}

/// A member of a client's request, and what becomes of it with each target.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name; within another, with a dot.
    pub field: &'static str,
    /// What becomes of it, in the order of [`Target::ALL`].
    pub fates: [Fate; 4],
    /// A value that says something, as JSON.
    pub sample: &'static str,
    /// What else there is to know.
    pub note: &'static str,
}

/// A kind of tool or of content, and what becomes of it whoever it goes to.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its `type`; `*` stands for a date.
    pub kind: &'static str,
    /// What becomes of it: [`Fate::Passed`] where it is translated.
    pub fate: Fate,
    /// One of them, as JSON.
    pub sample: &'static str,
    /// What it becomes, or why not.
    pub note: &'static str,
}

/// Everything the table holds of one client's dialect.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// The dialect.
    pub from: Dialect,
    /// The members of the request, its own first.
    pub fields: &'static [&'static [Row]],
    /// The kinds of tools.
    pub tools: &'static [Kind],
    /// The kinds of content: items, blocks or parts.
    pub content: &'static [Kind],
}

/// A kind of content of a provider's answer, and what becomes of it with each client of another dialect.
#[derive(Clone, Copy, Debug)]
pub struct AnswerRow {
    /// Its name, as it is told where it is left out.
    pub kind: &'static str,
    /// What becomes of it, in the order of `CLIENTS`: [`Fate::Elsewhere`] where it is not shown, and not missed.
    pub fates: [Fate; 5],
    /// One of them, as JSON.
    pub sample: &'static str,
    /// What else there is to know.
    pub note: &'static str,
}

/// Everything the table holds of one provider's answers.
#[derive(Clone, Copy, Debug)]
pub struct Answers {
    /// The provider's dialect.
    pub from: Dialect,
    /// The kinds of content.
    pub rows: &'static [AnswerRow],
}

words!(Target { Chat = "chat", Mistral = "Mistral", Messages = "messages", Gemini = "Gemini" });

impl Target {
    /// Returns the column for a dialect; nothing where no request is translated into it.
    pub(in crate::wire) fn of(to: Dialect, accent: Accent) -> Option<Self> {
        match (to, accent) {
            (Dialect::OpenAiChat, Accent::OpenAi) => Some(Self::Chat),
            (Dialect::OpenAiChat, Accent::Mistral) => Some(Self::Mistral),
            (Dialect::AnthropicMessages, _) => Some(Self::Messages),
            (Dialect::Gemini, _) => Some(Self::Gemini),
            _ => None,
        }
    }
}

impl Table {
    /// Walks the members of the request.
    pub fn rows(&self) -> impl Iterator<Item = &'static Row> {
        self.fields.iter().copied().flatten()
    }
}

impl Kind {
    /// Says whether it is the kind of that name.
    pub(in crate::wire) fn is(&self, name: &str) -> bool {
        match self.kind.strip_suffix('*') {
            Some(start) => {
                name.strip_prefix(start).is_some_and(|date| date.starts_with(|c: char| c.is_ascii_digit()))
            }
            None => self.kind == name,
        }
    }
}

impl Row {
    /// Returns the name by which chat has it.
    pub(in crate::wire) fn name(&self) -> &'static str {
        let [Fate::As(places), ..] = self.fates else { return self.field };
        places.split('|').next().unwrap_or(places)
    }

    /// Returns what becomes of it with a target.
    pub fn fate(&self, to: Target) -> Fate {
        let at = Target::ALL.iter().position(|target| *target == to);
        at.and_then(|at| self.fates.get(at)).copied().unwrap_or(Fate::LeftOut)
    }
}
