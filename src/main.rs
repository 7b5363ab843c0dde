//! The program: passes the command line to the library and exits with its code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(pointsman::cli::main())
}
