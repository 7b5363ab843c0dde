//! Entries as they are stored, read for an export.

use std::borrow::Cow;

use rusqlite::Row;

use super::LedgerError;
use super::chain::own;
use super::proof::{CallRest, Rest, is_ambiguous};
use super::row::{charge_at, maybe, read_check, read_list, read_terms, usage_at, whole};
use crate::pricing::{Charged, Cost, Terms};
use crate::record::{Attempt, Attempts, Entry, Label, LateLabel, Record, RecordedNeeds, Status, some_terms};
use crate::routing::{Effort, propensity_told};
use crate::units::{Instant, PerMille, Pico, hex, members};

pub(super) const ATTEMPT: &str = "a.seq, a.asked, a.model, a.provider, a.price, a.status, a.checked, a.error, a.latency_ms, \
                       a.ttft_ms, a.input, a.cache_read, a.write_5m, a.write_1h, a.output, a.reasoning, a.estimated";
pub(super) const JOINED: &str = "FROM attempts a LEFT JOIN charges c ON c.seq = a.seq AND c.n = a.n";

members! {
    pub(super) struct StoredAttempt;
    pub(super) fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {}
    asked: String = row.get(1)?,
    model: String = row.get(2)?,
    provider: String = row.get(3)?,
    price: Option<i64> = row.get(4)?,
    status: Option<String> = row.get(5)?,
    checked: Option<String> = row.get(6)?,
    error: Option<String> = row.get(7)?,
    latency_ms: Option<u32> = row.get(8)?,
    ttft_ms: Option<u32> = row.get(9)?,
    usage: crate::pricing::Usage = usage_at(row, 10)?,
    estimated: bool = row.get(16)?,
    cost: Option<Cost> = charge_at(row, 17)?,
    /// None where the columns cannot be read.
    terms: Option<Terms> = read_terms(maybe(row, 21)?, maybe(row, 22)?),
    left_out: Vec<String> = read_list(row.get(23)?),
    gap_ms: Option<u32> = row.get(24)?,
    effort: Option<Effort> = maybe(row, 30)?.and_then(Effort::from_name),
    rest: CallRest = CallRest(
        row.get(25)?,
        row.get(26)?,
        row.get(27)?,
        row.get(28)?,
        row.get(4)?,
        row.get(29)?,
        None,
    ),
}

impl StoredAttempt {
    /// The model that was billed, and the price it was billed at.
    pub(super) fn priced(&self) -> (&str, Option<i64>) {
        (&self.model, self.price)
    }

    /// What the ledger keeps of it besides what a log says.
    pub(super) fn rest(&self) -> CallRest {
        let mut rest = self.rest.clone();
        if is_ambiguous(&self.asked, &self.model) {
            rest.6 = Some((self.asked.clone(), self.model.clone()));
        }
        rest
    }

    pub(super) fn attempt(&self, seq: u64, arrived: Instant) -> Result<Attempt<'_>, LedgerError> {
        let strange = |field, found: &str| LedgerError::Value { seq, field, found: found.to_owned() };
        let status = match &self.status {
            None => Status::default(),
            Some(word) => Status::from_name(word).ok_or_else(|| strange("status", word))?,
        };
        let (check, verdicts) = read_check(self.checked.as_deref())
            .ok_or_else(|| strange("check", self.checked.as_deref().unwrap_or_default()))?;
        let terms = self.terms.as_ref().ok_or_else(|| strange("meters", "something unreadable"))?;
        // The model called; who was billed is told beside it where it is another.
        let model = if self.asked.is_empty() { &self.model } else { &self.asked };
        let billed = if *model == self.model { "" } else { &self.model };
        Ok(Attempt {
            model: model.as_str().into(),
            billed: billed.into(),
            provider: self.provider.as_str().into(),
            usage: self.usage,
            estimated: self.estimated,
            began_us: u64::try_from(self.rest.1.saturating_sub(arrived.0)).ok(),
            latency_ms: self.latency_ms,
            ttft_ms: self.ttft_ms,
            status,
            error: self.error.as_deref().unwrap_or_default().into(),
            check,
            verdicts: verdicts.into(),
            terms: some_terms(terms),
            left_out: self.left_out.iter().map(|name| name.as_str().into()).collect(),
            gap_ms: self.gap_ms,
            effort: self.effort,
            charged: self.cost.map(Charged::new).unwrap_or_default(),
            ..Attempt::default()
        })
    }
}

members! {
    pub(super) struct StoredLabel;
    pub(super) fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        let quality: Option<u16> = row.get(2)?;
        let output: Option<i64> = row.get(3)?;
    }
    model: String = row.get(1)?,
    quality: Option<PerMille> = quality.and_then(PerMille::new),
    output: Option<u64> = output.and_then(|output| u64::try_from(output).ok()),
    source: String = row.get(4)?,
}

impl StoredLabel {
    fn told(&self) -> Label<'_> {
        Label {
            model: self.model.as_str().into(),
            quality: self.quality,
            output: self.output,
            source: self.source.as_str().into(),
        }
    }
}

pub(super) const OPERATION: &str = "o.seq, o.state, o.id, o.at, o.team, o.project, o.user, o.session, o.asked, o.pinned, o.task, \
                         o.confidence, o.turn, o.tools, o.history, o.simulated";

/// The columns besides those, from the one on that follows them.
pub(super) const REST: &str = "o.run, o.key_name, o.classified, o.prompt_hash, o.prompt_bytes, o.route, o.rung, o.policy, \
    o.reason, o.status, o.finished";
pub(super) const REST_AT: usize = 22;
/// The policy's version among those.
const POLICY_AT: usize = REST_AT + 7;

/// Returns the hash of the prompt in hexadecimal, and those of its beginnings.
fn prompt_at(row: &Row<'_>) -> rusqlite::Result<Option<(String, Vec<u64>)>> {
    let Some(all) = row.get::<_, Option<Vec<u8>>>(REST_AT + 3)? else { return Ok(None) };
    let (hash, beginnings) = all.split_at(all.len().min(32));
    let whole = beginnings.chunks_exact(8).filter_map(|bytes| bytes.try_into().ok().map(u64::from_be_bytes));
    Ok(Some((hex(hash), whole.collect())))
}

/// What the ledger keeps of an operation besides what a log says.
pub(super) fn rest(row: &Row<'_>, seq: u64) -> rusqlite::Result<Rest> {
    let at = |place: usize| REST_AT + place;
    let prompt = prompt_at(row)?.map(|(hash, _)| hash);
    Ok(Rest(
        own(whole(seq)),
        row.get(at(0))?,
        row.get(at(1))?,
        row.get(at(2))?,
        prompt,
        row.get(at(4))?,
        row.get(at(5))?,
        row.get(at(6))?,
        row.get(at(7))?,
        row.get(at(8))?,
        row.get(at(9))?,
        row.get(at(10))?,
    ))
}

/// A judgement with who judged and when, and its number.
pub(super) struct LateStored {
    pub(super) number: i64,
    at: Instant,
    label: StoredLabel,
}

impl LateStored {
    /// Reads it from the columns of a [`StoredLabel`] with moment and number behind them.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { number: row.get(6)?, at: Instant(row.get(5)?), label: StoredLabel::read(row)? })
    }

    /// Returns it as an event about the request of an id.
    pub(super) fn event<'a>(&'a self, id: &'a str) -> Entry<'a> {
        Entry::Label(Box::new(LateLabel { at: self.at, id: id.into(), label: self.label.told() }))
    }
}

/// The columns of what a request asked of whoever was to serve it, right behind those of [`OPERATION`].
pub(super) const NEEDS: &str = "o.window, o.max_output, o.vision, o.require, o.down, o.key_name";
/// Likewise for a ledger that does not have them.
pub(super) const NO_NEEDS: &str = "NULL, NULL, 0, NULL, NULL, o.key_name";
const NEEDS_AT: usize = 16;
const KEY_AT: usize = NEEDS_AT + 5;

fn needs(row: &Row<'_>) -> rusqlite::Result<RecordedNeeds<'static>> {
    let list = |at: usize| -> rusqlite::Result<Vec<Cow<'static, str>>> {
        Ok(read_list(row.get(at)?).into_iter().map(Cow::Owned).collect())
    };
    Ok(RecordedNeeds {
        window: row.get(NEEDS_AT)?,
        output: row.get(NEEDS_AT + 1)?,
        vision: row.get(NEEDS_AT + 2)?,
        require: list(NEEDS_AT + 3)?,
        down: list(NEEDS_AT + 4)?,
    })
}

pub(super) fn record<'a>(
    row: &Row<'_>,
    seq: u64,
    attempts: &'a [StoredAttempt],
    labels: &'a [StoredLabel],
) -> Result<Record<'a>, LedgerError> {
    let strange = |field, found: String| LedgerError::Value { seq, field, found };
    let read = |source: rusqlite::Error| strange("operation", source.to_string());
    let text = |at: usize| row.get::<_, String>(at).map(Into::into).map_err(read);
    let task: Option<String> = row.get(10).map_err(read)?;
    let task = task.map(|word| word.parse().map_err(|()| strange("task", word.clone()))).transpose()?;
    let confidence: Option<u16> = row.get(11).map_err(read)?;
    let at = Instant(row.get(3).map_err(read)?);
    let attempts_of = attempts.iter().map(|attempt| attempt.attempt(seq, at));
    let needs = needs(row).map_err(read)?;
    let propensity = propensity_told(&needs.down);
    Ok(Record {
        id: text(2)?,
        at,
        seq: u64::try_from(own(whole(seq))).ok(),
        policy: row.get(POLICY_AT).map_err(read)?,
        // What drew lots is told among its circumstances; of a holdout's, a canary's and a loop's nothing more is.
        propensity,
        team: text(4)?,
        project: text(5)?,
        user: text(6)?,
        key: text(KEY_AT)?,
        session: text(7)?,
        asked: text(8)?,
        pinned: row.get(9).map_err(read)?,
        task,
        confidence: confidence.and_then(PerMille::new),
        // Live, a classifier always looked.
        unsure: confidence.is_none(),
        turn: row.get(12).map_err(read)?,
        tools: row.get(13).map_err(read)?,
        history: row.get(14).map_err(read)?,
        attempts: attempts_of.collect::<Result<Attempts<'_>, _>>()?,
        labels: labels.iter().map(StoredLabel::told).collect(),
        claimed_usd: claimed(attempts).map(|amount| amount.usd().into()),
        simulated: text(15)?,
        prefix: prompt_at(row).map_err(read)?.map(|(_, prefix)| prefix).unwrap_or_default(),
        needs,
        ..Record::default()
    })
}

/// Returns what was charged for an operation where all of it is known or estimated.
fn claimed(attempts: &[StoredAttempt]) -> Option<Pico> {
    let amounts: Option<Vec<Pico>> = attempts.iter().map(|attempt| attempt.cost?.amount()).collect();
    amounts.filter(|amounts| !amounts.is_empty()).map(|amounts| amounts.into_iter().sum())
}
