//! Request logs as users have them: every format gives the right tokens, and nothing that comes in can break a reader.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first fault, in its own words or not")]

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use pointsman::classifier::TaskClass;
use pointsman::pricing::{PriceRow, Rates, Tier, Usage};
use pointsman::record::{
    Attempt, Attempts, Check, Entry, Error, Header, Input, InputFormat, Label, MAX_ENTRY, Packed,
    PriceChange, ReadOptions, Record, Skip, SkipKind, Status, Summary, TRACE_EPOCH, WriteTtl, Writer, open,
};
use pointsman::units::{Count, Instant, PerMille, PicoPerMillion};
use proptest::prelude::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records").join(name)
}

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
        assert!(skips.iter().all(|skip| skip.kind == SkipKind::NotACall));
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
    let newer = Input::bytes("x", b"{\"pointsman\":\"log\",\"v\":2}\n".as_slice());
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
    let blocks: Vec<_> = source.blocks().map(Result::unwrap).collect();
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
        for block in source.blocks() {
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
    assert_eq!((requests.len(), summary.entries, summary.not_calls), (13, 15, 2));
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

const FIXTURES: &[(&str, InputFormat)] = &[
    ("native.jsonl", InputFormat::Native),
    ("litellm_array.json", InputFormat::LiteLlmSpend),
    ("litellm_data.json", InputFormat::LiteLlmSpend),
    ("litellm_dump.jsonl", InputFormat::LiteLlmSpend),
    ("litellm_special.jsonl", InputFormat::LiteLlmSpend),
    ("litellm_payload.jsonl", InputFormat::LiteLlmPayload),
    ("otel.json", InputFormat::Otel),
    ("otel.jsonl", InputFormat::Otel),
    ("openai_chat.json", InputFormat::OpenAi),
    ("openai_mixed.jsonl", InputFormat::OpenAi),
    ("anthropic.json", InputFormat::Anthropic),
    ("gemini.json", InputFormat::Gemini),
    ("gemini_stream.json", InputFormat::Gemini),
    ("ollama.json", InputFormat::Ollama),
    ("langfuse.jsonl", InputFormat::Langfuse),
    ("helicone.jsonl", InputFormat::Helicone),
    ("portkey.jsonl", InputFormat::Portkey),
    ("tensorzero.jsonl", InputFormat::TensorZero),
    ("openrouter.json", InputFormat::OpenRouter),
    ("azure.csv", InputFormat::Azure),
    ("burstgpt_1.csv", InputFormat::BurstGpt),
    ("burstgpt_3.csv", InputFormat::BurstGpt),
    ("mooncake.jsonl", InputFormat::Mooncake),
    ("agents.csv", InputFormat::AgentCsv),
    ("agents.json", InputFormat::AgentJson),
];

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

// ---- our own format: write, then read ----

fn word() -> impl Strategy<Value = Cow<'static, str>> {
    prop_oneof![2 => Just(Cow::Borrowed("")), 3 => "[a-z0-9./_-]{1,12}".prop_map(Cow::Owned), 1 => any::<String>().prop_map(Cow::Owned)]
}

fn count() -> impl Strategy<Value = Count> {
    prop_oneof![
        Just(Count::UNKNOWN),
        Just(Count::ZERO),
        (0..=Count::MAX).prop_map(|n| Count::new(n).unwrap())
    ]
}

fn attempt() -> impl Strategy<Value = Attempt<'static>> {
    let usage = (count(), count(), count(), count(), count(), count()).prop_map(
        |(input, cache_read, write_5m, write_1h, output, reasoning)| Usage {
            input,
            cache_read,
            write_5m,
            write_1h,
            output,
            reasoning,
        },
    );
    let rest = (
        any::<bool>(),
        any::<Option<u32>>(),
        any::<Option<u32>>(),
        0..Status::ALL.len(),
        0..3usize,
        any::<bool>(),
    );
    (word(), word(), word(), usage, rest).prop_map(|(model, provider, error, usage, rest)| {
        let (assumed_model, latency_ms, ttft_ms, status, check, assumed) = rest;
        Attempt {
            model,
            assumed_model,
            provider,
            usage,
            write_ttl: if assumed { WriteTtl::Assumed } else { WriteTtl::Reported },
            latency_ms,
            ttft_ms,
            status: Status::ALL[status],
            error,
            check: [Check::None, Check::Passed, Check::Failed][check],
        }
    })
}

/// Moments that RFC 3339 can write: the years 1 to 9999.
fn moment() -> impl Strategy<Value = Instant> {
    prop_oneof![
        (0i64..4_000_000_000_000).prop_map(Instant::from_millis),
        (-62_000_000_000_000_000i64..250_000_000_000_000_000).prop_map(Instant)
    ]
}

fn request() -> impl Strategy<Value = Entry<'static>> {
    let tags = (word(), word(), word(), word(), word(), word());
    let facts = (
        proptest::option::of(0..TaskClass::ALL.len()),
        proptest::option::of(0u16..=1000),
        any::<Option<u32>>(),
        any::<Option<u32>>(),
        any::<Option<u32>>(),
    );
    let label = (word(), proptest::option::of(0u16..=1000), any::<Option<u64>>()).prop_map(
        |(model, quality, output)| Label { model, quality: quality.and_then(PerMille::new), output },
    );
    let lists = (
        proptest::collection::vec(any::<u64>(), 0..4),
        proptest::collection::vec(attempt(), 0..4),
        proptest::collection::vec(label, 0..3),
    );
    let texts = (proptest::option::of(word()), proptest::option::of(word()), word());
    (moment(), tags, facts, lists, texts).prop_map(|(at, tags, facts, lists, texts)| {
        let (id, team, project, user, session, asked) = tags;
        let (task, confidence, turn, tools, history) = facts;
        let (prefix, attempts, labels) = lists;
        let (prompt, claimed_usd, simulated) = texts;
        Entry::Request(Record {
            id,
            at,
            team,
            project,
            user,
            session,
            asked,
            task: task.map(|class| TaskClass::ALL[class]),
            confidence: confidence.and_then(PerMille::new),
            turn,
            tools,
            history,
            prompt,
            prefix,
            attempts: Attempts::from(attempts),
            labels,
            claimed_usd,
            simulated,
        })
    })
}

fn price() -> impl Strategy<Value = PicoPerMillion> {
    (0..=i64::MAX).prop_map(PicoPerMillion)
}

fn rates() -> impl Strategy<Value = Rates> {
    let some = || proptest::option::of(price());
    let tier = || {
        (price(), some(), some(), some(), price(), some()).prop_map(
            |(input, cache_read, write_5m, write_1h, output, reasoning)| Tier {
                input,
                cache_read,
                write_5m,
                write_1h,
                output,
                reasoning,
            },
        )
    };
    (tier(), proptest::option::of((1u64..1_000_000, tier())))
        .prop_map(|(base, above)| Rates { base, above: above.into_iter().collect() })
}

fn event() -> impl Strategy<Value = Entry<'static>> {
    let change = (
        "[a-z]{1,8}",
        proptest::option::of(moment()),
        rates(),
        proptest::option::of(rates()),
        any::<Option<String>>(),
        any::<bool>(),
    )
        .prop_map(|(model, from, standard, batch, source, simulated)| {
            let row = PriceRow { from, standard, batch, source };
            Entry::Price(Box::new(PriceChange { model: Cow::Owned(model), row, simulated }))
        });
    let note = (moment(), word(), any::<bool>()).prop_map(|(at, text, simulated)| Entry::Note {
        at,
        text,
        simulated,
    });
    prop_oneof![change, note]
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(entries in proptest::collection::vec(prop_oneof![3 => request(), 1 => event()], 1..6)) {
        let mut writer = Writer::new(Vec::new(), &Header { source: "test \"x\"".into(), simulated: vec![] });
        for entry in &entries {
            writer.write(entry).unwrap();
        }
        let log = writer.finish().unwrap();
        let shown = String::from_utf8_lossy(&log).into_owned();
        let mut source = open(&Input::bytes("log", log), &ReadOptions::default()).unwrap();
        prop_assert_eq!(&source.header().source, "test \"x\"");
        let mut at = 0;
        source.for_each(|_, line, entry| {
            match entry {
                Ok(entry) => assert_eq!(Some(&entry), entries.get(at), "{shown}"),
                Err(skip) => panic!("line {line}: {skip}\n{shown}"),
            }
            at += 1;
            ControlFlow::Continue(())
        }).unwrap();
        prop_assert_eq!(at, entries.len());
    }
}

#[test]
fn files_are_packed_as_their_name_asks() {
    let folder = tempfile::tempdir().unwrap();
    let note = Entry::Note { at: TRACE_EPOCH, text: Cow::Borrowed("hello"), simulated: false };
    for (name, magic) in
        [("a.jsonl", b"{\"po".as_slice()), ("a.jsonl.gz", &[0x1f, 0x8b]), ("a.jsonl.zst", &[0x28, 0xb5])]
    {
        let path = folder.path().join(name);
        let mut writer = Writer::new(Packed::create(&path).unwrap(), &Header::default());
        writer.write(&note).unwrap();
        writer.finish().unwrap().close().unwrap();
        assert!(std::fs::read(&path).unwrap().starts_with(magic), "{name}");
        let mut found = 0;
        open(&Input::paths([&path]), &ReadOptions::default())
            .unwrap()
            .for_each(|_, _, entry| {
                assert_eq!(entry.unwrap(), note);
                found += 1;
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(found, 1, "{name}");
    }
}

// ---- nothing that comes in can break a reader ----

/// Reads to the end in any case; gives how many entries and skips there were.
fn survive(bytes: Vec<u8>, format: Option<InputFormat>) -> (u64, u64) {
    let options = ReadOptions { format, ..ReadOptions::default() };
    let Ok(mut source) = open(&Input::bytes("fuzz", bytes), &options) else { return (0, 0) };
    let (mut entries, mut skips) = (0, 0);
    for block in source.blocks().flatten() {
        let _end = block.for_each(|_, entry| {
            match entry {
                Ok(_) => entries += 1,
                Err(_) => skips += 1,
            }
            ControlFlow::Continue(())
        });
    }
    (entries, skips)
}

proptest! {
    #[test]
    fn any_bytes_in_any_format(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for format in InputFormat::ALL {
            survive(bytes.clone(), Some(*format));
        }
    }

    #[test]
    fn any_json_like_text_in_any_format(text in "[\\[\\]{}\",:0-9eE.a-z\\\\\n -]{0,200}") {
        for format in InputFormat::ALL {
            survive(text.clone().into_bytes(), Some(*format));
        }
    }

    #[test]
    fn mangled_logs_of_every_format(which in 0..FIXTURES.len(), edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..8)) {
        let (name, format) = FIXTURES[which];
        let mut bytes = std::fs::read(fixture(name)).unwrap();
        for (place, byte, how) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = place.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at),
                _ => bytes.insert(at, b"\"{}[],:\\\n9-"[usize::from(byte) % 11]),
            }
        }
        survive(bytes.clone(), Some(format));
        survive(bytes, None);
    }
}

#[test]
fn numbers_of_any_size_and_depth_of_any_kind_are_survived() {
    let deep = format!(
        "{{\"at\":\"2026-05-23T10:00:00Z\",\"x\":{}1{}}}\n",
        "[".repeat(300_000),
        "]".repeat(300_000)
    );
    let long = format!("{{\"at\":\"2026-05-23T10:00:00Z\",\"in\":{}}}\n", "9".repeat(10_000));
    for log in [deep, long] {
        for format in InputFormat::ALL {
            survive(log.clone().into_bytes(), Some(*format));
        }
    }
    let extreme = "trace_id,t,input_tokens,output_tokens,cached_prefix_tokens\na,31999999999,1,1,0\nb,31999999999,1,1,0\nc,1e400,1,1,0\nd,nan,4294967295,1,0\n";
    assert_eq!(survive(extreme.as_bytes().to_vec(), None), (2, 2));
}
