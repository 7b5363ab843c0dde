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
use crate::console::format::Short;
use crate::console::paint::{self, Look};
use crate::console::text;
use crate::console::theme::Role;

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawn {
    /// Each point joined to the next.
    Line,
    /// Points alone.
    Dots,
}

/// Points that belong together; a point that is not a number breaks the line.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// The points, in order.
    pub points: &'a [(f64, f64)],
    /// How they are drawn.
    pub drawn: Drawn,
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
    /// Writes the number at a tick.
    pub write: fn(f64) -> Short,
}

/// A chart.
#[derive(Clone, Copy, Debug)]
pub struct Chart<'a> {
    /// The curves, later ones over earlier ones.
    pub series: &'a [Series<'a>],
    /// The named points, over all curves.
    pub points: &'a [Point<'a>],
    /// The axis along the bottom.
    pub x: Axis,
    /// The axis at the left.
    pub y: Axis,
}

impl Axis {
    /// Builds an axis that takes in all values with a little air, ending at round numbers; of one value it makes a stretch
    /// round it.
    pub fn around(values: impl IntoIterator<Item = f64>, write: fn(f64) -> Short) -> Self {
        let (mut from, mut to) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.into_iter().filter(|value| value.is_finite()) {
            from = from.min(value);
            to = to.max(value);
        }
        if from > to {
            (from, to) = (0.0, 1.0);
        }
        if to - from <= f64::EPSILON * from.abs().max(to.abs()) {
            let air = if from == 0.0 { 1.0 } else { from.abs() * 0.1 };
            (from, to) = (from - air, to + air);
        }
        let step = nice_step((to - from) / 4.0);
        Self { from: (from / step).floor() * step, to: (to / step).ceil() * step, write }
    }

    fn part(&self, value: f64) -> f64 {
        let length = self.to - self.from;
        if length > 0.0 { (value - self.from) / length } else { 0.5 }
    }

    /// The round numbers on the axis, at most `most` of them.
    fn ticks(&self, most: u16) -> impl Iterator<Item = f64> + use<> {
        let (from, to) = (self.from, self.to);
        let length = to - from;
        let usable = length.is_finite() && length > 0.0 && most > 0;
        let step = if usable { nice_step(length / f64::from(most)) } else { 1.0 };
        let first = (from / step).ceil();
        let slack = step * 1e-9;
        (0..=u32::from(most))
            .map(move |n| (first + f64::from(n)) * step)
            .take_while(move |&tick| usable && tick <= to + slack)
            .map(move |tick| if tick.abs() < slack { 0.0 } else { tick })
    }
}

/// Gives 1, 2 or 5 times a power of ten, not less than `least`.
pub fn nice_step(least: f64) -> f64 {
    if !(least.is_finite() && least > 0.0) {
        return 1.0;
    }
    let power = 10f64.powf(least.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|&step| step >= least * (1.0 - 1e-9));
    step.filter(|step| step.is_finite() && *step > 0.0).unwrap_or(1.0)
}

/// The most columns given to the numbers at the left.
const WIDEST_LABEL: u16 = 9;

impl Chart<'_> {
    /// Divides an area: the plot; axes are drawn only where there is room for them.
    pub fn plot_area(&self, area: Rect) -> Rect {
        let (left, below) = (self.label_columns(area), if area.height >= 5 { 2 } else { 0 });
        let (plot, _) = paint::split_top(area, area.height - below);
        paint::split_left(plot, left).1
    }

    fn label_columns(&self, area: Rect) -> u16 {
        if area.width < 24 {
            return 0;
        }
        let most = self.y.ticks(rows_to_ticks(area.height)).map(|tick| text::width(&(self.y.write)(tick)));
        u16::try_from(most.max().unwrap_or(0)).unwrap_or(u16::MAX).min(WIDEST_LABEL).saturating_add(2)
    }

    /// Draws it.
    pub fn render(&self, area: Rect, buf: &mut Buffer, look: Look<'_>) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        let plot = self.plot_area(area);
        let canvas = Canvas { area: plot, glyphs: look.glyphs };
        self.axes(area, plot, buf, look);
        let place = |(x, y): (f64, f64)| (self.x.part(x), self.y.part(y));
        for series in self.series {
            match series.drawn {
                Drawn::Line => {
                    for pair in series.points.windows(2) {
                        if let [from, to] = *pair {
                            canvas.line(buf, place(from), place(to), series.style);
                        }
                    }
                }
                Drawn::Dots => {
                    for &point in series.points {
                        canvas.line(buf, place(point), place(point), series.style);
                    }
                }
            }
        }
        for point in self.points {
            let Some((x, y)) = canvas.cell(place(point.at)) else { continue };
            paint::sign(buf, x, y, point.sign, point.style);
            let wide = u16::try_from(text::width(point.label)).unwrap_or(u16::MAX);
            // To the right where there is room and no other point, else to the left.
            let right = plot.right().saturating_sub(x.saturating_add(2));
            let covers = |other: &Point<'_>| {
                canvas
                    .cell(place(other.at))
                    .is_some_and(|(ox, oy)| oy == y && ox > x && ox <= x.saturating_add(wide + 2))
            };
            let free = right >= wide && !self.points.iter().any(covers);
            let start = if free { x.saturating_add(2) } else { x.saturating_sub(wide.saturating_add(1)) };
            if start >= plot.left() {
                let room =
                    Rect { x: start, y, width: wide.min(plot.right().saturating_sub(start)), height: 1 };
                paint::text(buf, room, point.label, point.style, look.glyphs.cut);
            }
        }
    }

    fn axes(&self, area: Rect, plot: Rect, buf: &mut Buffer, look: Look<'_>) {
        let (line, label) = (look.style(Role::ChartAxis), look.style(Role::ChartLabel));
        let canvas = Canvas { area: plot, glyphs: look.glyphs };
        if plot.left() > area.left() && plot.height > 0 {
            let x = plot.left() - 1;
            for y in plot.top()..plot.bottom() {
                paint::sign(buf, x, y, look.glyphs.line.1, line);
            }
            for tick in self.y.ticks(rows_to_ticks(area.height)) {
                let Some((_, y)) = canvas.cell((0.0, self.y.part(tick))) else { continue };
                paint::sign(buf, x, y, look.glyphs.tick.0, line);
                let room = Rect { x: area.left(), y, width: x.saturating_sub(area.left() + 1), height: 1 };
                paint::text_right(buf, room, &(self.y.write)(tick), label, look.glyphs.cut);
            }
        }
        if plot.bottom() + 1 < area.bottom() {
            let y = plot.bottom();
            paint::row(buf, Rect { y, height: 1, ..plot }, look.glyphs.line.0, line);
            if plot.left() > area.left() {
                paint::sign(buf, plot.left() - 1, y, look.glyphs.tick.2, line);
            }
            let mut free_from = area.left();
            for tick in self.x.ticks((plot.width / 9).clamp(1, 10)) {
                let Some((x, _)) = canvas.cell((self.x.part(tick), 0.0)) else { continue };
                paint::sign(buf, x, y, look.glyphs.tick.1, line);
                let words = (self.x.write)(tick);
                let wide = u16::try_from(text::width(&words)).unwrap_or(u16::MAX).min(area.width);
                let start = x.saturating_sub(wide / 2).clamp(area.left(), area.right() - wide);
                if start >= free_from {
                    paint::text(
                        buf,
                        Rect { x: start, y: y + 1, width: wide, height: 1 },
                        &words,
                        label,
                        look.glyphs.cut,
                    );
                    free_from = start + wide + 1;
                }
            }
        }
    }
}

fn rows_to_ticks(rows: u16) -> u16 {
    (rows / 3).clamp(1, 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(value: f64) -> Short {
        let mut out = Short::new();
        let _ = std::fmt::Write::write_fmt(&mut out, format_args!("{value}"));
        out
    }

    #[test]
    fn ticks_are_round_numbers() {
        let ticks = |from, to, most| Axis { from, to, write: plain }.ticks(most).collect::<Vec<_>>();
        assert_eq!(ticks(0.0, 1000.0, 5), [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]);
        assert_eq!(ticks(-1.0, 1.0, 4), [-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert_eq!(ticks(3.0, 3.0, 4), Vec::<f64>::new());
        assert_eq!(ticks(0.0, f64::INFINITY, 4), Vec::<f64>::new());
        assert!((nice_step(0.013) - 0.02).abs() < 1e-12);
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
