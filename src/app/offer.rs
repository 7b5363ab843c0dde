//! The first screen where no log was named and coding agents have kept some here: theirs, or the sample.
//!
//! ```text
//! ╭ Pointsman ──────────────────────────────────────────── no log named ╮
//! │ Coding agents have kept logs on this machine                         │
//! │   Claude Code  /home/mia/.claude/projects                            │
//! │ Enter  open them                                                     │
//! ╰──────────────────────────────────────────────────────────────────────╯
//! ```

use std::io::Stdout;
use std::time::{Duration, Instant};

use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::console::{ConsoleOptions, Dressing, GROUND_WAIT};
use super::{AgentLogs, Internal};
use crate::console::glyphs::Glyphs;
use crate::console::ground::{Heard, Listener, QUESTION};
use crate::console::paint::{self, Look};
use crate::console::terminal::Session;
use crate::console::text::{self, clean};
use crate::console::theme::{Role, Theme};
use crate::console::widgets::panel::Panel;

/// What was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// The agents' logs.
    Agents,
    /// The bundled sample.
    Sample,
    /// Nothing.
    Leave,
}

/// The console's terminal.
type Screenful = Session<std::io::BufWriter<Stdout>>;

/// Asks which logs to open. Nothing of them is read before.
///
/// # Errors
/// Where settings cannot be used or the terminal fails.
pub fn offer(found: &[AgentLogs], options: &ConsoleOptions) -> anyhow::Result<Offered> {
    let mut dressing = Dressing::read(options)?;
    let settings = dressing.console_settings(true)?;
    let mut session: Screenful = Session::open(false).map_err(Internal::from_any)?;
    let mut page = Page { found, theme: settings.theme, glyphs: settings.glyphs };
    let mut listener = Listener::default();
    let mut until = None;
    if dressing.asks_ground() {
        session.ask(QUESTION).map_err(Internal::from_any)?;
        until = Some(Instant::now() + GROUND_WAIT);
    }
    loop {
        // The first picture waits a moment for the terminal's word on its ground.
        let wait = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
        if wait.is_zero() || !crossterm::event::poll(wait).map_err(Internal::from_any)? {
            until = None;
            let drawn = session.draw(|frame| page.draw(frame.area(), frame.buffer_mut()));
            drawn.map_err(Internal::from_any)?;
        }
        let event = crossterm::event::read().map_err(Internal::from_any)?;
        let events = match listener.take(event) {
            Heard::Events(events) => events,
            Heard::Held => continue,
            Heard::Told(ground) => {
                until = None;
                if let Some(theme) = dressing.stand_on(ground)? {
                    page.theme = theme;
                }
                continue;
            }
        };
        for event in events {
            match event {
                Event::Key(key) if key.kind == KeyEventKind::Press => {
                    let is_with_control = key.modifiers.contains(KeyModifiers::CONTROL);
                    if let Some(chosen) = choice(key.code, is_with_control) {
                        session.close();
                        return Ok(chosen);
                    }
                }
                Event::Resize(..) => session.repaint().map_err(Internal::from_any)?,
                _ => {}
            }
        }
    }
}

fn choice(key: KeyCode, is_with_control: bool) -> Option<Offered> {
    match key {
        KeyCode::Char('c') if is_with_control => Some(Offered::Leave),
        KeyCode::Esc | KeyCode::Char('q') => Some(Offered::Leave),
        KeyCode::Enter | KeyCode::Char('m') => Some(Offered::Agents),
        KeyCode::Char(_) if !is_with_control => Some(Offered::Sample),
        _ => None,
    }
}

/// What can be done, with its key.
const CHOICES: [(&str, &str); 3] = [
    ("Enter", "open them (`pointsman mine` does so at once)"),
    ("s", "open the bundled sample (any other letter does so too)"),
    ("q", "leave"),
];

/// The columns and rows that the page takes where there are more.
const SIZE: (u16, u16) = (78, 11);

/// The page as it is drawn.
struct Page<'a> {
    found: &'a [AgentLogs],
    theme: Theme,
    glyphs: &'static Glyphs,
}

impl Page<'_> {
    fn draw(&self, area: Rect, buf: &mut Buffer) {
        let look = Look { theme: &self.theme, glyphs: self.glyphs };
        paint::clear(buf, area, look.theme.base());
        let rows = u16::try_from(self.found.len()).unwrap_or(u16::MAX).saturating_add(SIZE.1 - 1);
        let (width, height) = (area.width.min(SIZE.0), area.height.min(rows));
        let (x, y) = (area.x + (area.width - width) / 2, area.y + (area.height - height) / 3);
        let panel = Panel { title: "Pointsman", scope: "no log named", focus: true };
        let inside = panel.page(Rect { x, y, width, height }, buf, look);
        let mut row = 1;
        let mut put = |first: &str, wide: u16, rest: &str, roles: (Role, Role)| {
            let (left, right) = paint::split_left(paint::nth_row(inside, row), wide);
            look.text(buf, left, first, roles.0);
            look.text(buf, right, rest, roles.1);
            row += 1;
        };
        put("", 0, "Coding agents have kept logs on this machine:", (Role::Title, Role::Title));
        put("", 0, "", (Role::Text, Role::Text));
        let widest = self.found.iter().map(|logs| text::width(logs.agent)).max().unwrap_or(0);
        let widest = u16::try_from(widest).unwrap_or(0) + 4;
        for logs in self.found {
            let path = clean(&logs.path.display().to_string()).into_owned();
            put(&format!("  {}", logs.agent), widest, &path, (Role::Text, Role::Muted));
        }
        put("", 0, "", (Role::Text, Role::Text));
        for (key, what) in CHOICES {
            put(&format!("  {key}"), 9, what, (Role::Key, Role::Text));
        }
        if look.glyphs.is_ascii() {
            paint::to_ascii(buf);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::themes;
    use crate::console::glyphs::GlyphSet;
    use crate::console::theme::{Catalogue, Depth};

    #[test]
    fn the_page_is_whole_at_every_size_that_has_room_and_breaks_at_none() {
        let found = [
            AgentLogs { agent: "Claude Code", path: "/home/mia/.claude/projects".into() },
            AgentLogs { agent: "Codex", path: "/home/mia/.codex/sessions".into() },
        ];
        for name in ["dark", "light", "mono"] {
            let theme = Catalogue::new(themes::built_in()).load(name, Depth::True).unwrap().0;
            let page = Page { found: &found, theme, glyphs: Glyphs::of(GlyphSet::Ascii) };
            for (width, height) in [(0, 0), (1, 1), (7, 40), (80, 24), (200, 60)] {
                let area = Rect::new(0, 0, width, height);
                let mut buf = Buffer::empty(area);
                page.draw(area, &mut buf);
                let row = |y| (0..width).map(|x| buf[(x, y)].symbol()).collect::<String>();
                let text = (0..height).map(|y| row(y) + "\n").collect::<String>();
                let whole = [
                    "Claude Code  /home/mia/.claude/projects",
                    "Codex        /home",
                    "s      open the bundled",
                ];
                assert!(width < 80 || whole.iter().all(|words| text.contains(words)), "{text}");
            }
        }
    }

    #[test]
    fn the_choice_is_plain() {
        assert_eq!(choice(KeyCode::Enter, false), Some(Offered::Agents));
        assert_eq!(choice(KeyCode::Char('s'), false), Some(Offered::Sample));
        assert_eq!(choice(KeyCode::Char('c'), true), Some(Offered::Leave));
        assert_eq!(choice(KeyCode::Char('2'), false), Some(Offered::Sample));
        assert_eq!(choice(KeyCode::Char('q'), false), Some(Offered::Leave));
        assert_eq!(choice(KeyCode::Up, false), None);
    }
}
