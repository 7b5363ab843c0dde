//! Where the panels of Overview lie, by the size of the window.
//!
//! Invariant: the panel with the keys is always among those shown; places never overlap and never leave the area.

use arrayvec::ArrayVec;
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
type Row = (u16, ArrayVec<(u16, Panel), 3>);

fn row<const COUNT: usize>(height: u16, panels: [(u16, Panel); COUNT]) -> Row {
    (height, panels.into_iter().collect())
}

fn whole(height: u16, panel: Panel) -> Row {
    row(height, [(100, panel)])
}

/// Chooses the rows for a window.
fn rows(focus: Panel, area: Rect) -> Vec<Row> {
    // Each place shows one panel, or its twin while that has the keys.
    let or = |usual: Panel, twin: Panel| if focus == twin { twin } else { usual };
    match (area.width, area.height) {
        (160.., 40..) => vec![
            row(25, [(24, Spend), (43, Split), (33, Latency)]),
            whole(21, Rate),
            row(28, [(56, Confidence), (44, Traffic)]),
            row(26, [(62, Breakdown), (38, Events)]),
        ],
        (104.., height @ 30..) => {
            let is_high = height >= 36;
            vec![
                row(25, [(33, Spend), (67, Split)]),
                whole(if is_high { 29 } else { 30 }, Rate),
                row(if is_high { 23 } else { 25 }, [(58, Confidence), (42, Latency)]),
                row(if is_high { 23 } else { 20 }, [(30, Traffic), (32, Breakdown), (38, Events)]),
            ]
        }
        (104.., 24..) => vec![
            row(33, [(33, Spend), (67, or(Split, Latency))]),
            whole(38, or(Rate, Confidence)),
            row(29, [(30, Traffic), (32, Breakdown), (38, Events)]),
        ],
        (140.., _) => vec![
            row(50, [(27, Spend), (43, Split), (30, or(Latency, Breakdown))]),
            match focus {
                Rate => whole(50, Rate),
                _ => row(50, [(38, Confidence), (26, Traffic), (36, Events)]),
            },
        ],
        (_, 36..) => vec![
            row(22, [(48, Spend), (52, Split)]),
            whole(22, Rate),
            row(19, [(48, Traffic), (52, Latency)]),
            whole(18, Confidence),
            row(19, [(50, Breakdown), (50, Events)]),
        ],
        (_, 24..) => vec![
            row(31, [(48, or(Spend, Breakdown)), (52, or(Split, Latency))]),
            whole(38, Rate),
            match focus {
                Events => whole(31, Events),
                _ => row(31, [(48, Traffic), (52, Confidence)]),
            },
        ],
        _ => vec![
            row(52, [(48, or(Spend, Breakdown)), (52, or(Split, Latency))]),
            match focus {
                Events => whole(48, Events),
                _ => row(48, [(48, Traffic), (52, or(Rate, Confidence))]),
            },
        ],
    }
}

/// Returns the panels shown and where they lie.
pub(super) fn places(view: View, area: Rect) -> Vec<(Panel, Rect)> {
    let focus = Panel::at(view.focus);
    if view.zoomed {
        return vec![(focus, area)];
    }
    let mut out = Vec::with_capacity(Panel::ALL.len());
    let (mut rest, mut left) = (area, 100);
    for (share, panels) in rows(focus, area) {
        let (row, below) = paint::split_top(rest, part(rest.height, share, left));
        (rest, left) = (below, left.saturating_sub(share));
        let (mut beside, mut of) = (row, 100);
        for (share, panel) in panels {
            let (at, more) = paint::split_left(beside, part(beside.width, share, of));
            (beside, of) = (more, of.saturating_sub(share));
            out.push((panel, at));
        }
    }
    out
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
                    let all = places(view, area);
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
