//! Spend by any list of dimensions, and by meter.
//!
//! Invariants: the rows of a table whose dimensions belong to the request add up to the whole in every count, those by model
//! or provider in calls, tokens and money; what has no row of its own is in the row of the others; nothing is rounded.

mod cell;
mod dimension;
mod meters;
mod unit;

pub use cell::SpendCell;
pub use dimension::{Dimension, Period, Value};
pub use meters::{MeterKey, MeterSum, Metered, Meters};
pub use unit::{Unit, UnitCell};

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::outcome::{Evidence, Outlook, Settled};
use crate::pricing::PriceBook;
use crate::units::{Instant, NameTable, Names};

/// What is asked of a pass over traffic.
#[derive(Clone, Debug, Default)]
pub struct SpendOptions {
    /// The tables, each by its dimensions.
    pub tables: Vec<Vec<Dimension>>,
    /// The most rows of a table; the rest is one row.
    pub most: usize,
    /// The length of the stretches that meters are summed over, where they are asked for.
    pub meters: Option<Period>,
    /// Whether calls are left out that no provider bills, as they were made up.
    pub billed_only: bool,
}

impl SpendOptions {
    /// The most rows that a table has unless told otherwise.
    pub const MOST: usize = 100_000;

    /// Says whether a table has a dimension.
    pub fn has(&self, dimension: &Dimension) -> bool {
        self.tables.iter().any(|table| table.contains(dimension))
    }

    /// Lists the tags that tables are told apart by.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().flatten().filter_map(Dimension::tag)
    }
}

/// The sums of one table.
#[derive(Clone, Debug, Default)]
pub struct SpendTable {
    /// Its dimensions.
    pub by: Vec<Dimension>,
    /// Its rows.
    pub rows: FxHashMap<SmallVec<[Value; 4]>, SpendCell>,
}

/// Everything that a pass over traffic came to.
#[derive(Clone, Debug, Default)]
pub struct Spend {
    /// The whole.
    pub all: SpendCell,
    /// The first and the last request.
    pub within: Option<(Instant, Instant)>,
    /// The tables asked for, in order.
    pub tables: Vec<SpendTable>,
    /// By meter, where asked for.
    pub meters: Option<Meters>,
    /// Names of providers.
    providers: NameTable,
    /// Who serves each model, by its id.
    listed: Vec<Value>,
    most: usize,
    billed_only: bool,
    /// Requests that were left out, as all that they called was made up.
    pub unbilled: u64,
}

impl Spend {
    /// Starts with nothing.
    pub fn new(options: &SpendOptions) -> Self {
        let table = |by: &Vec<Dimension>| SpendTable { by: by.clone(), rows: FxHashMap::default() };
        Self {
            tables: options.tables.iter().map(table).collect(),
            meters: options.meters.map(Meters::new),
            most: options.most,
            billed_only: options.billed_only,
            ..Self::default()
        }
    }

    /// Looks up who serves the models named since the last call, as the price book lists it.
    pub fn know(&mut self, book: &PriceBook, names: &Names) {
        for model in names.models().iter().skip(self.listed.len()) {
            let provider = book.find(model).and_then(|prices| prices.provider.as_deref());
            let number = provider.map(|provider| i64::from(self.providers.intern(provider, usize::MAX)));
            self.listed.push(number.map_or(Value::NONE, Value));
        }
    }

    /// Adds a settled operation.
    pub fn add(&mut self, evidence: &Evidence<'_>, settled: &Settled, outlook: &Outlook<'_>) {
        let tags = outlook.circumstances.get(evidence.operation.circumstance).tags;
        let at = evidence.operation.at;
        let takes = |call: usize| !self.billed_only || !evidence.is_unbilled(call);
        if self.billed_only && !(0..settled.attempts.len()).any(takes) {
            self.unbilled += 1;
            return;
        }
        self.within = Some(self.within.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        self.all.add(evidence, settled, takes);
        for table in &mut self.tables {
            let listed = &self.listed;
            let key = |call: usize| -> SmallVec<[Value; 4]> {
                table.by.iter().map(|by| by.of((evidence, tags), listed, settled, call)).collect()
            };
            let first = key(0);
            let is_of_calls = table.by.iter().any(Dimension::is_of_calls);
            if !is_of_calls || settled.attempts.len() < 2 {
                slot(&mut table.rows, first, self.most).add(evidence, settled, takes);
                continue;
            }
            let keys: SmallVec<[_; 4]> = (0..settled.attempts.len()).map(key).collect();
            for (at, own) in keys.iter().enumerate() {
                if keys.iter().position(|other| other == own) == Some(at) {
                    let is_own = |call: usize| keys.get(call) == Some(own) && takes(call);
                    slot(&mut table.rows, own.clone(), self.most).add(evidence, settled, is_own);
                }
            }
        }
        if let Some(meters) = &mut self.meters {
            meters.add((evidence, tags), &self.listed, settled, outlook.prices);
        }
    }

    /// Writes a value of a dimension; empty where it is not named.
    pub fn text(&self, dimension: &Dimension, value: Value, names: &Names) -> String {
        dimension.text(value, names, &self.providers)
    }
}

fn slot(
    rows: &mut FxHashMap<SmallVec<[Value; 4]>, SpendCell>,
    key: SmallVec<[Value; 4]>,
    most: usize,
) -> &mut SpendCell {
    let key = if rows.len() < most || rows.contains_key(&key) {
        key
    } else {
        key.iter().map(|_| Value::OTHERS).collect()
    };
    rows.entry(key).or_default()
}
