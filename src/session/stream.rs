//! Headless replay: sources in, totals out, in constant memory. One thread parses, one decides and accounts.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};

use super::constraints::Constraints;
use super::ingest::Ingest;
use super::log::{LoadError, PROFILED, Skipped};
use super::settled::settle_one;
use super::slow::SlowStreams;
use super::snapshot::Reading;
use super::tagger::Tagger;
use crate::engine::{Arrival, Effect, Effects, Engine, Event};
use crate::outcome::{
    Attempt, Choice, Evidence, Extra, Operation, Outlook, ProfileFit, Profiles, Settled, calls, recharge,
    recorded, visit,
};
use crate::pricing::{PriceBook, PriceRow, PriceTable, Recharge};
use crate::record::{self, Entry, Label, LateLabel, Timing};
use crate::routing::{Circumstance, Circumstances, Decision, NO_RUNG, Policy, match_route};
use crate::telemetry::{Spend, SpendOptions, Tags, Totals};
use crate::units::{Instant, ModelId, Names};

/// Operations in one batch between the threads.
const BATCH: usize = 4096;

/// What to replay, and how.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// The reading.
    pub reading: Reading,
    /// The events of the log, where a reading before this one has found them; those that come are then passed over.
    pub events: Option<LogEvents>,
    /// What spend is told apart by, of a recorded reading.
    pub spend: Option<SpendOptions>,
}

/// What a log tells besides requests, each in force from its own moment on, wherever it stands.
#[derive(Clone, Debug, Default)]
pub struct LogEvents {
    prices: Vec<(String, PriceRow)>,
    policies: Vec<(Instant, Arc<Policy>)>,
    /// The names that those policies were compiled with.
    names: Names,
    /// By request.
    labels: BTreeMap<String, Vec<(Instant, Label<'static>)>>,
}

impl LogEvents {
    /// Counts them.
    pub fn len(&self) -> usize {
        self.prices.len() + self.policies.len() + self.labels.len()
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
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
    /// Operations marked as synthetic.
    pub simulated: u64,
    /// Operations that the classifier judged because the log carries no confidence.
    pub classified: u64,
    /// What the policy's limits on streams would have done.
    pub slow: SlowStreams,
    /// What the log's own charges come to.
    pub recharge: Recharge,
    /// Whether calls went where policy or key forbid.
    pub constraints: Constraints,
    /// Meters that the price book has no price for, with how many calls told them.
    pub unknown_meters: Vec<(String, u64)>,
    /// Whether latency of unobserved answers was estimated from profiles.
    pub profiles: Profiles,
    /// The policies that decided, in order of time.
    pub policies: Vec<Arc<Policy>>,
    /// All events of the log, where some stood behind requests of their time, which were counted without them.
    pub late: Option<LogEvents>,
    /// How well the moments are known.
    pub timing: Timing,
    /// What that means, where they are made up.
    pub undated: Option<String>,
    /// Spend, where asked for.
    pub spend: Option<Spend>,
}

#[derive(Default)]
struct Batch {
    operations: Vec<Operation>,
    /// One for each of them, where spend is asked for.
    tags: Vec<Tags>,
    extras: Vec<Extra>,
    /// The ids of those whose calls may be forbidden, with their places.
    ids: Vec<(usize, Box<str>)>,
    models: Vec<Arc<str>>,
    circumstances: Vec<Circumstance>,
    /// What the log tells besides. It has its own time and no place among the operations.
    changes: Vec<(ModelId, PriceRow)>,
    policies: Vec<(Instant, Arc<Policy>)>,
}

/// Replays sources. `tick` hears of the operations read so far and may cancel by answering false.
///
/// # Errors
/// Where a source cannot be read or `tick` cancels.
pub fn stream(
    source: record::Source,
    mut ingest: Ingest,
    policy: &Arc<Policy>,
    book: &PriceBook,
    options: &StreamOptions,
    mut tick: impl FnMut(u64) -> bool,
) -> Result<StreamResult, LoadError> {
    if let Some(events) = &options.events {
        // What they name has to be called the same here.
        ingest.names = events.names.clone();
    }
    let (send, receive) = sync_channel::<Batch>(4);
    let (give_back, spare) = channel::<Batch>();
    let (names, reprices) = (ingest.names.clone(), ingest.reprices());
    let constrains = policy.constrains();
    std::thread::scope(|scope| {
        let fold = scope.spawn(move || {
            Fold::new(Arc::clone(policy), book, names, options, reprices).run(&receive, &give_back)
        });
        let parsed = parse(source, (ingest, book, constrains), options, &send, &spare, &mut tick);
        drop(send);
        let Ok(fold) = fold.join() else { return Err(LoadError::Cancelled) };
        let Parsed {
            names,
            skipped,
            first_at,
            last_at,
            simulated,
            classified,
            unknown_meters,
            late,
            timing,
            undated,
            tagger,
        } = parsed?;
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
            constraints: fold.constraints,
            unknown_meters,
            profiles: fold.profiles,
            slow: fold.slow,
            policies: decided_by(fold.policies),
            late,
            timing,
            undated,
            spend: tagger.zip(fold.spend).map(|(tagger, spend)| tagger.name(spend)),
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
    late: Option<LogEvents>,
    timing: Timing,
    undated: Option<String>,
    tagger: Option<Tagger>,
}

fn parse(
    mut source: record::Source,
    (mut ingest, book, mut constrains): (Ingest, &PriceBook, bool),
    options: &StreamOptions,
    send: &std::sync::mpsc::SyncSender<Batch>,
    spare: &Receiver<Batch>,
    tick: &mut dyn FnMut(u64) -> bool,
) -> Result<Parsed, LoadError> {
    let mut skipped = Skipped::default();
    let (mut first_at, mut last_at): (Option<Instant>, Option<Instant>) = (None, None);
    let (mut count, mut simulated, mut classified) = (0u64, 0u64, 0u64);
    let mut batch = Batch::default();
    let mut tagger = options.spend.as_ref().map(Tagger::new);
    let mut known_models = ingest.names.models().len();
    let mut known_circumstances = ingest.circumstances.len();
    let (mut events, mut sent_to, mut are_late) = (LogEvents::default(), None, false);
    if let Some(LogEvents { prices, policies, .. }) = &options.events {
        let change = |(model, row): &(String, PriceRow)| (ingest.names.intern_model(model), row.clone());
        batch.changes.extend(prices.iter().map(change));
        batch.policies.extend(policies.iter().cloned());
        constrains |= policies.iter().any(|(_, policy)| policy.constrains());
    }
    while let Some(block) = source.next_block() {
        let Some(block) = skipped.keep_going(block, source.is_strict())? else { continue };
        let file: Arc<str> = block.file().into();
        let mut gone = false;
        let mut stop = None;
        let _ = block.for_each_new(source.known(), |_, entry| {
            match entry {
                Ok(Entry::Request(mut record)) => {
                    if !ingest.wants(record.at) {
                        return ControlFlow::Continue(());
                    }
                    let judged = options.events.as_ref().and_then(|events| events.labels.get(&*record.id));
                    record.labels.extend(judged.into_iter().flatten().map(|(_, label)| label.clone()));
                    let (mut operation, extra) = ingest.take(&record);
                    if let Some(extra) = extra {
                        operation.extra = u32::try_from(batch.extras.len()).unwrap_or(Operation::NO_EXTRA);
                        batch.extras.push(extra);
                    }
                    first_at = Some(first_at.map_or(operation.at, |at| at.min(operation.at)));
                    last_at = Some(last_at.map_or(operation.at, |at| at.max(operation.at)));
                    simulated += u64::from(operation.simulated);
                    classified += u64::from(!operation.source.is_told());
                    count += 1;
                    if constrains || !record.needs.require.is_empty() {
                        batch.ids.push((batch.operations.len(), record.id.as_ref().into()));
                    }
                    if let Some(tagger) = &mut tagger {
                        batch.tags.push(tagger.tags(&record, book));
                    }
                    batch.operations.push(operation);
                }
                Ok(Entry::Price(_) | Entry::Policy(_) | Entry::Label(_)) if options.events.is_some() => {}
                Ok(Entry::Price(change)) => {
                    are_late |= sent_to.is_some_and(|sent| change.row.from.is_none_or(|from| from <= sent));
                    events.prices.push((change.model.to_string(), change.row.clone()));
                    batch.changes.push((ingest.names.intern_model(&change.model), change.row.clone()));
                }
                Ok(Entry::Policy(change)) => match ingest.policy(&change) {
                    Ok(policy) => {
                        let policy = policy.map(|policy| (change.at, policy));
                        let is_first = !constrains && policy.as_ref().is_some_and(|(_, it)| it.constrains());
                        constrains |= is_first;
                        // Of requests that nothing constrained so far no ids were kept.
                        let told = if is_first { last_at } else { sent_to };
                        are_late |= policy.is_some() && told.is_some_and(|told| change.at <= told);
                        events.policies.extend(policy.clone());
                        batch.policies.extend(policy);
                    }
                    Err(error) => skipped.damaged.push(format!("policy version {}: {error}", change.version)),
                },
                Ok(Entry::Label(late)) => {
                    // What is judged has been told already.
                    are_late = true;
                    let LateLabel { at, id, label, .. } = *late;
                    let label = Label { model: label.model.into_owned().into(), ..label };
                    let known = events.labels.entry(id.into_owned()).or_default();
                    let place = known.partition_point(|(earlier, _)| *earlier <= at);
                    known.insert(place, (at, label));
                }
                Ok(Entry::Signal(_) | Entry::Note { .. }) => {}
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
                batch.circumstances.extend_from_slice(ingest.circumstances.since(known_circumstances));
                known_circumstances = ingest.circumstances.len();
                sent_to = last_at;
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
    batch.circumstances.extend_from_slice(ingest.circumstances.since(known_circumstances));
    let _ = send.send(batch);
    let unknown_meters = ingest.unknown_meters(book);
    let late = are_late.then(|| LogEvents { names: ingest.names.clone(), ..events });
    let (timing, undated) = (ingest.timing(), ingest.undated());
    Ok(Parsed {
        names: ingest.names,
        skipped,
        first_at,
        last_at,
        simulated,
        classified,
        unknown_meters,
        late,
        timing,
        undated,
        tagger,
    })
}

/// Lists the policies that decided anything; where there was only one, that one.
fn decided_by(policies: Vec<InForce>) -> Vec<Arc<Policy>> {
    let only = policies.len() == 1;
    policies.into_iter().filter(|held| only || held.requests > 0).map(|held| held.policy).collect()
}

/// The deciding and accounting side.
struct Fold<'a> {
    engine: Engine,
    names: Names,
    book: &'a PriceBook,
    reading: Reading,
    profiles: Profiles,
    circumstances: Circumstances,
    settled: Settled,
    slow: SlowStreams,
    recharge: Recharge,
    constraints: Constraints,
    spend: Option<Spend>,
    key: u64,
    /// Policies in order of time.
    policies: Vec<InForce>,
}

/// A policy, the moment from which on it decides, and how many requests it decided.
struct InForce {
    from: Instant,
    policy: Arc<Policy>,
    requests: u64,
}

impl<'a> Fold<'a> {
    fn new(
        policy: Arc<Policy>,
        book: &'a PriceBook,
        names: Names,
        options: &StreamOptions,
        reprices: bool,
    ) -> Self {
        let prices = Arc::new(PriceTable::new(book, &names).repricing(reprices));
        Self {
            engine: Engine::new(Arc::clone(&policy), prices),
            policies: vec![InForce { from: Instant(i64::MIN), policy, requests: 0 }],
            names,
            book,
            reading: options.reading,
            spend: options.spend.as_ref().map(Spend::new),
            profiles: Profiles::default(),
            circumstances: Circumstances::default(),
            settled: Settled::default(),
            slow: SlowStreams::default(),
            recharge: Recharge::default(),
            constraints: Constraints::default(),
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
                self.name(&batch);
                for operation in batch.operations.iter().take(PROFILED - held_operations) {
                    let extra = batch.extras.get(operation.extra as usize);
                    fit.add(&Evidence { operation, extra }, self.engine.prices());
                }
                held_operations += batch.operations.len();
                held.push(batch);
            }
            self.profiles = fit.finish();
        }
        let is_capped = self.reading == Reading::Routed && self.engine.policy().remembers();
        if is_capped {
            // Each decision needs the state of its instant, so all of them are brought in order first.
            while let Ok(batch) = receive.recv() {
                self.name(&batch);
                held.push(batch);
            }
        }
        if is_capped && held.iter().all(|batch| batch.policies.is_empty()) {
            self.run_anew(&mut held);
        }
        for batch in held {
            self.take(&batch);
        }
        while let Ok(mut batch) = receive.recv() {
            self.name(&batch);
            self.take(&batch);
            batch.operations.clear();
            batch.tags.clear();
            batch.extras.clear();
            batch.ids.clear();
            batch.models.clear();
            batch.circumstances.clear();
            batch.changes.clear();
            batch.policies.clear();
            let _ = give_back.send(batch);
        }
        self
    }

    /// Finds how things stood at each request, had this policy decided all before it.
    fn run_anew(&mut self, held: &mut [Batch]) {
        let mut order: Vec<(Instant, usize, usize)> = Vec::new();
        for (batch, Batch { operations, .. }) in held.iter().enumerate() {
            order.extend(operations.iter().enumerate().map(|(at, operation)| (operation.at, batch, at)));
        }
        order.sort_unstable();
        for (model, row) in held.iter().flat_map(|batch| &batch.changes) {
            self.engine.apply(Event::PriceChanged { model: *model, row: row.clone() });
        }
        let (policy, prices) = (Arc::clone(self.engine.policy()), Arc::clone(self.engine.prices()));
        let mut fold = super::Fold::default();
        for (index, (_, batch, at)) in order.into_iter().enumerate() {
            let Some(Batch { operations, extras, .. }) = held.get_mut(batch) else { continue };
            let Some(operation) = operations.get_mut(at) else { continue };
            let evidence = Evidence { operation: &*operation, extra: extras.get(operation.extra as usize) };
            let outlook =
                Outlook { prices: &prices, profiles: &self.profiles, circumstances: &self.circumstances };
            let circumstance = fold.arrive(index, &evidence, &policy, &outlook).0.clone();
            operation.circumstance = self.circumstances.intern(&circumstance);
        }
    }

    /// Takes in the models and circumstances that a batch names for the first time.
    fn name(&mut self, batch: &Batch) {
        for circumstance in &batch.circumstances {
            self.circumstances.intern(circumstance);
        }
        if !batch.models.is_empty() {
            for model in &batch.models {
                self.names.intern_model(model);
            }
            let mut prices = (**self.engine.prices()).clone();
            prices.extend(self.book, &self.names);
            self.engine.apply(Event::PricesLoaded(Arc::new(prices)));
        }
    }

    fn take(&mut self, batch: &Batch) {
        for (model, row) in &batch.changes {
            self.engine.apply(Event::PriceChanged { model: *model, row: row.clone() });
        }
        for (at, policy) in &batch.policies {
            let order = |held: &InForce| (held.from, held.policy.version);
            let place = self.policies.partition_point(|held| order(held) <= (*at, policy.version));
            let next = InForce { from: *at, policy: Arc::clone(policy), requests: 0 };
            self.policies.insert(place, next);
        }
        let mut ids = batch.ids.iter().peekable();
        for (at, operation) in batch.operations.iter().enumerate() {
            let id = ids.next_if(|(of, _)| *of == at).map(|(_, id)| &**id);
            let evidence = Evidence { operation, extra: batch.extras.get(operation.extra as usize) };
            self.one(&evidence, id);
            if let (Some(spend), Some(tags)) = (&mut self.spend, batch.tags.get(at)) {
                spend.add(&evidence, tags, &self.settled, self.engine.prices());
            }
        }
    }

    fn one(&mut self, evidence: &Evidence<'_>, id: Option<&str>) {
        recharge(evidence, self.engine.prices(), &mut self.recharge);
        if self.policies.len() > 1 {
            // Requests of several policies need not stand in order of time.
            let at = evidence.operation.at;
            let place = self.policies.partition_point(|held| held.from <= at).saturating_sub(1);
            let Some(InForce { policy, requests, .. }) = self.policies.get_mut(place) else { return };
            *requests += 1;
            if let Some(id) = id {
                let circumstance = self.circumstances.get(evidence.operation.circumstance);
                self.constraints.add(id, evidence, policy, circumstance, self.engine.prices());
            }
            self.slow.add(policy, evidence, self.engine.prices());
            let outlook = Outlook {
                prices: self.engine.prices(),
                profiles: &self.profiles,
                circumstances: &self.circumstances,
            };
            settle_one(evidence, self.reading, policy, &outlook, &mut self.settled);
            self.engine.apply(Event::Recorded { evidence: *evidence, settled: &self.settled });
        } else {
            if let Some(id) = id {
                let circumstance = self.circumstances.get(evidence.operation.circumstance);
                self.constraints.add(id, evidence, self.engine.policy(), circumstance, self.engine.prices());
            }
            self.slow.add(self.engine.policy(), evidence, self.engine.prices());
            let rests_on = (&self.profiles, &self.circumstances);
            settle(&mut self.engine, self.reading, rests_on, self.key, evidence, &mut self.settled);
        }
        self.key += 1;
    }
}

/// Runs an engine over one logged operation and leaves its outcome in `into`.
pub(super) fn settle(
    engine: &mut Engine,
    reading: Reading,
    (profiles, circumstances): (&Profiles, &Circumstances),
    key: u64,
    evidence: &Evidence<'_>,
    into: &mut Settled,
) {
    let prices = Arc::clone(engine.prices());
    let outlook = Outlook { prices: &prices, profiles, circumstances };
    match reading {
        Reading::Recorded => {
            let policy = Arc::clone(engine.policy());
            let route = match_route(&policy, &evidence.operation.signals());
            recorded(evidence, &policy, route, &outlook, into);
            engine.apply(Event::Recorded { evidence: *evidence, settled: into });
        }
        Reading::Routed => {
            if let Some((_, settled)) = drive(engine, &outlook, key, evidence) {
                let old = std::mem::replace(into, settled);
                engine.recycle(old);
            }
        }
    }
}

/// Drives an engine through one operation: makes every call that it asks for, as the log has it or as it is estimated. Gives
/// how it was decided, every step included, and what became of it.
pub(super) fn drive(
    engine: &mut Engine,
    outlook: &Outlook<'_>,
    key: u64,
    evidence: &Evidence<'_>,
) -> Option<(Decision, Settled)> {
    let circumstance = outlook.circumstances.get(evidence.operation.circumstance);
    let operation = *evidence.operation;
    let mut effect = engine.apply(Event::Arrived(Arrival { key, operation, circumstance }))?;
    loop {
        match effect {
            Effect::Send { rung, model, .. } => effect = send(engine, key, rung, model, evidence, outlook)?,
            Effect::Answer { decision, settled, .. } => return Some((decision, settled)),
        }
    }
}

/// Makes the calls of one effect, as the log has them or as they are estimated, and returns what follows.
fn send(
    engine: &mut Engine,
    key: u64,
    rung: u8,
    model: ModelId,
    evidence: &Evidence<'_>,
    outlook: &Outlook<'_>,
) -> Effects {
    fn tell(
        engine: &mut Engine,
        key: u64,
        evidence: &Evidence<'_>,
        attempts: impl Iterator<Item = Attempt>,
    ) -> Effects {
        let mut attempts = attempts.peekable();
        while let Some(attempt) = attempts.next() {
            if attempts.peek().is_none() {
                return engine.apply(Event::Attempted { key, attempt, evidence: Some(*evidence) });
            }
            engine.apply(Event::Retried { key, attempt });
        }
        None
    }
    if rung == NO_RUNG {
        return tell(engine, key, evidence, calls(evidence, model, outlook));
    }
    let policy = engine.decision(key).map(|(policy, decision)| (Arc::clone(policy), decision.route));
    let step = policy.as_ref().and_then(|(policy, route)| policy.route(*route).ladder.get(usize::from(rung)));
    let choice = step.map_or(Choice::plain(model), Choice::from);
    tell(engine, key, evidence, visit(evidence, choice, outlook))
}
