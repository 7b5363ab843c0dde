//! What needs neither network nor database nor terminal: the pure core, logs, dialects, the session that plays traffic.
//!
//! Invariant: a package of its own, whose manifest (`src/Cargo.toml`) names no such crate; so the compiler holds that
//! wall, and builds these rooms while the others' dependencies are still under way. Names are those of `pointsman`.

pub mod alert;
pub mod anomaly;
pub mod automation;
pub mod bandit;
pub mod budget;
pub mod calibration;
pub mod certificate;
pub mod checks;
pub mod classifier;
pub mod engine;
pub mod forecast;
pub mod outcome;
pub mod pricing;
pub mod prompt_cache;
pub mod record;
pub mod rollout;
pub mod routing;
pub mod runaway;
pub mod savings;
pub mod session;
pub mod telemetry;
pub mod training;
pub mod units;
pub mod variance;
pub mod wire;
pub mod world;
