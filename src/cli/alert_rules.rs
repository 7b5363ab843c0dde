//! The file of rules that alerts go by.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::alert::Rules;
use crate::config::alerts::{AlertSettings, FILE, parse};
use crate::config::{named_text, own_file};

/// Which file.
#[derive(Args, Debug)]
pub(super) struct Which {
    /// Alerts file (TOML) instead of alerts.toml in the configuration directory.
    #[arg(long, value_name = "FILE")]
    pub(super) alerts: Option<PathBuf>,
}

impl Which {
    /// Reads the file.
    ///
    /// # Errors
    /// Where it cannot be used.
    pub(super) fn settings(&self) -> anyhow::Result<AlertSettings> {
        let own = || own_file(FILE);
        let Some(path) = self.alerts.clone().or_else(own) else {
            return Ok(AlertSettings::default());
        };
        let (name, text) = named_text(&path, "")?;
        Ok(parse(&text, &name)?)
    }
}

/// Reads the rules that a log is played against.
///
/// # Errors
/// Where one's own file cannot be used.
pub(super) fn rules() -> anyhow::Result<Arc<Rules>> {
    Ok(Arc::new(Which { alerts: None }.settings()?.rules))
}
