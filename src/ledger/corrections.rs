//! Corrections of charges: written beside the charges, which stay as they were made, and told as events.

use rusqlite::{Connection, Row, params};

use super::LedgerError;
use super::chain::{Kind, own};
use super::encoding::Encoding;
use super::entry::Correction;
use super::file::LedgerFile;
use super::marks::{self, Marks, Out};
use super::proof::Member;
use super::row::{amount, charge_at, count_at, kind, whole};
use super::schema::CORRECTED;
use super::stored::JOINED;
use crate::pricing::{Charged, Cost};
use crate::record::{self, Entry};
use crate::units::{Instant, members};

const COLUMNS: &str = "c.seq, c.n, c.kind, c.why, c.micro, c.pico, c.source, c.at, c.id";

/// Writes one; says whether it is new.
pub(super) fn write(conn: &Connection, seq: i64, correction: &Correction) -> rusqlite::Result<usize> {
    let (micro, pico) = correction.cost.amount().map(amount).transpose()?.unzip();
    let (kind, why) = kind(correction.cost);
    let mut put = conn.prepare_cached(
        "INSERT INTO corrections (seq, n, kind, why, micro, pico, source, at) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT \
         EXISTS (SELECT 1 FROM corrections WHERE seq = ?1 AND n IS ?2 AND kind = ?3 AND why IS ?4 AND micro IS ?5 \
         AND pico IS ?6 AND source = ?7 AND at = ?8)",
    )?;
    put.execute(params![seq, correction.n, kind, why, micro, pico, &*correction.source, correction.at.0])
}

members! {
    /// One as it is stored.
    #[derive(Clone, Debug)]
    pub(super) struct StoredCorrection;
    pub(super) fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {}
    number: i64 = row.get(8)?,
    n: Option<u32> = row.get(1)?,
    cost: Option<Cost> = charge_at(row, 2)?,
    source: String = row.get(6)?,
    at: Instant = Instant(row.get(7)?),
}

impl StoredCorrection {
    /// Writes it as an event about the request of an id.
    pub(super) fn tell(
        &self,
        (seq, id): (u64, &str),
        marks: &mut Marks<'_>,
        out: &mut Out<'_>,
    ) -> Result<(), LedgerError> {
        self.check(seq)?;
        let Some(correction) = self.event(id) else { return Ok(()) };
        let member = marks.member(Kind::Correction, self.number).map_err(|source| marks.failed(source))?;
        let member = member.map(|member| Member { seq: Some(own(whole(seq))), ..member });
        marks::write_entry(out, &correction, member.as_ref())?;
        Ok(())
    }

    /// Says whether it can be read, by an error where it cannot.
    pub(super) fn check(&self, seq: u64) -> Result<(), LedgerError> {
        let strange = || LedgerError::Value { seq, field: "correction", found: self.number.to_string() };
        self.cost.map(drop).ok_or_else(strange)
    }

    /// Returns it as an event about the request of an id; `None` where it cannot be read.
    pub(super) fn event<'a>(&'a self, id: &'a str) -> Option<Entry<'a>> {
        let correction = record::Correction {
            at: self.at,
            id: id.into(),
            call: self.n.map(|n| n.saturating_add(1)),
            charged: Charged::new(self.cost?),
            source: self.source.as_str().into(),
        };
        Some(Entry::Correction(Box::new(correction)))
    }
}

/// Asks for those of a stretch of operations, from `?1` to `?2`; a ledger of an older version has none.
pub(super) fn of_stretch(version: i64) -> String {
    if version < CORRECTED {
        return "SELECT 0 WHERE ?1 < 0 AND ?2 < 0".to_owned();
    }
    format!("SELECT {COLUMNS} FROM corrections c WHERE c.seq BETWEEN ?1 AND ?2 ORDER BY c.seq, c.id")
}

/// What was charged for the calls of an operation, in order, corrections included; `None` where a call has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargedCalls {
    /// The operation's number.
    pub seq: u64,
    /// By call.
    pub charges: Vec<Option<Cost>>,
}

impl LedgerFile {
    /// Looks operations up by their ids; `None` for each that is not there.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn charged(&self, ids: &[String]) -> Result<Vec<Option<ChargedCalls>>, LedgerError> {
        let one = |id: &String| {
            let Some((seq, _)) = self.find(id)? else { return Ok(None) };
            let amounts = self.amounts();
            let calls = format!("SELECT c.kind, c.why, {amounts} {JOINED} WHERE a.seq = ?1 ORDER BY a.n");
            let mut charges: Vec<Option<Cost>> = self.all(&calls, [whole(seq)], |row| charge_at(row, 0))?;
            let both = [whole(seq), whole(seq)];
            let mut later: Vec<_> = self.all(&of_stretch(self.version), both, StoredCorrection::read)?;
            crate::units::sort_by_key(&mut later, |correction: &StoredCorrection| correction.at);
            for StoredCorrection { n, cost, .. } in later {
                let call = match n {
                    Some(n) => charges.get_mut(n as usize),
                    None => charges.last_mut(),
                };
                if let Some(call) = call {
                    *call = cost;
                }
            }
            Ok(Some(ChargedCalls { seq, charges }))
        };
        ids.iter().map(one).collect()
    }

    /// Writes the one of a number.
    pub(super) fn tell_correction(
        &self,
        number: i64,
        marks: &mut Marks<'_>,
        out: &mut Out<'_>,
    ) -> Result<(), LedgerError> {
        let one = format!(
            "SELECT {COLUMNS}, coalesce(o.id, '') FROM corrections c LEFT JOIN operations o ON o.seq = c.seq WHERE c.id = ?1"
        );
        let read = |row: &Row<'_>| Ok((count_at(row, 0)?, StoredCorrection::read(row)?, row.get(9)?));
        let (seq, correction, id): (u64, StoredCorrection, String) = self.only(&one, [number], read)?;
        correction.tell((seq, &id), marks, out)
    }
}

/// Makes the canonical form of one from its line.
pub(super) fn form(form: &mut Encoding, told: &record::Correction<'_>, seq: i64) -> Result<(), String> {
    let cost = told.charged.cost().ok_or("it corrects nothing")?;
    let (name, why) = kind(cost);
    let charged = cost.amount().map(amount).transpose().map_err(|error| error.to_string())?;
    form.begin(Kind::Correction.name());
    form.whole(seq);
    form.text(&told.id);
    form.maybe_whole(told.call.map(|call| i64::from(call) - 1));
    form.text(name);
    form.maybe_text(why);
    form.maybe_whole(charged.map(|(micro, _)| micro));
    form.maybe_whole(charged.map(|(_, pico)| pico));
    form.text(&told.source);
    form.whole(told.at.0);
    Ok(())
}
