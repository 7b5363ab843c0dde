//! A console on logs that others write: they are looked at every second, and what is new in them goes to the console.
//!
//! Invariant: logs are only looked at; nothing that is tried there comes into force anywhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::console::run_live_console;
use super::live::start;
use super::tail::{Look, New, Pipe, QUIET, Tail};
use super::{ConsoleOptions, Internal, Setup};
use crate::gateway;
use crate::record::{self, ReadOptions};
use crate::routing::Policy;
use crate::session::{Deed, Feed, LiveControl, LiveStart, Player, Question, Skipped};
use crate::units::Names;

/// How often is looked.
const LOOK: Duration = Duration::from_secs(1);
/// How much goes to the console in one piece.
const PIECE: usize = 1 << 16;

/// Opens the console on logs, and shows what comes into them.
///
/// # Errors
/// Where a log cannot be read, or the terminal fails.
pub fn follow(
    paths: &[PathBuf],
    setup: Setup,
    read: &ReadOptions,
    options: &ConsoleOptions,
    prepare: impl FnOnce(&mut Player) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (pipes, paths): (Vec<_>, Vec<_>) = paths.iter().cloned().partition(|path| path == Path::new("-"));
    // What is wrong with the logs as they are is told before the console takes the terminal.
    if !paths.is_empty() {
        record::open(&super::input(&paths), read)?;
    }
    let named = paths.iter().map(|path| path.display().to_string());
    let title = named.chain(pipes.first().map(|_| "standard input".to_owned())).collect::<Vec<_>>().join(" ");
    let Setup { policy, book, ingest, .. } = setup;
    let mut player = Player::live(LiveStart { logs_time: true, ..start(title, ingest, policy, book) }, None);
    prepare(&mut player)?;
    let ((send, feed), (stop, stopped)) = (channel(), channel());
    let pipe = (!pipes.is_empty()).then(|| Pipe::start(read.clone())).transpose()?;
    let mut tail = Tail::new(paths, read.clone(), pipe);
    std::thread::Builder::new()
        .name("tail".to_owned())
        .spawn(move || run(&mut tail, &send, &stopped))
        .map_err(Internal::from_any)?;
    let outcome = run_live_console(player, feed, Box::new(LookOnly), options);
    drop(stop);
    outcome
}

fn run(tail: &mut Tail, into: &Sender<Feed>, stop: &Receiver<()>) {
    let mut quiet = Duration::ZERO;
    loop {
        let mut new = tail.look(Look { quiet, now: gateway::now() });
        for words in std::mem::take(&mut tail.news) {
            if into.send(Feed::Refused(words.into())).is_err() {
                return;
            }
        }
        let skipped = std::mem::take(&mut tail.skipped);
        if skipped != Skipped::default() && into.send(Feed::Skipped(Box::new(skipped))).is_err() {
            return;
        }
        crate::units::sort_by_key(&mut new, |(at, _)| *at);
        if !send(&new, into) {
            return;
        }
        quiet = QUIET;
        if !matches!(stop.recv_timeout(LOOK), Err(RecvTimeoutError::Timeout)) {
            return;
        }
    }
}

/// Sends lines in pieces; says whether anybody still listens.
fn send(new: &[New], into: &Sender<Feed>) -> bool {
    let mut piece = String::new();
    for (_, line) in new {
        piece.push_str(&String::from_utf8_lossy(line));
        if !piece.ends_with('\n') {
            piece.push('\n');
        }
        if piece.len() >= PIECE && into.send(Feed::Lines(std::mem::take(&mut piece).into())).is_err() {
            return false;
        }
    }
    piece.is_empty() || into.send(Feed::Lines(piece.into())).is_ok()
}

/// A log obeys nobody: policies can be tried on it, but not brought into force.
struct LookOnly;

const NO_GATEWAY: &str = "these are logs; no gateway listens to this console";

impl LiveControl for LookOnly {
    fn read_only(&self) -> Option<Arc<str>> {
        Some(NO_GATEWAY.into())
    }

    fn owns(&self) -> bool {
        false
    }

    fn apply(&mut self, _: &Policy, _: &Names, _: Deed<'_>) -> Result<(), String> {
        Err(NO_GATEWAY.to_owned())
    }

    fn send(&mut self, _: Question) -> Result<(), String> {
        Err(NO_GATEWAY.to_owned())
    }

    fn drain(&mut self) {}
}
