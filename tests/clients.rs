//! The official `openai`, `anthropic` and `google-genai` packages drive the gateway: chat, streams, tools, structured output, errors,
//! leaving early. What they cannot parse, nobody's client could.
//!
//! They need Python with these packages: `POINTSMAN_CLIENTS_VENV` names a virtual environment that has them. Where it is
//! not set the tests say so and pass, unless `POINTSMAN_CLIENTS=1` insists.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's own scaffolding may fail the test"
)]

#[path = "support/front.rs"]
mod front;
#[expect(dead_code, reason = "each test target uses its own part of the harness")]
#[path = "support/upstream.rs"]
mod upstream;

use std::path::{Path, PathBuf};
use std::process::Command;

use front::{Sandbox, Setup};
use upstream::{At, Call, Fault, Reply, Told, Upstream};

/// Finds a Python that has the packages.
fn python() -> Option<PathBuf> {
    let venv = std::env::var_os("POINTSMAN_CLIENTS_VENV").map(PathBuf::from);
    let python = venv.map_or_else(|| PathBuf::from("python3"), |venv| venv.join("bin/python"));
    let found = Command::new(&python).args(["-c", "import openai, anthropic, google.genai"]).output();
    if found.is_ok_and(|run| run.status.success()) {
        return Some(python);
    }
    let insists = std::env::var_os("POINTSMAN_CLIENTS").is_some_and(|value| value == "1");
    assert!(!insists, "{} has no openai, anthropic and google-genai packages", python.display());
    println!(
        "skipped: no Python with the openai, anthropic and google-genai packages; POINTSMAN_CLIENTS_VENV may name one"
    );
    None
}

/// Does what the marker in the prompt says.
fn by_marker(call: &Call) -> Reply {
    let said = call.body.to_string();
    let marked = |marker: &str| said.contains(&format!("[[{marker}]]"));
    match () {
        () if marked("400") => Reply::status(400),
        () if marked("429") => Reply::status(429).header("retry-after-ms", "1"),
        () if marked("500") => Reply::status(500),
        () if marked("cut") => Reply::fault(At::Frame(4), Fault::Reset),
        () if marked("endless") => Reply::fault(At::Frame(4), Fault::Stall),
        () => Reply::default(),
    }
}

fn drive(script: &str) {
    let Some(python) = python() else { return };
    let upstream = Upstream::with(by_marker);
    let setup = Setup::of(&upstream.url()).gateway("on-disconnect = \"cancel\"");
    let sandbox = Sandbox::new(&setup);
    let key = sandbox.key(&["clients"]);
    let front = sandbox.serve(&setup);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let run = Command::new(python)
        .args(["-B", "-X", "utf8", script])
        .current_dir(folder)
        .env_remove("OPENAI_API_KEY")
        .env_remove("ANTHROPIC_API_KEY")
        .env_remove("GOOGLE_API_KEY")
        .env_remove("GEMINI_API_KEY")
        .env("POINTSMAN_URL", front.url())
        .env("POINTSMAN_KEY", key)
        .env("POINTSMAN_TEXT", Reply::default().whole_text())
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(
        run.status.success(),
        "{script}: {}\n{out}\n{err}\nthe gateway said:\n{}",
        run.status,
        front.said()
    );
    assert!(err.contains("Ran ") && !err.contains("Ran 0 tests"), "{err}");
    // Whoever left in the middle of a stream has left nothing behind at the provider.
    upstream.wait_idle();
    let rows = front.settle();
    let told = upstream.served().into_iter().filter(|served| matches!(served.told, Told::Counts(_)));
    let known =
        rows.iter().filter(|row| row.kind == "known" && row.input.is_some_and(|input| input > 0)).count();
    assert_eq!(
        known,
        told.count(),
        "an answer whose usage was told was not charged by it, or was charged twice"
    );
}

#[test]
fn the_openai_package_is_at_home() {
    drive("openai_client.py");
}

#[test]
fn the_anthropic_package_is_at_home() {
    drive("anthropic_client.py");
}

#[test]
fn the_google_package_is_at_home() {
    drive("google_client.py");
}
