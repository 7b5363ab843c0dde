//! A price as it was charged: rates, start of validity and a hash, so that a later change of the book rewrites nothing.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::pricing::{PriceRow, Rates, Tier};
use crate::units::{Instant, PicoPerMillion};

/// A price row as the ledger keeps it. Make one per row of the book and share it: hashing is for once, not per request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// Model, start and the beginning of the hash: `gpt-4.1@2025-04-14#0a1b2c3d4e5f`.
    pub id: String,
    /// The model under whose name the book lists it.
    pub model: String,
    /// Start of validity; `None` for "always".
    pub from: Option<Instant>,
    /// The rates.
    pub rates: Rates,
    /// Where the price was read.
    pub source: Option<String>,
    /// The rates as text, every digit kept.
    pub text: String,
    /// The hash over model, start and text.
    pub hash: String,
}

impl Price {
    /// Takes a row of a price book under the name that the book lists.
    pub fn new(model: &str, row: &PriceRow) -> Self {
        let text = write(&row.standard);
        let hash = hash(model, row.from, &text);
        let from = row.from.map_or_else(|| "always".to_owned(), Instant::rfc3339);
        let id = format!("{model}@{from}#{}", hash.get(..12).unwrap_or(&hash));
        Self {
            id,
            model: model.to_owned(),
            from: row.from,
            rates: row.standard.clone(),
            source: row.source.clone(),
            text,
            hash,
        }
    }
}

/// Computes the hash that a stored row must have.
pub(super) fn hash(model: &str, from: Option<Instant>, text: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(model.as_bytes());
    hasher.update([0]);
    hasher.update(from.map_or_else(|| "-".to_owned(), |from| from.0.to_string()).as_bytes());
    hasher.update([0]);
    hasher.update(text.as_bytes());
    hex(&hasher.finalize())
}

/// Writes bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[derive(Serialize, Deserialize)]
struct RatesText {
    #[serde(flatten)]
    base: TierText,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    above: Vec<(u64, TierText)>,
}

#[derive(Serialize, Deserialize)]
struct TierText {
    input: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_read: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    write_5m: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    write_1h: Option<String>,
    output: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reasoning: Option<String>,
}

impl TierText {
    fn new(tier: &Tier) -> Self {
        let digits = |price: PicoPerMillion| price.usd_per_million();
        Self {
            input: digits(tier.input),
            cache_read: tier.cache_read.map(digits),
            write_5m: tier.write_5m.map(digits),
            write_1h: tier.write_1h.map(digits),
            output: digits(tier.output),
            reasoning: tier.reasoning.map(digits),
        }
    }

    fn read(&self) -> Option<Tier> {
        let price = |text: &str| PicoPerMillion::from_usd_per_million(text).ok();
        let maybe = |text: &Option<String>| match text {
            None => Some(None),
            Some(text) => price(text).map(Some),
        };
        Some(Tier {
            input: price(&self.input)?,
            cache_read: maybe(&self.cache_read)?,
            write_5m: maybe(&self.write_5m)?,
            write_1h: maybe(&self.write_1h)?,
            output: price(&self.output)?,
            reasoning: maybe(&self.reasoning)?,
        })
    }
}

fn write(rates: &Rates) -> String {
    let text = RatesText {
        base: TierText::new(&rates.base),
        above: rates.above.iter().map(|(above, tier)| (*above, TierText::new(tier))).collect(),
    };
    serde_json::to_string(&text).unwrap_or_default()
}

/// Reads rates back from their text; `None` where the text is none that was written here.
pub(super) fn read(text: &str) -> Option<Rates> {
    let read: RatesText = serde_json::from_str(text).ok()?;
    let above = read.above.iter().map(|(above, tier)| Some((*above, tier.read()?))).collect::<Option<_>>()?;
    Some(Rates { base: read.base.read()?, above })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_keeps_every_digit_and_its_own_name() {
        let usd = |text| PicoPerMillion::from_usd_per_million(text).unwrap();
        let base = Tier {
            input: usd("0.037500000001"),
            cache_read: Some(usd("0")),
            output: usd("15"),
            ..Tier::default()
        };
        let dear = Tier { input: usd("0.075"), write_1h: Some(usd("6")), ..base };
        let row = PriceRow {
            from: Some(Instant(1_000)),
            standard: Rates { base, above: vec![(200_000, dear)] },
            ..PriceRow::default()
        };
        let price = Price::new("openai/m", &row);
        assert_eq!(read(&price.text).unwrap(), row.standard);
        assert_eq!(price.hash, hash("openai/m", row.from, &price.text));
        let dearer = PriceRow { standard: Rates { base: dear, above: vec![] }, ..row.clone() };
        assert_ne!(Price::new("openai/m", &dearer).id, price.id, "a changed price is another price");
        assert_ne!(Price::new("openai/m", &PriceRow { from: None, ..row }).id, price.id);
        assert!(read("{}").is_none());
    }
}
