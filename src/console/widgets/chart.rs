//! Curves with axes, in dots finer than a cell, and named points on them.
//!
//! ```text
//! 1.00 ┤                    ⣀⣀⠤⠤⠒⠒⠉⠉⠉⠉
//!      │          ⣀⡠⠤⠒⠊⠉● applied
//! 0.95 ┤     ⢀⠔⠉ ○ staged
//!      └──┬───────┬───────┬───────┬───────
//!        $0.2    $0.6    $1.0    $1.4
//! ```
//!
//! Floats are for drawing only; nothing is decided by them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::canvas::Canvas;
use crate::console::format::{self, Short, short};
use crate::console::glyphs::{GlyphSet, Glyphs};
use crate::console::paint::{self, Look};
use crate::console::text;
use crate::console::theme::Role;
use crate::units::Pico;

/// Points that belong together, each joined to the next; a point that is not a number breaks the line, and one between two
/// such is drawn as a dot.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// The points, in order.
    pub points: &'a [(f64, f64)],
    /// How they look.
    pub style: Style,
}

/// A named point.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    /// Where it lies.
    pub at: (f64, f64),
    /// Its sign.
    pub sign: char,
    /// Its name, drawn beside it.
    pub label: &'a str,
    /// How it looks.
    pub style: Style,
}

/// One axis.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// The least value shown.
    pub from: f64,
    /// The largest value shown.
    pub to: f64,
    /// Writes the number at a tick, as exactly as the step from one to the next needs.
    pub write: fn(f64, f64) -> Short,
    /// Where ticks stand.
    pub ticks: Ticks,
}

/// Where the ticks of an axis stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ticks {
    /// At 1, 2 or 5 times a power of ten.
    Round,
    /// At round times of day; the axis is of seconds.
    Clock,
}

/// A chart.
#[derive(Clone, Copy, Debug)]
pub struct Chart<'a> {
    /// The curves, later ones over earlier ones.
    pub series: &'a [Series<'a>],
    /// The named points, over all curves.
    pub points: &'a [Point<'a>],
    /// Upright lines under all curves: where something happened.
    pub rules: &'a [(f64, Style)],
    /// The axis along the bottom.
    pub x: Axis,
    /// The axis at the left.
    pub y: Axis,
}

impl Axis {
    /// Builds an axis that takes in all values, starting at a round number; of one value it makes a stretch round it.
    pub fn around(values: impl IntoIterator<Item = f64>, write: fn(f64, f64) -> Short) -> Self {
        let (mut from, mut to) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.into_iter().filter(|value| value.is_finite()) {
            from = from.min(value);
            to = to.max(value);
        }
        if from > to {
            (from, to) = (0.0, 1.0);
        }
        if to - from <= f64::EPSILON * from.abs().max(to.abs()) {
            // Nothing that is drawn can be less than none of it.
            let air = from.abs() * 0.1;
            (from, to) = if from == 0.0 { (0.0, 1.0) } else { (from - air, to + air) };
        }
        let step = nice_step((to - from) / 4.0);
        Self { from: (from / step).floor() * step, to, write, ticks: Ticks::Round }
    }

    fn part(&self, value: f64) -> f64 {
        let length = self.to - self.from;
        if length > 0.0 { (value - self.from) / length } else { 0.5 }
    }

    /// Returns the axis over so many cells with ticks evenly far apart, at least `least` cells, or nearer where one tick
    /// alone would tell no scale. The step is 0 where nothing can be marked.
    fn fitted(&self, cells: u16, least: u16) -> (Self, f64) {
        let length = self.to - self.from;
        let gaps = f64::from(cells.saturating_sub(1));
        if !(length.is_finite() && length > 0.0) || gaps < 1.0 {
            return (*self, 0.0);
        }
        let round = match self.ticks {
            Ticks::Round => nice_step,
            Ticks::Clock => clock_step,
        };
        let count = |(axis, step): &(Self, f64)| axis.marks(*step).take(3).count();
        let mut first = None;
        for least in [least, least.div_ceil(2)] {
            let step = round(length * f64::from(least) / gaps);
            let usual = self.stepped(gaps, step);
            // A wider step is better where it leaves less of the room empty and still says enough.
            let wider = self.stepped(gaps, round(step * 1.5));
            let longer = |by: f64| usual.0.to - usual.0.from > (wider.0.to - wider.0.from) * by;
            let fitted = match count(&wider) {
                3.. if longer(1.05) => wider,
                2 if longer(1.3) => wider,
                _ => usual,
            };
            if count(&fitted) >= 2 {
                return fitted;
            }
            first.get_or_insert(step);
        }
        let mut step = first.unwrap_or(1.0);
        let from = (self.from / step).floor() * step;
        if from == 0.0 && self.ticks == Ticks::Round && step > 1.0 {
            // Two ticks are all there will be: the upper one stands no higher than it must.
            step = step.min(snug_step(self.to));
        }
        let whole = Self { from, to: ((self.to / step).ceil() * step).max(from + step), ..*self };
        whole.stepped(gaps, step)
    }

    /// Makes the axis a little longer until a whole number of cells lies between two ticks.
    fn stepped(&self, gaps: f64, step: f64) -> (Self, f64) {
        let length = self.to - self.from;
        let first = (self.from / step).ceil() * step;
        let before = first - self.from;
        let aligned = before < step * 1e-9;
        // Where the axis starts between two ticks, it starts a little earlier: a whole number of cells before the first.
        let apart = ((gaps - f64::from(u8::from(!aligned))) * step / length).floor();
        if apart < 1.0 || !step.is_finite() {
            return (*self, 0.0);
        }
        let cell = step / apart;
        let from = if aligned { self.from } else { first - (before / cell).ceil() * cell };
        (Self { from, to: from + gaps * cell, ..*self }, step)
    }

    /// The round numbers on the axis.
    fn marks(&self, step: f64) -> impl Iterator<Item = f64> + use<> {
        let (first, to) = ((self.from / step).ceil(), self.to);
        let slack = step * 1e-6;
        (0..256u32)
            .map(move |n| (first + f64::from(n)) * step)
            .take_while(move |&tick| step > 0.0 && tick <= to + slack)
            .map(move |tick| if tick.abs() < slack { 0.0 } else { tick })
    }
}

/// Returns a round stretch of time, in seconds, not less than `least`.
fn clock_step(least: f64) -> f64 {
    const STEPS: [u32; 18] = [
        1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800,
        604_800,
    ];
    STEPS.into_iter().map(f64::from).find(|&step| step >= least).unwrap_or_else(|| nice_step(least))
}

/// Returns 1, 2 or 5 times a power of ten, not less than `least`.
pub fn nice_step(least: f64) -> f64 {
    if !(least.is_finite() && least > 0.0) {
        return 1.0;
    }
    let power = 10f64.powf(least.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|&step| step >= least * (1.0 - 1e-9));
    step.filter(|step| step.is_finite() && *step > 0.0).unwrap_or(1.0)
}

/// Returns a round number not less than `least`, nearer to it than [`nice_step`] goes.
fn snug_step(least: f64) -> f64 {
    const STEPS: [f64; 10] = [1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0];
    let power = 10f64.powf(least.log10().floor());
    STEPS.into_iter().map(|n| n * power).find(|&step| step >= least).unwrap_or_else(|| nice_step(least))
}

/// Writes dollars at a tick, all ticks of an axis to the same number of decimals: `$0`, `$0.50`, `$1.00`.
#[expect(clippy::cast_possible_truncation, reason = "for drawing only")]
pub fn dollars(value: f64, step: f64) -> Short {
    let decimals: usize = match step {
        _ if value == 0.0 || value.abs() >= 1000.0 => return format::money(Pico((value * 1e12) as i128)),
        0.01.. => 2,
        0.0001.. => 4,
        0.000_001.. => 6,
        _ => return format::money(Pico((value * 1e12) as i128)),
    };
    let sign = if value < 0.0 { "-" } else { "" };
    short!("{sign}${:.decimals$}", value.abs())
}

/// The most columns given to the numbers at the left.
const WIDEST_LABEL: u16 = 9;
/// The least rows from one tick to the next, and the least columns.
const APART: (u16, u16) = (2, 9);

impl Chart<'_> {
    /// Divides an area: the plot; axes are drawn only where there is room for them.
    pub fn plot_area(&self, area: Rect) -> Rect {
        let (left, below) = (self.label_columns(area), if area.height >= 5 { 2 } else { 0 });
        let (plot, _) = paint::split_top(area, area.height - below);
        paint::split_left(plot, left).1
    }

    fn label_columns(&self, area: Rect) -> u16 {
        if area.width < 20 {
            return 0;
        }
        let rows = area.height - if area.height >= 5 { 2 } else { 0 };
        let (axis, step) = self.y.fitted(rows, APART.0);
        let most = axis.marks(step).map(|tick| text::width(&(self.y.write)(tick, step)));
        u16::try_from(most.max().unwrap_or(0)).unwrap_or(u16::MAX).min(WIDEST_LABEL).saturating_add(2)
    }

    /// Returns the column in which a value of the axis along the bottom is drawn.
    pub fn column(&self, area: Rect, x: f64) -> Option<u16> {
        let area = self.plot_area(area);
        let (axis, _) = self.x.fitted(area.width, APART.1);
        let canvas = Canvas { area, glyphs: Glyphs::of(GlyphSet::Braille) };
        canvas.cell((axis.part(x), 0.0)).map(|(column, _)| column)
    }

    /// Draws the points that no line reaches, which would not be seen otherwise.
    fn lone(
        series: &Series<'_>,
        place: impl Fn((f64, f64)) -> (f64, f64),
        canvas: Canvas<'_>,
        buf: &mut Buffer,
    ) {
        let known = |at: Option<usize>| {
            at.and_then(|at| series.points.get(at))
                .is_some_and(|point| point.0.is_finite() && point.1.is_finite())
        };
        for (at, &point) in series.points.iter().enumerate() {
            if !known(Some(at)) || known(at.checked_sub(1)) || known(Some(at + 1)) {
                continue;
            }
            if let Some((x, y)) = canvas.cell(place(point)) {
                paint::sign(buf, x, y, canvas.glyphs.speck, series.style);
            }
        }
    }

    /// Draws it.
    pub fn render(&self, area: Rect, buf: &mut Buffer, look: Look<'_>) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        let plot = self.plot_area(area);
        let canvas = Canvas { area: plot, glyphs: look.glyphs };
        let (x_axis, y_axis) = (self.x.fitted(plot.width, APART.1), self.y.fitted(plot.height, APART.0));
        axes(x_axis, y_axis, (area, plot), buf, look);
        let place = |(x, y): (f64, f64)| (x_axis.0.part(x), y_axis.0.part(y));
        for &(x, style) in self.rules {
            let Some((column, _)) = canvas.cell((x_axis.0.part(x), 0.0)) else { continue };
            for y in plot.top()..plot.bottom() {
                paint::sign(buf, column, y, look.glyphs.dashed, style);
            }
        }
        for series in self.series {
            Self::lone(series, place, canvas, buf);
            for pair in series.points.windows(2) {
                if let [from, to] = *pair {
                    canvas.line(buf, place(from), place(to), series.style);
                }
            }
        }
        let cell = |at: (f64, f64)| canvas.cell(place(at));
        let mut named = Vec::new();
        for point in self.points {
            let Some((x, y)) = cell(point.at) else { continue };
            paint::sign(buf, x, y, point.sign, point.style);
            let wide = text::columns(point.label);
            if wide == 0 {
                continue;
            }
            let (right, left) = (x.saturating_add(2), x.saturating_sub(wide.saturating_add(1)));
            let (above, below) = (y.saturating_sub(1), y.saturating_add(1));
            let places =
                [(right, y), (left, y), (right, above), (right, below), (left, above), (left, below)];
            let room = |(start, y): (u16, u16)| Rect { x: start, y, width: wide, height: 1 };
            let is_free = |&place: &(u16, u16)| {
                let at = room(place);
                plot.intersection(at) == at
                    && !named.iter().any(|other: &Rect| other.intersects(at))
                    && !self
                        .points
                        .iter()
                        .filter_map(|point| cell(point.at))
                        .any(|cell| at.contains(cell.into()))
            };
            let beside = |at: Rect| [at.x.checked_sub(1), Some(at.right())].into_iter().flatten();
            let is_bare = |buf: &Buffer, at: Rect| {
                let columns = (at.left()..at.right()).chain(beside(at));
                columns
                    .filter(|&column| {
                        (column, at.y) != (x, y) && column >= plot.left() && column < plot.right()
                    })
                    .all(|column| buf.cell((column, at.y)).is_some_and(|cell| cell.symbol() == " "))
            };
            // Where the curve is not, if there is such a place; else over it, with a blank at both sides.
            let bare = places.into_iter().find(|place| is_free(place) && is_bare(buf, room(*place)));
            if let Some(place) = bare.or_else(|| places.into_iter().find(is_free)) {
                let at = room(place);
                named.push(at);
                for column in beside(at).filter(|&column| column >= plot.left() && column < plot.right()) {
                    if !self.points.iter().any(|point| cell(point.at) == Some((column, at.y))) {
                        paint::sign(buf, column, at.y, ' ', point.style);
                    }
                }
                look.text(buf, at, point.label, point.style);
            }
        }
    }
}

fn axes(x: (Axis, f64), y: (Axis, f64), (area, plot): (Rect, Rect), buf: &mut Buffer, look: Look<'_>) {
    let (line, label) = (look.style(Role::ChartAxis), look.style(Role::ChartLabel));
    let canvas = Canvas { area: plot, glyphs: look.glyphs };
    if plot.left() > area.left() && plot.height > 0 {
        let left = plot.left() - 1;
        for row in plot.top()..plot.bottom() {
            paint::sign(buf, left, row, look.glyphs.line.1, line);
        }
        for tick in y.0.marks(y.1) {
            let Some((_, row)) = canvas.cell((0.0, y.0.part(tick))) else { continue };
            paint::sign(buf, left, row, look.glyphs.tick.0, line);
            let room =
                Rect { x: area.left(), y: row, width: left.saturating_sub(area.left() + 1), height: 1 };
            look.text_right(buf, room, &(y.0.write)(tick, y.1), label);
        }
    }
    if plot.bottom() + 1 < area.bottom() {
        let row = plot.bottom();
        paint::row(buf, Rect { y: row, height: 1, ..plot }, look.glyphs.line.0, line);
        if plot.left() > area.left() {
            paint::sign(buf, plot.left() - 1, row, look.glyphs.tick.2, line);
        }
        let mut free_from = area.left();
        for tick in x.0.marks(x.1) {
            let Some((column, _)) = canvas.cell((x.0.part(tick), 0.0)) else { continue };
            paint::sign(buf, column, row, look.glyphs.tick.1, line);
            let words = (x.0.write)(tick, x.1);
            let wide = text::columns(&words).min(area.width);
            let start = column.saturating_sub(wide / 2).clamp(area.left(), area.right() - wide);
            if start >= free_from {
                let at = Rect { x: start, y: row + 1, width: wide, height: 1 };
                look.text(buf, at, &words, label);
                free_from = start + wide + 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(value: f64, _: f64) -> Short {
        short!("{value}")
    }

    #[test]
    fn ticks_are_round_numbers_evenly_apart() {
        let axis = |from, to, ticks| Axis { from, to, write: plain, ticks };
        let marks = |axis: Axis, cells, least| {
            let (axis, step) = axis.fitted(cells, least);
            axis.marks(step).collect::<Vec<_>>()
        };
        assert_eq!(marks(axis(0.0, 1000.0, Ticks::Round), 51, 9), [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]);
        assert_eq!(marks(axis(3.0, 3.0, Ticks::Round), 51, 9), Vec::<f64>::new());
        assert_eq!(marks(axis(0.0, f64::INFINITY, Ticks::Round), 51, 9), Vec::<f64>::new());
        assert!((nice_step(0.013) - 0.02).abs() < 1e-12);
        let noon = 43_200.0;
        let hour = marks(axis(noon + 60.0, noon + 3660.0, Ticks::Clock), 50, 9);
        assert!(hour.len() >= 4 && hour.iter().all(|tick| tick % 900.0 == 0.0), "{hour:?}");
        let glyphs = crate::console::glyphs::Glyphs::of(crate::console::glyphs::GlyphSet::Braille);
        for to in [0.7, 3.0, 19.0, 133.0, 1000.0] {
            for cells in 2..90u16 {
                let from = if cells % 2 == 0 { 0.0 } else { to * 0.1371 };
                let (axis, step) = axis(from, to, Ticks::Round).fitted(cells, 2);
                let whole = axis.from <= from && axis.to >= to * 0.999;
                assert!(step == 0.0 || whole, "{from} to {to} over {cells} is cut off");
                for upright in [false, true] {
                    let area = if upright { Rect::new(0, 0, 1, cells) } else { Rect::new(0, 0, cells, 1) };
                    let canvas = Canvas { area, glyphs };
                    let place = |tick| if upright { (0.0, axis.part(tick)) } else { (axis.part(tick), 0.0) };
                    let at =
                        |tick| canvas.cell(place(tick)).map(|(x, y)| if upright { cells - 1 - y } else { x });
                    let columns: Vec<u16> = axis.marks(step).filter_map(at).collect();
                    let gaps: Vec<u16> = columns.windows(2).map(|pair| pair[1] - pair[0]).collect();
                    assert!(gaps.windows(2).all(|pair| pair[0] == pair[1]), "{to} over {cells}: {gaps:?}");
                }
            }
        }
    }

    #[test]
    fn a_low_chart_tells_its_scale_and_a_lone_point_is_seen() {
        for (to, rows) in [(0.9, 3), (15.9, 4), (35.5, 12), (12.4, 2), (7.0, 5)] {
            let (fitted, step) = Axis::around([0.0, to], plain).fitted(rows, 2);
            assert!(fitted.marks(step).count() >= 2, "{to} over {rows}");
            assert!(rows < 6 || fitted.to < to * 1.35, "{to} over {rows} runs to {}", fitted.to);
        }
        assert_eq!((dollars(0.5, 0.5).as_str(), dollars(1.0, 0.5).as_str()), ("$0.50", "$1.00"));
        let gap = f64::NAN;
        let points = [(0.0, gap), (1.0, 3.0), (2.0, gap)];
        let chart = Chart {
            series: &[Series { points: &points, style: Style::new() }],
            points: &[],
            rules: &[],
            x: Axis { from: 0.0, to: 2.0, write: plain, ticks: Ticks::Round },
            y: Axis::around([0.0, 3.0], plain),
        };
        let area = Rect::new(0, 0, 40, 8);
        let mut buf = Buffer::empty(area);
        let look =
            Look { theme: &crate::console::theme::Theme::default(), glyphs: Glyphs::of(GlyphSet::Braille) };
        chart.render(area, &mut buf, look);
        assert_eq!(buf.content.iter().filter(|cell| cell.symbol() == "•").count(), 1);
    }

    #[test]
    fn an_axis_takes_in_every_value() {
        for values in
            [&[0.971, 0.968][..], &[5.0], &[0.0], &[], &[f64::NAN, 3.0], &[-7.0, 900.0], &[1e300, -1e300]]
        {
            let axis = Axis::around(values.iter().copied(), plain);
            assert!(axis.from < axis.to, "{values:?}: {axis:?}");
            for &value in values.iter().filter(|v| v.is_finite()) {
                assert!((-1e-9..=1.0 + 1e-9).contains(&axis.part(value)), "{values:?}: {axis:?}");
            }
        }
    }
}
