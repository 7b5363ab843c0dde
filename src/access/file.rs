//! The key file: read whole, changed under a lock, written beside itself and put in place at once.
//!
//! Invariant: a crash at any moment leaves the old file or the new one, readable by its owner alone.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::record::{KeyRecord, Stored};
use super::redact;
use crate::config;
use crate::units::{Slip, from_toml};

/// A larger file is not ours.
const LARGEST: u64 = 16 << 20;
/// How often, and for how long each time, a lock that another process holds is waited for.
const TRIES: u32 = 250;
const PAUSE: Duration = Duration::from_millis(20);

const HEAD: &str = "# Virtual keys of Pointsman's gateway, written by `pointsman keys`. Hashes only: the keys are kept nowhere.\n\
                    # A change here holds from the next request on.\n\n";

/// Why keys cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The file or its folder cannot be used.
    #[error("cannot {what} {path}", path = .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file says something that is not understood.
    #[error("{path}: {what}\nhint: mend the file or bring back a copy of it", path = .path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong, without any secret.
        what: String,
    },
    /// Others could write keys into the file, or put another one in its place.
    #[error("{path} can be {how} by other users\nhint: {hint}", path = .path.display())]
    Writable {
        /// What others could do.
        how: &'static str,
        /// How to mend it.
        hint: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// Another process is changing the file and does not come to an end.
    #[error("{path} is held by another process\nhint: try again; `pointsman keys` holds it for a moment only", path = .path.display())]
    Busy {
        /// The lock.
        path: PathBuf,
    },
    /// A name or tag cannot be used.
    #[error("{field} `{text}`: {why}")]
    Text {
        /// What it was for.
        field: &'static str,
        /// The text.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A live key has the name already.
    #[error("there is a key `{0}` already\nhint: `pointsman keys rotate {0}` gives it a new secret")]
    Taken(String),
    /// A key belongs to a team already.
    #[error("`{name}` belongs to team {team} already\nhint: make another key for the other team")]
    Bound {
        /// The key.
        name: String,
        /// Its team.
        team: String,
    },
    /// No live key has the name or id.
    #[error("no active key is called `{0}`\nhint: `pointsman keys list` shows them")]
    NotFound(String),
    /// The system gave no random bits.
    #[error("the system gives no random bits: {0}")]
    Random(getrandom::Error),
}

/// The file that keys are kept in.
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    #[serde(default, rename = "key")]
    keys: Vec<Stored>,
}

impl KeyFile {
    /// Names a file, which need not exist.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads all keys; a missing file has none.
    ///
    /// # Errors
    /// Where the file cannot be read or understood, or others may write to it.
    pub fn read(&self) -> Result<Vec<KeyRecord>, AccessError> {
        Ok(self.read_stamped()?.0)
    }

    /// Reads all keys and the facts by which a later change is noticed, both of the same file.
    pub(super) fn read_stamped(&self) -> Result<(Vec<KeyRecord>, Option<fs::Metadata>), AccessError> {
        let failed = |source| self.failed("read", source);
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), None)),
            Err(error) => return Err(failed(error)),
        };
        let facts = file.metadata().map_err(failed)?;
        if let Some((how, hint)) = others_may(&facts, self.path.parent()) {
            return Err(AccessError::Writable { how, hint, path: self.path.clone() });
        }
        let mut text = String::new();
        file.take(LARGEST + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > LARGEST {
            return Err(self.broken("larger than 16 MiB"));
        }
        Ok((self.parse(&text)?, Some(facts)))
    }

    fn parse(&self, text: &str) -> Result<Vec<KeyRecord>, AccessError> {
        let document: Document = from_toml(text)
            .map_err(|error| self.broken(&format!("line {}", Slip::without_values(text, &error))))?;
        if document.version != 1 {
            return Err(self.broken("written by a newer version of pointsman"));
        }
        let keys = document.keys.into_iter().map(Stored::check).collect::<Result<Vec<_>, _>>();
        keys.map_err(|what| self.broken(&what))
    }

    /// Changes the keys: holds the lock, reads, lets `change` work, writes. Nothing is written where it fails.
    ///
    /// # Errors
    /// Those of `change`, of reading and of writing.
    pub fn change<T>(
        &self,
        change: impl FnOnce(&mut Vec<KeyRecord>) -> Result<T, AccessError>,
    ) -> Result<T, AccessError> {
        self.make_folder()?;
        let _lock = self.lock()?;
        let mut keys = self.read()?;
        let result = change(&mut keys)?;
        self.write(&keys)?;
        Ok(result)
    }

    fn make_folder(&self) -> Result<(), AccessError> {
        let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
            return Ok(());
        };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(|source| self.failed("make a folder for", source))
    }

    /// Takes the lock; closing the file gives it back, also when the process dies.
    fn lock(&self) -> Result<File, AccessError> {
        let path = self.beside("lock");
        let failed = |source| AccessError::Io { what: "lock", path: path.clone(), source };
        let file = private().create(true).truncate(false).open(&path).map_err(failed)?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
        Err(AccessError::Busy { path })
    }

    fn write(&self, keys: &[KeyRecord]) -> Result<(), AccessError> {
        let document = Document { version: 1, keys: keys.iter().map(Stored::from).collect() };
        let text = toml::to_string(&document).map_err(|error| self.broken(&error.to_string()))?;
        let write =
            |file: &mut File| file.write_all(HEAD.as_bytes()).and_then(|()| file.write_all(text.as_bytes()));
        config::write_whole_with(&mut private(), &self.path, write)
            .map_err(|source| self.failed("write", source))
    }

    fn beside(&self, end: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".");
        name.push(end);
        PathBuf::from(name)
    }

    fn failed(&self, what: &'static str, source: io::Error) -> AccessError {
        AccessError::Io { what, path: self.path.clone(), source }
    }

    /// A message may quote the file, and somebody may have put a key into it.
    fn broken(&self, what: &str) -> AccessError {
        AccessError::Broken { path: self.path.clone(), what: redact(what).into_owned() }
    }
}

/// Opens for writing what only its owner may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Says what other users could do to the file, and how that is mended.
#[cfg(unix)]
fn others_may(facts: &fs::Metadata, folder: Option<&Path>) -> Option<(&'static str, &'static str)> {
    use std::os::unix::fs::MetadataExt as _;
    const ROOT: u32 = 0;
    const STICKY: u32 = 0o1000;
    let owner = facts.uid();
    if owner != ROOT && owner != rustix::process::geteuid().as_raw() {
        return Some((
            "changed",
            "it belongs to another user: chown it, or copy it and put the copy in its place",
        ));
    }
    if facts.mode() & 0o022 != 0 {
        return Some(("written", "chmod 600 it"));
    }
    let folder = folder.map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let folder = folder.and_then(|folder| fs::metadata(folder).ok())?;
    let is_open = folder.mode() & 0o002 != 0 && folder.mode() & STICKY == 0;
    is_open.then_some(("replaced", "chmod 700 its folder"))
}

#[cfg(not(unix))]
fn others_may(_: &fs::Metadata, _: Option<&Path>) -> Option<(&'static str, &'static str)> {
    None
}
