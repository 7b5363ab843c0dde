//! Request logs as users have them: every format gives the right tokens, and nothing that comes in can break a reader.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first fault, in its own words or not")]

#[path = "records/billed.rs"]
mod billed;
#[path = "records/coding.rs"]
mod coding;
#[path = "records/counted.rs"]
mod counted;
#[path = "records/doubtful.rs"]
mod doubtful;
#[path = "records/failed.rs"]
mod failed;
#[path = "support/fixtures.rs"]
mod fixtures;
#[path = "records/mapped.rs"]
mod mapped;
#[path = "records/run_by_providers.rs"]
mod run_by_providers;
#[path = "records/summed.rs"]
mod summed;
#[path = "records/told_again.rs"]
mod told_again;
#[path = "records/who_served.rs"]
mod who_served;

use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use pointsman::record::{
    Entry, Error, Input, InputFormat, MAX_ENTRY, ReadOptions, Record, Skip, SkipKind, Status, Summary,
    TRACE_EPOCH, WriteTtl, append_line, open,
};
use pointsman::units::{Count, Instant, Names};

use fixtures::{FIXTURES, fixture};

type Buckets = [Option<u64>; 6];

/// What the tests look at in a request.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    id: String,
    at: Instant,
    model: String,
    buckets: Buckets,
    ttl: WriteTtl,
    status: Status,
    latency: Option<u32>,
    ttft: Option<u32>,
    attempts: usize,
    session: String,
    assumed: bool,
}

fn seen(record: &Record<'_>) -> Seen {
    let served = record.attempts.last().cloned().unwrap_or_default();
    let u = served.usage;
    Seen {
        id: record.id.to_string(),
        at: record.at,
        model: served.model.to_string(),
        buckets: [u.input, u.cache_read, u.write_5m, u.write_1h, u.output, u.reasoning].map(Count::get),
        ttl: served.write_ttl,
        status: served.status,
        latency: served.latency_ms,
        ttft: served.ttft_ms,
        attempts: record.attempts.len(),
        session: record.session.to_string(),
        assumed: served.assumed_model,
    }
}

fn read(input: &Input, options: &ReadOptions) -> Result<(Vec<Seen>, Vec<Skip>, Summary), Error> {
    let (mut requests, mut skips) = (Vec::new(), Vec::new());
    let summary = open(input, options)?.for_each(|_, _, entry| {
        match entry {
            Ok(Entry::Request(record)) => requests.push(seen(&record)),
            Ok(_) => {}
            Err(skip) => skips.push(skip.clone()),
        }
        ControlFlow::Continue(())
    })?;
    Ok((requests, skips, summary))
}

fn file(name: &str) -> (Vec<Seen>, Vec<Skip>) {
    let (requests, skips, _) = read(&Input::paths([fixture(name)]), &ReadOptions::default()).unwrap();
    (requests, skips)
}

fn text(log: impl Into<Vec<u8>>) -> (Vec<Seen>, Vec<Skip>) {
    let input = Input::bytes("log", log.into());
    let (requests, skips, _) = read(&input, &ReadOptions::default()).unwrap();
    (requests, skips)
}

const A: Buckets = [Some(3808), Some(8192), Some(0), Some(0), Some(650), Some(0)];
const B: Buckets = [Some(1204), Some(18432), Some(2048), Some(1024), Some(812), None];
/// Call B where the format has one number for cache writes.
const B_UNDATED: Buckets = [Some(1204), Some(18432), Some(3072), Some(0), Some(812), None];
const C: Buckets = [Some(2152), Some(2048), Some(0), Some(0), Some(850), Some(540)];
const D: Buckets = [Some(900), Some(0), Some(0), Some(0), Some(150), None];
const E: Buckets = [Some(0); 6];

fn with_reasoning(mut buckets: Buckets, reasoning: u64) -> Buckets {
    buckets[5] = Some(reasoning);
    buckets
}

#[test]
fn litellm_logs_give_the_same_buckets_however_they_were_dumped() {
    for name in ["litellm_array.json", "litellm_data.json", "litellm_dump.jsonl", "litellm_payload.jsonl"] {
        let (requests, skips) = file(name);
        assert!(skips.is_empty(), "{name}: {skips:?}");
        let buckets: Vec<_> = requests.iter().map(|request| request.buckets).collect();
        assert_eq!(buckets, [A, B, C, D, E], "{name}");
        let [a, b, .., e] = requests.as_slice() else { panic!("{name}") };
        assert_eq!((a.latency, a.ttft, a.session.as_str()), (Some(4810), Some(560), "s-1"), "{name}");
        assert_eq!((b.ttl, b.model.as_str()), (WriteTtl::Reported, "claude-opus-4-6"), "{name}");
        assert_eq!((e.status, e.latency), (Status::RateLimited, Some(210)), "{name}");
        assert_eq!(a.at, Instant::parse("2026-05-23T10:00:01.120Z").unwrap(), "{name}");
    }
}

#[test]
fn litellm_cache_hits_cost_nothing_and_fallbacks_leave_a_trace() {
    let (requests, _) = file("litellm_special.jsonl");
    assert_eq!((requests[0].buckets, requests[0].status), (E, Status::Ok));
    assert_eq!((requests[1].buckets, requests[1].attempts), (D, 2));
}

#[test]
fn spans_of_every_generation_give_the_same_buckets_and_only_calls_count() {
    for name in ["otel.json", "otel.jsonl"] {
        let (requests, skips) = file(name);
        let got: Vec<_> = requests.iter().map(|request| request.buckets).collect();
        assert_eq!(got, [A, B_UNDATED, B_UNDATED, C, D, E], "{name}");
        assert_eq!(requests[1].ttl, WriteTtl::Assumed);
        assert_eq!((requests[0].ttft, requests[0].model.as_str()), (Some(560), "gpt-4.1-2025-04-14"));
        assert_eq!(requests[5].status, Status::RateLimited);
        assert_eq!(skips.len(), 2, "{name}: {skips:?}");
        assert!(skips.iter().all(|skip| skip.kind != SkipKind::Bad));
    }
}

#[test]
fn provider_answers_give_the_right_buckets() {
    let one = |name: &str| {
        let (requests, skips) = file(name);
        assert_eq!((requests.len(), skips.len()), (1, 0), "{name}: {skips:?}");
        requests[0].clone()
    };
    assert_eq!(one("openai_chat.json").buckets, A);
    assert_eq!(one("anthropic.json").buckets, with_reasoning(B, 300));
    assert_eq!(one("anthropic.json").at, TRACE_EPOCH);
    assert_eq!(one("gemini.json").buckets, C);
    let ollama = one("ollama.json");
    assert_eq!((ollama.buckets, ollama.latency), (D, Some(5044)));
    assert_eq!(ollama.at, Instant::parse("2026-05-23T10:00:03.999Z").unwrap());

    let (requests, skips) = file("openai_mixed.jsonl");
    let got: Vec<_> = requests.iter().map(|request| request.buckets).collect();
    assert_eq!(got, [A, D, D, with_reasoning(B_UNDATED, 300), [None; 6]]);
    assert_eq!(skips.len(), 1);
    let (claude, skips) = file("claude_code.jsonl");
    assert_eq!((claude.len(), claude[0].buckets, claude[0].ttl), (1, B, WriteTtl::Reported), "{skips:?}");
    // A stream kept as a list is one answer, not three.
    let (requests, skips) = file("gemini_stream.json");
    assert_eq!((requests.len(), requests[0].buckets, skips.len()), (1, C, 2));
}

#[test]
fn exports_and_gateways_give_the_right_buckets() {
    let (langfuse, skips) = file("langfuse.jsonl");
    assert_eq!(langfuse.iter().map(|request| request.buckets).collect::<Vec<_>>(), [B, C, E]);
    assert_eq!((langfuse[0].latency, langfuse[0].ttft), (Some(10370), Some(1250)));
    assert_eq!((langfuse[2].status, skips.len()), (Status::RateLimited, 1));

    let (helicone, _) = file("helicone.jsonl");
    let mut a = A;
    a[5] = None;
    assert_eq!(helicone.iter().map(|request| request.buckets).collect::<Vec<_>>(), [B_UNDATED, a]);

    let (portkey, _) = file("portkey.jsonl");
    assert_eq!(portkey.iter().map(|request| request.buckets).collect::<Vec<_>>(), [D, E]);
    assert_eq!(portkey[1].status, Status::RateLimited);

    let (tensorzero, _) = file("tensorzero.jsonl");
    assert_eq!((tensorzero[0].buckets, tensorzero[0].ttl), (B_UNDATED, WriteTtl::Assumed));

    // OpenRouter's record has no count of cache writes, so they stay within the input.
    let (openrouter, _) = file("openrouter.json");
    assert_eq!(openrouter[0].buckets, [Some(4276), Some(18432), Some(0), Some(0), Some(812), Some(300)]);
    assert_eq!((openrouter[0].attempts, openrouter[0].latency), (2, Some(10370)));
}

#[test]
fn traces_are_read_and_placed() {
    let (azure, _) = file("azure.csv");
    assert_eq!(azure.len(), 2);
    assert_eq!(
        (azure[1].buckets[0], azure[1].buckets[4], azure[1].model.as_str()),
        (Some(3180), Some(8), "")
    );

    let (burst, _) = file("burstgpt_1.csv");
    assert_eq!(burst[0].at.0 - TRACE_EPOCH.0, 5_000_000);
    assert_eq!(
        (burst[0].status, burst[1].status, burst[1].model.as_str()),
        (Status::Ok, Status::Failed, "GPT-4")
    );
    let (burst, _) = file("burstgpt_3.csv");
    assert_eq!(
        (burst[0].session.as_str(), burst[0].latency, burst[0].buckets[0]),
        ("ab-1", Some(2000), Some(462))
    );

    let (mooncake, _) = file("mooncake.jsonl");
    assert_eq!(mooncake[1].at.0 - TRACE_EPOCH.0, 27_001_000);

    let (rows, _) = file("agents.csv");
    let offset = |seen: &Seen| seen.at.0 - TRACE_EPOCH.0;
    assert_eq!(rows.iter().map(offset).collect::<Vec<_>>(), [0, 19_500_000, 79_500_000]);
    assert_eq!((rows[1].latency, rows[1].ttft), (None, Some(1500)));
    assert_eq!(rows[1].buckets, [Some(240), Some(960), Some(0), Some(0), Some(20), None]);

    let (raw, _) = file("agents.json");
    assert_eq!(raw.iter().map(offset).collect::<Vec<_>>(), [0, 5_000_000, 19_500_000]);
    assert_eq!(raw[2].buckets, rows[1].buckets, "both forms of a session agree on what was cached");
}

#[test]
fn our_own_format_reads_as_documented() {
    let mut source = open(&Input::paths([fixture("native.jsonl")]), &ReadOptions::default()).unwrap();
    assert_eq!(source.header().source, "illustration");
    assert_eq!(source.header().simulated, ["prices"]);
    let (mut got, mut prices, mut notes) = (Vec::new(), 0, 0);
    let summary = source
        .for_each(|_, _, entry| {
            match entry.unwrap() {
                Entry::Request(record) => got.push(seen(&record)),
                Entry::Price(change) => {
                    prices += 1;
                    assert_eq!(change.row.standard.base.output.usd_per_million(), "8");
                    assert!(change.simulated);
                }
                Entry::Policy(_) | Entry::Signal(_) | Entry::Label(_) | Entry::Correction(_) => prices += 100,
                Entry::Note { text, .. } => {
                    notes += 1;
                    assert_eq!(text, "provider trouble");
                }
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(summary, Summary { entries: 7, ..Summary::default() });
    let mut e = E;
    e[5] = None;
    assert_eq!(got.iter().map(|seen| seen.buckets).collect::<Vec<_>>(), [A, B, C, D, e]);
    assert_eq!((got[4].status, prices, notes), (Status::RateLimited, 1, 1));
}

/// A ledger's export must come back as what was written, or a replayed incident decides differently.
#[test]
fn what_live_traffic_adds_to_the_format_survives_a_round_trip() {
    let lines = concat!(
        r#"{"event":"policy","at":"2026-05-23T10:00:00.000Z","version":3,"who":"mia","what":"flash 620 → 588","name":"p","baseline":"strong","routes":[{"route":"a","task":["code"],"asked":["x"],"no_signal":"flash","ladder":[{"rung":"flash","model":"m1","threshold":588},{"model":"strong"}]},{"route":"rest","ladder":[{"model":"strong"}]}]}"#,
        "\n",
        r#"{"id":"o1","at":"2026-05-23T10:00:01.000Z","asked":"m1","pinned":true,"model":"m1","billed":"m1-mini","in":5,"out":7}"#,
        "\n",
        r#"{"id":"o2","at":"2026-05-23T10:00:02.000Z","asked":"auto/a","attempts":[{"model":"m1","in":0,"out":0,"latency_ms":0,"status":"unavailable","error":"breaker open"},{"model":"strong","in":5,"out":7}]}"#,
        "\n",
    );
    let input = Input::bytes("log", lines.as_bytes());
    let mut written = Vec::new();
    {
        let mut source = open(&input, &ReadOptions::default()).unwrap();
        source
            .for_each(|_, _, entry| {
                let entry = entry.unwrap();
                if let Entry::Policy(change) = &entry {
                    let mut names = Names::default();
                    let policy = change.compile(&mut names).unwrap();
                    assert_eq!(policy.spec(&names), change.spec, "a policy writes itself as it was read");
                }
                append_line(&mut written, &entry);
                ControlFlow::Continue(())
            })
            .unwrap();
    }
    assert_eq!(String::from_utf8(written).unwrap(), lines);
}

#[test]
fn a_policy_event_that_makes_no_sense_is_told() {
    let line = r#"{"event":"policy","at":"2026-05-23T10:00:00Z","version":1,"routes":[{"route":"a","ladder":[{"model":"m"},{"model":"n"}]}]}"#;
    let (_, skips) = text(format!("{line}\n"));
    assert!(skips[0].reason.contains("route.a.ladder[0].threshold"), "{skips:?}");
}

#[test]
fn missing_tokens_are_unknown_and_explicit_zeros_are_zero() {
    let line = |keys: &str| {
        let (requests, skips) = text(format!("{{\"at\":\"2026-05-23T10:00:00Z\",{keys}}}\n"));
        assert!(skips.is_empty(), "{keys}: {skips:?}");
        requests[0].buckets
    };
    assert_eq!(line(r#""model":"m""#), [None; 6]);
    assert_eq!(line(r#""in":5"#), [Some(5), None, None, None, None, None]);
    assert_eq!(line(r#""in":5,"out":0"#), [Some(5), Some(0), Some(0), Some(0), Some(0), None]);
    assert_eq!(line(r#""in":5,"out":7,"cache_read":null"#), [Some(5), None, Some(0), Some(0), Some(7), None]);
    assert_eq!(line(r#""out":7,"cache_read":0"#), [None, Some(0), None, None, Some(7), None]);
}

#[test]
fn bad_lines_are_counted_with_number_and_reason() {
    let good = r#"{"at":"2026-05-23T10:00:00Z","model":"m","in":1,"out":1}"#;
    let mut log = format!("{good}\n\nnot json\n{good}\r\n").into_bytes();
    for bad in [
        r#"{"model":"m"}"#,
        r#"{"at":"yesterday"}"#,
        r#"{"at":"2026-05-23T10:00:00Z","in":-4}"#,
        r#"{"at":"2026-05-23T10:00:00Z","confidence":1001}"#,
        r#"{"at":"2026-05-23T10:00:00Z","in":4294967295}"#,
        r#"{"at":"2026-05-23T10:00:00Z","status":"fine"}"#,
        r#"{"at":"2026-05-23T10:00:00Z","in":1,"attempts":[]}"#,
        r#"{"event":"party","at":"2026-05-23T10:00:00Z"}"#,
        r#"{"event":"price","at":"2026-05-23T10:00:00Z","model":"m","input":"2"}"#,
        r#"{"at":"2026-05-23T10:00:00Z","id":"cut o"#,
    ] {
        log.extend_from_slice(bad.as_bytes());
        log.push(b'\n');
    }
    log.extend_from_slice(b"{\"id\":\"\xff\"}\n");
    log.extend_from_slice(good.as_bytes());
    let (requests, skips) = text(log.clone());
    assert_eq!(requests.len(), 3);
    let found: Vec<_> = skips.iter().map(|skip| (skip.line, skip.reason.as_str())).collect();
    let wanted = [
        (3, "not JSON"),
        (5, "at: missing"),
        (6, "at: `yesterday`"),
        (7, "in: "),
        (8, "confidence: 1001"),
        (9, "in: 4294967295"),
        (10, "status: "),
        (11, "attempts: "),
        (12, "event: `party`"),
        (13, "output: missing"),
        (14, "not JSON after `id`"),
        (15, "not UTF-8"),
    ];
    assert_eq!(found.len(), wanted.len(), "{found:?}");
    for ((line, reason), (want_line, want)) in found.iter().zip(wanted) {
        assert!(
            *line == want_line && reason.contains(want),
            "line {line}: {reason} (wanted {want_line}: {want})"
        );
    }
    let strict = ReadOptions { strict: true, ..ReadOptions::default() };
    let error = read(&Input::bytes("day.jsonl", log), &strict).unwrap_err().to_string();
    assert!(error.starts_with("day.jsonl:3: not JSON"), "{error}");
}

#[test]
fn a_log_of_a_newer_version_is_refused_and_an_empty_one_is_not() {
    let newer = Input::bytes("x", b"{\"pointsman\":\"log\",\"v\":3}\n".as_slice());
    assert!(matches!(open(&newer, &ReadOptions::default()), Err(Error::Header { .. })));
    assert_eq!(text(""), (vec![], vec![]));
    let unknown = Input::bytes("x", b"hello\nworld\n".as_slice());
    let error = open(&unknown, &ReadOptions::default()).err().unwrap().to_string();
    assert!(error.contains("--input-format") && error.contains("litellm"), "{error}");
    let missing = open(&Input::paths(["/nowhere/x.jsonl"]), &ReadOptions::default()).err().unwrap();
    assert!(missing.to_string().contains("/nowhere/x.jsonl"));
    let no_column = Input::bytes("x.csv", b"TIMESTAMP,Tokens\n".as_slice());
    let options = ReadOptions { format: Some(InputFormat::Azure), ..ReadOptions::default() };
    assert!(open(&no_column, &options).err().unwrap().to_string().contains("contexttokens"));
}

#[test]
fn an_assumed_model_is_marked_and_never_overrides_one() {
    let options = ReadOptions { assume_model: Some("gpt-4.1".into()), ..ReadOptions::default() };
    let (azure, ..) = read(&Input::paths([fixture("azure.csv")]), &options).unwrap();
    assert_eq!((azure[0].model.as_str(), azure[0].assumed), ("gpt-4.1", true));
    let (burst, ..) = read(&Input::paths([fixture("burstgpt_1.csv")]), &options).unwrap();
    assert_eq!((burst[0].model.as_str(), burst[0].assumed), ("ChatGPT", false));
}

fn long_log(lines: usize) -> String {
    let mut log = String::new();
    for n in 0..lines {
        writeln!(
            log,
            "{{\"id\":\"{n}\",\"at\":\"2026-05-23T10:00:00Z\",\"model\":\"m\",\"in\":{n},\"out\":1}}"
        )
        .unwrap();
    }
    log
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[test]
fn packed_logs_read_like_plain_ones_and_progress_ends_at_the_size() {
    let log = long_log(60_000);
    let plain = text(log.clone());
    assert_eq!((plain.0.len(), plain.1.len()), (60_000, 0));
    let halves = log.split_at(log.len() / 2);
    let joined = [gzip(halves.0.as_bytes()), gzip(halves.1.as_bytes())].concat();
    for packed in [gzip(log.as_bytes()), joined, zstd::stream::encode_all(log.as_bytes(), 1).unwrap()] {
        let size = packed.len() as u64;
        let mut source = open(&Input::bytes("x", packed), &ReadOptions::default()).unwrap();
        let progress = source.progress();
        let mut ids = Vec::new();
        source
            .for_each(|_, line, entry| {
                if let Ok(Entry::Request(record)) = entry {
                    assert_eq!(record.id.parse::<u64>().unwrap() + 1, line);
                    ids.push(record.id.to_string());
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(ids.len(), 60_000);
        assert_eq!((progress.read(), progress.total), (size, Some(size)));
    }
}

#[test]
fn blocks_stand_alone_and_keep_their_line_numbers() {
    let log = long_log(60_000);
    let mut source = open(&Input::bytes("x", log.clone().into_bytes()), &ReadOptions::default()).unwrap();
    let blocks: Vec<_> = std::iter::from_fn(|| source.next_block()).map(Result::unwrap).collect();
    assert!(blocks.len() > 2);
    // In any order, on any thread: each entry still knows its line.
    let count: usize = std::thread::scope(|scope| {
        let readers: Vec<_> = blocks
            .iter()
            .rev()
            .map(|block| {
                scope.spawn(move || {
                    let mut count = 0;
                    let _end = block.for_each(|line, entry| {
                        let Ok(Entry::Request(record)) = entry else { panic!("line {line}") };
                        assert_eq!(record.id, (line - 1).to_string());
                        count += 1;
                        ControlFlow::Continue(())
                    });
                    count
                })
            })
            .collect();
        readers.into_iter().map(|reader| reader.join().unwrap()).sum()
    });
    assert_eq!(count, 60_000);
}

#[test]
fn a_truncated_archive_gives_what_it_has_and_says_so() {
    let log = long_log(60_000);
    for (packed, kind) in
        [(gzip(log.as_bytes()), "gzip"), (zstd::stream::encode_all(log.as_bytes(), 1).unwrap(), "zstd")]
    {
        let cut = packed[..packed.len() * 2 / 3].to_vec();
        let mut source = open(&Input::bytes("x.packed", cut), &ReadOptions::default()).unwrap();
        let (mut count, mut errors) = (0, Vec::new());
        while let Some(block) = source.next_block() {
            match block {
                Ok(block) => {
                    let _end = block.for_each(|line, entry| {
                        assert!(entry.is_ok(), "line {line} was cut in two");
                        count += 1;
                        ControlFlow::Continue(())
                    });
                }
                Err(error) => errors.push(error.to_string()),
            }
        }
        assert!(count > 1000, "{kind}: {count}");
        assert_eq!(errors.len(), 1);
        assert!(
            errors[0].contains(kind) && errors[0].contains(&format!("after line {count}")),
            "{}",
            errors[0]
        );
    }
}

#[test]
fn a_giant_line_is_passed_over_and_counted() {
    let good = "{\"at\":\"2026-05-23T10:00:00Z\",\"model\":\"m\"}\n";
    let mut log = good.as_bytes().to_vec();
    log.extend(std::iter::repeat_n(b'x', MAX_ENTRY + 10));
    log.push(b'\n');
    log.extend_from_slice(good.as_bytes());
    let (requests, skips) = text(gzip(&log));
    assert_eq!(requests.len(), 2);
    assert_eq!(skips.iter().map(|skip| skip.line).collect::<Vec<_>>(), [2]);
    assert!(skips[0].reason.contains("64 MiB"));
}

#[test]
fn several_files_of_different_formats_read_as_one() {
    let input = Input::paths([fixture("native.jsonl"), fixture("azure.csv"), fixture("otel.json")]);
    let (requests, _, summary) = read(&input, &ReadOptions::default()).unwrap();
    assert_eq!((requests.len(), summary.entries, summary.not_calls, summary.repeats), (13, 15, 1, 1));
}

#[test]
fn every_fixture_is_recognised_without_a_name() {
    for (name, format) in FIXTURES {
        let source = open(&Input::paths([fixture(name)]), &ReadOptions::default()).unwrap();
        assert_eq!(source.format(), *format, "{name}");
    }
    for format in InputFormat::ALL {
        assert!(FIXTURES.iter().any(|(_, has)| has == format), "{format} has no fixture");
    }
}

/// The folder of real data, where there is one.
fn shared() -> Option<PathBuf> {
    let named = std::env::var_os("POINTSMAN_SHARED").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    named.into_iter().chain([beside]).find(|folder| folder.join("data/traces").is_dir())
}

#[test]
fn real_traces_read_without_a_bad_line() {
    let Some(folder) = shared() else {
        println!("skipped: no real traces here (set POINTSMAN_SHARED)");
        return;
    };
    let count = |name: &str| {
        let (requests, skips, _) =
            read(&Input::paths([folder.join("data").join(name)]), &ReadOptions::default()).unwrap();
        assert!(skips.is_empty(), "{name}: {:?}", skips.first());
        assert!(requests.iter().map(|seen| seen.at).is_sorted(), "{name} is out of order");
        requests
    };
    assert_eq!(count("traces/azure_llm_2023_code.csv").len(), 8819);
    assert_eq!(count("traces/mooncake_conversation.jsonl.gz").len(), 12_031);
    assert_eq!(count("traces/burstgpt_1_sample_54rows.csv").len(), 54);
    assert_eq!(count("traces/burstgpt_3_slice_tail_61rows.csv").len(), 61);
    let rows = count("traces/agent_sessions.csv.gz");
    assert_eq!(rows.len(), 30_138);
    assert_eq!(rows.iter().filter(|row| row.latency.is_none()).count(), 2979);
    let raw = count("traces/agent_session_raw_example.json");
    assert_eq!(raw.len(), 41);
    assert_eq!(raw.as_slice(), &rows[..41], "the raw session and its rows say the same");
    for entry in std::fs::read_dir(folder.join("data/formats")).unwrap() {
        let path = entry.unwrap().path();
        let named = path.extension().and_then(std::ffi::OsStr::to_str);
        if !matches!(named, Some("json" | "jsonl")) || path.ends_with("EXPECTED_COSTS.json") {
            continue;
        }
        let (requests, skips, _) = read(&Input::paths([&path]), &ReadOptions::default()).unwrap();
        assert!(!requests.is_empty() && skips.is_empty(), "{}: {skips:?}", path.display());
    }
}
