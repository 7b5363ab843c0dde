//! Where a limit's window is heading: what it will have cost, and when what may be spent is spent.
//!
//! Invariant: nothing is foretold from less than one whole hour, and what is spent already is never taken back.

use super::past::ONE;
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

/// Returns when the next hour begins, the end, what is left of the hour under way in thousandths, and the whole hours after it.
fn left(at: Instant, ends: Option<Instant>) -> (Instant, Instant, u64, usize) {
    let hour = Span::hours(1);
    let next = at.hour_start() + hour;
    let until = ends.unwrap_or(next + Span::hours(i64::try_from(FAR).unwrap_or(0)));
    let rest = (until.min(next) - at).0.clamp(0, hour.0);
    let rest = u64::try_from(rest).unwrap_or(0) * HOUR / u64::try_from(hour.0).unwrap_or(u64::MAX);
    (next, until, rest, usize::try_from((until - next).0.max(0) / hour.0).unwrap_or(FAR))
}

/// Says between which millionths of what is expected of the rest of a window eight of ten cases lie; none where there is less than a
/// week to learn from. That takes a hundred times as long as to foretell it.
pub fn spread(past: &Hours, at: Instant, ends: Option<Instant>) -> Option<(u64, u64)> {
    let (_, _, rest, hours) = left(at, Some(ends?));
    Some(past.scatter(&past.model(past.len())?, rest, hours).1)
}

impl Ahead {
    /// Returns between which totals eight of ten cases lie, where that much of what is left is known.
    pub fn between(&self, spent: Pico, (low, high): (u64, u64)) -> Option<(Pico, Pico)> {
        let left = self.end? - spent;
        let times = |ratio: u64| spent + left.proportion([ratio], [ONE]);
        Some((times(low), times(high)))
    }
}

/// Foretells a window from the hours before the one of a moment. `ends` is its end, `spent` what was spent of it so far, `limit`
/// what may be. None where there is no whole hour to learn from.
pub fn ahead(past: &Hours, at: Instant, ends: Option<Instant>, spent: Pico, limit: Pico) -> Option<Ahead> {
    if past.is_empty() {
        return None;
    }
    let (next, until, rest, hours) = left(at, ends);
    let model = past.model(past.len());
    let left = match &model {
        Some(model) => model.ahead(rest, hours),
        None => past.total().proportion([HOUR * hours as u64 + rest], [HOUR * past.len() as u64]),
    };
    let gone = runs_out(past, limit - spent, (rest, hours), &[]).map(|hours| match (hours, rest) {
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
