//! The most that a call can cost.
//!
//! Invariant: no call with so many tokens at most costs more at this row, whatever is cached, however long the prompt turns out to
//! be, in whichever region; what the answer reports besides tokens is not part of it.

use super::terms::is_ordinary;
use super::{PriceRow, Rates, Tier};
use crate::units::{Pico, PicoPerMillion};

/// Returns the most that `prompt` and `output` tokens can cost. `any_tier` says that a service tier was asked for, so that the
/// most expensive one counts.
pub fn worst(row: &PriceRow, (prompt, output): (u64, u64), any_tier: bool) -> Pico {
    let others = row.tiers.values().chain(&row.batch).filter(|_| any_tier);
    let most = std::iter::once(&row.standard).chain(others).map(|rates| of(rates, prompt, output)).max();
    let most = most.unwrap_or(Pico::ZERO);
    let factor = row.factors.values().copied().max().unwrap_or(1000).max(1000);
    Pico(most.0.saturating_mul(i128::from(factor)).div_euclid(1000).saturating_add(i128::from(factor > 1000)))
}

/// Says whether a service tier may cost more than the ordinary one. `auto` leaves it to the account's own settings.
pub fn may_cost_more(tier: &str) -> bool {
    !is_ordinary(tier) && !matches!(tier, "flex" | "batch")
}

/// Says whether a service tier costs more, whatever the account's own settings are.
pub fn costs_more(tier: &str) -> bool {
    may_cost_more(tier) && tier != "auto"
}

/// Says whether a row has a price of a tier that costs more than the ordinary one.
pub fn prices_dearer(row: &PriceRow) -> bool {
    let million = (1_000_000, 1_000_000);
    worst(row, million, true) > worst(row, million, false)
}

fn of(rates: &Rates, prompt: u64, output: u64) -> Pico {
    // A shorter prompt may be billed at a tier that costs more for the answer.
    let reached = rates.above.iter().filter(|(above, _)| prompt > *above).map(|(_, tier)| tier);
    let tiers = std::iter::once(&rates.base).chain(reached);
    let cost = |tier: &Tier| charged(highest_input(tier), prompt).0 + charged(highest_output(tier), output).0;
    Pico(tiers.map(cost).max().unwrap_or(0))
}

/// Returns what tokens cost, rounded up: up to eight buckets may each be rounded by half a pico-dollar.
fn charged(price: PicoPerMillion, tokens: u64) -> Pico {
    if tokens == 0 { Pico::ZERO } else { Pico(price.charge(tokens).0 + 4) }
}

fn highest_input(tier: &Tier) -> PicoPerMillion {
    let others = [
        tier.cache_read,
        tier.write_5m,
        tier.write_1h,
        tier.audio_input,
        tier.audio_cached,
        tier.image_input,
    ];
    others.into_iter().flatten().fold(tier.input, Ord::max)
}

fn highest_output(tier: &Tier) -> PicoPerMillion {
    [tier.reasoning, tier.audio_output, tier.image_output].into_iter().flatten().fold(tier.output, Ord::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::{Terms, Usage, bill};
    use crate::units::Count;
    use proptest::prelude::*;

    fn tier() -> impl Strategy<Value = Tier> {
        let price = || (0i64..50_000_000_000_000).prop_map(PicoPerMillion);
        let some = || proptest::option::of(price());
        (price(), some(), some(), some(), price(), some()).prop_map(
            |(input, cache_read, write_5m, write_1h, output, reasoning)| Tier {
                input,
                cache_read,
                write_5m,
                write_1h,
                output,
                reasoning,
                ..Tier::default()
            },
        )
    }

    proptest! {
        #[test]
        fn no_bill_is_above_it(
            base in tier(), long in tier(), above in 0u64..400_000,
            tokens in proptest::array::uniform4(0u64..200_000), output in 0u64..100_000, part in 0u64..=1000,
        ) {
            let rates = Rates { base, above: vec![(above, long)] };
            let row = PriceRow { standard: rates, ..PriceRow::default() };
            let count = |n: u64| Count::new(n).unwrap();
            let [input, cache_read, write_5m, write_1h] = tokens.map(count);
            let usage = Usage { input, cache_read, write_5m, write_1h, output: count(output), reasoning: count(output * part / 1000) };
            let worst = worst(&row, (tokens.iter().sum(), output), false);
            if let Some(cost) = bill(&usage, &Terms::NONE, Some(&row)).amount() {
                prop_assert!(cost <= worst, "{:?} > {:?}", cost, worst);
            }
        }
    }
}
