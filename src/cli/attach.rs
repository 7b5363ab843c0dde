//! `pointsman attach`: the console on a gateway elsewhere.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;

use super::args::ServingArgs;
use super::console::LookArgs;
use crate::app::{AttachOptions, Setup, attach};

/// Opens the console on a running gateway; read-only unless the key has the scope `operate`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  POINTSMAN_KEY=pm_... pointsman attach http://127.0.0.1:4141")]
pub struct AttachArgs {
    /// The gateway's address.
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:4141")]
    pub url: String,
    #[expect(clippy::doc_markdown, reason = "this is the help page")]
    /// A file that holds the key; else the variable POINTSMAN_KEY. A gateway without keys needs none.
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) look: LookArgs,
    #[command(flatten)]
    pub(crate) engine: ServingArgs,
}

/// Attaches until the operator leaves.
///
/// # Errors
/// Where the gateway cannot be reached or refuses, or there is no terminal.
pub fn run(args: &AttachArgs) -> anyhow::Result<()> {
    if !super::console::can_draw() {
        bail!("attach needs a terminal\nhint: for figures without one read {}/metrics", args.url);
    }
    let key = match &args.key_file {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            Some(text.trim().to_owned())
        }
        None => std::env::var("POINTSMAN_KEY").ok(),
    };
    let key = key.filter(|key| !key.is_empty());
    let setup = Setup::new(&args.engine.setup())?;
    attach(setup, &AttachOptions { url: args.url.clone(), key }, &args.look.options())
}
