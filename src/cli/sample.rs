//! `pointsman sample`: writes the bundled sample anew, or another like it.
//!
//! Invariant: seed 1 with no further options writes the committed asset, byte for byte once unpacked.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::config::write_whole;
use crate::sample::{self, Options};
use crate::units::counted;

/// Packed harder than logs usually are: the sample is written seldom and shipped with every binary.
const LEVEL: i32 = 19;

/// Generates a log of synthetic traffic, marked as such, with a rate-limit storm, a runaway project and a price change in it.
#[derive(Args, Debug)]
pub struct SampleArgs {
    /// The seed; the same seed writes the same log on every machine.
    #[arg(long, default_value_t = sample::SEED)]
    seed: u64,
    /// The file to write, packed if its name ends in .zst or .gz.
    #[arg(short, long, default_value = "sample.jsonl.zst")]
    output: PathBuf,
    /// How many requests.
    #[arg(long, default_value_t = Options::default().requests, value_parser = clap::value_parser!(u32).range(1..=2_000_000))]
    requests: u32,
    /// How many hours they span.
    #[arg(long, default_value_t = Options::default().hours, value_parser = clap::value_parser!(u32).range(1..=168))]
    hours: u32,
    /// Overwrite a file that is there.
    #[arg(long)]
    replace: bool,
}

/// Runs the subcommand.
pub fn run(args: &SampleArgs) -> anyhow::Result<()> {
    let SampleArgs { seed, ref output, requests, hours, replace } = *args;
    if output.exists() && !replace {
        bail!(
            "{} is there already\nhint: name another file with -o, or overwrite with --replace",
            output.display()
        );
    }
    let options = Options { hours, requests, ..Options::default() };
    write_whole(output, |file| write(seed, &options, output, file))
        .with_context(|| format!("cannot write {}", output.display()))?;
    let size = fs::metadata(output).map_or(0, |meta| meta.len());
    writeln!(
        std::io::stdout(),
        "wrote {}: {} over {hours} h, seed {seed}, {size} bytes; all of it simulated",
        output.display(),
        counted(u64::from(requests), "request")
    )?;
    Ok(())
}

fn write(seed: u64, options: &Options, output: &Path, file: &mut File) -> io::Result<()> {
    let file = BufWriter::new(file);
    match output.extension().and_then(std::ffi::OsStr::to_str) {
        Some("zst") => {
            let packed = zstd::stream::write::Encoder::new(file, LEVEL)?;
            sample::write(seed, options, packed)?.finish()?.flush()?;
        }
        Some("gz") => {
            let packed = flate2::write::GzEncoder::new(file, flate2::Compression::best());
            sample::write(seed, options, packed)?.finish()?.flush()?;
        }
        _ => sample::write(seed, options, file)?.flush()?,
    }
    Ok(())
}
