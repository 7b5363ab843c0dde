//! `pointsman anomalies`: what is unlike its past, in a log or in any series.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::args::input;
use super::output;
use crate::anomaly::Detector;
use crate::record::{Input, Series};
use crate::report::{Format, ScoredPoint, SeriesReport, series_text};

/// Finds what is unlike its past.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman anomalies cpu.csv --format json\n\nA series is a table of a moment and a value: two columns, or columns called timestamp and value. Each point gets one score from 0 to 1, from what came before it; one half and more is worth an alarm."
)]
pub struct AnomaliesArgs {
    /// Series; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// Runs the subcommand.
///
/// # Errors
/// Where a file cannot be read.
pub fn run(args: &AnomaliesArgs) -> anyhow::Result<()> {
    let mut scored = Vec::new();
    for path in &args.files {
        let part = one(path)?;
        match Series::open(&part)? {
            Some(series) => scored.push(score(series)),
            None => anyhow::bail!("{}: no series", path.display()),
        }
    }
    output::text(&series_text(&scored, args.format)?)
}

/// Gives the input for a file; standard input is read whole, as it has to be looked at before it is known what it is.
fn one(path: &Path) -> anyhow::Result<Input> {
    if path != Path::new("-") {
        return Ok(input(&[path.to_owned()]));
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).context("standard input cannot be read")?;
    Ok(Input::bytes("standard input", bytes))
}

fn score(series: Series) -> SeriesReport {
    let mut detector = Detector::default();
    let points = series.points.into_iter().map(|point| ScoredPoint {
        score: point.value.map(|value| detector.observe(point.at, value).score),
        timestamp: point.stamp,
        value: point.value,
    });
    SeriesReport { points: points.collect(), file: series.name }
}
