//! The ledger as whoever pays relies on it: nothing charged is lost, nothing is charged twice, and every sum is exact.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first fault")]

#[path = "ledger/chain.rs"]
mod chain;
#[path = "ledger/hours.rs"]
mod hours;
#[path = "ledger/left_open.rs"]
mod left_open;
#[path = "support/ledger.rs"]
mod made;
#[path = "ledger/read.rs"]
mod read;
#[path = "ledger/store.rs"]
mod store;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pointsman::classifier::Classifier;
use pointsman::config::policy;
use pointsman::ledger::{
    Durability, Entry, ExportOptions, Health, Kept, Label, Ledger, LedgerError, LedgerFile, LedgerOptions,
    Note, PolicyVersion, Prompt, Range, Recovery, Totals, export, is_ledger, vacuum,
};
use pointsman::record::{self, Input, ReadOptions};
use pointsman::routing::Status;
use pointsman::session::{Ingest, IngestOptions, Reading, StreamOptions, stream};
use pointsman::units::{Instant, Names, PerMille, Pico};
use proptest::prelude::*;
use rusqlite::Connection;

use made::{at, closed, ended, fold, interrupted, opened, operation, options, started, wait};

fn in_force(version: u32, from_seq: u64, text: &str) -> Entry {
    Entry::Policy(Box::new(PolicyVersion {
        version,
        at: at(from_seq),
        from_seq,
        who: "console".into(),
        what: format!("version {version}").into(),
        undo: version == 2,
        text: text.into(),
    }))
}

fn everything(path: &Path) -> Totals {
    LedgerFile::open(path).unwrap().check(|_, _| true).unwrap().totals
}

/// Returns the sums that are kept beside the charges: what these add up to.
fn kept(path: &Path) -> Totals {
    let report = LedgerFile::open(path).unwrap().check(|_, _| true).unwrap();
    assert!(!report.findings.iter().any(|finding| finding.starts_with("sum of")), "{report}");
    report.totals
}

fn findings(path: &Path) -> Vec<String> {
    LedgerFile::open(path).unwrap().check(|_, _| true).unwrap().findings
}

fn filled(folder: &Path, seqs: std::ops::RangeInclusive<u64>) -> LedgerOptions {
    let options = options(folder);
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    ledger.record(in_force(1, 1, policy::BUILTIN));
    seqs.for_each(|seq| ledger.record_all(operation(seq)));
    ledger.close().unwrap();
    options
}

fn exported(path: &Path, range: &Range, options: ExportOptions) -> String {
    let mut out = Vec::new();
    LedgerFile::open(path).unwrap().export(range, options, &mut out, &mut |_, _| true).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn what_is_charged_is_there_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let options = filled(folder.path(), 1..=3_000);
    assert_eq!(everything(&options.path), fold(1..=3_000));
    assert_eq!(findings(&options.path), Vec::<String>::new());
    let (ledger, found) = Ledger::open(options.clone()).unwrap();
    let policy = found.policy.clone().unwrap();
    assert_eq!((policy.version, policy.text.as_str()), (1, policy::BUILTIN));
    let expected = Recovery { next_seq: 3_001, policy: Some(policy), ..Recovery::default() };
    assert_eq!(found, expected, "a clean end leaves nothing to settle");
    assert!(ledger.state().health == Health::Ok);
    assert!(is_ledger(&options.path));
    let file = LedgerFile::open(&options.path).unwrap();
    assert_eq!(file.find("op-00000007").unwrap(), Some((7, at(7))));
    assert_eq!(file.find("op-7").unwrap(), None);
}

#[test]
fn a_commit_that_was_waited_for_can_be_read_by_others_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let options = LedgerOptions { durability: Durability::Strict, ..options(folder.path()) };
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    let reader = LedgerFile::open(&options.path).unwrap();
    for seq in 1..=20 {
        ledger.record_all(operation(seq));
        wait(ledger.commit()).unwrap();
        assert_eq!(reader.newest().unwrap(), seq);
        let report = reader.check(|_, _| true).unwrap();
        assert_eq!(report.totals, fold(1..=seq));
        assert!(report.is_sound(), "a reader proves it while it is written");
    }
}

#[test]
fn calls_that_a_crash_left_open_are_settled_once() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    for seq in 1..=30 {
        ledger.record(Entry::Opened(Box::new(opened(seq))));
        ledger.record(Entry::AttemptStarted(Box::new(started(seq, 0))));
        ledger.record(Entry::Progress { seq, n: 0, delivered: seq });
    }
    ledger.close().unwrap();
    let mut expected = pointsman::ledger::Totals::default();
    for seq in 1..=30 {
        let (cost, model, team) = interrupted(seq, seq);
        expected.add(&model, &team, cost);
    }
    let (ledger, found) = Ledger::open(options.clone()).unwrap();
    assert_eq!((found.settled_attempts, found.closed_operations, found.next_seq), (30, 30, 31));
    assert_eq!(kept(&options.path), expected);
    assert_eq!(found.estimated, expected.all.cost.estimated);
    assert_eq!(expected.all.cost.known, Pico::ZERO, "what nobody reported is never a known cost");
    // The answer comes in after all, from wherever: it is charged already.
    ledger.record(Entry::AttemptEnded(Box::new(ended(1, 0))));
    ledger.record(Entry::Closed(closed(1)));
    ledger.close().unwrap();
    assert_eq!(everything(&options.path), expected);
    let (_, again) = Ledger::open(options.clone()).unwrap();
    assert_eq!((again.settled_attempts, kept(&options.path)), (0, expected));
    assert_eq!(findings(&options.path), Vec::<String>::new());
    let log = exported(&options.path, &Range::default(), ExportOptions::default());
    assert_eq!(log.matches(r#""error":"interrupted""#).count(), 30);
    assert!(log.contains("the program ended without closing 30 requests"), "a log tells of the crash");
}

#[test]
fn a_stretch_replays_like_a_log_to_the_pico_dollar() {
    let folder = tempfile::tempdir().unwrap();
    let options = filled(folder.path(), 1..=2_000);
    let replayed = |text: String, book: &pointsman::pricing::PriceBook| {
        let input = Input::bytes("ledger", text.into_bytes());
        let source = record::open(&input, &ReadOptions { strict: true, ..ReadOptions::default() }).unwrap();
        let mut names = Names::default();
        let policy = Arc::new(policy::parse(policy::BUILTIN, "policy", &mut names).unwrap());
        let ingest = Ingest::new(names, Classifier::builtin(), &IngestOptions::default());
        let how = StreamOptions::from(Reading::Recorded);
        let found = stream(source, ingest, &policy, book, &how, |_| true).unwrap();
        assert_eq!(found.skipped.count, 0);
        let team = found.names.find_team("search").and_then(pointsman::units::TeamId::index);
        let search = team.map(|team| found.totals.teams.0[team].cost);
        (found.totals.all.requests, found.totals.all.cost, search.unwrap_or_default())
    };
    let whole = exported(&options.path, &Range::default(), ExportOptions::default());
    let (requests, cost, search) = replayed(whole, &made::book());
    let expected = fold(1..=2_000);
    assert_eq!(requests, 2_000);
    assert_eq!((cost.known, cost.estimated), (expected.all.cost.known, expected.all.cost.estimated));
    assert_eq!(search.total(), expected.by_team["search"].cost.total());

    let range = Range { first: Some(501), last: Some(700), ..Range::default() };
    let expected = fold(501..=700);
    let stretch = exported(&options.path, &range, ExportOptions { prices: true, chain: false });
    assert!(stretch.lines().nth(1).unwrap().contains(r#""event":"policy""#), "begins with what was in force");
    let (requests, cost, _) = replayed(stretch, &pointsman::pricing::PriceBook::default());
    assert_eq!(requests, 200);
    assert_eq!(
        (cost.known, cost.estimated),
        (expected.all.cost.known, expected.all.cost.estimated),
        "with its prices a stretch costs the same under any price book"
    );

    let times = Range { from: Some(at(501)), to: Some(at(701)), ..Range::default() };
    let mut out = Vec::new();
    assert_eq!(export(&options.path, &times, &mut out).unwrap().requests, 200);
}

#[test]
fn an_export_says_what_happened_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    ledger.record(in_force(1, 1, policy::BUILTIN));
    let billed = pointsman::ledger::AttemptEnded { model: "gemini-2.5-flash".into(), ..ended(1, 0) };
    let pinned = pointsman::ledger::Opened { pinned: true, asked: "gpt-4.1".into(), ..opened(1) };
    let first = pointsman::ledger::AttemptStarted {
        asked: "gpt-4.1".into(),
        model: "gpt-4.1".into(),
        ..started(1, 0)
    };
    ledger.record(Entry::Opened(Box::new(pinned)));
    ledger.record(Entry::AttemptStarted(Box::new(first)));
    ledger.record(Entry::AttemptEnded(Box::new(billed)));
    ledger.record(Entry::Closed(closed(1)));
    let note = Note { at: at(1), text: "provider announces an outage".into(), simulated: false };
    ledger.record(Entry::Note(Box::new(note)));
    ledger.record(in_force(2, 2, &format!("{}\n# two", policy::BUILTIN)));
    ledger.record_all(operation(2));
    let label = Label {
        seq: 2,
        model: "gpt-4.1".into(),
        quality: PerMille::new(900),
        output: None,
        source: "feedback".into(),
        at: at(9),
    };
    ledger.record(Entry::Label(Box::new(label)));
    ledger.record(Entry::Opened(Box::new(opened(3))));
    wait(ledger.commit()).unwrap();
    let log = exported(&options.path, &Range::default(), ExportOptions::default());
    let lines: Vec<&str> = log.lines().collect();
    let marks = [
        r#""pointsman":"log""#,
        r#""event":"policy""#,
        r#""id":"op-00000001""#,
        "announces",
        r#""version":2"#,
        r#""id":"op-00000002""#,
    ];
    assert_eq!(lines.len(), marks.len(), "a request under way is left out:\n{log}");
    for (line, mark) in lines.iter().zip(marks) {
        assert!(line.contains(mark), "{mark} in {line}");
    }
    assert!(lines[2].contains(r#""pinned":true"#) && lines[2].contains(r#""billed":"gemini-2.5-flash""#));
    assert!(
        lines[5].contains(r#""labels":[{"source":"feedback","model":"gpt-4.1","quality":900}]"#),
        "{}",
        lines[5]
    );
}

#[test]
fn one_process_writes_and_the_other_is_told_who() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let (first, _) = Ledger::open(options.clone()).unwrap();
    let refused = Ledger::open(options.clone()).unwrap_err().to_string();
    assert!(refused.contains(&format!("(process {})", std::process::id())), "{refused}");
    assert!(matches!(vacuum(&options.path, |_, _| {}), Err(LedgerError::InUse { .. })));
    assert!(LedgerFile::open(&options.path).is_ok(), "reading is free");
    first.close().unwrap();
    Ledger::open(options).unwrap();
}

#[test]
fn what_is_no_ledger_or_a_newer_one_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let path = options.path.clone();
    let refuse = |hint: &str| {
        let before = std::fs::read(&path).unwrap();
        for error in [
            Ledger::open(options.clone()).unwrap_err(),
            LedgerFile::open(&path).unwrap_err(),
            vacuum(&path, |_, _| {}).unwrap_err(),
        ] {
            assert!(error.to_string().contains(hint), "{error}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), before);
    };
    std::fs::write(&path, "a diary\n".repeat(100)).unwrap();
    refuse("not a ledger of this program");
    std::fs::remove_file(&path).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE a (b); PRAGMA user_version = 1").unwrap();
    drop(other);
    refuse("not a ledger of this program");
    std::fs::remove_file(&path).unwrap();
    Ledger::open(options.clone()).unwrap().0.close().unwrap();
    let newer = Connection::open(&path).unwrap();
    newer.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA user_version = 99").unwrap();
    drop(newer);
    refuse("use the newer program");
    let missing = LedgerFile::open(&folder.path().join("none.db")).unwrap_err();
    assert!(matches!(missing, LedgerError::Missing { .. }), "{missing}");
}

#[test]
fn damage_is_told_and_never_taken_for_figures() {
    let folder = tempfile::tempdir().unwrap();
    let options = filled(folder.path(), 1..=3_000);
    let mut bytes = std::fs::read(&options.path).unwrap();
    let (from, to) = (bytes.len() / 3, bytes.len() / 3 + 40_000);
    bytes[from..to].fill(0xa5);
    std::fs::write(&options.path, &bytes).unwrap();
    match LedgerFile::open(&options.path).and_then(|file| file.check(|_, _| true)) {
        Ok(report) => assert!(!report.is_sound()),
        Err(error) => assert!(matches!(error, LedgerError::Corrupt { .. }), "{error}"),
    }
}

#[test]
fn a_check_finds_what_was_tampered_with() {
    let tampering: [(&str, &str); 11] = [
        (
            "UPDATE charges SET micro = micro + 1 WHERE kind = 'known' AND seq = (SELECT min(seq) FROM charges WHERE kind = 'known')",
            "is charged",
        ),
        ("DELETE FROM charges WHERE seq = 5", "settled and not charged"),
        (
            "UPDATE attempts SET input = coalesce(input, 0) + 1000000 WHERE seq = (SELECT min(seq) FROM charges WHERE micro > 0)",
            "its usage and price make",
        ),
        ("UPDATE price_rows SET rates = replace(rates, '2', '3')", "not what its hash says"),
        ("UPDATE attempts SET state = 'open' WHERE seq = 7", "is open"),
        ("UPDATE attempts SET n = n + 1 WHERE seq = 8", "where call 0 should be"),
        ("DELETE FROM operations WHERE seq = 9", "that is not there"),
        ("UPDATE sums SET known_micro = 1 WHERE model = 'gpt-4.1'", "sum of model `gpt-4.1`"),
        ("INSERT INTO sums VALUES ('nobody', '', 0, 0, 0, 0, 0, 0)", "sum of model `nobody`"),
        ("UPDATE policies SET text = text || '#'", "not what its hash says"),
        ("UPDATE operations SET policy = 7 WHERE seq = 3", "is not stored"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let options = filled(folder.path(), 1..=50);
    let copy = folder.path().join("copy.db");
    for (sql, finding) in tampering {
        std::fs::copy(&options.path, &copy).unwrap();
        let conn = Connection::open(&copy).unwrap();
        conn.execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).unwrap();
        drop(conn);
        let found = findings(&copy);
        assert!(found.iter().any(|text| text.contains(finding)), "{sql}: {found:#?}");
    }
}

/// Holds the ledger's file locked, as another program might.
fn hold(path: &Path) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    conn
}

#[test]
fn a_locked_file_is_said_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let options = LedgerOptions { deadline: Duration::from_millis(600), ..options(folder.path()) };
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    let lock = hold(&options.path);
    (1..=100).for_each(|seq| ledger.record_all(operation(seq)));
    let late = wait(ledger.commit()).unwrap_err().to_string();
    assert!(late.contains("another process holds the file locked"), "{late}");
    let state = ledger.state();
    assert!(matches!(&state.health, Health::Failing { lost: 0, queued, .. } if *queued >= 300), "{state:?}");
    assert!(state.health.to_string().contains("NOT WRITING"), "{}", state.health);
    drop(lock);
    let mut tries = 0;
    while wait(ledger.commit()).is_err() {
        tries += 1;
        assert!(tries < 1_000_000, "{:?}", ledger.state());
    }
    assert!(ledger.state().health == Health::Ok);
    assert_eq!(everything(&options.path), fold(1..=100));
}

#[test]
fn what_memory_cannot_hold_is_given_up_whole_and_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let options = LedgerOptions { queue_limit: 100, ..options(folder.path()) };
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    let lock = hold(&options.path);
    (1..=500).for_each(|seq| ledger.record_all(operation(seq)));
    assert!(wait(ledger.commit()).is_err());
    let Health::Failing { lost, queued, .. } = ledger.state().health else { panic!("{:?}", ledger.state()) };
    assert!(lost > 1_000 && queued < 110, "{lost} lost, {queued} queued");
    drop(lock);
    ledger.close().unwrap();
    let kept = LedgerFile::open(&options.path).unwrap().newest().unwrap();
    assert_eq!(everything(&options.path), fold(1..=kept), "what is kept is kept whole");
    assert_eq!(findings(&options.path), Vec::<String>::new());
    let log = exported(&options.path, &Range::default(), ExportOptions::default());
    let gap = fold(kept + 1..=500).all.cost.total().usd();
    let told = format!("GAP: {lost} entries of {} requests could not be kept", 500 - kept);
    assert!(log.contains(&told) && log.contains(&format!("charged {gap} USD")), "{told}, {gap}:\n{log}");
}

#[test]
fn an_absent_ledger_says_so_and_lets_traffic_pass() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::absent(options(folder.path()), "the disk is on fire");
    ledger.record_all(operation(1));
    assert!(matches!(wait(ledger.commit()), Err(LedgerError::Closed(reason)) if reason.contains("on fire")));
    let state = ledger.state();
    assert!(state.lost >= 4 && state.health.to_string().contains("on fire"), "{state:?}");
}

#[test]
fn a_clock_that_jumps_back_moves_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    ledger.record_all(operation(1_000_000));
    let mut late = operation(1_000_001);
    if let Some(Entry::Opened(opened)) = late.first_mut() {
        opened.at = at(1);
    }
    ledger.record_all(late);
    ledger.close().unwrap();
    let log = exported(&options.path, &Range::default(), ExportOptions::default());
    let lines: Vec<&str> = log.lines().collect();
    assert!(lines[1].contains("op-01000000") && lines[3].contains("op-01000001"), "{log}");
    assert!(lines[2].contains("the clock went back by 999999 ms"), "{}", lines[2]);
    assert!(lines[3].contains(&at(1).rfc3339()), "the time stays as it was given");
}

#[test]
fn prompts_are_gone_after_their_time() {
    let folder = tempfile::tempdir().unwrap();
    let options = filled(folder.path(), 1..=10);
    let keep = |expires_at| {
        let prompt =
            Prompt { seq: 1, kind: "prompt".into(), body: "xyzzy-plugh".repeat(9).into(), expires_at };
        Entry::Prompt(Box::new(prompt))
    };
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    ledger.record(keep(Instant(i64::MAX)));
    ledger.record(keep(Instant(1)));
    ledger.close().unwrap();
    let stored = || -> i64 {
        let conn = Connection::open(&options.path).unwrap();
        conn.query_row("SELECT count(body) FROM prompts", [], |row| row.get(0)).unwrap()
    };
    let (before, done) = (stored(), vacuum(&options.path, |_, _| {}).unwrap());
    assert_eq!((before - i64::try_from(done.prompts).unwrap(), stored()), (1, 1));
    Connection::open(&options.path).unwrap().execute("UPDATE prompts SET expires_at = 5", []).unwrap();
    vacuum(&options.path, |_, _| {}).unwrap();
    let bytes = std::fs::read(&options.path).unwrap();
    assert!(!bytes.windows(11).any(|window| window == b"xyzzy-plugh"), "nothing of it is left in the file");
    assert_eq!(everything(&options.path), fold(1..=10));
}

#[test]
fn a_file_that_cannot_be_written_can_still_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let options = filled(folder.path(), 1..=10);
    let mut rights = std::fs::metadata(&options.path).unwrap().permissions();
    rights.set_readonly(true);
    std::fs::set_permissions(&options.path, rights).unwrap();
    assert_eq!(everything(&options.path), fold(1..=10));
    // The one who may do anything is not refused.
    if std::fs::OpenOptions::new().append(true).open(&options.path).is_err() {
        assert!(Ledger::open(options.clone()).is_err());
    }
}

#[test]
fn an_id_used_twice_costs_neither_request() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    ledger.record_all(operation(1));
    let mut twin = operation(2);
    if let Some(Entry::Opened(opened)) = twin.first_mut() {
        opened.id = "op-00000001".into();
    }
    ledger.record_all(twin);
    ledger.close().unwrap();
    assert_eq!(everything(&options.path), fold(1..=2));
    assert_eq!(findings(&options.path), Vec::<String>::new());
}

#[cfg(unix)]
#[test]
fn a_file_taken_away_is_noticed_and_written_to_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let options = LedgerOptions { deadline: Duration::from_millis(300), ..options(folder.path()) };
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    ledger.record_all(operation(1));
    wait(ledger.commit()).unwrap();
    let aside = folder.path().join("aside.db");
    std::fs::rename(&options.path, &aside).unwrap();
    ledger.record_all(operation(2));
    let late = wait(ledger.commit()).unwrap_err().to_string();
    assert!(late.contains("moved or deleted"), "{late}");
    std::fs::rename(&aside, &options.path).unwrap();
    ledger.close().unwrap();
    assert_eq!(everything(&options.path), fold(1..=2));
}

/// One step of a random interleaving: which operation goes on by one entry.
fn interleaved(steps: &[usize], operations: u64) -> Vec<Entry> {
    let mut waiting: BTreeMap<u64, std::vec::IntoIter<Entry>> =
        (1..=operations).map(|seq| (seq, operation(seq).into_iter())).collect();
    let mut out = Vec::new();
    let mut step = steps.iter().cycle();
    while !waiting.is_empty() {
        let place = step.next().unwrap() % waiting.len();
        let seq = *waiting.keys().nth(place).unwrap();
        match waiting.get_mut(&seq).unwrap().next() {
            Some(entry) => out.push(entry),
            None => _ = waiting.remove(&seq),
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn however_entries_interleave_the_sums_are_the_same(
        steps in proptest::collection::vec(0usize..1_000, 1..60),
        cuts in proptest::collection::vec(1usize..40, 1..10),
        twice in proptest::collection::vec(0usize..400, 0..20),
        stop in 0usize..300,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let options = options(folder.path());
        let mut entries = interleaved(&steps, 40);
        for place in twice {
            // Told twice, in the same batch or another: counts once.
            let again = entries[place % entries.len()].clone();
            entries.push(again);
        }
        let (ledger, _) = Ledger::open(options.clone()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut cuts = cuts.iter().cycle();
        let mut rest = &entries[..];
        let mut written = 0;
        let mut reopened = Some(ledger);
        while !rest.is_empty() {
            let (now, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            let ledger = reopened.as_ref().unwrap();
            ledger.record_all(now.iter().cloned());
            runtime.block_on(ledger.commit()).unwrap();
            written += now.len();
            rest = later;
            if written > stop + 200 {
                break;
            }
        }
        let finished = rest.is_empty();
        reopened.take().unwrap().close().unwrap();
        let (ledger, found) = Ledger::open(options.clone()).unwrap();
        ledger.close().unwrap();
        prop_assert_eq!(kept(&options.path), everything(&options.path));
        if finished {
            prop_assert_eq!(kept(&options.path), fold(1..=40));
            prop_assert_eq!(found.settled_attempts, 0);
        }
        prop_assert_eq!(findings(&options.path), Vec::<String>::new());
    }
}

#[test]
fn what_is_made_up_says_so_however_late_that_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    ledger.record_all(operation(1));
    let mut apart = operation(2).into_iter();
    ledger.record(apart.next().unwrap());
    wait(ledger.commit()).unwrap();
    ledger.record(Entry::Simulated { seq: 2, what: "provider".into() });
    ledger.record_all(apart);
    let mut together = operation(3);
    together.insert(2, Entry::Simulated { seq: 3, what: "provider".into() });
    ledger.record_all(together);
    ledger.close().unwrap();
    let log = exported(&options.path, &Range::default(), ExportOptions::default());
    let marked: Vec<bool> = log.lines().map(|line| line.contains(r#""simulated":"provider""#)).collect();
    assert_eq!(marked, [false, false, true, true], "{log}");
    assert!(
        log.starts_with(r#"{"pointsman":"log","v":2,"source":"pointsman ledger","simulated":["provider"]}"#)
    );
}

#[test]
fn a_status_of_every_kind_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    for (seq, status) in (1..).zip(Status::ALL) {
        let entries = operation(seq).into_iter().map(|entry| match entry {
            Entry::AttemptEnded(mut ended) => {
                ended.status = status;
                Entry::AttemptEnded(ended)
            }
            other => other,
        });
        ledger.record_all(entries);
    }
    ledger.close().unwrap();
    let log = exported(&options.path, &Range::default(), ExportOptions::default());
    for status in Status::ALL.into_iter().filter(|status| !status.is_ok()) {
        assert!(log.contains(&format!(r#""status":"{}""#, status.name())), "{}", status.name());
    }
}
