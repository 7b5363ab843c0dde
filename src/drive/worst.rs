//! The most that a request can cost: every rung its route could escalate to, each at its highest price.
//!
//! A bound, not a guess: the prompt counts as many tokens as its bytes could make, the answer as many as it is allowed.

use crate::pricing::{PriceBook, Rates, Tier};
use crate::routing::Policy;
use crate::units::{Instant, Names, Pico};

/// Tokens that a chat's frame may add to a prompt.
const FRAME: u64 = 64;

/// What a request can cost at most, by prompt and answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Worst {
    /// By price: the models that one request may be billed for, one list for each route it could take.
    Priced(Vec<Vec<Rates>>),
    /// The same for every request, as the operator said.
    Flat(Pico),
}

/// Why the worst case is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorstError {
    /// A model that may serve has no price.
    #[error(
        "no price of `{0}` in the book, so --max-spend cannot be held\nhint: name a book with --prices, or say with --worst USD what one request may cost"
    )]
    NoPrice(String),
    /// `auto/ROUTE` names a route that the policy lacks.
    #[error(
        "the policy has no route `{0}`\nhint: name the gateway's policy with --policy, or give --worst USD"
    )]
    NoRoute(String),
}

impl Worst {
    /// Works out which models a request for `model` may be billed for, by the policy that the gateway is taken to run.
    ///
    /// # Errors
    /// Where one of them has no price.
    pub fn by_price(
        model: &str,
        policy: &Policy,
        names: &Names,
        book: &PriceBook,
        now: Instant,
    ) -> Result<Self, WorstError> {
        let rates = |model: &str| {
            let row = book.find(model).and_then(|prices| prices.dated(now));
            // A run may go on into hours that cost more.
            row.map(|row| row.highest().standard.clone()).ok_or_else(|| WorstError::NoPrice(model.to_owned()))
        };
        let routes = match model.split_once('/') {
            _ if model == "auto" => policy.routes.iter().collect(),
            Some(("auto", route)) => {
                let id = policy.find_route(route).ok_or_else(|| WorstError::NoRoute(route.to_owned()))?;
                vec![policy.route(id)]
            }
            _ => return Ok(Self::Priced(vec![vec![rates(model)?]])),
        };
        let ladder = |route: &crate::routing::Route| {
            route.ladder.iter().map(|rung| rates(names.model(rung.model))).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self::Priced(routes.into_iter().map(ladder).collect::<Result<_, _>>()?))
    }

    /// Returns the most that a request of so many tokens can cost.
    pub fn of(&self, prompt: u64, output: u64) -> Pico {
        match self {
            Self::Flat(amount) => *amount,
            Self::Priced(routes) => {
                let ladder = |rungs: &Vec<Rates>| {
                    rungs.iter().map(|rates| most_expensive(rates, prompt, output)).sum()
                };
                routes.iter().map(ladder).max().unwrap_or(Pico::ZERO)
            }
        }
    }
}

/// The prompt may turn out shorter than its bound, so every tier up to there counts.
fn most_expensive(rates: &Rates, prompt: u64, output: u64) -> Pico {
    let tiers = rates.above.iter().filter(|(above, _)| prompt > *above).map(|(_, tier)| tier);
    let cost = |tier: &Tier| {
        let input =
            [Some(tier.input), tier.cache_read, tier.write_5m, tier.write_1h].into_iter().flatten().max();
        let answer = [Some(tier.output), tier.reasoning].into_iter().flatten().max();
        input.unwrap_or_default().charge(prompt) + answer.unwrap_or_default().charge(output)
    };
    tiers.chain([&rates.base]).map(cost).max().unwrap_or(Pico::ZERO)
}

/// Returns a number of tokens that a text cannot exceed: whatever the tokenizer, a token is no less than a byte. Prose is a
/// fourth of that; what is held too much comes back with the answer.
pub fn prompt_bound(text: &str) -> u64 {
    text.len() as u64 + FRAME
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{policy, prices};

    fn builtin() -> (Policy, Names, PriceBook) {
        let mut names = Names::default();
        let policy = policy::parse(policy::BUILTIN, "built-in", &mut names).unwrap();
        (policy, names, prices::builtin("list").unwrap())
    }

    #[test]
    fn auto_counts_every_rung_of_the_most_expensive_route() {
        let (policy, names, book) = builtin();
        let now = Instant::parse("2026-11-23T00:00:00Z").unwrap();
        let worst = |model: &str| Worst::by_price(model, &policy, &names, &book, now);
        let auto = worst("auto").unwrap().of(1000, 500);
        for route in &policy.routes {
            let one = worst(&format!("auto/{}", route.name)).unwrap().of(1000, 500);
            let alone: Pico =
                route.ladder.iter().map(|rung| worst(names.model(rung.model)).unwrap().of(1000, 500)).sum();
            assert_eq!(one, alone, "an escalation is billed on every rung");
            assert!(one <= auto);
        }
        assert_eq!(worst("house-model"), Err(WorstError::NoPrice("house-model".into())));
        assert_eq!(worst("auto/nowhere"), Err(WorstError::NoRoute("nowhere".into())));
    }

    #[test]
    fn the_bound_lies_above_what_tokenizers_count() {
        let tokenizer = tiktoken_rs::o200k_base().unwrap();
        let filler = super::super::filler(3, 300);
        for text in [
            "",
            "x y z q w v",
            "naïve Größe 漢字 🚂🚦",
            "a1b2c3 9f8e7d {\"k\":[1,2]}",
            "zqxjkvbw pfgq",
            &filler,
        ] {
            let counted = tokenizer.encode_ordinary(text).len() as u64;
            assert!(prompt_bound(text) >= counted + FRAME, "{text}: {counted}");
        }
    }
}
