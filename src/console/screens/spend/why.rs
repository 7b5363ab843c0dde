//! Why the window costs more or less than the time before it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::saved::{Row, rows};
use crate::console::format::{self, short};
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::{paint, text};
use crate::session::listing::quoted;
use crate::session::{Beside, Found, Reading, Snapshot};
use crate::units::{Instant, Names, Pico, counted};
use crate::variance::{Course, Dimension};

/// Names a part of the traffic.
fn name(part: Dimension, names: &Names) -> &str {
    match part {
        Dimension::Project(id) => names.project(id),
        Dimension::Team(id) => names.team(id),
        Dimension::Model(id) => names.model(id),
        Dimension::Route(id) => names.route(id),
    }
}

/// Returns the filter that lists the requests of the part chosen.
pub(super) fn filter(snapshot: &Snapshot, found: &Found, chosen: usize) -> Option<String> {
    let slice = found.explained.slices.get(chosen)?;
    Some(format!("{}:{} window", slice.part.name(), quoted(name(slice.part, &snapshot.log.names))))
}

/// Counts the parts that can be chosen.
pub(super) fn count(found: Option<&Found>) -> usize {
    found.map_or(0, |found| found.explained.slices.len())
}

/// Writes two stretches: `15:05 to 15:20 beside 15:20 to 15:35`.
fn stretches([before, after]: [(Instant, Instant); 2]) -> String {
    let same_day = before.0.date() == after.1.date();
    let moment = |at: Instant| {
        let clock = at.clock();
        let clock = clock.get(..5).unwrap_or(&clock).to_owned();
        if same_day { clock } else { format!("{} {clock}", at.date().get(5..).unwrap_or_default()) }
    };
    format!("{} to {}, before {} to {}", moment(after.0), moment(after.1), moment(before.0), moment(before.1))
}

/// Draws the panel.
pub(super) fn draw(
    scene: Scene<'_>,
    place: usize,
    (found, beside, chosen): (Option<&Found>, Beside, usize),
    area: Rect,
    buf: &mut Buffer,
) {
    let words = found.map_or_else(String::new, |found| stretches(found.stretches));
    let title = match beside {
        Beside::Before => "Why it changed",
        Beside::WeekAgo => "Why it changed in a week",
    };
    let inside = figures::page(scene, place, title, &words, area, buf);
    let Some(found) = found else { return figures::nothing(scene, "working it out", inside, buf) };
    let split = &found.explained.split;
    if split.before.requests == 0 {
        let words = "no traffic in the time before; w makes the window shorter, x compares with another";
        return figures::nothing(scene, words, inside, buf);
    }
    let names = &scene.snapshot.log.names;
    let change = split.change();
    // Estimates in the window are off by so much; what the log told is not.
    let error = scene.snapshot.totals.all.cost_error();
    let toward = |amount: Pico| figures::difference(amount, Some(error)).0;
    let snapshot = scene.snapshot;
    let mark = if snapshot.totals.all.cost.estimated == Pico::ZERO { "" } else { "~" };
    // What came before is told by the log, unless all of it is decided anew.
    let earlier = if snapshot.reading == Reading::Routed { mark } else { "" };
    let head = format!(
        "{earlier}{} to {mark}{}, {mark}{} ({mark}{})",
        format::money(split.before.cost),
        format::money(split.after.cost),
        format::money_change(change),
        format::percent_change(split.before.cost.0, split.after.cost.0),
    );
    let (top, rest) = paint::split_top(inside, 1);
    let used = scene.look.text(buf, top, &head, toward(change));
    let requests = format!(
        "{} to {} requests",
        format::count_short(split.before.requests),
        format::count_short(split.after.requests)
    );
    scene.look.text_right(buf, paint::split_left(top, used + 2).1, &requests, Role::Muted);
    let parts = split.parts.list();
    let most = parts.iter().map(|(_, amount)| amount.0.abs()).max().unwrap_or(0);
    let slices_most =
        found.explained.slices.iter().map(|slice| slice.split.change().0.abs()).max().unwrap_or(0);
    let share = |amount: Pico, most: i128| figures::money_thousandths(Pico(amount.0.abs()), Pico(most));
    let mut list: Vec<Row<'_>> = Vec::new();
    let mut causes: Vec<_> = parts.into_iter().filter(|(_, amount)| amount.0 != 0).collect();
    crate::units::sort_by_key(&mut causes, |(_, amount)| std::cmp::Reverse(amount.0.abs()));
    for (cause, amount) in causes {
        let role = toward(amount);
        list.push(
            Row::new(cause, short!("{mark}{}", format::money_change(amount)), role)
                .bar(share(amount, most), role)
                .note(says(cause)),
        );
    }
    let slices: Vec<Row<'_>> = found
        .explained
        .slices
        .iter()
        .map(|slice| {
            let amount = slice.split.change();
            let words = short!("{mark}{}", format::money_change(amount));
            let note = format!("{}, by {}", slice.part.name(), slice.split.parts.main());
            Row::new(text::clean(name(slice.part, names)), words, toward(amount))
                .bar(share(amount, slices_most), toward(amount))
                .note(note)
        })
        .collect();
    let trouble: Vec<String> = found
        .explained
        .trouble
        .iter()
        .filter(|trouble| trouble.course != Course::Eased)
        .map(|trouble| {
            let teams: Vec<_> = trouble
                .hits
                .iter()
                .take(3)
                .map(|hit| text::clean(names.team(hit.team)).into_owned())
                .collect();
            let whom = if teams.is_empty() { String::new() } else { format!(", hits {}", teams.join(", ")) };
            format!(
                "{} fails: {} of {} calls{whom}",
                text::clean(names.model(trouble.model)),
                format::count_short(trouble.after.failed()),
                format::count_short(trouble.after.all()),
            )
        })
        .collect();
    // Causes first, then whose they are, then what fails; each as far as there is room.
    let room = usize::from(rest.height);
    let of_slices = slices.len().min(room / 3 + usize::from(scene.view.focus == place) * 2);
    let of_trouble = trouble.len().min(2).min(room.saturating_sub(of_slices + 4));
    let heads = u16::from(of_slices > 0);
    let for_causes = room.saturating_sub(of_slices + of_trouble + usize::from(heads));
    let (at, rest) = paint::split_top(rest, u16::try_from(list.len().min(for_causes)).unwrap_or(0));
    rows(scene, &list, None, at, buf);
    let (at, rest) = paint::split_top(rest, heads);
    let used = scene.look.text(buf, at, "most of it by", Role::Column);
    let left_out = list.len().saturating_sub(for_causes);
    if left_out > 0 {
        let more = format!("{} above", counted(left_out as u64, "more part"));
        scene.look.text_right(buf, paint::split_left(at, used + 2).1, &more, Role::Muted);
    }
    let (at, mut rest) = paint::split_top(rest, u16::try_from(of_slices).unwrap_or(0));
    rows(scene, &slices, (scene.view.focus == place).then_some(chosen), at, buf);
    for words in trouble.iter().take(of_trouble) {
        let (at, below) = paint::split_top(rest, 1);
        scene.look.text(buf, at, words, Role::Warn);
        rest = below;
    }
}

/// Says what a part of a change is.
fn says(cause: &str) -> &'static str {
    match cause {
        "volume" => "more or fewer requests",
        "mix" => "other teams, routes, models",
        "price" => "what a token costs",
        "tokens" => "longer or shorter",
        "cache" => "share read from a cache",
        "escalation" => "answered further up",
        "retries" => "called again",
        "failures" => "without an answer",
        "unknown" => "of requests not wholly priced",
        _ => "searches and the like",
    }
}
