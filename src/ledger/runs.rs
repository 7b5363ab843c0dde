//! Runs of a gateway in an export: which classifier and price book the requests behind such a line were decided under.

use rusqlite::Row;
use serde::{Deserialize, Serialize};

use super::LedgerError;
use super::chain::Kind;
use super::encoding::Encoding;
use super::file::LedgerFile;
use super::marks::{self, Marks, Out};
use super::proof::{Member, SOURCE};
use crate::units::{Instant, members};

/// A header that tells of a run. Readers of logs pass over it.
#[derive(Debug, Serialize, Deserialize)]
struct RunLine {
    pointsman: String,
    v: u64,
    source: String,
    run: Run,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ledger: Option<Member>,
}

members! {
    /// A run, as its gateway began it.
    #[derive(Clone, Debug, Serialize, Deserialize)]
    pub(super) struct Run;
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {}
    number: i64 = row.get(0)?,
    pub(super) gateway: String = row.get(1)?,
    program: String = row.get(2)?,
    started: String = Instant(row.get(3)?).to_string(),
    listen: String = row.get(4)?,
    classifier: String = row.get(5)?,
    prices: String = row.get(6)?,
}

impl Run {
    /// Makes its canonical form.
    pub(super) fn form(&self, form: &mut Encoding) -> Result<(), String> {
        let started = Instant::parse(&self.started).map_err(|error| format!("started: {error}"))?;
        form.begin(Kind::Run.name());
        form.whole(self.number);
        form.text(&self.program);
        form.whole(started.0);
        for text in [&self.listen, &self.classifier, &self.prices] {
            form.text(text);
        }
        Ok(())
    }
}

impl LedgerFile {
    /// Writes the run of a number, where lines are marked.
    pub(super) fn tell_run(
        &self,
        number: i64,
        marks: &mut Marks<'_>,
        out: &mut Out<'_>,
    ) -> Result<(), LedgerError> {
        if !marks.on() {
            return Ok(());
        }
        let find = "SELECT r.run, coalesce(g.id, ''), r.program, r.started, r.listen, r.classifier, r.prices FROM runs r \
                    LEFT JOIN gateways g ON g.gateway = r.gateway WHERE r.run = ?1";
        let Some(run) = self.one(find, [number], Run::read)? else { return Ok(()) };
        let ledger = marks.member(Kind::Run, number).map_err(|source| self.failed(source))?;
        let (pointsman, source) = ("log".to_owned(), SOURCE.to_owned());
        marks::write_line(out, &RunLine { pointsman, v: crate::record::VERSION, source, run, ledger })?;
        Ok(())
    }
}
