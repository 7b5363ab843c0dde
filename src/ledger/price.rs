//! A price as it was charged: rates, start of validity and a hash, so that a later change of the book rewrites nothing.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::pricing::{Hours, PriceRow, Rates, Tier, as_factor, thousandths};
use crate::units::{Instant, PicoPerMillion, Sha256, hex};

/// A price row as the ledger keeps it. Make one per row of the book and share it: hashing is for once, not per request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// Model, start and the beginning of the hash: `gpt-4.1@2025-04-14#0a1b2c3d4e5f`.
    pub id: String,
    /// The model under whose name the book lists it.
    pub model: String,
    /// Start of validity; `None` for "always".
    pub from: Option<Instant>,
    /// The prices of every service tier and meter.
    pub row: PriceRow,
    /// The prices as text, every digit kept.
    pub text: String,
    /// The hash over model, start and text.
    pub hash: String,
}

impl Price {
    /// Takes a row of a price book under the name that the book lists.
    pub fn new(model: &str, row: &PriceRow) -> Self {
        Self::in_force(model, row, row)
    }

    /// Takes what a row of a price book asks in an hour of the week.
    pub fn in_force(model: &str, dated: &PriceRow, row: &PriceRow) -> Self {
        let of = (dated != row).then(|| Box::new(RowText::new(dated)));
        let text = serde_json::to_string(&RowText { of, ..RowText::new(row) }).unwrap_or_default();
        let hash = hash(model, row.from, &text);
        let from = row.from.map_or_else(|| "always".to_owned(), Instant::rfc3339);
        let id = format!("{model}@{from}#{}", hash.get(..12).unwrap_or(&hash));
        Self { id, model: model.to_owned(), from: row.from, row: row.clone(), text, hash }
    }
}

/// Computes the hash that a stored row must have.
pub(super) fn hash(model: &str, from: Option<Instant>, text: &str) -> String {
    let mut hasher = Sha256::default();
    hasher.update(model.as_bytes());
    hasher.update([0]);
    hasher.update(from.map_or_else(|| "-".to_owned(), |from| from.0.to_string()).as_bytes());
    hasher.update([0]);
    hasher.update(text.as_bytes());
    hex(&hasher.finalize())
}

/// A row as text. What a row does not have is left out, so that plain rows read as they always did.
#[derive(Serialize, Deserialize)]
struct RowText {
    #[serde(flatten)]
    standard: RatesText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    batch: Option<RatesText>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tiers: BTreeMap<String, RatesText>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    meters: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    factors: BTreeMap<String, u32>,
    /// The hours in which it is another price.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hours: Vec<HoursText>,
    /// The row of the book, where this is what it asks in some of its hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    of: Option<Box<RowText>>,
}

#[derive(Serialize, Deserialize)]
struct HoursText {
    utc: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    days: Option<String>,
    times: String,
}

#[derive(Serialize, Deserialize)]
struct RatesText {
    #[serde(flatten)]
    base: TierText,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    above: Vec<(u64, TierText)>,
}

/// Prices by name.
struct TierText(Tier);

impl Serialize for TierText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.prices().map(|(name, price)| (name, price.usd_per_million())))
    }
}

impl<'de> Deserialize<'de> for TierText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let prices = BTreeMap::<String, serde_json::Value>::deserialize(deserializer)?;
        let price = |name| match prices.get(name).map(serde_json::Value::as_str) {
            None => Ok(None),
            Some(text) => text
                .and_then(|text| PicoPerMillion::from_usd_per_million(text).ok())
                .map(Some)
                .ok_or_else(|| D::Error::custom("not a price")),
        };
        Tier::build(price, D::Error::missing_field).map(Self)
    }
}

impl RatesText {
    fn new(rates: &Rates) -> Self {
        Self {
            base: TierText(rates.base),
            above: rates.above.iter().map(|(above, tier)| (*above, TierText(*tier))).collect(),
        }
    }

    fn read(self) -> Rates {
        Rates {
            base: self.base.0,
            above: self.above.into_iter().map(|(above, tier)| (above, tier.0)).collect(),
        }
    }
}

impl RowText {
    fn new(row: &PriceRow) -> Self {
        let hours = row.scheduled.iter().map(|one| HoursText {
            utc: one.hours.utc(),
            days: one.hours.days(),
            times: as_factor(one.times),
        });
        Self {
            standard: RatesText::new(&row.standard),
            batch: row.batch.as_ref().map(RatesText::new),
            tiers: row.tiers.iter().map(|(name, rates)| (name.clone(), RatesText::new(rates))).collect(),
            meters: row.meters.iter().map(|(name, price)| (name.clone(), price.usd_per_token())).collect(),
            factors: row.factors.clone(),
            hours: hours.collect(),
            of: None,
        }
    }

    /// Returns the prices, without hours.
    fn row(self) -> Option<PriceRow> {
        let meter =
            |(name, price): (String, String)| Some((name, PicoPerMillion::from_usd_per_token(&price).ok()?));
        Some(PriceRow {
            from: None,
            standard: self.standard.read(),
            batch: self.batch.map(RatesText::read),
            tiers: self.tiers.into_iter().map(|(name, rates)| (name, rates.read())).collect(),
            meters: self.meters.into_iter().map(meter).collect::<Option<_>>()?,
            factors: self.factors,
            scheduled: Vec::new(),
            source: None,
        })
    }
}

/// Reads what was charged at back from its text, without start and source; `None` where the text is none that was written here.
pub(super) fn read(text: &str) -> Option<PriceRow> {
    serde_json::from_str::<RowText>(text).ok()?.row()
}

/// Reads the book's row back, with all its hours.
pub(super) fn read_dated(text: &str) -> Option<PriceRow> {
    let read: RowText = serde_json::from_str(text).ok()?;
    let mut dated = match read.of {
        Some(of) => *of,
        None => read,
    };
    let hours = std::mem::take(&mut dated.hours).into_iter().map(|one| {
        let hours = Hours::parse(&one.utc, one.days.as_deref().unwrap_or_default()).ok()?;
        Some((hours, thousandths(&one.times)?))
    });
    let hours = hours.collect::<Option<_>>()?;
    dated.row()?.schedule(hours).ok()
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
            batch: Some(Rates { base: dear, above: vec![] }),
            tiers: [("flex".to_owned(), Rates { base, above: vec![(1, dear)] })].into(),
            meters: [("web_search".to_owned(), usd("10000"))].into(),
            factors: [("region:us".to_owned(), 1100)].into(),
            scheduled: Vec::new(),
            source: None,
        };
        let price = Price::new("openai/m", &row);
        assert_eq!(read(&price.text).unwrap(), PriceRow { from: None, ..row.clone() });
        assert_eq!(price.hash, hash("openai/m", row.from, &price.text));
        let dearer = PriceRow { standard: Rates { base: dear, above: vec![] }, ..row.clone() };
        assert_ne!(Price::new("openai/m", &dearer).id, price.id, "a changed price is another price");
        assert_ne!(Price::new("openai/m", &PriceRow { from: None, ..row }).id, price.id);
        assert!(read("{}").is_none());
    }
    #[test]
    fn what_an_hour_asks_is_a_price_of_its_own_that_knows_its_row() {
        let usd = |text| PicoPerMillion::from_usd_per_million(text).unwrap();
        let base = Tier { input: usd("0.15"), output: usd("0.6"), ..Tier::default() };
        let row = PriceRow { standard: Rates { base, above: vec![] }, ..PriceRow::default() };
        let peak = Hours::parse("01:00-04:00, 06:00-10:00", "mon-fri").unwrap();
        let row = row.schedule(vec![(peak, 2000)]).unwrap();
        let then = &row.scheduled[0].row;
        let (usual, dear) = (Price::in_force("m", &row, &row), Price::in_force("m", &row, then));
        assert_ne!(usual.id, dear.id);
        assert_eq!(read(&dear.text).as_ref(), Some(then), "it is billed as it stands there");
        assert_eq!(read(&usual.text).unwrap().standard, row.standard);
        assert_eq!([&usual, &dear].map(|price| read_dated(&price.text)), [Some(row.clone()), Some(row)]);
    }
}
