//! The chosen account, in full; and what stands where no budget is in force.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::table::{self, anew, name, spent, text_role};
use crate::budget::Mode;
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::panel::Panel;
use crate::console::{format, paint, text};
use crate::runaway::ToldTrip;
use crate::session::{BudgetRow, LogNote, NoteKind};
use crate::units::{Instant, Pico, counted};

/// Rows of the panel.
pub(super) const ROWS: u16 = 13;
/// Columns of the names.
const NAMES: u16 = 13;

fn says(mode: Mode) -> &'static str {
    match mode {
        Mode::Hard => "hard: no call is made that could break it",
        Mode::Soft => "soft: over it, requests go to cheaper rungs where there are any",
        Mode::Observe => "observe: it is counted, and nothing else",
    }
}

/// Lists where rules against runaways tripped, in the window, for those who draw on the account.
fn trips<'a>(scene: Scene<'a>, row: &'a BudgetRow) -> impl Iterator<Item = &'a LogNote> {
    let now = scene.snapshot.clock;
    let is_same_moment = move |note: &&LogNote| {
        let (starts, ends) =
            (row.starts.is_none_or(|at| at <= note.at), row.ends.is_none_or(|at| note.at < at));
        starts && ends && note.at <= now && note.kind == NoteKind::Runaway
    };
    let is_theirs = move |note: &&LogNote| {
        let (Some(trip), Some(traits)) = (ToldTrip::parse(&note.text), &row.traits) else { return false };
        let has = |(kind, values): &(String, Vec<String>)| {
            trip.name(kind).is_some_and(|name| values.iter().any(|value| value == name))
        };
        traits.iter().all(has)
    };
    scene.snapshot.log.notes.iter().filter(is_same_moment).filter(is_theirs)
}

/// Draws the panel.
pub(super) fn draw(scene: Scene<'_>, row: &BudgetRow, area: Rect, buf: &mut Buffer) {
    let look = scene.look;
    let title = name(row);
    let focus = scene.view.focus == 1;
    let inside = Panel { title: &title, scope: &text::clean(&row.scope), focus }.page(area, buf, look);
    let now = scene.now();
    let moment = |at: Instant| format!("{} {}", at.date(), at.clock());
    // A window seldom starts within a minute.
    let edge = |at| {
        let moment = moment(at);
        moment.strip_suffix(":00").unwrap_or(&moment).to_owned()
    };
    let window = match (row.starts, row.ends) {
        (Some(starts), Some(ends)) => {
            format!("{} to {} UTC, anew {}", edge(starts), edge(ends), anew(row, now))
        }
        (None, Some(ends)) => format!("to {} UTC, anew {}", edge(ends), anew(row, now)),
        _ => "all of time, it never starts anew".to_owned(),
    };
    let assumed = if row.assumed == Pico::ZERO {
        String::new()
    } else {
        format!("; ~{} of it estimated or assumed", format::money(row.assumed))
    };
    let left = row.left();
    let (left_name, left_words) = if left < Pico::ZERO {
        ("over by", format::money(Pico(left.0.saturating_neg())))
    } else {
        ("left", format::money(left))
    };
    let state = text_role(row, Role::Text);
    let held = match row.open {
        0 => "nothing: no call is under way".to_owned(),
        open => format!("{} for {} under way", format::money(row.held), counted(open.into(), "call")),
    };
    let would = if scene.snapshot.live.is_some() { "" } else { "would have been " };
    let mut lines = vec![
        ("limit", format!("{} per {}", format::money(row.limit), row.window), Role::Text),
        ("mode", says(row.mode).to_owned(), Role::Text),
        ("window", window, Role::Text),
        (
            "spent",
            format!("{} in {}{assumed}", spent(row.spent, row.assumed), counted(row.calls, "call")),
            Role::Text,
        ),
        ("held", held, Role::Text),
        (left_name, left_words.to_string(), state),
        (
            "without room",
            format!(
                "{} {would}refused, {} moved to another rung",
                counted(row.refused, "request"),
                format::count(row.moved)
            ),
            if row.refused + row.moved > 0 { Role::Warn } else { Role::Muted },
        ),
        (
            "ran out",
            row.ran_out.map_or_else(|| "not in this window".to_owned(), |at| format!("{} UTC", moment(at))),
            if row.ran_out.is_some() { state } else { Role::Muted },
        ),
    ];
    let by = if row.by_rate { "the rate of under a week" } else { "hours of the week at the present level" };
    let expected = match (row.expected, row.runs_out.filter(|_| row.ran_out.is_none())) {
        (None, None) => ("not known yet: it takes a whole hour".to_owned(), Role::Muted),
        (end, gone) => {
            let range = row.low.zip(row.high).map_or_else(String::new, |(low, high)| {
                format!(" ({} to {}, 8 in 10)", format::money(low), format::money(high))
            });
            let end = end
                .map(|_| table::expected(row).0)
                .map_or_else(String::new, |end| format!("{end} at its end{range}"));
            let gone = gone.map_or_else(String::new, |at| format!(", spent {} UTC", edge(at)));
            let role = if gone.is_empty() { Role::Text } else { Role::Warn };
            (format!("{end}{gone}; by {by}").trim_start_matches(", ").to_owned(), role)
        }
    };
    lines.insert(6, ("expected", expected.0, expected.1));
    if row.beyond > 0 {
        let words = format!("{} cost more than was held", counted(row.beyond, "call"));
        lines.push(("beyond", words, Role::Warn));
    }
    let tripped: Vec<&LogNote> = trips(scene, row).collect();
    if let Some(last) = tripped.last() {
        let rule = ToldTrip::parse(&last.text).map_or("", |trip| trip.rule);
        let count = counted(tripped.len() as u64, "trip");
        let at = figures::moment(scene.snapshot, last.at);
        let words = format!("{count} in this window, the last {at} UTC (rule {})", text::clean(rule));
        lines.push(("runaways", words, Role::Warn));
    }
    if row.waited > 0 {
        let words = format!("{} waited for room, {} now", counted(row.waited, "request"), row.waiting);
        lines.push(("queue", words, if row.waiting > 0 { Role::Warn } else { Role::Muted }));
    }
    if row.traits.is_some() {
        lines.push(("requests", "Enter lists them in Traffic".to_owned(), Role::Muted));
    }
    let (bar, rest) = paint::split_top(inside, u16::from(inside.height > 9));
    table::bar(row, bar, look, buf);
    let room = usize::from(rest.width.saturating_sub(NAMES)).max(8);
    let (mut rest, mut left) = (rest, u16::try_from(lines.len()).unwrap_or(u16::MAX));
    for (key, words, role) in &lines {
        left -= 1;
        // A long one takes the rows that the others leave.
        let spare = rest.height.saturating_sub(left).max(1);
        let rows = u16::try_from(text::wrap(words, room).count()).unwrap_or(u16::MAX);
        let (at, below) = paint::split_top(rest, rows.clamp(1, spare));
        rest = below;
        let (name, value) = paint::split_left(at, NAMES);
        look.text(buf, paint::nth_row(name, 0), key, Role::Muted);
        look.wrapped(buf, value, words, *role);
    }
}

/// Rows of the page that stands where no budget is in force.
pub(super) const UNSET_ROWS: u16 = 14;

/// Draws that page: what a budget says, and how to write it.
pub(super) fn draw_unset(scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
    let (look, live) = (scene.look, scene.snapshot.live.is_some());
    let inside = Panel { title: "No budgets", scope: "", focus: scene.view.focus == 0 }.page(area, buf, look);
    let then = if live {
        "The gateway takes them up within a second."
    } else {
        "A log is played against the budgets of a file: pointsman LOG --budgets FILE"
    };
    let lines = [
        ("A budget says how much may be spent, by whom, in which window of time.", Role::Text),
        ("", Role::Text),
        ("Everybody together, by month and day", Role::Title),
        ("  pointsman budgets set company --limit month=2000 --limit day=150", Role::Accent),
        ("Each team by itself; search may spend more", Role::Title),
        ("  pointsman budgets set teams --each team --limit day=25 --special search:day=60", Role::Accent),
        ("Over it, go to cheaper models and refuse nothing", Role::Title),
        ("  pointsman budgets set teams --mode soft", Role::Accent),
        ("", Role::Text),
        ("That writes budgets.toml in the configuration folder.", Role::Muted),
        (then, Role::Muted),
        ("docs/budgets.md has every key.", Role::Muted),
    ];
    let spare = usize::from(inside.height) >= lines.len();
    look.lines(buf, inside, lines.into_iter().filter(|(words, _)| spare || !words.is_empty()));
}
