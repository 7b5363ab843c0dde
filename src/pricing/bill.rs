//! What a call is charged, bucket by bucket.
//!
//! Invariant: the lines add up to what [`charge`](super::charge()) says, to the pico-dollar.

use super::book::Rates;
use super::usage::Usage;
use crate::units::{Pico, PicoPerMillion};

/// Tokens of one bucket times their price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BillLine {
    /// The bucket, and how it is billed where it has no price of its own.
    pub bucket: &'static str,
    /// The tokens.
    pub tokens: u64,
    /// The price.
    pub price: PicoPerMillion,
    /// The product.
    pub amount: Pico,
}

/// Lists what is charged; `None` where tokens or prices are unknown.
pub fn bill_lines(usage: &Usage, rates: Option<&Rates>) -> Option<Vec<BillLine>> {
    let (prompt, output) = (usage.prompt()?, usage.output.get()?);
    if prompt == 0 && output == 0 {
        return Some(Vec::new());
    }
    let tier = rates?.for_prompt(prompt);
    if usage.write_1h.or_zero() > 0 && !tier.prices_writes() {
        return None;
    }
    let mut lines = Vec::new();
    let mut line = |bucket, tokens: u64, price: PicoPerMillion| {
        if tokens > 0 {
            lines.push(BillLine { bucket, tokens, price, amount: price.charge(tokens) });
        }
    };
    let cached = |price: Option<PicoPerMillion>, own: &'static str, as_input: &'static str| {
        price.map_or((as_input, tier.input), |price| (own, price))
    };
    line("input", usage.input.or_zero(), tier.input);
    let (name, price) = cached(tier.cache_read, "cache read", "cache read*");
    line(name, usage.cache_read.or_zero(), price);
    let (name, price) = cached(tier.write_5m, "cache write", "cache write*");
    line(name, usage.write_5m.or_zero(), price);
    let (name, price) = cached(tier.write_1h.or(tier.write_5m), "write 1h", "write 1h*");
    line(name, usage.write_1h.or_zero(), price);
    match (tier.reasoning, usage.reasoning.get()) {
        (Some(price), Some(reasoning)) if price != tier.output => {
            let reasoning = reasoning.min(output);
            line("output", output - reasoning, tier.output);
            line("reasoning", reasoning, price);
        }
        _ => line("output", output, tier.output),
    }
    Some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::{Tier, charge};
    use crate::units::Count;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_lines_add_up_to_the_charge(
            tokens in proptest::array::uniform6(0u64..3_000_000),
            prices in proptest::array::uniform6(proptest::option::of(0i64..90_000_000_000_000)),
            long in 0u64..3_000_000,
        ) {
            let count = |at: usize| Count::new(tokens[at]).unwrap();
            let usage = Usage {
                input: count(0), cache_read: count(1), write_5m: count(2), write_1h: count(3), output: count(4), reasoning: count(5),
            };
            let price = |at: usize| prices[at].map(PicoPerMillion);
            let tier = Tier {
                input: price(0).unwrap_or_default(), cache_read: price(1), write_5m: price(2), write_1h: price(3),
                output: price(4).unwrap_or_default(), reasoning: price(5), ..Tier::default()
            };
            let rates = Rates { base: tier, above: vec![(long, Tier { input: PicoPerMillion(7), ..tier })] };
            let sum = bill_lines(&usage, Some(&rates)).map(|lines| lines.iter().map(|line| line.amount).sum::<Pico>());
            prop_assert_eq!(sum, charge(&usage, Some(&rates)).amount());
        }
    }

    #[test]
    fn what_is_unknown_has_no_bill() {
        assert_eq!(bill_lines(&Usage::UNKNOWN, Some(&Rates::default())), None);
        assert_eq!(bill_lines(&Usage::plain(5, 5).unwrap(), None), None);
        assert_eq!(bill_lines(&Usage::NONE, None), Some(Vec::new()));
    }
}
