//! The file of automations, looked at again and again.

use std::path::PathBuf;

use crate::automation::Rule;
use crate::config::{Watched, automations};

/// The automations' file.
#[derive(Debug, Default)]
pub(super) struct AutomationsFile {
    path: Option<PathBuf>,
    watched: Watched,
}

impl AutomationsFile {
    /// Watches a file from how it looks now on.
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { watched: Watched::new(path.clone()), path }
    }

    /// Says whether it changed since the last look.
    pub(super) fn has_changed(&mut self) -> bool {
        self.watched.changed()
    }

    /// Reads it; a file that is not there has no automations.
    ///
    /// # Errors
    /// Where it cannot be used; what is wrong in it, with its line.
    pub(super) fn read(&self) -> Result<Vec<Rule>, String> {
        let Some(path) = self.path.as_deref().filter(|path| path.exists()) else { return Ok(Vec::new()) };
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        automations::parse(&text, &name).map_err(|error| error.to_string())
    }
}
