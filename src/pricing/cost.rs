//! What an attempt costs, and sums of such costs that keep what is unknown apart.

use std::ops::{AddAssign, SubAssign};

use crate::units::Pico;
use crate::units::words;

/// Why a cost cannot be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unpriced {
    /// The log names no model.
    NoModel,
    /// The price book has no row for the model at that moment, or one that is silent on all cache writes.
    NoPrice,
    /// Tokens of a billed bucket were not reported.
    NoUsage,
    /// The price book has no price for the service tier that served.
    NoTier,
    /// The call is billed by a meter that the price book has no price for.
    NoMeter,
}

words!(Unpriced {
    NoModel = "no_model", NoPrice = "no_price", NoUsage = "no_usage", NoTier = "no_tier",
    NoMeter = "no_meter",
});

impl Unpriced {
    /// Says it in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::NoModel => "no model named",
            Self::NoPrice => "no price in the price book",
            Self::NoUsage => "tokens not reported",
            Self::NoTier => "service tier not in the price book",
            Self::NoMeter => "billed by a meter that is not in the price book",
        }
    }
}

/// What an attempt costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Priced from reported tokens.
    Known(Pico),
    /// Priced from tokens that were assumed or estimated, or by a price that stands in for the right one.
    Estimated(Pico),
    /// Not knowable from what was recorded; never to be read as zero.
    Unknown(Unpriced),
}

impl Cost {
    /// Returns the amount where there is one.
    pub fn amount(self) -> Option<Pico> {
        match self {
            Self::Known(amount) | Self::Estimated(amount) => Some(amount),
            Self::Unknown(_) => None,
        }
    }

    /// Returns the amount where it was told, no estimate: what caps of money go by.
    pub fn known(self) -> Option<Pico> {
        if let Self::Known(amount) = self { Some(amount) } else { None }
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
    /// Returns known and estimated together.
    pub fn total(&self) -> Pico {
        self.known + self.estimated
    }

    /// Says whether nothing but unknown costs is in it: its zero is then no amount.
    pub fn is_unknown(&self) -> bool {
        self.unknown > 0 && self.total() == Pico::ZERO
    }

    /// Writes known and estimated together in dollars; nothing where nothing but unknown costs is in it.
    pub fn usd(&self) -> Option<String> {
        (!self.is_unknown()).then(|| self.total().usd())
    }

    /// Returns the sum over operations whose cost is whole; this is what averages are taken of.
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
        let mut one = Self::default();
        one.add_operation(calls);
        *self -= &one;
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

impl SubAssign<&CostSum> for CostSum {
    fn sub_assign(&mut self, other: &CostSum) {
        self.known -= other.known;
        self.estimated -= other.estimated;
        self.unknown = self.unknown.saturating_sub(other.unknown);
        self.partial -= other.partial;
    }
}
