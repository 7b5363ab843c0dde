//! The chain as whoever audits relies on it: whatever is changed behind its back is found, in the ledger and in an export.

use pointsman::ledger::{Audit, Correction, Cursor, ExportReport, Head, Signal, check_export};
use pointsman::pricing::{Cost, Unpriced};
use pointsman::routing::Effort;

use super::*;

/// A ledger with a row in every table, and everything that a call may have; it begins with an operation.
pub(super) fn full(folder: &Path, first: u64) -> LedgerOptions {
    let options = options(folder);
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    ledger.record(in_force(1, 1, policy::BUILTIN));
    (first..=30).for_each(|seq| ledger.record_all(operation(seq)));
    let rare = operation(31).into_iter().map(|entry| match entry {
        Entry::AttemptEnded(mut ended) => {
            ended.terms.serve("priority");
            ended.terms.meter("web_search", 3);
            ended.left_out = vec!["temperature".into(), "top \"p\"".into()];
            (ended.gap_ms, ended.effort) = (Some(40), Some(Effort::Low));
            (ended.price, ended.cost) = (None, Cost::Unknown(Unpriced::NoPrice));
            Entry::AttemptEnded(ended)
        }
        Entry::Opened(mut opened) => {
            (opened.user, opened.reason) = ("Zoë\u{7f}\"\\\n".into(), "".into());
            opened.simulated = "outage".into();
            (opened.window, opened.max_output, opened.vision) = (Some(900), Some(64), true);
            opened.require = ["eu".into(), "zdr".into()].into();
            opened.down = vec!["gpt-4.1".into()];
            (opened.prompt_hash, opened.prefix) = (Some([7; 32]), [1, (1 << 52) - 1].into());
            Entry::Opened(opened)
        }
        other => other,
    });
    ledger.record_all(rare);
    // Ended in another batch than it began, after others that arrived later.
    let mut late = operation(32);
    let end = late.split_off(2);
    ledger.record_all(late);
    wait(ledger.commit()).unwrap();
    ledger.record_all(operation(33));
    ledger.record_all(end);
    ledger.record(in_force(2, 34, &policy::BUILTIN.replace("620", "588")));
    ledger.record_all(told_of(first));
    wait(ledger.commit()).unwrap();
    ledger.record_all(operation(34));
    ledger.close().unwrap();
    options
}

/// A change, a judgement, a note, a prompt, a correction and a signal.
fn told_of(seq: u64) -> [Entry; 6] {
    [
        Entry::Audit(Box::new(Audit {
            at: at(33),
            who: "mia".into(),
            what: "policy".into(),
            before: "1".into(),
            after: "2".into(),
        })),
        Entry::Label(Box::new(Label {
            seq,
            model: "gpt-4.1".into(),
            quality: PerMille::new(900),
            output: Some(12),
            source: "feedback by mia".into(),
            at: at(33),
        })),
        Entry::Note(Box::new(Note { at: at(33), text: "a provider\twas down".into(), simulated: true })),
        Entry::Prompt(Box::new(Prompt {
            seq,
            kind: "prompt".into(),
            body: "hello".into(),
            expires_at: Instant(i64::MAX),
        })),
        Entry::Correction(Box::new(Correction {
            seq,
            n: Some(0),
            cost: Cost::Known(Pico(12_416_000_001)),
            source: "bill of May".into(),
            at: at(33),
        })),
        Entry::Signal(Box::new(Signal {
            at: at(33),
            model: "gpt-4.1".into(),
            until: Some(at(34)),
            why: "breaker".into(),
        })),
    ]
}

/// Does something to a copy, behind the program's back.
fn tampered(original: &Path, sql: &str) -> rusqlite::Result<Vec<String>> {
    let copy = original.with_extension("copy");
    std::fs::copy(original, &copy).unwrap();
    let conn = Connection::open(&copy).unwrap();
    conn.execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}"))?;
    drop(conn);
    Ok(findings(&copy))
}

fn tables(path: &Path) -> Vec<(String, Vec<(String, String)>)> {
    let conn = Connection::open(path).unwrap();
    let mut all = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1").unwrap();
    let names: Vec<String> = all.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let columns = |table: &str| {
        let mut all = conn.prepare("SELECT name, type FROM pragma_table_info(?1)").unwrap();
        let rows = all.query_map([table], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    names.into_iter().map(|name| (name.clone(), columns(&name))).collect()
}

#[test]
fn a_change_of_any_column_of_any_table_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = full(folder.path(), 28).path;
    assert_eq!(findings(&path), Vec::<String>::new());
    let mut tried = 0;
    // Who keeps an answer, and who is told of what, is no account.
    let no_account = ["responses", "alerts", "outbox", "silences"];
    for (table, columns) in
        tables(&path).into_iter().filter(|(table, _)| !no_account.contains(&table.as_str()))
    {
        for (column, kind) in &columns {
            let value = match (table.as_str(), column.as_str(), kind.as_str()) {
                ("operations" | "attempts", "state", _) => "'open'".to_owned(),
                ("charges", "kind", _) => {
                    "CASE kind WHEN 'known' THEN 'estimated' ELSE 'known' END".to_owned()
                }
                (_, _, "INTEGER") => format!("coalesce({column}, 0) + 1000000"),
                (_, _, "TEXT") => format!("coalesce({column}, '') || 'x'"),
                (_, _, "BLOB") => "x'00'".to_owned(),
                other => unreachable!("{other:?}"),
            };
            // One row in the middle, then, where it stands in no other, the first and the last.
            for place in ["(SELECT count(*) / 2 FROM {t})", "0", "(SELECT count(*) - 1 FROM {t})"] {
                let place = place.replace("{t}", &table);
                let keys: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).take(2).collect();
                let keys = keys.join(", ");
                let sql = format!(
                    "UPDATE {table} SET {column} = {value} WHERE ({keys}) IN (SELECT {keys} FROM {table} ORDER BY 1, 2 LIMIT 1 \
                     OFFSET {place})"
                );
                let found = tampered(&path, &sql).unwrap_or_else(|error| vec![format!("refused: {error}")]);
                assert!(!found.is_empty(), "{sql}");
                tried += 1;
            }
        }
        let gone = format!("DELETE FROM {table} WHERE rowid = (SELECT max(rowid) FROM {table})");
        let without_rowid = format!("DELETE FROM {table}");
        let found = tampered(&path, &gone).or_else(|_| tampered(&path, &without_rowid)).unwrap();
        assert!(!found.is_empty(), "{gone}");
    }
    assert!(tried > 300, "{tried}");
}

#[test]
fn rows_put_in_exchanged_or_cut_off_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = full(folder.path(), 1).path;
    let last = "(SELECT max(link) FROM chain)";
    for sql in [
        "INSERT INTO labels (seq, model, quality, source, at) VALUES (3, 'gpt-4.1', 1000, 'me', 5)",
        "INSERT INTO notes (before_seq, at, text, simulated) VALUES (3, 5, 'nothing happened', 0)",
        "INSERT INTO audit (at, who, what, before, after) VALUES (5, 'mia', 'a', 'b', 'c')",
        "CREATE TEMP TABLE more AS SELECT * FROM operations WHERE seq = 1; UPDATE more SET seq = 900, id = 'made-up'; \
         INSERT INTO operations SELECT * FROM more",
        // Two requests change places.
        "UPDATE operations SET seq = -1 WHERE seq = 3; UPDATE operations SET seq = 3 WHERE seq = 4; \
         UPDATE operations SET seq = 4 WHERE seq = -1",
        // Two links change places, and two entries change links.
        "UPDATE chain SET link = -1 WHERE link = 9; UPDATE chain SET link = 9 WHERE link = 10; \
         UPDATE chain SET link = 10 WHERE link = -1",
        "UPDATE chain SET ref = CASE ref WHEN 3 THEN 4 ELSE 3 END WHERE kind = 1 AND ref IN (3, 4)",
        // The newest entry is cut off.
        &format!("DELETE FROM chain WHERE link = {last}"),
        &format!(
            "DELETE FROM charges WHERE seq = 34; DELETE FROM attempts WHERE seq = 34; DELETE FROM operations WHERE seq = 34; \
             DELETE FROM chain WHERE link = {last}"
        ),
        "UPDATE prompts SET body = NULL",
        "DELETE FROM prompts; DELETE FROM chain WHERE kind = 8",
        "INSERT INTO corrections (seq, kind, micro, pico, source, at) VALUES (3, 'known', 0, 0, 'me', 5)",
        "INSERT INTO signals (before_seq, at, model, why) VALUES (3, 5, 'gpt-4.1', '')",
    ] {
        assert!(!tampered(&path, sql).unwrap().is_empty(), "{sql}");
    }
}

#[test]
fn a_chain_made_anew_is_found_against_a_noted_head_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = full(folder.path(), 1).path;
    let noted = LedgerFile::open(&path).unwrap().heads().unwrap().remove(0);
    let against = |path: &Path, head: &str| {
        LedgerFile::open(path).unwrap().check_against(Some(head), |_, _| true).unwrap().findings
    };
    assert_eq!(against(&path, &noted.hash), Vec::<String>::new());
    assert_eq!(against(&path, &noted.to_string()), Vec::<String>::new(), "as it was printed");
    assert_eq!(against(&path, "0a").len(), 1);
    // Whoever knows the rule: history is changed, and everything chained again, as a migration does.
    let forged = folder.path().join("forged.db");
    std::fs::copy(&path, &forged).unwrap();
    let conn = Connection::open(&forged).unwrap();
    let (head, hash): (i64, Vec<u8>) = conn
        .query_row("SELECT link, hash FROM chain ORDER BY link DESC LIMIT 1 OFFSET 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    conn.execute_batch("DELETE FROM chain WHERE link = (SELECT max(link) FROM chain)").unwrap();
    conn.execute("UPDATE gateways SET head = ?1, hash = ?2", (head, hash)).unwrap();
    let newest: i64 = conn.query_row("SELECT max(seq) FROM operations", [], |row| row.get(0)).unwrap();
    for table in ["charges", "attempts", "operations"] {
        conn.execute(&format!("DELETE FROM {table} WHERE seq = ?1"), [newest]).unwrap();
    }
    let sums = fold((1..newest.unsigned_abs()).filter(|seq| *seq != 31));
    let kept = fold([newest.unsigned_abs()]);
    drop(conn);
    // Its sums give it away here; with those adjusted as well, only the noted head does.
    assert!(sums.all.calls > 0 && kept.all.calls > 0);
    let found = against(&forged, &noted.hash);
    assert!(found.iter().any(|text| text.contains("no link has the hash that was noted")), "{found:#?}");
    let chain = findings(&forged).into_iter().filter(|text| !text.starts_with("sum of model"));
    assert_eq!(chain.collect::<Vec<_>>(), Vec::<String>::new(), "a rewritten end is not found without it");
    // The ledger itself goes on, and the noted hash stays within it.
    let (ledger, _) = Ledger::open(options(folder.path())).unwrap();
    ledger.record_all(operation(35));
    ledger.close().unwrap();
    assert_eq!(against(&path, &noted.hash), Vec::<String>::new());
}

fn marked(path: &Path, range: &Range) -> String {
    exported(path, range, ExportOptions { chain: true, prices: false })
}

fn proved(folder: &Path, text: &str, head: Option<&str>) -> ExportReport {
    let file = folder.join("export.jsonl");
    std::fs::write(&file, text).unwrap();
    check_export(&file, head, |_| true).unwrap()
}

#[test]
fn an_export_proves_itself_on_another_machine() {
    let folder = tempfile::tempdir().unwrap();
    let path = full(folder.path(), 1).path;
    let head = LedgerFile::open(&path).unwrap().heads().unwrap().remove(0);
    let text = marked(&path, &Range::default());
    let report = proved(folder.path(), &text, Some(&head.hash));
    assert_eq!(report.findings, Vec::<String>::new());
    assert_eq!(
        (report.proved, report.unproved),
        (41, 0),
        "34 requests, 2 policies, a judgement, a note, a correction, a signal, a run"
    );
    let Head { cursor, hash } = head.clone();
    assert_eq!(report.stretches, [(0, Head { cursor: Cursor { ..cursor }, hash })]);
    let packed = folder.path().join("export.jsonl.zst");
    std::fs::write(&packed, zstd::encode_all(text.as_bytes(), 0).unwrap()).unwrap();
    assert_eq!(check_export(&packed, None, |_| true).unwrap().wrong, 0);
    // What somebody put in has no link.
    for event in [
        r#"{"event":"note","at":"2026-05-23T10:00:00Z","text":"all is well"}"#,
        r#"{"event":"policy","at":"2026-05-23T10:00:00Z","version":9,"routes":[{"route":"r","ladder":[{"model":"m"}]}]}"#,
        r#"{"event":"signal","at":"2026-05-23T10:00:00Z","model":"m","up":true}"#,
    ] {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.insert(9, event);
        let report = proved(folder.path(), &(lines.join("\n") + "\n"), None);
        assert!(report.findings.iter().any(|text| text.contains("that no link covers")), "{report}");
    }
    // A stretch proves itself as well, and several together.
    let first = marked(&path, &Range { last: Some(12), ..Range::default() });
    let rest = marked(&path, &Range { from: Some(at(13)), ..Range::default() });
    for part in [&first, &rest, &format!("{first}{rest}")] {
        let report = proved(folder.path(), part, None);
        assert_eq!(report.findings, Vec::<String>::new());
        assert!(report.proved > 11, "{report}");
    }
    // One without an end has what came after its last request, which no request's link lies behind.
    let (ledger, _) = Ledger::open(options(folder.path())).unwrap();
    for text in ["stop ci-bot", "lift ci-bot"] {
        ledger.record(Entry::Note(Box::new(Note { at: at(36), text: text.into(), simulated: false })));
    }
    ledger.close().unwrap();
    let open = marked(&path, &Range { from: Some(at(13)), ..Range::default() });
    assert!(open.contains("lift ci-bot"));
    let report = proved(folder.path(), &open, None);
    assert_eq!(report.findings, Vec::<String>::new());
    let mut lines: Vec<&str> = open.lines().collect();
    lines.retain(|line| !line.contains("stop ci-bot"));
    assert!(proved(folder.path(), &(lines.join("\n") + "\n"), None).wrong > 0, "it is proved to be there");
    // A log reader takes it as any log.
    let mut source =
        record::open(&Input::bytes("export", text.into_bytes()), &ReadOptions::default()).unwrap();
    let (mut requests, mut bad) = (0, 0);
    while let Some(block) = source.next_block() {
        let _ = block.unwrap().for_each(|_, entry| {
            match entry {
                Ok(record::Entry::Request(_)) => requests += 1,
                Err(skip) if skip.kind == record::SkipKind::Bad => bad += 1,
                _ => {}
            }
            std::ops::ControlFlow::Continue(())
        });
    }
    assert_eq!((requests, bad), (34, 0));
}

#[test]
fn a_reader_goes_on_where_it_stopped_and_is_told_all_of_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let options = full(folder.path(), 28);
    let gateway = LedgerFile::open(&options.path).unwrap().heads().unwrap().remove(0).cursor.gateway;
    let mut cursor = Cursor { gateway, link: 0 };
    let mut told = Vec::new();
    let mut read = |cursor: &mut Cursor| {
        let mut out = Vec::new();
        let file = LedgerFile::open(&options.path).unwrap();
        let written = file.export_after(cursor, &mut out, &mut |_, _| true).unwrap();
        let text = String::from_utf8(out).unwrap();
        let report = proved(folder.path(), &text, None);
        let nothing = written.next.as_ref() == Some(&*cursor);
        assert!(report.wrong == 0 || nothing, "{report}");
        *cursor = written.next.unwrap();
        told.push(text);
        (written.requests, written.events)
    };
    assert_eq!(read(&mut cursor), (7, 6));
    assert_eq!(read(&mut cursor), (0, 0));
    // One is under way while the reader looks, and ends behind one that arrived later; a judgement comes when its request
    // was told long ago.
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    let mut late = operation(35);
    let end = late.split_off(2);
    ledger.record_all(late);
    ledger.record_all(operation(36));
    wait(ledger.commit()).unwrap();
    assert_eq!(read(&mut cursor), (1, 0));
    ledger.record_all(end);
    let [_, label, ..] = told_of(36);
    ledger.record(label);
    ledger.close().unwrap();
    assert_eq!(read(&mut cursor), (1, 1));
    let all = told.concat();
    assert_eq!(proved(folder.path(), &all, None).findings, Vec::<String>::new());
    for seq in 28..=36 {
        assert_eq!(all.matches(&format!("{{\"id\":\"op-{seq:08}\"")).count(), 1, "{seq}");
    }
    assert!(all.find("op-00000036").unwrap() < all.find("op-00000035").unwrap(), "as they ended");
    let file = LedgerFile::open(&options.path).unwrap();
    let mut place = Cursor { link: 0, ..cursor.clone() };
    let mut parts = Vec::new();
    while place != cursor {
        let written = file.part_after(&place, 3, &mut parts).unwrap();
        let next = written.next.unwrap();
        assert!(next.link > place.link && next.link <= place.link + 3);
        place = next;
    }
    let parts = String::from_utf8(parts).unwrap();
    assert_eq!(proved(folder.path(), &parts, None).findings, Vec::<String>::new());
    let entries = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("{\"pointsman\""));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(entries(&parts).len(), entries(&all).len(), "part by part it is the same");
    cursor.link += 1;
    let ahead = file.export_after(&cursor, &mut Vec::new(), &mut |_, _| true).unwrap_err().to_string();
    assert!(ahead.contains("no such place"), "{ahead}");
}

#[test]
fn whatever_is_done_to_an_export_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = full(folder.path(), 28).path;
    let text = marked(&path, &Range::default());
    let lines: Vec<&str> = text.lines().collect();
    let wrong = |text: &str, what: &str| {
        let report = proved(folder.path(), text, None);
        assert!(report.wrong > 0, "{what}");
    };
    for place in 1..lines.len() {
        let mut fewer = lines.clone();
        let taken = fewer.remove(place);
        wrong(&fewer.join("\n"), &format!("line {place} is taken out: {taken}"));
        let mut more = lines.clone();
        more.insert(place, taken);
        wrong(&more.join("\n"), &format!("line {place} stands there twice: {taken}"));
    }
    for place in 2..lines.len() - 2 {
        if [lines[place], lines[place + 1]].iter().all(|line| line.starts_with("{\"id\"")) {
            let mut others = lines.clone();
            others.swap(place, place + 1);
            wrong(&others.join("\n"), &format!("lines {place} and {} change places", place + 1));
        }
    }
    // Every value of every line but the header, which says nothing.
    let mut tried = 0;
    for (place, line) in lines.iter().enumerate().skip(1) {
        let read: serde_json::Value = serde_json::from_str(line).unwrap();
        for (path, changed) in changes(&read) {
            if path.ends_with("/source") && line.starts_with("{\"pointsman\"")
                || path == "/v"
                || path == "/pointsman"
            {
                continue;
            }
            let mut others: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            others[place] = changed.to_string();
            wrong(&others.join("\n"), &format!("{path} of line {place} was changed"));
            tried += 1;
        }
    }
    assert!(tried > 300, "{tried}");
}

/// Returns a value with each of its parts changed in turn, and where.
fn changes(value: &serde_json::Value) -> Vec<(String, serde_json::Value)> {
    use serde_json::Value;
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, member)| {
                changes(member).into_iter().map(move |(path, changed)| {
                    let mut all = members.clone();
                    all.insert(key.clone(), changed);
                    (format!("/{key}{path}"), Value::Object(all))
                })
            })
            .collect(),
        Value::Array(items) => (0..items.len())
            .flat_map(|place| {
                changes(&items[place]).into_iter().map(move |(path, changed)| {
                    let mut all = items.clone();
                    all[place] = changed;
                    (format!("/{place}{path}"), Value::Array(all))
                })
            })
            .collect(),
        Value::String(text) => {
            let other = match text.as_bytes().first() {
                // A moment, an amount or a hash stays one.
                Some(b'0'..=b'8') => format!("9{}", &text[1..]),
                Some(b'9') => format!("8{}", &text[1..]),
                _ => format!("{text}x"),
            };
            vec![(String::new(), Value::String(other))]
        }
        Value::Number(number) => {
            vec![(String::new(), Value::from(number.as_i64().map_or(0, |number| number + 1)))]
        }
        Value::Bool(yes) => vec![(String::new(), Value::Bool(!yes))],
        Value::Null => vec![(String::new(), Value::from(7))],
    }
}
