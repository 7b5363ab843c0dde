//! `pointsman automations`: what automations do at a running gateway, and what they would have proposed over a log.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::args::{EngineArgs, gateway_at, names};
use super::output;
use crate::app::{AUTOMATIONS, rows_at};
use crate::automation::Rule;
use crate::config::{self, automations};
use crate::report::{Format, Sheet, render};
use crate::session::{AutomationRow, Automations, AutomationsTried, Log, automate_over};
use crate::units::{Instant, counted, members};

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

members! {
    #[derive(Serialize)]
    struct Report;
    fn new(args: &AutomationsArgs, log: &Log, rules: &[Rule], found: AutomationsTried) {
        let told = |is_told: &dyn Fn(&Rule) -> bool| -> Vec<String> {
            rules.iter().filter(|rule| is_told(rule)).map(|rule| format!("{}: {}", rule.name, rule.signal)).collect()
        };
        let is_called = |model: &str| log.names.models().iter().any(|known| **known == *model);
    }
    schema: &'static str = "pointsman.automations.v1",
    /// Always: nothing of it happened.
    simulated: bool = true,
    logs: Vec<String> = names(&args.logs),
    requests: u64 = log.len() as u64,
    /// Automations whose signal no log tells.
    not_in_logs: Vec<String> = told(&|rule| !rule.signal.is_in_logs()),
    /// Automations that look at a model that neither log nor policy names.
    unknown_models: Vec<String> = told(&|rule| rule.signal.model().is_some_and(|model| !is_called(model))),
    proposals: Vec<Row> = found.proposals.into_iter().map(Row::new).collect(),
    last: Vec<AutomationRow> = found.last,
}

members! {
    #[derive(Serialize)]
    struct Row;
    fn new((at, automation, share, what): (Instant, String, u16, String)) {}
    at: String = at.rfc3339(),
    automation: String = automation,
    share: u16 = share,
    what: String = what,
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
    // As at a gateway that begins with nothing shifted.
    let all = Automations::new(rules.clone(), &crate::routing::PolicySpec::default());
    let report = Report::new(args, &log, &rules, automate_over(&log, all));
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
