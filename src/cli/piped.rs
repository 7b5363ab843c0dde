//! A log that comes in through a pipe and that nobody has named: taken as if `-` had been said.
//!
//! Invariant: a command that has something else to show without a log waits a moment for one and no longer, and says so.

use std::ffi::OsString;
use std::io::BufRead as _;
use std::sync::mpsc;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command, Parser};

use super::output;

/// How long a first byte is waited for in silence.
const PATIENCE: Duration = Duration::from_secs(2);

/// Parses the command line; where it names no log and standard input holds one, that is the log.
///
/// # Errors
/// As the reader of the command line says.
pub(super) fn parse<C: Parser>(words: &[OsString]) -> Result<C, clap::Error> {
    let mut command = C::command();
    match command.try_get_matches_from_mut(words) {
        Err(error) if wants_a_log(&error) && is_fed() => {
            let piped = C::try_parse_from(with(words, &["-"])).map_err(|_| error)?;
            if comes().is_none() {
                output::remark("no log is named, so one is waited for through standard input");
            }
            Ok(piped)
        }
        Err(error) => Err(error),
        Ok(matches) => {
            let cli = C::from_arg_matches(&matches)?;
            let Some(dash) = unnamed(&command, &matches) else { return Ok(cli) };
            // Where a log does not go with what was said, nobody waits for one.
            match C::try_parse_from(with(words, dash)) {
                Ok(piped) if is_fed() => Ok(match comes() {
                    Some(true) => piped,
                    Some(false) => cli,
                    None => {
                        output::remark(
                            "nothing came through standard input, so it is not read; name it with `-` to wait for it, or close it with `</dev/null`",
                        );
                        cli
                    }
                }),
                _ => Ok(cli),
            }
        }
    }
}

fn with(words: &[OsString], more: &[&str]) -> Vec<OsString> {
    words.iter().cloned().chain(more.iter().map(OsString::from)).collect()
}

/// Says whether nothing but a log is missing.
fn wants_a_log(error: &clap::Error) -> bool {
    let missing = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(missing)) => missing.as_slice(),
        Some(ContextValue::String(missing)) => std::slice::from_ref(missing),
        _ => &[],
    };
    let is_log = |name: &String| names_a_log(name.trim_matches(|c| "<>[].".contains(c)));
    error.kind() == ErrorKind::MissingRequiredArgument && matches!(missing, [one] if is_log(one))
}

fn names_a_log(name: &str) -> bool {
    matches!(name.split('|').next(), Some("LOG" | "LABELS"))
}

/// Returns what names standard input to the command that was said, where that reads logs and none is named.
fn unnamed(mut command: &Command, mut matches: &ArgMatches) -> Option<&'static [&'static str]> {
    while let Some((name, of_it)) = matches.subcommand() {
        command = command.find_subcommand(name)?;
        matches = of_it;
    }
    let log = command.get_arguments().find(|arg| {
        let is_named_so =
            arg.get_value_names().is_some_and(|names| names.iter().any(|name| names_a_log(name)));
        is_named_so && (arg.is_positional() || arg.get_long() == Some("log"))
    })?;
    let dash: &[&str] = if log.is_positional() { &["-"] } else { &["--log", "-"] };
    matches.value_source(log.get_id().as_str()).is_none().then_some(dash)
}

/// Says whether standard input is a pipe or a file.
#[cfg(unix)]
fn is_fed() -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    std::path::Path::new("/dev/stdin")
        .metadata()
        .is_ok_and(|meta| meta.is_file() || meta.file_type().is_fifo())
}

#[cfg(not(unix))]
fn is_fed() -> bool {
    false
}

/// Says whether anything comes through standard input, where that turns out in time; what came can still be read. A pipe that
/// its other end merely holds open, as programs do that start others, must not keep a command from its own.
fn comes() -> Option<bool> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let is_empty = std::io::stdin().lock().fill_buf().is_ok_and(<[u8]>::is_empty);
        tell.send(!is_empty)
    });
    told.recv_timeout(PATIENCE).ok()
}
