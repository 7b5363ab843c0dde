//! Alerts of a running gateway: that each is told once and in order, survives failures of its receivers and of the gateway, and is what a
//! replay of the ledger would have told.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::{Value, json};

use crate::client::Ask;
use crate::front::{Front, Sandbox, Setup};
use crate::stage::chat;
use crate::upstream::{PATIENCE, Upstream};

/// What a receiver answers to one message.
#[derive(Clone, Copy)]
enum Says {
    Status(&'static str),
    /// Nothing, for as long as the test runs.
    Nothing,
}

/// Somebody who is told, after a script; once that is over everything is fine.
struct Told {
    url: String,
    came: Receiver<Value>,
}

impl Told {
    fn new(script: &'static [Says]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook/TOPSECRET", listener.local_addr().unwrap());
        let (send, came) = channel();
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            let mut script = script.iter().copied();
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                if !answer(&stream, &mut script, &send) {
                    kept.push(stream);
                }
            }
        });
        Self { url, came }
    }

    fn next(&self) -> Value {
        self.came.recv_timeout(PATIENCE).expect("nobody told it anything")
    }
}

/// Takes what comes over one connection; false where it is to be left hanging.
fn answer(stream: &TcpStream, script: &mut impl Iterator<Item = Says>, send: &Sender<Value>) -> bool {
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|read| read > 0) && line != "\r\n" {
            let lower = line.to_ascii_lowercase();
            if let Some(rest) = lower.strip_prefix("content-length:") {
                length = rest.trim().parse().unwrap();
            }
            line.clear();
        }
        if line.is_empty() {
            return true;
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let _ = send.send(serde_json::from_slice(&body).unwrap());
        let status = match script.next() {
            Some(Says::Nothing) => return false,
            Some(Says::Status(status)) => status,
            None => "200 OK",
        };
        let head = format!("HTTP/1.1 {status}\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n");
        if (&mut &*stream).write_all(head.as_bytes()).is_err() {
            return true;
        }
    }
}

fn sandbox(upstream: &Upstream, alerts: &str) -> (Setup, Sandbox) {
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let budgets = "[budget.tiny]\nlimit = { lifetime = \"0.0000001\" }\nmode = \"observe\"\n";
    fs::write(sandbox.path().join("config/budgets.toml"), budgets).unwrap();
    fs::write(sandbox.path().join("config/alerts.toml"), alerts).unwrap();
    (setup, sandbox)
}

fn list(front: &Front<'_>) -> Value {
    let answer = Ask::get("/operator/v1/alerts").send(front.address());
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.json()
}

/// Waits until the alerts stand as they should.
fn stands(front: &Front<'_>, what: &str, so: impl Fn(&Value) -> bool) -> Value {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let found = list(front);
        if so(&found) {
            return found;
        }
        assert!(std::time::Instant::now() < until, "{what}: {found:#}\n{}", front.said());
        std::thread::yield_now();
    }
}

fn states(found: &Value, receiver: &str) -> Vec<String> {
    let all = found["deliveries"].as_array().unwrap();
    all.iter()
        .filter(|one| one["receiver"] == receiver)
        .map(|one| one["state"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_fires_is_told_once_and_is_what_a_replay_would_have_told() {
    let upstream = Upstream::start();
    let plain = Told::new(&[]);
    let chat_room = Told::new(&[]);
    let alerts = format!(
        "[receiver.plain]\nkind = \"webhook\"\nurl = \"{}\"\n[receiver.room]\nkind = \"slack\"\nurl = \"{}\"\nleast = \"warning\"\n\
         [receiver.file]\nkind = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"cat >> told.jsonl\"]\n",
        plain.url, chat_room.url
    );
    let (setup, sandbox) = sandbox(&upstream, &alerts);
    let front = sandbox.serve(&setup);
    for _ in 0..3 {
        assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
    }
    let told: Vec<Value> = (0..4).map(|_| plain.next()).collect();
    let thresholds: Vec<&str> = told.iter().map(|one| one["threshold"].as_str().unwrap()).collect();
    assert_eq!(thresholds, ["50%", "75%", "90%", "100%"]);
    assert_eq!(
        (&told[0]["schema"], &told[0]["status"], &told[0]["scope"], &told[0]["test"]),
        (&json!("pointsman.alert/1"), &json!("firing"), &json!("tiny/lifetime"), &json!(false))
    );
    // Only what is urgent enough goes there.
    for _ in 0..2 {
        let text = chat_room.next()["text"].as_str().unwrap().to_owned();
        assert!(text.contains("*warning*: budget tiny/lifetime"), "{text}");
    }
    let found = stands(&front, "everybody is told", |found| {
        states(found, "file").iter().filter(|state| *state == "delivered").count() == 4
            && states(found, "plain").iter().all(|state| state == "delivered")
    });
    let written = fs::read_to_string(sandbox.path().join("told.jsonl")).unwrap();
    assert_eq!(written.lines().count(), 4);
    assert!(plain.came.try_recv().is_err() && chat_room.came.try_recv().is_err(), "twice");
    // By hand: noted, silenced, tried.
    let id = found["alerts"][0]["id"].as_str().unwrap();
    sandbox.must(&["alerts", "ack", &id[..10], "--url", &front.url()]);
    sandbox.must(&["alerts", "silence", "--for", "1h", "--rule", "budget", "--url", &front.url()]);
    assert!(sandbox.must(&["alerts", "test", "plain", "--url", &front.url()]).contains("answered 200"));
    assert_eq!(plain.next()["test"], true);
    assert!(!sandbox.run(&["alerts", "test", "plaim", "--url", &front.url()]).status.success());
    let listed: Value =
        serde_json::from_str(&sandbox.must(&["alerts", "list", "--format", "json", "--url", &front.url()]))
            .unwrap();
    assert!(
        listed["alerts"][0]["acknowledged_by"].is_string() && listed["alerts"][1]["silenced"] == true,
        "{listed:#}"
    );
    assert!(sandbox.must(&["alerts", "history", "--url", &front.url()]).contains("delivered"));
    let metrics = Ask::get("/metrics").send(front.address()).text().clone();
    for line in [
        "pointsman_alerts_fired_total 4",
        "pointsman_alerts_firing{level=\"notice\"} 2",
        "outcome=\"given_up\"} 0",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    let said = front.stop();
    assert!(!said.contains("TOPSECRET"), "{said}");
    let again = sandbox.serve(&setup);
    let found = Ask::get("/operator/v1/alerts").send(again.address()).json();
    assert_eq!(found["alerts"][1]["silenced"], true, "what was silenced while it fired stays so: {found:#}");
    again.stop();
    sandbox.check();
    let replayed: Value = serde_json::from_str(&sandbox.must(&[
        "alerts",
        "replay",
        "data/ledger.db",
        "--budgets",
        "config/budgets.toml",
        "--format",
        "json",
    ]))
    .unwrap();
    let facts = |report: &Value| -> BTreeSet<(String, String)> {
        let all = report["alerts"].as_array().unwrap().iter();
        all.map(|one| (one["id"].to_string(), one["fired"].to_string())).collect()
    };
    assert_eq!(facts(&replayed), facts(&listed), "{replayed:#}");
    assert!(plain.came.try_recv().is_err(), "a replay told somebody");
}

#[test]
fn receivers_that_fail_hear_it_again_and_hold_up_nobody_else() {
    let upstream = Upstream::start();
    let fails = Told::new(&[Says::Status("500 Oh"), Says::Status("302 Found")]);
    let hangs = Told::new(&[Says::Nothing, Says::Nothing, Says::Nothing]);
    let fine = Told::new(&[]);
    let receiver = |name: &str, url: &str| {
        format!("[receiver.{name}]\nkind = \"webhook\"\nurl = \"{url}\"\ntimeout = \"1s\"\n")
    };
    let alerts = format!(
        "[rule.budget]\nthresholds = [100]\n{}{}{}[receiver.stuck]\nkind = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \
         \"sleep 600\"]\ntimeout = \"1s\"\n",
        receiver("fails", &fails.url),
        receiver("hangs", &hangs.url),
        receiver("fine", &fine.url)
    );
    let (setup, sandbox) = sandbox(&upstream, &alerts);
    let front = sandbox.serve(&setup);
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
    let first = fine.next();
    let tries: Vec<Value> = (0..3).map(|_| fails.next()).collect();
    assert!(tries.iter().all(|one| one["dedupe_id"] == first["dedupe_id"]), "{tries:#?}");
    hangs.next();
    hangs.next();
    let found = stands(&front, "it has heard it", |found| {
        let stuck = found["deliveries"].as_array().unwrap().iter().find(|one| one["receiver"] == "stuck");
        states(found, "fails") == ["delivered"] && stuck.is_some_and(|one| one["tries"].as_u64() >= Some(1))
    });
    let stuck =
        found["deliveries"].as_array().unwrap().iter().find(|one| one["receiver"] == "stuck").unwrap();
    assert!(stuck["answer"].as_str().unwrap().contains("did not end within 1 s"), "{stuck}");
    assert!(!found.to_string().contains("TOPSECRET"));
    // A slip in the file changes nothing; a receiver that is gone is given up, aloud.
    fs::write(sandbox.path().join("config/alerts.toml"), "[receivr.x]\n").unwrap();
    let until = std::time::Instant::now() + PATIENCE;
    while !front.said().contains("`receivr`") {
        assert!(std::time::Instant::now() < until, "{}", front.said());
        std::thread::yield_now();
    }
    fs::write(sandbox.path().join("config/alerts.toml"), "[rule.budget]\nthresholds = [100]\n").unwrap();
    stands(&front, "it is given up", |found| states(found, "hangs") == ["given_up"]);
    while !front.said().contains("given up") {
        assert!(std::time::Instant::now() < until, "{}", front.said());
        std::thread::yield_now();
    }
    let said = front.stop();
    assert!(!said.contains("TOPSECRET"), "{said}");
}

#[test]
fn a_kill_between_the_alert_and_its_delivery_loses_neither() {
    let upstream = Upstream::start();
    // It has the message, but the gateway never hears that it has.
    let told = Told::new(&[Says::Nothing]);
    let alerts = format!(
        "[rule.budget]\nthresholds = [100]\n[receiver.plain]\nkind = \"webhook\"\nurl = \"{}\"\ntimeout = \"5m\"\n",
        told.url
    );
    let (setup, sandbox) = sandbox(&upstream, &alerts);
    let front = sandbox.serve(&setup);
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
    let before = told.next();
    front.kill();
    let again = sandbox.serve(&setup);
    let after = told.next();
    assert_eq!(before["dedupe_id"], after["dedupe_id"]);
    let found = stands(&again, "it is delivered", |found| states(found, "plain") == ["delivered"]);
    assert_eq!(found["alerts"].as_array().unwrap().len(), 1, "{found:#}");
    // The budget is what it was, so nothing fires anew.
    assert_eq!(chat("gpt-4.1", false).send(again.address()).status(), 200);
    again.stop();
    let last = sandbox.serve(&setup);
    assert_eq!(list(&last)["alerts"].as_array().unwrap().len(), 1);
    last.stop();
    assert!(told.came.try_recv().is_err(), "twice");
    sandbox.check();
}
