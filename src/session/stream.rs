//! Headless replay: sources in, totals out, in constant memory. One thread parses, one decides and accounts.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};

use super::ingest::Ingest;
use super::log::{LoadError, PROFILED, Skipped};
use super::slow::SlowStreams;
use super::snapshot::Reading;
use crate::engine::{Arrival, Effect, Engine, Event};
use crate::outcome::{
    Evidence, Extra, Operation, Outlook, ProfileFit, Profiles, Settled, recharge, recorded, visit,
};
use crate::pricing::{PriceBook, PriceRow, PriceTable, Recharge};
use crate::record::{self, Entry};
use crate::routing::{Policy, match_route};
use crate::telemetry::Totals;
use crate::units::{Instant, ModelId, Names};

/// Operations in one batch between the threads.
const BATCH: usize = 4096;

/// What to replay, and how.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// The reading.
    pub reading: Reading,
    /// Only operations at or after this moment.
    pub from: Option<Instant>,
    /// Only operations before this moment.
    pub to: Option<Instant>,
}

/// What a headless replay found.
#[derive(Debug)]
pub struct StreamResult {
    /// Sums.
    pub totals: Totals,
    /// Names of everything in the sums.
    pub names: Names,
    /// Lines that could not be used.
    pub skipped: Skipped,
    /// The first moment.
    pub first_at: Option<Instant>,
    /// The last moment.
    pub last_at: Option<Instant>,
    /// Operations marked as made up.
    pub simulated: u64,
    /// Operations that the classifier judged because the log carries no confidence.
    pub classified: u64,
    /// What the policy's limits on streams would have done.
    pub slow: SlowStreams,
    /// What the log's own charges come to.
    pub recharge: Recharge,
    /// Meters that the price book has no price for, with how many calls told them.
    pub unknown_meters: Vec<(String, u64)>,
    /// Whether latency of unobserved answers was estimated from profiles.
    pub profiles: Profiles,
}

#[derive(Default)]
struct Batch {
    operations: Vec<Operation>,
    extras: Vec<Extra>,
    models: Vec<Arc<str>>,
    changes: Vec<(usize, ModelId, PriceRow)>,
    policies: Vec<(usize, Arc<Policy>)>,
}

/// Replays sources. `tick` hears of the operations read so far and may cancel by answering false.
///
/// # Errors
/// Where a source cannot be read or `tick` cancels.
pub fn stream(
    source: record::Source,
    ingest: Ingest,
    policy: &Arc<Policy>,
    book: &PriceBook,
    options: &StreamOptions,
    mut tick: impl FnMut(u64) -> bool,
) -> Result<StreamResult, LoadError> {
    let (send, receive) = sync_channel::<Batch>(4);
    let (give_back, spare) = channel::<Batch>();
    let (names, reprices) = (ingest.names.clone(), ingest.reprices());
    std::thread::scope(|scope| {
        let fold = scope.spawn(move || {
            Fold::new(Arc::clone(policy), book, names, options.reading, reprices).run(&receive, &give_back)
        });
        let parsed = parse(source, (ingest, book), options, &send, &spare, &mut tick);
        drop(send);
        let Ok(fold) = fold.join() else { return Err(LoadError::Cancelled) };
        let Parsed { names, skipped, first_at, last_at, simulated, classified, unknown_meters } = parsed?;
        let totals = fold.engine.totals().clone();
        Ok(StreamResult {
            totals,
            names,
            skipped,
            first_at,
            last_at,
            simulated,
            classified,
            recharge: fold.recharge,
            unknown_meters,
            profiles: fold.profiles,
            slow: fold.slow,
        })
    })
}

struct Parsed {
    names: Names,
    skipped: Skipped,
    first_at: Option<Instant>,
    last_at: Option<Instant>,
    simulated: u64,
    classified: u64,
    unknown_meters: Vec<(String, u64)>,
}

fn parse(
    mut source: record::Source,
    (mut ingest, book): (Ingest, &PriceBook),
    options: &StreamOptions,
    send: &std::sync::mpsc::SyncSender<Batch>,
    spare: &Receiver<Batch>,
    tick: &mut dyn FnMut(u64) -> bool,
) -> Result<Parsed, LoadError> {
    let mut skipped = Skipped::default();
    let (mut first_at, mut last_at): (Option<Instant>, Option<Instant>) = (None, None);
    let (mut count, mut simulated, mut classified) = (0u64, 0u64, 0u64);
    let mut batch = Batch::default();
    let mut known_models = ingest.names.models().len();
    while let Some(block) = source.next_block() {
        let Some(block) = skipped.keep_going(block)? else { continue };
        let file: Arc<str> = block.file().into();
        let mut gone = false;
        let mut stop = None;
        let _ = block.for_each_new(source.known(), |_, entry| {
            match entry {
                Ok(Entry::Request(record)) => {
                    if options.from.is_some_and(|from| record.at < from)
                        || options.to.is_some_and(|to| record.at >= to)
                    {
                        return ControlFlow::Continue(());
                    }
                    let (mut operation, extra) = ingest.take(&record);
                    if let Some(extra) = extra {
                        operation.extra = u32::try_from(batch.extras.len()).unwrap_or(Operation::NO_EXTRA);
                        batch.extras.push(extra);
                    }
                    first_at = Some(first_at.map_or(operation.at, |at| at.min(operation.at)));
                    last_at = Some(last_at.map_or(operation.at, |at| at.max(operation.at)));
                    simulated += u64::from(operation.simulated);
                    classified += u64::from(operation.source != crate::routing::ConfidenceSource::Recorded);
                    count += 1;
                    batch.operations.push(operation);
                }
                Ok(Entry::Price(change)) => {
                    let model = ingest.names.intern_model(&change.model);
                    batch.changes.push((batch.operations.len(), model, change.row.clone()));
                }
                Ok(Entry::Policy(change)) => match ingest.policy(&change) {
                    Ok(policy) => {
                        batch.policies.extend(policy.map(|policy| (batch.operations.len(), policy)));
                    }
                    Err(error) => skipped.damaged.push(format!("policy version {}: {error}", change.version)),
                },
                Ok(Entry::Note { .. }) => {}
                Err(skip) => {
                    stop = block.strict_error(&skip);
                    if stop.is_some() {
                        return ControlFlow::Break(());
                    }
                    skipped.add(&file, skip);
                }
            }
            if batch.operations.len() >= BATCH {
                batch.models.extend(ingest.names.models().iter().skip(known_models).cloned());
                known_models = ingest.names.models().len();
                let next = spare.try_recv().unwrap_or_default();
                if send.send(std::mem::replace(&mut batch, next)).is_err() {
                    gone = true;
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        });
        if let Some(error) = stop {
            return Err(error.into());
        }
        if gone || !tick(count) {
            return Err(LoadError::Cancelled);
        }
    }
    batch.models.extend(ingest.names.models().iter().skip(known_models).cloned());
    let _ = send.send(batch);
    let unknown_meters = ingest.unknown_meters(book);
    Ok(Parsed { names: ingest.names, skipped, first_at, last_at, simulated, classified, unknown_meters })
}

/// The deciding and accounting side.
struct Fold<'a> {
    engine: Engine,
    names: Names,
    book: &'a PriceBook,
    reading: Reading,
    profiles: Profiles,
    settled: Settled,
    slow: SlowStreams,
    recharge: Recharge,
    key: u64,
}

impl<'a> Fold<'a> {
    fn new(policy: Arc<Policy>, book: &'a PriceBook, names: Names, reading: Reading, reprices: bool) -> Self {
        let prices = Arc::new(PriceTable::new(book, &names).repricing(reprices));
        Self {
            engine: Engine::new(policy, prices),
            names,
            book,
            reading,
            profiles: Profiles::default(),
            settled: Settled::default(),
            slow: SlowStreams::default(),
            recharge: Recharge::default(),
            key: 0,
        }
    }

    fn run(mut self, receive: &Receiver<Batch>, give_back: &Sender<Batch>) -> Self {
        // A routed reading estimates; what it estimates from is fitted on the log's start before anything is decided.
        let mut held: Vec<Batch> = Vec::new();
        let mut held_operations = 0;
        if self.reading == Reading::Routed {
            let mut fit = ProfileFit::default();
            while held_operations < PROFILED {
                let Ok(batch) = receive.recv() else { break };
                for operation in batch.operations.iter().take(PROFILED - held_operations) {
                    fit.add(&Evidence { operation, extra: batch.extras.get(operation.extra as usize) });
                }
                held_operations += batch.operations.len();
                held.push(batch);
            }
            self.profiles = fit.finish();
        }
        for batch in held {
            self.take(&batch);
        }
        while let Ok(mut batch) = receive.recv() {
            self.take(&batch);
            batch.operations.clear();
            batch.extras.clear();
            batch.models.clear();
            batch.changes.clear();
            batch.policies.clear();
            let _ = give_back.send(batch);
        }
        self
    }

    fn take(&mut self, batch: &Batch) {
        if !batch.models.is_empty() {
            for model in &batch.models {
                self.names.intern_model(model);
            }
            let mut prices = (**self.engine.prices()).clone();
            prices.extend(self.book, &self.names);
            self.engine.apply(Event::PricesLoaded(Arc::new(prices)));
        }
        let mut changes = batch.changes.iter().peekable();
        let mut policies = batch.policies.iter().peekable();
        for (index, operation) in batch.operations.iter().enumerate() {
            while let Some((_, policy)) = policies.next_if(|(before, _)| *before <= index) {
                self.policy_of_log(policy);
            }
            while let Some((_, model, row)) = changes.next_if(|(before, ..)| *before <= index) {
                self.engine.apply(Event::PriceChanged { model: *model, row: row.clone() });
            }
            let evidence = Evidence { operation, extra: batch.extras.get(operation.extra as usize) };
            self.one(&evidence);
        }
        for (_, model, row) in changes {
            self.engine.apply(Event::PriceChanged { model: *model, row: row.clone() });
        }
        for (_, policy) in policies {
            self.policy_of_log(policy);
        }
    }

    /// Brings a policy of the log into force; the log's first one takes the place of the one that was to start with.
    fn policy_of_log(&mut self, policy: &Arc<Policy>) {
        if self.key == 0 {
            self.engine = Engine::new(Arc::clone(policy), Arc::clone(self.engine.prices()));
        } else {
            self.engine.apply(Event::PolicyChanged(Arc::clone(policy)));
        }
    }

    fn one(&mut self, evidence: &Evidence<'_>) {
        self.slow.add(self.engine.policy(), evidence);
        recharge(evidence, self.engine.prices(), &mut self.recharge);
        settle(&mut self.engine, self.reading, &self.profiles, self.key, evidence, &mut self.settled);
        self.key += 1;
    }
}

/// Runs an engine over one logged operation and leaves its outcome in `into`.
pub(super) fn settle(
    engine: &mut Engine,
    reading: Reading,
    profiles: &Profiles,
    key: u64,
    evidence: &Evidence<'_>,
    into: &mut Settled,
) {
    let prices = Arc::clone(engine.prices());
    let outlook = Outlook { prices: &prices, profiles };
    match reading {
        Reading::Recorded => {
            let policy = Arc::clone(engine.policy());
            let route = match_route(&policy, &evidence.operation.signals());
            recorded(evidence, route, policy.baseline, &outlook, into);
            engine.apply(Event::Recorded { evidence: *evidence, settled: into });
        }
        Reading::Routed => {
            let mut effects = engine.apply(Event::Arrived(Arrival { key, operation: *evidence.operation }));
            while let Some(effect) = effects.pop() {
                match effect {
                    Effect::Send { model, .. } => {
                        let mut legs = visit(evidence, model, &outlook).peekable();
                        while let Some(leg) = legs.next() {
                            if legs.peek().is_some() {
                                engine.apply(Event::Retried { key, leg });
                            } else {
                                effects =
                                    engine.apply(Event::Attempted { key, leg, evidence: Some(*evidence) });
                            }
                        }
                    }
                    Effect::Answer { settled, .. } => {
                        let old = std::mem::replace(into, settled);
                        engine.recycle(old);
                    }
                }
            }
        }
    }
}
