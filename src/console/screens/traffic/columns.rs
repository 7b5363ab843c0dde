//! The columns of the request table and what stands in them.
//!
//! Invariant: estimated figures carry a ~ and their own look, unknown ones say so, and neither ever reads as zero.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;

use crate::console::format::{self, Short};
use crate::console::glyphs::Glyphs;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::table::{Column, Slot, Width};
use crate::console::{paint, text};
use crate::outcome::Settled;
use crate::routing::{ConfidenceSource, Status};
use crate::session::Snapshot;
use crate::session::listing::SortBy;
use crate::units::{Instant, Span};

/// What a column shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// Whether something was synthetic.
    Simulated,
    /// When it arrived.
    Time,
    /// Its id.
    Id,
    /// The team.
    Team,
    /// The project.
    Project,
    /// The kind of work.
    Task,
    /// The route.
    Route,
    /// The confidence and where it comes from.
    Confidence,
    /// Whether it went up the ladder.
    Escalated,
    /// The model that answered.
    Model,
    /// The rung that answered.
    Rung,
    /// How it ended.
    Status,
    /// Prompt tokens.
    Input,
    /// Answer tokens.
    Output,
    /// The share of the prompt read from cache.
    Cache,
    /// How long it took.
    Latency,
    /// What it cost.
    Cost,
}

/// The columns in order: field, name, width, at the right, how soon it yields.
const COLUMNS: [(Field, Column<'static>); 17] = {
    use Width::{Fill, Fixed};
    [
        (Field::Simulated, Column::left("", Fixed(1), 0)),
        (Field::Time, Column::left("time", Fixed(8), 0)),
        (Field::Id, Column::left("id", Fill(10), 9)),
        (Field::Team, Column::left("team", Fill(8), 6)),
        (Field::Project, Column::left("project", Fill(8), 10)),
        (Field::Task, Column::left("task", Fixed(14), 7)),
        (Field::Route, Column::left("route", Fixed(14), 11)),
        (Field::Confidence, Column::right("conf", 5, 3)),
        (Field::Escalated, Column::left("", Fixed(1), 2)),
        (Field::Model, Column::left("model", Fill(16), 0)),
        (Field::Rung, Column::left("rung", Fixed(7), 12)),
        (Field::Status, Column::left("status", Fixed(9), 1)),
        (Field::Input, Column::right("in", 7, 8)),
        (Field::Output, Column::right("out", 6, 8)),
        (Field::Cache, Column::right("cached", 6, 13)),
        (Field::Latency, Column::right("latency", 8, 4)),
        (Field::Cost, Column::right("cost", 10, 0)),
    ]
};

/// How much of a moment is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// `14:03:20`
    Seconds,
    /// `14:03:20.412`
    Millis,
    /// `05-23 14:03:20`
    Date,
}

impl Clock {
    /// Chooses by the room there is and by how long the log is.
    pub(super) fn choose(width: u16, log: Span) -> Self {
        match width {
            100.. if log.0 >= Span::days(1).0 => Self::Date,
            140.. => Self::Millis,
            _ => Self::Seconds,
        }
    }

    fn columns(self) -> u16 {
        match self {
            Self::Seconds => 8,
            Self::Millis => 12,
            Self::Date => 14,
        }
    }

    fn write(self, at: Instant) -> String {
        match self {
            Self::Seconds => at.clock(),
            Self::Millis => at.clock_millis(),
            Self::Date => format!("{} {}", at.date().get(5..).unwrap_or_default(), at.clock()),
        }
    }
}

/// The columns of the longest name of a status.
const STATUS: u16 = 12;

/// Returns the columns for a clock in a table so wide.
pub(super) fn columns(clock: Clock, width: u16) -> [Column<'static>; COLUMNS.len()] {
    COLUMNS.map(|(field, column)| match field {
        Field::Time => Column { width: Width::Fixed(clock.columns()), ..column },
        Field::Status if width >= 140 => Column { width: Width::Fixed(STATUS), ..column },
        _ => column,
    })
}

/// Returns the column that a sort goes by.
pub(super) fn sorted_column(by: SortBy) -> Option<usize> {
    let field = match by {
        SortBy::Time => Field::Time,
        SortBy::Cost => Field::Cost,
        SortBy::Latency => Field::Latency,
        SortBy::Confidence => Field::Confidence,
        SortBy::Tokens => Field::Input,
    };
    COLUMNS.iter().position(|(found, _)| *found == field)
}

/// Says how a call ended in one short word, where there is no room for its name.
pub fn status_word(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::RateLimited => "limited",
        Status::ServerError => "srv error",
        Status::Timeout => "timeout",
        Status::Rejected => "rejected",
        Status::Unfit => "unfit",
        Status::Cancelled => "cancelled",
        Status::Failed => "failed",
        Status::Truncated => "cut",
        Status::Unavailable => "unavail.",
        Status::Refused => "refused",
    }
}

/// Returns the look of how a call ended.
pub fn status_role(status: Status, observed: bool) -> Role {
    match status {
        Status::Ok if observed => Role::Ok,
        Status::Ok => Role::Estimated,
        Status::Cancelled | Status::Rejected | Status::Unfit => Role::Warn,
        _ => Role::Error,
    }
}

/// The cells of one row after another; each row is settled once.
pub(super) struct Cells<'a> {
    snapshot: &'a Snapshot,
    clock: Clock,
    index: Option<usize>,
    settled: Settled,
    words: String,
}

impl<'a> Cells<'a> {
    /// Starts.
    pub(super) fn new(snapshot: &'a Snapshot, clock: Clock) -> Self {
        Self { snapshot, clock, index: None, settled: Settled::default(), words: String::new() }
    }

    /// Draws a cell of a request.
    pub(super) fn draw(&mut self, index: usize, slot: Slot<'_>, buf: &mut Buffer) {
        let Some(&(field, _)) = COLUMNS.get(slot.column) else { return };
        let Some(role) = self.write(index, field, slot.look.glyphs) else { return };
        let style = slot.look.style(role);
        if field == Field::Confidence {
            self.draw_confidence(index, slot, buf);
            return;
        }
        if field == Field::Id {
            // The ids of a log begin alike, and one gateway's all do: what differs is at their end.
            let (end, truncated) = text::fit_end(&self.words, usize::from(slot.at.width));
            let sign = if truncated { slot.look.glyphs.ellipsis.to_string() } else { String::new() };
            slot.say(buf, &format!("{sign}{end}"), style);
            return;
        }
        if field == Field::Status && slot.at.width >= STATUS {
            slot.say(buf, self.settled.status.name(), style);
            return;
        }
        slot.say(buf, &self.words, style);
    }

    /// The source of a confidence stands as one letter behind it.
    fn draw_confidence(&self, index: usize, slot: Slot<'_>, buf: &mut Buffer) {
        let Some(operation) = self.snapshot.log.history.get(index) else { return };
        let letter = match operation.source {
            ConfidenceSource::None => ' ',
            ConfidenceSource::Recorded => 'r',
            ConfidenceSource::Judged | ConfidenceSource::Text | ConfidenceSource::Measures => 'c',
        };
        let (number, mark) = paint::split_left(slot.at, slot.at.width.saturating_sub(1));
        let role = if operation.confidence().is_some() { Role::Text } else { Role::Unknown };
        slot.look.text_right(buf, number, &self.words, role);
        slot.look.mark(buf, mark, letter, Role::Muted);
    }

    /// Writes a row with tabs between its cells.
    pub(super) fn tabbed(&mut self, index: usize, glyphs: &Glyphs) -> Option<String> {
        let mut all = String::new();
        for (at, (field, _)) in COLUMNS.iter().enumerate() {
            self.write(index, *field, glyphs)?;
            if at > 0 {
                all.push('\t');
            }
            let operation = self.snapshot.log.history.get(index)?;
            let words: &str = match field {
                Field::Simulated if operation.simulated => "simulated",
                Field::Escalated if self.settled.escalated => "escalated",
                Field::Time => {
                    self.words = operation.at.rfc3339();
                    &self.words
                }
                Field::Confidence => {
                    let _ = write!(self.words, " ({})", operation.source.text());
                    &self.words
                }
                Field::Status => self.settled.status.name(),
                _ => &self.words,
            };
            all.push_str(&text::clean(words).replace('\t', " "));
        }
        Some(all)
    }

    /// Writes a cell into `words` and returns its look.
    fn write(&mut self, index: usize, field: Field, glyphs: &Glyphs) -> Option<Role> {
        let snapshot = self.snapshot;
        let log = &snapshot.log;
        let recalled = log.history.recall(index)?;
        let evidence = recalled.evidence();
        if self.index != Some(index) {
            snapshot.settle(index, &evidence, &mut self.settled);
            self.index = Some(index);
        }
        let (operation, settled, words) = (evidence.operation, &self.settled, &mut self.words);
        words.clear();
        let last = settled.attempts.last();
        let observed = last.is_none_or(|attempt| attempt.observed);
        let figure = if observed { Role::Observed } else { Role::Estimated };
        let number = |value: Option<u64>, words: &mut String| {
            let Some(value) = value else {
                words.push(glyphs.absent);
                return Role::Unknown;
            };
            words.push_str(&format::count_short(value));
            figure
        };
        let named = |name: &str, words: &mut String, role: Role| {
            let none = name == "-";
            words.push_str(name);
            if none { Role::Unknown } else { role }
        };
        let put = |(figure, role): (Short, Role), words: &mut String| {
            words.push_str(&figure);
            role
        };
        let policy = snapshot.policy_at(index);
        Some(match field {
            Field::Simulated => {
                words.push(if operation.simulated { 'S' } else { ' ' });
                Role::Simulated
            }
            Field::Time => {
                words.push_str(&self.clock.write(operation.at));
                Role::Muted
            }
            Field::Id => named(log.history.id(index), words, Role::Muted),
            Field::Team => named(log.names.team(operation.team), words, Role::Text),
            Field::Project => named(log.names.project(operation.project), words, Role::Text),
            Field::Task => named(operation.class.name(), words, Role::Text),
            Field::Route => named(&policy.route(settled.route).name, words, Role::Text),
            Field::Confidence => match operation.confidence() {
                // Without marks at thousands, as everywhere else.
                Some(value) => {
                    let _ = write!(words, "{value}");
                    Role::Text
                }
                None => number(None, words),
            },
            Field::Escalated => {
                words.push(if settled.escalated { glyphs.threshold.0 } else { ' ' });
                Role::Warn
            }
            Field::Model => named(log.names.model(settled.model), words, Role::Text),
            Field::Rung => {
                let ladder = &policy.route(settled.route).ladder;
                match ladder.get(usize::from(settled.rung)) {
                    Some(rung) => named(&rung.name, words, Role::Muted),
                    None => Role::Muted,
                }
            }
            Field::Status => {
                words.push_str(status_word(settled.status));
                status_role(settled.status, observed)
            }
            Field::Input => number(last.and_then(|attempt| attempt.usage.prompt()), words),
            Field::Output => number(last.and_then(|attempt| attempt.usage.output.get()), words),
            Field::Cache => {
                match last.and_then(|attempt| attempt.usage.prompt().zip(attempt.usage.cache_read.get())) {
                    Some((_, 0)) => Role::Muted,
                    Some((prompt, cached)) => {
                        words.push_str(&format::percent(cached, prompt));
                        figure
                    }
                    None => number(None, words),
                }
            }
            Field::Latency if settled.latency.get().is_none() => number(None, words),
            Field::Latency => put(figures::one_latency(settled.latency, !settled.estimated), words),
            Field::Cost => put(figures::one_cost(settled.cost), words),
        })
    }
}
