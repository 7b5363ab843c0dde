//! Budgets over a log: who would have drawn on which, when each ran out, whom it would have turned away or moved.
//!
//! Invariant: as recorded, every call stands as it was made and only counts; as routed, each request is decided on how the budgets
//! stood at its arrival. A call is held at what it cost or would have, which a gateway cannot know: near its limit it is stricter.

use super::whose::payer;
use crate::budget::{Budgets, Draws, Limit, LimitHistory, Member, Mode, Over, OverLimit, Spreads, Standing};
use crate::engine::{held_by_book, short};
use crate::outcome::{Attempt, Choice, Evidence, Observed, Outlook, Settled, on_model, recorded};
use crate::pricing::Cost;
use crate::routing::{AtMost, Circumstance, Policy, Short, decide, match_route};
use crate::units::{Instant, ModelId, Names, Pico};

/// The tokens of an answer where nobody limited it, as a gateway holds for it.
const ANSWER: u32 = 8192;
/// Requests turned away or moved that are kept one by one; all are counted.
const KEPT: usize = 20_000;

/// Budgets beside a run over a log.
#[derive(Clone, Debug, Default)]
pub struct Spending {
    pub(super) budgets: Budgets,
    /// The limits over time, and how many of their changes are in force.
    history: LimitHistory,
    changes: usize,
    /// Whether others have come into force, and nobody has looked at what that means.
    turned_over: bool,
    /// Whether what there is room for is decided here, and not what the log tells of it; everything is booked all the same.
    pub(super) decides: bool,
    pub(super) names: Names,
    turned: Vec<Turned>,
    refused: u64,
    moved: u64,
    waited: u64,
}

/// A request that a budget would have turned away or moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turned {
    /// Its place in the log.
    pub index: usize,
    /// When it arrived.
    pub at: Instant,
    /// The limit: `teams/day of search`.
    pub limit: String,
    /// The model there was no room for.
    pub model: ModelId,
    /// Whether it was refused.
    pub refused: bool,
}

/// What budgets come to over a log.
#[derive(Clone, Debug)]
pub struct Budgeted {
    /// Every window of every account, and untouched limits.
    pub standings: Vec<Standing>,
    /// Requests that would have been refused.
    pub refused: u64,
    /// Requests that would have gone elsewhere.
    pub moved: u64,
    /// Requests that would have waited for room.
    pub waited: u64,
    /// The first of both.
    pub turned: Vec<Turned>,
    /// Holds that nobody gave back: none.
    pub open_holds: u64,
}

impl Spending {
    /// Starts with nothing spent.
    pub fn new(limits: &LimitHistory, names: &Names) -> Self {
        let mut budgets = Budgets::new(limits.first().iter().cloned());
        budgets.count(limits.later().iter().flat_map(|(_, later)| later.iter().cloned()));
        let (history, names) = (limits.clone(), names.share());
        Self { budgets, history, names, decides: true, ..Self::default() }
    }

    /// Returns when other limits come into force next, if they do.
    pub(super) fn changes_at(&self) -> Option<Instant> {
        self.history.later().get(self.changes).map(|(at, _)| *at)
    }

    /// Brings the limits of a moment into force; what was spent stands.
    pub(super) fn reach(&mut self, at: Instant) {
        while let Some((_, limits)) = self.history.later().get(self.changes).filter(|(from, _)| *from <= at) {
            self.budgets.change(limits.iter().cloned());
            (self.changes, self.turned_over) = (self.changes + 1, true);
        }
    }

    /// Lists every window, each with as much as might be spent in it at its end.
    fn all_windows(&self, at: Instant) -> Vec<Standing> {
        let mut standings = self.budgets.standings(at, true);
        for one in standings.iter_mut().filter(|_| self.changes > 0) {
            let end = one.account.window.end.map_or(at, |end| at.min(Instant(end.0.saturating_sub(1))));
            if let Some(limit) = self.history.then(&one.limit.name(), end) {
                one.amount = limit.amount_of(&one.member);
            }
        }
        standings
    }

    /// Takes the names of a log that has grown.
    pub(super) fn know(&mut self, names: &Names) {
        self.names = names.share();
    }

    /// Finds the accounts that a call to a model would draw on.
    pub(super) fn draws(
        &mut self,
        evidence: &Evidence<'_>,
        route: &str,
        (model, outlook): (ModelId, &Outlook<'_>),
    ) -> Draws {
        self.reach(evidence.operation.at);
        if evidence.stands_in(model) {
            return Draws::new();
        }
        let Self { budgets, names, .. } = self;
        budgets.draws(&payer(names, evidence, route, billed(evidence, model), outlook))
    }

    /// Lists the models of a request's route that there is no room for.
    pub(super) fn short(
        &mut self,
        evidence: &Evidence<'_>,
        policy: &Policy,
        circumstance: &Circumstance,
        outlook: &Outlook<'_>,
        turn: Option<u64>,
    ) -> Shortage {
        let signals = evidence.operation.signals();
        let route = policy.route(match_route(policy, &signals));
        let named = route.serves_as_named(&signals).then(|| Choice::plain(evidence.operation.asked));
        let ladder = route.ladder.iter().map(Choice::from).filter(|_| named.is_none());
        let (mut lacks, mut overs) = (Vec::new(), Vec::new());
        for choice in named.into_iter().chain(ladder) {
            let model = choice.model;
            let known_as = outlook.prices.known_as(model);
            if lacks.iter().any(|(known, _)| *known == known_as) {
                continue;
            }
            let draws = self.draws(evidence, &route.name, (model, outlook));
            if draws.is_empty() {
                continue;
            }
            let would = on_model(evidence, choice, outlook);
            let bound = bound(would.cost, model, evidence, circumstance, outlook);
            if let Some(over) = self.budgets.turning_away(&draws, bound, evidence.operation.at, turn) {
                lacks.push((known_as, short(&over)));
                overs.push((model, over));
            }
        }
        lacks.sort_unstable();
        Shortage { short: lacks, overs }
    }

    /// Says whether any limit has requests wait.
    pub(super) fn queues(&self) -> bool {
        let queues = |limit: &Limit| limit.mode == Mode::Hard && limit.over == OverLimit::Queue;
        self.decides && self.budgets.limits().any(|limit| queues(limit))
    }

    /// Has a request wait at a limit, with its turn or a new one; none where it cannot.
    pub(super) fn wait(&mut self, over: &Over, turn: Option<u64>, at: Instant) -> Option<u64> {
        let taken = self.budgets.wait(over, turn, at)?;
        self.waited += u64::from(turn.is_none());
        Some(taken)
    }

    /// Counts a request that there was no room for.
    pub(super) fn turn(&mut self, index: usize, at: Instant, (model, over): &(ModelId, Over), refused: bool) {
        self.budgets.note(over, refused, at);
        *(if refused { &mut self.refused } else { &mut self.moved }) += 1;
        if self.turned.len() < KEPT {
            self.turned.push(Turned { index, at, limit: over.source(), model: *model, refused });
        }
    }

    /// Notes where there was no room for the calls that a request made, and what its route would have done about it: where no
    /// rung has room it is refused, whatever the limit says of moving.
    fn observe(
        &mut self,
        index: usize,
        evidence: &Evidence<'_>,
        policy: &Policy,
        circumstance: &Circumstance,
        (settled, outlook): (&Settled, &Outlook<'_>),
    ) {
        // That there was no room then is told; which limit had none is seen as it stood.
        if !circumstance.over.is_empty() {
            self.reach(evidence.operation.at);
            let told = Circumstance { over: Vec::new(), ..circumstance.clone() };
            if let Some(over) = self.short(evidence, policy, &told, outlook, None).overs.first() {
                let is_call = settled.attempts.iter().any(|attempt| attempt.status.is_call());
                return self.turn(index, evidence.operation.at, over, !is_call);
            }
        }
        let Some(first) = settled.attempts.first().filter(|attempt| attempt.status.is_call()) else { return };
        let (model, at) = (first.model, evidence.operation.at);
        let signals = evidence.operation.signals();
        let route = &policy.route(match_route(policy, &signals)).name;
        let draws = self.draws(evidence, route, (model, outlook));
        let bound = bound(first.cost, model, evidence, circumstance, outlook);
        let Some(over) = self.budgets.turning_away(&draws, bound, at, None) else { return };
        if matches!(short(&over), Short::Refuse | Short::Queue) {
            return self.turn(index, at, &(model, over), true);
        }
        let shortage = self.short(evidence, policy, circumstance, outlook, None);
        let stood = Circumstance { over: shortage.short, ..circumstance.clone() };
        let decision = decide(policy, &evidence.operation.signals_by(outlook.prices), &stood);
        if decision.refused || !outlook.prices.same(decision.model, model) {
            self.turn(index, at, &(model, over), decision.refused);
        }
    }

    /// Books what a request's calls cost.
    pub(super) fn book(
        &mut self,
        evidence: &Evidence<'_>,
        route: &str,
        circumstance: &Circumstance,
        (settled, outlook): (&Settled, &Outlook<'_>),
    ) {
        for attempt in settled.attempts.iter().filter(|attempt| attempt.status.is_call()) {
            let call = self.call(evidence, route, circumstance, (attempt, outlook));
            self.pay(&call, evidence.operation.at);
        }
    }

    /// Finds whose money a call is, and how much of it.
    pub(super) fn call(
        &mut self,
        evidence: &Evidence<'_>,
        route: &str,
        circumstance: &Circumstance,
        (attempt, outlook): (&Attempt, &Outlook<'_>),
    ) -> Payment {
        let draws = self.draws(evidence, route, (attempt.model, outlook));
        let cost = attempt.cost;
        if draws.is_empty() {
            return Payment { draws, most: Pico::ZERO, cost };
        }
        let (most, _) = bound(cost, attempt.model, evidence, circumstance, outlook);
        Payment { draws, most, cost }
    }

    /// Books what a call cost.
    pub(super) fn pay(&mut self, Payment { draws, most, cost }: &Payment, at: Instant) {
        if !draws.is_empty() {
            let hold = self.budgets.take(draws, *most, at);
            self.budgets.settle(hold, *cost);
        }
    }

    /// Returns how an account of a limit in force stands in the window of a moment.
    pub(super) fn standing(&mut self, draw: (u16, Member), at: Instant) -> Option<Standing> {
        self.budgets.standing(draw, at).filter(|_| self.budgets.is_in_force(draw.0))
    }

    /// Brings other limits into force; what was spent stands. Returns the numbers of those that nobody counted so far.
    pub(super) fn change(&mut self, limits: &[Limit]) -> Vec<u16> {
        self.turned_over = true;
        self.budgets.change(limits.iter().cloned())
    }

    /// Says whether other limits have come into force since this was asked last.
    pub(super) fn take_turned_over(&mut self) -> bool {
        std::mem::take(&mut self.turned_over)
    }

    /// Has an account stand at what a gateway says was spent of it in a window, where that is more than is known here, with
    /// what is `ahead`: known and not counted yet.
    pub(super) fn raise(&mut self, told: &Standing, ahead: impl Fn((u16, Member)) -> Pico, of: &[u16]) {
        let Some(draw) = self.budgets.account_of(&told.limit, &told.member) else { return };
        if !of.contains(&draw.0) {
            return;
        }
        let start = told.account.window.start;
        let known = self.budgets.standing(draw, start).map_or(Pico::ZERO, |known| known.account.spent);
        let lacks = told.account.spent.0.saturating_sub(known.0).saturating_sub(ahead(draw).0);
        if lacks <= 0 {
            return;
        }
        self.budgets.carry(&told.limit, &told.member, start, Pico(lacks));
        self.turned_over = true;
    }

    /// Adds what was spent before the log began.
    pub(super) fn carry(&mut self, before: &[Before]) {
        for Before { limit, member, start, spent } in before {
            self.budgets.carry(limit, member, *start, *spent);
        }
    }

    /// Books a request as it was recorded, and notes where there was no room for it.
    pub(super) fn recorded(
        &mut self,
        index: usize,
        evidence: &Evidence<'_>,
        policy: &Policy,
        outlook: &Outlook<'_>,
        settled: &mut Settled,
    ) {
        let route = match_route(policy, &evidence.operation.signals());
        recorded(evidence, policy, route, outlook, settled);
        let circumstance = outlook.circumstances.get(evidence.operation.circumstance);
        self.observe(index, evidence, policy, circumstance, (settled, outlook));
        self.book(evidence, &policy.route(route).name, circumstance, (settled, outlook));
    }

    /// Lists how the windows of a moment stand.
    pub(super) fn standings(&mut self, at: Instant, spreads: &mut Spreads) -> Vec<Standing> {
        self.reach(at);
        let mut standings = self.budgets.standings(at, false);
        self.budgets.spread(&mut standings, at, spreads);
        standings
    }

    /// Ends the run, and says between which totals the fullest accounts will end.
    pub(super) fn end_foretold(mut self, at: Instant) -> Budgeted {
        self.reach(at);
        let mut standings = self.all_windows(at);
        self.budgets.spread(&mut standings, at, &mut Spreads::default());
        Budgeted { standings, ..self.end(at) }
    }

    /// Ends the run: lists how all windows stand.
    pub fn end(mut self, at: Instant) -> Budgeted {
        // Requests that none of them let through bring later limits into force, too.
        self.reach(at);
        Budgeted {
            standings: self.all_windows(at),
            refused: self.refused,
            moved: self.moved,
            waited: self.waited,
            turned: self.turned,
            open_holds: self.budgets.open_holds(),
        }
    }
}

/// Returns the model that was billed where one was called; the same where nobody says otherwise.
fn billed(evidence: &Evidence<'_>, model: ModelId) -> ModelId {
    let is_other = |call: &&Observed| call.model == model && call.billed.is_some();
    evidence.attempts().find(is_other).map_or(model, |call| call.billed)
}

/// What was spent of an account before the log began.
#[derive(Clone, Debug)]
pub(super) struct Before {
    pub(super) limit: Limit,
    pub(super) member: String,
    pub(super) start: Instant,
    pub(super) spent: Pico,
}

/// Whose money a call is, how much it can be at most, and how much it was.
#[derive(Clone, Debug)]
pub(super) struct Payment {
    pub(super) draws: Draws,
    most: Pico,
    pub(super) cost: Cost,
}

/// The models that there is no room for, in ascending order, and the limits that have none.
pub(super) struct Shortage {
    pub(super) short: Vec<(ModelId, Short)>,
    pub(super) overs: Vec<(ModelId, Over)>,
}

/// Returns what is held for a call of a log: what it cost, or can cost at most; and whether that is what one to the most expensive
/// model can cost, as its own has no price.
fn bound(
    cost: Cost,
    model: ModelId,
    evidence: &Evidence<'_>,
    circumstance: &Circumstance,
    outlook: &Outlook<'_>,
) -> (Pico, bool) {
    if let Some(amount) = cost.amount() {
        return (amount, false);
    }
    let (needs, at) = (&circumstance.needs, evidence.operation.at);
    let output = if needs.output == 0 { ANSWER } else { needs.output };
    // A gateway's log tells it of those whose cost may stay unknown.
    let is_told = needs.at_most != AtMost::default();
    let at_most =
        if is_told { needs.at_most } else { AtMost { prompt: needs.window, output, ..AtMost::default() } };
    held_by_book(outlook.prices, model, at, at_most)
}
