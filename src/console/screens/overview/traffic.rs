//! How much traffic there is, over the window: requests, failures, escalations, spend and what the cache saved.

use arrayvec::ArrayVec;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::format::{self, Short, short};
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::bars::Spark;
use crate::console::{paint, text};
use crate::telemetry::Slot;
use crate::units::Span;

/// The most slots drawn, the newest ones.
const MOST: usize = 256;

type Series = ArrayVec<Option<u64>, MOST>;

/// One curve with its name and figures.
struct Curve {
    name: &'static str,
    first: Short,
    second: Short,
    role: Role,
    of: fn(&Slot) -> Option<u64>,
}

fn spend(slot: &Slot) -> Option<u64> {
    // A slot in which nothing could be priced is not a slot that cost nothing.
    let priced = slot.cost.unknown < slot.requests;
    priced.then(|| u64::try_from(slot.cost.total().0.max(0)).unwrap_or(u64::MAX))
}

/// The columns of a curve's name.
const NAME: u16 = 11;
/// The least columns of a curve; where there are fewer, figures alone say more.
const LEAST_SPARK: u16 = 16;

/// Draws the panel.
pub(super) fn draw(scene: Scene<'_>, place: usize, area: Rect, buf: &mut Buffer) {
    let snapshot = scene.snapshot;
    let all = &snapshot.totals.all;
    let figures_wide = if area.width >= 72 { 30 } else { 12 };
    let spark = area.width.saturating_sub(4 + NAME + figures_wide);
    // A curve and a blank row for each of the four.
    let drawn = spark >= LEAST_SPARK && area.height >= 10;
    let slot = snapshot.trend_slot;
    let covered = snapshot.log.rated(snapshot.window.covered());
    let scope = match covered {
        Some(_) if drawn => format!("curves: mean per {slot}"),
        None if drawn => "curves: in order, times placed".to_owned(),
        _ => String::new(),
    };
    let inner = figures::page(scene, place, "Traffic", &scope, area, buf);
    let wrong = if all.errors > 0 { Role::Error } else { Role::Muted };
    let (cost, _) = figures::cost(&all.cost);
    let percent = |count| format::percent(count, all.requests);
    let curve = |name, first, second, role, of| Curve { name, first, second, role, of };
    let curves = [
        curve(
            "requests",
            format::count_short(all.requests),
            covered.map_or(short!("no times"), |covered| format::rate(all.requests, covered)),
            Role::Accent,
            |slot| Some(slot.requests),
        ),
        curve("failed", format::count_short(all.errors), percent(all.errors), wrong, |slot| {
            Some(slot.errors)
        }),
        curve("escalated", format::count_short(all.escalated), percent(all.escalated), Role::Warn, |slot| {
            Some(slot.escalated)
        }),
        curve(
            "spend",
            cost,
            match covered {
                Some(_) if !all.cost.is_unknown() => most_spend(&snapshot.trend, slot),
                _ => Short::new(),
            },
            Role::Applied,
            spend,
        ),
    ];
    let refused = snapshot.live.as_ref().map_or(0, |live| live.status.refused());
    let (inner, foot) = paint::split_top(inner, inner.height - u16::from(refused > 0 && inner.height >= 5));
    draw_refused(scene, foot, buf);
    let below = u16::from(inner.height >= 5);
    let (charts, cache) = paint::split_top(inner, inner.height - below);
    if !drawn {
        for (row, curve) in (0..charts.height).zip(&curves) {
            draw_figures(scene, curve, paint::nth_row(charts, row), buf);
        }
    }
    // A curve of nothing takes a row; the others share what is left.
    let flat = |curve: &Curve| snapshot.trend.iter().flatten().all(|slot| (curve.of)(slot).unwrap_or(0) == 0);
    let (mut rest, mut left) =
        (charts, u16::try_from(curves.iter().filter(|curve| !flat(curve)).count()).unwrap_or(0));
    let mut flat_left = u16::try_from(curves.len()).unwrap_or(0) - left;
    for curve in curves.iter().filter(|_| drawn) {
        let rows = if flat(curve) {
            flat_left -= 1;
            1
        } else {
            left = left.saturating_sub(1);
            rest.height.saturating_sub(flat_left).div_ceil(left + 1)
        };
        let (at, below) = paint::split_top(rest, rows);
        rest = below;
        draw_curve(scene, curve, figures_wide, at, buf);
    }
    let cache = if drawn { cache } else { paint::nth_row(inner, 4.min(inner.height.saturating_sub(1))) };
    let (name, value) = paint::split_left(cache, NAME);
    let share = figures::cache_share(all);
    let mut words = format!("{share} of prompt tokens");
    if text::width(&words) > usize::from(value.width) {
        words = format!("{share} of input");
    }
    scene.look.text(buf, name, "cache read", Role::Muted);
    let wide = scene.look.text(buf, value, &words, Role::Text);
    let calls = figures::plural(all.tokens_unknown, "call");
    let words = format!("  {calls} of unknown tokens");
    let rest = paint::split_left(value, wide).1;
    if all.tokens_unknown > 0 && usize::from(rest.width) >= text::width(&words) {
        scene.look.text(buf, rest, &words, Role::Warn);
    }
}

/// Says what was refused at the gate, by reason as far as there is room: none of it is a request of the totals.
fn draw_refused(scene: Scene<'_>, at: Rect, buf: &mut Buffer) {
    let Some(live) = scene.snapshot.live.as_ref().filter(|_| !at.is_empty()) else { return };
    let (name, value) = paint::split_left(at, NAME);
    let mut words = format!("{} besides", format::count_short(live.status.refused()));
    for (place, reason) in live.status.reasons().enumerate() {
        let sign = if place == 0 { ": " } else { ", " };
        let more = format!("{words}{sign}{}", text::clean(&reason));
        if text::width(&more) > usize::from(value.width) {
            break;
        }
        words = more;
    }
    let look = scene.look;
    look.text(buf, name, "refused", Role::Muted);
    look.text(buf, value, &words, Role::Warn);
}

/// The most of one stretch; nothing is known of one all of whose requests are of unknown cost.
fn most_spend(trend: &[Option<Slot>], stretch: Span) -> Short {
    let is_known = |slot: &&Slot| slot.requests > slot.cost.unknown && !slot.cost.is_unknown();
    let known = trend.iter().flatten().filter(is_known);
    let most = known.max_by_key(|slot| slot.cost.total());
    let peak =
        |slot: &Slot| short!("peak {}/{stretch}", figures::amount(Some(slot.cost.total()), &slot.cost));
    most.map_or_else(Short::new, peak)
}

/// Writes a curve's figures where there is no room for the curve.
fn draw_figures(scene: Scene<'_>, curve: &Curve, at: Rect, buf: &mut Buffer) {
    let (name, rest) = paint::split_left(at, NAME);
    let (first, second) = paint::split_left(rest, rest.width.min(10));
    scene.look.text(buf, name, curve.name, Role::Muted);
    scene.look.text_right(buf, first, &curve.first, Role::Text);
    draw_second(scene, curve, second, buf);
}

/// Writes a curve's second figure where it stands whole, apart from the first: half a figure says less than none.
fn draw_second(scene: Scene<'_>, curve: &Curve, at: Rect, buf: &mut Buffer) {
    if text::width(&curve.second) < usize::from(at.width) {
        scene.look.text_right(buf, at, &curve.second, Role::Muted);
    }
}

/// Draws one curve: its name, the curve as high as there is room, its figures.
fn draw_curve(scene: Scene<'_>, curve: &Curve, figures: u16, at: Rect, buf: &mut Buffer) {
    let (name, rest) = paint::split_left(at, NAME);
    let (spark, values) = paint::split_left(rest, rest.width.saturating_sub(figures));
    let values = paint::split_left(values, 1).1;
    // A blank row keeps curves apart.
    let spark = Rect { height: at.height.saturating_sub(1).max(1), ..spark };
    let foot = |area: Rect| paint::nth_row(area, spark.height.saturating_sub(1));
    scene.look.text(buf, foot(name), curve.name, Role::Muted);
    let trend = &scene.snapshot.trend;
    let newest = trend.get(trend.len().saturating_sub(MOST)..).unwrap_or_default();
    let series: Series = newest.iter().map(|slot| slot.as_ref().and_then(curve.of)).collect();
    Spark { values: &series, style: scene.look.style(curve.role) }.render(spark, buf, scene.look);
    if values.width >= 24 {
        let (first, second) = paint::split_left(foot(values), 11);
        scene.look.text_right(buf, first, &curve.first, Role::Text);
        draw_second(scene, curve, second, buf);
    } else {
        scene.look.text_right(buf, foot(values), &curve.first, Role::Text);
        if spark.height > 1 {
            let above = paint::nth_row(values, spark.height.saturating_sub(2));
            draw_second(scene, curve, above, buf);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::CostSum;

    #[test]
    fn a_peak_of_unknown_costs_is_not_told_as_zero() {
        let unknown =
            Slot { requests: 3, cost: CostSum { unknown: 3, ..CostSum::default() }, ..Slot::default() };
        assert_eq!(most_spend(&[Some(unknown), None], Span::secs(30)).as_str(), "");
        let known = Slot { requests: 1, ..Slot::default() };
        assert_eq!(most_spend(&[Some(unknown), Some(known)], Span::secs(30)).as_str(), "peak $0/30s");
        let cost = CostSum { estimated: crate::units::Pico::USD, ..CostSum::default() };
        let routed = Slot { requests: 1, cost, ..Slot::default() };
        assert_eq!(most_spend(&[Some(known), Some(routed)], Span::secs(30)).as_str(), "peak ~$1.00/30s");
    }
}
