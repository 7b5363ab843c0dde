//! The themes that come with the program and those in the user's folder.
//!
//! Invariant: a theme that cannot be read is named and left out; it never stops the program.

use std::io;
use std::path::{Path, PathBuf};

/// One theme file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThemeText {
    /// The name asked for: the file's name without `.toml`.
    pub name: String,
    /// Where it came from, for warnings.
    pub origin: String,
    /// What it says.
    pub text: String,
}

macro_rules! embed {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../themes/", $name, ".toml")))),*]
    };
}

/// The themes that come with the program, in the order in which they follow each other.
pub const BUILT_IN: [(&str, &str); 10] = embed![
    "terminal",
    "dark",
    "light",
    "high-contrast",
    "colorblind-dark",
    "colorblind-light",
    "night-shift",
    "signal-box",
    "paper",
    "mono",
];

/// The most a theme file may hold.
const LARGEST: u64 = 256 * 1024;

/// A theme file or folder that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {source}", path.display())]
pub struct ThemeError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Returns the themes that come with the program.
pub fn built_in() -> impl Iterator<Item = ThemeText> {
    BUILT_IN.iter().map(|&(name, text)| ThemeText {
        name: name.to_owned(),
        origin: format!("themes/{name}.toml"),
        text: text.to_owned(),
    })
}

/// Reads every `*.toml` in a folder, in order of name; a folder that is not there holds none.
pub fn in_folder(folder: &Path) -> (Vec<ThemeText>, Vec<ThemeError>) {
    let mut paths = Vec::new();
    let mut errors = Vec::new();
    match std::fs::read_dir(folder) {
        Ok(entries) => paths.extend(entries.flatten().map(|entry| entry.path())),
        Err(source) if source.kind() == io::ErrorKind::NotFound => {}
        Err(source) => errors.push(ThemeError { path: folder.to_owned(), source }),
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let mut texts = Vec::new();
    for path in paths {
        let Some(name) = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()) else { continue };
        match read(&path) {
            Ok(text) => texts.push(ThemeText { name, origin: path.display().to_string(), text }),
            Err(source) => errors.push(ThemeError { path, source }),
        }
    }
    (texts, errors)
}

fn read(path: &Path) -> io::Result<String> {
    if std::fs::metadata(path)?.len() > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a theme holds at most 256 kB"));
    }
    std::fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_themes_and_names_what_it_could_not_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mine.toml"), "ok = \"green\"").unwrap();
        std::fs::write(folder.path().join("notes.txt"), "no theme").unwrap();
        std::fs::write(folder.path().join("bad.toml"), [0xff, 0xfe]).unwrap();
        let (texts, errors) = in_folder(folder.path());
        assert_eq!(texts.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["mine"]);
        assert!(errors[0].to_string().contains("bad.toml"), "{}", errors[0]);
        let (texts, errors) = in_folder(&folder.path().join("nowhere"));
        assert!(texts.is_empty() && errors.is_empty());
    }
}
