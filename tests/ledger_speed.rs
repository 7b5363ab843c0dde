//! How fast the ledger is written. Run it by hand: `cargo test --release --test ledger_speed -- --ignored --nocapture`.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test may stop at the first fault")]

#[path = "support/ledger.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod made;

use std::time::Instant;

use pointsman::ledger::{Durability, Ledger, LedgerFile, LedgerOptions, Range};

use made::{operation, wait};

/// Returns the CPU time in microseconds of the threads of this name, or of all of them.
fn cpu(name: Option<&str>) -> u64 {
    let mut sum = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let read = |file: &str| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
        if name.is_none_or(|name| read("comm").trim() == name) {
            sum +=
                read("schedstat").split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) / 1_000;
        }
    }
    sum
}

#[test]
#[ignore = "measures"]
fn speed() {
    const COUNT: u64 = 300_000;
    let folder = tempfile::tempdir().unwrap();
    let options = LedgerOptions { queue_limit: usize::MAX, ..made::options(folder.path()) };
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    let traffic: Vec<_> = (1..=COUNT).map(operation).collect();
    let (start, before) = (Instant::now(), cpu(None) - cpu(Some("ledger")));
    for entries in traffic {
        ledger.record_all(entries);
    }
    let recorded = start.elapsed();
    let recording = cpu(None) - cpu(Some("ledger")) - before;
    while wait(ledger.commit()).is_err() {}
    let took = start.elapsed();
    let writing = cpu(Some("ledger"));
    println!(
        "whole operations in batches: {:.0} operations/s; {:.1} us CPU each in the writer, {:.2} us in the caller ({:?})",
        COUNT as f64 / took.as_secs_f64(),
        writing as f64 / COUNT as f64,
        recording as f64 / COUNT as f64,
        recorded
    );
    // As slow calls are: begun in one batch, ended in another.
    let apart = COUNT / 4;
    let (start, before) = (Instant::now(), cpu(Some("ledger")));
    for from in (COUNT + 1..=COUNT + apart).step_by(2_000) {
        let all: Vec<_> = (from..from + 2_000).map(operation).collect();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for mut entries in all {
            second.extend(entries.split_off(2));
            first.extend(entries);
        }
        ledger.record_all(first);
        wait(ledger.commit()).unwrap();
        ledger.record_all(second);
        wait(ledger.commit()).unwrap();
    }
    println!(
        "begun and ended apart: {:.0} operations/s; {:.1} us CPU each in the writer",
        apart as f64 / start.elapsed().as_secs_f64(),
        (cpu(Some("ledger")) - before) as f64 / apart as f64
    );
    ledger.close().unwrap();
    let file = LedgerFile::open(&options.path).unwrap();
    let range = Range { last: Some(COUNT), ..Range::default() };
    let start = Instant::now();
    assert!(file.check(|_, _| true).unwrap().is_sound());
    println!("proved: {:.0} operations/s", (COUNT + apart) as f64 / start.elapsed().as_secs_f64());
    let start = Instant::now();
    let mut out = Vec::new();
    file.export(&range, pointsman::ledger::ExportOptions::default(), &mut out, &mut |_, _| true).unwrap();
    println!("exported: {:.0} operations/s", COUNT as f64 / start.elapsed().as_secs_f64());
    let size = std::fs::metadata(&options.path).unwrap().len();
    println!("size: {} bytes an operation", size / (COUNT + apart));
    let start = Instant::now();
    Ledger::open(options.clone()).unwrap().0.close().unwrap();
    println!("opened and closed again: {:?}", start.elapsed());
    let strict = LedgerOptions { durability: Durability::Strict, ..options };
    let (ledger, found) = Ledger::open(strict).unwrap();
    let start = Instant::now();
    for seq in found.next_seq..found.next_seq + 200 {
        ledger.record_all(operation(seq));
        wait(ledger.commit()).unwrap();
    }
    println!("strict, one at a time: {:?} each", start.elapsed() / 200);
}
