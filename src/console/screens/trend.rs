//! A figure over the window, with what happened on the way: prices, policies, incidents.
//!
//! Invariant: every point is the mean of its stretch over requests of known or estimated cost; a stretch without any
//! leaves a gap.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::format::{self, Short, short};
use crate::console::screen::Scene;
use crate::console::screens::events::list::{self as events, What};
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::chart::{Axis, Chart, Series, Ticks, dollars};
use crate::console::{paint, text};
use crate::session::Snapshot;
use crate::telemetry::Slot;
use crate::units::{Instant, Pico, Span};

/// Which figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// What a thousand requests cost.
    Thousand,
    /// What an hour costs.
    Hour,
    /// How many requests a minute has; it stands where no cost is known.
    Requests,
}

impl Measure {
    /// Returns the heading, also for a log that tells no times.
    fn title(self, has_times: bool) -> &'static str {
        match self {
            Self::Thousand => "Spend per 1,000 requests",
            Self::Hour if has_times => "Spend an hour",
            Self::Hour => "Spend, stretch by stretch",
            Self::Requests if has_times => "Requests a minute",
            Self::Requests => "Requests, stretch by stretch",
        }
    }

    /// Works a point out of what a stretch holds and the length that counts, in seconds.
    fn of(self, sum: &Slot, length: Option<f64>) -> Option<f64> {
        let rate = |amount: f64, unit: f64| length.map_or(amount, |length| amount * unit / length.max(1e-6));
        match self {
            Self::Thousand => figures::per_thousand(&sum.cost, sum.requests).map(Pico::to_f64),
            Self::Hour if sum.requests > 0 && sum.cost.is_unknown() => None,
            Self::Hour => Some(rate(sum.cost.total().to_f64(), 3600.0)),
            Self::Requests => Some(rate(sum.requests as f64, 60.0)),
        }
    }

    /// Writes the figure of the whole window.
    fn mean(self, snapshot: &Snapshot) -> Short {
        let all = &snapshot.totals.all;
        let amount = match self {
            Self::Thousand => figures::per_thousand(&all.cost, all.requests),
            Self::Hour => snapshot
                .log
                .rated(snapshot.window.covered())
                .and_then(|covered| figures::at_rate(&all.cost, all.requests, covered, Span::hours(1))),
            Self::Requests => return short!("no cost is known"),
        };
        let mark = if all.cost.estimated == Pico::ZERO { "" } else { "~" };
        let amount = format::or_unknown(amount, format::money);
        short!("mean {mark}{amount}")
    }
}

/// Writes a count at a tick.
fn plain(value: f64, step: f64) -> Short {
    let decimals = if step < 1.0 { 2 } else { 0 };
    short!("{value:.decimals$}")
}

/// Columns for each stretch that gets a point: fewer points than dots, so that the line is calm.
const COLUMNS_A_POINT: usize = 2;

/// A day in seconds.
const DAY: f64 = 86_400.0;

#[expect(clippy::cast_possible_truncation, reason = "for drawing only")]
fn instant(seconds: f64) -> Instant {
    Instant((seconds * 1e6) as i64)
}

/// Writes the time of day at a tick.
fn clock(seconds: f64, step: f64) -> Short {
    let clock = instant(seconds + 0.5).clock();
    let shown = if step < 60.0 { 8 } else { 5 };
    short!("{}", clock.get(..shown).unwrap_or(&clock))
}

/// Writes the day at a tick where a day begins, and the time of day at those between.
fn day_or_clock(seconds: f64, step: f64) -> Short {
    let at = instant(seconds + 0.5);
    if step < DAY && (seconds + 0.5).rem_euclid(DAY) >= 1.0 {
        return clock(seconds, step);
    }
    let date = at.date();
    short!("{}", date.get(5..).unwrap_or(&date))
}

fn seconds(at: Instant) -> f64 {
    at.0 as f64 / 1e6
}

/// The points, each in the middle of its stretch, and how long a stretch is.
fn points(snapshot: &Snapshot, measure: Measure, columns: u16) -> (Vec<(f64, f64)>, Span) {
    let (trend, slot) = (&snapshot.trend, snapshot.trend_slot.0.max(1));
    let most = (usize::from(columns) / COLUMNS_A_POINT).max(1);
    let together = trend.len().div_ceil(most).max(1);
    let newest = (snapshot.window.to.0 - 1).max(snapshot.window.from.0).div_euclid(slot);
    let first = newest + 1 - i64::try_from(trend.len()).unwrap_or(0);
    let begins = |at: usize| (first + i64::try_from(at).unwrap_or(0)).saturating_mul(slot);
    let points = stretches(trend.len(), together, |at| {
        begins(at) >= snapshot.window.from.0 && begins(at + together) <= snapshot.window.to.0
    });
    let points = points.into_iter().map(|(from, to)| {
        let slots = trend.get(from..to).unwrap_or_default();
        let sum = slots.iter().flatten().fold(Slot::default(), |mut sum, slot| {
            sum.requests += slot.requests;
            sum.cost += &slot.cost;
            sum
        });
        let middle = i64::midpoint(begins(from), begins(to));
        let (first, last) = (begins(from).max(snapshot.window.from.0), begins(to).min(snapshot.window.to.0));
        let length = snapshot.log.rated(Span(last.saturating_sub(first)));
        let value = measure.of(&sum, length.map(|length| seconds(Instant(length.0))));
        (seconds(Instant(middle)), value.unwrap_or(f64::NAN))
    });
    let stretch = Span(slot.saturating_mul(i64::try_from(together).unwrap_or(1)));
    (points.collect(), stretch)
}

/// Divides so many slots into stretches; the first and the last, where the window holds only a part of them, go to their
/// neighbours: the mean of a few requests is no peak.
fn stretches(slots: usize, together: usize, is_whole: impl Fn(usize) -> bool) -> Vec<(usize, usize)> {
    let mut all: Vec<(usize, usize)> =
        (0..slots).step_by(together).map(|from| (from, (from + together).min(slots))).collect();
    if all.len() > 3
        && let Some((_, to)) = all.pop_if(|(from, _)| !is_whole(*from))
        && let Some(before) = all.last_mut()
    {
        before.1 = to;
    }
    if all.len() > 3
        && let Some(&(from, to)) = all.first()
        && !is_whole(from)
        && let Some(after) = all.get_mut(1)
        && after.0 == to
    {
        after.0 = from;
        all.remove(0);
    }
    all
}

/// Draws the panel.
pub(super) fn draw(scene: Scene<'_>, place: usize, measure: Measure, area: Rect, buf: &mut Buffer) {
    let (snapshot, look) = (scene.snapshot, scene.look);
    let room = area.width.saturating_sub(14);
    let known = |points: &[(f64, f64)]| points.iter().filter(|(_, value)| value.is_finite()).count();
    let all = &snapshot.totals.all;
    // Where nothing has a price there still is traffic to be seen.
    let measure = if all.requests > 0 && all.cost.is_unknown() { Measure::Requests } else { measure };
    let (points, stretch) = points(snapshot, measure, room);
    let dot = look.glyphs.dot;
    let mean = measure.mean(snapshot);
    let rated = snapshot.log.rated(stretch);
    let scope = match rated {
        Some(_) => format!("{mean} {dot} a point is the mean of {stretch}"),
        None => format!("{mean} {dot} in order, times placed"),
    };
    let title = measure.title(rated.is_some());
    // Whole or not at all: a few letters of it say nothing.
    let room = usize::from(area.width).saturating_sub(title.len() + 7);
    let brief = format!("{mean}");
    let scope = [scope, brief].into_iter().find(|words| text::width(words) <= room).unwrap_or_default();
    let inner = figures::page(scene, place, title, &scope, area, buf);
    if known(&points) < 2 {
        let words = match inner.width {
            ..46 => "too few requests of known cost",
            _ => "too few requests of known cost in this window",
        };
        return figures::nothing(scene, words, inner, buf);
    }
    let (top, chart_at) = paint::split_top(inner, u16::from(inner.height > 4));
    let (from, to) = (seconds(snapshot.window.from), seconds(snapshot.window.to));
    let write = if to - from > DAY { day_or_clock } else { clock };
    let marks: Vec<_> = events::all(snapshot)
        .into_iter()
        .filter(|event| event.at >= snapshot.window.from && !matches!(event.what, What::Failed(..)))
        .collect();
    let rules: Vec<_> =
        marks.iter().map(|event| (seconds(event.at), look.style(event.show(scene).1))).collect();
    let chart = Chart {
        series: &[Series { points: &points, style: look.style(Role::Applied) }],
        points: &[],
        rules: &rules,
        x: Axis { from, to: to.max(from + 1.0), write, ticks: Ticks::Clock },
        y: Axis::around(
            points.iter().map(|point| point.1).chain([0.0]),
            if measure == Measure::Requests { plain } else { dollars },
        ),
    };
    chart.render(chart_at, buf, look);
    incidents(scene, &chart, chart_at, buf);
    // What happened stands above its line, as far as the next; the newest come first.
    let mut until = top.right();
    for event in marks {
        let Some(x) = chart.column(chart_at, seconds(event.at)).filter(|&x| x < until) else { continue };
        let (sign, role, words) = event.show(scene);
        look.sign(buf, x, top.y, sign, role);
        let room = Rect { x: x + 2, width: until.saturating_sub(x + 3), ..top };
        if usize::from(room.width) >= text::width(&words).min(12) && !top.is_empty() {
            look.text(buf, room, &words, Role::Muted);
        }
        until = x;
    }
}

/// Marks on the axis where many requests had a failed call.
fn incidents(scene: Scene<'_>, chart: &Chart<'_>, area: Rect, buf: &mut Buffer) {
    let log = &scene.snapshot.log;
    let Some((first, last)) = log.bounds() else { return };
    let row = chart.plot_area(area).bottom();
    let cells = i64::try_from(log.strip.len().max(2) - 1).unwrap_or(1);
    for (at, cell) in (0i64..).zip(&log.strip) {
        let moment = Instant(first.0 + (last.0 - first.0) / cells * at);
        if !cell.is_trouble() || moment < scene.snapshot.window.from || moment > scene.snapshot.clock {
            continue;
        }
        if let Some(x) = chart.column(area, seconds(moment)).filter(|_| row < area.bottom()) {
            scene.look.sign(buf, x, row, scene.look.glyphs.state.0, Role::ReplayError);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_that_has_just_begun_is_no_point_of_its_own() {
        let all = stretches(10, 2, |_| true);
        assert_eq!(all, [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10)]);
        assert_eq!(stretches(10, 2, |at| at < 8), [(0, 2), (2, 4), (4, 6), (6, 10)]);
        assert_eq!(stretches(10, 2, |at| at > 0), [(0, 4), (4, 6), (6, 8), (8, 10)]);
        assert_eq!(stretches(2, 2, |_| false), [(0, 2)]);
    }

    #[test]
    fn ticks_within_a_day_do_not_repeat_its_date() {
        assert_eq!(day_or_clock(DAY, DAY / 2.0).as_str(), "01-02");
        assert_eq!(day_or_clock(DAY * 1.5, DAY / 2.0).as_str(), "12:00");
    }
}
