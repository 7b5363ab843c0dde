//! All accounts in a table: each limit, and below it whoever draws on it; what an account is called, and how it looks by how full
//! it is.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::tree::Line;
use crate::budget::Mode;
use crate::console::format::{self, Short, UNKNOWN, short};
use crate::console::paint::{self, Look};
use crate::console::screen::Scene;
use crate::console::text;
use crate::console::theme::Role;
use crate::console::widgets::panel::Panel;
use crate::console::widgets::table::{Column, Slot, Table, TableState, Width};
use crate::session::{BudgetRow, BudgetsView};
use crate::units::{Instant, Pico};

/// From where on an account is something to look at, in thousandths of its limit.
pub(super) const WARN_FROM: u32 = 900;

/// Names an account: `teams / day`, and whose it is.
pub(super) fn name(row: &BudgetRow) -> String {
    let limit = format!("{} / {}", text::clean(&row.budget), row.window);
    match &row.member {
        Some(member) => format!("{limit} of {}", member_name(member)),
        None => limit,
    }
}

pub(super) fn member_name(member: &str) -> String {
    if member.is_empty() { "(not named)".to_owned() } else { text::clean(member).into_owned() }
}

/// How an account that is so full looks.
pub(super) fn role(row: &BudgetRow) -> Role {
    match (row.used(), row.mode) {
        (1000.., Mode::Hard) => Role::Error,
        (WARN_FROM.., Mode::Hard | Mode::Soft) => Role::Warn,
        (1000.., Mode::Observe) => Role::Accent,
        _ => Role::GaugeFill,
    }
}

/// How a text about an account looks; `calm` is for one that has room.
pub(super) fn text_role(row: &BudgetRow, calm: Role) -> Role {
    match role(row) {
        Role::GaugeFill => calm,
        role => role,
    }
}

/// The lines in order.
pub(super) struct Lines<'a> {
    /// Each with its depth.
    lines: Vec<(u16, Line<'a>)>,
    /// Whether every account is here, so that sums are of all.
    whole: bool,
}

impl<'a> Lines<'a> {
    /// Lays out the accounts.
    pub(super) fn of(budgets: &'a BudgetsView) -> Self {
        Self { lines: super::tree::lines(&budgets.rows), whole: budgets.left_out == 0 }
    }

    /// Counts them.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Returns one.
    pub(super) fn at(&self, at: usize) -> Option<Line<'a>> {
        self.lines.get(at).map(|(_, line)| *line)
    }

    /// Returns the columns that a line is set in by.
    fn indent(&self, at: usize) -> u16 {
        self.lines.get(at).map_or(0, |(depth, _)| 2 * (*depth).min(8))
    }

    /// Returns the account of a line.
    pub(super) fn row(&self, at: usize) -> Option<&'a BudgetRow> {
        match self.at(at)? {
            Line::Account(row) => Some(row),
            Line::Limit { .. } => None,
        }
    }

    /// Finds the first account that is so.
    pub(super) fn find(&self, is: impl Fn(&BudgetRow) -> bool) -> Option<usize> {
        (0..self.len()).find(|&at| self.row(at).is_some_and(&is))
    }
}

const COLUMNS: [Column<'static>; 13] = [
    Column::left("budget", Width::Fill(18), 0),
    Column::left("mode", Width::Fixed(7), 9),
    Column::right("used", 7, 0),
    Column::left("", Width::Fill(12), 1),
    Column::right("spent", 10, 0),
    Column::right("held", 9, 6),
    Column::right("limit", 9, 0),
    Column::right("expected", 10, 3),
    Column::right("runs out", 12, 5),
    Column::right("starts anew", 12, 2),
    Column::right("refused", 8, 7),
    Column::right("moved", 7, 8),
    Column::right("ran out", 12, 4),
];

/// Draws the table.
pub(super) fn draw(scene: Scene<'_>, lines: &Lines<'_>, state: TableState, area: Rect, buf: &mut Buffer) {
    let (look, budgets) = (scene.look, scene.snapshot.budgets());
    let more = match budgets.left_out {
        0 => String::new(),
        more => format!("{} less full ", format::count(more)),
    };
    let source = text::clean(&budgets.source);
    let scope = match (more.is_empty(), source.is_empty()) {
        (true, _) => source.into_owned(),
        (false, true) => format!("{more}are not shown"),
        (false, false) => format!("{more}are not shown {} {source}", look.glyphs.dot),
    };
    let off = scene.snapshot.billed().and_then(super::saved::off_by);
    let scope = match off {
        Some((off, _)) if scope.is_empty() => format!("bill {off}"),
        Some((off, _)) => format!("bill {off} {} {scope}", look.glyphs.dot),
        None => scope,
    };
    let focus = scene.view.focus == 0;
    let inside = Panel { title: "Budgets, the fullest first", scope: &scope, focus }.page(area, buf, look);
    let now = scene.now();
    let table = Table { columns: &COLUMNS, rows: lines.len(), sorted: None, state, focus };
    table.render(inside, buf, look, |buf, slot| match lines.at(slot.row) {
        Some(Line::Account(row)) => account(row, now, (slot, lines.indent(slot.row)), buf),
        Some(Line::Limit { of }) => limit(of, lines.whole, (slot, lines.indent(slot.row)), buf),
        None => {}
    });
}

/// Writes money that may be an estimate in part.
pub(super) fn spent(spent: Pico, assumed: Pico) -> Short {
    let mark = if assumed == Pico::ZERO { "" } else { "~" };
    short!("{mark}{}", format::money(spent))
}

/// Says when a window starts anew: `in 3 h 05 m`.
pub(super) fn anew(row: &BudgetRow, now: Instant) -> Short {
    match row.ends {
        None => short!("never"),
        Some(ends) if ends <= now => short!("over"),
        Some(ends) => short!("in {}", format::duration(ends - now)),
    }
}

/// Writes what a window is expected to come to; by the plain rate of less than a week with its sign.
pub(super) fn expected(row: &BudgetRow) -> (Short, Role) {
    let Some(end) = row.expected else { return (short!("{UNKNOWN}"), Role::Unknown) };
    let role = match row.mode {
        _ if end <= row.limit => Role::Estimated,
        Mode::Observe => Role::Accent,
        Mode::Hard | Mode::Soft => Role::Warn,
    };
    (short!("~{}", format::money(end)), role)
}

/// Writes a moment to the minute: `05-23 14:03`.
fn minute(at: Instant) -> String {
    let text = at.rfc3339();
    text.get(5..16).map_or(text.clone(), |text| text.replace('T', " "))
}

fn account(row: &BudgetRow, now: Instant, (slot, indent): (Slot<'_>, u16), buf: &mut Buffer) {
    let look = slot.look;
    let counted = |count: u64| match count {
        0 => (short!("{}", look.glyphs.absent), Role::Muted),
        count => (format::count_short(count), Role::Warn),
    };
    let (words, role): (Short, Role) = match slot.column {
        0 => {
            let (at, rest) = paint::split_left(slot.at, 2);
            if slot.selected {
                look.mark(buf, at, look.glyphs.chosen, Role::Accent);
            }
            let (_, rest) = paint::split_left(rest, indent);
            let role = if row.member.as_deref() == Some("") { Role::Muted } else { Role::Text };
            match &row.member {
                Some(member) => {
                    look.text(buf, paint::split_left(rest, 2).1, &member_name(member), role);
                }
                None => limit_name(row, rest, look, buf),
            }
            return;
        }
        1 if row.member.is_none() => return mode(row, slot, buf),
        2 => (used(row), text_role(row, Role::Text)),
        3 => return bar(row, slot.at, look, buf),
        4 => (
            spent(row.spent, row.assumed),
            if row.assumed == Pico::ZERO { Role::Text } else { Role::Estimated },
        ),
        5 if row.open > 0 || row.held != Pico::ZERO => (format::money(row.held), Role::Text),
        5 => (short!("{}", look.glyphs.absent), Role::Muted),
        6 => (format::money(row.limit), Role::Text),
        7 => expected(row),
        8 => match row.runs_out.filter(|_| row.ran_out.is_none()) {
            Some(at) => return slot.say(buf, &minute(at), Role::Warn),
            None => (short!("{}", look.glyphs.absent), Role::Muted),
        },
        9 => (anew(row, now), Role::Muted),
        10 => counted(row.refused),
        11 => counted(row.moved),
        12 => match row.ran_out {
            Some(at) => return slot.say(buf, &minute(at), text_role(row, Role::Text)),
            None => (short!("{}", look.glyphs.absent), Role::Muted),
        },
        _ => return,
    };
    slot.say(buf, &words, role);
}

/// Writes how much of a limit is spent or held.
fn used(row: &BudgetRow) -> Short {
    match row.used() {
        used @ ..9_990 => format::percent(used.into(), 1000),
        _ => short!(">999 %"),
    }
}

fn limit_name(row: &BudgetRow, at: Rect, look: Look<'_>, buf: &mut Buffer) {
    let used = look.text(buf, at, &text::clean(&row.budget), Role::Title);
    look.text(buf, paint::split_left(at, used + 1).1, &format!("/ {}", row.window), Role::Muted);
}

fn mode(row: &BudgetRow, slot: Slot<'_>, buf: &mut Buffer) {
    slot.say(buf, row.mode.name(), if row.mode == Mode::Hard { Role::Text } else { Role::Muted });
}

/// Draws a limit over those who draw on it: their sums, where all are here.
fn limit(of: &[BudgetRow], whole: bool, (slot, indent): (Slot<'_>, u16), buf: &mut Buffer) {
    let Some(first) = of.first() else { return };
    let sum = |amount: fn(&BudgetRow) -> Pico| of.iter().map(amount).sum::<Pico>();
    let unknown = || short!("{UNKNOWN}");
    match slot.column {
        0 => limit_name(first, paint::split_left(slot.at, 2 + indent).1, slot.look, buf),
        1 => mode(first, slot, buf),
        3 => slot.say(buf, &text::clean(&first.scope), Role::Muted),
        4 => {
            let words = if whole { spent(sum(|row| row.spent), sum(|row| row.assumed)) } else { unknown() };
            slot.say(buf, &words, Role::Muted);
        }
        _ => {}
    }
}

/// Draws how full an account is: what is spent solid, what is held hatched, what is over marked at the end.
pub(super) fn bar(row: &BudgetRow, at: Rect, look: Look<'_>, buf: &mut Buffer) {
    let at = paint::nth_row(at.intersection(buf.area), 0);
    let wide = u32::from(at.width);
    if at.is_empty() {
        return;
    }
    let role = role(row);
    let eighths = |share: u32| (share.min(1000) * wide * 8).div_ceil(1000);
    let (solid, full) = (eighths(row.spent_share()), eighths(row.used()));
    for offset in 0..at.width {
        let from = u32::from(offset) * 8;
        let part = solid.saturating_sub(from).min(8);
        let (sign, role) = match look.glyphs.right.get(part as usize) {
            Some(&sign) if part > 0 => (sign, role),
            _ if full > from => (look.glyphs.held, role),
            _ => (look.glyphs.empty, Role::GaugeEmpty),
        };
        // Solid is solid also in a row that is turned round.
        let style = look.style(role).remove_modifier(Modifier::REVERSED);
        paint::sign(buf, at.left() + offset, at.top(), sign, style);
    }
    if row.used() > 1000 {
        look.sign(buf, at.right() - 1, at.top(), look.glyphs.arrow.1, role);
    }
}
