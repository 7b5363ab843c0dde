//! Taking something out of the console: the list to a file, a panel to the clipboard.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{App, Do, Export};
use crate::console::action::Action;
use crate::console::frame;
use crate::console::screen::{Scene, View};
use crate::console::screens::{traffic, welcome};

/// The columns and rows that a panel is copied in at least.
const LEAST: (u16, u16) = (60, 16);

impl App {
    /// Has the listed requests written, once the list is whole.
    pub(super) fn export(&mut self, form: Export) -> Vec<Do> {
        if self.lists_all() { vec![Do::Export(form)] } else { Vec::new() }
    }

    /// Copies the listed requests, once the list is whole.
    pub(super) fn copy_list(&mut self) -> Vec<Do> {
        if self.lists_all() { vec![Do::CopyList] } else { Vec::new() }
    }

    fn lists_all(&mut self) -> bool {
        let shown = Arc::clone(self.shown());
        let whole = traffic::progress(&self.ui.traffic, &shown).is_none();
        if !whole {
            self.warn("still searching: try again when the list is whole");
        }
        whole
    }

    /// Copies what the screen has to give, else the panel with the keys.
    pub(super) fn copy(&mut self, action: Action) -> Vec<Do> {
        let shown = Arc::clone(self.shown());
        let asks = self.ui.act(action, &shown);
        if !asks.is_empty() {
            return self.asks(asks);
        }
        if action == Action::CopyRow {
            let command = welcome::command(&shown);
            return command.map_or_else(|| self.copy(Action::CopyPanel), |command| vec![Do::Copy(command)]);
        }
        // A terminal too small to show anything of it still takes it whole.
        let body = frame::parts(self.area).body;
        let area = Rect::new(0, 0, body.width.max(LEAST.0), body.height.max(LEAST.1));
        let scene = self.scene();
        let scene = Scene { view: View { zoomed: true, ..scene.view }, ..scene };
        let mut buf = Buffer::empty(area);
        let front = self.ui.front();
        front.draw(scene, area, &mut buf);
        vec![Do::Copy(markdown(&buf, &frame::scope(scene, front, usize::MAX)))]
    }
}

/// Writes a panel that fills a buffer: its name and what its figures are of as a heading, what is inside as it stands.
fn markdown(buf: &Buffer, scope: &str) -> String {
    let row = |y: u16, from: u16, to: u16| -> String { (from..to).map(|x| buf[(x, y)].symbol()).collect() };
    let (width, height) = (buf.area.width, buf.area.height);
    let head = row(0, 0, width);
    let line =
        |c: char| !c.is_alphanumeric() && !matches!(c, '·' | '|' | '(' | ')' | '%' | '$' | '_' | '-' | '.');
    let mut words: Vec<&str> =
        head.split("──").map(|part| part.trim_matches(line)).filter(|part| !part.is_empty()).collect();
    words.push(scope);
    let mut inside: Vec<String> = (1..height.saturating_sub(1))
        .map(|y| row(y, 1, width.saturating_sub(1)).trim_end().to_owned())
        .collect();
    while inside.last().is_some_and(String::is_empty) {
        inside.pop();
    }
    format!("### {}\n\n```text\n{}\n```\n", words.join(" · "), inside.join("\n"))
}
