//! A log run anew as discrete events, for policies whose decisions depend on how requests before were routed.
//!
//! Arrivals come from the log; a call ends when the log says, or as long after its begin as is estimated; each decision is
//! made on the state of its instant. Invariant: what ends at the instant of an arrival has ended before it, and of several
//! ends at one instant that of the earlier request comes first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use super::adapted::Adapted;
use super::spending::Spending;
use super::warmed::Warmed;
use super::whose::whose_of;
use super::{Log, PolicySpan};
use crate::budget::Over;
use crate::engine::{Loops, Moved, is_answered, kept};
use crate::outcome::{Attempt, Evidence, History, Outlook, Settled, routed};
use crate::pricing::PriceTable;
use crate::routing::{AskId, Bar, Circumstance, Decision, InFlight, Policy, RouteId, Short, Step, decide};
use crate::runaway::{Then, Whose};
use crate::units::{Instant, ModelId, Span};
use crate::world::Sky;

/// A call that gives way to another, or to none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    at: Instant,
    /// The place of its request in the order of arrival, and its own within that.
    order: (usize, usize),
    leaves: ModelId,
    enters: ModelId,
}

/// What is under way while a log is run anew.
#[derive(Debug, Default)]
pub struct Fold {
    in_flight: InFlight,
    turns: BinaryHeap<Reverse<Turn>>,
    circumstance: Circumstance,
    settled: Settled,
    /// The budgets beside it.
    pub(super) spending: Option<Spending>,
    /// The world that it runs in.
    pub(super) sky: Option<Box<Sky>>,
    /// What prompt caches hold, where they are minded.
    pub(super) warmed: Option<Box<Warmed>>,
    /// What verdicts teach, where routes learn.
    pub(super) adapted: Option<Box<Adapted>>,
    loops: Loops,
    /// Turns of tool loops that nobody answers, by when they end and their place in the order of arrival.
    unanswered: BTreeMap<(Instant, usize), (AskId, Moved)>,
    /// What of the prompt of the last request was warm, where that is not as the log tells.
    pub(super) warm: Option<u32>,
}

impl Fold {
    /// Starts one with budgets beside it.
    pub(super) fn with(spending: Spending) -> Self {
        Self { spending: Some(spending), ..Self::default() }
    }

    /// Lets it mind what prompt caches hold and what verdicts teach, where any of these policies does.
    #[must_use]
    pub(super) fn minding<'a>(
        mut self,
        log: &Log,
        policies: impl Iterator<Item = &'a Arc<Policy>> + Clone,
    ) -> Self {
        self.warmed = Warmed::of(log, policies.clone().map(|policy| &**policy));
        self.adapted = Adapted::of(log, policies.map(|policy| &**policy));
        self
    }

    /// Decides the next request in order of arrival on the state of its instant. Returns how things stood, and what becomes
    /// of it. It never waits.
    pub fn arrive(
        &mut self,
        index: usize,
        evidence: &Evidence<'_>,
        policy: &Policy,
        outlook: &Outlook<'_>,
    ) -> (&Circumstance, &Settled) {
        self.met(index, evidence, policy, outlook, None);
        (&self.circumstance, &self.settled)
    }

    /// Likewise, unless all that keeps it from being served is a limit that queues; one that waits already has a turn, and has
    /// waited too long where it is late.
    ///
    /// # Errors
    /// Where it waits: its turn, and that limit.
    pub(super) fn arrive_or_wait(
        &mut self,
        index: usize,
        evidence: &Evidence<'_>,
        policy: &Policy,
        outlook: &Outlook<'_>,
        (turn, is_late): (Option<u64>, bool),
    ) -> Result<(&Circumstance, &Settled), (u64, Box<Over>)> {
        if !is_late
            && self.spending.as_ref().is_some_and(Spending::queues)
            && let Some(waits) = self.wait(index, evidence, policy, outlook, turn)
        {
            return Err(waits);
        }
        self.met(index, evidence, policy, outlook, turn);
        Ok((&self.circumstance, &self.settled))
    }

    /// Has a request wait that finds no room on a limit that queues, and nothing else in its way. Whoever is stopped does not wait.
    fn wait(
        &mut self,
        index: usize,
        evidence: &Evidence<'_>,
        policy: &Policy,
        outlook: &Outlook<'_>,
        turn: Option<u64>,
    ) -> Option<(u64, Box<Over>)> {
        let mut sky = self.sky.take();
        if let Some(sky) = &mut sky {
            sky.look(index, evidence.operation);
        }
        let outlook = Outlook { weather: sky.as_deref().map(|sky| &sky.weather), ..*outlook };
        let waits = self.wait_under(sky.as_deref(), evidence, policy, &outlook, turn);
        self.sky = sky;
        waits
    }

    fn wait_under(
        &mut self,
        sky: Option<&Sky>,
        evidence: &Evidence<'_>,
        policy: &Policy,
        outlook: &Outlook<'_>,
        turn: Option<u64>,
    ) -> Option<(u64, Box<Over>)> {
        let operation = evidence.operation;
        self.reach(operation.at, outlook.prices);
        self.stand(evidence, policy, outlook, sky);
        if let Some(sky) = sky {
            let is_stopped = sky.is_stopped(self.watched(sky, evidence).as_ref());
            self.circumstance.runaway = if is_stopped { Then::Freeze } else { Then::Tell };
        }
        let spending = self.spending.as_mut()?;
        let shortage = spending.short(evidence, policy, &self.circumstance, outlook, turn);
        let is_stopped = self.circumstance.runaway == Then::Freeze;
        if is_stopped || !shortage.short.iter().any(|(_, short)| *short == Short::Queue) {
            return None;
        }
        self.circumstance.over = shortage.short;
        let decision = decide(policy, &operation.signals_by(outlook.prices), &self.circumstance);
        let (_, over) =
            decision.refused.then(|| turned(policy, &decision, operation.asked, &shortage.overs))??;
        Some((spending.wait(over, turn, operation.at)?, Box::new(over.clone())))
    }

    /// Says who sent a request, where the world watches anybody.
    fn watched(&self, sky: &Sky, evidence: &Evidence<'_>) -> Option<Whose> {
        let spending = self.spending.as_ref().filter(|_| sky.watches())?;
        Some(whose_of(&spending.names, evidence))
    }

    /// Finds out how things stand for a request that arrives, but for budgets and runaways.
    fn stand(&mut self, evidence: &Evidence<'_>, policy: &Policy, outlook: &Outlook<'_>, sky: Option<&Sky>) {
        let prices = outlook.prices;
        let told = outlook.circumstances.get(evidence.operation.circumstance);
        self.circumstance.clone_from(told);
        // A loop whose beginning is not in the log stands as that tells.
        self.circumstance.follows = self.loops.follows(evidence.operation.ask).unwrap_or(told.follows);
        if let Some(warmed) = &mut self.warmed {
            self.circumstance.standing = warmed.standing(evidence, &told.standing, policy, prices);
        }
        if let Some(adapted) = &mut self.adapted {
            let window = told.needs.window;
            self.circumstance.advice = adapted.advice(evidence, window, policy, prices);
        }
        self.circumstance.full = self.in_flight.full(policy, |model| prices.identity(model));
        if let Some(sky) = sky {
            let down = sky.down.iter().chain(&told.down).copied().collect();
            let circumstance = std::mem::take(&mut self.circumstance);
            self.circumstance = circumstance.with_down(down, |model| prices.known_as(model));
        }
    }

    fn met(
        &mut self,
        index: usize,
        evidence: &Evidence<'_>,
        policy: &Policy,
        outlook: &Outlook<'_>,
        turn: Option<u64>,
    ) {
        let mut sky = self.sky.take();
        let whose = sky.as_ref().and_then(|sky| self.watched(sky, evidence));
        let then = sky.as_mut().map(|sky| sky.arrive(index, evidence.operation, whose.as_ref()));
        let prices = outlook.prices;
        let outlook = &Outlook { weather: sky.as_deref().map(|sky| &sky.weather), ..*outlook };
        self.reach(evidence.operation.at, prices);
        self.stand(evidence, policy, outlook, sky.as_deref());
        if let Some(then) = then {
            self.circumstance.runaway = then;
        }
        let mut overs = Vec::new();
        if let Some(spending) = self.spending.as_mut().filter(|spending| spending.decides) {
            let shortage = spending.short(evidence, policy, &self.circumstance, outlook, turn);
            (self.circumstance.over, overs) = (shortage.short, shortage.overs);
        }
        let route = self.settle(index, evidence, policy, outlook, &overs);
        if let Some(spending) = &mut self.spending {
            spending.book(evidence, &policy.route(route).name, &self.circumstance, (&self.settled, outlook));
        }
        if let Some(sky) = &mut sky {
            sky.settle(evidence.operation, &self.settled, whose.as_ref(), prices);
        }
        self.sky = sky;
    }

    /// Takes in a request that stays as it was decided.
    pub fn keep(&mut self, index: usize, evidence: &Evidence<'_>, policy: &Policy, outlook: &Outlook<'_>) {
        self.reach(evidence.operation.at, outlook.prices);
        let told = outlook.circumstances.get(evidence.operation.circumstance);
        self.circumstance.clone_from(told);
        if let Some(warmed) = &mut self.warmed {
            // As it stood then; only who it is matters here.
            drop(warmed.standing(evidence, &told.standing, policy, outlook.prices));
        }
        self.settle(index, evidence, policy, outlook, &[]);
    }

    /// Lets time reach a moment.
    fn reach(&mut self, at: Instant, prices: &PriceTable) {
        if let Some(warmed) = &mut self.warmed {
            warmed.reach(at, prices);
        }
        if let Some(adapted) = &mut self.adapted {
            adapted.reach(at, prices);
        }
        while let Some(Reverse(turn)) = self.turns.peek().filter(|Reverse(turn)| turn.at <= at) {
            self.in_flight.end(turn.leaves);
            self.in_flight.begin(turn.enters);
            self.turns.pop();
        }
        while let Some(first) = self.unanswered.first_entry().filter(|first| first.key().0 <= at) {
            let (ask, moved) = first.remove();
            self.loops.unanswered(ask, moved);
        }
    }

    fn settle(
        &mut self,
        index: usize,
        evidence: &Evidence<'_>,
        policy: &Policy,
        outlook: &Outlook<'_>,
        overs: &[(ModelId, Over)],
    ) -> RouteId {
        let operation = evidence.operation;
        let signals = operation.signals_by(outlook.prices);
        let mut decision = decide(policy, &signals, &self.circumstance);
        let ladder = &policy.route(decision.route).ladder;
        let over = turned(policy, &decision, operation.asked, overs);
        let goes_elsewhere = || decision.trail.iter().any(|step| matches!(step, Step::PassedOn { .. }));
        if let (Some(over), Some(spending)) = (over, &mut self.spending)
            && (decision.refused || goes_elsewhere())
        {
            spending.turn(index, operation.at, over, decision.refused);
        }
        // Where it goes along its ladder, it goes where there was room.
        for (at, rung) in ladder.iter().enumerate() {
            if self.circumstance.short(rung.known_as).is_some_and(|short| short != Short::Soft)
                && at != usize::from(decision.rung)
            {
                decision.close(at);
            }
        }
        self.warm = evidence.operation.warm;
        let mut own = *operation;
        if let Some(warmed) = &mut self.warmed {
            self.warm = warmed.placed(evidence, policy, &decision, outlook.prices);
            own.warm = self.warm;
            self.circumstance.standing = kept(&self.circumstance.standing, policy, &decision);
        }
        let evidence = &Evidence { operation: &own, extra: evidence.extra };
        routed(evidence, policy, &decision, outlook, &mut self.settled);
        let whose_loop = (own.ask, signals.known_as);
        let mut moved = self.loops.decided(whose_loop, policy, &decision, &self.circumstance);
        if let Some(last) =
            ladder.get(usize::from(self.settled.rung)).filter(|_| self.settled.rung != decision.rung)
        {
            self.loops.moved(own.ask, last, &mut moved);
        }
        if let Some(warmed) = &mut self.warmed {
            warmed.settled(index, evidence, (&decision, &self.settled), outlook);
        }
        if let Some(adapted) = &mut self.adapted {
            let window = self.circumstance.needs.window;
            adapted.settled(index, (evidence, window), policy, (&decision, &self.settled), outlook);
        }
        let mut at = operation.at;
        let mut calling = ModelId::NONE;
        let mut turn = |at, nth, leaves: ModelId, enters: ModelId| {
            if leaves != enters {
                self.turns.push(Reverse(Turn { at, order: (index, nth), leaves, enters }));
            }
        };
        for (nth, attempt) in self.settled.attempts.iter().enumerate() {
            let model =
                if attempt.status.is_call() { outlook.prices.identity(attempt.model) } else { ModelId::NONE };
            if nth == 0 {
                self.in_flight.begin(model);
            } else {
                turn(at, nth, calling, model);
            }
            calling = model;
            let took = attempt.latency.get().unwrap_or(0).saturating_add(u64::from(attempt.waited));
            at = at + Span::millis(took);
        }
        turn(at, self.settled.attempts.len(), calling, ModelId::NONE);
        let is_unanswered = |last: &Attempt| !is_answered(last.status, &last.usage);
        if own.ask.key().is_some() && self.settled.attempts.last().is_some_and(is_unanswered) {
            self.unanswered.insert((at, index), (own.ask, moved));
        }
        decision.route
    }
}

/// Returns the limit that turned a request away from the first rung that it was kept from, with the model there.
fn turned<'o>(
    policy: &Policy,
    decision: &Decision,
    asked: ModelId,
    overs: &'o [(ModelId, Over)],
) -> Option<&'o (ModelId, Over)> {
    let ladder = &policy.route(decision.route).ladder;
    let model_of = |rung: u8| ladder.get(usize::from(rung)).map_or(asked, |rung| rung.model);
    decision.trail.iter().find_map(|step| match step {
        Step::Barred { rung, why: Bar::Budget(_) } => {
            overs.iter().find(|(model, _)| *model == model_of(*rung))
        }
        _ => None,
    })
}

/// Says whether any policy's decisions depend on how requests before were routed.
pub fn any_remembers(policies: &[PolicySpan]) -> bool {
    policies.iter().any(|span| span.policy.remembers())
}

/// Hears of a request, under its policy, what became of it; stops the walk by answering false.
type Take<'t, 'a> = &'t mut dyn FnMut(usize, &Evidence<'_>, &'a Arc<Policy>, &Settled) -> bool;

/// Walks a log in order of arrival, each request under the policy of its time. `take` hears of each request what became of
/// it and may stop by answering false; says whether it did not.
pub(super) fn walk<'a>(log: &'a Log, (policies, end): (&'a [PolicySpan], usize), take: Take<'_, 'a>) -> bool {
    let mut fold = Fold::default().minding(log, policies.iter().map(|span| &span.policy));
    let outlook = log.outlook();
    for (index, recalled) in log.history.range(log.history.start(), end) {
        let evidence = recalled.evidence();
        let Some(policy) = PolicySpan::in_force(policies, index) else { continue };
        let (_, settled) = fold.arrive(index, &evidence, policy, &outlook);
        if !take(index, &evidence, policy, settled) {
            return false;
        }
    }
    true
}

impl Log {
    /// Says whether decisions under these policies depend on how requests before were routed: any of them remembers, or there are
    /// tool loops in it.
    pub fn remembers(&self, policies: &[PolicySpan]) -> bool {
        self.circumstances.have_loops() || any_remembers(policies)
    }

    /// Returns the log as these policies would have let it come from a place on; itself where nothing depends on what was before.
    pub(super) fn met_by(self: &Arc<Self>, policies: &[PolicySpan], from: usize) -> Arc<Self> {
        if self.remembers(policies) { Arc::new(self.anew(policies, from)) } else { Arc::clone(self) }
    }

    /// Returns the log with how things stood at its requests from a place on, as these policies would have let it come.
    pub(super) fn anew(&self, policies: &[PolicySpan], from: usize) -> Self {
        let mut fold = Fold::default().minding(self, policies.iter().map(|span| &span.policy));
        let outlook = self.outlook();
        let mut circumstances = (*self.circumstances).clone();
        let mut history: History = self.history.clone();
        for (index, recalled) in self.history.range(self.history.start(), self.history.len()) {
            let evidence = recalled.evidence();
            let Some(policy) = PolicySpan::in_force(policies, index) else { continue };
            if index < from {
                fold.keep(index, &evidence, policy, &outlook);
                continue;
            }
            let (circumstance, _) = fold.arrive(index, &evidence, policy, &outlook);
            let id = circumstances.intern(circumstance);
            let operation = evidence.operation;
            if id != operation.circumstance || fold.warm != operation.warm {
                history.set_circumstance(index, id, fold.warm);
            }
        }
        Self { history, circumstances: Arc::new(circumstances), ..self.clone() }
    }
}
