//! Reads the files to come ahead of their turn, on a few threads.
//!
//! Invariants: a lane reads its files in the order of the input and holds few stretches, so memory is bounded however many
//! files there are; what a file gives comes at its turn, so all is as if one file were read after another.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::block::{Body, Shared};
use super::native::Header;
use super::source::Open;
use super::{Error, Input, ReadOptions};

/// How many threads read ahead at most.
const LANES: usize = 4;
/// How many steps a lane is ahead at most: two small files, or so many blocks of a large one.
const STEPS: usize = 6;

/// Whole entries, cut from a file.
pub(super) type Stretch = (Vec<u8>, Body);
/// A file that was opened, and its header if it is in our own format.
pub(super) type Opened = (Arc<Shared>, Option<Header>);

/// What a lane gives: for each file how it opened, then its stretches up to `None` or an error.
enum Step {
    Opened(Result<Opened, Error>),
    Next(Result<Option<Stretch>, Error>),
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
    /// Starts to read the files at these places.
    pub(super) fn start(
        input: &Arc<Input>,
        options: &ReadOptions,
        read: &Arc<AtomicU64>,
        mut places: BTreeSet<usize>,
    ) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = LANES.min(cores).min(places.len());
        // On one core, reading ahead takes from the reading at hand.
        if cores < 2 {
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
        let Ok(Step::Opened(opened)) = lane.steps.recv() else { return Some(Err(lane.broken())) };
        if let Ok((shared, _)) = &opened {
            lane.file.clone_from(&shared.file);
        }
        Some(opened)
    }

    /// Waits for the next stretch of a file that was opened; `None` at its end.
    pub(super) fn next(&mut self, place: usize) -> Result<Option<Stretch>, Error> {
        let Some(lane) = self.lane(place) else { return Ok(None) };
        match lane.steps.recv() {
            Ok(Step::Next(next)) => next,
            _ => Err(lane.broken()),
        }
    }

    fn lane(&mut self, place: usize) -> Option<&mut Lane> {
        let count = self.lanes.len();
        self.lanes.get_mut(place.checked_rem(count)?)
    }
}

impl Lane {
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
    let (mut open, header) = match Open::at(input, place, options, read)? {
        Ok(opened) => opened,
        Err(error) => return send.send(Step::Opened(Err(error))).ok(),
    };
    send.send(Step::Opened(Ok((Arc::clone(&open.shared), header)))).ok()?;
    loop {
        let next = open.next();
        let is_last = !matches!(next, Ok(Some(_)));
        send.send(Step::Next(next)).ok()?;
        if is_last {
            return Some(());
        }
    }
}
