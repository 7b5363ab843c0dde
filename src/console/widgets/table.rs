//! A table with aligned columns, a chosen row and a scrollbar.
//!
//! Cells are drawn by a closure for the visible rows only, so a table of a million rows costs what fits on screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::paint::{self, Ink, Look};
use crate::console::text;
use crate::console::theme::Role;

/// How wide a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// Exactly this.
    Fixed(u16),
    /// At least this, and a share of what is left.
    Fill(u16),
}

/// Which way a table is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The least first.
    Ascending,
    /// The largest first.
    Descending,
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// Its name.
    pub name: &'a str,
    /// How wide it is.
    pub width: Width,
    /// Whether its cells stand at the right.
    pub right: bool,
    /// How soon it goes when there is no room: the largest goes first; 0 stays.
    pub yields: u8,
}

impl<'a> Column<'a> {
    /// Builds one whose cells stand at the left.
    pub const fn left(name: &'a str, width: Width, yields: u8) -> Self {
        Self { name, width, right: false, yields }
    }

    /// Builds one of so many columns whose cells stand at the right.
    pub const fn right(name: &'a str, columns: u16, yields: u8) -> Self {
        Self { name, width: Width::Fixed(columns), right: true, yields }
    }
}

/// What the operator did to a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableState {
    /// The chosen row.
    pub selected: Option<usize>,
    /// The first row shown.
    pub offset: usize,
}

impl TableState {
    /// Moves the choice by so many rows, within `count` rows.
    pub fn step(&mut self, by: isize, count: usize) {
        self.selected = count.checked_sub(1).map(|last| match self.selected {
            None if by < 0 => last,
            None => 0,
            Some(at) => at.saturating_add_signed(by).min(last),
        });
    }

    /// Chooses a row, or the last where there are fewer.
    pub fn select(&mut self, row: usize, count: usize) {
        self.selected = count.checked_sub(1).map(|last| row.min(last));
    }

    /// Returns the first row to show so that the chosen one is seen, moving as little as can be.
    #[must_use]
    pub fn scrolled(self, count: usize, visible: usize) -> Self {
        // A table that shows no row still has a place to come back to.
        let visible = visible.max(1);
        let selected = self.selected.map(|at| at.min(count.saturating_sub(1)));
        let mut offset = self.offset.min(count.saturating_sub(visible));
        if let Some(at) = selected {
            offset = offset.clamp((at + 1).saturating_sub(visible).min(at), at);
        }
        Self { selected: selected.filter(|_| count > 0), offset }
    }

    /// Returns which of so many rows is under the mouse, where the table is drawn in this area.
    pub fn hit(self, count: usize, area: Rect, (x, y): (u16, u16)) -> Option<usize> {
        let inside = area.contains((x, y).into()) && y > area.top();
        let row =
            self.scrolled(count, Table::visible(area)).offset + usize::from(y.checked_sub(area.top() + 1)?);
        (inside && row < count).then_some(row)
    }
}

/// A table.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// Its columns.
    pub columns: &'a [Column<'a>],
    /// How many rows there are.
    pub rows: usize,
    /// Which column it is sorted by, and how.
    pub sorted: Option<(usize, Order)>,
    /// What the operator did to it.
    pub state: TableState,
    /// Whether it has the keys.
    pub focus: bool,
}

/// One cell to be drawn.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'a> {
    /// The row.
    pub row: usize,
    /// The column.
    pub column: usize,
    /// Where it lies.
    pub at: Rect,
    /// Whether it stands at the right.
    pub right: bool,
    /// Whether its row is the chosen one.
    pub selected: bool,
    /// What everything is drawn with.
    pub look: Look<'a>,
}

impl Slot<'_> {
    /// Writes the cell's text where the column wants it.
    pub fn say(&self, buf: &mut Buffer, words: &str, ink: impl Ink) {
        if self.right {
            self.look.text_right(buf, self.at, words, ink);
        } else {
            self.look.text(buf, self.at, words, ink);
        }
    }

    /// Marks the chosen row at the start of the cell.
    pub fn mark_chosen(&self, buf: &mut Buffer) {
        if self.selected {
            self.look.mark(buf, self.at, self.look.glyphs.chosen, Role::Accent);
        }
    }
}

/// The most columns of a table.
const MOST: usize = 32;

impl Table<'_> {
    /// Returns how many rows of data an area shows.
    pub fn visible(area: Rect) -> usize {
        usize::from(area.height.saturating_sub(1))
    }

    /// Where each column lies; 0 wide where it had to yield.
    fn places(&self, width: u16) -> [(u16, u16); MOST] {
        let mut shown = [true; MOST];
        let least = |column: &Column<'_>| match column.width {
            Width::Fixed(n) | Width::Fill(n) => n,
        };
        let columns = || self.columns.iter().take(MOST);
        let wanted = |shown: &[bool; MOST]| {
            let mut all = 0u16;
            for (column, _) in columns().zip(shown).filter(|(_, shown)| **shown) {
                all = all.saturating_add(least(column)).saturating_add(1);
            }
            all.saturating_sub(1)
        };
        while wanted(&shown) > width {
            // What the table is sorted by is seen.
            let sorted = |at: &usize| self.sorted.is_some_and(|(column, _)| column == *at);
            let yields =
                |(at, c): &(usize, &Column<'_>)| c.yields > 0 && !sorted(at) && shown.get(*at) == Some(&true);
            let there = columns().enumerate().filter(yields);
            let Some((first, _)) = there.max_by_key(|(_, column)| column.yields) else { break };
            if let Some(slot) = shown.get_mut(first) {
                *slot = false;
            }
        }
        let fills =
            columns().zip(shown).filter(|(c, shown)| *shown && matches!(c.width, Width::Fill(_))).count();
        let fills = u16::try_from(fills).unwrap_or(0);
        let mut spare = width.saturating_sub(wanted(&shown));
        let mut fills_left = fills;
        let mut places = [(0, 0); MOST];
        let mut x = 0u16;
        for ((column, shown), place) in columns().zip(shown).zip(&mut places) {
            if !shown || x >= width {
                continue;
            }
            let mut wide = least(column);
            if matches!(column.width, Width::Fill(_)) {
                let share = spare / fills_left.max(1);
                spare -= share;
                fills_left = fills_left.saturating_sub(1);
                wide = wide.saturating_add(share);
            }
            let wide = wide.min(width - x);
            *place = (x, wide);
            x = x.saturating_add(wide).saturating_add(1);
        }
        places
    }

    /// Draws names, visible rows and scrollbar; `draw` fills each cell.
    pub fn render(
        &self,
        area: Rect,
        buf: &mut Buffer,
        look: Look<'_>,
        mut draw: impl FnMut(&mut Buffer, Slot<'_>),
    ) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        let visible = Self::visible(area);
        let bar = u16::from(self.rows > visible && area.width > 4);
        // A column between the cells and the bar.
        let width = area.width - 2 * bar;
        let places = self.places(width);
        let (head, body) = paint::split_top(area, 1);
        for (index, (column, &(x, wide))) in self.columns.iter().zip(&places).enumerate() {
            let at = Rect { x: head.x + x, width: wide, ..head };
            self.name(index, column, at, buf, look);
        }
        let state = self.state.scrolled(self.rows, visible);
        for line in 0..body.height {
            let row = state.offset + usize::from(line);
            if row >= self.rows {
                break;
            }
            let at = paint::nth_row(Rect { width, ..body }, line);
            let selected = state.selected == Some(row);
            for (column, (spec, &(x, wide))) in self.columns.iter().zip(&places).enumerate() {
                if wide > 0 {
                    let at = Rect { x: at.x + x, width: wide, ..at };
                    draw(buf, Slot { row, column, at, right: spec.right, selected, look });
                }
            }
            if selected {
                let style = look.style(if self.focus { Role::Selection } else { Role::Title });
                paint::choose(buf, at, style);
            }
        }
        if bar == 1 {
            let place = Rect { x: area.right() - 1, width: 1, ..body };
            scrollbar(buf, place, state.offset, visible, self.rows, look);
        }
    }

    fn name(&self, index: usize, column: &Column<'_>, at: Rect, buf: &mut Buffer, look: Look<'_>) {
        // A column without a name, of signs or bars, has no line under it.
        if at.width == 0 || column.name.is_empty() {
            return;
        }
        let style = look.style(Role::Column);
        paint::row(buf, at, ' ', style);
        let sign = match self.sorted {
            Some((sorted, order)) if sorted == index => Some(match order {
                Order::Ascending => look.glyphs.change.0,
                Order::Descending => look.glyphs.change.1,
            }),
            _ => None,
        };
        let room = at.width.saturating_sub(u16::from(sign.is_some()));
        let wide = text::columns(column.name).min(room);
        let total = wide + u16::from(sign.is_some());
        let start = if column.right { at.right() - total } else { at.left() };
        look.text(buf, Rect { x: start, width: wide, ..at }, column.name, style);
        if let Some(sign) = sign {
            look.sign(buf, start + wide, at.y, sign, Role::Accent);
        }
    }
}

/// Draws where in a long list we are.
pub fn scrollbar(buf: &mut Buffer, at: Rect, offset: usize, visible: usize, count: usize, look: Look<'_>) {
    let height = usize::from(at.height);
    if height == 0 || count <= visible {
        return;
    }
    let scale = |rows: usize| u16::try_from(rows.saturating_mul(height) / count.max(1)).unwrap_or(u16::MAX);
    let thumb = scale(visible).clamp(1, at.height);
    let last = (count - visible).max(1);
    let run = usize::from(at.height - thumb);
    let start = u16::try_from(offset.min(last).saturating_mul(run) / last).unwrap_or(0);
    for y in 0..at.height {
        let on = (start..start + thumb).contains(&y);
        let (sign, role) =
            if on { (look.glyphs.scroll.1, Role::Muted) } else { (look.glyphs.scroll.0, Role::Border) };
        look.sign(buf, at.x, at.y + y, sign, role);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_that_may_yield_go_first() {
        let column = |width, yields| Column { name: "x", width, right: false, yields };
        let columns = [column(Width::Fixed(8), 0), column(Width::Fixed(10), 2), column(Width::Fill(6), 0)];
        let table =
            Table { columns: &columns, rows: 0, sorted: None, state: TableState::default(), focus: false };
        assert_eq!(table.places(30)[..3], [(0, 8), (9, 10), (20, 10)]);
        assert_eq!(table.places(20)[..3], [(0, 8), (0, 0), (9, 11)]);
        assert_eq!(table.places(5)[..3], [(0, 5), (0, 0), (0, 0)]);
    }

    proptest! {
        #[test]
        fn the_chosen_row_is_always_seen(selected in 0usize..500, offset in 0usize..500, count in 1usize..400, visible in 1usize..60) {
            let state = TableState { selected: Some(selected), offset }.scrolled(count, visible);
            let at = state.selected.unwrap();
            prop_assert!(at < count);
            prop_assert!((state.offset..state.offset + visible).contains(&at));
        }
    }
}
