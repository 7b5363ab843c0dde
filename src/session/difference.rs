//! What differs between two policies.

use crate::routing::{Policy, Route};

/// Says whether two policies have the same routes, modes and thresholds.
pub(super) fn same_thresholds(a: &Policy, b: &Policy) -> bool {
    let same = |(x, y): (&Route, &Route)| x.mode == y.mode && x.thresholds() == y.thresholds();
    a.same_shape(b) && a.routes.iter().zip(&b.routes).all(same)
}

/// Writes what differs between two policies: `extraction · flash 620 → 588`.
pub(super) fn describe_change(before: &Policy, after: &Policy) -> String {
    if !before.same_shape(after) {
        return format!("policy {} → {}", before.name, after.name);
    }
    let mut parts = Vec::new();
    for (old, new) in before.routes.iter().zip(&after.routes) {
        if old.mode != new.mode {
            parts.push(format!("{} · {} → {}", old.name, old.mode.name(), new.mode.name()));
        }
        for (a, b) in old.ladder.iter().zip(&new.ladder) {
            if a.threshold != b.threshold {
                parts.push(format!("{} · {} {} → {}", old.name, a.name, a.threshold, b.threshold));
            }
        }
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}
