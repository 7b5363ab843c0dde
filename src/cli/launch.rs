//! `pointsman launch`: an agent started on a running gateway.
//!
//! Invariants: nothing is written, all is told by environment and flags, and ends with the agent; the agent takes this
//! program's place, so that signals and exit code are its own; keys of providers do not go with it.

use std::fmt::Write as _;
use std::process::Command;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;

use super::output;
use crate::app::{AttachOptions, greet};

/// Where a client's key is taken from, where the gateway asks for one.
pub(super) const KEY: &str = "POINTSMAN_CLIENT_KEY";
/// What stands in a key's place where the gateway asks for none: agents want something there.
const NO_KEY: &str = "none";

/// Starts an agent that is pointed at a running gateway.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman launch claude\n  pointsman launch codex exec \"explain this repository\"\n  pointsman launch opencode run hello\n  pointsman launch -- python my_agent.py\n  pointsman launch --print claude\n\nNo file is changed: the agent is told by environment and flags, and without `pointsman launch` it is as it was. A key that the gateway asks for is taken from POINTSMAN_CLIENT_KEY."
)]
pub struct LaunchArgs {
    /// The gateway's address.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4141")]
    url: String,
    /// The model that the agent asks for: auto lets the gateway choose. The agent's own choice where absent.
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Show what would be set and started, and start nothing.
    #[arg(long)]
    print: bool,
    /// claude, codex or opencode, or any command behind `--`; what follows goes to it as it is.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "AGENT|CMD")]
    command: Vec<String>,
}

/// How something is started.
#[derive(Debug, Default, PartialEq, Eq)]
struct Start {
    program: String,
    args: Vec<String>,
    set: Vec<(&'static str, String)>,
}

/// What must not reach an agent: it would go past the gateway, or have a provider's key.
const UNSET: &[&str] = &[
    "ANTHROPIC_API_KEY",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "OPENAI_API_KEY",
    "CODEX_API_KEY",
    "GEMINI_API_KEY",
    "MISTRAL_API_KEY",
];

/// Runs the subcommand.
///
/// # Errors
/// Where nothing listens at the address, something else does, or the command cannot be started.
pub fn run(args: &LaunchArgs) -> anyhow::Result<()> {
    let key = std::env::var(KEY).ok().filter(|key| !key.is_empty());
    let url = args.url.trim_end_matches('/');
    let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    if args.print {
        // A key is not shown: whoever runs this has it in his environment.
        let shown = key.as_ref().map_or_else(|| NO_KEY.to_owned(), |_| format!("${KEY}"));
        return output::text(&printed(&start(&args.command, &url, args.model.as_deref(), &shown)?));
    }
    let present = greet(&AttachOptions { url, key: key.clone() })?;
    let key = key.as_deref().unwrap_or(NO_KEY);
    let start = start(&args.command, &present.url, args.model.as_deref(), key)?;
    let mut command = Command::new(&start.program);
    command.args(&start.args).env_remove(KEY);
    for name in UNSET {
        command.env_remove(name);
    }
    // Set last: an agent may want the gateway's key where a provider's was.
    command.envs(start.set.iter().map(|(name, value)| (name, value)));
    become_it(command).with_context(|| {
        format!(
            "cannot start {}\nhint: name claude, codex, opencode or any program that is installed here",
            start.program
        )
    })
}

/// Puts the command in this program's place.
#[cfg(unix)]
fn become_it(mut command: Command) -> anyhow::Result<()> {
    use std::os::unix::process::CommandExt as _;
    // It comes back only where it failed.
    Err(command.exec().into())
}

/// Runs the command to its end, and ends as it did.
#[cfg(not(unix))]
fn become_it(mut command: Command) -> anyhow::Result<()> {
    let status = command.status()?;
    std::process::exit(status.code().unwrap_or(1))
}

fn start(words: &[String], url: &str, model: Option<&str>, key: &str) -> anyhow::Result<Start> {
    let Some((program, args)) = words.split_first() else { bail!("name an agent, or a command behind --") };
    let v1 = format!("{url}/v1");
    let own = args.to_vec();
    let mut start = Start { program: program.clone(), args: own.clone(), ..Start::default() };
    match program.as_str() {
        "claude" => {
            start.set =
                vec![("ANTHROPIC_BASE_URL", url.to_owned()), ("ANTHROPIC_AUTH_TOKEN", key.to_owned())];
            start.set.extend(model.map(|model| ("ANTHROPIC_MODEL", model.to_owned())));
        }
        "codex" => {
            let text = |text: &str| toml::Value::from(text).to_string();
            let provider = format!(
                "model_providers.pointsman={{name=\"pointsman\",base_url={},env_key=\"POINTSMAN_AGENT_KEY\",wire_api=\"responses\"}}",
                text(&v1)
            );
            let flags = ["-c", "model_provider=\"pointsman\"", "-c", &provider].map(str::to_owned);
            let model = model.map(|model| ["-c".to_owned(), format!("model={}", text(model))]);
            start.args = flags.into_iter().chain(model.into_iter().flatten()).chain(own).collect();
            start.set = vec![("POINTSMAN_AGENT_KEY", key.to_owned())];
        }
        "opencode" => {
            let model = model.unwrap_or("auto");
            let provider = json!({
                "npm": "@ai-sdk/openai-compatible",
                "name": "Pointsman",
                "options": { "baseURL": v1, "apiKey": key },
                "models": { model: { "name": model, "tool_call": true } },
            });
            let named = format!("pointsman/{model}");
            let settings =
                json!({ "model": named, "small_model": named, "provider": { "pointsman": provider } });
            start.set = vec![("OPENCODE_CONFIG_CONTENT", settings.to_string())];
        }
        _ => {
            start.set = vec![
                ("ANTHROPIC_BASE_URL", url.to_owned()),
                ("ANTHROPIC_AUTH_TOKEN", key.to_owned()),
                ("OPENAI_BASE_URL", v1.clone()),
                ("OPENAI_API_BASE", v1),
                ("OPENAI_API_KEY", key.to_owned()),
                ("GOOGLE_GEMINI_BASE_URL", url.to_owned()),
                ("GEMINI_API_KEY", key.to_owned()),
            ];
            if model.is_some() {
                bail!(
                    "--model is for claude, codex and opencode; {program} is told its model in its own way"
                );
            }
        }
    }
    Ok(start)
}

/// Writes a start as a shell would be told it; a key stands as the variable that has it.
fn printed(start: &Start) -> String {
    let variable = format!("${KEY}");
    let quoted = |word: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@".contains(c);
        if word == variable || (!word.is_empty() && word.chars().all(is_plain)) {
            return word.to_owned();
        }
        // The variable is to be read also where it stands within something else.
        let quoted = format!("'{}'", word.replace('\'', "'\\''"));
        quoted.replace(&variable, &format!("'\"{variable}\"'"))
    };
    let mut text = String::new();
    for name in UNSET {
        let _ = writeln!(text, "unset {name}");
    }
    for (name, value) in &start.set {
        let _ = writeln!(text, "export {name}={}", quoted(value));
    }
    let words: Vec<String> =
        std::iter::once(&start.program).chain(&start.args).map(|word| quoted(word)).collect();
    text + &words.join(" ") + "\n"
}
