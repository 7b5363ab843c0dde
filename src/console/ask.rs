//! The prompt box: a prompt is typed, how it would be routed is shown at once, and in a live session it can be sent.
//!
//! ```text
//! ╭ Ask ───────────────────────────────────── policy 14 · prices list 2026-11-23 ╮
//! │ Summarise this ticket in one sentence: ...                                   │
//! │ team search   project -   task (the classifier's)   ask for auto             │
//! │ route   summarise: starts on flash (gemini-2.5-flash)                        │
//! │ flash   ~$0.000812   ◂                                                       │
//! ╰ Enter sends · Tab next field · Esc closes ───────────────────────────────────╯
//! ```
//!
//! Invariant: what is typed, pasted or answered is cleaned before it is kept or drawn; figures come from the session.

use std::cell::Cell;

use crossterm::event::{Event, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use tui_input::backend::crossterm::to_input_request;
use tui_input::{Input, InputRequest};

use super::paint::{self, Look};
use super::screens::detail::{Line, ruler, wrapped};
use super::screens::figures;
use super::theme::Role;
use super::widgets::panel::Panel;
use super::widgets::table::scrollbar;
use super::{format, text};
use crate::session::{Answer, Preview, Question, Reply, Snapshot, cost_text, preview};

/// The longest prompt, in characters.
const LONGEST: usize = 32_768;
/// The longest word in one of the other fields.
const LONGEST_WORD: usize = 120;
/// Rows of the prompt shown.
const ROWS: u16 = 6;
/// Columns of a label.
const LABEL: usize = 12;

/// The fields, the prompt first.
const FIELDS: [&str; 5] = ["prompt", "team", "project", "task", "ask for"];

/// What is typed into the box, and what came of it.
#[derive(Clone, Debug, Default)]
pub struct AskBox {
    fields: [Input; FIELDS.len()],
    focus: usize,
    ticket: u64,
    waiting: bool,
    answer: Option<Answer>,
    /// Lines scrolled away below the prompt.
    scroll: usize,
    /// How far the last drawing could be scrolled, and its page.
    room: Cell<(usize, usize)>,
}

/// Keeps line ends of a prompt and makes the rest of it safe.
fn clean_lines(pasted: &str) -> String {
    let lines: Vec<_> = pasted.split('\n').map(|line| text::clean(line.trim_end_matches('\r'))).collect();
    lines.join("\n")
}

impl AskBox {
    /// Returns what is typed as a question.
    pub fn question(&self) -> Question {
        let [prompt, team, project, task, model] = &self.fields;
        let word = |field: &Input| field.value().trim().to_owned();
        let model = word(model);
        Question {
            ticket: self.ticket,
            prompt: prompt.value().to_owned(),
            team: word(team),
            project: word(project),
            task: word(task),
            model: if model.is_empty() { "auto".to_owned() } else { model },
        }
    }

    /// Moves the focus to the next field, or the one before.
    pub fn step(&mut self, back: bool) {
        let by = if back { FIELDS.len() - 1 } else { 1 };
        self.focus = (self.focus + by) % FIELDS.len();
    }

    /// Starts another line of the prompt.
    pub fn new_line(&mut self) {
        if self.focus == 0 {
            self.insert("\n");
        }
    }

    /// Edits the field with the keys.
    pub fn key(&mut self, event: &KeyEvent) {
        let Some(request) = to_input_request(&Event::Key(*event)) else { return };
        match request {
            InputRequest::InsertChar(c) if text::is_safe(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            InputRequest::InsertChar(_) => {}
            request => {
                if let Some(field) = self.fields.get_mut(self.focus) {
                    field.handle(request);
                }
            }
        }
    }

    /// Takes pasted text in at the cursor; line ends stay in the prompt and become blanks elsewhere.
    pub fn paste(&mut self, pasted: &str) {
        let words = if self.focus == 0 { clean_lines(pasted) } else { text::clean(pasted).into_owned() };
        self.insert(&words);
    }

    fn insert(&mut self, words: &str) {
        let most = if self.focus == 0 { LONGEST } else { LONGEST_WORD };
        let Some(field) = self.fields.get_mut(self.focus) else { return };
        let value = field.value();
        let long = value.chars().count();
        let cursor = field.cursor().min(long);
        let fresh: String = words.chars().take(most.saturating_sub(long)).collect();
        let added = fresh.chars().count();
        let at = value.char_indices().nth(cursor).map_or(value.len(), |(at, _)| at);
        let (before, after) = value.split_at_checked(at).unwrap_or((value, ""));
        *field = Input::new(format!("{before}{fresh}{after}")).with_cursor(cursor + added);
    }

    /// Makes a question of what is typed, to be sent.
    ///
    /// # Errors
    /// Why there is nothing to send, in words for the screen.
    pub fn send(&mut self) -> Result<Question, &'static str> {
        if self.fields[0].value().trim().is_empty() {
            return Err("type a prompt first");
        }
        if self.waiting {
            return Err("the answer to the last prompt has not come yet");
        }
        self.ticket += 1;
        self.scroll = 0;
        self.waiting = true;
        self.answer = None;
        Ok(self.question())
    }

    /// Takes the picture's news: an answer to what was sent from here, or that it was not sent.
    pub fn news(&mut self, answer: Option<&Answer>, refused: bool) {
        self.waiting &= !refused;
        let known = self.answer.as_ref().is_some_and(|answer| answer.ticket == self.ticket);
        if let Some(answer) = answer.filter(|answer| answer.ticket == self.ticket && !known) {
            self.answer = Some(answer.clone());
            self.waiting = false;
        }
    }

    /// Returns the operation that the last answer belongs to.
    pub fn operation(&self) -> Option<&str> {
        let reply = self.answer.as_ref()?.outcome.as_ref().ok()?;
        Some(reply.operation.as_str()).filter(|id| !id.is_empty())
    }

    /// Returns the box's place.
    fn place(area: Rect) -> Rect {
        let width = paint::box_width(area, 112);
        paint::centred(area, width, area.height.saturating_sub(2).min(34))
    }

    /// Draws the box over the screen.
    pub fn render(&self, snapshot: &Snapshot, area: Rect, buf: &mut Buffer, look: Look<'_>) {
        let at = Self::place(area.intersection(buf.area));
        paint::clear(buf, at, look.theme.base());
        let scope = format!("policy {} · prices {}", snapshot.policy.version, snapshot.log.book);
        let inner = Panel { title: "Ask", scope: &scope, focus: true }.render(at, buf, look);
        let (_, inner) = paint::split_left(inner, 1);
        let inner = Rect { width: inner.width.saturating_sub(1), ..inner };
        let rows = self.prompt_rows(usize::from(inner.width));
        let shown = u16::try_from(rows.0.len()).unwrap_or(ROWS).clamp(2, ROWS).min(inner.height / 3 + 1);
        let (prompt, rest) = paint::split_top(inner, shown);
        self.draw_prompt(&rows, prompt, buf, look);
        let (words, rest) = paint::split_top(rest, 1);
        self.draw_words(words, buf, look);
        // A scrollbar has its place at the right, apart from the words.
        let columns = usize::from(rest.width.saturating_sub(2));
        let mut lines = vec![Line::default().with(&standing(snapshot, self.waiting), Role::Muted)];
        lines.extend(self.answer_lines(columns));
        if self.fields[0].value().trim().is_empty() {
            lines.push(
                Line::default().with("type or paste a prompt to see how it would be routed", Role::Muted),
            );
        } else if let Some(found) = preview(&self.question(), snapshot) {
            lines.extend(preview_lines(&found, snapshot, columns, look));
        } else {
            lines.push(Line::default().with("there is no classifier at hand", Role::Warn));
        }
        // The first line says whether it can be sent, and stays.
        let (head, body) = paint::split_top(rest, 1);
        let visible = usize::from(body.height);
        let most = lines.len().saturating_sub(visible + 1);
        self.room.set((most, visible));
        let scroll = self.scroll.min(most);
        if let Some(line) = lines.first() {
            line.draw(head, buf, look);
        }
        for (row, line) in (0..body.height).zip(lines.iter().skip(1 + scroll)) {
            line.draw(paint::nth_row(body, row), buf, look);
        }
        if most > 0 {
            let bar = Rect { x: body.right().saturating_sub(1), width: 1.min(body.width), ..body };
            scrollbar(buf, bar, scroll, visible, lines.len() - 1, look);
        }
    }

    /// Scrolls what is below the prompt by a page, down or up.
    pub fn scroll(&mut self, down: bool) {
        let (most, page) = self.room.get();
        let (now, by) = (self.scroll.min(most), page.saturating_sub(1).max(1));
        self.scroll = if down { now.saturating_add(by).min(most) } else { now.saturating_sub(by) };
    }

    /// Breaks the prompt into rows and finds the cursor: row and column.
    fn prompt_rows(&self, columns: usize) -> (Vec<String>, usize, usize) {
        let room = columns.saturating_sub(1).max(1);
        let field = &self.fields[0];
        let (mut rows, mut used) = (vec![String::new()], 0);
        let (mut row, mut column) = (0, 0);
        for (place, c) in field.value().chars().chain(std::iter::once('\0')).enumerate() {
            let wide = text::width(c.encode_utf8(&mut [0; 4]));
            if used + wide > room {
                rows.push(String::new());
                used = 0;
            }
            if place == field.cursor() {
                (row, column) = (rows.len() - 1, used);
            }
            match (c, rows.last_mut()) {
                ('\0', _) => {}
                ('\n', _) => {
                    rows.push(String::new());
                    used = 0;
                }
                (c, Some(last)) => {
                    last.push(c);
                    used += wide;
                }
                _ => {}
            }
        }
        (rows, row, column)
    }

    fn draw_prompt(&self, rows: &(Vec<String>, usize, usize), at: Rect, buf: &mut Buffer, look: Look<'_>) {
        let style = look.theme.base().patch(look.style(Role::Input));
        paint::clear(buf, at, style);
        let (rows, row, column) = rows;
        let height = usize::from(at.height).max(1);
        let first = (row + 1).saturating_sub(height);
        for (line, words) in (0..at.height).zip(rows.iter().skip(first)) {
            look.text(buf, paint::nth_row(at, line), words, style);
        }
        if self.focus == 0 && !at.is_empty() {
            let x = at.x.saturating_add(u16::try_from(*column).unwrap_or(0)).min(at.right() - 1);
            let y = at.y.saturating_add(u16::try_from(row - first).unwrap_or(0)).min(at.bottom() - 1);
            paint::tint(buf, Rect { x, y, width: 1, height: 1 }, style.add_modifier(Modifier::REVERSED));
        }
    }

    fn draw_words(&self, at: Rect, buf: &mut Buffer, look: Look<'_>) {
        let mut rest = at;
        let each = (at.width / 4).max(1);
        for (place, name) in FIELDS.iter().enumerate().skip(1) {
            let (cell, after) = paint::split_left(rest, each);
            rest = after;
            let used = look.text(buf, cell, name, Role::Muted);
            let (_, value) = paint::split_left(cell, used + 1);
            let value = Rect { width: value.width.saturating_sub(1), ..value };
            let Some(field) = self.fields.get(place) else { continue };
            let empty = ["", "-", "-", "classifier", "auto"].get(place).copied().unwrap_or("-");
            let focused = self.focus == place;
            let (words, role) = match field.value() {
                "" if focused => ("", Role::Input),
                "" => (empty, Role::Unknown),
                words => (words, Role::Input),
            };
            let columns = usize::from(value.width).saturating_sub(1);
            let skipped = text::width(words).saturating_sub(columns);
            let (from, _) = text::fit(words, skipped);
            let shown = words.get(from..).unwrap_or_default();
            let used = look.text(buf, value, shown, role);
            if focused && value.width > 0 {
                let x = value.x.saturating_add(used).min(value.right() - 1);
                let style = look.theme.base().add_modifier(Modifier::REVERSED);
                paint::tint(buf, Rect { x, width: 1, ..value }, style);
            }
        }
    }

    fn answer_lines(&self, columns: usize) -> Vec<Line> {
        let Some(answer) = &self.answer else { return Vec::new() };
        let mut lines = vec![Line::default()];
        match &answer.outcome {
            Err(why) => lines.extend(wrapped("failed", why, LABEL, columns, (Role::Error, Role::Text))),
            Ok(reply) => lines.extend(reply_lines(reply, columns)),
        }
        lines.push(Line::default());
        lines
    }
}

fn reply_lines(reply: &Reply, columns: usize) -> Vec<Line> {
    let cost = reply.cost.map_or_else(|| "cost unknown".to_owned(), |cost| format!("${cost}"));
    let rung = if reply.rung.is_empty() { String::new() } else { format!(" on {}", reply.rung) };
    let mut head = Line::default()
        .with("answered", Role::Title)
        .to(LABEL)
        .with(&format!("by {}{rung} · {cost} · {} ms", reply.model, reply.latency_ms), Role::Text);
    if reply.simulated {
        head = head.with("  SIMULATED", Role::Simulated);
    }
    let mut lines = vec![head];
    if !reply.operation.is_empty() {
        let words = format!("{} · Ctrl-T shows it in Traffic", reply.operation);
        lines.push(Line::default().with("operation", Role::Muted).to(LABEL).with(&words, Role::Muted));
    }
    let mut label = "answer";
    for line in reply.text.lines().take(40) {
        lines.extend(wrapped(label, line, LABEL, columns, (Role::Muted, Role::Text)));
        label = "";
    }
    lines
}

/// Says whether it can be sent from here.
fn standing(snapshot: &Snapshot, waiting: bool) -> String {
    match &snapshot.live {
        None => "a replay: sending needs a live gateway (--listen, or pointsman attach)".to_owned(),
        Some(live) if live.closed.is_some() => "not connected: nothing can be sent".to_owned(),
        Some(live) => match &live.read_only {
            Some(why) => format!("cannot be sent: {}", text::clean(why)),
            None if waiting => "sent; waiting for the answer".to_owned(),
            None => "Enter sends it".to_owned(),
        },
    }
}

fn preview_lines(found: &Preview, snapshot: &Snapshot, columns: usize, look: Look<'_>) -> Vec<Line> {
    let route = snapshot.policy.route(found.route);
    let names = &snapshot.log.names;
    let label = |words: &str| Line::default().with(words, Role::Muted).to(LABEL);
    let confidence = found.confidence.map_or_else(
        || "none: no signal, so the strongest serves".to_owned(),
        |confidence| format!("{confidence}‰ by {}", found.basis.describe()),
    );
    let mut lines = vec![
        label("task").with(found.class.name(), Role::Text),
        label("confidence").with(&confidence, Role::Text),
    ];
    if let Some(rung) = route.ladder.get(found.rung) {
        let words = format!("{}: starts on {} ({})", route.name, rung.name, names.model(rung.model));
        lines.push(label("route").with(&words, Role::Accent));
    }
    if route.ladder.len() > 1 {
        lines.extend(ruler(route, None, found.confidence, columns.saturating_sub(2).min(90), look.glyphs));
    }
    let basis = if found.measured { "as in the window" } else { "assumed" };
    let scope = format!(
        "estimates for {} tokens in, {} out ({basis})",
        format::count(found.prompt_tokens),
        format::count(found.answer_tokens)
    );
    lines.push(label("cost").with(&scope, Role::Muted));
    for (place, (rung, cost)) in route.ladder.iter().zip(&found.costs).enumerate() {
        let chosen = place == found.rung;
        let role = if chosen { Role::Accent } else { Role::Text };
        let mark = if chosen && columns >= 90 { "  starts here" } else { "" };
        let sign = if chosen { look.glyphs.chosen } else { ' ' };
        let model = columns.saturating_sub(LABEL + 36).clamp(8, 28);
        lines.push(
            Line::default()
                .with(&format!("{sign} "), Role::Accent)
                .with(&text::truncate(&rung.name, 16), role)
                .to(LABEL + 8)
                .with(&text::truncate(names.model(rung.model), model), Role::Text)
                .to(LABEL + 10 + model)
                .with(&cost_text(*cost), Role::Estimated)
                .with(mark, Role::Accent),
        );
    }
    for (stage, words) in &found.trail {
        lines.extend(wrapped(stage, words, LABEL, columns, (Role::Muted, Role::Text)));
    }
    let weighed: Vec<String> =
        found.features.iter().map(|(name, weight)| format!("{} {name}", figures::weight(*weight))).collect();
    if !weighed.is_empty() {
        lines.extend(wrapped("weighed", &weighed.join(" · "), LABEL, columns, (Role::Muted, Role::Text)));
    }
    lines
}
