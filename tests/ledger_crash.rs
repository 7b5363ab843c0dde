//! The ledger when the program is killed or the disk is full: a child process writes, the test kills it for real, and
//! every charge that the child was told is committed must be there, once, to the pico-dollar.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first fault")]

#[path = "support/ledger.rs"]
mod made;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use std::time::{Duration, Instant};

use pointsman::ledger::{
    Durability, Entry, Health, Ledger, LedgerError, LedgerFile, LedgerOptions, Range, Recovery, Totals,
};

use made::{fold, interrupted, opened, operation, started, wait};

/// The entries of an operation that is under way.
fn begun(seq: u64) -> [Entry; 3] {
    [
        Entry::Opened(Box::new(opened(seq))),
        Entry::AttemptStarted(Box::new(started(seq, 0))),
        Entry::Progress { seq, n: 0, delivered: seq },
    ]
}

/// Says to this test program that it is the child, and what to do.
const ROLE: &str = "POINTSMAN_TEST_LEDGER_ROLE";
/// Where the child's ledger is.
const FOLDER: &str = "POINTSMAN_TEST_LEDGER_FOLDER";

fn options(folder: &Path) -> LedgerOptions {
    LedgerOptions { durability: Durability::Strict, ..made::options(folder) }
}

/// The child's part: does nothing unless this program was started as one.
#[test]
fn child() {
    let (Ok(role), Ok(folder)) = (std::env::var(ROLE), std::env::var(FOLDER)) else { return };
    let options = options(Path::new(&folder));
    match role.as_str() {
        "write" => write(options),
        "recover" => {
            say("recovering");
            let (_ledger, found) = Ledger::open(options).unwrap();
            say(&format!("recovered {}", found.settled_attempts));
            linger();
        }
        "fill" => fill(&options),
        other => panic!("no such role: {other}"),
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nsays {line}").and_then(|()| out.flush()).unwrap();
}

/// Waits for the parent's kill.
fn linger() {
    let _ = std::io::stdin().read_line(&mut String::new());
}

/// Writes operations without end; of every third only the beginning.
fn write(options: LedgerOptions) {
    let (ledger, found) = Ledger::open(options).unwrap();
    for seq in found.next_seq..found.next_seq + 1_000_000 {
        if seq % 3 == 0 {
            ledger.record_all(begun(seq));
        } else {
            ledger.record_all(operation(seq));
        }
        // Some are waited for, the others are on their way when the kill comes.
        if seq % 2 == 0 {
            wait(ledger.commit()).unwrap();
            say(&format!("committed {seq}"));
        }
    }
}

/// Writes until the disk is full, tells, and goes on when there is room again.
fn fill(options: &LedgerOptions) {
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    let mut committed = 0;
    for seq in 1..100_000 {
        ledger.record_all(operation(seq));
        match wait(ledger.commit()) {
            Ok(()) => committed = seq,
            Err(error) => {
                say(&format!("failed {seq} {}", error.to_string().replace('\n', " ")));
                let state = ledger.state();
                assert!(matches!(state.health, Health::Failing { lost: 0, .. }), "{state:?}");
                say(&format!("state {}", state.health));
                break;
            }
        }
    }
    say(&format!("committed {committed}"));
    linger();
    // Unless killed: there is room now.
    let mut tries = 0;
    while let Err(error) = wait(ledger.commit()) {
        tries += 1;
        assert!(tries < 1_000_000 && matches!(error, LedgerError::Late { .. }), "{error}");
    }
    say("written after all");
    linger();
}

struct Writer {
    process: Child,
    out: BufReader<ChildStdout>,
    input: Option<ChildStdin>,
}

impl Writer {
    fn start(role: &str, folder: &Path, shell: Option<&str>) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut command = match shell {
            Some(before) => {
                let mut command = Command::new("sh");
                command.args(["-c", &format!("{before}; exec \"$0\" \"$@\"")]).arg(program);
                command
            }
            None => Command::new(program),
        };
        let mut process = command
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        let keep = process.stdin.take();
        Self { process, out, input: keep }
    }

    /// Returns the next thing that the child says; `None` at its end.
    fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        while self.out.read_line(&mut line).unwrap() > 0 {
            if let Some(said) = line.strip_prefix("says ") {
                return Some(said.trim().to_owned());
            }
            line.clear();
        }
        None
    }

    fn hear_about(&mut self, word: &str) -> String {
        loop {
            let said = self.hear();
            assert!(said.is_some(), "the child ended without a word of {word}");
            let said = said.unwrap();
            if let Some(rest) = said.strip_prefix(word) {
                return rest.trim().to_owned();
            }
        }
    }

    /// Kills the child as `kill -9` does, and returns the last operation that it said is committed.
    fn kill(mut self) -> u64 {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let mut last = 0;
        while let Some(said) = self.hear() {
            if let Some(seq) = said.strip_prefix("committed ") {
                last = seq.parse().unwrap_or(last);
            }
        }
        last
    }
}

/// What the ledger must hold when operations up to `newest` were begun and every third was never ended.
fn expected(newest: u64) -> Totals {
    let mut totals = fold((1..=newest).filter(|seq| seq % 3 != 0));
    for seq in (3..=newest).step_by(3) {
        let (cost, model, team) = interrupted(seq, seq);
        totals.add(&model, &team, cost);
    }
    totals
}

fn prove(folder: &Path) -> u64 {
    let file = LedgerFile::open(&options(folder).path).unwrap();
    let report = file.check(|_, _| true).unwrap();
    assert!(report.is_sound(), "{report}");
    let newest = file.newest().unwrap();
    assert_eq!(report.totals, expected(newest), "to the pico-dollar, up to operation {newest}");
    newest
}

#[test]
fn a_kill_loses_no_charge_that_was_committed() {
    let folder = tempfile::tempdir().unwrap();
    for round in 1..=6 {
        let mut child = Writer::start("write", folder.path(), None);
        let mut acknowledged = 0;
        for _ in 0..round * 15 {
            acknowledged = child.hear_about("committed").parse().unwrap();
        }
        acknowledged = acknowledged.max(child.kill());
        let left = LedgerFile::open(&options(folder.path()).path).unwrap().newest().unwrap();
        assert!(
            left >= acknowledged,
            "a reader sees all of it, before anyone recovers: {left} of {acknowledged}"
        );
        let (ledger, found) = Ledger::open(options(folder.path())).unwrap();
        assert!(found.next_seq > acknowledged, "{} after {acknowledged}", found.next_seq);
        assert!(found.settled_attempts > 0);
        // An operation whose entries reached the disk only in part is settled like any that was under way.
        ledger.close().unwrap();
        let newest = prove(folder.path());
        assert_eq!(newest + 1, found.next_seq);
    }
}

#[test]
fn a_kill_during_recovery_settles_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let (ledger, _) =
        Ledger::open(LedgerOptions { durability: Durability::Normal, ..options.clone() }).unwrap();
    for seq in (3..=9_000).step_by(3) {
        ledger.record_all(begun(seq));
    }
    ledger.close().unwrap();
    let mut settled = 0;
    for round in 0..12u32 {
        let mut child = Writer::start("recover", folder.path(), None);
        child.hear_about("recovering");
        // Each round lets it come a little further.
        for spin in 0..round * 400_000 {
            std::hint::black_box(spin);
        }
        child.process.kill().unwrap();
        child.process.wait().unwrap();
        while let Some(said) = child.hear() {
            if let Some(count) = said.strip_prefix("recovered ") {
                settled += count.parse::<u64>().unwrap();
            }
        }
        assert!(settled <= 3_000, "told of {settled} settlements of 3,000 open calls");
    }
    let (ledger, Recovery { next_seq, .. }) = Ledger::open(options.clone()).unwrap();
    ledger.close().unwrap();
    let mut expected = Totals::default();
    for seq in (3..=9_000).step_by(3) {
        let (cost, model, team) = interrupted(seq, seq);
        expected.add(&model, &team, cost);
    }
    let report = LedgerFile::open(&options.path).unwrap().check(|_, _| true).unwrap();
    assert_eq!((&report.totals, next_seq), (&expected, 9_001));
    assert!(report.is_sound(), "{report}");
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_said_and_what_waits_is_written_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    // A file that may not grow is what a full disk looks like to its writer.
    let limit = "trap '' XFSZ; ulimit -S -f 1400";
    let mut child = Writer::start("fill", folder.path(), Some(limit));
    let reason = child.hear_about("failed");
    assert!(reason.contains("disk is full") || reason.contains("input or output"), "{reason}");
    assert!(child.hear_about("state").starts_with("NOT WRITING since"), "a screen says it");
    let committed: u64 = child.hear_about("committed").parse().unwrap();
    assert!(committed > 10, "{committed}");
    let path = options(folder.path()).path;
    assert_eq!(
        LedgerFile::open(&path).unwrap().check(|_, _| true).unwrap().totals,
        fold(1..=committed),
        "what was committed stays, and can be read while the disk is full"
    );
    let raised = Command::new("prlimit")
        .args(["--fsize=unlimited:unlimited", "--pid", &child.process.id().to_string()])
        .status();
    let mut expected = committed;
    if raised.is_ok_and(|status| status.success()) {
        writeln!(child.input.as_mut().unwrap(), "go on").unwrap();
        child.hear_about("written after all");
        expected += 1;
    }
    child.kill();
    let (ledger, _) = Ledger::open(options(folder.path())).unwrap();
    ledger.close().unwrap();
    let report = LedgerFile::open(&path).unwrap().check(|_, _| true).unwrap();
    assert_eq!(report.totals, fold(1..=expected));
    assert!(report.is_sound());
}

/// Waits until a ledger's state is as wanted.
fn until(what: &str, ledger: &Ledger, so: impl Fn(&Ledger) -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !so(ledger) {
        assert!(Instant::now() < end, "{what}: {:?}", ledger.state());
        std::thread::yield_now();
    }
}

/// Returns an operation another number, as a run has it that cannot read the ledger yet.
fn renumbered(seq: u64, as_seq: u64) -> Vec<Entry> {
    let mut entries = operation(seq);
    for entry in &mut entries {
        match entry {
            Entry::Opened(entry) => entry.seq = as_seq,
            Entry::AttemptStarted(entry) => entry.seq = as_seq,
            Entry::AttemptEnded(entry) => entry.seq = as_seq,
            Entry::Closed(entry) => entry.seq = as_seq,
            _ => {}
        }
    }
    entries
}

#[test]
fn a_ledger_that_is_locked_at_the_start_is_opened_when_it_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let options = LedgerOptions { deadline: Duration::from_millis(100), ..options(folder.path()) };
    let (first, _) = Ledger::open(options.clone()).unwrap();
    (1..=20).for_each(|seq| first.record_all(operation(seq)));
    first.close().unwrap();
    let held = rusqlite::Connection::open(&options.path).unwrap();
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = Ledger::open(options.clone()).unwrap_err();
    assert!(error.may_pass(), "{error}");
    let ledger = Ledger::open_later(options.clone(), &error).unwrap();
    for seq in 1..=10 {
        ledger.record_all(renumbered(1_000 + seq, seq));
    }
    let late = wait(ledger.commit()).unwrap_err().to_string();
    assert!(late.contains("another process holds the file locked"), "{late}");
    assert!(ledger.is_failing() && ledger.state().lost == 0, "{:?}", ledger.state());
    drop(held);
    until("opened", &ledger, |ledger| wait(ledger.commit()).is_ok());
    assert!(ledger.state().health == Health::Ok, "{:?}", ledger.state());
    assert!(ledger.take_remarks().concat().contains("could be opened"));
    // An operation that is found in the file, and spoken of by this run.
    assert_eq!(ledger.number_of(30), 10);
    ledger.close().unwrap();
    let file = LedgerFile::open(&options.path).unwrap();
    assert_eq!(file.newest().unwrap(), 30, "behind what stood there");
    let report = file.check(|_, _| true).unwrap();
    assert_eq!(report.totals, fold((1..=20).chain(1_001..=1_010)));
    assert!(report.is_sound(), "{report}");
}

#[test]
fn what_never_could_be_opened_is_lost_aloud() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    std::fs::write(&path, "something else").unwrap();
    let options = LedgerOptions { path, ..options(folder.path()) };
    let error = Ledger::open(options.clone()).unwrap_err();
    let ledger = Ledger::open_later(options, &error).unwrap();
    ledger.record_all(operation(1));
    assert!(ledger.state().health.to_string().contains("not a ledger"), "{}", ledger.state().health);
    assert!(matches!(ledger.close(), Err(LedgerError::Lost { lost: 4.. })));
}

#[cfg(unix)]
type Deed = (&'static str, fn(&Path));

/// What can be done to a file.
#[cfg(unix)]
const DEEDS: [Deed; 3] = [
    ("deleted", |path| std::fs::remove_file(path).unwrap()),
    ("replaced", |path| {
        let other = path.with_extension("other");
        std::fs::copy(path, &other).unwrap();
        std::fs::rename(&other, path).unwrap();
    }),
    ("emptied", |path| std::fs::File::options().write(true).open(path).unwrap().set_len(0).unwrap()),
];

#[cfg(unix)]
#[test]
fn whatever_becomes_of_its_files_is_noticed_without_traffic_and_nobody_else_gets_in() {
    std::thread::scope(|scope| {
        for suffix in ["", "-wal", "-shm", ".lock"] {
            for (deed, act) in DEEDS {
                // To empty the index of a file that is mapped ends any program; to empty the lock's file changes nothing.
                if deed != "emptied" || matches!(suffix, "" | "-wal") {
                    scope.spawn(move || suffer(suffix, deed, act));
                }
            }
        }
    });
}

#[cfg(unix)]
fn suffer(suffix: &str, deed: &str, act: fn(&Path)) {
    let what = format!("ledger.db{suffix} {deed}");
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    (1..=5).for_each(|seq| ledger.record_all(operation(seq)));
    wait(ledger.commit()).unwrap();
    let mut path = options.path.clone().into_os_string();
    path.push(suffix);
    act(Path::new(&path));
    let nobody_else = || {
        let other = Ledger::open(options.clone()).unwrap_err();
        assert!(matches!(other, LedgerError::InUse { .. }), "{what}: {other}");
    };
    if cfg!(target_os = "linux") && !suffix.is_empty() {
        nobody_else();
    }
    if suffix.is_empty() || deed == "emptied" {
        until(&what, &ledger, Ledger::is_failing);
        let said = ledger.state().health.to_string();
        assert!(said.contains("NOT WRITING"), "{what}: {said}");
        ledger.record_all(operation(6));
        assert!(wait(ledger.commit()).is_err(), "{what}: written where it cannot be read");
        return;
    }
    let mut told = Vec::new();
    let end = Instant::now() + Duration::from_secs(30);
    while told.is_empty() {
        assert!(Instant::now() < end, "{what}: {:?}", ledger.state());
        std::thread::yield_now();
        told = ledger.take_remarks();
    }
    assert!(told.concat().contains("was taken away"), "{what}: {told:?}");
    ledger.record_all(operation(6));
    wait(ledger.commit()).unwrap();
    nobody_else();
    // As after a kill: from the files that stand there, and nothing else.
    let copies = tempfile::tempdir().unwrap();
    for name in ["ledger.db", "ledger.db-wal"] {
        let _ = std::fs::copy(folder.path().join(name), copies.path().join(name));
    }
    let options = self::options(copies.path());
    drop(Ledger::open(options.clone()).unwrap());
    let report = LedgerFile::open(&options.path).unwrap().check(|_, _| true).unwrap();
    assert_eq!(report.totals, fold(1..=6), "{what}");
    assert!(report.is_sound(), "{what}: {report}");
}

/// What can be done to a write-ahead log that stays where it is.
#[cfg(unix)]
const CUTS: [Deed; 4] = [
    ("emptied", |path| std::fs::File::options().write(true).open(path).unwrap().set_len(0).unwrap()),
    ("halved", |path| {
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    }),
    ("cut by a byte", |path| {
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_len(file.metadata().unwrap().len() - 1).unwrap();
    }),
    ("overwritten", |path| {
        use std::os::unix::fs::FileExt as _;
        let file = std::fs::File::options().write(true).open(path).unwrap();
        let length = usize::try_from(file.metadata().unwrap().len()).unwrap();
        file.write_all_at(&vec![0; length], 0).unwrap();
    }),
];

#[cfg(unix)]
#[test]
fn a_log_that_is_cut_under_load_ruins_no_ledger_and_is_told_afterwards() {
    std::thread::scope(|scope| {
        for durability in [Durability::Normal, Durability::Strict] {
            for (deed, act) in CUTS {
                // Before and after the log was first written back.
                // Later the file is longer than what is in force.
                let until = if deed == "cut by a byte" { 20 } else { 600 };
                for before in [20, 600].into_iter().filter(|before| *before <= until) {
                    scope.spawn(move || cut_under_load(durability, deed, act, before));
                }
            }
        }
    });
}

#[cfg(unix)]
#[test]
fn a_ledger_that_is_cut_short_under_load_is_told_before_anything_is_written_back() {
    std::thread::scope(|scope| {
        // The second grows beyond its first length with the next write-back.
        for (left, before) in [(0, 20), (2, 20), (3, 600), (15, 600)] {
            scope.spawn(move || cut_the_ledger(left * 4096, before));
        }
    });
}

#[cfg(unix)]
fn cut_the_ledger(left: u64, before: u64) {
    let what = format!("cut to {left} after {before}");
    let folder = tempfile::tempdir().unwrap();
    let options = LedgerOptions { batch: Duration::ZERO, ..options(folder.path()) };
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    let mut seq = 0;
    let mut go_on = || {
        seq += 1;
        ledger.record_all(operation(seq));
        wait(ledger.commit()).is_ok().then_some(seq)
    };
    while go_on().unwrap() < before {}
    std::fs::File::options().write(true).open(&options.path).unwrap().set_len(left).unwrap();
    assert!((0..3).any(|_| go_on().is_none()), "{what}: goes on unnoticed");
    assert!(ledger.state().health.to_string().contains("NOT WRITING"), "{what}");
    assert!(ledger.close().is_err(), "{what}: what could not be written is lost aloud");
    assert_eq!(std::fs::metadata(&options.path).unwrap().len(), left, "{what}: written to all the same");
    let mark = std::fs::read_to_string(folder.path().join("ledger.db-damaged")).unwrap();
    assert!(mark.contains("cut short") || mark.contains("emptied"), "{what}: {mark}");
}

#[cfg(unix)]
fn cut_under_load(durability: Durability, deed: &str, act: fn(&Path), before: u64) {
    let what = format!("{deed} after {before} at {durability:?}");
    let folder = tempfile::tempdir().unwrap();
    let options = LedgerOptions { durability, batch: Duration::ZERO, ..options(folder.path()) };
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    let mut seq = 0;
    let mut go_on = |ledger: &Ledger| {
        seq += 1;
        ledger.record_all(operation(seq));
        wait(ledger.commit()).is_ok().then_some(seq)
    };
    while go_on(&ledger).unwrap() < before {}
    let log = folder.path().join("ledger.db-wal");
    // Whoever goes on asking is soon told: by the look that stands before each write, or the one after it. What a cut takes
    // may be no longer in force; then it is done again.
    let told = (0..40).any(|_| {
        std::thread::scope(|scope| {
            scope.spawn(|| act(&log));
            (0..200).any(|_| go_on(&ledger).is_none())
        })
    });
    assert!(told, "{what}: goes on unnoticed");
    assert!(ledger.state().health.to_string().contains("(-wal) was cut short or overwritten"), "{what}");
    assert!(ledger.close().is_err(), "{what}: what could not be written is lost aloud");
    let prove = || {
        let file = LedgerFile::open(&options.path).unwrap();
        let report = file.check(|_, _| true).unwrap();
        assert!(report.wrong == 1 && report.findings[0].contains("(-wal) was cut short"), "{what}: {report}");
        let newest = file.newest().unwrap();
        assert_eq!(report.totals, fold(1..=newest), "{what}: whole up to operation {newest}");
        let salvaged = file.salvage(&Range::default(), &mut std::io::sink(), &mut |_, _| true).unwrap();
        assert!(!salvaged.is_whole() && salvaged.exported.requests == newest, "{what}");
        newest
    };
    let left = prove();
    // The next start says it again, and goes on behind what is left.
    let (ledger, found) = Ledger::open(options.clone()).unwrap();
    assert_eq!(found.next_seq, left + 1, "{what}");
    assert!(ledger.take_remarks().concat().contains("(-wal) was cut short"), "{what}");
    ledger.record_all(operation(left + 1));
    ledger.close().unwrap();
    assert_eq!(prove(), left + 1);
}
