//! Calls to one model in the last minutes.

use std::collections::BTreeMap;

use crate::routing::Status;
use crate::units::{Instant, Span};

/// How far back is looked, in minutes.
const MINUTES: i64 = 5;
/// Fewer calls than this say nothing.
const LEAST: u64 = 20;

/// One minute.
#[derive(Clone, Copy, Debug, Default)]
struct Minute {
    made: u64,
    failed: u64,
    timed: u64,
    millis: u64,
}

/// Calls by minute.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls(BTreeMap<i64, Minute>);

fn minute(at: Instant) -> i64 {
    at.0.div_euclid(Span::mins(1).0)
}

impl Calls {
    /// Adds a call that was over at a moment.
    pub(super) fn add(&mut self, at: Instant, status: Status, millis: Option<u64>) {
        let now = minute(at);
        let newest = self.0.last_key_value().map_or(now, |(newest, _)| *newest);
        if now + MINUTES <= newest {
            return;
        }
        let cell = self.0.entry(now).or_default();
        cell.made += 1;
        // What a client did is not the model's fault.
        cell.failed += u64::from(status.is_retryable() || status == Status::Truncated);
        if let Some(millis) = millis.filter(|_| status.is_ok()) {
            cell.timed += 1;
            cell.millis = cell.millis.saturating_add(millis);
        }
        self.0 = self.0.split_off(&(now.max(newest) - MINUTES + 1));
    }

    fn last(&self, at: Instant) -> Minute {
        let now = minute(at);
        self.0.range(now - MINUTES + 1..=now).fold(Minute::default(), |all, (_, one)| Minute {
            made: all.made + one.made,
            failed: all.failed + one.failed,
            timed: all.timed + one.timed,
            millis: all.millis.saturating_add(one.millis),
        })
    }

    /// Returns how many of a thousand failed; none where there were too few.
    pub(super) fn errors(&self, at: Instant) -> Option<u64> {
        let Minute { made, failed, .. } = self.last(at);
        (made >= LEAST).then(|| failed * 1000 / made)
    }

    /// Returns how many milliseconds one took, on average; none where there were too few.
    pub(super) fn mean_millis(&self, at: Instant) -> Option<u64> {
        let Minute { timed, millis, .. } = self.last(at);
        (timed >= LEAST).then(|| millis / timed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_minutes_count_and_few_calls_say_nothing() {
        let mut calls = Calls::default();
        let at = |seconds: i64| Instant::from_secs(seconds);
        for second in 0..40 {
            let status = if second % 2 == 0 { Status::ServerError } else { Status::Ok };
            calls.add(at(second), status, Some(100));
        }
        assert_eq!((calls.errors(at(60)), calls.mean_millis(at(60))), (Some(500), Some(100)));
        assert_eq!(calls.errors(at(600)), None, "they are long ago");
        for second in 600..625 {
            calls.add(at(second), Status::Cancelled, None);
        }
        assert_eq!((calls.errors(at(630)), calls.mean_millis(at(630))), (Some(0), None));
        calls.add(at(0), Status::ServerError, None);
        assert_eq!(calls.errors(at(630)), Some(0), "what comes late changes nothing of now");
    }
}
