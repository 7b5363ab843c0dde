//! `pointsman config`: prints what is built in, and says where one's own files are looked for.

use clap::{Args, ValueEnum};
use std::fmt::Write as _;

use super::output;
use crate::config::{self, alerts, console, gateway, parameters, policy, providers, themes};
use crate::console::keys;
use crate::units::choice;

/// Prints built-in settings, and says where your own are looked for.
#[derive(Args, Debug)]
pub struct SettingsArgs {
    /// Print a built-in file, to be copied and changed.
    #[arg(long, value_enum, value_name = "FILE")]
    pub print: Option<File>,
    /// Print a theme.
    #[arg(long, value_name = "NAME", conflicts_with = "print")]
    pub print_theme: Option<String>,
    /// List the themes, yours after the built-in ones.
    #[arg(long, conflicts_with_all = ["print", "print_theme"])]
    pub list_themes: bool,
}

/// A file that can be printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum File {
    /// policy.toml: routes, ladders, thresholds.
    Policy,
    /// console.toml: theme, glyphs, mouse, the screen to begin with.
    Console,
    /// gateway.toml: where and how the gateway serves, limits, ledger.
    Gateway,
    /// providers.toml: who serves which model, keys, timeouts, limits.
    Providers,
    /// alerts.toml: what is told, and to whom.
    Alerts,
    /// parameters.toml: what models are known to refuse.
    Parameters,
    /// keys.toml: every action with its keys.
    Keys,
    /// classifier.toml: lexicon and weights.
    Classifier,
}

/// Runs the subcommand.
///
/// # Errors
/// Where there is no such theme.
pub fn run(args: &SettingsArgs) -> anyhow::Result<()> {
    if args.list_themes {
        let mut names: Vec<String> = themes::built_in().map(|theme| theme.name).collect();
        names
            .extend(own_themes().into_iter().map(|theme| format!("{}  yours: {}", theme.name, theme.origin)));
        return output::text(&(names.join("\n") + "\n"));
    }
    if let Some(name) = &args.print_theme {
        let all: Vec<_> = themes::built_in().chain(own_themes()).collect();
        let Some(theme) = all.iter().find(|theme| theme.name == *name) else {
            let known: Vec<&str> = all.iter().map(|theme| theme.name.as_str()).collect();
            anyhow::bail!(
                "no theme `{name}`\nhint: `pointsman config --list-themes`; {}",
                choice(name, &known)
            );
        };
        return output::text(&theme.text);
    }
    match args.print {
        Some(File::Policy) => output::text(policy::BUILTIN),
        Some(File::Console) => output::text(console::DEFAULT_CONSOLE),
        Some(File::Gateway) => output::text(gateway::DEFAULT_GATEWAY),
        Some(File::Providers) => output::text(providers::BUILTIN),
        Some(File::Alerts) => output::text(alerts::DEFAULT_ALERTS),
        Some(File::Parameters) => output::text(parameters::BUILTIN),
        Some(File::Keys) => output::text(&keys::default_file()),
        Some(File::Classifier) => output::text(crate::classifier::BUILTIN),
        None => places(),
    }
}

/// Reads the operator's own themes, and says on stderr which files cannot be used.
fn own_themes() -> Vec<themes::ThemeText> {
    let Some(folder) = config::user_dir().map(|dir| dir.join("themes")) else { return Vec::new() };
    let (own, broken) = themes::in_folder(&folder);
    for error in &broken {
        output::remark(&error.to_string());
    }
    own.into_iter().filter(|theme| !themes::built_in().any(|known| known.name == theme.name)).collect()
}

fn places() -> anyhow::Result<()> {
    let Some(dir) = config::user_dir() else {
        anyhow::bail!("no home directory is known\nhint: name a folder in {}", config::CONFIG_DIR_VARIABLE);
    };
    let mut text = format!("{}\n", dir.display());
    let files = [
        ("policy.toml", "routes, ladders, thresholds"),
        ("console.toml", "theme, glyphs, mouse, the screen to begin with"),
        ("gateway.toml", "how the gateway serves"),
        ("providers.toml", "who serves which model"),
        (alerts::FILE, "what is told, and to whom"),
        ("parameters.toml", "what models refuse"),
        ("keys.toml", "keys"),
        ("themes/NAME.toml", "themes of your own"),
        ("prices/NAME.toml", "price books of your own"),
    ];
    for (name, what) in files {
        let there = name.contains("NAME") || dir.join(name).is_file();
        let mark = if name.contains("NAME") {
            let folder = name.split('/').next().unwrap_or(name);
            let count = std::fs::read_dir(dir.join(folder)).map_or(0, Iterator::count);
            format!("{count} there")
        } else if there {
            "found".to_owned()
        } else {
            "built-in is used".to_owned()
        };
        let _ = writeln!(text, "  {name:<18} {what:<32} {mark}");
    }
    output::text(&text)
}
