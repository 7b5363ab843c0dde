//! Where the panels of Spend lie: all of them where there is room, else the one that has the keys beside the budgets.

use arrayvec::ArrayVec;
use ratatui::layout::Rect;

use super::chosen;
use crate::console::paint;
use crate::console::screen::View;

/// The budgets.
pub(super) const TABLE: usize = 0;
/// The chosen account.
pub(super) const CHOSEN: usize = 1;
/// What was saved.
pub(super) const SAVED: usize = 2;
/// Why it changed.
pub(super) const WHY: usize = 3;
/// What units cost.
pub(super) const UNITS: usize = 4;
/// What an hour costs, over time.
pub(super) const TREND: usize = 5;
/// All of them.
pub(super) const PANELS: usize = 6;

/// From where on panels stand beside one another, and from where on all of them do.
const WIDE: u16 = 100;
const HIGH: u16 = 40;
/// Rows of the two panels that tell parts, and the least of the curve below them.
const PARTS: u16 = 17;
const CURVE: u16 = 9;
/// From where on the page that stands for budgets leaves room beside it.
const SPACIOUS: u16 = 180;

/// The panels shown, each with its place.
pub(super) type Places = ArrayVec<(usize, Rect), PANELS>;

/// Lays the panels out; `rows` is how many the budgets have, none where there are none.
pub(super) fn places(view: View, rows: Option<usize>, area: Rect) -> Places {
    let mut all = Places::new();
    let focus = if rows.is_none() && view.focus == CHOSEN { SAVED } else { view.focus.min(PANELS - 1) };
    if view.zoomed || area.height < 12 {
        all.push((focus, area));
        return all;
    }
    let wanted = match rows {
        Some(rows) => u16::try_from(rows.saturating_add(3)).unwrap_or(u16::MAX),
        None => chosen::UNSET_ROWS,
    };
    let is_whole = area.width >= WIDE && area.height >= HIGH;
    let least = if is_whole { 2 * chosen::ROWS } else { chosen::ROWS.min(area.height / 2) };
    let (table, rest) = paint::split_top(area, wanted.clamp(6, (area.height - least).max(6)));
    all.push((TABLE, table));
    let first = if rows.is_some() { CHOSEN } else { SAVED };
    if area.width < WIDE {
        all.push((if focus == TABLE { first } else { focus }, rest));
        return all;
    }
    let halves = |at: Rect| paint::split_left(at, at.width / 2);
    if !is_whole {
        let (left, right) = halves(rest);
        let beside = if matches!(focus, WHY | TREND) { focus } else { SAVED };
        let own = if focus == UNITS || rows.is_none() { UNITS } else { CHOSEN };
        all.push((own, left));
        all.push((beside, right));
        return all;
    }
    let lower = if rows.is_none() && area.width >= SPACIOUS {
        // The page needs no more than half of the width.
        all.clear();
        let (left, right) = halves(table);
        all.push((TABLE, left));
        all.push((SAVED, right));
        rest
    } else {
        let most = chosen::ROWS.max(rest.height * 2 / 5).min(chosen::ROWS + 4);
        let (upper, lower) = paint::split_top(rest, most);
        let (left, right) = halves(upper);
        if rows.is_some() {
            all.push((CHOSEN, left));
            all.push((SAVED, right));
        } else {
            all.push((SAVED, upper));
        }
        lower
    };
    let has_curve = lower.height >= PARTS + CURVE;
    let (parts, curve) = paint::split_top(lower, if has_curve { PARTS } else { lower.height });
    let (left, right) = halves(parts);
    let beside = if focus == TREND && !has_curve { TREND } else { UNITS };
    all.push((WHY, left));
    all.push((beside, right));
    if has_curve {
        all.push((TREND, curve));
    }
    all
}
