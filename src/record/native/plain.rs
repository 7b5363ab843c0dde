//! A fast reader for plain request lines: one flat object of escape-free text and whole numbers, without spaces.
//!
//! That is what our writer makes of nearly every request. Invariant: it either gives just what the full reader would
//! give, or declines; everything unusual, wrong or nested is declined.

use std::borrow::Cow;

use super::line::{CheckWord, TokenKeys, Tokens};
use super::request::{charged, usage};
use crate::classifier::TaskClass;
use crate::pricing::Terms;
use crate::record::{Attempt, Attempts, Record, Timing, WriteTtl, some_terms};
use crate::routing::{Effort, Status};
use crate::units::{Instant, PerMille};

/// Reads a plain line; `None` leaves it to the full reader.
pub(super) fn read(text: &str) -> Option<Record<'_>> {
    let mut cursor = Cursor { text, at: 0 };
    cursor.expect(b'{')?;
    let (mut record, mut only) = (Record::default(), Only::default());
    let mut has_moment = false;
    loop {
        let key = cursor.text()?;
        cursor.expect(b':')?;
        match cursor.peek()? {
            b'"' => match (key, cursor.text()?) {
                ("at", at) => (record.at, has_moment) = (Instant::parse(at).ok()?, true),
                (key, value) => take_text(&mut record, &mut only, key, value)?,
            },
            b'0'..=b'9' => take_number(&mut record, &mut only, key, cursor.number()?)?,
            b't' => {
                cursor.word("true")?;
                take_true(&mut record, &mut only, key)?;
            }
            _ => return None,
        }
        match cursor.next()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    if !has_moment || cursor.at != text.len() {
        return None;
    }
    if only.any {
        record.attempts = Attempts::one(only.attempt()?);
    }
    Some(record)
}

/// The only attempt of a line, as far as it is told one by one.
#[derive(Default)]
struct Only<'a> {
    attempt: Attempt<'a>,
    tokens: TokenKeys,
    tier: &'a str,
    charged: &'a str,
    charged_as: &'a str,
    /// Whether any of its keys stood in the line.
    any: bool,
}

impl<'a> Only<'a> {
    fn attempt(self) -> Option<Attempt<'a>> {
        let Self { mut attempt, tokens, tier, charged: amount, charged_as, .. } = self;
        let (usage, is_beside) = usage(&tokens).ok()?;
        attempt.usage = usage;
        attempt.estimated |= is_beside;
        if !tier.is_empty() {
            let mut terms = Terms::NONE;
            terms.serve(tier);
            attempt.terms = some_terms(&terms);
        }
        attempt.charged = charged(amount, charged_as).ok()?;
        Some(attempt)
    }
}

fn take_text<'a>(record: &mut Record<'a>, only: &mut Only<'a>, key: &str, value: &'a str) -> Option<()> {
    let word = Cow::Borrowed(value);
    match key {
        "id" => record.id = word,
        "timing" => record.timing = Timing::from_word(value)?,
        "team" => record.team = word,
        "project" => record.project = word,
        "user" => record.user = word,
        "session" => record.session = word,
        "asked" => record.asked = word,
        "task" => record.task = (!value.is_empty()).then(|| value.parse().unwrap_or(TaskClass::Other)),
        "saw" => record.saw = value.parse().unwrap_or_default(),
        "prompt" => record.prompt = Some(word),
        "claimed_usd" => record.claimed_usd = Some(word),
        "simulated" => record.simulated = word,
        _ => return take_attempt_text(only, key, value),
    }
    Some(())
}

fn take_attempt_text<'a>(only: &mut Only<'a>, key: &str, value: &'a str) -> Option<()> {
    let (attempt, word) = (&mut only.attempt, Cow::Borrowed(value));
    match key {
        "model" => attempt.model = word,
        "billed" => attempt.billed = word,
        "provider" => attempt.provider = word,
        "error" => attempt.error = word,
        "effort" if value.is_empty() => attempt.effort = None,
        "effort" => attempt.effort = Some(Effort::from_name(value)?),
        "write_ttl" => attempt.write_ttl = WriteTtl::from_word(value)?,
        "tier" => only.tier = value,
        "charged" => only.charged = value,
        "charged_as" => only.charged_as = value,
        "status" => attempt.status = Status::from_name(value)?,
        "check" => attempt.check = CheckWord::named(value)?.0.unwrap_or_default(),
        // Keys that are not known may still be of a kind that the full reader looks at.
        _ => return None,
    }
    only.any = true;
    Some(())
}

fn take_true(record: &mut Record<'_>, only: &mut Only<'_>, key: &str) -> Option<()> {
    match key {
        "pinned" => record.pinned = true,
        "vision" => record.needs.vision = true,
        "unsure" => record.unsure = true,
        "estimated" => (only.attempt.estimated, only.any) = (true, true),
        _ => return None,
    }
    Some(())
}

fn take_number(record: &mut Record<'_>, only: &mut Only<'_>, key: &str, value: u64) -> Option<()> {
    let Only { attempt, tokens, .. } = only;
    let known = Tokens::Known(value);
    let small = u32::try_from(value);
    match key {
        "in" => tokens.input = known,
        "out" => tokens.out = known,
        "cache_read" => tokens.cache_read = known,
        "write_5m" => tokens.write_5m = known,
        "write_1h" => tokens.write_1h = known,
        "reasoning" => tokens.reasoning = known,
        "began_us" => attempt.began_us = Some(value),
        "latency_ms" => attempt.latency_ms = Some(small.ok()?),
        "ttft_ms" => attempt.ttft_ms = Some(small.ok()?),
        "gap_ms" => attempt.gap_ms = Some(small.ok()?),
        _ => return take_request_number(record, key, value),
    }
    only.any = true;
    Some(())
}

fn take_request_number(record: &mut Record<'_>, key: &str, value: u64) -> Option<()> {
    let small = u32::try_from(value);
    match key {
        "confidence" => record.confidence = Some(PerMille::new(u16::try_from(value).ok()?)?),
        "seq" => record.seq = Some(value),
        "policy" => record.policy = Some(small.ok()?),
        "window" => record.needs.window = Some(small.ok()?),
        "max_output" => record.needs.output = Some(small.ok()?),
        "turn" => record.turn = Some(small.ok()?),
        "tools" => record.tools = Some(small.ok()?),
        "history" => record.history = Some(small.ok()?),
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
    use crate::record::native::line::Line;
    use crate::record::native::request::request;
    use proptest::prelude::*;

    /// Whatever the fast reader accepts, the full reader must read the same.
    fn agrees(text: &str) -> bool {
        let Some(record) = read(text) else { return true };
        let full = json::read::<Line<'_>>(text).unwrap_or_else(|reason| panic!("{text}: {reason}"));
        assert_eq!(Ok(record), request(full), "{text}");
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
