//! Where a limit's window is heading: what it will have cost, and when what may be spent is spent.
//!
//! Invariant: nothing is foretold from less than one whole hour, and what is spent already is never taken back.

use super::{HOUR, Hours, Method, runs_out};
use crate::units::{Instant, Pico, Span};

/// Hours that are looked ahead where a window never ends: a year.
const FAR: usize = 366 * 24;

/// Where a limit's window is heading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// What the window will have cost; none where it never ends.
    pub end: Option<Pico>,
    /// When what may be spent is spent, if within the window (of a window without an end: within a year).
    pub runs_out: Option<Instant>,
    /// How that was found.
    pub method: Method,
}

/// Foretells a window from the hours before the one of a moment. `ends` is its end, `spent` what was spent of it so far, `limit`
/// what may be. None where there is no whole hour to learn from.
pub fn ahead(past: &Hours, at: Instant, ends: Option<Instant>, spent: Pico, limit: Pico) -> Option<Ahead> {
    if past.is_empty() {
        return None;
    }
    let hour = Span::hours(1);
    let next = at.hour_start() + hour;
    let until = ends.unwrap_or(next + Span::hours(i64::try_from(FAR).unwrap_or(0)));
    let rest = (until.min(next) - at).0.clamp(0, hour.0);
    let rest = u64::try_from(rest).unwrap_or(0) * HOUR / u64::try_from(hour.0).unwrap_or(u64::MAX);
    let hours = usize::try_from((until - next).0.max(0) / hour.0).unwrap_or(FAR);
    let model = past.model(past.len());
    let left = match &model {
        Some(model) => model.ahead(rest, hours),
        None => past.total().proportion([HOUR * hours as u64 + rest], [HOUR * past.len() as u64]),
    };
    let gone = runs_out(past, limit - spent, rest, hours).map(|hours| match (hours, rest) {
        (0, _) => at,
        (n, 0) => at.hour_start() + Span::hours(i64::try_from(n).unwrap_or(0)),
        (n, _) => next + Span::hours(i64::try_from(n).unwrap_or(1) - 1),
    });
    let end = ends.map(|_| spent + left);
    // Of an hour that is under way a rate knows no more than that it is over by its end.
    let gone = gone.or_else(|| end.filter(|end| *end > limit).map(|_| until));
    Some(Ahead {
        end,
        runs_out: gone.map(|gone| gone.min(until)),
        method: if model.is_some() { Method::Profile } else { Method::RunRate },
    })
}
