//! What confidences said beside what came: a row a bin, its bar how often nothing was lost, with whiskers of 95 %, and a mark
//! where the confidence stands.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::answers::{Row, share};
use super::worth;
use crate::calibration::{Bin, Diagram};
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::bars;
use crate::console::{format, paint, text};

/// Columns of the figures left and right of a bar.
const SAID: u16 = 6;
const CAME: u16 = 6;
const COUNT: u16 = 6;

/// Joins neighbouring bins where there are more than so many.
fn joined(diagram: &Diagram, most: usize) -> Vec<Bin> {
    let (all, most) = (diagram.bins.len(), diagram.bins.len().min(most.max(1)));
    let join = |bins: &[Bin]| {
        let mut all = *bins.first()?;
        for bin in &bins[1..] {
            (all.high, all.n, all.said, all.did) =
                (bin.high, all.n + bin.n, all.said + bin.said, all.did + bin.did);
        }
        Some(all)
    };
    let part = |at: usize| diagram.bins.get(at * all / most..(at + 1) * all / most).and_then(join);
    (0..most).filter_map(part).collect()
}

/// The column that a share falls on.
fn column(value: f64, width: u16) -> u16 {
    let last = f64::from(width.saturating_sub(1));
    // Both bounds are columns of a terminal.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the width")]
    let at = (value.clamp(0.0, 1.0) * last).round() as u16;
    at.min(width.saturating_sub(1))
}

/// Returns what came in thousandths.
fn filled(bin: &Bin) -> u32 {
    u32::try_from(bin.did / bin.n.max(1)).unwrap_or(1000)
}

fn draw_bar(scene: Scene<'_>, bin: &Bin, style: Style, at: Rect, buf: &mut Buffer) {
    if at.width < 2 {
        return;
    }
    let look = scene.look;
    bars::bar(buf, at, filled(bin), style, look);
    let (low, high) = bin.interval();
    let end = column(bin.mean_did(), at.width);
    for offset in column(low, at.width)..=column(high, at.width) {
        let text = look.style(Role::Text);
        // Within the bar the whisker stands on the bar's own colour.
        let style = match (offset < end, style.fg) {
            (true, Some(ground)) => text.bg(ground).fg(look.style(Role::Text).bg.unwrap_or_default()),
            _ => text,
        };
        paint::sign(buf, at.x + offset, at.y, look.glyphs.certified.1, style);
    }
    let mark = look.style(Role::Applied);
    paint::sign(buf, at.x + column(bin.mean_said(), at.width), at.y, look.glyphs.point.0, mark);
}

/// Draws the panel.
pub(super) fn draw(scene: Scene<'_>, row: &Row<'_>, area: Rect, buf: &mut Buffer) {
    let title = format!("Said and done · {} · {}", row.route.name, row.rung.name);
    let pairs = row.pairs();
    let scope = format!("{}", figures::plural(pairs, "pair"));
    let inner = figures::page(scene, 2, &title, &scope, area, buf);
    let look = scene.look;
    let Some(quality) = row.proof.map(|proof| &proof.quality).filter(|_| pairs > 0) else {
        let words = match row.proof {
            Some(_) => "no request of which both answers were judged",
            None if row.rung.fallback => "nothing is said of a fallback",
            None => "nothing is said of the last rung",
        };
        return figures::nothing(scene, words, inner, buf);
    };
    let diagram = &quality.diagram;
    let (head, below) = paint::split_top(inner, 1);
    let worth = worth::of(scene.snapshot).filter(|_| below.height >= 6);
    let rows = worth.as_ref().map_or(0, |words| text::wrap(words, usize::from(below.width).max(8)).count());
    let rows = u16::try_from(rows).unwrap_or(0).min(below.height / 3);
    let (below, told) = paint::split_top(below, below.height - rows);
    if let Some(words) = worth {
        look.wrapped(buf, told, &words, Role::Muted);
    }
    let (body, foot) = paint::split_top(below, below.height.saturating_sub(2));
    // A calm ground for whiskers and marks, which are what is read.
    let style = look.style(Role::SliderTrack);
    let bins = joined(diagram, usize::from(body.height));
    // Where there is room a row is free between two bars.
    let pitch = (body.height / u16::try_from(bins.len().max(1)).unwrap_or(u16::MAX)).clamp(1, 2);
    // Highest confidence first, where the cheap model serves.
    for (index, bin) in (0u16..).zip(bins.iter().rev()) {
        let at = paint::nth_row(body, index.saturating_mul(pitch));
        let parts = parts(at);
        look.text_right(buf, parts[0], &share(bin.mean_said()), Role::Applied);
        draw_bar(scene, bin, style, parts[1], buf);
        look.text_right(buf, parts[2], &share(bin.mean_did()), Role::Text);
        look.text_right(buf, parts[3], &format::count_short(bin.n), Role::Muted);
    }
    let [said, bar, came, count] = parts(head);
    look.text_right(buf, said, "said", Role::Column);
    look.text(buf, bar, "how often nothing was lost", Role::Column);
    look.text_right(buf, came, "came", Role::Column);
    look.text_right(buf, count, "pairs", Role::Column);
    let (axis, figures_at) = paint::split_top(foot, 1);
    draw_axis(scene, parts(axis)[1], buf);
    let words = format!(
        "calibration error {}, less chance {}; Brier {}",
        share(diagram.ece()),
        share(diagram.ece_debiased()),
        share(diagram.brier)
    );
    look.text(buf, figures_at, &words, Role::Muted);
}

fn parts(at: Rect) -> [Rect; 4] {
    let (said, rest) = paint::split_left(at, SAID.saturating_sub(1));
    let (_, rest) = paint::split_left(rest, 1);
    let (bar, rest) = paint::split_left(rest, rest.width.saturating_sub(CAME + COUNT));
    let (came, count) = paint::split_left(rest, CAME);
    [said, bar, came, count]
}

/// Writes 0, a half and 1 below the bars.
fn draw_axis(scene: Scene<'_>, at: Rect, buf: &mut Buffer) {
    for (value, words) in [(0.0, "0"), (0.5, ".5"), (1.0, "1")] {
        let x = at.x + column(value, at.width);
        let wide = u16::try_from(words.len()).unwrap_or(1).min(at.right().saturating_sub(x));
        scene.look.text(buf, Rect { x, width: wide, ..at }, words, Role::ChartLabel);
    }
}
