//! Lines of portions, each at its turn.
//!
//! Invariants: what was told before is left out; a line that cannot be used is counted, or ends a strict reading.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::log::{LoadError, Skipped};
use super::met::Met;
use super::portion::{Portion, Row, Taken};
use crate::outcome::Extra;
use crate::record::{Block, Entry, Known, Skip, Source};

/// Takes in what a log tells, in order.
pub(super) trait Takes {
    /// Takes in what was read at its turn.
    fn entry(&mut self, line: u64, entry: Entry<'_>) -> ControlFlow<()>;

    /// Takes in a request that was read by itself.
    fn taken(&mut self, taken: Taken, extra: Option<Extra>, met: &mut Met) -> ControlFlow<()>;

    /// Says whether more is asked for now than when it was read, so that it is read again.
    fn lacks(&self, _: &Taken) -> bool {
        false
    }

    /// What could not be used.
    fn skipped(&mut self) -> &mut Skipped;
}

/// What was met so far of a reading, and how it is read.
pub(super) struct Turns {
    known: Known,
    is_strict: bool,
}

impl Turns {
    /// Begins where a source stands.
    pub(super) fn of(source: &mut Source) -> Self {
        Self { known: std::mem::take(source.known()), is_strict: source.is_strict() }
    }

    /// Has a portion's lines taken in; breaks off where nobody takes them.
    ///
    /// # Errors
    /// Where its file broke off or cannot be read, or the first line that a strict reading cannot use.
    pub(super) fn take(
        &mut self,
        portion: Portion,
        by: &mut impl Takes,
    ) -> Result<ControlFlow<()>, LoadError> {
        let Portion { block, rows, mut extras, mut met } = portion;
        let Some(block) = by.skipped().keep_going(block, self.is_strict)? else {
            return Ok(ControlFlow::Continue(()));
        };
        let mut at = At { block: &block, file: block.file().into(), stop: None };
        let known = &mut self.known;
        let flow = match rows {
            None => block.for_each_new(known, |line, result| at.give(by, line, result)),
            Some(rows) => rows.into_iter().try_for_each(|row| match row {
                Row::Taken(taken) if known.is_new(taken.key) => {
                    if by.lacks(&taken) {
                        let read = |line, result| at.give(by, line, result);
                        return block.at_turn(taken.line, &mut Known::default(), read);
                    }
                    let extra = extras.get_mut(taken.operation.extra as usize).map(std::mem::take);
                    by.taken(taken, extra, &mut met)
                }
                Row::Taken(taken) => at.give(by, 0, Err(taken.line.repeated())),
                Row::Foreign(line, foreign) => {
                    block.foreign_at_turn(line, foreign, known, |line, result| at.give(by, line, result))
                }
                Row::Waits(line) => block.at_turn(line, known, |line, result| at.give(by, line, result)),
            }),
        };
        at.stop.map_or(Ok(flow), |error| Err(error.into()))
    }
}

/// The block being taken in.
struct At<'b> {
    block: &'b Block,
    file: Arc<str>,
    /// The error that ends strict reading.
    stop: Option<crate::record::Error>,
}

impl At<'_> {
    fn give(&mut self, by: &mut impl Takes, line: u64, entry: Result<Entry<'_>, Skip>) -> ControlFlow<()> {
        match entry {
            Ok(entry) => by.entry(line, entry),
            Err(skip) => {
                self.stop = self.block.strict_error(&skip);
                if self.stop.is_some() {
                    return ControlFlow::Break(());
                }
                by.skipped().add(&self.file, skip);
                ControlFlow::Continue(())
            }
        }
    }
}
