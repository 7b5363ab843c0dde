//! Completions and the manual page, made from the same description as the parser.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, output};

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
pub fn completions(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut out = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "pointsman", &mut out);
    output::text(&String::from_utf8_lossy(&out))
}

/// Prints the manual page, all subcommands in one.
///
/// # Errors
/// Where stdout cannot be written.
pub fn man() -> anyhow::Result<()> {
    let mut out = Vec::new();
    let command = Cli::command();
    clap_mangen::Man::new(command.clone()).render(&mut out)?;
    for sub in command.get_subcommands() {
        let named = sub.clone().display_name(format!("pointsman-{}", sub.get_name()));
        clap_mangen::Man::new(named).render(&mut out)?;
    }
    output::text(&String::from_utf8_lossy(&out))
}
