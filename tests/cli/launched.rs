//! Agents started on a gateway, a first setup, and policies compared: with made-up agents, on loopback.

#![cfg(unix)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use super::json;
use super::program::Sandbox;

/// A gateway of this program, on a port of its own, ended with the test.
struct Gateway {
    child: Child,
    url: String,
}

impl Gateway {
    fn start(sandbox: &Sandbox) -> Self {
        let mut child = sandbox
            .program()
            .args(["serve", "--listen", "127.0.0.1:0", "--no-ledger"])
            .spawn()
            .expect("a gateway starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let told = lines.find_map(|line| line.ok()?.split("listening on ").nth(1).map(str::to_owned));
        let url = told.expect("an address");
        // Read on, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes an agent that tells what it was given, and ends with 7.
fn agent(sandbox: &Sandbox, name: &str) {
    sandbox.write(
        &format!("bin/{name}"),
        "#!/bin/sh\necho \"args: $*\"\nenv | sort | grep -E '^(ANTHROPIC|OPENAI|OPENCODE|POINTSMAN_AGENT|POINTSMAN_CLIENT|GEMINI)'\nexit 7\n",
    );
    let path = sandbox.path(&format!("bin/{name}"));
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("made executable");
}

/// Returns the program with agents on its path and a provider's key around it.
fn launch(sandbox: &Sandbox, args: &[&str]) -> Command {
    let mut command = sandbox.program();
    let path = format!("{}:/usr/bin:/bin", sandbox.path("bin").display());
    command.env("PATH", path).env("ANTHROPIC_API_KEY", "sk-secret").env("OPENAI_API_KEY", "sk-secret");
    command.arg("launch").args(args).stdout(Stdio::piped());
    command
}

#[test]
fn an_agent_is_pointed_at_the_gateway_and_ends_as_it_ends() {
    let sandbox = Sandbox::new();
    for name in ["claude", "codex", "opencode", "mine"] {
        agent(&sandbox, name);
    }
    let gateway = Gateway::start(&sandbox);
    let url = gateway.url.as_str();
    for (words, told) in [
        (
            &["claude", "-p", "hi there"][..],
            vec![format!("ANTHROPIC_BASE_URL={url}"), "args: -p hi there".to_owned()],
        ),
        (
            &["codex", "exec", "hi"],
            vec![format!("base_url=\"{url}/v1\""), "POINTSMAN_AGENT_KEY=none".to_owned()],
        ),
        (&["opencode", "run", "hi"], vec![format!("\"baseURL\":\"{url}/v1\""), "pointsman/auto".to_owned()]),
        (&["--", "mine", "--print"], vec![format!("OPENAI_BASE_URL={url}/v1"), "args: --print".to_owned()]),
    ] {
        let output =
            launch(&sandbox, &[&["--url", url], words].concat()).output().expect("the program starts");
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(
            output.status.code(),
            Some(7),
            "{words:?}: {out}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        for told in told {
            assert!(out.contains(&told), "{words:?}: no {told}\n{out}");
        }
        assert!(!out.contains("sk-secret"), "{words:?}: a provider's key went along\n{out}");
    }
    // A signal reaches the agent itself, which has taken the program's place.
    sandbox.write("bin/slow", "#!/bin/sh\necho up\nexec sleep 600\n");
    fs::set_permissions(sandbox.path("bin/slow"), fs::Permissions::from_mode(0o755))
        .expect("made executable");
    let mut child = launch(&sandbox, &["--url", url, "--", "slow"]).spawn().expect("the program starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    assert_eq!(line, "up\n");
    child.kill().expect("killed");
    assert_eq!(child.wait().expect("ended").code(), None, "ended by the signal");
}

#[test]
fn nothing_is_started_where_no_gateway_stands() {
    let sandbox = Sandbox::new();
    agent(&sandbox, "claude");
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address");
    let try_it = |url: &str| {
        let output = launch(&sandbox, &["--url", url, "claude"]).output().expect("the program starts");
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty(), "the agent ran");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    // Something else listens there, and is sent no key.
    let server = std::thread::spawn(move || {
        let (mut socket, _) = free.accept().expect("a connection");
        let mut seen = [0; 4096];
        let read = socket.read(&mut seen).expect("a request");
        socket
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
            .expect("an answer");
        String::from_utf8_lossy(&seen[..read]).into_owned()
    });
    let error = try_it(&format!("http://{address}"));
    assert!(error.contains("is no gateway of this program"), "{error}");
    assert!(!server.join().expect("asked").to_lowercase().contains("authorization"));
    let error = try_it(&format!("http://{address}"));
    assert!(error.contains("nothing listens at") && error.contains("pointsman serve"), "{error}");
    // What would be set is shown all the same, and a key never is.
    let shown = launch(&sandbox, &["--url", "127.0.0.1:9", "--print", "claude", "-p", "a b"])
        .env("POINTSMAN_CLIENT_KEY", "pm_secret")
        .output()
        .expect("the program starts");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("export ANTHROPIC_AUTH_TOKEN=$POINTSMAN_CLIENT_KEY"), "{shown}");
    assert!(shown.contains("unset ANTHROPIC_API_KEY") && shown.contains("claude -p 'a b'"), "{shown}");
    assert!(!shown.contains("pm_secret"), "{shown}");
}

#[test]
fn a_first_setup_looks_and_only_writes_when_told_to() {
    let sandbox = Sandbox::new();
    agent(&sandbox, "codex");
    let onboard = |args: &[&str]| {
        let mut command = sandbox.program();
        command.env("PATH", sandbox.path("bin")).env("MISTRAL_API_KEY_OF_NOBODY", "sk-secret");
        let output = command.arg("onboard").args(args).output().expect("the program starts");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{out}{err}");
        assert!(!out.contains("sk-secret"));
        out.into_owned()
    };
    let looked = onboard(&[]);
    assert!(looked.contains("OPENAI_API_KEY") && looked.contains("not set"), "{looked}");
    assert!(looked.contains("bin/codex") && looked.contains("would be written"), "{looked}");
    assert!(!sandbox.path("config/policy.toml").exists());
    let done = onboard(&["--apply"]);
    assert!(done.contains("SIMULATED") && done.contains("Leave again") && done.contains("rm "), "{done}");
    let written = sandbox.read("config/policy.toml");
    assert!(written.contains("mode = \"observe\""), "{written}");
    // What is there stays as it is.
    sandbox.write("config/policy.toml", written.replace("observe", "pinned"));
    let again = onboard(&["--apply"]);
    assert!(again.contains("stays as it is") && !again.contains("rm "), "{again}");
    assert!(sandbox.read("config/policy.toml").contains("pinned"));
}

/// Whoever tries a key that does not serve has a file written all the same, and wants to know which.
#[test]
fn a_setup_whose_check_failed_says_how_to_leave_again() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "config/providers.toml",
        "[[provider]]\nname = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\n",
    );
    let mut command = sandbox.program();
    command.env("PATH", sandbox.path("bin")).env("OPENAI_API_KEY", "sk-of-nobody");
    let output = command.args(["onboard", "--apply"]).output().expect("the program starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "{out}{err}");
    assert!(err.contains("the check failed; what was written stands"), "{err}");
    assert!(out.contains("Leave again") && out.contains("policy.toml"), "{out}");
    assert!(!out.contains("Go on") && !out.contains("sk-of-nobody"), "{out}");
}

const POLICY: &str = "name = \"house\"\nbaseline = \"gpt-4.1\"\n[[route]]\nname = \"extraction\"\nmatch.task = [\"extraction\"]\nladder = [{ rung = \"flash\", model = \"gemini-2.5-flash\", threshold = 620 }, { model = \"gpt-4.1\" }]\n[[route]]\nname = \"rest\"\nladder = [{ model = \"gpt-4.1\" }]\n";

#[test]
fn policies_are_compared_in_the_operators_words() {
    let sandbox = Sandbox::new();
    sandbox.write("a.toml", POLICY);
    let other = POLICY
        .replace("threshold = 620", "threshold = 588")
        .replace("match.task = [\"extraction\"]", "match.task = [\"extraction\"]\nrequire = [\"zdr\"]")
        + "[model.\"gpt-4.1\"]\nlabels = [\"zdr\"]\nmax_in_flight = 4\n";
    let other = other.replace(
        "[[route]]\nname = \"rest\"",
        "[[route]]\nname = \"code\"\nmatch.task = [\"code\"]\nladder = [{ model = \"claude-opus-4-6\" }]\n[[route]]\nname = \"rest\"",
    );
    sandbox.write("b.toml", &other);
    let found = sandbox.run("policy diff a.toml b.toml --format json");
    assert_eq!(found.code, Some(1), "as diff does: {}", found.err);
    let found = json(&found.out);
    let told: Vec<_> = found["differences"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| format!("{} | {} | {}", one["setting"], one["before"], one["after"]).replace('"', ""))
        .collect();
    for wanted in [
        "route extraction · rung flash · threshold | 620 | 588",
        "route extraction · require | null | zdr",
        "route code | null | task code: claude-opus-4-6",
        "model · gpt-4.1 | null | labels zdr, max_in_flight 4",
    ] {
        assert!(told.iter().any(|one| one == wanted), "no {wanted} in {told:#?}");
    }
    assert_eq!(told.len(), 4, "{told:#?}");
    // The other way round it is taken away, and an order that changes is told.
    let table = sandbox.run("policy diff b.toml a.toml");
    assert!(
        table.out.contains("route code") && table.err.contains("4 differences"),
        "{}{}",
        table.out,
        table.err
    );
    let (first, rest) = POLICY.split_at(POLICY.find("[[route]]").expect("a route"));
    let (one, two) = rest.split_at(rest.rfind("[[route]]").expect("another"));
    // A route that takes everything can only stand last, so the two are narrowed.
    let narrow = two.replace("name = \"rest\"", "name = \"rest\"\nmatch.team = [\"x\"]");
    let last = "[[route]]\nname = \"end\"\nladder = [{ model = \"gpt-4.1\" }]\n";
    sandbox.write("c.toml", format!("{first}{one}{narrow}{last}"));
    sandbox.write("d.toml", format!("{first}{narrow}{one}{last}"));
    let moved = sandbox.run("policy diff c.toml d.toml").out;
    assert!(moved.contains("order of routes") && moved.contains("rest, extraction, end"), "{moved}");
    assert_eq!(sandbox.run("policy diff a.toml a.toml").code, Some(0));
}

#[test]
fn a_version_of_a_log_is_a_policy_too() {
    let sandbox = Sandbox::new();
    let event = |version: u32, threshold: u32| {
        format!(
            r#"{{"event":"policy","at":"2026-05-23T1{version}:00:00Z","version":{version},"name":"house","baseline":"gpt-4.1","routes":[{{"route":"rest","ladder":[{{"rung":"nano","model":"gpt-4.1-nano","threshold":{threshold}}},{{"model":"gpt-4.1"}}]}}]}}"#
        ) + "\n"
    };
    sandbox.write("log.jsonl", event(1, 700) + &event(2, 650));
    let found = sandbox.run("policy diff log.jsonl@1 log.jsonl");
    assert!(
        found.out.contains("threshold") && found.out.contains("700") && found.out.contains("650"),
        "{found:?}"
    );
    assert!(sandbox.run("policy diff log.jsonl@7 log.jsonl").err.contains("there are 1, 2"));
}

#[test]
fn a_lock_holds_until_the_policy_decides_otherwise() {
    let sandbox = Sandbox::new();
    sandbox.write("a.toml", POLICY);
    let none = sandbox.run("policy check a.toml").err;
    let (error, hint) = none.split_once("hint: ").expect("a hint");
    assert!(
        error.contains("No such file") && hint.contains("--lock") && !hint.contains("os error"),
        "{none}"
    );
    assert_eq!(sandbox.run("policy lock a.toml -o other.toml").code, Some(0));
    let meant = sandbox.run("policy check other.toml").err;
    assert!(meant.contains("policy check --lock other.toml"), "{meant}");
    assert_eq!(sandbox.run("policy lock a.toml").code, Some(0));
    // Another writing of the same is the same.
    sandbox.write("a.toml", format!("# a remark\n{}", POLICY.replace("threshold = 620", "threshold =  620")));
    let held = sandbox.run("policy check a.toml");
    assert_eq!(held.code, Some(0), "{}", held.err);
    let over = sandbox.run("policy lock a.toml -o a.toml");
    assert_eq!(over.code, Some(2), "the policy that is locked would be gone");
    assert!(sandbox.read("a.toml").starts_with("# a remark"), "{}", over.err);
    sandbox.write("a.toml", POLICY.replace("620", "500"));
    let broken = sandbox.run("policy check a.toml");
    assert_eq!(broken.code, Some(1));
    assert!(broken.out.contains("620") && broken.out.contains("500"), "{}", broken.out);
    let lock = sandbox.read("policy.lock").replace("620", "630");
    sandbox.write("policy.lock", lock);
    assert!(sandbox.run("policy check a.toml").err.contains("changed by hand"));
}
