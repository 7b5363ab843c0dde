//! How many sessions a model's cache may still hold at the play head.
//!
//! Invariant: it is read from the log alone, so that it is the same live and in a replay.

use rustc_hash::FxHashSet;

use super::Snapshot;
use crate::units::ModelId;

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
