//! What of a call's cost falls to which of its tokens.
//!
//! Invariant: the amounts add up to the call's cost, to the pico-dollar, whatever the price book says of it.

use crate::outcome::{Attempt, Seen};
use crate::pricing::{PriceTable, Rates, bill_lines};
use crate::units::{Instant, Pico};

/// The buckets of a call's cost: prompt tokens by how they were cached, answer tokens, tokens whose price nobody tells apart,
/// and what is not billed by tokens.
pub(super) const BUCKETS: usize = 8;
/// The first buckets are those of the prompt.
pub(super) const PROMPT: std::ops::Range<usize> = 0..4;
const OUTPUT: usize = 4;
const REASONING: usize = 5;
/// All tokens at one price: no book tells their prices apart.
const BLENDED: usize = 6;
/// Billed by the call.
pub(super) const FEES: usize = 7;

/// Tokens and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    pub(super) tokens: u64,
    pub(super) cost: Pico,
}

/// The buckets of one call or of many.
pub(super) type Buckets = [Bucket; BUCKETS];

/// Returns a call's length band (how many steps of its price list its prompt is above) and its buckets.
pub(super) fn spread(
    call: &Attempt,
    cost: Pico,
    at: Instant,
    seen: Option<Seen<'_>>,
    prices: &PriceTable,
) -> (usize, Buckets) {
    let billed = seen.map(|seen| seen.call.billed).filter(|model| model.is_some()).unwrap_or(call.model);
    let row = prices.row(billed, at);
    let rates = row.map(|row| &row.standard);
    let mut buckets = Buckets::default();
    let Some(tokens) = call.usage.total() else {
        buckets[FEES].cost = cost;
        return (0, buckets);
    };
    let mut weights = [0i128; BUCKETS];
    for line in bill_lines(&call.usage, rates).unwrap_or_default() {
        let at = match line.bucket {
            "input" => 0,
            "cache read" | "cache read*" => 1,
            "cache write" | "cache write*" => 2,
            "write 1h" | "write 1h*" => 3,
            "reasoning" => REASONING,
            _ => OUTPUT,
        };
        buckets[at].tokens = line.tokens;
        weights[at] = line.amount.0;
    }
    if weights.iter().all(|weight| *weight == 0) && cost != Pico::ZERO {
        buckets = Buckets::default();
        let at = if tokens > 0 { BLENDED } else { FEES };
        buckets[at] = Bucket { tokens, cost };
        return (0, buckets);
    }
    if let (Some(seen), Some(row)) = (seen, row) {
        let fee =
            |(name, count): (&str, u64)| row.meters.get(name).map_or(Pico::ZERO, |price| price.charge(count));
        weights[FEES] = seen.terms.meters().map(fee).sum::<Pico>().0;
    }
    share_out(cost, weights, &mut buckets);
    (band(rates, call.usage.prompt().unwrap_or(0)), buckets)
}

/// Counts the steps of a price list that a prompt is above.
fn band(rates: Option<&Rates>, prompt: u64) -> usize {
    rates.map_or(0, |rates| rates.above.iter().filter(|(above, _)| prompt > *above).count())
}

/// Shares a cost out by weights; what rounding leaves goes to the heaviest.
fn share_out(cost: Pico, weights: [i128; BUCKETS], buckets: &mut Buckets) {
    let whole: i128 = weights.iter().sum();
    let mut left = cost;
    let mut heaviest = FEES;
    for (at, weight) in weights.into_iter().enumerate() {
        if weight > weights[heaviest] {
            heaviest = at;
        }
        let part = if cost.0 == whole { Pico(weight) } else { Pico(part_of(cost.0, weight, whole)) };
        buckets[at].cost = part;
        left -= part;
    }
    buckets[heaviest].cost += left;
}

fn part_of(cost: i128, weight: i128, whole: i128) -> i128 {
    if whole == 0 {
        return 0;
    }
    // Beyond any real call the share is taken of thousandths instead.
    let small = || cost / 1000 * (weight.saturating_mul(1000) / whole);
    cost.checked_mul(weight).map_or_else(small, |product| product / whole)
}
