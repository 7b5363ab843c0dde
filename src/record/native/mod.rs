//! Our own log format, version 2 (and 1, which says less): one JSON object a line. LOG-FORMAT.md describes it for people.
//!
//! Invariants: what is written reads back as the same entry; unknown keys are ignored; a file of a newer version is
//! refused, not half understood.

mod budgets;
mod event;
mod line;
mod plain;
mod request;
mod strict;
mod tags;
mod write;

pub use budgets::BudgetFiles;
pub(crate) use event::header;
pub use event::{Header, VERSION};
pub use strict::{UnknownKey, unknown_policy_keys};
pub use write::write_entry;
pub(crate) use write::write_header;

use self::event::Special;
use self::line::Line;
pub(crate) use self::request::plausible;
use self::request::request;
use super::json;
use super::skip::Refusal;
use super::{Entry, Record};

/// Reads one line; `None` where it is a header and no entry.
pub(crate) fn parse(text: &str) -> Result<Option<Entry<'_>>, Refusal> {
    let mut record = Record::default();
    if parse_plain(text, &mut record) {
        return Ok(Some(Entry::Request(record)));
    }
    parse_any(text)
}

/// Reads a line as most are into a record, and says whether it is such a line.
pub(crate) fn parse_plain<'a>(text: &'a str, record: &mut Record<'a>) -> bool {
    plain::read(text, record)
}

/// Reads one line of any kind, slower.
pub(crate) fn parse_any(text: &str) -> Result<Option<Entry<'_>>, Refusal> {
    // Events and headers share keys with requests but not their types, so they are read again as what they are.
    let reason = match json::read::<Line<'_>>(text) {
        Ok(line) if !line.special => return request(line).map(|record| Some(Entry::Request(record))),
        Ok(_) => "event: neither an event nor a header".to_owned(),
        Err(reason) => reason,
    };
    match event::parse(text)? {
        Special::Header => Ok(None),
        Special::Event(entry) => Ok(Some(entry)),
        Special::Not => Err(Refusal::Bad(reason)),
    }
}
