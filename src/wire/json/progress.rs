//! JSON that arrives in pieces, judged as it comes and never kept.
//!
//! Invariant: the verdict depends on the whole text alone, never on where it was cut; memory is constant.

/// How far a text has come towards being one JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::wire) struct Progress {
    at: At,
    /// What is open, the innermost in the lowest bit: an object is 1, a list 0.
    open: u128,
    depth: u8,
    pub(in crate::wire) kind: Kind,
}

/// What kind of value it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::wire) enum Kind {
    /// Nothing but blanks so far.
    Nothing,
    /// An object, or the beginning of one.
    Object,
    /// `null`, or the beginning of it.
    Null,
    /// Anything else.
    Other,
}

/// What a character of JSON belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::wire) enum Within {
    /// A value that is text.
    Text,
    /// A number, or a word.
    Bare,
    /// Names, and what holds values together.
    Frame,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Before a value; a list that has just been opened may end instead.
    Value {
        may_end: bool,
    },
    /// Before a name; an object that has just been opened may end instead.
    Name {
        may_end: bool,
    },
    Colon,
    /// Behind a value within something open.
    Behind,
    Text {
        is_name: bool,
    },
    Escape {
        is_name: bool,
    },
    Hex {
        is_name: bool,
        left: u8,
    },
    /// Within `true`, `false` or `null`: what is still missing.
    Word(&'static [u8]),
    Number(Digits),
    Done,
    Wrong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Digits {
    Minus,
    Zero,
    Whole,
    Dot,
    Fraction,
    Exponent,
    Sign,
    Power,
}

impl Default for Progress {
    fn default() -> Self {
        Self { at: At::Value { may_end: false }, open: 0, depth: 0, kind: Kind::Nothing }
    }
}

impl Progress {
    /// Takes the next piece of the text.
    pub(in crate::wire) fn push(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        while let Some((&byte, tail)) = rest.split_first() {
            rest = tail;
            // Most of any text lies within strings.
            if let At::Text { .. } = self.at
                && !matches!(byte, b'"' | b'\\' | 0..0x20)
            {
                let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
                rest = rest.get(plain.unwrap_or(rest.len())..).unwrap_or_default();
                continue;
            }
            self.take(byte);
        }
    }

    /// Says whether what has come is a whole object and nothing else.
    pub(in crate::wire) fn is_object(&self) -> bool {
        self.kind == Kind::Object && self.at == At::Done
    }

    /// Says whether what has come is fit for the arguments of a call: a whole object, or none at all.
    pub(in crate::wire) fn is_fit(&self) -> bool {
        self.is_object() || self.is_nothing()
    }

    /// Says whether what has come is no JSON, whatever follows.
    pub(in crate::wire) fn is_wrong(&self) -> bool {
        self.at == At::Wrong
    }

    /// Says where what comes next stands.
    pub(in crate::wire) fn within(&self) -> Within {
        match self.at {
            At::Text { is_name: false } | At::Escape { is_name: false } | At::Hex { is_name: false, .. } => {
                Within::Text
            }
            At::Word(_) | At::Number(_) => Within::Bare,
            _ => Within::Frame,
        }
    }

    /// Says whether what has come stands for no arguments: nothing at all, or `null`.
    pub(in crate::wire) fn is_nothing(&self) -> bool {
        self.kind == Kind::Nothing || (self.kind == Kind::Null && self.at == At::Done)
    }

    fn take(&mut self, byte: u8) {
        let is_blank = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at = match self.at {
            At::Value { .. } | At::Name { .. } | At::Colon | At::Behind | At::Done if is_blank => return,
            At::Value { may_end: true } if byte == b']' => self.close(false),
            At::Value { .. } => self.begin(byte),
            At::Name { may_end: true } if byte == b'}' => self.close(true),
            At::Name { .. } if byte == b'"' => At::Text { is_name: true },
            At::Colon if byte == b':' => At::Value { may_end: false },
            At::Behind => match byte {
                b',' if self.is_in_object() => At::Name { may_end: false },
                b',' => At::Value { may_end: false },
                b'}' => self.close(true),
                b']' => self.close(false),
                _ => At::Wrong,
            },
            At::Text { is_name } => match byte {
                b'"' if is_name => At::Colon,
                b'"' => self.behind(),
                b'\\' => At::Escape { is_name },
                0..0x20 => At::Wrong,
                _ => return,
            },
            At::Escape { is_name } => match byte {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => At::Text { is_name },
                b'u' => At::Hex { is_name, left: 4 },
                _ => At::Wrong,
            },
            At::Hex { is_name, left } if byte.is_ascii_hexdigit() => match left {
                0 | 1 => At::Text { is_name },
                left => At::Hex { is_name, left: left - 1 },
            },
            At::Word([next, rest @ ..]) if *next == byte => {
                if rest.is_empty() {
                    self.behind()
                } else {
                    At::Word(rest)
                }
            }
            At::Number(digits) => match digits.next(byte) {
                Some(digits) => At::Number(digits),
                // A number ends with whatever comes behind it.
                None if digits.may_end() => {
                    self.at = self.behind();
                    return self.take(byte);
                }
                None => At::Wrong,
            },
            At::Name { .. } | At::Colon | At::Hex { .. } | At::Word(_) | At::Done | At::Wrong => At::Wrong,
        };
    }

    fn begin(&mut self, byte: u8) -> At {
        if self.depth == 0 {
            self.kind = match byte {
                b'{' => Kind::Object,
                b'n' => Kind::Null,
                _ => Kind::Other,
            };
        }
        match byte {
            b'{' | b'[' if self.depth >= 128 => At::Wrong,
            b'{' | b'[' => {
                self.open = (self.open << 1) | u128::from(byte == b'{');
                self.depth += 1;
                if byte == b'{' { At::Name { may_end: true } } else { At::Value { may_end: true } }
            }
            b'"' => At::Text { is_name: false },
            b't' => At::Word(b"rue"),
            b'f' => At::Word(b"alse"),
            b'n' => At::Word(b"ull"),
            b'-' => At::Number(Digits::Minus),
            b'0' => At::Number(Digits::Zero),
            b'1'..=b'9' => At::Number(Digits::Whole),
            _ => At::Wrong,
        }
    }

    fn is_in_object(&self) -> bool {
        self.open & 1 == 1
    }

    fn close(&mut self, is_object: bool) -> At {
        if self.depth == 0 || self.is_in_object() != is_object {
            return At::Wrong;
        }
        self.open >>= 1;
        self.depth -= 1;
        self.behind()
    }

    fn behind(&self) -> At {
        if self.depth == 0 { At::Done } else { At::Behind }
    }
}

impl Digits {
    fn next(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Minus, b'0') => Self::Zero,
            (Self::Minus, b'1'..=b'9') | (Self::Whole, b'0'..=b'9') => Self::Whole,
            (Self::Zero | Self::Whole, b'.') => Self::Dot,
            (Self::Dot | Self::Fraction, b'0'..=b'9') => Self::Fraction,
            (Self::Zero | Self::Whole | Self::Fraction, b'e' | b'E') => Self::Exponent,
            (Self::Exponent, b'+' | b'-') => Self::Sign,
            (Self::Exponent | Self::Sign | Self::Power, b'0'..=b'9') => Self::Power,
            _ => return None,
        })
    }

    fn may_end(self) -> bool {
        matches!(self, Self::Zero | Self::Whole | Self::Fraction | Self::Power)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn judged<'t>(pieces: impl IntoIterator<Item = &'t str>) -> Progress {
        let mut progress = Progress::default();
        pieces.into_iter().for_each(|piece| progress.push(piece));
        progress
    }

    #[test]
    fn only_a_whole_object_is_one() {
        for (text, is_object, is_nothing) in [
            ("", false, true),
            (" \n", false, true),
            ("null", false, true),
            ("nul", false, false),
            ("{}", true, false),
            (" { \"a\" : [ 1 , -0.5e+3, {\"b\":null} ] , \"é\\u00e9\\n\":true } ", true, false),
            ("{\"a\":1}}", false, false),
            ("{\"a\":1} x", false, false),
            ("{\"a\":1", false, false),
            ("{\"a\":01}", false, false),
            ("{\"a\":1,}", false, false),
            ("{\"a\":[1,]}", false, false),
            ("{\"a\":[}", false, false),
            ("{\"a\" 1}", false, false),
            ("{a:1}", false, false),
            ("[]", false, false),
            ("\"{}\"", false, false),
            ("{\"a\":\"\n\"}", false, false),
            ("{\"a\":1.}", false, false),
        ] {
            let progress = judged([text]);
            assert_eq!((progress.is_object(), progress.is_nothing()), (is_object, is_nothing), "{text}");
        }
        let deep = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(judged([deep(127).as_str()]).is_object());
        assert!(!judged([deep(128).as_str()]).is_object());
    }

    proptest! {
        #[test]
        fn the_verdict_is_that_of_a_whole_reader_however_cut(text in "[{}\\[\\],:\" \\\\0-9eE.+\\-tnrue-]{0,24}", cut in 0usize..24) {
            let (a, b) = text.split_at(cut.min(text.len()));
            let progress = judged([a, b]);
            prop_assert_eq!(progress, judged([text.as_str()]));
            let whole = serde_json::from_str::<serde_json::Value>(&text);
            prop_assert_eq!(progress.is_object(), whole.is_ok_and(|value| value.is_object()));
        }

        #[test]
        fn objects_are_known_as_such(members in prop::collection::btree_map(".{0,6}", ".{0,12}", 0..5)) {
            let text = serde_json::to_string(&members).unwrap();
            prop_assert!(judged(text.split_inclusive('"')).is_object());
        }
    }
}
