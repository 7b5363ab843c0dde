//! The command line: one file per subcommand. Each reads its arguments, calls the rooms below and writes to stdout.

pub mod advise;
mod alert_rules;
pub mod alerts;
pub mod anomalies;
pub mod args;
pub mod attach;
pub mod automations;
mod branches;
mod brought;
pub mod budgets;
pub mod cache;
pub mod calibrate;
pub mod certify;
pub mod console;
pub mod drift;
pub mod drive;
pub mod evaluate;
pub mod explain;
pub mod forecast;
pub mod frontier;
pub mod import;
pub mod keys;
pub mod label;
pub mod launch;
pub mod ledger;
pub mod manual;
pub mod mine;
pub mod onboard;
pub mod optimise;
pub mod output;
mod piped;
pub mod policy;
mod portable;
pub mod prices;
pub mod reconcile;
pub mod replay;
pub mod report;
pub mod reprice;
pub mod requests;
pub mod rollout;
pub mod runaways;
pub mod sample;
pub mod savings;
pub mod scenario;
pub mod serve;
pub mod settings;
pub mod snapshot;
pub mod steer;
pub mod stop;
pub mod train;
pub mod trial;
pub mod unit;
pub mod whatif;
pub mod why;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::session::LoadError;

/// Signal box for LLM traffic: see what every routing decision costs and buys, move a threshold, watch the cost answer.
#[derive(Parser, Debug)]
#[command(
    name = "pointsman",
    version,
    about,
    long_about = "Signal box for LLM traffic.\n\nReplays request logs through a model-routing engine and shows, live in the terminal, the split between models, \
                  latency, confidence and spend; a moved threshold answers at once with its cost. Without a log it opens a bundled \
                  sample. When stdout is no terminal it prints a report instead.",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    console: console::ConsoleArgs,
}

/// Makes the commands: each with its help, what it takes and what runs it.
macro_rules! commands {
    ($($(#[$help:meta])* $name:ident($args:ty) => $run:expr,)*) => {
        #[derive(Subcommand, Debug)]
        enum Command {
            $($(#[$help])* $name($args),)*
            /// Print the manual page
            Man,
        }

        fn run(cli: Cli) -> anyhow::Result<()> {
            match cli.command {
                None => console::run(&cli.console),
                $(Some(Command::$name(args)) => ($run)(&args),)*
                Some(Command::Man) => manual::man(Cli::command()),
            }
        }
    };
}

commands! {
    /// Serve clients without a console
    Serve(Box<serve::ServeArgs>) => serve::run,
    /// Open the console on a running gateway
    Attach(Box<attach::AttachArgs>) => attach::run,
    /// Replay logs without a console and print the report
    Replay(Box<replay::ReplayArgs>) => replay::run,
    /// See what the coding agents on this machine have spent
    Mine(Box<mine::MineArgs>) => mine::run,
    /// List requests one by one, filtered as in the console
    Requests(Box<requests::RequestsArgs>) => requests::run,
    /// Compare the policy in force with one whose thresholds are moved
    Whatif(Box<whatif::WhatIfArgs>) => whatif::run,
    /// Print cost, split and quality of a route for every threshold
    Frontier(Box<frontier::FrontierArgs>) => frontier::run,
    /// Find the thresholds that labels prove safe, or say how many labels are missing
    Certify(Box<certify::CertifyArgs>) => certify::run,
    /// Fit what the scores of a check are worth, as a curve for the policy
    Calibrate(Box<calibrate::CalibrateArgs>) => calibrate::run,
    /// Say whether confidences are spread and calibrated as they were
    Drift(Box<drift::DriftArgs>) => drift::run,
    /// Compare two models' answers blindly and keep what you say as labels
    Label(Box<label::LabelArgs>) => label::run,
    /// Try a model on a sample of a log's requests, under a hard spending cap, and have a judge compare
    Trial(Box<trial::TrialArgs>) => trial::run,
    /// Find the best thresholds of all routes for a cost or a quality
    Optimise(Box<optimise::OptimiseArgs>) => optimise::run,
    /// Find models that nobody uses and that would cost less, with the evidence that is missing
    Advise(Box<advise::AdviseArgs>) => advise::run,
    /// Show why one request went where it went
    Why(Box<why::WhyArgs>) => why::run,
    /// Say why cost changed between two windows
    Explain(Box<explain::ExplainArgs>) => explain::run,
    /// Price a log at other prices, beside what was charged
    Reprice(Box<reprice::RepriceArgs>) => reprice::run,
    /// Foretell what a month will have cost, with its error
    Forecast(Box<forecast::ForecastArgs>) => forecast::run,
    /// Say what routing saved, net of what it costs
    Savings(Box<savings::SavingsArgs>) => savings::run,
    /// Say what a request, a session and a good answer cost
    Unit(Box<unit::UnitArgs>) => unit::run,
    /// Say what prompt caches served, what they could have, and whether a change of model pays
    Cache(Box<cache::CacheArgs>) => cache::run,
    /// Train a classifier on your own log or on a set of outcomes
    Train(Box<train::TrainArgs>) => train::run,
    /// Measure what a classifier is worth, beside doing without
    Evaluate(Box<evaluate::EvaluateArgs>) => evaluate::run,
    /// Find what is unlike its past in a log or in any series
    Anomalies(Box<anomalies::AnomaliesArgs>) => anomalies::run,
    /// Report spend by team, project, model and more: a table, a page, CSV or FOCUS
    Report(Box<report::ReportArgs>) => report::run,
    /// Compare what was spent with a provider's bill, by day and model
    Reconcile(Box<reconcile::ReconcileArgs>) => reconcile::run,
    /// Convert logs of other tools to our own format
    Import(import::ImportArgs) => import::run,
    /// Prove, export and tidy the ledger of live traffic
    Ledger(ledger::LedgerArgs) => ledger::run,
    /// List budgets, show how they stand, change them
    Budgets(budgets::BudgetsArgs) => budgets::run,
    /// List alerts, silence and acknowledge them, try receivers, and see what a log would have told
    Alerts(alerts::AlertsArgs) => alerts::run,
    /// Show where rules against runaways would have tripped in a log, or who is stopped now
    Runaways(Box<runaways::RunawaysArgs>) => runaways::run,
    /// Change a route step by step as evidence lets it, or see over a log when each step would have come
    Rollout(Box<rollout::RolloutArgs>) => rollout::run,
    /// Move thresholds so that a budget's window comes out right, over a log or at a running gateway
    Steer(Box<steer::SteerArgs>) => steer::run,
    /// Show what automations do at a gateway, or what they would have proposed over a log
    Automations(Box<automations::AutomationsArgs>) => automations::run,
    /// Stop a key, a session, a team or everything at a running gateway
    Stop(stop::StopArgs) => stop::stop,
    /// Let go who was stopped
    Lift(stop::LiftArgs) => stop::lift,
    /// List, show and import prices
    Prices(prices::PricesArgs) => prices::run,
    /// Run a worked example through the engine, or list them
    Scenario(scenario::ScenarioArgs) => scenario::run,
    /// Write the bundled sample log again, or another one from another seed
    Sample(sample::SampleArgs) => sample::run,
    /// Render a screen of the console, or write a stretch of a log with all that its figures rest on
    Snapshot(Box<snapshot::SnapshotArgs>) => snapshot::run,
    /// Send a log's requests to a running gateway, under a hard spending cap
    Drive(Box<drive::DriveArgs>) => drive::run,
    /// Start an agent that is pointed at a running gateway; none of its files is changed
    Launch(launch::LaunchArgs) => launch::run,
    /// Find keys and agents, set up what is missing, and say how to leave again
    Onboard(onboard::OnboardArgs) => onboard::run,
    /// Compare policies in the operator's words; lock one, and check it
    Policy(policy::PolicyArgs) => policy::run,
    /// Make, list, revoke and rotate the keys that clients of the gateway present
    Keys(keys::KeysArgs) => keys::run,
    /// Print built-in settings and themes, and say where your own are looked for
    Config(settings::SettingsArgs) => settings::run,
    /// Print completions for a shell
    Completions(manual::CompletionsArgs) => |args| manual::completions(args, Cli::command()),
}

/// How a run ended: 0 fine, 1 our fault or what was asked came to nothing, 2 something to mend in what was given, 130 cancelled by Ctrl-C.
pub type ExitCode = u8;

/// Parses the command line and runs what it asks for.
pub fn main() -> ExitCode {
    crate::app::install_panic_report();
    let mut words: Vec<std::ffi::OsString> = std::env::args_os().collect();
    // `help` and `help COMMAND` stand for `--help` behind it.
    if words.get(1).is_some_and(|word| word == "help") {
        words.remove(1);
        words.push("--help".into());
    }
    if let Some(mistyped) = manual::mistyped(words.get(1).map(std::ffi::OsString::as_os_str), &Cli::command())
    {
        return report(&mistyped);
    }
    let cli: Cli = match piped::parse(&words) {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            print(&error);
            return code;
        }
    };
    if let (None, Some(misplaced)) = (&cli.command, manual::misplaced(&cli.console.logs, &Cli::command())) {
        return report(&misplaced);
    }
    match crate::app::start_trace_log().and_then(|()| run(cli)) {
        Ok(()) => 0,
        Err(error) => report(&error),
    }
}

/// Prints what the reader of the command line says: as it is where it quotes nothing that a terminal might obey.
fn print(error: &clap::Error) {
    let text = error.render();
    let plain = text.to_string();
    if crate::units::marked_lines(&plain) == plain {
        let _ = error.print();
    } else {
        output::say(plain.trim_end());
    }
}

/// Prints an error for a person and returns the exit code.
fn report(error: &anyhow::Error) -> ExitCode {
    let broken_pipe = error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    });
    if broken_pipe {
        return 0;
    }
    if error.chain().any(|cause| matches!(cause.downcast_ref(), Some(LoadError::Cancelled))) {
        output::say("cancelled");
        return 130;
    }
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    // A message may quote a log or a provider, and those may hold anything.
    output::say(&format!("error: {}", crate::access::redact(&text)));
    if let Some(again) = again(error) {
        output::say(&format!("to read it so, say:\n  {again}"));
    }
    let ours = error.downcast_ref::<crate::app::Internal>().is_some()
        || error.downcast_ref::<ledger::Unsound>().is_some()
        || error.downcast_ref::<ledger::Unproved>().is_some()
        || error.downcast_ref::<drive::Unserved>().is_some()
        || error.downcast_ref::<policy::Differs>().is_some();
    if ours { 1 } else { 2 }
}

/// Returns the command that was said, with the mapping that might read its log.
fn again(error: &anyhow::Error) -> Option<String> {
    let of_log = |cause: &'_ (dyn std::error::Error + 'static)| match cause.downcast_ref() {
        Some(LoadError::Record(error)) => error.mapping().map(str::to_owned),
        _ => cause.downcast_ref::<crate::record::Error>()?.mapping().map(str::to_owned),
    };
    let mapping = error.chain().find_map(of_log)?;
    let said = std::env::args().skip(1).chain(["--map".to_owned(), mapping]);
    let words: Vec<String> = said.map(|word| output::for_shell(&word)).collect();
    let text = format!("pointsman {}", words.join(" "));
    text.chars().all(crate::units::is_safe).then_some(text)
}
