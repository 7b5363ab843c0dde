//! Lines of the log that a live session writes: policies, notes, whatever is an entry.

use std::sync::Arc;

use crate::record::{self, Entry, PolicyChange, Under};
use crate::routing::Policy;
use crate::units::{Instant, Names};

/// What brought a policy into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed<'a> {
    /// The session started with it.
    Start,
    /// Somebody changed it; what, in words.
    Change(&'a str),
    /// Somebody took the latest change back; what, in words.
    Undo(&'a str),
}

impl<'a> Deed<'a> {
    /// Says it in words.
    pub fn words(self) -> &'a str {
        match self {
            Self::Start => "in force at the start",
            Self::Change(what) | Self::Undo(what) => what,
        }
    }

    /// Says whether it took something back.
    pub fn is_undo(self) -> bool {
        matches!(self, Self::Undo(_))
    }
}

/// Reads what brought a logged policy into force.
pub(super) fn deed_of<'a>(change: &'a PolicyChange<'_>) -> Deed<'a> {
    if change.undo { Deed::Undo(&change.what) } else { Deed::Change(&change.what) }
}

/// Writes a policy that comes into force.
pub(super) fn policy_line(
    policy: &Policy,
    names: &Names,
    at: Instant,
    (who, under): (&str, &Under<'_>),
    deed: Deed<'_>,
) -> Arc<str> {
    let change = PolicyChange {
        version: policy.version,
        at,
        who: who.into(),
        what: deed.words().into(),
        undo: deed.is_undo(),
        under: under.clone(),
        spec: policy.spec(names),
    };
    line_of(&Entry::Policy(Box::new(change)))
}

/// Writes an entry as a line.
pub(super) fn line_of(entry: &Entry<'_>) -> Arc<str> {
    let mut line = Vec::new();
    record::append_line(&mut line, entry);
    let lossy = |error: std::string::FromUtf8Error| String::from_utf8_lossy(error.as_bytes()).into_owned();
    String::from_utf8(line).unwrap_or_else(lossy).into()
}

/// Says what a policy event of a log changed.
pub(super) fn policy_text(change: &record::PolicyChange<'_>) -> String {
    let by = if change.who.is_empty() { String::new() } else { format!(" by {}", change.who) };
    format!("policy {}{by}: {}", change.version, change.what)
}

/// Says what a price of a log is from then on.
pub(super) fn price_text(change: &record::PriceChange<'_>) -> String {
    let tier = &change.row.standard.base;
    let hours = change.row.hours_text().map_or_else(String::new, |hours| format!(", {hours}"));
    format!(
        "price of {} is now {} in, {} out per 1M{hours}",
        change.model,
        tier.input.dollars(),
        tier.output.dollars()
    )
}
