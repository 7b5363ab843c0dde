//! What prompt caches hold while a log is run anew.
//!
//! Invariants: prompts are told apart by their sessions alone, as memory keeps no hashes; where a session is as the log has it, what
//! the log says was read stands; a call is known once it has ended.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use super::Log;
use crate::engine::{Before, wanted};
use crate::outcome::{Choice, Evidence, Outlook, Settled};
use crate::pricing::{Cost, PriceTable, Usage};
use crate::prompt_cache::{Answered, Caches, Prompt, RuleTable, Rules, Standing, Underway};
use crate::routing::{Decision, Policy};
use crate::units::{Instant, ModelId, Names, SessionId, Span, UserId};

/// A call that was answered, and when it ends.
#[derive(Clone, Debug)]
struct Ended {
    turn: Underway,
    model: ModelId,
    /// When its request arrived.
    at: Instant,
    usage: Usage,
    cost: Cost,
}

/// Caches while a log is run anew.
#[derive(Debug, Default)]
pub(super) struct Warmed {
    caches: Caches,
    /// The model where each session is as the log has it.
    told: FxHashMap<(SessionId, UserId), ModelId>,
    /// Ends of calls, by their moment and the place of their request.
    ends: BinaryHeap<Reverse<(Instant, usize)>>,
    ended: FxHashMap<usize, Ended>,
    prompt: Prompt,
}

impl Warmed {
    /// Begins with nothing warm.
    pub(super) fn new(rules: &std::sync::Arc<Rules>, names: &Names) -> Self {
        let mut caches = Caches::default();
        caches.rule(RuleTable::new(std::sync::Arc::clone(rules)));
        caches.know(names);
        Self { caches, ..Self::default() }
    }

    /// Begins, where any of these policies minds caches.
    pub(super) fn of<'a>(log: &Log, mut policies: impl Iterator<Item = &'a Policy>) -> Option<Box<Self>> {
        policies.any(Policy::minds_caches).then(|| Box::new(Self::new(&log.caching, &log.names)))
    }

    /// Lets time reach a moment.
    pub(super) fn reach(&mut self, at: Instant, prices: &PriceTable) {
        while let Some(Reverse((_, index))) = self.ends.peek().filter(|Reverse((end, _))| *end <= at).copied()
        {
            self.ends.pop();
            if let Some(Ended { turn, model, at, usage, cost }) = self.ended.remove(&index) {
                self.caches.answered(&turn, &Answered { model, at, usage: &usage, cost, prices });
            }
        }
    }

    /// Says how the session of a request stands that arrives, by what is told of it.
    pub(super) fn standing(
        &mut self,
        evidence: &Evidence<'_>,
        told: &Standing,
        policy: &Policy,
        prices: &PriceTable,
    ) -> Standing {
        let operation = evidence.operation;
        self.prompt = Prompt {
            session: number(operation.session, operation.user),
            tokens: evidence.basis().and_then(|basis| basis.call.usage.prompt()).unwrap_or(0),
            tie: told.tie,
            ..Prompt::default()
        };
        let prompt = &self.prompt;
        Before { policy, prices, operation, prompt, blocked: &[] }.standing(&self.caches)
    }

    /// Says what of the prompt of a request is warm where it goes, where that is not as the log tells; counts it among the turns.
    pub(super) fn placed(
        &mut self,
        evidence: &Evidence<'_>,
        policy: &Policy,
        decision: &Decision,
        prices: &PriceTable,
    ) -> Option<u32> {
        let operation = evidence.operation;
        let prompt = &self.prompt;
        if let Some(wanted) = wanted(decision) {
            self.caches.placed(policy.route(decision.route).tag, prompt, wanted);
        }
        let rung = policy.route(decision.route).ladder.get(usize::from(decision.rung))?;
        let place = self.caches.place(prompt).map(|(model, _)| model);
        let session = (operation.session, operation.user);
        let is_as_told = place == self.told.get(&session).copied();
        let is_seen = evidence.observed(Choice::from(rung), prices).next().is_some();
        if is_as_told && is_seen {
            return None;
        }
        Before { policy, prices, operation, prompt, blocked: &[] }.warm(&self.caches, decision)
    }

    /// Takes what became of it.
    pub(super) fn settled(
        &mut self,
        index: usize,
        evidence: &Evidence<'_>,
        (decision, settled): (&Decision, &Settled),
        outlook: &Outlook<'_>,
    ) {
        let operation = evidence.operation;
        if self.prompt.session == 0 {
            return;
        }
        let served = &operation.served;
        if served.status.is_ok() && served.model.is_some() {
            let model = outlook.prices.identity(served.model);
            self.told.insert((operation.session, operation.user), model);
        }
        let Some(last) = settled.attempts.last().filter(|last| last.status.is_ok()) else { return };
        let end = operation.at + Span::millis(settled.latency.get().unwrap_or(0));
        let wanted = wanted(decision).unwrap_or(decision.rung);
        let turn = Underway { prompt: std::mem::take(&mut self.prompt), wanted, account: 0 };
        let (model, cost) = (outlook.prices.identity(last.model), settled.cost);
        self.ended.insert(index, Ended { turn, model, at: operation.at, usage: last.usage, cost });
        self.ends.push(Reverse((end, index)));
    }
}

fn number(session: SessionId, agent: UserId) -> u64 {
    session.index().map_or(0, |_| (u64::from(session.0) + 1) << 16 | u64::from(agent.0))
}
