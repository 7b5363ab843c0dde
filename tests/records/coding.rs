//! What coding agents keep of their sessions counts each call once, however many lines, files, resumed or forked sessions
//! tell of it: the folder `home` has made sessions of Claude Code, Codex, opencode and Gemini CLI.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pointsman::app;
use pointsman::record::{Entry, Input, ReadOptions, Status, open};

/// A call: session, sub-agent, model, tokens (fresh, cached, written, out), status.
type Call = (String, String, String, [u64; 4], Status);

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records/home")
}

fn calls(input: &Input) -> Vec<Call> {
    let mut found = Vec::new();
    open(input, &ReadOptions::default())
        .unwrap()
        .for_each(|_, _, entry| {
            if let Ok(Entry::Request(record)) = entry {
                let served = record.attempts.last().unwrap();
                let u = served.usage;
                let written = u.write_5m.or_zero() + u.write_1h.or_zero();
                let tokens = [u.input.or_zero(), u.cache_read.or_zero(), written, u.output.or_zero()];
                let words =
                    [&record.session, &record.user, &served.model].map(std::string::ToString::to_string);
                let [session, user, model] = words;
                found.push((session, user, model, tokens, served.status));
            }
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    found.sort_by(|one, other| format!("{one:?}").cmp(&format!("{other:?}")));
    found
}

fn folder(path: &str) -> Vec<Call> {
    calls(&app::input(&[home().join(path)]))
}

fn call(session: &str, user: &str, model: &str, tokens: [u64; 4]) -> Call {
    (session.to_owned(), user.to_owned(), model.to_owned(), tokens, Status::Ok)
}

const CLAUDE: [&str; 2] = ["11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"];
const CODEX: [&str; 4] = [
    "01900000-aaaa-7000-8000-000000000001",
    "01900000-bbbb-7000-8000-000000000002",
    "01900000-cccc-7000-8000-000000000003",
    "01900000-dddd-7000-8000-000000000004",
];

#[test]
fn an_answer_of_claude_code_counts_once_with_its_last_word_and_a_failure_is_one() {
    let mut failed = call(CLAUDE[0], "main", "claude-haiku-4-5", [0; 4]);
    failed.4 = Status::ServerError;
    let want = [
        call(CLAUDE[0], "a1b2", "claude-haiku-4-5", [500, 0, 400, 120]),
        failed,
        call(CLAUDE[0], "main", "claude-haiku-4-5", [10, 21504, 0, 300]),
        call(CLAUDE[0], "main", "claude-opus-4-6", [1204, 18432, 3072, 812]),
        // Without a request, too.
        call(CLAUDE[1], "main", "claude-opus-4-6", [100, 22000, 0, 90]),
    ];
    assert_eq!(folder(".claude/projects"), want);
}

fn codex() -> Vec<Call> {
    vec![
        call(CODEX[0], "main", "gpt-5.1-codex", [1064, 7936, 0, 200]),
        call(CODEX[0], "main", "gpt-5.1-codex", [540, 8960, 0, 100]),
        call(CODEX[0], "main", "gpt-5.1-codex", [8000, 0, 0, 400]),
        call(CODEX[1], "Ada", "gpt-5.1-codex", [712, 9088, 0, 300]),
        // What Bob did looks like what Ada did.
        call(CODEX[2], "Bob", "gpt-5.1-codex", [712, 9088, 0, 300]),
        // Only the total is told.
        call(CODEX[3], "main", "gpt-5.1-codex-mini", [528, 9472, 0, 250]),
    ]
}

#[test]
fn a_fork_of_codex_does_not_count_its_parents_calls_again_and_equal_calls_of_two_stay_two() {
    assert_eq!(folder(".codex/sessions"), codex());
}

#[test]
fn the_order_of_codex_sessions_does_not_matter_and_a_copy_counts_nothing() {
    let folder = home().join(".codex/sessions/2026/05/23");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let tokens = |calls: Vec<Call>| -> BTreeMap<[u64; 4], usize> {
        calls.into_iter().fold(BTreeMap::new(), |mut all, call| {
            *all.entry(call.3).or_default() += 1;
            all
        })
    };
    let want = tokens(codex());
    for turn in 0..files.len() {
        files.rotate_left(turn);
        assert_eq!(tokens(calls(&Input::paths(&files))), want, "{files:?}");
        let reversed = files.iter().rev();
        assert_eq!(tokens(calls(&Input::paths(reversed))), want, "{files:?} reversed");
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join(files[0].file_name().unwrap());
    fs::copy(&files[0], &copy).unwrap();
    let twice = files.iter().chain([&copy]);
    assert_eq!(tokens(calls(&Input::paths(twice))), want);
    // Where the parent is gone, what its forks have of it counts, and once.
    files.sort();
    let forks = files.iter().skip(1);
    assert_eq!(tokens(calls(&Input::paths(forks))), want);
}

fn opencode() -> Vec<Call> {
    vec![
        call("ses_a", "main", "claude-haiku-4-5", [20, 5000, 700, 150]),
        call("ses_a", "main", "gpt-5-mini", [900, 2048, 0, 160]),
        call("ses_b", "main", "claude-haiku-4-5", [30, 5700, 0, 10]),
    ]
}

#[test]
fn a_fork_of_opencode_does_not_count_copied_messages_again() {
    assert_eq!(folder(".local/share/opencode"), opencode());
}

#[test]
fn the_database_of_opencode_reads_like_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("opencode.db");
    let base = rusqlite::Connection::open(&path).unwrap();
    base.execute_batch(
        "CREATE TABLE session (id TEXT PRIMARY KEY, parent_id TEXT, directory TEXT);
         CREATE TABLE message (id TEXT PRIMARY KEY, session_id TEXT, time_created INTEGER, data TEXT);
         INSERT INTO session VALUES ('ses_a', NULL, '/home/mia/web'), ('ses_b', NULL, '/home/mia/web');",
    )
    .unwrap();
    for session in ["ses_a", "ses_b"] {
        let messages = home().join(".local/share/opencode/storage/message").join(session);
        for file in fs::read_dir(messages).unwrap() {
            let file = file.unwrap().path();
            let id = file.file_stem().unwrap().to_str().unwrap();
            let data = fs::read_to_string(&file).unwrap();
            base.execute("INSERT INTO message VALUES (?1, ?2, 0, ?3)", [id, session, &data]).unwrap();
        }
    }
    drop(base);
    assert_eq!(calls(&app::input(&[path])), opencode());
    // Beside the files that it was made of, nothing counts twice.
    let both = [folder.path().to_owned(), home().join(".local/share/opencode")];
    assert_eq!(calls(&app::input(&both)), opencode());
}

#[test]
fn a_session_of_gemini_cli_that_goes_on_in_another_file_counts_once() {
    let want = [
        call("gggggggg-1", "main", "gemini-2.5-flash", [2152, 2048, 0, 850]),
        call("gggggggg-1", "main", "gemini-2.5-flash", [904, 4096, 0, 100]),
        call("gggggggg-1", "main", "gemini-2.5-pro", [1904, 4096, 0, 50]),
    ];
    assert_eq!(folder(".gemini/tmp"), want);
}

#[test]
fn what_a_folder_holds_besides_logs_is_passed_over_and_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("settings.json"), "{\"theme\":\"dark\"}\n").unwrap();
    fs::write(
        folder.path().join("log.jsonl"),
        "{\"at\":\"2026-05-23T10:00:00Z\",\"model\":\"m\",\"in\":1,\"out\":1}\n",
    )
    .unwrap();
    let mut source = open(&app::input(&[folder.path().to_owned()]), &ReadOptions::default()).unwrap();
    let summary = source.for_each(|_, _, _| std::ops::ControlFlow::Continue(())).unwrap();
    assert_eq!((summary.entries, summary.bad), (1, 0));
    assert!(summary.passed_over.keys().any(|why| why.contains("no known log format")), "{summary:?}");
    let empty = tempfile::tempdir().unwrap();
    let error = open(&app::input(&[empty.path().to_owned()]), &ReadOptions::default()).err().unwrap();
    assert!(error.to_string().contains("without logs"), "{error}");
}

/// Each is told by its name, or a folder of someone's sessions would shrink without a word that says which.
#[test]
fn files_of_a_folder_in_no_known_format_are_all_counted_and_the_first_of_them_named() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..12 {
        fs::write(folder.path().join(format!("odd-{n:02}.jsonl")), "{\"x\":1}\n").unwrap();
    }
    let log = "{\"at\":\"2026-05-23T10:00:00Z\",\"model\":\"m\",\"in\":1,\"out\":1}\n";
    fs::write(folder.path().join("p.jsonl"), log).unwrap();
    let mut source = open(&app::input(&[folder.path().to_owned()]), &ReadOptions::default()).unwrap();
    let summary = source.for_each(|_, _, _| std::ops::ControlFlow::Continue(())).unwrap();
    assert_eq!((summary.entries, summary.passed_over.values().sum::<u64>()), (1, 12), "{summary:?}");
    for n in 0..8 {
        assert!(
            summary.passed_over.keys().any(|why| why.contains(&format!("odd-{n:02}.jsonl"))),
            "{summary:?}"
        );
    }
}

#[test]
fn what_other_tools_wrote_anew_of_a_session_of_claude_code_is_one() {
    let line = r#"{"type": "assistant", "sessionId": "s", "timestamp": "2026-05-01T00:00:01.000Z", "requestId": "req_1", "message": {"id": "msg_1", "role": "assistant", "model": "claude-opus-4-6", "stop_reason": "end_turn", "content": [{"type": "text", "text": "hi"}], "usage": {"input_tokens": 1000, "output_tokens": 100}}}"#;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.jsonl"), format!("{line}\n")).unwrap();
    let found = calls(&app::input(&[folder.path().to_owned()]));
    assert_eq!(found, [call("s", "main", "claude-opus-4-6", [1000, 0, 0, 100])]);
}

#[test]
fn a_log_that_is_packed_in_a_way_nobody_reads_is_told_as_that() {
    let folder = tempfile::tempdir().unwrap();
    for (name, start, way) in [
        ("log.jsonl.bz2", &b"BZh91AY&SY"[..], "bzip2"),
        ("log.zip", b"PK\x03\x04\x14\0", "zip"),
        ("log.jsonl.xz", b"\xfd7zXZ\0\0\x04", "xz"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, start).unwrap();
        let told = open(&app::input(&[path]), &ReadOptions::default()).err().unwrap().to_string();
        assert!(told.contains(&format!("packed with {way}")) && !told.contains("--input-format"), "{told}");
    }
}

fn rollout(id: &str, parent: &str, created: &str, calls: &[(u64, &str)]) -> String {
    let mut lines = vec![format!(
        r#"{{"timestamp":"{created}","type":"session_meta","payload":{{"id":"{id}","timestamp":"{created}","forked_from_id":"{parent}","cwd":"/w"}}}}"#
    )];
    lines.push(format!(
        r#"{{"timestamp":"{created}","type":"turn_context","payload":{{"model":"gpt-5.5"}}}}"#
    ));
    let mut before = 0;
    for (total, at) in calls {
        let last = total - before;
        before = *total;
        lines.push(format!(
            r#"{{"timestamp":"{at}","type":"event_msg","payload":{{"type":"token_count","info":{{"total_token_usage":{{"input_tokens":{total},"output_tokens":10}},"last_token_usage":{{"input_tokens":{last},"output_tokens":10}}}}}}}}"#
        ));
    }
    lines.join("\n") + "\n"
}

#[test]
fn a_fork_of_a_fork_of_codex_counts_once_in_any_order_and_without_what_lies_between() {
    let at = |minute: u32| format!("2026-05-23T10:{minute:02}:00.000Z");
    let (one, two, three, four) = (at(1), at(2), at(4), at(6));
    let c = rollout("c", "", &at(0), &[(1000, &one), (1500, &two)]);
    let d = rollout("d", "c", &at(3), &[(1000, &one), (1500, &two), (1700, &three)]);
    let e = rollout("e", "d", &at(5), &[(1000, &one), (1500, &two), (1700, &three), (1900, &four)]);
    let read = |files: &[&String]| {
        let parts = files.iter().enumerate();
        let input = parts.fold(Input::default(), |all, (place, text)| {
            all.and(Input::bytes(&format!("{place}.jsonl"), text.as_bytes().to_vec()))
        });
        calls(&input).len()
    };
    for files in [[&c, &d, &e], [&c, &e, &d], [&d, &c, &e], [&d, &e, &c], [&e, &c, &d], [&e, &d, &c]] {
        assert_eq!(read(&files), 4, "{files:?}");
    }
    assert_eq!([read(&[&c, &e]), read(&[&e, &c]), read(&[&e]), read(&[&e, &d])], [4; 4]);
}

#[test]
fn a_session_that_begins_with_many_other_lines_is_read() {
    let answer = r#"{"type":"assistant","timestamp":"2026-05-23T10:00:00Z","sessionId":"s","uuid":"u","parentUuid":null,"requestId":"r","message":{"id":"m","model":"claude-opus-4-6","usage":{"input_tokens":10,"output_tokens":5}}}"#;
    for other in [
        r#"{"type":"summary","summary":"x","leafUuid":"y"}"#,
        r#"{"type":"queue-operation","operation":"enqueue","timestamp":"2026-05-23T10:00:00Z","sessionId":"s"}"#,
    ] {
        let log = format!("{}{answer}\n", format!("{other}\n").repeat(500));
        assert_eq!(calls(&Input::bytes("s.jsonl", log.into_bytes())).len(), 1, "{other}");
    }
    // More than a megabyte of what tells nothing, in many lines or in one.
    let mode = r#"{"type":"permission-mode","permissionMode":"default","sessionId":"s"}"#;
    let long = "x".repeat(2 << 20);
    for start in [
        format!("{mode}\n").repeat(40_000),
        format!(r#"{{"type":"last-prompt","sessionId":"s","lastPrompt":"{long}"}}"#) + "\n",
        format!(
            r#"{{"parentUuid":null,"isSidechain":false,"sessionId":"s","type":"user","message":{{"role":"user","content":"{long}"}},"uuid":"v"}}"#
        ) + "\n",
        format!(r#"{{"type":"file-history-snapshot","messageId":"m","snapshot":{{"a":"{long}"}}}}"#) + "\n",
    ] {
        let log = format!("{start}{answer}\n");
        assert_eq!(calls(&Input::bytes("s.jsonl", log.into_bytes())).len(), 1, "{}", &start[..60]);
    }
}

#[test]
fn sessions_of_versions_that_tell_no_end_are_not_estimates_where_their_counts_can_be_right() {
    let line = |id: &str, stop: &str, output: u64, text: &str| {
        format!(
            r#"{{"type":"assistant","timestamp":"2026-05-23T10:00:00Z","sessionId":"s","uuid":"{id}","parentUuid":null,"requestId":"{id}","message":{{"id":"{id}","type":"message","model":"claude-haiku-4-5","content":[{{"type":"text","text":"{text}"}}],"stop_reason":{stop},"usage":{{"input_tokens":10,"output_tokens":{output}}}}}}}"#
        )
    };
    let statuses = |lines: &[String]| -> Vec<_> {
        calls(&Input::bytes("s.jsonl", lines.join("\n").into_bytes()))
            .into_iter()
            .map(|call| call.4)
            .collect()
    };
    let text = "words ".repeat(40);
    let whole = line("m1", "null", 60, &text);
    assert_eq!(statuses(std::slice::from_ref(&whole)), [Status::Ok]);
    // A placeholder, or a count that cannot be that of the text beside it.
    assert_eq!(statuses(&[line("m1", "null", 3, &text)]), [Status::Truncated]);
    assert_eq!(statuses(&[line("m1", "null", 9, &text)]), [Status::Truncated]);
    // Where others say how they ended, one that does not broke off.
    assert_eq!(statuses(&[line("m0", "\"end_turn\"", 60, &text), whole]), [Status::Ok, Status::Truncated]);
}
