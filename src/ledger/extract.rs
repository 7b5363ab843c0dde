//! A run of operations read out of a ledger with all that belongs to them, in one piece of memory on any thread.
//!
//! Invariant: its entries are those that an export of the same operations writes, as they read back.

use std::borrow::Cow;

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::LedgerError;
use super::chain::own;
use super::corrections::StoredCorrection;
use super::export::Event;
use super::row::{maybe, read_check, read_list, read_terms, usage_at, whole};
use crate::checks::Verdict;
use crate::classifier::TaskClass;
use crate::pricing::{Charged, Cost, Terms, Usage};
use crate::record::{
    Attempt, Attempts, Check, Entry, EntryBatch, Label, Record, RecordedNeeds, Status, plausible, some_terms,
};
use crate::routing::{Effort, propensity_told};
use crate::units::{Instant, PerMille, Pico, members};

/// A piece of the text of an [`Extract`].
#[derive(Clone, Copy, Debug, Default)]
struct Piece {
    from: u32,
    to: u32,
}

/// A stretch of one of its lists.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Places {
    from: u32,
    to: u32,
}

impl Places {
    /// Takes in a place behind those that are in.
    pub(super) fn add(&mut self, place: u32) {
        if self.from == self.to {
            self.from = place;
        }
        self.to = place.saturating_add(1);
    }

    fn has(self, place: u32) -> bool {
        (self.from..self.to).contains(&place)
    }

    /// Returns what stands there.
    pub(super) fn of<T>(self, list: &[T]) -> &[T] {
        list.get(self.from as usize..self.to as usize).unwrap_or_default()
    }
}

/// Operations in order, and what stands between them.
#[derive(Debug, Default)]
pub(super) struct Extract {
    text: String,
    operations: Vec<Operation>,
    calls: Vec<Call>,
    labels: Vec<Judged>,
    prefixes: Vec<u64>,
    /// Calls of which something cannot be read, with what that is.
    strange: Vec<(u32, &'static str, String)>,
    corrections: Vec<(u32, StoredCorrection)>,
    events: Vec<Event>,
    entries: Vec<Place>,
    /// Each operation that was met, also one that is open, with the place of its entry or of the one behind it.
    met: Vec<(u64, u32)>,
    /// The text that each column had last: it is nearly always the same again.
    last: [Piece; REPEATED],
}

/// How many columns are looked at for the same text again.
const REPEATED: usize = 9;

#[derive(Clone, Copy, Debug)]
enum Place {
    Operation(u32),
    Correction(u32),
    Event(u32),
}

members! {
    #[derive(Debug)]
    struct Operation;
    fn read(
        all: &mut Extract,
        row: &Row<'_>,
        seq: u64,
        (calls, labels): (Places, Places),
    ) -> Result<Self, LedgerError> {
        let strange = |field, found: String| LedgerError::Value { seq, field, found };
        let read = |source: rusqlite::Error| strange("operation", source.to_string());
        let task = match maybe(row, 11).map_err(read)? {
            None => None,
            Some(word) => Some(word.parse().map_err(|()| strange("task", word.to_owned()))?),
        };
        let prefix = all.prefix(row).map_err(read)?;
        let confidence: Option<u16> = number(row, 12).map_err(read)?;
        let count = |at: usize| number(row, at).map_err(read);
        let text = |at: usize| maybe(row, at).and_then(|text| text.ok_or(missing(at))).map_err(read);
        let list = |at: usize| Ok::<_, LedgerError>(maybe(row, at).map_err(read)?.unwrap_or_default());
    }
    seq: u64 = seq,
    at: Instant = Instant(row.get(2).map_err(read)?),
    id: Piece = all.keep(text(1)?),
    team: Piece = all.again(text(3)?, 0),
    project: Piece = all.again(text(4)?, 1),
    user: Piece = all.again(text(5)?, 2),
    key: Piece = all.again(text(6)?, 3),
    session: Piece = all.again(text(7)?, 4),
    asked: Piece = all.again(text(8)?, 5),
    simulated: Piece = all.again(text(9)?, 6),
    /// Lists as they are stored; empty for none.
    require: Piece = all.keep(list(21)?),
    down: Piece = all.keep(list(22)?),
    task: Option<TaskClass> = task,
    confidence: Option<PerMille> = confidence.and_then(PerMille::new),
    pinned: bool = row.get(10).map_err(read)?,
    vision: bool = row.get(20).map_err(read)?,
    turn: Option<u32> = count(13)?,
    tools: Option<u32> = count(14)?,
    history: Option<u32> = count(15)?,
    window: Option<u32> = count(18)?,
    output: Option<u32> = count(19)?,
    policy: Option<u32> = count(16)?,
    prefix: Places = prefix,
    calls: Places = calls,
    labels: Places = labels,
}

members! {
    #[derive(Debug)]
    struct Call;
    fn read(all: &mut Extract, row: &Row<'_>, cost: Option<Cost>) -> Result<Self, rusqlite::Error> {
        let text = |at: usize| maybe(row, at).and_then(|text| text.ok_or(missing(at)));
        let (asked, billed) = (text(2)?, text(3)?);
        // The model called; who was billed is told beside it where it is another.
        let model = if asked.is_empty() { billed } else { asked };
        let billed = if model == billed { "" } else { billed };
        let at = place(all.calls.len());
        let mut strange = |field, found: &str| all.strange.push((at, field, found.to_owned()));
        let status = maybe(row, 5)?.map_or(Some(Status::default()), |word| {
            Status::from_name(word).or_else(|| {
                strange("status", word);
                None
            })
        });
        let checked = maybe(row, 6)?;
        let judged = read_check(checked);
        if judged.is_none() {
            strange("check", checked.unwrap_or_default());
        }
        let (check, verdicts) = judged.unwrap_or_default();
        let (tier, meters) = (maybe(row, 18)?, maybe(row, 19)?);
        let terms = if tier.is_none() && meters.is_none() { None } else { Some(read_terms(tier, meters)) };
        if matches!(terms, Some(None)) {
            strange("meters", "something unreadable");
        }
        let charged = cost.map(Charged::new).unwrap_or_default();
        // As whoever reads a log takes them.
        let (usage, is_beside) = plausible(usage_at(row, 10)?, charged);
        let estimated: bool = row.get(16)?;
    }
    model: Piece = all.again(model, 7),
    billed: Piece = all.keep(billed),
    provider: Piece = all.again(text(4)?, 8),
    error: Piece = all.keep(maybe(row, 7)?.unwrap_or_default()),
    left_out: Piece = all.keep(maybe(row, 20)?.unwrap_or_default()),
    usage: Usage = usage,
    cost: Option<Cost> = cost,
    charged: Charged = charged,
    started: i64 = row.get(17)?,
    latency_ms: Option<u32> = number(row, 8)?,
    ttft_ms: Option<u32> = number(row, 9)?,
    gap_ms: Option<u32> = number(row, 21)?,
    status: Status = status.unwrap_or_default(),
    check: Check = check,
    estimated: bool = estimated || is_beside,
    effort: Option<Effort> = maybe(row, 22)?.and_then(Effort::from_name),
    verdicts: Box<[Verdict]> = verdicts.into(),
    terms: Option<Box<Terms>> = terms.flatten().and_then(|terms| some_terms(&terms)),
}

members! {
    #[derive(Debug)]
    struct Judged;
    fn read(all: &mut Extract, row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        let (quality, output): (Option<u16>, Option<i64>) = (number(row, 2)?, row.get(3)?);
        let (model, source) = (maybe(row, 1)?.ok_or(missing(1))?, maybe(row, 4)?.ok_or(missing(4))?);
    }
    model: Piece = all.keep(model),
    source: Piece = all.keep(source),
    quality: Option<PerMille> = quality.and_then(PerMille::new),
    output: Option<u64> = output.and_then(|output| u64::try_from(output).ok()),
}

/// The columns that [`Extract::operation`] takes, and behind them those of what a request asked for, which an older ledger
/// does not have.
pub(super) const OPERATION: &str = "o.seq, o.id, o.at, o.team, o.project, o.user, o.key_name, o.session, o.asked, o.simulated, \
    o.pinned, o.task, o.confidence, o.turn, o.tools, o.history, o.policy, o.prompt_hash";
pub(super) const NEEDS: &str = "o.window, o.max_output, o.vision, o.require, o.down";
pub(super) const NO_NEEDS: &str = "NULL, NULL, 0, NULL, NULL";
/// The columns that [`Extract::call`] takes, before those that came later.
pub(super) const CALL: &str = "a.seq, a.n, a.asked, a.model, a.provider, a.status, a.checked, a.error, a.latency_ms, a.ttft_ms, \
    a.input, a.cache_read, a.write_5m, a.write_1h, a.output, a.reasoning, a.estimated, a.started";

impl Extract {
    /// Makes one with room for so many operations as most are.
    pub(super) fn with_room(operations: usize) -> Self {
        Self {
            text: String::with_capacity(operations * 64),
            operations: Vec::with_capacity(operations),
            calls: Vec::with_capacity(operations + operations / 4),
            entries: Vec::with_capacity(operations),
            met: Vec::with_capacity(operations),
            ..Self::default()
        }
    }

    /// Returns how many entries there are.
    pub(super) fn count(&self) -> usize {
        self.entries.len()
    }

    /// Notes that an operation is still open.
    pub(super) fn pass(&mut self, seq: u64) {
        self.met.push((seq, place(self.entries.len())));
    }

    /// Takes in an operation, behind its calls and the judgements of it.
    pub(super) fn operation(
        &mut self,
        row: &Row<'_>,
        seq: u64,
        (calls, labels): (Places, Places),
    ) -> Result<(), LedgerError> {
        let strange = |field, found: String| LedgerError::Value { seq, field, found };
        if let Some((_, field, found)) = self.strange.iter().find(|(call, ..)| calls.has(*call)) {
            return Err(strange(*field, found.clone()));
        }
        let operation = Operation::read(self, row, seq, (calls, labels))?;
        self.operations.push(operation);
        let at = place(self.operations.len() - 1);
        self.met.push((seq, place(self.entries.len())));
        self.entries.push(Place::Operation(at));
        Ok(())
    }

    /// Takes in a call with its charge, before the operation that it belongs to; returns its place.
    pub(super) fn call(&mut self, row: &Row<'_>, cost: Option<Cost>) -> rusqlite::Result<u32> {
        let (at, call) = (place(self.calls.len()), Call::read(self, row, cost)?);
        self.calls.push(call);
        Ok(at)
    }

    /// Takes in a judgement, before the operation that it belongs to; returns its place.
    pub(super) fn label(&mut self, row: &Row<'_>) -> rusqlite::Result<u32> {
        let (at, label) = (place(self.labels.len()), Judged::read(self, row)?);
        self.labels.push(label);
        Ok(at)
    }

    /// Takes in what a call of the latest operation was charged after all.
    pub(super) fn correction(&mut self, seq: u64, correction: StoredCorrection) -> Result<(), LedgerError> {
        correction.check(seq)?;
        let of = place(self.operations.len().saturating_sub(1));
        self.entries.push(Place::Correction(place(self.corrections.len())));
        self.corrections.push((of, correction));
        Ok(())
    }

    /// Takes, of events in their order, those that stand before one of its operations.
    pub(super) fn interleave(&mut self, events: &mut std::collections::VecDeque<Event>) {
        let Some((last, _)) = self.met.last().copied() else { return };
        if events.front().is_none_or(|event| event.before > last) {
            return;
        }
        let entries = std::mem::take(&mut self.entries);
        let mut own = entries.into_iter();
        let mut passed = 0;
        while let Some(event) = events.front().filter(|event| event.before <= last) {
            let next = self.met.partition_point(|(seq, _)| *seq < event.before);
            let place_of = self.met.get(next).map_or(0, |(_, place)| *place as usize);
            self.entries.extend(own.by_ref().take(place_of.saturating_sub(passed)));
            passed = passed.max(place_of);
            self.take_event(events.pop_front());
        }
        self.entries.extend(own);
    }

    /// Takes an event behind all that is there.
    pub(super) fn take_event(&mut self, event: Option<Event>) {
        if let Some(event) = event {
            self.entries.push(Place::Event(place(self.events.len())));
            self.events.push(event);
        }
    }

    /// Keeps a text.
    fn keep(&mut self, text: &str) -> Piece {
        if text.is_empty() {
            return Piece::default();
        }
        let from = place(self.text.len());
        self.text.push_str(text);
        Piece { from, to: place(self.text.len()) }
    }

    /// Keeps a text of a column that had the same before.
    fn again(&mut self, text: &str, column: usize) -> Piece {
        if let Some(last) = self.last.get(column)
            && self.text(*last) == text
        {
            return *last;
        }
        let piece = self.keep(text);
        if let Some(last) = self.last.get_mut(column) {
            *last = piece;
        }
        piece
    }

    /// Keeps the hashes of a prompt's beginnings, which stand behind the prompt's own.
    fn prefix(&mut self, row: &Row<'_>) -> rusqlite::Result<Places> {
        let from = place(self.prefixes.len());
        let stored = row.get_ref(17)?.as_blob_or_null()?.unwrap_or_default();
        let beginnings = stored.get(32..).unwrap_or_default().chunks_exact(8);
        let hashes = beginnings.filter_map(|bytes| bytes.try_into().ok().map(u64::from_be_bytes));
        self.prefixes.extend(hashes);
        Ok(Places { from, to: place(self.prefixes.len()) })
    }

    fn text(&self, piece: Piece) -> &str {
        self.text.get(piece.from as usize..piece.to as usize).unwrap_or_default()
    }

    fn list(&self, piece: Piece) -> Vec<Cow<'_, str>> {
        let list = self.text(piece);
        if list.is_empty() {
            return Vec::new();
        }
        read_list(Some(list.to_owned())).into_iter().map(Cow::Owned).collect()
    }

    fn record(&self, operation: &Operation) -> Record<'_> {
        let text = |piece| Cow::Borrowed(self.text(piece));
        let calls = operation.calls.of(&self.calls);
        let down = self.list(operation.down);
        Record {
            id: text(operation.id),
            at: operation.at,
            seq: u64::try_from(own(whole(operation.seq))).ok(),
            policy: operation.policy,
            // What drew lots is told among its circumstances; of a holdout's, a canary's and a loop's nothing more is.
            propensity: propensity_told(&down),
            team: text(operation.team),
            project: text(operation.project),
            user: text(operation.user),
            key: text(operation.key),
            session: text(operation.session),
            asked: text(operation.asked),
            pinned: operation.pinned,
            task: operation.task,
            confidence: operation.confidence,
            // Live, a classifier always looked.
            unsure: operation.confidence.is_none(),
            turn: operation.turn,
            tools: operation.tools,
            history: operation.history,
            attempts: match calls {
                [only] => Attempts::one(self.attempt(only, operation.at)),
                several => several.iter().map(|call| self.attempt(call, operation.at)).collect(),
            },
            labels: operation.labels.of(&self.labels).iter().map(|label| self.judged(label)).collect(),
            claimed_usd: claimed(calls).map(|amount| amount.usd().into()),
            simulated: text(operation.simulated),
            prefix: operation.prefix.of(&self.prefixes).to_vec(),
            needs: RecordedNeeds {
                window: operation.window,
                output: operation.output,
                vision: operation.vision,
                require: self.list(operation.require),
                down,
            },
            ..Record::default()
        }
    }

    fn attempt(&self, call: &Call, arrived: Instant) -> Attempt<'_> {
        let text = |piece| Cow::Borrowed(self.text(piece));
        Attempt {
            model: text(call.model),
            billed: text(call.billed),
            provider: text(call.provider),
            usage: call.usage,
            estimated: call.estimated,
            began_us: u64::try_from(call.started.saturating_sub(arrived.0)).ok(),
            latency_ms: call.latency_ms,
            ttft_ms: call.ttft_ms,
            status: call.status,
            error: text(call.error),
            check: call.check,
            verdicts: call.verdicts.clone(),
            terms: call.terms.clone(),
            left_out: self.list(call.left_out),
            gap_ms: call.gap_ms,
            effort: call.effort,
            charged: call.charged,
            ..Attempt::default()
        }
    }

    fn judged(&self, label: &Judged) -> Label<'_> {
        Label {
            model: self.text(label.model).into(),
            quality: label.quality,
            output: label.output,
            source: self.text(label.source).into(),
        }
    }
}

impl EntryBatch for Extract {
    fn len(&self) -> usize {
        self.count()
    }

    fn entry(&self, place: usize) -> Option<Entry<'_>> {
        match *self.entries.get(place)? {
            Place::Operation(at) => {
                self.operations.get(at as usize).map(|operation| Entry::Request(self.record(operation)))
            }
            Place::Correction(at) => {
                let (of, correction) = self.corrections.get(at as usize)?;
                let id = self.text(self.operations.get(*of as usize)?.id);
                correction.event(id)
            }
            Place::Event(at) => self.events.get(at as usize).map(Event::told),
        }
    }
}

/// Returns what was charged for an operation where all of it is known or estimated.
fn claimed(calls: &[Call]) -> Option<Pico> {
    let mut sum = None;
    for call in calls {
        let amount = call.cost?.amount()?;
        sum = Some(Pico(sum.map_or(0, |sum: Pico| sum.0) + amount.0));
    }
    sum
}

/// Returns the place behind so many; more than fit into a number of this size are in no extract.
fn place(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn missing(at: usize) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(at, String::new(), rusqlite::types::Type::Null)
}

/// Reads a number that may be NULL.
fn number<T: TryFrom<i64>>(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<T>> {
    match row.get_ref(at)? {
        ValueRef::Null => Ok(None),
        value => {
            let value = value.as_i64()?;
            let number = T::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(at, value));
            number.map(Some)
        }
    }
}
