//! The stretch of a log that a command is about: `--from` and `--to`, the same for every reader.
//!
//! Invariant: half-open, by the moment of arrival; times of day take their day from the first request that is read.

use crate::units::{Instant, Span, When};

/// A stretch of time, as asked for and, once the first request is known, as moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    /// Only requests at or after this moment; a time of day is that of the day of the first request, or of
    /// the next where that is nearer.
    pub from: Option<When>,
    /// Only requests before this moment; a time of day is the first one after `from`, or else as there.
    pub to: Option<When>,
    found: Option<(Option<Instant>, Option<Instant>)>,
    /// The first and the last moment that were asked about.
    met: Option<(Instant, Instant)>,
}

impl Stretch {
    /// Says that a log has nothing within one.
    pub const EMPTY: &'static str = "the log holds none in that stretch of time; a time of day without a date is one of its first day, or of the next where that is nearer to its start";

    /// Makes one of what was asked for.
    pub fn new(from: Option<When>, to: Option<When>) -> Self {
        Self { from, to, found: None, met: None }
    }

    /// Says whether nothing is left out.
    pub fn is_whole(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    /// Says whether a request that arrived then belongs to it.
    pub fn takes(&mut self, at: Instant) -> bool {
        let (from, to) = *self.found.get_or_insert_with(|| {
            let from = self.from.map(|from| from.near_start(at));
            (from, self.to.map(|to| from.map_or_else(|| to.near_start(at), |from| to.after(from))))
        });
        self.met = Some(self.met.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        from.is_none_or(|from| at >= from) && to.is_none_or(|to| at < to)
    }

    /// Returns how much time was looked at, quiet parts of it too: the stretch, as far as what was asked about reaches.
    pub(super) fn looked_at(&self) -> Option<Span> {
        let ((from, to), (first, last)) = (self.found?, self.met?);
        Some(to.map_or(last, |to| to.min(last)) - from.map_or(first, |from| from.max(first)))
    }
}
