//! Charges by meter: what was consumed of each at which unit price, over stretches of time.
//!
//! Invariant: the amounts of all sums, the rounded and the plain, add up to known and estimated cost together, but for
//! calls that were made up in a provider's place: nobody bills them.

use rustc_hash::FxHashMap;

use super::{Period, Value};
use crate::outcome::{Evidence, Settled};
use crate::pricing::{Cost, Item, PriceTable, Unpriced, items};
use crate::units::{Instant, ModelId, NameTable, Pico, PicoPerMillion, ProjectId, RouteTag, TagsId, TeamId};

/// The most sums that are kept apart; what comes then is summed without team, project, route and tags.
const MOST: usize = 1_000_000;
/// The most names of meters and tiers.
const MOST_NAMES: usize = 1024;

/// What was consumed: of a meter at its unit price, or calls with an amount that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metered {
    /// A meter, by its number, and its price for a million.
    Priced(u32, PicoPerMillion),
    /// Calls whose amount is told as a whole, or is an estimate without a unit price.
    Whole,
}

/// What makes charges one sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MeterKey {
    /// The start of the stretch of time.
    pub start: Instant,
    /// The team.
    pub team: TeamId,
    /// The project.
    pub project: ProjectId,
    /// The route.
    pub route: RouteTag,
    /// Its tags.
    pub tags: TagsId,
    /// The model whose price it is.
    pub model: ModelId,
    /// Who served it.
    pub provider: Value,
    /// The service tier, by its number; the ordinary one has the empty name.
    pub tier: u32,
    /// What was consumed.
    pub metered: Metered,
    /// Whether the cost is an estimate.
    pub estimated: bool,
}

/// A sum of charges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeterSum {
    /// How much of the meter.
    pub quantity: u64,
    /// Calls with a charge in it.
    pub calls: u64,
    /// What they come to.
    pub amount: Pico,
}

/// Charges by meter.
#[derive(Clone, Debug)]
pub struct Meters {
    /// The stretches of time.
    pub period: Period,
    /// The sums.
    pub sums: FxHashMap<MeterKey, MeterSum>,
    /// Names of meters and tiers.
    pub names: NameTable,
    /// Calls of unknown cost, which are in no sum, by why.
    pub unknown: [u64; Unpriced::ALL.len()],
    /// Calls that were made up in a provider's place, which are in no sum.
    pub made_up: u64,
}

impl Meters {
    pub(super) fn new(period: Period) -> Self {
        Self {
            period,
            sums: FxHashMap::default(),
            names: NameTable::default(),
            unknown: [0; Unpriced::ALL.len()],
            made_up: 0,
        }
    }

    pub(super) fn add(
        &mut self,
        (evidence, tags): (&Evidence<'_>, TagsId),
        listed: &[Value],
        settled: &Settled,
        prices: &PriceTable,
    ) {
        let operation = evidence.operation;
        let start = self.period.start(operation.at);
        for (at, (seen, attempt)) in evidence.seen().zip(&settled.attempts).enumerate() {
            if evidence.is_unbilled(at) {
                self.made_up += 1;
                continue;
            }
            let (amount, estimated) = match attempt.cost {
                Cost::Known(amount) => (amount, false),
                Cost::Estimated(amount) => (amount, true),
                Cost::Unknown(why) => {
                    self.unknown[why as usize] += 1;
                    continue;
                }
            };
            let billed = if seen.call.billed.is_some() { seen.call.billed } else { attempt.model };
            let key = MeterKey {
                start,
                team: operation.team,
                project: operation.project,
                route: settled.tag,
                tags,
                model: billed,
                provider: attempt
                    .model
                    .index()
                    .and_then(|model| listed.get(model))
                    .copied()
                    .unwrap_or_default(),
                tier: self.names.intern(seen.terms.tier(), MOST_NAMES),
                metered: Metered::Whole,
                estimated,
            };
            let cut = prices.row(billed, operation.at).and_then(|row| items(&attempt.usage, seen.terms, row));
            match cut.filter(|items| items.iter().map(Item::amount).sum::<Pico>() == amount) {
                Some(items) => {
                    for item in items {
                        let metered = Metered::Priced(self.names.intern(item.meter, MOST_NAMES), item.price);
                        let amount = item.amount();
                        self.slot(MeterKey { metered, ..key }).take(item.quantity, amount);
                    }
                }
                None if amount == Pico::ZERO => {}
                None => self.slot(key).take(1, amount),
            }
        }
    }

    fn slot(&mut self, key: MeterKey) -> &mut MeterSum {
        let key = if self.sums.len() < MOST || self.sums.contains_key(&key) {
            key
        } else {
            let (team, project, tags) = (TeamId::NONE, ProjectId::NONE, TagsId::NONE);
            MeterKey { team, project, tags, route: RouteTag::NONE, ..key }
        };
        self.sums.entry(key).or_default()
    }
}

impl MeterSum {
    fn take(&mut self, quantity: u64, amount: Pico) {
        self.quantity = self.quantity.saturating_add(quantity);
        self.calls += 1;
        self.amount += amount;
    }
}
