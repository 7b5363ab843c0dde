//! Headless replay: sources in, totals out, in constant memory. All cores read, one thread puts in order, one decides and
//! accounts.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};

use super::adapted::Adapted;
use super::constraints::Constraints;
use super::events::LogEvents;
use super::frontiers::Frontiers;
use super::ingest::Ingest;
use super::log::{Judged, LoadError, PROFILED};
use super::news::News;
use super::parse::{Batch, Outlet, Parsing, parse};
use super::readers::threads;
use super::settled::{outlook, settle_one};
use super::slow::SlowStreams;
use super::snapshot::Reading;
use super::streamed::{One, StreamResult};
use super::wanted::{Search, Wanted};
use super::warmed::Warmed;
use crate::bandit::key_of;
use crate::engine::{Arrival, Effect, Effects, Engine, Event};
use crate::outcome::{
    Attempt, Choice, Evidence, Outlook, ProfileFit, Profiles, Settled, calls, recharge, recorded, visit,
};
use crate::pricing::{PriceBook, PriceTable, Recharge};
use crate::prompt_cache::Rules;
use crate::record;
use crate::routing::{Circumstances, Decision, NO_RUNG, Policy, match_route};
use crate::telemetry::{Dimension, Sign, Spend, SpendOptions};
use crate::units::{Instant, ModelId, Names};

/// What to replay, and how.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// The reading.
    pub reading: Reading,
    /// The events of the log, where a reading before this one has found them; those that come are then passed over.
    pub events: Option<Arc<LogEvents>>,
    /// How many threads read ahead; as many as there are cores where not said. What comes out is the same.
    pub threads: Option<usize>,
    /// What is asked for.
    pub asks: Asks,
    /// What spend is told apart by, of a recorded reading.
    pub spend: Option<SpendOptions>,
}

/// What is asked of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Asks {
    /// Sums.
    #[default]
    Sums,
    /// What its policies would make of other thresholds.
    Frontiers,
    /// One request.
    One(Wanted),
}

impl From<Reading> for StreamOptions {
    fn from(reading: Reading) -> Self {
        Self { reading, events: None, threads: None, asks: Asks::Sums, spend: None }
    }
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
    let caching = Arc::clone(&ingest.caching);
    let has_sessions = options.spend.as_ref().is_some_and(|spend| spend.has(&Dimension::Session));
    if !has_sessions && !policy.minds_caches() {
        ingest.keeps_sessions = false;
    }
    // Charges by meter have all tags.
    if options.spend.as_ref().is_none_or(|spend| spend.meters.is_none()) {
        ingest.tags = Some(options.spend.iter().flat_map(|spend| spend.tags().map(Box::from)).collect());
    }
    if let Some(events) = &options.events {
        // What they name has to be called the same here.
        ingest.names = events.names.clone();
    }
    let (send, receive) = sync_channel::<Batch>(4);
    let (give_back, spare) = channel::<Batch>();
    let (names, reprices) = (ingest.names.clone(), ingest.options.reprice);
    let threads = options.threads.unwrap_or_else(threads);
    let wanted = match &options.asks {
        Asks::One(wanted) => Some(wanted),
        Asks::Sums | Asks::Frontiers => None,
    };
    // Verdicts call requests by their ids.
    let (constrains, events) = (policy.constrains() || policy.adapts(), options.events.as_ref());
    let parsing = Parsing { book, constrains, events, wanted, threads };
    std::thread::scope(|scope| {
        let fold = scope.spawn(move || {
            let fold = Fold::new(Arc::clone(policy), book, names, options, reprices);
            Fold { caching, ..fold }.run(&receive, &give_back)
        });
        let outlet = Outlet { send, spare };
        let parsed = parse(source, ingest, &parsing, outlet, &mut tick);
        let Ok(fold) = fold.join() else { return Err(LoadError::Cancelled) };
        let parsed = parsed?;
        let totals = fold.engine.totals().clone();
        let last = fold.policies.len().checked_sub(1);
        let news = fold.news.told(book, fold.engine.prices(), &parsed.names);
        Ok(StreamResult {
            totals,
            recharge: fold.recharge,
            constraints: fold.constraints,
            profiles: fold.profiles,
            slow: fold.slow,
            has_loops: fold.circumstances.have_loops(),
            frontiers: fold.frontiers,
            one: fold.search.map(|search| One {
                search,
                policies: fold.policies.iter().map(|held| (held.from, Arc::clone(&held.policy))).collect(),
                prices: Arc::clone(fold.engine.prices()),
                circumstances: fold.circumstances,
            }),
            spans: decided(&fold.policies, last),
            policies: decided(&fold.policies, last.filter(|last| *last == 0)),
            news,
            spend: fold.spend,
            ..parsed
        })
    })
}

/// Lists the policies that decided anything, and one that did or not.
fn decided(policies: &[InForce], besides: Option<usize>) -> Vec<Arc<Policy>> {
    let is_one = |(at, held): &(usize, &InForce)| Some(*at) == besides || held.requests > 0;
    policies.iter().enumerate().filter(is_one).map(|(_, held)| Arc::clone(&held.policy)).collect()
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
    frontiers: Option<Frontiers>,
    search: Option<Search>,
    slow: SlowStreams,
    recharge: Recharge,
    constraints: Constraints,
    spend: Option<Spend>,
    news: News,
    /// Policies in order of time.
    policies: Vec<InForce>,
    /// How providers' prompt caches work.
    caching: Arc<Rules>,
    /// What the log tells besides, where a reading before this one has found it.
    events: Option<Arc<LogEvents>>,
}

/// A policy, the moment from which on it decides, and how many requests it decided.
struct InForce {
    from: Instant,
    policy: Arc<Policy>,
    limits_streams: bool,
    requests: u64,
}

impl InForce {
    fn new(from: Instant, policy: Arc<Policy>) -> Self {
        Self { from, limits_streams: policy.limits_streams(), policy, requests: 0 }
    }
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
            policies: vec![InForce::new(Instant(i64::MIN), policy)],
            names,
            book,
            reading: options.reading,
            profiles: Profiles::default(),
            circumstances: Circumstances::default(),
            settled: Settled::default(),
            frontiers: (options.asks == Asks::Frontiers).then(Frontiers::default),
            search: matches!(options.asks, Asks::One(_)).then(Search::default),
            slow: SlowStreams::default(),
            recharge: Recharge::default(),
            constraints: Constraints::default(),
            spend: options.spend.as_ref().map(Spend::new),
            news: News::default(),
            caching: Arc::default(),
            events: options.events.clone(),
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
        let is_told = held.iter().any(|batch| !batch.policies.is_empty());
        let remembers = self.engine.policy().remembers() || (self.circumstances.have_loops() && !is_told);
        let is_capped = self.reading == Reading::Routed && remembers;
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
            batch.clear();
            let _ = give_back.send(batch);
        }
        self
    }

    /// Finds by which numbers verdicts call requests in that order, and what they said.
    fn learning(&self, held: &[Batch], order: &[(Instant, usize, usize)]) -> Adapted {
        let id = |&(_, batch, at): &(Instant, usize, usize)| {
            let ids = &held.get(batch)?.ids;
            let place = ids.binary_search_by_key(&at, |(place, _)| *place).ok()?;
            ids.get(place).map(|(_, id)| key_of(id))
        };
        let ids = order.iter().map(|place| id(place).unwrap_or_default()).collect();
        let labels = self.events.iter().flat_map(|events| &events.labels);
        let mut verdicts: Vec<Judged> = labels
            .flat_map(|(id, labels)| labels.iter().map(move |(at, label)| (id, *at, label)))
            .filter_map(|(id, at, label)| {
                let model = self.names.find_model(&label.model)?;
                Some(Judged { at, id: key_of(id), model, quality: label.quality? })
            })
            .collect();
        verdicts.sort_by_key(|one| one.at);
        Adapted::told(ids, verdicts)
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
        if policy.minds_caches() {
            fold.warmed = Some(Box::new(Warmed::new(&self.caching, &self.names)));
        }
        if policy.adapts() {
            fold.adapted = Some(Box::new(self.learning(held, &order)));
        }
        for (index, (_, batch, at)) in order.into_iter().enumerate() {
            let Some(Batch { operations, extras, .. }) = held.get_mut(batch) else { continue };
            let Some(operation) = operations.get_mut(at) else { continue };
            let evidence = Evidence { operation: &*operation, extra: extras.get(operation.extra as usize) };
            let outlook = outlook(&prices, &self.profiles, &self.circumstances);
            let circumstance = fold.arrive(index, &evidence, &policy, &outlook).0.clone();
            operation.circumstance = self.circumstances.intern(&circumstance);
            operation.warm = fold.warm;
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
            self.policies.insert(place, InForce::new(*at, Arc::clone(policy)));
        }
        if let Some(search) = &mut self.search {
            let mut wanted = batch.wanted.iter().peekable();
            for (at, operation) in batch.operations.iter().enumerate() {
                let id = wanted.next_if(|(of, _)| *of == at).map(|(_, id)| &**id);
                search.add(operation, batch.extras.get(operation.extra as usize), id);
            }
            return;
        }
        if let Some(spend) = &mut self.spend {
            spend.know(self.book, &self.names);
        }
        self.news.know(self.book, &self.names);
        let mut ids = batch.ids.iter().peekable();
        for (at, operation) in batch.operations.iter().enumerate() {
            let id = ids.next_if(|(of, _)| *of == at).map(|(_, id)| &**id);
            self.one(&Evidence { operation, extra: batch.extras.get(operation.extra as usize) }, id);
        }
    }

    fn one(&mut self, evidence: &Evidence<'_>, id: Option<&str>) {
        // Requests of several policies need not stand in order of time.
        let at = evidence.operation.at;
        let place = match self.policies.as_slice() {
            [_] => 0,
            several => several.partition_point(|held| held.from <= at).saturating_sub(1),
        };
        let Some(InForce { policy, limits_streams, requests, .. }) = self.policies.get_mut(place) else {
            return;
        };
        *requests += 1;
        let outlook = outlook(self.engine.prices(), &self.profiles, &self.circumstances);
        if let Some(frontiers) = &mut self.frontiers {
            let route = match_route(policy, &evidence.operation.signals());
            return frontiers.apply(policy, evidence, route, &outlook, Sign::Plus);
        }
        recharge(evidence, outlook.prices, &mut self.recharge);
        self.news.see(evidence);
        if let Some(id) = id {
            let circumstance = self.circumstances.get(evidence.operation.circumstance);
            self.constraints.add(id, evidence, policy, circumstance, outlook.prices);
        }
        if *limits_streams {
            self.slow.add(policy, evidence, outlook.prices);
        }
        settle_one(evidence, self.reading, policy, &outlook, &mut self.settled);
        if let Some(spend) = &mut self.spend {
            spend.add(evidence, &self.settled, &outlook);
        }
        self.engine.apply(Event::Recorded { evidence: *evidence, settled: &self.settled });
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
    let outlook = outlook(&prices, profiles, circumstances);
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

/// Drives an engine through one operation: makes every call that it asks for, as the log has it or as it is estimated. Returns
/// how it was decided, every step included, and what became of it.
pub(super) fn drive(
    engine: &mut Engine,
    outlook: &Outlook<'_>,
    key: u64,
    evidence: &Evidence<'_>,
) -> Option<(Decision, Settled)> {
    let circumstance = outlook.circumstances.get(evidence.operation.circumstance);
    let operation = *evidence.operation;
    let mut effect = engine.apply(Event::Arrived(Arrival {
        key,
        operation,
        circumstance,
        claims: None,
        whose: None,
        prompt: None,
    }))?;
    // What is expected to be warm is so where it starts.
    let mut warm = operation.warm;
    loop {
        match effect {
            Effect::Send { rung, model, .. } => {
                effect = send(engine, key, (rung, model, warm.take()), evidence, outlook)?;
            }
            Effect::Answer { decision, settled, .. } => return Some((decision, settled)),
        }
    }
}

/// Makes the calls of one effect, as the log has them or as they are estimated, and returns what follows.
fn send(
    engine: &mut Engine,
    key: u64,
    (rung, model, warm): (u8, ModelId, Option<u32>),
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
    let choice = Choice { warm, ..step.map_or(Choice::plain(model), Choice::from) };
    tell(engine, key, evidence, visit(evidence, choice, outlook))
}
