//! The first screen where no log was named and coding agents have kept some here: theirs, or the sample.

use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::Margin;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::{AgentLogs, Internal};
use crate::console::terminal::{self, Session};
use crate::console::text::clean;

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

/// Asks which logs to open. Nothing of them is read before.
///
/// # Errors
/// Where the terminal fails.
pub fn offer(found: &[AgentLogs]) -> anyhow::Result<Offered> {
    terminal::install_panic_hook();
    let mut session = Session::open(false).map_err(Internal::from_any)?;
    let lines: Vec<Line<'static>> = words(found).into_iter().map(Line::from).collect();
    loop {
        let drawn = session.draw(|frame| {
            frame.render_widget(Paragraph::new(lines.clone()), frame.area().inner(Margin::new(2, 1)));
        });
        drawn.map_err(Internal::from_any)?;
        match crossterm::event::read().map_err(Internal::from_any)? {
            Event::Key(key) if key.kind == KeyEventKind::Press => {
                let is_interrupt = key.modifiers.contains(KeyModifiers::CONTROL);
                if let Some(chosen) = choice(key.code, is_interrupt) {
                    session.close();
                    return Ok(chosen);
                }
            }
            Event::Resize(..) => session.repaint().map_err(Internal::from_any)?,
            _ => {}
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

fn words(found: &[AgentLogs]) -> Vec<String> {
    let mut words = vec!["Coding agents have kept logs on this machine:".to_owned(), String::new()];
    words.extend(
        found.iter().map(|logs| format!("  {:<12} {}", logs.agent, clean(&logs.path.display().to_string()))),
    );
    words.extend(
        [
            "",
            "  Enter   open them (pointsman mine does so at once)",
            "  s       open the bundled sample (any other key does so too)",
            "  q       leave",
        ]
        .map(str::to_owned),
    );
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_plain() {
        let found = [AgentLogs { agent: "Codex", path: "/home/mia/.codex/sessions".into() }];
        let text = words(&found).join("\n");
        assert!(
            text.contains("Codex        /home/mia/.codex/sessions")
                && text.contains("s       open the bundled sample")
        );
        assert_eq!(choice(KeyCode::Enter, false), Some(Offered::Agents));
        assert_eq!(choice(KeyCode::Char('s'), false), Some(Offered::Sample));
        assert_eq!(choice(KeyCode::Char('c'), true), Some(Offered::Leave));
        assert_eq!(choice(KeyCode::Char('2'), false), Some(Offered::Sample));
        assert_eq!(choice(KeyCode::Char('q'), false), Some(Offered::Leave));
        assert_eq!(choice(KeyCode::Up, false), None);
    }
}
