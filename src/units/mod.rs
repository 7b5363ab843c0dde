//! The words every other module counts in: money, per mille, time, token counts and interned names.
//!
//! Invariant: nothing here reads a clock, the environment or a file, and no arithmetic on money uses floats.

mod alike;
mod count;
mod digest;
mod draw;
mod id;
mod instant;
mod members;
mod money;
mod names;
mod nearest;
mod permille;
mod proportion;
mod sessions;
mod settings;
mod slip;
mod sorting;
mod tags;
mod text;
mod when;
mod words;

pub use alike::Listing;
pub use count::{Count, Millis, changed, counted, grouped, took};
pub use digest::Sha256;
pub use draw::Draw;
pub use id::{KeyId, LabelId, ModelId, ProjectId, RouteTag, SessionId, TagsId, TeamId, UserId};
pub use instant::{Instant, InstantError, Span};
pub use members::members;
pub use money::{MoneyError, Pico, PicoPerMillion};
pub use names::{NameTable, Names, OTHERS, SHADOW, UNKEYED};
pub use nearest::nearest;
pub use permille::PerMille;
pub use settings::{Fault, from_toml};
pub use slip::{Slip, choice, line_and_column};
pub use sorting::{sort_by, sort_by_key};
pub use tags::{is_tag_name, tag, tag_list, tag_set, tag_value, tags_of};
pub use text::{clean, hex, is_safe, line_of, marked, marked_lines};
pub use when::When;
pub use words::{named, spelt, words};
