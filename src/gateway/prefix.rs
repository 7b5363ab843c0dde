//! The secret that hashes of prompts rest on: beside the ledger, so that they go on where they were after a restart.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use crate::wire::PrefixKey;

/// The file that holds it.
const FILE: &str = "prefix.key";

/// Takes the secret that a folder holds, making one at first; where none can be kept there, one for this run.
pub(super) fn key(folder: Option<&Path>) -> PrefixKey {
    let Some(path) = folder.map(|folder| folder.join(FILE)) else { return PrefixKey(made()) };
    let kept = read(&path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => write(&path),
        _ => Err(error),
    });
    kept.map_or_else(
        |error| {
            let path = path.display();
            tracing::warn!(%path, %error, "hashes of prompts start anew: their key cannot be kept");
            PrefixKey(made())
        },
        PrefixKey,
    )
}

fn made() -> [u8; 16] {
    let mut key = [0; 16];
    // Without chance what is hashed could be guessed by whoever has this program; the moment makes that harder.
    if getrandom::fill(&mut key).is_err() {
        key = i128::from(super::now().0).to_be_bytes();
    }
    key
}

fn read(path: &Path) -> io::Result<[u8; 16]> {
    let mut key = [0; 16];
    File::open(path)?.read_exact(&mut key)?;
    Ok(key)
}

fn write(path: &Path) -> io::Result<[u8; 16]> {
    let key = made();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(&key)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_and_what_is_none_is_not_taken_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let first = key(Some(folder.path()));
        assert_eq!(key(Some(folder.path())).0, first.0);
        assert_ne!(key(None).0, first.0);
        std::fs::write(folder.path().join(FILE), "short").unwrap();
        assert_ne!(key(Some(folder.path())).0, key(Some(folder.path())).0);
    }
}
