//! Budgets of a live session: brought into force, booked, asked about; what requests claim of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustc_hash::FxHashSet;

use super::made_up::MadeUpCosts;
use super::{Arriving, Called, Core, Live, Ticket, lock};
use crate::budget::{Drawn, Limit, Payer, Standing};
use crate::engine::{Claims, Written, held};
use crate::outcome::Operation;
use crate::pricing::PriceBook;
use crate::routing::{AtMost, Bar, Decision, Needs, Short, Step, TAG};
use crate::units::{Instant, ModelId, tag, tag_set};

/// Returns the tags among what a log tells beside a request.
fn tags_of(words: &[Arc<str>]) -> String {
    tag_set(words.iter().filter_map(|word| tag(word.strip_prefix(TAG)?)))
}

/// Limits that came into force while requests arrived, on which nothing stands of what was spent before.
#[derive(Debug, Default)]
pub struct Uncounted {
    /// Their numbers.
    pub limits: Vec<u16>,
    /// The first request that draws on them.
    pub next: u64,
    /// Those before it that were under way.
    pub open: FxHashSet<u64>,
}

impl Live {
    /// Hears whose answers are made up, and whether that is so of all providers.
    pub fn simulates(&self, is_trial: bool, is_one: impl Fn(&str) -> bool + Send + 'static) {
        let made_up = &mut lock(&self.core).made_up;
        made_up.is_trial = is_trial;
        made_up.is_one = Some(Box::new(is_one));
    }

    /// Says whether all providers are simulated.
    pub fn is_trial(&self) -> bool {
        lock(&self.core).made_up.is_trial
    }

    /// Returns what answers that were made up would have cost.
    pub fn made_up(&self) -> MadeUpCosts {
        lock(&self.core).made_up.costs.clone()
    }

    /// Says whether any budget is in force.
    pub fn has_budgets(&self) -> bool {
        self.has_budgets.load(Ordering::Relaxed)
    }

    /// Brings other limits into force; what was drawn on those that were in force before stands. Returns those that nobody
    /// counted so far.
    pub fn limit(&self, limits: Vec<Limit>) -> Uncounted {
        let mut core = lock(&self.core);
        let limits = core.decider.budgets_mut().change(limits);
        core.ring();
        self.has_budgets.store(!core.decider.budgets().is_empty(), Ordering::Relaxed);
        let open = if limits.is_empty() { FxHashSet::default() } else { core.decider.open_keys().collect() };
        Uncounted { limits, next: core.next_seq, open }
    }

    /// Returns those of some operations that are over.
    pub fn ended_of(&self, open: &FxHashSet<u64>) -> FxHashSet<u64> {
        let core = lock(&self.core);
        let still: FxHashSet<u64> = core.decider.open_keys().filter(|key| open.contains(key)).collect();
        open.difference(&still).copied().collect()
    }

    /// Lists the limits in force.
    pub fn limits(&self) -> Vec<Arc<Limit>> {
        lock(&self.core).decider.budgets().limits().cloned().collect()
    }

    /// Books what was spent before limits were in force, in the order in which requests arrived: on all, or on those named.
    pub fn draw(&self, before: &[(Drawn<'_>, AtMost, Written)], on: Option<&[u16]>) {
        let mut core = lock(&self.core);
        for (drawn, at_most, written) in before {
            let book = self.book();
            let model = core.model(drawn.payer.model, &book);
            core.price_new_models(&book);
            let billed = core.billed_instead(drawn.billed, model, &book);
            let (prices, model) = (Arc::clone(core.decider.prices()), billed.unwrap_or(model));
            let name = |model| core.names.model(model).to_owned();
            let (listed, billed) = (name(prices.identity(model)), billed.map(name));
            let named = billed.as_deref().unwrap_or(drawn.payer.model);
            let payer = Payer { model: named, listed: &listed, ..drawn.payer };
            // As much as was held for it, where nobody knows.
            let amount = drawn.cost.amount().unwrap_or_else(|| {
                let policy = core.decider.policy();
                let route = policy.routes.iter().find(|route| *route.name == *payer.route);
                held(&prices, (policy, route, model), drawn.at, *at_most, *written).0
            });
            let budgets = core.decider.budgets_mut();
            let mut draws = budgets.draws(&payer);
            draws.retain(|(limit, _)| on.is_none_or(|on| on.contains(limit)));
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
    /// Finds the model that was billed, where it is another than was called.
    fn billed_instead(&mut self, billed: &str, called: ModelId, book: &PriceBook) -> Option<ModelId> {
        if billed.is_empty() {
            return None;
        }
        let model = self.model(billed, book);
        self.price_new_models(book);
        (!self.decider.prices().same(model, called)).then_some(model)
    }

    /// Has a call that ends booked on the accounts of the model billed, where that is another than was called; one that was made
    /// up beside real ones is nobody's.
    pub(super) fn pay_as_billed(&mut self, ticket: &Ticket, call: &Called, book: &PriceBook) {
        if call.simulated && !self.made_up.is_trial {
            self.decider.was_free(ticket.seq);
            return;
        }
        let Some(billed) = call.billed.as_deref().filter(|_| self.decider.budgets().counts()) else {
            return;
        };
        let billed = self.model(billed, book);
        let prices = Arc::clone(self.decider.prices());
        let Ticket { operation, said, needs, policy, decision, .. } = ticket;
        let tags = tags_of(&ticket.down);
        let payer = Payer {
            team: &said.whose.team,
            project: &said.whose.project,
            user: &said.whose.user,
            key: &said.whose.key,
            session: &said.whose.session,
            route: &policy.route(decision.route).name,
            model: self.names.model(billed),
            listed: self.names.model(prices.identity(billed)),
            task: operation.class.name(),
            tags: &tags,
        };
        let draws = self.decider.budgets_mut().draws(&payer);
        let whom = (&**policy, Some(policy.route(decision.route)), billed);
        let written = Written { is_open: needs.output == 0, by_rungs: false };
        let (most, _) = held(&prices, whom, operation.at, needs.at_most, written);
        self.decider.billed_to(ticket.seq, draws, most);
    }

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
        let Self { decider, names, made_up, .. } = self;
        let is_free = |model| made_up.is_free(names.model(model));
        let (claims, mut over) = decider.claim(operation, needs, (&payer, names), (turn, &is_free));
        for (model, _) in &mut over {
            *model = self.names.identity(*model);
        }
        over.sort_unstable();
        (claims, over)
    }
}
