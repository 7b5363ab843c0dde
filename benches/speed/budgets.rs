//! What budgets cost: a hold and its charge, a request of a live session; and a year of hours foretold and explained.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Instant as Clock;

use pointsman::budget::{Budgets, Payer};
use pointsman::config::{budgets, prices};
use pointsman::forecast::{Hours, forecast};
use pointsman::pricing::Cost;
use pointsman::routing::AtMost;
use pointsman::session::{Arriving, Called, Live, LiveSetup, Reading, Wants, compare};
use pointsman::units::{Instant, Pico, Span};

use super::{Dice, best, ingest, load, micros, row};

/// Four limits that every request draws on.
const FOUR: &str = "[budget.all]\nlimit = { month = 1000000 }\n[budget.teams]\neach = \"team\"\nlimit = { day = 100000 }\n\
    [budget.users]\neach = \"user\"\nlimit = { day = 100000 }\n[budget.models]\neach = \"model\"\nlimit = { hour = 100000 }\n";

const PAIRS: u32 = 200_000;

fn pairs(budgets: &Mutex<Budgets>, first: u32) {
    let cost = Pico(4_000_000_000);
    for n in 0..PAIRS {
        let at = Instant(1_764_000_000_000_000 + i64::from(first + n));
        let payer = Payer {
            team: ["search", "payments", "ops"][n as usize % 3],
            user: ["ann", "bob", "cid", "dot"][n as usize % 4],
            model: "gpt-4.1",
            listed: "gpt-4.1",
            ..Payer::default()
        };
        let hold = {
            let mut budgets = budgets.lock().unwrap();
            let draws = budgets.draws(&payer);
            budgets.hold(&draws, cost, at).unwrap()
        };
        budgets.lock().unwrap().settle(hold, Cost::Known(cost));
    }
}

fn holds() {
    let limits = budgets::parse(FOUR, "budgets.toml").unwrap();
    let shared = Mutex::new(Budgets::new(limits));
    let (alone, ()) = best(3, || pairs(&shared, 0));
    row(
        "hold and charge over four limits, one thread",
        &micros(alone / PAIRS),
        "<= 2 us",
        "each under the lock",
    );
    let (both, ()) = best(3, || {
        std::thread::scope(|scope| {
            scope.spawn(|| pairs(&shared, 0));
            scope.spawn(|| pairs(&shared, PAIRS));
        });
    });
    row(
        "the same, two threads that share them",
        &format!("{:.0} k pairs/s", f64::from(2 * PAIRS) / both.as_secs_f64() / 1e3),
        ">= 500 k pairs/s",
        &format!("{} holds left", shared.lock().unwrap().open_holds()),
    );
}

/// Requests of a live session without budgets and with four, in turn.
fn live() {
    let session = || {
        let (ingest, policy) = ingest();
        Live::new(LiveSetup {
            policy: (*policy).clone(),
            names: ingest.names.clone(),
            classifier: Arc::new(pointsman::classifier::Classifier::builtin()),
            book: prices::builtin("list").unwrap(),
            next_seq: 1,
            at: Instant(0),
            who: "bench".to_owned(),
            gateway: String::new(),
        })
    };
    let (plain, limited) = (session(), session());
    limited.limit(budgets::parse(FOUR, "budgets.toml").unwrap());
    let (team, user): (Arc<str>, Arc<str>) = ("search".into(), "ann".into());
    let run = |live: &Live, at_most: AtMost| {
        let started = Clock::now();
        for n in 0..20_000 {
            let wants = Wants { at_most, ..Wants::default() };
            let (team, user) = (Arc::clone(&team), Arc::clone(&user));
            let arriving = Arriving { team, user, asked: "auto".into(), wants, ..Arriving::default() };
            let mut placed = live.arrive(arriving, Instant(n));
            let model = placed.send.as_ref().map_or_else(|_| "".into(), |send| Arc::clone(&send.model));
            let called = Called { model, latency_ms: Some(300), ..Called::default() };
            let _ = std::hint::black_box(live.ended(&mut placed.ticket, called, false));
        }
        started.elapsed() / 20_000
    };
    let bounded = AtMost { prompt: 1024, output: 1024, ..AtMost::default() };
    let mut rounds: Vec<_> =
        (0..7).map(|_| (run(&plain, AtMost::default()), run(&limited, bounded))).collect();
    rounds.sort_by_key(|(plain, limited)| limited.saturating_sub(*plain));
    let (without, with) = rounds[rounds.len() / 2];
    row(
        "a request of a live session under four budgets",
        &format!("+{}", micros(with.saturating_sub(without))),
        "5 % of a gateway's",
        &format!("{} without, {} with, median of 7 pairs", micros(without), micros(with)),
    );
}

fn year() {
    let mut dice = Dice(11);
    let hours: Vec<Pico> =
        (0..8760).map(|hour| Pico(i128::from((hour % 24) * 1000 + dice.next(500)) * 1_000_000)).collect();
    let past = Hours::new(hours);
    let (took, found) = best(3, || forecast(&past, Pico::ZERO, (0, 720), &[]));
    row(
        "a month foretold from a year of hours",
        &format!("{:.1} ms", took.as_secs_f64() * 1e3),
        "<= 50 ms",
        &format!(
            "tried {} times on the past",
            found.and_then(|found| found.backtest).map_or(0, |test| test.tries)
        ),
    );
    let mut text = String::new();
    for hour in 0..8760i64 {
        let at = (Instant(1_735_689_600_000_000) + Span::hours(hour)).rfc3339();
        let model = ["gpt-4.1", "gpt-4.1-nano", "claude-opus-4-6"][usize::try_from(dice.next(3)).unwrap()];
        let team = ["search", "payments", "ops", "data"][usize::try_from(dice.next(4)).unwrap()];
        let _ = writeln!(
            text,
            "{{\"id\":\"{hour}\",\"at\":\"{at}\",\"team\":\"{team}\",\"model\":\"{model}\",\"in\":{},\"out\":{},\"ms\":900}}",
            1000 + dice.next(5000),
            dice.next(900)
        );
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("year.jsonl");
    std::fs::write(&path, text).unwrap();
    let log = load(&path);
    let (start, end) = log.bounds().unwrap();
    let middle = Instant(i64::midpoint(start.0, end.0));
    let (took, found) =
        best(3, || compare(&log, Reading::Recorded, (start, middle), (middle, end)).explain(5));
    row(
        "why one half of a year of hourly data cost more than the other",
        &format!("{:.1} ms", took.as_secs_f64() * 1e3),
        "<= 50 ms",
        &format!("{} requests, {} parts that explain it", log.len(), found.slices.len()),
    );
}

pub(super) fn budgets() {
    holds();
    live();
    year();
}
