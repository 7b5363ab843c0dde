//! The ledger's commands: what they print, where they write, and with which exit code.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first fault")]

#[path = "support/ledger.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod made;

use std::path::Path;

use pointsman::ledger::{Audit, Entry, Ledger, LedgerOptions};
use rusqlite::Connection;

use made::{at, fold, operation, options};

fn filled(folder: &Path, seqs: std::ops::RangeInclusive<u64>) -> LedgerOptions {
    let options = options(folder);
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    seqs.for_each(|seq| ledger.record_all(operation(seq)));
    ledger.close().unwrap();
    options
}

fn pointsman(args: &[&str], folder: &Path) -> (Option<i32>, String, String) {
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_pointsman"))
        .args(args)
        .env("POINTSMAN_DATA_DIR", folder)
        .env("POINTSMAN_CONFIG_DIR", folder)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (out.status.code(), text(out.stdout), text(out.stderr))
}

#[test]
fn the_command_line_proves_exports_and_tidies() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, err) = pointsman(&["ledger", "check"], folder.path());
    assert!(code == Some(2) && err.contains("no ledger here"), "{err}");
    let options = filled(folder.path(), 1..=400);
    let (code, out, _) = pointsman(&["ledger", "path"], folder.path());
    assert_eq!((code, out.trim()), (Some(0), options.path.to_str().unwrap()));
    let (code, out, err) = pointsman(&["ledger", "check"], folder.path());
    assert!(code == Some(0) && out.contains("sound") && out.contains("operations  400"), "{out}{err}");
    let known = format!("known       {} USD", fold(1..=400).all.cost.known);
    assert!(out.contains(&known), "{known}:\n{out}");

    let log = folder.path().join("stretch.jsonl.zst");
    let export = ["ledger", "export", "--seq", "101..200", "--with-prices", "-o", log.to_str().unwrap()];
    let (code, out, err) = pointsman(&export, folder.path());
    assert!(code == Some(0) && out.is_empty() && err.starts_with("100 requests exported"), "{out}{err}");
    let (code, _, err) = pointsman(&export, folder.path());
    assert!(code == Some(2) && err.contains("exists"), "{err}");
    let replay = ["replay", log.to_str().unwrap(), "--as", "recorded", "--format", "json"];
    let (code, out, err) = pointsman(&replay, folder.path());
    assert_eq!(code, Some(0), "{err}");
    let expected = fold(101..=200).all.cost;
    assert!(out.contains(&expected.known.usd()) && out.contains(&expected.estimated.usd()), "{out}");
    let (code, out, _) = pointsman(&["ledger", "export", "--seq", "7"], folder.path());
    assert_eq!((code, out.matches("\"id\":").count()), (Some(0), 1));

    let (code, out, _) = pointsman(&["ledger", "vacuum"], folder.path());
    assert!(code == Some(0) && out.contains("before"), "{out}");
    let tamper = Connection::open(&options.path).unwrap();
    tamper
        .execute("UPDATE charges SET micro = 0, pico = 1, kind = 'known', why = NULL WHERE seq = 3", [])
        .unwrap();
    drop(tamper);
    let (code, out, err) = pointsman(&["ledger", "check"], folder.path());
    assert!(
        code == Some(1) && out.contains("WRONG  operation 3") && err.contains("wrong in this ledger"),
        "{out}{err}"
    );
}

/// Returns how many requests a log has, once it has been replayed, and the report.
fn replayed(log: &Path, folder: &Path) -> (usize, String) {
    let replay = ["replay", log.to_str().unwrap(), "--as", "recorded", "--format", "json", "--strict"];
    let (code, out, err) = pointsman(&replay, folder);
    assert_eq!(code, Some(0), "{err}");
    (std::fs::read_to_string(log).unwrap().matches("\"id\":").count(), out)
}

#[test]
fn every_row_that_can_be_read_comes_out_of_half_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let options = filled(folder.path(), 1..=3_000);
    let sound = std::fs::read(&options.path).unwrap();
    let log = folder.path().join("salvaged.jsonl");
    let salvage = ["ledger", "export", "--salvage", "--replace", "-o", log.to_str().unwrap()];
    let (code, _, err) = pointsman(&salvage, folder.path());
    assert!(code == Some(0) && err.contains("nothing is missing"), "{err}");
    let (whole, spent) = replayed(&log, folder.path());
    assert_eq!((whole, spent.contains(&fold(1..=3_000).all.cost.known.usd())), (3_000, true), "{spent}");

    // Cut in half: the newest are gone, and the file is shorter than its head says.
    std::fs::write(&options.path, &sound[..sound.len() / 2]).unwrap();
    for doing in ["check", "export"] {
        let (code, _, err) = pointsman(&["ledger", doing], folder.path());
        assert!(code == Some(2) && err.contains("damaged") && err.contains("--salvage"), "{doing}: {err}");
    }
    let (code, _, err) = pointsman(&salvage, folder.path());
    assert!(
        code == Some(0) && err.contains("MISSING: ") && err.contains("that the ledger's sums count"),
        "{err}"
    );
    let (half, _) = replayed(&log, folder.path());
    assert!((1_200..1_800).contains(&half), "{half} of 3000 requests\n{err}");

    // A hole in the middle: what lies on either side of it comes out.
    let mut holed = sound.clone();
    // Among the requests themselves, by what stands in each of them.
    let row = b"reached 620";
    let hole =
        (sound.len() / 3..sound.len()).find(|at| sound[*at..].starts_with(row)).unwrap() / 4_096 * 4_096;
    holed[hole..hole + 16_384].fill(0xa5);
    std::fs::write(&options.path, &holed).unwrap();
    let (code, out, _) = pointsman(&["ledger", "check"], folder.path());
    assert!(code == Some(1) && out.contains("WRONG  export: "), "{out}");
    let (code, _, err) = pointsman(&salvage, folder.path());
    assert!(code == Some(0) && err.contains("MISSING: "), "{err}");
    let (rest, _) = replayed(&log, folder.path());
    // Where the hole falls on calls, their requests come out without them.
    assert!((2_850..=3_000).contains(&rest), "{rest} of 3000 requests\n{err}");
}

#[test]
fn of_a_small_ledger_cut_short_comes_out_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let options = filled(folder.path(), 1..=40);
    let sound = std::fs::read(&options.path).unwrap();
    let log = folder.path().join("salvaged.jsonl");
    let salvage = ["ledger", "export", "--salvage", "--replace", "-o", log.to_str().unwrap()];
    // Most of so small a file are the beginnings of tables: one after the other lies behind the cut.
    for percent in [95, 90, 75, 50, 30] {
        std::fs::write(&options.path, &sound[..sound.len() * percent / 100]).unwrap();
        let (code, _, err) = pointsman(&salvage, folder.path());
        assert!(code == Some(0) && err.contains("MISSING: "), "{percent} %: {err}");
        let found = std::fs::read_to_string(&log).unwrap().matches("\"id\":").count();
        assert!(err.contains(&format!("{found} requests exported")), "{percent} %: {err}");
        assert!(percent < 95 || found >= 20, "{percent} %: {found} of 40 requests\n{err}");
        assert!(percent > 30 || err.contains("began in the part that is missing"), "{percent} %: {err}");
    }
}

#[test]
fn a_check_finds_whatever_an_export_stumbles_over() {
    let folder = tempfile::tempdir().unwrap();
    let options = filled(folder.path(), 1..=40);
    let sound = std::fs::read(&options.path).unwrap();
    for tampering in [
        "UPDATE operations SET task = 'juggling' WHERE seq = 7",
        "UPDATE operations SET turn = -1 WHERE seq = 7",
        "UPDATE operations SET confidence = 70000 WHERE seq = 7",
        "UPDATE operations SET team = CAST(x'ff' AS TEXT) WHERE seq = 7",
        "UPDATE attempts SET status = 'fine' WHERE seq = 7",
        "UPDATE attempts SET checked = 'perhaps' WHERE seq = 7",
        "UPDATE attempts SET latency_ms = -5 WHERE seq = 7",
        "UPDATE attempts SET input = -5 WHERE seq = 7",
        "UPDATE attempts SET meters = 'web_search' WHERE seq = 7",
        "UPDATE attempts SET provider = CAST(x'ff' AS TEXT) WHERE seq = 7",
        "UPDATE price_rows SET rates = 'none'",
        "INSERT INTO notes (before_seq, at, text, simulated) VALUES (7, 0, CAST(x'ff' AS TEXT), 0)",
        "INSERT INTO policies VALUES (-3, 0, 1, '', '', '', '', 0)",
        "INSERT INTO labels (seq, model, quality, output, source, at) VALUES (7, CAST(x'ff' AS TEXT), 1, 1, '', 0)",
    ] {
        std::fs::write(&options.path, &sound).unwrap();
        let tamper = Connection::open(&options.path).unwrap();
        tamper.execute_batch(&format!("PRAGMA foreign_keys = OFF; {tampering}")).unwrap();
        tamper.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        drop(tamper);
        let (code, _, err) = pointsman(&["ledger", "export", "--with-prices"], folder.path());
        let stumbles = code != Some(0);
        assert!(stumbles || err.contains("40 requests"), "{tampering}: {err}");
        let (code, out, err) = pointsman(&["ledger", "check"], folder.path());
        assert!(!stumbles || (code == Some(1) && out.contains("WRONG")), "{tampering}: {out}{err}");
        let (code, out, err) = pointsman(&["ledger", "export", "--salvage"], folder.path());
        assert!(code == Some(0) && out.matches("\"id\":").count() == 40, "{tampering}: {err}");
    }
}

/// A file of budgets, and the audit of the moment at which it took the place of another.
fn budgets(limit: &str) -> String {
    format!("# of ann\n[budget.all]\nlimit = {{ lifetime = \"{limit}\" }}\n")
}

fn replaced(seq: u64, before: String, after: String) -> Entry {
    let (who, what) = ("budgets file of ann".into(), "budgets".into());
    Entry::Audit(Box::new(Audit { at: at(seq), who, what, before: before.into(), after: after.into() }))
}

/// Whoever tries something over an export is promised refusals that the ledger itself does not see, or none at all.
#[test]
fn an_export_brings_the_budgets_that_were_in_force_and_answers_as_the_ledger_does() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    ledger.record(replaced(0, String::new(), budgets("0.5")));
    for seq in 1..=400 {
        if seq == 200 {
            ledger.record(replaced(seq, budgets("0.5"), budgets("1000")));
        }
        ledger.record_all(operation(seq));
    }
    ledger.close().unwrap();
    let path = options.path.to_str().unwrap();
    let log = folder.path().join("all.jsonl");
    let export = |more: &[&str], to: &Path| {
        let all = [&["ledger", "export", "-o", to.to_str().unwrap()], more].concat();
        assert_eq!(pointsman(&all, folder.path()).0, Some(0));
        let text = std::fs::read_to_string(to).unwrap();
        serde_json::from_str::<serde_json::Value>(text.lines().next().unwrap()).unwrap()
    };
    let header = export(&[], &log);
    assert_eq!(header["budgets"], budgets("0.5"));
    assert_eq!(
        header["budget_changes"],
        serde_json::json!([{ "at": at(200).rfc3339(), "text": budgets("1000") }])
    );
    let late = export(&["--seq", "250..300"], &folder.path().join("late.jsonl"));
    assert_eq!((&late["budgets"], late.get("budget_changes")), (&budgets("1000").into(), None));

    let told = |log: &str, command: &[&str]| {
        let all = [command, &[log, "--format", "json"]].concat();
        let (code, out, err) = pointsman(&all, folder.path());
        assert_eq!(code, Some(0), "{all:?}: {err}");
        let mut told: serde_json::Value = serde_json::from_str(&out).unwrap();
        let of_the_file = ["logs", "log", "damaged", "source", "scope"];
        told.as_object_mut().unwrap().retain(|name, _| !of_the_file.contains(&name.as_str()));
        told
    };
    for command in [
        &["whatif", "--set", "extraction.flash=300"][..],
        &["whatif", "--budget", "all=1/lifetime"],
        &["budgets", "show", "--as", "routed"],
        &["budgets", "show"],
        &["alerts", "replay"],
    ] {
        assert_eq!(told(path, command), told(log.to_str().unwrap(), command), "{command:?}");
    }
    // What was refused under the first limit is let in again under the second.
    let shown = told(path, &["budgets", "show", "--as", "routed"]);
    let turned: Vec<&str> =
        shown["turned"].as_array().unwrap().iter().filter_map(|one| one["at"].as_str()).collect();
    let changed = at(200).rfc3339();
    let window = &shown["budgets"][0];
    assert_eq!((&window["limit"], window["spent"].as_str().is_some()), (&"1000".into(), true), "{window}");
    assert!(!turned.is_empty() && turned.iter().all(|at| *at < changed.as_str()), "{:?}", turned.last());
}
