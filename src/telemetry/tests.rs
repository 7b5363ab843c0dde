//! What a screen reads of sums: each count where it belongs, percentiles, slots of time, pairs of judged answers.

use super::*;
use crate::classifier::TaskClass;
use crate::outcome::{Attempt, Evidence, Observed, Operation, Settled};
use crate::pricing::{Charged, Cost, CostSum, Unpriced, Usage};
use crate::routing::Status;
use crate::units::{Count, Instant, Millis, ModelId, PerMille, Pico, ProjectId, RouteTag, Span, TeamId};

const SMALL: ModelId = ModelId(0);
const LARGE: ModelId = ModelId(2);
const TEAM: TeamId = TeamId(1);

fn tokens(parts: [u64; 6]) -> Usage {
    let [input, cache_read, write_5m, write_1h, output, reasoning] =
        parts.map(|tokens| Count::new(tokens).unwrap());
    Usage { input, cache_read, write_5m, write_1h, output, reasoning }
}

/// A breaker stands before `small`; it fails once it is called, and `large` answers, at a price that is an estimate.
fn settled() -> Settled {
    let unavailable =
        Attempt { model: SMALL, status: Status::Unavailable, cost: Cost::Known(Pico(0)), ..Attempt::REFUSED };
    let failed = Attempt {
        status: Status::ServerError,
        usage: Usage { output: Count::UNKNOWN, ..tokens([7, 0, 0, 0, 0, 0]) },
        cost: Cost::Known(Pico(5)),
        latency: Millis::new(300),
        ..unavailable
    };
    let answered = Attempt {
        model: LARGE,
        status: Status::Ok,
        usage: tokens([100, 20, 3, 4, 50, 6]),
        cost: Cost::Estimated(Pico(70)),
        latency: Millis::new(2000),
        ..unavailable
    };
    let mut settled = Settled::default();
    settled.attempts = vec![unavailable, failed, answered];
    settled.tag = RouteTag(1);
    settled.cost = Cost::Estimated(Pico(75));
    settled.baseline = Cost::Known(Pico(200));
    settled.latency = Millis::new(2400);
    settled.status = Status::Ok;
    settled.escalated = true;
    settled.quality = PerMille::new(800);
    settled
}

fn operation() -> Operation {
    Operation { team: TEAM, class: TaskClass::Code, ..Operation::default() }
}

/// A total would else be more than the models that it is made of.
#[test]
fn what_was_charged_without_a_call_stands_at_its_model_too() {
    let (operation, mut settled) = (operation(), settled());
    settled.attempts[0].cost = Cost::Known(Pico(9));
    let evidence = Evidence { operation: &operation, extra: None };
    let mut totals = Totals::default();
    totals.apply(&evidence, &settled, Sign::Plus);
    let by_model: Pico = totals.models.iter().map(|cell| cell.cost.total()).sum();
    assert_eq!((totals.all.cost.total(), by_model), (Pico(84), Pico(84)));
    totals.apply(&evidence, &settled, Sign::Minus);
    assert!(totals.models.iter().all(|cell| *cell == Cell::default()));
}

#[test]
fn every_count_of_a_request_stands_where_a_screen_looks_for_it() {
    let (operation, settled) = (operation(), settled());
    let evidence = Evidence { operation: &operation, extra: None };
    let mut totals = Totals::default();
    totals.apply(&evidence, &settled, Sign::Plus);
    let all = &totals.all;
    assert_eq!((all.requests, all.answered, all.errors, all.escalated), (1, 1, 0, 1));
    assert_eq!((all.attempts, all.not_made, all.cache_hits, all.tokens_unknown), (2, 1, 1, 1));
    assert_eq!((all.estimated, all.quality, all.labelled), (1, 800, 1));
    let sums = TokenSums { input: 107, cache_read: 20, write_5m: 3, write_1h: 4, output: 50, reasoning: 6 };
    assert_eq!((all.tokens, all.tokens.prompt(), all.tokens.cache_write()), (sums, 134, 7));
    assert_eq!((all.cost.known, all.cost.estimated, all.cost.unknown), (Pico(5), Pico(70), 0));
    assert_eq!((all.comparable, all.compared, all.saved()), (1, Pico(75), Pico(125)));
    assert_eq!(all.latency.percentiles().map(|known| known.known), Some(1));
    assert!(!all.is_empty() && Cell::default().is_empty());
    for part in
        [&totals.teams.0[1], &totals.projects.1, &totals.routes[1], &totals.tasks[TaskClass::Code.index()]]
    {
        assert_eq!(part, all, "a request is whole in each of its slices");
    }
    assert!(totals.teams.1.is_empty() && totals.routes[0].is_empty() && totals.projects.0.is_empty());
    let [small, between, large] = &totals.models[..] else { panic!("{:?}", totals.models) };
    assert!(between.is_empty() && totals.unnamed_model.is_empty());
    assert_eq!(
        (small.requests, small.answered, small.attempts, small.not_made, small.errors),
        (0, 0, 1, 1, 1)
    );
    assert_eq!((small.cost.total(), small.estimated, small.escalated), (Pico(5), 0, 0));
    assert_eq!(
        small.latency.percentiles().map(|known| known.known),
        Some(1),
        "what was not made took no time"
    );
    assert_eq!((large.requests, large.answered, large.attempts, large.errors), (1, 1, 1, 0));
    assert_eq!((large.cost.total(), large.estimated, large.escalated), (Pico(70), 1, 1));
    totals.apply(&evidence, &settled, Sign::Minus);
    assert!(
        [&totals.all, &totals.models[0], &totals.models[2]].into_iter().all(|cell| *cell == Cell::default())
    );
}

#[test]
fn only_a_first_call_that_was_seen_answered_and_billed_tells_whether_a_forecast_was_right() {
    let foretold = |first: Attempt| {
        let operation = Operation { expected: std::num::NonZeroU64::new(130), ..operation() };
        let mut settled = settled();
        settled.attempts.insert(0, first);
        let mut totals = Totals::default();
        totals.apply(&Evidence { operation: &operation, extra: None }, &settled, Sign::Plus);
        assert_eq!(totals.models[0].foretold, totals.all.foretold);
        (totals.all.foretold, totals.all.bias())
    };
    let seen = Attempt { status: Status::Ok, cost: Cost::Known(Pico(100)), model: SMALL, ..Attempt::REFUSED };
    assert_eq!(foretold(seen), (1, Some(300)), "by 30 % too much");
    assert_eq!(foretold(Attempt { cost: Cost::Known(Pico(200)), ..seen }), (1, Some(-350)));
    assert_eq!(
        foretold(Attempt { cost: Cost::Known(Pico(0)), ..seen }),
        (1, None),
        "of nothing there is no share"
    );
    for other in [
        Attempt { observed: false, ..seen },
        Attempt { status: Status::Timeout, ..seen },
        Attempt { cost: Cost::Estimated(Pico(100)), ..seen },
        Attempt { cost: Cost::Unknown(Unpriced::NoPrice), ..seen },
    ] {
        assert_eq!(foretold(other), (0, None), "{other:?}");
    }
}

#[test]
fn percentiles_are_of_what_they_say() {
    let mut exact = Latencies::default();
    assert_eq!(exact.percentiles(), None);
    exact.apply(Millis::UNKNOWN, Sign::Plus);
    assert_eq!(exact.percentiles(), None, "an unknown latency is none");
    for millis in 1..=100 {
        exact.apply(Millis::new(millis), Sign::Plus);
    }
    assert_eq!(exact.percentiles(), Some(Percentiles { known: 100, p50: 50, p95: 95, p99: 99 }));
    exact.apply(Millis::new(0), Sign::Plus);
    assert_eq!(exact.percentiles().map(|all| all.known), Some(101), "less than a millisecond counts, too");

    let mut coarse = LatencyBuckets::default();
    assert_eq!((coarse.quantile(500), coarse.percentiles()), (None, None));
    for millis in 0..=15 {
        coarse.0[latency::bucket(millis)] += 1;
    }
    let read = [1, 62, 63, 500, 501, 937, 938, 1000].map(|share| coarse.quantile(share).unwrap());
    assert_eq!(read, [0, 0, 1, 7, 8, 14, 15, 15]);
    assert_eq!(coarse.percentiles(), Some(Percentiles { known: 16, p50: 7, p95: 15, p99: 15 }));
    // From 16 ms on a bucket is an eighth of an octave; the longest that a log can tell has one.
    assert_eq!(
        [15, 16, 17, 18, 31, 32, 35, 36, 64].map(latency::bucket),
        [15, 16, 16, 17, 23, 24, 24, 25, 32]
    );
    assert_eq!(latency::bucket(u64::MAX), latency::BUCKETS - 1);
    let shown = |millis: u64| {
        let mut one = LatencyBuckets::default();
        one.0[latency::bucket(millis)] = 1;
        one.quantile(500)
    };
    assert_eq!([16, 40, 1000].map(shown), [Some(17), Some(42), Some(992)]);
}

#[test]
fn a_chart_shows_the_slots_of_its_window_and_the_latest_where_there_is_no_room() {
    let slot = Span::mins(1);
    let mut trend = Trend::new(slot);
    assert_eq!((trend.slot(), Trend::new(Span(5)).slot()), (slot, Span(1000)));
    let at = |minute: i64| Instant(0) + Span::mins(minute);
    let mut failed = settled();
    failed.status = Status::Timeout;
    failed.escalated = false;
    trend.apply(at(-1), &settled(), Sign::Plus);
    trend.apply(at(1), &settled(), Sign::Plus);
    trend.apply(at(1) + Span(59_999_999), &failed, Sign::Plus);
    let cost = CostSum { known: Pico(5), estimated: Pico(70), ..CostSum::default() };
    let one = Slot { requests: 1, errors: 0, escalated: 1, cost };
    let both = CostSum { known: Pico(10), estimated: Pico(140), ..CostSum::default() };
    let two = Slot { requests: 2, errors: 1, escalated: 1, cost: both };
    assert_eq!(trend.series(at(-1), at(2), 9), [Some(one), None, Some(two)]);
    assert_eq!(
        trend.series(at(-1), at(2) + Span(1), 2),
        [Some(two), None],
        "the latest, and what lies ahead"
    );
    assert_eq!(trend.series(at(1), at(1), 9), [Some(two)], "a moment lies in a slot");
    trend.apply(at(1), &failed, Sign::Minus);
    assert_eq!(trend.series(at(1), at(2), 9), [Some(one)]);
    trend.apply(at(1), &settled(), Sign::Minus);
    trend.apply(at(-1), &settled(), Sign::Minus);
    trend.apply(at(7), &settled(), Sign::Minus);
    assert_eq!(trend, Trend::new(slot), "nothing is left of what is gone");
}

#[test]
fn judged_pairs_are_told_from_halves_and_come_in_an_order_that_says_nothing() {
    let quality = |value| PerMille::new(value).unwrap();
    let mut pairs = Pairs::default();
    for confidence in 0..40 {
        pairs.apply((quality(confidence), quality(0)), Some(quality(900)), Some(quality(1000)), Sign::Plus);
    }
    pairs.apply((quality(3), quality(0)), Some(quality(900)), Some(quality(1000)), Sign::Plus);
    pairs.apply((quality(1), quality(0)), Some(quality(1)), None, Sign::Plus);
    pairs.apply((quality(1), quality(0)), None, Some(quality(1)), Sign::Plus);
    pairs.apply((quality(1), quality(0)), None, None, Sign::Plus);
    assert_eq!((pairs.listed().len(), pairs.halves(), pairs.is_empty()), (41, 2, false));
    let mut shuffled = pairs.shuffled();
    assert_eq!(shuffled, pairs.shuffled(), "a certificate given twice is the same");
    assert_ne!(shuffled, pairs.listed());
    let climbs = shuffled.windows(2).filter(|two| two[0].confidence <= two[1].confidence).count();
    assert!((12..=28).contains(&climbs), "{climbs} of 40 ascend");
    shuffled.sort_unstable();
    assert_eq!(shuffled, pairs.listed());
    let mut twice = pairs.clone();
    twice.merge(&pairs);
    assert_eq!((twice.listed().len(), twice.halves()), (82, 4));
    for confidence in (0..40).chain([3]) {
        pairs.apply((quality(confidence), quality(0)), Some(quality(900)), Some(quality(1000)), Sign::Minus);
    }
    pairs.apply((quality(1), quality(0)), Some(quality(1)), None, Sign::Minus);
    pairs.apply((quality(1), quality(0)), None, Some(quality(1)), Sign::Minus);
    assert_eq!(pairs, Pairs::default());
}

#[test]
fn a_row_of_spend_has_its_own_calls_alone_and_a_baseline_only_for_whole_requests() {
    let served = Observed {
        model: LARGE,
        charged: Charged::new(Cost::Known(Pico(66))),
        usage: Usage::UNKNOWN,
        ..Observed::default()
    };
    let operation = Operation { served, project: ProjectId::NONE, ..operation() };
    let evidence = Evidence { operation: &operation, extra: None };
    let mut settled = settled();
    let mut whole = SpendCell::default();
    whole.add(&evidence, &settled, |_| true);
    assert_eq!((whole.requests, whole.calls, whole.failed, whole.tokens_unknown), (1, 2, 1, 1));
    assert_eq!((whole.cost.total(), whole.unknown_calls), (Pico(75), 0));
    assert_eq!((whole.baseline, whole.compared, whole.comparable), (Pico(200), Pico(75), 1));
    assert_eq!((whole.charged.total(), whole.charged_requests), (Pico(66), 1));
    let mut part = SpendCell::default();
    part.add(&evidence, &settled, |at| at == 2);
    assert_eq!((part.calls, part.failed, part.cost.total(), part.tokens.input), (1, 0, Pico(70), 100));
    assert_eq!(
        (part.baseline, part.comparable),
        (Pico(0), 0),
        "half a request saves nothing that can be told"
    );
    settled.attempts[2].cost = Cost::Unknown(Unpriced::NoPrice);
    settled.cost = Cost::Unknown(Unpriced::NoPrice);
    part.add(&evidence, &settled, |_| true);
    assert_eq!((part.unknown_calls, part.cost.unknown, part.comparable), (1, 1, 0), "unknown is not nothing");
    let mut sum = whole;
    sum.merge(&part);
    assert_eq!((sum.requests, sum.calls, sum.failed, sum.tokens_unknown), (3, 5, 2, 2));
    assert_eq!((sum.cost.total(), sum.unknown_calls, sum.comparable), (Pico(150), 1, 1));
    assert_eq!(
        (sum.baseline, sum.compared, sum.charged_requests),
        (Pico(200), Pico(75), whole.charged_requests + part.charged_requests)
    );
    assert_eq!((sum.tokens.input, sum.charged.total()), (314, whole.charged.total() + part.charged.total()));
}
