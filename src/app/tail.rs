//! Logs watched while they grow: files and folders are looked at every second, and what is new in them goes to the console.
//!
//! Invariants: nothing that was shown comes again; a file is read again only when it has been left alone for a moment, so
//! that an answer which is written in several lines comes whole.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, SystemTime};

use rustc_hash::FxHashMap;

use super::console::run_live_console;
use super::live::start;
use super::logs::{files, one};
use super::{ConsoleOptions, Internal, Setup};
use crate::record::{self, Known, ReadOptions};
use crate::routing::Policy;
use crate::session::{Deed, Feed, LiveControl, LiveStart, Player, Question};
use crate::units::{Instant, Names};

/// How often is looked.
const LOOK: Duration = Duration::from_secs(1);
/// How long a file must have been left alone.
const QUIET: Duration = Duration::from_secs(2);
/// How much goes to the console in one piece.
const PIECE: usize = 1 << 16;

/// Opens the console on logs, and shows what comes into them.
///
/// # Errors
/// Where a log cannot be read, or the terminal fails.
pub fn follow(
    paths: &[PathBuf],
    setup: Setup,
    read: &ReadOptions,
    options: &ConsoleOptions,
    prepare: impl FnOnce(&mut Player) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    // What is wrong with the logs as they are is told before the console takes the terminal.
    record::open(&super::input(paths), read)?;
    let title = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ");
    let Setup { policy, book, ingest, .. } = setup;
    let mut player = Player::live(LiveStart { logs_time: true, ..start(title, ingest, policy, book) }, None);
    prepare(&mut player)?;
    let ((send, feed), (stop, stopped)) = (channel(), channel());
    let mut tail = Tail { paths: paths.to_vec(), read: read.clone(), ..Tail::default() };
    std::thread::Builder::new()
        .name("tail".to_owned())
        .spawn(move || tail.run(&send, &stopped))
        .map_err(Internal::from_any)?;
    let outcome = run_live_console(player, feed, Box::new(LookOnly), options);
    drop(stop);
    outcome
}

/// The logs, and how far each was read.
#[derive(Default)]
struct Tail {
    paths: Vec<PathBuf>,
    read: ReadOptions,
    known: Known,
    files: FxHashMap<PathBuf, Seen>,
    /// What befell the files, in words for the screen.
    news: Vec<String>,
}

/// What a file was when it was read last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    length: u64,
    changed: Option<SystemTime>,
    /// The length of the file alone, where no database writes beside it.
    alone: u64,
    /// Entries that were shown, where the format gives them no names to be known by.
    entries: usize,
}

/// An entry that is new: its moment, and its line in our format.
type New = (Instant, Vec<u8>);

impl Tail {
    fn run(&mut self, into: &Sender<Feed>, stop: &Receiver<()>) {
        let mut quiet = Duration::ZERO;
        loop {
            let mut new = self.look(quiet);
            for words in std::mem::take(&mut self.news) {
                if into.send(Feed::Refused(words.into())).is_err() {
                    return;
                }
            }
            crate::units::sort_by_key(&mut new, |(at, _)| *at);
            if !send(&new, into) {
                return;
            }
            quiet = QUIET;
            if !matches!(stop.recv_timeout(LOOK), Err(RecvTimeoutError::Timeout)) {
                return;
            }
        }
    }

    /// Reads what has changed and was then left alone for so long.
    fn look(&mut self, quiet: Duration) -> Vec<New> {
        let mut new = Vec::new();
        for (path, _) in files(&self.paths) {
            let now = stand(&path);
            let before = self.files.get(&path).copied().unwrap_or_default();
            if (now.length, now.changed) == (before.length, before.changed) {
                continue;
            }
            let age = now.changed.and_then(|changed| SystemTime::now().duration_since(changed).ok());
            if age.is_some_and(|age| age < quiet) {
                continue;
            }
            // What a file held and holds no more stays on screen; what is written into it from now on is new.
            let shorter = now.alone < before.alone && now.length < before.length;
            if shorter {
                self.news.push(format!("{} was cut short; what it held before stays", path.display()));
            }
            let shown = if shorter { 0 } else { before.entries };
            let entries = self.read(&path, shown, &mut new);
            self.files.insert(path, Seen { entries, ..now });
        }
        let news = &mut self.news;
        self.files.retain(|path, _| {
            let there = path.exists();
            if !there {
                news.push(format!("{} is gone; what it held stays", path.display()));
            }
            there
        });
        new
    }

    /// Reads a file; returns how many entries it has.
    fn read(&mut self, path: &Path, shown: usize, new: &mut Vec<New>) -> usize {
        let Ok(mut source) = record::open(&one(path, true), &self.read) else { return shown };
        let mut entries = 0;
        while let Some(block) = source.next_block() {
            let Ok(block) = block else { continue };
            // Calls of coding agents are known by their names, over all files; other entries by their place.
            let by_name = block.format().is_coding_agent();
            let known = if by_name { &mut self.known } else { source.known() };
            let _ = block.for_each_new(known, |_, entry| {
                if let Ok(entry) = entry {
                    entries += 1;
                    if by_name || entries > shown {
                        let mut line = Vec::new();
                        record::append_line(&mut line, &entry);
                        new.push((entry.at(), line));
                    }
                }
                ControlFlow::Continue(())
            });
        }
        entries
    }
}

/// Looks at a file, and at what its database writes beside it.
fn stand(path: &Path) -> Seen {
    let mut beside = path.as_os_str().to_owned();
    beside.push("-wal");
    let metas = [path.metadata().ok(), Path::new(&beside).metadata().ok()];
    let alone = match &metas {
        [Some(file), None] => file.len(),
        // A database grows and shrinks as it likes.
        _ => 0,
    };
    let metas = metas.iter().flatten();
    Seen {
        alone,
        length: metas.clone().map(std::fs::Metadata::len).sum(),
        changed: metas.filter_map(|meta| meta.modified().ok()).max(),
        entries: 0,
    }
}

/// Sends lines in pieces; says whether anybody still listens.
fn send(new: &[New], into: &Sender<Feed>) -> bool {
    let mut piece = String::new();
    for (_, line) in new {
        piece.push_str(&String::from_utf8_lossy(line));
        if !piece.ends_with('\n') {
            piece.push('\n');
        }
        if piece.len() >= PIECE && into.send(Feed::Lines(std::mem::take(&mut piece).into())).is_err() {
            return false;
        }
    }
    piece.is_empty() || into.send(Feed::Lines(piece.into())).is_ok()
}

/// A log obeys nobody: policies can be tried on it, but not brought into force.
struct LookOnly;

const NO_GATEWAY: &str = "these are logs; no gateway listens to this console";

impl LiveControl for LookOnly {
    fn read_only(&self) -> Option<Arc<str>> {
        Some(NO_GATEWAY.into())
    }

    fn owns(&self) -> bool {
        false
    }

    fn apply(&mut self, _: &Policy, _: &Names, _: Deed<'_>) -> Result<(), String> {
        Err(NO_GATEWAY.to_owned())
    }

    fn send(&mut self, _: Question) -> Result<(), String> {
        Err(NO_GATEWAY.to_owned())
    }

    fn drain(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn what_comes_into_files_is_seen_once_and_new_files_too() {
        let folder = tempfile::tempdir().unwrap();
        let add = |name: &str, text: &str| {
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.create(true).append(true).open(folder.path().join(name)).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        let line = |at: u32| {
            format!("{{\"at\":\"2026-05-23T10:00:{at:02}Z\",\"model\":\"m\",\"in\":1,\"out\":1}}\n")
        };
        let answer = |id: &str, out: u32| {
            format!(
                "{{\"parentUuid\":null,\"isSidechain\":false,\"sessionId\":\"s\",\"uuid\":\"u{id}{out}\",\"type\":\"assistant\",\"timestamp\":\"2026-05-23T11:00:00Z\",\"requestId\":\"r{id}\",\"message\":{{\"id\":\"{id}\",\"model\":\"claude-haiku-4-5\",\"usage\":{{\"input_tokens\":5,\"output_tokens\":{out}}}}}}}\n"
            )
        };
        let mut tail = Tail { paths: vec![folder.path().to_owned()], ..Tail::default() };
        let mut look = || tail.look(Duration::ZERO).len();
        assert_eq!(look(), 0);
        add("a.jsonl", &(line(1) + &line(1)));
        assert_eq!(look(), 2, "lines without a name are never taken for each other");
        assert_eq!(look(), 0);
        add("a.jsonl", &line(2));
        add("claude.jsonl", &(answer("m1", 1) + &answer("m1", 90)));
        assert_eq!(look(), 2);
        add("claude.jsonl", &answer("m2", 7));
        add("resumed.jsonl", &(answer("m1", 90) + &answer("m3", 7)));
        assert_eq!(look(), 2);
        assert_eq!(look(), 0);
        assert_eq!(std::mem::take(&mut tail.news), [""; 0]);
        // Cut short, as a rotation does that copies and empties: what comes after is new, though fewer lines than before.
        std::fs::write(folder.path().join("a.jsonl"), line(5)).unwrap();
        assert_eq!(tail.look(Duration::ZERO).len(), 1);
        std::fs::remove_file(folder.path().join("a.jsonl")).unwrap();
        assert_eq!(tail.look(Duration::ZERO).len(), 0);
        let news = tail.news.join("\n");
        assert!(news.contains("a.jsonl was cut short") && news.contains("a.jsonl is gone"), "{news}");
    }
}
