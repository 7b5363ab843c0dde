//! A log in a world that is not as it was, branch by branch: `replay --world` and `scenario WORLD`.
//!
//! Invariant: the log as it was is always the first branch, under its own policies and decided by the same fold.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;
use clap::ValueEnum;

use super::args::EngineArgs;
use super::{brought, console, output};
use crate::app::{self, Cancel, Progress, unbound_in};
use crate::budget::LimitHistory;
use crate::report::Format;
use crate::sample;
use crate::session::{BranchPlan, BranchesOf, LoadError, branch_out};
use crate::units::{Instant, Span, When};

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
    /// The format of tables; none for a page.
    pub(super) format: Option<Format>,
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

/// Runs a log in a world.
///
/// # Errors
/// Where world, log, policy or budgets cannot be used.
pub(super) fn run(args: &Asked<'_>, name: &str) -> anyhow::Result<()> {
    let world = app::read_world(name)?;
    let log = console::open(args.logs, args.engine)?;
    output::simulated(log.simulated as u64);
    let bounds = log.bounds().unwrap_or_default();
    let start = match args.at {
        None => bounds.0,
        Some(_) if world.starts.is_some() => {
            bail!("--at does not go with {name}, which moves the whole log to another day")
        }
        Some(at) => head(at, bounds)?,
    };
    let beside = args.against.iter().map(|text| app::against(text));
    let tried = world.branches.iter().cloned().chain(beside).map(|branch| app::with_policy(branch, name));
    let tried = tried.collect::<anyhow::Result<_>>()?;
    // Budgets of a world stand in the place of all others.
    let limits = if world.limits.is_some() {
        LimitHistory::default()
    } else {
        let found = brought::of_log(args.budgets, (args.logs.is_empty(), &log.budgets))?;
        let (limits, named) = found.unwrap_or_default();
        for words in &unbound_in(&log, limits.all()) {
            output::remark(words);
        }
        if args.budgets.is_none() && !args.logs.is_empty() && Path::new(&named).is_absolute() {
            output::say(&format!("every branch but the first runs under the limits of {named}"));
        }
        limits
    };
    let plan = Arc::new(BranchPlan { file: name.to_owned(), world, tried });
    let spans = log.spans();
    let of = BranchesOf { log: &log, policies: &spans, limits: &limits, from: Some(start), staged: None };
    let (mut progress, cancel) = (Progress::new("branches", None), Cancel::on_interrupt());
    let found = branch_out(of, &plan, |done, all| {
        progress.step(done, all);
        !cancel.is_raised()
    })?;
    let Some(found) = found else { return Err(LoadError::Cancelled.into()) };
    progress.finish();
    let logs =
        if args.logs.is_empty() { vec![sample::NAME.to_owned()] } else { super::args::names(args.logs) };
    let report = app::branch_report(&found, logs);
    match args.format {
        None => output::text(&report.page())?,
        Some(format) => output::report(format, &report, || report.text(format))?,
    }
    output::damage(&log.skipped.damaged)
}

/// Runs a world over the bundled sample, as `scenario` does.
///
/// # Errors
/// As [`run`].
pub(super) fn of_sample(name: &str, prices: Option<&str>, format: Format) -> anyhow::Result<()> {
    let mut engine = EngineArgs::default();
    prices.unwrap_or("list").clone_into(&mut engine.serving.prices);
    let format = Some(format);
    run(&Asked { logs: &[], against: &[], budgets: None, at: None, format, engine: &engine }, name)
}
