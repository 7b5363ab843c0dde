//! A price book laid out by model id, for looking rates up millions of times.
//!
//! Invariant: names that the book knows as one model share one identity, and with it prices, changes and what was seen.

use std::collections::BTreeMap;

use super::{ModelPrices, PriceBook, PriceRow, Rates};
use crate::units::{Instant, ModelId, Names};

/// Price rows by model id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceTable {
    /// By identity.
    rows: Vec<Vec<PriceRow>>,
    /// The first id of the same model, by id.
    identities: Vec<ModelId>,
    /// The id that stands for a model wherever policies speak of it, by id: names may be told apart that have one price.
    known_as: Vec<ModelId>,
    /// The first id of every model of the book that was named.
    listed: BTreeMap<String, ModelId>,
    /// The longest prompt and the longest answer, where the book tells them, by identity.
    longest: Vec<(Option<u32>, Option<u32>)>,
    /// Whether calls are priced anew although the log tells what was charged.
    reprices: bool,
}

fn longest(prices: &ModelPrices) -> (Option<u32>, Option<u32>) {
    let told = |tokens: Option<u64>| tokens.and_then(|tokens| u32::try_from(tokens).ok());
    (told(prices.max_input), told(prices.max_output))
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

    /// Finds a model by its name in the book, where any of its names was named.
    pub fn listed(&self, name: &str) -> Option<ModelId> {
        self.listed.get(name).copied()
    }

    /// Looks up the models named since the last call; rows already there stay, changes included.
    pub fn extend(&mut self, book: &PriceBook, names: &Names) {
        for (index, name) in names.models().iter().enumerate().skip(self.rows.len()) {
            let Ok(id) = u16::try_from(index).map(ModelId) else { return };
            let found = book.find_named(name);
            let identity =
                found.map_or(id, |(listed, _)| *self.listed.entry(listed.to_owned()).or_insert(id));
            self.identities.push(identity);
            self.known_as.push(names.identity(id));
            let own = found.filter(|_| identity == id).map(|(_, prices)| prices);
            self.rows.push(own.map(|prices| prices.rows.clone()).unwrap_or_default());
            self.longest.push(own.map(longest).unwrap_or_default());
        }
    }

    /// Returns a table that has a model of the book besides, and the model's id there; none where the book does not price it.
    pub fn with(&self, book: &PriceBook, model: &str) -> Option<(Self, ModelId)> {
        let (listed, prices) = book.find_named(model)?;
        let mut table = self.clone();
        if let Some(&id) = self.listed.get(listed) {
            return Some((table, id));
        }
        let id = u16::try_from(table.rows.len()).ok().map(ModelId).filter(|id| id.is_some())?;
        table.identities.push(id);
        table.known_as.push(id);
        table.listed.insert(listed.to_owned(), id);
        table.rows.push(prices.rows.clone());
        table.longest.push(longest(prices));
        Some((table, id))
    }

    /// Counts the models looked up so far.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Says whether none was looked up.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the ordinary rates of a model at a moment.
    #[inline]
    pub fn rates(&self, model: ModelId, at: Instant) -> Option<&Rates> {
        self.row(model, at).map(|row| &row.standard)
    }

    /// Returns the prices of a model at a moment, those of every service tier and meter, by the hour where that matters.
    #[inline]
    pub fn row(&self, model: ModelId, at: Instant) -> Option<&PriceRow> {
        self.dated(model, at).map(|row| row.in_force(at))
    }

    /// Returns how many tokens of prompt a model takes, where the book tells it.
    pub fn longest(&self, model: ModelId) -> Option<u32> {
        self.identity(model).index().and_then(|index| self.longest.get(index))?.0
    }

    /// Returns how many tokens a model writes at most; none where the book does not tell.
    pub fn most_output(&self, model: ModelId) -> Option<u32> {
        self.identity(model).index().and_then(|index| self.longest.get(index))?.1
    }

    /// Returns the row of a model at a moment, with all its hours.
    pub fn dated(&self, model: ModelId, at: Instant) -> Option<&PriceRow> {
        let rows = self.rows.get(self.identity(model).index()?)?;
        match rows.as_slice() {
            [only] if only.from.is_none() => Some(only),
            rows => rows.iter().rev().find(|row| row.from.is_none_or(|from| from <= at)),
        }
    }

    /// Returns all prices of a model, in order of time.
    pub fn rows(&self, model: ModelId) -> &[PriceRow] {
        let rows = self.identity(model).index().and_then(|index| self.rows.get(index));
        rows.map_or(&[], Vec::as_slice)
    }

    /// Returns the id that stands for a model under all its names.
    pub fn identity(&self, model: ModelId) -> ModelId {
        model.index().and_then(|index| self.identities.get(index)).copied().unwrap_or(model)
    }

    /// Returns the id that stands for a model wherever policies speak of it.
    pub fn known_as(&self, model: ModelId) -> ModelId {
        model.index().and_then(|index| self.known_as.get(index)).copied().unwrap_or(model)
    }

    /// Says whether two names are one model's. No name is nobody's.
    pub fn same(&self, one: ModelId, other: ModelId) -> bool {
        one == other || self.identity(one) == self.identity(other)
    }

    /// Adds a dated row; a row of the same start is replaced by the later word.
    pub fn change(&mut self, model: ModelId, row: PriceRow) {
        let Some(index) = self.identity(model).index() else { return };
        while self.rows.len() <= index {
            let id = ModelId(u16::try_from(self.rows.len()).unwrap_or(u16::MAX));
            self.identities.push(id);
            self.known_as.push(id);
            self.rows.push(Vec::new());
            self.longest.push((None, None));
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
