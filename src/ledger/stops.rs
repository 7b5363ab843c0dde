//! Who is stopped: what the audit says was stopped and not lifted since.

use super::LedgerError;
use super::file::LedgerFile;
use crate::runaway::{Stop, Stops, Whom};
use crate::units::Instant;

impl LedgerFile {
    /// Lists who is stopped, the latest first.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn stops(&self) -> Result<Vec<Stop>, LedgerError> {
        let all = "SELECT at, who, what, before, after FROM audit WHERE what IN ('stop', 'lift') ORDER BY id";
        let all: Vec<(i64, String, String, String, String)> = self.all(all, [], |row| row.try_into())?;
        let mut stops = Stops::default();
        for (at, who, what, before, after) in all {
            if what == "lift" {
                if let Some(whom) = Whom::parse(&before) {
                    stops.lift(&whom);
                }
            } else if let Some(whom) = Whom::parse(&after) {
                stops.stop(Stop::told(whom, Instant(at), &who, &before));
            }
        }
        Ok(stops.list().iter().map(|stop| (**stop).clone()).collect())
    }
}
