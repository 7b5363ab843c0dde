//! Imports LiteLLM's `model_prices_and_context_window.json` (BerriAI/litellm, MIT licence).
//!
//! Invariant: every entry is imported exactly as written or refused with its reason; nothing is rounded or guessed. What
//! is imported are prices of tokens (text, sound, pictures) in every service tier, what a place multiplies them by, and the
//! price of a web search where it is the same for all of them. Every other meter of an entry (images, seconds, grounding
//! with a free share) is kept verbatim beside them and charged by nobody.
//!
//! Off-peak prices are taken over where they are one factor of all others.
//!
//! The semantics are LiteLLM's own: the whole prompt picks a tier and the tier bills every token; `_above_200k_tokens`
//! begins strictly above (at xAI: at) 200,000; a range of `tiered_pricing` is `low < n <= high` and the last one has no
//! upper end; a cache price missing inside a tier is that tier's input price.

mod off_peak;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

use super::Error;
use crate::pricing::{ModelPrices, PriceBook, PriceRow, Rates, Tier, thousandths};
use crate::units::{MoneyError, Pico, PicoPerMillion};

/// The catalogue's own documentation, in the shape of an entry.
const SPECIMEN: &str = "sample_spec";

/// What came of a catalogue: the book, and the entries that are not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The prices that could be taken over exactly.
    pub book: PriceBook,
    /// The entries that could not, by name.
    pub refused: Vec<Refusal>,
    /// Bare names that got no alias because the entries behind them differ in price or one of them was refused.
    pub ambiguous: BTreeSet<String>,
    /// Entries whose batch price was left out because it lacks a part: an output price, or a long-prompt tier.
    pub without_batch: Vec<String>,
}

impl Import {
    /// Counts the refused entries by kind of reason, most first.
    pub fn refused_by_kind(&self) -> Vec<(&'static str, usize)> {
        let mut counts = BTreeMap::new();
        for refusal in &self.refused {
            *counts.entry(refusal.reason.kind()).or_insert(0usize) += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        crate::units::sort_by_key(&mut counts, |(kind, count)| (std::cmp::Reverse(*count), *kind));
        counts
    }
}

/// An entry that was not taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The entry's name.
    pub model: String,
    /// Why not.
    pub reason: Reason,
}

/// Why an entry was not taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Nothing in it is a price per token; the mode says what it is instead.
    NoTokenPrice(String),
    /// Its prompt tokens have no price.
    NoInputPrice(String),
    /// Its answer tokens have no price.
    NoOutputPrice(String),
    /// Its tokens cost nothing but another meter does, so a price of zero would be wrong.
    BilledOtherwise(String),
    /// A price cannot be held exactly, is negative or no number.
    Price {
        /// The field of the catalogue.
        field: String,
        /// What is wrong with the number.
        error: MoneyError,
    },
    /// Its price depends on the time of day in a way that cannot be told as hours and a factor.
    TimeOfDay,
    /// Its tiers contradict each other or lack a price.
    Tiers(String),
    /// It is no JSON object.
    NotAnEntry,
}

impl Reason {
    /// Says what kind of reason it is, for counting.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoTokenPrice(_) => "not priced by token",
            Self::NoInputPrice(_) => "no input price per token",
            Self::NoOutputPrice(_) => "no output price per token",
            Self::BilledOtherwise(_) => "tokens at zero, billed by another meter",
            Self::Price { error: MoneyError::TooFine { .. }, .. } => "more decimals than can be kept exactly",
            Self::Price { error: MoneyError::Negative(_), .. } => "negative price",
            Self::Price { .. } => "price is no number in range",
            Self::TimeOfDay => "price depends on the time of day",
            Self::Tiers(_) => "malformed tiers",
            Self::NotAnEntry => "not an object",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTokenPrice(mode) | Self::NoInputPrice(mode) | Self::NoOutputPrice(mode) => {
                write!(f, "{} (mode {mode})", self.kind())
            }
            Self::BilledOtherwise(meter) => write!(f, "{}: {meter}", self.kind()),
            Self::Price { field, error } => write!(f, "{field}: {error}"),
            Self::Tiers(what) => f.write_str(what),
            Self::TimeOfDay | Self::NotAnEntry => f.write_str(self.kind()),
        }
    }
}

/// Reads a catalogue; `file` is only for error messages. The book has no date: the catalogue states none.
pub fn import_litellm(text: &str, file: &str) -> Result<Import, Error> {
    let wrong =
        |line, message: &str| Error::Catalogue { file: file.to_owned(), line, message: message.to_owned() };
    let entries: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| wrong(error.line(), &error.to_string()))?;
    let mut import = Import {
        book: PriceBook {
            name: "litellm".to_owned(),
            source: "LiteLLM model_prices_and_context_window.json, MIT licence, Copyright (c) 2023 Berri AI"
                .to_owned(),
            ..PriceBook::default()
        },
        refused: Vec::new(),
        ambiguous: BTreeSet::new(),
        without_batch: Vec::new(),
    };
    for (name, entry) in &entries {
        if name == SPECIMEN {
            continue;
        }
        match entry.as_object().ok_or(Reason::NotAnEntry).and_then(model) {
            Ok(taken) => {
                if taken.batch_left_out {
                    import.without_batch.push(name.clone());
                }
                import.book.models.insert(name.clone(), taken.prices);
            }
            Err(reason) => import.refused.push(Refusal { model: name.clone(), reason }),
        }
    }
    if import.book.models.is_empty() {
        return Err(wrong(0, "no entry of this file has a price per token"));
    }
    add_bare_names(&mut import);
    Ok(import)
}

/// Lets a name without its `provider/` stand for a price where all entries of that name have the same price.
///
/// A refused entry has a price that is not known here, so it counts as different; and a free price (somebody's own
/// machine) never speaks for a bare name.
fn add_bare_names(import: &mut Import) {
    let mut refused = BTreeSet::new();
    for refusal in &import.refused {
        refused.insert(bare(&refusal.model));
    }
    let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in import.book.models.keys() {
        by_name.entry(bare(name)).or_default().push(name);
    }
    let mut aliases = BTreeMap::new();
    for (short, names) in by_name {
        if import.book.models.contains_key(short) {
            continue;
        }
        let rows = |name: &str| import.book.models.get(name).and_then(|prices| prices.rows.first());
        let Some((first, price)) = names.first().and_then(|name| Some((*name, rows(name)?))) else {
            continue;
        };
        let is_same =
            |row: &PriceRow| row.standard == price.standard && row.hours_text() == price.hours_text();
        let agreed = names.iter().filter_map(|name| rows(name)).all(is_same);
        if agreed && !refused.contains(short) && !is_free(&price.standard.base) {
            // The name with a batch price, if any, serves both services.
            let target = names.iter().copied().find(|name| rows(name).is_some_and(|row| row.batch.is_some()));
            aliases.insert(short.to_owned(), target.unwrap_or(first).to_owned());
        } else {
            import.ambiguous.insert(short.to_owned());
        }
    }
    import.book.aliases = aliases;
}

fn bare(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn is_free(tier: &Tier) -> bool {
    tier.input == PicoPerMillion::default() && tier.output == PicoPerMillion::default()
}

/// Prices of one tier as far as the catalogue states them, by the names of [`Tier::PRICES`].
type Stated = BTreeMap<&'static str, PicoPerMillion>;

/// One service class of an entry: tiers by the prompt length above which they hold, 0 for the base.
type Service = BTreeMap<u64, Stated>;

/// Names the price that a field of the catalogue states.
fn bucket(field: &str) -> Option<&'static str> {
    Some(match field {
        "input_cost_per_token" => "input",
        "output_cost_per_token" => "output",
        "cache_read_input_token_cost" => "cache_read",
        "cache_creation_input_token_cost" => "write_5m",
        "cache_creation_input_token_cost_above_1hr" => "write_1h",
        "output_cost_per_reasoning_token" => "reasoning",
        "input_cost_per_audio_token" => "audio_input",
        "cache_read_input_audio_token_cost" => "audio_cached",
        "output_cost_per_audio_token" => "audio_output",
        "input_cost_per_image_token" => "image_input",
        "output_cost_per_image_token" => "image_output",
        _ => return None,
    })
}

fn tier(stated: &Stated, answers: bool) -> Result<Tier, Missing> {
    if answers && !stated.contains_key("output") {
        return Err(Missing::Output);
    }
    let free = |name| (name == "output").then(PicoPerMillion::default);
    Tier::build(|name| Ok(stated.get(name).copied().or_else(|| free(name))), |_| Missing::Input)
}

/// The price that a tier lacks.
#[derive(Clone, Copy)]
enum Missing {
    Input,
    Output,
}

struct Taken {
    prices: ModelPrices,
    batch_left_out: bool,
}

fn model(entry: &Map<String, Value>) -> Result<Taken, Reason> {
    let text = |field: &str| entry.get(field).and_then(Value::as_str).map(str::to_owned);
    let mode = text("mode").unwrap_or_else(|| "not stated".to_owned());
    // Vectors, scores and verdicts are no tokens; everywhere else a missing output price is unknown, not free.
    let answers = !matches!(mode.as_str(), "embedding" | "rerank" | "moderation");
    let mut services = BTreeMap::from([("", Service::new())]);
    let mut other_meters = BTreeMap::new();
    for (field, value) in entry {
        if let Some((bucket, above, service)) = token_meter(field) {
            let price = price(field, value)?;
            services.entry(service).or_default().entry(above).or_default().insert(bucket, price);
        } else if is_price(field) {
            other_meters.insert(field.clone(), value.to_string());
        }
    }
    let mut standard = services.remove("").unwrap_or_default();
    older_cache_price(entry, &mut standard)?;
    if take_ranges(entry, &mut standard)? {
        other_meters.remove("tiered_pricing");
    }
    if standard.is_empty() {
        return Err(Reason::NoTokenPrice(mode));
    }
    let base = standard.get(&0).cloned().unwrap_or_default();
    tier(&base, answers).map_err(|missing| match missing {
        Missing::Input => Reason::NoInputPrice(mode.clone()),
        Missing::Output => Reason::NoOutputPrice(mode.clone()),
    })?;
    // At xAI a tier begins at its number of tokens, everywhere else strictly above it.
    let provider = text("litellm_provider");
    let less = u64::from(provider.as_deref() == Some("xai"));
    let standard_rates = rates(&standard, answers, less)
        .ok_or_else(|| Reason::Tiers("a long-prompt tier has no input or no output price".to_owned()))?;
    if is_free(&standard_rates.base) {
        let dear = standard_rates.base.prices().find(|(_, price)| *price != PicoPerMillion::default());
        let meter =
            other_meters.iter().find(|(_, value)| names_a_fee(value)).map(|(meter, _)| meter.as_str());
        if let Some(meter) = meter.or(dear.map(|(name, _)| name)) {
            return Err(Reason::BilledOtherwise(meter.to_owned()));
        }
    }
    let mut tiers = BTreeMap::new();
    let mut batch_left_out = false;
    for (name, service) in services {
        let rates = if service.keys().eq(standard.keys()) { rates(&service, answers, less) } else { None };
        if let Some(rates) = rates {
            tiers.insert(name.to_owned(), rates);
            continue;
        }
        batch_left_out |= name == BATCH;
        let left = entry.iter().filter(|(field, _)| token_meter(field).is_some_and(|(_, _, of)| of == name));
        other_meters.extend(left.map(|(field, value)| (field.clone(), value.to_string())));
    }
    let batch_rates = tiers.remove(BATCH);
    let hours = match entry.get(off_peak::FIELD) {
        None => Vec::new(),
        // What long prompts and other services cost then, the entry does not say.
        Some(_) if standard.len() > 1 || batch_rates.is_some() || !tiers.is_empty() => {
            return Err(Reason::TimeOfDay);
        }
        Some(stated) => {
            other_meters.remove(off_peak::FIELD);
            off_peak::hours(stated, &base, |field, value| Some((bucket(field)?, price(field, value).ok()?)))
                .ok_or(Reason::TimeOfDay)?
        }
    };
    let factors = factors(entry, &standard_rates, &mut tiers, &mut other_meters);
    let meters = search_fee(entry, provider.as_deref(), &mut other_meters);
    let row = PriceRow {
        from: None,
        standard: standard_rates,
        batch: batch_rates,
        tiers,
        meters,
        factors,
        scheduled: Vec::new(),
        source: text("source"),
    };
    let row = row.schedule(hours).map_err(|_| Reason::TimeOfDay)?;
    Ok(Taken {
        prices: ModelPrices {
            provider,
            max_input: entry.get("max_input_tokens").and_then(whole).filter(|tokens| *tokens > 0),
            max_output: entry.get("max_output_tokens").and_then(whole).filter(|tokens| *tokens > 0),
            deprecated: text("deprecation_date"),
            other_meters,
            rows: vec![row],
        },
        batch_left_out,
    })
}

/// What the catalogue calls the batch service.
const BATCH: &str = "batches";
/// Every service tier that it prices apart.
const SERVICES: [&str; 6] = [BATCH, "flex", "priority", "ultrafast", "balanced", "decisions"];

/// Splits a field like `input_cost_per_token_above_200k_tokens_batches` into bucket, tier and service; empty for the
/// ordinary one.
fn token_meter(field: &str) -> Option<(&'static str, u64, &'static str)> {
    let service = SERVICES.into_iter().find_map(|service| {
        let rest = field.strip_suffix(service)?.strip_suffix('_')?;
        Some((rest, service))
    });
    let (rest, service) = service.unwrap_or((field, ""));
    let tier = rest.strip_suffix("k_tokens").and_then(|head| {
        let (bucket, thousands) = head.rsplit_once("_above_")?;
        Some((bucket, thousands.parse::<u64>().ok()?.checked_mul(1000)?))
    });
    let (field, above) = tier.unwrap_or((rest, 0));
    Some((bucket(field)?, above, service))
}

/// Takes over what multiplies the price of tokens: places as factors, fast service as a tier of its own.
fn factors(
    entry: &Map<String, Value>,
    standard: &Rates,
    tiers: &mut BTreeMap<String, Rates>,
    other_meters: &mut BTreeMap<String, String>,
) -> BTreeMap<String, u32> {
    const OWN: &str = "provider_specific_entry";
    const PLACE: &str = "regional_processing_uplift_multiplier_";
    let mut found = BTreeMap::new();
    let factor = |value: &Value| thousandths(&value.as_number()?.to_string());
    for (field, value) in entry {
        if let (Some(place), Some(factor)) = (field.strip_prefix(PLACE), factor(value)) {
            found.insert(format!("region:{place}"), factor);
            other_meters.remove(field);
        }
    }
    let Some(own) = entry.get(OWN).and_then(Value::as_object) else { return found };
    let mut is_all = true;
    for (name, value) in own {
        match (name.as_str(), factor(value)) {
            ("fast", Some(factor)) => match standard.times_exactly(factor) {
                Some(rates) => _ = tiers.insert("fast".to_owned(), rates),
                None => is_all = false,
            },
            ("us" | "eu", Some(factor)) => _ = found.insert(format!("region:{name}"), factor),
            _ => is_all = false,
        }
    }
    if is_all {
        other_meters.remove(OWN);
    }
    found
}

/// Takes over the price of a web search where each is billed and all cost the same. Google leaves a share of them free,
/// which no single call can tell: readers of its answers mark searches as a guess. Where it bills prompts instead, and not
/// searches, there is no price for these. What OpenAI asks of models that do not reason is the price of the tool's preview.
fn search_fee(
    entry: &Map<String, Value>,
    provider: Option<&str>,
    other_meters: &mut BTreeMap<String, String>,
) -> BTreeMap<String, PicoPerMillion> {
    const FIELD: &str = "search_context_cost_per_query";
    /// What OpenAI's search tool costs whatever the model.
    const SEARCH: &str = "0.01";
    let is_per_query = entry.get("web_search_billing_unit").and_then(Value::as_str) == Some("per_query");
    let sizes = entry.get(FIELD).and_then(Value::as_object).filter(|_| match provider {
        Some("openai" | "anthropic") => !entry.contains_key("search_free_requests"),
        Some("gemini") => is_per_query,
        _ => false,
    });
    let mut prices = sizes.into_iter().flat_map(Map::values).map(|value| price(FIELD, value).ok());
    let Some(Some(first)) = prices.next() else { return BTreeMap::new() };
    if !prices.all(|price| price == Some(first)) {
        return BTreeMap::new();
    }
    other_meters.remove(FIELD);
    let searched = ("web_search".to_owned(), first);
    if provider != Some("openai") {
        return BTreeMap::from([searched]);
    }
    let is_one_price = PicoPerMillion::from_usd_per_token(SEARCH).is_ok_and(|price| price == first);
    let preview = ("web_search_preview".to_owned(), first);
    std::iter::once(preview).chain(is_one_price.then_some(searched)).collect()
}

fn is_price(field: &str) -> bool {
    field.contains("cost") || field.contains("pric") || field == "provider_specific_entry"
}

/// Says whether a kept meter has a digit other than zero in it, that is, costs something.
fn names_a_fee(value: &str) -> bool {
    value.bytes().any(|byte| (b'1'..=b'9').contains(&byte))
}

fn price(field: &str, value: &Value) -> Result<PicoPerMillion, Reason> {
    // The number is taken as it is written in the file: serde_json keeps its digits (feature `arbitrary_precision`).
    let digits = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    PicoPerMillion::from_usd_per_token(&digits)
        .map_err(|error| Reason::Price { field: field.to_owned(), error })
}

/// Older entries call the cache-read price `input_cost_per_token_cache_hit`; where both stand they must agree.
fn older_cache_price(entry: &Map<String, Value>, standard: &mut Service) -> Result<(), Reason> {
    const FIELD: &str = "input_cost_per_token_cache_hit";
    let Some(value) = entry.get(FIELD) else { return Ok(()) };
    let older = price(FIELD, value)?;
    let base = standard.entry(0).or_default();
    if base.insert("cache_read", older).is_some_and(|newer| newer != older) {
        return Err(Reason::Tiers(format!("{FIELD} and cache_read_input_token_cost differ")));
    }
    Ok(())
}

/// Takes over `tiered_pricing` with token ranges, saying whether there was one; search prices by result count are none.
fn take_ranges(entry: &Map<String, Value>, standard: &mut Service) -> Result<bool, Reason> {
    let Some(ranges) = entry.get("tiered_pricing").and_then(Value::as_array) else { return Ok(false) };
    if !ranges.iter().any(|range| range.get("range").is_some()) {
        return Ok(false);
    }
    let malformed = |what: &str| Reason::Tiers(format!("tiered_pricing: {what}"));
    let mut tiers = Service::new();
    let mut expected = 0;
    for range in ranges.iter().filter_map(Value::as_object) {
        let bounds = range.get("range").and_then(Value::as_array).map(Vec::as_slice);
        let Some([low, high]) = bounds else { return Err(malformed("a range is not two numbers")) };
        let (Some(low), Some(high)) = (whole(low), whole(high)) else {
            return Err(malformed("a range is not two whole numbers"));
        };
        if low != expected || high <= low {
            return Err(malformed("the ranges leave a gap or overlap"));
        }
        expected = high;
        let stated = tiers.entry(low).or_default();
        for (field, value) in range.iter().filter(|(field, _)| *field != "range") {
            let bucket = bucket(field).ok_or_else(|| malformed(&format!("{field} inside a range")))?;
            stated.insert(bucket, price(field, value)?);
        }
    }
    let flat = std::mem::take(standard);
    if flat.iter().any(|(above, stated)| tiers.get(above) != Some(stated)) {
        return Err(malformed("the prices beside the ranges contradict them"));
    }
    *standard = tiers;
    Ok(true)
}

fn rates(service: &Service, answers: bool, less: u64) -> Option<Rates> {
    let base = tier(service.get(&0)?, answers).ok()?;
    let mut above = Vec::new();
    for (tokens, stated) in service.range(1..) {
        above.push((tokens.saturating_sub(less), tier(stated, answers).ok()?));
    }
    Some(Rates { base, above })
}

/// Reads a whole number, also where it is written as `256000.0` or `1e6`.
fn whole(value: &Value) -> Option<u64> {
    let amount = Pico::from_usd(&value.as_number()?.to_string()).ok()?;
    (amount.0 % Pico::USD.0 == 0).then(|| u64::try_from(amount.0 / Pico::USD.0).ok()).flatten()
}
