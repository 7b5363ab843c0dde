//! What changes of prices from a moment on, where one book takes another's place.
//!
//! Invariants: what holds before the moment stays; a price that is gone is no reason to charge nothing, so the last one stays.

use super::{ModelPrices, PriceBook, PriceRow};
use crate::units::Instant;

/// A price that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amendment {
    /// The model, as books list it.
    pub model: String,
    /// What it cost until then; nothing where nobody knew.
    pub before: Option<PriceRow>,
    /// What it costs from then on.
    pub row: PriceRow,
}

/// What became of a book.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Amended {
    /// The prices that change, by model and time.
    pub changes: Vec<Amendment>,
    /// Models that lost their price, which keep the last one.
    pub gone: Vec<String>,
    /// Names that mean another model than they did: that takes a new start.
    pub renamed: Vec<String>,
}

impl PriceBook {
    /// Takes the prices of another book from a moment on, and tells what changes by that.
    pub fn amend(&mut self, new: &Self, at: Instant) -> Amended {
        let mut amended = Amended::default();
        for (name, prices) in &new.models {
            if self.find_named(name).is_some_and(|(listed, _)| listed != name) {
                amended.renamed.push(name.clone());
                continue;
            }
            let old = self.models.entry(name.clone()).or_default();
            let rows = changes(old, prices, at);
            let before = old.dated(at).cloned();
            *old = ModelPrices { rows: std::mem::take(&mut old.rows), ..prices.clone() };
            for row in &rows {
                old.rows.retain(|known| known.from != row.from);
                let place = old.rows.partition_point(|known| known.from <= row.from);
                old.rows.insert(place, row.clone());
            }
            let change = |row| Amendment { model: name.clone(), before: before.clone(), row };
            amended.changes.extend(rows.into_iter().map(change));
        }
        for (alias, target) in &new.aliases {
            match self.find_named(alias) {
                Some((listed, _)) if listed == target => {}
                None if self.models.contains_key(target) => {
                    self.aliases.insert(alias.clone(), target.clone());
                }
                _ => amended.renamed.push(alias.clone()),
            }
        }
        let is_gone = |(name, prices): (&String, &ModelPrices)| {
            (prices.at(at).is_some() && new.find(name).is_none_or(|prices| prices.at(at).is_none()))
                .then(|| name.clone())
        };
        amended.gone = self.models.iter().filter_map(is_gone).collect();
        amended
    }
}

/// Returns the rows that turn a model's prices into others from a moment on.
fn changes(old: &ModelPrices, new: &ModelPrices, at: Instant) -> Vec<PriceRow> {
    let starts = old.rows.iter().chain(&new.rows).filter_map(|row| row.from).filter(|from| *from > at);
    let mut starts: Vec<Instant> = starts.chain([at]).collect();
    starts.sort_unstable();
    starts.dedup();
    let (mut rows, mut in_force): (Vec<PriceRow>, _) = (Vec::new(), old.dated(at).cloned());
    for start in starts {
        if let Some(row) = old.rows.iter().find(|row| row.from == Some(start)) {
            in_force = Some(row.clone());
        }
        let Some(wanted) = new.dated(start) else { continue };
        let row = wanted.clone().starting(Some(start));
        if !in_force.is_some_and(|old| old.costs_as(&row)) {
            rows.push(row.clone());
        }
        in_force = Some(row);
    }
    rows
}

impl PriceRow {
    /// Says whether it asks the same of everything, whatever its start and source.
    fn costs_as(&self, other: &Self) -> bool {
        let bare = |row: &Self| Self { from: None, source: None, scheduled: Vec::new(), ..row.clone() };
        let hours = |row: &Self| {
            row.scheduled.iter().map(|one| (one.hours.clone(), bare(&one.row))).collect::<Vec<_>>()
        };
        bare(self) == bare(other) && hours(self) == hours(other)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pricing::{Rates, Tier};
    use crate::units::PicoPerMillion;

    fn row(from: Option<i64>, input: i64) -> PriceRow {
        let base = Tier { input: PicoPerMillion(input), ..Tier::default() };
        let standard = Rates { base, above: Vec::new() };
        PriceRow { from: from.map(Instant), standard, ..PriceRow::default() }
    }

    fn book(rows: &[(Option<i64>, i64)]) -> PriceBook {
        let mut book = PriceBook::default();
        for &(from, input) in rows {
            book.add_row("m", row(from, input));
        }
        book
    }

    fn price(book: &PriceBook, at: i64) -> Option<i64> {
        Some(book.find("m")?.at(Instant(at))?.standard.base.input.0)
    }

    #[test]
    fn an_edit_holds_from_now_on_and_future_rows_as_they_say() {
        let mut held = book(&[(None, 2), (Some(200), 3)]);
        let edited = book(&[(None, 5), (Some(300), 1)]);
        let amended = held.amend(&edited, Instant(100));
        let at: Vec<_> = amended
            .changes
            .iter()
            .map(|one| (one.row.from.unwrap().0, one.row.standard.base.input.0))
            .collect();
        assert_eq!(at, [(100, 5), (200, 5), (300, 1)], "the price of 200 is called off");
        assert_eq!([99, 100, 250, 300].map(|at| price(&held, at)), [Some(2), Some(5), Some(5), Some(1)]);
        assert_eq!(held.amend(&edited, Instant(150)), Amended::default(), "nothing changes twice");
    }

    #[test]
    fn hours_that_are_edited_are_a_change_and_start_with_their_row() {
        let mut held = book(&[(None, 2)]);
        let hours = crate::pricing::Hours::parse("00:00-12:00", "").unwrap();
        let mut edited = PriceBook::default();
        edited.add_row("m", row(None, 2).schedule(vec![(hours, 2_000)]).unwrap());
        let amended = held.amend(&edited, Instant(100));
        assert_eq!(amended.changes.len(), 1);
        assert_eq!([99, 100].map(|at| price(&held, at)), [Some(2), Some(4)]);
        assert_eq!(held.find("m").unwrap().at(Instant(100)).unwrap().from, Some(Instant(100)));
        assert_eq!(held.amend(&edited, Instant(150)), Amended::default(), "nothing changes twice");
        held.amend(&book(&[(None, 2)]), Instant(200));
        assert_eq!([199, 200].map(|at| price(&held, at)), [Some(4), Some(2)]);
    }

    #[test]
    fn what_is_taken_out_keeps_its_price_and_a_name_of_another_waits() {
        let mut held = book(&[(None, 2)]);
        let mut other = PriceBook::default();
        other.add_row("n", row(None, 7));
        other.add_row("m-2026-01-01", row(None, 9));
        other.aliases.insert("m".into(), "n".into());
        let amended = held.amend(&other, Instant(10));
        assert_eq!(
            (amended.gone, amended.renamed),
            (vec![], vec!["m-2026-01-01".to_owned(), "m".to_owned()])
        );
        assert_eq!(
            (
                price(&held, 20),
                held.find("m-2026-01-01").unwrap().at(Instant(20)).unwrap().standard.base.input.0
            ),
            (Some(2), 2)
        );
        let n = |at| held.find("n").unwrap().at(Instant(at)).is_some();
        assert_eq!((n(9), n(10)), (false, true), "before, nobody knew it");
        let amended = held.amend(&PriceBook::default(), Instant(30));
        assert_eq!((amended.changes, amended.gone), (vec![], vec!["m".to_owned(), "n".to_owned()]));
        assert_eq!(price(&held, 40), Some(2));
    }

    proptest! {
        #[test]
        fn after_a_change_prices_are_the_new_books_and_before_the_old_ones(
            old in proptest::collection::vec((0i64..60, 1i64..4), 0..5),
            new in proptest::collection::vec((0i64..60, 1i64..4), 0..5),
            at in 1i64..60,
        ) {
            let from = |start: i64| (start > 0).then_some(start);
            let rows = |rows: &[(i64, i64)]| {
                let by_start: std::collections::BTreeMap<_, _> = rows.iter().map(|&(start, input)| (from(start), input)).collect();
                by_start.into_iter().collect::<Vec<_>>()
            };
            let (old, new) = (book(&rows(&old)), book(&rows(&new)));
            let mut held = old.clone();
            let amended = held.amend(&new, Instant(at));
            // As a log tells it: one row after another, each in place of another of its start.
            let mut told = old.clone();
            for change in amended.changes {
                let rows = &mut told.models.entry(change.model.clone()).or_default().rows;
                rows.retain(|row| row.from != change.row.from);
                told.add_row(&change.model, change.row);
            }
            for moment in 0..70 {
                let wanted = if moment < at { price(&old, moment) } else { price(&new, moment).or(price(&old, moment)) };
                // Where the new book has no price yet, the one in force stays.
                if moment < at || price(&new, at).is_some() {
                    prop_assert_eq!(price(&held, moment), wanted, "{}", moment);
                }
                prop_assert_eq!(price(&told, moment), price(&held, moment), "told {}", moment);
            }
        }
    }
}
