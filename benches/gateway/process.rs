//! Processes under measurement: started, read out of `/proc`, and ended when dropped, each by its own id.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::load;

/// A running process.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    pub(crate) fn start(mut command: Command, address: SocketAddr) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { child, address })
    }

    /// Starts a process that prints the port it listens on.
    pub(crate) fn that_says_its_port(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let out = child.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let address = (Ipv4Addr::LOCALHOST, line.trim().parse::<u16>()?).into();
        Ok(Self { child, address })
    }

    /// Returns the ids of the process and its children.
    fn ids(&self) -> Vec<u32> {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        std::iter::once(id).chain(children.split_whitespace().filter_map(|id| id.parse().ok())).collect()
    }

    /// Returns the processor time that it and its children have used.
    pub(crate) fn cpu(&self) -> Duration {
        // Fields 14 and 15, counted from behind the name, which may hold anything. A tick is 10 ms on every Linux that
        // is in use.
        let ticks = |id: u32| -> Option<u64> {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
            Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
        };
        Duration::from_millis(10 * self.ids().into_iter().filter_map(ticks).sum::<u64>())
    }

    /// Returns the resident memory of it and its children in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let resident = |id: u32| -> Option<u64> {
            let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
            let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        self.ids().into_iter().filter_map(resident).sum()
    }

    /// Counts its open files.
    pub(crate) fn files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).map_or(0, Iterator::count)
    }

    /// Waits until a chat request is answered with 200.
    pub(crate) async fn wait(&mut self, patience: Duration) -> anyhow::Result<()> {
        let text = load::request(&self.address.to_string(), false, "");
        let until = Instant::now() + patience;
        let mut last = String::from("nothing listens");
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended before it answered: {status}");
            }
            if let Ok(mut line) = load::Line::open(self.address).await {
                match line.ask(&text).await {
                    Ok(got) if got.status == 200 => return Ok(()),
                    Ok(got) => last = format!("it answers with {}", got.status),
                    Err(error) => last = error.to_string(),
                }
            }
            tokio::time::sleep(Duration::from_micros(300)).await;
        }
        bail!("no answer within {patience:?}: {last}")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Asked first, so that a master takes its workers along; then made to.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Finds an address that nobody listens on.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
