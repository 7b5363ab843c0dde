//! Who may use the gateway: virtual keys, their scopes and their checking.
//!
//! A key is shown once, when it is made; only its SHA-256 is kept. Invariants: no secret is ever written to the file, an
//! error, a log or a `Debug`; a key that was taken back is refused from the next request on; whatever cannot be read
//! lets nobody in who was not in before.

mod caller;
mod change;
mod file;
mod headers;
mod record;
mod redact;
mod secret;
mod table;

pub use caller::{Caller, Denied, Scope, Scopes, UnknownScope};
pub use change::{NewKey, add, limit, revoke, rotate};
pub use file::{AccessError, KeyFile};
pub use headers::{is_from_elsewhere, presented};
pub use record::KeyRecord;
pub use redact::{Redacting, redact};
pub use secret::{KEY_PREFIX, Secret, reveal};
pub use table::Access;

/// The name of the key file in the data directory.
pub const FILE_NAME: &str = "access.toml";

#[cfg(test)]
mod tests;
