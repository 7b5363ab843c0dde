//! A charge cut into its meters, each with its own unit price, as an invoice has them.
//!
//! Invariant: the items of a call add up to what [`bill`](super::bill()) says of it, to the pico-dollar; where they cannot,
//! there are none.

use super::book::{PriceRow, Rates, Tier};
use super::{Terms, Usage};
use crate::units::{Pico, PicoPerMillion};

/// What is billed by its own unit price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'t> {
    /// The meter: a bucket of tokens, a part of one, or what is billed besides.
    pub meter: &'t str,
    /// How much of it.
    pub quantity: u64,
    /// The price for a million.
    pub price: PicoPerMillion,
}

impl Item<'_> {
    /// Returns what it comes to.
    pub fn amount(&self) -> Pico {
        self.price.charge(self.quantity)
    }
}

/// The most items that a call can have: six buckets and four meters.
const MOST: usize = 10;

/// Prices are for so many.
const TOKENS: i64 = 1_000_000;

/// The items of one call.
pub type Items<'t> = smallvec::SmallVec<[Item<'t>; MOST]>;

/// Cuts a call's charge into items; none where a tier or a place has no unit price of its own.
pub fn items<'t>(usage: &Usage, terms: &'t Terms, row: &PriceRow) -> Option<Items<'t>> {
    let rates = row.in_tier(terms.tier()).unwrap_or(&row.standard);
    let mut items = tokens(usage, terms, rates)?;
    // The place multiplies the price of tokens; a factor that is not listed leaves an estimate at the plain price.
    for (name, _) in terms.meters() {
        let Some(factor) = row.factors.get(name).filter(|_| name.starts_with("region:")) else { continue };
        for item in &mut items {
            let scaled = i128::from(item.price.0) * i128::from(*factor);
            // The sum is scaled and rounded as a whole: only where nothing is rounded do the items come to the same.
            let is_whole = item.price.0 % TOKENS == 0 && scaled % (1000 * i128::from(TOKENS)) == 0;
            item.price = PicoPerMillion(i64::try_from(scaled / 1000).ok().filter(|_| is_whole)?);
        }
    }
    for (name, count) in terms.meters() {
        if name.starts_with("region:") || rates.base.part(name).is_some() {
            continue;
        }
        items.push(Item { meter: name, quantity: count, price: *row.meters.get(name)? });
    }
    Some(items)
}

fn tokens<'t>(usage: &Usage, terms: &'t Terms, rates: &Rates) -> Option<Items<'t>> {
    let (prompt, output) = (usage.prompt()?, usage.output.get()?);
    let tier: &Tier = rates.for_prompt(prompt);
    let mut left = [usage.input.or_zero(), usage.cache_read.or_zero(), output];
    let mut items = Items::new();
    let mut push = |meter, quantity, price| {
        if quantity > 0 {
            items.push(Item { meter, quantity, price });
        }
    };
    for (name, count) in terms.meters() {
        let Some((bucket, _, own)) = tier.part(name) else { continue };
        let room = left.get_mut(bucket)?;
        let billed = count.min(*room);
        *room -= billed;
        push(name, billed, own?);
    }
    let [input, cache_read, answer] = left;
    push("input", input, tier.input);
    push("cache_read", cache_read, tier.cache_read.unwrap_or(tier.input));
    push("write_5m", usage.write_5m.or_zero(), tier.write_5m.unwrap_or(tier.input));
    push("write_1h", usage.write_1h.or_zero(), tier.write_1h.or(tier.write_5m).unwrap_or(tier.input));
    match (tier.reasoning, usage.reasoning.get()) {
        (Some(price), Some(reasoning)) if price != tier.output => {
            // Of an answer with sound or pictures nobody tells which part was thought.
            if answer < output {
                return None;
            }
            push("output", output - reasoning.min(output), tier.output);
            push("reasoning", reasoning.min(output), price);
        }
        _ => push("output", answer, tier.output),
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::bill;
    use crate::units::Count;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn items_add_up_to_the_bill(
            tokens in proptest::array::uniform6(0u64..3_000_000),
            prices in proptest::array::uniform6(proptest::option::of(0i64..90_000_000)),
            sound in 0u64..400_000,
            searches in 0u64..50,
            tier in prop_oneof![Just(""), Just("flex"), Just("batch"), Just("priority")],
            place in any::<bool>(),
        ) {
            let count = |at: usize| Count::new(tokens[at]).unwrap();
            let usage = Usage {
                input: count(0), cache_read: count(1), write_5m: count(2), write_1h: count(3), output: count(4), reasoning: count(5),
            };
            // Whole pico-dollars for a token, as listed prices are.
            let price = |at: usize| prices[at].map(|price| PicoPerMillion(price * 1_000_000));
            let base = Tier {
                input: price(0).unwrap_or_default(), cache_read: price(1), write_5m: price(2), write_1h: price(3),
                output: price(4).unwrap_or_default(), reasoning: price(5), audio_input: price(1), ..Tier::default()
            };
            let rates = Rates { base, above: vec![(2_000_000, Tier { input: PicoPerMillion(7_000_000), ..base })] };
            let flex = Rates { base: Tier { input: PicoPerMillion(3_000_000), ..base }, above: Vec::new() };
            let row = PriceRow {
                standard: rates,
                tiers: [("flex".to_owned(), flex)].into(),
                meters: [("web_search".to_owned(), PicoPerMillion(10_000_000_000_000_000))].into(),
                factors: [("region:us".to_owned(), 1100)].into(),
                ..PriceRow::default()
            };
            let mut terms = Terms::NONE;
            terms.serve(tier);
            terms.meter("audio_input", sound);
            terms.meter("web_search", searches);
            if place {
                terms.meter("region:us", 1);
            }
            let billed = bill(&usage, &terms, Some(&row)).amount();
            if let (Some(billed), Some(items)) = (billed, items(&usage, &terms, &row)) {
                prop_assert_eq!(items.iter().map(Item::amount).sum::<Pico>(), billed);
            }
        }
    }
}
