//! `pointsman reconcile`: what was spent beside what a provider bills.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;

use super::args::{EngineArgs, input, names, usd};
use super::output;
use super::report::or_own_ledger;
use crate::app::{reconciled, spent};
use crate::config;
use crate::record::Input;
use crate::record::bill::Bill;
use crate::report::Format;
use crate::telemetry::{Dimension, SpendOptions};
use crate::units::Pico;

/// Compares what was spent with a provider's bill.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman reconcile --bill cost_report.json\n  pointsman reconcile gateway.jsonl --bill costs.json --format csv\n  pointsman reconcile --bill costs.json --keep\n  pointsman reconcile --bill invoice.csv --columns day=Datum,model=Modell,usd=Betrag\n\nBills: Anthropic's cost or usage report and OpenAI's costs or usage as JSON (a page, or a list of pages), and tables (CSV, TSV) with a column for the day, the amount in dollars and, where there is one, the model. Days are UTC. Without a log it reads your own ledger."
)]
pub struct ReconcileArgs {
    /// Logs and ledgers, or folders of them; your own ledger where absent.
    #[arg(value_name = "LOG|LEDGER")]
    pub logs: Vec<PathBuf>,
    /// The bill, plain or packed; several are taken together.
    #[arg(long, value_name = "FILE", required = true)]
    pub bill: Vec<PathBuf>,
    /// Columns of a table by field (day, end, model, usd, currency, input, output, requests).
    #[arg(long, value_name = "FIELD=NAME,..", value_delimiter = ',', value_parser = column)]
    pub columns: Vec<(String, String)>,
    /// Compare only calls that this provider served; that of the bill where it is one's own.
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// Take amounts that differ by no more than so many dollars for the same.
    #[arg(long, value_name = "USD", default_value = "0.01", value_parser = usd, allow_negative_numbers = true)]
    pub within: Pico,
    /// Keep how far they are apart beside the ledger, where Spend shows it.
    #[arg(long)]
    pub keep: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

fn column(text: &str) -> Result<(String, String), String> {
    let (field, name) = text.split_once('=').ok_or_else(|| format!("`{text}`: write FIELD=NAME"))?;
    Ok((field.trim().to_owned(), name.trim().to_owned()))
}

/// Runs the subcommand.
///
/// # Errors
/// Where log or bill cannot be read.
pub fn run(args: &ReconcileArgs) -> anyhow::Result<()> {
    let open = |path: &PathBuf| Bill::open(&Input::paths([path]), &args.columns);
    let bills: Vec<Bill> = args.bill.iter().map(open).collect::<Result<_, _>>()?;
    let mut own: Vec<_> = bills.iter().filter_map(|bill| bill.source.provider()).collect();
    own.sort_unstable();
    own.dedup();
    // Bills of several providers are about the calls of all of them.
    let billed = if own.len() == 1 { own.first().copied() } else { None };
    let provider = args.provider.as_deref().or(billed);
    let logs = or_own_ledger(&args.logs)?;
    let kept_beside = match &*logs {
        [one] if args.keep => Some(one),
        _ if args.keep => {
            bail!("--keep: several logs have no place beside them all\nhint: name one, or your ledger")
        }
        _ => None,
    };
    let by = vec![Dimension::Day, Dimension::Model, Dimension::Provider];
    let options = SpendOptions {
        tables: vec![by],
        most: SpendOptions::MOST,
        billed_only: true,
        ..SpendOptions::default()
    };
    let mut setup = args.engine.start()?;
    // The provider bills calls beside the traffic like any other.
    setup.ingest.counts_beside = true;
    let found = spent(&input(&logs), names(&logs), &setup, &args.engine.read(), options)?;
    let report = reconciled(&found, &bills, &setup.book, provider, args.within);
    output::report(args.format, &report, || report.text(args.format))?;
    if args.format == Format::Csv {
        report.scope.remarks.iter().for_each(|remark| output::remark(remark));
    }
    if let Some(ledger) = kept_beside {
        let Some(billed) = report.billed() else {
            bail!("--keep: there are no amounts on both sides to compare")
        };
        let path = config::billed::keep(ledger, &billed).with_context(|| ledger.display().to_string())?;
        output::say(&format!("kept in {}, for Spend to show", path.display()));
    }
    output::damage(&found.damaged)
}
