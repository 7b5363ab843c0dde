//! Reads the files to come ahead of their turn, on a few threads.
//!
//! Invariants: a lane reads its files in the order of the input and holds few stretches, so memory is bounded however many
//! files there are; what a file gives comes at its turn, so all is as if one file were read after another.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::block::Shared;
use super::cut::BLOCK;
use super::file::{OpenFile, ReadOptions, Stretch};
use super::native::Header;
use super::{Error, Input};

/// How many threads read ahead at most.
const LANES: usize = 4;
/// How many steps a lane is ahead at most: two small files, or so many blocks of a large one.
const STEPS: usize = 6;
/// What is larger than this waits alone, as entries may be much longer than a block.
const LARGE: usize = 4 * BLOCK;

/// A file that was opened, and its header if it is in our own format.
pub(super) type Opened = (Arc<Shared>, Option<Header>);

/// What a lane gives: for each file how it opened, then its stretches up to `None` or an error.
enum Step {
    Opened(Result<Opened, Error>),
    Next(Result<Option<Stretch>, Error>),
    /// Nothing; takes up room behind what is large.
    Filler,
}

/// Returns how many threads are worth it: on one core, reading ahead takes from the current reading.
pub(super) fn lanes() -> usize {
    match std::thread::available_parallelism().map_or(1, usize::from) {
        1 => 0,
        cores => LANES.min(cores),
    }
}

/// Files being read ahead. The threads end with it.
#[derive(Default)]
pub(super) struct Ahead {
    places: BTreeSet<usize>,
    lanes: Vec<Lane>,
}

struct Lane {
    /// The file it is at, for messages.
    file: String,
    steps: Receiver<Step>,
}

impl Ahead {
    /// Starts to read the files at these places, on so many threads.
    pub(super) fn start(
        lanes: usize,
        input: &Arc<Input>,
        options: &ReadOptions,
        read: &Arc<AtomicU64>,
        mut places: BTreeSet<usize>,
    ) -> Self {
        let count = lanes.min(places.len());
        if count == 0 {
            return Self::default();
        }
        let mut lanes = Vec::with_capacity(count);
        for lane in 0..count {
            let (send, steps) = sync_channel(STEPS);
            let its: Vec<usize> = places.iter().copied().filter(|place| place % count == lane).collect();
            let (input, options, read) = (Arc::clone(input), options.clone(), Arc::clone(read));
            let thread = std::thread::Builder::new().name("read ahead".to_owned()).spawn(move || {
                its.into_iter().try_for_each(|place| one(&input, place, &options, &read, &send))
            });
            if thread.is_err() {
                // Where no thread is to be had, its files are read at their turn.
                places.retain(|place| place % count != lane);
            }
            lanes.push(Lane { file: String::new(), steps });
        }
        Self { places, lanes }
    }

    /// Waits for a file to be opened; `None` where it is not read ahead.
    pub(super) fn open(&mut self, place: usize) -> Option<Result<Opened, Error>> {
        if !self.places.contains(&place) {
            return None;
        }
        let lane = self.lane(place)?;
        let Some(Step::Opened(opened)) = lane.recv() else { return Some(Err(lane.broken())) };
        if let Ok((shared, _)) = &opened {
            lane.file.clone_from(&shared.file);
        }
        Some(opened)
    }

    /// Waits for the next stretch of a file that was opened; `None` at its end.
    pub(super) fn next(&mut self, place: usize) -> Result<Option<Stretch>, Error> {
        let Some(lane) = self.lane(place) else { return Ok(None) };
        match lane.recv() {
            Some(Step::Next(next)) => next,
            _ => Err(lane.broken()),
        }
    }

    fn lane(&mut self, place: usize) -> Option<&mut Lane> {
        let count = self.lanes.len();
        self.lanes.get_mut(place.checked_rem(count)?)
    }
}

impl Lane {
    fn recv(&self) -> Option<Step> {
        self.steps.iter().find(|step| !matches!(step, Step::Filler))
    }

    fn broken(&self) -> Error {
        let source = std::io::Error::other("the thread that read it has ended");
        Error::Read { file: self.file.clone(), line: 0, source }
    }
}

/// Reads one file; `None` once nobody listens any more.
fn one(
    input: &Input,
    place: usize,
    options: &ReadOptions,
    read: &Arc<AtomicU64>,
    send: &SyncSender<Step>,
) -> Option<()> {
    let (mut open, header) = match OpenFile::at(input, place, options, read)? {
        Ok(opened) => opened,
        Err(error) => return send.send(Step::Opened(Err(error))).ok(),
    };
    send.send(Step::Opened(Ok((Arc::clone(&open.shared), header)))).ok()?;
    loop {
        let next = open.next();
        let is_last = !matches!(next, Ok(Some(_)));
        let is_large = matches!(&next, Ok(Some((data, _))) if data.len() > LARGE);
        send.send(Step::Next(next)).ok()?;
        if is_large {
            // Not before it is taken can the last of these go in.
            (0..STEPS).try_for_each(|_| send.send(Step::Filler).ok())?;
        }
        if is_last {
            return Some(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read, Write as _};
    use std::ops::ControlFlow;
    use std::path::{Path, PathBuf};
    use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
    use std::time::Duration;

    use super::*;
    use crate::record::open;

    /// Reads all, on so many threads: entries and skips with file and line, and errors.
    fn told(input: &Input, lanes: usize) -> (Vec<String>, u64) {
        let options = ReadOptions::default();
        let mut source = open(input, &options).unwrap();
        let read = source.progress();
        source.read_ahead(lanes);
        let mut all = Vec::new();
        while let Some(block) = source.next_block() {
            match block {
                Ok(block) => {
                    let (file, format) = (block.file().to_owned(), block.format());
                    let _ = block.for_each_new(source.known(), |line, entry| {
                        all.push(format!("{file} {format} {line}: {entry:?}"));
                        ControlFlow::Continue(())
                    });
                }
                Err(error) => all.push(format!("{}: {error}", source.format())),
            }
        }
        all.push(format!("{:?}", source.header()));
        (all, read.read())
    }

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn files_read_ahead_tell_the_same_in_the_same_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut paths: Vec<PathBuf> = Vec::new();
        let mut put = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(format!("{:03}-{name}", paths.len()));
            std::fs::write(&path, bytes).unwrap();
            paths.push(path);
        };
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/records");
        let mut names: Vec<PathBuf> =
            std::fs::read_dir(fixtures).unwrap().map(|e| e.unwrap().path()).collect();
        names.retain(|path| path.is_file() && path.extension().is_some_and(|end| end != "rs"));
        names.sort();
        // Blocks enough to fill a lane, and a line that is longer than several of them.
        let line = |n: usize, pad: usize| {
            let pad = "x".repeat(pad);
            format!(
                "{{\"id\":\"{n}\",\"at\":\"2026-05-23T10:00:00Z\",\"model\":\"m\",\"in\":{n},\"prompt\":\"{pad}\"}}\n"
            )
        };
        let mut long: String = (0..9000).map(|n| line(n, 1000)).collect();
        long.push_str(&line(9000, 5 << 20));
        long.push_str(&line(9001, 0));
        for round in 0..2 {
            for name in &names {
                let (bytes, name) =
                    (std::fs::read(name).unwrap(), name.file_name().unwrap().to_str().unwrap());
                put(name, &bytes);
                put(name, &packed(&bytes));
                put(name, &zstd::stream::encode_all(bytes.as_slice(), 1).unwrap());
                put(name, &bytes[..bytes.len() * 2 / 3]);
            }
            put("long.jsonl", long.as_bytes());
            let whole = packed(long.as_bytes());
            put("broken.gz", &whole[..whole.len() / (2 + round)]);
            put("none.json", b"nothing that anyone knows");
            put("empty.jsonl", b"");
        }
        let gone = folder.path().join("gone.jsonl");
        paths.insert(40, gone);
        paths.insert(60, paths[3].clone());
        let input = Input::found(paths);
        let (at_its_turn, bytes) = told(&input, 0);
        let has = |words: &str| at_its_turn.iter().filter(|told| told.contains(words)).count();
        // A file that is gone by its turn is passed over as what is no log.
        assert_eq!((has("named twice"), has("known log format")), (1, 3));
        assert!(has("broken.gz") > 2 && has("long.jsonl") > 9000, "{}", at_its_turn.len());
        for lanes in 1..=LANES {
            let (ahead, read) = told(&input, lanes);
            let differs = ahead.iter().zip(&at_its_turn).find(|(one, other)| one != other);
            assert_eq!((differs, ahead.len(), read), (None, at_its_turn.len(), bytes), "{lanes} lanes");
        }
    }

    /// A log without end; whoever listens hears when it is closed.
    struct Endless(#[expect(dead_code, reason = "held for its end")] Sender<()>);

    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let line = b"{\"at\":\"2026-05-23T10:00:00Z\",\"model\":\"m\"}\n";
            buffer.iter_mut().zip(line.iter().cycle()).for_each(|(to, from)| *to = *from);
            Ok(buffer.len() / line.len() * line.len())
        }
    }

    #[test]
    fn who_breaks_off_early_leaves_no_thread_behind() {
        let (held, closed) = channel::<()>();
        let held = std::sync::Mutex::new(held);
        let first = Input::bytes("first", &b"{\"at\":\"2026-05-23T10:00:00Z\",\"model\":\"m\"}\n"[..]);
        let endless = Input::made(
            "endless",
            Arc::new(move || Ok(Box::new(Endless(held.lock().unwrap().clone())) as Box<dyn Read + Send>)),
        );
        let input = (0..5).fold(first, |all, _| all.and(endless.clone()));
        drop(endless);
        let mut source = open(&input, &ReadOptions::default()).unwrap();
        drop(input);
        source.read_ahead(3);
        for _ in 0..20 {
            assert!(source.next_block().unwrap().is_ok());
        }
        drop(source);
        // All that holds the other end are the input and the files that were opened.
        let end = closed.recv_timeout(Duration::from_secs(60));
        assert_eq!(end, Err(RecvTimeoutError::Disconnected));
    }
}
