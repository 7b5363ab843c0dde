//! What an operator does around a gateway from a shell: keys, and driving one with a log.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;

use super::program::Sandbox;
use super::{json, sandbox};

/// Takes a key off stdout and checks its form.
fn key(out: &str) -> String {
    let key = out.strip_suffix('\n').expect("one line");
    assert!(key.starts_with("pm_") && key.len() == 50 && !key.contains('\n'), "{key}");
    key.to_owned()
}

#[test]
fn a_key_is_shown_once_and_never_again() {
    let sandbox = Sandbox::new();
    let made = sandbox.run("keys add ci --team payments --project api --expires 30d");
    assert_eq!(made.code, Some(0));
    let first = key(&made.out);
    assert!(made.err.contains("payments") && !made.err.contains(&first), "{}", made.err);
    let second = key(&sandbox.good("keys rotate ci --quiet"));
    key(&sandbox.good("keys add ops --scope read,operate -q"));
    let listed = json(&sandbox.good("keys list --all --format json"));
    let states: Vec<_> = listed.as_array().expect("a list").iter().map(|key| key["state"].clone()).collect();
    assert_eq!(states, ["revoked", "active", "active"]);
    assert_eq!(listed[2]["scopes"], serde_json::json!(["read", "operate"]));
    assert!(sandbox.good("keys revoke ops").starts_with("revoked ops (pmk_"));
    let everything = sandbox.good("keys list --all")
        + &sandbox.good("keys list --all --format csv")
        + &sandbox.read("data/access.toml");
    for secret in [first, second] {
        assert!(!everything.contains(&secret[3..15]), "{everything}");
    }
    assert!(sandbox.refused("keys revoke ops").contains("keys list"));
    assert!(sandbox.refused("keys add ci").contains("rotate ci"));
    assert!(sandbox.refused("keys add late --expires 2020-01-01").contains("past"));
}

#[test]
fn driving_a_gateway_reports_what_it_served_and_cost() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = std::thread::spawn(move || {
        // Four requests, each on a connection of its own.
        for socket in listener.incoming().take(4) {
            let mut socket = socket.expect("a connection");
            let mut lines = BufReader::new(socket.try_clone().expect("a second handle"));
            let (mut line, mut length) = (String::new(), 0);
            while lines.read_line(&mut line).expect("a request") > 2 {
                let head = std::mem::take(&mut line).to_ascii_lowercase();
                if let Some(value) = head.strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length");
                }
            }
            lines.read_exact(&mut vec![0; length]).expect("a body");
            let answer = "HTTP/1.1 200 OK\r\npointsman-model: gpt-4.1\r\npointsman-cost-usd: 0.0025\r\n\
                          pointsman-simulated: 1\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            socket.write_all(answer.as_bytes()).expect("an answer");
        }
    });
    let sandbox = sandbox();
    let run = sandbox.run(&format!(
        "drive small.jsonl --to http://{address} --rate max --max-spend 5 --worst 0.01 --concurrency 1 --format json"
    ));
    assert_eq!(run.code, Some(0), "{}", run.err);
    server.join().expect("all four were asked");
    let report = json(&run.out);
    assert_eq!((&report["requests"], &report["ok"]), (&4.into(), &4.into()));
    assert_eq!(report["spent_usd"], "0.01");
    assert_eq!(report["simulated_requests"], 4);
    assert_eq!(report["models"]["gpt-4.1"], 4);
    assert!(run.err.contains("filler"), "made-up prompts are announced: {}", run.err);
}

#[test]
fn nothing_is_sent_beyond_this_machine_unasked() {
    let sandbox = sandbox();
    let far = sandbox.refused("drive small.jsonl --to http://192.0.2.1 --rate max --max-spend 1");
    assert!(far.contains("--yes"), "{far}");
    let unpriced =
        sandbox.refused("drive small.jsonl --to live --rate max --max-spend 1 --model house-model");
    assert!(unpriced.contains("--worst"), "{unpriced}");
    assert!(sandbox.refused("drive small.jsonl --to live --rate max --max-spend=-1").contains("above zero"));
}

#[test]
fn a_drive_that_nobody_served_fails() {
    let sandbox = sandbox();
    // A port that was just free, and a server that turns everybody away.
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let run = sandbox.run(&format!("drive small.jsonl --to http://{free} --rate max --max-spend 5"));
    assert_eq!(run.code, Some(1), "{}", run.err);
    assert!(run.err.contains("nothing listens at") && run.err.contains("pointsman serve"), "{}", run.err);
    assert!(run.out.contains("served"), "what was tried is reported all the same: {}", run.out);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = std::thread::spawn(move || {
        for socket in listener.incoming().take(4) {
            let mut socket = socket.expect("a connection");
            let _ = socket.read(&mut [0; 4096]);
            let answer = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            let _ = socket.write_all(answer.as_bytes());
        }
    });
    let run = sandbox.run(&format!("drive small.jsonl --to http://{address} --rate max --max-spend 5"));
    assert_eq!(run.code, Some(1), "{}", run.err);
    assert!(run.err.contains("not one of 4 requests was served") && run.err.contains("401"), "{}", run.err);
    server.join().expect("the server ends");
}

#[test]
fn slips_of_addresses_hashes_and_names_are_told_as_what_they_are() {
    let sandbox = sandbox();
    for listen in ["127.0.0.1:99999", "4802x", "99999", ":4141"] {
        let run = sandbox.run(&format!("serve --listen {listen} --ledger made.db"));
        assert_eq!(run.code, Some(2), "{listen}");
        assert!(
            run.err.contains("write ADDRESS:PORT") && !run.err.contains("another program"),
            "{}",
            run.err
        );
        assert!(!sandbox.path("made.db").exists(), "nothing is made for an address that cannot be");
    }
    let told = sandbox.refused("ledger check --head zz");
    assert!(told.contains("64 hexadecimal digits are due"), "{told}");
    let told = sandbox.refused("ledger check nosuch.jsonl");
    assert!(told.contains("no such file") && !told.contains("live traffic"), "{told}");
    sandbox.write(
        "broken.jsonl",
        "{\"pointsman\":\"log\",\"v\":2}\n{\"id\":\"a\",\"at\":\"2026-05-23T10:00:00Z\"}\n",
    );
    let run = sandbox.run("ledger check broken.jsonl");
    assert_eq!(run.code, Some(1), "{}", run.err);
    assert!(run.err.contains("in this export"), "{}", run.err);
}
