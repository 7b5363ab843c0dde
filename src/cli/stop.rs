//! `pointsman stop` and `pointsman lift`: the kill switch of a running gateway.

use clap::Args;

use super::args::GatewayAt;
use super::output;
use crate::app::{RUNAWAYS, order_at};

/// Who is stopped or let go.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Who {
    /// A virtual key, by its name.
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
    /// A session; KEY/SESSION where it came with a key.
    #[arg(long, value_name = "NAME")]
    session: Option<String>,
    /// A team.
    #[arg(long, value_name = "NAME")]
    team: Option<String>,
    /// A project.
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// An end user.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Everything.
    #[arg(long)]
    all: bool,
}

impl Who {
    fn name(&self) -> String {
        let named = [
            ("key", &self.key),
            ("session", &self.session),
            ("team", &self.team),
            ("project", &self.project),
            ("user", &self.user),
        ];
        let found = named.into_iter().find_map(|(kind, name)| Some(format!("{kind} {}", name.as_deref()?)));
        found.unwrap_or_else(|| "all".to_owned())
    }
}

/// Stops someone.
#[derive(Args, Debug)]
#[command(
    after_help = "Calls that are under way end; nothing new is sent, no retry and no escalation. It holds until it is lifted, also over a restart, and stands in the ledger's audit.\n\nExamples:\n  pointsman stop --key ci-bot --why \"loops since midnight\"\n  pointsman stop --all\n  pointsman runaways            # who is stopped"
)]
pub struct StopArgs {
    #[command(flatten)]
    who: Who,
    /// Why, for whoever asks.
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
    #[command(flatten)]
    at: GatewayAt,
}

/// Lets someone go.
#[derive(Args, Debug)]
pub struct LiftArgs {
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    at: GatewayAt,
}

/// Stops someone.
///
/// # Errors
/// Where the gateway cannot be reached or does not take the order.
pub fn stop(args: &StopArgs) -> anyhow::Result<()> {
    let whom = args.who.name();
    let changed = send(&args.at, &serde_json::json!({ "stop": whom, "why": args.why }))?;
    output::say(&if changed {
        let lifted =
            whom.split_once(' ').map_or_else(|| "all".to_owned(), |(kind, name)| format!("{kind} {name}"));
        format!("{} is stopped; `pointsman lift --{lifted}` lets it go", named(&whom))
    } else {
        format!("{} was stopped already", named(&whom))
    });
    Ok(())
}

/// Lets someone go.
///
/// # Errors
/// Where he is not stopped, or the gateway cannot be reached.
pub fn lift(args: &LiftArgs) -> anyhow::Result<()> {
    let whom = args.who.name();
    send(&args.at, &serde_json::json!({ "lift": whom }))?;
    output::say(&format!("{} may call again", named(&whom)));
    Ok(())
}

fn named(whom: &str) -> &str {
    if whom == "all" { "everything" } else { whom }
}

fn send(at: &GatewayAt, order: &serde_json::Value) -> anyhow::Result<bool> {
    let answer: serde_json::Value = order_at(&at.options(), RUNAWAYS, order)?;
    Ok(answer.get("changed").and_then(serde_json::Value::as_bool).unwrap_or(true))
}
