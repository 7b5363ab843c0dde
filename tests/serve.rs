//! The gateway within one process: that a live session is its replay to the last pico-dollar and decision, and what
//! becomes of clients, keys and judgements around it.

#![expect(clippy::unwrap_used, reason = "a test's own scaffolding may fail the test")]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use pointsman::access::{self, Access, KeyFile, NewKey, Scope, Scopes, reveal};
use pointsman::classifier::Classifier;
use pointsman::config::gateway::{self as settings, GatewaySettings};
use pointsman::config::{policy, prices, providers};
use pointsman::gateway::{Gateway, Parts, Server, now};
use pointsman::ledger::{self, Ledger, LedgerOptions, Range};
use pointsman::providers::{Providers, from_system};
use pointsman::record::{self, Input, ReadOptions};
use pointsman::routing::{Policy, PolicySpec};
use pointsman::session::{
    Deed, Ingest, IngestOptions, Live, LiveSetup, Log, Reading, StreamOptions, explain, stream,
};
use pointsman::telemetry::{Cell, Totals};
use pointsman::units::{Names, TeamId};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::watch;

const POLICY: &str = r#"
name = "first"
baseline = "gpt-4.1"

[[route]]
name = "daily"
match.task = ["classification", "extraction"]
ladder = [
  { rung = "small", model = "gpt-4.1-nano", threshold = 400 },
  { rung = "large", model = "gpt-4.1" },
]

[[route]]
name = "rest"
ladder = [
  { rung = "small", model = "gpt-4.1-nano", threshold = 700 },
  { rung = "middle", model = "gemini-2.5-flash", threshold = 350 },
  { rung = "large", model = "claude-opus-4-6" },
]
"#;

/// A gateway over made-up answers in a folder of its own, which outlives it.
struct Sandbox {
    runtime: Runtime,
    gateway: Arc<Gateway>,
    address: SocketAddr,
    lines: Receiver<Arc<str>>,
    stop: watch::Sender<bool>,
    done: tokio::task::JoinHandle<usize>,
}

fn setting(text: &str) -> GatewaySettings {
    settings::read("gateway.toml", text).unwrap()
}

impl Sandbox {
    fn open(folder: &TempDir, settings: GatewaySettings, simulated: &str) -> Self {
        let mut names = Names::default();
        let policy = policy::parse(POLICY, "test", &mut names).unwrap();
        let speed = if simulated.contains("speed") { "" } else { "speed = 0\n" };
        let retries = "[defaults]\nretries = { attempts = 2, base = \"1ms\", max_wait = \"20ms\" }\n";
        let simulated = format!("{retries}[simulated]\n{speed}{simulated}");
        let spec = providers::parse(&[("providers.toml", &simulated)]).unwrap();
        let options = LedgerOptions::new(folder.path().join("ledger.db"));
        let (ledger, found) = Ledger::open(options).unwrap();
        let spec_of_policy = policy.spec(&names);
        let at = now();
        let policy = Policy { version: found.policy.map_or(1, |stored| stored.version + 1), ..policy };
        let version = policy.version;
        let live = Arc::new(Live::new(LiveSetup {
            policy,
            names,
            classifier: Arc::new(Classifier::builtin()),
            book: prices::resolve("list", None).unwrap(),
            next_seq: found.next_seq,
            at,
            who: "test".to_owned(),
            gateway: String::new(),
        }));
        let (send, lines) = channel();
        live.follow(Box::new(move |line| send.send(Arc::clone(line)).is_ok()));
        let gateway = Arc::new(Gateway::new(Parts {
            live,
            providers: Arc::new(Providers::build(&spec, &from_system, std::time::Instant::now()).unwrap()),
            ledger,
            access: Access::open(folder.path().join("keys.toml")).unwrap(),
            settings,
            keeps_ledger: true,
            on_apply: None,
            limits: pointsman::gateway::Limits::default(),
            bills_beside: None,
            tariff: pointsman::gateway::Tariff::default(),
            caching: pointsman::prompt_cache::Rules::default(),
        }));
        gateway.record_start(&spec_of_policy, version, at, found.next_seq);
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(Server::bind(Arc::clone(&gateway), "127.0.0.1:0")).unwrap();
        let address = server.address();
        let (stop, stopped) = watch::channel(false);
        let done = runtime.spawn(server.run(stopped));
        Self { runtime, gateway, address, lines, stop, done }
    }

    /// Ends it as a signal would, and writes the ledger to its end.
    fn close(self) {
        self.stop.send(true).unwrap();
        assert_eq!(self.runtime.block_on(self.done).unwrap(), 0, "requests did not finish");
        let ledger = self.gateway.ledger().clone();
        drop(self.runtime);
        ledger.close().unwrap();
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut line = TcpStream::connect(self.address).unwrap();
        line.write_all(request(method, path, headers, body).as_bytes()).unwrap();
        Answer::read(&mut line)
    }

    fn chat(&self, model: &str, prompt: &str, stream: bool, team: &str) -> Answer {
        let body =
            json!({ "model": model, "stream": stream, "messages": [{ "role": "user", "content": prompt }] });
        self.ask("POST", "/v1/chat/completions", &[("pointsman-team", team)], &body.to_string())
    }

    /// Waits for the next finished request in the live log.
    fn finished(&self) -> Value {
        loop {
            let line: Value = serde_json::from_str(&self.lines.recv().unwrap()).unwrap();
            if line.get("id").is_some() {
                return line;
            }
        }
    }
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let headers =
        headers.iter().fold(String::new(), |text, (name, value)| text + name + ": " + value + "\r\n");
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// An answer with its head; the connection stays open.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// Reads to the end that the head announces.
    fn read(line: &mut TcpStream) -> Self {
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            let text = String::from_utf8_lossy(&seen);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let is_whole = match length {
                    Some(length) => body.len() >= length.parse().unwrap(),
                    None => body.ends_with("0\r\n\r\n"),
                };
                if is_whole {
                    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                    return Self { status, head: head.to_lowercase(), body: body.to_owned() };
                }
            }
            let count = line.read(&mut buffer).unwrap();
            assert!(count > 0, "the connection ended: {}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&buffer[..count]);
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Names with their sums, so that two runs that met them in another order compare.
fn by_name(totals: &Totals, names: &Names) -> BTreeMap<String, Vec<String>> {
    let figures = |cell: &Cell| {
        vec![format!(
            "{} {} {} {} {:?} {:?} {:?} {:?}",
            cell.requests,
            cell.attempts,
            cell.errors,
            cell.escalated,
            cell.tokens,
            cell.cost,
            cell.baseline,
            cell.compared
        )]
    };
    let mut found = BTreeMap::from([("all".to_owned(), figures(&totals.all))]);
    for (at, cell) in totals.models.iter().enumerate().filter(|(_, cell)| cell.attempts > 0) {
        found.insert(format!("model {}", names.models()[at]), figures(cell));
    }
    for (at, cell) in totals.teams.0.iter().enumerate().filter(|(_, cell)| cell.requests > 0) {
        found.insert(format!("team {}", names.team(TeamId(u16::try_from(at).unwrap()))), figures(cell));
    }
    for (at, cell) in totals.routes.iter().enumerate() {
        found.insert(format!("route {at}"), figures(cell));
    }
    found
}

fn ingest(names: Names) -> Ingest {
    Ingest::new(names, Classifier::builtin(), &IngestOptions::default())
}

fn raised(spec: &PolicySpec) -> PolicySpec {
    let mut spec = spec.clone();
    spec.routes[1].ladder[0].threshold = Some(880);
    spec.routes[0].ladder[0].threshold = Some(0);
    spec
}

#[test]
fn a_live_session_is_its_replay_in_totals_and_in_every_decision() {
    let folder = tempfile::tempdir().unwrap();
    let faults = "rate_limited = 150\nserver_error = 150\ncut = 100\nwords = 12\n";
    let sandbox = Sandbox::open(&folder, setting(""), faults);
    let prompts = [
        "Is this review positive or negative? 'Great product.' Answer with one word.",
        "Prove that the square root of two is irrational, and discuss every step in depth.",
        "Extract the invoice number from: INV-2291, due 14 March.",
        "hello",
        "Write a Rust program that balances a red-black tree without unsafe code.",
    ];
    let models = ["auto", "auto/rest", "auto", "gpt-4.1", "auto/daily", "claude-opus-4-6", "auto"];
    let mut decided = BTreeMap::new();
    for at in 0..160 {
        if at == 80 {
            let (_, spec) = sandbox.gateway.live().policy_spec();
            sandbox.gateway.apply(&raised(&spec), "test", Deed::Change("raised")).unwrap();
        }
        // Every prompt is another one, or every one would meet the same faults.
        let prompt = format!("{} ({at})", prompts[at % 5]);
        let answer = sandbox.chat(models[at % 7], &prompt, at % 3 == 0, ["search", "payments"][at % 2]);
        let line = sandbox.finished();
        let id = line["id"].as_str().unwrap().to_owned();
        assert_eq!(answer.header("pointsman-operation"), Some(id.as_str()));
        let text = |name| answer.header(name).unwrap().to_owned();
        decided.insert(id, (text("pointsman-rung"), text("pointsman-model"), text("pointsman-policy")));
    }
    let (live, names) = sandbox.gateway.live().snapshot();
    let live_totals = by_name(&live.totals, &names);
    assert!(live.totals.all.escalated > 5 && live.totals.all.errors > 0, "the traffic is too tame");
    sandbox.close();

    let mut exported = Vec::new();
    ledger::export(&folder.path().join("ledger.db"), &Range::default(), &mut exported).unwrap();
    let input = Input::bytes("ledger", exported);
    let book = prices::resolve("list", None).unwrap();
    for reading in [Reading::Recorded, Reading::Routed] {
        let mut names = Names::default();
        let policy = Arc::new(policy::parse(POLICY, "test", &mut names).unwrap());
        let source = record::open(&input, &ReadOptions { strict: true, ..ReadOptions::default() }).unwrap();
        let options = StreamOptions::from(reading);
        let found = stream(source, ingest(names), &policy, &book, &options, |_| true).unwrap();
        assert_eq!(by_name(&found.totals, &found.names), live_totals, "{reading:?}");
    }
    let mut names = Names::default();
    let policy = Arc::new(policy::parse(POLICY, "test", &mut names).unwrap());
    let source = record::open(&input, &ReadOptions::default()).unwrap();
    let log = Log::load("ledger".into(), source, ingest(names), policy, &book, |_| true).unwrap();
    assert_eq!(log.len(), decided.len());
    for at in 0..log.len() {
        let span = log.policies.iter().rev().find(|span| span.from <= at);
        let policy = span.map_or(&log.policy, |span| &span.policy);
        let told = explain(&log, at, policy).unwrap();
        let (rung, model, version) = &decided[&told.id];
        let ladder = &policy.route(told.route).ladder;
        let replayed = ladder.get(usize::from(told.routed.rung)).map(|rung| rung.name.to_string());
        let replayed_model = log.names.model(told.routed.model);
        assert_eq!((replayed.as_deref().unwrap_or(replayed_model), replayed_model), (&**rung, &**model));
        assert_eq!(policy.version.to_string(), *version, "{}", told.id);
        assert_eq!(told.routed.cost, told.recorded.cost, "{}", told.id);
    }
}

#[test]
fn nothing_more_is_bought_for_a_client_that_left() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox =
        Sandbox::open(&folder, setting(""), "speed = 100\nfirst_byte = \"200ms\"\nserver_error = 1000\n");
    let body = json!({ "model": "auto", "messages": [{ "role": "user", "content": "hello" }] }).to_string();
    let mut line = TcpStream::connect(sandbox.address).unwrap();
    line.write_all(request("POST", "/v1/chat/completions", &[], &body).as_bytes()).unwrap();
    while sandbox.gateway.live().open() == 0 {
        std::thread::yield_now();
    }
    drop(line);
    let told = sandbox.finished();
    // The call under way is read to its end; neither is it tried again nor does the next rung hear of it.
    let text = told.to_string();
    assert!(text.contains("cancelled") && text.contains("the client went away"), "{text}");
    assert!(!text.contains("gemini") && !text.contains("opus"), "{text}");
    sandbox.close();
}

#[test]
fn a_connection_may_idle_longer_than_a_head_may_take() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::open(&folder, setting("[limits]\nheader-seconds = 1"), "");
    let mut idle = TcpStream::connect(sandbox.address).unwrap();
    let ping = request("GET", "/v1/models", &[], "");
    idle.write_all(ping.as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut idle).status, 200);
    // Two that are slow, one after the other: each is cut off by the limit that the first one outlives.
    for beginning in ["GET /v1/models HTT", ""] {
        let mut slow = TcpStream::connect(sandbox.address).unwrap();
        slow.write_all(beginning.as_bytes()).unwrap();
        let mut rest = String::new();
        let _ = slow.read_to_string(&mut rest);
    }
    idle.write_all(ping.as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut idle).status, 200);
    // One request after another without waiting for answers.
    idle.write_all([ping.as_bytes(), ping.as_bytes()].concat().as_slice()).unwrap();
    let mut seen = String::new();
    let mut buffer = [0; 8192];
    while seen.matches("HTTP/1.1 200").count() < 2 {
        let count = idle.read(&mut buffer).unwrap();
        assert!(count > 0, "cut off: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    drop(idle);
    sandbox.close();
}

#[test]
fn a_reader_whose_key_is_taken_back_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let keys = KeyFile::at(folder.path().join("keys.toml"));
    let new = |name: &str, scope| NewKey {
        name: name.to_owned(),
        scopes: Scopes::default().with(scope),
        ..NewKey::default()
    };
    let (_, secret) = access::add(&keys, new("watcher", Scope::Read), now()).unwrap();
    let (_, other) = access::add(&keys, new("sender", Scope::Route), now()).unwrap();
    let sandbox = Sandbox::open(&folder, setting(""), "");
    let feed = |secret: &access::Secret| {
        let mut line = TcpStream::connect(sandbox.address).unwrap();
        let bearer = format!("Bearer {}", reveal(secret));
        let ask = request("GET", "/operator/v1/feed", &[("authorization", &bearer)], "");
        line.write_all(ask.as_bytes()).unwrap();
        line
    };
    assert_eq!(Answer::read(&mut feed(&other)).status, 403);
    let mut line = feed(&secret);
    let mut buffer = [0; 4096];
    let count = line.read(&mut buffer).unwrap();
    assert!(buffer[..count].starts_with(b"HTTP/1.1 200"));
    access::revoke(&keys, "watcher", now()).unwrap();
    // To the end of the connection: nothing but the revocation ends it.
    while line.read(&mut buffer).is_ok_and(|count| count > 0) {}
    assert_eq!(Answer::read(&mut feed(&secret)).status, 401);
    sandbox.close();
}

#[test]
fn a_reader_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::open(&folder, setting("drain-seconds = 100000"), "");
    let mut line = TcpStream::connect(sandbox.address).unwrap();
    line.write_all(request("GET", "/operator/v1/feed", &[], "").as_bytes()).unwrap();
    let mut first = [0; 64];
    assert!(line.read(&mut first).unwrap() > 0);
    let reading = std::thread::spawn(move || {
        let mut rest = String::new();
        line.read_to_string(&mut rest).map(|_| rest)
    });
    sandbox.close();
    let told = reading.join().unwrap().unwrap();
    assert!(told.ends_with("0\r\n\r\n"), "the feed broke off: {told}");
}

#[test]
fn judgements_reach_operations_of_earlier_runs_and_no_other_teams() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::open(&folder, setting(""), "");
    let answer = sandbox.chat("auto", "hello", false, "search");
    let id = answer.header("pointsman-operation").unwrap().to_owned();
    let body = json!({ "operation": id, "quality": 0.75 }).to_string();
    assert_eq!(sandbox.ask("POST", "/v1/feedback", &[], &body).status, 200);
    sandbox.close();

    let keys = KeyFile::at(folder.path().join("keys.toml"));
    let key = |team: &str| {
        let new = NewKey {
            name: team.to_owned(),
            team: team.to_owned(),
            scopes: Scopes::default().with(Scope::Route),
            ..NewKey::default()
        };
        let (_, secret) = access::add(&keys, new, now()).unwrap();
        format!("Bearer {}", reveal(&secret))
    };
    let (search, payments) = (key("search"), key("payments"));
    let sandbox = Sandbox::open(&folder, setting(""), "");
    let judge = |key: &str, body: &str| sandbox.ask("POST", "/v1/feedback", &[("authorization", key)], body);
    let judged = judge(&search, &body);
    assert_eq!(judged.status, 200, "{}", judged.body);
    assert_eq!(judged.json()["model"], answer.header("pointsman-model").unwrap());
    assert_eq!(judge(&payments, &body).status, 404);
    assert_eq!(judge(&search, r#"{"operation":"op-none","good":true}"#).status, 404);
    sandbox.close();
    let mut log = Vec::new();
    ledger::export(&folder.path().join("ledger.db"), &Range::default(), &mut log).unwrap();
    assert!(String::from_utf8(log).unwrap().contains("750"), "the judgement is not in the log");
}

#[test]
fn what_is_asked_wrongly_is_told_how_to_ask() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::open(&folder, setting(""), "");
    for (method, path, status, allow) in [
        ("OPTIONS", "/v1/chat/completions", 405, Some("post")),
        ("GET", "/v1/messages", 405, Some("post")),
        ("POST", "/v1/models", 405, Some("get, head")),
        ("DELETE", "/operator/v1/policy", 405, Some("get, post")),
        ("GET", "/v1/nothing", 404, None),
        ("GET", "/v1/models/auto%2Fdaily", 200, None),
        ("GET", "/v1/models/auto/daily/", 200, None),
        ("GET", "/healthz", 200, None),
        ("POST", "/v1/chat/completions/", 400, None),
    ] {
        let answer = sandbox.ask(method, path, &[], "");
        assert_eq!((answer.status, answer.header("allow")), (status, allow), "{method} {path}");
        assert!(status == 200 || !answer.json()["error"]["message"].as_str().unwrap().is_empty());
    }
    sandbox.close();
}
