//! Charts as inline SVG for pages: bars over time and bars by name. Colours are classes, so that a page has its own.
//!
//! Invariant: a chart draws what it is given and holds no text that is not escaped.

use std::fmt::Write as _;

use crate::units::Pico;

/// Makes text safe within HTML and SVG.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in crate::units::marked(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Writes an amount as people read it.
pub(super) fn money(amount: Pico) -> String {
    let places = match amount.0.abs() {
        0 => 0,
        size if size < Pico::USD.0 / 100 => 6,
        _ => 2,
    };
    let sign = if amount.0 < 0 { "−" } else { "" };
    format!("{sign}${}", Pico(amount.0.abs()).usd_rounded(places))
}

/// One bar: what it is for, its known and its estimated part.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) known: Pico,
    pub(super) estimated: Pico,
}

impl Bar {
    fn total(&self) -> Pico {
        self.known + self.estimated
    }
}

/// Returns how many of `full` units an amount takes up where `most` takes up all of them.
fn share(amount: Pico, most: Pico, full: i128) -> i128 {
    if most.0 <= 0 { 0 } else { amount.0.max(0).saturating_mul(full) / most.0 }
}

/// The next amount from one on whose quarters are round.
fn round_up(amount: Pico) -> Pico {
    let mut step = 1i128;
    loop {
        for times in [10, 12, 16, 20, 24, 32, 40, 60, 80] {
            if step * times >= amount.0 {
                return Pico(step * times);
            }
        }
        match step.checked_mul(10).filter(|step| *step < i128::MAX / 100) {
            Some(next) => step = next,
            None => return amount,
        }
    }
}

const WIDTH: i128 = 960;
const HEIGHT: i128 = 220;
const LEFT: i128 = 84;
const BELOW: i128 = 28;

/// Draws bars side by side, in order of time.
pub(super) fn over_time(bars: &[Bar], title: &str) -> String {
    let most = round_up(bars.iter().map(Bar::total).max().unwrap_or_default());
    let mut svg = open(title, HEIGHT + BELOW);
    for quarter in 0..=4i128 {
        let y = 8 + (HEIGHT - 8) * (4 - quarter) / 4;
        let label = money(Pico(most.0 * quarter / 4));
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y}\" y2=\"{y}\"/><text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{label}</text>",
            LEFT - 8,
            y + 4
        );
    }
    let count = i128::try_from(bars.len().max(1)).unwrap_or(1);
    let room = (WIDTH - LEFT) * 100 / count;
    let every = (count / 8).max(1);
    for (at, bar) in (0i128..).zip(bars) {
        let (x, wide) = (LEFT * 100 + room * at + room / 8, (room * 3 / 4).clamp(60, 9_000));
        let known = share(bar.known, most, (HEIGHT - 8) * 100);
        let both = share(bar.total(), most, (HEIGHT - 8) * 100);
        let name = escaped(&bar.name);
        let _ = write!(svg, "<g><title>{name}: {}</title>", money(bar.total()));
        rect(&mut svg, "known", (x, HEIGHT * 100 - known), (wide, known));
        rect(&mut svg, "estimated", (x, HEIGHT * 100 - both), (wide, both - known));
        svg.push_str("</g>");
        if at % every == 0 {
            let _ = write!(
                svg,
                "<text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{name}</text>",
                hundredths(x + wide / 2),
                HEIGHT + 20
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

const ROW: i128 = 26;
const NAMES: i128 = 220;
const AMOUNTS: i128 = 110;

/// Draws bars one below the other, each with its name and amount.
pub(super) fn by_name(bars: &[Bar], title: &str) -> String {
    let most = bars.iter().map(Bar::total).max().unwrap_or_default();
    let rows = i128::try_from(bars.len()).unwrap_or(0);
    let mut svg = open(title, rows * ROW + 4);
    let room = (WIDTH - NAMES - AMOUNTS) * 100;
    for (at, bar) in (0i128..).zip(bars) {
        let y = at * ROW;
        let (known, both) = (share(bar.known, most, room), share(bar.total(), most, room));
        let _ = write!(
            svg,
            "<text class=\"name\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            NAMES - 10,
            y + 17,
            escaped(&shortened(&bar.name))
        );
        let top = (y + 4) * 100;
        rect(&mut svg, "known", (NAMES * 100, top), (known, 1_800));
        rect(&mut svg, "estimated", (NAMES * 100 + known, top), (both - known, 1_800));
        let _ = write!(
            svg,
            "<text class=\"amount\" x=\"{}\" y=\"{}\">{}</text>",
            hundredths(NAMES * 100 + both + 800),
            y + 17,
            money(bar.total())
        );
    }
    svg.push_str("</svg>");
    svg
}

fn open(title: &str, height: i128) -> String {
    let title = escaped(title);
    format!(
        "<svg role=\"img\" aria-label=\"{title}\" viewBox=\"0 0 {WIDTH} {height}\" width=\"100%\"><title>{title}</title>"
    )
}

/// Draws a rectangle given in hundredths; one of no size not at all.
fn rect(svg: &mut String, class: &str, (x, y): (i128, i128), (wide, high): (i128, i128)) {
    if wide > 0 && high > 0 {
        let [x, y, wide, high] = [x, y, wide, high].map(hundredths);
        let _ =
            write!(svg, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{high}\"/>");
    }
}

fn hundredths(value: i128) -> String {
    format!("{}.{:02}", value / 100, (value % 100).abs())
}

fn shortened(name: &str) -> String {
    const MOST: usize = 30;
    if name.chars().count() <= MOST {
        return name.to_owned();
    }
    name.chars().take(MOST - 1).chain(['…']).collect()
}
