//! What happened besides: alerts, price changes, notes in the log, changes of policy, and stretches of failed calls.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::alert::{Alert, Level};
use crate::certificate::Turn;
use crate::console::glyphs::Glyphs;
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::{format, paint, text};
use crate::session::{LogNote, NoteKind, Snapshot};
use crate::units::Instant;

/// What an event tells.
#[derive(Clone, Copy, Debug)]
pub(in crate::console::screens) enum What<'a> {
    /// Something written in the log.
    Note(&'a LogNote),
    /// A change of policy: the version, who changed it where somebody else may have, and what.
    Policy(u32, &'a str, &'a str),
    /// So many requests with a failed call since the event before, and the first of them.
    Failed(usize, Instant),
    /// An alert that fired.
    Alert(&'a Alert),
    /// One that was over.
    Over(&'a Alert),
    /// What became of the certificate of a route's rung.
    Certificate(&'a str, &'a str, Turn),
}

/// One event.
#[derive(Clone, Copy, Debug)]
pub(in crate::console::screens) struct Event<'a> {
    /// When; for failed calls, the last of them.
    pub(in crate::console::screens) at: Instant,
    /// What.
    pub(in crate::console::screens) what: What<'a>,
}

/// The most events listed, the newest ones.
const MOST: usize = 200;

/// Lists what has happened up to the clock, the newest first.
pub(in crate::console::screens) fn all(snapshot: &Snapshot) -> Vec<Event<'_>> {
    let log = &snapshot.log;
    let notes = log.notes.partition_point(|note| note.at <= snapshot.clock);
    let notes = log.notes.get(notes.saturating_sub(MOST)..notes).unwrap_or_default();
    let notes = notes.iter().map(|note| Event { at: note.at, what: What::Note(note) });
    let changes = snapshot.changes.iter().filter(|change| change.from <= snapshot.head);
    let changes = changes
        .map(|change| Event { at: change.at, what: What::Policy(change.version, &change.who, &change.what) });
    // A live view may be held at a moment before some of them; those of a log are told up to its clock.
    let is_held = snapshot.live.as_ref().is_some_and(|live| live.rewound);
    let is_past = move |at: Instant| !is_held || at <= snapshot.clock;
    let alerts = snapshot.alerts().alerts.iter().flat_map(|alert| {
        let over = alert.resolved.map(|at| Event { at, what: What::Over(alert) });
        [Event { at: alert.at, what: What::Alert(alert) }].into_iter().chain(over)
    });
    let alerts = alerts.filter(|event| is_past(event.at));
    let rungs = snapshot.policy.routes.iter().zip(&*snapshot.proofs).flat_map(|(route, proofs)| {
        route.ladder.iter().zip(proofs).map(move |(rung, proof)| (&*route.name, &*rung.name, proof))
    });
    let certificates = rungs.flat_map(|(route, rung, proof)| {
        let told = move |&(at, turn)| Event { at, what: What::Certificate(route, rung, turn) };
        proof.turns.iter().map(told)
    });
    let mut told: Vec<Event<'_>> = changes.chain(notes).chain(alerts).chain(certificates).collect();
    crate::units::sort_by_key(&mut told, |event| event.at);
    let mut told = told.into_iter().rev();
    let mut failed = log.errors.partition_point(|&index| (index as usize) < snapshot.head);
    let mut out = Vec::with_capacity(32);
    while out.len() < MOST {
        let next = told.next();
        // Failed calls between two events are told in one line, so that an outage hides nothing else.
        let since = next.as_ref().map_or(0, |event| log.history.first_at(event.at));
        let before = log.errors.partition_point(|&index| (index as usize) < since).min(failed);
        let last = failed.checked_sub(1).and_then(|at| log.errors.get(at));
        if let Some(operation) = last.filter(|_| before < failed).and_then(|&at| log.history.get(at as usize))
        {
            let first = log.errors.get(before).and_then(|&at| log.history.get(at as usize));
            let from = first.map_or(operation.at, |first| first.at);
            out.push(Event { at: operation.at, what: What::Failed(failed - before, from) });
        }
        failed = before;
        let Some(next) = next else { break };
        out.push(next);
    }
    out
}

/// Keeps those with all words of a text, in any case.
pub(super) fn filter(events: &mut Vec<Event<'_>>, text: &str) {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    if !words.is_empty() {
        events.retain(|event| {
            let line = format!("{} {}", event.kind(), event.words()).to_lowercase();
            words.iter().all(|word| match word.strip_prefix('!').filter(|rest| !rest.is_empty()) {
                Some(other) => !line.contains(other),
                None => line.contains(word.as_str()),
            })
        });
    }
}

impl Event<'_> {
    /// The sign and its look.
    fn sign(&self, glyphs: &Glyphs) -> (char, Role) {
        match self.what {
            What::Note(note) => match note.kind {
                NoteKind::Price => ('$', Role::Accent),
                NoteKind::Policy => (glyphs.mark, Role::Accent),
                NoteKind::Runaway => (glyphs.mark, Role::Warn),
                NoteKind::Note => (glyphs.mark, Role::Text),
            },
            What::Policy(..) => (glyphs.threshold.0, Role::Applied),
            What::Failed(..) => (glyphs.state.0, Role::Error),
            What::Over(_) | What::Certificate(_, _, Turn::Given(_)) => (glyphs.state.2, Role::Ok),
            What::Certificate(..) => (glyphs.state.1, Role::Warn),
            What::Alert(alert) if alert.acked.is_some() || alert.silenced => (glyphs.state.1, Role::Muted),
            What::Alert(alert) => match alert.level {
                Level::Notice => (glyphs.state.1, Role::Accent),
                Level::Warning => (glyphs.state.1, Role::Warn),
                Level::Critical => (glyphs.state.0, Role::Error),
            },
        }
    }

    /// Names its kind, for filters.
    fn kind(&self) -> &'static str {
        match self.what {
            What::Note(note) => match note.kind {
                NoteKind::Price => "price",
                NoteKind::Policy => "policy",
                NoteKind::Runaway => "runaway",
                NoteKind::Note => "note",
            },
            What::Policy(..) => "policy",
            What::Failed(..) => "faults",
            What::Certificate(..) => "certificate",
            What::Alert(_) | What::Over(_) => "alert",
        }
    }

    /// Says it in a line.
    pub(in crate::console::screens) fn words(&self) -> String {
        bounded(match self.what {
            What::Note(note) => format!("{}{}", if note.simulated { "simulated: " } else { "" }, note.text),
            What::Policy(version, "", what) => format!("policy {version}: {what}"),
            What::Policy(version, who, what) => format!("policy {version} by {}: {what}", text::clean(who)),
            What::Alert(alert) | What::Over(alert) => {
                let is_over = matches!(self.what, What::Over(_));
                let head = if is_over { "over" } else { alert.level.name() };
                let noted = alert.acked.as_ref().filter(|_| !is_over);
                let noted = noted.map_or_else(String::new, |who| format!(" (noted by {})", text::clean(who)));
                let silenced = if alert.silenced { " (silenced)" } else { "" };
                format!("{head}: {}{noted}{silenced}", text::clean(&alert.words))
            }
            What::Certificate(route, rung, Turn::Given(from)) => {
                format!("{route} · {rung}: certified from {from}, by labels")
            }
            What::Certificate(route, rung, Turn::Withdrawn(why)) => {
                format!("{route} · {rung}: certificate withdrawn, {}", why.reason())
            }
            What::Failed(1, _) => "1 fault: a failed call or request".to_owned(),
            What::Failed(count, from) => {
                let count = format::count(count as u64);
                // Two moments of one line: where their days differ both have theirs.
                let is_same = from.day_start() == self.at.day_start();
                let day = if is_same {
                    String::new()
                } else {
                    format!("{} ", from.date().get(5..).unwrap_or_default())
                };
                format!("{count} faults since {day}{}: failed calls or requests", from.clock())
            }
        })
    }

    /// The sign, its look, and the words.
    pub(in crate::console::screens) fn show(&self, scene: Scene<'_>) -> (char, Role, String) {
        let (sign, role) = self.sign(scene.look.glyphs);
        (sign, role, self.words())
    }
}

/// The longest line, in bytes.
const LONGEST: usize = 480;

/// Keeps as much of a text as a line holds; that it was longer is marked.
fn bounded(mut words: String) -> String {
    if words.len() > LONGEST {
        let end = (0..=LONGEST - '…'.len_utf8()).rev().find(|&end| words.is_char_boundary(end));
        words.truncate(end.unwrap_or(0));
        words.push('…');
    }
    words
}

/// The most lines of one event.
const MOST_LINES: usize = 6;

/// The columns that the time takes.
fn clock_columns(snapshot: &Snapshot) -> u16 {
    if figures::spans_days(snapshot) { 15 } else { 9 }
}

/// The lines that an event takes in an area.
fn height(event: &Event<'_>, snapshot: &Snapshot, wide: u16) -> u16 {
    let room = usize::from(wide.saturating_sub(clock_columns(snapshot) + 2)).max(8);
    let lines = text::wrap(&event.words(), room).count().clamp(1, MOST_LINES);
    u16::try_from(lines).unwrap_or(1)
}

/// Returns the first event shown, so that the chosen one is seen whole.
fn first_shown(chosen: Option<usize>, events: &[Event<'_>], snapshot: &Snapshot, inner: Rect) -> usize {
    let Some(chosen) = chosen.map(|at| at.min(events.len().saturating_sub(1))) else {
        return 0;
    };
    let (mut first, mut used) = (chosen, 0u16);
    for row in (0..=chosen).rev() {
        let Some(event) = events.get(row) else { break };
        used = used.saturating_add(height(event, snapshot, inner.width));
        if used > inner.height && row < chosen {
            break;
        }
        first = row;
    }
    first
}

/// Returns the event under the mouse.
pub(in crate::console::screens) fn hit(
    (chosen, events): (Option<usize>, &[Event<'_>]),
    snapshot: &Snapshot,
    inside: Rect,
    y: u16,
) -> Option<usize> {
    let inner = paint::margin(inside);
    let mut rest = y.checked_sub(inner.y).filter(|_| y < inner.bottom())?;
    for row in first_shown(chosen, events, snapshot, inner)..events.len() {
        let high = height(events.get(row)?, snapshot, inner.width);
        match rest.checked_sub(high) {
            Some(below) => rest = below,
            None => return Some(row),
        }
    }
    None
}

/// Draws events in a panel; `scope` says which they are.
pub(in crate::console::screens) fn draw(
    scene: Scene<'_>,
    (place, title, scope): (usize, &'static str, &str),
    (chosen, events): (Option<usize>, &[Event<'_>]),
    area: Rect,
    buf: &mut Buffer,
) {
    let snapshot = scene.snapshot;
    let focus = scene.view.focus == place;
    let inner = figures::page(scene, place, title, scope, area, buf);
    if events.is_empty() {
        return figures::nothing(scene, "nothing but requests so far", inner, buf);
    }
    let look = scene.look;
    let clock = clock_columns(snapshot);
    let mut below = inner;
    for row in first_shown(chosen, events, snapshot, inner)..events.len() {
        let Some(event) = events.get(row).filter(|_| !below.is_empty()) else { break };
        let (at, rest) = paint::split_top(below, height(event, snapshot, inner.width));
        below = rest;
        let (sign, role, words) = event.show(scene);
        let (time, rest) = paint::split_left(at, clock);
        let moment = figures::moment(snapshot, event.at);
        look.text(buf, time, &moment, Role::Muted);
        let (mark, rest) = paint::split_left(rest, 2);
        look.mark(buf, mark, sign, role);
        look.wrapped(buf, rest, &words, Role::Text);
        if chosen == Some(row) {
            paint::tint(buf, at, look.style(if focus { Role::Selection } else { Role::Title }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Faults of two nights would else be those of one.
    #[test]
    fn a_stretch_over_midnight_begins_on_its_own_day() {
        let at = |text: &str| Instant::parse(text).unwrap();
        let (from, last) = (at("2026-05-23T03:01:04Z"), at("2026-05-24T03:52:34Z"));
        let words = |last| Event { at: last, what: What::Failed(48, from) }.words();
        assert!(words(last).starts_with("48 faults since 05-23 03:01:04:"), "{}", words(last));
        assert!(words(from).starts_with("48 faults since 03:01:04:"), "{}", words(from));
    }
}
