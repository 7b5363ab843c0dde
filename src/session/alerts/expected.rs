//! Calls that cost something else than was expected of them with what caches hold: whoever routes by expected dollars has to know.
//!
//! Invariant: a model is told of once a day at most, and only by calls of that day.

use std::collections::BTreeMap;

use super::sink::{AlertSink, Call, Done, Seen};
use crate::alert::{Level, Source};
use crate::units::{Instant, ModelId, Names, Pico, Span, counted};

/// By how many thousandths what is expected may be off.
const MOST: i128 = 50;
/// The fewest calls that show it.
const LEAST: u64 = 30;

/// One model's calls of a day.
#[derive(Clone, Copy, Debug)]
struct Day {
    begins: Instant,
    calls: u64,
    expected: Pico,
    billed: Pico,
    told: bool,
}

/// All models.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    days: BTreeMap<ModelId, Day>,
}

impl Expected {
    pub(super) fn count(&mut self, at: Instant, done: &Done, names: &Names, sink: &mut AlertSink) {
        for Call { model, expected, .. } in &done.calls {
            let Some((expected, billed)) = *expected else { continue };
            let begins = at.day_start();
            let fresh = Day { begins, calls: 0, expected: Pico::ZERO, billed: Pico::ZERO, told: false };
            let day = self.days.entry(*model).or_insert(fresh);
            if day.begins != begins {
                *day = fresh;
            }
            day.calls += 1;
            (day.expected, day.billed) = (day.expected + expected, day.billed + billed);
            let off = day.billed - day.expected;
            let is_off = off.0.saturating_abs().saturating_mul(1000) > day.billed.0.saturating_mul(MOST);
            if day.told || day.calls < LEAST || !is_off {
                continue;
            }
            day.told = true;
            let (scope, day) = (format!("model {}", names.model(*model)), *day);
            let window = (begins, Some(begins + Span::days(1)));
            let seen = Seen::new(Source::Expected, (&scope, ""), window, (at, Level::Warning));
            sink.fire(&seen, || {
                let more = if off.0 > 0 { "more" } else { "less" };
                format!(
                    "{} to {scope} cost {more} than was expected with what caches hold: {}, not {}",
                    counted(day.calls, "call"),
                    day.billed.dollars(),
                    day.expected.dollars()
                )
            });
        }
    }
}
