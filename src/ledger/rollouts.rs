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
        let all = "SELECT after FROM audit WHERE what = 'rollout' ORDER BY id";
        let all: Vec<String> = self.all(all, [], |row| row.get(0))?;
        let mut found: Vec<Saved> = Vec::new();
        for text in all {
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
