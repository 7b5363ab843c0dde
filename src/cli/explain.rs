//! `pointsman explain`: why cost changed between two windows.

use clap::Args;

use super::args::{ReadLogsArgs, end_time, names, time};
use super::output;
use crate::report::{ExplainReport, ExplainScope, NoteRow};
use crate::session::{Compared, Log, compare};
use crate::units::{Instant, Span, When, counted};

/// Says why cost changed between two windows: volume, mix, price, tokens, cache, escalation, retries, to the pico-dollar.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman explain gateway.jsonl --before 15:05..15:20 --after 15:20..15:35\n  pointsman explain may.jsonl june.jsonl --after 2026-06-08..2026-06-14 --before 7d --format json\n  pointsman explain gateway.jsonl --after 2026-05-23\n\nA window is FROM..TO, from a moment on and before another; a day counts whole, and either end may be left out. --before may be a length (1h, 7d): the same hours so much earlier. Without --before it is the time just before --after, as long."
)]
pub struct ExplainArgs {
    /// The window to compare with, or by how much earlier it is.
    #[arg(long, value_name = "FROM..TO|LENGTH", value_parser = earlier, allow_hyphen_values = true)]
    pub before: Option<Earlier>,
    /// The window to explain.
    #[arg(long, value_name = "FROM..TO", value_parser = window)]
    pub after: WindowArg,
    /// How many parts of the traffic to name.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub slices: usize,
    #[command(flatten)]
    pub(crate) input: ReadLogsArgs,
}

/// A window as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowArg {
    from: Option<When>,
    to: Option<When>,
}

/// A window before another, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// By its ends.
    Window(WindowArg),
    /// By how much earlier it is.
    By(Span),
}

/// Reads `FROM..TO`, or a day.
pub fn window(text: &str) -> Result<WindowArg, String> {
    let Some((from, to)) = text.split_once("..") else {
        return match time(text) {
            Ok(when) if When::is_day(text) => {
                Ok(WindowArg { from: Some(when), to: Some(when.a_day_later()) })
            }
            _ => Err(format!(
                "`{text}` is no window; write 15:05..15:20, 2026-05-23 or 2026-05-01..2026-05-07"
            )),
        };
    };
    let end = |text: &str, read: fn(&str) -> Result<When, String>| match text.trim() {
        "" => Ok(None),
        text => read(text).map(Some),
    };
    let window = WindowArg { from: end(from, time)?, to: end(to, end_time)? };
    if let (Some(When::At(from)), Some(When::At(to))) = (window.from, window.to)
        && from >= to
    {
        return Err(format!("{from} is not before {to}"));
    }
    Ok(window)
}

fn earlier(text: &str) -> Result<Earlier, String> {
    match Span::parse(text.trim_start_matches('-')) {
        Some(by) if by > Span::ZERO && !text.contains("..") => Ok(Earlier::By(by)),
        _ => window(text).map(Earlier::Window),
    }
}

impl WindowArg {
    /// Finds the moments in a log; says so where what was given under a name is taken as going over midnight.
    pub(super) fn moments(self, log: &Log, name: &str) -> (Instant, Instant) {
        if let (Some(When::Clock(from)), Some(When::Clock(to))) = (self.from, self.to)
            && to <= from
        {
            output::remark(&format!(
                "{name} ends no later in the day than it begins: its end is taken as that time on the next day"
            ));
        }
        let (first, last) = log.bounds().unwrap_or_default();
        let from = self.from.map_or(first, |from| from.near_start(first));
        let end = Instant(last.0.saturating_add(1));
        (from, self.to.map_or(end.max(from), |to| to.after(from)))
    }
}

/// Runs the subcommand.
///
/// # Errors
/// Where a log, policy or price book cannot be used, or neither window has a request.
pub fn run(args: &ExplainArgs) -> anyhow::Result<()> {
    let log = args.input.load()?;
    log.untimed().into_iter().for_each(output::remark);
    let after = args.after.moments(&log, "--after");
    let length = after.1 - after.0;
    let before = match args.before {
        None => (after.0 - length, after.0),
        Some(Earlier::By(by)) => (after.0 - by, after.1 - by),
        Some(Earlier::Window(window)) => window.moments(&log, "--before"),
    };
    let reading = args.input.read_as;
    let compared = compare(&log, reading, before, after);
    tell(&log, &compared, [("before", before), ("after", after)])?;
    if before.1 - before.0 != length {
        output::remark("the windows are not equally long: what that changes is part of the volume");
    }
    let both = (before.0.max(after.0), before.1.min(after.1));
    let twice = if both.0 < both.1 { compare(&log, reading, both, both).before.requests } else { 0 };
    if twice > 0 {
        output::remark(&format!(
            "the windows overlap: {} {} on both sides",
            counted(twice, "request"),
            if twice == 1 { "counts" } else { "count" }
        ));
    }
    let (first, last) = (before.0.min(after.0), before.1.max(after.1));
    let notes = log.notes.iter().filter(|note| (first..last).contains(&note.at));
    let scope = ExplainScope {
        logs: names(&args.input.from.logs),
        reading: reading.name(),
        prices: log.book.clone(),
        left_out: compared.left_out,
        windows: [before, after],
        notes: notes.map(|note| NoteRow { at: note.at.rfc3339(), text: note.text.clone() }).collect(),
    };
    let explained = compared.explain(args.slices);
    let report = ExplainReport::new(scope, (&compared.before, &compared.after), &explained, &log.names);
    let format = args.input.from.format;
    output::report(format, &report, || report.text(format))?;
    output::damage(&log.skipped.damaged)
}

/// Says which windows are empty; fails where both are.
fn tell(log: &Log, compared: &Compared, windows: [(&str, (Instant, Instant)); 2]) -> anyhow::Result<()> {
    let (first, last) = log.bounds().unwrap_or_default();
    let requests = [compared.before.requests, compared.after.requests];
    if requests == [0, 0] {
        let why = if compared.left_out == 0 { "" } else { " that anybody bills" };
        anyhow::bail!("no request{why} in either window; the log goes from {first} to {last}");
    }
    for ((name, (from, to)), _) in windows.iter().zip(requests).filter(|(_, requests)| *requests == 0) {
        output::remark(&format!(
            "--{name} {from}..{to} has no request: all of the change is volume; the log goes from {first} to {last}"
        ));
    }
    Ok(())
}
