//! What a changed world does to calls, and what a warm cache does to the first.

use super::*;
use crate::pricing::{Charged, Terms};
use crate::routing::{Circumstance, Status};
use crate::units::Millis;

const OTHER: ModelId = ModelId(2);

/// `small` has no prices of cache writes; `large` has.
fn cached_prices() -> PriceTable {
    let price = |usd: &str| PicoPerMillion::from_usd_per_million(usd).unwrap();
    let row = |write| PriceRow {
        standard: Rates {
            base: Tier {
                input: price("10"),
                output: price("20"),
                cache_read: Some(price("1")),
                write_5m: write,
                ..Tier::default()
            },
            above: vec![],
        },
        ..PriceRow::default()
    };
    let mut book = PriceBook::default();
    book.add_row("small", row(None));
    book.add_row("large", row(Some(price("12"))));
    let mut names = Names::default();
    let _ = ["small", "large", "other"].map(|name| names.intern_model(name));
    PriceTable::new(&book, &names)
}

fn warm_call(model: ModelId) -> Observed {
    let count = |n| Count::new(n).unwrap();
    Observed {
        usage: Usage { cache_read: count(600), write_5m: Count::ZERO, ..plain(400, 100) },
        latency: Millis::new(2_000),
        charged: Charged::new(Cost::Known(Pico::USD)),
        ..call(model, Usage::NONE)
    }
}

fn of(model: ModelId, choice: Choice<'_>, weather: Option<&Weather>) -> Vec<Attempt> {
    let prices = cached_prices();
    let outlook = Outlook {
        prices: &prices,
        profiles: &Profiles::default(),
        circumstances: &Circumstances::default(),
        weather,
    };
    let operation = Operation { served: warm_call(model), ..Operation::default() };
    visit(&Evidence { operation: &operation, extra: None }, choice, &outlook).collect()
}

fn estimated(usd: &str) -> Cost {
    Cost::Estimated(Pico::from_usd(usd).unwrap())
}

#[test]
fn weather_elsewhere_changes_nothing() {
    let there = Weather {
        fails: vec![(OTHER, Status::Timeout, 9)],
        slow: vec![(OTHER, 3_000)],
        cold: vec![OTHER],
        priced: vec![OTHER],
    };
    let still = of(LARGE, Choice::plain(LARGE), None);
    assert_eq!(still[0].cost, Cost::Known(Pico::USD));
    assert_eq!(of(LARGE, Choice::plain(LARGE), Some(&there)), still);
    let mut cleared = there;
    cleared.clear();
    assert_eq!(cleared, Weather::default());
}

#[test]
fn a_model_that_fails_there_failed_so_fast_and_cost_nothing() {
    let weather = Weather { fails: vec![(LARGE, Status::Timeout, 250)], ..Weather::default() };
    let found = of(LARGE, Choice::plain(LARGE), Some(&weather));
    let [call] = found.as_slice() else { panic!("one call: {found:?}") };
    assert_eq!((call.model, call.status, call.latency), (LARGE, Status::Timeout, Millis::new(250)));
    assert_eq!((call.cost, call.observed, call.is_estimate()), (Cost::Known(Pico::ZERO), false, true));
    assert!(of(SMALL, Choice::plain(SMALL), Some(&weather))[0].status.is_ok());
}

#[test]
fn a_slow_model_takes_that_share_of_its_time() {
    let weather = Weather { slow: vec![(LARGE, 2_500)], ..Weather::default() };
    assert_eq!(of(LARGE, Choice::plain(LARGE), Some(&weather))[0].latency, Millis::new(5_000));
    assert_eq!(of(SMALL, Choice::plain(SMALL), Some(&weather))[0].latency, Millis::new(2_000));
}

/// 600 tokens that were read are written where writes have a price, else sent anew; what was charged then holds no more.
#[test]
fn a_cold_cache_has_the_prompt_sent_anew_and_says_that_this_is_an_estimate() {
    let weather = Weather { cold: vec![SMALL, LARGE], ..Weather::default() };
    let written = of(LARGE, Choice::plain(LARGE), Some(&weather))[0];
    assert_eq!((written.usage.cache_read.get(), written.usage.write_5m.get()), (Some(0), Some(600)));
    assert_eq!(written.cost, estimated("0.0132"), "400 at $10, 600 at $12, 100 at $20");
    let sent = of(SMALL, Choice::plain(SMALL), Some(&weather))[0];
    assert_eq!((sent.usage.input.get(), sent.usage.write_5m.get()), (Some(1_000), Some(0)));
    assert_eq!(sent.cost, estimated("0.012"));
    assert!(sent.is_estimate() && sent.observed);
}

#[test]
fn another_price_holds_whatever_was_charged() {
    let weather = Weather { priced: vec![LARGE], ..Weather::default() };
    let found = of(LARGE, Choice::plain(LARGE), Some(&weather))[0];
    assert_eq!(found.usage, warm_call(LARGE).usage);
    assert_eq!(found.cost, estimated("0.0066"), "400 at $10, 600 at $1, 100 at $20");
}

/// A session that comes to a model finds as much of its prompt there as caches hold, not what the log saw elsewhere.
#[test]
fn what_is_warm_is_read_and_the_rest_is_written_or_sent() {
    let warm = |model, warm| of(model, Choice { warm: Some(warm), ..Choice::plain(model) }, None)[0];
    let tokens = |attempt: Attempt| {
        let usage = attempt.usage;
        [usage.input, usage.cache_read, usage.write_5m, usage.write_1h].map(|count| count.get().unwrap())
    };
    assert_eq!(tokens(warm(LARGE, 900)), [0, 900, 100, 0]);
    assert_eq!(tokens(warm(SMALL, 900)), [100, 900, 0, 0]);
    assert_eq!(tokens(warm(LARGE, 5_000)), [0, 1_000, 0, 0], "no more than the prompt has");
    assert_eq!(warm(LARGE, 900).cost, estimated("0.0041"), "900 at $1, 100 at $12, 100 at $20");
    let elsewhere = of(SMALL, Choice { warm: Some(250), ..Choice::plain(LARGE) }, None)[0];
    assert_eq!(tokens(elsewhere), [0, 250, 750, 0], "an estimate, too");
}

/// What a client asked of a model by name is what happened, unless that model was never asked.
#[test]
fn a_client_that_names_a_model_gets_what_happened_there_or_an_estimate() {
    let prices = cached_prices();
    let outlook = Outlook {
        prices: &prices,
        profiles: &Profiles::default(),
        circumstances: &Circumstances::default(),
        weather: None,
    };
    let made = |earlier: Vec<Observed>, served: Observed, asked: ModelId| {
        let operation = Operation { served, ..Operation::default() };
        let extra = Extra { earlier, ..Extra::default() };
        let evidence = Evidence { operation: &operation, extra: Some(&extra) };
        calls(&evidence, asked, &outlook).map(|call| (call.model, call.observed)).collect::<Vec<_>>()
    };
    let (small, large) = (warm_call(SMALL), warm_call(LARGE));
    assert_eq!(made(vec![], large, LARGE), [(LARGE, true)]);
    assert_eq!(made(vec![small], large, LARGE), [(SMALL, true), (LARGE, true)]);
    assert_eq!(made(vec![], small, LARGE), [(LARGE, false)], "it was not asked");
    assert_eq!(
        made(vec![], small, ModelId::NONE),
        [(SMALL, true)],
        "the log does not say which one was named"
    );
    let unavailable = Observed { status: Status::Unavailable, ..small };
    assert_eq!(made(vec![], unavailable, LARGE), [(SMALL, true)], "it stood before a breaker then, too");
    let refused = Observed { status: Status::Refused, ..call(ModelId::NONE, Usage::NONE) };
    assert_eq!(made(vec![], refused, LARGE), [(LARGE, false)], "what refused it then does not do so now");
    let refused_there = Observed { status: Status::Refused, ..small };
    assert_eq!(made(vec![], refused_there, LARGE), [(SMALL, true)]);
}

/// Charges of a log are held against the given prices operation by operation.
#[test]
fn charges_of_a_log_are_counted_and_told_where_the_prices_differ() {
    let prices = cached_prices();
    let mut account = crate::pricing::Recharge::default();
    let add = |served: Observed, account: &mut crate::pricing::Recharge| {
        let operation = Operation { served, ..Operation::default() };
        recharge(&Evidence { operation: &operation, extra: None }, &prices, account);
    };
    let plain = call(LARGE, plain(1_000, 0));
    add(plain, &mut account);
    assert_eq!(account, crate::pricing::Recharge::default(), "no charge is told");
    let right = Charged::new(Cost::Known(Pico::from_usd("0.01").unwrap()));
    add(Observed { charged: right, ..plain }, &mut account);
    assert_eq!((account.requests, account.differing), (1, 0));
    add(warm_call(LARGE), &mut account);
    assert_eq!((account.requests, account.differing), (2, 1));
    assert_eq!(account.charged.known, Pico::from_usd("1.01").unwrap());
    assert_eq!(account.priced.known, Pico::from_usd("0.0166").unwrap());
    let operation = Operation { served: plain, ..Operation::default() };
    let extra = Extra { earlier: vec![Observed { charged: right, ..plain }], ..Extra::default() };
    recharge(&Evidence { operation: &operation, extra: Some(&extra) }, &prices, &mut account);
    assert_eq!(account.requests, 3, "a charge of an earlier call counts");
    assert!(Terms::NONE.is_none());
}

/// A request of an outage that failed and was free would else be one that was served, at a cost that nobody knows.
#[test]
fn where_the_log_says_that_nobody_could_be_called_neither_could_another_that_it_names() {
    let prices = cached_prices();
    let mut circumstances = Circumstances::default();
    let down = Circumstance { down: vec![SMALL, LARGE], ..Circumstance::PLAIN.clone() };
    let outage = circumstances.intern(&down);
    let outlook = Outlook {
        prices: &prices,
        profiles: &Profiles::default(),
        circumstances: &circumstances,
        weather: None,
    };
    let made = |status: Status, model: ModelId| {
        let served = Observed { status, ..warm_call(SMALL) };
        let operation = Operation { served, circumstance: outage, ..Operation::default() };
        let evidence = Evidence { operation: &operation, extra: None };
        let attempt = on_model(&evidence, Choice::plain(model), &outlook);
        (attempt.status, attempt.observed)
    };
    assert_eq!(made(Status::Unavailable, LARGE), (Status::Unavailable, true));
    assert_eq!(made(Status::Unavailable, OTHER), (Status::Ok, false), "nothing is said of this one");
    assert_eq!(made(Status::Ok, LARGE), (Status::Ok, false), "it was down, and yet the request was served");
}
