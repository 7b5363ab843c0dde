//! Files that are looked at again and again, to see whether somebody edited them.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What tells one state of a file from another; none where it is not there.
type Stamp = Option<(SystemTime, u64)>;

/// Files, and how they looked last.
#[derive(Debug, Default)]
pub struct Watched {
    files: Vec<(PathBuf, Stamp)>,
}

impl Watched {
    /// Watches files from how they look now on, whether they are there or not.
    pub fn new(files: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            files: files
                .into_iter()
                .map(|path| (stamp(&path), path))
                .map(|(seen, path)| (path, seen))
                .collect(),
        }
    }

    /// Says whether one of them changed since the last look.
    pub fn changed(&mut self) -> bool {
        let mut changed = false;
        for (path, seen) in &mut self.files {
            let now = stamp(path);
            changed |= now != *seen;
            *seen = now;
        }
        changed
    }
}

fn stamp(path: &Path) -> Stamp {
    let about = std::fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}
