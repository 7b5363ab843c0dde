//! What was said of answers, and when: for routes that learn, which go on after a restart.

use super::LedgerError;
use super::file::{LedgerFile, Range, WITHIN};
use crate::units::{Instant, PerMille};

/// What was said of a model's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The request's id.
    pub id: String,
    /// The model.
    pub model: String,
    /// How good the answer was.
    pub quality: PerMille,
    /// When it was said.
    pub at: Instant,
}

impl LedgerFile {
    /// Lists what was said of answers to requests of a stretch of time, in the order in which it was said.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn verdicts(&self, range: &Range) -> Result<Vec<Verdict>, LedgerError> {
        let all = format!(
            "SELECT o.id, l.model, l.quality, l.at FROM operations o CROSS JOIN labels l ON l.seq = o.seq \
             WHERE {WITHIN} AND l.quality IS NOT NULL ORDER BY l.at, l.id"
        );
        self.all(&all, self.bounds(range)?, |row| {
            let quality = PerMille::clamped(row.get(2)?);
            Ok(Verdict { id: row.get(0)?, model: row.get(1)?, quality, at: Instant(row.get(3)?) })
        })
    }
}
