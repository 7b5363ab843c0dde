//! Files for what the console writes out.
//!
//! Invariant: each is new; nothing that is there already is written over.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;

use anyhow::{Context as _, bail};

/// How many names are tried.
const NAMES: u32 = 1000;

/// Creates the first file of these names, by number from 1, that is not there; gives it with its name.
pub(super) fn create(name: impl Fn(u32) -> String) -> anyhow::Result<(File, String)> {
    for number in 1..NAMES {
        let path = name(number);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).context(path),
        }
    }
    bail!("there are a thousand such files already")
}

/// Writes a text to a file of that name that is not there, or of the next: `NAME-2`; names it.
pub(super) fn write(stem: &str, ending: &str, text: &str) -> anyhow::Result<String> {
    use std::io::Write as _;
    let suffix = |number| if number == 1 { String::new() } else { format!("-{number}") };
    let (mut file, path) = create(|number| format!("{stem}{}.{ending}", suffix(number)))?;
    file.write_all(text.as_bytes()).with_context(|| path.clone())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_there_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let stem = folder.path().join("policy").display().to_string();
        let written = ["first", "second"].map(|text| write(&stem, "toml", text).unwrap());
        assert_eq!(written, [format!("{stem}.toml"), format!("{stem}-2.toml")]);
        assert_eq!(written.map(|path| std::fs::read_to_string(path).unwrap()), ["first", "second"]);
        assert!(write(&folder.path().join("no/such").display().to_string(), "md", "").is_err());
    }
}
