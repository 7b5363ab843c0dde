//! What a request claims of budgets: for each model that may serve it, the most that a call can cost, and whose money it is.
//!
//! Invariant: a model without a price is never held at nothing: at the most that any model could cost, or not called.

use smallvec::SmallVec;

use crate::budget::{Budgets, Draws, Mode, Over, OverLimit, Payer};
use crate::outcome::Operation;
use crate::pricing::{PriceRow, PriceTable, costs_more, may_cost_more, prices_dearer, worst};
use crate::routing::{AtMost, Bar, Decision, Facts, NO_RUNG, Needs, Policy, Route, Short, Step, match_route};
use crate::units::{Instant, ModelId, Names, Pico};

/// One model's claim.
#[derive(Clone, Debug)]
struct Claim {
    model: ModelId,
    amount: Pico,
    draws: Draws,
    /// Whether its model has no price.
    is_unpriced: bool,
    over: Option<Box<Over>>,
}

/// The claims of one request; none where no budget is about it.
#[derive(Clone, Debug, Default)]
pub struct Claims(SmallVec<[Claim; 4]>);

/// A claim that budgets have room for, or whose room was never asked about.
pub(super) struct Granted<'a> {
    /// How much.
    pub(super) amount: Pico,
    /// Of which accounts.
    pub(super) draws: &'a Draws,
}

impl Claims {
    /// Reckons them for a request that is arriving.
    pub(super) fn reckon(
        budgets: &mut Budgets,
        (policy, prices): (&Policy, &PriceTable),
        operation: &Operation,
        needs: &Needs,
        (payer, names): (&Payer<'_>, &Names),
        (turn, is_free): (Option<u64>, &dyn Fn(ModelId) -> bool),
    ) -> Self {
        if !budgets.counts() {
            return Self::default();
        }
        let signals = operation.signals();
        let route = policy.route(match_route(policy, &signals));
        let pinned = route.serves_as_named(&signals).then_some(operation.asked);
        let models =
            pinned.into_iter().chain(route.ladder.iter().map(|rung| rung.model).filter(|_| pinned.is_none()));
        let mut claims = Self::default();
        for model in models {
            if claims.0.iter().any(|known| known.model == model) || is_free(model) {
                continue;
            }
            let payer = Payer {
                route: &route.name,
                model: names.model(model),
                listed: names.model(prices.identity(model)),
                task: operation.class.name(),
                ..*payer
            };
            let draws = budgets.draws(&payer);
            if draws.is_empty() {
                continue;
            }
            let written = Written { is_open: needs.output == 0, by_rungs: pinned.is_none() };
            let whom = (policy, Some(route), model);
            // A client's tier that has no price is not sent.
            let at_most = AtMost { dearer_tier: false, ..needs.at_most };
            let wish = held(prices, whom, operation.at, at_most, written);
            let (amount, is_unpriced) = wish;
            let over = budgets.turning_away(&draws, wish, operation.at, turn).map(Box::new);
            claims.0.push(Claim { model, amount, draws, is_unpriced, over });
        }
        claims
    }

    /// Lists the models that budgets have no room for, in ascending order.
    pub(super) fn short(&self) -> Vec<(ModelId, Short)> {
        let lacks = |claim: &Claim| claim.over.as_ref().map(|over| (claim.model, short(over)));
        let mut list: Vec<_> = self.0.iter().filter_map(lacks).collect();
        list.sort_unstable();
        list
    }

    /// Returns the limit that has no room for a call to a model.
    pub fn over(&self, model: ModelId) -> Option<&Over> {
        self.find(model)?.over.as_deref()
    }

    /// Returns the limit that turned a request away from the rung on which it was placed.
    pub fn turned(&self, policy: &Policy, decision: &Decision, asked: ModelId) -> Option<&Over> {
        let rung = decision.trail.iter().find_map(|step| match step {
            Step::Barred { rung, why: Bar::Budget(_) } => Some(*rung),
            _ => None,
        })?;
        let ladder = &policy.route(decision.route).ladder;
        self.over(ladder.get(usize::from(rung)).filter(|_| rung != NO_RUNG).map_or(asked, |rung| rung.model))
    }

    /// Says whether any hard limit is about the request, so that there has to be a most that its calls can cost.
    pub fn are_hard(&self, budgets: &Budgets) -> bool {
        self.0.iter().any(|claim| budgets.any_hard(&claim.draws))
    }

    /// Returns what is to be held for a call to a model.
    pub(super) fn of(&self, model: ModelId) -> Option<Granted<'_>> {
        self.find(model).map(|claim| Granted { amount: claim.amount, draws: &claim.draws })
    }

    /// Says whether no budget is about the request.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Asks anew whether hard limits have room for a call to a model.
    pub(super) fn ask(&self, budgets: &mut Budgets, model: ModelId, at: Instant) -> Option<Over> {
        let claim = self.find(model)?;
        budgets.lacking(&claim.draws, (claim.amount, claim.is_unpriced), at)
    }

    fn find(&self, model: ModelId) -> Option<&Claim> {
        self.0.iter().find(|claim| claim.model == model)
    }
}

/// The longest prompt that a model takes of which nobody says how long it may be.
const LARGEST: u32 = 1 << 20;

/// Returns how long a prompt a model takes at most, as policy says, or else the price book; none where neither does.
fn context(policy: &Policy, route: Option<&Route>, prices: &PriceTable, model: ModelId) -> Option<u32> {
    facts(policy, route, prices, model).context.or_else(|| prices.longest(model))
}

fn facts(policy: &Policy, route: Option<&Route>, prices: &PriceTable, model: ModelId) -> Facts {
    let rung = route.and_then(|route| route.ladder.iter().find(|rung| rung.model == model));
    rung.map_or_else(|| policy.facts(prices.identity(model)), |rung| rung.facts)
}

/// Returns how many tokens a model writes at most, as policy says, or else the price book; none where neither does.
fn gives(policy: &Policy, route: Option<&Route>, prices: &PriceTable, model: ModelId) -> Option<u32> {
    facts(policy, route, prices, model).max_output.or_else(|| prices.most_output(model))
}

/// Bounds an answer by how long each of those that were asked for may be.
fn as_given(at_most: AtMost, each: Option<u32>) -> AtMost {
    let most = each.map_or(u32::MAX, |each| {
        each.saturating_mul(at_most.choices.max(1)).saturating_add(at_most.predicted)
    });
    AtMost { output: at_most.output.min(most), ..at_most }
}

/// What is written into a request.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    /// Whether its client leaves the length of an answer open: a rung's own limit is then the most.
    pub is_open: bool,
    /// Whether rungs write into it.
    pub by_rungs: bool,
}

/// Returns what is held for a call to a model: the most that it can cost by what it takes and gives and by what is written into the
/// request, and where it has no price, the most that one to any model can. Says which it was.
pub fn held(
    prices: &PriceTable,
    (policy, route, model): (&Policy, Option<&Route>, ModelId),
    at: Instant,
    at_most: AtMost,
    written: Written,
) -> (Pico, bool) {
    let at_most = as_given(at_most, gives(policy, route, prices, model));
    let at_most = match route.filter(|_| written.by_rungs) {
        Some(route) => as_written(at_most, written.is_open, route, model),
        None => at_most,
    };
    within(prices, model, at, at_most, context(policy, route, prices, model))
}

/// The same by what the price book alone says of a model.
pub fn held_by_book(prices: &PriceTable, model: ModelId, at: Instant, at_most: AtMost) -> (Pico, bool) {
    let at_most = as_given(at_most, prices.most_output(model));
    within(prices, model, at, at_most, prices.longest(model))
}

fn within(
    prices: &PriceTable,
    model: ModelId,
    at: Instant,
    mut at_most: AtMost,
    context: Option<u32>,
) -> (Pico, bool) {
    if at_most.is_elsewhere {
        at_most.prompt = at_most.prompt.max(context.unwrap_or(LARGEST));
    }
    let known = most(prices, model, at, at_most);
    known.map_or_else(|| (of_any(prices, at, at_most), true), |amount| (amount, false))
}

/// Bounds a call by what the rungs of its model write into requests: how long an answer may be, and in which service tier it is made.
fn as_written(at_most: AtMost, is_open: bool, route: &Route, model: ModelId) -> AtMost {
    let mut all = None;
    for rung in route.ladder.iter().filter(|rung| rung.model == model) {
        let longest = AtMost { output: u32::MAX, ..at_most };
        let bounded = if is_open && rung.with.max_output.is_some() { longest } else { at_most };
        let output = as_given(bounded, rung.with.max_output).output;
        let tier = rung.with.service_tier.as_deref();
        let any_tier = tier.map_or(at_most.any_tier, may_cost_more);
        let dearer_tier = tier.is_some_and(costs_more);
        let so_far: AtMost = all.unwrap_or(AtMost { output, any_tier, dearer_tier, ..at_most });
        let (output, any_tier) = (so_far.output.max(output), so_far.any_tier || any_tier);
        all = Some(AtMost { output, any_tier, dearer_tier: so_far.dearer_tier || dearer_tier, ..so_far });
    }
    all.unwrap_or(at_most)
}

/// Says how a limit without room turns a model away.
pub fn short(over: &Over) -> Short {
    match (over.limit.mode, over.limit.over) {
        (Mode::Soft, _) => Short::Soft,
        (_, OverLimit::Refuse) => Short::Refuse,
        (_, OverLimit::Queue) => Short::Queue,
        _ => Short::Hard,
    }
}

/// Returns the most that a call to a model can cost; none where it has no price, or asks for what has none.
pub fn most(prices: &PriceTable, model: ModelId, at: Instant, at_most: AtMost) -> Option<Pico> {
    let row = prices.row(model, at)?;
    let is_priced = !at_most.other_models && (!at_most.dearer_tier || prices_dearer(row));
    is_priced.then(|| most_by(row, at_most))
}

fn most_by(row: &PriceRow, at_most: AtMost) -> Pico {
    worst(row, (u64::from(at_most.prompt), u64::from(at_most.output)), at_most.any_tier)
}

/// Returns the most that a call to any model with a price can cost.
pub fn of_any(prices: &PriceTable, at: Instant, at_most: AtMost) -> Pico {
    let all = (0..prices.len()).filter_map(|at| u16::try_from(at).ok().map(ModelId));
    let rows = all.filter_map(|model| prices.row(model, at));
    rows.map(|row| most_by(row, at_most)).max().unwrap_or(Pico(i128::MAX))
}
