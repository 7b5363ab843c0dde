//! Reads the write-ahead log and its index as SQLite's file format has them: does what was committed still stand there?
//!
//! Invariants: nothing here writes; what another program changes during a look is looked at again, never called damage.

use std::fs::File;

/// Length of the log's head, and of what stands before each page in it.
const HEAD: u64 = 32;
const FRAME: u64 = 24;
/// Looks at an index that is being written, before it is left for the next time.
const TRIES: u32 = 8;

/// What the head of the shared index says of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Index {
    pub(super) page: u64,
    pub(super) frames: u64,
    pub(super) pages: u64,
    /// Frames that stand in the ledger itself too.
    pub(super) written_back: u64,
    checksum: Sum,
    salts: [u8; 8],
}

/// What was last seen of the log.
#[derive(Debug, Default)]
pub(super) struct Seen {
    salts: [u8; 8],
    /// The last frame then.
    last: u64,
    /// Up to which frame every byte was proved.
    proved: u64,
    /// The frame whose turn it is.
    turn: u64,
}

/// SQLite's running checksum.
type Sum = [u32; 2];

/// The log is not what the index says it is.
#[derive(Debug)]
pub(super) struct Damage;

impl Index {
    pub(super) fn read(file: &File) -> Option<Self> {
        let mut head = [0; 100];
        read_at(file, &mut head, 0)?;
        Self::of(&head)
    }

    /// Reads the head, which stands there twice; none where the two differ, as it is being written.
    fn of(head: &[u8; 100]) -> Option<Self> {
        let (first, second) = (head.get(..48)?, head.get(48..96)?);
        let word = |at: usize| Some(u32::from_ne_bytes(head.get(at..at + 4)?.try_into().ok()?));
        let page = u16::from_ne_bytes(first.get(14..16)?.try_into().ok()?);
        let is_ready = first == second && first.get(12).is_some_and(|ready| *ready != 0);
        is_ready.then_some(Self {
            page: if page == 1 { 65_536 } else { u64::from(page) },
            frames: u64::from(word(16)?),
            pages: u64::from(word(20)?),
            written_back: u64::from(word(96)?),
            checksum: [word(24)?, word(28)?],
            salts: first.get(32..40)?.try_into().ok()?,
        })
    }

    /// Returns where a frame begins, counted from 1.
    fn at(&self, frame: u64) -> u64 {
        HEAD + frame.saturating_sub(1) * (self.page + FRAME)
    }
}

impl Seen {
    /// Looks at the log's length, its head, the last frame, that of the look before, and some whose turn it is; returns how
    /// many frames there are.
    pub(super) fn look(&mut self, log: &File, index: &File, turns: u64) -> Result<u64, Damage> {
        let found = settled(index, |index| self.stands(log, index, turns))?;
        Ok(found.map_or(0, |index| {
            self.last = index.frames;
            index.frames
        }))
    }

    /// Proves every frame that is not written back yet.
    pub(super) fn prove(&mut self, log: &File, index: &File) -> Result<(), Damage> {
        settled(index, |index| {
            self.stands(log, index, 1)?;
            let from = index.written_back + 1;
            for frame in from..=self.proved.min(index.frames) {
                header(log, index, frame)?;
            }
            prove(log, index, from.max(self.proved + 1), index.frames)?;
            self.proved = index.frames;
            Ok(())
        })
        .map(drop)
    }

    fn stands(&mut self, log: &File, index: &Index, turns: u64) -> Result<(), Damage> {
        if self.salts != index.salts {
            *self = Self { salts: index.salts, ..Self::default() };
        }
        if index.frames == 0 {
            return Ok(());
        }
        let length = log.metadata().map_err(|_| Damage)?.len();
        let head = head(log)?;
        if length < index.at(index.frames + 1) || head.get(16..24) != Some(index.salts.as_slice()) {
            return Err(Damage);
        }
        if sum_at(&header(log, index, index.frames)?, 16) != Some(index.checksum) {
            return Err(Damage);
        }
        // What was cut in between and has grown again since has a hole up to the end of that time.
        if self.last > 0 && self.last <= index.frames {
            prove(log, index, self.last, self.last)?;
        }
        for _ in 0..turns.min(index.frames) {
            self.turn = self.turn % index.frames + 1;
            header(log, index, self.turn)?;
        }
        Ok(())
    }
}

/// Returns how many frames from the first one on are whole.
pub(super) fn whole(log: &File, index: &Index) -> u64 {
    let is_whole = |frame: &u64| prove(log, index, *frame, *frame).is_ok();
    (1..=index.frames).take_while(is_whole).count() as u64
}

/// Runs a look until the index was the same before and after it.
fn settled(
    index: &File,
    mut look: impl FnMut(&Index) -> Result<(), Damage>,
) -> Result<Option<Index>, Damage> {
    for _ in 0..TRIES {
        let Some(before) = Index::read(index) else { continue };
        let found = look(&before);
        if found.is_ok() || Index::read(index) == Some(before) {
            return found.map(|()| Some(before));
        }
    }
    Ok(None)
}

fn head(log: &File) -> Result<[u8; 32], Damage> {
    let mut head = [0; 32];
    read_at(log, &mut head, 0).ok_or(Damage)?;
    Ok(head)
}

/// Reads what stands before a frame's page; every frame in force carries the salts of the index.
fn header(log: &File, index: &Index, frame: u64) -> Result<[u8; 24], Damage> {
    let mut header = [0; 24];
    read_at(log, &mut header, index.at(frame)).ok_or(Damage)?;
    if header.get(8..16) == Some(index.salts.as_slice()) { Ok(header) } else { Err(Damage) }
}

/// Computes the checksums of a row of frames, each of which builds on the one before it.
fn prove(log: &File, index: &Index, from: u64, to: u64) -> Result<(), Damage> {
    if from > to {
        return Ok(());
    }
    let head = head(log)?;
    let big = head.get(3).is_some_and(|byte| byte & 1 == 1);
    let before = match from {
        1 => sum_at(&head, 24),
        _ => sum_at(&header(log, index, from - 1)?, 16),
    };
    let mut sum = before.ok_or(Damage)?;
    let mut page = vec![0; usize::try_from(index.page).map_err(|_| Damage)?];
    for frame in from..=to {
        let header = header(log, index, frame)?;
        read_at(log, &mut page, index.at(frame) + FRAME).ok_or(Damage)?;
        sum = summed(sum, header.get(..8).unwrap_or_default(), big);
        sum = summed(sum, &page, big);
        if sum_at(&header, 16) != Some(sum) {
            return Err(Damage);
        }
    }
    Ok(())
}

fn sum_at(bytes: &[u8], at: usize) -> Option<Sum> {
    let word = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    Some([word(at)?, word(at + 4)?])
}

fn summed([mut one, mut two]: Sum, bytes: &[u8], big: bool) -> Sum {
    let word = |bytes: [u8; 4]| if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
    for pair in bytes.as_chunks::<4>().0.as_chunks::<2>().0 {
        one = one.wrapping_add(word(pair[0])).wrapping_add(two);
        two = two.wrapping_add(word(pair[1])).wrapping_add(one);
    }
    [one, two]
}

#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], at: u64) -> Option<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, into, at).ok()
}

#[cfg(not(unix))]
fn read_at(_: &File, _: &mut [u8], _: u64) -> Option<()> {
    None
}
