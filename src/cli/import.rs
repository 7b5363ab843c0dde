//! `pointsman import`: turns logs of any known format into ours.
//!
//! Invariants: no input is ever overwritten, and what stands under the output's name is whole; whatever was left out is told on standard error; standard output carries
//! nothing but the log.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;

use super::output;
use crate::app::{Cancel, Progress};
use crate::record::{
    self, Block, BudgetFiles, Entry, Header, InputFormat, Known, Mapping, Packed, ReadOptions, Summary,
    Writer,
};
use crate::session::{LoadError, Stretch};
use crate::units::{When, counted};

/// Turns request logs of any known format into Pointsman's own.
#[derive(Args, Clone, Debug)]
pub struct ImportArgs {
    /// Logs to read, in this order; `-` is standard input. Gzip and Zstandard are unpacked on the way.
    #[arg(required = true, value_name = "LOG")]
    pub logs: Vec<PathBuf>,
    /// Where to write; `-` is standard output. A name ending in `.gz` or `.zst` is packed.
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// The format of the logs, instead of recognising it by their content.
    #[arg(long, value_name = "FORMAT", value_parser = super::args::formats())]
    pub input_format: Option<InputFormat>,
    /// Read logs of your own shape: where their fields stand (at=ts,model=req.model), or a file that says so.
    #[arg(long, value_name = "FIELD=PATH,..|FILE", value_parser = super::args::mapping)]
    pub map: Option<Arc<Mapping>>,
    /// The model to assume where a log names none; costs then count as estimates.
    #[arg(long, value_name = "MODEL")]
    pub assume_model: Option<String>,
    /// Only requests at or after this moment, as in `replay`; events are kept.
    #[arg(long, value_name = "TIME", value_parser = super::args::time)]
    pub from: Option<When>,
    /// Only requests before this moment; a day counts whole.
    #[arg(long, value_name = "TIME", value_parser = super::args::end_time)]
    pub to: Option<When>,
    /// Overwrite the output where it exists.
    #[arg(long)]
    pub replace: bool,
    /// Stop at the first bad line instead of skipping it.
    #[arg(long)]
    pub strict: bool,
}

/// Runs the command.
pub fn run(args: &ImportArgs) -> anyhow::Result<()> {
    let to_stdout = args.output == Path::new("-");
    output::may_write(&args.output, &args.logs, args.replace)?;
    if args.logs.iter().filter(|log| *log == Path::new("-")).count() > 1 {
        bail!("standard input (`-`) can be read only once");
    }
    let options = ReadOptions {
        format: args.input_format,
        strict: args.strict,
        assume_model: args.assume_model.clone(),
        mapping: args.map.clone(),
    };
    let mut source = record::open(&crate::app::input(&args.logs), &options)?;
    let header = header(&args.logs, &options, &source);
    let result = if to_stdout {
        let out = Writer::new(output::data(), &header);
        let (out, summary) = copy(&mut source, args, out)?;
        quiet_if_closed(out.finish().map(drop)).map(|()| summary)
    } else {
        let out = Writer::new(Packed::create(&args.output)?, &header);
        let (out, summary) = copy(&mut source, args, out)?;
        let close = out.finish().and_then(Packed::close);
        close.with_context(|| format!("cannot finish writing {}", args.output.display())).map(|()| summary)
    };
    let (summary, damage) = result?;
    tell(&summary, &damage);
    match damage.len() {
        0 => Ok(()),
        count => bail!("{count} of the logs could not be read to the end; what came before was imported"),
    }
}

type Outcome = (Summary, Vec<record::Error>);

/// Copies every entry; a damaged log does not keep the next from being read, unless reading is strict.
fn copy<W: Write>(
    source: &mut record::Source,
    args: &ImportArgs,
    mut out: Writer<W>,
) -> anyhow::Result<(Writer<W>, Outcome)> {
    let (mut summary, mut damage) = (Summary::default(), Vec::new());
    // What the written log has: calls that the format they come from tells apart must not become one in ours.
    let mut told = (Known::default(), Stretch::new(args.from, args.to));
    let watch = source.progress();
    let (mut progress, cancel) = (Progress::new("importing", watch.total), Cancel::on_interrupt());
    while let Some(block) = source.next_block() {
        match block {
            Ok(block) => {
                if !copy_block(&block, source.known(), &mut told, &mut out, &mut summary)? {
                    break;
                }
            }
            Err(error) if args.strict => return Err(error.into()),
            Err(error) => damage.push(error),
        }
        progress.update(watch.read(), summary.entries);
        if cancel.is_raised() {
            return Err(LoadError::Cancelled.into());
        }
    }
    progress.finish();
    Ok((out, (summary, damage)))
}

/// Copies a block; says whether to go on.
fn copy_block<W: Write>(
    block: &Block,
    known: &mut Known,
    (told, stretch): &mut (Known, Stretch),
    out: &mut Writer<W>,
    summary: &mut Summary,
) -> anyhow::Result<bool> {
    let mut failed = None;
    let flow = block.for_each_new(known, |_, entry: Result<Entry<'_>, _>| {
        match entry {
            Ok(Entry::Request(record)) if !stretch.takes(record.at) => {}
            Ok(mut entry) => {
                if let Entry::Request(record) = &mut entry {
                    told.set_apart(record);
                }
                summary.entries += 1;
                failed = out.write(&entry).err().map(anyhow::Error::from);
            }
            Err(skip) => {
                failed = block.strict_error(&skip).map(anyhow::Error::from);
                summary.note(block.file(), &skip);
            }
        }
        if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match failed {
        None => Ok(flow.is_continue()),
        // Whoever reads our output has seen enough.
        Some(error) if is_closed(&error) => Ok(false),
        Some(error) => Err(error),
    }
}

fn is_closed(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn quiet_if_closed(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// Gathers where the traffic comes from and what in it is synthetic, over all logs.
fn header(logs: &[PathBuf], options: &ReadOptions, first: &record::Source) -> Header {
    let (mut sources, mut simulated, mut budgets) = (Vec::new(), BTreeSet::new(), BudgetFiles::default());
    let mut add = |source: &record::Source| {
        let named = &source.header().source;
        let name = if named.is_empty() { source.format().name().to_owned() } else { named.clone() };
        if !sources.contains(&name) {
            sources.push(name);
        }
        simulated.extend(source.whole_header().simulated);
        if budgets.is_empty() {
            budgets.clone_from(&source.header().budgets);
        }
    };
    add(first);
    for log in logs.iter().skip(1).filter(|log| *log != Path::new("-")) {
        // A log that cannot be opened is told of when its turn comes. Pipes would lose what is looked at here.
        if log.is_file()
            && let Ok(source) = record::open(&crate::app::input(std::slice::from_ref(log)), options)
        {
            add(&source);
        }
    }
    Header { source: sources.join("; "), simulated: simulated.into_iter().collect(), budgets }
}

/// Says on standard error what was read and what was not.
fn tell(summary: &Summary, damage: &[record::Error]) {
    let Summary { entries, bad, first_bad, passed_over, .. } = summary;
    let mut text = format!("{} imported", counted(*entries, "entry"));
    let not_calls: u64 = passed_over.values().sum();
    if not_calls > 0 {
        let _ = write!(text, ", {not_calls} passed over that are no model calls or told again");
    }
    if *bad > 0 {
        let _ = write!(text, ", {} skipped", counted(*bad, "bad line"));
    }
    for (reason, count) in passed_over {
        let _ = write!(text, "\n  {count} passed over: {reason}");
    }
    for line in first_bad {
        let _ = write!(text, "\n  {line}");
    }
    let quoted = u64::try_from(first_bad.len()).unwrap_or(u64::MAX);
    if *bad > quoted {
        let _ = write!(text, "\n  and {} more", bad - quoted);
    }
    for error in damage {
        let _ = write!(text, "\n  {error}");
    }
    output::say(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(logs: &[&Path], output: &Path) -> ImportArgs {
        ImportArgs {
            logs: logs.iter().map(|log| log.to_path_buf()).collect(),
            output: output.to_owned(),
            input_format: None,
            map: None,
            assume_model: None,
            from: None,
            to: None,
            replace: true,
            strict: false,
        }
    }

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records").join(name)
    }

    #[test]
    fn an_import_reads_back_and_again_gives_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a.jsonl.zst"), folder.path().join("b.jsonl.zst"));
        run(&args(&[&fixture("litellm_array.json"), &fixture("native.jsonl")], &first)).unwrap();
        run(&args(&[&first], &second)).unwrap();
        assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap());
        let source = record::open(&record::Input::paths([&second]), &ReadOptions::default()).unwrap();
        assert_eq!(source.header().source, "litellm; illustration");
        assert_eq!(source.header().simulated, ["prices"]);
    }

    #[test]
    fn an_input_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log.jsonl");
        std::fs::copy(fixture("native.jsonl"), &log).unwrap();
        let link = folder.path().join("link.jsonl");
        std::fs::hard_link(&log, &link).unwrap();
        let roundabout = folder.path().join(".").join("log.jsonl");
        for output in [&log, &link, &roundabout] {
            let error = run(&args(&[&log], output)).unwrap_err().to_string();
            assert!(error.contains("choose another name"), "{error}");
        }
        assert_eq!(std::fs::read(&log).unwrap(), std::fs::read(fixture("native.jsonl")).unwrap());
    }

    /// Two calls of one message (a retry) have one id and moment there; in ours that would make them one call.
    #[test]
    fn calls_that_their_format_tells_apart_stay_two() {
        let folder = tempfile::tempdir().unwrap();
        let (log, first, second) =
            (folder.path().join("cc.jsonl"), folder.path().join("a.jsonl"), folder.path().join("b.jsonl"));
        let call = |n: u32| {
            format!(
                r#"{{"type":"assistant","uuid":"u{n}","sessionId":"s","timestamp":"2026-05-01T00:00:01.000Z","requestId":"req_{n}","message":{{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-4-6","content":[{{"type":"text","text":"hi"}}],"stop_reason":"end_turn","usage":{{"input_tokens":1000,"output_tokens":100}}}}}}"#
            ) + "\n"
        };
        std::fs::write(&log, call(1) + &call(2) + &call(3)).unwrap();
        run(&args(&[&log], &first)).unwrap();
        run(&args(&[&first], &second)).unwrap();
        let day = |from: &str| ImportArgs {
            from: Some(super::super::args::time(from).unwrap()),
            ..args(&[&first], &log)
        };
        run(&day("2026-05-02")).unwrap();
        assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), 1, "the header alone");
        run(&day("2026-05-01")).unwrap();
        assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), 4);
        let text = std::fs::read_to_string(&second).unwrap();
        assert_eq!(text, std::fs::read_to_string(&first).unwrap());
        let ids = ["\"msg_1\"", "\"msg_1~2\"", "\"msg_1~3\""];
        assert!(text.lines().skip(1).zip(ids).all(|(line, id)| line.contains(id)), "{text}");
        assert_eq!(text.lines().count(), 4);
    }

    #[test]
    fn strict_stops_and_a_broken_archive_fails_after_giving_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let (log, out) = (folder.path().join("log.jsonl"), folder.path().join("out.jsonl"));
        let good = "{\"at\":\"2026-05-23T10:00:00Z\",\"model\":\"m\"}\n";
        std::fs::write(&log, format!("{good}nonsense\n{good}")).unwrap();
        run(&args(&[&log], &out)).unwrap();
        assert_eq!(std::fs::read_to_string(&out).unwrap().lines().count(), 3);
        let strict = ImportArgs { strict: true, ..args(&[&log], &out) };
        assert!(run(&strict).unwrap_err().to_string().contains("log.jsonl:2:"));

        let packed = zstd::stream::encode_all(good.repeat(100_000).as_bytes(), 1).unwrap();
        std::fs::write(&log, &packed[..packed.len() / 2]).unwrap();
        let error = run(&args(&[&log], &out)).unwrap_err().to_string();
        assert!(error.contains("could not be read to the end"), "{error}");
        assert!(std::fs::read_to_string(&out).unwrap().lines().count() > 1);
        let strict = ImportArgs { strict: true, ..args(&[&log], &out) };
        assert!(run(&strict).unwrap_err().to_string().contains("breaks off"));
    }
}
