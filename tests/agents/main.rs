//! What people really use, as it comes from its registry, at work through the gateway: Claude Code, Codex and opencode run
//! tool loops, `LangChain`, the AI SDK and litellm chat, stream, call tools and ask for structured output, and a provider's
//! conformance check passes; on the simulator and on a real llama.cpp server.
//!
//! `POINTSMAN_AGENTS_TOOLS` names a folder with `node_modules` (of package.json here) and `venv` (of requirements.txt).
//! Everything runs in a network namespace that has nothing but loopback. Without the folder or the namespace the tests say
//! so and pass, unless `POINTSMAN_AGENTS=1` insists.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's own scaffolding may fail the test"
)]

mod coding;
#[path = "../support/front.rs"]
mod front;
mod isolation;
mod kit;
mod model_server;
mod suites;
mod sums;
