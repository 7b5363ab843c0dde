//! `pointsman automations`: what automations do at a running gateway, and what they would have proposed over a log.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::args::{EngineArgs, gateway_at, names};
use super::output;
use crate::app::{AUTOMATIONS, rows_at};
use crate::config::{self, automations};
use crate::report::{Format, Sheet, render};
use crate::session::{AutomationRow, Automations, automate_over};
use crate::units::counted;

/// Shows automations.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman automations                                        # at the gateway on this machine\n  pointsman automations gateway.jsonl --rules automations.toml # what would have been proposed\n\nOver a log nothing is acted on: the traffic goes on as it was, whatever is proposed. Quotas and budgets are read at a gateway only."
)]
pub struct AutomationsArgs {
    /// Logs or ledgers; a running gateway where there are none.
    #[arg(value_name = "LOG")]
    logs: Vec<PathBuf>,
    /// The file of automations (automations.toml in the configuration directory where absent).
    #[arg(long, value_name = "FILE", requires = "logs")]
    rules: Option<PathBuf>,
    /// The gateway's address; a key of scope `read` is taken from `POINTSMAN_KEY`.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4141", conflicts_with = "logs")]
    url: String,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(Serialize)]
struct Report {
    schema: &'static str,
    /// Always: nothing of it happened.
    simulated: bool,
    logs: Vec<String>,
    requests: u64,
    /// Automations whose signal no log tells.
    not_in_logs: Vec<String>,
    /// Automations that look at a model that neither log nor policy names.
    unknown_models: Vec<String>,
    proposals: Vec<Row>,
    last: Vec<AutomationRow>,
}

#[derive(Serialize)]
struct Row {
    at: String,
    automation: String,
    share: u16,
    what: String,
}

/// Runs the subcommand.
///
/// # Errors
/// Where rules, log or gateway cannot be used.
pub fn run(args: &AutomationsArgs) -> anyhow::Result<()> {
    if args.logs.is_empty() { of_gateway(args) } else { of_logs(args) }
}

fn of_logs(args: &AutomationsArgs) -> anyhow::Result<()> {
    let path = config::named_or_own(args.rules.as_deref(), automations::FILE, "--rules")?;
    let other = if args.rules.is_some() { "" } else { "; --rules names another file" };
    let hint = format!("\nhint: docs/automations.md has an example{other}");
    let (shown, text) = config::named_text(&path, &hint)?;
    let rules = automations::parse(&text, &shown)?;
    let log = args.engine.load(&args.logs)?;
    let spec = log.policy_at(log.len()).spec(&log.names);
    for rule in &rules {
        rule.check(&spec).map_err(|why| anyhow::anyhow!("{shown}: {why}"))?;
    }
    let is_called = |model: &str| log.names.models().iter().any(|known| **known == *model);
    let strange = rules.iter().filter(|rule| rule.signal.model().is_some_and(|model| !is_called(model)));
    let unknown_models: Vec<String> = strange.map(|rule| format!("{}: {}", rule.name, rule.signal)).collect();
    let unseen = rules.iter().filter(|rule| !rule.signal.is_in_logs());
    let not_in_logs: Vec<String> = unseen.map(|rule| format!("{}: {}", rule.name, rule.signal)).collect();
    // As at a gateway that begins with nothing shifted.
    let found = automate_over(&log, Automations::new(rules, &crate::routing::PolicySpec::default()));
    let rows = found.proposals.into_iter().map(|(at, automation, share, what)| Row {
        at: at.rfc3339(),
        automation,
        share,
        what,
    });
    let report = Report {
        schema: "pointsman.automations.v1",
        simulated: true,
        logs: names(&args.logs),
        requests: log.len() as u64,
        not_in_logs,
        unknown_models,
        proposals: rows.collect(),
        last: found.last,
    };
    output::report(args.format, &report, || {
        let sheet = Sheet::of(
            "proposals, none of them acted on",
            &report.proposals,
            &[
                ("at", &|row| row.at.clone()),
                ("automation", &|row| row.automation.clone()),
                (">share ‰", &|row| row.share.to_string()),
                ("what", &|row| row.what.clone()),
            ],
        );
        render(&[sheet], args.format)
    })?;
    if args.format == Format::Table {
        let count = counted(report.proposals.len() as u64, "proposal");
        output::say(&format!("{count} in {}", counted(report.requests, "request")));
        for strange in &report.unknown_models {
            output::say(&format!("neither log nor policy names the model of {strange}"));
        }
        for unseen in &report.not_in_logs {
            output::say(&format!("no log tells what {unseen} looks at; a gateway does"));
        }
    }
    output::damage(&log.skipped.damaged)
}

fn of_gateway(args: &AutomationsArgs) -> anyhow::Result<()> {
    let (text, rows) = rows_at::<AutomationRow>(&gateway_at(&args.url), AUTOMATIONS)?;
    if args.format == Format::Json {
        return output::text(&text);
    }
    let sheet = Sheet::of(
        "",
        &rows,
        &[
            ("automation", &|row| row.name.clone()),
            ("signal", &|row| row.signal.clone()),
            (">reading", &|row| row.reading.map_or_else(|| "not known".to_owned(), |told| told.to_string())),
            (">from", &|row| row.on.to_string()),
            (">until", &|row| row.off.to_string()),
            ("route", &|row| row.route.clone()),
            ("to", &|row| row.to.clone()),
            (">share ‰", &|row| row.share.to_string()),
            (">most ‰", &|row| row.most.to_string()),
            ("acts", &|row| if row.acts { "yes" } else { "proposes" }.to_owned()),
            ("refused", &|row| row.refused.clone()),
        ],
    );
    output::text(&render(&[sheet], args.format))?;
    if rows.is_empty() && args.format == Format::Table {
        output::say("there are no automations; automations.toml in the configuration folder has them");
    }
    Ok(())
}
