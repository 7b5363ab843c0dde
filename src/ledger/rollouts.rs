//! Rollouts as they stood: the last word of the audit on each.

use super::LedgerError;
use super::file::LedgerFile;
use crate::rollout::Saved;

impl LedgerFile {
    /// Lists rollouts as they were written down last, in the order in which they began to be.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn rollouts(&self) -> Result<Vec<Saved>, LedgerError> {
        let fault = |source| self.failed(source);
        let mut all =
            self.conn.prepare("SELECT after FROM audit WHERE what = 'rollout' ORDER BY id").map_err(fault)?;
        let mut rows = all.query([]).map_err(fault)?;
        let mut found: Vec<Saved> = Vec::new();
        while let Some(row) = rows.next().map_err(fault)? {
            let text: String = row.get(0).map_err(fault)?;
            // What another version wrote and this one cannot read is not taken up.
            let Ok(saved) = serde_json::from_str::<Saved>(&text) else { continue };
            match found.iter_mut().find(|known| known.rollout == saved.rollout) {
                Some(known) => *known = saved,
                None => found.push(saved),
            }
        }
        Ok(found)
    }
}
