//! `pointsman report`: what was spent, by any list of dimensions, for people, programs and cost tools.

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::args::{Choice, EngineArgs, chosen, dimension, names};
use super::output;
use crate::app::{Spent, input_within, spent};
use crate::config::write_whole;
use crate::ledger;
use crate::record::Input;
use crate::report::{FocusOptions, FocusVersion, FocusWritten, Format, SpendReport, focus, to_json};
use crate::telemetry::{Dimension, Period, SpendOptions};
use crate::units::{When, counted};

/// Reports what was spent.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman report --by team,month\n  pointsman report gateway.jsonl.zst --by model,day --format csv\n  pointsman report --from 2026-11-01 --to 2026-11-30 --format html -o november.html\n  pointsman report --by team,day --format parquet -o november.parquet\n  pointsman report --format focus --period day -o focus.csv\n\nWithout a log it reads your own ledger. All amounts are exact but in the table; what is unknown is in no amount."
)]
pub struct ReportArgs {
    /// Logs and ledgers, or folders of them; `-` is standard input; your own ledger where absent.
    #[arg(value_name = "LOG|LEDGER")]
    pub logs: Vec<PathBuf>,
    /// What to tell spend apart by: team, project, model, provider, route, task, user, key, session, hour, day, month, tag.NAME.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "team,model", value_parser = dimension)]
    pub by: Vec<Dimension>,
    /// How to write it.
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub format: ReportFormat,
    /// Only the most expensive so many rows, the rest as `(others)`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// Where to write; `-` is standard output.
    #[arg(short, long, value_name = "OUT", default_value = "-")]
    pub output: PathBuf,
    /// Overwrite the output where it exists.
    #[arg(long)]
    pub replace: bool,
    /// The version of FOCUS.
    #[arg(long, value_name = "VERSION", value_enum, default_value_t = FocusVersion::V1_2)]
    pub focus: FocusVersion,
    /// The stretches of time that FOCUS charges are summed over.
    #[arg(long, value_parser = chosen(STRETCHES), default_value = "day")]
    pub period: Period,
    /// The billing account that FOCUS charges belong to.
    #[arg(long, value_name = "ID", default_value = "pointsman")]
    pub account: String,
    /// That account's name; its id where absent.
    #[arg(long, value_name = "NAME")]
    pub account_name: Option<String>,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

/// How a report on spend is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Aligned columns for a terminal.
    Table,
    /// Comma-separated values with exact figures.
    Csv,
    /// One JSON object.
    Json,
    /// A Markdown table.
    Md,
    /// One page with charts, without scripts.
    Html,
    /// An Apache Parquet file with exact figures.
    Parquet,
    /// FOCUS cost and usage data as CSV.
    Focus,
}

/// Stretches of time of a FOCUS export.
const STRETCHES: &[Choice<Period>] = &[("hour", "Hours", Period::Hour), ("day", "Days (UTC)", Period::Day)];

/// Runs the subcommand.
///
/// # Errors
/// Where logs, prices or policy cannot be used, or the output cannot be written.
pub fn run(args: &ReportArgs) -> anyhow::Result<()> {
    if args.format == ReportFormat::Parquet && args.output == Path::new("-") && io::stdout().is_terminal() {
        anyhow::bail!("a Parquet file is nothing for a terminal\nhint: -o FILE.parquet writes it to a file");
    }
    let logs = or_own_ledger(&args.logs)?;
    output::may_write(&args.output, &logs, args.replace)?;
    let mut by = args.by.clone();
    let mut seen = Vec::new();
    by.retain(|dimension| {
        let is_new = !seen.contains(dimension);
        seen.push(dimension.clone());
        is_new
    });
    let is_focus = args.format == ReportFormat::Focus;
    let tables = match args.format {
        ReportFormat::Focus => Vec::new(),
        ReportFormat::Html => SpendReport::page_tables(&by),
        _ => vec![by],
    };
    let options = SpendOptions {
        tables,
        most: SpendOptions::MOST,
        meters: is_focus.then_some(args.period),
        ..SpendOptions::default()
    };
    let setup = args.engine.start()?;
    let found = spent(&within(&logs, &args.engine), names(&logs), &setup, &args.engine.read(), options)?;
    if is_focus {
        charges(args, &found)?;
        return output::damage(&found.damaged);
    }
    let limit = args.limit.and_then(|limit| usize::try_from(limit).ok());
    let report = SpendReport::new(found.scope, &found.spend, &found.names, limit);
    let is_output = args.output == Path::new("-");
    let text = match args.format {
        ReportFormat::Json => to_json(&report)?,
        ReportFormat::Html => report.page(&found.spend, &found.names),
        ReportFormat::Csv => report.text(Format::Csv),
        ReportFormat::Md => report.text(Format::Md),
        ReportFormat::Parquet => String::new(),
        ReportFormat::Table | ReportFormat::Focus => report.text(Format::Table),
    };
    if args.format == ReportFormat::Parquet {
        let file = report.parquet()?;
        write(&args.output, &file)?;
    } else if is_output {
        output::text(&text)?;
    } else {
        write(&args.output, text.as_bytes())?;
    }
    if matches!(args.format, ReportFormat::Csv | ReportFormat::Parquet) {
        report.remarks().iter().for_each(|remark| output::remark(remark));
    }
    output::damage(&found.damaged)
}

/// Writes a file whole, or to standard output.
fn write(to: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if to != Path::new("-") {
        let whole = |file: &mut std::fs::File| file.write_all(bytes);
        return write_whole(to, whole).with_context(|| to.display().to_string());
    }
    match output::data().write_all(bytes) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Returns the input for logs, of ledgers no more than the stretch that is asked for.
fn within(logs: &[PathBuf], engine: &EngineArgs) -> Input {
    let moment = |when: Option<When>| match when {
        Some(When::At(at)) => Some(at),
        _ => None,
    };
    input_within(logs, moment(engine.from), moment(engine.to))
}

/// Returns the logs named, else the operator's own ledger.
pub(super) fn or_own_ledger(logs: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    if !logs.is_empty() {
        return Ok(logs.to_vec());
    }
    let own = ledger::usual_path()?;
    if !own.exists() {
        anyhow::bail!(
            "no ledger at {}: no gateway has run here yet\nhint: name a log or a ledger, like `pointsman report gateway.jsonl`",
            own.display()
        );
    }
    Ok(vec![own])
}

/// Writes charges as FOCUS has them, and says what has no row.
fn charges(args: &ReportArgs, found: &Spent) -> anyhow::Result<()> {
    let options = FocusOptions {
        version: args.focus,
        account: args.account.clone(),
        account_name: args.account_name.clone().unwrap_or_else(|| args.account.clone()),
    };
    let write = |out: &mut dyn Write| {
        let mut out = BufWriter::with_capacity(1 << 16, out);
        let written = focus(&found.spend, &found.names, &options, &mut out)?;
        out.flush().map(|()| written)
    };
    let written = if args.output == Path::new("-") {
        match write(&mut output::data()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            other => other?,
        }
    } else {
        let mut written = FocusWritten::default();
        let whole = |file: &mut std::fs::File| write(file).map(|done| written = done);
        write_whole(&args.output, whole).with_context(|| args.output.display().to_string())?;
        written
    };
    let total = written.total.usd();
    let calls = written.unknown.iter().map(|(_, calls)| calls).sum();
    let rows = counted(written.rows, "row");
    output::say(&format!("{rows}, {total} USD in all"));
    if calls > 0 {
        let why: Vec<String> = written.unknown.iter().map(|(why, calls)| format!("{calls}: {why}")).collect();
        output::remark(&format!(
            "left out: {} of unknown cost, for unknown is not zero ({})",
            counted(calls, "call"),
            why.join("; ")
        ));
    }
    if written.made_up > 0 {
        output::remark(&format!(
            "left out: {} simulated for want of a key, which nobody bills",
            counted(written.made_up, "call")
        ));
    }
    if let Some(times) = &found.scope.times {
        output::remark(times);
    }
    Ok(())
}
