//! Thresholds as they are set on a command line.

use crate::routing::{Policy, RouteId};
use crate::session::{assigned, staged_by};
use crate::units::{Names, PerMille};

/// Reads `ROUTE.RUNG=PERMILLE`, or `ROUTE=PERMILLE` where the route has one threshold.
pub(super) fn assignment(
    text: &str,
    policy: &Policy,
    names: &Names,
) -> anyhow::Result<(RouteId, usize, PerMille)> {
    assigned(text, policy, names).map_err(|why| anyhow::anyhow!("--set {why}"))
}

/// Applies all assignments, whatever their order.
pub(in crate::cli) fn staged(policy: &Policy, set: &[String], names: &Names) -> anyhow::Result<Policy> {
    staged_by(policy, set, names).map_err(|why| anyhow::anyhow!("--set {why}"))
}
