//! Writing to stdout and stderr: a reader that closes the pipe early is no error, and what comes from outside does not act on
//! a terminal.

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::bail;
use serde::Serialize;
use serde_json::Value;

use crate::app::{Cancel, Progress};
use crate::console::format;
use crate::report::{Format, Sheet, cell, to_json};
use crate::session::LoadError;
use crate::units::{Pico, counted, marked_lines};

/// Prints a report: as JSON, or as what is written of it.
///
/// # Errors
/// As [`text`].
pub fn report<T: Serialize>(
    format: Format,
    report: &T,
    written: impl FnOnce() -> String,
) -> anyhow::Result<()> {
    text(&if format == Format::Json { to_json(report)? } else { written() })
}

/// Does what takes long, shows how far it is, and gives it up on Ctrl-C: `work` is given what it tells of every step, and
/// goes on while that says so.
///
/// # Errors
/// Where it was given up.
pub fn long<T>(
    what: &'static str,
    steps: u64,
    work: impl FnOnce(&mut dyn FnMut(u64) -> bool) -> Option<T>,
) -> anyhow::Result<T> {
    let (mut progress, cancel) = (Progress::new(what, None), Cancel::on_interrupt());
    let found = work(&mut |done| {
        progress.step(done, steps);
        !cancel.is_raised()
    });
    progress.finish();
    found.ok_or_else(|| LoadError::Cancelled.into())
}

/// Makes a sheet of what rows say in JSON, exact: what CSV is. Each column is named after the member that it shows, or stands before
/// the way to it: `instead=1/model`.
pub fn fields<T: Serialize>(rows: impl IntoIterator<Item = T>, columns: &'static str) -> Sheet {
    let columns: Vec<(&str, String)> = columns
        .split_whitespace()
        .map(|column| column.split_once('=').unwrap_or((column, column)))
        .map(|(head, way)| (head, format!("/{way}")))
        .collect();
    let heads: Vec<&str> = columns.iter().map(|(head, _)| *head).collect();
    let mut sheet = Sheet::new("", &heads);
    for row in rows {
        let row = serde_json::to_value(row).unwrap_or_default();
        sheet.push(columns.iter().map(|(_, way)| exact(row.pointer(way))).collect());
    }
    sheet
}

fn exact(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        // A fraction that is whole has no point in a column.
        Some(Value::Number(number)) if number.is_f64() => cell(number.as_f64()),
        Some(other) => other.to_string(),
    }
}

/// Writes a moment to the minute for people, exactly in CSV.
pub fn moment(text: Option<&str>, format: Format) -> String {
    match (text, format) {
        (None, Format::Csv) => String::new(),
        (None, _) => "-".to_owned(),
        (Some(text), Format::Csv) => text.to_owned(),
        (Some(text), _) => text.get(..16).unwrap_or(text).replace('T', " "),
    }
}

/// Writes a moment to the second for people, exactly for programs.
pub fn second(text: &str, format: Format) -> String {
    match format {
        Format::Table | Format::Md => text.get(..19).unwrap_or(text).replace('T', " "),
        _ => text.to_owned(),
    }
}

/// Quotes a word for a shell where it needs that.
pub fn for_shell(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=,:@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Writes an amount of US dollars as the console does, for people.
pub fn money(usd: &str) -> String {
    Pico::from_usd(usd).map_or_else(|_| usd.to_owned(), |amount| format::money(amount).to_string())
}

/// Refuses a file to write to that is one of the logs to read, that is there and is not to be replaced, or whose folder is
/// not there; standard output and devices are taken as they are.
///
/// # Errors
/// Says which of these it is, and what to do.
pub fn may_write(to: &Path, logs: &[PathBuf], replace: bool) -> anyhow::Result<()> {
    if to == Path::new("-") || to.metadata().is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
        return Ok(());
    }
    if let Some(log) = crate::app::same_log(logs, to) {
        bail!("{} is one of the files to read; choose another name to write to", log.display());
    }
    if to.is_dir() {
        bail!("{} is a folder; name a file in it", to.display());
    }
    if !replace && to.exists() {
        bail!("{} exists; choose another name, or say --replace", to.display());
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        bail!("the folder {} is not there; make it, or choose another", folder.display());
    }
    Ok(())
}

/// Writes text to stdout.
///
/// # Errors
/// Where stdout cannot be written, other than by a closed pipe.
pub fn text(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(marked_lines(text).as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Says something on stderr that a person should know and that stops nothing.
pub fn remark(text: &str) {
    say(&format!("warning: {}", crate::access::redact(text)));
}

/// Says so where requests of a log have simulated answers: nothing else in what follows may tell them from others.
pub fn simulated(requests: u64) {
    if requests > 0 {
        let of = counted(requests, "request");
        remark(&format!("the answers of {of} are SIMULATED: nobody bills them"));
    }
}

/// Writes lines to stderr for a person.
pub fn say(text: &str) {
    let text = marked_lines(text);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    // Where stderr is gone nobody misses it.
    let _ = io::stderr().lock().write_all(format!("{text}{end}").as_bytes());
}

/// Returns stdout for what is data: as it is to a file or a program, made safe to a terminal.
pub fn data() -> Data<io::StdoutLock<'static>> {
    let out = io::stdout();
    let waiting = out.is_terminal().then(Vec::new);
    Data { out: out.lock(), waiting }
}

/// See [`data`].
#[derive(Debug)]
pub struct Data<W: Write> {
    out: W,
    /// Of a line that has no end yet, where lines are made safe.
    waiting: Option<Vec<u8>>,
}

impl<W: Write> Data<W> {
    fn put(&mut self, end: usize) -> io::Result<()> {
        let Some(waiting) = &mut self.waiting else { return Ok(()) };
        let rest = waiting.split_off(end);
        let lines = std::mem::replace(waiting, rest);
        self.out.write_all(marked_lines(&String::from_utf8_lossy(&lines)).as_bytes())
    }
}

impl<W: Write> Write for Data<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(waiting) = &mut self.waiting else { return self.out.write(bytes) };
        waiting.extend_from_slice(bytes);
        if let Some(end) = memchr::memrchr(b'\n', waiting) {
            self.put(end + 1)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // A letter may still lack bytes; what ends without a line end is written when this is dropped.
        self.out.flush()
    }
}

impl<W: Write> Drop for Data<W> {
    fn drop(&mut self) {
        let end = self.waiting.as_ref().map_or(0, Vec::len);
        // Whoever cares has flushed before.
        let _ = self.put(end).and_then(|()| self.out.flush());
    }
}

/// Ends with an error where files broke off, after what was whole of them has been reported.
///
/// # Errors
/// Where anything is damaged.
pub fn damage(damaged: &[String]) -> anyhow::Result<()> {
    if damaged.is_empty() {
        return Ok(());
    }
    anyhow::bail!("{}", damaged.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_exact_but_on_a_terminal() {
        let bytes = "{\"id\":\"a\u{202e}\u{9b}2J\"}\né".as_bytes();
        for (waiting, expected) in [
            (None, "{\"id\":\"a\u{202e}\u{9b}2J\"}\né"),
            (Some(Vec::new()), "{\"id\":\"a\u{fffd}\u{fffd}2J\"}\né"),
        ] {
            let mut written = Vec::new();
            let mut data = Data { out: &mut written, waiting };
            // However the bytes are cut.
            bytes.chunks(3).for_each(|piece| data.write_all(piece).unwrap());
            drop(data);
            assert_eq!(String::from_utf8(written).unwrap(), expected);
        }
    }
}
