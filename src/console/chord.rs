//! One key with its modifiers, as it is written in files, shown on screen and read from the terminal.
//!
//! Invariant: two spellings of the same key press are the same value, so that a keymap finds it; and what is printed
//! reads back as the same chord.

use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// The keys that have names: the name in files, and the one on screen.
const NAMES: [(KeyCode, &str, &str); 15] = [
    (KeyCode::Char(' '), "space", "Space"),
    (KeyCode::Enter, "enter", "Enter"),
    (KeyCode::Esc, "esc", "Esc"),
    (KeyCode::Tab, "tab", "Tab"),
    (KeyCode::Backspace, "backspace", "Bksp"),
    (KeyCode::Delete, "delete", "Del"),
    (KeyCode::Insert, "insert", "Ins"),
    (KeyCode::Up, "up", "↑"),
    (KeyCode::Down, "down", "↓"),
    (KeyCode::Left, "left", "←"),
    (KeyCode::Right, "right", "→"),
    (KeyCode::Home, "home", "Home"),
    (KeyCode::End, "end", "End"),
    (KeyCode::PageUp, "pageup", "PgUp"),
    (KeyCode::PageDown, "pagedown", "PgDn"),
];

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chord {
    key: KeyCode,
    with: KeyModifiers,
}

/// A text that is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no key; write a character, or such as space, enter, pageup, f5, ctrl-r, alt-left, shift-tab"
)]
pub struct ChordError(pub String);

impl Chord {
    /// Builds a chord in its one normal form: shift is part of a character, and control ignores its case.
    fn new(key: KeyCode, with: KeyModifiers) -> Self {
        let with = with & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        let (control, shift) = (with.contains(KeyModifiers::CONTROL), with.contains(KeyModifiers::SHIFT));
        match key {
            KeyCode::Char(c) => {
                let c = if control {
                    lower(c)
                } else if shift {
                    upper(c)
                } else {
                    c
                };
                Self { key: KeyCode::Char(c), with: with - KeyModifiers::SHIFT }
            }
            KeyCode::BackTab => Self { key: KeyCode::Tab, with: with | KeyModifiers::SHIFT },
            key => Self { key, with },
        }
    }

    /// Reads a key event; `None` for releases and for keys that cannot be bound.
    pub fn of(event: &KeyEvent) -> Option<Self> {
        let bound = match event.code {
            KeyCode::Char(c) => !c.is_control(),
            KeyCode::F(n) => (1..=24).contains(&n),
            KeyCode::BackTab => true,
            key => NAMES.iter().any(|entry| entry.0 == key),
        };
        (bound && event.kind != KeyEventKind::Release).then(|| Self::new(event.code, event.modifiers))
    }

    /// Returns the digit, where the key is one.
    pub fn digit(self) -> Option<u8> {
        match self.key {
            KeyCode::Char(c) => c.to_digit(10).and_then(|d| u8::try_from(d).ok()),
            _ => None,
        }
    }

    /// Returns the sign, where the key is one that stands in amounts beside digits; within a number letters are, too.
    pub fn sign(self, is_within: bool) -> Option<char> {
        match self.key {
            KeyCode::Char(c) if !self.with.is_empty() || c.is_ascii_digit() => None,
            KeyCode::Char(c) if "-+$%‰.,".contains(c) || is_within && c.is_alphabetic() => Some(c),
            _ => None,
        }
    }

    /// Says whether this is control and the given letter.
    pub fn is_ctrl(self, letter: char) -> bool {
        self.with == KeyModifiers::CONTROL && self.key == KeyCode::Char(letter)
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
        let has = |modifier| self.with.contains(modifier);
        let name = match self.key {
            KeyCode::F(n) => format!("F{n}"),
            KeyCode::Char(c) if c != ' ' => if has(KeyModifiers::CONTROL) { upper(c) } else { c }.to_string(),
            key => {
                let entry = NAMES.iter().find(|entry| entry.0 == key);
                let plain = |(_, file, label): &(_, &'static str, &'static str)| {
                    if ascii && !label.is_ascii() { *file } else { *label }
                };
                entry.map_or("?", plain).to_owned()
            }
        };
        let control = if matches!(self.key, KeyCode::Char(_)) { "^" } else { "Ctrl-" };
        let shift = if ascii { "S-" } else { "⇧" };
        let held =
            [(KeyModifiers::ALT, "Alt-"), (KeyModifiers::CONTROL, control), (KeyModifiers::SHIFT, shift)];
        let before: String = held.into_iter().filter(|(one, _)| has(*one)).map(|(_, words)| words).collect();
        before + &name
    }
}

/// One-character lower case; what has none stays.
fn lower(c: char) -> char {
    alone(c.to_lowercase()).unwrap_or(c)
}

/// One-character upper case that comes back when lowered; what has none stays.
fn upper(c: char) -> char {
    alone(c.to_uppercase()).unwrap_or(c)
}

fn alone(mut letters: impl Iterator<Item = char>) -> Option<char> {
    letters.next().filter(|_| letters.next().is_none())
}

/// The modifiers as they are written, in their order.
const MODIFIERS: [(KeyModifiers, &str); 3] =
    [(KeyModifiers::CONTROL, "ctrl-"), (KeyModifiers::ALT, "alt-"), (KeyModifiers::SHIFT, "shift-")];

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (_, name) in MODIFIERS.into_iter().filter(|(one, _)| self.with.contains(*one)) {
            f.write_str(name)?;
        }
        match self.key {
            KeyCode::F(n) => write!(f, "f{n}"),
            KeyCode::Char(c) if c != ' ' => write!(f, "{c}"),
            key => f.write_str(NAMES.iter().find(|entry| entry.0 == key).map_or("", |entry| entry.1)),
        }
    }
}

impl FromStr for Chord {
    type Err = ChordError;

    fn from_str(text: &str) -> Result<Self, ChordError> {
        let invalid = || ChordError(text.to_owned());
        let (mut rest, mut with) = (text, KeyModifiers::NONE);
        while let Some((held, after)) =
            MODIFIERS.into_iter().find_map(|(held, name)| Some((held, rest.strip_prefix(name)?)))
        {
            if with.contains(held) {
                return Err(invalid());
            }
            (rest, with) = (after, with | held);
        }
        let mut chars = rest.chars();
        let key = match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_control() => KeyCode::Char(c),
            _ => named_key(rest).ok_or_else(invalid)?,
        };
        Ok(Self::new(key, with))
    }
}

fn named_key(name: &str) -> Option<KeyCode> {
    if let Some(entry) = NAMES.iter().find(|entry| entry.1 == name) {
        return Some(entry.0);
    }
    let number: u8 = name.strip_prefix('f')?.parse().ok()?;
    (1..=24).contains(&number).then_some(KeyCode::F(number))
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

    fn any_key() -> impl Strategy<Value = KeyCode> {
        prop_oneof![
            any::<char>().prop_filter("control", |c| !c.is_control()).prop_map(KeyCode::Char),
            (1u8..=24).prop_map(KeyCode::F),
            proptest::sample::select(NAMES.map(|entry| entry.0).to_vec()),
        ]
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(key in any_key(), ctrl: bool, alt: bool, shift: bool) {
            let held = [(ctrl, KeyModifiers::CONTROL), (alt, KeyModifiers::ALT), (shift, KeyModifiers::SHIFT)];
            let with = held.into_iter().filter(|(on, _)| *on).map(|(_, one)| one).collect();
            let chord = Chord::new(key, with);
            prop_assert_eq!(chord.to_string().parse::<Chord>(), Ok(chord));
        }

        #[test]
        fn no_text_stops_the_reader(text in ".{0,20}") {
            let _ = Chord::parse_range(&text);
        }
    }
}
