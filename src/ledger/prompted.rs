//! Prompts that were answered lately, as far as caches may still hold them: by the hashes of their beginnings.
//!
//! Invariant: no text of a prompt is read; what was not answered is left out.

use super::LedgerError;
use super::file::{LedgerFile, Range, WITHIN};
use crate::pricing::Usage;
use crate::units::{Count, Instant};

/// The most prompts that are told of, the latest.
const MOST: usize = 50_000;

/// A prompt that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompted {
    /// When its request arrived.
    pub at: Instant,
    /// Its session; empty where none was named.
    pub session: String,
    /// Its end user.
    pub user: String,
    /// Hashes of its beginnings, the shortest first.
    pub prefix: Vec<u64>,
    /// The bytes of its request.
    pub bytes: u64,
    /// The model that was called.
    pub model: String,
    /// Who served, with the account.
    pub provider: String,
    /// The tokens.
    pub usage: Usage,
}

impl LedgerFile {
    /// Lists the prompts that were answered since a moment, in order of arrival.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn prompted(&self, since: Instant) -> Result<Vec<Prompted>, LedgerError> {
        let fault = |source| self.failed(source);
        let range = Range { from: Some(since), ..Range::default() };
        let mut all = self
            .conn
            .prepare(&format!(
                "SELECT o.at, o.session, o.user, o.prompt_hash, o.prompt_bytes, a.asked, a.provider, a.input, a.cache_read, \
                 a.write_5m, a.write_1h, a.output FROM operations o CROSS JOIN attempts a ON a.seq = o.seq \
                 WHERE {WITHIN} AND a.status = 'ok' AND o.simulated = '' AND o.prompt_hash IS NOT NULL ORDER BY o.seq DESC LIMIT {MOST}"
            ))
            .map_err(fault)?;
        let mut rows = all.query(self.bounds(&range)?).map_err(fault)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(fault)? {
            let count = |at: usize| -> rusqlite::Result<Count> {
                let told: Option<i64> = row.get(at)?;
                let told = told.and_then(|count| u64::try_from(count).ok());
                Ok(told.and_then(Count::new).unwrap_or(Count::UNKNOWN))
            };
            let read = || -> rusqlite::Result<Prompted> {
                let hashes: Vec<u8> = row.get(3)?;
                // The hash of the whole stands first.
                let beginnings = hashes.get(32..).unwrap_or_default().chunks_exact(8);
                let prefix = beginnings.filter_map(|bytes| bytes.try_into().ok().map(u64::from_be_bytes));
                Ok(Prompted {
                    at: Instant(row.get(0)?),
                    session: row.get(1)?,
                    user: row.get(2)?,
                    prefix: prefix.collect(),
                    bytes: u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
                    model: row.get(5)?,
                    provider: row.get(6)?,
                    usage: Usage {
                        input: count(7)?,
                        cache_read: count(8)?,
                        write_5m: count(9)?,
                        write_1h: count(10)?,
                        output: count(11)?,
                        reasoning: Count::UNKNOWN,
                    },
                })
            };
            found.push(read().map_err(fault)?);
        }
        found.reverse();
        Ok(found)
    }
}
