//! The terminal's ground, dark or light: the question (OSC 11) and its answer, found among the keys.
//!
//! The terminal library takes the answer for keys: `ESC ]` is Alt+], and so on to the end. Invariant: no part of an answer
//! reaches the console, however late it comes, and no key that was typed is lost.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::theme::colour;

/// What is written to ask for the ground. Ended by BEL, as some terminals end their answer wrongly otherwise.
pub const QUESTION: &str = "\x1b]11;?\x07";

/// How the ground behind the text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// Light text is read on it.
    Dark,
    /// Dark text is read on it.
    Light,
}

impl Ground {
    /// Returns the ground of a colour: that on which black or white is read better.
    fn of(colour: [u8; 3]) -> Self {
        if colour::contrast(colour, [0; 3]) > colour::contrast(colour, [255; 3]) {
            Self::Light
        } else {
            Self::Dark
        }
    }
}

/// What an event turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// The operator's own doing, with what was held back before it.
    Events(Vec<Event>),
    /// It may be a part of the answer; nothing is to be done yet.
    Held,
    /// The answer; `None` where it names no colour that is understood.
    Told(Option<Ground>),
}

/// How an answer begins.
const START: &str = "]11;";

/// The longest answer: `rgba:` and four times four digits, and room to spare.
const LONGEST: usize = 48;

/// Listens for the answer among the events.
#[derive(Debug, Default)]
pub struct Listener {
    held: Vec<Event>,
    text: String,
}

impl Listener {
    /// Takes an event.
    pub fn take(&mut self, event: Event) -> Heard {
        let letter = match &event {
            Event::Key(key) if key.kind != KeyEventKind::Release => letter(key),
            // The mouse and the window have nothing to do with it.
            _ if !self.text.is_empty() => None,
            _ => return Heard::Events(vec![event]),
        };
        match letter {
            Some(Letter::Start) => {
                let before = std::mem::take(&mut self.held);
                "]".clone_into(&mut self.text);
                self.held.push(event);
                if before.is_empty() { Heard::Held } else { Heard::Events(before) }
            }
            Some(Letter::End) if self.text.starts_with(START) => {
                self.held.clear();
                Heard::Told(read(std::mem::take(&mut self.text).trim_start_matches(START)))
            }
            Some(Letter::Plain(c)) if self.fits(c) => {
                self.text.push(c);
                self.held.push(event);
                Heard::Held
            }
            _ => {
                self.text.clear();
                let mut all = std::mem::take(&mut self.held);
                all.push(event);
                Heard::Events(all)
            }
        }
    }

    fn fits(&self, c: char) -> bool {
        match self.text.len() {
            0 => false,
            n if n < START.len() => START.as_bytes().get(n).is_some_and(|&due| char::from(due) == c),
            n => n < LONGEST && (c.is_ascii_alphanumeric() || matches!(c, ':' | '/' | '#')),
        }
    }
}

enum Letter {
    /// `ESC ]`.
    Start,
    /// BEL or `ESC \`.
    End,
    Plain(char),
}

fn letter(key: &KeyEvent) -> Option<Letter> {
    let KeyCode::Char(c) = key.code else { return None };
    let with = key.modifiers;
    match c {
        ']' if with == KeyModifiers::ALT => Some(Letter::Start),
        '\\' if with == KeyModifiers::ALT => Some(Letter::End),
        'g' if with == KeyModifiers::CONTROL => Some(Letter::End),
        c if with.difference(KeyModifiers::SHIFT).is_empty() => Some(Letter::Plain(c)),
        _ => None,
    }
}

/// Reads `rgb:hh/hh/hh`, one to four digits each, `rgba:` with one part more, or `#rrggbb`.
fn read(text: &str) -> Option<Ground> {
    if let Some(hex) = text.strip_prefix('#') {
        let digits = hex.len().is_multiple_of(3).then_some(hex.len() / 3)?;
        let part = |at: usize| hex.get(at * digits..(at + 1) * digits).and_then(channel);
        return Some(Ground::of([part(0)?, part(1)?, part(2)?]));
    }
    let parts = text.strip_prefix("rgb:").or_else(|| text.strip_prefix("rgba:"))?;
    let mut parts = parts.split('/').map(channel);
    Some(Ground::of([parts.next()??, parts.next()??, parts.next()??]))
}

/// Scales one to four hexadecimal digits to a byte.
fn channel(hex: &str) -> Option<u8> {
    let digits = u32::try_from(hex.len()).ok().filter(|digits| (1..=4).contains(digits))?;
    let value = u32::from_str_radix(hex, 16).ok()?;
    u8::try_from(value * 255 / (16u32.pow(digits) - 1)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: char, with: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(KeyCode::Char(code), with))
    }

    /// The events that the terminal library makes of bytes.
    fn events(text: &str) -> Vec<Event> {
        let mut out = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            out.push(match c {
                '\x1b' => key(chars.next().unwrap(), KeyModifiers::ALT),
                '\x07' => key('g', KeyModifiers::CONTROL),
                c if c.is_uppercase() => key(c, KeyModifiers::SHIFT),
                c => key(c, KeyModifiers::NONE),
            });
        }
        out
    }

    /// Returns what reached the console, and what was told.
    fn heard(text: &str) -> (Vec<Event>, Vec<Option<Ground>>) {
        let mut listener = Listener::default();
        let (mut through, mut told) = (Vec::new(), Vec::new());
        for event in events(text) {
            match listener.take(event) {
                Heard::Events(events) => through.extend(events),
                Heard::Held => {}
                Heard::Told(ground) => told.push(ground),
            }
        }
        (through, told)
    }

    #[test]
    fn an_answer_is_understood_in_every_form_and_reaches_nobody() {
        for (answer, ground) in [
            ("\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\", Some(Ground::Dark)),
            ("\x1b]11;rgb:FFFF/FFFF/FFFF\x07", Some(Ground::Light)),
            ("\x1b]11;rgb:fd/f6/e3\x1b\\", Some(Ground::Light)),
            ("\x1b]11;rgb:0/2/3\x07", Some(Ground::Dark)),
            ("\x1b]11;rgba:0000/0000/0000/cccc\x1b\\", Some(Ground::Dark)),
            ("\x1b]11;#ffffff\x1b\\", Some(Ground::Light)),
            ("\x1b]11;rgb:what\x1b\\", None),
            ("\x1b]11;#ffffé\x07", None),
        ] {
            let (through, told) = heard(&format!("4{answer}q"));
            let foreign = answer.contains('é');
            let expected: Vec<_> = (!foreign).then_some(ground).into_iter().collect();
            assert_eq!(told, expected, "{answer:?}");
            if !foreign {
                assert_eq!(through, events("4q"), "{answer:?}");
            }
        }
    }

    #[test]
    fn keys_that_only_look_like_an_answer_all_arrive_in_order() {
        for typed in
            ["\x1b]q", "\x1b]1q", "\x1b]11;\x1b]12", "]11;rgb:0/0/0\x07", "\x1b\\q", "\x07", "\x1b]11\x07"]
        {
            let (through, told) = heard(&format!("{typed}\x1b["));
            assert_eq!((through, told), (events(&format!("{typed}\x1b[")), Vec::new()), "{typed:?}");
        }
        let (through, told) = heard(&format!("\x1b]11;{}\x07", "f".repeat(80)));
        assert_eq!((through.len(), told), (85, Vec::new()), "an answer without an end is let go");
    }
}
