//! The list of routes with their ladders; the chosen threshold is the one that the keys move.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::panel::Panel;
use crate::console::{paint, text};
use crate::routing::{Mode, RouteId};
use crate::session::Snapshot;

/// The rows: a route and a rung each; routes are separated by nothing, the ladder itself shows where one starts.
fn rows(snapshot: &Snapshot) -> impl Iterator<Item = (usize, usize)> + '_ {
    snapshot
        .policy
        .routes
        .iter()
        .enumerate()
        .flat_map(|(at, route)| (0..route.ladder.len()).map(move |rung| (at, rung)))
}

/// The first row shown, so that the chosen one is always in sight.
fn offset(snapshot: &Snapshot, chosen: (usize, usize), height: usize) -> usize {
    let at = rows(snapshot).position(|row| row == chosen).unwrap_or(0);
    let last = rows(snapshot).count().saturating_sub(height);
    (at + 3).saturating_sub(height).min(last)
}

/// Draws the panel.
pub(super) fn draw(scene: Scene<'_>, chosen: (RouteId, usize), typed: &str, area: Rect, buf: &mut Buffer) {
    let snapshot = scene.snapshot;
    let scope =
        format!("policy {}{}", snapshot.policy.version, if snapshot.staged.is_some() { "*" } else { "" });
    let panel = Panel { title: "Routes", scope: &scope, focus: scene.view.focus == 0 };
    let inside = panel.render(area, buf, scene.look);
    let look = scene.look;
    let (id, chosen_rung) = chosen;
    let first = offset(snapshot, (id.index(), chosen_rung), usize::from(inside.height));
    for (row, (route_at, rung_at)) in (0..inside.height).zip(rows(snapshot).skip(first)) {
        let at = paint::nth_row(inside, row);
        let route = &snapshot.policy.routes[route_at];
        let tried = &snapshot.tried().routes[route_at];
        let rung = &route.ladder[rung_at];
        let last = rung_at + 1 == route.ladder.len();
        let chosen = route_at == id.index() && rung_at == chosen_rung && !last && !rung.fallback;
        if chosen {
            paint::tint(buf, at, look.style(Role::Selection));
        }
        let style = |role| if chosen { look.style(Role::Selection) } else { look.style(role) };
        let (mark, rest) = paint::split_left(at, 2);
        if chosen {
            look.mark(buf, mark, look.glyphs.chosen, style(Role::Accent));
        }
        // The longest route's name, as far as rungs and thresholds leave room.
        let longest =
            snapshot.policy.routes.iter().map(|route| text::columns(&route.name)).max().unwrap_or(0);
        let name_width = longest.saturating_add(1).clamp(8, rest.width.saturating_sub(13).max(8));
        let (name, rest) = paint::split_left(rest, name_width.min(rest.width));
        if rung_at == 0 || row == 0 {
            look.text(
                buf,
                Rect { width: name.width.saturating_sub(1), ..name },
                &route.name,
                style(Role::Text),
            );
        }
        let only = route.ladder.len() == 1;
        if let Some((words, role)) = mode_words(route.mode, tried.mode).filter(|_| rung_at == 1 || only) {
            let from = if only { text::columns(&route.name) + 1 } else { 0 };
            let (_, at) = paint::split_left(name, from.min(name.width));
            let at = Rect { width: at.width.saturating_sub(1), ..at };
            look.text(buf, at, words, style(role));
        }
        let (rung_name, threshold) = paint::split_left(rest, rest.width.saturating_sub(7));
        let series = figures::series(look, rung.model);
        look.text(buf, rung_name, &rung.name, if chosen { look.selected(series) } else { series });
        let threshold = Rect { width: threshold.width.saturating_sub(1), ..threshold };
        if last || rung.fallback {
            let words = if rung.fallback { "spare" } else { "rest" };
            look.text_right(buf, threshold, words, style(Role::Muted));
            continue;
        }
        let value = tried.ladder.get(rung_at).map_or(rung.threshold, |rung| rung.threshold);
        let moved = value != rung.threshold;
        let star = if moved { "*" } else { "" };
        // A threshold, or what is being typed in its place.
        let text =
            if chosen && !typed.is_empty() { format!("{typed}_{star}") } else { format!("{value}{star}") };
        look.text_right(
            buf,
            threshold,
            &text,
            if moved && !chosen { look.style(Role::Staged) } else { style(Role::Text) },
        );
    }
}

/// Says what becomes of requests that name a model, where that is not the usual.
fn mode_words(now: Mode, then: Mode) -> Option<(&'static str, Role)> {
    match (now, then) {
        (Mode::Observe, Mode::Active) => Some(("ON*", Role::Staged)),
        (Mode::Observe, _) => Some(("OBSERVE", Role::Warn)),
        (Mode::Active, _) => Some(("on", Role::Muted)),
        (Mode::Pinned, _) => None,
    }
}

/// Returns the route and rung under a row, for the mouse.
pub(super) fn hit(snapshot: &Snapshot, inside: Rect, y: u16) -> Option<(usize, usize)> {
    let row = y.checked_sub(inside.y).filter(|&row| row < inside.height)?;
    let (route, rung) = (snapshot.consequences.route.index(), snapshot.consequences.rung);
    let first = offset(snapshot, (route, rung), usize::from(inside.height));
    rows(snapshot).nth(first + usize::from(row))
}
