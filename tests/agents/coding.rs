//! Coding agents run tool loops: the model calls a tool, the agent executes it and says what came of it, the model ends.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::front::{Front, Row, Sandbox, Setup};
use crate::kit::{FILE, Home, Kit, events};
use crate::model_server::{MODEL, ModelServer};
use crate::{isolation, kit};

const PROMPT: &str = "List the files in this folder with one of your tools, then tell me their names.";

/// How long one run may take on a busy machine.
const SECONDS: u32 = 180;

/// Goes on with the same conversation.
const AGAIN: &str = "Which of them is the oldest?";

/// What an agent did, in words of its own events.
struct Told {
    /// What came of the tool calls that it executed and that went well.
    results: Vec<String>,
    /// What it said at the end.
    text: String,
}

/// Settings of a gateway as it is without keys: the policy it comes with, everything simulated, and at once.
pub(crate) fn keyless(providers: &str) -> Setup {
    let mut setup = Setup::of("http://127.0.0.1:9");
    setup.providers = format!("{providers}\n[simulated]\nspeed = 0\n");
    include_str!("../../config/policy.toml").clone_into(&mut setup.policy);
    setup
}

/// Serves whoever `drive` starts on the simulator, in a namespace of its own; gives what the ledger says afterwards.
pub(crate) fn on_simulator(test: &str, drive: impl Fn(&Kit, &Front<'_>)) -> Vec<Row> {
    serve(test, |_| None, drive)
}

/// Likewise on llama.cpp with a tiny model.
pub(crate) fn on_model_server(test: &str, drive: impl Fn(&Kit, &Front<'_>)) -> Vec<Row> {
    serve(test, |kit| Some(ModelServer::start(kit)), drive)
}

fn serve(
    test: &str,
    server: impl Fn(&Kit) -> Option<ModelServer>,
    drive: impl Fn(&Kit, &Front<'_>),
) -> Vec<Row> {
    let Some(kit) = Kit::find() else { return Vec::new() };
    if !isolation::inside(test) {
        return Vec::new();
    }
    let server = server(&kit);
    let setup = keyless(&server.as_ref().map(ModelServer::providers).unwrap_or_default());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    drive(&kit, &front);
    let rows = front.settle();
    assert!(!rows.is_empty(), "nothing came through the gateway");
    rows
}

/// Every call of a loop was answered, and its usage was told.
fn all_is_settled(rows: &[Row]) {
    for row in rows {
        assert_eq!((row.operation_status.as_str(), row.status.as_str()), ("ok", "ok"), "{row:#?}");
        assert!(!row.estimated && row.input.is_some_and(|input| input > 0), "{row:#?}");
    }
}

/// Runs an agent for each model, each time with at least two calls, and sees what the ledger has of it.
fn loops(models: &[&str], rows: impl FnOnce() -> Vec<Row>) {
    let rows = rows();
    if rows.is_empty() {
        return;
    }
    assert!(rows.len() >= 2 * models.len(), "not every run came back with a tool's result: {rows:#?}");
    all_is_settled(&rows);
}

fn check(agent: &str, model: &str, told: &Told, events: &[Value]) {
    let shown = || events.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let seen = told.results.iter().any(|result| result.contains(FILE));
    assert!(seen, "{agent} on {model} executed no tool that lists files:\n{}", shown());
    // The simulator mentions what the tool gave; the tiny model knows one word.
    let ends = told.text.contains(FILE) || told.text.contains("PONG");
    assert!(ends, "{agent} on {model} did not say what came of it, but {:?}:\n{}", told.text, shown());
}

// ------------------------------------------------------------------------------------------------------- Claude Code

/// Has Claude Code list files and go on; it takes its own default where no model is named.
fn claude_code(kit: &Kit, front: &Front<'_>, model: &str) {
    let home = Home::new();
    let events = ask_claude_code(kit, front, &home, model, &[PROMPT]);
    let messages = events.iter().filter(|event| event["type"] == "user");
    let blocks = messages.filter_map(|event| event["message"]["content"].as_array()).flatten();
    let results = blocks.filter(|block| block["type"] == "tool_result" && block["is_error"] != true);
    let results = results.map(|block| block["content"].to_string()).collect();
    check("Claude Code", model, &Told { results, text: end_of_claude_code(&events) }, &events);
    let events = ask_claude_code(kit, front, &home, model, &[AGAIN, "--continue"]);
    assert!(!end_of_claude_code(&events).is_empty(), "Claude Code on {model} did not go on: {events:#?}");
}

fn ask_claude_code(kit: &Kit, front: &Front<'_>, home: &Home, model: &str, args: &[&str]) -> Vec<Value> {
    // The package's own command wants its install script; the program itself does not.
    let program = kit.program(&["node_modules/@anthropic-ai/claude-code-linux-x64/claude"]);
    let mut command = home.command(kit, SECONDS, &program);
    command.arg("-p").args(args).args(["--output-format", "stream-json", "--verbose"]);
    command.args(["--allowedTools", "Read", "Glob", "Grep", "LS", "Bash"]);
    if model != "default" {
        command.args(["--model", model]);
    }
    command
        .env("ANTHROPIC_BASE_URL", front.url())
        .env("ANTHROPIC_AUTH_TOKEN", "none")
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env("DISABLE_AUTOUPDATER", "1")
        .env("DISABLE_TELEMETRY", "1");
    run(&mut command, front)
}

fn end_of_claude_code(events: &[Value]) -> String {
    let end = events.iter().rfind(|event| event["type"] == "result");
    let end = end.unwrap_or_else(|| panic!("no result: {events:#?}"));
    assert_eq!(end["is_error"], false, "{end:#}");
    end["result"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn claude_code_runs_a_tool_loop_on_the_simulator() {
    const MODELS: [&str; 5] = ["default", "opus", "sonnet", "auto", "gpt-4.1"];
    let name = "coding::claude_code_runs_a_tool_loop_on_the_simulator";
    loops(&MODELS, || {
        on_simulator(name, |kit, front| {
            for model in MODELS {
                claude_code(kit, front, model);
            }
        })
    });
}

#[test]
fn claude_code_runs_a_tool_loop_on_a_model_server() {
    // Translated; and passed on to the server's own Messages API.
    const MODELS: [&str; 2] = [MODEL, "default"];
    let name = "coding::claude_code_runs_a_tool_loop_on_a_model_server";
    loops(&MODELS, || {
        on_model_server(name, |kit, front| {
            for model in MODELS {
                claude_code(kit, front, model);
            }
        })
    });
}

// ------------------------------------------------------------------------------------------------------------- Codex

/// Has Codex list files and go on, over the Responses API; it takes its own default where no model is named.
fn codex(kit: &Kit, front: &Front<'_>, model: &str) {
    let home = Home::new();
    let events = ask_codex(kit, front, &home, model, &[PROMPT]);
    let items = completed(&events);
    let ran = items.iter().filter(|item| item["type"] == "command_execution" && item["exit_code"] == 0);
    let results = ran.map(|item| item["aggregated_output"].to_string()).collect();
    check("Codex", model, &Told { results, text: said_by_codex(&items) }, &events);
    let events = ask_codex(kit, front, &home, model, &["resume", "--last", AGAIN]);
    assert!(!said_by_codex(&completed(&events)).is_empty(), "Codex on {model} did not go on: {events:#?}");
}

fn ask_codex(kit: &Kit, front: &Front<'_>, home: &Home, model: &str, args: &[&str]) -> Vec<Value> {
    let mut command = home.command(kit, SECONDS, Path::new("codex"));
    // Its sandbox needs what a container seldom allows; there is nothing here that a listing of files could harm.
    command.args(["exec", "--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]);
    let url = front.url();
    let provider = format!(
        "model_providers.gateway={{name=\"gateway\",base_url=\"{url}/v1\",env_key=\"GATEWAY_KEY\",wire_api=\"responses\"}}"
    );
    command.args(["-c", "model_provider=gateway", "-c", &provider]);
    if model != "default" {
        command.args(["-m", model]);
    }
    command.args(args).env("GATEWAY_KEY", "none");
    let events = run(&mut command, front);
    assert!(events.iter().any(|event| event["type"] == "turn.completed"), "the turn failed: {events:#?}");
    events
}

fn completed(events: &[Value]) -> Vec<&Value> {
    events.iter().filter(|event| event["type"] == "item.completed").map(|event| &event["item"]).collect()
}

fn said_by_codex(items: &[&Value]) -> String {
    let last = items.iter().rfind(|item| item["type"] == "agent_message");
    last.and_then(|item| item["text"].as_str()).unwrap_or_default().to_owned()
}

#[test]
fn codex_runs_a_tool_loop_on_the_simulator() {
    const MODELS: [&str; 5] = ["default", "gpt-5.5", "gpt-4.1", "claude-opus-4-6", "auto"];
    let name = "coding::codex_runs_a_tool_loop_on_the_simulator";
    loops(&MODELS, || {
        on_simulator(name, |kit, front| {
            for model in MODELS {
                codex(kit, front, model);
            }
        })
    });
}

#[test]
fn codex_runs_a_tool_loop_on_a_model_server() {
    // Translated; and passed on to the server's own Responses API.
    const MODELS: [&str; 2] = [MODEL, "gpt-4.1"];
    let name = "coding::codex_runs_a_tool_loop_on_a_model_server";
    loops(&MODELS, || {
        on_model_server(name, |kit, front| {
            for model in MODELS {
                codex(kit, front, model);
            }
        })
    });
}

// ---------------------------------------------------------------------------------------------------------- opencode

/// Asks opencode, which speaks to `gateway` in the dialect of an AI SDK package.
fn opencode(kit: &Kit, front: &Front<'_>, package: &str, model: &str) {
    let home = Home::new();
    let provider = serde_json::json!({
        "npm": package,
        "name": "gateway",
        "options": { "baseURL": format!("{}/v1", front.url()), "apiKey": "none" },
        "models": { model: { "tool_call": true, "limit": { "context": 100_000, "output": 4_000 } } },
    });
    let model = format!("gateway/{model}");
    let settings =
        serde_json::json!({ "model": model, "small_model": model, "provider": { "gateway": provider } });
    home.write("opencode.json", &settings.to_string());
    // The package that is only the program; the one around it wants its install script.
    let program = kit.program(&["node_modules/opencode-linux-x64/bin/opencode"]);
    let mut command = home.command(kit, SECONDS, &program);
    command
        .args(["run", "--format", "json", PROMPT])
        .env("OPENCODE_DISABLE_AUTOUPDATE", "1")
        .env("OPENCODE_DISABLE_MODELS_FETCH", "1");
    let events = run(&mut command, front);
    let parts = || events.iter().map(|event| (event["type"].as_str(), &event["part"]));
    let results = parts()
        .filter(|(kind, part)| *kind == Some("tool_use") && part["state"]["status"] == "completed")
        .map(|(_, part)| part["state"]["output"].to_string())
        .collect();
    let text = parts().rfind(|(kind, _)| *kind == Some("text")).and_then(|(_, part)| part["text"].as_str());
    let text = text.unwrap_or_default().to_owned();
    check("opencode", &model, &Told { results, text }, &events);
}

const PACKAGES: [&str; 3] = ["@ai-sdk/openai-compatible", "@ai-sdk/openai", "@ai-sdk/anthropic"];

#[test]
fn opencode_runs_a_tool_loop_on_the_simulator() {
    let name = "coding::opencode_runs_a_tool_loop_on_the_simulator";
    loops(&PACKAGES, || {
        on_simulator(name, |kit, front| {
            for package in PACKAGES {
                opencode(kit, front, package, "auto");
            }
        })
    });
}

#[test]
fn opencode_runs_a_tool_loop_on_a_model_server() {
    let name = "coding::opencode_runs_a_tool_loop_on_a_model_server";
    loops(&PACKAGES, || {
        on_model_server(name, |kit, front| {
            for package in PACKAGES {
                opencode(kit, front, package, MODEL);
            }
        })
    });
}

fn run(command: &mut Command, front: &Front<'_>) -> Vec<Value> {
    let run = command.output().unwrap();
    if !run.status.success() {
        println!("the gateway said:\n{}", front.said());
    }
    kit::must(&run);
    events(&run)
}
