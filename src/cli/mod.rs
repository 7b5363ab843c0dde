//! The command line: one file per subcommand. Each reads its arguments, calls the rooms below and writes to stdout.

pub mod prices;
pub mod sample;
pub mod scenario;
