//! What changes of model within sessions cost under some policies: how many there are, and what is lost of warm prompts.
//!
//! Invariant: caches are run anew for every policy alike, whether or not it minds them, so that two can be compared.

use rustc_hash::{FxHashMap, FxHashSet};

use super::fold::Fold;
use super::tried::Switching;
use super::warmed::Warmed;
use super::{Log, PolicySpan, Snapshot};
use crate::units::{Instant, ModelId, SessionId, UserId};

/// Runs a log anew under policies and adds up what the requests from a place on come to; `goes_on` may stop it.
pub fn switching(
    log: &Log,
    policies: &[PolicySpan],
    (first, end): (usize, usize),
    mut goes_on: impl FnMut() -> bool,
) -> Option<Switching> {
    let mut fold = Fold::default();
    fold.warmed = Some(Box::new(Warmed::new(&log.caching, &log.names)));
    let outlook = log.outlook();
    let mut sum = Switching::default();
    let mut last: FxHashMap<(SessionId, UserId), (ModelId, Instant, u64)> = FxHashMap::default();
    for (index, recalled) in log.history.range(log.history.start(), end) {
        let evidence = recalled.evidence();
        if index % 4096 == 0 && !goes_on() {
            return None;
        }
        let policy = PolicySpan::in_force(policies, index)?;
        let (_, settled) = fold.arrive(index, &evidence, policy, &outlook);
        let operation = evidence.operation;
        if index >= first {
            sum.cost.add_operation(settled.costs());
        }
        let answer = settled.attempts.last().filter(|answer| answer.status.is_ok());
        let Some((answer, prompt)) = answer.and_then(|answer| Some((answer, answer.usage.prompt()?))) else {
            continue;
        };
        if !operation.session.is_some() {
            continue;
        }
        let model = log.prices.identity(answer.model);
        let held = (model, operation.at, prompt);
        let before = last.insert((operation.session, operation.user), held);
        if index < first {
            continue;
        }
        sum.turns += 1;
        let Some((was, at, warm)) = before.filter(|(was, ..)| *was != model) else { continue };
        sum.switches += 1;
        let rule = |model| log.caching.find(log.names.model(model));
        if !rule(was).is_some_and(|rule| rule.holds(at, operation.at)) {
            continue;
        }
        let lost = warm.min(prompt).saturating_sub(answer.usage.cache_read.or_zero());
        if let (Some(rates), Some(rule)) = (log.prices.rates(model, operation.at), rule(model)) {
            let side = rule.side(rates.for_prompt(prompt));
            sum.lost += side.write.charge(lost) - side.read.charge(lost);
        }
    }
    Some(sum)
}

/// The most requests that are looked at, the latest first.
const LOOKED: usize = 20_000;

/// Counts the sessions whose last prompt at a model its cache may still hold; none where nothing is known of its cache.
pub fn warm_sessions(snapshot: &Snapshot, model: ModelId) -> Option<u64> {
    let (log, now) = (&snapshot.log, snapshot.clock);
    let rule = log.caching.find(log.names.model(model)).filter(|_| model.is_some())?;
    let mut seen = FxHashSet::default();
    let end = snapshot.head.min(log.len());
    let mut warm = 0;
    for index in (end.saturating_sub(LOOKED)..end).rev() {
        let Some(operation) = log.history.get(index) else { break };
        if !rule.holds(operation.at, now) {
            break;
        }
        let served = &operation.served;
        let is_here = served.status.is_ok() && log.prices.same(served.model, model);
        if !is_here || !operation.session.is_some() || !seen.insert((operation.session, operation.user)) {
            continue;
        }
        let is_long = served.usage.prompt().is_some_and(|prompt| prompt >= u64::from(rule.minimum));
        warm += u64::from(is_long && (!rule.asked || served.usage.cached() > 0));
    }
    Some(warm)
}
