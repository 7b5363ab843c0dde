//! JSON as the wire needs it: values read in place without a tree, text written without one.
//!
//! Invariant: a [`Value`] comes from text that was checked as a whole (valid, at most 128 levels deep), and its parts
//! are slices of that text; on anything else its methods give nothing, and never panic.

mod progress;
mod value;
mod write;

pub(super) use progress::{Kind, Progress, Within};
pub(super) use value::{BYTE_ORDER_MARK, Value, check, is_json};
pub(super) use write::{
    Array, Object, Put, Raw, array, body, object, put, quote, quoted, spliced, try_body, written,
};
