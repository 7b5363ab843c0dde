//! An order that was asked for and not yet given: which, whether a reason is asked for, and what it changes of the traffic; and
//! what may be typed at "stop".
//!
//! Invariant: what changes traffic says how before it is sent.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::paint::{self, Look};
use super::text;
use super::theme::Role;
use super::widgets::panel::Panel;
use crate::runaway::Whom;
use crate::session::Command;

/// An order that was asked for and not yet given.
#[derive(Clone, Debug, PartialEq)]
pub struct Ordered {
    /// What, in a few words: `skip cheaper-code`.
    pub what: String,
    /// What of the traffic it changes, to be confirmed; none where it changes nothing.
    pub effect: Option<String>,
    /// What is sent, as yet without a reason.
    pub command: Command,
}

impl Ordered {
    /// Says whether a reason is asked for.
    pub fn asks_why(&self) -> bool {
        matches!(self.command, Command::Rollout(..))
    }

    /// Returns the command, with the reason that was given.
    pub fn command(self, why: &str) -> Command {
        match self.command {
            Command::Rollout(name, order, _) => Command::Rollout(name, order, why.to_owned()),
            other => other,
        }
    }
}

/// Draws the box in which what changes traffic is confirmed.
pub fn confirm(ordered: &Ordered, screen: Rect, buf: &mut Buffer, look: Look<'_>) {
    let effect = ordered.effect.as_deref().unwrap_or_default();
    let effect = text::clean(effect);
    let width = paint::box_width(screen, 72).min(screen.width);
    let room = usize::from(width.saturating_sub(4)).max(8);
    let lines = u16::try_from(text::wrap(&effect, room).count()).unwrap_or(u16::MAX);
    let height = lines.saturating_add(4).min(screen.height);
    let at = paint::centred(screen, width, height);
    paint::clear(buf, at, look.theme.popup());
    let title = format!("{}?", text::clean(&ordered.what));
    let inner = Panel { title: &title, scope: "", focus: true }.page(at, buf, look);
    let (words, rest) = paint::split_top(inner, lines);
    look.wrapped(buf, words, &effect, Role::Text);
    look.text(buf, paint::nth_row(rest, 1), "y does it, Esc does not", Role::Key);
}

/// What the prompt shows while nothing is typed.
pub const STOP_HINT: &str =
    "key NAME   team NAME   session KEY/NAME   all   lift key NAME   (Enter does it, Esc does not)";

/// Reads what was typed: whom, and whether he is let go; nothing where nothing was.
///
/// # Errors
/// A sentence that says what is understood.
pub fn parse_stop(text: &str) -> Result<Option<(Whom, bool)>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let (name, lifts) = text.strip_prefix("lift ").map_or((text, false), |name| (name.trim(), true));
    let whom =
        Whom::parse(name).ok_or_else(|| format!("`{text}` stops nobody; write one of: {STOP_HINT}"))?;
    Ok(Some((whom, lifts)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_to_stop_is_said_in_full_and_a_slip_stops_nobody() {
        let read = |text| parse_stop(text).map(|found| found.map(|(whom, lifts)| (whom.to_string(), lifts)));
        assert_eq!(read(" key ci-bot "), Ok(Some(("key ci-bot".to_owned(), false))));
        assert_eq!(read("lift team search"), Ok(Some(("team search".to_owned(), true))));
        assert_eq!(read("all"), Ok(Some(("all".to_owned(), false))));
        assert_eq!(read(""), Ok(None));
        for slip in ["ci-bot", "kye ci-bot", "al", "lift", "key"] {
            assert!(read(slip).is_err(), "{slip}");
        }
    }
}
