//! Branches side by side: figures as rows, branches as columns, and how each differs from the log as it was, under the
//! limits in force where there are any.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::screen::Scene;
use crate::console::screens::figures::{self, Good};
use crate::console::theme::Role;
use crate::console::widgets::table::{Column, Slot, Table, TableState, Width};
use crate::console::{format, text};
use crate::outcome::Spread;
use crate::session::{BranchRun, BranchesFound, Idle, Sides};
use crate::telemetry::{Cell, Totals};
use crate::units::{Instant, ModelId, Pico};

/// The most branches that are shown side by side; the export has all.
const MOST: usize = 8;
/// The most models that are listed.
const MODELS: usize = 12;

/// A figure of one branch, and how it differs from the log as it was.
#[derive(Clone, Debug)]
struct Figure {
    words: String,
    role: Role,
    change: (String, Role),
}

impl Figure {
    fn new(words: impl Into<String>, role: Role) -> Self {
        Self { words: words.into(), role, change: (String::new(), Role::Muted) }
    }
}

/// One row: a heading, or a figure of every branch.
#[derive(Clone, Debug)]
struct Line {
    name: String,
    figures: Vec<Figure>,
}

/// The comparison, laid out.
pub(super) struct Comparison<'a> {
    found: &'a BranchesFound,
    lines: Vec<Line>,
}

/// Writes a count beside the first branch's.
fn counted(count: u64, first: Option<u64>, mark: &str, wanted: Good) -> Figure {
    let words = if count == 0 { "0".to_owned() } else { format!("{mark}{}", format::count_short(count)) };
    let mut figure = Figure::new(words, Role::Text);
    if let Some(first) = first.filter(|first| *first != count) {
        let sign = if count > first { '+' } else { '-' };
        let change = format!("{mark}{sign}{}", format::count_short(count.abs_diff(first)));
        figure.change = (change, figures::verdict(first, count, wanted));
    }
    figure
}

/// Writes a cost beside the first branch's; a change within its error is no better and no worse.
fn cost(cell: &Cell, first: Option<&Cell>, apart: Sides) -> Figure {
    let (words, role) = figures::cost(&cell.cost);
    let mut figure = Figure::new(&*words, role);
    let Some(first) = first.filter(|first| !first.cost.is_unknown() && !cell.cost.is_unknown()) else {
        return figure;
    };
    let (now, before) = (cell.cost.total(), first.cost.total());
    if now == before {
        return figure;
    }
    let mark = if cell.cost.estimated != Pico::ZERO || first.cost.estimated != Pico::ZERO { "~" } else { "" };
    figure.change = if (now - before).0.abs() <= Spread::apart(apart).0 {
        ("unclear".to_owned(), Role::Muted)
    } else {
        let change = format!("{mark}{}", format::percent_change(before.0, now.0));
        (change, figures::verdict(before.0, now.0, Good::Less))
    };
    figure
}

fn late(cell: &Cell, first: Option<&Cell>, of: fn(crate::telemetry::Percentiles) -> u64) -> Figure {
    let (mark, role) = if cell.estimated > 0 { ("~", Role::Estimated) } else { ("", Role::Text) };
    let read = |cell: &Cell| cell.latency.percentiles().map(of);
    let Some(millis) = read(cell) else { return Figure::new(format::UNKNOWN, Role::Unknown) };
    let mut figure = Figure::new(format!("{mark}{}", figures::millis(millis)), role);
    if let Some(before) = first.and_then(read).filter(|before| *before != millis) {
        let change = format!("{mark}{}", format::percent_change(before.into(), millis.into()));
        // Nobody knows how far off an estimated latency is, so such a change is no better and no worse.
        let is_estimate = cell.estimated > 0 || first.is_some_and(|first| first.estimated > 0);
        let better = figures::verdict(before, millis, Good::Less);
        figure.change = (change, if is_estimate { Role::Estimated } else { better });
    }
    figure
}

impl<'a> Comparison<'a> {
    /// Lays out what was found.
    pub(super) fn of(found: &'a BranchesFound) -> Self {
        let mut all = Self { found, lines: Vec::new() };
        if let Some((from, to)) = found.incident {
            let is_same = from.day_start() == to.day_start();
            let day = |at: Instant| {
                if is_same { String::new() } else { format!("{} ", at.date().get(5..).unwrap_or_default()) }
            };
            all.heading(&format!(
                "world otherwise {}{} to {}{}",
                day(from),
                from.clock(),
                day(to),
                to.clock()
            ));
            all.sums(|run| (&run.found.inside, run.found.refused.1, run.apart.inside));
            all.heading("all of the log");
        }
        let world = &found.plan.world;
        let changes = world.changes.len() + world.repeats.len() + world.amounts.len();
        if found.incident.is_none() && changes > 0 {
            all.heading("otherwise after the log only");
        }
        let nobody = found.idle.iter().filter(|idle| **idle == Some(Idle::Nobody)).count();
        if nobody > 0 {
            all.heading("no model here is called as one of its changes has it");
        }
        for (name, _) in &found.untried {
            all.heading(&format!("{name} is left out: it is of routes of another policy"));
        }
        all.sums(|run| (&run.found.totals, run.found.refused.0, run.apart.whole));
        all.models();
        all.heading("what the world did");
        let before = all.lines.len();
        all.counts("calls failed", Good::Less, |run| run.found.seen.failed_calls);
        all.counts("models barred", Good::Neither, |run| run.found.seen.barred_requests);
        all.counts("cold calls", Good::Less, |run| run.found.seen.cold_calls);
        all.counts("moved by budgets", Good::Neither, |run| run.found.budgets.moved);
        all.counts("waited for room", Good::Neither, |run| run.found.budgets.waited);
        all.counts("runaways tripped", Good::Neither, |run| run.found.trips.len() as u64);
        if all.lines.len() == before {
            all.lines.pop();
        }
        all
    }

    /// Counts the rows.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    fn runs(&self) -> impl Iterator<Item = &'a BranchRun> {
        self.found.runs.iter().skip(self.found.base).take(MOST)
    }

    fn heading(&mut self, words: &str) {
        self.lines.push(Line { name: words.to_owned(), figures: Vec::new() });
    }

    fn line(&mut self, name: &str, of: impl Fn(&'a BranchRun, Option<&'a BranchRun>) -> Figure) {
        let first = self.runs().next();
        let figures = self.runs().enumerate().map(|(at, run)| of(run, first.filter(|_| at > 0))).collect();
        self.lines.push(Line { name: name.to_owned(), figures });
    }

    fn counts(&mut self, name: &str, wanted: Good, of: impl Fn(&BranchRun) -> u64) {
        if self.runs().any(|run| of(run) > 0) {
            self.line(name, |run, first| counted(of(run), first.map(&of), "", wanted));
        }
    }

    fn sums(&mut self, of: impl Fn(&'a BranchRun) -> (&'a Totals, u64, Sides) + Copy) {
        let cell = |run: &'a BranchRun| &of(run).0.all;
        // What is decided anew rests on estimates wherever a request went elsewhere than the log tells.
        let mark = |run: &'a BranchRun| if cell(run).estimated > 0 { "~" } else { "" };
        self.line("requests", |run, first| {
            counted(cell(run).requests, first.map(|one| cell(one).requests), "", Good::Neither)
        });
        self.line("cost", |run, first| cost(cell(run), first.map(cell), of(run).2));
        self.line("estimated in part", |run, _| {
            Figure::new(&*format::percent(cell(run).estimated, cell(run).requests), Role::Muted)
        });
        let failed = |run: &'a BranchRun| cell(run).errors.saturating_sub(of(run).1);
        // An estimated call never fails: fewer failures beside one are no gain.
        let wanted = |run| if mark(run).is_empty() { Good::Less } else { Good::Neither };
        self.line("failed", |run, first| counted(failed(run), first.map(failed), mark(run), wanted(run)));
        self.line("refused", |run, first| {
            counted(of(run).1, first.map(|one| of(one).1), mark(run), Good::Less)
        });
        self.line("escalated", |run, first| {
            counted(cell(run).escalated, first.map(|one| cell(one).escalated), mark(run), Good::Neither)
        });
        self.line("p50", |run, first| late(cell(run), first.map(cell), |all| all.p50));
        self.line("p95", |run, first| late(cell(run), first.map(cell), |all| all.p95));
    }

    fn models(&mut self) {
        let answered =
            |run: &BranchRun, at: usize| run.found.totals.models.get(at).map_or(0, |cell| cell.answered);
        let cells = self.runs().map(|run| run.found.totals.models.len()).max().unwrap_or(0);
        let most = |at: usize| self.runs().map(|run| answered(run, at)).max().unwrap_or(0);
        let mut models: Vec<(u64, usize)> =
            (0..cells).map(|at| (most(at), at)).filter(|(count, _)| *count > 0).collect();
        models.sort_by_key(|(count, at)| (std::cmp::Reverse(*count), *at));
        if models.is_empty() {
            return;
        }
        self.heading("requests answered by model");
        for (_, at) in models.into_iter().take(MODELS) {
            let Ok(id) = u16::try_from(at) else { continue };
            let name = text::clean(self.found.names.model(ModelId(id))).into_owned();
            self.line(&name, |run, first| {
                counted(answered(run, at), first.map(|one| answered(one, at)), "", Good::Neither)
            });
        }
    }

    /// Draws the panel.
    pub(super) fn draw(&self, scene: Scene<'_>, state: TableState, area: Rect, buf: &mut Buffer) {
        let found = self.found;
        let from = figures::moment(scene.snapshot, found.start);
        let from = if found.is_whole { "all of the log".to_owned() } else { format!("from {from} UTC on") };
        let left_out = (found.runs.len() - found.base).saturating_sub(self.shown(area.width));
        let more = if left_out > 0 { format!(", {left_out} more: z zooms") } else { String::new() };
        let scope = format!("{from}, routed{more}");
        let title = text::clean(&found.plan.world.title);
        // A title in full gives way to what the figures are of.
        let name = text::clean(super::list::short(&found.plan.file));
        let has_room = text::width(&scope) <= figures::scope_room(area, &title);
        let title = if has_room { title } else { name };
        let inner = figures::page(scene, 1, &title, &scope, area, buf);
        let names: Vec<String> = self.runs().map(|run| text::clean(&run.name).into_owned()).collect();
        // Far from their names figures would be hard to follow.
        let width = if inner.width < 90 { Width::Fill(NAME) } else { Width::Fixed(2 * NAME) };
        let mut columns = vec![Column { name: "", width, right: false, yields: 0 }];
        for (at, name) in names.iter().enumerate() {
            let yields = u8::try_from(at).unwrap_or(u8::MAX).saturating_mul(2);
            // The first two always stay.
            let yields = if at < 2 { 0 } else { yields };
            let wide = u16::try_from(text::width(name)).unwrap_or(VALUE).clamp(VALUE, 24);
            columns.push(Column { name, width: Width::Fixed(wide), right: true, yields });
            if at > 0 {
                let change = Column { name: "change", width: Width::Fixed(CHANGE), right: true, yields };
                columns.push(change);
            }
        }
        let table = Table { columns: &columns, rows: self.lines.len(), sorted: None, state, focus: false };
        table.render(inner, buf, scene.look, |buf, slot| self.cell(slot, buf));
    }

    /// Counts the branches that a width has room for.
    fn shown(&self, width: u16) -> usize {
        let mut room = i32::from(width) - 4 - i32::from(NAME);
        let mut shown = 0;
        for (at, run) in self.runs().enumerate() {
            let wide = i32::try_from(text::width(&run.name)).unwrap_or(24).clamp(i32::from(VALUE), 24) + 1;
            room -= wide + if at > 0 { i32::from(CHANGE) + 1 } else { 0 };
            if room < 0 && at >= 2 {
                break;
            }
            shown += 1;
        }
        shown
    }

    fn cell(&self, slot: Slot<'_>, buf: &mut Buffer) {
        let Some(line) = self.lines.get(slot.row) else { return };
        let is_heading = line.figures.is_empty();
        let Some(place) = slot.column.checked_sub(1) else {
            if is_heading {
                // A heading may run on: the cells beside it are empty.
                let at = Rect { width: slot.at.width.saturating_add(VALUE + 1), ..slot.at };
                slot.look.text(buf, at, &line.name, Role::Column);
            } else {
                slot.say(buf, &line.name, Role::Muted);
            }
            return;
        };
        // Columns: the first branch, then each with its change.
        let (at, is_change) = if place == 0 { (0, false) } else { (place.div_ceil(2), place % 2 == 0) };
        let Some(figure) = line.figures.get(at) else { return };
        let Figure { words, role, change } = figure;
        let (words, role) = if is_change { (&change.0, change.1) } else { (words, *role) };
        slot.say(buf, words, role);
    }
}

/// Columns for names, for figures, for changes.
const NAME: u16 = 17;
const VALUE: u16 = 13;
const CHANGE: u16 = 9;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::CostSum;

    #[test]
    fn a_change_that_its_error_covers_is_neither_better_nor_worse() {
        let cell = |estimated: i128| Cell {
            cost: CostSum { estimated: Pico(estimated), ..CostSum::default() },
            // What both are off by alike is nothing to the change.
            spread: Spread { habit: 10_000, ..Spread::NONE },
            ..Cell::default()
        };
        let changed = |now: &Cell, habit: i128| {
            cost(now, Some(&cell(1_000)), [Spread::NONE, Spread { habit, ..Spread::NONE }]).change
        };
        assert_eq!(changed(&cell(800), 110), ("unclear".to_owned(), Role::Muted));
        assert_eq!(changed(&cell(800), 90).1, Role::Better);
        assert_eq!(changed(&cell(1_000), 100), (String::new(), Role::Muted));
    }
}
