//! Logs watched while they grow: what is new in files, folders and a pipe since they were looked at last.
//!
//! Invariants: nothing that was shown comes again, from whichever file; a file that is written to is read on from where it
//! was left, up to its last whole entry; a file that was moved goes on under its new name, one that was replaced is read
//! from its start; an answer whose end may still come waits for it.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant as Watch, SystemTime};

use rustc_hash::FxHashMap;

use super::Internal;
use super::logs::{listed, one};
use crate::record::{self, Block, Entry, FileId, Growing, Input, Known, OpenSession, ReadOptions, SkipKind};
use crate::session::Skipped;
use crate::units::Instant;

/// How long a file must have been left alone before it is read whole again, or a last line without an end is taken.
pub(super) const QUIET: Duration = Duration::from_secs(2);
/// How long one that is never left alone waits, and how many times as long as the last reading took.
const BUSY: Duration = Duration::from_secs(5);
const REST: u32 = 10;
/// How much of a file's beginning it is known by.
const HEAD: u64 = 1024;
/// How much is looked at for the end of a first line.
const PEEK: u64 = 1 << 20;
/// How many looks a file that is gone is still read on, and how many files are kept open for that.
const GONE: u32 = 60;
const OPEN: usize = 64;
/// How long ago one of those was written to.
const ACTIVE: Duration = Duration::from_secs(600);
/// Blocks of a pipe that may wait.
const WAITING: usize = 4;

/// The logs, and how far each was read.
#[derive(Default)]
pub(super) struct Tail {
    paths: Vec<PathBuf>,
    read: ReadOptions,
    pipe: Option<Pipe>,
    known: Known,
    files: FxHashMap<FileId, Followed>,
    /// What befell the files, in words for the screen.
    pub(super) news: Vec<String>,
    /// What was passed over.
    pub(super) skipped: Skipped,
}

/// A file, and how far it was read.
#[derive(Default)]
struct Followed {
    path: PathBuf,
    stamp: Stamp,
    /// How it is read; none where it is read whole, or not yet.
    growing: Option<Growing>,
    /// Its beginning, by which it is known when it is replaced.
    head: Vec<u8>,
    session: OpenSession,
    told: Told,
    /// What was told of it before it was read anew from its start; none the first time.
    before: Option<Told>,
    /// When it was read whole last, and how long that took.
    whole: Option<(Watch, Duration)>,
    /// Kept open, so that what is written into it after it was moved away is not lost.
    handle: Option<File>,
    /// For how many looks it has been gone.
    gone: u32,
}

/// What of a file was told without a name to be known by: entries, and lines that were passed over.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    entries: usize,
    skips: usize,
}

/// What a file was when it was read last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stamp {
    length: u64,
    changed: Option<SystemTime>,
}

/// When is looked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// How long a file must have been left alone to be read whole.
    pub(super) quiet: Duration,
    pub(super) now: Instant,
}

/// An entry that is new: its moment, and its line in our format.
pub(super) type New = (Instant, Vec<u8>);

impl Tail {
    /// Watches files and folders, and a pipe where there is one.
    pub(super) fn new(paths: Vec<PathBuf>, read: ReadOptions, pipe: Option<Pipe>) -> Self {
        Self { paths, read, pipe, ..Self::default() }
    }

    /// Reads what is new in all files.
    pub(super) fn look(&mut self, look: Look) -> Vec<New> {
        let mut new = Vec::new();
        self.known.written_at(look.now);
        let (files, sessions) = listed(&self.paths);
        let mut there: FxHashMap<FileId, PathBuf> = FxHashMap::default();
        for (path, _) in files.into_iter().chain(sessions) {
            let Some(id) = FileId::of(&path) else { continue };
            if there.contains_key(&id) {
                continue;
            }
            let mut file = self.files.remove(&id).unwrap_or_else(|| self.succeed(&path));
            file.path.clone_from(&path);
            file.gone = 0;
            let stamp = stand(&path);
            if stamp != file.stamp {
                self.take(&mut file, stamp, look, &mut new);
            }
            self.files.insert(id.clone(), file);
            there.insert(id, path);
        }
        self.leave(&there, &mut new);
        self.take_pipe(&mut new);
        if self.known.waits() {
            Reading { known: &mut self.known, told: Told::default(), before: None, skipped: None }
                .block(&Block::waited(), &mut new);
        }
        new
    }

    /// Begins with a file that was not there at the last look; where it took the place of another with the same beginning, it
    /// is that log written anew.
    fn succeed(&self, path: &Path) -> Followed {
        let mut file = Followed::default();
        let predecessor = self.files.values().find(|other| other.path == path && !other.head.is_empty());
        if let Some(other) = predecessor
            && head(path, other.head.len() as u64) == other.head
        {
            file.before = Some(other.told);
        }
        file
    }

    /// Reads on in files that are gone from where they were, and lets them go after a while.
    fn leave(&mut self, there: &FxHashMap<FileId, PathBuf>, new: &mut Vec<New>) {
        let gone: Vec<FileId> = self.files.keys().filter(|id| !there.contains_key(id)).cloned().collect();
        for id in gone {
            let Some(mut file) = self.files.remove(&id) else { continue };
            if file.gone == 0 && !file.path.exists() {
                self.news.push(format!("{} is gone; what it held stays", file.path.display()));
            }
            file.gone += 1;
            let Some(handle) = file.handle.take() else { continue };
            self.read_on(&mut file, &handle, new);
            if file.gone < GONE {
                file.handle = Some(handle);
                self.files.insert(id, file);
            }
        }
        let mut open: Vec<_> = self.files.values_mut().filter(|file| file.handle.is_some()).collect();
        open.sort_by_key(|file| std::cmp::Reverse(file.stamp.changed));
        open.into_iter().skip(OPEN).for_each(|file| file.handle = None);
    }

    /// Reads what has changed in a file.
    fn take(&mut self, file: &mut Followed, stamp: Stamp, look: Look, new: &mut Vec<New>) {
        let age = stamp.changed.and_then(|changed| SystemTime::now().duration_since(changed).ok());
        let is_quiet = age.is_none_or(|age| age >= look.quiet);
        let handle = file.handle.take().or_else(|| File::open(&file.path).ok());
        if let (Some(growing), Some(handle)) = (&mut file.growing, &handle)
            && !growing.go_on(handle).unwrap_or(false)
        {
            // What it held and holds no more stays on screen; what is written into it from now on is new.
            if stamp.length < file.stamp.length {
                self.news.push(format!("{} was cut short; what it held before stays", file.path.display()));
            }
            let is_same = !file.head.is_empty() && head(&file.path, file.head.len() as u64) == file.head;
            file.before = is_same.then_some(file.told);
            (file.told, file.growing, file.session) = (Told::default(), None, OpenSession::default());
        }
        if file.growing.is_none() && file.whole.is_none() {
            // A first line that is half written may look like another format's.
            if stamp.length == 0 || !(is_quiet || has_line(&file.path)) {
                return;
            }
            let Ok(growing) = Growing::open(&one(&file.path, true), &self.read) else {
                // No log, or none yet.
                file.stamp = stamp;
                return;
            };
            file.growing = growing;
        }
        if file.growing.is_none() {
            self.whole(file, stamp, is_quiet, new);
            return;
        }
        // A last line without an end is looked at again when the file was left alone.
        file.stamp = if is_quiet { stamp } else { Stamp { changed: None, ..stamp } };
        if let Some(handle) = handle {
            self.read_on(file, &handle, new);
            file.handle = age.is_none_or(|age| age < ACTIVE).then_some(handle);
        }
        if is_quiet && let Some(block) = file.growing.as_mut().and_then(Growing::last_line) {
            self.block(file, &block, new);
        }
        if (file.head.len() as u64) < HEAD {
            file.head = head(&file.path, HEAD.min(stamp.length));
        }
    }

    /// Reads whole entries to the present end of a file.
    fn read_on(&mut self, file: &mut Followed, handle: &File, new: &mut Vec<New>) {
        let Some(mut growing) = file.growing.take() else { return };
        if file.gone > 0 && !growing.go_on(handle).unwrap_or(false) {
            file.growing = Some(growing);
            return;
        }
        while let Some(block) = growing.next_block() {
            self.block(file, &block, new);
        }
        if let Err(error) = growing.stop(handle) {
            self.skipped.damaged.push(format!("{}: {error}", file.path.display()));
        }
        let end = growing.end();
        file.growing = Some(growing);
        self.block(file, &end, new);
    }

    /// Reads a file from its start that cannot be read on: packed, or a database.
    fn whole(&mut self, file: &mut Followed, stamp: Stamp, is_quiet: bool, new: &mut Vec<New>) {
        if let Some((when, took)) = file.whole
            && when.elapsed() < if is_quiet { took * REST } else { (took * REST).max(BUSY) }
        {
            return;
        }
        let began = Watch::now();
        if file.whole.is_none() && !is_quiet {
            // It may be half written; that it then breaks off is no news.
            file.whole = Some((began, Duration::ZERO));
            return;
        }
        if file.whole.is_some() {
            file.before = Some(file.told);
        }
        file.told = Told::default();
        if let Ok(mut source) = record::open(&one(&file.path, true), &self.read) {
            while let Some(block) = source.next_block() {
                match block {
                    Ok(block) => self.block(file, &block, new),
                    Err(error) if file.whole.is_none() => self.skipped.damaged.push(error.to_string()),
                    // Told already, or half written.
                    Err(_) => {}
                }
            }
        }
        file.whole = Some((began, began.elapsed()));
        file.stamp = stamp;
    }

    /// Takes a block of a file in.
    fn block(&mut self, file: &mut Followed, block: &Block, new: &mut Vec<New>) {
        self.known.turn_to(&mut file.session);
        let skipped = Some(&mut self.skipped);
        let mut reading = Reading { known: &mut self.known, told: file.told, before: file.before, skipped };
        reading.block(block, new);
        file.told = reading.told;
        self.known.turn_to(&mut file.session);
    }

    /// Takes what has come through a pipe.
    fn take_pipe(&mut self, new: &mut Vec<New>) {
        let Some(mut pipe) = self.pipe.take() else { return };
        loop {
            match pipe.blocks.try_recv() {
                Ok(Ok(block)) => self.block(&mut pipe.file, &block, new),
                Ok(Err(error)) => self.skipped.damaged.push(error),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.news.push("standard input has ended; what it held stays".to_owned());
                    return;
                }
            }
        }
        self.pipe = Some(pipe);
    }
}

/// Entries being taken in.
struct Reading<'t> {
    known: &'t mut Known,
    told: Told,
    before: Option<Told>,
    skipped: Option<&'t mut Skipped>,
}

impl Reading<'_> {
    fn block(&mut self, block: &Block, new: &mut Vec<New>) {
        let Self { known, told, before, skipped } = self;
        let (is_again, before) = (before.is_some(), before.unwrap_or_default());
        let (names, file) = (block.format().names_calls(), Arc::from(block.file()));
        let _ = block.for_each_new(known, |_, entry| {
            match entry {
                Ok(entry) => {
                    let is_named = names && matches!(&entry, Entry::Request(record) if !record.id.is_empty());
                    told.entries += usize::from(!is_named);
                    if is_named || told.entries > before.entries {
                        let mut line = Vec::new();
                        record::append_line(&mut line, &entry);
                        new.push((entry.at(), line));
                    }
                }
                // What a file that is written anew tells again is no news.
                Err(skip) if skip.kind == SkipKind::Repeated && is_again => {}
                Err(skip) => {
                    told.skips += 1;
                    if told.skips > before.skips
                        && let Some(skipped) = skipped
                    {
                        skipped.add(&file, skip);
                    }
                }
            }
            ControlFlow::Continue(())
        });
    }
}

/// Standard input, read on a thread of its own, as it may keep a reader waiting.
pub(super) struct Pipe {
    blocks: Receiver<Result<Block, String>>,
    file: Followed,
}

impl Pipe {
    pub(super) fn start(read: ReadOptions) -> anyhow::Result<Self> {
        let (send, blocks) = sync_channel(WAITING);
        std::thread::Builder::new()
            .name("pipe".to_owned())
            .spawn(move || {
                if let Err(error) = read_pipe(&Input::paths(["-"]), &read, &send) {
                    let _ = send.send(Err(error.to_string()));
                }
            })
            .map_err(Internal::from_any)?;
        Ok(Self { blocks, file: Followed::default() })
    }
}

/// Sends what comes through a pipe until it ends or nobody listens.
fn read_pipe(
    input: &Input,
    read: &ReadOptions,
    into: &SyncSender<Result<Block, String>>,
) -> Result<(), record::Error> {
    let Some(mut growing) = Growing::open(input, read)? else {
        return Err(record::Error::Read {
            file: "standard input".to_owned(),
            line: 0,
            source: io::Error::other("what is packed cannot be followed through a pipe; unpack it before"),
        });
    };
    while let Some(block) = growing.next_block() {
        if into.send(Ok(block)).is_err() || into.send(Ok(growing.end())).is_err() {
            return Ok(());
        }
    }
    while let Some(block) = growing.rest()? {
        if into.send(Ok(block)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Returns the first bytes of a file; none where it cannot be read.
fn head(path: &Path, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    if read.is_ok() { bytes } else { Vec::new() }
}

/// Says whether a file has a line that ends.
fn has_line(path: &Path) -> bool {
    head(path, PEEK).contains(&b'\n')
}

/// Looks at a file, and at what its database writes beside it.
fn stand(path: &Path) -> Stamp {
    let mut beside = path.as_os_str().to_owned();
    beside.push("-wal");
    let metas = [path.metadata().ok(), Path::new(&beside).metadata().ok()];
    let metas = metas.iter().flatten();
    Stamp {
        length: metas.clone().map(std::fs::Metadata::len).sum(),
        changed: metas.filter_map(|meta| meta.modified().ok()).max(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Span;
    use std::io::Write as _;

    /// Reads as after a look, whatever the time.
    const SOON: Look = Look { quiet: Duration::ZERO, now: Instant(0) };
    /// Nobody has left the file alone.
    const BUSY_NOW: Look = Look { quiet: QUIET, now: Instant(0) };

    fn add(folder: &Path, name: &str, text: &str) {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.create(true).append(true).open(folder.join(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn named(from: u32, to: u32) -> String {
        let line = |n| {
            format!(
                "{{\"id\":\"g{n}\",\"at\":\"2026-05-23T10:00:{n:02}Z\",\"model\":\"m\",\"in\":1,\"out\":1}}\n"
            )
        };
        (from..to).map(line).collect()
    }

    fn tail_of(path: &Path) -> Tail {
        Tail { paths: vec![path.to_owned()], ..Tail::default() }
    }

    #[test]
    fn a_log_that_is_never_left_alone_is_read_up_to_its_last_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let mut tail = tail_of(folder.path());
        add(folder.path(), "a.jsonl", &named(0, 3));
        assert_eq!(tail.look(BUSY_NOW).len(), 3);
        for n in 3..10 {
            let line = named(n, n + 1);
            let (one, two) = line.split_at(20);
            add(folder.path(), "a.jsonl", one);
            assert_eq!(tail.look(BUSY_NOW).len(), 0, "half a line waits");
            add(folder.path(), "a.jsonl", two);
            assert_eq!(tail.look(BUSY_NOW).len(), 1);
        }
        add(
            folder.path(),
            "b.csv",
            "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9,1,2\n2023-11-16 18:17:04.9,1",
        );
        assert_eq!(tail.look(BUSY_NOW).len(), 1);
        add(folder.path(), "b.csv", "00,7\n");
        assert_eq!(tail.look(BUSY_NOW).len(), 1, "a row counts when it ends");
        // A last line that nothing ends, in a file that was left alone.
        add(folder.path(), "c.jsonl", named(20, 21).trim_end());
        assert_eq!(tail.look(BUSY_NOW).len(), 0);
        assert_eq!(tail.look(SOON).len(), 1);
        add(folder.path(), "c.jsonl", &("\n".to_owned() + &named(21, 22)));
        assert_eq!(tail.look(BUSY_NOW).len(), 1);
        assert_eq!(tail.skipped, Skipped::default());
    }

    #[test]
    fn rotations_and_copies_are_no_second_telling_and_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut tail = tail_of(folder.path());
        add(folder.path(), "a.jsonl", &(named(0, 3) + "nonsense\n"));
        add(folder.path(), "b.jsonl", &named(0, 3));
        assert_eq!(tail.look(SOON).len(), 3, "a copy tells again");
        assert_eq!(tail.skipped.count, 1);
        assert_eq!(tail.skipped.passed_over.values().sum::<u64>(), 3);
        // What was written after the last look, then a rename within the folder, and a new file.
        add(folder.path(), "a.jsonl", &named(3, 4));
        std::fs::rename(at("a.jsonl"), at("a-0523.jsonl")).unwrap();
        add(folder.path(), "a.jsonl", &named(4, 5));
        assert_eq!(tail.look(SOON).len(), 2);
        // A rename to where nobody looks: what was written before and after it is not lost.
        add(folder.path(), "a.jsonl", &named(5, 6));
        std::fs::rename(at("a.jsonl"), at("a.jsonl.1")).unwrap();
        add(folder.path(), "a.jsonl", &named(10, 18));
        assert_eq!(tail.look(SOON).len(), 9, "the new file is longer than the old one was");
        add(folder.path(), "a.jsonl.1", &named(6, 7));
        assert_eq!(tail.look(SOON).len(), 1);
        // Emptied and filled again beyond its old length between two looks.
        std::fs::write(at("a.jsonl"), named(20, 40)).unwrap();
        assert_eq!(tail.look(SOON).len(), 20);
        // Calls without names, written anew with more of them: the first are known by their places.
        let bare = |to: u32| named(40, to).replace("\"id\":\"g", "\"user\":\"g");
        std::fs::write(at("c.jsonl"), bare(43)).unwrap();
        assert_eq!(tail.look(SOON).len(), 3);
        std::fs::write(at("new"), bare(45)).unwrap();
        std::fs::rename(at("new"), at("c.jsonl")).unwrap();
        assert_eq!(tail.look(SOON).len(), 2);
        assert_eq!(tail.skipped.count, 1, "a bad line is told once");
    }

    #[test]
    fn a_packed_log_that_grows_tells_nothing_again() {
        let folder = tempfile::tempdir().unwrap();
        let write = |to: u32| {
            let packed = zstd::encode_all(named(0, to).as_bytes(), 1).unwrap();
            std::fs::write(folder.path().join("p.jsonl.zst"), packed).unwrap();
        };
        let mut tail = tail_of(folder.path());
        write(2);
        assert_eq!(tail.look(SOON).len(), 2);
        write(30);
        // It rests after each reading, by how long that took.
        let more = (0..20).map(|_| {
            std::thread::sleep(Duration::from_millis(5));
            tail.look(SOON).len()
        });
        assert_eq!(more.sum::<usize>(), 28);
        assert_eq!(tail.skipped, Skipped::default(), "what is read again was not told twice by the log");
    }

    #[test]
    fn an_answer_that_is_half_told_waits_for_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let at = Instant::parse("2026-05-23T11:00:00Z").unwrap();
        let block = |id: &str, out: u32, stop: &str| {
            format!(
                "{{\"type\":\"assistant\",\"uuid\":\"u{id}{out}\",\"sessionId\":\"s\",\"timestamp\":\"2026-05-23T11:00:00Z\",\"requestId\":\"r{id}\",\"message\":{{\"id\":\"{id}\",\"role\":\"assistant\",\"model\":\"claude-haiku-4-5\",\"content\":[{{\"type\":\"text\",\"text\":\"hi\"}}],\"stop_reason\":{stop},\"usage\":{{\"input_tokens\":5,\"output_tokens\":{out}}}}}}}\n"
            )
        };
        let mut tail = tail_of(folder.path());
        let mut look =
            |minutes: i64| tail.look(Look { quiet: Duration::ZERO, now: at + Span::mins(minutes) });
        add(folder.path(), "s.jsonl", &block("m1", 1, "null"));
        assert_eq!(look(0).len(), 0);
        add(folder.path(), "other.jsonl", &block("m2", 7, "\"end_turn\""));
        assert_eq!(look(1).len(), 1, "others do not wait for it");
        add(folder.path(), "s.jsonl", &block("m1", 50, "\"end_turn\""));
        let told = look(2);
        let [(_, line)] = told.as_slice() else { panic!("one answer") };
        let line = String::from_utf8_lossy(line);
        assert!(line.contains("\"out\":50") && !line.contains("truncated"), "{line}");
        // One that is never told to its end comes out as what it is.
        add(folder.path(), "s.jsonl", &block("m3", 1, "null"));
        assert_eq!((look(3).len(), look(14).len(), look(16).len(), look(17).len()), (0, 0, 1, 0));
    }

    #[test]
    fn a_pipe_is_read_as_it_comes_and_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        add(folder.path(), "a.jsonl", named(0, 5).trim_end());
        let (send, blocks) = sync_channel(64);
        read_pipe(&Input::paths([folder.path().join("a.jsonl")]), &ReadOptions::default(), &send).unwrap();
        drop(send);
        let pipe = Some(Pipe { blocks, file: Followed::default() });
        let mut tail = Tail { pipe, ..Tail::default() };
        assert_eq!(tail.look(SOON).len(), 5);
        assert!(tail.news.iter().any(|words| words.contains("standard input has ended")), "{:?}", tail.news);
    }

    #[test]
    fn what_comes_into_files_is_seen_once_and_new_files_too() {
        let folder = tempfile::tempdir().unwrap();
        let add = |name: &str, text: &str| add(folder.path(), name, text);
        let line = |at: u32| {
            format!("{{\"at\":\"2026-05-23T10:00:{at:02}Z\",\"model\":\"m\",\"in\":1,\"out\":1}}\n")
        };
        let answer = |id: &str, out: u32| {
            format!(
                "{{\"parentUuid\":null,\"isSidechain\":false,\"sessionId\":\"s\",\"uuid\":\"u{id}{out}\",\"type\":\"assistant\",\"timestamp\":\"2026-05-23T11:00:00Z\",\"requestId\":\"r{id}\",\"message\":{{\"id\":\"{id}\",\"model\":\"claude-haiku-4-5\",\"usage\":{{\"input_tokens\":5,\"output_tokens\":{out}}}}}}}\n"
            )
        };
        let mut tail = Tail { paths: vec![folder.path().to_owned()], ..Tail::default() };
        let mut look = || tail.look(SOON).len();
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
        assert_eq!(tail.look(SOON).len(), 1);
        std::fs::remove_file(folder.path().join("a.jsonl")).unwrap();
        assert_eq!(tail.look(SOON).len(), 0);
        let news = tail.news.join("\n");
        assert!(news.contains("a.jsonl was cut short") && news.contains("a.jsonl is gone"), "{news}");
    }
}
