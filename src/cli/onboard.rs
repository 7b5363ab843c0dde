//! `pointsman onboard`: what there is on this machine, what would be set up, and how to leave again.
//!
//! Invariants: without --apply nothing is written, started or sent; a file that is there is never changed; of keys no more is
//! read than whether they are there.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::{output, serve as serving};
use crate::app::{AttachOptions, ServeOptions, Setup, SetupOptions, agent_logs, ask_once, serve};
use crate::config::providers::KeySource;
use crate::config::{policy, providers, user_dir};

/// Agents that `launch` knows, by the names of their programs.
const AGENTS: [&str; 3] = ["claude", "codex", "opencode"];

/// Finds keys and agents, sets up what is missing, and says how to leave again.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman onboard            # looks, and says what it would do\n  pointsman onboard --apply    # does it, and checks it with one request\n\nKeys are looked for by the names that providers.toml has, never printed and never copied: the gateway reads them where they are. The policy that is written only observes: every request goes to the model that its client names, and the console shows what routing would have done."
)]
pub struct OnboardArgs {
    /// Write what is missing, and check it with one request.
    #[arg(long)]
    apply: bool,
}

/// A key that a provider would read.
struct Key {
    provider: String,
    variable: String,
    is_set: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// Where settings cannot be read or written, or the check fails.
pub fn run(args: &OnboardArgs) -> anyhow::Result<()> {
    let dir = user_dir().with_context(|| {
        format!("no folder for settings is known\nhint: name one in {}", crate::config::CONFIG_DIR_VARIABLE)
    })?;
    let (keys, agents) = (keys(&dir)?, agents());
    let mut text = String::from("Keys in this environment\n");
    for Key { provider, variable, is_set } in &keys {
        let _ =
            writeln!(text, "  {variable:<22} {provider:<12} {}", if *is_set { "found" } else { "not set" });
    }
    text.push_str("\nAgents on this machine\n");
    for (name, path) in &agents {
        let found = path.as_ref().map_or_else(|| "not found".to_owned(), |path| path.display().to_string());
        let _ = writeln!(text, "  {name:<22} {found}");
    }
    for logs in agent_logs() {
        let _ = writeln!(text, "  what it spent so far: `pointsman mine` reads {}", logs.path.display());
    }
    let path = dir.join("policy.toml");
    let _ = writeln!(text, "\nSettings in {}", dir.display());
    let _ = match (path.is_file(), args.apply) {
        (true, _) => writeln!(text, "  policy.toml            is there and stays as it is"),
        (false, true) => {
            writeln!(text, "  policy.toml            written: it observes, and changes no request")
        }
        (false, false) => {
            writeln!(text, "  policy.toml            would be written: it observes, and changes no request")
        }
    };
    if keys.iter().all(|key| !key.is_set) {
        text.push_str(
            "  no key is found, so the simulator would answer; set one of the variables above, or say in providers.toml where a key is\n",
        );
    }
    output::text(&text)?;
    if !args.apply {
        return output::text(
            "\nNothing was changed. `pointsman onboard --apply` writes what is missing, and sends one request of a few tokens to see that it serves.\n",
        );
    }
    let is_written = !path.is_file();
    if is_written {
        write(&dir, &path)?;
    }
    let model = keys.iter().find(|key| key.is_set).and_then(|key| cheapest(&key.provider)).unwrap_or("auto");
    let written = is_written.then_some(path.as_path());
    match check(model) {
        Ok(found) => output::text(&format!("\nCheck: {found}\n{}", farewell(written, &agents))),
        Err(error) => {
            output::text(&format!("\n{}", leave(written)))?;
            Err(error)
        }
    }
}

/// Lists the keys that enabled providers read from the environment.
fn keys(dir: &Path) -> anyhow::Result<Vec<Key>> {
    let spec = providers::load(Some(dir))?;
    let found = spec.providers.iter().filter_map(|provider| match &provider.key {
        Some(KeySource::Env(variable)) => Some(Key {
            provider: provider.name.clone(),
            variable: variable.clone(),
            is_set: std::env::var_os(variable).is_some_and(|value| !value.is_empty()),
        }),
        _ => None,
    });
    Ok(found.collect())
}

/// Finds the agents on the path.
fn agents() -> Vec<(&'static str, Option<PathBuf>)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let find = |name: &str| {
        let names = [name.to_owned(), format!("{name}.exe"), format!("{name}.cmd")];
        std::env::split_paths(&path)
            .flat_map(|dir| names.iter().map(move |name| dir.join(name)).collect::<Vec<_>>())
            .find(|path| path.is_file())
    };
    AGENTS.into_iter().map(|name| (name, find(name))).collect()
}

/// Writes the built-in policy so that it observes.
fn write(dir: &Path, path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let head = "# Written by `pointsman onboard`. It observes: every request goes to the model that its client names. Take the next line\n# away, or write \"active\", and the ladders below decide.\nmode = \"observe\"\n\n";
    let text = format!("{head}{}", policy::BUILTIN);
    policy::parse(&text, &path.display().to_string(), &mut crate::units::Names::default())?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .with_context(|| path.display().to_string())?;
    std::io::Write::write_all(&mut file, text.as_bytes()).with_context(|| path.display().to_string())
}

/// A model of a provider that costs next to nothing for a few tokens.
fn cheapest(provider: &str) -> Option<&'static str> {
    let known = [
        ("openai", "gpt-4.1-nano"),
        ("anthropic", "claude-haiku-4-5"),
        ("google", "gemini-2.5-flash"),
        ("gemini", "gemini-2.5-flash"),
        ("mistral", "mistral-small-2503"),
    ];
    known.iter().find(|(name, _)| *name == provider).map(|(_, model)| *model)
}

/// Starts a gateway with the settings that there are now, on a port of its own and without a ledger, and sends one request.
fn check(model: &str) -> anyhow::Result<String> {
    let setup = Setup::new(&SetupOptions { prices: Some("list".to_owned()), ..SetupOptions::default() })?;
    let options =
        ServeOptions { listen: Some("127.0.0.1:0".to_owned()), no_ledger: true, ..ServeOptions::default() };
    let served = serve(setup, &options)?;
    let url = served.gateway.address().to_string();
    let key = std::env::var(super::launch::KEY).ok().filter(|key| !key.is_empty());
    let found = ask_once(&AttachOptions { url, key }, model);
    serving::end(served)?;
    found.context("the check failed; what was written stands")
}

/// Says how to go on, and how to leave again.
fn farewell(written: Option<&Path>, agents: &[(&str, Option<PathBuf>)]) -> String {
    let agent = agents.iter().find(|(_, path)| path.is_some()).map_or("claude", |(name, _)| *name);
    format!(
        "\nGo on:\n  pointsman --listen       # the gateway with its console; `pointsman serve` without\n  pointsman launch {agent}\n\n{}",
        leave(written)
    )
}

/// Says how to leave again.
fn leave(written: Option<&Path>) -> String {
    let mut text = String::from(
        "Leave again:\n  start agents without `pointsman launch`; none of their files was touched\n",
    );
    if let Some(path) = written {
        let _ = writeln!(text, "  rm {}", path.display());
    }
    text
}
