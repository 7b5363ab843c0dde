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
//! Beside them: what routing saved in the window, why it costs more or less than the time before, what its units cost, and
//! what an hour cost over time.
//!
//! Invariant: it shows what the snapshot says of budgets; a chosen account stays chosen when the order changes.

mod chosen;
mod layout;
mod saved;
mod table;
mod tree;
mod units;
mod why;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::layout::{CHOSEN, PANELS, Places, SAVED, TABLE, TREND, UNITS, WHY, places};
use self::table::{Lines, WARN_FROM, name, text_role};
use self::tree::Line;
use crate::console::action::Action;
use crate::console::glyphs::Glyphs;
use crate::console::screen::{Ask, Asks, FiguresOf, Pointer, Scene, Screen, View};
use crate::console::screens::trend::{self, Measure};
use crate::console::theme::Role;
use crate::console::widgets::panel::Panel;
use crate::console::widgets::table::TableState;
use crate::console::{paint, text};
use crate::session::listing::quoted;
use crate::session::{Beside, BudgetRow, Snapshot, Studies, Topic};
use crate::telemetry::Dimension;

/// What is chosen on this screen.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The chosen account, as it stood then.
    chosen: Option<BudgetRow>,
    /// What is worked out of the window.
    studies: Studies,
    beside: Beside,
    /// Which dimension units are told apart by, and which row of them is chosen.
    by: usize,
    unit: usize,
    /// The chosen part of the traffic that explains a change.
    slice: usize,
}

/// The panel that says why spend changed.
pub(in crate::console) const WHY_PANEL: usize = WHY;
/// The panel that tells what units cost.
pub(in crate::console) const UNITS_PANEL: usize = UNITS;

/// Says whether both are of the same account, whatever their windows.
fn is_same(one: &BudgetRow, other: &BudgetRow) -> bool {
    one.budget == other.budget && one.window == other.window && one.member == other.member
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
        return Some((format!("stopped: {}{more}", text::truncate(&text::clean(first), most)), Role::Error));
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
    let name = text::truncate(&name, most);
    let full = (row.used().min(1000) as usize * steps).div_ceil(1000);
    let bar: String =
        (0..steps).map(|step| if step < full { glyphs.gauge.0 } else { glyphs.gauge.1 }).collect();
    Some((format!("{name} {bar} {share}"), role))
}

impl State {
    /// Where the chosen account stands; the first where none was chosen or it is gone.
    fn table(&self, lines: &Lines<'_>) -> TableState {
        let same = |one: &BudgetRow| lines.find(|row| is_same(one, row) && one.starts == row.starts);
        // Where its window is over, the next one is chosen.
        let next = |one: &BudgetRow| lines.find(|row| is_same(one, row));
        let found = self.chosen.as_ref().and_then(|one| same(one).or_else(|| next(one)));
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
        self.chosen = row.cloned().or(self.chosen.take());
    }

    fn topic(&self, snapshot: &Snapshot) -> Topic {
        Topic::of(snapshot, self.beside, self.by())
    }

    fn by(&self) -> Dimension {
        units::BY.get(self.by).cloned().unwrap_or(Dimension::Task)
    }

    /// Compares with the time before, then with the same hours of the week before.
    fn turn(&mut self) -> Asks {
        let (beside, words) = match self.beside {
            Beside::Before => (Beside::WeekAgo, "compared with the same hours a week before"),
            Beside::WeekAgo => (Beside::Before, "compared with the time just before, as long"),
        };
        self.beside = beside;
        vec![Ask::Say(words.to_owned())]
    }

    fn layout(snapshot: &Snapshot, view: View, area: Rect) -> Places {
        let budgets = snapshot.budgets();
        let rows = (!budgets.is_empty()).then(|| Lines::of(budgets).len());
        places(view, rows, area)
    }

    /// Moves the choice in the panel that has the keys.
    fn step_in(&mut self, panel: usize, by: isize, snapshot: &Snapshot) {
        let found = self.studies.found();
        let (chosen, count) = match panel {
            WHY => (&mut self.slice, why::count(found)),
            UNITS => (&mut self.unit, units::count(found)),
            _ => return self.step(by, snapshot),
        };
        *chosen = chosen.saturating_add_signed(by).min(count.saturating_sub(1));
    }

    /// Leads to the requests of what is chosen.
    fn open(&self, panel: usize, snapshot: &Snapshot) -> Asks {
        let found = self.studies.found();
        let listed = |filter: Option<String>, what: &str| match filter {
            Some(filter) => vec![Ask::ListFiltered(filter)],
            None => vec![Ask::Refuse(format!("no {what} is chosen whose requests a filter could tell"))],
        };
        match panel {
            WHY => {
                let filter = found.and_then(|found| why::filter(snapshot, found, self.slice));
                listed(filter, "part of the traffic")
            }
            UNITS => listed(found.and_then(|found| units::filter(found, self.unit)), "row"),
            _ => {
                let Some(row) = self.row(&Lines::of(snapshot.budgets())) else { return Asks::new() };
                let Some(filter) = filter(row) else {
                    let scope = text::clean(&row.scope);
                    return vec![Ask::Refuse(format!("no filter tells requests apart by {scope}"))];
                };
                let words = format!("requests that draw on {}, of all time", name(row));
                vec![Ask::ListFiltered(filter), Ask::Say(words)]
            }
        }
    }
}

impl Screen for State {
    fn panels(&self) -> usize {
        PANELS
    }

    fn figures_of(&self) -> FiguresOf {
        FiguresOf::Budgets
    }

    fn work(&mut self, snapshot: &Snapshot) -> bool {
        let topic = self.topic(snapshot);
        self.studies.work(snapshot, topic)
    }

    fn draw(&self, scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
        let budgets = scene.snapshot.budgets();
        let lines = Lines::of(budgets);
        let found = self.studies.found();
        for (panel, at) in Self::layout(scene.snapshot, scene.view, area) {
            match panel {
                _ if at.is_empty() => {}
                TABLE if budgets.is_empty() => chosen::draw_unset(scene, at, buf),
                TABLE => table::draw(scene, &lines, self.table(&lines), at, buf),
                CHOSEN => {
                    if let Some(row) = self.row(&lines) {
                        chosen::draw(scene, row, at, buf);
                    }
                }
                SAVED => saved::draw(scene, SAVED, found, at, buf),
                TREND => trend::draw(scene, TREND, Measure::Hour, at, buf),
                WHY => why::draw(scene, WHY, (found, self.beside, self.slice), at, buf),
                _ => units::draw(scene, UNITS, (found, self.by(), self.unit), at, buf),
            }
        }
    }

    fn act(&mut self, view: View, action: Action, snapshot: &Snapshot) -> Asks {
        match action {
            Action::Open => return self.open(view.focus, snapshot),
            Action::Why => return self.turn(),
            Action::NextDimension => {
                (self.by, self.unit) = ((self.by + 1) % units::BY.len(), 0);
            }
            _ => {
                if let Some(by) = action.rows() {
                    self.step_in(view.focus, by, snapshot);
                }
            }
        }
        Asks::new()
    }

    fn point(&mut self, view: &mut View, pointer: Pointer, area: Rect, snapshot: &Snapshot) -> Asks {
        let (Pointer::Press(x, y) | Pointer::Wheel(x, y, _)) = pointer else { return Asks::new() };
        let all = Self::layout(snapshot, *view, area);
        let Some(&(panel, at)) = all.iter().find(|(_, at)| at.contains((x, y).into())) else {
            return Asks::new();
        };
        if let Pointer::Wheel(_, _, by) = pointer {
            self.step_in(panel, isize::from(by.signum()), snapshot);
            return Asks::new();
        }
        view.focus = panel;
        if panel == TABLE {
            let lines = Lines::of(snapshot.budgets());
            let inside = paint::margin(Panel::inner(at));
            if let Some(line) = self.table(&lines).hit(lines.len(), inside, (x, y)) {
                self.choose(line, &lines);
            }
        }
        Asks::new()
    }
}
