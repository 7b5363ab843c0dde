//! The live session: the engine behind a lock, asked by whoever serves clients, and the log that it writes as it goes.
//!
//! Invariants: arrivals and policies have ascending moments for as long as the clock is not set back, so the log decides
//! the same when it is replayed; every
//! operation that ends gives one line; a reader that is slow or gone never holds traffic up.

mod arrival;
mod asides;
mod beside;
mod foresee;
mod made_up;
mod outlet;
mod prices;
mod record_of;
mod runaways;
mod spending;
mod ticket;
mod warmth;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use rustc_hash::FxHashMap;

pub use self::arrival::{Bell, Waiting};
pub use self::beside::Aside;
pub use self::foresee::Near;
use self::made_up::MadeUp;
pub use self::made_up::MadeUpCosts;
use self::outlet::Outlet;
pub use self::outlet::Reader;
pub use self::spending::Uncounted;
pub use self::ticket::{Arriving, Called, Dispatch, Follow, Placed, Refusal, Ticket, Wants};
pub use self::warmth::WarmModel;
use super::ingest::{capabilities, tag_of};
use super::reason::why_text;
pub use super::written::Deed;
use super::written::{line_of, policy_line};
use crate::budget::{Dimension, Spreads};
use crate::classifier::Classifier;
use crate::engine::{Closed, Course, Decider, EngineSnapshot, UnknownOperation};
use crate::outcome::{Evidence, Operation};
use crate::pricing::{Cost, PriceBook, PriceTable, Usage, prices_dearer};
use crate::prompt_cache::account_number;
use crate::record::{self, Entry, Under};
use crate::routing::{
    Circumstance, Decision, Labels, NO_RUNG, Needs, Parameters, Policy, PolicyError, PolicySpec, Short,
    Status, decide, on_grid,
};
use crate::telemetry::{Sign, Totals};
use crate::units::{Instant, ModelId, Names, OTHERS, Span};

/// A step back of the clock that is one: less is jitter between threads, or a clock that is being slowed down.
const STEP: Span = Span(2_000_000);
/// The service tier that is asked for where another has no price.
const ORDINARY_TIER: &str = "standard";
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
    /// The gateway, as its ledger names it; empty where it keeps none.
    pub gateway: String,
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

/// The live session. Three locks, each for one thing and none held while another's work is done: what has to stay in one
/// order, the sums, and the readers.
pub struct Live {
    classifier: Arc<Classifier>,
    /// One that judges beside it and decides nothing.
    tried: Option<Arc<Classifier>>,
    /// Taken within the core's lock where it is asked what names are one model's, and changed within it.
    book: RwLock<Arc<PriceBook>>,
    /// What the lines of policies tell of it, so that a reader knows it of every line.
    under: Under<'static>,
    core: Mutex<Core>,
    totals: Mutex<Totals>,
    /// What is over and not yet in the sums, because somebody was copying them.
    settled: Mutex<Vec<Closed>>,
    /// Taken last, and within the core's lock where a line must not overtake a decision: policies and signals.
    outlet: Mutex<Outlet>,
    /// Bytes of lines kept for readers that come later.
    backlog_bytes: Arc<AtomicUsize>,
    /// Whether any budget is in force, so that nobody reckons bounds that nobody asks for.
    has_budgets: AtomicBool,
    /// How far forecasts of budgets may be off, as it was found in this hour.
    spreads: Mutex<Spreads>,
    /// Whether any rule compares tool calls.
    compares_calls: AtomicBool,
    /// Whether any route minds prompt caches.
    minds_caches: AtomicBool,
}

/// What has to stay in one order.
struct Core {
    decider: Decider,
    names: Names,
    last_at: Instant,
    next_seq: u64,
    applied: u64,
    /// What readers have been told once; the first few kinds.
    told: BTreeSet<String>,
    /// How those that wait for room in a budget are called.
    bells: FxHashMap<u64, Bell>,
    made_up: MadeUp,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

/// Takes a lock. A thread that panicked while it held one left sums behind that are still sums: traffic goes on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Live {
    /// Starts a live session.
    pub fn new(setup: LiveSetup) -> Self {
        let LiveSetup { policy, names, classifier, book, next_seq, at, who, gateway } = setup;
        let under = Under {
            gateway: gateway.into(),
            classifier: tag_of(&classifier).into(),
            prices: format!("{} {}", book.name, book.dated).into(),
        };
        let prices = Arc::new(PriceTable::new(&book, &names));
        let minds_caches = AtomicBool::new(policy.minds_caches());
        let outlet = Outlet::new(policy_line(&policy, &names, at, (&who, &under), Deed::Start));
        Self {
            classifier,
            tried: None,
            book: RwLock::new(Arc::new(book)),
            under,
            backlog_bytes: Arc::clone(&outlet.bytes),
            core: Mutex::new(Core {
                decider: Decider::new(Arc::new(policy), prices),
                names,
                last_at: at,
                next_seq,
                applied: 0,
                told: BTreeSet::new(),
                bells: FxHashMap::default(),
                made_up: MadeUp::default(),
            }),
            has_budgets: AtomicBool::new(false),
            compares_calls: AtomicBool::new(false),
            minds_caches,
            spreads: Mutex::default(),
            totals: Mutex::default(),
            settled: Mutex::default(),
            outlet: Mutex::new(outlet),
        }
    }

    /// Has another classifier judge every request besides; it decides nothing, and what it says stands in the request's line.
    #[must_use]
    pub fn trying(self, tried: Option<Arc<Classifier>>) -> Self {
        Self { tried, ..self }
    }

    /// Returns what the classifier that is tried says of a request, as the log writes it.
    fn tried_word(&self, operation: &Operation) -> Option<String> {
        let hash = self.tried.as_ref()?.hash() >> 32;
        Some(operation.second?.word(u32::try_from(hash).unwrap_or(u32::MAX)))
    }

    /// Says whether a hash, or the start of one, is the classifier's.
    pub fn is_classifier(&self, named: &str) -> bool {
        self.classifier.is_named(named)
    }

    /// Names the classifier and the start of its hash.
    pub fn classifier_tag(&self) -> String {
        tag_of(&self.classifier)
    }

    /// Takes the end of a call: what it cost, and what follows. `again` says that the same model is asked once more.
    ///
    /// # Errors
    /// Where the operation is not open: what the call cost is then not known to anybody.
    pub fn ended(
        &self,
        ticket: &mut Ticket,
        call: Called,
        again: bool,
    ) -> Result<(Cost, Follow), UnknownOperation> {
        let mut core = lock(&self.core);
        let attempt = core.charged(ticket, &call, &self.book());
        core.made_up.note(ticket.operation.team, &call, &attempt);
        core.pay_as_billed(ticket, &call, &self.book());
        core.applied += 1;
        core.decider.served_by(ticket.seq, account_number(&call.provider));
        let course = if again {
            core.decider.retried(ticket.seq, attempt)
        } else {
            core.decider.attempted(ticket.seq, attempt, None).map(Some)
        };
        let escalate = match &course {
            Ok(Some(Course::Call { rung, .. })) => {
                Some(core.send(&ticket.policy, &ticket.decision, *rung, ticket.limits()))
            }
            _ => None,
        };
        core.ring();
        drop(core);
        self.tell_news(&call);
        ticket.calls.push((call, attempt.cost));
        let follow = match (course?, escalate) {
            (Some(Course::Call { why, .. }), Some(send)) => Follow::Escalate(send, why.map_or("", why_text)),
            (Some(Course::Over(closed)), _) => {
                let cost = closed.settled.cost;
                self.note_later(ticket, &closed.decision);
                self.over(ticket, *closed);
                Follow::Answer { cost }
            }
            _ => Follow::Again,
        };
        Ok((attempt.cost, follow))
    }

    /// Adds an operation that is over to the sums, and writes its line.
    fn over(&self, ticket: &Ticket, closed: Closed) {
        lock(&self.settled).push(closed);
        // Nobody who has a client to answer waits for a copy of all sums; whoever copies them takes in what came before.
        if let Ok(mut totals) = self.totals.try_lock() {
            self.take_in(&mut totals);
        }
        let line = line_of(&Entry::Request(ticket.record()));
        lock(&self.outlet).publish(&line);
    }

    /// Brings another policy into force for all that arrives from now on.
    ///
    /// # Errors
    /// The first thing wrong with it, with its field.
    pub fn apply(
        &self,
        spec: &PolicySpec,
        who: &str,
        deed: Deed<'_>,
        now: Instant,
    ) -> Result<Applied, PolicyError> {
        let mut core = lock(&self.core);
        let core = &mut *core;
        let version = core.decider.policy().version.saturating_add(1);
        let policy = Policy::compile(spec, version, &mut core.names)?;
        core.price_new_models(&self.book());
        let at = core.event_at(now);
        let line = policy_line(&policy, &core.names, at, (who, &self.under), deed);
        self.minds_caches.store(policy.minds_caches(), Ordering::Relaxed);
        core.decider.change_policy(Arc::new(policy));
        lock(&self.outlet).bring(&line);
        Ok(Applied { version, at, from_seq: core.next_seq, line })
    }

    /// Takes what a provider says of a model: it cannot be called before a moment, or can again. Returns the moment that
    /// was written.
    pub fn signal(&self, model: &str, until: Option<Instant>, why: &str, now: Instant) -> Instant {
        let mut core = lock(&self.core);
        let book = self.book();
        let id = core.model(model, &book);
        core.price_new_models(&book);
        let at = core.event_at(now);
        core.decider.signal(at, id, until);
        let signal = record::Signal { at, model: model.into(), until, why: why.into() };
        lock(&self.outlet).publish(&line_of(&Entry::Signal(signal)));
        at
    }

    /// Returns the policy in force as it would be written.
    pub fn policy_spec(&self) -> (u32, PolicySpec) {
        let core = lock(&self.core);
        let policy = core.decider.policy();
        (policy.version, policy.spec(&core.names))
    }

    /// Returns the policy in force as a line of the log.
    pub fn policy_line(&self) -> Arc<str> {
        Arc::clone(&lock(&self.outlet).policy_line)
    }

    /// Lists the models of the policy's ladders, and the names that leave the choice to it.
    pub fn offered(&self) -> (Vec<String>, Vec<String>) {
        let core = lock(&self.core);
        let policy = core.decider.policy();
        let mut models: Vec<String> = policy
            .routes
            .iter()
            .flat_map(|route| route.ladder.iter().map(|rung| core.names.model(rung.model).to_owned()))
            .collect();
        models.sort_unstable();
        models.dedup();
        let routes = policy.routes.iter().filter(|route| route.canary.is_none());
        let names = routes.map(|route| format!("{}/{}", crate::routing::AUTO, route.name));
        (models, std::iter::once(crate::routing::AUTO.to_owned()).chain(names).collect())
    }

    /// Says whether the policy has a route that clients may ask for by that name.
    pub fn has_route(&self, name: &str) -> bool {
        let core = lock(&self.core);
        core.decider.policy().routes.iter().any(|route| *route.name == *name && route.canary.is_none())
    }

    /// Says whether a client that asks by a name chooses its model by it.
    pub fn is_choice(&self, name: &str) -> bool {
        let core = lock(&self.core);
        core.decider.policy().is_choice(name, &core.names)
    }

    /// Adds a reader; it gets the policy in force, what the backlog holds, and everything from now on.
    pub fn follow(&self, reader: Reader) {
        lock(&self.outlet).follow(reader);
    }

    /// Returns the engine's picture and the names in it. The sums may be ahead or behind by what is being settled.
    pub fn snapshot(&self) -> (Arc<EngineSnapshot>, Names) {
        let totals = {
            let mut totals = lock(&self.totals);
            self.take_in(&mut totals);
            totals.clone()
        };
        let core = lock(&self.core);
        let snapshot = EngineSnapshot {
            at: core.last_at,
            applied: core.applied,
            open: core.decider.open(),
            policy: Arc::clone(core.decider.policy()),
            totals,
            unexpected: core.decider.unexpected(),
        };
        (Arc::new(snapshot), core.names.share())
    }

    fn take_in(&self, totals: &mut Totals) {
        for Closed { operation, settled, .. } in std::mem::take(&mut *lock(&self.settled)) {
            let evidence = Evidence { operation: &operation, extra: None };
            totals.apply(&evidence, &settled, Sign::Plus);
        }
    }

    /// Counts the bytes of lines kept for readers that come later.
    pub fn backlog_bytes(&self) -> usize {
        self.backlog_bytes.load(Ordering::Relaxed)
    }

    /// Counts the operations that are open.
    pub fn open(&self) -> usize {
        lock(&self.core).decider.open()
    }
}

/// Says what a request asks of whoever serves it. What nobody counted is taken for less rather than more, so that nothing is
/// barred that may fit.
fn needs(arriving: &Arriving<'_>, names: &mut Names) -> Needs {
    let wants = &arriving.wants;
    let has_tools = arriving.measures.tools.is_some_and(|tools| tools > 0);
    let prompt = arriving.measures.prompt_tokens.unwrap_or(0);
    Needs {
        capabilities: capabilities(wants.vision, has_tools),
        labels: Labels::of(&wants.require, names),
        window: on_grid(prompt - prompt / 10),
        output: on_grid(wants.max_output.unwrap_or(0)),
        at_most: wants.at_most,
    }
}

impl Core {
    /// Returns the moment of what happens now: not before `least`, but where the clock was set back, which dates follow rather
    /// than stand still until it has caught up.
    fn dated(&self, now: Instant, least: Instant) -> Instant {
        if now.0 < self.last_at.0.saturating_sub(STEP.0) { now } else { now.max(least) }
    }

    /// Returns the moment of an event that decides: later than all that arrived and no later than what comes next, so that the
    /// log tells who was decided by which.
    fn event_at(&mut self, now: Instant) -> Instant {
        self.last_at = self.dated(now, Instant(self.last_at.0.saturating_add(1)));
        self.last_at
    }

    /// Returns how things stand for a request at a moment.
    fn circumstance(
        &self,
        needs: Needs,
        over: Vec<(ModelId, Short)>,
        at: Instant,
        wants: &Wants,
    ) -> Circumstance {
        let (down, full) = (self.decider.down_at(at), self.decider.full());
        let mut unreached: Vec<ModelId> =
            wants.unreached.iter().filter_map(|model| self.names.find_model(model)).collect();
        unreached.sort_unstable();
        let circumstance = Circumstance { needs, full, unreached, over, ..Circumstance::default() };
        if down.is_empty() {
            return circumstance;
        }
        circumstance.with_down(down, |model| self.names.identity(model))
    }

    /// Returns the id of a model that a client named.
    fn model(&mut self, name: &str, book: &PriceBook) -> ModelId {
        let is_one_too_many = self.names.models().len() >= MODELS
            && self.names.find_model(name).is_none()
            && !self.decider.budgets().name(&Dimension::Model, name);
        let listed = || book.find_named(name).map_or(OTHERS, |(listed, _)| listed);
        self.names.intern_model(if is_one_too_many { listed() } else { name })
    }

    /// Returns how an operation was decided.
    fn decision(&self, seq: u64, operation: &Operation, circumstance: &Circumstance) -> Decision {
        let open = self.decider.decision(seq).map(|(_, decision)| decision.clone());
        // Places are given out once, so that each is open; were one not, this is what it would have been.
        open.unwrap_or_else(|| {
            decide(self.decider.policy(), &operation.signals_by(self.decider.prices()), circumstance)
        })
    }

    fn send(
        &self,
        policy: &Policy,
        decision: &Decision,
        rung: u8,
        (cap, asked, plain_tier): (Option<u32>, u32, bool),
    ) -> Dispatch {
        let (route, at) = (policy.route(decision.route), usize::from(rung));
        let step = route.ladder.get(at).filter(|_| rung != NO_RUNG);
        let model = step.map_or(decision.model, |step| step.model);
        let facts = step.map_or_else(|| policy.facts(self.names.identity(model)), |step| step.facts);
        let with = step.map_or(&Parameters::NONE, |step| &step.with);
        let prices = self.decider.prices();
        // No model is asked for more than it is known to give.
        let gives = facts.max_output.or_else(|| prices.most_output(model));
        let beyond = gives.filter(|gives| asked >= *gives);
        let cap = cap.map(|cap| gives.map_or(cap, |gives| cap.min(gives))).or(beyond);
        // A rung's own limit is the most where the client leaves the length open.
        let most = with.max_output.map(|most| beyond.map_or(most, |gives| most.min(gives)));
        let lacks_tier = || !prices.row(model, self.last_at).is_some_and(prices_dearer);
        let is_plain = plain_tier && with.service_tier.is_none() && lacks_tier();
        let service_tier = with.service_tier.clone().or_else(|| is_plain.then(|| ORDINARY_TIER.into()));
        let logprobs = route.checks.as_ref().is_some_and(|checks| checks.wants_logprobs());
        let is_last = |_| decision.reach(route).after_failure(rung).is_none();
        let is_top = |_| rung < decision.rung || decision.open.at_or_after(at + 1).is_none();
        let name: Arc<str> = self.names.model(model).into();
        Dispatch {
            rung: step.map(|_| rung),
            name: Arc::clone(step.map_or(&name, |step| &step.name)),
            last: step.is_none_or(is_last),
            top: step.is_none_or(is_top),
            limits: route.limits(rung),
            with: Parameters { max_output: most.or(cap), service_tier, logprobs, ..with.clone() },
            checks: route.checks.clone(),
            model: name,
        }
    }
}

impl Called {
    /// Returns what stands in the log where no model may serve a request.
    pub fn refused(why: &str) -> Self {
        Self { usage: Usage::NONE, status: Status::Refused, error: why.to_owned(), ..Self::default() }
    }
}
