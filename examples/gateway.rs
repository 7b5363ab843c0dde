//! Runs a gateway within another program, asks it one thing, and ends it.
//!
//!     cargo run --example gateway
//!
//! Both models are simulated: nobody is called, nothing is spent. `Setup` reads policy and prices as the program does; this
//! one brings a policy of its own.

#![expect(clippy::print_stdout, reason = "an example prints what it found")]

use std::sync::Arc;

use pointsman::app::{ServeOptions, Setup, SetupOptions, serve};
use pointsman::config::policy;
use pointsman::session::Question;

const POLICY: &str = r#"
name = "example"
baseline = "simulated-large"

[[route]]
name = "everything"
ladder = [
  { rung = "small", model = "simulated-small", threshold = 600 },
  { rung = "large", model = "simulated-large" },
]
"#;

fn main() -> anyhow::Result<()> {
    let mut setup = Setup::new(&SetupOptions::default())?;
    setup.policy = Arc::new(policy::parse(POLICY, "example", &mut setup.ingest.names)?);
    let options =
        ServeOptions { listen: Some("127.0.0.1:0".to_owned()), no_ledger: true, ..ServeOptions::default() };
    let serving = serve(setup, &options)?;
    println!("serving at {}", serving.gateway.address());

    let question = Question {
        ticket: 1,
        prompt: "Which line is the total on?".to_owned(),
        team: "support".to_owned(),
        project: String::new(),
        task: "extraction".to_owned(),
        model: "auto".to_owned(),
    };
    // Clients send theirs to that address; what the program asks itself needs no way through the network.
    let answer = serving.handle().block_on(serving.gateway.answer(question));
    let reply = answer.outcome.map_err(anyhow::Error::msg)?;
    println!("{} on rung {} after {} ms: {}", reply.model, reply.rung, reply.latency_ms, reply.text);

    let ended = serving.end();
    println!("ended, {} requests unfinished", ended.unfinished);
    Ok(())
}
