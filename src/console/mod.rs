//! The terminal interface: a pure view of snapshots, and the keys that turn into requests.
//!
//! Invariant: nothing here reads a file, a clock or the environment (those come in as values) except [`terminal`], which
//! is the one place that touches the terminal; and nothing here knows where its data comes from.

pub mod action;
pub mod app;
pub mod ask;
pub mod chord;
pub mod footer;
pub mod format;
pub mod frame;
pub mod glyphs;
pub mod goto;
pub mod ground;
pub mod help;
pub mod keys;
pub mod ordered;
pub mod paint;
pub mod palette;
pub mod prompt;
pub mod screen;
pub mod screens;
pub mod svg;
pub mod terminal;
pub mod text;
pub mod theme;
pub mod ui;
pub mod widgets;
