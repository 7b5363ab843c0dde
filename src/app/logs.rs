//! The logs that a command names: files as they are, folders as the logs within them, and databases as the log that they
//! hold: a ledger, or opencode's messages.
//!
//! Invariant: a database that cannot be read to its end is an error, never a shorter log.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ledger::{self, Range};
use crate::record::{self, Entry, EntryReader, FileId, Input, ReadOptions, Timing};
use crate::units::Instant;

use super::exported::{Export, Exported};
use super::opencode;

/// How deep folders are looked into.
const DEEPEST: usize = 16;
/// How many logs a folder may hold.
const MOST: usize = 200_000;
/// How many files are looked into for the order in which to read them.
const MOST_LOOKED_INTO: usize = 64;
/// What names of logs end in, packed or not.
const ENDINGS: [&str; 6] = ["jsonl", "ndjson", "json", "csv", "tsv", "db"];

/// Returns the input for a list of logs.
pub fn input(logs: &[PathBuf]) -> Input {
    files(logs).iter().fold(Input::default(), |all, (path, is_found)| all.and(one(path, *is_found)))
}

/// The same for whoever needs no more than a stretch of time: of a ledger no more is read, of other logs all.
pub fn input_within(logs: &[PathBuf], from: Option<Instant>, to: Option<Instant>) -> Input {
    let range = Range { from, to, ..Range::default() };
    files(logs).iter().fold(Input::default(), |all, (path, is_found)| {
        all.and(if ledger::is_ledger(path) { of_ledger(path, range) } else { one(path, *is_found) })
    })
}

fn of_ledger(path: &Path, range: Range) -> Input {
    let (name, path) = (path.display().to_string(), path.to_owned());
    Input::entries(
        &name,
        Arc::new(move || {
            let entries = ledger::entries(&path, &range).map_err(io::Error::other)?;
            Ok(Box::new(entries) as Box<dyn EntryReader>)
        }),
    )
}

fn made(path: &Path, opener: impl Fn(&Path) -> io::Result<Export> + Send + Sync + 'static) -> Input {
    let (name, path) = (path.display().to_string(), path.to_owned());
    // What is wrong with the file as a whole is told before anything is read.
    Input::made(&name, Arc::new(move || Ok(Box::new(Exported::start(opener(&path)?)?))))
}

/// Finds the file among a list of logs, folders included, that a path leads to, links included.
pub fn same_log(logs: &[PathBuf], path: &Path) -> Option<PathBuf> {
    let wanted = FileId::of(path)?;
    let (named, sessions) = listed(logs);
    let mut all = named.into_iter().chain(sessions).map(|(log, _)| log);
    all.find(|log| FileId::of(log).as_ref() == Some(&wanted))
}

/// Lists the files that a list of logs stands for, and whether each was found in a folder.
pub(super) fn files(logs: &[PathBuf]) -> Vec<(PathBuf, bool)> {
    let (mut all, rollouts) = listed(logs);
    if (2..=MOST_LOOKED_INTO).contains(&all.iter().filter(|(_, is_found)| !is_found).count()) {
        let (mut named, found): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, is_found)| !is_found);
        in_order(&mut named);
        all = named;
        all.extend(found);
    }
    all.extend(rollouts);
    all
}

/// Files, each with whether it lies in a folder that was named.
pub(super) type Listed = Vec<(PathBuf, bool)>;

/// Lists the same as they are named, apart from sessions of Codex, without a look into any.
pub(super) fn listed(logs: &[PathBuf]) -> (Listed, Listed) {
    let (mut all, mut rollouts) = (Vec::new(), Vec::new());
    for path in logs {
        let found = if path.is_dir() { within(path) } else { Vec::new() };
        if found.is_empty() {
            // A folder without logs is told as what it is, when it is opened.
            all.push((path.clone(), false));
        }
        let (of_codex, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|path| is_rollout(path));
        rollouts.extend(of_codex);
        all.extend(others.into_iter().map(|path| (path, true)));
    }
    // Their names begin with the time at which they began, so a session comes before its forks, wherever they lie.
    crate::units::sort_by(&mut rollouts, |one, other| {
        one.file_name().cmp(&other.file_name()).then_with(|| one.cmp(other))
    });
    (all, rollouts.into_iter().map(|path| (path, true)).collect())
}

/// Puts files in the order of the first moment that each tells, and those of one moment by name: a log that was cut into files
/// is one log in whatever order they are named. What cannot be looked into twice stays as it was named.
fn in_order(named: &mut [(PathBuf, bool)]) {
    if named.iter().all(|(path, _)| path.is_file()) {
        named.sort_by_cached_key(|(path, _)| (first_moment(path), path.clone()));
    }
}

/// Returns the first moment that a file tells, where its format is recognised.
fn first_moment(path: &Path) -> Option<Instant> {
    if opencode::is_database(path) || ledger::is_ledger(path) {
        return None;
    }
    let mut source = record::open(&Input::paths([path]), &ReadOptions::default()).ok()?;
    let block = source.next_block()?.ok()?;
    let mut first = None;
    let _ = block.for_each(|_, entry| match entry {
        Ok(Entry::Request(record)) if record.timing == Timing::Told => {
            first = Some(record.at);
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    first
}

fn is_rollout(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rollout-"))
}

/// Returns the input for one file.
pub(super) fn one(path: &Path, is_found: bool) -> Input {
    if opencode::is_database(path) {
        made(path, opencode::export)
    } else if ledger::is_ledger(path) {
        of_ledger(path, Range::default())
    } else if is_found {
        Input::found([path.to_owned()])
    } else {
        Input::paths([path])
    }
}

/// Lists the logs within a folder, by name; hidden files and links to folders are left alone.
pub(super) fn within(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![(folder.to_owned(), 0)]);
    while let Some((folder, depth)) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if name.starts_with('.') || name == "auth.json" {
                continue;
            }
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                if depth < DEEPEST {
                    open.push((path, depth + 1));
                }
            } else if is_named_like_a_log(&name) && path.is_file() && found.len() < MOST {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn is_named_like_a_log(name: &str) -> bool {
    let bare = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(name);
    bare.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_logs_and_a_session_of_codex_before_its_forks() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "{}\n").unwrap();
            path
        };
        let files = [
            "a/x.jsonl",
            "a/y.jsonl.gz",
            "a/note.md",
            ".hidden/x.jsonl",
            "a/auth.json",
            "b/rollout-2026-01-02-child.jsonl",
            "c/rollout-2026-01-01-parent.jsonl",
        ]
        .map(at);
        assert_eq!(within(folder.path()).len(), 4);
        let shown = format!("{:?}", input(&[folder.path().to_owned()]));
        let place = |path: &PathBuf| shown.find(&path.display().to_string());
        assert!(place(&files[6]) < place(&files[5]), "{shown}");
        assert!(place(&files[2]).is_none() && place(&files[3]).is_none() && place(&files[4]).is_none());
    }
}
