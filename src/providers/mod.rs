//! Model APIs: who serves a model, how it is called, and how healthy it is.
//!
//! A call is `target`, then `permit` (breaker, quota and limits have their say), then `send`, then `report`. Invariants:
//! each permit is accounted for once, also when it is dropped half-way; nothing here tries a call twice; no key appears
//! in an error, a `Debug` form or a message. PROVIDERS.md explains the settings.

mod address;
mod auth;
mod beside;
mod breaker;
mod call;
mod client;
mod conceal;
mod error;
mod http;
mod known;
mod lane;
mod limit;
mod names;
mod packed;
mod permit;
mod provider;
mod quota;
mod registry;
mod reply;
mod secret;
mod simulated;
mod wait;
mod windows;

pub use address::region;
pub use beside::Told;
pub use call::Call;
pub use error::{CallError, Cause, ProviderError, Refused};
pub use lane::{LANES, enter_lane};
pub use names::serving;
pub use permit::{Outcome, Permit};
pub use registry::{Failure, Providers, Target};
pub use reply::{Part, Reply};
pub use secret::{FoundKey, KeyError, from_system};
pub use wait::retry_after;
