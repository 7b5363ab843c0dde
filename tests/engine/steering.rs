//! Limits that are steered towards: what a day costs comes out right below its limit, whatever happens to traffic and prices.

use std::fmt::Write as _;
use std::sync::Arc;

use pointsman::budget::Limit;
use pointsman::classifier::Classifier;
use pointsman::config::{budgets, policy, prices};
use pointsman::record::{self, Input, InputFormat, ReadOptions};
use pointsman::routing::{Policy, match_route};
use pointsman::session::{
    Course, Ingest, IngestOptions, Log, Moved, Reading, SteeredWindow, Steering, Steps, settle_one,
    steer_over,
};
use pointsman::units::{Instant, Names, Pico, Span};

const POLICY: &str = "name = \"p\"\nbaseline = \"gpt-4.1\"\n[[route]]\nname = \"all\"\nladder = [\n\
    { rung = \"small\", model = \"gpt-4.1-nano\", threshold = 500 },\n{ rung = \"large\", model = \"gpt-4.1\" } ]\n";

fn start() -> Instant {
    Instant::parse("2026-05-20T00:00:00Z").unwrap()
}

/// Days of traffic: requests an hour, and factors on both models' prices from a moment on.
fn log(days: i64, rate: impl Fn(i64) -> i64, doubled: Option<i64>) -> Log {
    let mut text = String::from("{\"pointsman_log\":1}\n");
    let mut number: u64 = 0;
    for hour in 0..days * 24 {
        if doubled == Some(hour) {
            let at = (start() + Span::hours(hour)).rfc3339();
            for (model, input, output) in [("gpt-4.1", "4", "16"), ("gpt-4.1-nano", "0.2", "0.8")] {
                let _ = writeln!(
                    text,
                    "{{\"event\":\"price\",\"at\":\"{at}\",\"model\":\"{model}\",\"input\":\"{input}\",\"output\":\"{output}\"}}"
                );
            }
        }
        let count = rate(hour);
        for nth in 0..count {
            number += 1;
            let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
            let at = start() + Span::hours(hour) + Span::secs(3600 * nth / count);
            let model = if mixed & 1 == 0 { "gpt-4.1" } else { "gpt-4.1-nano" };
            let _ = writeln!(
                text,
                "{{\"id\":\"r{number}\",\"at\":\"{}\",\"confidence\":{},\"model\":\"{model}\",\"in\":{},\"out\":200,\"latency_ms\":500}}",
                at.rfc3339(),
                (mixed >> 1) % 1001,
                800 + (mixed >> 12) % 400,
            );
        }
    }
    let mut names = Names::default();
    let policy = Arc::new(policy::parse(POLICY, "p.toml", &mut names).unwrap());
    let book = prices::builtin("list").unwrap();
    let ingest = Ingest::new(names, Classifier::builtin(), &IngestOptions::default());
    let options = ReadOptions { format: Some(InputFormat::Native), ..ReadOptions::default() };
    let source = record::open(&Input::bytes("log", text.into_bytes()), &options).unwrap();
    Log::load("log".into(), source, ingest, policy, &book, |_| true).unwrap()
}

fn limits(usd: &str, more: &str) -> Vec<Limit> {
    let text = format!(
        "[budget.all]\nlimit = {{ day = {usd} }}\nsteer = {{ act = true, step = 300, dwell = \"30m\"{more} }}\n"
    );
    budgets::parse(&text, "budgets.toml").unwrap()
}

fn last(windows: &[SteeredWindow]) -> &SteeredWindow {
    windows.last().unwrap()
}

/// Says how much of its limit a day cost, in thousandths.
fn share(window: &SteeredWindow) -> i128 {
    window.steered.0 * 1000 / window.amount.0
}

#[test]
fn a_day_costs_what_it_may_in_a_burst_at_other_prices_and_where_traffic_drops() {
    let noon = 24 + 12;
    let three = |hour| if hour >= noon { 180 } else { 60 };
    let half = |hour| if hour >= noon { 30 } else { 60 };
    for (what, log, usd) in [
        ("as ever", log(2, |_| 60, None), "2"),
        ("three times as many from noon on", log(2, three, None), "4"),
        ("prices doubled at noon", log(2, |_| 60, Some(noon)), "3"),
        ("half as many from noon on", log(2, half, None), "2"),
    ] {
        let windows = steer_over(&log, &limits(usd, ""), |_| true).unwrap();
        let day = last(&windows);
        assert!((980..=1000).contains(&share(day)), "{what}: {day:?}");
        // Of 48 looks: a day does not fill the history of policies.
        assert!((1..=20).contains(&day.moves), "{what}: {day:?}");
    }
}

#[test]
fn out_of_reach_is_said_and_a_room_that_nothing_fills_too() {
    let log = log(1, |_| 60, None);
    let said = |usd: &str, more: &str| {
        let mut steering = Steering::new(&limits(usd, more));
        let end = run(&log, &mut steering, &limits(usd, more), None);
        (steering.rows().remove(0), end)
    };
    let (row, _) = said("0.1", "");
    assert_eq!(row.heading, "out of reach", "{row:?}");
    assert!(row.words().contains("no thresholds cost less"), "{}", row.words());
    let (row, _) = said("100", "");
    assert_eq!(row.heading, "room left", "{row:?}");
    // Within certificates, of which there are none without labels, only the strongest rung is allowed.
    let (row, _) = said("2", ", certified = true");
    assert!(row.heading == "out of reach" && row.words().contains("within their certificates"), "{row:?}");
}

/// Decides a log under thresholds that are steered, begun anew once at an hour; gives what the last day cost.
fn run(log: &Log, steering: &mut Steering, limits: &[Limit], restart: Option<i64>) -> Pico {
    let outlook = log.outlook();
    let mut policy: Arc<Policy> = Arc::clone(&log.policy);
    let (mut spent, mut day, mut anew) = (Pico::ZERO, 0, restart);
    for (_, recalled) in log.history.range(log.history.start(), log.len()) {
        let evidence = recalled.evidence();
        let at = evidence.operation.at;
        let hours = (at - start()).0 / Span::hours(1).0;
        if hours / 24 != day {
            (spent, day) = (Pico::ZERO, hours / 24);
        }
        if anew.is_some_and(|hour| hours >= hour) {
            *steering = Steering::new(limits);
            anew = None;
        }
        let course = |_: &str| {
            Some(Course { spent, amount: limits[0].amount, ends: start() + Span::hours(24 * (day + 1)) })
        };
        for Steps { moves, .. } in steering.look(at, &policy, &outlook, (course, &[])) {
            policy = Arc::new(moved(&policy, &moves));
        }
        let mut settled = pointsman::outcome::Settled::default();
        settle_one(&evidence, Reading::Routed, &policy, &outlook, &mut settled);
        spent += settled.cost.amount().unwrap();
        let _ = match_route(&policy, &evidence.operation.signals());
        steering.take(&evidence, &policy, (&outlook, &log.names));
    }
    spent
}

fn moved(policy: &Policy, moves: &[Moved]) -> Policy {
    let mut policy = policy.clone();
    for one in moves {
        let route = policy.find_route(&one.route).unwrap();
        assert_eq!(policy.routes[route.index()].thresholds()[0], one.from);
        policy.set_threshold(route, 0, one.to).unwrap();
    }
    policy
}

#[test]
fn a_restart_in_the_middle_of_a_day_costs_nothing_more() {
    let log = log(2, |_| 60, None);
    let limits = limits("2", "");
    let spent = run(&log, &mut Steering::new(&limits), &limits, Some(36));
    let share = spent.0 * 1000 / limits[0].amount.0;
    assert!((980..=1000).contains(&share), "{share}");
}

#[test]
fn thresholds_move_a_step_at_a_time_on_the_routes_that_are_named_only() {
    let log = log(1, |_| 400, None);
    let of = |routes: &str| {
        let text = format!("[budget.all]\nlimit = {{ day = 2 }}\nsteer = {{ step = 40{routes} }}\n");
        budgets::parse(&text, "budgets.toml").unwrap()
    };
    let outlook = log.outlook();
    let first = |limits: &[Limit], busy: &[Arc<str>]| {
        let mut steering = Steering::new(limits);
        for (_, recalled) in log.history.range(log.history.start(), log.len()) {
            let evidence = recalled.evidence();
            steering.take(&evidence, &log.policy, (&outlook, &log.names));
        }
        let at = start() + Span::hours(20);
        let course = |_: &str| {
            Some(Course { spent: Pico::ZERO, amount: limits[0].amount, ends: start() + Span::hours(24) })
        };
        let moves = steering.look(at, &log.policy, &outlook, (course, busy));
        (moves, steering.rows().remove(0))
    };
    let (moves, row) = first(&of(""), &[]);
    assert!(!row.acts && row.words().starts_with("proposes: "), "{}", row.words());
    assert_eq!((moves[0].moves[0].from.get(), moves[0].moves[0].to.get().abs_diff(500)), (500, 40));
    assert_eq!(first(&of(", routes = [\"other\"]"), &[]).0, []);
    assert_eq!(first(&of(""), &["all".into()]).0, [], "a rollout has this route");
}
