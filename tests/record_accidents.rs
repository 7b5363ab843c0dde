//! Request logs as nobody wrote them by hand: what is written reads back the same, and no bytes can break a reader.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first fault, in its own words or not")]

use std::borrow::Cow;
use std::ops::ControlFlow;

use pointsman::checks::{Others, Says, Verdict, Words};
use pointsman::classifier::TaskClass;
use pointsman::pricing::{Charged, Cost, Hours, PriceRow, Rates, Terms, Tier, Unpriced, Usage};
use pointsman::record::{
    Attempt, Attempts, Check, Entry, Header, Input, InputFormat, Label, Packed, PriceChange, ReadOptions,
    Record, RecordedNeeds, Status, TRACE_EPOCH, Timing, WriteTtl, Writer, open,
};
use pointsman::routing::Effort;
use pointsman::units::{Count, Instant, PerMille, Pico, PicoPerMillion};
use proptest::prelude::*;
#[path = "support/fixtures.rs"]
mod fixtures;

use fixtures::{FIXTURES, fixture};

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
            // Read back, an answered prompt of nothing is one that nobody counted.
            input: if input == Count::ZERO { Count::new(1).unwrap() } else { input },
            cache_read,
            write_5m,
            write_1h,
            output,
            // Read back, more reasoning than output is an estimate of the output.
            reasoning: if reasoning.get() > output.get() { output } else { reasoning },
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
    let terms = (word(), proptest::collection::vec((word(), 0u64..9), 0..7)).prop_map(|(tier, meters)| {
        let mut terms = Terms::NONE;
        terms.serve(&tier);
        for (name, count) in &meters {
            terms.meter(name, *count);
        }
        (!terms.is_none()).then(|| Box::new(terms))
    });
    let effort = proptest::option::of((0..Effort::ALL.len()).prop_map(|at| Effort::ALL[at]));
    let words = proptest::option::of((any::<[u16; 3]>(), proptest::option::of(any::<[u16; 2]>())));
    let verdict = (0usize..3, proptest::option::of(0u16..=1000), words, "[a-z ]{0,9}").prop_map(
        |(says, score, words, why)| Verdict {
            by: "format".into(),
            says: Says::ALL[says],
            score: score.and_then(PerMille::new),
            words: words.map(|([mean, worst, tail], others)| Words {
                mean,
                worst,
                tail,
                others: others.map(|[margin, entropy]| Others { margin, entropy }),
            }),
            why: why.into(),
        },
    );
    let few = (
        terms,
        proptest::collection::vec(word(), 0..3),
        any::<Option<u32>>(),
        effort,
        any::<Option<u64>>(),
        proptest::collection::vec(verdict, 0..3),
    );
    (word(), word(), word(), word(), usage, rest, few).prop_map(
        |(model, billed, provider, error, usage, rest, few)| {
            let (terms, left_out, gap_ms, effort, began_us, verdicts) = few;
            let (assumed_model, latency_ms, ttft_ms, status, check, assumed) = rest;
            let estimated = assumed_model ^ assumed;
            Attempt {
                model,
                assumed_model,
                estimated,
                billed,
                provider,
                usage,
                write_ttl: if assumed { WriteTtl::Assumed } else { WriteTtl::Reported },
                latency_ms,
                ttft_ms,
                status: Status::ALL[status],
                effort,
                began_us,
                error,
                check: [Check::None, Check::Passed, Check::Failed][check],
                verdicts: verdicts.into(),
                terms,
                left_out,
                gap_ms,
                charged: match gap_ms {
                    None => Charged::NONE,
                    Some(ms) if estimated => Charged::new(Cost::Estimated(Pico(i128::from(ms)))),
                    Some(ms) if assumed_model => Charged::new(Cost::Known(Pico(i128::from(ms) << 20))),
                    Some(ms) => Charged::new(Cost::Unknown(Unpriced::ALL[ms as usize % Unpriced::ALL.len()])),
                },
            }
        },
    )
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
        any::<bool>(),
    );
    let label = (word(), proptest::option::of(0u16..=1000), any::<Option<u64>>(), word()).prop_map(
        |(model, quality, output, source)| Label {
            model,
            quality: quality.and_then(PerMille::new),
            output,
            source,
        },
    );
    let lists = (
        proptest::collection::vec(any::<u64>(), 0..4),
        proptest::collection::vec(attempt(), 0..4),
        proptest::collection::vec(label, 0..3),
    );
    let words = || proptest::collection::vec(word(), 0..3);
    let needs = (any::<Option<u32>>(), any::<Option<u32>>(), any::<bool>(), words(), words()).prop_map(
        |(window, output, vision, require, down)| RecordedNeeds { window, output, vision, require, down },
    );
    let place = (any::<Option<u64>>(), any::<Option<u32>>());
    let texts = (proptest::option::of(word()), proptest::option::of(word()), word(), needs, place);
    (moment(), tags, facts, lists, texts).prop_map(|(at, tags, facts, lists, texts)| {
        let (id, team, project, user, session, asked) = tags;
        let (task, confidence, turn, tools, history, pinned) = facts;
        let (prefix, attempts, labels) = lists;
        let (prompt, claimed_usd, simulated, needs, (seq, policy)) = texts;
        let timing = [Timing::Told, Timing::Offset, Timing::Placed][attempts.len() % 3];
        Entry::Request(Record {
            id,
            at,
            timing,
            team,
            project,
            user,
            key: String::new().into(),
            session,
            asked,
            pinned,
            unsure: !pinned,
            task: task.map(|class| TaskClass::ALL[class]),
            confidence: confidence.and_then(PerMille::new),
            turn,
            tools,
            history,
            seq,
            policy,
            propensity: None,
            needs,
            prompt,
            prefix,
            attempts: Attempts::from(attempts),
            labels,
            claimed_usd,
            simulated,
            saw: pointsman::classifier::Saw::default(),
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
                audio_input: cache_read,
                image_output: reasoning,
                ..Tier::default()
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
            let tiers = batch.iter().map(|rates: &Rates| ("flex".to_owned(), rates.clone())).collect();
            let meters =
                from.iter().map(|_| ("web search".to_owned(), PicoPerMillion(10_000_000_007))).collect();
            let factors = source.iter().map(|name: &String| (name.clone(), 1_100)).collect();
            let row =
                PriceRow { from, standard, batch, tiers, meters, factors, scheduled: Vec::new(), source };
            let night =
                Hours::parse("22:30-06:00, 12:00-13:00", if simulated { "fri-sun" } else { "" }).unwrap();
            let hours = if from.is_some() { vec![(night, 1_000)] } else { Vec::new() };
            let row = row.schedule(hours).unwrap();
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
        let mut writer = Writer::new(Vec::new(), &Header { source: "test \"x\"".into(), ..Header::default() });
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
    for block in std::iter::from_fn(|| source.next_block()).flatten() {
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
