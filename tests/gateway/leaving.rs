//! Clients that go away: in the middle of a stream, or before anything has come. What becomes of the call, and what is
//! charged for it.

use crate::client::Line;
use crate::front::{Sandbox, Setup};
use crate::stage::{MODELS, all_lawful, chat, nothing_held};
use crate::upstream::{At, End, Fault, Reply, Told, Upstream};

/// Leaves a stream once some of its text has come, or a whole answer before anything has.
fn leave(upstream: &Upstream, to: std::net::SocketAddr, model: &str, stream: bool) {
    let at = if stream { At::Frame(5) } else { At::BeforeHeaders };
    let before = upstream.served().len();
    upstream.push(Reply::fault(at, Fault::Stall));
    let mut line = Line::open(to);
    line.write(&chat(model, stream).wire()).unwrap();
    upstream.wait("the request has come", |state| state.served.len() > before);
    if stream {
        assert_eq!(line.head().unwrap().status, 200);
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains("Gr") {
            seen.extend(line.chunk().unwrap());
        }
    }
    drop(line);
}

#[test]
fn a_call_whose_client_left_is_read_to_its_end_and_charged_as_told() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url()).gateway("on-disconnect = \"drain\"");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let mut calls = 0;
    for model in MODELS {
        for stream in [false, true] {
            leave(&upstream, front.address(), model, stream);
            calls += 1;
            upstream.release_until("the answer is whole", |state| state.busy() == 0);
        }
    }
    nothing_held(&front);
    let rows = front.settle();
    let served = upstream.served();
    assert_eq!(rows.len(), calls);
    assert!(served.iter().all(|served| served.end == Some(End::Whole)), "{served:#?}");
    all_lawful(&rows, &served);
    assert!(rows.iter().all(|row| row.kind == "known"), "{rows:#?}");
}

#[test]
fn a_call_whose_client_left_is_dropped_and_estimated_where_policy_says_so() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url()).gateway("on-disconnect = \"cancel\"");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for model in MODELS {
        for stream in [false, true] {
            leave(&upstream, front.address(), model, stream);
            // Nobody releases it: the gateway hangs up by itself.
            upstream.wait("the gateway hung up", |state| state.busy() == 0);
        }
    }
    nothing_held(&front);
    let rows = front.settle();
    let served = upstream.served();
    assert!(served.iter().all(|served| served.end == Some(End::PeerLeft)), "{served:#?}");
    assert!(served.iter().all(|served| !matches!(served.told, Told::Counts(_))));
    all_lawful(&rows, &served);
    assert!(rows.iter().all(|row| row.status == "cancelled"), "{rows:#?}");
    upstream.wait("every connection is closed", |state| state.open == 0);
}

#[test]
fn a_client_that_disconnects_never_escalates() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url()).gateway("on-disconnect = \"cancel\"");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for stream in [false, true] {
        leave(&upstream, front.address(), "auto", stream);
        upstream.wait("the gateway hung up", |state| state.busy() == 0);
    }
    nothing_held(&front);
    let rows = front.settle();
    assert_eq!(rows.iter().map(|row| row.model.as_str()).collect::<Vec<_>>(), ["gpt-4.1-nano"; 2]);
    assert_eq!(upstream.served().len(), 2);
}

#[test]
fn stopping_the_gateway_finishes_what_is_in_flight() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    upstream.push(Reply::fault(At::Frame(5), Fault::Stall));
    let mut line = Line::open(front.address());
    line.write(&chat("gpt-4.1", true).wire()).unwrap();
    line.head().unwrap();
    front.signal("TERM");
    let answer = std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let mut body = Vec::new();
            while let Ok(chunk) = line.chunk() {
                if chunk.is_empty() {
                    break;
                }
                body.extend(chunk);
            }
            String::from_utf8(body).unwrap()
        });
        upstream.release_until("the answer is whole", |state| state.busy() == 0);
        reading.join().unwrap()
    });
    assert!(answer.contains("[DONE]"), "{answer}");
    assert!(front.wait().success());
    sandbox.check();
    let rows = sandbox.ledger();
    assert!(rows.iter().all(|row| !row.open && row.kind == "known"), "{rows:#?}");
}
