//! The holdout: sessions that are drawn go to the strongest rung whatever their confidence.

use super::{Bar, Circumstance, Policy, Route, Rungs, Step, Trail};

impl Policy {
    /// Says whether any of its routes holds sessions out.
    pub fn holds_out(&self) -> bool {
        self.routes.iter().any(|route| route.holdout.is_some())
    }
}

/// Bars all rungs but the strongest that is left, for a request that is held out.
pub(super) fn hold_out(route: &Route, circumstance: &Circumstance, open: Rungs, trail: &mut Trail) -> Rungs {
    if !circumstance.drawn.is_some_and(|drawn| drawn.held) {
        return open;
    }
    let Some(strongest) = open.last() else { return open };
    (0..route.ladder.len()).filter(|at| *at != strongest && open.has(*at)).fold(open, |left, at| {
        trail.push(Step::Barred { rung: u8::try_from(at).unwrap_or(u8::MAX), why: Bar::HeldOut });
        left.without(at)
    })
}
