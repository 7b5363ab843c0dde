//! What every bill comes to: lines by day and model.

use crate::units::{Instant, Pico, Span};

/// One line of a bill.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BillLine {
    /// The start of its day (UTC).
    pub day: Instant,
    /// The model; empty where the bill does not name it.
    pub model: String,
    /// What is owed.
    pub amount: Option<Pico>,
    /// Prompt tokens, cached ones included.
    pub input: Option<u64>,
    /// Answer tokens.
    pub output: Option<u64>,
    /// Requests to the model.
    pub requests: Option<u64>,
}

/// Who wrote a bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BillSource {
    /// Anthropic's cost or usage report.
    Anthropic,
    /// OpenAI's costs or usage.
    OpenAi,
    /// A table.
    Table,
}

impl BillSource {
    /// Returns the provider whose calls it is about, as price books name it.
    pub fn provider(self) -> Option<&'static str> {
        match self {
            Self::Anthropic => Some("anthropic"),
            Self::OpenAi => Some("openai"),
            Self::Table => None,
        }
    }
}

/// A bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// Its file.
    pub name: String,
    /// Who wrote it.
    pub source: BillSource,
    /// Its lines.
    pub lines: Vec<BillLine>,
    /// The days it is about, those without a line included: the start of the first, and the end of the last.
    pub days: Option<(Instant, Instant)>,
    /// Whether it says that there are more pages.
    pub has_more: bool,
}

impl Bill {
    pub(super) fn new(source: BillSource) -> Self {
        Self { name: String::new(), source, lines: Vec::new(), days: None, has_more: false }
    }

    /// Counts a day among those that the bill is about.
    pub(super) fn covers(&mut self, start: Instant, end: Instant) {
        let (first, last) = self.days.unwrap_or((start, end));
        self.days = Some((first.min(start), last.max(end)));
    }
}

/// Says that an amount cannot be compared.
pub(super) fn not_dollars(currency: &str) -> String {
    format!("the amount is in `{currency}`; only USD can be compared")
}

/// Takes the model out of a line item: `gpt-4.1-2025-04-14, cached input`.
pub(super) fn model_of(item: &str) -> String {
    item.split_once(',').map_or(item, |(model, _)| model).trim().to_owned()
}

/// Returns the day of a stretch of time.
pub(super) fn day_of(start: Instant, end: Option<Instant>) -> Result<Instant, String> {
    let day = start.day_start();
    match end {
        Some(end) if end > day + Span::days(1) => Err(format!(
            "from {} to {} is longer than a day of UTC; ask for the bill by day",
            start.rfc3339(),
            end.rfc3339()
        )),
        _ => Ok(day),
    }
}
