//! The player's what-if: what the staged policy would have meant over the window, from the frontiers.

use std::sync::Arc;

use super::snapshot::{Consequences, Play, RouteConsequences};
use super::{Player, Rerun};
use crate::routing::{Policy, Route, RouteId};
use crate::telemetry::{CurvePoint, Frontier, Prefix};

impl Player {
    /// Gives the staged policy and the operations its re-run covers; `None` where nothing is staged or time runs.
    pub fn rerun_wanted(&self) -> Option<(Arc<Policy>, usize, usize)> {
        let staged = self.staged.as_ref()?;
        let (first, end) = self.view.range();
        (!matches!(self.play, Play::Playing | Play::Following)).then(|| (Arc::clone(staged), first, end))
    }

    /// Says whether a finished re-run equals the instant figure.
    pub fn agrees(&mut self, found: &Rerun) -> bool {
        let Some(staged) = self.staged.clone() else { return false };
        let mut instant = crate::pricing::CostSum::default();
        for (index, route) in staged.routes.iter().enumerate() {
            if let Some((frontier, prefix)) = self.frontier(index) {
                instant += &frontier.forecast(prefix, &route.thresholds()).cost;
            }
        }
        instant == found.cost
    }

    fn frontier(&mut self, index: usize) -> Option<(&Frontier, &Prefix)> {
        let frontier = self.view.frontiers().get(index)?;
        let prefix = self.prefixes.get_mut(index)?.get_or_insert_with(|| frontier.prefix());
        Some((frontier, prefix))
    }

    /// Gives what the staged policy would have meant over the window.
    pub fn what_if(&mut self) -> Vec<RouteConsequences> {
        self.route_consequences()
    }

    /// Gives the curve of one rung's threshold over the window.
    pub fn curve(&mut self, route: RouteId, rung: usize) -> Vec<CurvePoint> {
        let thresholds = self.staged_policy().route(route).thresholds();
        self.frontier(route.index()).map_or_else(Vec::new, |(_, prefix)| prefix.curve(&thresholds, rung))
    }

    pub(super) fn consequences(&mut self) -> Consequences {
        let started = std::time::Instant::now();
        let routes = self.route_consequences();
        let took = started.elapsed();
        let (route, rung) = self.focus;
        let curve = Arc::new(self.curve(route, rung));
        Consequences { routes, curve, route, rung, took }
    }

    fn route_consequences(&mut self) -> Vec<RouteConsequences> {
        let applied = Arc::clone(self.policy());
        let staged = self.staged.clone().unwrap_or_else(|| Arc::clone(&applied));
        let mut routes = Vec::with_capacity(applied.routes.len());
        for (index, route) in applied.routes.iter().enumerate() {
            let Some(frontier) = self.view.frontiers().get(index) else { continue };
            let Some(slot) = self.prefixes.get_mut(index) else { continue };
            let prefix = slot.get_or_insert_with(|| frontier.prefix());
            let now = route.thresholds();
            let then = staged.routes.get(index).map_or_else(|| now.clone(), Route::thresholds);
            let before = frontier.forecast(prefix, &now);
            let after = if now == then { before.clone() } else { frontier.forecast(prefix, &then) };
            let histogram = self.histograms.get_mut(index).map_or_else(
                || Arc::new(frontier.histogram().to_vec()),
                |slot| Arc::clone(slot.get_or_insert_with(|| Arc::new(frontier.histogram().to_vec()))),
            );
            routes.push(RouteConsequences {
                histogram,
                unsure: frontier.without_confidence(),
                flips: frontier.flips(&now, &then),
                applied: before,
                staged: after,
            });
        }
        routes
    }
}

pub(super) fn same_thresholds(a: &Policy, b: &Policy) -> bool {
    a.same_shape(b) && a.routes.iter().zip(&b.routes).all(|(x, y)| x.thresholds() == y.thresholds())
}

/// Writes what differs between two policies: `extraction · flash 620 → 588`.
pub(super) fn describe_change(before: &Policy, after: &Policy) -> String {
    if !before.same_shape(after) {
        return format!("policy {} → {}", before.name, after.name);
    }
    let mut parts = Vec::new();
    for (old, new) in before.routes.iter().zip(&after.routes) {
        for (a, b) in old.ladder.iter().zip(&new.ladder) {
            if a.threshold != b.threshold {
                parts.push(format!("{} · {} {} → {}", old.name, a.name, a.threshold, b.threshold));
            }
        }
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}
