//! Suites that others wrote, or that drive others' frameworks: a provider's conformance check, `LangChain`, litellm, AI SDK.

use std::fs::File;
use std::process::Stdio;

use crate::coding::{on_model_server, on_simulator};
use crate::front::Front;
use crate::kit::{Home, Kit, beside, must};
use crate::model_server::MODEL;

const SECONDS: u32 = 300;

/// Runs the check through tier 5; nothing may fail, and of what it leaves open only what `open` names.
fn provider_check(kit: &Kit, front: &Front<'_>, model: &str, open: &[&str]) {
    let home = Home::new();
    let program = kit.program(&["venv/bin/trustedrouter-provider-check"]);
    let base = format!("{}/v1", front.url());
    let mut command = home.command(kit, SECONDS, &program);
    command.args(["--base-url", &base, "--model", model, "--tier", "5", "--json", "-"]);
    let run = command.output().unwrap();
    let report: serde_json::Value = serde_json::from_str(&must(&run)).unwrap();
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.len() >= 20, "{report:#}");
    for check in checks {
        let id = check["id"].as_str().unwrap();
        assert!(
            check["status"] == "pass" || (check["status"] != "fail" && open.contains(&id)),
            "{model}: {check:#}"
        );
    }
}

/// Needs a catalogue on the provider's public site.
const CATALOGUE: &str = "catalog.declared-v2";
/// Asks that the pieces of a short answer come at different moments: neither the simulator at full speed nor the tiny model
/// takes long enough to tell.
const PIECEMEAL: &str = "stream.incremental-delivery";

#[test]
fn a_providers_check_passes_on_the_simulator() {
    on_simulator("suites::a_providers_check_passes_on_the_simulator", |kit, front| {
        for model in ["gpt-4.1", "claude-opus-4-6", "gemini-2.5-flash", "mistral-small-2503"] {
            provider_check(kit, front, model, &[CATALOGUE, PIECEMEAL]);
        }
    });
}

#[test]
fn a_providers_check_passes_on_a_model_server() {
    on_model_server("suites::a_providers_check_passes_on_a_model_server", |kit, front| {
        provider_check(kit, front, MODEL, &[CATALOGUE, PIECEMEAL]);
    });
}

fn frameworks(kit: &Kit, front: &Front<'_>, script: &str, models: &str) {
    let home = Home::new();
    let mut command = home.command(kit, SECONDS, &kit.python());
    let run = command
        .args(["-B", "-X", "utf8"])
        .arg(beside(script))
        .env("POINTSMAN_URL", front.url())
        .env("POINTSMAN_MODELS", models)
        // litellm's price map comes with it; it need not look for a newer one.
        .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        .output()
        .unwrap();
    must(&run);
    let err = String::from_utf8_lossy(&run.stderr);
    assert!(err.contains("Ran ") && !err.contains("Ran 0 tests"), "{err}");
}

const ONE_OF_EACH: &str = "auto gpt-4.1 claude-opus-4-6 gemini-2.5-flash mistral-small-2503";

#[test]
fn langchain_is_at_home_on_the_simulator() {
    on_simulator("suites::langchain_is_at_home_on_the_simulator", |kit, front| {
        frameworks(kit, front, "langchain_client.py", ONE_OF_EACH);
    });
}

#[test]
fn langchain_is_at_home_on_a_model_server() {
    on_model_server("suites::langchain_is_at_home_on_a_model_server", |kit, front| {
        frameworks(kit, front, "langchain_client.py", MODEL);
    });
}

#[test]
fn litellm_is_at_home_on_the_simulator() {
    on_simulator("suites::litellm_is_at_home_on_the_simulator", |kit, front| {
        frameworks(kit, front, "litellm_client.py", ONE_OF_EACH);
    });
}

#[test]
fn litellm_is_at_home_on_a_model_server() {
    on_model_server("suites::litellm_is_at_home_on_a_model_server", |kit, front| {
        frameworks(kit, front, "litellm_client.py", MODEL);
    });
}

/// The script comes over stdin, so that it finds its packages from the folder of the kit.
fn ai_sdk(kit: &Kit, front: &Front<'_>, models: &str) {
    let home = Home::new();
    let mut command = home.command(kit, SECONDS, "node".as_ref());
    let run = command
        .args(["--input-type=module", "-"])
        .current_dir(kit.folder())
        .stdin(Stdio::from(File::open(beside("ai_sdk_client.mjs")).unwrap()))
        .env("POINTSMAN_URL", front.url())
        .env("POINTSMAN_MODELS", models)
        .output()
        .unwrap();
    let out = must(&run);
    assert!(out.contains("# fail 0") && !out.contains("# pass 0"), "{out}");
}

#[test]
fn the_ai_sdk_is_at_home_on_the_simulator() {
    on_simulator("suites::the_ai_sdk_is_at_home_on_the_simulator", |kit, front| {
        ai_sdk(kit, front, ONE_OF_EACH);
    });
}

#[test]
fn the_ai_sdk_is_at_home_on_a_model_server() {
    on_model_server("suites::the_ai_sdk_is_at_home_on_a_model_server", |kit, front| {
        ai_sdk(kit, front, MODEL);
    });
}
