//! Follows the chain of a ledger from its origin to its head, and every entry to its link.
//!
//! Invariant: what was changed, taken out, put in or exchanged since it was chained is found, unless the rest of the chain was
//! made anew as well; that is found against a hash that was noted elsewhere.

use crate::units::hex;
use std::collections::BTreeMap;

use rusqlite::OptionalExtension as _;

use super::chain::{Found, Kind, base, find, gateway_of, newest_link, noted, own};
use super::check::CheckReport;
use super::encoding::{Encoding, Hash, chained, origin, text_hash};
use super::file::LedgerFile;
use super::options::now;
use super::row::{STRIDE, all, count_at};
use super::schema::CHAINED;
use super::{Cursor, Head, LedgerError};

/// Where one gateway's chain has been followed to.
struct Walk {
    id: String,
    /// The last link, within the gateway's own numbers, and its hash.
    last: i64,
    hash: Hash,
    /// What the gateway is said to end with.
    head: (i64, Hash),
}

/// One row of the chain.
struct Link {
    number: i64,
    kind: i64,
    of: i64,
    digest: Hash,
    hash: Hash,
}

impl LedgerFile {
    /// Returns where the chain of each gateway ends, that of the ledger's own first.
    ///
    /// # Errors
    /// Where the file cannot be read, or is older than chains.
    pub fn heads(&self) -> Result<Vec<Head>, LedgerError> {
        if self.version < CHAINED {
            return Err(LedgerError::Older { path: self.path.clone(), found: self.version, known: CHAINED });
        }
        self.all("SELECT id, head, hash FROM gateways ORDER BY gateway", [], |row| {
            let cursor = Cursor { gateway: row.get(0)?, link: count_at(row, 1)? };
            Ok(Head { cursor, hash: hex(&row.get::<_, Hash>(2)?) })
        })
    }

    /// Proves the chain, against a hash that was noted where there is one.
    pub(super) fn chain(
        &self,
        report: &mut CheckReport,
        noted_head: Option<&str>,
        tick: &mut impl FnMut() -> bool,
    ) -> Result<(), LedgerError> {
        if self.version < CHAINED {
            if noted_head.is_some() {
                report.find("this ledger has no chain yet, so no hash was ever noted of it");
            }
            return Ok(());
        }
        let wanted = noted_head.map(noted);
        if wanted == Some(None) {
            report.find(
                "the hash to prove against is none: 64 hexadecimal digits, as `pointsman ledger head` prints",
            );
        }
        let walked = self.walk(report, wanted.flatten(), tick);
        match walked {
            Ok(true) => {}
            Ok(false) => return Err(LedgerError::Cancelled),
            Err(error) => report.hear("the chain", Err(error)),
        }
        let read = self.unlinked(report);
        report.hear("entries beside the chain", read);
        let read = self.bodies(report);
        report.hear("stored prompts", read);
        Ok(())
    }

    fn gateways(&self) -> rusqlite::Result<BTreeMap<i64, Walk>> {
        let gateways = "SELECT gateway, id, head, hash FROM gateways ORDER BY gateway";
        all(&self.conn, gateways, [], |row| {
            let (id, head): (String, (i64, Hash)) = (row.get(1)?, (row.get(2)?, row.get(3)?));
            Ok((row.get(0)?, Walk { hash: origin(&id), id, last: 0, head }))
        })
    }

    /// Follows all chains; says whether to go on.
    fn walk(
        &self,
        report: &mut CheckReport,
        wanted: Option<Hash>,
        tick: &mut impl FnMut() -> bool,
    ) -> rusqlite::Result<bool> {
        let mut walks = self.gateways()?;
        if !walks.contains_key(&0) {
            report.find("the ledger's own gateway is not there");
        }
        let mut seen = wanted.is_none() || walks.values().any(|walk| Some(walk.hash) == wanted);
        let mut all = self.conn.prepare("SELECT link, kind, ref, digest, hash FROM chain ORDER BY link")?;
        let mut rows = all.query([])?;
        let (mut form, mut unread) = (Encoding::of(""), None::<(String, String, u64)>);
        while let Some(row) = rows.next()? {
            let link = Link {
                number: row.get(0)?,
                kind: row.get(1)?,
                of: row.get(2)?,
                digest: row.get(3)?,
                hash: row.get(4)?,
            };
            report.links += 1;
            if report.links.is_multiple_of(STRIDE) && !tick() {
                return Ok(false);
            }
            seen |= Some(link.hash) == wanted;
            let Some(walk) = walks.get_mut(&gateway_of(link.number)) else {
                report.find(format!("link {}: its gateway is not there", link.number));
                continue;
            };
            walk.follow(report, &link);
            if let Err(error) = self.entry(report, &mut form, &link) {
                // Where a page is damaged, every entry of it says the same.
                unread.get_or_insert_with(|| (link.name(), error.to_string(), 0)).2 += 1;
            }
        }
        if let Some((first, error, count)) = unread {
            report.find(format!("{count} chained entries cannot be read, {first} and others: {error}"));
        }
        for walk in walks.into_values() {
            let (head, hash) = walk.head;
            if (walk.last, walk.hash) != (head, hash) {
                report.find(format!(
                    "the chain of {} ends with link {}, and was written up to link {head}: its end was changed",
                    walk.id, walk.last
                ));
            }
            let link = u64::try_from(walk.last).unwrap_or(0);
            report.heads.push(Head { cursor: Cursor { gateway: walk.id, link }, hash: hex(&walk.hash) });
        }
        if !seen {
            report.find("no link has the hash that was noted: the chain was made anew, or cut off before it");
        }
        Ok(true)
    }

    /// Proves what a link says of its entry.
    fn entry(&self, report: &mut CheckReport, form: &mut Encoding, link: &Link) -> rusqlite::Result<()> {
        let Some(kind) = Kind::from_code(link.kind) else {
            report.find(format!("link {}: {} is no kind of entry", own(link.number), link.kind));
            return Ok(());
        };
        let number = own(link.number);
        match find(&self.conn, form, kind, link.of)? {
            Found::Nothing => {
                report.find(format!("{}: it was chained (link {number}) and is gone", link.name()));
            }
            Found::Open => {
                report.find(format!("{}: it was chained when it had ended, and is open", link.name()));
            }
            Found::Final(digest) if digest == link.digest => {}
            // What stands there now is proved by its newer link.
            Found::Final(_)
                if newest_link(&self.conn, kind, link.of)?
                    .is_some_and(|(newest, _)| newest > link.number) =>
            {
                report.amended += 1;
            }
            Found::Final(_) => {
                report.find(format!("{}: it was changed after it was chained (link {number})", link.name()));
            }
        }
        Ok(())
    }

    /// Finds entries that no link speaks of.
    fn unlinked(&self, report: &mut CheckReport) -> rusqlite::Result<()> {
        for kind in Kind::of_version(self.version) {
            let mut all = self.conn.prepare(kind.statements().unlinked)?;
            let mut rows = all.query([])?;
            while let Some(row) = rows.next()? {
                let number: i64 = row.get(0)?;
                report.find(format!("{} {number}: no link of the chain speaks of it", kind.name()));
            }
        }
        let strange = "SELECT r.run FROM runs r JOIN chain c ON c.kind = 3 AND c.ref = r.run WHERE c.link >> 40 <> r.gateway";
        let mut all = self.conn.prepare(strange)?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            report.find(format!("run {}: it is chained by another gateway", row.get::<_, i64>(0)?));
        }
        Ok(())
    }

    /// Proves stored texts by their hashes.
    fn bodies(&self, report: &mut CheckReport) -> rusqlite::Result<()> {
        let mut all = self.conn.prepare("SELECT id, body, hash, expires_at FROM prompts")?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            let (id, hash): (i64, Hash) = (row.get(0)?, row.get(2)?);
            match row.get_ref(1)?.as_str_or_null()? {
                Some(body) if text_hash(body) != hash => {
                    report.find(format!("prompt {id}: the text is not what its hash says"));
                }
                None if row.get::<_, i64>(3)? > now().0 => {
                    report.find(format!("prompt {id}: the text was taken out before its time"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns the hash of a link, or of the origin where it is the one before the first.
    pub(super) fn hash_of(&self, gateway: i64, id: &str, link: i64) -> rusqlite::Result<Option<Hash>> {
        if link == 0 {
            return Ok(Some(origin(id)));
        }
        let mut find = self.conn.prepare_cached("SELECT hash FROM chain WHERE link = ?1")?;
        find.query_row([base(gateway) | link], |row| row.get(0)).optional()
    }
}

impl Link {
    /// Names its entry.
    fn name(&self) -> String {
        format!("{} {}", Kind::from_code(self.kind).map_or("entry", Kind::name), self.of)
    }
}

impl Walk {
    /// Goes on to the next link.
    fn follow(&mut self, report: &mut CheckReport, link: &Link) {
        let number = own(link.number);
        if number != self.last + 1 {
            let (first, last) = (self.last + 1, number - 1);
            report.find(format!("links {first} to {last} of {} are gone", self.id));
        } else if chained(&self.hash, &link.digest, link.kind) != link.hash {
            report.find(format!(
                "link {number} of {}: its hash does not follow from the link before and its entry",
                self.id
            ));
        }
        (self.last, self.hash) = (number, link.hash);
    }
}
