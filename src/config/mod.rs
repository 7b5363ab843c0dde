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
use std::path::PathBuf;

/// The environment variable that names another configuration directory.
pub const CONFIG_DIR_VARIABLE: &str = "POINTSMAN_CONFIG_DIR";

/// Returns the operator's configuration directory: `POINTSMAN_CONFIG_DIR`, or the platform's usual place.
pub fn user_dir() -> Option<PathBuf> {
    match env::var_os(CONFIG_DIR_VARIABLE).filter(|dir| !dir.is_empty()) {
        Some(dir) => Some(PathBuf::from(dir)),
        None => directories::ProjectDirs::from("", "", "pointsman").map(|dirs| dirs.config_dir().to_owned()),
    }
}

/// The environment variable that names another data directory.
pub const DATA_DIR_VARIABLE: &str = "POINTSMAN_DATA_DIR";

/// Returns the directory for what the program itself writes: `POINTSMAN_DATA_DIR`, or the platform's usual place.
pub fn data_dir() -> Option<PathBuf> {
    match env::var_os(DATA_DIR_VARIABLE).filter(|dir| !dir.is_empty()) {
        Some(dir) => Some(PathBuf::from(dir)),
        None => directories::ProjectDirs::from("", "", "pointsman").map(|dirs| dirs.data_dir().to_owned()),
    }
}
