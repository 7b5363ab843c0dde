//! What becomes of each member of a request on its way to a provider of another dialect: data that readers ask, that tests
//! go through and that `docs/translation.md` shows.
//!
//! Likewise of each kind of content of an answer, on its way back.
//!
//! Invariant: a member arrives (as it is, or by meaning), is left out and told, or is refused by its own name; one that no
//! row knows is left out and told.

/// Reads what becomes of a member: `=` passed, `-` left out, `!` refused, `~` elsewhere, or where it arrives.
macro_rules! fate {
    (=) => {
        $crate::wire::table::row::Fate::Passed
    };
    (-) => {
        $crate::wire::table::row::Fate::LeftOut
    };
    (!) => {
        $crate::wire::table::row::Fate::Refused
    };
    (~) => {
        $crate::wire::table::row::Fate::Elsewhere
    };
    ($places:literal) => {
        $crate::wire::table::row::Fate::As($places)
    };
}

/// Reads what becomes of something with each target or client, in the order of the columns.
macro_rules! fates {
    ($($fate:tt)*) => { [$(fate!($fate)),*] };
}

/// Reads rows: the member, what becomes of it with chat, Mistral, messages and Gemini, a sample, and a note.
macro_rules! rows {
    ($($field:literal [$($fate:tt)*] $sample:literal $(, $note:literal)?;)*) => {
        &[$(Row {
            field: $field,
            fates: fates!($($fate)*),
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

mod answers;
mod chat;
mod completions;
mod gemini;
mod messages;
mod openai;
mod responses;
mod row;

use super::Dialect;
use super::json::Value;

pub use answers::{ANSWERS, CLIENTS};
pub(super) use answers::{has_citations, has_pictures};
pub use row::{AnswerRow, Answers, Fate, Kind, Row, Table, Target};

/// Every table.
pub const TABLES: [Table; 5] =
    [chat::TABLE, responses::TABLE, messages::TABLE, gemini::TABLE, completions::TABLE];

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
