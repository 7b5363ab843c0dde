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
        let fault = |source| self.failed(source);
        let mut all = self
            .conn
            .prepare(
                "SELECT at, who, what, before, after FROM audit WHERE what IN ('stop', 'lift') ORDER BY id",
            )
            .map_err(fault)?;
        let mut rows = all.query([]).map_err(fault)?;
        let mut stops = Stops::default();
        while let Some(row) = rows.next().map_err(fault)? {
            let read = || -> rusqlite::Result<(i64, String, String, String, String)> {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
            };
            let (at, who, what, before, after) = read().map_err(fault)?;
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
