//! Lines of our format that are requests, whatever they hold: what the fast reader declines.

use std::borrow::Cow;

use crate::classifier::TaskClass;
use crate::pricing::{Charged, Cost, Terms, Unpriced, Usage};
use crate::record::json::Plain;
use crate::record::skip::Refusal;
use crate::record::value::{Object, Value};
use crate::record::{Attempt, Attempts, Check, Label, Record, Status, Timing, WriteTtl, some_terms};
use crate::routing::{Effort, TAG};
use crate::units::{Count, Instant, PerMille, Pico};

/// A token count as written: absent, `null` (said to be unknown) or a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tokens {
    #[default]
    Absent,
    Unknown,
    Known(u64),
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

/// Reads a request; of a key that stands twice the last one holds.
pub(super) fn request<'a>(line: &Object<'a>) -> Result<Record<'a>, Refusal> {
    let (mut record, mut only) = (Record::default(), AttemptKeys::default());
    let (mut at, mut tags, mut down, mut attempts) = (Cow::default(), Vec::new(), Vec::new(), None);
    for (key, value) in line.members() {
        match key {
            "id" => record.id = value.text()?,
            "at" => at = value.text()?,
            "timing" => {
                let word = value.text()?;
                record.timing = Timing::from_word(&word)
                    .ok_or_else(|| Refusal::Bad(format!("timing: `{word}` is neither offset nor placed")))?;
            }
            "team" => record.team = value.text()?,
            "project" => record.project = value.text()?,
            "user" => record.user = value.text()?,
            "key" => record.key = value.text()?,
            "session" => record.session = value.text()?,
            "asked" => record.asked = value.text()?,
            "task" => {
                let task = value.text()?;
                record.task = (!task.is_empty()).then(|| task.parse().unwrap_or(TaskClass::Other));
            }
            "unsure" => record.unsure = value.flag()?.unwrap_or(false),
            "pinned" => record.pinned = value.flag()?.unwrap_or(false),
            "vision" => record.needs.vision = value.flag()?.unwrap_or(false),
            "seq" => record.seq = value.number()?,
            "policy" => record.policy = value.number()?,
            "propensity" => {
                record.propensity = per_mille(value, |value| {
                    format!("propensity: {value} is not within 1 to 1000, a chance in thousandths")
                })?;
                if record.propensity == Some(PerMille::ZERO) {
                    return Err(Refusal::bad(
                        "propensity: 0 is not within 1 to 1000, a chance in thousandths",
                    ));
                }
            }
            "window" => record.needs.window = value.number()?,
            "max_output" => record.needs.output = value.number()?,
            "require" => record.needs.require = words(value)?,
            "down" => down = words(value)?,
            "tags" => tags = tag_words(value)?,
            "saw" => record.saw = value.text()?.parse().unwrap_or_default(),
            "confidence" => {
                record.confidence =
                    per_mille(value, |value| format!("confidence: {value} is not within 0 to 1000"))?;
            }
            "turn" => record.turn = value.number()?,
            "tools" => record.tools = value.number()?,
            "history" => record.history = value.number()?,
            "prompt" => record.prompt = value.said().map(|_| value.text()).transpose()?,
            "prefix" => record.prefix = value.typed::<Option<_>>()?.unwrap_or_default(),
            "attempts" => attempts = value.said().map(|_| value.items()).transpose()?,
            "labels" => {
                let labels = value.items()?.into_iter().map(|one| label(&one.object()?));
                record.labels = labels.collect::<Result<_, _>>()?;
            }
            "claimed_usd" => record.claimed_usd = value.said().map(|_| value.text()).transpose()?,
            "simulated" => {
                record.simulated = match value.plain()? {
                    Plain::Text(text) => text,
                    Plain::Truth(true) => Cow::Borrowed("simulated"),
                    Plain::Truth(false) | Plain::Null => Cow::Borrowed(""),
                    _ => return Err(value.unfit("the name of what was simulated, or true").into()),
                }
            }
            key => only.take(key, value)?,
        }
    }
    if at.is_empty() {
        return Err(Refusal::bad("at: missing; every request needs the moment it arrived"));
    }
    record.at = Instant::parse(&at).map_err(|error| Refusal::Bad(format!("at: {error}")))?;
    record.needs.down = tags.into_iter().chain(down).collect();
    record.attempts = match attempts {
        None if only.any => Attempts::one(only.finish()?),
        None => Attempts::default(),
        Some(_) if only.any => {
            return Err(Refusal::bad(
                "attempts: stands beside keys of a single attempt; write one or the other",
            ));
        }
        Some(list) => {
            let attempts = list.into_iter().map(|one| AttemptKeys::read(&one.object()?)?.finish());
            attempts.collect::<Result<Vec<_>, Refusal>>()?.into()
        }
    };
    Ok(record)
}

fn words(list: Value<'_>) -> Result<Vec<Cow<'_, str>>, String> {
    list.items()?.into_iter().map(Value::text).collect()
}

/// Reads tags as a line tells them, `{"env":"prod"}`, or `["env=prod"]` as we write them, as words among what a request's
/// circumstances were. What is no tag is passed over, as it is in lines that others wrote.
fn tag_words(tags: Value<'_>) -> Result<Vec<Cow<'_, str>>, String> {
    let mut words = Vec::new();
    match tags.plain()? {
        Plain::List { .. } => {
            for item in tags.items()? {
                if let Plain::Text(word) = item.plain()?
                    && word.contains('=')
                {
                    words.push(format!("{TAG}{word}").into());
                }
            }
        }
        Plain::Object => {
            for (name, value) in tags.object()?.members() {
                if value.said().is_some_and(|raw| !raw.starts_with(['{', '['])) {
                    words.push(format!("{TAG}{name}={}", value.word()?).into());
                }
            }
        }
        _ => {}
    }
    Ok(words)
}

fn per_mille(value: Value<'_>, wrong: impl Fn(u16) -> String) -> Result<Option<PerMille>, String> {
    let read = |value| PerMille::new(value).ok_or_else(|| wrong(value));
    value.number()?.map(read).transpose()
}

/// What one attempt is written as; some of it is understood once all is read.
#[derive(Default)]
struct AttemptKeys<'a> {
    attempt: Attempt<'a>,
    tokens: TokenKeys,
    terms: Terms,
    tier: Cow<'a, str>,
    charged: Cow<'a, str>,
    charged_as: Cow<'a, str>,
    /// Whether any of its keys stood there.
    any: bool,
}

impl<'a> AttemptKeys<'a> {
    fn read(attempt: &Object<'a>) -> Result<Self, Refusal> {
        let mut keys = Self::default();
        attempt.members().try_for_each(|(key, value)| keys.take(key, value))?;
        Ok(keys)
    }

    /// Takes a value if the key is one of an attempt's.
    fn take(&mut self, key: &str, value: Value<'a>) -> Result<(), Refusal> {
        let attempt = &mut self.attempt;
        match key {
            "model" => attempt.model = value.text()?,
            "billed" => attempt.billed = value.text()?,
            "provider" => attempt.provider = value.text()?,
            "in" => self.tokens.input = tokens(value)?,
            "out" => self.tokens.out = tokens(value)?,
            "cache_read" => self.tokens.cache_read = tokens(value)?,
            "write_5m" => self.tokens.write_5m = tokens(value)?,
            "write_1h" => self.tokens.write_1h = tokens(value)?,
            "reasoning" => self.tokens.reasoning = tokens(value)?,
            "began_us" => attempt.began_us = value.number()?,
            "latency_ms" => attempt.latency_ms = value.number()?,
            "ttft_ms" => attempt.ttft_ms = value.number()?,
            "status" => attempt.status = status(value)?,
            "error" => attempt.error = value.text()?,
            "effort" => {
                attempt.effort = match &*value.text()? {
                    "" => None,
                    word => Some(Effort::from_name(word).ok_or_else(|| {
                        Refusal::Bad(format!(
                            "effort: `{word}` is none of none, minimal, low, medium, high, xhigh, max"
                        ))
                    })?),
                };
            }
            "check" => attempt.check = check(value)?,
            "write_ttl" => {
                let word = value.text()?;
                attempt.write_ttl = WriteTtl::from_word(&word).ok_or_else(|| {
                    Refusal::Bad(format!("write_ttl: `{word}` is neither reported nor assumed"))
                })?;
            }
            "tier" => self.tier = value.text()?,
            "meters" => {
                self.terms = Terms::NONE;
                for (name, count) in value.object()?.members() {
                    self.terms.meter(name, count.number()?.unwrap_or(0));
                }
            }
            "left_out" => attempt.left_out = words(value)?,
            "gap_ms" => attempt.gap_ms = value.number()?,
            "verdicts" => attempt.verdicts = value.structures()?.into(),
            "charged" => self.charged = value.text()?,
            "charged_as" => self.charged_as = value.text()?,
            "estimated" => attempt.estimated = value.flag()?.unwrap_or(false),
            "assumed_model" => attempt.assumed_model = value.flag()?.unwrap_or(false),
            _ => return Ok(()),
        }
        self.any = true;
        Ok(())
    }

    fn finish(mut self) -> Result<Attempt<'a>, Refusal> {
        let attempt = &mut self.attempt;
        attempt.charged = charged(&self.charged, &self.charged_as)?;
        let (usage, is_beside) = usage(&self.tokens, attempt.charged)?;
        attempt.usage = usage;
        attempt.estimated |= is_beside;
        self.terms.serve(&self.tier);
        attempt.terms = some_terms(&self.terms);
        Ok(self.attempt)
    }
}

fn tokens(value: Value<'_>) -> Result<Tokens, String> {
    match value.plain()? {
        Plain::Whole(count) => Ok(Tokens::Known(count)),
        Plain::Null => Ok(Tokens::Unknown),
        _ => Err(value.unfit("a whole number of tokens, or null where unknown")),
    }
}

/// Reads a status: our word for it, or an HTTP code.
fn status(value: Value<'_>) -> Result<Status, String> {
    let http = |code: u64| u16::try_from(code).ok().filter(|code| (100..600).contains(code));
    let status = match value.plain()? {
        Plain::Null => Some(Status::default()),
        // Many write the code in quotes.
        Plain::Text(word) => {
            Status::from_name(&word).or_else(|| http(word.parse().ok()?).map(Status::from_http))
        }
        Plain::Whole(code) => http(code).map(Status::from_http),
        _ => None,
    };
    status.ok_or_else(|| {
        value.unfit("ok, rate_limited, server_error, timeout, rejected, unfit, cancelled, failed, cut, unavailable or an HTTP code")
    })
}

fn check(value: Value<'_>) -> Result<Check, String> {
    let check = match value.plain()? {
        Plain::Null => Some(Check::None),
        Plain::Text(word) => check_word(&word),
        _ => None,
    };
    check.ok_or_else(|| value.unfit("passed, failed or none"))
}

/// Reads the word for what a check said.
pub(super) fn check_word(word: &str) -> Option<Check> {
    Some(match word {
        "passed" => Check::Passed,
        "failed" => Check::Failed,
        "none" | "" => Check::None,
        _ => return None,
    })
}

/// Puts tokens into their buckets; says whether reasoning that stood beside the answer was taken into it.
pub(super) fn usage(keys: &TokenKeys, charged: Charged) -> Result<(Usage, bool), Refusal> {
    let whole = matches!((keys.input, keys.out), (Tokens::Known(_), Tokens::Known(_)));
    // A line that gives both ends of a call and no word of caching says there was none.
    let cached = if whole { Count::ZERO } else { Count::UNKNOWN };
    let usage = Usage {
        input: count("in", keys.input, Count::UNKNOWN)?,
        cache_read: count("cache_read", keys.cache_read, cached)?,
        write_5m: count("write_5m", keys.write_5m, cached)?,
        write_1h: count("write_1h", keys.write_1h, cached)?,
        output: count("out", keys.out, Count::UNKNOWN)?,
        reasoning: count("reasoning", keys.reasoning, Count::UNKNOWN)?,
    };
    Ok(plausible(usage, charged))
}

/// Sets right counts that cannot be meant as they stand; says whether reasoning that stood beside the answer was taken into it.
pub fn plausible(mut usage: Usage, charged: Charged) -> (Usage, bool) {
    // Reasoning is a part of the answer; where it is more than all of it, it stands beside.
    let is_beside = usage.output.is_known() && usage.reasoning.or_zero() > usage.output.or_zero();
    if is_beside {
        let both = usage.output.or_zero().saturating_add(usage.reasoning.or_zero());
        usage.output = Count::new(both).unwrap_or(usage.output);
    }
    // No model answers an empty prompt; what was charged for it stands as it is told.
    if charged == Charged::NONE && usage.prompt() == Some(0) && usage.output.or_zero() > 0 {
        usage = Usage { output: usage.output, reasoning: usage.reasoning, ..Usage::UNKNOWN };
    }
    (usage, is_beside)
}

/// Reads a charge: an amount, and where it is not known for sure the word for what it is.
pub(super) fn charged(amount: &str, word: &str) -> Result<Charged, Refusal> {
    if amount.is_empty() && word.is_empty() {
        return Ok(Charged::NONE);
    }
    if let Some(why) = Unpriced::from_name(word) {
        return Ok(Charged::new(Cost::Unknown(why)));
    }
    if !matches!(word, "" | "known" | "estimated") {
        return Err(Refusal::Bad(format!(
            "charged_as: `{word}` is neither known, estimated nor why a cost is unknown"
        )));
    }
    let amount = Pico::from_usd(amount).map_err(|error| Refusal::Bad(format!("charged: {error}")))?;
    if amount < Pico::ZERO {
        return Err(Refusal::bad("charged: less than nothing"));
    }
    let held = |cost| match Charged::new(cost) {
        Charged::NONE => Err(Refusal::bad("charged: more than one request can cost")),
        charged => Ok(charged),
    };
    match word {
        "estimated" => held(Cost::Estimated(amount)),
        _ => held(Cost::Known(amount)),
    }
}

fn count(field: &str, tokens: Tokens, absent: Count) -> Result<Count, Refusal> {
    match tokens {
        Tokens::Absent => Ok(absent),
        Tokens::Unknown => Ok(Count::UNKNOWN),
        Tokens::Known(n) => Count::new(n).ok_or_else(|| {
            Refusal::Bad(format!("{field}: {n} tokens are more than one request can have ({})", Count::MAX))
        }),
    }
}

/// Reads what is known of another model's answer.
pub(super) fn label<'a>(label: &Object<'a>) -> Result<Label<'a>, Refusal> {
    let wrong = |value| format!("labels: quality {value} is not within 0 to 1000");
    Ok(Label {
        model: label.text("model")?,
        quality: per_mille(label.get("quality")?, wrong)?,
        output: label.get("output")?.number()?,
        source: label.text("source")?,
    })
}
