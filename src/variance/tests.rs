//! Parts add up whatever happened, and one cause is one part.

use proptest::prelude::*;

use super::*;
use crate::outcome::{Attempt, Evidence, Operation, Settled};
use crate::pricing::{Charged, Cost, PriceRow, PriceTable, Rates, Terms, Tier, bill};
use crate::routing::Status;
use crate::units::{Count, Instant, ModelId, Pico, PicoPerMillion, ProjectId, RouteTag, TeamId};

/// A call: model, how it ended, fresh and cached prompt tokens, answer tokens.
type Call = (u16, Status, u64, u64, u64);

/// A request: team, project, route, calls.
#[derive(Clone, Debug)]
struct Request(u16, u16, u16, Vec<Call>);

const CHEAP: u16 = 0;
const STRONG: u16 = 1;
/// A model without a price.
const UNPRICED: u16 = 2;

/// Prices with everything of them multiplied.
fn prices(times: i64) -> PriceTable {
    let mut table = PriceTable::default();
    let per_million = |dollars: i64| PicoPerMillion(dollars * times * 1_000_000_000_000);
    for (model, input, cached, output) in [(CHEAP, 4, 1, 8), (STRONG, 20, 2, 80)] {
        let tier = Tier {
            input: per_million(input),
            cache_read: Some(per_million(cached)),
            output: per_million(output),
            ..Tier::default()
        };
        // Long prompts cost twice as much.
        let long = Tier { input: per_million(input * 2), output: per_million(output * 2), ..tier };
        let standard = Rates { base: tier, above: vec![(200_000, long)] };
        table.change(ModelId(model), PriceRow { standard, ..PriceRow::default() });
    }
    table
}

fn add(window: &mut Window, request: &Request, prices: &PriceTable) {
    let Request(team, project, route, calls) = request;
    let operation = Operation { team: TeamId(*team), project: ProjectId(*project), ..Operation::default() };
    let mut settled = Settled::default();
    settled.cost = Cost::Known(Pico::ZERO);
    settled.tag = RouteTag(*route);
    for &(model, status, input, cached, output) in calls {
        let mut usage = crate::pricing::Usage::plain(input, output).unwrap();
        usage.cache_read = Count::new(cached).unwrap();
        let model = ModelId(model);
        let cost = bill(&usage, &Terms::NONE, prices.row(model, Instant(0)));
        settled.push(Attempt { model, usage, cost, status, ..Attempt::REFUSED });
    }
    settled.escalated = calls.first().map(|call| call.0) != calls.last().map(|call| call.0);
    window.add(&Evidence { operation: &operation, extra: None }, &settled, prices);
}

fn window(requests: &[Request], prices: &PriceTable) -> Window {
    let mut window = Window::default();
    for request in requests {
        add(&mut window, request, prices);
    }
    window
}

fn request() -> impl Strategy<Value = Request> {
    let status =
        prop_oneof![4 => Just(Status::Ok), 1 => Just(Status::RateLimited), 1 => Just(Status::Unavailable)];
    let call = (0u16..3, status, 0u64..400_000, 0u64..9000, 0u64..5000);
    (0u16..3, 0u16..3, 0u16..2, prop::collection::vec(call, 1..4))
        .prop_map(|(team, project, route, calls)| Request(team, project, route, calls))
}

fn requests() -> impl Strategy<Value = Vec<Request>> {
    prop::collection::vec(request(), 0..40)
}

/// Names the parts that are there.
fn parts(explained: &Explained) -> Vec<&'static str> {
    let list = explained.split.parts.list();
    list.into_iter().filter(|(_, amount)| *amount != Pico::ZERO).map(|(name, _)| name).collect()
}

proptest! {
    #[test]
    fn parts_add_up_to_the_change_whatever_happened(
        before in requests(), after in requests(), times in 1i64..5,
    ) {
        let before = window(&before, &prices(1));
        let after = window(&after, &prices(times));
        let found = explain(&before, &after, 50);
        let change = after.cost.total() - before.cost.total();
        prop_assert_eq!(found.split.change(), change);
        prop_assert_eq!(found.split.parts.total(), change);
        prop_assert_eq!(found.split.after.unknown, after.cost.unknown);
        for slice in &found.slices {
            prop_assert_eq!(slice.split.parts.total(), slice.split.change());
        }
        for dimension in ["project", "team", "model", "route"] {
            let of = found.slices.iter().filter(|slice| slice.part.name() == dimension);
            prop_assert!(of.count() <= 4);
        }
    }

    #[test]
    fn the_same_traffic_changes_nothing(requests in requests()) {
        let before = window(&requests, &prices(1));
        let found = explain(&before, &before.clone(), 5);
        prop_assert!(parts(&found).is_empty(), "{:?}", found.split.parts);
        prop_assert!(found.slices.is_empty());
        prop_assert!(found.trouble.iter().all(|trouble| trouble.course == Course::WentOn));
    }

    #[test]
    fn more_of_the_same_is_volume_alone(requests in requests(), times in 2usize..5) {
        let before = window(&requests, &prices(1));
        let after = window(&vec![requests; times].concat(), &prices(1));
        let found = explain(&before, &after, 5);
        for name in parts(&found) {
            // What is known of requests with unknown costs is no volume: nobody knows what it is of.
            prop_assert!(matches!(name, "volume" | "unknown"), "{:?}", found.split.parts);
        }
    }

    #[test]
    fn dearer_tokens_are_price_alone(requests in requests(), times in 2i64..5) {
        let found = explain(&window(&requests, &prices(1)), &window(&requests, &prices(times)), 5);
        for name in parts(&found) {
            prop_assert!(matches!(name, "price" | "unknown"), "{:?}", found.split.parts);
        }
    }
}

/// Ten requests alike.
fn ten(calls: &[Call]) -> Vec<Request> {
    vec![Request(0, 0, 0, calls.to_vec()); 10]
}

fn found(before: &[Request], after: &[Request]) -> Explained {
    explain(&window(before, &prices(1)), &window(after, &prices(1)), 5)
}

const PLAIN: Call = (CHEAP, Status::Ok, 1000, 0, 100);

#[test]
fn each_cause_has_its_own_part() {
    let before = ten(&[PLAIN]);
    // Longer answers.
    assert_eq!(parts(&found(&before, &ten(&[(CHEAP, Status::Ok, 1000, 0, 300)]))), ["tokens"]);
    // The same prompt, half of it cached: 500 x (4 - 1) micro-dollars less, each.
    let cached = found(&before, &ten(&[(CHEAP, Status::Ok, 500, 500, 100)]));
    assert_eq!(parts(&cached), ["cache"]);
    assert_eq!(cached.split.change().usd(), "-0.015");
    // A longer prompt at a longer prompt's price is no price change.
    let found_long = found(&before, &ten(&[(CHEAP, Status::Ok, 250_000, 0, 100)]));
    assert_eq!(parts(&found_long), ["tokens"]);
    // Another team with the same requests at the same cost is no change; a dearer model is mix.
    let moved: Vec<Request> = before.iter().map(|request| Request(1, 1, 0, request.3.clone())).collect();
    assert_eq!(found(&before, &moved).split.change(), Pico::ZERO);
    let dearer = found(&before, &ten(&[(STRONG, Status::Ok, 1000, 0, 100)]));
    assert_eq!(parts(&dearer), ["mix"]);
    assert_eq!(dearer.split.parts.mix.model, dearer.split.change());
}

/// Sums are rounded, not their members: the same requests at the same price are no mix.
#[test]
fn more_requests_of_some_teams_at_one_price_are_volume_to_the_last_digit() {
    let of = |counts: [usize; 3]| -> Vec<Request> {
        let of_team = |(team, count)| vec![Request(team, 0, 0, vec![PLAIN]); count];
        (0..).zip(counts).flat_map(of_team).collect()
    };
    let found = found(&of([2, 2, 2]), &of([3, 4, 1]));
    assert_eq!(parts(&found), ["volume"], "{:?}", found.split.parts);
    assert_eq!(found.split.parts.volume.usd(), "0.0096");
}

#[test]
fn a_storm_at_a_provider_is_escalation_and_names_the_model() {
    let before = ten(&[PLAIN]);
    let refused = (CHEAP, Status::RateLimited, 0, 0, 0);
    let after = ten(&[refused, (STRONG, Status::Ok, 1000, 0, 100)]);
    let storm = found(&before, &after);
    assert_eq!(parts(&storm), ["escalation"]);
    assert_eq!(storm.trouble.len(), 1);
    let trouble = &storm.trouble[0];
    assert_eq!((trouble.model, trouble.after.failed(), trouble.after.all()), (ModelId(CHEAP), 10, 10));
    assert_eq!(trouble.after.worst(), Some((Status::RateLimited, 10)));
    assert_eq!(trouble.hits.len(), 1);
    assert_eq!((trouble.hits[0].team, trouble.hits[0].requests), (TeamId(0), (0, 10)));
    assert_eq!(trouble.hits[0].extra, storm.split.change());
    // One slice: project, team, model and route are the same ten requests.
    assert_eq!(storm.slices.len(), 1);
    assert_eq!(storm.slices[0].part, Dimension::Project(ProjectId(0)));
    assert_eq!(storm.slices[0].also.len(), 3);
    // The same again, billed: retries.
    let again = found(&before, &ten(&[(CHEAP, Status::Timeout, 1000, 0, 0), PLAIN]));
    assert_eq!(parts(&again), ["retries"]);
    // No answer at all costs nothing, which is no saving by anything but failing.
    assert_eq!(parts(&found(&before, &ten(&[refused]))), ["failures"]);
}

#[test]
fn what_is_unknown_stands_by_itself() {
    let before = ten(&[PLAIN]);
    let mut after = before.clone();
    after.extend(ten(&[PLAIN, (UNPRICED, Status::Ok, 1000, 0, 100)]));
    let found = found(&before, &after);
    assert_eq!(parts(&found), ["unknown"], "a cost that nobody knows is no cheaper request");
    assert_eq!((found.split.after.requests, found.split.after.unknown), (20, 10));
}

#[test]
fn a_charge_that_no_book_prices_is_split_by_all_its_tokens() {
    let window = |tokens: u64, cost: i128| {
        let mut window = Window::default();
        let operation = Operation::default();
        let mut settled = Settled::default();
        settled.cost = Cost::Known(Pico::ZERO);
        settled.push(Attempt {
            model: ModelId(UNPRICED),
            usage: crate::pricing::Usage::plain(tokens, 0).unwrap(),
            cost: Charged::new(Cost::Known(Pico(cost))).cost().unwrap(),
            status: Status::Ok,
            ..Attempt::REFUSED
        });
        window.add(&Evidence { operation: &operation, extra: None }, &settled, &prices(1));
        window
    };
    let found = explain(&window(100, 1000), &window(300, 6000), 5);
    assert_eq!(found.split.parts.tokens, Pico(2000));
    assert_eq!(found.split.parts.price, Pico(3000));
    assert_eq!(found.split.parts.total(), Pico(5000));
}
