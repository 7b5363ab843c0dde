//! Floods: of names, of large bodies, of large answers. What the gateway holds stays bounded, and whoever was there before
//! keeps being served.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::client::{Ask, Line};
use crate::front::{Front, Sandbox, Setup};
use crate::stage::{MODELS, Speaks, chat, metrics, nothing_held};
use crate::upstream::{At, Fault, Reply, Upstream};

pub(crate) fn value(front: &Front<'_>, name: &str) -> u64 {
    metrics(front, name).first().map_or(0, |(_, value)| value.parse().unwrap())
}

/// Sends one request a team on one connection.
fn named(front: &Front<'_>, teams: impl Iterator<Item = String>) {
    let mut line = Line::open(front.address());
    for team in teams {
        let ask = chat("gpt-4.1-nano", false)
            .header("pointsman-team", &team)
            .header("pointsman-project", &format!("project of {team}"));
        line.write(&ask.wire()).unwrap();
        assert_eq!(line.answer().unwrap().status(), 200);
    }
}

#[test]
fn a_flood_of_names_takes_no_teams_place() {
    let upstream = Upstream::start();
    let mut setup = Setup::of(&upstream.url()).gateway("[limits]\nnames = 8");
    setup.policy = setup.policy.replace(
        "[[route]]\n",
        "[[route]]\nname = \"ours\"\nmatch = { team = [\"of the policy\"] }\nladder = [{ rung = \"one\", model = \"gpt-4.1\" }]\
         \nno_signal = \"one\"\n\n[[route]]\n",
    );
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    named(&front, ["of the ledger".to_owned()].into_iter());
    front.stop();
    let front = sandbox.serve(&setup);
    named(&front, (0..60).map(|n| format!("junk {n}")));
    // One that comes again and again is somebody.
    named(&front, (0..40).map(|n| if n % 2 == 0 { "often".to_owned() } else { format!("more {n}") }));
    named(
        &front,
        ["of the policy", "of the ledger", "often", "junk 0", "new"].map(str::to_owned).into_iter(),
    );
    let teams = metrics(&front, "pointsman_team_cost_usd_total");
    assert!(teams.len() <= 2 * (8 + 3), "{teams:#?}");
    assert_eq!(metrics(&front, "pointsman_names_shared_total").len(), 2);
    let rows = front.settle();
    let last: Vec<&str> = rows.iter().rev().take(5).map(|row| row.team.as_str()).collect();
    assert_eq!(last, ["(others)", "junk 0", "often", "of the ledger", "of the policy"]);
    assert_eq!(rows.last().unwrap().project, "(others)");
    let junk = rows.iter().filter(|row| row.team == "(others)").count();
    assert!((60..=100).contains(&junk), "{junk}");
    sandbox.check();
}

/// Whoever brings names, or a busy day by itself, would else take everybody out of his limit.
#[test]
fn a_flood_of_names_frees_nobody_whom_a_limit_or_the_kill_switch_names() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url()).gateway("[limits]\nnames = 8");
    let sandbox = Sandbox::new(&setup);
    let file = sandbox.path().join("config/budgets.toml");
    std::fs::write(
        &file,
        "[budget.one]\nteam = [\"limited\"]\nlimit = { lifetime = 0 }\n\
         [budget.each]\neach = \"project\"\nlimit = { lifetime = 99999 }\nunpriced = \"hold\"\nspecial = { limited = { lifetime = 0 } }\n\
         [budget.model]\nmodel = [\"gpt-limited\"]\nlimit = { lifetime = 0 }\nunpriced = \"hold\"\n",
    )
    .unwrap();
    let front = sandbox.serve(&setup);
    named(&front, (0..20).map(|n| format!("junk {n}")));
    let mut line = Line::open(front.address());
    for n in 0..540 {
        line.write(&chat(&format!("gpt-made-up-{n}"), false).wire()).unwrap();
        assert_eq!(line.answer().unwrap().status(), 200);
    }
    let stop =
        |whom: &str| Ask::post("/operator/v1/runaways", &json!({ "stop": whom })).send(front.address());
    assert!([stop("team stopped"), stop("project stopped")].iter().all(|answer| answer.status() == 200));
    let later = "[budget.later]\nteam = [\"later\"]\nlimit = { lifetime = 0 }\n";
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + later).unwrap();
    crate::budgets::stands(&front, "the changed file", |found| {
        found["budgets"].as_array().unwrap().iter().any(|row| row["budget"] == "later")
    });
    let all = |front: &Front<'_>| {
        let of = |model: &str, header: &str, name: &str| {
            chat(model, false).header(header, name).send(front.address()).status()
        };
        [
            of("gpt-4.1-nano", "pointsman-team", "limited"),
            of("gpt-4.1-nano", "pointsman-project", "limited"),
            of("gpt-limited", "pointsman-team", ""),
            of("gpt-4.1-nano", "pointsman-team", "later"),
            of("gpt-4.1-nano", "pointsman-team", "stopped"),
            of("gpt-4.1-nano", "pointsman-project", "stopped"),
            of("gpt-4.1-nano", "pointsman-team", "somebody else"),
        ]
    };
    assert_eq!(all(&front), [429, 429, 429, 429, 429, 429, 200]);
    front.stop();
    let front = sandbox.serve(&setup);
    named(&front, (20..40).map(|n| format!("junk {n}")));
    assert_eq!(all(&front), [429, 429, 429, 429, 429, 429, 200], "after a restart as well");
    front.settle();
}

#[test]
fn a_model_that_is_listed_is_priced_however_many_names_came_before() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let mut line = Line::open(front.address());
    for n in 0..540 {
        line.write(&chat(&format!("gpt-made-up-{n}"), false).wire()).unwrap();
        assert_eq!(line.answer().unwrap().status(), 200);
    }
    let answer = messages_of(&front, MODELS[1]);
    assert_eq!(answer.header("pointsman-cost-kind"), Some("known"), "{:?}", answer.head);
    let models = metrics(&front, "pointsman_model_calls_total");
    assert!(models.len() < 530, "{}", models.len());
    front.settle();
}

fn messages_of(front: &Front<'_>, model: &str) -> crate::client::Answer {
    crate::stage::messages(model, false).send(front.address())
}

#[test]
fn clients_name_teams_where_they_may_and_no_others() {
    let upstream = Upstream::start();
    for (setting, expected) in [
        ("auto", ["", "", "search", ""]),
        ("never", ["", "", "search", ""]),
        ("known", ["payments", "", "search", ""]),
        ("any", ["payments", "made up", "search", ""]),
    ] {
        let setup = Setup::of(&upstream.url()).gateway(&format!("client-teams = \"{setting}\""));
        let sandbox = Sandbox::new(&setup);
        let (free, bound) = (sandbox.key(&["free"]), sandbox.key(&["bound", "--team", "search"]));
        sandbox.key(&["theirs", "--team", "payments"]);
        let front = sandbox.serve(&setup);
        // The name that stands for the rest is nobody's.
        for (key, team) in
            [(&free, "payments"), (&free, "made up"), (&bound, "payments"), (&free, " (others)\t")]
        {
            let ask = chat("gpt-4.1-nano", false)
                .header("authorization", &format!("Bearer {key}"))
                .header("pointsman-team", team);
            assert_eq!(ask.send(front.address()).status(), 200);
        }
        let rows = front.settle();
        let teams: Vec<&str> = rows.iter().map(|row| row.team.as_str()).collect();
        assert_eq!(teams, expected, "{setting}");
    }
}

const MIB: usize = 1 << 20;

#[test]
fn a_flood_of_large_bodies_is_bounded_and_told_when_to_come_again() {
    let upstream = Upstream::with(|_| Reply::fault(At::BeforeHeaders, Fault::Stall));
    let setup = Setup::of(&upstream.url()).gateway("[limits]\nmemory = 33554432\nbody-seconds = 30");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    assert_eq!(Ask::get("/healthz").send(front.address()).status(), 200);
    let before = front.memory();
    let text = "x".repeat(6 * MIB);
    let asks: Vec<Ask> = Speaks::ALL
        .iter()
        .cycle()
        .take(16)
        .map(|speaks| {
            let path = if *speaks == Speaks::Chat { "/v1/chat/completions" } else { "/v1/messages" };
            let messages = json!([{"role": "user", "content": text}]);
            let model = if *speaks == Speaks::Chat { "gpt-4.1" } else { "claude-opus-4-6" };
            Ask::post(path, &json!({"model": model, "max_tokens": 9, "messages": messages}))
        })
        .collect();
    // Each says how it went: turned away at once, or let in and waiting.
    let (tell, told) = std::sync::mpsc::channel();
    let heard = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for (at, ask) in asks.iter().enumerate() {
            let (tell, to, heard) = (tell.clone(), front.address(), &heard);
            scope.spawn(move || {
                let mut line = Line::open(to);
                let _writing = line.write_beside(ask.wire());
                let answer = line.answer().unwrap();
                if answer.status() == 503 {
                    assert!(answer.header("retry-after").is_some());
                    Speaks::ALL[at % 2].error(&answer.json());
                }
                tell.send(answer.status()).unwrap();
                heard.fetch_add(1, Ordering::Relaxed);
            });
        }
        let turned_away = asks.len() - 32 / 12;
        for _ in 0..turned_away - 1 {
            assert_eq!(told.recv().unwrap(), 503, "whoever is turned away hears why");
        }
        let grown = front.memory().saturating_sub(before);
        assert!(grown < 80 << 10, "{grown} KiB for a budget of 32 MiB");
        assert!(value(&front, "pointsman_memory_held_bytes") <= 33_554_432);
        upstream.release_until("all are answered", |_| heard.load(Ordering::Relaxed) == asks.len());
    });
    assert!(!upstream.served().is_empty(), "they took the room from each other, and nobody was let in");
    assert!(value(&front, "pointsman_memory_refused_total") > 0);
    nothing_held(&front);
    assert!(value(&front, "pointsman_memory_held_bytes") < MIB as u64);
    upstream.push(Reply::default());
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
    front.settle();
    sandbox.check();
}

/// Clients that write all of a request before they read once saw their connection break, and no word of why.
#[test]
fn whoever_is_turned_away_hears_why_however_much_it_still_sends() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url()).gateway("[limits]\nbody = 16777216");
    let sandbox = Sandbox::new(&setup);
    let key = sandbox.key(&["mine", "--team", "search"]);
    let reader = sandbox.key(&["reader", "--scope", "read"]);
    let front = sandbox.serve(&setup);
    let body = vec![b' '; 12 * MIB];
    let ask =
        |path: &str, key: &str| Ask::bytes(path, &body).header("authorization", &format!("Bearer {key}"));
    let chat = "/v1/chat/completions";
    let packed = ask(chat, &key).header("content-encoding", "br");
    let lines = (0..150).fold(ask(chat, &key), |ask, at| ask.header(&format!("x-{at}"), "1"));
    let larger = Ask::bytes(chat, &vec![b' '; 20 * MIB]).header("authorization", &format!("Bearer {key}"));
    for (ask, status) in [
        (ask(chat, "pm_nothing"), 401),
        (ask(chat, &reader), 403),
        (ask("/v1/nowhere", &key), 404),
        (ask("/v1/models", &key), 405),
        (packed, 415),
        (lines, 431),
        (larger, 413),
    ] {
        assert_eq!(ask.send(front.address()).status(), status);
    }
    assert_eq!(upstream.served().len(), 0);
    front.stop();
}

#[test]
fn an_answer_that_has_no_room_is_given_up_and_charged() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url()).gateway("[limits]\nmemory = 4194304");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for speaks in Speaks::ALL {
        for model in ["gpt-4.1", "claude-opus-4-6"] {
            upstream.push(Reply::text(&"word ".repeat(MIB)));
            let answer = speaks.ask(model, false).send(front.address());
            assert_eq!(answer.status(), 503, "{}", answer.text());
            assert!(answer.header("retry-after").is_some());
            speaks.error(&answer.json());
        }
    }
    nothing_held(&front);
    assert!(value(&front, "pointsman_memory_held_bytes") < MIB as u64);
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
    let rows = front.settle();
    let lost: Vec<_> = rows.iter().filter(|row| row.status != "ok").collect();
    assert_eq!(lost.len(), 4);
    assert!(lost.iter().all(|row| row.kind == "estimated" && row.amount.is_some_and(|amount| amount > 0)));
    sandbox.check();
}

#[test]
fn a_request_whose_copy_has_no_room_is_turned_away_before_it_is_written() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url()).gateway("[limits]\nmemory = 16777216");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let messages = json!([{"role": "user", "content": "x".repeat(6 * MIB)}]);
    let ask = |model| {
        let ask = json!({"model": model, "max_tokens": 9, "messages": messages});
        Ask::post("/v1/chat/completions", &ask).send(front.address())
    };
    assert_eq!(ask("gpt-4.1").status(), 200, "as it came it is copied once");
    let refused = ask("claude-opus-4-6");
    assert_eq!(refused.status(), 503, "put into another form it is copied twice: {}", refused.text());
    assert!(refused.header("retry-after").is_some());
    nothing_held(&front);
    assert!(value(&front, "pointsman_memory_held_bytes") < MIB as u64);
    front.settle();
    sandbox.check();
}

#[test]
fn readers_that_take_nothing_hold_no_more_than_there_is_room_for() {
    let upstream =
        Upstream::with(|_| Reply { pieces: vec!["words ".repeat(4_000); 400], ..Reply::default() });
    let setup = Setup::of(&upstream.url()).gateway("[limits]\nmemory = 8388608\nwrite-seconds = 2");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let before = front.memory();
    let lines: Vec<Line> = (0..48)
        .map(|_| {
            let mut line = Line::open(front.address());
            line.write(&chat("gpt-4.1", true).wire()).unwrap();
            line
        })
        .collect();
    upstream.wait("every answer was read or given up", |state| {
        state.served.len() == lines.len() && state.busy() == 0
    });
    let grown = front.memory().saturating_sub(before);
    assert!(grown < 96 << 10, "{grown} KiB for a budget of 8 MiB, of 440 MiB that came");
    drop(lines);
    nothing_held(&front);
    assert!(value(&front, "pointsman_memory_held_bytes") < MIB as u64);
    front.settle();
    sandbox.check();
}
