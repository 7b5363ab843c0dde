//! What has to stay in one order: decisions, the operations that are open, and the state of the guards.
//!
//! Invariants: one event brings about one thing at most, so that nothing a driver is told can be overlooked; a decided
//! operation keeps its policy and what the guards said; a call of nobody's operation is refused and counted, never free.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::adapting::{advice, learn};
use super::claims::Claims;
use super::warmth::{Before, wanted};
use super::{Arrival, Loops, Moved, OperationKey, Unexpected, is_answered};
use crate::bandit::{Advice, Learners};
use crate::budget::{Budgets, Draws, Hold, Limit, Over, Payer};
use crate::outcome::{Attempt, Evidence, Operation, Settled};
use crate::pricing::{PriceRow, PriceTable};
use crate::prompt_cache::{Answered, Caches, Prompt, Standing, Underway};
use crate::routing::{
    Availability, Bar, Circumstance, Decision, Follows, InFlight, NO_RUNG, Needs, Next, Policy, Short, Step,
    Why, after_attempt, decide,
};
use crate::runaway::{Runaways, Then, Whose};
use crate::units::{Instant, ModelId, Names, PerMille, Pico};

/// An operation that was sent and has not been answered.
#[derive(Clone, Debug)]
struct Open {
    operation: Operation,
    decision: Decision,
    /// The policy that decided; it escalates along its ladder also when another has come into force meanwhile.
    policy: Arc<Policy>,
    rung: u8,
    settled: Settled,
    claims: Claims,
    hold: Option<Hold>,
    /// Whose accounts the call that ends next is booked on, and at most with how much, where another model was billed than was called.
    billed: Option<(Draws, Pico)>,
    /// Whether the call that ends next is nobody's money.
    is_free: bool,
    /// Whose it is, where anybody is watched.
    whose: Option<Box<Whose>>,
    /// Its prompt, where anybody minds caches.
    turn: Option<Box<Underway>>,
    /// The tokens of its prompt as guards saw them, and the number of its request, where its route learns.
    told: (u32, u64),
    /// The limits at which it was counted: at each it is one request, however often it finds no room there.
    noted: Noted,
    /// How it moved its tool loop.
    moved: Moved,
}

/// Limits that kept a request from a call, each with who draws on it.
type Noted = SmallVec<[(Arc<Limit>, Arc<str>); 1]>;

/// Counts a request at a limit that keeps it from a call, where it is not counted there yet.
fn turn(noted: &mut Noted, over: &Over, budgets: &mut Budgets, at: Instant) {
    let is_it =
        |(limit, member): &(Arc<Limit>, Arc<str>)| Arc::ptr_eq(limit, &over.limit) && *member == over.member;
    if !noted.iter().any(is_it) {
        budgets.note(over, false, at);
        noted.push((Arc::clone(&over.limit), Arc::clone(&over.member)));
    }
}

impl Open {
    /// Returns the model whose call is under way.
    fn called(&self) -> ModelId {
        let ladder = &self.policy.route(self.decision.route).ladder;
        let rung = ladder.get(usize::from(self.rung)).filter(|_| self.rung != NO_RUNG);
        rung.map_or(self.decision.model, |rung| rung.model)
    }

    fn note(&mut self, attempt: Attempt) {
        self.settled.push(attempt);
        self.settled.rung = self.rung;
        self.decision.trail.push(Step::Attempted {
            model: attempt.model,
            status: attempt.status,
            check: attempt.check,
            observed: attempt.observed,
        });
    }
}

/// What follows an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Course {
    /// A model is to be called.
    Call {
        /// The rung; [`NO_RUNG`] where the client's own model serves.
        rung: u8,
        /// The model.
        model: ModelId,
        /// Why the request went up its ladder; `None` for its first call.
        why: Option<Why>,
    },
    /// The operation is over.
    Over(Box<Closed>),
}

/// An operation that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Closed {
    /// The operation.
    pub operation: Operation,
    /// How it was decided, attempts and escalations included.
    pub decision: Decision,
    /// What became of it.
    pub settled: Settled,
}

/// A call that belongs to no open operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("operation {0} is not open: it was never decided here, or is over already")]
pub struct UnknownOperation(pub OperationKey);

/// The state machine without its sums.
#[derive(Clone, Debug)]
pub struct Decider {
    pub(super) policy: Arc<Policy>,
    pub(super) prices: Arc<PriceTable>,
    open: FxHashMap<OperationKey, Open>,
    pub(super) at: Instant,
    pub(super) unexpected: Unexpected,
    availability: Availability,
    in_flight: InFlight,
    budgets: Budgets,
    runaways: Runaways,
    caches: Box<Caches>,
    learners: Box<Learners>,
    loops: Box<Loops>,
    spare: Vec<Settled>,
}

impl Decider {
    /// Starts one.
    pub fn new(policy: Arc<Policy>, prices: Arc<PriceTable>) -> Self {
        Self {
            policy,
            prices,
            open: FxHashMap::default(),
            at: Instant(i64::MIN),
            unexpected: Unexpected::default(),
            availability: Availability::default(),
            in_flight: InFlight::default(),
            budgets: Budgets::default(),
            runaways: Runaways::default(),
            caches: Box::default(),
            learners: Box::default(),
            loops: Box::default(),
            spare: Vec::new(),
        }
    }

    /// Returns the settled operation back, so that its memory serves the next one.
    pub fn recycle(&mut self, settled: Settled) {
        if self.spare.len() < 64 {
            self.spare.push(settled);
        }
    }

    /// Lets time reach a moment.
    pub fn seen(&mut self, at: Instant) {
        self.at = self.at.max(at);
    }

    /// Takes a request in and says where it goes; nothing where its key is taken.
    pub fn arrived(&mut self, arrival: Arrival<'_>) -> Option<Course> {
        self.seen(arrival.operation.at);
        if self.open.contains_key(&arrival.key) {
            self.unexpected.repeated_arrivals += 1;
            return None;
        }
        let mut operation = arrival.operation;
        let signals = operation.signals_by(&self.prices);
        let decision = decide(&self.policy, &signals, arrival.circumstance);
        let mut settled = self.spare.pop().unwrap_or_default();
        settled.begin(&self.policy, decision.route, decision.rung);
        let noted = self.note_over(&arrival, &decision);
        if decision.refused {
            settled.push(Attempt::REFUSED);
            let evidence = Evidence { operation: &operation, extra: None };
            settled.conclude(&evidence, self.policy.baseline, &self.prices);
            return Some(Course::Over(Box::new(Closed { operation, decision, settled })));
        }
        let (rung, model) = (decision.rung, decision.model);
        let whose_loop = (operation.ask, signals.known_as);
        let moved = self.loops.decided(whose_loop, &self.policy, &decision, arrival.circumstance);
        self.in_flight.begin(self.prices.identity(model));
        let policy = Arc::clone(&self.policy);
        let claims = arrival.claims.cloned().unwrap_or_default();
        let hold = claims.of(model).map(|claim| self.budgets.take(claim.draws, claim.amount, operation.at));
        let whose = arrival.whose;
        let turn = arrival.prompt.map(|prompt| Box::new(self.turn(*prompt, &mut operation, &decision)));
        let told = (arrival.circumstance.needs.window, arrival.key);
        let billed = None;
        let open = Open {
            operation,
            decision,
            policy,
            rung,
            settled,
            claims,
            hold,
            billed,
            is_free: false,
            whose,
            turn,
            told,
            noted,
            moved,
        };
        self.open.insert(arrival.key, open);
        Some(Course::Call { rung, model, why: None })
    }

    /// Takes in the prompt of a turn that was placed, and says what its first call is expected to cost.
    fn turn(
        &mut self,
        (prompt, blocked): (Prompt, Arc<[u32]>),
        operation: &mut Operation,
        decision: &Decision,
    ) -> Underway {
        let Self { policy, prices, caches, .. } = self;
        let before = Before { policy, prices, operation, prompt: &prompt, blocked: &blocked };
        let expected = before.expected(caches, decision);
        operation.expected = expected.and_then(std::num::NonZeroU64::new);
        let wanted = wanted(decision);
        if let Some(wanted) = wanted {
            caches.placed(policy.route(decision.route).tag, &prompt, wanted);
        }
        Underway { prompt, wanted: wanted.unwrap_or(decision.rung), account: 0 }
    }

    /// Says how the session of a request that is arriving stands with caches.
    pub fn standing(&self, operation: &Operation, prompt: &Prompt, blocked: &[u32]) -> Standing {
        let (policy, prices) = (&*self.policy, &*self.prices);
        Before { policy, prices, operation, prompt, blocked }.standing(&self.caches)
    }

    /// Says where the turn before a request that is arriving was served, where it goes on in a tool loop.
    pub fn follows(&self, operation: &Operation) -> Follows {
        self.loops.follows(operation.ask).unwrap_or_default()
    }

    /// Goes on with tool loops as they stood before.
    pub fn go_on_in(&mut self, loops: Loops) {
        *self.loops = loops;
    }

    /// Says what is known of the rungs of the route of a request that is arriving, where that learns.
    pub fn advice(&mut self, operation: &Operation, window: u32) -> Advice {
        advice(&mut self.learners, &self.policy, &self.prices, (operation, window))
    }

    /// Hears by which number verdicts will call an operation that has arrived.
    pub fn known_by(&mut self, key: OperationKey, id: u64) {
        if let Some(open) = self.open.get_mut(&key) {
            open.told.1 = id;
        }
    }

    /// Takes a verdict on the answer of a model to the request of a number.
    pub fn judged(&mut self, id: u64, model: ModelId, quality: PerMille, at: Instant) {
        let prices = &self.prices;
        self.learners.judged(id, quality, at, |answered| prices.same(answered, model));
    }

    /// Returns what routes have learnt.
    pub fn learners(&self) -> &Learners {
        &self.learners
    }

    /// Goes on with what routes had learnt before.
    pub fn go_on_with(&mut self, learners: Learners) {
        *self.learners = learners;
    }

    /// Lists the operations that are open.
    pub fn open_keys(&self) -> impl Iterator<Item = OperationKey> {
        self.open.keys().copied()
    }

    /// Says what the first call of an open operation was expected to cost.
    pub fn expected(&self, key: OperationKey) -> Option<std::num::NonZeroU64> {
        self.open.get(&key)?.operation.expected
    }

    /// Hears on which accounts the call of an operation is booked that ends next, and with how much at most: another model was
    /// billed than was called.
    pub fn billed_to(&mut self, key: OperationKey, draws: Draws, most: Pico) {
        if let Some(open) = self.open.get_mut(&key) {
            open.billed = Some((draws, most));
        }
    }

    /// Hears that a call of an operation that has ended cost nobody anything.
    pub fn was_free(&mut self, key: OperationKey) {
        if let Some(open) = self.open.get_mut(&key) {
            open.is_free = true;
        }
    }

    /// Hears which account a call of an operation went to that has ended, as a number.
    pub fn served_by(&mut self, key: OperationKey, account: u32) {
        if let Some(turn) = self.open.get_mut(&key).and_then(|open| open.turn.as_mut()) {
            turn.account = account;
        }
    }

    /// Returns what caches hold.
    pub fn caches(&self) -> &Caches {
        &self.caches
    }

    /// Returns the same, to bring rules into force.
    pub fn caches_mut(&mut self) -> &mut Caches {
        &mut self.caches
    }

    /// Counts a request that budgets turned away from where it was placed; returns at which limit.
    fn note_over(&mut self, arrival: &Arrival<'_>, decision: &Decision) -> Noted {
        let mut noted = Noted::new();
        let Some(claims) = arrival.claims else { return noted };
        let is_elsewhere = || decision.trail.iter().any(|step| matches!(step, Step::PassedOn { .. }));
        if let Some(over) = claims.turned(&self.policy, decision, arrival.operation.asked)
            && (decision.refused || is_elsewhere())
        {
            self.budgets.note(over, decision.refused, arrival.operation.at);
            noted.push((Arc::clone(&over.limit), Arc::clone(&over.member)));
        }
        noted
    }

    /// Has a request wait that is about to arrive, where all that keeps it from being served is a limit that queues. Returns
    /// its turn and that limit.
    pub fn wait(
        &mut self,
        operation: &Operation,
        circumstance: &Circumstance,
        claims: &Claims,
        turn: Option<u64>,
    ) -> Option<(u64, Over)> {
        let decision = decide(&self.policy, &operation.signals_by(&self.prices), circumstance);
        let over = decision.refused.then(|| claims.turned(&self.policy, &decision, operation.asked))??;
        Some((self.budgets.wait(over, turn, operation.at)?, over.clone()))
    }

    /// Takes a call that ended badly, after which the same model is to be asked once more. Returns what follows instead where
    /// budgets have no room for another.
    ///
    /// # Errors
    /// Where no such operation is open.
    pub fn retried(
        &mut self,
        key: OperationKey,
        attempt: Attempt,
    ) -> Result<Option<Course>, UnknownOperation> {
        self.ended(key, attempt)?;
        let open = self.open.get_mut(&key).ok_or(UnknownOperation(key))?;
        let (model, at) = (open.called(), open.operation.at);
        if is_stopped(&self.runaways, open) {
            open.decision.trail.push(Step::Barred { rung: open.rung, why: Bar::Runaway(Then::Freeze) });
            return self.follow(key, attempt, None).map(Some);
        }
        if let Some(over) = open.claims.ask(&mut self.budgets, model, at) {
            open.decision.trail.push(Step::Barred { rung: open.rung, why: Bar::Budget(Short::Hard) });
            turn(&mut open.noted, &over, &mut self.budgets, at);
            return self.follow(key, attempt, None).map(Some);
        }
        open.hold = open.claims.of(model).map(|claim| self.budgets.take(claim.draws, claim.amount, at));
        Ok(None)
    }

    /// Takes the end of a call: books what it cost.
    fn ended(&mut self, key: OperationKey, attempt: Attempt) -> Result<(), UnknownOperation> {
        let Some(open) = self.open.get_mut(&key) else {
            self.unexpected.unknown_operations += 1;
            return Err(UnknownOperation(key));
        };
        open.note(attempt);
        let billed = open.billed.take().filter(|_| attempt.status.is_call());
        match (open.hold.take(), billed) {
            (hold, Some((draws, most))) => {
                let mut held = Pico::ZERO;
                if let Some(hold) = hold {
                    held = hold.amount();
                    self.budgets.release(hold);
                }
                // What goes beyond what was held is seen to do so; where nobody knows it, it is the most.
                let amount = if attempt.cost.amount().is_some() { held } else { most };
                let hold = self.budgets.take(&draws, amount, open.operation.at);
                self.budgets.settle(hold, attempt.cost);
            }
            (Some(hold), None) if attempt.status.is_call() => self.budgets.settle(hold, attempt.cost),
            (Some(hold), None) => self.budgets.release(hold),
            (None, None) => {}
        }
        let is_paid = !std::mem::take(&mut open.is_free) && attempt.status.is_call();
        if let Some(whose) = open.whose.as_deref().filter(|_| is_paid) {
            self.runaways.spent(whose, attempt.cost);
        }
        if let Some(turn) = open.turn.as_deref().filter(|_| attempt.status.is_ok()) {
            let (model, at) = (self.prices.identity(attempt.model), open.operation.at);
            let Attempt { usage, cost, .. } = &attempt;
            self.caches.answered(turn, &Answered { model, at, usage, cost: *cost, prices: &self.prices });
        }
        Ok(())
    }

    /// Takes the end of a call to a model and says what follows.
    ///
    /// # Errors
    /// Where no such operation is open.
    pub fn attempted(
        &mut self,
        key: OperationKey,
        attempt: Attempt,
        evidence: Option<&Evidence<'_>>,
    ) -> Result<Course, UnknownOperation> {
        self.ended(key, attempt)?;
        self.follow(key, attempt, evidence)
    }

    /// Says what follows a call that has been booked.
    fn follow(
        &mut self,
        key: OperationKey,
        attempt: Attempt,
        evidence: Option<&Evidence<'_>>,
    ) -> Result<Course, UnknownOperation> {
        let open = self.open.get_mut(&key).ok_or(UnknownOperation(key))?;
        self.in_flight.end(self.prices.identity(open.called()));
        let route = open.policy.route(open.decision.route);
        let ladder = &route.ladder;
        let at = open.operation.at;
        while let Next::Escalate { to, why } =
            after_attempt(open.rung, open.decision.reach(route), attempt.status, attempt.check)
            && let Some(next) = ladder.get(usize::from(to))
        {
            if is_stopped(&self.runaways, open) {
                open.decision.close(usize::from(to));
                open.decision.trail.push(Step::Barred { rung: to, why: Bar::Runaway(Then::Freeze) });
                continue;
            }
            if let Some(over) = open.claims.ask(&mut self.budgets, next.model, at) {
                open.decision.close(usize::from(to));
                open.decision.trail.push(Step::Barred { rung: to, why: Bar::Budget(Short::Hard) });
                turn(&mut open.noted, &over, &mut self.budgets, at);
                continue;
            }
            let claim = open.claims.of(next.model);
            open.hold = claim.map(|claim| self.budgets.take(claim.draws, claim.amount, at));
            self.loops.moved(open.operation.ask, next, &mut open.moved);
            let falls = to < open.rung;
            open.rung = to;
            self.in_flight.begin(self.prices.identity(next.model));
            open.settled.escalated = true;
            open.decision.trail.push(if falls {
                Step::Fell { to, why }
            } else {
                Step::Escalated { to, why }
            });
            return Ok(Course::Call { rung: to, model: next.model, why: Some(why) });
        }
        let Open { operation, decision, policy, mut settled, told, moved, .. } =
            self.open.remove(&key).ok_or(UnknownOperation(key))?;
        if !is_answered(attempt.status, &attempt.usage) {
            self.loops.unanswered(operation.ask, moved);
        }
        let bare = Evidence { operation: &operation, extra: None };
        settled.conclude(evidence.unwrap_or(&bare), policy.baseline, &self.prices);
        let (window, id) = told;
        let route = policy.route(decision.route);
        learn(&mut self.learners, route, (&operation, window), (&decision, &settled), (id, key));
        Ok(Course::Over(Box::new(Closed { operation, decision, settled })))
    }

    /// Reckons what a request that is arriving claims of budgets; one that waits has a turn, and there may be models that cost nobody
    /// anything. Returns the models that they have no room for, too.
    pub fn claim(
        &mut self,
        operation: &Operation,
        needs: &Needs,
        payer: (&Payer<'_>, &Names),
        turn: (Option<u64>, &dyn Fn(ModelId) -> bool),
    ) -> (Claims, Vec<(ModelId, Short)>) {
        let by = (&*self.policy, &*self.prices);
        let claims = Claims::reckon(&mut self.budgets, by, operation, needs, payer, turn);
        let short = claims.short();
        (claims, short)
    }

    /// Returns the budgets.
    pub fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// Returns the budgets, to change their limits or to book what was spent before.
    pub fn budgets_mut(&mut self) -> &mut Budgets {
        &mut self.budgets
    }

    /// Returns who is watched and who is stopped.
    pub fn runaways(&self) -> &Runaways {
        &self.runaways
    }

    /// Returns the same, to change rules and stops, or to ask about a request that arrives.
    pub fn runaways_mut(&mut self) -> &mut Runaways {
        &mut self.runaways
    }

    /// Brings another policy into force; an older one is unexpected.
    pub fn change_policy(&mut self, policy: Arc<Policy>) {
        if policy.version <= self.policy.version {
            self.unexpected.stale_policies += 1;
        } else {
            self.policy = policy;
        }
    }

    /// Changes a price.
    pub fn change_price(&mut self, model: ModelId, row: PriceRow) {
        Arc::make_mut(&mut self.prices).change(model, row);
    }

    /// Takes the prices of models that were named for the first time.
    pub fn load_prices(&mut self, prices: Arc<PriceTable>) {
        self.prices = prices;
    }

    /// Takes what a provider says of a model: it cannot be called before a moment, or can again.
    pub fn signal(&mut self, at: Instant, model: ModelId, until: Option<Instant>) {
        self.seen(at);
        self.availability.signal(model, until);
    }

    /// Lists the models that providers say cannot be called at a moment, in ascending order.
    pub fn down_at(&self, at: Instant) -> Vec<ModelId> {
        self.availability.down_at(at)
    }

    /// Lists the models that have as many calls under way as the policy in force lets them, in ascending order.
    pub fn full(&self) -> Vec<ModelId> {
        self.in_flight.full(&self.policy, |model| self.prices.identity(model))
    }

    /// Returns how an open operation was decided, and by which policy.
    pub fn decision(&self, key: OperationKey) -> Option<(&Arc<Policy>, &Decision)> {
        self.open.get(&key).map(|open| (&open.policy, &open.decision))
    }

    /// Counts the operations that are open.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Returns the policy in force.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Returns the prices in force.
    pub fn prices(&self) -> &Arc<PriceTable> {
        &self.prices
    }

    /// Counts the events that fitted nothing.
    pub fn unexpected(&self) -> Unexpected {
        self.unexpected
    }
}

/// Says whether whoever sent an open operation was stopped since.
fn is_stopped(runaways: &Runaways, open: &Open) -> bool {
    open.whose.as_deref().is_some_and(|whose| runaways.is_stopped(whose))
}
