//! The operator's hand on a running drive: Ctrl-C stops (and leaves at once when pressed again), SIGUSR1 or `p` and
//! Enter pause and go on.

#[cfg(unix)]
use std::io::IsTerminal as _;
use std::sync::Arc;

use futures::FutureExt;
use tokio::sync::watch;

use crate::cli::output;
use crate::drive::Command;

/// Starts listening; what comes back holds what is wanted just now.
pub(super) fn listen() -> watch::Receiver<Command> {
    let (set, control) = watch::channel(Command::Go);
    let set = Arc::new(set);
    tokio::spawn(FutureExt::boxed(interrupts(Arc::clone(&set))));
    #[cfg(unix)]
    {
        tokio::spawn(FutureExt::boxed(signals(Arc::clone(&set))));
        if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
            tokio::spawn(FutureExt::boxed(lines(set)));
        }
    }
    control
}

async fn interrupts(set: Arc<watch::Sender<Command>>) {
    if tokio::signal::ctrl_c().await.is_ok() {
        set.send_replace(Command::Stop);
        output::say("\nwaiting for what is in flight; Ctrl-C again leaves at once");
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(130);
        }
    }
}

#[cfg(unix)]
async fn signals(set: Arc<watch::Sender<Command>>) {
    let kind = tokio::signal::unix::SignalKind::user_defined1();
    if let Ok(mut signals) = tokio::signal::unix::signal(kind) {
        while signals.recv().await.is_some() {
            toggle(&set);
        }
    }
}

/// Reads lines from the terminal, only once there is one and only in the foreground: a program in the background that
/// reads is stopped by the system, and its requests with it.
#[cfg(unix)]
async fn lines(set: Arc<watch::Sender<Command>>) {
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    #[expect(
        deprecated,
        reason = "the newer call is unsafe for types that give up their descriptor; standard input keeps its own"
    )]
    let Ok(terminal) = AsyncFd::with_interest(std::io::stdin(), Interest::READABLE) else { return };
    while let Ok(mut ready) = terminal.readable().await {
        if is_in_foreground() {
            let mut line = String::new();
            match std::io::stdin().read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if matches!(line.trim(), "p" | "pause") => toggle(&set),
                Ok(_) => {}
            }
        }
        ready.clear_ready();
    }
}

/// Says whether the terminal's keys come here. Where the system does not tell, it is taken for granted.
#[cfg(unix)]
fn is_in_foreground() -> bool {
    std::fs::read_to_string("/proc/self/stat").ok().and_then(|stat| owns_terminal(&stat)).unwrap_or(true)
}

/// Compares our process group with the terminal's: the 5th and 8th field of `/proc/PID/stat`.
#[cfg(unix)]
fn owns_terminal(stat: &str) -> Option<bool> {
    // The name, which may hold anything, ends at the last bracket.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(2);
    let group = fields.next()?;
    Some(fields.nth(2)? == group)
}

fn toggle(set: &watch::Sender<Command>) {
    set.send_modify(|command| {
        *command = match *command {
            Command::Go => Command::Pause,
            Command::Pause => Command::Go,
            Command::Stop => Command::Stop,
        };
    });
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_foreground_is_told_by_process_group() {
        assert_eq!(owns_terminal("12 (a) b) S 1 12 12 34816 12 0 0"), Some(true));
        assert_eq!(owns_terminal("12 (pointsman) S 1 12 9 34816 9 0 0"), Some(false));
        assert_eq!(owns_terminal("12 (pointsman) S 1"), None);
        assert_eq!(owns_terminal(""), None);
    }

    #[test]
    fn a_stop_is_not_taken_back_by_a_pause() {
        let (set, control) = watch::channel(Command::Go);
        toggle(&set);
        assert_eq!(*control.borrow(), Command::Pause);
        toggle(&set);
        assert_eq!(*control.borrow(), Command::Go);
        set.send_replace(Command::Stop);
        toggle(&set);
        assert_eq!(*control.borrow(), Command::Stop);
    }
}
