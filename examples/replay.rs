//! Replays a log and prints what it cost, in all and by model.
//!
//!     cargo run --example replay -- gateway.jsonl.zst
//!
//! Without a name it takes the bundled sample. `Reading::Routed` in place of `Recorded` lets the engine decide.

#![expect(clippy::print_stdout, reason = "an example prints what it found")]

use std::env;
use std::path::PathBuf;
use std::sync::Arc;

use pointsman::app::{Setup, SetupOptions, input, load_log};
use pointsman::session::{Command, Player, Reading};

fn main() -> anyhow::Result<()> {
    let mut logs: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    if logs.is_empty() {
        logs.push(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/sample.jsonl.zst").into());
    }
    let options = SetupOptions::default();
    let setup = Setup::new(&options)?;
    let log = Arc::new(load_log(&input(&logs), &logs, setup, &options.read, None)?);

    let mut player = Player::new(Arc::clone(&log), Reading::Recorded, None);
    player.handle(Command::Follow);
    let totals = player.snapshot().to_date;

    let all = &totals.all;
    println!("{}: {} requests, {} calls", log.title, all.requests, all.attempts);
    println!("cost ${}, and {} requests of unknown cost", all.cost.total().usd(), all.cost.unknown);
    for (name, model) in log.names.models().iter().zip(&totals.models) {
        if !model.is_empty() {
            println!("{name:>24}  {:>8} calls  ${}", model.attempts, model.cost.total().usd());
        }
    }
    Ok(())
}
