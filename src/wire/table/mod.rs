//! What becomes of each member of a request on its way to a provider of another dialect: data that readers ask, that tests
//! go through and that `docs/translation.md` shows.
//!
//! Invariant: a member arrives (as it is, or by meaning), is left out and told, or is refused by its own name; one that no
//! row knows is left out and told.

/// Reads what becomes of a member: `=` passed, `-` left out, `!` refused, `~` elsewhere, or where it arrives.
macro_rules! fate {
    (=) => {
        $crate::wire::table::Fate::Passed
    };
    (-) => {
        $crate::wire::table::Fate::LeftOut
    };
    (!) => {
        $crate::wire::table::Fate::Refused
    };
    (~) => {
        $crate::wire::table::Fate::Elsewhere
    };
    ($places:literal) => {
        $crate::wire::table::Fate::As($places)
    };
}

/// Reads rows: the member, what becomes of it with chat, Mistral, messages and Gemini, a sample, and a note.
macro_rules! rows {
    ($($field:literal [$($fate:tt)*] $sample:literal $(, $note:literal)?;)*) => {
        &[$(Row {
            field: $field,
            fates: [$(fate!($fate)),*],
            sample: $sample,
            note: concat!($($note)?),
        }),*]
    };
}

/// Reads kinds of tools or content: the kind, `=` where it is translated, `-` left out or `!` refused, a sample, and a note.
macro_rules! kinds {
    ($($kind:literal $fate:tt $sample:literal $(, $note:literal)?;)*) => {
        &[$(Kind { kind: $kind, fate: fate!($fate), sample: $sample, note: concat!($($note)?) }),*]
    };
}

mod chat;
mod completions;
mod gemini;
mod messages;
mod openai;
mod page;
mod responses;

use super::json::Value;
use super::{Accent, Dialect};

pub use page::translation_page;

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

/// Every table.
pub const TABLES: [Table; 5] =
    [chat::TABLE, responses::TABLE, messages::TABLE, gemini::TABLE, completions::TABLE];

impl Target {
    /// Every target.
    pub const ALL: [Self; 4] = [Self::Chat, Self::Mistral, Self::Messages, Self::Gemini];

    /// Returns the column for a dialect; nothing where no request is translated into it.
    pub(super) fn of(to: Dialect, accent: Accent) -> Option<Self> {
        match (to, accent) {
            (Dialect::OpenAiChat, Accent::OpenAi) => Some(Self::Chat),
            (Dialect::OpenAiChat, Accent::Mistral) => Some(Self::Mistral),
            (Dialect::AnthropicMessages, _) => Some(Self::Messages),
            (Dialect::Gemini, _) => Some(Self::Gemini),
            (
                Dialect::OpenAiResponses
                | Dialect::OpenAiEmbeddings
                | Dialect::GeminiEmbeddings
                | Dialect::OpenAiCompletions,
                _,
            ) => None,
        }
    }

    /// Returns the words for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Mistral => "Mistral",
            Self::Messages => "messages",
            Self::Gemini => "Gemini",
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
    pub(super) fn is(&self, name: &str) -> bool {
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
    pub(super) fn name(&self) -> &'static str {
        let [Fate::As(places), ..] = self.fates else { return self.field };
        places.split('|').next().unwrap_or(places)
    }

    /// Returns what becomes of it with a target.
    pub fn fate(&self, to: Target) -> Fate {
        let at = Target::ALL.iter().position(|target| *target == to);
        at.and_then(|at| self.fates.get(at)).copied().unwrap_or(Fate::LeftOut)
    }
}

/// Returns the kinds of tools and of content of a client's dialect.
pub(super) fn kinds(from: Dialect) -> (&'static [Kind], &'static [Kind]) {
    let table = TABLES.iter().find(|table| table.from == from);
    table.map_or((&[], &[]), |table| (table.tools, table.content))
}

/// Finds the row of a member.
pub(super) fn find(from: Dialect, field: &str) -> Option<&'static Row> {
    let table = TABLES.iter().find(|table| table.from == from)?;
    table.rows().find(|row| row.field == field)
}

/// Says whether a member is switched off or zero, so that it need not be said to anybody.
pub(super) fn is_zero(field: &str, value: Value<'_>) -> bool {
    match field {
        "n" | "best_of" | "generationConfig.candidateCount" => value.number() == Some(1),
        "logprobs" | "store" | "background" | "echo" | "generationConfig.responseLogprobs" => {
            value.flag() == Some(false)
        }
        "top_logprobs"
        | "presence_penalty"
        | "frequency_penalty"
        | "generationConfig.presencePenalty"
        | "generationConfig.frequencyPenalty" => value.measure() == Some(0.0),
        "logit_bias" => value.is_object() && value.members().next().is_none(),
        "modalities" => value.items().all(|item| item.text().as_deref() == Some("text")),
        _ => false,
    }
}

/// Says whether a member says what holds anyway, so that nobody misses it where it is left out.
pub(super) fn says_nothing(field: &str, value: Value<'_>) -> bool {
    let is = |words: &[&str]| value.text().is_some_and(|text| words.contains(&&*text));
    let is_empty = || {
        (value.is_object() || value.is_array())
            && value.members().next().is_none()
            && value.items().next().is_none()
    };
    match field {
        "metadata" | "include" | "tools" | "functions" | "mcp_servers" | "fallbacks" => is_empty(),
        "truncation" => is(&["disabled"]),
        "service_tier" => is(&["auto", "default", "standard"]),
        "speed" => is(&["standard"]),
        "verbosity" | "text.verbosity" => is(&["medium"]),
        "parallel_tool_calls" => value.flag() == Some(true),
        "inference_geo" => is(&["global", "not_available"]),
        "stream_options" | "generationConfig" => true,
        "suffix" => is(&[""]),
        "generationConfig.responseModalities" => {
            value.items().all(|item| item.text().is_some_and(|word| word.eq_ignore_ascii_case("text")))
        }
        "serviceTier" => is(&["unspecified", "standard"]),
        _ => is_zero(field, value),
    }
}
