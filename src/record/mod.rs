//! Request logs: our own format, foreign formats, and the writer of ours.
//!
//! Invariants: a bad line is reported with its number and reason, never dropped in silence; a count that a log does not
//! carry is unknown, not zero; files stream, however large.

mod ahead;
mod attempts;
mod beginning;
pub mod bill;
mod block;
mod csv;
mod cursor;
mod cut;
mod entries;
mod entry;
mod error;
mod file;
mod foreign;
mod format;
mod growing;
mod input;
pub(crate) mod json;
mod known;
mod labels;
mod lines;
mod mapped;
mod members;
mod native;
mod outcomes;
mod recognise;
mod rows;
mod series;
mod skip;
mod source;
mod streams;
mod summary;
pub mod usage;
pub(crate) mod value;
mod writer;

pub use attempts::some_terms;
pub use attempts::{Attempt, Attempts, Check, Status, WriteTtl};
pub use block::{Apart, Block, Foreign, Line};
pub use cut::MAX_ENTRY;
pub use entries::{EntryBatch, EntryOpener, EntryReader};
pub use entry::{
    Correction, Entry, Label, LateLabel, PolicyChange, PriceChange, Record, RecordedNeeds, SECOND_STAGE,
    Signal, Timing, Under,
};
pub use error::{Error, Strange};
pub use file::ReadOptions;
pub use foreign::TRACE_EPOCH;
pub use format::{InputFormat, UnknownName};
pub use growing::Growing;
pub use input::FileId;
pub use input::{Input, Opener};
pub use known::{Key, Known, OpenSession};
pub use labels::{Judgement, Judgements};
pub use lines::{each_line, open_to_add};
pub use mapped::{Mapping, MappingError};
pub use native::plausible;
pub use native::{BudgetFiles, Header, UnknownKey, VERSION, unknown_policy_keys, write_entry as append_line};
pub use outcomes::{ModelOutcome, OutcomeLine, Outcomes};
pub use series::{Point, Series};
pub use skip::{Skip, SkipKind};
pub use source::{Progress, Source, open};
pub use summary::Summary;
pub use writer::{Packed, Writer};
