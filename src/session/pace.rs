//! What the hours of a log cost, for what is to come.

use super::{Log, Reading, settle_one};
use crate::forecast::Hours;
use crate::outcome::{Evidence, Settled};
use crate::pricing::{Cost, CostSum};
use crate::units::{Instant, Pico, Span};

const HOUR: Span = Span::hours(1);
/// The most hours that are kept: two years.
const KEPT: usize = 2 * 366 * 24;
/// Hours from which on those before the first midnight are left out, so that days are days: a week and a day.
const ALIGNED: usize = 8 * 24;

/// The hours of a log, and what its last period has cost so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Whole hours up to the one under way.
    pub hours: Hours,
    /// The moment of the last request.
    pub at: Instant,
    /// When the hour under way is over.
    pub hour_ends: Instant,
    /// What was spent from the period's start on.
    pub spent: CostSum,
}

/// Adds up a log by hours, up to its end, and from the start of a period on, which is found by the log's last moment.
pub fn pace(log: &Log, reading: Reading, since: impl FnOnce(Instant) -> Instant) -> Pace {
    let (first, last) = log.bounds().unwrap_or_default();
    let since = since(last);
    let hour_of = |at: Instant| at.0.div_euclid(HOUR.0);
    let now = hour_of(last);
    let from = hour_of(first).max(now - i64::try_from(KEPT).unwrap_or(i64::MAX));
    let mut hours = vec![Pico::ZERO; usize::try_from(now - from).unwrap_or(0)];
    let mut spent = CostSum::default();
    let mut settled = Settled::default();
    for (index, recalled) in log.history.range(log.history.start(), log.len()) {
        let evidence = recalled.evidence();
        let at = evidence.operation.at;
        settle_one(&evidence, reading, log.policy_at(index), &log.outlook(), &mut settled);
        if at >= since {
            spent.add_operation(billed(&evidence, &settled));
        }
        let place = usize::try_from(hour_of(at) - from).ok();
        if let Some(hour) = place.and_then(|place| hours.get_mut(place)) {
            *hour += billed(&evidence, &settled).filter_map(Cost::amount).sum();
        }
    }
    let to_midnight = usize::try_from((24 - from.rem_euclid(24)) % 24).unwrap_or(0);
    if hours.len() >= ALIGNED {
        hours.drain(..to_midnight);
    }
    Pace { hours: Hours::new(hours), at: last, hour_ends: Instant((now + 1) * HOUR.0), spent }
}

/// Returns what a request's calls cost that somebody bills: simulated answers are nobody's money, here as in budgets.
fn billed<'a>(evidence: &'a Evidence<'_>, settled: &'a Settled) -> impl Iterator<Item = Cost> + 'a {
    settled.attempts.iter().filter(|call| !evidence.stands_in(call.model)).map(|call| call.cost)
}

/// Finds the request with which so much was spent from a moment on; `None` where the log does not come to it.
pub fn spent_at(log: &Log, reading: Reading, since: Instant, limit: Pico) -> Option<Instant> {
    let (mut spent, mut settled) = (Pico::ZERO, Settled::default());
    log.history.range(log.history.start(), log.len()).find_map(|(index, recalled)| {
        let evidence = recalled.evidence();
        if evidence.operation.at < since {
            return None;
        }
        settle_one(&evidence, reading, log.policy_at(index), &log.outlook(), &mut settled);
        spent += billed(&evidence, &settled).filter_map(Cost::amount).sum();
        (spent >= limit).then_some(evidence.operation.at)
    })
}
