//! Blocks of a log, read on all cores and given in order.
//!
//! Invariants: what comes is the same on any number of threads; the blocks under way are few, so memory is bounded, and no
//! other is begun beside one that is large.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use super::events::LogEvents;
use super::ingest::Ingest;
use super::portion::Portion;
use super::wanted::Wanted;
use crate::record::{self, Block, Header};

/// Threads that read, at most.
const MOST: usize = 8;
/// Blocks under way for each of them.
const EACH: usize = 3;
/// A block of more bytes is waited for before the next is begun.
const LARGE: usize = 4 << 20;

/// Returns how many threads are worth it: on one core they would only take from each other.
pub(super) fn threads() -> usize {
    match std::thread::available_parallelism().map_or(1, usize::from) {
        1 => 0,
        cores => cores.min(MOST),
    }
}

/// A log and what all that read it share.
struct Feed {
    source: record::Source,
    /// How many blocks were taken.
    taken: u64,
    /// One permit for each block that may be under way besides those being waited for; and how many are left over.
    permits: Receiver<()>,
    left: usize,
    under_way: usize,
}

type Taken = Result<Block, record::Error>;

/// What a thread that reads has for its stack: values may nest as deep as readers follow, in builds without optimisation, too.
const STACK: usize = 8 << 20;

impl Feed {
    /// Takes the next block, once few enough are under way; `None` at the end, or where nobody wants more.
    fn take(&mut self) -> Option<(u64, Taken)> {
        self.permit()?;
        let block = self.source.next_block()?;
        let at = self.taken;
        self.taken += 1;
        if block.as_ref().is_ok_and(|block| block.size() > LARGE) {
            for _ in 1..self.under_way {
                self.permit()?;
            }
            self.left = self.under_way - 1;
        }
        Some((at, block))
    }

    fn permit(&mut self) -> Option<()> {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return Some(());
        }
        self.permits.recv().ok()
    }
}

/// How blocks are read.
#[derive(Clone)]
struct How {
    ingest: Ingest,
    /// The events of the whole log, where they are known.
    events: Option<Arc<LogEvents>>,
    /// The request that is looked for.
    wanted: Option<Wanted>,
    /// Whether ids of requests are asked for.
    has_ids: Arc<AtomicBool>,
}

impl How {
    fn read(&mut self, block: Taken) -> Portion {
        let has_ids = self.has_ids.load(Ordering::Relaxed);
        Portion::read(block, &mut self.ingest, self.events.as_deref(), self.wanted.as_ref(), has_ids)
    }
}

/// Portions in order. The threads end with it.
pub(super) struct Readers {
    feed: Arc<Mutex<Feed>>,
    portions: Receiver<(u64, Portion)>,
    /// Those that came before their turn.
    early: BTreeMap<u64, Portion>,
    next: u64,
    permit: Sender<()>,
    how: How,
    threads: usize,
}

impl Readers {
    /// Starts so many threads; where there is none, a portion is read when it is asked for.
    pub(super) fn start(
        threads: usize,
        source: record::Source,
        ingest: &Ingest,
        events: Option<Arc<LogEvents>>,
        wanted: Option<Wanted>,
        has_ids: Arc<AtomicBool>,
    ) -> Self {
        let (permit, permits) = channel();
        let under_way = threads.max(1) * EACH;
        let feed = Feed { source, taken: 0, permits, left: under_way, under_way };
        let feed = Arc::new(Mutex::new(feed));
        let how = How { ingest: ingest.anew(), events, wanted, has_ids };
        let (send, portions) = channel();
        let start = |_: &usize| {
            let (feed, send, mut how) = (Arc::clone(&feed), send.clone(), how.clone());
            let read = move || {
                while let Some((at, block)) = feed.lock().ok().and_then(|mut feed| feed.take())
                    && send.send((at, how.read(block))).is_ok()
                {}
            };
            std::thread::Builder::new().name("read".to_owned()).stack_size(STACK).spawn(read).is_ok()
        };
        let threads = (0..threads).filter(start).count();
        Self { feed, portions, early: BTreeMap::new(), next: 0, permit, how, threads }
    }

    /// Returns the header of the last file in our own format that was begun; empty where there was none.
    pub(super) fn header(&self) -> Header {
        self.feed.lock().map(|feed| feed.source.header().clone()).unwrap_or_default()
    }

    /// Returns the next portion; `None` at the end.
    pub(super) fn next(&mut self) -> Option<Portion> {
        // Where nobody waits for it any more there is nothing to permit.
        let _ = (self.next > 0).then(|| self.permit.send(()));
        let at = self.next;
        self.next += 1;
        if self.threads == 0 {
            let (_, block) = self.feed.lock().ok()?.take()?;
            return Some(self.how.read(block));
        }
        loop {
            if let Some(portion) = self.early.remove(&at) {
                return Some(portion);
            }
            let (at, portion) = self.portions.recv().ok()?;
            self.early.insert(at, portion);
        }
    }
}
