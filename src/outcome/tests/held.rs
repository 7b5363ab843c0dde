//! What memory holds of operations: where they stand, how they are found, what is let go.

use std::collections::BTreeSet;

use super::*;
use crate::pricing::Charged;
use crate::units::Millis;

const COUNT: usize = 9_000;

fn moment(n: usize) -> Instant {
    Instant(i64::try_from(n).unwrap() * 10)
}

fn push(history: &mut History, n: usize) {
    let (operation, extra) = given(n);
    history.push(&n.to_string(), operation, extra);
}

fn given(n: usize) -> (Operation, Option<Extra>) {
    let operation = Operation { at: moment(n), ..Operation::default() };
    let extra = n.is_multiple_of(3).then(|| Extra { error: format!("e{n}").into(), ..Extra::default() });
    (operation, extra)
}

/// A log of which the oldest third has been let go.
fn shortened() -> (History, usize) {
    let mut history = History::default();
    for n in 0..COUNT {
        push(&mut history, n);
    }
    let spare = history.spare(3_000);
    history.let_go(spare);
    history.shrink();
    (history, spare)
}

/// Else a request that another process told late would show under another's id, or with another's error.
#[test]
fn what_is_told_late_stands_where_it_belongs_with_all_that_is_known_of_it() {
    let mut history = History::default();
    let (late, timely): (Vec<usize>, Vec<usize>) = (0..COUNT).partition(|n| n % 7 == 3);
    for n in timely {
        push(&mut history, n);
    }
    for n in late.into_iter().rev() {
        let (operation, extra) = given(n);
        let at = history.insert(&n.to_string(), operation, extra);
        assert_eq!(history.id(at), n.to_string());
    }
    assert_eq!(history.len(), COUNT);
    for n in 0..COUNT {
        let recalled = history.recall(n).unwrap();
        let evidence = recalled.evidence();
        assert_eq!((history.id(n), evidence.operation.at), (&*n.to_string(), moment(n)));
        let error = evidence.extra.map(|extra| extra.error.to_string());
        assert_eq!(error, n.is_multiple_of(3).then(|| format!("e{n}")), "{n}");
    }
    assert_eq!(history.bounds(), Some((moment(0), moment(COUNT - 1))));
    let (twin, last) = (given(5).0, given(COUNT).0);
    assert_eq!(history.insert("twin", twin, None), 6, "behind whoever came in the same moment");
    assert_eq!(history.insert("last", last, None), COUNT + 1);
    assert_eq!((history.id(6), history.id(7), history.id(COUNT + 1)), ("twin", "6", "last"));
}

/// A console that runs for weeks lets the oldest go; what it still shows has to keep its place.
#[test]
fn what_is_let_go_takes_nothing_else_along_and_indices_stay() {
    let (mut history, spare) = shortened();
    assert!((3_000..6_000).contains(&spare), "whole chunks, and no more than may go: {spare}");
    assert_eq!((history.start(), history.len(), history.is_empty()), (spare, COUNT, false));
    assert!(history.get(spare - 1).is_none() && history.recall(spare - 1).is_none());
    assert_eq!(history.id(spare - 1), "");
    assert!((spare..COUNT).all(|n| history.id(n) == n.to_string() && history.at(n) == Some(moment(n))));
    assert_eq!(history.bounds(), Some((moment(spare), moment(COUNT - 1))));
    let first_at = |at: Instant| history.first_at(at);
    assert_eq!([first_at(moment(0)), first_at(moment(7_000))], [spare, 7_000]);
    assert_eq!([first_at(Instant(moment(7_000).0 + 1)), first_at(moment(COUNT))], [7_001, COUNT]);
    assert_eq!((history.find("7000"), history.find("5")), (Some(7_000), None));
    let found = history.find_all(&BTreeSet::from(["7000", "8999", "5"]));
    assert_eq!(
        found.into_iter().collect::<Vec<_>>(),
        [("7000".to_owned(), 7_000), ("8999".to_owned(), 8_999)]
    );
    let within: Vec<usize> = history.range(0, spare + 2).map(|(index, _)| index).collect();
    assert_eq!(within, [spare, spare + 1]);
    assert_eq!(history.spare(COUNT), 0);
    history.let_go(COUNT);
    assert!(history.start() < COUNT && history.len() == COUNT, "the newest stay, however much is to go");
    assert!(History::default().is_empty() && History::default().bounds().is_none());
}

/// A label or a correction of a bill must not land at the neighbour of its request.
#[test]
fn what_becomes_known_later_is_told_of_the_right_request_alone() {
    let (mut history, spare) = shortened();
    let charged = |usd: &str| Charged::new(Cost::Known(Pico::from_usd(usd).unwrap()));
    for n in [0, 7_001, 7_002, 7_001] {
        history.judge(n, label(LARGE, None));
    }
    history.judge(7_001, ModelLabel { source: LabelSource::Feedback, ..label(LARGE, Some(40)) });
    history.correct(0, None, charged("1"));
    history.correct(7_003, None, charged("2"));
    history.correct(7_004, Some(1), charged("3"));
    history.correct(7_005, Some(2), charged("4"));
    for n in spare..COUNT {
        let recalled = history.recall(n).unwrap();
        let evidence = recalled.evidence();
        let labels = evidence.extra.map_or(0, |extra| extra.labels.len());
        assert_eq!(
            labels,
            [0, 2, 1][[7_001, 7_002].iter().position(|at| *at == n).map_or(0, |at| at + 1)],
            "{n}"
        );
        let wanted = match n {
            7_003 => charged("2"),
            7_004 => charged("3"),
            _ => Charged::NONE,
        };
        assert_eq!(evidence.operation.served.charged, wanted, "{n}");
    }
}

#[test]
fn a_correction_goes_to_the_call_that_it_names() {
    let charged = |usd: &str| Charged::new(Cost::Known(Pico::from_usd(usd).unwrap()));
    let corrected = |call: Option<u32>| {
        let mut operation = Operation { served: call_of(SMALL), ..Operation::default() };
        let mut extra = Extra { earlier: vec![call_of(SMALL), call_of(LARGE)], ..Extra::default() };
        operation.correct(Some(&mut extra), call, charged("1"));
        let all = extra.earlier.iter().chain([&operation.served]);
        all.map(|call| call.charged != Charged::NONE).collect::<Vec<bool>>()
    };
    assert_eq!(corrected(None), [false, false, true]);
    assert_eq!(corrected(Some(1)), [true, false, false]);
    assert_eq!(corrected(Some(2)), [false, true, false]);
    assert_eq!(corrected(Some(3)), [false, false, true]);
    assert_eq!([corrected(Some(0)), corrected(Some(4))], [[false; 3], [false; 3]]);
}

fn call_of(model: ModelId) -> Observed {
    call(model, plain(1, 1))
}

/// The time between calls is the gateway's own waiting: it must not be counted twice, nor taken for the model's.
#[test]
fn waits_between_calls_are_what_lies_between_them() {
    let mut timeline = Timeline::default();
    assert_eq!(timeline.wait(Some(30_999), Millis::new(100)), 30);
    assert_eq!(timeline.wait(None, Millis::new(70)), 0, "nobody said when it began");
    assert_eq!(timeline.wait(Some(250_000), Millis::UNKNOWN), 50);
    assert_eq!(timeline.wait(Some(250_000), Millis::new(5)), 0);
    assert_eq!(timeline.wait(Some(100_000), Millis::new(5)), 0, "calls that overlap did not wait");
}

#[test]
fn people_are_told_from_machines_by_who_judged() {
    let persons = LabelSource::ALL.map(LabelSource::is_person);
    assert_eq!(persons, [false, true, true, false, false, false, false]);
    let words = LabelSource::ALL.map(LabelSource::name);
    assert_eq!(words, ["log", "feedback", "people", "judge", "simulated", "checks", "other"]);
}
