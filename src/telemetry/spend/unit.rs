//! What one unit costs: a request, a session, a task, an answer that was good; retries, escalations and failures inside.
//!
//! Invariant: the costs of all rows add up to that of the whole, to the pico-dollar; an outcome that nobody judged is none.

use rustc_hash::FxHashMap;

use super::super::Sign;
use super::super::sign::{Summed as _, sums};
use super::{Dimension, Value};
use crate::outcome::{Evidence, Outlook, Settled};
use crate::pricing::{Cost, CostSum, PriceTable};
use crate::units::{NameTable, Names, PerMille, Pico, SessionId};

sums! {
    /// The sums of one row.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct UnitCell {
        /// Requests.
        pub requests: u64,
        /// Sessions that have a request in it.
        pub sessions: u64,
        /// Those of them whose requests all have a cost.
        pub priced_sessions: u64,
        /// What those cost.
        pub session_cost: Pico,
        /// What all requests cost.
        pub cost: CostSum,
        /// Of it: calls to another model before the one that ended the request.
        pub escalation: Pico,
        /// Of it: earlier calls to the model that ended it.
        pub retries: Pico,
        /// Of it: requests that ended without an answer, as a whole.
        pub wasted: Pico,
        /// Requests that ended without an answer.
        pub failed: u64,
        /// Requests with a cost whose outcome is known: judged by a label, or failed.
        pub judged: u64,
        /// Those that were good.
        pub good: u64,
        /// What requests of known outcome cost, failures included.
        pub judged_cost: Pico,
    }
}

impl UnitCell {
    fn add(&mut self, settled: &Settled, prices: &PriceTable, good: PerMille) {
        self.requests += 1;
        self.cost.add_operation(settled.costs());
        let failed = !settled.status.is_ok();
        self.failed += u64::from(failed);
        if let Some(last) = settled.attempts.last() {
            for call in settled.attempts.iter().rev().skip(1) {
                let amount = call.cost.amount().unwrap_or(Pico::ZERO);
                let again = prices.same(call.model, last.model);
                *(if again { &mut self.retries } else { &mut self.escalation }) += amount;
            }
        }
        if failed {
            self.wasted += settled.costs().filter_map(Cost::amount).sum();
        }
        if let (true, Some(cost)) = (failed || settled.quality.is_some(), settled.cost.amount()) {
            self.judged += 1;
            self.judged_cost += cost;
            self.good += u64::from(!failed && settled.quality.is_some_and(|quality| quality >= good));
        }
    }

    /// Adds the sums of another row.
    pub fn merge(&mut self, other: &Self) {
        self.sum(other, Sign::Plus);
    }

    /// Returns the cost of so many requests, of those with a cost; none where none has one.
    pub fn per_requests(&self, so_many: u64) -> Option<Pico> {
        let priced = self.requests.saturating_sub(self.cost.unknown);
        (priced > 0).then(|| self.cost.whole().proportion([so_many], [priced]))
    }

    /// Returns the cost of a session, of those whose requests all have a cost; none where there is none.
    pub fn per_session(&self) -> Option<Pico> {
        (self.priced_sessions > 0).then(|| self.session_cost.proportion([1], [self.priced_sessions]))
    }

    /// Returns the cost of a good answer, what was spent on bad ones and failures inside; none where no label says that any
    /// was good.
    pub fn per_good(&self) -> Option<Pico> {
        (self.good > 0).then(|| self.judged_cost.proportion([1], [self.good]))
    }
}

/// Unit costs by some dimensions of the request.
#[derive(Clone, Debug, Default)]
pub struct Unit {
    /// The dimensions.
    pub by: Vec<Dimension>,
    /// The whole.
    pub all: UnitCell,
    /// The rows.
    pub rows: FxHashMap<Vec<Value>, UnitCell>,
    good: PerMille,
    /// What each session cost in each row, and in all of them: its requests with a cost, and whether there are others.
    met: FxHashMap<(Vec<Value>, SessionId), Option<Met>>,
    sessions: FxHashMap<SessionId, Option<Met>>,
}

/// A session so far.
#[derive(Clone, Copy, Debug, Default)]
struct Met {
    cost: Pico,
    unpriced: bool,
}

impl Met {
    /// Takes a request of the session in, and brings the sums over sessions up to it.
    fn add(met: &mut Option<Self>, cost: Option<Pico>, sums: &mut UnitCell) {
        let before = met.take();
        let mut now = before.unwrap_or_default();
        now.cost += cost.unwrap_or(Pico::ZERO);
        now.unpriced |= cost.is_none();
        sums.sessions += u64::from(before.is_none());
        if let Some(before) = before.filter(|before| !before.unpriced) {
            sums.priced_sessions -= 1;
            sums.session_cost -= before.cost;
        }
        if !now.unpriced {
            sums.priced_sessions += 1;
            sums.session_cost += now.cost;
        }
        *met = Some(now);
    }
}

impl Unit {
    /// The least quality that counts as good unless told otherwise.
    pub const GOOD: u16 = 500;

    /// Starts with nothing. An answer is good from this quality on.
    pub fn new(by: Vec<Dimension>, good: PerMille) -> Self {
        Self { by, good, ..Self::default() }
    }

    /// Adds a settled operation.
    pub fn add(&mut self, evidence: &Evidence<'_>, settled: &Settled, outlook: &Outlook<'_>) {
        let prices = outlook.prices;
        let tags = outlook.circumstances.get(evidence.operation.circumstance).tags;
        let session = evidence.operation.session;
        let key: Vec<Value> = self.by.iter().map(|by| by.of((evidence, tags), &[], settled, 0)).collect();
        let cost = settled.cost.amount();
        self.all.add(settled, prices, self.good);
        if session.is_some() {
            Met::add(self.sessions.entry(session).or_default(), cost, &mut self.all);
        }
        let cell = self.rows.entry(key.clone()).or_default();
        cell.add(settled, prices, self.good);
        if session.is_some() {
            Met::add(self.met.entry((key, session)).or_default(), cost, cell);
        }
    }

    /// Lists the rows by name, the most expensive first.
    pub fn named(&self, names: &Names) -> Vec<(Vec<String>, UnitCell)> {
        let providers = NameTable::default();
        let text = |key: &[Value]| {
            self.by.iter().zip(key).map(|(by, value)| by.text(*value, names, &providers)).collect::<Vec<_>>()
        };
        let mut rows: Vec<_> = self.rows.iter().map(|(key, cell)| (text(key), *cell)).collect();
        crate::units::sort_by(&mut rows, |(one, a), (other, b)| {
            (b.cost.total(), b.requests).cmp(&(a.cost.total(), a.requests)).then_with(|| one.cmp(other))
        });
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Attempt, Operation};
    use crate::pricing::Usage;
    use crate::routing::{Check, Status};
    use crate::units::{Millis, ModelId, TeamId};
    use proptest::prelude::*;

    fn call((model, status, cost): (u16, u8, Option<i64>)) -> Attempt {
        let unknown = Cost::Unknown(crate::pricing::Unpriced::NoPrice);
        Attempt {
            model: ModelId(model),
            usage: Usage::NONE,
            cost: cost.map_or(unknown, |cost| Cost::Known(Pico(cost.into()))),
            latency: Millis::UNKNOWN,
            waited: 0,
            status: [Status::Ok, Status::Timeout][usize::from(status)],
            check: Check::None,
            observed: true,
            spread: crate::outcome::Spread::NONE,
        }
    }

    proptest! {
        #[test]
        fn units_add_up_to_the_whole(
            requests in prop::collection::vec(
                (0u16..3, 0u32..4, proptest::option::of(0u16..=1000),
                    prop::collection::vec((0u16..2, 0u8..2, proptest::option::weighted(0.9, 0i64..1_000_000)), 1..4)),
                0..40,
            ),
        ) {
            let (prices, profiles, circumstances) = Default::default();
            let outlook = Outlook { prices: &prices, profiles: &profiles, circumstances: &circumstances, weather: None };
            let mut unit = Unit::new(vec![Dimension::Team], PerMille::clamped(500));
            let mut whole = Pico::ZERO;
            for (team, session, quality, calls) in &requests {
                let operation = Operation { team: TeamId(*team), session: SessionId(*session), ..Operation::default() };
                let mut settled = Settled::default();
                settled.cost = Cost::Known(Pico::ZERO);
                for one in calls {
                    settled.push(call(*one));
                }
                settled.quality = quality.and_then(PerMille::new);
                whole += settled.costs().filter_map(Cost::amount).sum();
                unit.add(&Evidence { operation: &operation, extra: None }, &settled, &outlook);
            }
            let mut sum = UnitCell::default();
            for cell in unit.rows.values() {
                sum.merge(cell);
            }
            // A session may ask for several teams: it is one of all, and one of each.
            prop_assert!(sum.sessions >= unit.all.sessions);
            (sum.sessions, sum.priced_sessions) = (unit.all.sessions, unit.all.priced_sessions);
            sum.session_cost = unit.all.session_cost;
            prop_assert_eq!(sum, unit.all);
            prop_assert_eq!(unit.all.cost.total(), whole, "what is known of any request is in the sum");
            prop_assert!(unit.all.escalation + unit.all.retries <= whole);
            prop_assert!(unit.all.good <= unit.all.judged);
        }
    }
}
