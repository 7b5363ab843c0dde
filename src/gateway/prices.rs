//! Prices as the ledger keeps them, made once per row of the book, and per hour that has its own, and shared.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use crate::ledger::Price;
use crate::pricing::PriceBook;
use crate::units::Instant;

/// Names remembered; clients may name any model.
const MOST: usize = 4096;

/// Price rows met so far.
#[derive(Debug, Default)]
pub(super) struct Prices {
    rows: Mutex<FxHashMap<Arc<str>, Option<Arc<Price>>>>,
}

impl Prices {
    /// Returns the price of a model that is in force at a moment.
    pub(super) fn at(&self, book: &PriceBook, model: &Arc<str>, at: Instant) -> Option<Arc<Price>> {
        let found = book.find_named(model).and_then(|(name, prices)| Some((name, prices.dated(at)?)));
        let found = found.map(|(name, dated)| (name, dated, dated.in_force(at)));
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = rows.get(model) {
            let same = match (known, &found) {
                (None, None) => true,
                (Some(price), Some((_, dated, row))) => {
                    price.from == row.from && (dated.scheduled.is_empty() || price.row == **row)
                }
                _ => false,
            };
            if same {
                return known.clone();
            }
        }
        let made = found.map(|(name, dated, row)| Arc::new(Price::in_force(name, dated, row)));
        if rows.len() < MOST {
            rows.insert(Arc::clone(model), made.clone());
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::prices::from_toml;

    #[test]
    fn a_call_at_either_side_of_an_hour_has_its_own_price_and_those_between_share_it() {
        let text = "name = \"b\"\ndated = \"2026-11-30\"\n[models.m]\ninput = 0.15\noutput = 0.6\n\
            hours = [{ utc = \"01:00-04:00\", days = \"mon-fri\", times = 2 }]\n";
        let (book, prices, model) = (from_toml(text, "b.toml").unwrap(), Prices::default(), Arc::from("m"));
        let at = |text: &str| prices.at(&book, &model, Instant::parse(text).unwrap()).unwrap();
        let output = |price: &Price| price.row.standard.base.output.usd_per_million();
        let before = at("2026-11-30T00:59:59.999999Z");
        let peak = at("2026-11-30T01:00:00Z");
        assert_eq!((output(&before), output(&peak)), ("0.6".to_owned(), "1.2".to_owned()));
        assert!(Arc::ptr_eq(&peak, &at("2026-11-30T03:59:59Z")), "made once");
        let after = at("2026-11-30T04:00:00Z");
        assert_eq!(after, before);
        assert!(Arc::ptr_eq(&after, &at("2026-12-05T02:00:00Z")), "a Saturday");
    }
}
