//! Why cost changed between two stretches of a log: every operation settled under a reading, and added to its stretch.

use super::fold::any_remembers;
use super::{Log, Reading, settle_all};
use crate::units::Instant;
use crate::variance::{Explained, Window, explain};

/// Two stretches of a log, added up.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// The first.
    pub before: Window,
    /// The second.
    pub after: Window,
    /// Requests of either that are in none: simulated for want of a key, so that they are nobody's money.
    pub left_out: u64,
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
    let (mut windows, mut left_out) = ([Window::default(), Window::default()], 0);
    let policies = log.spans();
    // Where policies remember, what a request meets depends on all before it.
    let read = if reading == Reading::Routed && any_remembers(&policies) {
        vec![(0, both.iter().map(|(_, to)| *to).max().unwrap_or_default())]
    } else {
        stretches(both)
    };
    for stretch in read {
        settle_all(log, reading, &policies, stretch, &mut |index, evidence, _, settled| {
            for ((from, to), window) in both.iter().zip(&mut windows) {
                if !(*from..*to).contains(&index) {
                    continue;
                }
                if evidence.is_nobodys_money(settled) {
                    left_out += 1;
                } else {
                    window.add(evidence, settled, &log.prices);
                }
            }
        });
    }
    let [before, after] = windows;
    Compared { before, after, left_out }
}

/// Returns the stretches that have to be read: each operation once.
fn stretches([one, other]: [(usize, usize); 2]) -> Vec<(usize, usize)> {
    let [first, second] = if one.0 <= other.0 { [one, other] } else { [other, one] };
    if second.0 < first.1 {
        return vec![(first.0, first.1.max(second.1))];
    }
    vec![first, second]
}
