//! The store as gateways rely on it: what is appended again changes nothing, and an older ledger is brought on whole.

use std::panic::catch_unwind;

use pointsman::ledger::Correction;
use pointsman::pricing::{Cost, Unpriced};

use super::chain::full;
use super::*;

/// Returns every row of every table as text.
fn dump(path: &Path) -> Vec<String> {
    let conn = Connection::open(path).unwrap();
    let mut all = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1").unwrap();
    let names: Vec<String> = all.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut rows = Vec::new();
    for name in names.iter().filter(|name| *name != "runs") {
        let mut all = conn.prepare(&format!("SELECT * FROM {name} ORDER BY 1, 2")).unwrap();
        let count = all.column_count();
        let found = all.query_map([], |row| {
            (0..count)
                .map(|at| row.get::<_, rusqlite::types::Value>(at))
                .collect::<rusqlite::Result<Vec<_>>>()
        });
        rows.extend(found.unwrap().map(|row| format!("{name} {:?}", row.unwrap())));
    }
    rows
}

/// Everything that is recorded of some traffic.
fn traffic(seqs: std::ops::RangeInclusive<u64>) -> Vec<Entry> {
    let first = *seqs.start();
    let mut entries = vec![in_force(1, 1, policy::BUILTIN)];
    entries.extend(seqs.flat_map(operation));
    entries.push(Entry::Label(Box::new(Label {
        seq: first,
        model: "gpt-4.1".into(),
        quality: PerMille::new(900),
        output: None,
        source: "feedback by mia".into(),
        at: at(first),
    })));
    entries.push(Entry::Note(Box::new(Note { at: at(first), text: "a note".into(), simulated: false })));
    let (kind, body, expires_at) = ("prompt".into(), "hello".into(), Instant(i64::MAX));
    entries.push(Entry::Prompt(Box::new(Prompt { seq: first, kind, body, expires_at })));
    entries.push(Entry::Kept(Box::new(Kept {
        id: "resp_1".into(),
        provider: Some("openai".into()),
        model: "gpt-4.1".into(),
        team: "ours".into(),
        key: "mia".into(),
        at: at(first),
    })));
    entries
}

#[test]
fn a_batch_whose_commit_was_not_heard_of_is_appended_again_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    ledger.record_all(traffic(1..=60));
    wait(ledger.commit()).unwrap();
    let before = dump(&options.path);
    ledger.record_all(traffic(1..=60));
    wait(ledger.commit()).unwrap();
    // One entry at a time, as a batch with trouble in it is written.
    for entry in traffic(1..=60) {
        ledger.record(entry);
        wait(ledger.commit()).unwrap();
    }
    assert_eq!(dump(&options.path), before);
    ledger.close().unwrap();
    assert_eq!(findings(&options.path), Vec::<String>::new());
}

#[test]
fn gateways_that_share_a_store_keep_what_is_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let own = options(folder.path());
    let other = LedgerOptions { gateway: Some("gw-elsewhere".to_owned()), ..own.clone() };
    let rename = |entries: Vec<Entry>| {
        entries.into_iter().map(|entry| match entry {
            Entry::Opened(mut opened) => {
                opened.id = format!("other-{}", opened.id).into();
                Entry::Opened(opened)
            }
            entry => entry,
        })
    };
    // The same sequences, in turns; each goes on where it was.
    for from in [1, 21] {
        for (options, is_own) in [(&own, true), (&other, false)] {
            let (ledger, found) = Ledger::open(options.clone()).unwrap();
            assert_eq!(found.next_seq, from);
            let entries = traffic(from..=from + 19);
            if is_own {
                ledger.record_all(entries);
            } else {
                ledger.record_all(rename(entries));
            }
            ledger.close().unwrap();
        }
    }
    // One that ends badly settles what is its own.
    for options in [&own, &other] {
        let (ledger, _) = Ledger::open(options.clone()).unwrap();
        ledger.record_all(rename(operation(41).into_iter().take(2).collect()));
        if options.gateway.is_some() {
            ledger.record(Entry::Simulated { seq: 41, what: "elsewhere".into() });
        }
        ledger.close().unwrap();
    }
    let (ledger, found) = Ledger::open(own.clone()).unwrap();
    ledger.close().unwrap();
    assert_eq!((found.settled_attempts, found.closed_operations), (1, 1));
    let (ledger, found) = Ledger::open(other).unwrap();
    ledger.close().unwrap();
    assert_eq!((found.settled_attempts, found.closed_operations), (1, 1));
    let mut expected = fold((1..=40).chain(1..=40));
    for _ in 0..2 {
        let (cost, model, team) = interrupted(41, 0);
        expected.add(&model, &team, cost);
    }
    assert_eq!((everything(&own.path), kept(&own.path)), (expected.clone(), expected));
    assert_eq!(findings(&own.path), Vec::<String>::new());
    let heads = LedgerFile::open(&own.path).unwrap().heads().unwrap();
    assert!(heads.len() == 2 && heads[1].cursor.gateway == "gw-elsewhere", "{heads:?}");
    let log = exported(&own.path, &Range::default(), ExportOptions { chain: true, prices: false });
    let file = folder.path().join("both.jsonl");
    std::fs::write(&file, log).unwrap();
    let report = pointsman::ledger::check_export(&file, None, |_| true).unwrap();
    assert_eq!((report.findings, report.stretches.len()), (Vec::<String>::new(), 2));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn batches_repeated_and_out_of_order_come_to_the_same(
        order in proptest::collection::vec(0usize..12, 12..40),
        size in 1u64..5,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let options = options(folder.path());
        let (ledger, _) = Ledger::open(options.clone()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Whatever order they come in, in the end every batch has come.
        for batch in order.into_iter().chain(0..12) {
            let first = u64::try_from(batch).unwrap() * size + 1;
            ledger.record_all((first..first + size).flat_map(operation));
            runtime.block_on(ledger.commit()).unwrap();
        }
        ledger.close().unwrap();
        let expected = fold(1..=12 * size);
        prop_assert_eq!((everything(&options.path), kept(&options.path)), (expected.clone(), expected));
        prop_assert_eq!(findings(&options.path), Vec::<String>::new());
        let conn = Connection::open(&options.path).unwrap();
        let links: i64 =
            conn.query_row("SELECT count(*) FROM chain WHERE kind = 1", [], |row| row.get(0)).unwrap();
        prop_assert_eq!(links.unsigned_abs(), 12 * size, "one link for each operation");
    }
}

/// A ledger as version 2 of the tables has it: 71 operations, the last of them under way.
fn old(folder: &Path) -> LedgerOptions {
    let options = options(folder);
    let packed = include_bytes!("../ledger_2.db.zst");
    std::fs::write(&options.path, zstd::decode_all(&packed[..]).unwrap()).unwrap();
    options
}

#[test]
fn an_older_ledger_is_read_as_it_is_and_brought_on_when_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let options = old(folder.path());
    let all = Range::default();
    let (totals, kept_then) = (everything(&options.path), kept(&options.path));
    let log = exported(&options.path, &all, ExportOptions { prices: true, chain: true });
    let report = LedgerFile::open(&options.path).unwrap().check(|_, _| true).unwrap();
    assert!(report.is_sound() && report.heads.is_empty(), "{report}");
    assert!(report.to_string().contains("is chained when this version first writes it"));
    let untouched = std::fs::read(&options.path).unwrap();

    // A crash on the way leaves it as it was.
    let fails = LedgerOptions {
        progress: |_, _| std::panic::resume_unwind(Box::new("the power fails")),
        ..options.clone()
    };
    assert!(catch_unwind(|| Ledger::open(fails).map(drop)).is_err());
    let conn = Connection::open(&options.path).unwrap();
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 2);
    drop(conn);
    assert_eq!(everything(&options.path), totals);
    std::fs::write(&options.path, untouched).unwrap();

    vacuum(&options.path, |_, _| {}).unwrap();
    assert_eq!((everything(&options.path), kept(&options.path)), (totals.clone(), kept_then));
    assert_eq!(exported(&options.path, &all, ExportOptions { prices: true, chain: false }), log);
    let (ledger, found) = Ledger::open(options.clone()).unwrap();
    assert_eq!((found.next_seq, found.settled_attempts), (72, 1));
    ledger.record_all(operation(72));
    ledger.close().unwrap();
    let mut expected = totals;
    let (cost, model, team) = interrupted(71, 12);
    expected.add(&model, &team, cost);
    let (n72, mut sum) = (fold([72]), expected.clone());
    sum.all += &n72.all;
    assert_eq!(everything(&options.path).all, sum.all);
    assert_eq!(findings(&options.path), Vec::<String>::new());
    let prompt: (String, Vec<u8>) = Connection::open(&options.path)
        .unwrap()
        .query_row("SELECT body, hash FROM prompts", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert!(prompt.0 == "keep me" && prompt.1.len() == 32);
}

/// A ledger of the version before corrections is read as it is, and brought on with its chain when it is written.
#[test]
fn a_ledger_without_corrections_gets_their_tables_and_keeps_its_chain() {
    let folder = tempfile::tempdir().unwrap();
    let options = filled(folder.path(), 1..=9);
    let conn = Connection::open(&options.path).unwrap();
    conn.execute_batch("DROP TABLE corrections; DROP TABLE signals; DROP TABLE alerts; DROP TABLE outbox; DROP TABLE silences; PRAGMA user_version = 3").unwrap();
    drop(conn);
    let head = LedgerFile::open(&options.path).unwrap().heads().unwrap();
    assert_eq!(findings(&options.path), Vec::<String>::new());
    let log = exported(&options.path, &Range::default(), ExportOptions { prices: false, chain: true });
    assert!(
        LedgerFile::open(&options.path)
            .unwrap()
            .salvage(&Range::default(), &mut std::io::sink(), &mut |_, _| true)
            .is_ok()
    );
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    ledger.record(Entry::Correction(Box::new(Correction {
        seq: 3,
        n: None,
        cost: Cost::Unknown(Unpriced::NoUsage),
        source: "mia".into(),
        at: at(9),
    })));
    ledger.close().unwrap();
    let file = LedgerFile::open(&options.path).unwrap();
    assert!(file.check_against(Some(&head[0].hash), |_, _| true).unwrap().is_sound());
    let now = exported(&options.path, &Range::default(), ExportOptions { prices: false, chain: true });
    let requests = |text: &str| text.lines().filter(|line| line.starts_with("{\"id\"")).count();
    assert_eq!((requests(&now), requests(&log)), (9, 9));
    assert!(now.contains(r#""charged_as":"no_usage","source":"mia""#), "{now}");
    let corrected = file.charged(&["op-3".into(), "nobody".into()]).unwrap();
    assert!(corrected[1].is_none());
}

#[test]
fn sql_alone_gives_the_exact_amount_and_finds_a_day_by_its_index() {
    let folder = tempfile::tempdir().unwrap();
    let options = full(folder.path(), 1);
    let conn = Connection::open(&options.path).unwrap();
    // The very queries that the documentation gives.
    let page = include_str!("../../docs/ledger.md");
    let queries: Vec<&str> =
        page.split("```sql\n").skip(1).map(|part| part.split("```").next().unwrap()).collect();
    let charged: String = conn.query_row(queries[0], [], |row| row.get(0)).unwrap();
    let known = everything(&options.path).all.cost.known;
    assert_eq!(Pico::from_usd(&charged).unwrap(), known);
    let mut by_team = conn.prepare(queries[1]).unwrap();
    let rows = by_team.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let rows: BTreeMap<String, String> = rows.map(Result::unwrap).collect();
    for (team, sum) in everything(&options.path).by_team {
        assert_eq!(Pico::from_usd(&rows[&team]).unwrap(), sum.cost.total(), "{team}");
    }
    let plan: Vec<String> = conn
        .prepare(&format!("EXPLAIN QUERY PLAN {}", queries[2]))
        .unwrap()
        .query_map([], |row| row.get(3))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(plan.iter().any(|step| step.contains("INDEX operations_at (at>? AND at<?)")), "{plan:?}");
}
