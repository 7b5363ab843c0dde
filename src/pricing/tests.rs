//! What sums keep apart and give back, and which of a model's prices holds.

use super::*;
use crate::units::{Count, Instant, ModelId, Names, Pico, PicoPerMillion};

const WHY: Unpriced = Unpriced::NoPrice;

fn price(usd: &str) -> PicoPerMillion {
    PicoPerMillion::from_usd_per_million(usd).unwrap()
}

fn sums() -> CostSum {
    let mut sum = CostSum::default();
    sum.add_operation([Cost::Known(Pico(5)), Cost::Estimated(Pico(7))].into_iter());
    sum.add_operation([Cost::Known(Pico(11)), Cost::Unknown(WHY), Cost::Estimated(Pico(2))].into_iter());
    sum.add_operation([Cost::Unknown(WHY), Cost::Unknown(WHY)].into_iter());
    sum
}

/// What is known of a request of which a part is not stays in the totals, and out of the averages.
#[test]
fn known_estimated_and_unknown_stay_apart_in_sums() {
    let sum = sums();
    let wanted = CostSum { known: Pico(16), estimated: Pico(9), unknown: 2, partial: Pico(13) };
    assert_eq!(sum, wanted);
    assert_eq!((sum.total(), sum.whole(), sum.is_unknown()), (Pico(25), Pico(12), false));
    let nothing = CostSum { unknown: 1, ..CostSum::default() };
    assert!(
        nothing.is_unknown() && !CostSum::default().is_unknown(),
        "no amount is not an amount of nothing"
    );
    assert_eq!((nothing.usd(), CostSum::default().usd().as_deref()), (None, Some("0")));
}

/// A window that slides takes away at its tail what came in at its head; whatever stayed behind would grow for ever.
#[test]
fn what_is_taken_away_leaves_no_trace_in_sums() {
    let mut sum = sums();
    sum.remove_operation([Cost::Known(Pico(11)), Cost::Unknown(WHY), Cost::Estimated(Pico(2))].into_iter());
    assert_eq!(sum, CostSum { known: Pico(5), estimated: Pico(7), unknown: 1, partial: Pico::ZERO });
    sum.remove_operation([Cost::Unknown(WHY)].into_iter());
    sum.remove(Cost::Known(Pico(5)));
    sum.remove(Cost::Estimated(Pico(7)));
    assert_eq!(sum, CostSum::default());
    sum.add(Cost::Unknown(WHY));
    sum.remove(Cost::Unknown(WHY));
    assert_eq!(sum, CostSum::default());
    let (mut twice, once) = (sums(), sums());
    twice += &once;
    let wanted = CostSum { known: Pico(32), estimated: Pico(18), unknown: 4, partial: Pico(26) };
    assert_eq!(twice, wanted);
    twice -= &once;
    assert_eq!(twice, once);
}

#[test]
fn every_reason_why_a_cost_is_unknown_is_read_back_and_said_in_words_of_its_own() {
    let mut said = std::collections::BTreeSet::new();
    for why in Unpriced::ALL {
        assert_eq!(Unpriced::from_name(why.name()), Some(why));
        assert_eq!(Charged::new(Cost::Unknown(why)).cost(), Some(Cost::Unknown(why)));
        assert!(why.text().contains(' ') && said.insert(why.text()), "{why:?}");
    }
    assert_eq!(Unpriced::from_name("free"), None);
}

fn row(from: Option<i64>, input: &str) -> PriceRow {
    let base = Tier { input: price(input), output: price("1"), ..Tier::default() };
    PriceRow { from: from.map(Instant), standard: Rates { base, above: vec![] }, ..PriceRow::default() }
}

/// `plain` has one price, `dated` one from 100 on and another from 200 on; `elsewhere` is not listed.
fn table() -> (PriceTable, PriceBook) {
    let mut book = PriceBook::default();
    book.add_row("plain", row(None, "1"));
    book.add_row("dated", row(Some(100), "2"));
    book.add_row("dated", row(Some(200), "3"));
    let mut names = Names::default();
    let _ = ["plain", "dated", "elsewhere"].map(|name| names.intern_model(name));
    (PriceTable::new(&book, &names), book)
}

fn input(table: &PriceTable, model: u16, at: i64) -> Option<PicoPerMillion> {
    table.rates(ModelId(model), Instant(at)).map(|rates| rates.base.input)
}

/// A request is billed at the price of its moment; before the first there is none.
#[test]
fn the_price_of_the_moment_holds() {
    let (table, _) = table();
    assert_eq!((table.len(), table.is_empty(), PriceTable::default().is_empty()), (3, false, true));
    assert_eq!([input(&table, 0, -5), input(&table, 0, 500)], [Some(price("1")); 2]);
    let dated = [99, 100, 199, 200, 999].map(|at| input(&table, 1, at));
    assert_eq!(dated, [None, Some(price("2")), Some(price("2")), Some(price("3")), Some(price("3"))]);
    assert_eq!((input(&table, 2, 0), input(&table, 9, 0)), (None, None));
    assert_eq!((table.rows(ModelId(1)).len(), table.rows(ModelId(2)).len()), (2, 0));
    let only = |from| {
        let mut table = PriceTable::default();
        table.change(ModelId(0), row(from, "4"));
        input(&table, 0, 50)
    };
    assert_eq!((only(Some(60)), only(Some(50)), only(None)), (None, Some(price("4")), Some(price("4"))));
}

/// A price that changes on the way counts from its own start, wherever it is told, and a later word on the same start replaces it.
#[test]
fn a_change_of_price_takes_its_place_among_the_others() {
    let (mut table, _) = table();
    table.change(ModelId(1), row(Some(150), "7"));
    table.change(ModelId(1), row(Some(200), "8"));
    table.change(ModelId(4), row(None, "9"));
    let dated = [100, 150, 200].map(|at| input(&table, 1, at));
    assert_eq!(dated, [Some(price("2")), Some(price("7")), Some(price("8"))]);
    assert_eq!(table.rows(ModelId(1)).len(), 3);
    assert_eq!((input(&table, 4, 0), input(&table, 3, 0), table.len()), (Some(price("9")), None, 5));
    table.change(ModelId::NONE, row(None, "1"));
    assert_eq!(table.len(), 5, "no model has no price");
}

#[test]
fn a_model_that_nobody_named_is_priced_beside_those_that_were() {
    let (table, mut book) = table();
    book.add_row("new", row(None, "6"));
    let (beside, id) = table.with(&book, "new").unwrap();
    assert_eq!((id, input(&beside, 3, 0), table.len()), (ModelId(3), Some(price("6")), 3));
    let (same, id) = table.with(&book, "dated").unwrap();
    assert_eq!((id, same.len()), (ModelId(1), 3), "it is there already");
    assert!(table.with(&book, "elsewhere").is_none());
}

#[test]
fn a_call_is_priced_anew_only_where_that_is_asked_for() {
    let (table, _) = table();
    assert!(!table.reprices());
    assert!(table.clone().repricing(true).reprices() && !table.repricing(false).reprices());
}

/// A tier that is silent on cached tokens is no fact where the ordinary service prices them apart, and only there.
#[test]
fn a_tier_that_says_nothing_of_caches_gives_an_estimate_where_caches_were_used() {
    let full = Tier {
        input: price("10"),
        output: price("10"),
        cache_read: Some(price("1")),
        write_5m: Some(price("12")),
        ..Tier::default()
    };
    let silent = Tier { cache_read: None, write_5m: None, ..full };
    let of = |tier| Rates { base: tier, above: vec![] };
    let row = PriceRow {
        standard: of(full),
        tiers: [("flex".to_owned(), of(silent)), ("priority".to_owned(), of(full))].into(),
        ..PriceRow::default()
    };
    let kind = |read: u64, written: u64, tier: &str| {
        let count = |n| Count::new(n).unwrap();
        let usage =
            Usage { cache_read: count(read), write_5m: count(written), ..Usage::plain(10, 10).unwrap() };
        let mut terms = Terms::NONE;
        terms.serve(tier);
        match bill(&usage, &terms, Some(&row)) {
            Cost::Known(_) => "known",
            Cost::Estimated(_) => "estimated",
            Cost::Unknown(_) => "unknown",
        }
    };
    assert_eq!([kind(0, 0, "flex"), kind(5, 0, "priority"), kind(0, 5, "priority")], ["known"; 3]);
    assert!(kind(5, 0, "flex") != "known" && kind(0, 5, "flex") != "known" && kind(5, 5, "flex") != "known");
}
