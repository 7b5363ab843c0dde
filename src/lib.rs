//! Pointsman routes LLM traffic and shows what every routing decision costs and buys.
//!
//! A pure core (`units` up to `engine`) that does no I/O and reads no clock, and thin shells around it. Live traffic and
//! replayed logs run the same engine; ARCHITECTURE.md maps the rooms.

pub mod app;
pub mod cli;
pub mod console;
pub mod drive;
pub mod report;
pub mod sample;
pub mod scenario;

pub use pointsman_base::{
    alert, anomaly, automation, bandit, budget, calibration, certificate, checks, classifier, engine,
    forecast, outcome, pricing, prompt_cache, record, rollout, routing, runaway, savings, session, telemetry,
    training, units, variance, wire, world,
};
pub use pointsman_service::{access, config, gateway, ledger, notify, providers};
