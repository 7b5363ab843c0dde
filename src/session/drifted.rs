//! Whether confidences are spread, and hold what they say, as they did before: two stretches of a log beside each other.
//!
//! Invariant: each request is looked at once, and counts in one stretch alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Log;
use crate::calibration::{Diagram, Judged};
use crate::certificate::{Drift, DriftReading, Kept, Label, Loss, Losses, Reference, Spread};
use crate::routing::match_route;
use crate::units::{Instant, PerMille};

/// Bins of a reliability diagram.
const BINS: usize = 10;

/// One rung's confidences, then and now.
#[derive(Clone, Debug)]
pub struct Drifted {
    /// The route.
    pub route: Arc<str>,
    /// The rung whose threshold confidences meet.
    pub rung: Arc<str>,
    /// Its model.
    pub model: Arc<str>,
    /// Requests with a confidence, in the reference and after it.
    pub requests: [u64; 2],
    /// How far the later confidences are from the earlier; none where there are too few to say.
    pub reading: Option<DriftReading>,
    /// What confidences say beside what came, likewise; none without labels.
    pub calibration: [Option<Diagram>; 2],
    /// Whether more was lost later than confidences say, and than was lost at them; none where too few were judged before.
    pub holds_less: Option<bool>,
}

#[derive(Default)]
struct Seen {
    names: Option<[Arc<str>; 3]>,
    spread: Spread,
    later: Vec<PerMille>,
    judged: [Vec<Judged>; 2],
}

/// Returns the first half of a log's requests by time: the stretch that drift is measured from where none is named.
pub fn first_half(log: &Log) -> Option<(Instant, Instant)> {
    let (start, count) = (log.history.start(), log.history.len() - log.history.start());
    let at = |place: usize| Some(log.history.recall(place)?.operation.at);
    Some((at(start)?, at(start + count / 2)?))
}

/// Compares what came from a moment on, up to another, with all that came after.
pub fn drifted(log: &Log, (from, to): (Instant, Instant), loss: Loss) -> Vec<Drifted> {
    let mut all: BTreeMap<(Arc<str>, usize), Seen> = BTreeMap::new();
    for index in log.history.start()..log.history.len() {
        let Some(recalled) = log.history.recall(index) else { continue };
        let evidence = recalled.evidence();
        let (operation, policy) = (evidence.operation, log.policy_at(index));
        let Some(confidence) = operation.confidence().filter(|_| operation.at >= from) else { continue };
        let route = policy.route(match_route(policy, &operation.signals_by(&log.prices)));
        let Some(last) = route.ladder.last() else { continue };
        if operation.pinned && route.pins(operation.class) {
            continue;
        }
        let is_later = operation.at >= to;
        let quality = |model| evidence.label(model, &log.prices).and_then(|label| label.quality);
        let strong = evidence.extra.and_then(|_| quality(last.model));
        for (place, rung) in route.movable().filter_map(|at| Some((at, route.ladder.get(at)?))) {
            let seen = all.entry((Arc::clone(&route.name), place)).or_default();
            let model = log.names.model(rung.model);
            seen.names.get_or_insert_with(|| [Arc::clone(&route.name), Arc::clone(&rung.name), model.into()]);
            if is_later {
                seen.later.push(confidence);
            } else {
                seen.spread.note(confidence);
            }
            if let (Some(strong), Some(cheap)) = (strong, strong.and_then(|_| quality(rung.model))) {
                let judged = loss.judged(&Label::fair(confidence, cheap, strong));
                seen.judged[usize::from(is_later)].push(judged);
            }
        }
    }
    let series = u32::try_from(all.len()).unwrap_or(u32::MAX);
    all.into_values().filter_map(|seen| compared(seen, series)).collect()
}

fn compared(mut seen: Seen, series: u32) -> Option<Drifted> {
    let [route, rung, model] = seen.names?;
    let (then, now) = (seen.spread.n(), seen.later.len() as u64);
    let reading = Reference::new(&seen.spread, series).filter(|_| now > 0).map(|reference| {
        let mut drift = Drift::new(Arc::new(reference), seen.later.len());
        seen.later.iter().for_each(|confidence| drift.observe(*confidence));
        drift.read()
    });
    let holds_less = holds_less(&seen.judged);
    let calibration =
        seen.judged.each_mut().map(|judged| (!judged.is_empty()).then(|| Diagram::new(judged, BINS)));
    Some(Drifted { route, rung, model, requests: [then, now], reading, calibration, holds_less })
}

/// Says whether what was judged later, in its order, speaks against confidences as what was judged before does not.
fn holds_less([then, now]: &[Vec<Judged>; 2]) -> Option<bool> {
    let is_lost = |judged: &Judged| judged.quality < PerMille::ONE;
    let mut losses = Losses::default();
    for judged in then {
        losses.note(judged.confidence, is_lost(judged));
    }
    let mut kept = Kept::new(&losses).filter(|_| !now.is_empty())?;
    for judged in now {
        kept.observe(judged.confidence, is_lost(judged));
    }
    Some(kept.is_broken())
}
