//! Where something stands in a settings file, and what is wrong with it.

use crate::units::line_of;

/// Something in a settings file that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}:{line}: {what}")]
pub struct FileError {
    /// The file.
    pub origin: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and how to mend it.
    pub what: String,
}

impl FileError {
    /// Tells of a line.
    pub(super) fn new(origin: &str, line: usize, what: String) -> Self {
        Self { origin: origin.to_owned(), line, what }
    }

    /// Tells of a text that is no TOML, or of the wrong shape.
    pub(super) fn of_toml(origin: &str, text: &str, error: &toml::de::Error) -> Self {
        Self::new(origin, toml_line(text, error), error.message().to_owned())
    }
}

/// Returns the line of what TOML's reader complains about.
pub(super) fn toml_line(text: &str, error: &toml::de::Error) -> usize {
    line_of(text, error.span().map_or(0, |span| span.start))
}
