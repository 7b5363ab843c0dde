//! Usage turned into cost: plain tokens at given rates, and a whole call with its service tier and its meters.
//!
//! Invariant: a tier, a meter or a region that the price row does not price never gives a known cost.

use super::{Cost, PriceRow, Rates, Terms, Unpriced, Usage};
use crate::units::{Count, Pico};

/// Tiers that no provider bills higher than the ordinary service: its price is an upper bound.
const CHEAPER: [&str; 3] = [BATCH, "flex", "auto"];
/// What waits for its answer for hours, whoever gives it.
const BATCH: &str = "batch";

/// Prices usage at given rates. An empty bucket needs no price; a cached prompt without a cache price is billed as input.
pub fn charge(usage: &Usage, rates: Option<&Rates>) -> Cost {
    if is_nothing(usage) {
        return Cost::Known(Pico::ZERO);
    }
    let Some(rates) = rates else { return Cost::Unknown(Unpriced::NoPrice) };
    tokens(usage, &Terms::NONE, rates)
}

/// Prices at a row what another model was asked: always an estimate, and all is as it was but the model. A batch stays one, while other
/// tiers are the rung's that asked for them; fees are what this row takes for them; what another provider wrote to its cache for an hour
/// is prompt where the row prices no writes.
pub fn elsewhere(usage: &Usage, terms: &Terms, row: Option<&PriceRow>) -> Cost {
    let Some(row) = row else { return bill(usage, terms, None).as_estimate() };
    let in_batch = terms.tier().split('+').any(|tier| tier == BATCH);
    let terms = terms.with_tier(if in_batch { BATCH } else { "" });
    let rates = row.in_tier(terms.tier());
    let mut usage = *usage;
    let tier = rates.unwrap_or(&row.standard).for_prompt(usage.prompt().unwrap_or(0));
    if usage.is_complete() && usage.write_1h.or_zero() > 0 && !tier.prices_writes() {
        usage.input = Count::new(usage.input.or_zero() + usage.write_1h.or_zero()).unwrap_or(Count::UNKNOWN);
        usage.write_1h = Count::ZERO;
    }
    bill(&usage, &terms, Some(row)).as_estimate()
}

/// Prices a call at a row of the book: its tokens at the rates of the tier that served, and its meters.
pub fn bill(usage: &Usage, terms: &Terms, row: Option<&PriceRow>) -> Cost {
    if terms.is_none() {
        return charge(usage, row.map(|row| &row.standard));
    }
    if is_nothing(usage) && terms.meters().next().is_none() {
        return Cost::Known(Pico::ZERO);
    }
    let Some(row) = row else { return Cost::Unknown(Unpriced::NoPrice) };
    let mut cost = match row.in_tier(terms.tier()) {
        Some(rates) if terms.tier().is_empty() => tokens(usage, terms, rates),
        Some(rates) => {
            let cost = tokens(usage, terms, rates);
            if lacks_cache_price(usage, rates, &row.standard) { cost.as_estimate() } else { cost }
        }
        None if CHEAPER.contains(&terms.tier()) => tokens(usage, terms, &row.standard).as_estimate(),
        None => return Cost::Unknown(Unpriced::NoTier),
    };
    // The place multiplies the price of tokens; fees come on top of that.
    for (name, _) in terms.meters().filter(|(name, _)| is_place(name)) {
        cost = match row.factors.get(name) {
            Some(thousandths) => times(cost, *thousandths),
            None => cost.as_estimate(),
        };
    }
    for (name, count) in terms.meters().filter(|(name, _)| !is_place(name) && !is_part(name)) {
        cost = cost.plus(match row.meters.get(name) {
            Some(price) => Cost::Known(price.charge(count)),
            None => Cost::Unknown(Unpriced::NoMeter),
        });
    }
    cost
}

/// Names the meters of a call that a row has no price for, or no factor: why its cost is not known, or a bound.
pub fn unpriced<'t>(usage: &Usage, terms: &'t Terms, row: &PriceRow) -> Vec<&'t str> {
    let tier = row.in_tier(terms.tier()).unwrap_or(&row.standard).for_prompt(usage.prompt().unwrap_or(0));
    let is_priced = |name: &str| match tier.part(name) {
        Some((_, _, own)) => own.is_some(),
        None if is_place(name) => row.factors.contains_key(name),
        None => row.meters.contains_key(name),
    };
    terms.meters().map(|(name, _)| name).filter(|name| !is_priced(name)).collect()
}

/// Says whether a meter tells where a call was served.
fn is_place(name: &str) -> bool {
    name.starts_with("region:")
}

/// Says whether a meter counts tokens that are in a bucket already.
fn is_part(name: &str) -> bool {
    matches!(name, "audio_input" | "audio_cached" | "audio_output" | "image_input" | "image_output")
}

fn is_nothing(usage: &Usage) -> bool {
    usage.is_complete() && usage.prompt() == Some(0) && usage.output.or_zero() == 0
}

fn times(cost: Cost, thousandths: u32) -> Cost {
    let scaled = |amount: Pico| amount.ratio(i128::from(thousandths), 1000);
    match cost {
        Cost::Known(amount) => Cost::Known(scaled(amount)),
        Cost::Estimated(amount) => Cost::Estimated(scaled(amount)),
        unknown @ Cost::Unknown(_) => unknown,
    }
}

/// Says whether a tier is silent on cached tokens that the ordinary service prices apart: it may or may not do so.
fn lacks_cache_price(usage: &Usage, rates: &Rates, standard: &Rates) -> bool {
    let prompt = usage.prompt().unwrap_or(0);
    let (tier, ordinary) = (rates.for_prompt(prompt), standard.for_prompt(prompt));
    let reads = usage.cache_read.or_zero() > 0 && tier.cache_read.is_none() && ordinary.cache_read.is_some();
    let written = usage.write_5m.or_zero() + usage.write_1h.or_zero() > 0;
    reads || (written && tier.write_5m.is_none() && ordinary.write_5m.is_some())
}

/// Prices the tokens of a call, its parts of sound and pictures apart.
fn tokens(usage: &Usage, terms: &Terms, rates: &Rates) -> Cost {
    let (Some(prompt), Some(output)) = (usage.prompt(), usage.output.get()) else {
        return Cost::Unknown(Unpriced::NoUsage);
    };
    let tier = rates.for_prompt(prompt);
    // Hour-long writes cost more than the prompt wherever they are listed: a row without any price of writes tells nothing.
    if usage.write_1h.or_zero() > 0 && !tier.prices_writes() {
        return Cost::Unknown(Unpriced::NoPrice);
    }
    let mut total = tier.input.charge(usage.input.or_zero());
    total += tier.cache_read.unwrap_or(tier.input).charge(usage.cache_read.or_zero());
    total += tier.write_5m.unwrap_or(tier.input).charge(usage.write_5m.or_zero());
    total += tier.write_1h.or(tier.write_5m).unwrap_or(tier.input).charge(usage.write_1h.or_zero());
    match (tier.reasoning, usage.reasoning.get()) {
        (Some(price), Some(reasoning)) if price != tier.output => {
            let reasoning = reasoning.min(output);
            total += tier.output.charge(output - reasoning) + price.charge(reasoning);
        }
        _ => total += tier.output.charge(output),
    }
    // Hour-long writes cost more than five-minute ones wherever both are listed: without a price of their own the
    // amount is a lower bound, not a fact.
    let mut is_fact = usage.write_1h.or_zero() == 0 || tier.write_1h.is_some();
    // Whether a row that is silent on writes bills them as input nobody knows.
    is_fact &= usage.write_5m.or_zero() == 0 || tier.write_5m.is_some();
    // A long prompt's price that is silent on cached tokens, which a short one's tells apart, is an upper bound.
    is_fact &=
        usage.cache_read.or_zero() == 0 || tier.cache_read.is_some() || rates.base.cache_read.is_none();
    let mut left = [usage.input.or_zero(), usage.cache_read.or_zero(), output];
    for (name, count) in terms.meters() {
        let Some((bucket, plain, own)) = tier.part(name) else { continue };
        let Some(own) = own else { return Cost::Unknown(Unpriced::NoMeter) };
        let Some(room) = left.get_mut(bucket) else { continue };
        // Parts may overlap, and what is cached may be counted in both: no token is billed twice.
        let billed = count.min(*room);
        is_fact &= billed == count;
        *room -= billed;
        total += own.charge(billed);
        total -= plain.charge(billed);
    }
    if is_fact { Cost::Known(total) } else { Cost::Estimated(total) }
}
