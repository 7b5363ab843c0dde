//! Files that are written whole or not at all.
//!
//! Invariant: under the target's name stands the old content or the new one, also after a crash or on a full disk.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Writes a file beside the target, and puts it in the target's place once it is on the disk.
///
/// # Errors
/// What the system or `write` said; nothing is left beside the target.
pub fn write_whole(target: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    write_whole_with(OpenOptions::new().write(true), target, write)
}

/// The same for a file that is opened in a way of its own, such as one that nobody else may read.
///
/// # Errors
/// What the system or `write` said; nothing is left beside the target.
pub fn write_whole_with(
    how: &mut OpenOptions,
    target: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    // What is no file, like /dev/null or a pipe, is written to as it is: nothing can take its place.
    if target.metadata().is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
        return OpenOptions::new().write(true).open(target).and_then(|mut device| write(&mut device));
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut beside = OsString::from(target);
    beside.push(".new");
    // A leftover of a crash; made anew so that its mode and owner are ours.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = how.create_new(true).open(&beside)?;
    let written = write(&mut file).and_then(|()| file.sync_all());
    drop(file);
    written.and_then(|()| fs::rename(&beside, target)).inspect_err(|_| drop(fs::remove_file(&beside)))?;
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_cannot_be_written_leaves_the_old_content_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("new folder").join("file.toml");
        write_whole(&target, |file| file.write_all(b"old")).unwrap();
        fs::write(target.with_extension("toml.new"), "left by a crash").unwrap();
        let full = |file: &mut File| {
            file.write_all(b"half of what is n")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        };
        assert_eq!(write_whole(&target, full).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_to_string(&target).unwrap(), "old");
        assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 1);
        write_whole(&target, |file| file.write_all(b"new")).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
    }
}
