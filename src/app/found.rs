//! What the configuration folder has for the console: plans of rollouts, and worlds.

use std::path::Path;

use crate::config::{self, rollouts, world};
use crate::console::screens::rollout::Plans;
use crate::console::screens::worlds::OwnWorld;

/// The folder with worlds of one's own, within the configuration folder.
pub(super) const WORLDS: &str = "worlds";

/// Reads the plans of rollouts; what is wrong with their file is told with them.
pub(super) fn plans() -> Plans {
    let Some(path) = config::user_dir().map(|dir| dir.join(rollouts::FILE)) else { return Plans::default() };
    let origin = path.display().to_string();
    match std::fs::read_to_string(&path) {
        Ok(text) => match rollouts::parse(&text, &origin) {
            Ok(list) => Plans { origin, list, problem: String::new() },
            Err(error) => Plans { origin, list: Vec::new(), problem: error.to_string() },
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Plans { origin, ..Plans::default() },
        Err(error) => Plans { problem: format!("{origin}: {error}"), origin, list: Vec::new() },
    }
}

/// Lists the worlds of the configuration folder, by name.
pub(super) fn worlds() -> Vec<OwnWorld> {
    let Some(folder) = config::user_dir().map(|dir| dir.join(WORLDS)) else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| is_toml(path));
    paths.sort();
    let read = |path: std::path::PathBuf| {
        let name = path.display().to_string();
        let about = std::fs::read_to_string(&path)
            .map_err(|error| format!("{name}: {error}"))
            .and_then(|text| world::parse(&text, &name).map_err(|error| error.to_string()))
            .map(|world| format!("{}. {}", world.title, world.about));
        OwnWorld { name, about }
    };
    paths.into_iter().map(read).collect()
}

pub(super) fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"))
}
