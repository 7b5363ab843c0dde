//! A ledger on a disk that is locked, full, taken away or exchanged: what clients see, what the gateway says, and that
//! nothing it promised is missing afterwards.

use rusqlite::Connection;
use serde_json::json;

use crate::client::{Ask, Line};
use crate::front::{Desk, Setup};
use crate::stage::{MODELS, Speaks};
use crate::upstream::{At, Fault, PATIENCE, Reply, Upstream};

const STRICT: &str = "[ledger]\ndurability = \"strict\"\nwhen-failing = \"refuse\"\n";

/// Holds the ledger as another program might, so that nobody else can write it.
fn lock(desk: &Desk) -> Connection {
    let file = Connection::open(desk.path().join("data/ledger.db")).unwrap();
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
    let desk = Desk::new(&setup);
    let front = desk.serve(&setup);
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
    let held = lock(&desk);
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
        let rows = desk.ledger();
        let row = rows.iter().find(|row| row.operation == id).unwrap();
        assert!(!row.open && row.kind == "known", "shown as ended: {row:#?}");
    }
    front.settle();
}
