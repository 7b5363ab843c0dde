//! How sure the classifier is of one route's requests, with the thresholds drawn on it.

use std::fmt::Write;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::histogram::{Histogram, Marker, MarkerKind};
use crate::console::{format, paint, text};
use crate::routing::{Mode, Route, Rung, Thresholds};
use crate::session::{RouteConsequences, Snapshot};
use crate::units::PerMille;

/// Returns the route shown: the chosen one, else the busiest in the window.
pub(super) fn route(chosen: Option<usize>, snapshot: &Snapshot) -> Option<usize> {
    let routes = &snapshot.consequences.routes;
    let busiest = || {
        let busy = |index: &usize| routes.get(*index).map_or(0, |route| route.applied.requests);
        // Of equals the first.
        (0..routes.len()).rev().max_by_key(busy)
    };
    chosen.filter(|&index| index < snapshot.policy.routes.len()).or_else(busiest)
}

fn markers(snapshot: &Snapshot, index: usize) -> Vec<Marker> {
    let thresholds = |route: &Route| route.placing_thresholds().collect::<Thresholds>();
    let applied = snapshot.policy.routes.get(index).map(thresholds).unwrap_or_default();
    let staged = snapshot.staged.as_ref().and_then(|policy| policy.routes.get(index)).map(thresholds);
    let mark = |at: PerMille, kind| Marker { at, kind, chosen: kind == MarkerKind::Applied };
    let moved = staged.into_iter().flatten().filter(|at| !applied.contains(at));
    let moved = moved.map(|at| mark(at, MarkerKind::Staged));
    applied.iter().map(|&at| mark(at, MarkerKind::Applied)).chain(moved).collect()
}

/// Draws the panel.
pub(super) fn draw(scene: Scene<'_>, place: usize, chosen: Option<usize>, area: Rect, buf: &mut Buffer) {
    let snapshot = scene.snapshot;
    let shown = route(chosen, snapshot).unwrap_or(0);
    let route = snapshot.policy.routes.get(shown);
    let found = snapshot.consequences.routes.get(shown);
    let (Some(route), Some(found)) = (route, found) else {
        let inner = figures::frame(scene, place, "Confidence", "", area, buf);
        return figures::nothing(scene, "the policy has no routes", inner, buf);
    };
    let dot = scene.look.glyphs.dot;
    let title = format!("Confidence {dot} {}", route.name);
    let count = snapshot.policy.routes.len();
    let requests = figures::plural(found.applied.requests, "request");
    let mut scope = format!("{requests} {dot} route {} of {count}", shown + 1);
    if text::width(&scope) > figures::scope_room(area, &title) {
        scope = format!("{requests}");
    }
    let inner = figures::page(scene, place, &title, &scope, area, buf);
    if found.applied.requests == 0 {
        return figures::nothing(scene, "no requests of this route in this window", inner, buf);
    }
    // The row of figures goes first where there is no room for it.
    let (chart, figures_row) = match inner.height {
        0..=5 => (inner, Rect { height: 0, ..inner }),
        height => (Rect { height: height - 1, ..inner }, paint::nth_row(inner, height - 1)),
    };
    let (segments, markers) = (figures::segments(scene, route), markers(snapshot, shown));
    Histogram { bins: &found.histogram, segments: &segments, markers: &markers, certified: None }
        .render(chart, buf, scene.look);
    placed(scene, route, found, figures_row, buf);
}

/// Writes how many requests start on each rung, and where those without a confidence go.
fn placed(scene: Scene<'_>, route: &Route, found: &RouteConsequences, at: Rect, buf: &mut Buffer) {
    let mut rest = at;
    let mut put = |words: &str, style| {
        let wide = scene.look.text(buf, rest, words, style);
        rest = paint::split_left(rest, wide).1;
    };
    let muted = scene.look.style(Role::Muted);
    let (mut before, gap) = if at.width >= 48 { ("starts on ", "   ") } else { ("", "  ") };
    // A route that observes starts nothing yet: where it would.
    let shown = if route.mode == Mode::Observe { &found.staged } else { &found.applied };
    // A fallback is told of where it serves anybody.
    let told = |(rung, count): &(&Rung, &u64)| !rung.fallback || **count > 0;
    for (rung, &count) in route.ladder.iter().zip(&shown.placed).filter(told) {
        let share = format::percent(count, shown.requests);
        put(before, muted);
        before = gap;
        put(&rung.name, figures::series(scene.look, rung.model));
        put(&format!(" {share}"), scene.look.style(Role::Text));
    }
    if found.unsure > 0 {
        let mut words = format!("{gap}{} without a confidence", format::count(found.unsure.into()));
        if let Some(rung) = route.ladder.get(usize::from(route.no_signal)) {
            let _ = write!(words, ": to {}", rung.name);
        }
        put(&words, muted);
    }
}
