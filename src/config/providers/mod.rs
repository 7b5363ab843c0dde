//! Who serves which model: `providers.toml` read into plain values. No key is read here, only where each is to be found.
//!
//! A user's file is laid over the one that comes with the program, setting by setting. Invariant: an error names file,
//! line and field, and repeats nothing that could be a secret.

mod address;
mod hosting;
mod read;
mod spec;
mod values;

use std::path::Path;

use super::parameters;

pub use address::{check as check_address, is_loopback};
pub use spec::{
    AccountSpec, Auth, BreakerSpec, Drain, Error, Hosting, KeySource, Limits, Platform, ProviderSpec,
    ProvidersSpec, Retries, SimulatedSpec, Speaks, Timeouts,
};

/// The providers.toml that comes with the program.
pub const BUILTIN: &str = include_str!("../../../config/providers.toml");

/// The file's name in the operator's configuration folder.
pub const FILE: &str = "providers.toml";

/// Reads files of providers, each laid over the one before it; the first is that of the program.
pub fn parse(user: &[(&str, &str)]) -> Result<ProvidersSpec, Error> {
    let mut files = vec![("built-in providers.toml", BUILTIN)];
    files.extend_from_slice(user);
    read::layers(&files)
}

/// Reads `providers.toml` from the operator's folder, if there is one, over the program's own.
pub fn load(user_dir: Option<&Path>) -> Result<ProvidersSpec, Error> {
    let parameters = parameters::load(user_dir)?;
    let Some(path) = user_dir.map(|dir| dir.join(FILE)).filter(|path| path.exists()) else {
        return Ok(ProvidersSpec { parameters, ..parse(&[])? });
    };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(&path).map_err(|source| Error::Io { path: name.clone(), source })?;
    Ok(ProvidersSpec { parameters, ..parse(&[(&name, &text)])? })
}

#[cfg(test)]
mod tests;
