//! What a start finds: attempts that a crash left open are settled as estimates, once and for all.
//!
//! Invariant: all of it happens in one transaction, so a crash on the way changes nothing.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use rusqlite::{Row, params};

use super::chain::{Kind, OWN, base};
use super::file::{PolicyInForce, newest_policy};
use super::interrupted::begin_lost;
use super::options::Run;
use super::price;
use super::row::{self, maybe, read_terms};
use super::sqlite::Sqlite;
use super::writing::{Writing, charge};
use crate::pricing::{self, Cost, PriceRow, Terms, Unpriced, Usage};
use crate::routing::Status;
use crate::units::{Count, Instant, Pico, members};

/// What opening a ledger found and settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The number for the next operation.
    pub next_seq: u64,
    /// Attempts that were open and are now settled as estimates.
    pub settled_attempts: u64,
    /// Operations that were open and are now closed.
    pub closed_operations: u64,
    /// What was charged for those attempts.
    pub estimated: Pico,
    /// Those of them whose cost cannot even be estimated.
    pub unknown: u64,
    /// The newest policy.
    pub policy: Option<PolicyInForce>,
}

members! {
    struct OpenAttempt;
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {}
    seq: i64 = row.get(0)?,
    n: u32 = row.get(1)?,
    model: String = row.get(2)?,
    team: String = row.get(3)?,
    prompt: Option<i64> = row.get(4)?,
    delivered: Option<i64> = row.get(5)?,
    price: Option<i64> = row.get(6)?,
    rates: Option<String> = row.get(7)?,
    terms: Terms = read_terms(maybe(row, 8)?, maybe(row, 9)?).unwrap_or_default(),
}

/// Settles what a crash left open and begins a new run.
pub(super) fn recover(store: &mut Sqlite, run: &Run, now: Instant) -> rusqlite::Result<Recovery> {
    let mut found = Recovery { next_seq: store.newest + 1, ..Recovery::default() };
    store.run = store.change(|writing| {
        settle(writing, &mut found, now)?;
        let change = writing.conn;
        change.execute(
            "INSERT INTO runs (program, started, listen, classifier, prices, gateway) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![run.program, now.0, run.listen, run.classifier, run.prices, writing.chain.gateway],
        )?;
        let number = change.last_insert_rowid();
        writing.chain.link(change, Kind::Run, number, true)?;
        writing.sums.store(change)?;
        writing.chain.store(change)?;
        Ok(number)
    })?;
    found.policy = newest_policy(&store.conn)?;
    Ok(found)
}

/// Settles what is open of the gateway that writes.
fn settle(writing: &mut Writing<'_>, found: &mut Recovery, now: Instant) -> rusqlite::Result<()> {
    let change = writing.conn;
    let all = [base(writing.chain.gateway), base(writing.chain.gateway) | OWN];
    begin_lost(change, all)?;
    let open: Vec<OpenAttempt> = row::all(
        change,
        "SELECT a.seq, a.n, a.model, coalesce(o.team, ''), a.prompt, a.delivered, a.price, p.rates, a.tier, a.meters \
             FROM attempts a LEFT JOIN operations o ON o.seq = a.seq LEFT JOIN price_rows p ON p.price = a.price \
             WHERE a.state = 'open' AND a.seq BETWEEN ?1 AND ?2 ORDER BY a.seq, a.n",
        all,
        OpenAttempt::read,
    )?;
    let mut settle = change.prepare(
        "UPDATE attempts SET state = 'settled', status = ?3, error = 'interrupted', estimated = ?6, input = ?4, \
         cache_read = 0, write_5m = 0, write_1h = 0, output = ?5, reasoning = ?7 WHERE seq = ?1 AND n = ?2 AND state = 'open'",
    )?;
    for attempt in &open {
        // No model was to be called: no model may serve the request.
        let is_refused = attempt.model.is_empty();
        let (usage, cost) =
            if is_refused { (Usage::NONE, Cost::Known(Pico::ZERO)) } else { estimate(attempt) };
        let status = if is_refused { Status::Refused } else { Status::Cancelled };
        let (input, output) = (super::row::count(usage.input), super::row::count(usage.output));
        let reasoning = super::row::count(usage.reasoning);
        settle.execute(params![
            attempt.seq,
            attempt.n,
            status.name(),
            input,
            output,
            !is_refused,
            reasoning
        ])?;
        if charge(change, attempt.seq, attempt.n, cost, attempt.price)? {
            writing.sums.add(&attempt.model, &attempt.team, cost);
            found.settled_attempts += u64::from(!is_refused);
            match cost.amount() {
                Some(amount) => found.estimated += amount,
                None => found.unknown += 1,
            }
        }
    }
    let mut closed: BTreeSet<i64> = open.iter().map(|attempt| attempt.seq).collect();
    let still = "SELECT seq FROM operations WHERE state = 'open' AND seq BETWEEN ?1 AND ?2";
    let still: Vec<i64> = row::all(change, still, all, |row| row.get(0))?;
    // The client's connection ended with the program, whatever its calls had come to.
    let mut close = change.prepare(
        "UPDATE operations SET state = 'done', finished = ?4, \
         status = CASE WHEN rung IS NULL AND NOT pinned THEN ?3 ELSE ?2 END WHERE seq = ?1 AND state = 'open'",
    )?;
    for seq in &still {
        close.execute(params![seq, Status::Cancelled.name(), Status::Refused.name(), now.0])?;
    }
    found.closed_operations = still.len() as u64;
    closed.extend(still);
    for seq in closed {
        writing.chain.link(change, Kind::Operation, seq, false)?;
    }
    if found.settled_attempts + found.closed_operations > 0 {
        let mut text = format!(
            "the program ended without closing {} requests; {} open calls settled as estimates, {} USD",
            found.closed_operations,
            found.settled_attempts - found.unknown,
            found.estimated.usd()
        );
        if found.unknown > 0 {
            let _ = write!(text, "; of {} more nobody knows the cost", found.unknown);
        }
        writing.note(now, &text, false, found.next_seq)?;
    }
    Ok(())
}

/// Returns the prompt as estimated before the call and what was delivered of the answer, at the price noted then.
fn estimate(attempt: &OpenAttempt) -> (Usage, Cost) {
    let known = |tokens: Option<i64>| tokens.and_then(|tokens| Count::new(u64::try_from(tokens).ok()?));
    let usage = Usage {
        input: known(attempt.prompt).unwrap_or_default(),
        // Of a call whose beginning nobody recorded nothing is known at all.
        output: known(attempt.delivered).or(attempt.prompt.map(|_| Count::ZERO)).unwrap_or_default(),
        reasoning: Count::UNKNOWN,
        ..Usage::NONE
    };
    let row = attempt.rates.as_deref().and_then(price::read);
    (usage, charged(&attempt.model, &usage, &attempt.terms, row.as_ref(), true))
}

/// Computes what an attempt costs, as everyone does: at its own model, an estimate where the tokens are.
pub(super) fn charged(
    model: &str,
    usage: &Usage,
    terms: &Terms,
    row: Option<&PriceRow>,
    estimated: bool,
) -> Cost {
    let cost = if !model.is_empty() {
        pricing::bill(usage, terms, row)
    } else if *usage == Usage::NONE && terms.is_none() {
        Cost::Known(Pico::ZERO)
    } else {
        Cost::Unknown(Unpriced::NoModel)
    };
    if estimated { cost.as_estimate() } else { cost }
}
