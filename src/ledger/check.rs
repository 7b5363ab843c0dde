//! Proves a ledger: every charge computed again, every sum added up again, every reference followed.
//!
//! Invariant: what is found is told, the first of each kind in full and all of them in number.

use std::collections::BTreeMap;
use std::{fmt, io};

use rusqlite::Row;

use super::chain::gateway_of;
use super::encoding::text_hash;
use super::file::{LedgerFile, Range};
use super::guard::marks;
use super::recover::charged;
use super::row::{STRIDE, all, charge_at, count_at, maybe, read_terms, usage_at};
use super::schema::CHAINED;
use super::sums::each;
use super::{ExportOptions, Head, LedgerError, Sum, Totals, price};
use crate::pricing::{Cost, PriceRow, Terms};
use crate::units::{Instant, hex, members};

/// Findings that are quoted; more are counted.
pub(super) const QUOTED: usize = 50;

/// What a check looked at and found.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// What is wrong, in words; at most the first fifty.
    pub findings: Vec<String>,
    /// How many things are wrong.
    pub wrong: u64,
    /// Operations.
    pub operations: u64,
    /// Attempts, open ones included.
    pub attempts: u64,
    /// Attempts of the newest run that are open.
    pub open_attempts: u64,
    /// Prices charged at.
    pub prices: u64,
    /// Policy versions.
    pub policies: u64,
    /// The sums of all charges.
    pub totals: Totals,
    /// Links of the chain.
    pub links: u64,
    /// Links whose entry has a newer one, for it was changed in good order.
    pub amended: u64,
    /// Where the chains end; none for a ledger that is older than chains.
    pub heads: Vec<Head>,
}

impl CheckReport {
    /// Says whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.wrong == 0
    }

    pub(super) fn hear(&mut self, what: &str, read: rusqlite::Result<()>) {
        if let Err(error) = read {
            self.find(format!("{what} cannot be read: {error}"));
        }
    }

    pub(super) fn find(&mut self, text: impl Into<String>) {
        self.wrong += 1;
        if self.findings.len() < QUOTED {
            self.findings.push(text.into());
        }
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operations, attempts, open_attempts, prices, policies, totals, .. } = self;
        writeln!(f, "operations  {operations}")?;
        writeln!(f, "calls       {attempts} ({open_attempts} open)")?;
        writeln!(f, "prices      {prices}")?;
        writeln!(f, "policies    {policies}")?;
        writeln!(f, "known       {} USD", totals.all.cost.known)?;
        writeln!(f, "estimated   {} USD", totals.all.cost.estimated)?;
        writeln!(f, "unknown     {} calls", totals.all.cost.unknown)?;
        match self.amended {
            0 => writeln!(f, "links       {}", self.links)?,
            amended => {
                writeln!(f, "links       {} ({amended} of entries that were amended later)", self.links)?;
            }
        }
        for head in &self.heads {
            writeln!(f, "head        {head}")?;
        }
        if self.heads.is_empty() {
            writeln!(f, "head        none: this ledger is chained when this version first writes it")?;
        }
        let sound =
            "every charge and every sum is what its usage and price make it, every entry what was chained";
        tell_findings(f, &self.findings, self.wrong, sound)
    }
}

/// Writes what is wrong, or what is sound.
pub(super) fn tell_findings(
    f: &mut fmt::Formatter<'_>,
    findings: &[String],
    wrong: u64,
    sound: &str,
) -> fmt::Result {
    for finding in findings {
        writeln!(f, "WRONG  {finding}")?;
    }
    let quoted = findings.len() as u64;
    if wrong > quoted {
        writeln!(f, "WRONG  and {} more", wrong - quoted)?;
    }
    match wrong {
        0 => writeln!(f, "sound: {sound}"),
        wrong => writeln!(f, "{wrong} things are wrong"),
    }
}

impl LedgerFile {
    /// Proves the ledger. `tick` hears how many of how many attempts are done and may cancel by answering false.
    ///
    /// # Errors
    /// Where the file cannot be read at all, or the work was cancelled; what is wrong in it is in the report.
    pub fn check(&self, tick: impl FnMut(u64, u64) -> bool) -> Result<CheckReport, LedgerError> {
        self.check_against(None, tick)
    }

    /// Likewise, against a hash of the chain that was noted elsewhere: what stood before it then has to stand there now.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_against(
        &self,
        noted: Option<&str>,
        mut tick: impl FnMut(u64, u64) -> bool,
    ) -> Result<CheckReport, LedgerError> {
        let to_error = |source| self.failed(source);
        // One moment of the ledger, whoever writes on meanwhile.
        let moment = self.conn.unchecked_transaction().map_err(to_error)?;
        let mut report = CheckReport::default();
        for mark in marks(&self.path) {
            report.find(mark);
        }
        let counted = self.conn.query_row("SELECT count(*) FROM attempts", [], |row| count_at(row, 0));
        let read = counted.map(|count| report.attempts = count);
        report.hear("the number of calls", read);
        let total = report.attempts;
        if !tick(0, total) {
            return Err(LedgerError::Cancelled);
        }
        // What cannot be read in one place keeps no other from being looked at.
        let read = self.file(&mut report);
        report.hear("the file", read);
        let mut rates = BTreeMap::new();
        let read = self.prices(&mut report, &mut rates);
        report.hear("prices", read);
        match self.calls(&mut report, &rates, total, &mut tick) {
            Err(LedgerError::Cancelled) => return Err(LedgerError::Cancelled),
            Err(error) => report.find(format!("calls cannot be read: {error}")),
            Ok(()) => {}
        }
        let read = self.operations(&mut report);
        report.hear("operations", read);
        let read = self.versions(&mut report);
        report.hear("policies", read);
        self.chain(&mut report, noted, &mut || tick(total, total))?;
        moment.finish().map_err(to_error)?;
        self.exports(&mut report, &mut || tick(total, total))?;
        Ok(report)
    }

    /// What an export would stumble over: it is made, and where that fails, everything that hinders it is looked for.
    fn exports(&self, report: &mut CheckReport, tick: &mut impl FnMut() -> bool) -> Result<(), LedgerError> {
        let (all, options) = (Range::default(), ExportOptions { prices: true, chain: self.is_chained() });
        match self.export(&all, options, &mut io::sink(), &mut |_, _| tick()) {
            Ok(_) => return Ok(()),
            Err(LedgerError::Cancelled) => return Err(LedgerError::Cancelled),
            Err(error) => report.find(format!("export: {}", error.in_a_line())),
        }
        let faults = self.salvage(&all, &mut io::sink(), &mut |_, _| tick())?.faults;
        report.wrong += faults.count.saturating_sub(faults.found.len() as u64);
        faults.found.into_iter().for_each(|fault| report.find(format!("export: {fault}")));
        Ok(())
    }

    /// What SQLite itself can say.
    fn file(&self, report: &mut CheckReport) -> rusqlite::Result<()> {
        let mut all = self.conn.prepare("PRAGMA integrity_check(20)")?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            let text = row.get_ref(0)?.as_str()?;
            if text != "ok" {
                report.find(format!("file: {text}"));
            }
        }
        let mut all = self.conn.prepare("PRAGMA foreign_key_check")?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
            report.find(format!("{table}: a row belongs to a row of {parent} that is not there"));
        }
        Ok(())
    }

    fn prices(&self, report: &mut CheckReport, found: &mut BTreeMap<i64, PriceRow>) -> rusqlite::Result<()> {
        let mut all =
            self.conn.prepare("SELECT price, id, model, valid_from, rates, hash FROM price_rows")?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            let (number, id, model): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let from: Option<i64> = row.get(3)?;
            let (text, hash): (String, String) = (row.get(4)?, row.get(5)?);
            report.prices += 1;
            if price::hash(&model, from.map(Instant), &text) != hash
                || !id.ends_with(hash.get(..12).unwrap_or("-"))
            {
                report.find(format!("price {id}: the row is not what its hash says"));
            }
            match price::read(&text) {
                Some(row) => _ = found.insert(number, row),
                None => report.find(format!("price {id}: the rates cannot be read")),
            }
        }
        Ok(())
    }

    /// Every attempt with its charge, computed again.
    fn calls(
        &self,
        report: &mut CheckReport,
        rates: &BTreeMap<i64, PriceRow>,
        total: u64,
        tick: &mut impl FnMut(u64, u64) -> bool,
    ) -> Result<(), LedgerError> {
        let to_error = |source| self.failed(source);
        let mut all = self
            .conn
            .prepare(&format!(
                "SELECT a.seq, a.n, a.state, a.model, a.estimated, a.price, c.price, coalesce(o.team, ''), o.run, \
                 o.state, c.kind, c.why, {}, a.input, a.cache_read, a.write_5m, a.write_1h, a.output, a.reasoning, {} \
                 FROM attempts a LEFT JOIN operations o ON o.seq = a.seq \
                 LEFT JOIN charges c ON c.seq = a.seq AND c.n = a.n ORDER BY a.seq, a.n",
                self.amounts(),
                self.particulars()
            ))
            .map_err(to_error)?;
        let newest = self.newest_runs().map_err(to_error)?;
        let mut rows = all.query([]).map_err(to_error)?;
        let mut cells: BTreeMap<(String, String), Sum> = BTreeMap::new();
        let (mut before, mut done): (Option<(u64, u64)>, u64) = (None, 0);
        while let Some(row) = rows.next().map_err(to_error)? {
            done += 1;
            let call = match Call::read(row, &newest) {
                Ok(call) => call,
                Err(error) => {
                    let seq: i64 = row.get(0).unwrap_or_default();
                    report.find(format!("operation {seq}: a call cannot be read: {error}"));
                    before = None;
                    continue;
                }
            };
            let (seq, n) = (call.seq, call.n);
            let expected = before.filter(|(last, _)| *last == seq).map_or(0, |(_, n)| n + 1);
            if n != expected {
                report.find(format!("operation {seq}: call {n} where call {expected} should be"));
            }
            before = Some((seq, n));
            if let Some(cost) = call.prove(report, rates) {
                let (model, team) = (call.model, call.team);
                report.totals.add(&model, &team, cost);
                cells.entry((model, team)).or_default().add(cost);
            }
            if done % STRIDE == 0 && !tick(done, total) {
                return Err(LedgerError::Cancelled);
            }
        }
        self.sums(report, cells).map_err(to_error)
    }

    /// The kept sums against those just added up.
    fn sums(
        &self,
        report: &mut CheckReport,
        mut cells: BTreeMap<(String, String), Sum>,
    ) -> rusqlite::Result<()> {
        each(&self.conn, self.version, |model, team, kept| {
            let found = cells.remove(&(model.to_owned(), team.to_owned()));
            let is_charged = found.is_some();
            let added = found.unwrap_or_default();
            if added != kept || !is_charged {
                report.find(format!(
                    "sum of model `{model}`, team `{team}`: {} USD in {} calls are kept, {} USD in {} calls are charged",
                    kept.cost.total(), kept.calls, added.cost.total(), added.calls
                ));
            }
        })?;
        for ((model, team), sum) in cells {
            report.find(format!(
                "sum of model `{model}`, team `{team}`: none is kept, {} USD are charged",
                sum.cost.total()
            ));
        }
        Ok(())
    }

    fn operations(&self, report: &mut CheckReport) -> rusqlite::Result<()> {
        let one = |sql: &str| self.conn.query_row(sql, [], |row| count_at(row, 0));
        report.operations = one("SELECT count(*) FROM operations")?;
        let mut stale = 0;
        for (gateway, run) in self.newest_runs()? {
            let count =
                "SELECT count(*) FROM operations WHERE state = 'open' AND run < ?1 AND seq >> 40 = ?2";
            stale += self.conn.query_row(count, [run, gateway], |row| count_at(row, 0))?;
        }
        if stale > 0 {
            report.find(format!("{stale} operations of an earlier run are open"));
        }
        let endless = one(
            "SELECT count(*) FROM operations WHERE state = 'done' AND (status IS NULL OR finished IS NULL)",
        )?;
        if endless > 0 {
            report.find(format!("{endless} operations are done without a status or a time"));
        }
        Ok(())
    }

    /// Returns each gateway's newest run.
    fn newest_runs(&self) -> rusqlite::Result<BTreeMap<i64, i64>> {
        let gateway = if self.version < CHAINED { "0" } else { "gateway" };
        let runs = format!("SELECT {gateway}, max(run) FROM runs GROUP BY 1");
        all(&self.conn, &runs, [], |row| row.try_into())
    }

    fn versions(&self, report: &mut CheckReport) -> rusqlite::Result<()> {
        let mut all =
            self.conn.prepare("SELECT version, from_seq, hash, text FROM policies ORDER BY version")?;
        let mut rows = all.query([])?;
        let mut before = 0;
        while let Some(row) = rows.next()? {
            let (version, from) = (count_at(row, 0)?, count_at(row, 1)?);
            let (hash, text): (String, String) = (row.get(2)?, row.get(3)?);
            report.policies += 1;
            if hex(&text_hash(&text)) != hash {
                report.find(format!("policy {version}: the text is not what its hash says"));
            }
            if from < before {
                report.find(format!(
                    "policy {version}: in force from operation {from}, before the one it follows"
                ));
            }
            before = from;
        }
        if report.policies == 0 {
            return Ok(());
        }
        let mut all = self.conn.prepare(
            "SELECT policy, min(seq), count(*) FROM operations WHERE policy NOT IN (SELECT version FROM policies) \
             GROUP BY policy",
        )?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            let (version, first, count) = (count_at(row, 0)?, count_at(row, 1)?, count_at(row, 2)?);
            report.find(format!(
                "policy {version}: decided {count} operations (the first is {first}) and is not stored"
            ));
        }
        Ok(())
    }
}

members! {
    /// A call as stored.
    struct Call;
    fn read(row: &Row<'_>, newest: &BTreeMap<i64, i64>) -> Result<Self, rusqlite::Error> {
        let run: Option<i64> = row.get(8)?;
        let newest = newest.get(&gateway_of(row.get(0)?)).copied();
    }
    seq: u64 = count_at(row, 0)?,
    n: u64 = count_at(row, 1)?,
    open: bool = row.get_ref(2)?.as_str()? == "open",
    model: String = row.get(3)?,
    team: String = row.get(7)?,
    estimated: bool = row.get(4)?,
    prices: (Option<i64>, Option<i64>) = (row.get(5)?, row.get(6)?),
    /// Whether its operation is of the newest run, and done.
    newest: bool = run == newest,
    done: bool = row.get_ref(9)?.as_str_or_null()? == Some("done"),
    is_charged: bool = maybe(row, 10)?.is_some(),
    cost: Option<Cost> = charge_at(row, 10)?,
    usage: crate::pricing::Usage = usage_at(row, 14)?,
    /// None where the columns cannot be read.
    terms: Option<Terms> = read_terms(maybe(row, 20)?, maybe(row, 21)?),
}

impl Call {
    /// Computes the charge again; returns the one that stands there.
    fn prove(&self, report: &mut CheckReport, rates: &BTreeMap<i64, PriceRow>) -> Option<Cost> {
        let Self { seq, n, .. } = self;
        if self.open {
            match (self.newest, self.done) {
                (true, false) => report.open_attempts += 1,
                (true, true) => report.find(format!("operation {seq}: done, but its call {n} is open")),
                (false, _) => report.find(format!("operation {seq}: call {n} of an earlier run is open")),
            }
            if self.is_charged {
                report.find(format!("operation {seq}: call {n} is open and charged"));
            }
            return None;
        }
        if !self.is_charged {
            report.find(format!("operation {seq}: call {n} is settled and not charged"));
            return None;
        }
        let Some(cost) = self.cost else {
            report.find(format!("operation {seq}: the charge of call {n} cannot be read"));
            return None;
        };
        if self.prices.0 != self.prices.1 {
            report.find(format!("operation {seq}: call {n} and its charge name different prices"));
        }
        let price = self.prices.1.and_then(|price| rates.get(&price));
        let Some(terms) = &self.terms else {
            report.find(format!("operation {seq}: the meters of call {n} cannot be read"));
            return Some(cost);
        };
        let computed = charged(&self.model, &self.usage, terms, price, self.estimated);
        // A lifetime that nobody told was once noted as an estimate where every lifetime has the same price, too.
        let one_price = |row: &PriceRow| {
            let rates = row.standard.for_prompt(self.usage.prompt().unwrap_or(0));
            self.usage.write_5m.get().is_some_and(|written| written > 0) && rates.write_1h.is_none()
        };
        let was_noted = self.estimated && price.is_some_and(one_price) && computed == cost.as_estimate();
        if computed != cost && !was_noted {
            report.find(format!(
                "operation {seq}: call {n} to {} is charged {}, its usage and price make {}",
                self.model,
                said(cost),
                said(computed)
            ));
        }
        Some(cost)
    }
}

fn said(cost: Cost) -> String {
    match cost {
        Cost::Known(amount) => format!("{amount} USD"),
        Cost::Estimated(amount) => format!("about {amount} USD"),
        Cost::Unknown(why) => format!("unknown ({})", why.text()),
    }
}
