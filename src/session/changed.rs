//! Why cost changed between two stretches of a log: every operation settled under a reading, and added to its stretch.

use std::sync::Arc;

use super::fold::{any_remembers, walk};
use super::{Log, PolicySpan, Reading, settle_one};
use crate::outcome::{Evidence, Settled};
use crate::units::Instant;
use crate::variance::{Explained, Window, explain};

/// Two stretches of a log, added up.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// The first.
    pub before: Window,
    /// The second.
    pub after: Window,
}

impl Compared {
    /// Explains the change from one to the other, with the `most` parts of the traffic that changed most.
    pub fn explain(&self, most: usize) -> Explained {
        explain(&self.before, &self.after, most)
    }
}

/// Adds up two stretches of a log, each from a moment on and before another.
pub fn compare(
    log: &Log,
    reading: Reading,
    before: (Instant, Instant),
    after: (Instant, Instant),
) -> Compared {
    let both = [before, after].map(|(from, to)| (log.history.first_at(from), log.history.first_at(to)));
    let mut windows = [Window::default(), Window::default()];
    let mut settled = Settled::default();
    let mut take = |index: usize, evidence: &Evidence<'_>, settled: &Settled| {
        for ((from, to), window) in both.iter().zip(&mut windows) {
            if (*from..*to).contains(&index) {
                window.add(evidence, settled, &log.prices);
            }
        }
    };
    let first = PolicySpan { from: 0, policy: Arc::clone(&log.policy) };
    let policies: Vec<PolicySpan> = std::iter::once(first).chain(log.policies.iter().cloned()).collect();
    if reading == Reading::Routed && any_remembers(&policies) {
        // What a request meets depends on all before it.
        let end = both.iter().map(|(_, to)| *to).max().unwrap_or_default();
        walk(log, (&policies, end), |index, evidence, _, settled| {
            take(index, evidence, settled);
            true
        });
        let [before, after] = windows;
        return Compared { before, after };
    }
    for (from, to) in stretches(both) {
        for (index, recalled) in log.history.range(from, to) {
            let evidence = recalled.evidence();
            settle_one(&evidence, reading, log.policy_at(index), &log.outlook(), &mut settled);
            take(index, &evidence, &settled);
        }
    }
    let [before, after] = windows;
    Compared { before, after }
}

/// Returns the stretches that have to be read: each operation once.
fn stretches([one, other]: [(usize, usize); 2]) -> Vec<(usize, usize)> {
    let [first, second] = if one.0 <= other.0 { [one, other] } else { [other, one] };
    if second.0 < first.1 {
        return vec![(first.0, first.1.max(second.1))];
    }
    vec![first, second]
}
