//! One line of our own format as it stands there: the lean form that the fast path reads.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Unexpected, Visitor};

use super::tags::TagWords;
use crate::checks::Verdict;
use crate::pricing::Terms;
use crate::record::json::{Plain, Text};
use crate::routing::{Check, Status};

/// A token count as written: absent, `null` (said to be unknown) or a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tokens {
    #[default]
    Absent,
    Unknown,
    Known(u64),
}

impl<'de> Deserialize<'de> for Tokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Plain::deserialize(deserializer)? {
            Plain::Whole(n) => Ok(Self::Known(n)),
            Plain::Null => Ok(Self::Unknown),
            other => Err(other.unfit("a whole number of tokens, or null where unknown")),
        }
    }
}

/// A status: our word for it, or an HTTP code.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StatusWord(pub(super) Option<Status>);

impl<'de> Deserialize<'de> for StatusWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const DUE: &str = "ok, rate_limited, server_error, timeout, rejected, unfit, cancelled, failed, cut, unavailable or an HTTP code";
        let http = |code: u64| u16::try_from(code).ok().filter(|code| (100..600).contains(code));
        Ok(Self(match Plain::deserialize(deserializer)? {
            Plain::Null => None,
            Plain::Text(word) => Some(
                Status::from_name(&word)
                    .ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&word), &DUE))?,
            ),
            Plain::Whole(code) => Some(
                http(code)
                    .map(Status::from_http)
                    .ok_or_else(|| D::Error::invalid_value(Unexpected::Unsigned(code), &DUE))?,
            ),
            other => return Err(other.unfit(DUE)),
        }))
    }
}

/// What a check said: `passed`, `failed` or `none`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CheckWord(pub(super) Option<Check>);

impl<'de> Deserialize<'de> for CheckWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const DUE: &str = "passed, failed or none";
        match Plain::deserialize(deserializer)? {
            Plain::Null => Ok(Self(None)),
            Plain::Text(word) => {
                Self::named(&word).ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&word), &DUE))
            }
            other => Err(other.unfit(DUE)),
        }
    }
}

impl CheckWord {
    /// Reads the word.
    pub(super) fn named(word: &str) -> Option<Self> {
        Some(Self(match word {
            "passed" => Some(Check::Passed),
            "failed" => Some(Check::Failed),
            "none" | "" => None,
            _ => return None,
        }))
    }
}

/// The name of what was simulated; `true` stands for "unnamed".
#[derive(Clone, Debug, Default)]
pub(super) struct Circumstance<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Circumstance<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Plain::deserialize(deserializer)? {
            Plain::Text(text) => Ok(Self(text)),
            Plain::Truth(yes) => Ok(Self(Cow::Borrowed(if yes { "simulated" } else { "" }))),
            Plain::Null => Ok(Self::default()),
            other => Err(other.unfit("the name of what was simulated, or true")),
        }
    }
}

/// Meters as written: an object of names and counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MeterKeys(pub(super) Terms);

impl<'de> Deserialize<'de> for MeterKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Counts;
        impl<'de> Visitor<'de> for Counts {
            type Value = MeterKeys;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of meters and counts")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut terms = Terms::NONE;
                while let Some((name, count)) = map.next_entry::<Cow<'de, str>, Option<u64>>()? {
                    terms.meter(&name, count.unwrap_or(0));
                }
                Ok(MeterKeys(terms))
            }
        }
        deserializer.deserialize_map(Counts)
    }
}

/// The tokens of one attempt.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TokenKeys {
    pub(super) input: Tokens,
    pub(super) cache_read: Tokens,
    pub(super) write_5m: Tokens,
    pub(super) write_1h: Tokens,
    pub(super) out: Tokens,
    pub(super) reasoning: Tokens,
}

/// The keys of one attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct AttemptKeys<'a> {
    pub(super) model: Text<'a>,
    pub(super) assumed_model: bool,
    pub(super) estimated: bool,
    pub(super) billed: Text<'a>,
    pub(super) provider: Text<'a>,
    pub(super) tokens: TokenKeys,
    pub(super) began_us: Option<u64>,
    pub(super) latency_ms: Option<u32>,
    pub(super) ttft_ms: Option<u32>,
    pub(super) status: StatusWord,
    pub(super) error: Text<'a>,
    pub(super) effort: Text<'a>,
    pub(super) check: CheckWord,
    pub(super) write_ttl: Text<'a>,
    pub(super) tier: Text<'a>,
    pub(super) meters: MeterKeys,
    pub(super) left_out: Option<Vec<Text<'a>>>,
    pub(super) gap_ms: Option<u32>,
    pub(super) verdicts: Option<Vec<Verdict>>,
    pub(super) charged: Text<'a>,
    pub(super) charged_as: Text<'a>,
    /// Whether any of these keys stood in the line.
    pub(super) any: bool,
}

impl<'a> AttemptKeys<'a> {
    /// Takes a value if the key is one of an attempt's; says whether it was.
    fn take<A: MapAccess<'a>>(&mut self, key: &[u8], map: &mut A) -> Result<bool, A::Error> {
        match key {
            b"model" => self.model = map.next_value()?,
            b"billed" => self.billed = map.next_value()?,
            b"provider" => self.provider = map.next_value()?,
            b"in" => self.tokens.input = map.next_value()?,
            b"out" => self.tokens.out = map.next_value()?,
            b"cache_read" => self.tokens.cache_read = map.next_value()?,
            b"write_5m" => self.tokens.write_5m = map.next_value()?,
            b"write_1h" => self.tokens.write_1h = map.next_value()?,
            b"reasoning" => self.tokens.reasoning = map.next_value()?,
            b"began_us" => self.began_us = map.next_value()?,
            b"latency_ms" => self.latency_ms = map.next_value()?,
            b"ttft_ms" => self.ttft_ms = map.next_value()?,
            b"status" => self.status = map.next_value()?,
            b"error" => self.error = map.next_value()?,
            b"effort" => self.effort = map.next_value()?,
            b"check" => self.check = map.next_value()?,
            b"write_ttl" => self.write_ttl = map.next_value()?,
            b"tier" => self.tier = map.next_value()?,
            b"meters" => self.meters = map.next_value::<Option<MeterKeys>>()?.unwrap_or_default(),
            b"left_out" => self.left_out = map.next_value()?,
            b"gap_ms" => self.gap_ms = map.next_value()?,
            b"verdicts" => self.verdicts = map.next_value()?,
            b"charged" => self.charged = map.next_value()?,
            b"charged_as" => self.charged_as = map.next_value()?,
            b"estimated" => self.estimated = map.next_value::<Option<bool>>()?.unwrap_or(false),
            b"assumed_model" => self.assumed_model = map.next_value::<Option<bool>>()?.unwrap_or(false),
            _ => return Ok(false),
        }
        self.any = true;
        Ok(true)
    }
}

/// What is known of another model's answer, as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LabelKeys<'a> {
    #[serde(borrow)]
    pub(super) model: Text<'a>,
    pub(super) quality: Option<u16>,
    pub(super) output: Option<u64>,
    #[serde(borrow)]
    pub(super) source: Text<'a>,
}

/// One request line as it stands there.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the format of its own")]
pub(super) struct Line<'a> {
    pub(super) id: Text<'a>,
    pub(super) at: Text<'a>,
    pub(super) timing: Text<'a>,
    pub(super) team: Text<'a>,
    pub(super) project: Text<'a>,
    pub(super) user: Text<'a>,
    pub(super) key: Text<'a>,
    pub(super) session: Text<'a>,
    pub(super) asked: Text<'a>,
    pub(super) task: Text<'a>,
    pub(super) pinned: bool,
    pub(super) vision: bool,
    pub(super) seq: Option<u64>,
    pub(super) policy: Option<u32>,
    pub(super) propensity: Option<u16>,
    pub(super) window: Option<u32>,
    pub(super) max_output: Option<u32>,
    pub(super) require: Option<Vec<Text<'a>>>,
    pub(super) down: Option<Vec<Text<'a>>>,
    pub(super) tags: Option<TagWords>,
    pub(super) unsure: bool,
    pub(super) saw: Text<'a>,
    pub(super) confidence: Option<u16>,
    pub(super) turn: Option<u32>,
    pub(super) tools: Option<u32>,
    pub(super) history: Option<u32>,
    pub(super) prompt: Option<Text<'a>>,
    pub(super) prefix: Option<Vec<u64>>,
    pub(super) only: AttemptKeys<'a>,
    pub(super) attempts: Option<Vec<AttemptKeys<'a>>>,
    pub(super) labels: Option<Vec<LabelKeys<'a>>>,
    pub(super) claimed_usd: Option<Text<'a>>,
    pub(super) simulated: Circumstance<'a>,
    /// Whether this is no request but an event or a header.
    pub(super) special: bool,
}

// Both maps are read by hand: a derived reader cannot flatten the attempt's keys into the line without a copy.
impl<'de: 'a, 'a> Deserialize<'de> for AttemptKeys<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = AttemptKeys<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an attempt object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut keys = AttemptKeys::default();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    if !keys.take(key.0.as_bytes(), &mut map)? {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(keys)
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Line<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Line<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut line = Line::default();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    match key.0.as_bytes() {
                        b"id" => line.id = map.next_value()?,
                        b"at" => line.at = map.next_value()?,
                        b"timing" => line.timing = map.next_value()?,
                        b"team" => line.team = map.next_value()?,
                        b"project" => line.project = map.next_value()?,
                        b"user" => line.user = map.next_value()?,
                        b"key" => line.key = map.next_value()?,
                        b"session" => line.session = map.next_value()?,
                        b"asked" => line.asked = map.next_value()?,
                        b"task" => line.task = map.next_value()?,
                        b"unsure" => line.unsure = map.next_value::<Option<bool>>()?.unwrap_or(false),
                        b"pinned" => line.pinned = map.next_value::<Option<bool>>()?.unwrap_or(false),
                        b"vision" => line.vision = map.next_value::<Option<bool>>()?.unwrap_or(false),
                        b"seq" => line.seq = map.next_value()?,
                        b"policy" => line.policy = map.next_value()?,
                        b"propensity" => line.propensity = map.next_value()?,
                        b"window" => line.window = map.next_value()?,
                        b"max_output" => line.max_output = map.next_value()?,
                        b"require" => line.require = map.next_value()?,
                        b"down" => line.down = map.next_value()?,
                        b"tags" => line.tags = map.next_value()?,
                        b"saw" => line.saw = map.next_value()?,
                        b"confidence" => line.confidence = map.next_value()?,
                        b"turn" => line.turn = map.next_value()?,
                        b"tools" => line.tools = map.next_value()?,
                        b"history" => line.history = map.next_value()?,
                        b"prompt" => line.prompt = map.next_value()?,
                        b"prefix" => line.prefix = map.next_value()?,
                        b"attempts" => line.attempts = map.next_value()?,
                        b"labels" => line.labels = map.next_value()?,
                        b"claimed_usd" => line.claimed_usd = map.next_value()?,
                        b"simulated" => line.simulated = map.next_value()?,
                        b"event" | b"pointsman" => {
                            line.special = true;
                            map.next_value::<IgnoredAny>()?;
                        }
                        other => {
                            if !line.only.take(other, &mut map)? {
                                map.next_value::<IgnoredAny>()?;
                            }
                        }
                    }
                }
                Ok(line)
            }
        }
        deserializer.deserialize_map(Keys)
    }
}
