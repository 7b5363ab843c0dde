//! A fast reader for plain request lines: one object of escape-free text and whole numbers, flat but for its attempts, with at
//! most one space behind a colon or a comma.
//!
//! That is what our writer makes of nearly every request. Invariant: it either gives just what the full reader would
//! give, or declines; everything unusual, wrong or nested deeper is declined.

use std::borrow::Cow;

use super::request::{TokenKeys, Tokens, charged, check_word, usage};
use crate::classifier::TaskClass;
use crate::pricing::Terms;
use crate::record::cursor::Cursor;
use crate::record::{Attempt, Attempts, Record, Timing, WriteTtl, some_terms};
use crate::routing::{Effort, Status};
use crate::units::{Instant, PerMille};

/// Reads a plain line into a record; one that says no leaves it to the full reader, and the record in any state.
pub(crate) fn read<'a>(text: &'a str, record: &mut Record<'a>) -> bool {
    *record = Record { attempts: Attempts::one(Attempt::default()), ..Record::default() };
    line(text, record).is_some()
}

// One loop for both depths, so that what is hot has one place that calls it and stands there.
fn line<'a>(text: &'a str, record: &mut Record<'a>) -> Option<()> {
    let mut cursor = Cursor::new(text);
    let mut only = Only::default();
    let (mut has_moment, mut has_list, mut is_within) = (false, false, false);
    cursor.expect(b'{')?;
    loop {
        match Key::of(cursor.key()?)? {
            Key::Word(WordKey::At) if !is_within => {
                (record.at, has_moment) = (Instant::parse(cursor.text()?).ok()?, true);
            }
            Key::Word(key) => {
                let value = cursor.text()?;
                if is_within || !take_text(record, key, value)? {
                    only.take_text(record.attempts.last_mut()?, key, value)?;
                }
            }
            Key::Count(key) => {
                let value = cursor.number()?;
                if is_within || !take_number(record, key, value)? {
                    only.take_number(record.attempts.last_mut()?, key, value)?;
                }
            }
            Key::Flag(key) => match (key, cursor.truth()?) {
                (FlagKey::Estimated, is_set) => {
                    (record.attempts.last_mut()?.estimated, only.any) = (is_set, true);
                }
                _ if is_within => return None,
                (FlagKey::Pinned, is_set) => record.pinned = is_set,
                (FlagKey::Vision, is_set) => record.needs.vision = is_set,
                (FlagKey::Unsure, is_set) => record.unsure = is_set,
            },
            Key::List(ListKey::Attempts) => {
                if has_list || only.any {
                    return None;
                }
                (has_list, is_within) = (true, true);
                cursor.expect(b'[')?;
                cursor.expect(b'{')?;
                continue;
            }
        }
        let mut end = cursor.next()?;
        if is_within && end == b'}' {
            std::mem::take(&mut only).finish(record.attempts.last_mut()?)?;
            match cursor.next()? {
                b',' => {
                    cursor.space();
                    cursor.expect(b'{')?;
                    record.attempts.push(Attempt::default());
                    continue;
                }
                b']' => is_within = false,
                _ => return None,
            }
            end = cursor.next()?;
        }
        match end {
            b',' => cursor.space(),
            b'}' => break,
            _ => return None,
        }
    }
    if !has_moment || !cursor.is_at_end() || has_list && only.any {
        return None;
    }
    if only.any {
        only.finish(record.attempts.first_mut()?)?;
    } else if !has_list {
        record.attempts = Attempts::default();
    }
    Some(())
}

/// The keys that are read here, each under its kind of value; those that are not may still be of a kind that the full reader
/// looks at.
macro_rules! keys {
    ($($kind:ident($of:ident) { $($key:ident $name:literal,)* })*) => {
        enum Key { $($kind($of),)* }

        $(#[derive(Clone, Copy)] enum $of { $($key,)* })*

        impl Key {
            /// Finds a key by its name as a number.
            #[inline]
            #[expect(non_upper_case_globals, reason = "a key and its number have one name")]
            fn of(number: u128) -> Option<Self> {
                $($(const $key: u128 = number_of($name.as_bytes());)*)*
                match number {
                    $($($key => Some(Self::$kind($of::$key)),)*)*
                    _ => None,
                }
            }
        }
    };
}

keys! {
    Word(WordKey) {
        Id "id", At "at", Timing "timing", Team "team", Project "project", User "user", Key "key", Session "session",
        Asked "asked", Task "task", Saw "saw", Prompt "prompt", Claimed "claimed_usd", Simulated "simulated",
        Model "model", Billed "billed", Provider "provider", Error "error", Effort "effort",
        WriteTtl "write_ttl", Tier "tier", Charged "charged", ChargedAs "charged_as", Status "status",
        Check "check",
    }
    Count(CountKey) {
        Input "in", Out "out", CacheRead "cache_read", Write5m "write_5m", Write1h "write_1h",
        Reasoning "reasoning", Began "began_us", Latency "latency_ms", Ttft "ttft_ms", Gap "gap_ms",
        Confidence "confidence", Propensity "propensity", Seq "seq", Policy "policy", Window "window",
        MaxOutput "max_output",
        Turn "turn", Tools "tools", History "history",
    }
    Flag(FlagKey) {
        Pinned "pinned", Vision "vision", Unsure "unsure", Estimated "estimated",
    }
    List(ListKey) {
        Attempts "attempts",
    }
}

/// Returns a text of up to 16 bytes as a number.
const fn number_of(text: &[u8]) -> u128 {
    let (mut number, mut left) = (0, text);
    while let [before @ .., last] = left {
        number = number << 8 | *last as u128;
        left = before;
    }
    number
}

/// What of an attempt is understood once all of it is read.
#[derive(Default)]
struct Only<'a> {
    tokens: TokenKeys,
    tier: &'a str,
    charged: &'a str,
    charged_as: &'a str,
    /// Whether any of its keys stood there.
    any: bool,
}

impl<'a> Only<'a> {
    fn take_text(&mut self, attempt: &mut Attempt<'a>, key: WordKey, value: &'a str) -> Option<()> {
        let word = Cow::Borrowed(value);
        match key {
            WordKey::Model => attempt.model = word,
            WordKey::Billed => attempt.billed = word,
            WordKey::Provider => attempt.provider = word,
            WordKey::Error => attempt.error = word,
            WordKey::Effort if value.is_empty() => attempt.effort = None,
            WordKey::Effort => attempt.effort = Some(Effort::from_name(value)?),
            WordKey::WriteTtl => attempt.write_ttl = WriteTtl::from_word(value)?,
            WordKey::Tier => self.tier = value,
            WordKey::Charged => self.charged = value,
            WordKey::ChargedAs => self.charged_as = value,
            WordKey::Status => attempt.status = Status::from_name(value)?,
            WordKey::Check => attempt.check = check_word(value)?,
            _ => return None,
        }
        self.any = true;
        Some(())
    }

    fn take_number(&mut self, attempt: &mut Attempt<'a>, key: CountKey, value: u64) -> Option<()> {
        let (tokens, known) = (&mut self.tokens, Tokens::Known(value));
        let small = u32::try_from(value);
        match key {
            CountKey::Input => tokens.input = known,
            CountKey::Out => tokens.out = known,
            CountKey::CacheRead => tokens.cache_read = known,
            CountKey::Write5m => tokens.write_5m = known,
            CountKey::Write1h => tokens.write_1h = known,
            CountKey::Reasoning => tokens.reasoning = known,
            CountKey::Began => attempt.began_us = Some(value),
            CountKey::Latency => attempt.latency_ms = Some(small.ok()?),
            CountKey::Ttft => attempt.ttft_ms = Some(small.ok()?),
            CountKey::Gap => attempt.gap_ms = Some(small.ok()?),
            _ => return None,
        }
        self.any = true;
        Some(())
    }

    fn finish(self, attempt: &mut Attempt<'_>) -> Option<()> {
        attempt.charged = charged(self.charged, self.charged_as).ok()?;
        let (usage, is_beside) = usage(&self.tokens, attempt.charged).ok()?;
        attempt.usage = usage;
        attempt.estimated |= is_beside;
        if !self.tier.is_empty() {
            let mut terms = Terms::NONE;
            terms.serve(self.tier);
            attempt.terms = some_terms(&terms);
        }
        Some(())
    }
}

/// Takes a text if its key is a request's; says whether it was.
fn take_text<'a>(record: &mut Record<'a>, key: WordKey, value: &'a str) -> Option<bool> {
    let word = Cow::Borrowed(value);
    match key {
        WordKey::Id => record.id = word,
        WordKey::Timing => record.timing = Timing::from_word(value)?,
        WordKey::Team => record.team = word,
        WordKey::Project => record.project = word,
        WordKey::User => record.user = word,
        WordKey::Key => record.key = word,
        WordKey::Session => record.session = word,
        WordKey::Asked => record.asked = word,
        WordKey::Task => {
            record.task = (!value.is_empty()).then(|| value.parse().unwrap_or(TaskClass::Other));
        }
        WordKey::Saw => record.saw = value.parse().unwrap_or_default(),
        WordKey::Prompt => record.prompt = Some(word),
        WordKey::Claimed => record.claimed_usd = Some(word),
        WordKey::Simulated => record.simulated = word,
        _ => return Some(false),
    }
    Some(true)
}

/// Takes a number if its key is a request's; says whether it was.
fn take_number(record: &mut Record<'_>, key: CountKey, value: u64) -> Option<bool> {
    let small = u32::try_from(value);
    match key {
        CountKey::Confidence => record.confidence = Some(PerMille::new(u16::try_from(value).ok()?)?),
        CountKey::Propensity => {
            let chance = PerMille::new(u16::try_from(value).ok()?)?;
            record.propensity = Some((chance > PerMille::ZERO).then_some(chance)?);
        }
        CountKey::Seq => record.seq = Some(value),
        CountKey::Policy => record.policy = Some(small.ok()?),
        CountKey::Window => record.needs.window = Some(small.ok()?),
        CountKey::MaxOutput => record.needs.output = Some(small.ok()?),
        CountKey::Turn => record.turn = Some(small.ok()?),
        CountKey::Tools => record.tools = Some(small.ok()?),
        CountKey::History => record.history = Some(small.ok()?),
        _ => return Some(false),
    }
    Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::native::request::request;
    use crate::record::value::Object;
    use proptest::prelude::*;

    /// Whatever the fast reader accepts, the full reader must read the same.
    fn agrees(text: &str) -> bool {
        let mut record = Record::default();
        if !read(text, &mut record) {
            return true;
        }
        let full = Object::read(text).unwrap_or_else(|reason| panic!("{text}: {reason}"));
        assert_eq!(Ok(record), request(&full), "{text}");
        true
    }

    #[test]
    fn the_usual_line_is_plain() {
        let line = r#"{"id":"a","at":"2026-05-23T10:00:00Z","team":"zahlung-ä","model":"m","in":10,"out":0,"status":"failed"}"#;
        let spaced = r#"{"id": "a", "at": "2026-05-23T10:00:00Z", "pinned": false, "attempts": [{"model": "m", "in": 10, "out": 3,
            "estimated": true}, {"model": "n", "status": "timeout", "latency_ms": 7}]}"#;
        for line in [line, &spaced.replace("\n           ", "")] {
            assert!(read(line, &mut Record::default()), "{line}");
            agrees(line);
        }
        for declined in [
            r#"{"id":"a\u0041"}"#,
            r#"{"in":01}"#,
            r#"{"in":1.0}"#,
            r#"{"in":-1}"#,
            r#"{"in":1}x"#,
            r#"{"in":1,}"#,
            r#"{"at":"2026-05-23T10:00:00Z","in":}"#,
            r#"{"at":"2026-05-23T10:00:00Z","latency_milliseconds":1}"#,
            "{}",
            "",
            r#"{"event":"note"}"#,
            r#"{"in":99999999999999999999}"#,
            "{\"id\":\"a\tb\"}",
            r#"{"id":"a}"#,
            r#"{"at":"2026-05-23T10:00:00Z","model":"m","attempts":[{"model":"n"}]}"#,
            r#"{"at":"2026-05-23T10:00:00Z","attempts":[{"model":"n"}],"in":1}"#,
            r#"{"at":"2026-05-23T10:00:00Z","attempts":[{"model":"n"}],"attempts":[{"model":"n"}]}"#,
            r#"{"at":"2026-05-23T10:00:00Z","attempts":[{"team":"n"}]}"#,
            r#"{"at":"2026-05-23T10:00:00Z","attempts":[{"model":"n"},]}"#,
            r#"{"at":"2026-05-23T10:00:00Z","attempts":[]}"#,
            r#"{"at":"2026-05-23T10:00:00Z","attempts":[{}]}"#,
        ] {
            assert!(!read(declined, &mut Record::default()), "{declined}");
        }
    }

    proptest! {
        #[test]
        fn fast_and_full_reader_agree_on_attempts(text in "\\{\"at\":\"2026-05-23T10:00:00Z\"(,\"attempts\": ?\\[(\\{(\"(in|out|model|estimated|status|reasoning|id|tier|charged)\":(\"(ok|timeout|flex|0.01)\"|[0-9]{1,3}|true|false)(, |,)?){0,4}\\}(, |,)?){0,3}\\]|,\"(in|team)\":(4|\"x\")){0,2}\\}") {
            prop_assert!(agrees(&text));
        }

        #[test]
        fn fast_and_full_reader_agree(text in "\\{(\"(id|at|in|out|cache_read|turn|status|model|x|task)\":(\"[a-z\"\\\\é\u{7f}\t ]{0,12}\"|[0-9]{1,11}|ok|null),?){0,5}\\}") {
            prop_assert!(agrees(&text));
        }
    }
}
