//! All models side by side, in large windows: what each is asked, costs and takes.
//!
//! Floats are for drawing only; nothing is decided by them.

use arrayvec::ArrayVec;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::columns::{Row, series};
use crate::console::format::{self, Short, short};
use crate::console::paint;
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::bars::{Bar, BarList};
use crate::console::widgets::chart::{Axis, Chart, Point, dollars};
use crate::pricing::CostSum;
use crate::units::Pico;

/// The most models compared, the first of the table.
const MOST: usize = 12;

/// One model's figures.
struct Figures<'a> {
    name: &'a str,
    style: ratatui::style::Style,
    requests: u64,
    cost: CostSum,
    thousand: Option<Pico>,
    p95: Option<u64>,
}

type Compared<'a> = ArrayVec<Figures<'a>, MOST>;

/// Draws the panel.
pub(super) fn draw(scene: Scene<'_>, roster: &[Row<'_>], area: Rect, buf: &mut Buffer) {
    let title = "Side by side";
    let all = &scene.snapshot.totals.all;
    // A place that no focus can have: there is nothing to choose here.
    let inner = figures::page(scene, usize::MAX, title, "", area, buf);
    let rows = roster.iter().filter_map(|row| row.cell.map(|cell| (row, cell)));
    let compared: Compared<'_> = rows
        .take(MOST)
        .map(|(row, cell)| Figures {
            name: row.name,
            style: series(scene.look, row),
            requests: cell.requests,
            cost: cell.cost,
            thousand: figures::per_thousand(&cell.cost, cell.attempts),
            p95: row.percentiles().map(|known| known.p95),
        })
        .collect();
    if compared.is_empty() {
        return figures::nothing(scene, "no calls in this window", inner, buf);
    }
    let (bars, chart) =
        paint::split_left(inner, if inner.width >= 150 { inner.width * 3 / 5 } else { inner.width });
    let (upper, lower) = paint::split_top(bars, bars.height.div_ceil(2));
    let half = |area: Rect| {
        let (left, right) = paint::split_left(area, area.width / 2);
        [left, right].map(|at| Rect { width: at.width.saturating_sub(3), ..at })
    };
    let total = all.cost.total();
    let [a, b] = half(upper);
    list(scene, &compared, "Requests by last model", a, buf, |of| {
        (figures::thousandths(of.requests, all.requests), format::count_short(of.requests))
    });
    list(scene, &compared, "Cost", b, buf, |of| {
        let words = figures::cost_in_column(&of.cost, all.cost.unknown > 0).0;
        (figures::money_thousandths(of.cost.total(), total), words)
    });
    let most = compared.iter().filter_map(|of| of.thousand).max().unwrap_or_default();
    let slowest = compared.iter().filter_map(|of| of.p95).max().unwrap_or(0);
    let [a, b] = half(lower);
    list(scene, &compared, "p95 per call", a, buf, |of| {
        (figures::thousandths(of.p95.unwrap_or(0), slowest), figures::latency(of.p95))
    });
    list(scene, &compared, "Cost per 1,000 calls", b, buf, |of| {
        let filled = figures::money_thousandths(of.thousand.unwrap_or_default(), most);
        (filled, figures::amount(of.thousand, &of.cost))
    });
    cost_and_latency(scene, &compared, chart, buf);
}

/// Draws one figure of every model as bars under a heading.
fn list(
    scene: Scene<'_>,
    compared: &Compared<'_>,
    name: &str,
    at: Rect,
    buf: &mut Buffer,
    of: impl Fn(&Figures<'_>) -> (u32, Short),
) {
    let rest = figures::heading(scene, name, at, buf);
    let figures: ArrayVec<(u32, Short), MOST> = compared.iter().map(of).collect();
    let bars: ArrayVec<Bar<'_>, MOST> = compared
        .iter()
        .zip(&figures)
        .map(|(of, (filled, value))| Bar { label: of.name, value, filled: *filled, style: of.style })
        .collect();
    BarList { bars: &bars, label_width: (rest.width / 2).clamp(20, 34) }.render(rest, buf, scene.look);
}

fn seconds(value: f64, step: f64) -> Short {
    if step < 1.0 { short!("{value:.1} s") } else { short!("{value:.0} s") }
}

/// Draws every model where its cost and its latency put it: the cheap and fast ones at the bottom left.
fn cost_and_latency(scene: Scene<'_>, compared: &Compared<'_>, at: Rect, buf: &mut Buffer) {
    if at.width < 30 {
        return;
    }
    let at = figures::heading(scene, "p95 against cost per 1,000 calls", at, buf);
    let points: ArrayVec<Point<'_>, MOST> = compared
        .iter()
        .filter_map(|of| {
            let (cost, p95) = (of.thousand?, of.p95?);
            let at = (cost.to_f64(), p95 as f64 / 1000.0);
            Some(Point { at, sign: scene.look.glyphs.point.0, label: of.name, style: of.style })
        })
        .collect();
    if points.is_empty() {
        let words = "no model has both a cost and a latency";
        scene.look.text_middle(buf, paint::nth_row(at, 0), words, Role::Muted);
        return;
    }
    let from_nothing =
        |of: fn(&(f64, f64)) -> f64| points.iter().map(move |point| of(&point.at)).chain([0.0]);
    let chart = Chart {
        series: &[],
        points: &points,
        rules: &[],
        x: Axis::around(from_nothing(|at| at.0), dollars),
        y: Axis::around(from_nothing(|at| at.1), seconds),
    };
    chart.render(at, buf, scene.look);
}
