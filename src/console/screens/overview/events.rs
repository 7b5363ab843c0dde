//! What happened besides: price changes, notes in the log, changes of policy, and stretches of failed calls.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::State;
use super::spend::margin;
use crate::console::format;
use crate::console::paint;
use crate::console::screens::figures::{self, Line, line};
use crate::console::text;
use crate::console::theme::Role;
use crate::console::ui::Scene;
use crate::session::{LogNote, NoteKind, Snapshot};
use crate::units::Instant;

/// What an event tells.
#[derive(Clone, Copy, Debug)]
pub(super) enum What<'a> {
    /// Something written in the log.
    Note(&'a LogNote),
    /// A change of policy: the version, who changed it where somebody else may have, and what.
    Policy(u32, &'a str, &'a str),
    /// So many requests with a failed call since the event before.
    Failed(usize),
}

/// One event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event<'a> {
    /// When; for failed calls, the last of them.
    pub(super) at: Instant,
    /// What.
    pub(super) what: What<'a>,
}

/// The most events listed, the newest ones.
const MOST: usize = 200;

/// What has happened up to the clock, the newest first.
pub(super) struct Events<'a>(Vec<Event<'a>>);

impl<'a> Events<'a> {
    /// Gathers the events of a snapshot.
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        let log = &snapshot.log;
        let notes = log.notes.partition_point(|note| note.at <= snapshot.clock);
        let mut notes = log.notes.get(..notes).unwrap_or_default().iter().rev().peekable();
        let mut changes =
            snapshot.changes.iter().rev().filter(|change| change.from <= snapshot.head).peekable();
        let mut failed = log.errors.partition_point(|&index| (index as usize) < snapshot.head);
        let mut out = Vec::with_capacity(32);
        while out.len() < MOST {
            let note_first = match (notes.peek(), changes.peek()) {
                (Some(note), Some(change)) => note.at > change.at,
                (note, _) => note.is_some(),
            };
            let next = if note_first {
                notes.next().map(|note| Event { at: note.at, what: What::Note(note) })
            } else {
                changes.next().map(|change| Event {
                    at: change.at,
                    what: What::Policy(change.version, &change.who, &change.what),
                })
            };
            // Failed calls between two events are told in one line, so that an outage hides nothing else.
            let since = next.as_ref().map_or(0, |event| log.history.first_at(event.at));
            let before = log.errors.partition_point(|&index| (index as usize) < since).min(failed);
            let last = failed.checked_sub(1).and_then(|at| log.errors.get(at));
            if let Some(operation) =
                last.filter(|_| before < failed).and_then(|&at| log.history.get(at as usize))
            {
                out.push(Event { at: operation.at, what: What::Failed(failed - before) });
            }
            failed = before;
            let Some(next) = next else { break };
            out.push(next);
        }
        Self(out)
    }

    /// Counts them.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Gives one, counted from the newest.
    pub(super) fn at(&self, row: usize) -> Option<Event<'a>> {
        self.0.get(row).copied()
    }
}

impl Event<'_> {
    /// The sign, its look, and the words.
    fn show(&self, scene: Scene<'_>) -> (char, Role, Line) {
        let glyphs = scene.look.glyphs;
        match self.what {
            What::Note(note) => {
                let made_up = if note.simulated { "simulated: " } else { "" };
                let (sign, role) = match note.kind {
                    NoteKind::Price => ('$', Role::Accent),
                    NoteKind::Policy => (glyphs.mark, Role::Accent),
                    NoteKind::Note => (glyphs.mark, Role::Text),
                };
                let mut words = line(format_args!("{made_up}"));
                push(&mut words, &note.text);
                (sign, role, words)
            }
            What::Policy(version, who, what) => {
                let mut words = line(format_args!("policy {version}"));
                if !who.is_empty() {
                    push(&mut words, " by ");
                    push(&mut words, &text::clean(who));
                }
                push(&mut words, ": ");
                push(&mut words, what);
                (glyphs.threshold.0, Role::Applied, words)
            }
            What::Failed(1) => {
                (glyphs.state.0, Role::Error, line(format_args!("a request with a failed call")))
            }
            What::Failed(count) => {
                let count = format::count(count as u64);
                (
                    glyphs.state.0,
                    Role::Error,
                    line(format_args!("{count} requests with a failed call up to here")),
                )
            }
        }
    }
}

/// Adds as much of a text as fits.
fn push(out: &mut Line, words: &str) {
    for letter in words.chars() {
        if out.try_push(letter).is_err() {
            break;
        }
    }
}

/// Gives the event under the mouse.
pub(super) fn hit(state: &State, rows: usize, inside: Rect, y: u16) -> Option<usize> {
    let offset = state.events.scrolled(rows, usize::from(inside.height)).offset;
    let row = offset + usize::from(y.checked_sub(inside.y)?);
    (y < inside.bottom() && row < rows).then_some(row)
}

/// Draws the panel.
pub(super) fn draw(scene: Scene<'_>, place: usize, area: Rect, buf: &mut Buffer) {
    let snapshot = scene.snapshot;
    let focus = scene.ui.focus == place;
    let scope = if focus { "all so far, newest first; Enter goes there" } else { "all so far, newest first" };
    let inner = margin(figures::frame(scene, place, "Events", scope, area, buf));
    let events = Events::of(snapshot);
    if events.len() == 0 {
        figures::nothing(scene, "nothing but requests so far", inner, buf);
        return;
    }
    let look = scene.look;
    let state = scene.ui.overview.events.scrolled(events.len(), usize::from(inner.height));
    let clock = if figures::spans_days(snapshot) { 15 } else { 9 };
    for offset in 0..inner.height {
        let row = state.offset + usize::from(offset);
        let Some(event) = events.at(row) else { break };
        let at = paint::nth_row(inner, offset);
        let (sign, role, words) = event.show(scene);
        let (time, rest) = paint::split_left(at, clock);
        paint::text(
            buf,
            time,
            &figures::moment(snapshot, event.at),
            look.style(Role::Muted),
            look.glyphs.cut,
        );
        let (mark, rest) = paint::split_left(rest, 2);
        if mark.width > 0 {
            paint::sign(buf, mark.x, mark.y, sign, look.style(role));
        }
        paint::text(buf, rest, &words, look.style(Role::Text), look.glyphs.cut);
        if state.selected == Some(row) {
            paint::tint(buf, at, look.style(if focus { Role::Selection } else { Role::Title }));
        }
    }
}
