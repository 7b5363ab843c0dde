//! Asks what a log would have cost with one threshold moved.
//!
//!     cargo run --example what_if -- extraction 560
//!
//! The first threshold of the route goes to that many per mille, over the bundled sample under the built-in policy.

#![expect(clippy::print_stdout, reason = "an example prints what it found")]

use std::env;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use pointsman::app::{Setup, SetupOptions, input, load_log};
use pointsman::routing::RouteId;
use pointsman::session::{Command, Player, Reading};
use pointsman::units::PerMille;

fn main() -> anyhow::Result<()> {
    let mut args = env::args().skip(1);
    let name = args.next().unwrap_or_else(|| "extraction".to_owned());
    let threshold = args.next().map_or(Ok(560), |text| text.parse())?;
    let threshold = PerMille::new(threshold).context("a threshold is 0 to 1000")?;

    let sample = [PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/sample.jsonl.zst"))];
    let options = SetupOptions::default();
    let setup = Setup::new(&options)?;
    let log = Arc::new(load_log(&input(&sample), &sample, setup, &options.read, None)?);

    // The whole log is played under its policies; then a threshold is staged, as Tune does it.
    let mut player = Player::new(log, Reading::Routed, None);
    player.handle(Command::Follow);
    let routes = &player.snapshot().policy.routes;
    let place =
        routes.iter().position(|route| *route.name == *name).context("the policy has no such route")?;
    player.handle(Command::SetThreshold(RouteId(u8::try_from(place)?), 0, threshold));

    let snapshot = player.snapshot();
    let route = snapshot.consequences.routes.get(place).context("nothing went that way")?;
    let cost = |sum: &pointsman::pricing::CostSum| format!("${}", sum.total().usd());
    println!(
        "{name} at {}: {} requests, {} start elsewhere",
        threshold.get(),
        route.applied.requests,
        route.flips
    );
    println!("applied {}, {} escalated", cost(&route.applied.cost), route.applied.escalated);
    println!("staged  {}, {} escalated", cost(&route.staged.cost), route.staged.escalated);
    println!("answered in {:?}", snapshot.consequences.took);
    Ok(())
}
