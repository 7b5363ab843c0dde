//! Rows of exact figures, each under its name: one list is what CSV, JSON and Parquet have.
//!
//! Invariant: an amount that is not known is null or empty, never zero.

use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::sheet::{Column, Sheet};
use crate::units::Pico;

/// A figure.
#[derive(Clone, Copy)]
pub(super) enum Cell {
    Count(u64),
    Usd(Option<Pico>),
}

impl Cell {
    fn text(self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            Self::Usd(amount) => amount.map(Pico::usd).unwrap_or_default(),
        }
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Usd(amount) => amount.map(Pico::usd).serialize(serializer),
        }
    }
}

/// Figures under their names.
pub(super) type Figures = Vec<(&'static str, Cell)>;

/// What a row is of: dimensions and their values; an empty value is not named.
pub(super) type By = Vec<(Arc<str>, String)>;

/// Adds a row's values and figures to an object.
pub(super) fn write<M: SerializeMap>(map: &mut M, by: &By, figures: &Figures) -> Result<(), M::Error> {
    for (name, value) in by {
        map.serialize_entry(name, &(!value.is_empty()).then_some(value))?;
    }
    figures.iter().try_for_each(|(name, cell)| map.serialize_entry(name, cell))
}

/// Makes the table of rows that have the same figures as `total`.
pub(super) fn sheet(
    dimensions: &[String],
    total: &Figures,
    rows: impl Iterator<Item = (By, Figures)>,
) -> Sheet {
    let heads: Vec<&'static str> = total.iter().map(|(name, _)| *name).collect();
    let mut sheet = Sheet::by("", dimensions, &heads);
    for (by, figures) in rows {
        let values = by.into_iter().map(|(_, value)| value);
        sheet.push(values.chain(figures.into_iter().map(|(_, cell)| cell.text())).collect());
    }
    sheet
}

/// Starts a table: what rows are told apart by, then columns.
pub(super) fn table<T>(title: String, dimensions: &[String], columns: &[Column<'_, T>]) -> Sheet {
    let heads: Vec<&'static str> = columns.iter().map(|(head, _)| *head).collect();
    Sheet::by(title, dimensions, &heads)
}

/// Writes a row of it.
pub(super) fn row<T>(by: &By, sums: &T, columns: &[Column<'_, T>]) -> Vec<String> {
    let named = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let values = by.iter().map(|(_, value)| named(value));
    values.chain(columns.iter().map(|(_, cell)| cell(sums))).collect()
}

/// Writes the row of the whole below others.
pub(super) fn whole(dimensions: &[String], figures: Vec<String>) -> Vec<String> {
    let names = dimensions.iter().enumerate().map(|(at, _)| if at == 0 { "all" } else { "" }.to_owned());
    names.chain(figures).collect()
}
