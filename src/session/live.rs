//! The live session: the engine behind a lock, asked by whoever serves clients, and the log that it writes as it goes.
//!
//! Invariants: arrivals and policies have ascending moments for as long as the clock is not set back, so the log decides
//! the same when it is replayed; every
//! operation that ends gives one line; a reader that is slow or gone never holds traffic up.

mod backlog;
mod foresee;
mod record_of;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

use self::backlog::Backlog;
use super::ingest::METERS;
use super::log::billed_by_text;
use super::reason::{reason, why_text};
use super::written::{line_of, policy_line};
use crate::classifier::{Classifier, Measures, TaskClass};
use crate::engine::Engine;
use crate::engine::{Arrival, Effect, EngineSnapshot, Event};
use crate::outcome::{Observed, Operation, Seen, seen_leg};
use crate::pricing::{Charged, Cost, PriceBook, PriceTable, Terms, Usage, is_unlisted};
use crate::record::{self, Entry, WriteTtl};
use crate::routing::{
    Check, ConfidenceSource, Decision, NO_RUNG, Policy, PolicyError, PolicySpec, Status, StreamLimits, Why,
    decide,
};
use crate::units::{Instant, Millis, ModelId, Names, OTHERS, PerMille, Span};

/// A step back of the clock that is one: less is jitter between threads, or a clock that is being slowed down.
const STEP: Span = Span(2_000_000);
/// Models told apart before those that only clients name are counted together: a fraction of what the tables hold, so that
/// policy and price book always find room for theirs.
const MODELS: usize = 512;

/// What a live session starts from.
#[derive(Debug)]
pub struct LiveSetup {
    /// The policy in force; its version is what the ledger last had, or one above.
    pub policy: Policy,
    /// The names it was compiled with.
    pub names: Names,
    /// The classifier.
    pub classifier: Arc<Classifier>,
    /// The prices.
    pub book: PriceBook,
    /// The first operation's place in the order of arrival.
    pub next_seq: u64,
    /// When it starts.
    pub at: Instant,
    /// Who brought the policy into force.
    pub who: String,
}

/// A request that arrives. Text is shared, not copied.
#[derive(Clone, Debug, Default)]
pub struct Arriving<'a> {
    /// The operation's id.
    pub id: Arc<str>,
    /// Tags; empty where not named.
    pub team: Arc<str>,
    /// The project.
    pub project: Arc<str>,
    /// The end user.
    pub user: Arc<str>,
    /// The session.
    pub session: Arc<str>,
    /// The model or alias asked for.
    pub asked: Arc<str>,
    /// Whether that is a concrete model.
    pub pinned: bool,
    /// What the classifier reads; empty for none.
    pub prompt: Cow<'a, str>,
    /// What is known besides.
    pub measures: Measures,
}

/// Where a request goes, and why.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Its key, and its place in the order of arrival.
    pub seq: u64,
    /// When it arrived.
    pub at: Instant,
    /// The kind of work.
    pub class: TaskClass,
    /// The confidence.
    pub confidence: Option<PerMille>,
    /// Where that comes from.
    pub source: ConfidenceSource,
    /// The route that took it.
    pub route: Arc<str>,
    /// The rungs of its ladder.
    pub rungs: usize,
    /// The policy's version.
    pub policy_version: u32,
    /// Why it starts where it does, in plain letters.
    pub reason: String,
    /// The call to make.
    pub send: Dispatch,
}

/// A call to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// The rung; `None` where the client pinned its model.
    pub rung: Option<u8>,
    /// The rung's name; the model's where pinned.
    pub name: Arc<str>,
    /// The model.
    pub model: Arc<str>,
    /// Whether nothing comes after it.
    pub last: bool,
    /// How slow a stream may be.
    pub limits: StreamLimits,
}

/// A call that ended.
#[derive(Clone, Debug, Default)]
pub struct Called {
    /// The model called.
    pub model: Arc<str>,
    /// The model billed, where its price is another.
    pub billed: Option<Arc<str>>,
    /// Who served.
    pub provider: Arc<str>,
    /// Tokens.
    pub usage: Usage,
    /// How sure the lifetime of cache writes is.
    pub write_ttl: WriteTtl,
    /// Whether tokens were estimated.
    pub estimated: bool,
    /// How it ended.
    pub status: Status,
    /// What a check said.
    pub check: Check,
    /// The error, in few words; empty for none.
    pub error: String,
    /// To the last byte.
    pub latency_ms: u32,
    /// To the first byte.
    pub ttft_ms: Option<u32>,
    /// The service tier that served, and what is billed besides tokens.
    pub terms: Terms,
    /// Parameters of the request that were left out for this model.
    pub left_out: Vec<Arc<str>>,
    /// The longest silence within a stream after its first byte.
    pub gap_ms: Option<u32>,
    /// Whether anything about it was made up.
    pub simulated: bool,
}

/// What follows a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Follow {
    /// The same model once more.
    Again,
    /// Up the ladder, and why.
    Climb(Dispatch, &'static str),
    /// The operation is over.
    Answer {
        /// What all its calls cost.
        cost: Cost,
    },
}

/// A policy that came into force.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// Its version.
    pub version: u32,
    /// When.
    pub at: Instant,
    /// The first operation that it decides.
    pub from_seq: u64,
    /// As a line of the log.
    pub line: Arc<str>,
}

/// A reader of the log: takes a line, and answers false when it is gone.
pub type Reader = Box<dyn FnMut(&Arc<str>) -> bool + Send>;

/// The live session.
pub struct Live {
    classifier: Arc<Classifier>,
    book: PriceBook,
    inner: Mutex<Inner>,
    /// Bytes of lines kept for readers that come later.
    backlog_bytes: Arc<AtomicUsize>,
}

struct Inner {
    engine: Engine,
    names: Names,
    last_at: Instant,
    next_seq: u64,
    pending: FxHashMap<u64, Pending>,
    readers: Vec<Reader>,
    backlog: Backlog,
    policy_line: Arc<str>,
    /// Meters that nobody here knows, of which readers have been told; the first few kinds.
    meters: BTreeSet<String>,
    buffer: Vec<u8>,
}

/// What the line of an open operation needs.
struct Pending {
    id: Arc<str>,
    team: Arc<str>,
    project: Arc<str>,
    user: Arc<str>,
    session: Arc<str>,
    asked: Arc<str>,
    pinned: bool,
    measures: Measures,
    operation: Operation,
    calls: Vec<(Called, Cost)>,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

impl Live {
    /// Starts a live session.
    pub fn new(setup: LiveSetup) -> Self {
        let LiveSetup { policy, names, classifier, book, next_seq, at, who } = setup;
        let prices = Arc::new(PriceTable::new(&book, &names));
        let policy_line = policy_line(&policy, &names, at, &who, "in force at the start");
        let backlog = Backlog::default();
        Self {
            classifier,
            book,
            backlog_bytes: backlog.bytes(),
            inner: Mutex::new(Inner {
                engine: Engine::new(Arc::new(policy), prices),
                names,
                last_at: at,
                next_seq,
                pending: FxHashMap::default(),
                readers: Vec::new(),
                backlog,
                policy_line,
                meters: BTreeSet::new(),
                buffer: Vec::new(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A thread that panicked while it held the lock left sums behind that are still sums: traffic goes on.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the price book.
    pub fn book(&self) -> &PriceBook {
        &self.book
    }

    /// Names the classifier and the start of its hash.
    pub fn classifier_tag(&self) -> String {
        format!("{} {:08x}", self.classifier.name(), self.classifier.hash() >> 32)
    }

    /// Takes a request in and says where it goes.
    pub fn arrive(&self, arriving: Arriving<'_>, now: Instant) -> Placed {
        let mut operation = self.judged(&arriving);
        let mut inner = self.lock();
        let inner = &mut *inner;
        operation.team = inner.names.intern_team(&arriving.team);
        operation.project = inner.names.intern_project(&arriving.project);
        operation.asked = inner.model(&arriving.asked, &self.book);
        inner.price_new_models(&self.book);
        operation.at = inner.dated(now, inner.last_at);
        inner.last_at = operation.at;
        let seq = inner.next_seq;
        inner.next_seq += 1;
        let effects = inner.engine.apply(Event::Arrived(Arrival { key: seq, operation }));
        let (policy, decision) = inner.decision(seq, &operation);
        let rung = match effects.first() {
            Some(Effect::Send { rung, .. }) => *rung,
            _ => decision.rung,
        };
        let route = policy.route(decision.route);
        let mut send = inner.send(&policy, &decision, rung);
        if operation.pinned && send.rung.is_none() {
            // As the client wrote it, also where its name is one of very many.
            send.model = Arc::clone(&arriving.asked);
            send.name = Arc::clone(&arriving.asked);
        }
        let placed = Placed {
            seq,
            at: operation.at,
            class: operation.class,
            confidence: operation.confidence(),
            source: operation.source,
            route: Arc::clone(&route.name),
            rungs: route.ladder.len(),
            policy_version: policy.version,
            reason: reason(&decision),
            send,
        };
        let Arriving { id, team, project, user, session, asked, pinned, measures, .. } = arriving;
        inner.pending.insert(
            seq,
            Pending {
                id,
                team,
                project,
                user,
                session,
                asked,
                pinned,
                measures,
                operation,
                calls: Vec::with_capacity(1),
            },
        );
        placed
    }

    /// Takes the end of a call: what it cost, and what follows. `again` says that the same model is asked once more.
    pub fn ended(&self, seq: u64, call: Called, again: bool) -> (Cost, Follow) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let model = inner.model(&call.model, &self.book);
        let billed =
            call.billed.as_deref().map_or_else(Default::default, |name| inner.model(name, &self.book));
        inner.price_new_models(&self.book);
        inner.tell_meters(&call, &self.book);
        let Some(pending) = inner.pending.get_mut(&seq) else {
            return (
                Cost::Known(crate::units::Pico::ZERO),
                Follow::Answer { cost: Cost::Known(crate::units::Pico::ZERO) },
            );
        };
        let observed = Observed {
            charged: Charged::NONE,
            usage: call.usage,
            latency: Millis::new(u64::from(call.latency_ms)),
            ttft: Millis::from_option(call.ttft_ms),
            model,
            billed,
            status: call.status,
            check: call.check,
            assumed: call.estimated || call.write_ttl == WriteTtl::Assumed,
        };
        let seen = Seen { call: &observed, terms: &call.terms };
        let leg = seen_leg(seen, pending.operation.at, inner.engine.prices());
        pending.calls.push((call, leg.cost));
        if again {
            inner.engine.apply(Event::Retried { key: seq, leg });
            return (leg.cost, Follow::Again);
        }
        let mut effects = inner.engine.apply(Event::Attempted { key: seq, leg, evidence: None });
        match effects.pop() {
            Some(Effect::Send { rung, .. }) => {
                let why = match (leg.status, leg.check) {
                    (Status::Ok, Check::Failed) => Why::Check,
                    (status, _) => Why::Provider(status),
                };
                let operation = pending.operation;
                let (policy, decision) = inner.decision(seq, &operation);
                (leg.cost, Follow::Climb(inner.send(&policy, &decision, rung), why_text(why)))
            }
            Some(Effect::Answer { settled, .. }) => {
                let cost = settled.cost;
                inner.engine.recycle(settled);
                inner.write_line(seq);
                (leg.cost, Follow::Answer { cost })
            }
            None => (leg.cost, Follow::Answer { cost: leg.cost }),
        }
    }

    /// Brings another policy into force for all that arrives from now on.
    ///
    /// # Errors
    /// The first thing wrong with it, with its field.
    pub fn apply(
        &self,
        spec: &PolicySpec,
        who: &str,
        what: &str,
        now: Instant,
    ) -> Result<Applied, PolicyError> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let version = inner.engine.policy().version.saturating_add(1);
        let policy = Policy::compile(spec, version, &mut inner.names)?;
        inner.price_new_models(&self.book);
        // Later than all that arrived and no later than what comes next: the log then tells who was decided by which.
        let at = inner.dated(now, Instant(inner.last_at.0.saturating_add(1)));
        inner.last_at = at;
        let line = policy_line(&policy, &inner.names, at, who, what);
        inner.engine.apply(Event::PolicyChanged(Arc::new(policy)));
        inner.policy_line = Arc::clone(&line);
        inner.publish(&line);
        Ok(Applied { version, at, from_seq: inner.next_seq, line })
    }

    /// Gives the policy in force as it would be written.
    pub fn policy_spec(&self) -> (u32, PolicySpec) {
        let inner = self.lock();
        let policy = inner.engine.policy();
        (policy.version, policy.spec(&inner.names))
    }

    /// Gives the policy in force as a line of the log.
    pub fn policy_line(&self) -> Arc<str> {
        Arc::clone(&self.lock().policy_line)
    }

    /// Lists the models of the policy's ladders, and the names that leave the choice to it.
    pub fn offered(&self) -> (Vec<String>, Vec<String>) {
        let inner = self.lock();
        let policy = inner.engine.policy();
        let mut models: Vec<String> = policy
            .routes
            .iter()
            .flat_map(|route| route.ladder.iter().map(|rung| inner.names.model(rung.model).to_owned()))
            .collect();
        models.sort_unstable();
        models.dedup();
        let names = policy.routes.iter().map(|route| format!("{}/{}", crate::routing::AUTO, route.name));
        (models, std::iter::once(crate::routing::AUTO.to_owned()).chain(names).collect())
    }

    /// Says whether the policy has a route of that name.
    pub fn has_route(&self, name: &str) -> bool {
        self.lock().engine.policy().find_route(name).is_some()
    }

    /// Says whether a route takes requests for a model of that name, so that the name leaves the choice to the policy.
    pub fn takes_model(&self, name: &str) -> bool {
        let inner = self.lock();
        let Some(asked) = inner.names.find_model(name) else { return false };
        inner.engine.policy().routes.iter().any(|route| route.matcher.names_asked(asked))
    }

    /// Adds a reader; it gets the policy in force, what the backlog holds, and everything from now on.
    pub fn follow(&self, mut reader: Reader) {
        let mut inner = self.lock();
        let greeted = reader(&Arc::clone(&inner.policy_line)) && inner.backlog.iter().all(&mut reader);
        if greeted {
            inner.readers.push(reader);
        }
    }

    /// Writes something that readers of the log should know at that moment.
    pub fn note(&self, text: &str, now: Instant) {
        let mut inner = self.lock();
        let at = inner.dated(now, inner.last_at);
        inner.note(at, text, false);
    }

    /// Gives the engine's picture and the names in it.
    pub fn snapshot(&self) -> (Arc<EngineSnapshot>, Names) {
        let inner = self.lock();
        (inner.engine.snapshot(), inner.names.clone())
    }

    /// Counts the bytes of lines kept for readers that come later.
    pub fn backlog_bytes(&self) -> usize {
        self.backlog_bytes.load(Ordering::Relaxed)
    }

    /// Counts the operations that are open.
    pub fn open(&self) -> usize {
        self.lock().pending.len()
    }
}

impl Inner {
    /// Gives the moment of what happens now: not before `least`, but where the clock was set back, which dates follow rather
    /// than stand still until it has caught up.
    fn dated(&self, now: Instant, least: Instant) -> Instant {
        if now.0 < self.last_at.0.saturating_sub(STEP.0) { now } else { now.max(least) }
    }

    fn price_new_models(&mut self, book: &PriceBook) {
        if self.engine.prices().len() < self.names.models().len() {
            let mut prices = (**self.engine.prices()).clone();
            prices.extend(book, &self.names);
            self.engine.apply(Event::PricesLoaded(Arc::new(prices)));
        }
    }

    /// Gives the id of a model that a client named.
    fn model(&mut self, name: &str, book: &PriceBook) -> ModelId {
        let is_one_too_many = self.names.models().len() >= MODELS && self.names.find_model(name).is_none();
        let listed = || book.find_named(name).map_or(OTHERS, |(listed, _)| listed);
        self.names.intern_model(if is_one_too_many { listed() } else { name })
    }

    /// Gives how an operation was decided, and by which policy.
    fn decision(&self, seq: u64, operation: &Operation) -> (Arc<Policy>, Decision) {
        if let Some((policy, decision)) = self.engine.decision(seq) {
            return (Arc::clone(policy), decision.clone());
        }
        let policy = Arc::clone(self.engine.policy());
        let decision = decide(&policy, &operation.signals());
        (policy, decision)
    }

    fn send(&self, policy: &Policy, decision: &Decision, rung: u8) -> Dispatch {
        let route = policy.route(decision.route);
        if let Some(step) = route.ladder.get(usize::from(rung)).filter(|_| rung != NO_RUNG) {
            return Dispatch {
                rung: Some(rung),
                name: Arc::clone(&step.name),
                model: self.names.model(step.model).into(),
                last: usize::from(rung) + 1 >= route.ladder.len(),
                limits: route.limits(rung),
            };
        }
        let model: Arc<str> = self.names.model(decision.model).into();
        Dispatch { rung: None, name: Arc::clone(&model), model, last: true, limits: route.limits(rung) }
    }

    /// Tells of a meter that nobody here knows, once for each kind.
    fn tell_meters(&mut self, call: &Called, book: &PriceBook) {
        for (meter, _) in call.terms.meters().filter(|(meter, _)| is_unlisted(meter)) {
            let may = self.meters.len() < METERS && !book.prices_meter(meter);
            if may && self.meters.insert(meter.to_owned()) {
                let text = billed_by_text(&call.provider, &call.model, meter);
                tracing::warn!("{text}");
                self.note(self.last_at, &text, call.simulated);
            }
        }
    }

    fn note(&mut self, at: Instant, text: &str, simulated: bool) {
        self.publish(&line_of(&Entry::Note { at, text: text.into(), simulated }));
    }

    /// Writes the line of an operation that is over.
    fn write_line(&mut self, seq: u64) {
        let Some(pending) = self.pending.remove(&seq) else { return };
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        record::append_line(&mut buffer, &Entry::Request(pending.record()));
        let line: Arc<str> = String::from_utf8_lossy(&buffer).into();
        self.buffer = buffer;
        self.publish(&line);
    }

    fn publish(&mut self, line: &Arc<str>) {
        self.backlog.push(line);
        self.readers.retain_mut(|reader| reader(line));
    }
}

/// What stands in the log where a simulated provider answered.
pub const SIMULATED: &str = "provider";
