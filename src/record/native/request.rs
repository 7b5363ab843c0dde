//! A line of our format that is a request: its keys made a record.

use std::borrow::Cow;

use super::line::{AttemptKeys, LabelKeys, Line, TokenKeys, Tokens};
use crate::classifier::TaskClass;
use crate::pricing::{Charged, Cost, Unpriced, Usage};
use crate::record::json::Text;
use crate::record::skip::Refusal;
use crate::record::{Attempt, Attempts, Label, Record, RecordedNeeds, Timing, WriteTtl, some_terms};
use crate::routing::Effort;
use crate::units::{Count, Instant, PerMille, Pico};

pub(super) fn request(line: Line<'_>) -> Result<Record<'_>, Refusal> {
    if line.at.0.is_empty() {
        return Err(Refusal::bad("at: missing; every request needs the moment it arrived"));
    }
    let at = Instant::parse(&line.at.0).map_err(|error| Refusal::Bad(format!("at: {error}")))?;
    let confidence = match line.confidence {
        None => None,
        Some(value) => Some(
            PerMille::new(value)
                .ok_or_else(|| Refusal::Bad(format!("confidence: {value} is not within 0 to 1000")))?,
        ),
    };
    let propensity = match line.propensity {
        None => None,
        Some(value) => {
            Some(PerMille::new(value).filter(|chance| *chance > PerMille::ZERO).ok_or_else(|| {
                Refusal::Bad(format!("propensity: {value} is not within 1 to 1000, a chance in thousandths"))
            })?)
        }
    };
    let timing = Timing::from_word(&line.timing.0)
        .ok_or_else(|| Refusal::Bad(format!("timing: `{}` is neither offset nor placed", line.timing.0)))?;
    let attempts = match line.attempts {
        None if line.only.any => Attempts::one(attempt(line.only)?),
        None => Attempts::default(),
        Some(_) if line.only.any => {
            return Err(Refusal::bad(
                "attempts: stands beside keys of a single attempt; write one or the other",
            ));
        }
        Some(list) => list.into_iter().map(attempt).collect::<Result<Vec<_>, _>>()?.into(),
    };
    let labels = match line.labels {
        None => Vec::new(),
        Some(list) => list.into_iter().map(label).collect::<Result<Vec<_>, _>>()?,
    };
    let task = (!line.task.0.is_empty()).then(|| line.task.0.parse().unwrap_or(TaskClass::Other));
    Ok(Record {
        id: line.id.0,
        at,
        timing,
        team: line.team.0,
        project: line.project.0,
        user: line.user.0,
        key: line.key.0,
        session: line.session.0,
        asked: line.asked.0,
        pinned: line.pinned,
        unsure: line.unsure,
        saw: line.saw.0.parse().unwrap_or_default(),
        task,
        confidence,
        turn: line.turn,
        tools: line.tools,
        history: line.history,
        seq: line.seq,
        policy: line.policy,
        propensity,
        needs: RecordedNeeds {
            window: line.window,
            output: line.max_output,
            vision: line.vision,
            require: words(line.require),
            down: line.tags.unwrap_or_default().0.into_iter().chain(words(line.down)).collect(),
        },
        prompt: line.prompt.map(|text| text.0),
        prefix: line.prefix.unwrap_or_default(),
        attempts,
        labels,
        claimed_usd: line.claimed_usd.map(|text| text.0),
        simulated: line.simulated.0,
    })
}

fn words(list: Option<Vec<Text<'_>>>) -> Vec<Cow<'_, str>> {
    list.into_iter().flatten().map(|word| word.0).collect()
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
pub(crate) fn plausible(mut usage: Usage, charged: Charged) -> (Usage, bool) {
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

fn attempt(keys: AttemptKeys<'_>) -> Result<Attempt<'_>, Refusal> {
    let charged = charged(&keys.charged.0, &keys.charged_as.0)?;
    let (usage, is_beside) = usage(&keys.tokens, charged)?;
    let write_ttl = WriteTtl::from_word(&keys.write_ttl.0).ok_or_else(|| {
        Refusal::Bad(format!("write_ttl: `{}` is neither reported nor assumed", keys.write_ttl.0))
    })?;
    let mut terms = keys.meters.0;
    terms.serve(&keys.tier.0);
    Ok(Attempt {
        model: keys.model.0,
        assumed_model: keys.assumed_model,
        estimated: keys.estimated || is_beside,
        billed: keys.billed.0,
        provider: keys.provider.0,
        usage,
        write_ttl,
        began_us: keys.began_us,
        latency_ms: keys.latency_ms,
        ttft_ms: keys.ttft_ms,
        status: keys.status.0.unwrap_or_default(),
        error: keys.error.0,
        check: keys.check.0.unwrap_or_default(),
        terms: some_terms(&terms),
        left_out: keys.left_out.into_iter().flatten().map(|name| name.0).collect(),
        gap_ms: keys.gap_ms,
        verdicts: keys.verdicts.unwrap_or_default().into(),
        effort: match &*keys.effort.0 {
            "" => None,
            word => Some(Effort::from_name(word).ok_or_else(|| {
                Refusal::Bad(format!(
                    "effort: `{word}` is none of none, minimal, low, medium, high, xhigh, max"
                ))
            })?),
        },
        charged,
    })
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

pub(super) fn label(keys: LabelKeys<'_>) -> Result<Label<'_>, Refusal> {
    let quality = match keys.quality {
        None => None,
        Some(value) => Some(
            PerMille::new(value)
                .ok_or_else(|| Refusal::Bad(format!("labels: quality {value} is not within 0 to 1000")))?,
        ),
    };
    Ok(Label { model: keys.model.0, quality, output: keys.output, source: keys.source.0 })
}
