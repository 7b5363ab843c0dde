//! What happened in a log besides requests, and in which words it is told.

use std::borrow::Cow;

use super::written::price_text;
use crate::pricing::{CostSum, Recharge};
use crate::record::{self, PriceChange};
use crate::runaway::ToldTrip;
use crate::units::{Instant, counted};

/// What kind of event a note tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// A price changed.
    Price,
    /// Another policy came into force.
    Policy,
    /// A rule against runaways tripped, or would have.
    Runaway,
    /// Somebody wrote something into the log.
    Note,
}

impl NoteKind {
    /// Says what kind of event a text of a log tells.
    pub fn of(text: &str) -> Self {
        if ToldTrip::parse(text).is_some() { Self::Runaway } else { Self::Note }
    }
}

/// Something that happened besides requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogNote {
    /// When.
    pub at: Instant,
    /// What kind.
    pub kind: NoteKind,
    /// In one line.
    pub text: String,
    /// Whether it was synthetic.
    pub simulated: bool,
}

impl LogNote {
    pub(super) fn new(at: Instant, kind: NoteKind, text: String) -> Self {
        Self { at, kind, text, simulated: false }
    }

    /// Notes a price that changes, of always where its start is not told.
    pub(super) fn price(change: &PriceChange<'_>, always: Instant) -> Self {
        let at = change.row.from.unwrap_or(always);
        Self { simulated: change.simulated, ..Self::new(at, NoteKind::Price, price_text(change)) }
    }

    /// Notes what somebody wrote.
    pub(super) fn told(at: Instant, text: Cow<'_, str>, simulated: bool) -> Self {
        Self { simulated, ..Self::new(at, NoteKind::of(&text), text.into_owned()) }
    }

    /// Notes what a provider said of a model.
    pub(super) fn signal(signal: &record::Signal<'_>) -> Self {
        let why = if signal.why.is_empty() { String::new() } else { format!(" ({})", signal.why) };
        let text = match signal.until {
            Some(until) => format!("{} cannot be called before {}{why}", signal.model, until.clock()),
            None => format!("{} can be called again{why}", signal.model),
        };
        Self::new(signal.at, NoteKind::Note, text)
    }
}

/// Says that the given prices make something else of the log's charges; `None` where they do not.
pub fn recharge_text(recharge: &Recharge, book: &str, reprices: bool) -> Option<String> {
    let Recharge { requests, differing, charged, priced } = recharge;
    let what = if reprices {
        "costs are those of the book, not as charged"
    } else {
        "costs are as charged (--reprice takes the book's)"
    };
    let unknown = |sum: &CostSum| match sum.unknown {
        0 => String::new(),
        unknown => format!(" and {unknown} unknown"),
    };
    (*differing > 0).then(|| {
        format!(
            "the prices of {book} disagree with what was charged for {differing} of {}: {}{} charged, {}{} by the book; {what}",
            counted(*requests, "request"),
            charged.total().dollars(),
            unknown(charged),
            priced.total().dollars(),
            unknown(priced)
        )
    })
}

/// Says that calls are billed by a meter without a price.
pub fn meter_text(meter: &str, calls: u64) -> String {
    format!(
        "{} billed by `{meter}`, a meter that the price book has no price for: their cost is not known",
        if calls == 1 { "1 call is".to_owned() } else { format!("{} are", counted(calls, "call")) }
    )
}

/// Says that a provider bills by a meter that nobody here knows.
pub(super) fn billed_by_text(provider: &str, model: &str, meter: &str) -> String {
    format!(
        "{provider} bills {model} by `{meter}`, a meter that neither this program nor the price book knows: what such calls cost is not known"
    )
}
