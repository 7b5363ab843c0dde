//! Marks the lines of an export with their links, and tells at its end which links it has.
//!
//! Invariant: between the first link that an export tells and the last, every link is a line or told by its digest.

use crate::units::hex;
use std::collections::BTreeMap;
use std::io::Write;

use rusqlite::Row;

use super::LedgerError;
use super::chain::{Cursor, Kind, OWN, base, gateway_of, newest_link, own};
use super::encoding::Hash;
use super::file::{LedgerFile, Range, WITHIN};
use super::proof::{ChainLine, MEMBER, Member, SOURCE, Stretch};
use super::row::{all, whole};
use crate::record::{Entry, Writer};

/// The most digests in one line.
const MOST: usize = 4_096;

/// The links that an export has told.
pub(super) struct Marks<'f> {
    file: &'f LedgerFile,
    on: bool,
    ids: BTreeMap<i64, String>,
    told: BTreeMap<i64, Told>,
}

/// Those of one gateway.
struct Told {
    first: i64,
    last: i64,
    /// One bit for each link.
    bits: Vec<u64>,
}

impl Told {
    fn covers(&self, link: i64) -> bool {
        (self.first..=self.last).contains(&link)
    }

    fn set(&mut self, link: i64) {
        let place = usize::try_from(link / 64).unwrap_or(0);
        if self.bits.len() <= place {
            self.bits.resize(place + 1, 0);
        }
        if let Some(bits) = self.bits.get_mut(place) {
            *bits |= 1 << (link % 64);
        }
    }

    fn has(&self, link: i64) -> bool {
        let bits = usize::try_from(link / 64).ok().and_then(|place| self.bits.get(place));
        bits.is_some_and(|bits| bits & (1 << (link % 64)) != 0)
    }
}

impl<'f> Marks<'f> {
    /// Marks lines where that is wanted and the ledger has a chain.
    pub(super) fn new(file: &'f LedgerFile, wanted: bool) -> rusqlite::Result<Self> {
        let on = wanted && file.is_chained();
        let mut ids = BTreeMap::new();
        if on {
            ids = all(&file.conn, "SELECT gateway, id FROM gateways", [], |row| row.try_into())?;
        }
        Ok(Self { file, on, ids, told: BTreeMap::new() })
    }

    /// Says whether lines are marked.
    pub(super) fn on(&self) -> bool {
        self.on
    }

    /// Takes upon it to tell all links of a stretch, lines or not.
    pub(super) fn cover(&mut self, gateway: i64, first: i64, last: i64) {
        if self.on && first <= last {
            self.told.insert(gateway, Told { first, last, bits: Vec::new() });
        }
    }

    /// Takes upon it to tell the links of a stretch of operations, or all where there is no end to it.
    pub(super) fn cover_range(&mut self, range: &Range) -> Result<(), LedgerError> {
        if !self.on {
            return Ok(());
        }
        let row = |row: &Row<'_>| Ok((row.get(0)?, own(row.get(1)?), own(row.get(2)?)));
        let spans: Vec<(i64, i64, i64)> = if *range == Range::default() {
            self.file.all("SELECT gateway, 1, head FROM gateways", [], row)?
        } else {
            let spans = format!(
                "SELECT c.link >> 40, min(c.link), max(c.link) FROM operations o JOIN chain c ON c.kind = 1 AND c.ref = o.seq \
                 WHERE {WITHIN} GROUP BY 1"
            );
            self.file.all(&spans, self.file.bounds(range)?, row)?
        };
        for (gateway, first, last) in spans {
            self.cover(gateway, first, last);
        }
        Ok(())
    }

    /// Takes upon it to tell an entry's link, and all between it and the others.
    pub(super) fn widen(&mut self, kind: i64, number: i64) -> rusqlite::Result<()> {
        let Some(kind) = Kind::from_code(kind).filter(|_| self.on) else { return Ok(()) };
        let Some((link, _)) = newest_link(&self.file.conn, kind, number)? else { return Ok(()) };
        let (gateway, link) = (gateway_of(link), own(link));
        match self.told.get_mut(&gateway) {
            Some(told) => (told.first, told.last) = (told.first.min(link), told.last.max(link)),
            None => self.cover(gateway, link, link),
        }
        Ok(())
    }

    /// Returns the member of a line; none where lines are not marked or the entry has no link.
    pub(super) fn member(&mut self, kind: Kind, number: i64) -> rusqlite::Result<Option<Member>> {
        if !self.on {
            return Ok(None);
        }
        let Some((link, _)) = newest_link(&self.file.conn, kind, number)? else { return Ok(None) };
        let (gateway, number) = (gateway_of(link), own(link));
        let Some(id) = self.ids.get(&gateway) else { return Ok(None) };
        let Some(hash) = self.file.hash_of(gateway, id, number)? else { return Ok(None) };
        // What lies outside of the stretch, like the policy in force at its start, is told without proof.
        let Some(told) = self.told.get_mut(&gateway).filter(|told| told.covers(number)) else {
            return Ok(None);
        };
        told.set(number);
        let cursor = Cursor { gateway: id.clone(), link: u64::try_from(number).unwrap_or(0) };
        Ok(Some(Member { cursor: cursor.to_string(), hash: hex(&hash), ..Member::default() }))
    }

    /// Says what the ledger could not be read for.
    pub(super) fn failed(&self, source: rusqlite::Error) -> LedgerError {
        self.file.failed(source)
    }

    /// Tells which links the export has, with the digests of those that are no lines.
    pub(super) fn finish(self, out: &mut Out<'_>) -> Result<(), LedgerError> {
        let lines = self.stretches().map_err(|source| self.file.failed(source))?;
        for chain in lines {
            let (pointsman, source) = ("log".to_owned(), SOURCE.to_owned());
            write_line(out, &ChainLine { pointsman, v: crate::record::VERSION, source, chain })?;
        }
        Ok(())
    }

    fn stretches(&self) -> rusqlite::Result<Vec<Stretch>> {
        let mut lines = Vec::new();
        for (gateway, told) in &self.told {
            let Some(id) = self.ids.get(gateway) else { continue };
            let hash =
                |link| Ok::<_, rusqlite::Error>(self.file.hash_of(*gateway, id, link)?.unwrap_or([0; 32]));
            let between = "SELECT link, kind, digest FROM chain WHERE link BETWEEN ?1 AND ?2 ORDER BY link";
            let mut all = self.file.conn.prepare_cached(between)?;
            let mut rows = all.query([base(*gateway) | told.first, base(*gateway) | told.last])?;
            let mut after = told.first - 1;
            let mut besides = Vec::new();
            while let Some(row) = rows.next()? {
                let link = own(row.get(0)?);
                if !told.has(link) {
                    besides.push((link, kind_name(row.get(1)?), hex(&row.get::<_, Hash>(2)?)));
                }
                if besides.len() == MOST || link == told.last {
                    let (follows, own) = (hex(&hash(after)?), hex(&hash(link)?));
                    let besides = std::mem::take(&mut besides);
                    lines.push(Stretch { gateway: id.clone(), after, follows, to: link, hash: own, besides });
                    after = link;
                }
            }
        }
        Ok(lines)
    }
}

fn kind_name(code: i64) -> String {
    Kind::from_code(code).map_or("entry", Kind::name).to_owned()
}

/// Where lines of a log go. One kind for all, as everything that writes them is compiled for each.
pub(super) type Out<'w> = Writer<&'w mut dyn Write>;

/// Writes a line that is no entry of a log.
pub(super) fn write_line(out: &mut Out<'_>, line: &impl serde::Serialize) -> std::io::Result<()> {
    out.write_line(&serde_json::to_vec(line)?)
}

/// Writes an entry with its member, if it has one.
pub(super) fn write_entry(
    out: &mut Out<'_>,
    entry: &Entry<'_>,
    member: Option<&Member>,
) -> std::io::Result<()> {
    match member {
        Some(member) => out.write_with(entry, MEMBER, &serde_json::to_vec(member)?),
        None => out.write(entry),
    }
}

impl LedgerFile {
    /// Returns the place of a cursor in this ledger: the gateway's number, the link, and the gateway's last one.
    pub(super) fn place(&self, cursor: &Cursor) -> rusqlite::Result<Option<(i64, i64, i64)>> {
        use rusqlite::OptionalExtension as _;
        let find = "SELECT gateway, head FROM gateways WHERE id = ?1";
        let found = self.conn.query_row(find, [&cursor.gateway], |row| Ok((row.get(0)?, row.get(1)?)));
        Ok(found.optional()?.map(|(gateway, head)| (gateway, whole(cursor.link).min(OWN), head)))
    }
}
