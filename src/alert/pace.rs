//! How fast an account is spent: sums by minute, as far back as anybody asks.

use std::collections::VecDeque;

use crate::units::{Instant, Pico, Span};

const MINUTE: i64 = 60_000_000;

/// What was spent, minute by minute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Minutes in which anything was spent, with all that was spent up to their end.
    minutes: VecDeque<(i64, Pico)>,
    /// What was spent before the first of them.
    before: Pico,
}

impl Pace {
    /// Adds what was spent at a moment; moments ascend by the minute. Minutes older than `keep` are let go.
    pub fn add(&mut self, at: Instant, amount: Pico, keep: Span) {
        let minute = at.0.div_euclid(MINUTE);
        let all = Pico(self.all().0.saturating_add(amount.0));
        match self.minutes.back_mut() {
            Some((last, sum)) if *last >= minute => *sum = all,
            _ => self.minutes.push_back((minute, all)),
        }
        let oldest = minute - keep.0 / MINUTE;
        let old = self.minutes.partition_point(|(minute, _)| *minute < oldest);
        if let Some((_, sum)) = self.minutes.drain(..old).next_back() {
            self.before = sum;
        }
    }

    /// Returns all that was ever spent.
    fn all(&self) -> Pico {
        self.minutes.back().map_or(self.before, |(_, sum)| *sum)
    }

    /// Returns what was spent within a stretch that ends at the beginning of a minute.
    pub fn within(&self, end: Instant, stretch: Span) -> Pico {
        let end = end.0.div_euclid(MINUTE);
        let upto = |minute: i64| {
            let place = self.minutes.partition_point(|(at, _)| *at < minute);
            place.checked_sub(1).and_then(|at| self.minutes.get(at)).map_or(self.before, |(_, sum)| *sum)
        };
        Pico(upto(end).0.saturating_sub(upto(end - stretch.0 / MINUTE).0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_has_what_was_spent_in_its_minutes() {
        let mut pace = Pace::default();
        let at = |minute: i64| Instant(minute * MINUTE);
        for minute in 0..200 {
            pace.add(Instant(minute * MINUTE + 1), Pico(1), Span::mins(60));
            pace.add(Instant(minute * MINUTE + 2), Pico(1), Span::mins(60));
        }
        assert_eq!(pace.within(at(200), Span::mins(5)), Pico(10));
        assert_eq!(pace.within(at(200), Span::mins(60)), Pico(120));
        assert_eq!(pace.within(at(230), Span::mins(60)), Pico(60));
        assert_eq!(pace.within(at(400), Span::mins(60)), Pico(0));
        assert!(pace.minutes.len() <= 61);
    }
}
