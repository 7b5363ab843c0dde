//! Which route takes a request.

use super::{Policy, RouteId, Signals};

/// Finds the first route that takes a request, or the one that the client named as `auto/ROUTE`; its canary where the
/// request's lot is within that one's share.
pub fn match_route(policy: &Policy, signals: &Signals) -> RouteId {
    let named =
        policy.routes.iter().position(|route| signals.asked.is_some() && route.alias == signals.asked);
    let takes = || {
        policy.routes.iter().position(|route| {
            route.canary.is_none()
                && route.matcher.takes(signals.team, signals.project, signals.class, signals.asked)
        })
    };
    let at = named.or_else(takes).unwrap_or(policy.routes.len() - 1);
    // A canary stands right before its route.
    let before = at.checked_sub(1).and_then(|before| policy.routes.get(before)?.canary.as_ref());
    let is_drawn = before.is_some_and(|canary| canary.draws(signals.lot));
    RouteId(u8::try_from(at - usize::from(is_drawn)).unwrap_or(u8::MAX))
}
