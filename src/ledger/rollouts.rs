//! Rollouts as they stood: the last word of the audit on each.

use super::LedgerError;
use super::file::LedgerFile;
use crate::config;
use crate::rollout::Saved;
use crate::routing::{PolicySpec, RouteSpec};
use crate::units::Names;

impl LedgerFile {
    /// Names who brought a canary into force as it is; none where no policy of the ledger has it so.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn who_brought(&self, route: &RouteSpec) -> Result<Option<String>, LedgerError> {
        let all = "SELECT who, text FROM policies ORDER BY version DESC";
        let mut all = self.conn.prepare(all).map_err(|source| self.failed(source))?;
        let all = all.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
        let mut brought = None;
        for policy in all.map_err(|source| self.failed(source))? {
            let (who, text) = policy.map_err(|source| self.failed(source))?;
            let mut names = Names::default();
            let spec = config::policy::parse(&text, "policy", &mut names).map(|policy| policy.spec(&names));
            let has_it = |spec: PolicySpec| {
                spec.routes.iter().any(|one| one.name == route.name && one.canary == route.canary)
            };
            if !spec.is_ok_and(has_it) {
                break;
            }
            brought = Some(who);
        }
        Ok(brought)
    }

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
