//! Golden figures by hand, sums that hold whatever happened, and intervals that hold what they say.

use proptest::prelude::*;

use super::*;
use crate::outcome::{
    Attempt, Evidence, Extra, LabelSource, ModelLabel, Operation, Outlook, ProfileFit, Profiles, Settled,
};
use crate::pricing::{Cost, PriceRow, PriceTable, Rates, Terms, Tier, Usage, bill};
use crate::routing::{Circumstances, Policy, PolicySpec, RouteSpec, RungSpec, Status};
use crate::units::{Count, Draw, Instant, ModelId, Names, PerMille, Pico, PicoPerMillion, SessionId, Span};

const CHEAP: ModelId = ModelId(0);
const STRONG: ModelId = ModelId(1);
const UNPRICED: ModelId = ModelId(2);

/// A call: model, how it ended, fresh and cached prompt tokens, answer tokens.
type Call = (ModelId, Status, u64, u64, u64);

struct Bench {
    policy: Policy,
    prices: PriceTable,
    profiles: Profiles,
    circumstances: Circumstances,
}

fn prices() -> PriceTable {
    let mut table = PriceTable::default();
    let per_million = |dollars: i64| PicoPerMillion(dollars * 1_000_000_000_000);
    for (model, input, cached, output) in [(CHEAP, 1, 1, 2), (STRONG, 10, 1, 40)] {
        let base = Tier {
            input: per_million(input),
            cache_read: Some(per_million(cached)),
            output: per_million(output),
            ..Tier::default()
        };
        table.change(model, PriceRow { standard: Rates { base, above: Vec::new() }, ..PriceRow::default() });
    }
    table
}

fn bench() -> Bench {
    let mut names = Names::default();
    let rung = |model: &str, threshold| RungSpec { model: model.into(), threshold, ..RungSpec::default() };
    let spec = PolicySpec {
        name: "p".into(),
        routes: vec![RouteSpec {
            name: "r".into(),
            ladder: vec![rung("cheap", Some(500)), rung("strong", None)],
            ..RouteSpec::default()
        }],
        ..PolicySpec::default()
    };
    names.intern_model("cheap");
    let policy = Policy::compile(&spec, 1, &mut names).unwrap();
    Bench { policy, prices: prices(), profiles: Profiles::default(), circumstances: Circumstances::default() }
}

impl Bench {
    fn outlook(&self) -> Outlook<'_> {
        Outlook {
            prices: &self.prices,
            profiles: &self.profiles,
            circumstances: &self.circumstances,
            weather: None,
        }
    }

    fn charged(&self, model: ModelId, (input, cached, output): (u64, u64, u64)) -> (Usage, Cost) {
        let usage = Usage { cache_read: Count::new(cached).unwrap(), ..Usage::plain(input, output).unwrap() };
        (usage, bill(&usage, &Terms::NONE, self.prices.row(model, Instant(0))))
    }

    fn add(&self, tally: &mut Tally, operation: Operation, extra: Option<&Extra>, calls: &[Call]) {
        let mut settled = Settled::default();
        settled.begin(&self.policy, crate::routing::RouteId(0), 0);
        for &(model, status, input, cached, output) in calls {
            let (usage, cost) = self.charged(model, (input, cached, output));
            settled.push(Attempt { model, usage, cost, status, ..Attempt::REFUSED });
        }
        let mut operation = operation;
        if let Some(last) = settled.attempts.last() {
            (operation.served.model, operation.served.usage) = (last.model, last.usage);
        }
        let evidence = Evidence { operation: &operation, extra };
        tally.add(&evidence, &settled, &self.policy, &self.outlook());
    }
}

/// A strong answer of 50,000 tokens, judged.
fn judged() -> Extra {
    let (quality, output) = (PerMille::new(900), Some(50_000));
    let label = ModelLabel { model: STRONG, quality, output, source: LabelSource::Judge };
    Extra { labels: vec![label], ..Extra::default() }
}

fn usd(text: &str) -> Pico {
    Pico::from_usd(text).unwrap()
}

fn line(found: &Savings, name: &str) -> Line {
    found.lines.iter().find(|(known, _)| *known == name).unwrap().1
}

fn session(number: u32, minutes: i64) -> Operation {
    Operation { session: SessionId(number), at: Instant(0) + Span::mins(minutes), ..Operation::default() }
}

#[test]
fn every_line_is_what_one_reckons_by_hand() {
    let bench = bench();
    let mut tally = Tally::new(Against::Model(STRONG));
    // A million tokens in and a tenth out cost 1.20 on the cheap model and 14 on the strong one.
    bench.add(&mut tally, session(1, 0), None, &[(CHEAP, Status::Ok, 1_000_000, 0, 100_000)]);
    // Tried twice on the cheap model (1 each), answered by the strong one: 2 are escalation.
    let calls = [
        (CHEAP, Status::ServerError, 1_000_000, 0, 0),
        (CHEAP, Status::ServerError, 1_000_000, 0, 0),
        (STRONG, Status::Ok, 1_000_000, 0, 100_000),
    ];
    bench.add(&mut tally, session(2, 1), None, &calls);
    // Once more on the same model: 1 is a retry.
    let calls = [(CHEAP, Status::Timeout, 1_000_000, 0, 0), (CHEAP, Status::Ok, 1_000_000, 0, 100_000)];
    bench.add(&mut tally, session(3, 2), None, &calls);
    // A failure saves nothing.
    bench.add(&mut tally, session(4, 3), None, &[(CHEAP, Status::Timeout, 1_000_000, 0, 0)]);
    // Nobody can price it: it is in no sum, and counted.
    bench.add(&mut tally, session(5, 4), None, &[(UNPRICED, Status::Ok, 10, 0, 10)]);
    let found = tally.end();
    assert_eq!((found.requests, found.compared), (5, 4));
    assert_eq!(found.baseline, usd("43"), "14 for each answer, and the failure as it was");
    assert_eq!(found.answers, usd("17.4"));
    assert_eq!(found.gross(), usd("25.6"));
    assert_eq!(line(&found, "escalation"), Line::Known(usd("2")));
    assert_eq!(line(&found, "retries"), Line::Known(usd("1")));
    assert!(matches!(line(&found, "cache_loss"), Line::Absent(_)), "nothing is cached here");
    assert!(matches!(line(&found, "shadow"), Line::Absent(_)));
    assert!(matches!(line(&found, "judge"), Line::Absent(_)));
    assert_eq!(found.net, usd("22.6"));
    assert_eq!(found.interval, None, "how answers spread is not known, so no interval is made up");
}

#[test]
fn a_change_of_model_loses_what_one_model_would_have_read_from_its_cache() {
    let bench = bench();
    let of = |calls: &[(i64, Call)]| {
        let mut tally = Tally::new(Against::Model(STRONG));
        for (minutes, call) in calls {
            bench.add(&mut tally, session(1, *minutes), None, &[*call]);
        }
        tally.end()
    };
    let strong = |fresh, cached| (STRONG, Status::Ok, fresh, cached, 0);
    let cheap = |fresh, cached| (CHEAP, Status::Ok, fresh, cached, 0);
    // The second call sends a million tokens anew that lay in the other model's cache: 10 less 1 dollars.
    let found = of(&[(0, strong(0, 1_000_000)), (1, cheap(1_200_000, 0))]);
    assert_eq!(line(&found, "cache_loss"), Line::Estimated(usd("9")));
    // On the same model, or once the cache is gone, nothing is lost.
    let found = of(&[(0, strong(0, 1_000_000)), (1, strong(200_000, 1_000_000))]);
    assert_eq!(line(&found, "cache_loss"), Line::Estimated(Pico::ZERO));
    let found = of(&[(0, strong(0, 1_000_000)), (6, cheap(1_200_000, 0))]);
    assert_eq!(line(&found, "cache_loss"), Line::Estimated(Pico::ZERO));
    let mut tally = Tally::new(Against::Model(STRONG));
    bench.add(&mut tally, Operation::default(), None, &[cheap(5, 5)]);
    assert!(matches!(line(&tally.end(), "cache_loss"), Line::Unknown(_)), "no session is named");
}

#[test]
fn labels_tell_of_lengths_of_shadow_calls_and_of_judging() {
    let bench = bench();
    let mut tally = Tally::new(Against::Model(STRONG));
    let extra = judged();
    bench.add(&mut tally, session(1, 0), Some(&extra), &[(CHEAP, Status::Ok, 1_000_000, 0, 100_000)]);
    let found = tally.end();
    assert_eq!(found.baseline, usd("12"), "the length that was measured counts, not the cheap answer's");
    assert_eq!(line(&found, "shadow"), Line::Estimated(usd("12")));
    assert!(matches!(line(&found, "judge"), Line::Unknown(_)), "judging cost something: never zero");
    let (low, high) = found.interval.map(|interval| (interval.low, interval.high)).unwrap();
    assert!(low < found.net && found.net < high, "only how many tokens the prompt has there is guessed");
}

#[test]
fn shadow_runs_on_the_books_are_taken_off_at_what_they_cost_and_not_guessed_from_labels() {
    let bench = bench();
    let extra = judged();
    let with = |booked: &[Cost]| {
        let mut tally = Tally::new(Against::Model(STRONG));
        bench.add(&mut tally, session(1, 0), Some(&extra), &[(CHEAP, Status::Ok, 1_000_000, 0, 100_000)]);
        let mut sum = crate::pricing::CostSum::default();
        for cost in booked {
            sum.add(*cost);
        }
        tally.ran_beside(booked.len() as u64, &sum);
        tally.end()
    };
    let found = with(&[Cost::Known(usd("12")), Cost::Known(usd("3"))]);
    assert_eq!(line(&found, "shadow"), Line::Known(usd("15")), "the strong answer and its judge");
    assert!(matches!(line(&found, "judge"), Line::Absent(_)), "{:?}", line(&found, "judge"));
    assert_eq!(found.shadow_calls, 2);
    assert_eq!(with(&[]).net - found.net, usd("3"), "what the judge cost is saved by nobody");
    let found = with(&[Cost::Known(usd("12")), Cost::Unknown(crate::pricing::Unpriced::NoPrice)]);
    assert!(matches!(line(&found, "shadow"), Line::Unknown(_)), "never zero");
}

#[test]
fn the_most_expensive_rung_is_found_by_what_it_would_have_cost() {
    let bench = bench();
    let mut tally = Tally::new(Against::MostExpensive);
    bench.add(&mut tally, session(1, 0), None, &[(CHEAP, Status::Ok, 1_000_000, 0, 0)]);
    let named = Operation { pinned: true, asked: CHEAP, ..session(2, 0) };
    bench.add(&mut tally, named, None, &[(CHEAP, Status::Ok, 1_000_000, 0, 0)]);
    let found = tally.end();
    assert_eq!(found.models.iter().map(|(_, model)| *model).collect::<Vec<_>>(), [STRONG]);
    let saved = if bench.policy.routes[0].serves_as_named(&named.signals()) { "9" } else { "18" };
    assert_eq!((found.compared, found.net), (2, usd(saved)));
}

proptest! {
    #[test]
    fn the_lines_add_up_to_what_was_saved(
        requests in prop::collection::vec((0u32..6, 0i64..30, prop::collection::vec((0u16..3, 0u8..3, 0u64..400_000, 0u64..90_000, 0u64..9_000), 1..4)), 0..40),
        most_expensive in any::<bool>(),
    ) {
        let bench = bench();
        let mut tally = Tally::new(if most_expensive { Against::MostExpensive } else { Against::Model(STRONG) });
        let mut spent = Pico::ZERO;
        for (number, minutes, calls) in &requests {
            let calls: Vec<Call> = calls.iter().map(|&(model, status, input, cached, output)| {
                (ModelId(model), [Status::Ok, Status::Timeout, Status::RateLimited][usize::from(status)], input, cached, output)
            }).collect();
            bench.add(&mut tally, session(*number, *minutes), None, &calls);
            let cost = |&(model, _, input, cached, output): &Call| {
                bench.charged(model, (input, cached, output)).1.amount()
            };
            spent += calls.iter().map(cost).collect::<Option<Vec<_>>>().unwrap_or_default().into_iter().sum();
        }
        let found = tally.end();
        let taken: Pico = found.lines.iter().filter_map(|(_, line)| line.amount()).sum();
        prop_assert_eq!(found.gross() - taken, found.net);
        prop_assert_eq!(found.spend_compared, spent, "what is compared is all that has a cost");
        let calls: Pico = ["escalation", "retries"].iter().filter_map(|name| line(&found, name).amount()).sum();
        prop_assert_eq!(found.answers + calls, found.spend_compared);
    }
}

/// Draws by counting.
fn drawn(seed: u64) -> u64 {
    Draw::at(0, seed).next()
}

/// An answer's length: long ones are rare, as they are.
fn length(seed: u64) -> u64 {
    (0..4).map(|at| drawn(seed.wrapping_mul(4).wrapping_add(at)) % 500).sum::<u64>()
        + if drawn(seed ^ 0xabcd).is_multiple_of(10) { 2000 } else { 0 }
}

#[test]
fn the_interval_holds_what_the_baseline_would_have_cost_about_as_often_as_it_says() {
    let (requests, trials) = (120u64, 200u64);
    let mut held = 0;
    for trial in 0..trials {
        let mut bench = bench();
        let mut fit = ProfileFit::default();
        for seed in 0..400 {
            let mut seen = Operation::default();
            seen.served.model = STRONG;
            seen.served.usage = Usage::plain(1000, length(seed)).unwrap();
            fit.add(&Evidence { operation: &seen, extra: None }, &bench.prices);
        }
        bench.profiles = fit.finish();
        let mut tally = Tally::new(Against::Model(STRONG));
        let (mut truth, mut mean) = (Pico::ZERO, 0);
        for at in 0..requests {
            mean += length(trial * 10_000 + at + 1_000_000);
            // The strong model would have answered at a length of its own, drawn likewise.
            let output = length(trial * 10_000 + at);
            truth += bench.charged(STRONG, (1000, 0, output)).1.amount().unwrap();
        }
        let mean = mean / requests;
        for at in 0..requests {
            let id = u32::try_from(at).unwrap();
            bench.add(&mut tally, session(id, 0), None, &[(CHEAP, Status::Ok, 1000, 0, mean)]);
        }
        let found = tally.end();
        let at = found.interval.unwrap();
        let saved = truth - found.answers;
        held += u64::from(at.low <= saved && saved <= at.high);
    }
    // Half of what differs is the cheap answers' own mean here, so a little less than 95 % is to be expected.
    assert!(held * 100 >= trials * 80, "{held} of {trials}");
}

#[test]
fn the_measured_interval_holds_the_truth_about_as_often_as_it_says() {
    let share = PerMille::new(200).unwrap();
    let (trials, sessions) = (300u64, 400u64);
    let mut held = 0;
    for trial in 0..trials {
        let mut arms = Arms::default();
        for number in 0..sessions {
            let seed = trial * 1_000_003 + number * 17;
            let arm = if drawn(seed ^ 7) % 1000 < 200 { Arm::Held } else { Arm::Routed };
            // Sessions differ in length and in how expensive they are; held out, a request costs 5 more on average.
            let of_session = drawn(seed ^ 0xb) % 10;
            for request in 0..=drawn(seed ^ 0xd) % 8 {
                let own = drawn(seed.wrapping_mul(31) ^ request) % 4;
                let more = if arm == Arm::Held { 5 } else { 0 };
                let cost = Pico(i128::from(10 + of_session + own + more) * 1_000_000_000);
                let id = SessionId(u32::try_from(number).unwrap());
                arms.add(arm, share, id, Cost::Known(cost));
            }
        }
        let found = arms.end();
        let (_, at) = found.saved.unwrap();
        let truth = Pico(5_000_000_000 * i128::from(found.split.1));
        held += u64::from(at.low <= truth && truth <= at.high);
    }
    assert!(held * 100 >= trials * 92 && held < trials, "{held} of {trials}");
}

#[test]
fn too_few_sessions_measure_nothing() {
    let share = PerMille::new(50).unwrap();
    let mut arms = Arms::default();
    for number in 0..100 {
        let arm = if number < 29 { Arm::Held } else { Arm::Routed };
        arms.add(arm, share, SessionId(number), Cost::Known(Pico(5)));
    }
    arms.add(Arm::Held, share, SessionId(0), Cost::Unknown(crate::pricing::Unpriced::NoPrice));
    let found = arms.end();
    assert_eq!((found.saved, found.sessions, found.unknown), (None, (29, 71), 1));
}
