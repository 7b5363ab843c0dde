//! A price book laid out by model id, for looking rates up millions of times.

use super::{PriceBook, PriceRow, Rates};
use crate::units::{Instant, ModelId, Names};

/// Price rows by model id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceTable {
    rows: Vec<Vec<PriceRow>>,
    /// Whether calls are priced anew although the log tells what was charged.
    reprices: bool,
}

impl PriceTable {
    /// Looks up every model named so far.
    pub fn new(book: &PriceBook, names: &Names) -> Self {
        let mut table = Self::default();
        table.extend(book, names);
        table
    }

    /// Prices every call anew, also where the log tells what was charged.
    #[must_use]
    pub fn repricing(mut self, reprices: bool) -> Self {
        self.reprices = reprices;
        self
    }

    /// Says whether calls are priced anew although the log tells what was charged.
    pub fn reprices(&self) -> bool {
        self.reprices
    }

    /// Looks up the models named since the last call; rows already there stay, changes included.
    pub fn extend(&mut self, book: &PriceBook, names: &Names) {
        for name in names.models().iter().skip(self.rows.len()) {
            self.rows.push(book.find(name).map(|prices| prices.rows.clone()).unwrap_or_default());
        }
    }

    /// Counts the models looked up so far.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Says whether none was looked up.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Gives the ordinary rates of a model at a moment.
    pub fn rates(&self, model: ModelId, at: Instant) -> Option<&Rates> {
        self.row(model, at).map(|row| &row.standard)
    }

    /// Gives the prices of a model at a moment, those of every service tier and meter.
    pub fn row(&self, model: ModelId, at: Instant) -> Option<&PriceRow> {
        let rows = self.rows.get(model.index()?)?;
        match rows.as_slice() {
            [only] if only.from.is_none() => Some(only),
            rows => rows.iter().rev().find(|row| row.from.is_none_or(|from| from <= at)),
        }
    }

    /// Adds a dated row; a row of the same start is replaced by the later word.
    pub fn change(&mut self, model: ModelId, row: PriceRow) {
        let Some(index) = model.index() else { return };
        if self.rows.len() <= index {
            self.rows.resize_with(index + 1, Vec::new);
        }
        let rows = &mut self.rows[index];
        let at = rows.partition_point(|old| old.from < row.from);
        if rows.get(at).is_some_and(|old| old.from == row.from) {
            rows[at] = row;
        } else {
            rows.insert(at, row);
        }
    }
}
