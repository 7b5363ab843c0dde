//! Runs a gateway within another program, sends it one request over HTTP, and ends it.
//!
//!     cargo run --example gateway
//!
//! Both models are simulated: nobody is called, nothing is spent. `Setup` reads policy and prices as the program does; this
//! one brings a policy of its own. Where you keep keys, the gateway asks for one: `POINTSMAN_KEY`.

#![expect(clippy::print_stdout, reason = "an example prints what it found")]

use std::sync::Arc;

use pointsman::app::{ServeOptions, Setup, SetupOptions, serve};
use pointsman::config::policy;
use pointsman::gateway::ask_over_http;
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
    let url = format!("http://{}", serving.gateway.address());
    println!("serving at {url}");

    let question = Question {
        ticket: 1,
        prompt: "Which line is the total on?".to_owned(),
        team: "support".to_owned(),
        project: String::new(),
        task: "extraction".to_owned(),
        model: "auto".to_owned(),
    };
    let key = std::env::var("POINTSMAN_KEY").ok();
    let client = reqwest::Client::new();
    let reply = serving.handle().block_on(ask_over_http(&client, &url, key.as_deref(), &question));
    let reply = reply.map_err(anyhow::Error::msg)?;
    println!("{} on rung {} after {} ms: {}", reply.model, reply.rung, reply.latency_ms, reply.text);

    let ended = serving.end();
    println!("ended, {} requests unfinished", ended.unfinished);
    Ok(())
}
