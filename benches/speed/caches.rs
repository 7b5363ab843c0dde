//! What prompt caches cost: a request of a live session among 100,000 warm prefixes, and a log of agents' sessions run anew.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant as Clock;

use pointsman::classifier::{Classifier, Measures, TaskClass};
use pointsman::config::{caching, policy, prices};
use pointsman::pricing::Usage;
use pointsman::record::{self, Input, ReadOptions};
use pointsman::session::{
    Arriving, Called, Ingest, IngestOptions, Live, LiveSetup, Reading, StreamOptions, stream,
};
use pointsman::units::{Count, Instant, Names, PerMille, Span};

use super::{Dice, best, micros, row};

const AWARE: &str = "name = \"one\"\n[[route]]\nname = \"all\"\ncache = \"aware\"\nladder = [\n\
    { rung = \"haiku\", model = \"claude-haiku-4-5\", threshold = 700 },\n\
    { rung = \"sonnet\", model = \"claude-sonnet-4-5\", threshold = 400 },\n\
    { rung = \"opus\", model = \"claude-opus-4-6\" },\n]\n";

/// Sessions, each with so many beginnings that are kept.
const SESSIONS: u64 = 12_500;
const BEGINNINGS: u64 = 24;

fn session(text: &str) -> Live {
    let mut names = Names::default();
    let policy = policy::parse(text, "test", &mut names).unwrap();
    let live = Live::new(LiveSetup {
        policy,
        names,
        classifier: Arc::new(Classifier::builtin()),
        book: prices::builtin("list").unwrap(),
        next_seq: 1,
        at: Instant(0),
        who: "bench".to_owned(),
        gateway: String::new(),
    });
    live.know_caches(caching::layered(None).unwrap());
    live
}

/// One turn of a session; returns what its arrival took.
fn turn(live: &Live, n: u64, turn: u64) -> std::time::Duration {
    let session = n % SESSIONS;
    let tokens = 40_000 + turn * 600;
    let beginnings: Arc<[(u64, u32)]> = (1..=BEGINNINGS + turn)
        .map(|block| (session << 20 | block, u32::try_from(tokens * block / (BEGINNINGS + turn)).unwrap()))
        .collect();
    let arriving = Arriving {
        session: format!("s-{session}").into(),
        asked: "auto".into(),
        confidence: PerMille::new(u16::try_from((n * 37 + turn * 311) % 1001).unwrap()),
        measures: Measures {
            prompt_tokens: Some(tokens),
            turn: Some(u32::try_from(turn).unwrap()),
            task: Some(TaskClass::Code),
            ..Measures::default()
        },
        beginnings,
        ..Arriving::default()
    };
    let at = Instant(i64::try_from(n + turn * SESSIONS).unwrap() * 5_000);
    let started = Clock::now();
    let mut placed = live.arrive(std::hint::black_box(arriving), at);
    let took = started.elapsed();
    let model = placed.send.as_ref().map_or_else(|_| "".into(), |send| Arc::clone(&send.model));
    let count = |tokens| Count::new(tokens).unwrap();
    let usage =
        Usage { cache_read: count(tokens - 600), write_5m: count(600), output: count(400), ..Usage::NONE };
    let called = Called { model, usage, latency_ms: Some(300), ..Called::default() };
    let _ = std::hint::black_box(live.ended(&mut placed.ticket, called, false));
    took
}

/// Requests of a live session that minds caches and of one that does not, in turn.
fn live() {
    let blind = AWARE.replace("cache = \"aware\"\n", "");
    let (blind, aware) = (session(&blind), session(AWARE));
    let run = |live: &Live, nth: u64| {
        let mut times: Vec<_> = (0..SESSIONS).map(|n| turn(live, n, nth)).collect();
        times.sort_unstable();
        (times[times.len() / 2], times[times.len() * 99 / 100])
    };
    for nth in 0..3 {
        run(&blind, nth);
        run(&aware, nth);
    }
    let (without, _) = run(&blind, 3);
    let (with, late) = run(&aware, 3);
    let (_, prefixes) = aware.warm(Instant(i64::try_from(SESSIONS * 4 * 5_000).unwrap()));
    row(
        &format!("an arrival among {prefixes} warm prefixes: p50"),
        &micros(with),
        "<= 20 us",
        &format!("{} without minding caches, p99 {}", micros(without), micros(late)),
    );
}

/// Agents' sessions: 30,000 requests of 600 sessions, run anew by a policy that minds caches.
fn replayed() {
    let mut dice = Dice(5);
    let mut text = String::new();
    for n in 0..30_000u64 {
        let (session, nth) = (n % 600, n / 600);
        let at = (Instant(1_790_000_000_000_000) + Span(i64::try_from(n).unwrap() * 60_000)).rfc3339();
        let read = 20_000 + nth * 900;
        let _ = writeln!(
            text,
            "{{\"id\":\"{n}\",\"at\":\"{at}\",\"session\":\"s-{session}\",\"task\":\"agent\",\"confidence\":{},\"model\":\"claude-opus-4-6\",\"in\":{},\"cache_read\":{read},\"write_5m\":900,\"out\":{},\"ms\":2500}}",
            dice.next(1001),
            dice.next(40),
            dice.next(900),
        );
    }
    let bytes = text.into_bytes();
    let run = |policy: &str| {
        let (took, requests) = best(3, || {
            let mut names = Names::default();
            let policy = Arc::new(policy::parse(policy, "test", &mut names).unwrap());
            let ingest = Ingest::new(names, Classifier::builtin(), &IngestOptions::default())
                .caching(caching::layered(None).unwrap());
            let source = record::open(&Input::bytes("agents.jsonl", bytes.clone()), &ReadOptions::default());
            let book = prices::builtin("list").unwrap();
            let options = StreamOptions::from(Reading::Routed);
            stream(source.unwrap(), ingest, &policy, &book, &options, |_| true).unwrap().totals.all.requests
        });
        assert_eq!(requests, 30_000);
        took
    };
    let (blind, aware) = (run(&AWARE.replace("cache = \"aware\"\n", "")), run(AWARE));
    row(
        "30,000 requests of agents' sessions, caches minded",
        &format!("{:.2} s", aware.as_secs_f64()),
        "<= 2 s",
        &format!("{:.2} s without minding caches", blind.as_secs_f64()),
    );
}

/// Both.
pub(crate) fn caches() {
    live();
    replayed();
}
