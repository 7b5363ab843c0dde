//! Portions of a log in order: what was told before is left out, names become those of the whole, batches go to whoever decides.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};

use super::events::LogEvents;
use super::ingest::{Ingest, id_of};
use super::log::{LoadError, Skipped};
use super::met::Met;
use super::portion::Taken;
use super::readers::Readers;
use super::streamed::StreamResult;
use super::turns::{Takes, Turns};
use super::wanted::Wanted;
use crate::outcome::{Extra, Operation};
use crate::pricing::{PriceBook, PriceRow};
use crate::record::{self, Entry};
use crate::routing::{Circumstance, Policy};
use crate::units::{Instant, ModelId};

/// Operations in one batch between the threads.
const BATCH: usize = 4096;

/// Operations in order, and what they name for the first time.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) operations: Vec<Operation>,
    pub(super) extras: Vec<Extra>,
    /// The ids of those whose calls may be forbidden, with their places.
    pub(super) ids: Vec<(usize, Box<str>)>,
    /// Those that are looked for, with their places.
    pub(super) wanted: Vec<(usize, Box<str>)>,
    pub(super) models: Vec<Arc<str>>,
    pub(super) circumstances: Vec<Circumstance>,
    /// What the log tells besides. It has its own time and no place among the operations.
    pub(super) changes: Vec<(ModelId, PriceRow)>,
    pub(super) policies: Vec<(Instant, Arc<Policy>)>,
}

impl Batch {
    pub(super) fn clear(&mut self) {
        self.operations.clear();
        self.extras.clear();
        self.ids.clear();
        self.wanted.clear();
        self.models.clear();
        self.circumstances.clear();
        self.changes.clear();
        self.policies.clear();
    }
}

/// Where batches go.
pub(super) struct Outlet {
    pub(super) send: SyncSender<Batch>,
    /// Batches that are done with, to be filled again.
    pub(super) spare: Receiver<Batch>,
}

/// How a log is read.
pub(super) struct Parsing<'a> {
    pub(super) book: &'a PriceBook,
    /// Whether the policy given forbids anything to anybody.
    pub(super) constrains: bool,
    /// The events of the whole log, where they are known.
    pub(super) events: Option<&'a Arc<LogEvents>>,
    /// The request that is looked for.
    pub(super) wanted: Option<&'a Wanted>,
    /// How many threads read.
    pub(super) threads: usize,
}

/// Reads a log to its end, and says what was found besides operations. `tick` hears of the operations read so far and may cancel by answering false.
pub(super) fn parse(
    mut source: record::Source,
    ingest: Ingest,
    parsing: &Parsing<'_>,
    outlet: Outlet,
    tick: &mut dyn FnMut(u64) -> bool,
) -> Result<StreamResult, LoadError> {
    let mut turns = Turns::of(&mut source);
    let mut parse = Parse::new(ingest, parsing, outlet);
    let (threads, events) = (parsing.threads, parsing.events.cloned());
    let (wanted, has_ids) = (parsing.wanted.cloned(), Arc::clone(&parse.constrains));
    let mut portions = Readers::start(threads, source, &parse.ingest, events, wanted, has_ids);
    while let Some(portion) = portions.next() {
        if turns.take(portion, &mut parse)?.is_break() || !tick(parse.count) {
            return Err(LoadError::Cancelled);
        }
    }
    Ok(parse.finish())
}

struct Parse<'a> {
    ingest: Ingest,
    book: &'a PriceBook,
    outlet: Outlet,
    batch: Batch,
    /// How many models and circumstances were told of.
    told: (usize, usize),
    /// The events of the log, where they are known already.
    given: Option<&'a Arc<LogEvents>>,
    wanted: Option<&'a Wanted>,
    events: LogEvents,
    are_late: bool,
    constrains: Arc<AtomicBool>,
    /// The last moment of what went to whoever decides.
    sent_to: Option<Instant>,
    count: u64,
    found: StreamResult,
}

impl<'a> Parse<'a> {
    fn new(mut ingest: Ingest, parsing: &Parsing<'a>, outlet: Outlet) -> Self {
        let told = (ingest.names.models().len(), ingest.circumstances.len());
        let mut batch = Batch::default();
        let mut constrains = parsing.constrains;
        if let Some(events) = parsing.events {
            let change = |(model, row): &(String, PriceRow)| (ingest.names.intern_model(model), row.clone());
            batch.changes.extend(events.prices.iter().map(change));
            batch.policies.extend(events.policies.iter().cloned());
            constrains |= events.policies.iter().any(|(_, policy)| policy.constrains());
        }
        Self {
            ingest,
            book: parsing.book,
            outlet,
            batch,
            told,
            given: parsing.events,
            wanted: parsing.wanted,
            events: LogEvents::default(),
            are_late: false,
            constrains: Arc::new(AtomicBool::new(constrains)),
            sent_to: None,
            count: 0,
            found: StreamResult::default(),
        }
    }

    fn policy(&mut self, at: Instant, policy: Option<Arc<Policy>>) {
        let Some(policy) = policy else { return };
        let is_first = policy.constrains() && !self.constrains.swap(true, Ordering::Relaxed);
        self.constrains.fetch_or(policy.constrains(), Ordering::Relaxed);
        // Of requests that nothing constrained so far no ids were kept.
        let told = if is_first { self.found.last_at } else { self.sent_to };
        self.are_late |= told.is_some_and(|told| at <= told);
        self.events.policies.push((at, Arc::clone(&policy)));
        self.batch.policies.push((at, policy));
    }

    fn operation(
        &mut self,
        mut operation: Operation,
        extra: Option<Extra>,
        id: Option<Box<str>>,
    ) -> ControlFlow<()> {
        if let Some(extra) = extra {
            operation.extra = u32::try_from(self.batch.extras.len()).unwrap_or(Operation::NO_EXTRA);
            self.batch.extras.push(extra);
        }
        self.found.first_at = Some(self.found.first_at.map_or(operation.at, |at| at.min(operation.at)));
        self.found.last_at = self.found.last_at.max(Some(operation.at));
        self.found.simulated += u64::from(operation.simulated);
        self.found.classified += u64::from(!operation.source.is_told());
        self.count += 1;
        self.batch.ids.extend(id.map(|id| (self.batch.operations.len(), id)));
        self.batch.operations.push(operation);
        if self.batch.operations.len() < BATCH {
            return ControlFlow::Continue(());
        }
        self.sent_to = self.found.last_at;
        self.send()
    }

    /// Sends what has come together; breaks off where nobody takes it.
    fn send(&mut self) -> ControlFlow<()> {
        let Ingest { names, circumstances, .. } = &self.ingest;
        self.batch.models.extend(names.models().iter().skip(self.told.0).cloned());
        self.batch.circumstances.extend_from_slice(circumstances.since(self.told.1));
        self.told = (names.models().len(), circumstances.len());
        let next = self.outlet.spare.try_recv().unwrap_or_default();
        match self.outlet.send.send(std::mem::replace(&mut self.batch, next)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    fn finish(mut self) -> StreamResult {
        // Where nobody takes it, nobody asks either.
        let _ = self.send();
        let Self { ingest, book, mut found, events, are_late, given, .. } = self;
        if let Some(given) = given.filter(|_| !ingest.is_windowed()) {
            found.skipped.unmet(given.unmet());
        }
        let late = are_late.then(|| Arc::new(LogEvents { names: ingest.names.clone(), ..events }));
        StreamResult {
            looked_at: ingest.options.stretch.looked_at(),
            unknown_meters: ingest.unknown_meters(book),
            late,
            timing: ingest.timing,
            undated: ingest.undated(),
            names: ingest.names,
            ..found
        }
    }
}

impl Takes for Parse<'_> {
    fn entry(&mut self, line: u64, entry: Entry<'_>) -> ControlFlow<()> {
        match entry {
            Entry::Request(mut record) => {
                if (record.is_beside() && !self.ingest.counts_beside) || !self.ingest.wants(record.at) {
                    return ControlFlow::Continue(());
                }
                if let Some(events) = self.given {
                    events.judge(&mut record);
                }
                let (mut operation, extra) = self.ingest.take(&record);
                let is_wanted =
                    |wanted: &&Wanted| **wanted == Wanted::Read(self.count) || wanted.is_named(&record, line);
                if self.wanted.as_ref().is_some_and(is_wanted) {
                    operation.session = self.ingest.names.intern_session(&record.session);
                    self.batch.wanted.push((self.batch.operations.len(), id_of(&record, line).into()));
                }
                let is_asked = self.constrains.load(Ordering::Relaxed) || !record.needs.require.is_empty();
                return self.operation(operation, extra, is_asked.then(|| record.id.as_ref().into()));
            }
            Entry::Price(_) | Entry::Policy(_) | Entry::Label(_) | Entry::Correction(_)
                if self.given.is_some() => {}
            Entry::Price(change) => {
                let is_late = |sent| change.row.from.is_none_or(|from| from <= sent);
                self.are_late |= self.sent_to.is_some_and(is_late);
                self.events.prices.push((change.model.to_string(), change.row.clone()));
                self.batch.changes.push((self.ingest.names.intern_model(&change.model), change.row));
            }
            Entry::Policy(change) => match self.ingest.policy(&change) {
                Ok(policy) => self.policy(change.at, policy),
                Err(error) => {
                    self.found.skipped.damaged.push(format!("policy version {}: {error}", change.version));
                }
            },
            Entry::Label(late) => {
                // What is judged has been told already.
                self.are_late = true;
                self.events.label(*late);
            }
            Entry::Correction(correction) => {
                self.are_late = true;
                self.events.correct(*correction);
            }
            Entry::Signal(_) | Entry::Note { .. } => {}
        }
        ControlFlow::Continue(())
    }

    fn taken(&mut self, taken: Taken, mut extra: Option<Extra>, met: &mut Met) -> ControlFlow<()> {
        let Taken { timing, mut operation, id, .. } = taken;
        if !self.ingest.wants(operation.at) {
            return ControlFlow::Continue(());
        }
        self.ingest.adopt(timing, &mut operation, extra.as_mut(), met);
        self.operation(operation, extra, id)
    }

    fn lacks(&self, taken: &Taken) -> bool {
        let needs_id = taken.id.is_none() && self.constrains.load(Ordering::Relaxed);
        needs_id || self.wanted == Some(&Wanted::Read(self.count))
    }

    fn skipped(&mut self) -> &mut Skipped {
        &mut self.found.skipped
    }
}
