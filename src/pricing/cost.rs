//! What an attempt costs, and sums of such costs that keep what is unknown apart.

use std::ops::AddAssign;

use super::{Rates, Usage};
use crate::units::Pico;

/// Why a cost cannot be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unpriced {
    /// The log names no model.
    NoModel,
    /// The price book has no row for the model at that moment.
    NoPrice,
    /// Tokens of a billed bucket were not reported.
    NoUsage,
}

impl Unpriced {
    /// Says it in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::NoModel => "no model named",
            Self::NoPrice => "model not in the price book",
            Self::NoUsage => "tokens not reported",
        }
    }
}

/// What an attempt costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Priced from reported tokens.
    Known(Pico),
    /// Priced from tokens that were assumed or estimated.
    Estimated(Pico),
    /// Not knowable from what was recorded; never to be read as zero.
    Unknown(Unpriced),
}

impl Cost {
    /// Gives the amount where there is one.
    pub fn amount(self) -> Option<Pico> {
        match self {
            Self::Known(amount) | Self::Estimated(amount) => Some(amount),
            Self::Unknown(_) => None,
        }
    }

    /// Marks a known cost as resting on an assumption.
    #[must_use]
    pub fn as_estimate(self) -> Self {
        match self {
            Self::Known(amount) => Self::Estimated(amount),
            other => other,
        }
    }

    /// Adds two costs of one operation: unknown wins over estimated, estimated over known.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown(why), _) | (_, Self::Unknown(why)) => Self::Unknown(why),
            (Self::Known(a), Self::Known(b)) => Self::Known(a + b),
            (Self::Known(a) | Self::Estimated(a), Self::Known(b) | Self::Estimated(b)) => {
                Self::Estimated(a + b)
            }
        }
    }
}

/// Prices usage at given rates. An empty bucket needs no price; a cached prompt without a cache price is billed as input.
pub fn charge(usage: &Usage, rates: Option<&Rates>) -> Cost {
    let nothing = usage.is_complete() && usage.prompt() == Some(0) && usage.output.or_zero() == 0;
    if nothing {
        return Cost::Known(Pico::ZERO);
    }
    let Some(rates) = rates else { return Cost::Unknown(Unpriced::NoPrice) };
    let (Some(prompt), Some(output)) = (usage.prompt(), usage.output.get()) else {
        return Cost::Unknown(Unpriced::NoUsage);
    };
    let tier = rates.for_prompt(prompt);
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
    if usage.write_1h.or_zero() > 0 && tier.write_1h.is_none() && tier.write_5m.is_some() {
        return Cost::Estimated(total);
    }
    Cost::Known(total)
}

/// A sum of costs with its parts told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct CostSum {
    /// The sum of known costs.
    pub known: Pico,
    /// The sum of estimated costs.
    pub estimated: Pico,
    /// How many costs could not be known and are in neither sum.
    pub unknown: u64,
    /// The part of both sums that belongs to operations counted in `unknown`: what is known of them.
    pub partial: Pico,
}

impl CostSum {
    /// Gives known and estimated together.
    pub fn total(&self) -> Pico {
        self.known + self.estimated
    }

    /// Gives the sum over operations whose cost is whole; this is what averages are taken of.
    pub fn whole(&self) -> Pico {
        self.total() - self.partial
    }

    /// Adds one cost.
    pub fn add(&mut self, cost: Cost) {
        match cost {
            Cost::Known(amount) => self.known += amount,
            Cost::Estimated(amount) => self.estimated += amount,
            Cost::Unknown(_) => self.unknown += 1,
        }
    }

    /// Adds an operation's calls: each known or estimated call to its sum, the operation once to `unknown` where any of
    /// its calls has an unknown cost. What is known of it is not lost, and sums by call equal sums by operation.
    pub fn add_operation(&mut self, calls: impl Iterator<Item = Cost>) {
        let before = self.total();
        let mut unknown = false;
        for cost in calls {
            match cost {
                Cost::Unknown(_) => unknown = true,
                cost => self.add(cost),
            }
        }
        if unknown {
            self.unknown += 1;
            self.partial += self.total() - before;
        }
    }

    /// Takes an operation's calls away again.
    pub fn remove_operation(&mut self, calls: impl Iterator<Item = Cost>) {
        let before = self.total();
        let mut unknown = false;
        for cost in calls {
            match cost {
                Cost::Unknown(_) => unknown = true,
                cost => self.remove(cost),
            }
        }
        if unknown {
            self.unknown = self.unknown.saturating_sub(1);
            self.partial -= before - self.total();
        }
    }

    /// Takes one cost away again.
    pub fn remove(&mut self, cost: Cost) {
        match cost {
            Cost::Known(amount) => self.known -= amount,
            Cost::Estimated(amount) => self.estimated -= amount,
            Cost::Unknown(_) => self.unknown = self.unknown.saturating_sub(1),
        }
    }
}

impl AddAssign<&CostSum> for CostSum {
    fn add_assign(&mut self, other: &CostSum) {
        self.known += other.known;
        self.estimated += other.estimated;
        self.unknown += other.unknown;
        self.partial += other.partial;
    }
}
