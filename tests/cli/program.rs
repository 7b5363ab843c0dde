//! Runs the program in a folder of its own, with no settings but those that a test writes.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A folder for one test: logs and outputs in it, settings in `config`.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("config")).expect("a folder for settings");
        Self { folder }
    }

    /// Returns the path of a file on the sandbox.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and folders above it.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders can be made");
        fs::write(path, bytes).expect("a file can be written");
        self
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file that was written")
    }

    /// Returns the program with the user's environment taken away.
    pub(crate) fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
        command
            .env_clear()
            .env("POINTSMAN_CONFIG_DIR", self.path("config"))
            .env("POINTSMAN_DATA_DIR", self.path("data"))
            .env("HOME", self.folder.path())
            .env("LANG", "C.UTF-8")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program with arguments split at blanks.
    pub(crate) fn run(&self, args: &str) -> Run {
        self.run_all(&args.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs the program.
    pub(crate) fn run_all(&self, args: &[&str]) -> Run {
        let output = self.program().args(args).output().expect("the program starts");
        Run {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("output is UTF-8"),
            err: String::from_utf8(output.stderr).expect("messages are UTF-8"),
        }
    }

    /// Runs the program with bytes on its standard input.
    pub(crate) fn run_with(&self, args: &str, input: &[u8]) -> Run {
        let mut command = self.program();
        let mut child =
            command.args(args.split_whitespace()).stdin(Stdio::piped()).spawn().expect("the program starts");
        // The program may stop reading; what it says then is the test's business.
        let _ = child.stdin.take().expect("a pipe").write_all(input);
        let output = child.wait_with_output().expect("the program ends");
        Run {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("output is UTF-8"),
            err: String::from_utf8(output.stderr).expect("messages are UTF-8"),
        }
    }

    /// Runs what must go well and gives its output.
    pub(crate) fn good(&self, args: &str) -> String {
        let run = self.run(args);
        // That answers are simulated is told of any log that has some, and is no trouble.
        let trouble: Vec<&str> = run.err.lines().filter(|line| !line.contains("are SIMULATED:")).collect();
        assert_eq!((run.code, trouble.as_slice()), (Some(0), [].as_slice()), "{args}");
        run.out
    }

    /// Runs what the user must mend and gives the message.
    pub(crate) fn refused(&self, args: &str) -> String {
        let run = self.run(args);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{args}: {}", run.err);
        assert!(run.err.starts_with("error: "), "{args}: {}", run.err);
        assert!(!run.err.contains("panicked"), "{args}: {}", run.err);
        run.err
    }
}
