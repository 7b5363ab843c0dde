//! What clients and providers say to each other, and the translation between them: pure, no I/O.
//!
//! Invariants: between two that speak the same dialect bytes pass unharmed, unknown fields included, but for the
//! documented splices; a field that cannot be translated is refused or left out and told, as one table says, and never
//! changes its meaning in silence; no input panics, and none is followed deeper than 128 levels.

mod answer;
mod ask;
mod assembled;
mod branches;
mod calls;
mod chat;
mod cited;
mod completions;
mod dialect;
mod effort;
mod embeddings;
mod error;
mod faults;
mod fence;
mod finish;
mod gathered;
mod gemini;
mod halves;
mod hosted;
mod json;
mod known;
mod logprobs;
mod marks;
mod messages;
mod models;
mod order;
mod plain;
mod preface;
mod prompt;
mod reader;
mod relay;
mod replay;
mod reply;
mod responses;
mod sending;
mod settling;
mod sink;
mod sse;
mod story;
mod table;
mod tools;
mod translate;
mod usage;

pub use answer::{Answer, answer, answer_and_said, calls_of, said, used, used_in_part};
pub use ask::{Ask, AskMeasures, PrefixKey, hash_calls, prefix_ends};
pub use dialect::Dialect;
pub use effort::may_think;
pub use error::{ApiError, ErrorKind, Halted, SpentBudget, WireError};
pub use faults::{NO_MODEL_MAY_SERVE, TOO_LONG, error_body, read_error};
pub use finish::Finish;
pub use gemini::listed::Listed;
pub use hosted::{Form, Unframed, betas_for_vertex, conversed, for_vertex, framed, is_answered_whole};
pub use known::{Known, Rule, WithEffort};
pub use marks::{keyed, marked};
pub use models::{ModelEntry, model_body, models_body, read_models};
pub use preface::Preface;
pub use relay::{Relay, StreamEnd, error_event, ping};
pub use sending::{Accent, Sending, Sent};
pub use sse::last_event;
pub use table::{ANSWERS, AnswerRow, Answers, CLIENTS, Fate, Kind, Row, TABLES, Table, Target};
