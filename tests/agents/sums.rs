//! What coding agents have spent, beside what `ccusage` makes of the same sessions: equal where that is right, and right
//! where it is known to be wrong (answers without a request, equal turns of two sub-agents, forks of opencode, a session of
//! Gemini CLI that goes on in another file).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::kit::{Kit, must};

const LONE: &str = "22222222-0000-4000-8000-000000000002.jsonl";
const BOB: &str = "rollout-2026-05-23T09-00-01-01900000-cccc-7000-8000-000000000003.jsonl";
const FORK: &str = "ses_b";
const FIRST_HALF: &str = "session-2026-05-23T13-00-gggggggg.json";

/// Copies the made sessions into a home, but for what is named.
fn home(without: &[&str]) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path, without: &[&str]) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            if without.iter().any(|out| name == *out) {
                continue;
            }
            if path.is_dir() {
                copy(&path, &to.join(&name), without);
            } else {
                fs::copy(&path, to.join(&name)).unwrap();
            }
        }
    }
    let home = tempfile::tempdir().unwrap();
    copy(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/records/home"), home.path(), without);
    home
}

fn run(program: &Path, home: &Path, args: &[&str]) -> Value {
    let mut command = Command::new(program);
    command.args(args).env_clear().env("HOME", home).env("POINTSMAN_CONFIG_DIR", home.join("config"));
    serde_json::from_str(&must(&command.output().unwrap())).unwrap()
}

/// Tokens (fresh, cached, written) and micro-dollars of one agent, as we add them up.
fn ours(home: &Path, agent: &str) -> ([u64; 3], i64) {
    let report = run(Path::new(env!("CARGO_BIN_EXE_pointsman")), home, &["mine", "--format", "json"]);
    let rows = report["by_agent"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == agent).unwrap();
    assert_eq!(row["unknown_calls"], 0, "{row:#}");
    let usd: f64 = row["cost_usd"].as_str().unwrap().parse().unwrap();
    (["input", "cache_read", "cache_write"].map(|key| row[key].as_u64().unwrap()), micros(usd))
}

/// Likewise, as `ccusage` does.
fn theirs(kit: &Kit, home: &Path, agent: &str) -> ([u64; 3], i64) {
    // It comes without leave to be run: its package would give that to itself, and no package may do anything here.
    let program = home.join("ccusage");
    fs::copy(kit.program(&["node_modules/@ccusage/ccusage-linux-x64/bin/ccusage"]), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let report = run(&program, home, &[agent, "daily", "--json", "--offline"]);
    let totals = &report["totals"];
    let usd = totals["totalCost"].as_f64().or_else(|| totals["costUSD"].as_f64()).unwrap();
    let keys = ["inputTokens", "cacheReadTokens", "cacheCreationTokens"];
    (keys.map(|key| totals[key].as_u64().unwrap()), micros(usd))
}

#[expect(clippy::cast_possible_truncation, reason = "a few dollars")]
fn micros(usd: f64) -> i64 {
    (usd * 1e6).round() as i64
}

#[test]
fn sums_of_agents_logs_are_those_of_ccusage_and_right_where_that_is_wrong() {
    let Some(kit) = Kit::find() else { return };
    let whole = home(&[]);
    let right = home(&[LONE, BOB, FORK, FIRST_HALF]);
    for (agent, name) in
        [("claude", "claude-code"), ("codex", "codex"), ("opencode", "opencode"), ("gemini", "gemini-cli")]
    {
        assert_eq!(ours(right.path(), name), theirs(&kit, right.path(), agent), "{agent}");
    }
    // An answer without a request, told in three lines, is one.
    let claude = ours(whole.path(), "claude-code");
    assert_eq!(claude, ([1814, 61936, 3472], 77_586));
    assert!(theirs(&kit, whole.path(), "claude").1 > claude.1);
    // Bob's turn is none of Ada's.
    let codex = ours(whole.path(), "codex").0;
    assert_eq!(codex, [11_556, 44_544, 0]);
    assert!(theirs(&kit, whole.path(), "codex").0[1] < codex[1]);
    // A fork of opencode copies its parent's messages, a session of Gemini CLI that goes on those of its first file.
    assert_eq!(ours(whole.path(), "opencode").0, [950, 12_748, 700]);
    assert_eq!(ours(whole.path(), "gemini-cli").0, [4960, 10_240, 0]);
    assert!(theirs(&kit, whole.path(), "opencode").0[1] > 12_748);
    assert!(theirs(&kit, whole.path(), "gemini").0[1] > 10_240);
}
