//! Where something stands in a settings file, and what is wrong with it.

use std::fmt;

use toml::de::{DeTable, DeValue};

use crate::units::{Fault, Slip, line_and_column};

/// Something in a settings file that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}:{place}: {what}")]
pub struct FileError {
    /// The file.
    pub origin: String,
    /// Where in it.
    pub place: Place,
    /// What is wrong and how to mend it.
    pub what: String,
}

/// A line, and the column where one is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.line)?;
        self.column.map_or(Ok(()), |column| write!(f, ":{column}"))
    }
}

impl FileError {
    /// Tells of a line.
    pub(super) fn new(origin: &str, line: usize, what: String) -> Self {
        Self { origin: origin.to_owned(), place: Place { line, column: None }, what }
    }

    /// Tells of a setting, by the way to it; of the nearest table around it where it is not written.
    pub(super) fn at(origin: &str, text: &str, way: &[&str], what: String) -> Self {
        let mut here = None;
        if let Ok(root) = DeTable::parse(text) {
            let mut around = Some(root.get_ref());
            for &name in way {
                let Some(value) = around.and_then(|table| table.get(name)) else { break };
                here = Some(value.span().start);
                around = match value.get_ref() {
                    DeValue::Table(table) => Some(table),
                    _ => None,
                };
            }
        }
        let (line, column) = line_and_column(text, here.unwrap_or(0));
        Self { origin: origin.to_owned(), place: Place { line, column: Some(column) }, what }
    }

    /// Tells of a text that is no TOML, or of the wrong shape.
    pub(super) fn of_toml(origin: &str, text: &str, error: impl Into<Fault>) -> Self {
        let Slip { line, column, what, .. } = Slip::of(text, error);
        Self { origin: origin.to_owned(), place: Place { line, column: Some(column) }, what }
    }
}
