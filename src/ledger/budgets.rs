//! The files of budgets that traffic was under: what the audit says was in force, and when it changed.

use super::LedgerError;
use super::file::{LedgerFile, Range};
use crate::record::BudgetFiles;
use crate::units::Instant;

impl LedgerFile {
    /// Returns the files of budgets that a stretch was under, as written; empty where the ledger does not know.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn budgets(&self, range: &Range) -> Result<BudgetFiles, LedgerError> {
        let fault = |source| self.failed(source);
        let all = "SELECT at, before, after FROM audit WHERE what = 'budgets' ORDER BY at, id";
        let all: Vec<(i64, String, String)> = self.all(all, [], |row| row.try_into())?;
        let mut found = BudgetFiles::default();
        for (at, before, after) in all {
            if found.later.is_empty() {
                found.first = before;
            }
            found.later.push((Instant(at), after));
        }
        if found.is_empty() {
            return Ok(found);
        }
        let [first, last, from, to] = self.bounds(range)?;
        let end = |which: &str| {
            let sql = format!(
                "SELECT {which}(at) FROM operations WHERE seq BETWEEN ?1 AND ?2 AND at >= ?3 AND at < ?4"
            );
            self.conn.query_row(&sql, [first, last, from, to], |row| row.get::<_, Option<i64>>(0))
        };
        let (begins, ends) = (end("min").map_err(fault)?, end("max").map_err(fault)?);
        let moment = |at: Option<i64>| Instant(at.unwrap_or(i64::MAX));
        Ok(found.between(moment(begins), moment(ends)))
    }

    /// Returns the file of budgets that was in force when the last run ended; empty where the ledger knows of none.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn last_budgets(&self) -> Result<String, LedgerError> {
        let last = "SELECT after FROM audit WHERE what = 'budgets' ORDER BY at DESC, id DESC LIMIT 1";
        let found: Vec<String> = self.all(last, [], |row| row.get(0))?;
        Ok(found.into_iter().next().unwrap_or_default())
    }
}
