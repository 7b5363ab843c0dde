//! Our own log format, version 2 (and 1, which says less): one JSON object a line. LOG-FORMAT.md describes it for people.
//!
//! Invariants: what is written reads back as the same entry; unknown keys are ignored; a file of a newer version is
//! refused, not half understood.

mod budgets;
mod event;
mod plain;
mod request;
mod strict;
mod write;

pub use budgets::BudgetFiles;
pub(crate) use event::header;
pub use event::{Header, VERSION};
pub(crate) use plain::read as parse_plain;
pub use strict::{UnknownKey, unknown_policy_keys};
pub use write::write_entry;
pub(crate) use write::write_header;

pub use self::request::plausible;
use self::request::request;
use super::skip::Refusal;
use super::value::Object;
use super::{Entry, Record};

/// Reads one line; `None` where it is a header and no entry.
pub(crate) fn parse(text: &str) -> Result<Option<Entry<'_>>, Refusal> {
    let mut record = Record::default();
    if parse_plain(text, &mut record) {
        return Ok(Some(Entry::Request(record)));
    }
    parse_any(text)
}

/// Reads one line of any kind, slower.
pub(crate) fn parse_any(text: &str) -> Result<Option<Entry<'_>>, Refusal> {
    let line = Object::read(text)?;
    if let Some(header) = event::header_of(&line) {
        return header.map(|_| None);
    }
    match (line.find("event")?, line.find("pointsman")?) {
        (None, None) => request(&line).map(|record| Some(Entry::Request(record))),
        (Some(kind), _) if kind.said().is_some() => event::read(&line).map(Some),
        _ => Err(Refusal::bad("event: neither an event nor a header")),
    }
}
