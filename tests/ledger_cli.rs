//! The ledger's commands: what they print, where they write, and with which exit code.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first fault")]

#[path = "support/ledger.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod made;

use std::path::Path;

use pointsman::ledger::{Ledger, LedgerOptions};
use rusqlite::Connection;

use made::{fold, operation, options};

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
    tamper.execute("UPDATE charges SET amount = '1', kind = 'known', why = NULL WHERE seq = 3", []).unwrap();
    drop(tamper);
    let (code, out, err) = pointsman(&["ledger", "check"], folder.path());
    assert!(
        code == Some(1) && out.contains("WRONG  operation 3") && err.contains("wrong in this ledger"),
        "{out}{err}"
    );
}
