//! Who gets in: keys that are missing, unknown, taken back, past their time or made for something else.

use std::fs;

use serde_json::json;

use crate::client::Ask;
use crate::front::{Sandbox, Setup};
use crate::stage::{Speaks, chat};
use crate::upstream::{Refusing, Reply, Upstream};

#[test]
fn beyond_loopback_it_does_not_start_without_keys() {
    let mut setup = Setup::of("http://127.0.0.1:9");
    setup.listen = "0.0.0.0:0".to_owned();
    let sandbox = Sandbox::new(&setup);
    let (status, said) = sandbox.refuses(&setup);
    assert!(!status.success());
    assert!(said.contains("keys add"), "it does not say how to mend it: {said}");
}

#[test]
fn without_keys_whoever_is_on_this_machine_gets_in() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
}

#[test]
fn only_a_sound_key_gets_in_and_the_client_is_told_in_its_own_words() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let sound = sandbox.key(&["sound"]);
    let revoked = sandbox.key(&["revoked"]);
    let expired = sandbox.key(&["expired", "--expires", "30d"]);
    let reader = sandbox.key(&["reader", "--scope", "read"]);
    let file = sandbox.path().join("data/access.toml");
    let text = fs::read_to_string(&file).unwrap();
    let past: String = text
        .lines()
        .map(|line| {
            if line.starts_with("expires") {
                "expires = \"2020-01-01T00:00:00Z\"\n".to_owned()
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    assert_ne!(past, text, "the key file says when a key expires");
    fs::write(&file, past).unwrap();
    let front = sandbox.serve(&setup);
    let with = |speaks: Speaks, key: Option<&str>| {
        let ask = speaks.ask("gpt-4.1", false);
        let ask = match (speaks, key) {
            (_, None) => ask,
            (Speaks::Chat, Some(key)) => ask.header("authorization", &format!("Bearer {key}")),
            (Speaks::Messages, Some(key)) => ask.header("x-api-key", key),
        };
        ask.send(front.address())
    };
    for speaks in Speaks::ALL {
        assert_eq!(with(speaks, Some(&sound)).status(), 200);
        assert_eq!(with(speaks, Some(&revoked)).status(), 200);
    }
    sandbox.must(&["keys", "revoke", "revoked"]);
    let (most, last) = sound.split_at(sound.len() - 1);
    let never = format!("{most}{}", if last == "x" { "y" } else { "x" });
    for speaks in Speaks::ALL {
        let cases = [
            None,
            Some(revoked.as_str()),
            Some(expired.as_str()),
            Some(never.as_str()),
            Some("pm_"),
            Some("sk-else"),
        ];
        for key in cases {
            let answer = with(speaks, key);
            assert_eq!(answer.status(), 401, "{key:?}");
            speaks.error(&answer.json());
            assert!(
                key.is_none_or(|key| key.len() < 8 || !answer.text().contains(key)),
                "the key is repeated"
            );
        }
        let answer = with(speaks, Some(&reader));
        assert_eq!(answer.status(), 403, "a key that may only read sends nothing");
        speaks.error(&answer.json());
    }
    assert_eq!(upstream.served().len(), 4, "nothing passed the gate that had no right to");
    assert!(upstream.served().iter().all(|served| {
        served.headers.iter().all(|(_, value)| !value.contains(&sound) && !value.contains(&revoked))
    }));
    // Whoever watches over it may see whether it lives without a key.
    assert_eq!(Ask::get("/healthz").send(front.address()).status(), 200);
    assert_eq!(Ask::get("/v1/models").send(front.address()).status(), 401);
    let said = front.stop();
    for key in [&sound, &revoked, &expired, &reader] {
        assert!(!said.contains(key.as_str()), "a key was written out: {said}");
    }
}

#[test]
fn nobody_spends_in_another_teams_name() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let key = sandbox.key(&["theirs", "--team", "search"]);
    let front = sandbox.serve(&setup);
    let answer = chat("gpt-4.1", false)
        .header("authorization", &format!("Bearer {key}"))
        .header("pointsman-team", "payments")
        .header("pointsman-project", "invoices")
        .header("pointsman-session", "s-1")
        .header("pointsman-task", "extraction")
        .send(front.address());
    assert_eq!(answer.status(), 200);
    let rows = front.settle();
    assert_eq!((rows[0].team.as_str(), rows[0].project.as_str()), ("search", "invoices"));
    assert_eq!((rows[0].session.as_str(), rows[0].task.as_deref()), ("s-1", Some("extraction")));
    let seen = upstream.served();
    let leaked = seen[0].headers.iter().any(|(name, _)| name.starts_with("pointsman-"));
    assert!(!leaked, "what is meant for the gateway went on to the provider: {:?}", seen[0].headers);
}

#[test]
fn nobody_judges_what_another_team_paid_for() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let key = |args: &[&str]| format!("Bearer {}", sandbox.key(args));
    let ours = key(&["ours", "--team", "search"]);
    let others = [key(&["theirs", "--team", "payments"]), key(&["nobodys"])];
    let operator = key(&["desk", "--scope", "read,operate"]);
    let reader = key(&["reader", "--scope", "read"]);
    let mut front = sandbox.serve(&setup);
    let asked = chat("gpt-4.1", false).header("authorization", &ours).send(front.address());
    let operation = asked.header("pointsman-operation").unwrap().to_owned();
    let body = serde_json::json!({"operation": operation, "good": true});
    for is_remembered in [true, false] {
        if !is_remembered {
            // After a restart the ledger has to say whose it was.
            front.stop();
            front = sandbox.serve(&setup);
        }
        let judge = |key: &str| {
            Ask::post("/v1/feedback", &body).header("authorization", key).send(front.address()).status()
        };
        for other in &others {
            assert_eq!(judge(other), 404);
        }
        assert_eq!((judge(&ours), judge(&operator), judge(&reader)), (200, 200, 403));
    }
    front.settle();
}

#[cfg(unix)]
#[test]
fn a_file_of_keys_that_cannot_be_read_is_told_on_stderr() {
    use std::os::unix::fs::PermissionsExt as _;
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let key = format!("Bearer {}", sandbox.key(&["ours"]));
    let front = sandbox.serve(&setup);
    let file = sandbox.path().join("data/access.toml");
    let sound = std::fs::read(&file).unwrap();
    let told = |text: &str, times: usize| {
        let until = std::time::Instant::now() + crate::upstream::PATIENCE;
        while front.said().matches(text).count() < times {
            assert!(std::time::Instant::now() < until, "{text}: {}", front.said());
            std::thread::yield_now();
        }
    };
    let ask = || chat("gpt-4.1", false).header("authorization", &key).send(front.address()).status();
    let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o666);
    told("the keys read before stay in force", 1);
    assert_eq!(ask(), 200);
    mode(0o600);
    told("keys: the file of keys is read again", 1);
    std::fs::write(&file, "garbage [[[").unwrap();
    told("the keys read before stay in force", 2);
    assert_eq!(ask(), 200);
    std::fs::remove_file(&file).unwrap();
    told("is gone, and with it every key", 1);
    assert_eq!(ask(), 401);
    std::fs::write(&file, &sound).unwrap();
    mode(0o600);
    told("keys: the file of keys is read again", 2);
    assert_eq!(ask(), 200);
    front.settle();
}

#[test]
fn pages_of_another_site_spend_nothing_whatever_they_send() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url()).gateway("[cors]\norigins = [\"https://tools.example\"]");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let from = |site: &str| chat("gpt-4.1", false).header("sec-fetch-site", site);
    for (ask, status) in [
        (from("cross-site"), 403),
        (from("cross-site").header("origin", "http://localhost:3000"), 403),
        (from("cross-site").header("origin", "https://tools.example"), 200),
        (from("same-origin"), 200),
        (from("none"), 200),
        (Ask::get("/metrics").header("sec-fetch-site", "cross-site"), 403),
        (Ask::get("/healthz").header("sec-fetch-site", "cross-site"), 200),
    ] {
        assert_eq!(ask.send(front.address()).status(), status, "{ask:?}");
    }
    assert_eq!(upstream.served().len(), 3);
    front.settle();
}

#[test]
fn no_client_hears_where_a_provider_stands() {
    let upstream = Upstream::with(|call| {
        let error = serde_json::json!({"error": {"message": format!("http://127.0.0.1:8080/{} went wrong at 127.0.0.1", call.model)}});
        Reply { status: [500, 400, 404, 401][call.number % 4], ..Reply::json(&error) }
    });
    let refusing = Refusing::take();
    for url in [upstream.url(), refusing.url()] {
        let setup = Setup::of(&url);
        let sandbox = Sandbox::new(&setup);
        let front = sandbox.serve(&setup);
        for model in ["auto", "gpt-4.1", "claude-opus-4-6", "gemini-2.5-flash", "mistral-small-2503"] {
            for stream in [false, true] {
                let answer = chat(model, stream).send(front.address());
                assert!(answer.status() >= 400, "{}", answer.text());
                assert!(!answer.text().contains("127.0.0.1"), "{}", answer.text());
            }
        }
        let rows = front.settle();
        // The operator is told.
        assert!(rows.iter().any(|row| row.error.contains("127.0.0.1")), "{rows:#?}");
    }
}

#[test]
fn no_secret_and_no_prompt_is_written_anywhere() {
    let upstream =
        Upstream::with(|call| if call.number % 2 == 0 { Reply::default() } else { Reply::status(500) });
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let key = sandbox.key(&["secret"]);
    let front = sandbox.serve(&setup);
    for _ in 0..4 {
        let body = json!({"model": "auto", "messages": [{"role": "user", "content": "the vault opens at MIDNIGHT-7731"}]});
        Ask::post("/v1/chat/completions", &body)
            .header("authorization", &format!("Bearer {key}"))
            .send(front.address());
    }
    let said = front.stop();
    assert!(!said.contains(&key) && !said.contains("MIDNIGHT-7731"), "{said}");
    let mut folders = vec![sandbox.path().join("data")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            for secret in [key.as_str(), "MIDNIGHT-7731"] {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{secret} stands in {}", path.display());
            }
        }
    }
}
