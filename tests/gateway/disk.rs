//! A ledger on a disk that is locked, full, taken away or exchanged: what clients see, what the gateway says, and that
//! nothing it promised is missing afterwards.

use std::time::Instant;

use rusqlite::Connection;
use serde_json::json;

use crate::client::{Ask, Line};
use crate::front::{Front, Sandbox, Setup};
use crate::stage::{MODELS, Speaks, chat, metrics};
use crate::upstream::{At, Fault, PATIENCE, Reply, Upstream};

const STRICT: &str = "[ledger]\ndurability = \"strict\"\nwhen-failing = \"refuse\"\n";

/// Holds the ledger as another program might, so that nobody else can write it.
fn lock(sandbox: &Sandbox) -> Connection {
    let file = Connection::open(sandbox.path().join("data/ledger.db")).unwrap();
    file.busy_timeout(PATIENCE).unwrap();
    file.execute_batch("BEGIN IMMEDIATE").unwrap();
    file
}

/// Asks for a stream in each dialect of clients, with what marks its end there.
fn streams(model: &str) -> [(Ask, &'static str); 4] {
    let contents = json!([{"role": "user", "parts": [{"text": "What is due, and when?"}]}]);
    let responses = json!({"model": model, "stream": true, "input": "What is due, and when?"});
    [
        (Speaks::Chat.ask(model, true), "[DONE]"),
        (Speaks::Messages.ask(model, true), "message_stop"),
        (Ask::post("/v1/responses", &responses), "response.completed"),
        (
            Ask::post(
                &format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
                &json!({"contents": contents}),
            ),
            "finishReason",
        ),
    ]
}

#[test]
fn a_strict_stream_has_no_end_before_its_account_is_on_the_disk() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url()).gateway(STRICT);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let asks: Vec<(Ask, &str)> = MODELS.into_iter().flat_map(streams).collect();
    // While the disk takes nothing: all of the answer, and an error in place of its end.
    let mut open = Vec::new();
    for (ask, end) in &asks {
        upstream.push(Reply::fault(At::Frame(5), Fault::Stall));
        let mut line = Line::open(front.address());
        line.write(&ask.wire()).unwrap();
        let head = line.head().unwrap();
        assert_eq!(head.status, 200);
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains("Gr") {
            seen.extend(line.chunk().unwrap());
        }
        open.push((line, head, seen, *end));
    }
    let held = lock(&sandbox);
    upstream.release_until("the answers are whole", |state| state.busy() == 0);
    for (mut line, head, seen, end) in open {
        let answer = line.finish(head);
        let text = String::from_utf8([seen, answer.body].concat()).unwrap();
        assert!(!text.contains(end), "an end that is accounted for nowhere: {text}");
        assert!(text.contains("the ledger cannot be written"), "{text}");
    }
    drop(held);
    // While it takes everything: whoever sees the end finds the account.
    let mut refused = Speaks::Chat.ask("gpt-4.1", false).send(front.address());
    while refused.status() != 200 {
        refused = Speaks::Chat.ask("gpt-4.1", false).send(front.address());
    }
    for (ask, end) in &asks {
        let mut line = Line::open(front.address());
        line.write(&ask.wire()).unwrap();
        let head = line.head().unwrap();
        let mut seen = String::new();
        while !seen.contains(end) {
            let chunk = line.chunk().unwrap();
            assert!(!chunk.is_empty(), "no end: {seen}");
            seen.push_str(&String::from_utf8_lossy(&chunk));
        }
        let id = head.get("pointsman-operation").unwrap();
        let rows = sandbox.ledger();
        let row = rows.iter().find(|row| row.operation == id).unwrap();
        assert!(!row.open && row.kind == "known", "shown as ended: {row:#?}");
    }
    front.settle();
}

/// Waits until `/readyz` answers so.
fn ready(front: &Front<'_>, status: u16, text: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = Ask::get("/readyz").header("connection", "close").send(front.address());
        if answer.status() == status && answer.text().contains(text) {
            return;
        }
        assert!(Instant::now() < until, "{} {}\n{}", answer.status(), answer.text(), front.said());
        std::thread::yield_now();
    }
}

/// Waits until the gateway has said something on stderr.
fn says(front: &Front<'_>, text: &str) {
    let until = Instant::now() + PATIENCE;
    while !front.said().contains(text) {
        assert!(Instant::now() < until, "never said: {text}\n{}", front.said());
        std::thread::yield_now();
    }
}

#[test]
fn a_ledger_that_is_locked_at_the_start_is_taken_up_when_it_is_free() {
    for (when, status) in [("serve", 200), ("refuse", 503)] {
        let upstream = Upstream::start();
        let setup = Setup::of(&upstream.url()).gateway(&format!("[ledger]\nwhen-failing = \"{when}\""));
        let sandbox = Sandbox::new(&setup);
        let first = sandbox.serve(&setup);
        assert_eq!(chat("gpt-4.1", false).send(first.address()).status(), 200);
        first.settle();
        let held = lock(&sandbox);
        let front = sandbox.serve(&setup);
        says(&front, "NO LEDGER YET");
        ready(&front, status, "the ledger cannot be written");
        assert_eq!(metrics(&front, "pointsman_ledger_ok")[0].1, "0");
        assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), status);
        drop(held);
        ready(&front, 200, "ready\n");
        says(&front, "the ledger could be opened");
        assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
        let rows = front.settle();
        assert_eq!(rows.len(), upstream.served().len(), "{rows:#?}");
        assert!(rows.iter().all(|row| row.kind == "known"), "{rows:#?}");
    }
}

#[cfg(unix)]
#[test]
fn a_ledger_taken_away_is_told_without_traffic() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url()).gateway(STRICT);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
    let (here, aside) = (sandbox.path().join("data/ledger.db"), sandbox.path().join("data/aside.db"));
    std::fs::rename(&here, &aside).unwrap();
    ready(&front, 503, "the ledger cannot be written");
    says(&front, "moved or deleted");
    std::fs::rename(&aside, &here).unwrap();
    ready(&front, 200, "ready\n");
    says(&front, "written again");
    // Taken from under it, the log is written back before anything is lost.
    std::fs::remove_file(sandbox.path().join("data/ledger.db-wal")).unwrap();
    says(&front, "was taken away");
    // And while it runs, whatever was deleted, nobody else gets in.
    std::fs::remove_file(sandbox.path().join("data/ledger.db.lock")).unwrap();
    let (status, said) = sandbox.refuses(&setup);
    assert!(!status.success() && said.contains("another process writes this ledger"), "{said}");
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
    assert_eq!(front.settle().len(), 2);
}
