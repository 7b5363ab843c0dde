//! Takes secrets out of text that is about to be written: the trace log, errors, panics.
//!
//! It goes by form and would rather mask too much: keys of ours and of providers by how they start, what follows
//! `Bearer`, and long runs of key characters after a word such as `key=`. Invariant: no key that `pointsman keys` made
//! comes through, wherever it stands in the text.

use std::borrow::Cow;
use std::io::{self, Write};

/// What stands in a secret's place.
const MASK: &str = "[redacted]";

/// How keys start, and from how many further characters on it is one. The first that fits counts.
const STARTS: &[(&str, usize)] = &[
    ("pm_", 12),
    ("sk-", 12),
    ("sk_", 12),
    ("rk_", 12),
    ("AIza", 20),
    ("gsk_", 12),
    ("xai-", 16),
    ("hf_", 16),
    ("r8_", 16),
    ("nvapi-", 16),
    ("ghp_", 16),
    ("github_pat_", 16),
    ("glpat-", 12),
    ("AKIA", 16),
    ("ya29.", 16),
    ("eyJ", 24),
];
/// Within a word only a run of this length makes a key: `task-` and `disk-` end like the start of one.
const WITHIN_WORD: usize = 36;

/// Words before `=` or `:` that say a secret follows, and from how many characters on it is one.
const WORDS: &[(&str, usize)] = &[
    ("key", 16),
    ("token", 16),
    ("secret", 8),
    ("password", 4),
    ("passwd", 4),
    ("credential", 8),
    ("authorization", 8),
    ("signature", 16),
];

/// Masks whatever looks like a secret; text without any is given back as it is.
pub fn redact(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut out = String::new();
    let (mut copied, mut at) = (0, 0);
    while at < bytes.len() {
        // Every found range begins and ends at an ASCII character, so it can be cut out.
        if let Some((from, to)) = secret_at(bytes, at) {
            out.push_str(text.get(copied..from).unwrap_or_default());
            out.push_str(MASK);
            copied = to;
            at = to;
        } else {
            at += 1;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// Finds the secret that starts, or is announced, at this place.
fn secret_at(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = bytes.get(at..)?;
    let before = at.checked_sub(1).and_then(|at| bytes.get(at).copied());
    match rest.first()? {
        b'=' | b':' => after_word(bytes, at),
        first if first.is_ascii_alphabetic() => {
            let within = before.is_some_and(|byte| byte.is_ascii_alphanumeric());
            by_start(rest, within)
                .or_else(|| if within { None } else { after_scheme(rest) })
                .map(|(from, to)| (at + from, at + to))
        }
        _ => None,
    }
}

fn by_start(rest: &[u8], within: bool) -> Option<(usize, usize)> {
    let &(start, least) = STARTS.iter().find(|(start, _)| rest.starts_with(start.as_bytes()))?;
    let least = if within { WITHIN_WORD } else { least };
    let length = run(rest, start.len(), |byte| is_key(byte) || byte == b'.');
    (length >= least).then(|| (start.len(), start.len() + length))
}

/// `Bearer x`, `Basic x`.
fn after_scheme(rest: &[u8]) -> Option<(usize, usize)> {
    let (scheme, least) = [("bearer", 8), ("basic", 16)].into_iter().find(|(scheme, _)| {
        rest.get(..scheme.len()).is_some_and(|word| word.eq_ignore_ascii_case(scheme.as_bytes()))
    })?;
    let gap = run(rest, scheme.len(), |byte| byte == b' ');
    let from = scheme.len() + gap;
    let length = run(rest, from, is_token);
    (gap > 0 && length >= least).then(|| (from, from + length))
}

/// `api_key=x`, `"token": "x"`, `authorization: x`.
fn after_word(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let quote = |byte: u8| matches!(byte, b'"' | b'\'' | b'\\' | b' ');
    let head = bytes.get(..at)?;
    let end = head.len() - head.iter().rev().take(4).take_while(|&&byte| quote(byte)).count();
    let head = head.get(..end)?;
    let ends = |word: &str| {
        let tail = head.len().checked_sub(word.len()).and_then(|from| head.get(from..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(word.as_bytes()))
    };
    let &(_, least) = WORDS.iter().find(|(word, _)| ends(word))?;
    let gap = bytes.iter().skip(at + 1).take(4).take_while(|&&byte| quote(byte)).count();
    let from = at + 1 + gap;
    let length = run(bytes, from, is_token);
    (length >= least).then(|| (from, from + length))
}

fn run(bytes: &[u8], from: usize, belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().skip(from).take_while(|&&byte| belongs(byte)).count()
}

fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Also the rest of base64 and of what tokens are made of.
fn is_token(byte: u8) -> bool {
    is_key(byte) || matches!(byte, b'+' | b'/' | b'=' | b'.' | b'~' | b'%')
}

/// A writer that masks secrets on the way. Each `write` is looked at by itself, so whole lines must come in one piece.
#[derive(Debug)]
pub struct Redacting<W>(pub W);

impl<W: Write> Write for Redacting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.0.write_all(redact(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::secret;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn secrets_of_every_form_are_masked() {
        for (text, masked) in [
            ("key sk-ant-api03-abcdefghijklmnop used", "key sk-[redacted] used"),
            ("AIzaSyA1234567890abcdefghijklmnop", "AIza[redacted]"),
            ("Authorization: Bearer abc.def-ghi/jkl=", "Authorization: Bearer [redacted]"),
            ("bearer  0123456789abcdef\r\n", "bearer  [redacted]\r\n"),
            ("?key=QUJDREVGR0hJSktMTU5P&alt=sse", "?key=[redacted]&alt=sse"),
            (r#"{"api_key": "QUJDREVGR0hJSktMTU5P"}"#, r#"{"api_key": "[redacted]"}"#),
            (r#"{\"x-api-key\": \"QUJDREVGR0hJSktMTU5P\"}"#, r#"{\"x-api-key\": \"[redacted]\"}"#),
            ("password: hunter22", "password: [redacted]"),
            ("é sk-abcdefghijklmnop é", "é sk-[redacted] é"),
        ] {
            assert_eq!(redact(text), masked);
            assert_eq!(redact(masked), masked, "masking twice changes nothing");
        }
    }

    #[test]
    fn ordinary_lines_stay_as_they_are() {
        for text in [
            "",
            "task-classification-and-summarisation took 12 ms",
            "disk-image sk-learn pm_operations 12 key pmk_1a2b3c4d revoked",
            "send one as `Authorization: Bearer pm_...` (or x-api-key)",
            "tokens: 1234567, at 2026-05-23T10:00:01.120Z, key: left",
            "http://127.0.0.1:4141/v1/chat/completions",
        ] {
            assert!(matches!(redact(text), Cow::Borrowed(same) if same == text), "{text}: {}", redact(text));
        }
    }

    #[test]
    fn a_writer_masks_whole_lines() {
        let mut out = Redacting(Vec::new());
        out.write_all(b"refused sk-abcdefghijklmnop\n").unwrap();
        out.flush().unwrap();
        assert_eq!(String::from_utf8(out.0).unwrap(), "refused sk-[redacted]\n");
    }

    proptest! {
        #[test]
        fn no_key_of_ours_survives(before in ".{0,40}", bytes in any::<[u8; 32]>(), after in ".{0,40}") {
            let (key, _) = secret::from_bytes(&bytes);
            let key = secret::reveal(&key);
            let text = format!("{before}{key}{after}");
            let masked = redact(&text);
            // Not even a part from which the rest could be guessed.
            for window in 0..key.len() - 12 {
                prop_assert!(!masked.contains(&key[window..window + 12]), "{masked}");
            }
        }

        #[test]
        fn any_text_can_be_masked_again(text in ".{0,200}") {
            let once = redact(&text).into_owned();
            let _ = redact(&once);
            prop_assert!(once.len() <= text.len() + MASK.len() * text.len());
        }
    }
}
