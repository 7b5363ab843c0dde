//! Readers that were away: what a key may do, and what became final since a place in the ledger.

use std::fs;

use serde_json::{Value, json};

use crate::client::{Answer, Ask};
use crate::front::{Front, Sandbox, Setup};
use crate::stage::chat;
use crate::upstream::Upstream;

fn get(front: &Front<'_>, path: &str, key: &str) -> Answer {
    Ask::get(path).header("authorization", &format!("Bearer {key}")).send(front.address())
}

#[test]
fn a_key_is_told_what_it_may_do() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let keys = ["read", "operate", "route"].map(|scope| sandbox.key(&[scope, "--scope", scope]));
    let front = sandbox.serve(&setup);
    let path = "/operator/v1/rights";
    let [read, operate, route] = keys.each_ref().map(|key| get(&front, path, key));
    let told = read.json();
    assert_eq!((told["key"].as_str(), &told["scopes"]), (Some("read"), &json!(["read"])));
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    let (gateway, cursor) = (told["gateway"].as_str().unwrap(), told["cursor"].as_str().unwrap());
    assert!(cursor.starts_with(&format!("{gateway}:")), "{told}");
    assert_eq!(operate.json()["scopes"], json!(["read", "operate"]));
    assert_eq!((route.status(), Ask::get(path).send(front.address()).status()), (403, 401));
    assert_eq!(get(&front, "/operator/v1/log", &keys[2]).status(), 403);
    let denied = Ask::post(path, &json!({})).header("authorization", &format!("Bearer {}", keys[0]));
    assert_eq!(denied.send(front.address()).status(), 405);
    front.settle();
}

#[test]
fn what_became_final_since_a_place_is_told_once_and_proves_itself() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let log = |after: &str| Ask::get(&format!("/operator/v1/log{after}")).send(front.address());
    let (mut text, mut after) = (String::new(), String::new());
    let mut told = 0;
    for requests in [0, 3, 0, 2] {
        for _ in 0..requests {
            assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
        }
        told += requests;
        // The ledger is written behind the traffic, soon.
        for _ in 0..1_000 {
            let answer = log(&after);
            assert_eq!((answer.status(), answer.sound), (200, true), "{}", answer.text());
            let last: Value = serde_json::from_str(answer.text().lines().last().unwrap()).unwrap();
            after = format!("?after={}", last["cursor"].as_str().unwrap());
            text += &answer.text();
            if text.matches("{\"id\":\"op-").count() >= told {
                break;
            }
        }
        assert_eq!(text.matches("{\"id\":\"op-").count(), told);
    }
    fs::write(sandbox.path().join("told.jsonl"), &text).unwrap();
    sandbox.must(&["ledger", "check", "told.jsonl"]);
    let replayed =
        sandbox.must(&["replay", "told.jsonl", "--as", "recorded", "--format", "json", "--strict"]);
    let replayed: Value = serde_json::from_str(&replayed).unwrap();
    assert_eq!((&replayed["requests"], &replayed["skipped_lines"]), (&json!(5), &json!(0)), "{replayed}");

    for (after, status, words) in [
        ("?after=nowhere", 400, "GATEWAY:LINK"),
        ("?after=gw-another:1", 409, "no such place"),
        (&*format!("{after}000"), 409, "its chain ends with"),
    ] {
        let answer = log(after);
        assert_eq!(answer.status(), status, "{after}: {}", answer.text());
        assert!(answer.text().contains(words), "{}", answer.text());
    }
    front.settle();
    let setup = setup.args(&["--no-ledger"]);
    let front = sandbox.serve(&setup);
    let answer = Ask::get("/operator/v1/log").send(front.address());
    assert_eq!(answer.status(), 404);
    assert!(answer.text().contains("--no-ledger"), "{}", answer.text());
    let rights = Ask::get("/operator/v1/rights").send(front.address()).json();
    assert_eq!((&rights["gateway"], &rights["cursor"]), (&Value::Null, &Value::Null));
    front.stop();
}
