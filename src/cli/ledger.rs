//! `pointsman ledger`: proves the ledger, writes stretches of it as a log, tidies it, says where it is.
//!
//! Invariant: standard output carries nothing but what was asked for; nothing here changes a charge.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::args::{end_time, time};
use super::output;
use crate::app::{Cancel, Progress};
use crate::ledger::{self, Cursor, ExportOptions, Exported, LedgerError, LedgerFile, Range, Salvaged};
use crate::record::Packed;
use crate::session::LoadError;
use crate::units::{Instant, When, counted};

/// Looks after the ledger: what live traffic asked, used and was charged.
#[derive(Args, Debug)]
pub struct LedgerArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Prove a ledger or an export of one: charges, sums, and that nothing was changed since; works while it is written
    Check {
        #[command(flatten)]
        place: Place,
        /// Prove against a hash that `ledger head` printed then: all that stood before it has to stand there now.
        #[arg(long, value_name = "HASH", value_parser = noted_head)]
        head: Option<String>,
    },
    /// Print where the chain of entries ends and its hash: note it elsewhere, and `check --head` proves against it
    Head(Place),
    /// Write a stretch as a log that replays like any other; works while it is written
    Export(ExportArgs),
    /// Delete stored prompts past their time and give unused space back
    Vacuum(Place),
    /// Print where the ledger is
    Path,
}

/// Which ledger.
#[derive(Args, Debug)]
struct Place {
    /// The ledger; your own where absent.
    #[arg(value_name = "LEDGER")]
    given: Option<PathBuf>,
    /// The same, said as `serve` says it.
    #[arg(long = "ledger", value_name = "FILE", conflicts_with = "given")]
    named: Option<PathBuf>,
}

impl Place {
    fn path(&self) -> Result<PathBuf, LedgerError> {
        self.given.as_ref().or(self.named.as_ref()).map_or_else(ledger::usual_path, |path| Ok(path.clone()))
    }
}

/// Writes a stretch of the ledger as a log.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  pointsman ledger export --from 2026-11-23 -o today.jsonl.zst")]
struct ExportArgs {
    #[command(flatten)]
    place: Place,
    /// From this day or moment (UTC) on, like 2026-11-23 or 2026-11-23T08:00; 08:00 is the last time it was that late.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<Instant>,
    /// Up to this moment (UTC), without it; a day counts whole.
    #[arg(long, value_name = "TIME", value_parser = end_moment)]
    to: Option<Instant>,
    /// Operations by their place in the order of arrival: 120, 120..240, 120.. or ..240, both ends inclusive.
    #[arg(long, value_name = "A..B", value_parser = places)]
    seq: Option<Places>,
    /// What became final after this place, in that order: GATEWAY:LINK, as `ledger head` and each line's `cursor` have it.
    #[arg(long, value_name = "GATEWAY:LINK", conflicts_with_all = ["from", "to", "seq", "with_prices", "salvage"])]
    after: Option<Cursor>,
    /// Where to write; `-` is standard output. A name ending in .gz or .zst is packed.
    #[arg(short, long, value_name = "OUT", default_value = "-")]
    output: PathBuf,
    /// Write the prices charged at into the log, so that a replay charges as the ledger did whatever its price book.
    #[arg(long)]
    with_prices: bool,
    /// Bring out of a damaged ledger all that can be read, and say what is missing.
    #[arg(long, conflicts_with = "with_prices")]
    salvage: bool,
    /// Overwrite the output where it exists.
    #[arg(long)]
    replace: bool,
}

/// The ledger was proved wrong; what is wrong stands on standard output.
#[derive(Debug, thiserror::Error)]
#[error("{}: {} wrong in this ledger\nhint: keep the file as it is and a copy of it; `pointsman ledger export --salvage` writes what is readable", path.display(), things(*wrong))]
pub struct Unsound {
    path: PathBuf,
    wrong: u64,
}

/// An export was proved wrong.
#[derive(Debug, thiserror::Error)]
#[error("{}: {} wrong in this export\nhint: keep it, and export anew from the ledger; what --salvage brings out of a damaged ledger lacks what is missing there, so that no chain proves it", path.display(), things(*wrong))]
pub struct Unproved {
    path: PathBuf,
    wrong: u64,
}

fn things(wrong: u64) -> String {
    if wrong == 1 { "1 thing is".to_owned() } else { format!("{wrong} things are") }
}

/// Says whether a name is rather that of a log than of a database.
fn is_named_like_an_export(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    [".jsonl", ".json", ".ndjson", ".gz", ".zst"].iter().any(|ending| name.ends_with(ending))
}

/// Reads a hash that was noted, or the end of one.
fn noted_head(text: &str) -> Result<String, String> {
    let hash = text.split_ascii_whitespace().last().unwrap_or_default();
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash {
        Ok(text.to_owned())
    } else {
        Err("64 hexadecimal digits are due, as `pointsman ledger head` prints them".to_owned())
    }
}

type Places = (Option<u64>, Option<u64>);

fn places(text: &str) -> Result<Places, String> {
    let invalid = || "write 120, 120..240, 120.. or ..240".to_owned();
    let end = |text: &str| match text.trim_start_matches('=') {
        "" => Ok(None),
        digits => digits.parse().map(Some).map_err(|_| invalid()),
    };
    match text.split_once("..") {
        Some((first, last)) => Ok((end(first)?, end(last)?)),
        None => text.parse().map(|only| (Some(only), Some(only))).map_err(|_| invalid()),
    }
}

fn moment(text: &str) -> Result<Instant, String> {
    time(text).map(before_now)
}

fn end_moment(text: &str) -> Result<Instant, String> {
    end_time(text).map(before_now)
}

fn before_now(when: When) -> Instant {
    when.before(Instant(chrono::Utc::now().timestamp_micros()))
}

/// Runs the subcommand.
///
/// # Errors
/// Where the ledger cannot be read, is wrong, or the output cannot be written.
pub fn run(args: &LedgerArgs) -> anyhow::Result<()> {
    match &args.command {
        Command::Check { place, head } => check(&place.path()?, head.as_deref()),
        Command::Head(place) => head(&place.path()?),
        Command::Export(args) => export(&args.place.path()?, args),
        Command::Vacuum(place) => vacuum(&place.path()?),
        Command::Path => output::text(&format!("{}\n", ledger::usual_path()?.display())),
    }
}

/// Tells a cancelled run from trouble.
fn told(error: LedgerError) -> anyhow::Error {
    match error {
        LedgerError::Cancelled => LoadError::Cancelled.into(),
        LedgerError::Output(error) => error.into(),
        other => other.into(),
    }
}

fn head(path: &Path) -> anyhow::Result<()> {
    let heads = LedgerFile::open(path)?.heads()?;
    output::text(&heads.iter().fold(String::new(), |text, head| format!("{text}{head}\n")))
}

fn check(path: &Path, head: Option<&str>) -> anyhow::Result<()> {
    if !path.exists() && is_named_like_an_export(path) {
        anyhow::bail!("no export of a ledger at {}: there is no such file", path.display());
    }
    let cancel = Cancel::on_interrupt();
    if is_log(path) {
        let report = ledger::check_export(path, head, |_| !cancel.is_raised()).map_err(told)?;
        output::text(&format!("{}\n{report}", path.display()))?;
        return match report.wrong {
            0 => Ok(()),
            wrong => Err(Unproved { path: path.to_owned(), wrong }.into()),
        };
    }
    let file = LedgerFile::open(path)?;
    let mut progress = Progress::new("checking", None);
    let report = file.check_against(head, |done, total| {
        progress.step(done, total);
        !cancel.is_raised()
    });
    progress.finish();
    let report = report.map_err(told)?;
    output::text(&format!("{}\n{report}", path.display()))?;
    proved(path, report.wrong)
}

/// Says whether a file is rather a log than a database, by its first bytes.
fn is_log(path: &Path) -> bool {
    let mut start = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| io::Read::read(&mut file, &mut start));
    read.is_ok_and(|_| {
        start[0] == b'{' || start == [0x28, 0xb5, 0x2f, 0xfd] || start.starts_with(&[0x1f, 0x8b])
    })
}

fn proved(path: &Path, wrong: u64) -> anyhow::Result<()> {
    match wrong {
        0 => Ok(()),
        wrong => Err(Unsound { path: path.to_owned(), wrong }.into()),
    }
}

fn export(path: &Path, args: &ExportArgs) -> anyhow::Result<()> {
    let file = if args.salvage { LedgerFile::open_damaged(path)? } else { LedgerFile::open(path)? };
    let (first, last) = args.seq.unwrap_or_default();
    let range = Range { from: args.from, to: args.to, first, last };
    let options = ExportOptions { prices: args.with_prices, chain: true };
    let cancel = Cancel::on_interrupt();
    let mut progress = Progress::new("exporting", None);
    let mut tick = |done, total| {
        progress.step(done, total);
        !cancel.is_raised()
    };
    let mut write = |out: &mut dyn io::Write| {
        if args.salvage {
            return file.salvage(&range, out, &mut tick);
        }
        let exported = match &args.after {
            Some(cursor) => file.export_after(cursor, out, &mut tick)?,
            None => file.export(&range, options, out, &mut tick)?,
        };
        Ok(Salvaged { exported, ..Salvaged::default() })
    };
    let written = if args.output == Path::new("-") {
        write(&mut output::data())
    } else {
        if !args.replace && args.output.exists() {
            anyhow::bail!("{} exists; choose another name, or say --replace", args.output.display());
        }
        if std::fs::canonicalize(&args.output)
            .ok()
            .is_some_and(|to| std::fs::canonicalize(path).ok() == Some(to))
        {
            anyhow::bail!("{} is the ledger itself; choose another name to write to", path.display());
        }
        let mut packed = Packed::create(&args.output)?;
        match write(&mut packed) {
            Ok(written) => packed.close().map(|()| written).map_err(LedgerError::from),
            Err(error) => Err(error),
        }
    };
    progress.finish();
    let found = written.map_err(told)?;
    let Exported { requests, open, events, next } = &found.exported;
    let (requests, open, events) = (*requests, *open, *events);
    let mut text = format!("{} exported", counted(requests, "request"));
    if events > 0 {
        let _ = write!(text, ", {} of policies, prices, judgements and notes", counted(events, "record"));
    }
    if open > 0 {
        let _ = write!(text, ", {open} left out that are still open");
    }
    if let Some(next) = next {
        let _ = write!(text, "; go on with --after {next}");
    }
    if args.salvage {
        text.push('\n');
        text.push_str(&missing(&found));
    }
    output::say(&text);
    Ok(())
}

/// Says what a salvage could not bring out.
fn missing(found: &Salvaged) -> String {
    let Salvaged { unread, partial, calls, faults, .. } = found;
    if found.is_whole() {
        return "nothing is missing".to_owned();
    }
    let mut text = format!(
        "MISSING: up to {unread} requests cannot be read, {partial} came out without all that belongs to them"
    );
    if let (found, Some(counted)) = calls {
        let _ = write!(text, "\ncalls: {found} came out of the {counted} that the ledger's sums count");
    }
    for fault in &faults.found {
        let _ = write!(text, "\n  {fault}");
    }
    match faults.count.saturating_sub(faults.found.len() as u64) {
        0 => {}
        more => {
            let _ = write!(text, "\n  and {more} more");
        }
    }
    text
}

fn vacuum(path: &Path) -> anyhow::Result<()> {
    let mut progress = Progress::new("bringing it up to date", None);
    let done = ledger::vacuum(path, |done, total| progress.step(done, total));
    progress.finish();
    let done = done?;
    output::text(&format!(
        "{}\nbefore   {} bytes\nafter    {} bytes\nprompts  {} deleted after their time\n",
        path.display(),
        done.before,
        done.after,
        done.prompts
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_read_as_people_write_them() {
        assert_eq!(places("120..240"), Ok((Some(120), Some(240))));
        assert_eq!(places("..=240"), Ok((None, Some(240))));
        assert_eq!(places("7"), Ok((Some(7), Some(7))));
        assert!(places("a..b").is_err() && places("-3").is_err());
        let (start, end) = (moment("2026-11-23").unwrap(), end_moment("2026-11-23").unwrap());
        assert_eq!(end - start, crate::units::Span::days(1), "a day as an end counts whole");
        assert_eq!(end_moment("2026-11-23T08:00:00Z"), moment("2026-11-23T08:00:00Z"));
        assert!(moment("yesterday").is_err());
    }
}
