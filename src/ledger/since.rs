//! Writes what became final after a place in a gateway's chain, in that order: a reader goes on where it stopped.
//!
//! Invariant: every link after the cursor is told once, as a line or by its digest, and none before it.

use std::collections::BTreeMap;
use std::io::Write;

use super::chain::{Cursor, Kind, base, newest_link, own};
use super::error::Faults;
use super::export::{Event, Exported, marked};
use super::file::{LedgerFile, Range};
use super::marks::{self, Marks, Out};
use super::proof::{Member, SOURCE};
use super::row::{STRIDE, plain, whole};
use super::stored::{JOINED, LateStored, REST, StoredAttempt, record};
use super::{LedgerError, schema};
use crate::record::{Entry, Header, Writer};

impl LedgerFile {
    /// Writes what became final after a cursor as a log; what it wrote says where to go on. `tick` hears how many links of
    /// how many are passed, and may cancel by answering false.
    ///
    /// # Errors
    /// Where the ledger has no such place, cannot be read, the output cannot be written, or the work was cancelled.
    pub fn export_after(
        &self,
        cursor: &Cursor,
        out: &mut dyn Write,
        tick: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Exported, LedgerError> {
        self.links_after(cursor, u64::MAX, &self.header(&Range::default())?, out, tick)
    }

    /// Writes at most so many links after a cursor, likewise: a part that is read at once, so that nothing stays open for a
    /// reader who takes his time. Its header does not say what is simulated; the lines do.
    ///
    /// # Errors
    /// As [`Self::export_after`].
    pub fn part_after(
        &self,
        cursor: &Cursor,
        links: u64,
        out: &mut dyn Write,
    ) -> Result<Exported, LedgerError> {
        let header = Header { source: SOURCE.to_owned(), ..Header::default() };
        self.links_after(cursor, links, &header, out, &mut |_, _| true)
    }

    fn links_after(
        &self,
        cursor: &Cursor,
        links: u64,
        header: &Header,
        out: &mut dyn Write,
        tick: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Exported, LedgerError> {
        if !self.is_chained() {
            let (path, found) = (self.path.clone(), self.version);
            return Err(LedgerError::Older { path, found, known: schema::CHAINED });
        }
        let fault = |source| self.failed(source);
        let moment = self.conn.unchecked_transaction().map_err(fault)?;
        let place = self.place(cursor).map_err(fault)?.filter(|(_, after, head)| after <= head);
        let Some((gateway, after, head)) = place else {
            let known = self.heads()?.iter().map(|head| head.cursor.to_string()).collect::<Vec<_>>();
            return Err(LedgerError::Place { wanted: cursor.to_string(), known: known.join(", ") });
        };
        let head = head.min(after.saturating_add(whole(links)));
        let mut marks = Marks::new(self, true).map_err(fault)?;
        marks.cover(gateway, after + 1, head);
        let mut lines = Lines { file: self, events: None, written: Exported::default() };
        let mut out = Writer::new(out, header);
        let stretch = "SELECT link, kind, ref FROM chain WHERE link > ?1 AND link <= ?2 ORDER BY link";
        let mut all = self.conn.prepare(stretch).map_err(fault)?;
        let mut rows = all.query([base(gateway) | after, base(gateway) | head]).map_err(fault)?;
        while let Some(row) = rows.next().map_err(fault)? {
            let link = || Ok::<(i64, i64, i64), rusqlite::Error>((row.get(0)?, row.get(1)?, row.get(2)?));
            let (link, kind, number) = link().map_err(fault)?;
            let kind = Kind::from_code(kind);
            // What was changed in good order later is told where it was.
            let newest = kind.map(|kind| newest_link(&self.conn, kind, number)).transpose().map_err(fault)?;
            if let Some(kind) = kind.filter(|_| newest.flatten().is_some_and(|(newest, _)| newest == link)) {
                lines.write(kind, number, &mut marks, &mut out)?;
            }
            let done = plain(own(link) - after);
            if done.is_multiple_of(STRIDE) && !tick(done, plain(head - after)) {
                return Err(LedgerError::Cancelled);
            }
        }
        marks.finish(&mut out)?;
        out.finish()?;
        drop(rows);
        let mut written = lines.written;
        written.next = Some(Cursor { gateway: cursor.gateway.clone(), link: plain(head) });
        drop(all);
        moment.finish().map_err(fault)?;
        Ok(written)
    }
}

/// What is written, and what may be.
struct Lines<'f> {
    file: &'f LedgerFile,
    /// Policies and notes, once one of them is among the links.
    events: Option<BTreeMap<(i64, i64), Event>>,
    written: Exported,
}

impl Lines<'_> {
    fn write(
        &mut self,
        kind: Kind,
        number: i64,
        marks: &mut Marks<'_>,
        out: &mut Out<'_>,
    ) -> Result<(), LedgerError> {
        match kind {
            Kind::Operation => return self.operation(number, marks, out),
            Kind::Label => self.label(number, marks, out)?,
            Kind::Run => return self.file.tell_run(number, marks, out),
            Kind::Correction => self.file.tell_correction(number, marks, out)?,
            Kind::Policy | Kind::Note | Kind::Signal => {
                let events = match &mut self.events {
                    Some(events) => events,
                    none => {
                        let all = self.file.events(&Range::default(), &mut Faults::fatal())?;
                        none.insert(all.into_iter().map(|event| (event.entry(), event)).collect())
                    }
                };
                if let Some(event) = events.get(&(kind.code(), number)) {
                    event.write(out, marks)?;
                }
            }
            // They are no part of a log, and told by their digests.
            Kind::Price | Kind::Audit | Kind::Prompt => return Ok(()),
        }
        self.written.events += 1;
        Ok(())
    }

    fn operation(
        &mut self,
        number: i64,
        marks: &mut Marks<'_>,
        out: &mut Out<'_>,
    ) -> Result<(), LedgerError> {
        let fault = |source| self.file.failed(source);
        let conn = &self.file.conn;
        let columns = self.file.call_columns(true);
        let calls = format!("SELECT {columns} {JOINED} WHERE a.seq = ?1 ORDER BY a.n");
        let mut calls = conn.prepare_cached(&calls).map_err(fault)?;
        let calls = calls.query_map([number], StoredAttempt::read).map_err(fault)?;
        let calls: Vec<StoredAttempt> = calls.collect::<rusqlite::Result<_>>().map_err(fault)?;
        let one =
            format!("SELECT {}, {REST} FROM operations o WHERE o.seq = ?1", self.file.operation_columns());
        let mut one = conn.prepare_cached(&one).map_err(fault)?;
        let mut rows = one.query([number]).map_err(fault)?;
        let Some(row) = rows.next().map_err(fault)? else { return Ok(()) };
        let seq = plain(number);
        // Judgements are events of their own here.
        let record = record(row, seq, &calls, &[])?;
        let member = marks.member(Kind::Operation, number).map_err(fault)?;
        let member = member.map(|member| marked(member, row, seq, &calls)).transpose().map_err(fault)?;
        marks::write_entry(out, &Entry::Request(record), member.as_ref())?;
        self.written.requests += 1;
        Ok(())
    }

    fn label(&self, number: i64, marks: &mut Marks<'_>, out: &mut Out<'_>) -> Result<(), LedgerError> {
        let fault = |source| self.file.failed(source);
        let one = "SELECT l.seq, l.model, l.quality, l.output, l.source, l.at, l.id, coalesce(o.id, '') FROM labels l \
                   LEFT JOIN operations o ON o.seq = l.seq WHERE l.id = ?1";
        let mut one = self.file.conn.prepare_cached(one).map_err(fault)?;
        let read = one.query_row([number], |row| Ok((row.get(0)?, LateStored::read(row)?, row.get(7)?)));
        let (seq, judged, id): (i64, LateStored, String) = read.map_err(fault)?;
        let member = marks.member(Kind::Label, number).map_err(fault)?;
        let member = member.map(|member| Member { seq: Some(own(seq)), ..member });
        marks::write_entry(out, &judged.event(&id), member.as_ref())?;
        Ok(())
    }
}
