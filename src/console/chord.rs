//! One key with its modifiers, as it is written in files, shown on screen and read from the terminal.
//!
//! Invariant: two spellings of the same key press are the same value, so that a keymap finds it; and what is printed
//! reads back as the same chord.

use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// A key without its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A character, upper case when shift was held.
    Char(char),
    /// A function key, 1 to 24.
    Function(u8),
    /// Enter.
    Enter,
    /// Escape.
    Esc,
    /// Tab.
    Tab,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
    /// Insert.
    Insert,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
}

/// The keys that have names: the name in files, and the one on screen.
const NAMES: [(Key, &str, &str); 15] = [
    (Key::Char(' '), "space", "Space"),
    (Key::Enter, "enter", "Enter"),
    (Key::Esc, "esc", "Esc"),
    (Key::Tab, "tab", "Tab"),
    (Key::Backspace, "backspace", "Bksp"),
    (Key::Delete, "delete", "Del"),
    (Key::Insert, "insert", "Ins"),
    (Key::Up, "up", "↑"),
    (Key::Down, "down", "↓"),
    (Key::Left, "left", "←"),
    (Key::Right, "right", "→"),
    (Key::Home, "home", "Home"),
    (Key::End, "end", "End"),
    (Key::PageUp, "pageup", "PgUp"),
    (Key::PageDown, "pagedown", "PgDn"),
];

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Chord {
    key: Key,
    ctrl: bool,
    alt: bool,
    shift: bool,
}

/// A text that is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no key; write a character, or such as space, enter, pageup, f5, ctrl-r, alt-left, shift-tab"
)]
pub struct ChordError(pub String);

impl Chord {
    /// Builds a chord in its one normal form: shift is part of a character, and control ignores its case.
    pub fn new(key: Key, ctrl: bool, alt: bool, shift: bool) -> Self {
        match key {
            Key::Char(c) if ctrl => Self { key: Key::Char(lower(c)), ctrl, alt, shift: false },
            Key::Char(c) if shift => Self { key: Key::Char(upper(c)), ctrl, alt, shift: false },
            key => Self { key, ctrl, alt, shift: shift && key != Key::Char(' ') },
        }
    }

    /// Builds a chord of a bare key.
    pub fn bare(key: Key) -> Self {
        Self::new(key, false, false, false)
    }

    /// Reads a key event; `None` for releases and for keys that cannot be bound.
    pub fn of(event: &KeyEvent) -> Option<Self> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        let has = |modifier| event.modifiers.contains(modifier);
        let (key, tab_back) = match event.code {
            KeyCode::Char(c) if !c.is_control() => (Key::Char(c), false),
            KeyCode::F(n @ 1..=24) => (Key::Function(n), false),
            KeyCode::Enter => (Key::Enter, false),
            KeyCode::Esc => (Key::Esc, false),
            KeyCode::Tab => (Key::Tab, false),
            KeyCode::BackTab => (Key::Tab, true),
            KeyCode::Backspace => (Key::Backspace, false),
            KeyCode::Delete => (Key::Delete, false),
            KeyCode::Insert => (Key::Insert, false),
            KeyCode::Up => (Key::Up, false),
            KeyCode::Down => (Key::Down, false),
            KeyCode::Left => (Key::Left, false),
            KeyCode::Right => (Key::Right, false),
            KeyCode::Home => (Key::Home, false),
            KeyCode::End => (Key::End, false),
            KeyCode::PageUp => (Key::PageUp, false),
            KeyCode::PageDown => (Key::PageDown, false),
            _ => return None,
        };
        let shift = tab_back || has(KeyModifiers::SHIFT);
        Some(Self::new(key, has(KeyModifiers::CONTROL), has(KeyModifiers::ALT), shift))
    }

    /// Returns the key.
    pub fn key(self) -> Key {
        self.key
    }

    /// Returns the digit, where the key is one.
    pub fn digit(self) -> Option<u8> {
        match self.key {
            Key::Char(c) => c.to_digit(10).and_then(|d| u8::try_from(d).ok()),
            _ => None,
        }
    }

    /// Says whether this is control and the given letter.
    pub fn is_ctrl(self, letter: char) -> bool {
        self.ctrl && !self.alt && self.key == Key::Char(letter)
    }

    /// Says whether control is held.
    pub fn ctrl(self) -> bool {
        self.ctrl
    }

    /// Reads `0..9`, `alt-0..9` as ten chords, anything else as one.
    pub fn parse_range(text: &str) -> Result<Vec<Self>, ChordError> {
        match text.strip_suffix("0..9") {
            Some(modifiers) => (0..10u8).map(|digit| format!("{modifiers}{digit}").parse()).collect(),
            None => text.parse().map(|chord| vec![chord]),
        }
    }

    /// Writes the chord as the footer shows it: `^R`, `⇧←`, `Alt-<`, `Space`.
    pub fn label(self, ascii: bool) -> String {
        let mut out = String::new();
        if self.alt {
            out.push_str("Alt-");
        }
        if self.ctrl {
            out.push_str(if matches!(self.key, Key::Char(_)) { "^" } else { "Ctrl-" });
        }
        if self.shift {
            out.push_str(if ascii { "S-" } else { "⇧" });
        }
        match self.key {
            Key::Function(n) => {
                let _ = fmt::Write::write_fmt(&mut out, format_args!("F{n}"));
            }
            Key::Char(c) if c != ' ' => out.push(if self.ctrl { upper(c) } else { c }),
            key => {
                let entry = NAMES.iter().find(|entry| entry.0 == key);
                out.push_str(
                    entry.map_or("?", |entry| if ascii && !entry.2.is_ascii() { entry.1 } else { entry.2 }),
                );
            }
        }
        out
    }
}

/// One-character lower case; what has none stays.
fn lower(c: char) -> char {
    let mut all = c.to_lowercase();
    let first = all.next().unwrap_or(c);
    if all.next().is_none() { first } else { c }
}

/// One-character upper case that comes back when lowered; what has none stays.
fn upper(c: char) -> char {
    let mut all = c.to_uppercase();
    let first = all.next().unwrap_or(c);
    if all.next().is_none() { first } else { c }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (held, name) in [(self.ctrl, "ctrl-"), (self.alt, "alt-"), (self.shift, "shift-")] {
            if held {
                f.write_str(name)?;
            }
        }
        match self.key {
            Key::Function(n) => write!(f, "f{n}"),
            Key::Char(c) if c != ' ' => write!(f, "{c}"),
            key => f.write_str(NAMES.iter().find(|entry| entry.0 == key).map_or("", |entry| entry.1)),
        }
    }
}

impl FromStr for Chord {
    type Err = ChordError;

    fn from_str(text: &str) -> Result<Self, ChordError> {
        let mut rest = text;
        let (mut ctrl, mut alt, mut shift) = (false, false, false);
        loop {
            let (held, after) = match rest {
                _ if rest.starts_with("ctrl-") => (&mut ctrl, rest.get(5..)),
                _ if rest.starts_with("alt-") => (&mut alt, rest.get(4..)),
                _ if rest.starts_with("shift-") => (&mut shift, rest.get(6..)),
                _ => break,
            };
            if *held {
                return Err(ChordError(text.to_owned()));
            }
            *held = true;
            rest = after.unwrap_or_default();
        }
        let mut chars = rest.chars();
        let key = match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_control() => Key::Char(c),
            _ => named_key(rest).ok_or_else(|| ChordError(text.to_owned()))?,
        };
        Ok(Self::new(key, ctrl, alt, shift))
    }
}

fn named_key(name: &str) -> Option<Key> {
    if let Some(entry) = NAMES.iter().find(|entry| entry.1 == name) {
        return Some(entry.0);
    }
    let number: u8 = name.strip_prefix('f')?.parse().ok()?;
    (1..=24).contains(&number).then_some(Key::Function(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(code: KeyCode, modifiers: KeyModifiers) -> KeyEvent {
        KeyEvent::new(code, modifiers)
    }

    #[test]
    fn a_key_press_matches_what_was_written_for_it() {
        let shift = KeyModifiers::SHIFT;
        for (press, text) in [
            (event(KeyCode::Char('G'), shift), "G"),
            (event(KeyCode::Char('g'), shift), "G"),
            (event(KeyCode::Char('G'), shift), "shift-g"),
            (event(KeyCode::Char('?'), shift), "?"),
            (event(KeyCode::BackTab, shift), "shift-tab"),
            (event(KeyCode::BackTab, KeyModifiers::NONE), "shift-tab"),
            (event(KeyCode::Char('R'), KeyModifiers::CONTROL | shift), "ctrl-r"),
            (event(KeyCode::Left, KeyModifiers::ALT), "alt-left"),
            (event(KeyCode::Char('-'), KeyModifiers::CONTROL), "ctrl--"),
            (event(KeyCode::Char(' '), shift), "space"),
        ] {
            assert_eq!(Chord::of(&press), Some(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_release_is_no_key() {
        let mut release = event(KeyCode::Char('q'), KeyModifiers::NONE);
        release.kind = KeyEventKind::Release;
        assert_eq!(Chord::of(&release), None);
        release.kind = KeyEventKind::Repeat;
        assert!(Chord::of(&release).is_some());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for bad in ["", "ctrl-", "ctrl-ctrl-a", "hyper-a", "f0", "f25", "pgup", "ab", "\u{1b}"] {
            assert!(bad.parse::<Chord>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn labels_are_what_is_printed_on_keys() {
        for (text, label, ascii) in [
            ("ctrl-r", "^R", "^R"),
            ("shift-left", "⇧←", "S-left"),
            ("space", "Space", "Space"),
            ("alt-3", "Alt-3", "Alt-3"),
            ("f1", "F1", "F1"),
        ] {
            let chord: Chord = text.parse().unwrap();
            assert_eq!((chord.label(false).as_str(), chord.label(true).as_str()), (label, ascii));
        }
    }

    fn any_key() -> impl Strategy<Value = Key> {
        prop_oneof![
            any::<char>().prop_filter("control", |c| !c.is_control()).prop_map(Key::Char),
            (1u8..=24).prop_map(Key::Function),
            proptest::sample::select(NAMES.map(|entry| entry.0).to_vec()),
        ]
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(key in any_key(), ctrl: bool, alt: bool, shift: bool) {
            let chord = Chord::new(key, ctrl, alt, shift);
            prop_assert_eq!(chord.to_string().parse::<Chord>(), Ok(chord));
        }

        #[test]
        fn no_text_stops_the_reader(text in ".{0,20}") {
            let _ = Chord::parse_range(&text);
        }
    }
}
