//! The folder with the programs under test, and how they are run: in a home of their own, without anyone's environment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Says what is missing and lets the test pass, unless it must not.
pub(crate) fn missing(what: &str) {
    let insists = std::env::var_os("POINTSMAN_AGENTS").is_some_and(|value| value == "1");
    assert!(!insists, "{what}");
    println!("skipped: {what}");
}

/// The folder that `POINTSMAN_AGENTS_TOOLS` names.
pub(crate) struct Kit {
    folder: PathBuf,
}

impl Kit {
    /// Finds it, where it is complete.
    pub(crate) fn find() -> Option<Self> {
        let kit = std::env::var_os("POINTSMAN_AGENTS_TOOLS").map(|folder| Self { folder: folder.into() });
        let found = kit.filter(|kit| kit.python().exists() && kit.folder.join("node_modules").exists());
        if found.is_none() {
            missing("POINTSMAN_AGENTS_TOOLS names no folder with `node_modules` and `venv`");
        }
        found
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn python(&self) -> PathBuf {
        self.folder.join("venv/bin/python")
    }

    /// Finds a program among what was installed; what comes for each kind of machine comes once.
    pub(crate) fn program(&self, places: &[&str]) -> PathBuf {
        let mut candidates = places.iter().map(|place| self.folder.join(place));
        candidates.find(|path| path.exists()).unwrap_or_else(|| panic!("none of {places:?} is installed"))
    }
}

/// Returns the path of a file beside these tests.
pub(crate) fn beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents").join(name)
}

/// The one file of a project.
pub(crate) const FILE: &str = "kiwi.txt";

/// A home for one run of a program, with a project in it.
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let home = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(home.project()).unwrap();
        home.write(FILE, "the word is kiwi\n");
        home
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.project().join(name), text).unwrap();
    }

    /// Prepares a program that starts in the project, knows nothing of this machine, and may take so many seconds.
    pub(crate) fn command(&self, kit: &Kit, seconds: u32, program: &Path) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("timeout");
        command
            .args(["--kill-after=5", &seconds.to_string()])
            .arg(program)
            .env_clear()
            .env("PATH", format!("{}:{path}", kit.folder.join("node_modules/.bin").display()))
            .env("HOME", self.folder.path())
            .env("TERM", "dumb")
            .env("LANG", "C.UTF-8")
            .env("DO_NOT_TRACK", "1")
            .current_dir(self.project())
            .stdin(Stdio::null());
        command
    }
}

/// Returns what a program printed as JSON, line by line; it must have ended well.
pub(crate) fn events(run: &Output) -> Vec<serde_json::Value> {
    let out = must(run);
    out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Returns what a program printed; it must have ended well.
pub(crate) fn must(run: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{}\n{out}\n{err}", run.status);
    out.into_owned()
}
