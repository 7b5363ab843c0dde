//! Where the panels of Overview lie, by the size of the window.
//!
//! Invariant: the panel with the keys is always among those shown; places never overlap and never leave the area.

use ratatui::layout::Rect;

use crate::console::paint;
use crate::console::screen::View;

/// The panels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Panel {
    /// What it costs.
    Spend,
    /// Who answers.
    Split,
    /// How fast.
    Latency,
    /// How sure the classifier is.
    Confidence,
    /// How much, over time.
    Traffic,
    /// Whose spend it is.
    Breakdown,
    /// What happened besides.
    Events,
    /// What a thousand requests cost, over time.
    Rate,
}

use Panel::{Breakdown, Confidence, Events, Latency, Rate, Spend, Split, Traffic};

impl Panel {
    /// All of them, in the order of the key that goes from one to the next.
    pub(super) const ALL: [Self; 8] = [Spend, Split, Latency, Confidence, Traffic, Breakdown, Events, Rate];

    /// Returns its place in that order.
    pub(super) fn place(self) -> usize {
        self as usize
    }

    /// Returns the panel at a place; the first beyond the end.
    pub(super) fn at(place: usize) -> Self {
        Self::ALL.get(place).copied().unwrap_or(Spend)
    }
}

/// A row of panels: its share of the height, and each panel's share of the width, in percent.
type Row = (u16, [Option<(u16, Panel)>; 4]);

const fn two(height: u16, a: (u16, Panel), b: (u16, Panel)) -> Row {
    (height, [Some(a), Some(b), None, None])
}

const fn three(height: u16, a: (u16, Panel), b: (u16, Panel), c: (u16, Panel)) -> Row {
    (height, [Some(a), Some(b), Some(c), None])
}

const fn one(height: u16, a: Panel) -> Row {
    (height, [Some((100, a)), None, None, None])
}

const NONE: Row = (0, [None; 4]);

/// Chooses the rows for a window.
fn rows(focus: Panel, area: Rect) -> [Row; 5] {
    // Each place shows one panel, or its twin while that has the keys.
    let or = |usual: Panel, twin: Panel| if focus == twin { twin } else { usual };
    match (area.width, area.height) {
        (160.., 40..) => [
            three(25, (24, Spend), (43, Split), (33, Latency)),
            one(21, Rate),
            two(28, (56, Confidence), (44, Traffic)),
            two(26, (62, Breakdown), (38, Events)),
            NONE,
        ],
        (104.., 36..) => [
            two(25, (33, Spend), (67, Split)),
            one(29, Rate),
            two(23, (58, Confidence), (42, Latency)),
            three(23, (30, Traffic), (32, Breakdown), (38, Events)),
            NONE,
        ],
        (104.., 30..) => [
            two(25, (33, Spend), (67, Split)),
            one(30, Rate),
            two(25, (58, Confidence), (42, Latency)),
            three(20, (30, Traffic), (32, Breakdown), (38, Events)),
            NONE,
        ],
        (104.., 24..) => [
            two(33, (33, Spend), (67, or(Split, Latency))),
            one(38, or(Rate, Confidence)),
            three(29, (30, Traffic), (32, Breakdown), (38, Events)),
            NONE,
            NONE,
        ],
        (140.., _) => [
            three(50, (27, Spend), (43, Split), (30, or(Latency, Breakdown))),
            if focus == Rate {
                one(50, Rate)
            } else {
                three(50, (38, Confidence), (26, Traffic), (36, Events))
            },
            NONE,
            NONE,
            NONE,
        ],
        (_, 36..) => [
            two(22, (48, Spend), (52, Split)),
            one(22, Rate),
            two(19, (48, Traffic), (52, Latency)),
            one(18, Confidence),
            two(19, (50, Breakdown), (50, Events)),
        ],
        (_, 24..) => [
            two(31, (48, or(Spend, Breakdown)), (52, or(Split, Latency))),
            one(38, Rate),
            if focus == Events { one(31, Events) } else { two(31, (48, Traffic), (52, Confidence)) },
            NONE,
            NONE,
        ],
        _ => [
            two(52, (48, or(Spend, Breakdown)), (52, or(Split, Latency))),
            match focus {
                Events => one(48, focus),
                _ => two(48, (48, Traffic), (52, or(Rate, Confidence))),
            },
            NONE,
            NONE,
            NONE,
        ],
    }
}

/// Returns the panels shown and where they lie.
pub(super) fn places(view: View, area: Rect) -> impl Iterator<Item = (Panel, Rect)> + use<> {
    let focus = Panel::at(view.focus);
    let mut out = [None; Panel::ALL.len()];
    if view.zoomed {
        out[0] = Some((focus, area));
        return out.into_iter().flatten();
    }
    let rows = rows(focus, area);
    let mut slots = out.iter_mut();
    let (mut rest, mut left) = (area, 100);
    for (share, panels) in rows.into_iter().filter(|row| row.0 > 0) {
        let (row, below) = paint::split_top(rest, part(rest.height, share, left));
        (rest, left) = (below, left.saturating_sub(share));
        let (mut beside, mut of) = (row, 100);
        for (share, panel) in panels.into_iter().flatten() {
            let (at, more) = paint::split_left(beside, part(beside.width, share, of));
            (beside, of) = (more, of.saturating_sub(share));
            if let Some(slot) = slots.next() {
                *slot = Some((panel, at));
            }
        }
    }
    out.into_iter().flatten()
}

/// Takes `share` of what is left to share out, rounded; all of it in the end.
fn part(length: u16, share: u16, left: u16) -> u16 {
    let exact = u32::from(length) * u32::from(share) + u32::from(left) / 2;
    u16::try_from(exact / u32::from(left.max(1))).unwrap_or(length).min(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_panel_with_the_keys_is_always_shown_and_none_overlap() {
        for width in (0..220).step_by(7) {
            for height in (0..70).step_by(3) {
                for focus in 0..Panel::ALL.len() {
                    let view = View { focus, ..View::default() };
                    let area = Rect::new(3, 2, width, height);
                    let all: Vec<(Panel, Rect)> = places(view, area).collect();
                    assert!(all.iter().any(|(panel, _)| panel.place() == focus), "{width}x{height} {focus}");
                    let covered: u32 = all.iter().map(|(_, at)| at.area()).sum();
                    assert_eq!(covered, area.area(), "{width}x{height}");
                    for (index, (_, a)) in all.iter().enumerate() {
                        assert_eq!(a.intersection(area), *a);
                        assert!(all.iter().skip(index + 1).all(|(_, b)| !a.intersects(*b)));
                    }
                }
            }
        }
    }
}
