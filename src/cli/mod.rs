//! Subcommands, one file each.

pub mod import;
