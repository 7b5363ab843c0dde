//! The screen Spend: what may be spent, by whom and in which window, and how much of it is.
//!
//! ```text
//! ╭ Budgets · fullest first ──────────────────────────────────────────────── the sample's ╮
//! │   limit                 used                       spent     limit  starts anew       │
//! │ teams / day · each team                           $58.12    $30.00                    │
//! │ ▸ search              98.1 % ██████████████▒░░   ~$29.40    $30.00  in 3 h 05 m       │
//! │ company / day         41.0 % ██████            · $61.50   $150.00  in 3 h 05 m       │
//! ╰───────────────────────────────────────────────────────────────────────────────────────╯
//! ╭ teams / day of search ────────────────────────────────────────────────────────────────╮
//! ╰───────────────────────────────────────────────────────────────────────────────────────╯
//! ```
//!
//! Invariant: it shows what the snapshot says of budgets; a chosen account stays chosen when the order changes.

mod account;
mod chosen;
mod table;
mod unset;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::account::{WARN_FROM, name, text_role};
use self::table::{Line, Lines};
use crate::console::action::Action;
use crate::console::glyphs::Glyphs;
use crate::console::paint;
use crate::console::screen::{Ask, Asks, FiguresOf, Pointer, Scene, Screen, View};
use crate::console::text;
use crate::console::theme::Role;
use crate::console::widgets::panel::Panel;
use crate::console::widgets::table::TableState;
use crate::session::listing::quoted;
use crate::session::{BudgetRow, Snapshot};
use crate::units::Instant;

/// What is chosen on this screen.
#[derive(Clone, Debug, Default)]
pub struct State {
    chosen: Option<Key>,
}

/// Which account.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    budget: String,
    window: String,
    member: Option<String>,
    starts: Option<Instant>,
}

impl From<&BudgetRow> for Key {
    fn from(row: &BudgetRow) -> Self {
        Self {
            budget: row.budget.clone(),
            window: row.window.clone(),
            member: row.member.clone(),
            starts: row.starts,
        }
    }
}

impl Key {
    fn is(&self, row: &BudgetRow) -> bool {
        self.budget == row.budget && self.window == row.window && self.member == row.member
    }
}

/// Returns the filter that lists the requests of an account; none where filters cannot tell them apart.
fn filter(row: &BudgetRow) -> Option<String> {
    let value = |value: &String| if value.is_empty() { "-".to_owned() } else { quoted(value) };
    let terms = row.traits.as_ref()?.iter().map(|(dimension, values)| {
        format!("{dimension}:{}", values.iter().map(value).collect::<Vec<_>>().join(","))
    });
    Some(terms.collect::<Vec<_>>().join(" "))
}

/// The columns of the header that its state, policy and the like take.
const FOR_THE_STATE: usize = 42;

/// Says in the header how full the fullest hard limit is, in a window so wide: with a bar where there is room for one, else in a
/// word, which goes before the policy only where it warns. `room` is what is left of the header.
pub fn headline(snapshot: &Snapshot, width: u16, room: u16, glyphs: &Glyphs) -> Option<(String, Role)> {
    // Nothing is more urgent than that somebody gets no answers at all.
    if let Some(first) = snapshot.live.as_ref().and_then(|live| live.status.stopped.first()) {
        let more = snapshot.live.as_ref().map_or(0, |live| live.status.stopped.len() - 1);
        let more = if more == 0 { String::new() } else { format!(" +{more}") };
        let most = if width < 120 { 12 } else { 32 };
        return Some((format!("stopped: {}{more}", text::cut(&text::clean(first), most)), Role::Error));
    }
    let row = snapshot.budgets().fullest()?;
    let role = text_role(row, Role::Header);
    let share = match row.used() {
        used @ ..9_990 => format!("{} %", used / 10),
        _ => "999 %".to_owned(),
    };
    if width < 120 {
        let words = format!("budget {share}");
        let fits = usize::from(room) >= FOR_THE_STATE + text::width(&words) + 2;
        return (fits || row.used() >= WARN_FROM).then_some((words, role));
    }
    // Which log this is, or which gateway, is told beside it.
    let (name, most, steps) = match width {
        ..140 => (text::clean(&row.budget).into_owned(), 8, 4),
        140..160 => (name(row), 15, 6),
        _ => (name(row), 36, 6),
    };
    let name = text::cut(&name, most);
    let full = (row.used().min(1000) as usize * steps).div_ceil(1000);
    let bar: String =
        (0..steps).map(|step| if step < full { glyphs.gauge.0 } else { glyphs.gauge.1 }).collect();
    Some((format!("{name} {bar} {share}"), role))
}

/// Where the panels lie: the table as high as it needs to be, and the chosen account.
fn places(view: View, lines: usize, area: Rect) -> [Rect; 2] {
    let none = Rect { width: 0, height: 0, ..area };
    if view.zoomed || area.height < 12 {
        return if view.focus == 1 { [none, area] } else { [area, none] };
    }
    let wanted = u16::try_from(lines.saturating_add(3)).unwrap_or(u16::MAX);
    let least = chosen::ROWS.min(area.height / 2);
    let (table, rest) = paint::split_top(area, wanted.clamp(6, area.height - least));
    let (chosen, _) = paint::split_top(rest, chosen::ROWS.max(rest.height.min(chosen::ROWS + 2)));
    [table, chosen]
}

impl State {
    /// Where the chosen account stands; the first where none was chosen or it is gone.
    fn table(&self, lines: &Lines<'_>) -> TableState {
        let same = |key: &Key| lines.find(|row| key.is(row) && key.starts == row.starts);
        // Where its window is over, the next one is chosen.
        let found = self.chosen.as_ref().and_then(|key| same(key).or_else(|| lines.find(|row| key.is(row))));
        TableState { selected: found.or_else(|| lines.find(|_| true)), offset: 0 }
    }

    fn row<'a>(&self, lines: &Lines<'a>) -> Option<&'a BudgetRow> {
        self.table(lines).selected.and_then(|at| lines.row(at))
    }

    fn step(&mut self, by: isize, snapshot: &Snapshot) {
        let lines = Lines::of(snapshot.budgets());
        let mut table = self.table(&lines);
        table.step(by, lines.len());
        let Some(mut at) = table.selected else { return };
        // A line over accounts is none itself.
        if matches!(lines.at(at), Some(Line::Limit { .. })) {
            at = if by < 0 && at > 0 { at - 1 } else { at + 1 };
        }
        self.choose(at, &lines);
    }

    fn choose(&mut self, at: usize, lines: &Lines<'_>) {
        let row = lines.row(at).or_else(|| lines.row(at + 1));
        self.chosen = row.map(Key::from).or(self.chosen.take());
    }
}

impl Screen for State {
    /// The table, and the chosen account.
    fn panels(&self) -> usize {
        2
    }

    fn figures_of(&self) -> FiguresOf {
        FiguresOf::Budgets
    }

    fn draw(&self, scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
        let area = area.intersection(buf.area);
        let budgets = scene.snapshot.budgets();
        if budgets.is_empty() {
            unset::draw(scene, area, buf);
            return;
        }
        let lines = Lines::of(budgets);
        let [table, rest] = places(scene.view, lines.len(), area);
        if !table.is_empty() {
            table::draw(scene, &lines, self.table(&lines), table, buf);
        }
        if let Some(row) = self.row(&lines).filter(|_| !rest.is_empty()) {
            chosen::draw(scene, row, rest, buf);
        }
    }

    fn act(&mut self, _: View, action: Action, snapshot: &Snapshot) -> Asks {
        if action == Action::Open {
            let lines = Lines::of(snapshot.budgets());
            return self.row(&lines).map_or_else(Asks::new, |row| match filter(row) {
                Some(filter) => vec![
                    Ask::ListFiltered(filter),
                    Ask::Say(format!("requests that draw on {}, of all time", name(row))),
                ],
                None => vec![Ask::Refuse(format!(
                    "no filter tells requests apart by {}",
                    text::clean(&row.scope)
                ))],
            });
        }
        if let Some(by) = action.rows() {
            self.step(by, snapshot);
        }
        Asks::new()
    }

    fn point(&mut self, view: &mut View, pointer: Pointer, area: Rect, snapshot: &Snapshot) -> Asks {
        let (Pointer::Press(x, y) | Pointer::Wheel(x, y, _)) = pointer else { return Asks::new() };
        let lines = Lines::of(snapshot.budgets());
        let [table, rest] = places(*view, lines.len(), area);
        let at = (x, y).into();
        if let Pointer::Wheel(_, _, by) = pointer {
            if table.contains(at) || rest.contains(at) {
                self.step(isize::from(by.signum()), snapshot);
            }
        } else if table.contains(at) {
            view.focus = 0;
            if let Some(line) = table::hit(&lines, self.table(&lines), Panel::inner(table), (x, y)) {
                self.choose(line, &lines);
            }
        } else if rest.contains(at) {
            view.focus = 1;
        }
        Asks::new()
    }
}
