//! Which requests of what was played are listed: the language of filters, who passes one, and the list kept up as it plays.
//!
//! Invariant: nothing here is drawn; what is listed and summed is what a snapshot holds, under its reading and policies.

mod filter;
mod language;
mod matcher;
mod rows;

pub use filter::{Compare, Figure, Filter, Name, Term, Test};
pub use language::{LANGUAGE, answered_by, completions, nothing_called, quoted};
pub use matcher::{figure_of, is_estimated};
pub use rows::{Listing, Progress, SortBy, Summary};
