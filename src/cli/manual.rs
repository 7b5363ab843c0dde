//! Completions and the manual page, made from the same description as the parser.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_complete::Shell;

use super::output;
use crate::units::nearest;

/// Prints completions for a shell.
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Prints completions.
///
/// # Errors
/// Where stdout cannot be written.
pub fn completions(args: &CompletionsArgs, mut command: Command) -> anyhow::Result<()> {
    let mut out = Vec::new();
    clap_complete::generate(args.shell, &mut command, "pointsman", &mut out);
    output::text(&String::from_utf8_lossy(&out))
}

/// Words that people try, and what they mean here.
const TRIED: [(&str, &str); 3] = [
    ("version", "pointsman --version"),
    ("start", "pointsman --listen, or pointsman serve"),
    ("run", "pointsman --listen, or pointsman serve"),
];

/// Says what was meant where the first argument is neither a command, nor a flag, nor a log that is there. What looks like
/// a file's name is left to whoever opens it.
pub(super) fn mistyped(first: Option<&OsStr>, command: &Command) -> Option<anyhow::Error> {
    let word = first?.to_str()?;
    let looks_like_a_command = word.starts_with(char::is_alphabetic)
        && word.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
    let mut names = command.get_subcommands().map(Command::get_name);
    if !looks_like_a_command || names.any(|name| name == word) || Path::new(word).exists() {
        return None;
    }
    let meant = match TRIED.iter().find(|(tried, _)| *tried == word) {
        Some((_, meant)) => vec![format!("`{meant}`")],
        None => nearest(word, command.get_subcommands().map(Command::get_name).chain(["help"]))
            .into_iter()
            .map(|name| format!("`pointsman {name}`"))
            .collect(),
    };
    let hint = match meant.as_slice() {
        [] => "`pointsman help` lists the commands; a log is named by its file".to_owned(),
        meant => format!("did you mean {}? `pointsman help` lists the commands", meant.join(" or ")),
    };
    Some(anyhow::anyhow!("`{word}` is no command, and no log of that name is here\nhint: {hint}"))
}

/// Says that a command comes first, where one stands behind flags and no log of its name is here.
pub(super) fn misplaced(logs: &[PathBuf], command: &Command) -> Option<anyhow::Error> {
    let is_command =
        |log: &&PathBuf| command.get_subcommands().any(|known| log.as_os_str() == known.get_name());
    let word = logs.iter().find(is_command).filter(|log| !log.exists())?.display();
    Some(anyhow::anyhow!(
        "`{word}` is a command, and those come first\nhint: pointsman {word} .., with flags behind it"
    ))
}

/// Prints the manual page, all subcommands in one.
///
/// # Errors
/// Where stdout cannot be written.
pub fn man(command: Command) -> anyhow::Result<()> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut out = Vec::new();
    pages(&command, &mut out)?;
    output::text(&String::from_utf8_lossy(&out))
}

fn pages(command: &Command, out: &mut Vec<u8>) -> std::io::Result<()> {
    clap_mangen::Man::new(command.clone()).render(out)?;
    command.get_subcommands().filter(|sub| sub.get_name() != "help").try_for_each(|sub| pages(sub, out))
}
