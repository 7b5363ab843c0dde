//! A ledger read as a log: figures must not depend on whether it was exported first, on how many threads read it, or on who
//! writes it meanwhile.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pointsman::checks::{Says, Verdict};
use pointsman::ledger::{Correction, Signal, entries_on};
use pointsman::pricing::{Cost, Unpriced};
use pointsman::record::{EntryReader, Header};
use pointsman::routing::{Check, Effort};
use pointsman::units::Count;

use super::*;

/// Reads a log to its end: its header, and each entry or skip under the number of its line.
fn read(input: &Input) -> (Header, Vec<String>) {
    let mut source = record::open(input, &ReadOptions::default()).unwrap();
    let header = source.whole_header();
    let mut all = Vec::new();
    while let Some(block) = source.next_block() {
        let block = block.unwrap();
        let _ = block.for_each_new(source.known(), |line, entry| {
            all.push(format!("{line}: {entry:?}"));
            ControlFlow::Continue(())
        });
    }
    (header, all)
}

fn directly(path: &Path, range: Range, threads: usize) -> Input {
    let path = path.to_owned();
    let open = move || {
        let entries = entries_on(&path, &range, threads).map_err(std::io::Error::other)?;
        Ok(Box::new(entries) as Box<dyn EntryReader>)
    };
    Input::entries("it", Arc::new(open))
}

fn through_text(path: &Path, range: &Range) -> Input {
    Input::bytes("it", exported(path, range, ExportOptions::default()).into_bytes())
}

/// Changes an operation in ways that few have.
fn rare(seq: u64, how: u64) -> Vec<Entry> {
    let mut entries = operation(seq);
    for entry in &mut entries {
        match entry {
            Entry::Opened(opened) if how & 1 > 0 => {
                (opened.user, opened.key) = ("Zoë\u{7f}\"\\\n\u{1}".into(), "".into());
                (opened.window, opened.max_output, opened.vision) = (Some(900), Some(64), true);
                opened.require = ["eu".into(), "zdr".into()].into();
                opened.down = vec!["tag:env=\"prod\"".into(), "gpt-4.1".into()];
                opened.prefix = [1, 0, (1 << 52) - 1].into();
                (opened.tools, opened.history) = (Some(3), Some(70_000));
            }
            Entry::Opened(opened) if how & 2 > 0 => {
                (opened.task, opened.confidence, opened.turn) = (None, None, None);
                (opened.simulated, opened.pinned) = ("outage".into(), true);
                opened.down = vec!["lot:17".into(), "chance:250".into()];
                (opened.prompt_hash, opened.session) = (None, "".into());
            }
            Entry::AttemptEnded(ended) if how & 4 > 0 => {
                ended.terms.serve("priority");
                ended.terms.meter("web_search", 3);
                ended.left_out = vec!["temperature".into(), "top \"p\"".into()];
                (ended.gap_ms, ended.effort) = (Some(40), Some(Effort::Low));
                (ended.price, ended.cost) = (None, Cost::Unknown(Unpriced::NoPrice));
                ended.model = "gpt-4.1-2025-04-14".into();
            }
            Entry::AttemptEnded(ended) if how & 8 > 0 => {
                // Reasoning beside the answer, which is told as a part of it.
                ended.usage.output = Count::new(10).unwrap();
                ended.usage.reasoning = Count::new(90 * (how & 16)).unwrap();
                ended.usage.input = Count::ZERO;
                ended.usage.cache_read = Count::ZERO;
                if how & 32 > 0 {
                    ended.cost = Cost::Unknown(Unpriced::NoUsage);
                }
                ended.check = Check::Failed;
                ended.verdicts = vec![Verdict::new("schema", Says::Failed, "it is no JSON")];
                (ended.latency_ms, ended.ttft_ms) = (None, None);
            }
            _ => {}
        }
    }
    entries
}

/// What a ledger is filled with: kinds of operations, each with what is told behind it.
fn fill(options: &LedgerOptions, kinds: &[(u64, u8)]) {
    let (ledger, found) = Ledger::open(options.clone()).unwrap();
    let first = found.next_seq;
    if first == 1 {
        ledger.record(in_force(1, 1, policy::BUILTIN));
    }
    let mut version = 1;
    for (seq, (how, then)) in (first..).zip(kinds) {
        let mut entries = rare(seq, *how);
        let last = entries.len() - 1;
        match then {
            // It stays open, with its call or without its end.
            0 => entries.truncate(1),
            1 => entries.truncate(2),
            2 => entries.truncate(last),
            _ => {}
        }
        ledger.record_all(entries);
        let text: Arc<str> = "a provider\twas \"down\"".into();
        match then {
            3 => ledger.record(Entry::Label(Box::new(Label {
                seq,
                model: if how & 1 > 0 { "house-model-x".into() } else { "".into() },
                quality: PerMille::new(900),
                output: (how & 2 > 0).then_some(12),
                source: "feedback by mia".into(),
                at: at(seq + 3),
            }))),
            4 => ledger.record(Entry::Correction(Box::new(Correction {
                seq,
                n: (how & 1 > 0).then_some(0),
                cost: if how & 2 > 0 { Cost::Known(Pico(12_416_000_001)) } else { Cost::Estimated(Pico(5)) },
                source: "bill of May".into(),
                at: at(seq + 5),
            }))),
            5 => ledger.record(Entry::Note(Box::new(Note { at: at(seq), text, simulated: how & 1 > 0 }))),
            6 => ledger.record(Entry::Signal(Box::new(Signal {
                at: at(seq),
                model: "gpt-4.1".into(),
                until: (how & 1 > 0).then(|| at(seq + 1)),
                why: "breaker".into(),
            }))),
            7 if first == 1 => {
                version += 1;
                let text = if how & 1 > 0 { policy::BUILTIN.replace("620", "588") } else { "nothing".into() };
                ledger.record(in_force(version, seq + 1, &text));
            }
            _ => {}
        }
        wait(ledger.commit()).unwrap();
    }
    ledger.close().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// A report over a ledger would else differ from one over its export.
    #[test]
    fn a_ledger_read_directly_is_its_export_read(
        kinds in proptest::collection::vec((0u64..64, 0u8..12), 1..40),
        more in proptest::collection::vec((0u64..64, 2u8..7), 0..6),
        from in 0u64..44, to in 0u64..44, by in 0u8..5, threads in 1usize..4,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let options = options(folder.path());
        fill(&options, &kinds);
        // A second run ends what the first left open.
        if !more.is_empty() {
            fill(&options, &more);
        }
        let range = match by {
            0 => Range { from: Some(at(from)), ..Range::default() },
            1 => Range { from: Some(at(from)), to: Some(at(to)), ..Range::default() },
            2 => Range { first: Some(from), last: Some(to), ..Range::default() },
            3 => Range { to: Some(at(to)), ..Range::default() },
            _ => Range::default(),
        };
        let (directly, text) = (directly(&options.path, range, threads), through_text(&options.path, &range));
        let ((header, entries), (header_told, told)) = (read(&directly), read(&text));
        for (one, other) in entries.iter().zip(&told) {
            prop_assert_eq!(one, other);
        }
        prop_assert_eq!((header, entries.len()), (header_told, told.len()));
    }
}

#[test]
fn many_runs_come_in_order_on_any_number_of_threads_and_add_up_to_what_was_charged() {
    let folder = tempfile::tempdir().unwrap();
    let options = filled(folder.path(), 1..=9_000);
    let text = through_text(&options.path, &Range::default());
    let (_, told) = read(&text);
    for threads in [1, 2, 5] {
        let input = directly(&options.path, Range::default(), threads);
        assert!(read(&input).1 == told, "{threads} threads");
    }
    let book = pointsman::config::prices::builtin("list").unwrap();
    let totals = |input: &Input, threads| {
        let names = Names::default();
        let policy = Arc::new(policy::parse(policy::BUILTIN, "it", &mut names.clone()).unwrap());
        let ingest = Ingest::new(names, Classifier::builtin(), &IngestOptions::default());
        let source = record::open(input, &ReadOptions::default()).unwrap();
        let options = StreamOptions { threads: Some(threads), ..Reading::Recorded.into() };
        let found = stream(source, ingest, &policy, &book, &options, |_| true).unwrap();
        format!("{:?} {:?} {:?}", found.totals, found.skipped, found.names.models())
    };
    let all = totals(&text, 0);
    for threads in [0, 1, 3] {
        assert_eq!(totals(&directly(&options.path, Range::default(), threads + 1), threads), all);
    }
}

#[test]
fn what_is_read_while_it_is_written_is_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let options = filled(folder.path(), 1..=5_000);
    let (ledger, found) = Ledger::open(options.clone()).unwrap();
    let (stop, path) = (Arc::new(AtomicBool::new(false)), options.path.clone());
    let writer = {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || {
            for seq in (found.next_seq..).take_while(|_| !stop.load(Ordering::Relaxed)).take(20_000) {
                ledger.record_all(operation(seq));
                if seq % 16 == 0 {
                    wait(ledger.commit()).unwrap();
                }
            }
            ledger.close().unwrap();
        })
    };
    for _ in 0..20 {
        let (_, entries) = read(&directly(&path, Range::default(), 3));
        let seqs: Vec<usize> = (1..).take(entries.len()).collect();
        // Without a gap: nothing that came later is in it, nothing that came before is left out.
        let ids = entries.iter().filter(|entry| entry.contains("Request(")).zip(&seqs);
        for (entry, seq) in ids {
            assert!(entry.contains(&format!("\"op-{seq:08}\"")), "{seq}: {entry}");
        }
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
}

#[test]
fn what_cannot_be_read_ends_it_with_an_error_behind_all_that_could_be() {
    let folder = tempfile::tempdir().unwrap();
    let options = filled(folder.path(), 1..=6_000);
    let conn = Connection::open(&options.path).unwrap();
    conn.execute("UPDATE attempts SET status = 'odd' WHERE seq = 5000", []).unwrap();
    drop(conn);
    let ends = |input: &Input| {
        let mut source = record::open(input, &ReadOptions::default()).unwrap();
        let (mut count, mut errors) = (0, Vec::new());
        while let Some(block) = source.next_block() {
            match block {
                Ok(block) => {
                    let _ = block.for_each(|_, entry| {
                        count += usize::from(entry.is_ok());
                        ControlFlow::Continue(())
                    });
                }
                Err(error) => errors.push(error.to_string()),
            }
        }
        (count, errors)
    };
    let (count, errors) = ends(&directly(&options.path, Range::default(), 3));
    // The policy, and the requests before it.
    assert_eq!(count, 5_000);
    assert!(matches!(&errors[..], [only] if only.contains("row 5000") && only.contains("odd")), "{errors:?}");
}
