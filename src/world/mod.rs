//! A world that is not as it was: other prices, providers that fail or are slow, quotas, caches and limits from one moment to
//! another, and traffic that comes besides.
//!
//! Invariants: a fold over the order of requests, by a seed and without clock or float, so that one file gives the same figures
//! on every machine; what a world does not speak of stays as it was.

mod sky;

use std::collections::BTreeMap;

use crate::budget::Limit;
use crate::pricing::{PriceRow, PriceTable, Rates, Tier};
use crate::routing::Status;
use crate::runaway::Rule;
use crate::units::{Instant, ModelId, PerMille, Pico, Span, When};
pub use sky::{Seen, Sky};

/// A world, as its file has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    /// What it is, in one line.
    pub title: String,
    /// What is assumed, for people.
    pub about: String,
    /// What chance is drawn from.
    pub seed: u64,
    /// Where the log's first request is moved to, and all others with it.
    pub starts: Option<Instant>,
    /// What changes.
    pub changes: Vec<Change>,
    /// Traffic that comes besides.
    pub repeats: Vec<Repeat>,
    /// Budgets that are in force throughout; none where those of the log are.
    pub limits: Option<Vec<Limit>>,
    /// Rules against runaways that are in force; none where nobody is watched.
    pub rules: Vec<Rule>,
    /// Amounts of budgets that change on the way.
    pub amounts: Vec<Amount>,
    /// When a model that keeps failing is left alone.
    pub breaker: Breaker,
    /// What is tried in this world beside the policy of the log.
    pub branches: Vec<Branch>,
}

/// A moment of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A moment, or a time of day near its start.
    At(When),
    /// So long after its first request.
    After(Span),
}

/// From when to when something is otherwise; open where not told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    /// The first moment.
    pub from: Option<Moment>,
    /// The first moment after it.
    pub to: Option<Moment>,
}

impl Stretch {
    /// Returns the moments, in a world that starts at one: nothing is otherwise before it.
    pub fn within(&self, start: Instant) -> (Instant, Instant) {
        let at = |moment: Option<Moment>, open: i64| match moment {
            None => Instant(open),
            Some(Moment::At(when)) => when.near_start(start),
            Some(Moment::After(span)) => start + span,
        };
        let (from, to) = (at(self.from, i64::MIN).max(start), at(self.to, i64::MAX));
        // A time of day that is no later than the one before it is meant on the next day.
        if to <= from && matches!(self.to, Some(Moment::At(When::Clock(_)))) {
            (from, to + Span::days(1))
        } else {
            (from, to)
        }
    }
}

/// Which models.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Models {
    /// Their names; one that ends in `*` stands for all that begin so.
    pub names: Vec<String>,
    /// Who serves them, as price books call them.
    pub providers: Vec<String>,
}

impl Models {
    /// Says whether a model is meant; where nothing is named, each is.
    pub fn take(&self, name: &str, provider: Option<&str>) -> bool {
        let is_match = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == pattern,
        };
        let serves = |known: &String| provider == Some(known.as_str());
        let names_nothing = self.names.is_empty() && self.providers.is_empty();
        names_nothing || self.names.iter().any(is_match) || self.providers.iter().any(serves)
    }
}

/// Something that is otherwise for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub stretch: Stretch,
    /// At which models.
    pub models: Models,
    /// What.
    pub what: What,
}

/// What is otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The price.
    Price(Quote),
    /// So many calls of a thousand fail, in this way, after so many milliseconds.
    Fails(PerMille, Status, u32),
    /// Calls take so many thousandths of their time.
    Slow(u32),
    /// No more than so many calls in each of these.
    Quota(u32, Span),
    /// What a session sent is forgotten so long after it was last sent.
    Cache(Span),
}

/// Another price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quote {
    /// So many thousandths of the one there is.
    Times(u32),
    /// This one.
    Is(Box<Tier>),
}

/// Requests like one of the log, again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repeat {
    /// When.
    pub stretch: Stretch,
    /// The request's id; the first that fits where not told.
    pub like: Option<String>,
    /// Of which team; of any where not told.
    pub team: Option<String>,
    /// Of which kind of work; of any where not told.
    pub task: Option<String>,
    /// How many.
    pub times: u32,
    /// From one to the next.
    pub every: Span,
    /// How many tokens the prompt grows by from one to the next.
    pub grows: u32,
    /// The session they are of.
    pub session: String,
}

/// The amount of a budget from a moment on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount {
    /// When it is in force.
    pub stretch: Stretch,
    /// The limit: `company/day`.
    pub limit: String,
    /// How much.
    pub amount: Pico,
}

/// When a model that keeps failing is left alone, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// After so many failures in a row.
    pub failures: u32,
    /// For so long, before one call tries again.
    pub cool_down: Span,
}

impl Default for Breaker {
    fn default() -> Self {
        // As providers have it where nothing else is said.
        Self { failures: 5, cool_down: Span::secs(15) }
    }
}

/// Something that is tried in a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// What it is called.
    pub name: String,
    /// A policy file; that of the log where not told.
    pub policy: Option<String>,
    /// Thresholds that are moved: `extraction.flash=588`.
    pub set: Vec<String>,
    /// Whether budgets are in force.
    pub budgets: bool,
    /// Whether rules against runaways are.
    pub runaways: bool,
}

impl World {
    /// Returns the stretch from the first change to the end of the last, in a log of these bounds; none where nothing changes.
    pub fn incident(&self, (start, end): (Instant, Instant)) -> Option<(Instant, Instant)> {
        let changes = self.changes.iter().map(|change| change.stretch.within(start));
        let repeats = self.repeats.iter().map(|repeat| {
            let (from, to) = repeat.stretch.within(start);
            let first = from.max(start);
            let long = repeat.every.0.saturating_mul(i64::from(repeat.times));
            (first, to.min(Instant(first.0.saturating_add(long).saturating_add(1))))
        });
        let amounts = self.amounts.iter().map(|amount| amount.stretch.within(start));
        let all = changes.chain(repeats).chain(amounts);
        let (from, to) = all.reduce(|all, one| (all.0.min(one.0), all.1.max(one.1)))?;
        Some((from.max(start), to.min(Instant(end.0.saturating_add(1)))))
    }

    /// Returns the prices of this world, in a log that starts at a moment. `is_it` says which models a change is about.
    pub fn prices(
        &self,
        prices: &PriceTable,
        start: Instant,
        is_it: impl Fn(&Models, ModelId) -> bool,
    ) -> PriceTable {
        let mut changed = prices.clone();
        for Change { stretch, models, what } in &self.changes {
            let What::Price(quote) = what else { continue };
            let (from, to) = stretch.within(start);
            for index in 0..prices.len() {
                let Ok(model) = u16::try_from(index).map(ModelId) else { break };
                if prices.identity(model) == model && is_it(models, model) {
                    quote.lay(&mut changed, model, (from, to));
                }
            }
        }
        changed
    }
}

impl Quote {
    /// Puts this price in force for a while.
    fn lay(&self, prices: &mut PriceTable, model: ModelId, (from, to): (Instant, Instant)) {
        let before = prices.rows(model).to_vec();
        let at = |moment: Instant| before.iter().rev().find(|row| row.from.is_none_or(|from| from <= moment));
        let within = |row: &&PriceRow| row.from.is_some_and(|start| start > from && start < to);
        let starts = before.iter().filter(within).filter_map(|row| row.from);
        for start in std::iter::once(from).chain(starts) {
            let row = match self {
                Self::Times(thousandths) => at(start).map(|row| row.times(*thousandths)),
                Self::Is(tier) => Some(PriceRow {
                    standard: Rates { base: **tier, above: Vec::new() },
                    tiers: BTreeMap::new(),
                    batch: None,
                    scheduled: Vec::new(),
                    ..at(start).cloned().unwrap_or_default()
                }),
            };
            if let Some(row) = row {
                prices.change(model, row.starting(Some(start)));
            }
        }
        if let Some(row) = at(to).filter(|_| to < Instant(i64::MAX)) {
            prices.change(model, row.clone().starting(Some(to)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::Hours;
    use crate::units::PicoPerMillion;

    /// A world that makes a price dearer makes its hours dearer; one that names a price has no other in any hour.
    #[test]
    fn another_price_holds_in_every_hour_and_gives_the_old_ones_back() {
        let base = Tier { input: PicoPerMillion(1_000), output: PicoPerMillion(1_000), ..Tier::default() };
        let row = PriceRow { standard: Rates { base, above: Vec::new() }, ..PriceRow::default() };
        let hours = Hours::parse("01:00-02:00", "").unwrap();
        let mut table = PriceTable::default();
        table.change(ModelId(0), row.schedule(vec![(hours, 2_000)]).unwrap());
        let day = |days: i64| Moment::At(When::At(Instant(0) + Span::days(days)));
        let stretch = Stretch { from: Some(day(1)), to: Some(day(2)) };
        let input = |quote: Quote, minutes: i64| {
            let change = Change { stretch, models: Models::default(), what: What::Price(quote) };
            let world = World { changes: vec![change], ..World::default() };
            let prices = world.prices(&table, Instant(0), |_, _| true);
            prices.row(ModelId(0), Instant(minutes * 60_000_000)).unwrap().standard.base.input.0
        };
        let times = |minutes| input(Quote::Times(3_000), minutes);
        assert_eq!([60, 1440, 1500, 1560, 2940, 3000].map(times), [2_000, 3_000, 6_000, 3_000, 2_000, 1_000]);
        let named = Tier { input: PicoPerMillion(7), ..base };
        let is = |minutes| input(Quote::Is(Box::new(named)), minutes);
        assert_eq!([60, 1440, 1500, 1560, 2940].map(is), [2_000, 7, 7, 7, 2_000]);
    }
}
