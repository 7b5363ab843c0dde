//! What spend is told apart by that no operation holds: user, key and the provider of each call.
//!
//! Invariant: names are bounded; what is not looked at is not read.

use rustc_hash::FxHashMap;

use crate::pricing::PriceBook;
use crate::record::{Attempt, Record};
use crate::telemetry::{Dimension, Spend, SpendOptions, Tags, Value};
use crate::units::NameTable;

/// The most users, keys or providers that are told apart.
const MOST: usize = 100_000;

/// Gives tags to records as they are read.
#[derive(Debug)]
pub(super) struct Tagger {
    users: Option<NameTable>,
    keys: Option<NameTable>,
    providers: Option<NameTable>,
    /// By model: who serves it according to the price book.
    listed: FxHashMap<Box<str>, Value>,
}

impl Tagger {
    pub(super) fn new(options: &SpendOptions) -> Self {
        let table = |dimension| options.needs(dimension).then(NameTable::default);
        Self {
            users: table(Dimension::User),
            keys: table(Dimension::Key),
            providers: table(Dimension::Provider),
            listed: FxHashMap::default(),
        }
    }

    pub(super) fn tags(&mut self, record: &Record<'_>, book: &PriceBook) -> Tags {
        let user = intern(self.users.as_mut(), &record.user);
        let key = intern(self.keys.as_mut(), &record.key);
        let mut tags = Tags { user, key, ..Tags::default() };
        if self.providers.is_some() {
            tags.providers.extend(record.attempts.iter().map(|attempt| self.provider(attempt, book)));
        }
        tags
    }

    /// Says who served a call: as the log tells, else whom the price book lists for the model.
    fn provider(&mut self, attempt: &Attempt<'_>, book: &PriceBook) -> Value {
        if !attempt.provider.is_empty() {
            return intern(self.providers.as_mut(), &attempt.provider);
        }
        if let Some(known) = self.listed.get(&*attempt.model) {
            return *known;
        }
        let listed = book.find(&attempt.model).and_then(|prices| prices.provider.as_deref());
        let value = intern(self.providers.as_mut(), listed.unwrap_or_default());
        if self.listed.len() < MOST {
            self.listed.insert((&*attempt.model).into(), value);
        }
        value
    }

    /// Gives the sums their names.
    pub(super) fn name(self, mut spend: Spend) -> Spend {
        spend.users = self.users.unwrap_or_default();
        spend.keys = self.keys.unwrap_or_default();
        spend.providers = self.providers.unwrap_or_default();
        spend
    }
}

fn intern(table: Option<&mut NameTable>, name: &str) -> Value {
    match table {
        Some(table) if !name.is_empty() => Value(i64::from(table.intern(name, MOST))),
        _ => Value::NONE,
    }
}
