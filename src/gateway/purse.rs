//! What shadow runs may spend: how many go on at a time, and what each route has left of its day.
//!
//! Invariant: what is under way counts at the most that it may cost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::ledger::{LedgerError, LedgerFile, Range, now};
use crate::pricing::{PriceBook, PriceRow, worst};
use crate::routing::AtMost;
use crate::units::{Instant, Pico, SHADOW};

/// Runs at a time; one more is passed over.
const AT_ONCE: usize = 8;
/// Requests that are asked about a second time, at a time; one more is decided without.
const SECONDS_AT_ONCE: usize = 64;
/// What shadow runs of all routes have in common.
#[derive(Debug)]
pub(super) struct Shadows {
    pub(super) places: Arc<Semaphore>,
    /// Where requests are asked about a second time, which are waited for.
    pub(super) seconds: Arc<Semaphore>,
    spent: Mutex<BTreeMap<Arc<str>, Purse>>,
}

/// Returns the most that a call costs with so many tokens at most; nothing where its model has no price.
pub(super) fn most(book: &PriceBook, model: &str, at_most: AtMost) -> Option<Pico> {
    let (_, prices) = book.find_named(model)?;
    // It may begin in an hour that costs more.
    let row = PriceRow::highest(prices.dated(now())?);
    Some(worst(row, (at_most.prompt.into(), at_most.output.into()), false))
}

/// What a route's runs have spent today, with what those under way may cost.
#[derive(Clone, Copy, Debug, Default)]
struct Purse {
    day: Instant,
    spent: Pico,
    /// Whether it was told today that there is no more room.
    is_told: bool,
}

impl Shadows {
    pub(super) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE)),
            seconds: Arc::new(Semaphore::new(SECONDS_AT_ONCE)),
            spent: Mutex::default(),
        }
    }

    /// Learns from the ledger what was spent today before the program started; what nobody told the cost of may have cost the most.
    pub(super) fn learn(&self, file: &LedgerFile, book: &PriceBook) -> Result<(), LedgerError> {
        let day = now().day_start();
        let range = Range { from: Some(day), ..Range::default() };
        file.spent(&range, |call| {
            if call.key == SHADOW {
                let most = || most(book, &call.model, call.at_most?);
                let told = call.cost.known().or_else(most).or(call.cost.amount());
                let amount = told.unwrap_or(Pico::ZERO);
                self.with(&call.route.as_str().into(), day, |purse| purse.spent += amount);
            }
        })
    }

    fn with<T>(&self, route: &Arc<str>, at: Instant, change: impl FnOnce(&mut Purse) -> T) -> T {
        let mut all = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let purse = all.entry(Arc::clone(route)).or_default();
        let day = at.day_start();
        if purse.day != day {
            *purse = Purse { day, ..Purse::default() };
        }
        change(purse)
    }

    /// Sets an amount aside where there is room for it.
    pub(super) fn hold(&self, route: &Arc<str>, amount: Pico, most: Pico) -> bool {
        self.with(route, now(), |purse| {
            let fits = purse.spent + amount <= most;
            if fits {
                purse.spent += amount;
            }
            fits
        })
    }

    /// Returns what is left, unless that was told today.
    pub(super) fn left_untold(&self, route: &Arc<str>, most: Pico) -> Option<Pico> {
        self.with(route, now(), |purse| {
            (!std::mem::replace(&mut purse.is_told, true)).then(|| (most - purse.spent).max(Pico::ZERO))
        })
    }

    /// Puts what was really spent in the place of what was set aside.
    pub(super) fn settle(&self, route: &Arc<str>, held: Pico, spent: Pico) {
        self.with(route, now(), |purse| purse.spent = (purse.spent - held).max(Pico::ZERO) + spent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_and_what_was_spent_stay_within_the_day() {
        let shadows = Shadows::new();
        let route: Arc<str> = "general".into();
        let most = Pico(100);
        assert!(shadows.hold(&route, Pico(70), most));
        assert!(!shadows.hold(&route, Pico(40), most), "under way counts at the most it may cost");
        shadows.settle(&route, Pico(70), Pico(55));
        assert!(shadows.hold(&route, Pico(45), most) && !shadows.hold(&route, Pico(1), most));
    }
}
