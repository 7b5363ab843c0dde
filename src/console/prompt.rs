//! One line that is typed into: filter, go to, palette.
//!
//! Invariant: what is typed or pasted is cleaned on the way in, and the line has an end.

use crossterm::event::{Event, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use tui_input::backend::crossterm::to_input_request;
use tui_input::{Input, InputRequest};

use super::paint::{self, Look};
use super::text;
use super::theme::Role;

/// The longest line.
const LONGEST: usize = 1024;
/// How many lines are remembered.
const REMEMBERED: usize = 50;

/// A line being typed.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    input: Input,
    history: Vec<String>,
    /// Which remembered line is shown, counted from the newest; none while a new one is typed.
    recalled: Option<usize>,
}

impl Prompt {
    /// Returns what stands in the line.
    pub fn value(&self) -> &str {
        self.input.value()
    }

    /// Says whether the cursor stands behind the last letter.
    pub fn is_at_end(&self) -> bool {
        self.input.cursor() >= self.value().chars().count()
    }

    /// Puts a text into the line, the cursor behind it.
    pub fn set(&mut self, value: &str) {
        self.input = Input::new(text::clean(value).chars().take(LONGEST).collect());
        self.recalled = None;
    }

    /// Empties the line and returns what stood in it; it is remembered.
    pub fn take(&mut self) -> String {
        let value = self.input.value().to_owned();
        if !value.trim().is_empty() && self.history.last() != Some(&value) {
            self.history.push(value.clone());
            if self.history.len() > REMEMBERED {
                self.history.remove(0);
            }
        }
        self.set("");
        value
    }

    /// Edits the line; says whether it changed.
    pub fn key(&mut self, event: &KeyEvent) -> bool {
        let Some(request) = to_input_request(&Event::Key(*event)) else { return false };
        if let InputRequest::InsertChar(c) = request
            && (!text::is_safe(c) || self.input.value().len() >= LONGEST)
        {
            return false;
        }
        self.recalled = None;
        self.input.handle(request).is_some_and(|changed| changed.value)
    }

    /// Takes pasted text in at the cursor; says whether the line changed.
    pub fn paste(&mut self, pasted: &str) -> bool {
        let room = LONGEST.saturating_sub(self.input.value().chars().count());
        let mut changed = false;
        for c in text::clean(pasted).chars().take(room) {
            changed |= self.input.handle(InputRequest::InsertChar(c)).is_some();
        }
        changed
    }

    /// Brings back the line before the one shown.
    pub fn earlier(&mut self) {
        self.recall(self.recalled.map_or(0, |n| n.saturating_add(1)));
    }

    /// Brings back the line after the one shown, at last an empty one.
    pub fn later(&mut self) {
        match self.recalled {
            Some(n @ 1..) => self.recall(n - 1),
            Some(0) => self.set(""),
            None => {}
        }
    }

    fn recall(&mut self, from_newest: usize) {
        let line =
            self.history.len().checked_sub(from_newest + 1).and_then(|at| self.history.get(at)).cloned();
        if let Some(line) = line {
            self.set(&line);
            self.recalled = Some(from_newest);
        }
    }

    /// Draws a label, the line and its cursor; the line scrolls so that the cursor is seen.
    pub fn render(&self, label: &str, hint: &str, area: Rect, buf: &mut Buffer, look: Look<'_>) {
        let at = paint::nth_row(area.intersection(buf.area), 0);
        if at.is_empty() {
            return;
        }
        let style = look.style(Role::Input);
        paint::clear(buf, at, look.theme.base().patch(style));
        let used = look.text(buf, at, label, Role::Key);
        let (_, line) = paint::split_left(at, used);
        if line.is_empty() {
            return;
        }
        let scroll = self.input.visual_scroll(usize::from(line.width).saturating_sub(1));
        let (from, hidden) = text::fit(self.value(), scroll);
        let shown = self.value().get(from..).unwrap_or_default();
        if shown.is_empty() {
            let (_, place) = paint::split_left(line, 1);
            look.text(buf, place, hint, Role::Muted);
        }
        // The last column is kept for the cursor, so the text ends before it and is not marked as cut.
        let (kept, _) = text::fit(shown, usize::from(line.width));
        look.text(buf, line, shown.get(..kept).unwrap_or_default(), style);
        let cursor = u16::try_from(self.input.visual_cursor().saturating_sub(hidden)).unwrap_or(u16::MAX);
        let x = line.x.saturating_add(cursor).min(line.right() - 1);
        let block = look.theme.base().patch(style).add_modifier(Modifier::REVERSED);
        paint::tint(buf, Rect { x, width: 1, ..line }, block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::{KeyCode, KeyModifiers};

    fn typed(prompt: &mut Prompt, words: &str) {
        for c in words.chars() {
            prompt.key(&KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
        }
    }

    #[test]
    fn lines_are_typed_remembered_and_brought_back() {
        let mut prompt = Prompt::default();
        typed(&mut prompt, "team:search");
        assert_eq!(prompt.take(), "team:search");
        typed(&mut prompt, "err");
        prompt.take();
        assert_eq!(prompt.value(), "");
        prompt.earlier();
        prompt.earlier();
        assert_eq!(prompt.value(), "team:search");
        prompt.earlier();
        assert_eq!(prompt.value(), "team:search", "there is nothing earlier");
        prompt.later();
        assert_eq!(prompt.value(), "err");
        prompt.later();
        assert_eq!(prompt.value(), "");
    }

    #[test]
    fn pasted_text_is_cleaned_and_has_an_end() {
        let mut prompt = Prompt::default();
        assert!(prompt.paste("a\u{1b}[31mb\nc"));
        assert_eq!(prompt.value(), "ab c");
        prompt.paste(&"x".repeat(10 * LONGEST));
        assert!(prompt.value().len() <= LONGEST);
    }
}
