//! Files that an operator writes or imports. Everything read here is checked before it reaches the core, and an error
//! names the file, the line and the field.

mod adapt;
pub mod alerts;
pub mod automations;
pub mod billed;
pub mod budgets;
pub mod caching;
mod checks;
pub mod console;
mod explore;
pub mod gateway;
pub mod keys;
mod literal;
pub mod parameters;
mod place;
pub mod policy;
mod policy_changes;
pub mod prices;
pub mod providers;
mod reading;
mod reports;
pub mod rollouts;
mod runaways;
mod rung_parameters;
mod second;
mod settings;
mod shadow;
mod span;
mod steer;
pub mod themes;
mod watched;
mod whole;
pub mod world;

pub use place::FileError;
pub use policy_changes::{PolicyDifference, policy_differences};
pub use reports::{Every, ReportForm, ReportSettings};
pub use second::{SecondSettings, Seconds};
pub use shadow::{ShadowSettings, Shadows};
pub use watched::Watched;
pub use whole::{write_whole, write_whole_with};

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The environment variable that names another configuration directory.
pub const CONFIG_DIR_VARIABLE: &str = "POINTSMAN_CONFIG_DIR";

/// Returns the operator's configuration directory: `POINTSMAN_CONFIG_DIR`, or the platform's usual place.
pub fn user_dir() -> Option<PathBuf> {
    folder(CONFIG_DIR_VARIABLE, directories::ProjectDirs::config_dir)
}

/// Returns a file of that directory, where it is there.
pub fn own_file(name: &str) -> Option<PathBuf> {
    user_dir().map(|dir| dir.join(name)).filter(|path| path.is_file())
}

/// Returns the file that an option names, or that of a name in the operator's directory, be it there or not.
pub fn named_or_own(named: Option<&Path>, own: &str, option: &str) -> anyhow::Result<PathBuf> {
    named.map(Path::to_owned).or_else(|| user_dir().map(|dir| dir.join(own))).with_context(|| {
        format!("no folder for settings is known on this system\nhint: name a file with {option}")
    })
}

/// Reads a file of settings, with the name that messages have of it.
pub fn named_text(path: &Path, hint: &str) -> anyhow::Result<(String, String)> {
    let name = path.display().to_string();
    // The reason stands before the hint.
    let text = std::fs::read_to_string(path).map_err(|error| anyhow::anyhow!("{name}: {error}{hint}"))?;
    Ok((name, text))
}

/// The environment variable that names another data directory.
pub const DATA_DIR_VARIABLE: &str = "POINTSMAN_DATA_DIR";

/// Returns the directory for what the program itself writes: `POINTSMAN_DATA_DIR`, or the platform's usual place.
pub fn data_dir() -> Option<PathBuf> {
    folder(DATA_DIR_VARIABLE, directories::ProjectDirs::data_dir)
}

fn folder(variable: &str, usual: fn(&directories::ProjectDirs) -> &Path) -> Option<PathBuf> {
    match env::var_os(variable).filter(|dir| !dir.is_empty()) {
        Some(dir) => Some(PathBuf::from(dir)),
        None => directories::ProjectDirs::from("", "", "pointsman").map(|dirs| usual(&dirs).to_owned()),
    }
}
