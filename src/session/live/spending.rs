//! Budgets of a live session: brought into force, booked, asked about; what requests claim of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Arriving, Core, Live, Ticket, lock};
use crate::budget::{Drawn, Limit, Payer, Standing};
use crate::engine::Claims;
use crate::outcome::Operation;
use crate::pricing::worst;
use crate::routing::{Bar, Decision, Needs, Short, Step};
use crate::units::{Instant, ModelId, Pico};

impl Live {
    /// Says whether any budget is in force.
    pub fn has_budgets(&self) -> bool {
        self.has_budgets.load(Ordering::Relaxed)
    }

    /// Brings other limits into force; what was drawn on those of the same names stands.
    pub fn limit(&self, limits: Vec<Limit>) {
        let mut core = lock(&self.core);
        core.decider.budgets_mut().change(limits);
        core.ring();
        self.has_budgets.store(!core.decider.budgets().is_empty(), Ordering::Relaxed);
    }

    /// Lists the limits in force.
    pub fn limits(&self) -> Vec<Arc<Limit>> {
        lock(&self.core).decider.budgets().limits().cloned().collect()
    }

    /// Books what was spent before this session, in the order in which requests arrived.
    pub fn draw(&self, before: &[Drawn<'_>]) {
        let mut core = lock(&self.core);
        for drawn in before {
            let book = self.book();
            let model = core.model(drawn.payer.model, &book);
            core.price_new_models(&book);
            let prices = Arc::clone(core.decider.prices());
            let listed = core.names.model(prices.identity(model)).to_owned();
            let payer = Payer { listed: &listed, ..drawn.payer };
            let amount = match drawn.cost.amount() {
                Some(amount) => amount,
                // As much as would have been held for it.
                None => {
                    prices.row(model, drawn.at).map_or(Pico::ZERO, |row| worst(row, drawn.at_most, false))
                }
            };
            let budgets = core.decider.budgets_mut();
            let draws = budgets.draws(&payer);
            let hold = budgets.take(&draws, amount, drawn.at);
            budgets.settle(hold, drawn.cost);
        }
    }

    /// Returns the earliest moment from which anything that was spent still counts; none where no budget is in force.
    pub fn budgets_since(&self, now: Instant) -> Option<Instant> {
        let core = lock(&self.core);
        let standings = core.decider.budgets().standings(now, false);
        standings.iter().map(|one| one.account.window.start).min()
    }

    /// Lists how all budgets stand.
    pub fn budgets(&self, now: Instant) -> Vec<Standing> {
        let core = lock(&self.core);
        let budgets = core.decider.budgets().clone();
        drop(core);
        let mut standings = budgets.standings(now, false);
        budgets.spread(&mut standings, now, &mut lock(&self.spreads));
        standings
    }

    /// Writes down which models there was no room for when the request was to go up to them.
    pub(super) fn note_later(&self, ticket: &mut Ticket, decision: &Decision) {
        let ladder = &ticket.policy.route(decision.route).ladder;
        let (mut later, mut called) = (Vec::new(), None);
        for step in &decision.trail {
            match step {
                Step::Attempted { .. } => called = called.or(Some(ticket.decision.rung)),
                Step::Escalated { to, .. } | Step::Fell { to, .. } => called = Some(*to),
                // One of the rung itself kept it from being tried once more.
                Step::Barred { rung, why: Bar::Budget(_) | Bar::Runaway(_) }
                    if called.is_some_and(|called| *rung != called) =>
                {
                    later.extend(ladder.get(usize::from(*rung)).map(|rung| rung.model));
                }
                _ => {}
            }
        }
        if later.is_empty() {
            return;
        }
        let core = lock(&self.core);
        for model in later {
            ticket.down.push(format!("{}{}", Short::Later.name(), core.names.model(model)).into());
            ticket.more_down = true;
        }
    }
}

impl Core {
    /// Reckons what a request claims of budgets.
    pub(super) fn claim(
        &mut self,
        arriving: &Arriving<'_>,
        operation: &Operation,
        needs: &Needs,
        turn: Option<u64>,
    ) -> (Claims, Vec<(ModelId, Short)>) {
        let Arriving { team, project, user, session, tags, wants, .. } = arriving;
        let payer = Payer { team, project, user, session, key: &wants.key, tags, ..Payer::default() };
        let (claims, mut over) = self.decider.claim(operation, needs, (&payer, &self.names), turn);
        for (model, _) in &mut over {
            *model = self.names.identity(*model);
        }
        over.sort_unstable();
        (claims, over)
    }
}
