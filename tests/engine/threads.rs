//! A log is the same on any number of threads: figures, names, and what is told of its lines.

use std::fmt::Write as _;
use std::sync::Arc;

use pointsman::classifier::Classifier;
use pointsman::config::{policy, prices};
use pointsman::record::{self, Input, ReadOptions};
use pointsman::session::{
    Asks, Ingest, IngestOptions, LoadError, Log, Reading, StreamOptions, StreamResult, Stretch, Trial, stream,
};
use pointsman::telemetry::{Dimension, SpendOptions};
use pointsman::units::{Names, When};

/// Lines of every kind: as a gateway writes them, nested, out of order, told twice, broken, events, and names without end.
fn lines(seed: u64) -> Vec<u8> {
    let mut out = String::from("{\"pointsman\":\"log\",\"v\":2,\"source\":\"a test\"}\n");
    let mut dice = seed;
    let mut next = |below: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % below
    };
    let models = ["gpt-4.1", "gpt-4.1-nano", "openai/gpt-4.1", "gemini-2.5-flash", "nobody-knows-it"];
    let routes = |require: &str, threshold: u64| {
        format!(
            r#""models":[{{"model":"gpt-4.1","labels":["eu"]}}],"routes":[{{"route":"all"{require},"ladder":[{{"rung":"a","model":"gpt-4.1-nano","threshold":{threshold}}},{{"rung":"b","model":"gpt-4.1"}}]}}]"#
        )
    };
    for n in 0..12_000u64 {
        let (minute, second) = (n / 600, (n / 10 + next(4)) % 60);
        let at = format!("2026-05-23T10:{minute:02}:{second:02}.{:03}Z", next(1000));
        let model = models[usize::try_from(next(5)).unwrap()];
        let project = if (2_500..9_000).contains(&n) { n } else { next(9) };
        let start = format!(
            r#"{{"id":"r{}","at":"{at}","team":"t{}","project":"p{project}","task":"code","confidence":{},"session":"s{n}""#,
            n - next(9) / 8 * n.min(40),
            next(7),
            next(1001)
        );
        let plain = format!(
            r#""model":"{model}","in":{},"out":{},"latency_ms":{}"#,
            next(9000),
            next(900),
            next(9000)
        );
        let _ = match next(60) {
            0 => writeln!(
                out,
                r#"{start},"attempts":[{{"model":"{}","status":"rate_limited","in":0,"out":0}},{{{plain}}}]}}"#,
                models[0]
            ),
            1 => writeln!(
                out,
                r#"{start},{plain},"labels":[{{"model":"gpt-4.1-nano","quality":{}}}]}}"#,
                next(1000)
            ),
            2 => writeln!(out, r#"{start},{plain},"down":["m{}"]}}"#, next(5000)),
            3 => writeln!(
                out,
                r#"{start},{plain},"down":["m{}","full:gpt-4.1","m1"],"require":["eu","x"]}}"#,
                next(50)
            ),
            4 => writeln!(out, r#"{start},{plain},"require":["eu"]}}"#),
            5 => writeln!(out, r#"{start},{plain},"meters":{{"web_search":{}}},"tier":"flex"}}"#, next(5)),
            6 => writeln!(out, r#"{start},{plain},"charged":"0.0{}","simulated":"storm"}}"#, next(99)),
            7 => writeln!(out, r#"{{"at":"{at}",{plain},"prompt":"Write \"it\" down"}}"#),
            13 | 14 => {
                writeln!(out, r#"{start},{plain},"tags":["env=e{}","n=n{n}"],"down":["m1"]}}"#, next(3))
            }
            word @ (15 | 16) => {
                let classifier = if word == 15 { "0badcafe" } else { "0badf00d" };
                writeln!(out, r#"{start},{plain},"down":["tried:{classifier}:code:{}"]}}"#, next(1001))
            }
            8 => writeln!(out, "{start},{plain}"),
            9 => writeln!(out, "\n  \n{{\"event\":\"note\",\"at\":\"{at}\",\"text\":\"n\"}}"),
            10 => writeln!(out, r#"{{"event":"signal","at":"{at}","model":"{model}"}}"#),
            11 if n > 9_000 => {
                writeln!(out, r#"{{"event":"price","at":"{at}","model":"m-{n}","input":"2","output":"8"}}"#)
            }
            12 if n > 10_000 => writeln!(
                out,
                r#"{{"event":"label","at":"{at}","id":"r{}","model":"gpt-4.1","quality":7}}"#,
                next(n)
            ),
            _ => writeln!(out, "{start},{plain}}}"),
        };
        if n == 4_000 || n == 7_000 {
            let (version, require) = if n == 4_000 { (2, "") } else { (3, r#","require":["eu"]"#) };
            let _ = writeln!(
                out,
                r#"{{"event":"policy","at":"{at}","version":{version},"name":"p",{}}}"#,
                routes(require, 300 * version)
            );
        }
        if n == 6_000 {
            let _ = writeln!(out, r#"{start},{plain},"prompt":"{}"}}"#, "x".repeat(5 << 20));
        }
    }
    let mut bytes = out.into_bytes();
    // One block that is no text at a place.
    let at = bytes.len() * 4 / 5;
    bytes[at] = 0xff;
    bytes
}

fn told(found: &StreamResult) -> String {
    let StreamResult { names, skipped, first_at, last_at, simulated, classified, slow, .. } = found;
    let spent = found.spend.iter().flat_map(|spend| {
        let table = &spend.tables[0];
        let mut rows: Vec<_> = table.rows.iter().collect();
        rows.sort_by_key(|(key, _)| (*key).clone());
        rows.into_iter()
            .map(|(key, cell)| format!("{} {cell:?}", spend.text(&table.by[0], key[0], names)))
            .collect::<Vec<_>>()
    });
    let spent: Vec<String> = spent.collect();
    let names = (names.models(), names.teams(), names.projects(), names.all_tags(), spent);
    let StreamResult { recharge, constraints, unknown_meters, profiles, timing, undated, .. } = found;
    let policies: Vec<u32> = found.policies.iter().map(|policy| policy.version).collect();
    let late = found.late.as_ref().map(|events| events.len());
    format!(
        "{names:?} {skipped:?} {first_at:?} {last_at:?} {simulated} {classified} {slow:?} {recharge:?} {constraints:?} {unknown_meters:?} {profiles:?} {timing:?} {undated:?} {policies:?} {late:?}"
    )
}

/// Two drawn logs, and between them one in every format that is kept here.
fn mixed() -> Input {
    let mut input = Input::bytes("one", lines(1));
    let mut foreign: Vec<_> =
        std::fs::read_dir("tests/records").unwrap().map(|file| file.unwrap().path()).collect();
    foreign.retain(|path| path.is_file() && path.extension().is_some_and(|end| end != "rs"));
    foreign.sort();
    for path in &foreign {
        input = input.and(Input::bytes(path.to_str().unwrap(), std::fs::read(path).unwrap()));
    }
    input.and(Input::bytes("two", lines(2)))
}

#[test]
fn any_number_of_threads_finds_the_same() {
    let (input, book) = (mixed(), prices::builtin("list").unwrap());
    let run = |threads: usize, options: &StreamOptions, from: Option<&str>| {
        let mut names = Names::default();
        let policy = Arc::new(policy::parse(policy::BUILTIN, "policy.toml", &mut names).unwrap());
        let from = from.map(|from| When::parse(from).unwrap());
        let how = IngestOptions { stretch: Stretch::new(from, None), ..IngestOptions::default() };
        let ingest = Ingest::new(names, Classifier::builtin(), &how);
        let source = record::open(&input, &ReadOptions::default()).unwrap();
        let options = StreamOptions { threads: Some(threads), ..options.clone() };
        stream(source, ingest, &policy, &book, &options, |_| true).unwrap()
    };
    let options = StreamOptions::from(Reading::Routed);
    let first = run(0, &options, None);
    assert!(first.late.is_some() && first.constraints.checked > 0 && first.skipped.count > 0, "{first:?}");
    let again = StreamOptions { events: first.late.clone(), ..options.clone() };
    let what_if = StreamOptions { asks: Asks::Frontiers, ..again.clone() };
    let by_tag = vec![vec![Dimension::named("tag.env").unwrap()]];
    let spend = SpendOptions { tables: by_tag, most: SpendOptions::MOST, ..SpendOptions::default() };
    let spend = StreamOptions { spend: Some(spend), ..again.clone() };
    assert!(told(&run(0, &spend, None)).contains("\"e1 SpendCell"));
    for (options, from) in
        [(&spend, None), (&options, None), (&again, None), (&again, Some("10:08")), (&what_if, None)]
    {
        let alone = run(0, options, from);
        for threads in [1, 2, 4] {
            let found = run(threads, options, from);
            assert_eq!(found.totals, alone.totals, "{threads} threads");
            assert!(told(&found) == told(&alone), "{threads} threads");
        }
    }
    let figures = |threads| {
        let found = run(threads, &what_if, None);
        let mut trial = Trial::streamed("log".into(), "book".into(), found).unwrap();
        let mut staged = (*trial.now).clone();
        staged.routes[0].set_thresholds(&[pointsman::units::PerMille::new(777).unwrap()]).unwrap();
        let rows = trial.consequences(&staged);
        rows.iter().map(|row| format!("{:?} {:?} {}", row.applied, row.staged, row.flips)).collect::<Vec<_>>()
    };
    assert_eq!(figures(0), figures(3));
}

/// Who opens a log in the console sees what its lines say in their order, on whatever machine.
#[test]
fn any_number_of_threads_loads_the_same() {
    let (input, book) = (mixed(), prices::builtin("list").unwrap());
    let load = |threads, beside: bool, stop_after: usize| {
        let mut names = Names::default();
        let policy = Arc::new(policy::parse(policy::BUILTIN, "policy.toml", &mut names).unwrap());
        let mut ingest = Ingest::new(names, Classifier::builtin(), &IngestOptions::default());
        if beside {
            ingest = ingest.beside(Classifier::builtin());
        }
        ingest.threads = Some(threads);
        let source = record::open(&input, &ReadOptions::default()).unwrap();
        Log::load("log".into(), source, ingest, policy, &book, |read| read < stop_after)
    };
    let told = |log: &Log| {
        let all = log.history.range(0, log.len());
        let all: Vec<String> =
            all.map(|(at, one)| format!("{} {:?}", log.history.id(at), one.evidence())).collect();
        let names = (log.names.models(), log.names.teams(), log.names.projects(), log.names.all_tags());
        let spans: Vec<_> = log.policies.iter().map(|span| (span.from, span.policy.version)).collect();
        let Log { notes, skipped, second, shadowed, verdicts, errors, recharge, timing, profiles, .. } = log;
        let rest = format!(
            "{notes:?} {skipped:?} {second:?} {shadowed:?} {verdicts:?} {errors:?} {recharge:?} {timing:?} {profiles:?}"
        );
        (all, format!("{names:?} {spans:?} {rest} {} {}", log.reordered, log.classified))
    };
    for beside in [false, true] {
        let alone = load(0, beside, usize::MAX).unwrap();
        let second = alone.second.as_deref().unwrap();
        assert!(
            if beside { second.starts_with("builtin ") } else { second == "0badcafe and 0badf00d" },
            "{second}"
        );
        assert!(!alone.verdicts.is_empty() && alone.skipped.count > 0 && alone.policies.len() > 1);
        for threads in [1, 3] {
            let loaded = load(threads, beside, usize::MAX).unwrap();
            assert!(told(&loaded) == told(&alone), "{threads} threads");
        }
    }
    for threads in [0, 1, 3] {
        assert!(matches!(load(threads, false, 1), Err(LoadError::Cancelled)), "{threads} threads");
    }
}
