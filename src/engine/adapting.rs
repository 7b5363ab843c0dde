//! What a route that learns knows of its rungs when a request arrives, and what an answer teaches it.
//!
//! Invariants: live, when a log is run anew and when its past is read again it is reckoned here, from the same state; an answer
//! of unknown cost and a failure of a provider teach nothing.

use smallvec::SmallVec;

use crate::bandit::{Advice, Context, Learners, Pending, key_of};
use crate::outcome::{Operation, Settled};
use crate::pricing::{Cost, PriceTable};
use crate::routing::{Check, Decision, Draw, LearnFrom, NO_RUNG, Policy, Route, match_route};
use crate::units::{PerMille, Span};

/// Says what is known of the rungs of a request's route; nothing where that does not learn, and within a tool loop, which goes
/// where it went. `window` are the tokens of its prompt as guards see them.
pub fn advice(
    learners: &mut Learners,
    policy: &Policy,
    prices: &PriceTable,
    (operation, window): (&Operation, u32),
) -> Advice {
    if !policy.adapts() {
        return Advice::None;
    }
    learners.reach(operation.at);
    let signals = operation.signals_by(prices);
    let route = policy.route(match_route(policy, &signals));
    let Some(adapt) = route.adapt.as_ref().filter(|_| !route.serves_as_named(&signals)) else {
        return Advice::None;
    };
    let Some(context) = context(operation, window) else { return Advice::None };
    let arms: SmallVec<[(u8, u64); 4]> = (0..)
        .zip(&route.ladder)
        .filter(|(_, rung)| !rung.fallback)
        .map(|(at, rung)| (at, key_of(&rung.name)))
        .collect();
    learners.advise(key_of(&route.name), adapt.terms, &arms, context)
}

fn context(operation: &Operation, window: u32) -> Option<Context> {
    let confidence = operation.confidence().filter(|_| operation.draw != Draw::NONE)?;
    Some(Context::of(confidence, window))
}

/// Takes in what became of a request: it teaches now by what checks said, or waits for a verdict. `id` is the number of its
/// request, `order` its place among them.
pub fn learn(
    learners: &mut Learners,
    route: &Route,
    (operation, window): (&Operation, u32),
    (decision, settled): (&Decision, &Settled),
    (id, order): (u64, u64),
) {
    let Some(adapt) = &route.adapt else { return };
    let (Some(context), true) = (context(operation, window), settled.status.is_ok()) else { return };
    let rung = route.ladder.get(usize::from(decision.rung)).filter(|_| decision.rung != NO_RUNG);
    let (Some(rung), Some(last)) = (rung, settled.attempts.last()) else { return };
    let (Cost::Known(cost) | Cost::Estimated(cost)) = settled.cost else { return };
    let took = settled.latency.get().and_then(|took| i64::try_from(took).ok()).unwrap_or(0);
    let pending = Pending {
        route: key_of(&route.name),
        arm: key_of(&rung.name),
        context,
        cost,
        worth: adapt.worth,
        model: last.model,
        end: operation.at + Span(took.saturating_mul(1000)),
        order,
    };
    match (adapt.from, last.check) {
        (LearnFrom::Labels, _) => learners.await_verdict(id, pending),
        (LearnFrom::Checks, Check::None) => {}
        (LearnFrom::Checks, check) => {
            let quality = if check == Check::Passed { PerMille::ONE } else { PerMille::ZERO };
            learners.teach(&pending, quality, pending.end);
        }
    }
}
