//! A file while it is read: what is wrong in it is told with its line.

use std::sync::Arc;

use toml::Spanned;

use super::place::FileError;
use crate::units::{PerMille, Pico, Span, choice, line_of};

/// A file being read.
pub(super) struct Reading<'a> {
    /// Its text.
    pub(super) text: &'a str,
    /// Its name.
    pub(super) origin: &'a str,
}

impl Reading<'_> {
    /// Says what is wrong, and where.
    pub(super) fn wrong<T>(&self, at: &Spanned<T>, what: String) -> FileError {
        FileError::new(self.origin, line_of(self.text, at.span().start), what)
    }

    /// Checks the name of a table.
    pub(super) fn name<T>(&self, name: &str, table: &Spanned<T>, of: &str) -> Result<Arc<str>, FileError> {
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.')) {
            return Err(self.wrong(table, format!("`{name}` is no name of {of}: letters, digits, - and .")));
        }
        Ok(name.into())
    }

    /// Reads a whole number within bounds.
    pub(super) fn whole(&self, told: &Spanned<i64>, (least, most): (i64, i64)) -> Result<u64, FileError> {
        let value = Some(*told.get_ref()).filter(|value| (least..=most).contains(value));
        value
            .and_then(|value| u64::try_from(value).ok())
            .ok_or_else(|| self.wrong(told, format!("{} is outside {least} to {most}", told.get_ref())))
    }

    /// Reads a share within bounds.
    pub(super) fn share(
        &self,
        told: &Spanned<i64>,
        (least, most): (u16, u16),
    ) -> Result<PerMille, FileError> {
        let value = u16::try_from(*told.get_ref()).ok().filter(|value| (least..=most).contains(value));
        value.and_then(PerMille::new).ok_or_else(|| {
            self.wrong(told, format!("{} is outside {least} to {most} per mille", told.get_ref()))
        })
    }

    /// Reads a length of time that fits; of another, `what` says that and what to write.
    pub(super) fn length(
        &self,
        told: &Spanned<String>,
        fits: impl FnOnce(Span) -> bool,
        what: &str,
    ) -> Result<Span, FileError> {
        let span = Span::parse(told.get_ref()).filter(|span| fits(*span));
        span.ok_or_else(|| self.wrong(told, format!("`{}` {what}", told.get_ref())))
    }

    /// Finds a word among those that are known.
    pub(super) fn one_of<T: Copy>(
        &self,
        word: Option<&Spanned<String>>,
        known: &[(&str, T)],
    ) -> Result<Option<T>, FileError> {
        let Some(word) = word else { return Ok(None) };
        let found = known.iter().find(|(name, _)| name == word.get_ref()).map(|(_, one)| *one);
        found.map(Some).ok_or_else(|| {
            let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
            let (said, hint) = (word.get_ref(), choice(word.get_ref(), &names));
            self.wrong(word, format!("`{said}` is not known here; {hint}"))
        })
    }

    /// Reads an amount in dollars.
    pub(super) fn amount(&self, value: &Spanned<toml::Value>) -> Result<Pico, FileError> {
        let text = match value.get_ref() {
            toml::Value::String(text) => text.trim().trim_start_matches('$').to_owned(),
            toml::Value::Integer(number) => number.to_string(),
            number @ toml::Value::Float(_) => number.to_string(),
            other => {
                return Err(
                    self.wrong(value, format!("{other} is no amount in dollars; write 900 or \"0.25\""))
                );
            }
        };
        match Pico::from_usd(&text) {
            Ok(amount) if amount >= Pico::ZERO => Ok(amount),
            _ => Err(self.wrong(value, format!("`{text}` is no amount in dollars; write 900 or \"0.25\""))),
        }
    }
}
