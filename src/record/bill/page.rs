//! Pages of providers' cost and usage interfaces: buckets of time with results.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use super::line::{Bill, BillLine, BillSource, day_of, model_of, not_dollars};
use crate::units::{Instant, Pico, Span};

#[derive(Deserialize)]
struct Page {
    data: Vec<Bucket>,
    #[serde(default)]
    has_more: bool,
}

struct Bucket {
    day: Instant,
    /// Whether its moments are text, as Anthropic writes them.
    is_text: bool,
    results: Vec<Entry>,
}

impl<'de> Deserialize<'de> for Bucket {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Written {
            #[serde(alias = "start_time", deserialize_with = "moment")]
            starting_at: (Instant, bool),
            #[serde(alias = "end_time", deserialize_with = "moment")]
            ending_at: (Instant, bool),
            results: Vec<Entry>,
        }
        let Written { starting_at: (start, is_text), ending_at: (end, _), results } =
            Written::deserialize(from)?;
        let day = day_of(start, Some(end)).map_err(de::Error::custom)?;
        Ok(Self { day, is_text, results })
    }
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    object: String,
    #[serde(default, deserialize_with = "dollars")]
    currency: (),
    #[serde(default, deserialize_with = "amount")]
    amount: Option<Pico>,
    model: Option<String>,
    line_item: Option<String>,
    cost_type: Option<String>,
    #[serde(default)]
    input_tokens: Option<u64>,
    uncached_input_tokens: Option<u64>,
    cache_creation: Option<CacheCreation>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    num_model_requests: Option<u64>,
}

#[derive(Deserialize, Clone, Copy)]
struct CacheCreation {
    ephemeral_1h_input_tokens: Option<u64>,
    ephemeral_5m_input_tokens: Option<u64>,
}

fn moment<'de, D: Deserializer<'de>>(from: D) -> Result<(Instant, bool), D::Error> {
    match Value::deserialize(from)? {
        Value::String(text) => match Instant::parse(&text) {
            Ok(at) => Ok((at, true)),
            Err(error) => Err(de::Error::custom(error)),
        },
        Value::Number(seconds) => match seconds.as_i64() {
            Some(seconds) => Ok((Instant::from_secs(seconds), false)),
            None => Err(de::Error::custom(format!("`{seconds}` is no number of seconds"))),
        },
        other => Err(de::Error::custom(format!("`{other}` is no moment"))),
    }
}

fn dollars<'de, D: Deserializer<'de>>(from: D) -> Result<(), D::Error> {
    let currency = Option::<Cow<'_, str>>::deserialize(from)?;
    match currency {
        Some(other) if !other.eq_ignore_ascii_case("usd") => Err(de::Error::custom(not_dollars(&other))),
        _ => Ok(()),
    }
}

/// Reads text as cents and a value with its currency as dollars, as the two providers write them.
fn amount<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Pico>, D::Error> {
    let read = |text: &str, digits| Pico::from_others(text, digits).map_err(de::Error::custom);
    match Value::deserialize(from)? {
        Value::Null => Ok(None),
        Value::String(cents) => read(&cents, 10).map(Some),
        Value::Object(object) => {
            let currency = object.get("currency").and_then(Value::as_str).unwrap_or("usd");
            if !currency.eq_ignore_ascii_case("usd") {
                return Err(de::Error::custom(not_dollars(currency)));
            }
            match object.get("value") {
                None | Some(Value::Null) => Ok(None),
                Some(Value::String(text)) => read(text, 12).map(Some),
                Some(number) => read(&number.to_string(), 12).map(Some),
            }
        }
        other => Err(de::Error::custom(format!(
            "amount: `{other}` is neither cents as text nor a value with a currency"
        ))),
    }
}

/// Reads one page, or a list of them.
pub(super) fn read(text: &str) -> Result<Bill, (usize, String)> {
    let told = |error: serde_json::Error| {
        let reason = error.to_string();
        let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
        (error.line(), format!("no cost or usage report of Anthropic or OpenAI: {reason}"))
    };
    // Pages as they were fetched one after another, or one.
    let pages: Vec<Page> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(told)?
    } else {
        vec![serde_json::from_str(text).map_err(told)?]
    };
    let is_anthropic = pages.iter().flat_map(|page| &page.data).any(|bucket| bucket.is_text);
    let mut bill = Bill::new(if is_anthropic { BillSource::Anthropic } else { BillSource::OpenAi });
    bill.has_more = pages.last().is_some_and(|page| page.has_more);
    for bucket in pages.into_iter().flat_map(|page| page.data) {
        bill.covers(bucket.day, bucket.day + Span::days(1));
        bill.lines.extend(bucket.results.into_iter().map(|entry| line(bucket.day, entry)));
    }
    Ok(bill)
}

fn line(day: Instant, entry: Entry) -> BillLine {
    let () = entry.currency;
    // What is not of a model is named by what it is: `web_search`.
    let other = entry.cost_type.filter(|kind| kind != "tokens");
    let model =
        entry.model.or_else(|| entry.line_item.as_deref().map(model_of)).or(other).unwrap_or_default();
    let parts = [entry.uncached_input_tokens, entry.cache_read_input_tokens];
    let written =
        entry.cache_creation.map(|made| [made.ephemeral_1h_input_tokens, made.ephemeral_5m_input_tokens]);
    let parts = parts.into_iter().chain(written.into_iter().flatten()).flatten();
    let apart = entry.uncached_input_tokens.map(|_| parts.fold(0u64, u64::saturating_add));
    let is_cost = entry.object == "organization.costs.result";
    BillLine {
        day,
        model,
        amount: entry.amount,
        input: entry.input_tokens.or(apart).filter(|_| !is_cost),
        output: entry.output_tokens.filter(|_| !is_cost),
        requests: entry.num_model_requests,
    }
}
