//! A block of a log read by itself, on any thread, up to what only those before it can tell.

use std::borrow::Cow;

use super::events::LogEvents;
use super::ingest::Ingest;
use super::met::Met;
use super::wanted::Wanted;
use crate::outcome::{Extra, Operation};
use crate::record::{self, Apart, Block, Foreign, Key, Line, Record, Timing};
use crate::routing::TAG;

/// A block, and what was read of it.
pub(super) struct Portion {
    pub(super) block: Result<Block, record::Error>,
    /// Its lines; `None` where it has to be read as a whole at its turn.
    pub(super) rows: Option<Vec<Row>>,
    pub(super) extras: Vec<Extra>,
    pub(super) met: Met,
}

/// A line of a block.
pub(super) enum Row {
    /// A request, under names of its own.
    Taken(Taken),
    /// A request of a foreign format.
    Foreign(Line, Foreign),
    /// What is to be read at its turn.
    Waits(Line),
}

/// A request as it is before it is known whether it was told before.
pub(super) struct Taken {
    pub(super) line: Line,
    pub(super) key: Key,
    pub(super) timing: Timing,
    pub(super) operation: Operation,
    /// The request's id, where it may be asked for.
    pub(super) id: Option<Box<str>>,
}

impl Portion {
    /// Reads a block. `events` are those of the whole log, where they are known.
    pub(super) fn read(
        block: Result<Block, record::Error>,
        ingest: &mut Ingest,
        events: Option<&LogEvents>,
        wanted: Option<&Wanted>,
        has_ids: bool,
    ) -> Self {
        let mut portion = Self { block, rows: None, extras: Vec::new(), met: Met::default() };
        let Some(block) = portion.block.as_ref().ok().filter(|block| block.is_apart()) else {
            return portion;
        };
        let (mut rows, mut extras) = (Vec::new(), Vec::new());
        block.for_each_apart(|line, apart| {
            rows.push(match apart {
                Apart::Waits => Row::Waits(line),
                Apart::Foreign(foreign) => Row::Foreign(line, foreign),
                Apart::Ours(_, record) if is_in_order(record) => Row::Waits(line),
                Apart::Ours(_, record) if wanted.is_some_and(|it| it.is_named(record, line.number())) => {
                    Row::Waits(line)
                }
                Apart::Ours(key, record) => {
                    if let Some(events) = events {
                        events.judge(record);
                    }
                    let (mut operation, extra) = ingest.read(record);
                    if let Some(extra) = extra {
                        operation.extra = u32::try_from(extras.len()).unwrap_or(Operation::NO_EXTRA);
                        extras.push(extra);
                    }
                    let id = has_ids || !record.needs.require.is_empty();
                    let id = id.then(|| record.id.as_ref().into());
                    Row::Taken(Taken { line, key, timing: record.timing, operation, id })
                }
            });
        });
        let met = ingest.part();
        // Names that may stand for several leave it to be read at its turn.
        if !met.is_full() {
            (portion.met, portion.rows, portion.extras) = (met, Some(rows), extras);
        }
        portion
    }
}

/// Says whether a request waits for its turn: the order of several things of a kind that it names would be lost, or it is none
/// that counts.
fn is_in_order(record: &Record<'_>) -> bool {
    let several = |list: &[Cow<'_, str>]| list.iter().filter(|word| !word.starts_with(TAG)).count() > 1;
    several(&record.needs.require) || several(&record.needs.down) || record.is_beside()
}
