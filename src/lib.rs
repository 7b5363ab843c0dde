//! Pointsman routes LLM traffic and shows what every routing decision costs and buys.
//!
//! A pure core (`units` up to `engine`) that does no I/O and reads no clock, and thin shells around it. Live traffic and
//! replayed logs run the same engine; ARCHITECTURE.md maps the rooms.

pub mod access;
pub mod alert;
pub mod anomaly;
pub mod app;
pub mod automation;
pub mod bandit;
pub mod budget;
pub mod calibration;
pub mod certificate;
pub mod checks;
pub mod classifier;
pub mod cli;
pub mod config;
pub mod console;
pub mod drive;
pub mod engine;
pub mod forecast;
pub mod gateway;
pub mod ledger;
pub mod notify;
pub mod outcome;
pub mod pricing;
pub mod prompt_cache;
pub mod providers;
pub mod record;
pub mod report;
pub mod rollout;
pub mod routing;
pub mod runaway;
pub mod sample;
pub mod savings;
pub mod scenario;
pub mod session;
pub mod telemetry;
pub mod training;
pub mod units;
pub mod variance;
pub mod wire;
pub mod world;
