//! The request table: what has been played, filtered and sorted, a million rows as well as ten.
//!
//! Invariants: only rows on screen are settled to be drawn; a search goes on in stretches ([`Screen::work`]) and says how far it
//! is; the chosen request stays chosen while new ones arrive.

mod columns;

use std::cell::Cell;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub use columns::{status_role, status_word};

use columns::{Cells, Clock, columns, sorted_column};

use crate::console::action::Action;
use crate::console::glyphs::{GlyphSet, Glyphs};
use crate::console::paint::{self, Look};
use crate::console::screen::{Ask, Asks, Do, FiguresOf, Pointer, Scene, Screen, View};
use crate::console::screens::{figures, welcome};
use crate::console::theme::Role;
use crate::console::widgets::panel::Panel;
use crate::console::widgets::table::{Order, Table, TableState};
use crate::console::{format, text};
use crate::session::listing::{Filter, Listing, Progress, SortBy, Summary, nothing_called};
use crate::session::{Command, Snapshot};

/// What is chosen on this screen.
#[derive(Clone, Debug, Default)]
pub struct State {
    filter: Filter,
    listing: Listing,
    sort: SortBy,
    reversed: bool,
    /// The chosen request; none follows the newest.
    held: Option<usize>,
    /// The line of the table on which the chosen row stands.
    line: usize,
    /// How many rows the last drawing had room for, so that a page is a page.
    room: Cell<usize>,
}

/// Sets what was typed as the filter; the empty text lists everything.
pub fn set_filter(state: &mut State, text: &str) {
    if state.filter.text != text.trim() {
        state.filter = Filter::parse(text);
        state.listing.clear();
    }
}

/// Sets the order.
pub fn set_order(state: &mut State, sort: SortBy, reversed: bool) {
    (state.sort, state.reversed) = (sort, reversed);
}

/// Returns the filter.
pub fn filter(state: &State) -> &Filter {
    &state.filter
}

/// Shows the requests of the window that the staged policy would send elsewhere.
pub fn show_flips(state: &mut State, snapshot: &Snapshot) {
    set_filter(state, "flips window");
    state.follow();
    state.work(snapshot);
}

/// Returns the sums of what is listed.
pub fn summary(state: &State, snapshot: &Snapshot) -> Summary {
    state.listing.summary(&state.filter, snapshot)
}

/// Says what is still to be done before the list is whole.
pub fn progress(state: &State, snapshot: &Snapshot) -> Option<Progress> {
    state.listing.progress(&state.filter, snapshot)
}

/// Counts the rows listed.
pub fn rows(state: &State, snapshot: &Snapshot) -> usize {
    state.listing.len(&state.filter, snapshot)
}

/// Returns the request (its index in the log) in a row of the table.
pub fn request_at(state: &State, row: usize, snapshot: &Snapshot) -> Option<usize> {
    state.listing.at(row, &state.filter, snapshot)
}

/// Returns the chosen request.
pub fn selected(state: &State, snapshot: &Snapshot) -> Option<usize> {
    request_at(state, state.place(snapshot), snapshot)
}

/// Says whether the newest request is followed.
pub fn follows(state: &State) -> bool {
    state.held.is_none()
}

/// Returns the chosen row with tabs between its cells.
pub fn selected_text(state: &State, snapshot: &Snapshot) -> Option<String> {
    row_text(selected(state, snapshot)?, snapshot)
}

/// Returns a request's row with tabs between its cells.
pub fn row_text(index: usize, snapshot: &Snapshot) -> Option<String> {
    Cells::new(snapshot, Clock::Millis).tabbed(index, Glyphs::of(GlyphSet::Ascii))
}

/// Chooses the request so many rows further down and returns it; nothing where the table ends.
pub fn step(state: &mut State, by: isize, snapshot: &Snapshot) -> Option<usize> {
    let before = state.place(snapshot);
    let to = before.saturating_add_signed(by).min(rows(state, snapshot).checked_sub(1)?);
    (to != before).then_some(())?;
    state.go(to, snapshot, true);
    state.held
}

/// Chooses a request, wherever it stands.
pub fn choose(state: &mut State, index: usize) {
    state.held = Some(index);
}

impl State {
    /// Brings the chosen request's index up to date; none of it is kept where it can no longer be told.
    pub(in crate::console) fn move_held(&mut self, moved: impl Fn(usize) -> Option<usize>) {
        self.held = self.held.and_then(moved);
    }

    fn newest_is_last(&self) -> bool {
        self.sort == SortBy::Time && self.reversed
    }

    /// Returns the row of the chosen request.
    fn place(&self, snapshot: &Snapshot) -> usize {
        match self.held {
            Some(index) => self.listing.place(index, &self.filter, snapshot),
            None if self.newest_is_last() => rows(self, snapshot).saturating_sub(1),
            None => 0,
        }
    }

    fn table_state(&self, snapshot: &Snapshot, visible: usize) -> TableState {
        let visible = visible.max(1);
        let place = self.place(snapshot);
        let line = if self.held.is_none() && self.newest_is_last() { visible } else { self.line };
        let line = line.min(visible.saturating_sub(1));
        TableState { selected: Some(place), offset: place.saturating_sub(line) }
            .scrolled(rows(self, snapshot), visible)
    }

    fn page(&self) -> usize {
        self.room.get().max(2)
    }

    fn follow(&mut self) {
        self.held = None;
        self.line = 0;
    }

    /// Chooses a row; the line on screen moves along where `moves`, else the table moves under it.
    fn go(&mut self, to: usize, snapshot: &Snapshot, moves: bool) {
        let visible = self.room.get();
        let shown = self.table_state(snapshot, visible);
        let before = shown.selected.unwrap_or(0);
        let mut line = before.saturating_sub(shown.offset);
        if moves {
            line = (line + to).saturating_sub(before);
        }
        self.line = line.min(visible.saturating_sub(1)).min(to);
        self.held = request_at(self, to, snapshot);
    }

    fn step(&mut self, by: isize, snapshot: &Snapshot, moves: bool) {
        let Some(last) = rows(self, snapshot).checked_sub(1) else { return };
        let before = self.place(snapshot);
        let outwards = if self.newest_is_last() { before == last && by > 0 } else { before == 0 && by < 0 };
        if outwards {
            // Beyond the newest row there is nothing but what is to come.
            self.follow();
            return;
        }
        self.go(before.saturating_add_signed(by).min(last), snapshot, moves);
    }
}

/// Where the parts of the screen lie: summary, filter, what is wrong with it, table.
fn parts(area: Rect, filter: &Filter, rows: u16) -> [Rect; 4] {
    let inner = paint::margin(Panel::inner(area));
    let (summary, rest) = paint::split_top(inner, 1);
    let (filter, rest) = paint::split_top(rest, u16::from(!filter.text.is_empty()));
    let (problem, table) = paint::split_top(rest, rows);
    [summary, filter, problem, table]
}

/// The most rows given to what is wrong with a filter.
const PROBLEM_ROWS: usize = 5;

/// Says what is wrong with the filter, or what it names that is not there.
pub fn problem(state: &State, snapshot: &Snapshot) -> Option<String> {
    let Some((first, more)) = state.filter.wrong.split_first() else {
        return nothing_called(&state.filter, snapshot);
    };
    let more = match more {
        [] => String::new(),
        [other] => format!("; and {other}"),
        _ => format!("; and {} more mistakes", more.len()),
    };
    let kept = if state.filter.is_empty() { "nothing is filtered" } else { "the other terms hold" };
    // A name that is not there comes first: it is why nothing passes.
    let stopped = |words: String| {
        let stop = if words.ends_with('?') { " " } else { "; " };
        words + stop
    };
    let absent = nothing_called(&state.filter, snapshot).map_or_else(String::new, stopped);
    Some(format!("{absent}{}{kept}", stopped(format!("{first}{more}"))))
}

/// Returns the rows that a problem takes, wrapped to the width there is.
fn problem_rows(problem: Option<&str>, area: Rect) -> u16 {
    let wide = usize::from(paint::margin(Panel::inner(area)).width.saturating_sub(2));
    let rows = problem.map_or(0, |words| text::wrap(words, wide).count().min(PROBLEM_ROWS));
    u16::try_from(rows).unwrap_or(0)
}

fn scope(snapshot: &Snapshot, filter: &Filter) -> String {
    let versions = match (snapshot.policies.first(), snapshot.policies.last()) {
        (Some(first), Some(last)) if first.policy.version != last.policy.version => {
            format!("v{} to v{}", first.policy.version, last.policy.version)
        }
        _ => format!("v{}", snapshot.policy.version),
    };
    let policy = format!("policy {} {versions}", snapshot.policy.name);
    // All that was played, unless the filter says otherwise.
    if filter.window { format!("{} · {policy}", figures::window(snapshot)) } else { policy }
}

/// Writes one word after another along a line.
struct Along<'a> {
    rest: Rect,
    look: Look<'a>,
}

impl Along<'_> {
    /// Writes words and a gap; leaves them out where they do not fit whole.
    fn say(&mut self, buf: &mut Buffer, words: &str, role: Role) {
        let wide = text::columns(words);
        if wide > self.rest.width {
            self.rest.width = 0;
            return;
        }
        let used = self.look.text(buf, self.rest, words, role);
        self.rest = paint::split_left(self.rest, used.saturating_add(2)).1;
    }
}

/// From this width on sums are named in full.
const SPACIOUS: u16 = 110;

fn draw_summary(state: &State, snapshot: &Snapshot, at: Rect, buf: &mut Buffer, look: Look<'_>) {
    let sums = summary(state, snapshot);
    let mut along = Along { rest: at, look };
    let played = format::count(snapshot.head as u64);
    let word = if snapshot.live.is_some() { "so far" } else { "played" };
    if state.filter.is_empty() {
        along.say(buf, &format!("{played} {word}"), Role::Text);
    } else {
        along.say(buf, &format!("{} of {played} {word}", format::count(sums.requests)), Role::Text);
    }
    let (known, estimated, unknown) = if at.width >= SPACIOUS {
        (" known", " estimated", "of unknown cost")
    } else {
        (" known", " est.", "unknown")
    };
    let cost = &sums.cost;
    // One amount alone needs no word beside it; where nothing is known, nothing is no sum.
    let known = if cost.estimated.0 == 0 && at.width < SPACIOUS { "" } else { known };
    if cost.known.0 != 0 || cost.unknown == 0 && cost.estimated.0 == 0 {
        along.say(buf, &format!("{}{known}", format::money(cost.known)), Role::Observed);
    }
    if cost.estimated.0 != 0 {
        along.say(buf, &format!("~{}{estimated}", format::money(cost.estimated)), Role::Estimated);
    }
    if cost.unknown > 0 {
        along.say(buf, &format!("{} {unknown}", format::count(cost.unknown)), Role::Warn);
    }
    let role = if sums.errors > 0 { Role::Error } else { Role::Muted };
    along.say(buf, &format!("{} failed", format::count(sums.errors)), role);
    if snapshot.log.simulated > 0 {
        along.say(buf, "S simulated", Role::Simulated);
    }
    draw_standing(state, snapshot, along.rest, buf, look);
}

/// Says the order and whether the newest is followed, as fully as there is room; first of all how far the work is.
fn draw_standing(state: &State, snapshot: &Snapshot, at: Rect, buf: &mut Buffer, look: Look<'_>) {
    if state.filter.text.is_empty()
        && let Some(doing) = doing(state, snapshot)
    {
        look.text_right(buf, at, &doing, Role::Accent);
        return;
    }
    let held = state.held.is_some();
    let short = match (held, state.sort) {
        (false, SortBy::Time) => "following",
        (false, _) => "at the top",
        (true, SortBy::Time) if state.newest_is_last() => "held; End follows",
        (true, SortBy::Time) => "held; Home follows",
        (true, _) => "held; Home is the top",
    };
    let full = format!("{} {} {short}", state.sort.words(state.reversed), look.glyphs.dot);
    let role = if held { Role::State } else { Role::Muted };
    let room = usize::from(at.width);
    if let Some(words) = [full.as_str(), short].into_iter().find(|words| text::width(words) <= room) {
        look.text_right(buf, at, words, role);
    }
}

/// Says what is still to be done, or why nothing can be listed.
fn doing(state: &State, snapshot: &Snapshot) -> Option<String> {
    match progress(state, snapshot) {
        Some(Progress::Searching(percent)) => Some(format!("searching {percent} %")),
        Some(Progress::Sorting(percent)) => Some(format!("sorting {percent} %")),
        None if state.filter.asks_flips() && snapshot.staged.is_none() && snapshot.second.is_none() => {
            Some("nothing is staged, so nothing flips".to_owned())
        }
        None => None,
    }
}

fn draw_filter(state: &State, snapshot: &Snapshot, at: Rect, buf: &mut Buffer, look: Look<'_>) {
    let doing = doing(state, snapshot).unwrap_or_default();
    let used = look.text_right(buf, at, &doing, Role::Accent);
    let (left, _) = paint::split_left(at, at.width.saturating_sub(used));
    let mut along = Along { rest: left, look };
    along.say(buf, "filter", Role::Muted);
    look.text(buf, along.rest, &state.filter.text, Role::Input);
}

fn draw_problem(problem: Option<&str>, area: Rect, buf: &mut Buffer, look: Look<'_>) {
    let Some(problem) = problem else { return };
    let (mark, words) = paint::split_left(area, 2);
    look.mark(buf, mark, look.glyphs.state.1, Role::Warn);
    look.wrapped(buf, words, problem, Role::Warn);
}

fn draw_table(state: &State, snapshot: &Snapshot, focus: bool, at: Rect, buf: &mut Buffer, look: Look<'_>) {
    let visible = Table::visible(at);
    state.room.set(visible);
    if visible == 0 {
        return;
    }
    let clock = Clock::choose(at.width, snapshot.log.span());
    let columns = columns(clock, at.width);
    let order = if state.reversed { Order::Ascending } else { Order::Descending };
    let table = Table {
        columns: &columns,
        rows: rows(state, snapshot),
        sorted: sorted_column(state.sort).map(|column| (column, order)),
        state: state.table_state(snapshot, visible),
        focus,
    };
    let mut cells = Cells::new(snapshot, clock);
    let mut row = (usize::MAX, None);
    table.render(at, buf, look, |buf, slot| {
        if row.0 != slot.row {
            row = (slot.row, request_at(state, slot.row, snapshot));
        }
        if let Some(index) = row.1 {
            cells.draw(index, slot, buf);
        }
    });
    if table.rows == 0 {
        let words = match progress(state, snapshot) {
            Some(_) => "searching",
            None if snapshot.log.is_empty() && snapshot.live.is_some() => "waiting for the first request",
            None if snapshot.head == 0 => "nothing has been played yet",
            None if state.filter.is_empty() => "no requests",
            None => "no request passes the filter",
        };
        let middle = paint::nth_row(at, (at.height / 2).max(1));
        look.text_middle(buf, middle, words, Role::Muted);
    }
}

impl Screen for State {
    fn figures_of(&self) -> FiguresOf {
        FiguresOf::Played
    }

    fn draw(&self, scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
        if welcome::draw(scene, area, buf) {
            return;
        }
        let (snapshot, look) = (scene.snapshot, scene.look);
        let scope = scope(snapshot, &self.filter);
        let focus = scene.view.focus == 0;
        Panel { title: "Traffic", scope: &scope, focus }.render(area, buf, look);
        let problem = problem(self, snapshot);
        let rows = problem_rows(problem.as_deref(), area);
        let [summary, filter, wrong, table] = parts(area, &self.filter, rows);
        draw_summary(self, snapshot, summary, buf, look);
        draw_filter(self, snapshot, filter, buf, look);
        draw_problem(problem.as_deref(), wrong, buf, look);
        draw_table(self, snapshot, focus, table, buf, look);
    }

    fn act(&mut self, _: View, action: Action, snapshot: &Snapshot) -> Asks {
        let page = isize::try_from(self.page().saturating_sub(1)).unwrap_or(1);
        let last = rows(self, snapshot).saturating_sub(1);
        let by_time = self.sort == SortBy::Time;
        match action {
            Action::Sort => {
                set_order(self, self.sort.next(), false);
                self.work(snapshot);
            }
            Action::SortReverse => {
                self.reversed = !self.reversed;
                self.work(snapshot);
            }
            Action::Open => return selected(self, snapshot).map(Ask::Open).into_iter().collect(),
            Action::Up => self.step(-1, snapshot, true),
            Action::Down => self.step(1, snapshot, true),
            Action::PageUp => self.step(-page, snapshot, false),
            Action::PageDown => self.step(page, snapshot, false),
            Action::First | Action::Last if by_time => {
                if self.newest_is_last() == (action == Action::First) {
                    self.go(if action == Action::First { 0 } else { last }, snapshot, true);
                } else {
                    self.follow();
                    if snapshot.live.is_some() {
                        return vec![Ask::Send(Command::Follow)];
                    }
                }
            }
            Action::First => self.follow(),
            Action::Last => self.go(last, snapshot, true),
            Action::Flipped => return vec![Ask::ListFlips],
            Action::CopyRow => {
                let row = selected_text(self, snapshot);
                return row.map(|row| Ask::Do(Do::Copy(row))).into_iter().collect();
            }
            Action::CopyPanel => return vec![Ask::Do(Do::CopyList)],
            Action::Back => {
                self.widen();
            }
            _ => {}
        }
        Asks::new()
    }

    fn point(&mut self, _: &mut View, pointer: Pointer, area: Rect, snapshot: &Snapshot) -> Asks {
        let rows_of_problem = problem_rows(problem(self, snapshot).as_deref(), area);
        let [.., at] = parts(area, &self.filter, rows_of_problem);
        let visible = Table::visible(at);
        self.room.set(visible);
        let count = rows(self, snapshot);
        if visible == 0 || count == 0 {
            return Asks::new();
        }
        let shown = self.table_state(snapshot, visible);
        let (x, y, pressed) = match pointer {
            Pointer::Wheel(_, _, turns) => {
                self.step(isize::from(turns).saturating_mul(3), snapshot, false);
                return Asks::new();
            }
            Pointer::Press(x, y) => (x, y, true),
            Pointer::Drag(x, y) => (x, y, false),
            Pointer::Release(..) => return Asks::new(),
        };
        let on_bar = count > visible && x.saturating_add(1) == at.right() && at.contains((x, y).into());
        if on_bar && y > at.top() {
            let share = usize::from(y - at.top() - 1);
            let to = share.saturating_mul(count.saturating_sub(1)) / visible.saturating_sub(1).max(1);
            self.go(to.min(count.saturating_sub(1)), snapshot, false);
            return Asks::new();
        }
        let Some(row) = shown.hit(count, at, (x, y)) else { return Asks::new() };
        if pressed && shown.selected == Some(row) && self.held.is_some() {
            return selected(self, snapshot).map(Ask::Open).into_iter().collect();
        }
        self.go(row, snapshot, true);
        Asks::new()
    }

    /// Searches and sorts on for a while: after every change, before drawing.
    fn work(&mut self, snapshot: &Snapshot) -> bool {
        self.listing.work(&self.filter, (self.sort, self.reversed), snapshot)
    }

    fn widen(&mut self) -> bool {
        let narrowed = !self.filter.text.is_empty();
        set_filter(self, "");
        narrowed
    }
}
