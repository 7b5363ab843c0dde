//! Prices as the ledger keeps them, made once per row of the book and shared.

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
        let found = book.find_named(model).and_then(|(name, prices)| Some((name, prices.at(at)?)));
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = rows.get(model) {
            let same = match (known, &found) {
                (None, None) => true,
                (Some(price), Some((_, row))) => price.from == row.from,
                _ => false,
            };
            if same {
                return known.clone();
            }
        }
        let made = found.map(|(name, row)| Arc::new(Price::new(name, row)));
        if rows.len() < MOST {
            rows.insert(Arc::clone(model), made.clone());
        }
        made
    }
}
