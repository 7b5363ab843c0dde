//! The gateway and what it stands on: settings, keys, providers, the ledger, notices.
//!
//! Invariant: a package of its own, whose manifest (`src/gateway/Cargo.toml`) names no crate of the terminal; so the compiler holds
//! that wall, and optimises what serves traffic more than what draws it. Names are those of `pointsman`.

pub mod access;
pub mod config;
pub mod gateway;
pub mod ledger;
pub mod notify;
pub mod providers;

use pointsman_base::{
    alert, automation, budget, checks, classifier, engine, outcome, pricing, prompt_cache, record, rollout,
    routing, runaway, session, telemetry, units, wire, world,
};
