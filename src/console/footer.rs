//! The line of keys that work here, and the line of messages.
//!
//! Invariant: only keys that do here what they say are shown; the way to the rest (`?`) is always among them.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::action::{Action, Context};
use super::keys::Keymap;
use super::paint::{self, Look};
use super::text;
use super::theme::Role;

/// The hint of an action that is shown with the one above it in the table.
const WITH_ABOVE: &str = "/";

/// Keys and what they do, ready to be drawn; made once when the screen changes, not for every frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    items: Vec<(String, &'static str)>,
    last: Vec<(String, &'static str)>,
}

impl Hints {
    /// Gathers what works in these contexts, the winning context first.
    pub fn gather(keymap: &Keymap, layers: &[Context], ascii: bool) -> Self {
        let mut items: Vec<(String, &'static str)> = Vec::new();
        let mut above = false;
        for (_, spec) in keymap.actions_here(layers) {
            // The filter works everywhere, but is at home on Traffic; elsewhere its room is for that screen's own keys.
            let away = spec.action == Action::Filter && layers.first() != Some(&Context::Traffic);
            if away || matches!(spec.action, Action::Palette | Action::Help) {
                continue;
            }
            let key = keymap.label_here(layers, spec.action, ascii);
            match (spec.hint, key) {
                ("", _) => {}
                (WITH_ABOVE, Some(key)) if above => {
                    if let Some((keys, _)) = items.last_mut() {
                        keys.push('/');
                        keys.push_str(&key);
                    }
                }
                (WITH_ABOVE, _) => {}
                (_, None) => above = false,
                (hint, Some(key)) => {
                    items.push((key, hint));
                    above = true;
                }
            }
        }
        let always = [Action::Palette, Action::Help];
        let last = always.iter().filter_map(|&action| {
            keymap.label_here(layers, action, ascii).map(|key| (key, action.spec().hint))
        });
        Self { items, last: last.collect() }
    }

    /// Leaves out an action that would only be refused.
    #[must_use]
    pub fn without(mut self, action: Action) -> Self {
        self.items.retain(|(_, hint)| *hint != action.spec().hint);
        self
    }

    /// Draws as many as fit; the ways to the rest stand at the end.
    pub fn render(&self, area: Rect, buf: &mut Buffer, look: Look<'_>) {
        let at = paint::nth_row(area.intersection(buf.area), 0);
        let (_, at) = paint::split_left(at, 1);
        let columns = |item: &(String, &str)| text::width(&item.0) + 1 + text::width(item.1);
        let all: usize = self.last.iter().map(|item| columns(item) + 2).sum();
        let (items, last) =
            paint::split_left(at, at.width.saturating_sub(u16::try_from(all).unwrap_or(u16::MAX)));
        let mut rest = items;
        for (place, item) in self.items.iter().enumerate() {
            // The mark of what is left out has its room, and does not touch the key behind it.
            let mark = if place + 1 < self.items.len() { 3 } else { 0 };
            if columns(item) + 2 + mark > usize::from(rest.width) {
                look.mark(buf, rest, look.glyphs.ellipsis, Role::KeyHint);
                break;
            }
            rest = draw(item, rest, buf, look);
        }
        rest = if items.is_empty() { at } else { last };
        for item in &self.last {
            rest = draw(item, rest, buf, look);
        }
    }
}

fn draw(item: &(String, &str), at: Rect, buf: &mut Buffer, look: Look<'_>) -> Rect {
    let used = look.text(buf, at, &item.0, Role::Key);
    let (_, rest) = paint::split_left(at, used.saturating_add(1));
    let used = look.text(buf, rest, item.1, Role::KeyHint);
    paint::split_left(rest, used.saturating_add(2)).1
}

/// What a message calls a change that its error covers.
const WITHIN: &str = "within error";

/// The latest short message to the operator.
#[derive(Clone, Debug, Default)]
pub struct Messages {
    latest: Option<(bool, String, Duration)>,
}

impl Messages {
    /// Shows a message, of what was done or to be looked at, until `until` (on the console's own clock, which the caller keeps).
    pub fn show(&mut self, warns: bool, words: &str, until: Duration) {
        self.latest = Some((warns, text::clean(words).into_owned(), until));
    }

    /// Takes away what has been shown long enough; says whether that changed anything.
    pub fn expire(&mut self, now: Duration) -> bool {
        self.latest.take_if(|(_, _, until)| *until <= now).is_some()
    }

    /// Takes the present message away.
    pub fn clear(&mut self) {
        self.latest = None;
    }

    /// Returns when the present message goes.
    pub fn until(&self) -> Option<Duration> {
        self.latest.as_ref().map(|(_, _, until)| *until)
    }

    /// Draws the message over the line; without one nothing is drawn, and false is given.
    pub fn render(&self, area: Rect, buf: &mut Buffer, look: Look<'_>) -> bool {
        let Some((warns, words, _)) = &self.latest else { return false };
        let at = paint::nth_row(area.intersection(buf.area), 0);
        let (_, warn, ok) = look.glyphs.state;
        let (sign, role) = if *warns { (warn, Role::Warn) } else { (ok, Role::Ok) };
        paint::clear(buf, at, look.theme.base().patch(look.style(Role::Toast)));
        if !at.is_empty() {
            let (_, inside) = paint::split_left(at, 1);
            look.mark(buf, inside, sign, role);
            let (_, rest) = paint::split_left(inside, 2);
            look.text(buf, rest, words, Role::Toast);
            // What nobody has seen is said in grey, here as in tables.
            for (place, _) in words.match_indices(WITHIN) {
                let before = words.get(..place).map_or(0, text::width);
                let (_, at) = paint::split_left(rest, u16::try_from(before).unwrap_or(u16::MAX));
                look.text(buf, at, WITHIN, Role::Muted);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::action::ACTIONS;
    use crate::console::glyphs::{GlyphSet, Glyphs};
    use crate::console::theme::Theme;

    #[test]
    fn keys_that_belong_together_are_shown_together() {
        let keymap = Keymap::default();
        let hints = Hints::gather(&keymap, Context::Tune.layers(), false);
        let shown = hints.items.iter().chain(&hints.last);
        let all: Vec<String> = shown.map(|(keys, hint)| format!("{keys} {hint}")).collect();
        for wanted in [
            "←/→ 1 ‰",
            "⇧←/⇧→ 10 ‰",
            "0-9 type",
            "Enter apply",
            "Esc drop",
            "u undo",
            "Space play",
            "</> 10 s",
            ": palette",
            "? help",
        ] {
            assert!(all.iter().any(|item| item == wanted), "{wanted} is not in {all:?}");
        }
        assert!(
            all.contains(&"f freeze".to_owned()),
            "space plays here, so freezing shows its other key: {all:?}"
        );
    }

    #[test]
    fn a_hint_joined_to_the_one_above_has_one_above() {
        for pair in ACTIONS.windows(2) {
            if pair[1].hint == WITH_ABOVE {
                assert!(!pair[0].hint.is_empty() && pair[0].contexts == pair[1].contexts, "{}", pair[1].id);
            }
        }
    }

    #[test]
    fn a_message_goes_when_its_time_is_over() {
        let mut messages = Messages::default();
        messages.show(false, "applied", Duration::from_secs(4));
        assert!(!messages.expire(Duration::from_secs(3)));
        assert!(messages.expire(Duration::from_secs(4)));
        assert_eq!(messages.until(), None);
    }

    /// A change that its error covers would else stand there in the colour of what is certain.
    #[test]
    fn what_is_within_error_is_said_in_grey() {
        let (theme, glyphs) = (Theme::default(), Glyphs::of(GlyphSet::Braille));
        let look = Look { theme: &theme, glyphs };
        let area = Rect::new(0, 0, 60, 1);
        let mut buf = Buffer::empty(area);
        let mut messages = Messages::default();
        messages.show(false, "staged: $1 within error in all", Duration::from_secs(4));
        assert!(messages.render(area, &mut buf, look));
        let shown = |x: u16| (buf[(x, 0)].symbol().to_owned(), (buf[(x, 0)].fg, buf[(x, 0)].modifier));
        let colours: Vec<_> = (0..60).map(shown).collect();
        let text: String = colours.iter().map(|(symbol, _)| symbol.as_str()).collect();
        let from = text.chars().position(|c| c == 'w').unwrap_or_else(|| panic!("{text:?}"));
        let mut grey = Buffer::empty(area);
        paint::clear(&mut grey, area, theme.base().patch(look.style(Role::Toast)));
        look.text(&mut grey, area, "x", Role::Muted);
        let muted = (grey[(0, 0)].fg, grey[(0, 0)].modifier);
        assert!(colours[from..from + WITHIN.len()].iter().all(|(_, fg)| *fg == muted), "{colours:?}");
        assert!(text.contains("in all"), "{text}");
    }
}
