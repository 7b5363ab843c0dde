//! A log in a world that is not as it was, branch by branch: `replay --world` and `scenario WORLD`.
//!
//! Invariant: the log as it was is always the first branch, under its own policies and decided by the same fold.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::ValueEnum;

use super::args::EngineArgs;
use super::{budgets, console, output, whatif};
use crate::app::{Cancel, Progress};
use crate::budget::{Limit, StandingRow};
use crate::config::{policy, world};
use crate::report::{BranchReport, BranchScope, Figures, Format, to_json};
use crate::routing::Policy;
use crate::sample;
use crate::session::{Branched, Log, Other, PolicySpan, branched};
use crate::units::{Instant, Names, Span, When, choice};
use crate::world::{Branch, World};

/// How a replay is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PrintAs {
    /// Aligned columns for a terminal.
    Table,
    /// One JSON object.
    Json,
    /// Comma-separated values with a header.
    Csv,
    /// Markdown tables.
    Md,
    /// One page by itself; with --world.
    Html,
}

impl PrintAs {
    /// Returns the format of tables; none for a page.
    pub(super) fn tables(self) -> Option<Format> {
        match self {
            Self::Table => Some(Format::Table),
            Self::Json => Some(Format::Json),
            Self::Csv => Some(Format::Csv),
            Self::Md => Some(Format::Md),
            Self::Html => None,
        }
    }
}

/// What is asked of a log and a world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The logs; the sample where there are none.
    pub(super) logs: &'a [PathBuf],
    /// What is tried beside.
    pub(super) against: &'a [String],
    /// A file of budgets.
    pub(super) budgets: Option<&'a Path>,
    /// The play head.
    pub(super) at: Option<&'a str>,
    /// How to print.
    pub(super) format: PrintAs,
    /// What it rests on.
    pub(super) engine: &'a EngineArgs,
}

/// Reads a play head: a moment of a log between two others, or how long before its end.
pub(super) fn head(text: &str, (start, end): (Instant, Instant)) -> anyhow::Result<Instant> {
    let ago = text.trim().strip_suffix("ago").map(|span| (span, Span::parse(span)));
    match ago {
        Some((_, Some(span))) => Ok(end - span),
        Some((span, None)) => {
            anyhow::bail!("--at {text}: `{}` is no length of time; write \"30m ago\"", span.trim())
        }
        None => match When::parse(text) {
            Ok(when) => Ok(when.near_start(start)),
            Err(_) => anyhow::bail!(
                "--at {text}: write \"30m ago\" (before the log's last request), 15:05 or 2026-05-23T15:05:00Z"
            ),
        },
    }
}

/// Reads a world: one that comes with the program, or a file.
///
/// # Errors
/// Where there is none of that name, or the file cannot be used.
pub(super) fn read(name: &str) -> anyhow::Result<World> {
    if let Some((_, text)) = world::BUILTIN.iter().find(|(known, _)| *known == name) {
        return Ok(world::parse(text, name)?);
    }
    if !Path::new(name).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml")) {
        let known: Vec<&str> = world::BUILTIN.iter().map(|(name, _)| *name).collect();
        bail!("there is no world `{name}`\nhint: a file of your own ends in .toml; {}", choice(name, &known));
    }
    let text = std::fs::read_to_string(name).with_context(|| format!("cannot read {name}"))?;
    Ok(world::parse(&text, name)?)
}

/// What is run.
struct Run {
    name: String,
    policies: Vec<PolicySpan>,
    limits: Vec<Limit>,
    world: Option<World>,
}

/// Runs a log in a world.
///
/// # Errors
/// Where world, log, policy or budgets cannot be used.
pub(super) fn run(args: &Asked<'_>, name: &str) -> anyhow::Result<()> {
    let world = read(name)?;
    let log = console::open(args.logs, args.engine)?;
    let bounds = log.bounds().unwrap_or_default();
    let start = match args.at {
        None => bounds.0,
        Some(_) if world.starts.is_some() => {
            bail!("--at does not go with {name}, which moves the whole log to another day")
        }
        Some(at) => head(at, bounds)?,
    };
    let beside = args.against.iter().map(|text| {
        let is_file = Path::new(text).extension().is_some_and(|end| end.eq_ignore_ascii_case("toml"));
        let set = || text.split(',').map(str::to_owned).collect();
        Branch {
            name: text.clone(),
            policy: is_file.then(|| text.clone()),
            set: if is_file { Vec::new() } else { set() },
            budgets: true,
            runaways: true,
        }
    });
    let branches: Vec<Branch> = world.branches.iter().cloned().chain(beside).collect();
    let mut names = log.names.clone();
    let policies = branches
        .iter()
        .map(|branch| branch.policy.as_ref().map(|path| policy_of(path, name, &mut names)).transpose())
        .collect::<anyhow::Result<Vec<_>>>()?;
    let log = log.naming(names);
    let limits = match &world.limits {
        Some(limits) => limits.clone(),
        None => budgets::of_log(args.budgets, (args.logs.is_empty(), &log.budgets))?.unwrap_or_default().0,
    };
    if let Some(amount) =
        world.amounts.iter().find(|amount| !limits.iter().any(|limit| limit.name() == amount.limit))
    {
        let known: Vec<String> = limits.iter().map(Limit::name).collect();
        bail!("{name}: no budget has the limit `{}`; {}", amount.limit, choice(&amount.limit, &known));
    }
    let mut runs = vec![
        Run { name: "as it was".to_owned(), policies: log.spans(), limits: limits.clone(), world: None },
        Run {
            name: "in this world".to_owned(),
            policies: log.spans(),
            limits: limits.clone(),
            world: Some(world.clone()),
        },
    ];
    for (branch, policy) in branches.iter().zip(policies) {
        let policies = match policy {
            Some(policy) => log.spans_with(start, Other::Policy(policy)),
            None => {
                let now = Arc::clone(log.policy_at(log.len()));
                let staged = whatif::staged(&now, &branch.set, &log.names)?;
                log.spans_with(start, Other::Thresholds { now: &now, staged: &staged })
            }
        };
        let rules = if branch.runaways { world.rules.clone() } else { Vec::new() };
        runs.push(Run {
            name: branch.name.clone(),
            policies,
            limits: if branch.budgets { limits.clone() } else { Vec::new() },
            world: Some(World { rules, ..world.clone() }),
        });
    }
    let report = compare(args, &world, (name, start), &log, &runs)?;
    match args.format.tables() {
        None => output::text(&report.page())?,
        Some(Format::Json) => output::text(&to_json(&report)?)?,
        Some(format) => output::text(&report.text(format))?,
    }
    output::damage(&log.skipped.damaged)
}

fn compare(
    args: &Asked<'_>,
    world: &World,
    (file, start): (&str, Instant),
    log: &Log,
    runs: &[Run],
) -> anyhow::Result<BranchReport> {
    let moved = log.in_world(world, start)?;
    let end = |log: &Log| log.bounds().unwrap_or_default().1;
    let start_moved = world.starts.unwrap_or(start);
    let scope = BranchScope {
        world: world.title.clone(),
        file: file.to_owned(),
        about: world.about.clone(),
        seed: world.seed,
        logs: if args.logs.is_empty() {
            vec![sample::NAME.to_owned()]
        } else {
            super::args::names(args.logs)
        },
        reading: "routed",
        prices: log.book.clone(),
    };
    let mut report = BranchReport::new(scope, world, (start_moved, end(&moved)));
    let (mut progress, cancel) = (Progress::new("branches", None), Cancel::on_interrupt());
    let all = (log.len() * runs.len()) as u64;
    for (nth, run) in runs.iter().enumerate() {
        let (log, start) = if run.world.is_some() { (&moved, start_moved) } else { (log, start) };
        let incident = world.incident((start, end(log)));
        let found =
            branched(log, &run.policies, &run.limits, (run.world.as_ref(), start), incident, |done| {
                progress.step((nth * log.len() + done) as u64, all);
                !cancel.is_raised()
            });
        let Some(found) = found else { bail!("cancelled") };
        push(&mut report, run, &found, &log.names);
    }
    progress.finish();
    Ok(report)
}

fn push(report: &mut BranchReport, run: &Run, found: &Branched, names: &Names) {
    let mut policies: Vec<Arc<Policy>> = run.policies.iter().map(|span| Arc::clone(&span.policy)).collect();
    policies.dedup_by(|one, other| one.name == other.name && one.version == other.version);
    let is_used = |row: &StandingRow| row.calls + row.refused + row.moved > 0;
    let budgets = found.budgets.standings.iter().map(StandingRow::from).filter(is_used).collect();
    report.push(
        (run.name.clone(), crate::app::policies_text(&policies)),
        (
            Figures::new(&found.totals, found.refused.0, names),
            Figures::new(&found.inside, found.refused.1, names),
        ),
        found.seen,
        (found.budgets.moved, budgets),
        &found.trips,
    );
}

/// Reads a policy that is tried; a path in a world's file is meant from there.
fn policy_of(path: &str, world: &str, names: &mut Names) -> anyhow::Result<Arc<Policy>> {
    let beside = Path::new(world).parent().map(|folder| folder.join(path)).filter(|path| path.is_file());
    let found = beside.unwrap_or_else(|| PathBuf::from(path));
    Ok(Arc::new(policy::load(&found, names)?))
}

/// Runs a world over the bundled sample, as `scenario` does.
///
/// # Errors
/// As [`run`].
pub(super) fn of_sample(name: &str, prices: Option<&str>, format: PrintAs) -> anyhow::Result<()> {
    let mut engine = EngineArgs { prices: "list".to_owned(), ..Default::default() };
    if let Some(prices) = prices {
        prices.clone_into(&mut engine.prices);
    }
    let asked = Asked { logs: &[], against: &[], budgets: None, at: None, format, engine: &engine };
    run(&asked, name)
}
