//! The three incidents staged in the sample: a provider's rate limits, a runaway project, a price change.

use std::borrow::Cow;

use super::scene::STRONG;
use crate::pricing::{PriceRow, Rates, Tier};
use crate::record::{Entry, PriceChange};
use crate::units::{Instant, PicoPerMillion, Span};

/// Marks rows that belong to no incident; they are synthetic all the same.
pub const GENERATED: &str = "generated";
/// Marks rows that the rate limits touched.
pub const STORM: &str = "429 storm at Google";
/// Marks rows of the runaway project.
pub const RUNAWAY: &str = "runaway project";
/// Marks the price change in the header.
pub const PRICE_CHANGE: &str = "price change of gpt-4.1";

/// When each incident happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Incidents {
    pub(super) storm: (Instant, Instant),
    pub(super) runaway: (Instant, Instant),
    pub(super) price: Instant,
}

impl Incidents {
    /// Places them within a stretch of time; the minutes are those of a stretch of six hours.
    pub(super) fn within(start: Instant, end: Instant) -> Self {
        let at = |minute: i64| Instant(start.0 + (end.0 - start.0) / 360 * minute);
        Self { storm: (at(125), at(145)), runaway: (at(190), at(230)), price: at(270) }
    }

    /// Returns the share of calls to Google that are refused at a moment, in per mille: it swells, stays and fades.
    pub(super) fn refused(&self, at: Instant) -> u64 {
        let (from, to) = self.storm;
        if at < from || at >= to {
            return 0;
        }
        let place = (at.0 - from.0) * 1000 / (to.0 - from.0).max(1);
        let place = u64::try_from(place).unwrap_or(0);
        match place {
            0..150 => 300 + place * 4,
            150..800 => 900,
            _ => 900 - (place - 800) * 4,
        }
    }

    /// Returns the lines of the log that are no requests, in order of time.
    pub(super) fn entries(&self, start: Instant, seed: u64) -> Vec<Entry<'static>> {
        let note = |at: Instant, text: Cow<'static, str>| Entry::Note { at, text, simulated: true };
        let usd = |cents: i64| PicoPerMillion(cents * 10_000_000_000);
        let tier = Tier { input: usd(200), cache_read: Some(usd(50)), output: usd(1200), ..Tier::default() };
        let row = PriceRow {
            from: Some(self.price),
            standard: Rates { base: tier, above: Vec::new() },
            batch: None,
            source: Some("made up for this sample".to_owned()),
            ..PriceRow::default()
        };
        vec![
            note(
                start,
                format!(
                    "every request of this log is generated (pointsman sample --seed {seed}) from arrival and token figures of public traces; teams, prompts, routing, latencies and labels are made up"
                )
                .into(),
            ),
            note(self.storm.0, "incident: Google answers 429 to most calls of gemini-2.5-flash".into()),
            note(self.storm.1, "incident over: gemini-2.5-flash answers again".into()),
            note(
                self.runaway.0 + Span::mins(4),
                "incident: project crawler of team research loops; its prompts grow and run on claude-opus-4-6".into(),
            ),
            note(self.runaway.1, "incident over: crawler was stopped".into()),
            note(self.price, "incident: the output price of gpt-4.1 goes from $8 to $12 per 1M tokens".into()),
            Entry::Price(Box::new(PriceChange { model: STRONG.into(), row, simulated: true })),
        ]
    }
}
