//! Clients that ask for too much, too slowly, or for nonsense: each is turned away in its own words, and nobody else
//! notices.

use std::time::Instant;

use serde_json::json;

use crate::client::{Ask, Line};
use crate::front::{Sandbox, Setup};
use crate::stage::{Speaks, all_lawful, chat, nothing_held};
use crate::upstream::{At, Fault, PATIENCE, Reply, Upstream};

#[test]
fn slow_clients_are_dropped() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url()).gateway("[limits]\nheader-seconds = 1\nbody-seconds = 1");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let beginnings: [&[u8]; 3] = [
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: loc",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"mod",
    ];
    // All at once: each waits for its own limit.
    std::thread::scope(|scope| {
        for beginning in beginnings {
            let to = front.address();
            scope.spawn(move || {
                let mut line = Line::open(to);
                line.write(beginning).unwrap();
                let said = String::from_utf8_lossy(&line.rest()).into_owned();
                assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
            });
        }
    });
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
    assert_eq!(upstream.served().len(), 1);
    front.settle();
}

#[test]
fn a_client_that_takes_nothing_holds_nothing_up() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url()).gateway("on-disconnect = \"cancel\"\n[limits]\nwrite-seconds = 1");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    // More than fits into the buffers between upstream and client.
    let piece = "words ".repeat(20_000);
    upstream.push(Reply { pieces: vec![piece; 700], ..Reply::default() });
    let mut line = Line::open(front.address());
    line.write(&chat("gpt-4.1", true).wire()).unwrap();
    upstream
        .wait("the gateway gave up", |state| state.served.first().is_some_and(|served| served.end.is_some()));
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
    drop(line);
    nothing_held(&front);
    let rows = front.settle();
    all_lawful(&rows, &upstream.served());
}

#[test]
fn too_large_is_refused_before_it_is_held() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url()).gateway("[limits]\nbody = 20000\nheaders = 8192");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let large = "x".repeat(40_000);
    let body = json!({"model": "gpt-4.1", "max_tokens": 5, "messages": [{"role": "user", "content": large}]});
    for (speaks, path) in [(Speaks::Chat, "/v1/chat/completions"), (Speaks::Messages, "/v1/messages")] {
        let answer = Ask::post(path, &body).send(front.address());
        assert_eq!(answer.status(), 413);
        speaks.error(&answer.json());
    }
    // Without a length it is counted as it comes.
    let mut line = Line::open(front.address());
    line.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n",
    )
    .unwrap();
    for _ in 0..40 {
        let mut chunk = b"3e8\r\n".to_vec();
        chunk.extend_from_slice(&[b' '; 1_000]);
        chunk.extend_from_slice(b"\r\n");
        if line.write(&chunk).is_err() {
            break;
        }
    }
    let said = String::from_utf8_lossy(&line.rest()).into_owned();
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 413"), "{said}");
    // The gateway may close before all of a large header has been sent; that is an answer, too.
    let mut line = Line::open(front.address());
    let ask = chat("gpt-4.1", false).header("x-large", &large);
    if line.write(&ask.wire()).is_ok() {
        let said = String::from_utf8_lossy(&line.rest()).into_owned();
        assert!(
            said.is_empty() || said.starts_with("HTTP/1.1 431") || said.starts_with("HTTP/1.1 400"),
            "{said}"
        );
    }
    assert_eq!(upstream.served().len(), 0);
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
    front.settle();
}

#[test]
fn connections_and_requests_beyond_the_limit_are_turned_away_and_later_ones_let_in() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url()).gateway("[limits]\nconnections = 4\nrequests = 2");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    // Two that wait for their answers fill the requests ...
    let waiting: Vec<Line> = (0..2)
        .map(|at| {
            upstream.push(Reply::fault(At::BeforeHeaders, Fault::Stall));
            let mut line = Line::open(front.address());
            line.write(&chat("gpt-4.1", false).wire()).unwrap();
            upstream.wait("the request has come", move |state| state.served.len() > at);
            line
        })
        .collect();
    let mut third = Line::open(front.address());
    third.write(&chat("gpt-4.1", false).wire()).unwrap();
    let answer = third.answer().unwrap();
    assert!(matches!(answer.status(), 429 | 503), "{}", answer.status());
    Speaks::Chat.error(&answer.json());
    // ... and with two that idle the connections are full: the one that has idled longest goes for another.
    let mut fourth = Line::open(front.address());
    fourth.write(&Ask::get("/healthz").wire()).unwrap();
    assert_eq!(fourth.answer().unwrap().status(), 200);
    let mut fifth = Line::open(front.address());
    fifth.write(&Ask::get("/healthz").wire()).unwrap();
    assert_eq!(fifth.answer().unwrap().status(), 200);
    assert!(third.rest().is_empty());
    drop((third, fourth, fifth));
    upstream.release_until("the answers are whole", |state| state.busy() == 0);
    for mut line in waiting {
        assert_eq!(line.answer().unwrap().status(), 200);
    }
    // The gateway notices a closed connection at its own time.
    let until = Instant::now() + PATIENCE;
    loop {
        let mut line = Line::open(front.address());
        let ask = chat("gpt-4.1", false).header("connection", "close");
        if line.write(&ask.wire()).is_ok() && line.answer().is_ok_and(|answer| answer.status() == 200) {
            break;
        }
        assert!(Instant::now() < until, "nobody is let in any more");
        std::thread::yield_now();
    }
    nothing_held(&front);
    let rows = front.settle();
    all_lawful(&rows, &upstream.served());
}

#[test]
fn where_every_connection_is_answered_one_more_is_told_so() {
    let upstream = Upstream::with(|_| Reply::fault(At::BeforeHeaders, Fault::Stall));
    let setup = Setup::of(&upstream.url()).gateway("[limits]\nconnections = 2");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let mut waiting: Vec<Line> = Vec::new();
    for at in 0..2 {
        let mut line = Line::open(front.address());
        line.write(&chat("gpt-4.1", false).wire()).unwrap();
        upstream.wait("the request has come", move |state| state.served.len() > at);
        waiting.push(line);
    }
    let mut third = Line::open(front.address());
    if third.write(&Ask::get("/healthz").wire()).is_ok() {
        let said = String::from_utf8_lossy(&third.rest()).into_owned();
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 503"), "{said}");
    }
    upstream.release_until("the answers are whole", |state| state.busy() == 0);
    for mut line in waiting {
        assert_eq!(line.answer().unwrap().status(), 200);
    }
    front.settle();
}

#[test]
fn connections_that_ask_for_nothing_lock_nobody_out() {
    let upstream = Upstream::start();
    let patient = "header-seconds = 600\nbody-seconds = 600";
    let setup =
        Setup::of(&upstream.url()).gateway(&format!("[limits]\nconnections = 8\nrequests = 2\n{patient}"));
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let half = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 900\r\n\r\n{";
    let beginnings: [&[u8]; 5] = [
        b"",
        b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: loc",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        half,
    ];
    let mut lines = Vec::new();
    for beginning in beginnings {
        for _ in 0..20 {
            let mut line = Line::open(front.address());
            line.write(beginning).unwrap();
            lines.push(line);
            if lines.len() % 10 == 0 {
                assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200, "{beginning:?}");
            }
        }
    }
    assert_eq!(chat("gpt-4.1", true).send(front.address()).status(), 200);
    drop(lines);
    nothing_held(&front);
    front.settle();
}

#[test]
fn nonsense_is_answered_as_the_clients_package_expects() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let deep = format!("{{\"model\":\"auto\",\"messages\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000));
    let bodies: [&[u8]; 7] =
        [b"", b"{", b"[]", b"{\"model\":7}", b"{\"messages\":[]}", b"\xff\xfe", deep.as_bytes()];
    for (speaks, path) in [(Speaks::Chat, "/v1/chat/completions"), (Speaks::Messages, "/v1/messages")] {
        for body in bodies {
            let answer = Ask::bytes(path, body).send(front.address());
            assert_eq!(answer.status(), 400, "{}", answer.text());
            speaks.error(&answer.json());
        }
        let answer = speaks.ask("no-such-model", false).send(front.address());
        assert_eq!(answer.status(), 404);
        speaks.error(&answer.json());
        assert_eq!(Ask::get(path).send(front.address()).status(), 405);
    }
    assert_eq!(Ask::get("/v1/nothing").send(front.address()).status(), 404);
    let evil = chat("gpt\u{1b}[2J\u{7}", false).header("pointsman-team", "\u{9b}31m").send(front.address());
    assert!(evil.status() == 404 || evil.status() == 400);
    assert!(!evil.text().contains('\u{1b}'));
    assert_eq!(upstream.served().len(), 0);
    let said = front.stop();
    assert!(!said.contains('\u{1b}') && !said.contains('\u{9b}'), "{said:?}");
}
