//! A program of the operator's, which gets a text on its standard input.
//!
//! Invariants: it sees nothing of the environment that may hold a key; it ends in time or is ended, with all that it started,
//! also where nobody waits for it any more.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use crate::units::clean;

/// What a program sees of the environment.
const PASSED: [&str; 5] = ["PATH", "HOME", "LANG", "TZ", "SYSTEMROOT"];

/// A program that ended by itself.
#[derive(Debug)]
pub(crate) struct Ran {
    /// With what; none where a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it wrote, as far as that is looked at.
    pub(crate) said: Vec<u8>,
}

/// Ends its program, and what that has started, should it still run.
struct Leash {
    child: Child,
    /// As it was at the start: one that has ended has no number any more, and what it started may go on.
    #[cfg(unix)]
    group: Option<rustix::process::Pid>,
}

impl Leash {
    fn new(child: Child) -> Self {
        Self {
            #[cfg(unix)]
            group: child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw),
            child,
        }
    }

    /// Waits for the program, and ends what it left behind.
    async fn wait(&mut self) -> std::io::Result<std::process::ExitStatus> {
        let status = self.child.wait().await;
        self.end();
        status
    }

    fn end(&mut self) {
        #[cfg(unix)]
        if let Some(group) = self.group.take() {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.end();
        let _ = self.child.start_kill();
    }
}

/// Runs a program on a text, and keeps up to `most` bytes of what it writes; `told` goes into its environment.
///
/// # Errors
/// Where it cannot be run, or did not end in time.
pub(crate) async fn run(
    words: &[String],
    input: &str,
    told: &[(&str, &str)],
    (limit, most): (Duration, usize),
) -> Result<Ran, String> {
    let Some((program, rest)) = words.split_first() else { return Err("no command is given".to_owned()) };
    let mut command = Command::new(program);
    command
        .args(rest)
        .env_clear()
        .envs(PASSED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .envs(told.iter().copied());
    let out = if most == 0 { Stdio::null() } else { Stdio::piped() };
    command.stdin(Stdio::piped()).stdout(out).stderr(Stdio::null()).kill_on_drop(true);
    // A group of its own, so that what it has started ends with it.
    #[cfg(unix)]
    command.process_group(0);
    let child = command.spawn().map_err(|error| format!("{} cannot be started: {error}", clean(program)))?;
    let mut child = Leash::new(child);
    let (to, from) = (child.child.stdin.take(), child.child.stdout.take());
    let write = async {
        if let Some(mut to) = to {
            // A program that does not read it may still do what it should.
            let _ = to.write_all(input.as_bytes()).await;
        }
    };
    let read = async {
        let mut said = Vec::new();
        if let Some(mut from) = from {
            let _ = (&mut from).take(most as u64).read_to_end(&mut said).await;
            let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
        }
        said
    };
    let work = async { tokio::join!(write, read, child.wait()) };
    match tokio::time::timeout(limit, work).await {
        Ok(((), said, Ok(status))) => Ok(Ran { code: status.code(), said }),
        Ok((.., Err(error))) => Err(format!("cannot be waited for: {error}")),
        Err(_) => Err(format!("did not end within {} s and was stopped", limit.as_secs_f32())),
    }
}
