//! Prompts that were answered lately, as far as caches may still hold them: by the hashes of their beginnings.
//!
//! Invariant: no text of a prompt is read; what was not answered is left out.

use rusqlite::Row;

use super::LedgerError;
use super::file::{LedgerFile, Range, WITHIN};
use super::row::usage_at;
use crate::pricing::Usage;
use crate::units::{Instant, members};

/// The most prompts that are told of, the latest.
const MOST: usize = 50_000;

members! {
    /// A prompt that was answered.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Prompted;
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        let hashes: Vec<u8> = row.get(3)?;
        // The hash of the whole stands first.
        let beginnings = hashes.get(32..).unwrap_or_default().chunks_exact(8);
        let prefix = beginnings.filter_map(|bytes| bytes.try_into().ok().map(u64::from_be_bytes));
    }
    /// When its request arrived.
    pub at: Instant = Instant(row.get(0)?),
    /// Its session; empty where none was named.
    pub session: String = row.get(1)?,
    /// Its end user.
    pub user: String = row.get(2)?,
    /// Hashes of its beginnings, the shortest first.
    pub prefix: Vec<u64> = prefix.collect(),
    /// The bytes of its request.
    pub bytes: u64 = u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
    /// The model that was called.
    pub model: String = row.get(5)?,
    /// Who served, with the account.
    pub provider: String = row.get(6)?,
    /// The tokens.
    pub usage: Usage = usage_at(row, 7)?,
}

impl LedgerFile {
    /// Lists the prompts that were answered since a moment, in order of arrival.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn prompted(&self, since: Instant) -> Result<Vec<Prompted>, LedgerError> {
        let range = Range { from: Some(since), ..Range::default() };
        let all = format!(
            "SELECT o.at, o.session, o.user, o.prompt_hash, o.prompt_bytes, a.asked, a.provider, a.input, a.cache_read, \
                 a.write_5m, a.write_1h, a.output, NULL FROM operations o CROSS JOIN attempts a ON a.seq = o.seq \
                 WHERE {WITHIN} AND a.status = 'ok' AND o.simulated = '' AND o.prompt_hash IS NOT NULL ORDER BY o.seq DESC LIMIT {MOST}"
        );
        let mut found: Vec<Prompted> = self.all(&all, self.bounds(&range)?, Prompted::read)?;
        found.reverse();
        Ok(found)
    }
}
