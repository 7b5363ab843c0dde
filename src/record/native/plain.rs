//! A fast reader for plain request lines: one flat object of escape-free text and whole numbers, without spaces.
//!
//! That is what our writer makes of nearly every request. Invariant: it either gives just what the full reader would
//! give, or declines; everything unusual, wrong or nested is declined.

use std::borrow::Cow;

use super::line::{CheckWord, Circumstance, Line, StatusWord, Tokens};
use crate::record::json::Text;
use crate::routing::Status;

/// Reads a plain line; `None` leaves it to the full reader.
pub(super) fn read(text: &str) -> Option<Line<'_>> {
    let mut cursor = Cursor { text, at: 0 };
    cursor.expect(b'{')?;
    let mut line = Line::default();
    loop {
        let key = cursor.text()?;
        cursor.expect(b':')?;
        match cursor.peek()? {
            b'"' => take_text(&mut line, key, cursor.text()?)?,
            b'0'..=b'9' => take_number(&mut line, key, cursor.number()?)?,
            b't' => {
                cursor.word("true")?;
                take_true(&mut line, key)?;
            }
            _ => return None,
        }
        match cursor.next()? {
            b',' => {}
            b'}' => return (cursor.at == text.len()).then_some(line),
            _ => return None,
        }
    }
}

fn take_text<'a>(line: &mut Line<'a>, key: &str, value: &'a str) -> Option<()> {
    let word = Text(Cow::Borrowed(value));
    match key {
        "id" => line.id = word,
        "at" => line.at = word,
        "timing" => line.timing = word,
        "team" => line.team = word,
        "project" => line.project = word,
        "user" => line.user = word,
        "key" => line.key = word,
        "session" => line.session = word,
        "asked" => line.asked = word,
        "task" => line.task = word,
        "saw" => line.saw = word,
        "prompt" => line.prompt = Some(word),
        "claimed_usd" => line.claimed_usd = Some(word),
        "simulated" => line.simulated = Circumstance(Cow::Borrowed(value)),
        _ => return take_attempt_text(line, key, word, value),
    }
    Some(())
}

fn take_attempt_text<'a>(line: &mut Line<'a>, key: &str, word: Text<'a>, value: &str) -> Option<()> {
    let only = &mut line.only;
    match key {
        "model" => only.model = word,
        "billed" => only.billed = word,
        "provider" => only.provider = word,
        "error" => only.error = word,
        "effort" => only.effort = word,
        "write_ttl" => only.write_ttl = word,
        "tier" => only.tier = word,
        "charged" => only.charged = word,
        "charged_as" => only.charged_as = word,
        "status" => only.status = StatusWord(Some(Status::from_name(value)?)),
        "check" => only.check = CheckWord::named(value)?,
        // Keys that are not known may still be of a kind that the full reader looks at.
        _ => return None,
    }
    only.any = true;
    Some(())
}

fn take_true(line: &mut Line<'_>, key: &str) -> Option<()> {
    match key {
        "pinned" => line.pinned = true,
        "vision" => line.vision = true,
        "unsure" => line.unsure = true,
        "estimated" => (line.only.estimated, line.only.any) = (true, true),
        _ => return None,
    }
    Some(())
}

fn take_number(line: &mut Line<'_>, key: &str, value: u64) -> Option<()> {
    let only = &mut line.only;
    let known = Tokens::Known(value);
    let small = u32::try_from(value);
    match key {
        "in" => only.input = known,
        "out" => only.out = known,
        "cache_read" => only.cache_read = known,
        "write_5m" => only.write_5m = known,
        "write_1h" => only.write_1h = known,
        "reasoning" => only.reasoning = known,
        "began_us" => only.began_us = Some(value),
        "latency_ms" => only.latency_ms = Some(small.ok()?),
        "ttft_ms" => only.ttft_ms = Some(small.ok()?),
        "gap_ms" => only.gap_ms = Some(small.ok()?),
        _ => return take_request_number(line, key, value),
    }
    only.any = true;
    Some(())
}

fn take_request_number(line: &mut Line<'_>, key: &str, value: u64) -> Option<()> {
    let small = u32::try_from(value);
    match key {
        "confidence" => line.confidence = Some(u16::try_from(value).ok()?),
        "seq" => line.seq = Some(value),
        "policy" => line.policy = Some(small.ok()?),
        "window" => line.window = Some(small.ok()?),
        "max_output" => line.max_output = Some(small.ok()?),
        "turn" => line.turn = Some(small.ok()?),
        "tools" => line.tools = Some(small.ok()?),
        "history" => line.history = Some(small.ok()?),
        _ => return None,
    }
    Some(())
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    /// Reads quoted text without escapes.
    fn text(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let start = self.at;
        let mut rest = self.text.as_bytes().get(start..)?;
        let mut end = start;
        // Eight bytes at once, up to the first that is a quote, a backslash or a control character.
        while let Some((eight, behind)) = rest.split_first_chunk::<8>() {
            let stops = stops(u64::from_le_bytes(*eight));
            if stops != 0 {
                end += (stops.trailing_zeros() / 8) as usize;
                return self.close(start, end);
            }
            end += 8;
            rest = behind;
        }
        end += rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
        self.close(start, end)
    }

    fn close(&mut self, start: usize, end: usize) -> Option<&'a str> {
        self.at = end;
        self.expect(b'"')?;
        self.text.get(start..end)
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.text.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    /// Reads a whole number as JSON writes it.
    fn number(&mut self) -> Option<u64> {
        let start = self.at;
        let mut value = 0u64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
            self.at += 1;
        }
        let leading_zero = self.at - start > 1 && self.text.as_bytes().get(start) == Some(&b'0');
        (!leading_zero).then_some(value)
    }
}

/// Marks (with their high bits) bytes that end plain text; only the lowest mark is exact, which is the one used.
fn stops(eight: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let quote = zero(eight ^ (ONES * u64::from(b'"')));
    let backslash = zero(eight ^ (ONES * u64::from(b'\\')));
    let control = eight.wrapping_sub(ONES * 0x20) & !eight & HIGHS;
    quote | backslash | control
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::json;
    use crate::record::native::request::request;
    use proptest::prelude::*;

    /// Whatever the fast reader accepts, the full reader must read the same.
    fn agrees(text: &str) -> bool {
        let Some(line) = read(text) else { return true };
        let full = json::read::<Line<'_>>(text).unwrap_or_else(|reason| panic!("{text}: {reason}"));
        assert_eq!(request(line), request(full), "{text}");
        true
    }

    #[test]
    fn the_usual_line_is_plain() {
        let line = r#"{"id":"a","at":"2026-05-23T10:00:00Z","team":"zahlung-ä","model":"m","in":10,"out":0,"status":"failed"}"#;
        assert!(read(line).is_some());
        agrees(line);
        for declined in [
            r#"{"id":"a\u0041"}"#,
            r#"{"in":01}"#,
            r#"{"in":1.0}"#,
            r#"{"in":-1}"#,
            r#"{"in":1}x"#,
            r#"{"in":1,}"#,
            "{}",
            "",
            r#"{"event":"note"}"#,
            r#"{"in":99999999999999999999}"#,
            "{\"id\":\"a\tb\"}",
            r#"{"id":"a}"#,
        ] {
            assert!(read(declined).is_none(), "{declined}");
        }
    }

    proptest! {
        #[test]
        fn fast_and_full_reader_agree(text in "\\{(\"(id|at|in|out|cache_read|turn|status|model|x|task)\":(\"[a-z\"\\\\é\u{7f}\t ]{0,12}\"|[0-9]{1,11}|ok|null),?){0,5}\\}") {
            prop_assert!(agrees(&text));
        }

        #[test]
        fn every_stop_is_seen_first(bytes in any::<[u8; 8]>()) {
            let want = bytes.iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20));
            let found = stops(u64::from_le_bytes(bytes));
            let got = (found != 0).then(|| (found.trailing_zeros() / 8) as usize);
            prop_assert_eq!(got, want);
        }
    }
}
