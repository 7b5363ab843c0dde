//! Provider usage blocks turned into disjoint token buckets.
//!
//! Invariants: whether a count includes cached or reasoning tokens is proven by the row or claimed by its format, never
//! guessed (`proof`); an explicit zero is zero, but hides no sibling that says more; a missing count is unknown; every
//! block can absorb another one of the same stream: counts are running totals, so the largest said holds, and none is summed.

/// Takes over, count by count, what another block of the same stream says.
macro_rules! absorb {
    ($then:ident into $me:ident: $($field:ident)*) => { $($me.$field.absorb($then.$field);)* };
}

/// Makes a block of counts, read member by member; other names of a member stand beside its own, what has none of these goes into
/// its `unlisted`. The function that is named takes over what another block of the same stream says.
macro_rules! block {
    (
        $(#[$about:meta])* $vis:vis struct $block:ident {
            $($(#[$doc:meta])* $($first:literal |)* $field:ident $(| $other:literal)*: $kind:ty,)*
        }
        $(beside { $($(#[$said:meta])* $beside:ident: $sort:ty,)* })?
        fn $absorb:ident;
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default)]
        $vis struct $block {
            $($(#[$doc])* $field: $kind,)*
            unlisted: Unlisted,
            $($($(#[$said])* $beside: $sort,)*)?
        }

        impl $block {
            pub(super) fn $absorb(&mut self, then: Self) {
                absorb!(then into self: $($field)* unlisted);
            }
        }

        const _: () = {
            #[expect(non_camel_case_types, reason = "called as the members are")]
            enum Member { $($field,)* }

            impl $crate::record::value::FromValue for $block {
                fn from_value(value: $crate::record::value::Value<'_>) -> Result<Self, String> {
                    let (mut block, mut seen) = (Self::default(), 0u64);
                    for (name, value) in value.object()?.members() {
                        match name {
                            $($($first |)* stringify!($field) $(| $other)* => {
                                if !$crate::record::usage::is_first(&mut seen, Member::$field as u32) {
                                    let name = [$($first,)* stringify!($field)][0];
                                    return Err(value.fault(format_args!("duplicate field `{name}`")));
                                }
                                block.$field = $crate::record::value::FromValue::from_value(value)?;
                            })*
                            name => block.unlisted.read(name, value)?,
                        }
                    }
                    Ok(block)
                }
            }

            impl $crate::record::usage::UsageBlock for $block {
                fn doubt(&mut self) {
                    self.unlisted.doubt();
                }
            }

            impl $crate::record::usage::Plainly for $block {
                fn plainly(&mut self, cursor: &mut $crate::record::cursor::Cursor<'_>) -> Option<()> {
                    if cursor.peek()? == b'n' {
                        return cursor.skip();
                    }
                    let mut seen = 0u64;
                    cursor.members(|cursor, name| match name {
                        $($($first |)* stringify!($field) $(| $other)* => {
                            let is_first = $crate::record::usage::is_first(&mut seen, Member::$field as u32);
                            if is_first { self.$field.plainly(cursor) } else { None }
                        })*
                        name => self.unlisted.read_plainly(name, cursor),
                    })
                }
            }
        };
    };
}

/// What is read from a line without a detour, where it stands there in the usual way: just what its forgiving reader would
/// make of it, or nothing.
pub(in crate::record) trait Plainly: FromValue {
    /// Reads it into a default.
    fn plainly(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let raw = cursor.value()?;
        if raw != "null" {
            *self = Self::from_value(Value::of(raw)).ok()?;
        }
        Some(())
    }
}

/// A block of counts.
pub(crate) trait UsageBlock: FromValue {
    /// Takes note that something in it could not be read, so that a cost of the rest is an estimate.
    fn doubt(&mut self);
}

/// The longest block, and the most members of an object, that are looked at one by one.
const LONGEST: usize = 8 * 1024;
const MEMBERS: usize = 128;

/// Reads a block as far as it can be read: an odd count says nothing of those beside it.
pub(crate) fn sound<T: UsageBlock>(text: &str) -> Option<T> {
    let is_read = |text: &str| read::<T>(text).is_ok();
    if let Ok(block) = read(text) {
        return Some(block);
    }
    if text.len() > LONGEST || json::check_depth(text).is_err() {
        return None;
    }
    let mut block: T = read(&readable(&Value::of(text).object().ok()?, &is_read)).ok()?;
    block.doubt();
    Some(block)
}

/// Writes an object with what of it can be read; of a member that is an object with what of that can.
fn readable(object: &Object<'_>, is_read: &dyn Fn(&str) -> bool) -> String {
    let mut text = String::from("{");
    for (name, value) in object.members().take(MEMBERS) {
        let comma = if text.len() > 1 { "," } else { "" };
        let name = sonic_rs::to_string(name).unwrap_or_default();
        let with = |value: &str| format!("{text}{comma}{name}:{value}");
        let is_sound = |value: &str| is_read(&(with(value) + "}"));
        let whole = Some(Cow::Borrowed(value.raw())).filter(|raw| is_sound(raw));
        let part = || {
            Some(readable(&value.object().ok()?, &is_sound).into())
                .filter(|part: &Cow<'_, str>| is_sound(part))
        };
        if let Some(kept) = whole.or_else(part) {
            text = with(&kept);
        }
    }
    text + "}"
}

impl FromValue for Num {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        value.count()
    }
}

impl Plainly for Num {
    fn plainly(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        if cursor.peek()? == b'n' {
            return cursor.skip();
        }
        self.0 = Some(cursor.number()?);
        (!matches!(cursor.peek()?, b'.' | b'e' | b'E')).then_some(())
    }
}

impl Plainly for Said {
    fn plainly(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        if cursor.peek()? != b'"' {
            return cursor.skip();
        }
        *self = Self::new(cursor.text()?);
        Some(())
    }
}

/// Takes in that a member is there, and says whether it was not before.
fn is_first(seen: &mut u64, member: u32) -> bool {
    let bit = 1 << member;
    let is_first = *seen & bit == 0;
    *seen |= bit;
    is_first
}

mod anthropic;
mod gemini;
mod iterations;
mod meters;
mod ollama;
mod openai;
mod proof;
mod shown;

pub use anthropic::AnthropicUsage;
pub use gemini::GeminiUsage;
pub(crate) use meters::{Said, is_known_key};
pub use ollama::OllamaUsage;
pub(crate) use openai::Custom;
pub use openai::OpenAiUsage;
use proof::{Cached, Ground, layout};
pub(crate) use proof::{Claim, Parts, Writes};
pub(crate) use shown::{Grounding, Offered, SESSIONS, ServerBlocks, ShownItem};

use std::borrow::Cow;

use super::WriteTtl;
use super::cursor::Cursor;
use super::json::{self, Num};
use super::value::{FromValue, Object, Value, read};
use crate::pricing::{Terms, Usage};
use crate::routing::Status;
use crate::units::Count;

/// Usage in disjoint buckets, and how sure its split of cache writes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counted {
    /// The buckets.
    pub usage: Usage,
    /// Where the lifetime of cache writes comes from.
    pub write_ttl: WriteTtl,
    /// The service tier that served, and what is billed besides tokens.
    pub terms: Terms,
    /// Whether the answer says which service tier served, the ordinary one included.
    pub is_tier_told: bool,
    /// Whether what the answer says can be read in more than one way, so that a cost of it is an estimate.
    pub is_guess: bool,
    /// Whether it is known that no model was called.
    pub is_free: bool,
}

impl Counted {
    /// A call that used nothing.
    pub const NOTHING: Self = Self {
        usage: Usage::NONE,
        write_ttl: WriteTtl::Reported,
        terms: Terms::NONE,
        is_tier_told: false,
        is_guess: false,
        is_free: true,
    };
}

impl Counted {
    /// Adds what it is billed by, and what the provider said of its tier.
    #[must_use]
    pub(crate) fn on(mut self, terms: Terms, tiers: &[Said]) -> Self {
        self.terms = terms;
        self.is_tier_told = tiers.iter().any(|said| !said.as_str().is_empty());
        self
    }

    /// Takes a call that makes embeddings as one without an answer, where none is counted.
    #[must_use]
    pub(crate) fn without_answer(mut self, is_embedding: bool) -> Self {
        if is_embedding && self.usage.prompt().is_some() && !self.usage.output.is_known() {
            self.usage.output = Count::ZERO;
        }
        self
    }

    /// Takes zeros that the answer itself contradicts as not said: no tokens for what was delivered, or none of a prompt
    /// that was answered.
    #[must_use]
    pub(crate) fn believed(mut self, delivered_bytes: u64) -> Self {
        let usage = &mut self.usage;
        if delivered_bytes > 0 && usage.output == Count::ZERO {
            (usage.output, usage.reasoning) = (Count::UNKNOWN, Count::UNKNOWN);
        }
        if usage.prompt() == Some(0) && (delivered_bytes > 0 || usage.output.or_zero() > 0) {
            *usage = Usage { output: usage.output, reasoning: usage.reasoning, ..Usage::UNKNOWN };
        }
        self
    }

    /// Takes the counts of an answer that broke off as an estimate, of at least what was delivered.
    #[must_use]
    pub(crate) fn cut(mut self, delivered_bytes: u64) -> Self {
        let told = self.usage.output.or_zero();
        let most = told.max(delivered_bytes.div_ceil(4));
        if most > told && self.usage.prompt().is_some() {
            self.usage.output = Count::new(most).unwrap_or(self.usage.output);
        }
        self.is_guess = true;
        self
    }

    /// Takes zeros of a call that succeeded as not said: no model answers an empty prompt with nothing.
    #[must_use]
    pub(crate) fn answered(mut self, status: Status) -> Self {
        let is_zero = self.usage.prompt() == Some(0) && self.usage.output.or_zero() == 0;
        if is_zero && status.is_ok() && !self.is_free && self.terms.meters().next().is_none() {
            self.usage = Usage::UNKNOWN;
        }
        self
    }

    /// Takes zeros as not said where a cost is claimed for them, or the call is of a kind that is billed by something else.
    #[must_use]
    pub(crate) fn unless_billed(
        mut self,
        claimed_cost: &str,
        is_billed_otherwise: impl FnOnce() -> bool,
    ) -> Self {
        let is_zero = self.usage.prompt() == Some(0) && self.usage.output.or_zero() == 0;
        let is_explained = self.terms.meters().next().is_some();
        if is_zero && !is_explained && (is_above_nothing(claimed_cost) || is_billed_otherwise()) {
            self.usage = Usage::UNKNOWN;
        }
        self
    }
}

/// Says whether an amount as a log writes it is more than nothing.
fn is_above_nothing(amount: &str) -> bool {
    let digits = amount.trim().split(['e', 'E']).next().unwrap_or_default();
    !digits.starts_with('-') && digits.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
}

/// Why a usage block cannot be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// A count is larger than any request can be.
    #[error("{field}: {tokens} tokens are more than one request can have ({most})", most = Count::MAX)]
    TooLarge {
        /// The bucket.
        field: &'static str,
        /// What was reported.
        tokens: u64,
    },
}

/// Makes a bucket of a count that may be unknown.
pub(crate) fn bucket(field: &'static str, tokens: Option<u64>) -> Result<Count, UsageError> {
    Count::from_option(tokens).ok_or(UsageError::TooLarge { field, tokens: tokens.unwrap_or(u64::MAX) })
}

impl Parts {
    /// Makes disjoint buckets: by what the row proves, else by what its format claims.
    pub(crate) fn counted(self, claim: Claim) -> Result<Counted, UsageError> {
        let (mut short, mut long, write_ttl) = self.writes.split();
        let (way, ground) = layout(&self, claim);
        let mut input = self.input;
        if let Some(prompt) = self.input {
            let fresh = match way.cached {
                Cached::Beside => prompt,
                Cached::Within | Cached::ReadsWithin => prompt.saturating_sub(self.read),
            };
            if way.cached == Cached::Within {
                long = long.min(fresh);
                short = short.min(fresh - long);
                input = Some(fresh - long - short);
            } else {
                input = Some(fresh);
            }
        }
        let thought = if way.is_reasoning_within { 0 } else { self.reasoning.unwrap_or(0) };
        // What a total has beyond all its parts was most often thought, and is billed like the answer.
        let rest = if ground == Ground::Against { way.rest(&self) } else { 0 };
        let output = self.output.map(|answer| answer.saturating_add(thought).saturating_add(rest));
        let is_guess = matches!(ground, Ground::Open | Ground::Against);
        let counted = Self { input, output, ..self }.build(short, long, write_ttl)?;
        Ok(Counted { is_guess, ..counted })
    }

    fn build(self, short: u64, long: u64, write_ttl: WriteTtl) -> Result<Counted, UsageError> {
        // Nothing said of the prompt means nothing known of its cached part either, unless a part is named.
        let said = |tokens: u64| (self.input.is_some() || tokens > 0).then_some(tokens);
        let usage = Usage {
            input: bucket("input", self.input)?,
            cache_read: bucket("cache_read", said(self.read))?,
            write_5m: bucket("write_5m", said(short))?,
            write_1h: bucket("write_1h", said(long))?,
            output: bucket("output", self.output)?,
            reasoning: bucket("reasoning", self.reasoning)?,
        };
        Ok(Counted { usage, write_ttl, ..Counted::default() })
    }
}

/// Returns the usage of an attempt that ended so, where the log may have none: a call refused at the door used nothing.
pub(crate) fn or_refused(counted: Counted, status: Status) -> Counted {
    let refused =
        matches!(status, Status::RateLimited | Status::Rejected | Status::Unfit | Status::ServerError);
    if refused && !counted.usage.is_known() {
        return Counted::NOTHING;
    }
    counted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Write as _;

    /// The counts of one event: the running totals so far, or what servers put where they have nothing to say.
    #[derive(Clone, Debug)]
    enum Said {
        Totals(Vec<u32>),
        Zeros,
        Nulls,
        Nothing,
        Ones,
    }

    fn said() -> impl Strategy<Value = Said> {
        prop_oneof![
            3 => proptest::collection::vec(1u32..1_000_000, 4).prop_map(Said::Totals),
            1 => Just(Said::Zeros),
            1 => Just(Said::Nulls),
            1 => Just(Said::Nothing),
            1 => Just(Said::Ones),
        ]
    }

    fn event(keys: &[&str], said: &Said) -> String {
        let mut text = String::from("{");
        for (at, key) in keys.iter().enumerate() {
            let value = match said {
                Said::Totals(counts) => counts.get(at).copied().unwrap_or(0).to_string(),
                Said::Zeros => "0".to_owned(),
                Said::Nulls => "null".to_owned(),
                Said::Ones => "1".to_owned(),
                Said::Nothing => continue,
            };
            let comma = if text.len() > 1 { "," } else { "" };
            match key.split_once('.') {
                Some((outer, inner)) => {
                    let _ = write!(text, "{comma}\"{outer}\":{{\"{inner}\":{value}}}");
                }
                None => {
                    let _ = write!(text, "{comma}\"{key}\":{value}");
                }
            }
        }
        text + "}"
    }

    /// Puts events together; returns what a single event with the largest of every count says, too.
    fn both<T: FromValue + Default>(
        keys: &[&str],
        events: &[Said],
        absorb: impl Fn(&mut T, &T),
        counted: impl Fn(&T) -> Result<Counted, UsageError>,
    ) -> (Usage, Usage) {
        let mut block = T::default();
        let mut most: Vec<u32> = vec![0; keys.len()];
        let mut totals: Vec<Vec<u32>> = events
            .iter()
            .filter_map(|said| if let Said::Totals(c) = said { Some(c.clone()) } else { None })
            .collect();
        // Running totals grow.
        for at in 0..keys.len() {
            let mut column: Vec<u32> = totals.iter().filter_map(|counts| counts.get(at).copied()).collect();
            column.sort_unstable();
            for (counts, value) in totals.iter_mut().zip(column) {
                if let Some(count) = counts.get_mut(at) {
                    *count = value;
                }
            }
        }
        let mut totals = totals.into_iter();
        for said in events {
            let said =
                if let Said::Totals(_) = said { Said::Totals(totals.next().unwrap()) } else { said.clone() };
            if let Said::Totals(counts) = &said {
                most.clone_from(counts);
            }
            absorb(&mut block, &read(&event(keys, &said)).unwrap());
        }
        let whole = read::<T>(&event(keys, &Said::Totals(most))).unwrap();
        (counted(&block).unwrap().usage, counted(&whole).unwrap().usage)
    }

    proptest! {
        #[test]
        fn a_stream_comes_to_the_largest_counts_it_tells(mut events in proptest::collection::vec(said(), 1..12)) {
            events.insert(0, Said::Totals(vec![2; 4]));
            let chat = ["prompt_tokens", "completion_tokens", "prompt_tokens_details.cached_tokens", "completion_tokens_details.reasoning_tokens"];
            let (got, want) = both::<OpenAiUsage>(&chat, &events, OpenAiUsage::absorb, OpenAiUsage::counted);
            prop_assert_eq!(got, want);
            let responses = ["input_tokens", "output_tokens", "input_tokens_details.cached_tokens", "output_tokens_details.reasoning_tokens"];
            let (got, want) = both::<OpenAiUsage>(&responses, &events, OpenAiUsage::absorb, OpenAiUsage::counted);
            prop_assert_eq!(got, want);
            let messages = ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"];
            let (got, want) = both::<AnthropicUsage>(&messages, &events, AnthropicUsage::absorb, AnthropicUsage::counted);
            prop_assert_eq!(got, want);
            let gemini = ["promptTokenCount", "candidatesTokenCount", "cachedContentTokenCount", "thoughtsTokenCount"];
            let (got, want) = both::<GeminiUsage>(&gemini, &events, GeminiUsage::absorb, GeminiUsage::counted);
            prop_assert_eq!(got, want);
        }
    }

    #[test]
    fn zeros_that_an_answer_contradicts_say_nothing() {
        let zeros = Counted { usage: Usage::plain(0, 0).unwrap(), ..Counted::default() };
        assert_eq!(zeros.believed(0), zeros);
        assert!(!zeros.believed(5).usage.is_known());
        let half = Counted { usage: Usage::plain(0, 7).unwrap(), ..Counted::default() };
        assert_eq!((half.believed(0).usage.prompt(), half.believed(0).usage.output.get()), (None, Some(7)));
        for (claim, is_otherwise, want) in [
            ("0.04", false, false),
            ("4e-05", false, false),
            ("", true, false),
            ("0.0", false, true),
            ("0e5", false, true),
            ("-1", false, true),
            ("", false, true),
        ] {
            assert_eq!(zeros.unless_billed(claim, || is_otherwise).usage.is_known(), want, "{claim}");
        }
        let some = Counted { usage: Usage::plain(10, 0).unwrap(), ..Counted::default() };
        assert_eq!(some.unless_billed("0.04", || true), some);
    }
}
