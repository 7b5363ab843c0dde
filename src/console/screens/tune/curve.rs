//! What every threshold of the chosen rung would cost, with the points applied and staged on the curve.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::format::{Short, short};
use crate::console::paint;
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::chart::{Axis, Chart, Point, Series, Ticks, dollars};
use crate::console::widgets::panel::Panel;
use crate::routing::{Policy, RouteId};
use crate::session::Snapshot;
use crate::telemetry::CurvePoint;

/// Quality is drawn beside cost from this many labels on.
const LEAST_LABELS: u64 = 20;

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "for drawing only")]
fn threshold(value: f64, _: f64) -> Short {
    short!("{}", value.max(0.0) as u64)
}

fn share(value: f64, _: f64) -> Short {
    short!("{value:.3}")
}

/// Returns dollars per 1,000 requests at a point of the curve, over requests of known or estimated cost.
fn per_thousand(point: &CurvePoint, requests: u64) -> Option<f64> {
    let counted = requests.checked_sub(point.cost.unknown).filter(|&n| n > 0 && !point.cost.is_unknown())?;
    Some(point.cost.whole().to_f64() * 1000.0 / counted as f64)
}

fn quality(point: &CurvePoint) -> Option<f64> {
    (point.labelled > 0).then(|| point.quality as f64 / point.labelled as f64 / 1000.0)
}

/// Draws the panel: cost against the threshold, and, where labels are known and there is room, quality against cost.
pub(super) fn draw(scene: Scene<'_>, chosen: (RouteId, usize), area: Rect, buf: &mut Buffer) {
    let snapshot = scene.snapshot;
    let (id, rung) = chosen;
    let route = snapshot.policy.route(id);
    let name = route.ladder.get(rung).map_or("", |rung| &rung.name);
    let title = format!("Cost · {} · {name}", route.name);
    let panel = Panel { title: &title, scope: "$/1k by threshold", focus: scene.view.focus == 3 };
    let inside = panel.page(area, buf, scene.look);
    let requests = snapshot.consequences.routes.get(id.index()).map_or(0, |one| one.applied.requests);
    let current = snapshot.consequences.route == id && snapshot.consequences.rung == rung;
    if requests == 0 || snapshot.consequences.curve.is_empty() || !current {
        let words = match requests {
            _ if route.movable().is_empty() => "no threshold to move",
            0 => "no requests in window",
            _ => "being worked out",
        };
        return figures::nothing(scene, words, inside, buf);
    }
    let labelled = snapshot.consequences.curve.iter().map(|point| point.labelled).min().unwrap_or(0);
    if labelled >= LEAST_LABELS && inside.height >= 16 {
        let (top, rest) = paint::split_top(inside, inside.height / 2);
        let (caption, below) = paint::split_top(rest, 1);
        draw_cost(scene, chosen, requests, top, buf);
        let words = format!("quality (mean of {labelled} labels or more) against $ per 1,000");
        scene.look.text(buf, caption, &words, Role::Muted);
        draw_quality(scene, chosen, requests, below, buf);
    } else {
        draw_cost(scene, chosen, requests, inside, buf);
    }
}

fn thresholds(snapshot: &Snapshot, (id, rung): (RouteId, usize)) -> (u16, u16) {
    let of = |policy: &Policy| policy.route(id).ladder.get(rung).map_or(0, |rung| rung.threshold.get());
    (of(&snapshot.policy), of(snapshot.tried()))
}

/// The points applied and staged; one that moved stands beside the other.
fn points_of<'a>(
    scene: Scene<'_>,
    chosen: (RouteId, usize),
    place: impl Fn(u16) -> Option<(f64, f64)>,
    labels: (&'a str, &'a str),
) -> arrayvec::ArrayVec<Point<'a>, 2> {
    let (now, then) = thresholds(scene.snapshot, chosen);
    let look = scene.look;
    let mut named = arrayvec::ArrayVec::new();
    if let Some(at) = place(now) {
        let label = if now == then { labels.0 } else { "" };
        named.push(Point { at, sign: look.glyphs.point.0, label, style: look.style(Role::Applied) });
    }
    if let (true, Some(at)) = (now != then, place(then)) {
        named.push(Point { at, sign: look.glyphs.point.1, label: labels.1, style: look.style(Role::Staged) });
    }
    named
}

fn draw_cost(scene: Scene<'_>, chosen: (RouteId, usize), requests: u64, area: Rect, buf: &mut Buffer) {
    let curve = &scene.snapshot.consequences.curve;
    let points: Vec<(f64, f64)> = curve
        .iter()
        .filter_map(|point| Some((f64::from(point.threshold.get()), per_thousand(point, requests)?)))
        .collect();
    if points.is_empty() {
        return figures::nothing(scene, "cost unknown", area, buf);
    }
    let at = |threshold: u16| points.iter().find(|(x, _)| *x >= f64::from(threshold)).copied();
    let look = scene.look;
    // The curve is of one threshold over the whole window, the table beside it of each policy in its time.
    let alone = format!("all at {}", thresholds(scene.snapshot, chosen).0);
    let applied = if scene.snapshot.changed_within(chosen.0) { &alone } else { "applied" };
    let named = points_of(scene, chosen, at, (applied, "staged"));
    let chart = Chart {
        series: &[Series { points: &points, style: look.theme.series(0) }],
        points: &named,
        rules: &[],
        x: Axis { from: 0.0, to: 1000.0, write: threshold, ticks: Ticks::Round },
        y: Axis::around(points.iter().map(|point| point.1), dollars),
    };
    chart.render(area, buf, look);
}

fn draw_quality(scene: Scene<'_>, chosen: (RouteId, usize), requests: u64, area: Rect, buf: &mut Buffer) {
    let curve = &scene.snapshot.consequences.curve;
    let place = |point: &CurvePoint| Some((per_thousand(point, requests)?, quality(point)?));
    let points: Vec<(f64, f64)> = curve.iter().filter_map(place).collect();
    let at = |threshold: u16| curve.iter().find(|point| point.threshold.get() == threshold).and_then(place);
    let look = scene.look;
    let named = points_of(scene, chosen, at, ("", ""));
    let chart = Chart {
        series: &[Series { points: &points, style: look.theme.series(1) }],
        points: &named,
        rules: &[],
        x: Axis::around(points.iter().map(|point| point.0), dollars),
        y: Axis::around(points.iter().map(|point| point.1), share),
    };
    chart.render(area, buf, look);
}
