//! What one unit costs: a request, a session, a task, an answer that was good; retries, escalations and failures inside.
//!
//! Invariant: the costs of all rows add up to that of the whole, to the pico-dollar; an outcome that nobody judged is none.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Dimension, Value};
use crate::outcome::{Evidence, Settled};
use crate::pricing::{Cost, CostSum, PriceTable};
use crate::units::{NameTable, Names, PerMille, Pico, SessionId};

/// The sums of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnitCell {
    /// Requests.
    pub requests: u64,
    /// Sessions that have a request in it.
    pub sessions: u64,
    /// Requests that name a session.
    pub in_sessions: u64,
    /// What all requests cost.
    pub cost: CostSum,
    /// What requests of a session cost.
    pub session_cost: CostSum,
    /// Of it: calls to another model before the one that ended the request.
    pub escalation: Pico,
    /// Of it: earlier calls to the model that ended it.
    pub retries: Pico,
    /// Of it: requests that ended without an answer, as a whole.
    pub wasted: Pico,
    /// Requests that ended without an answer.
    pub failed: u64,
    /// Requests whose outcome is known: judged by a label, or failed.
    pub judged: u64,
    /// Those that were good.
    pub good: u64,
    /// What requests of known outcome cost, failures included.
    pub judged_cost: CostSum,
}

impl UnitCell {
    fn add(&mut self, settled: &Settled, session: SessionId, prices: &PriceTable, good: PerMille) {
        self.requests += 1;
        self.cost.add_operation(settled.costs());
        if session.is_some() {
            self.in_sessions += 1;
            self.session_cost.add_operation(settled.costs());
        }
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
        if failed || settled.quality.is_some() {
            self.judged += 1;
            self.judged_cost.add_operation(settled.costs());
            self.good += u64::from(!failed && settled.quality.is_some_and(|quality| quality >= good));
        }
    }

    /// Adds the sums of another row.
    pub fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.sessions += other.sessions;
        self.in_sessions += other.in_sessions;
        self.cost += &other.cost;
        self.session_cost += &other.session_cost;
        self.escalation += other.escalation;
        self.retries += other.retries;
        self.wasted += other.wasted;
        self.failed += other.failed;
        self.judged += other.judged;
        self.good += other.good;
        self.judged_cost += &other.judged_cost;
    }

    /// Returns the cost of so many requests, of those with a cost; none where none has one.
    pub fn per_requests(&self, so_many: u64) -> Option<Pico> {
        let priced = self.requests.saturating_sub(self.cost.unknown);
        (priced > 0).then(|| self.cost.whole().proportion([so_many], [priced]))
    }

    /// Returns the cost of a session; none where no request names one, or the cost of one is unknown.
    pub fn per_session(&self) -> Option<Pico> {
        let told = self.sessions > 0 && self.session_cost.unknown == 0;
        told.then(|| self.session_cost.total().proportion([1], [self.sessions]))
    }

    /// Returns the cost of a good answer, what was spent on bad ones and failures inside; none where no label says that any
    /// was good, or a cost is unknown.
    pub fn per_good(&self) -> Option<Pico> {
        let told = self.good > 0 && self.judged_cost.unknown == 0;
        told.then(|| self.judged_cost.total().proportion([1], [self.good]))
    }
}

/// Unit costs by some dimensions of the request.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The dimensions.
    pub by: Vec<Dimension>,
    /// The whole.
    pub all: UnitCell,
    /// The rows.
    pub rows: FxHashMap<Vec<Value>, UnitCell>,
    good: PerMille,
    met: FxHashSet<(Vec<Value>, SessionId)>,
    sessions: FxHashSet<SessionId>,
}

impl Unit {
    /// The least quality that counts as good unless told otherwise.
    pub const GOOD: u16 = 500;

    /// Starts with nothing. An answer is good from this quality on.
    pub fn new(by: Vec<Dimension>, good: PerMille) -> Self {
        Self {
            by,
            all: UnitCell::default(),
            rows: FxHashMap::default(),
            good,
            met: FxHashSet::default(),
            sessions: FxHashSet::default(),
        }
    }

    /// Adds a settled operation.
    pub fn add(&mut self, evidence: &Evidence<'_>, settled: &Settled, prices: &PriceTable) {
        let session = evidence.operation.session;
        let key: Vec<Value> = self.by.iter().map(|by| by.of(evidence, &[], settled, 0)).collect();
        self.all.add(settled, session, prices, self.good);
        if session.is_some() {
            self.all.sessions += u64::from(self.sessions.insert(session));
        }
        let new = session.is_some() && self.met.insert((key.clone(), session));
        let cell = self.rows.entry(key).or_default();
        cell.add(settled, session, prices, self.good);
        cell.sessions += u64::from(new);
    }

    /// Lists the rows by name, the most expensive first.
    pub fn named(&self, names: &Names) -> Vec<(Vec<String>, UnitCell)> {
        let providers = NameTable::default();
        let text = |key: &[Value]| {
            self.by.iter().zip(key).map(|(by, value)| by.text(*value, names, &providers)).collect::<Vec<_>>()
        };
        let mut rows: Vec<_> = self.rows.iter().map(|(key, cell)| (text(key), *cell)).collect();
        rows.sort_by(|(one, a), (other, b)| {
            (b.cost.total(), b.requests).cmp(&(a.cost.total(), a.requests)).then_with(|| one.cmp(other))
        });
        rows
    }
}
