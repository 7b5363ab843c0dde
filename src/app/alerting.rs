//! Alerts, rollouts, automations and steering beside a gateway: its lines are folded on a thread of its own; what fires goes to the
//! notifier, what may step steps, and thresholds are moved towards limits.
//!
//! Invariants: traffic never waits for it; what fired before a crash and was not written down fires again, under the same id; a file with
//! a slip in it changes nothing and is told with its line.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use anyhow::Context as _;
use futures::FutureExt;

use crate::budget::Limit;
use crate::config::{self, Watched, alerts};
use crate::gateway::{Gateway, now};
use crate::ledger::{ExportOptions, LedgerFile, Range};
use crate::pricing::PriceBook;
use crate::routing::Policy;
use crate::session::{AlertFeed, Ingest};
use crate::units::{Instant, Span};

/// How often time passes where nothing comes.
const LOOK: Duration = Duration::from_millis(500);
/// How long lines gather behind the first one: whoever writes a line wakes nobody then, and a wake costs more than the line.
const GATHER: Duration = Duration::from_millis(50);
/// Lines taken before time passes again.
const AT_ONCE: usize = 4096;
/// The past that is read at the start at least: what figures are compared with.
const PAST: Span = Span::days(8);
/// What fired so long before the last run's end and was not written down is told of.
const UNTOLD: Span = Span::mins(15);
/// How long a gateway may take to find in its ledger what was spent of a new limit.
const COUNTED: Span = Span::mins(2);
/// Alerts and deliveries that are known after a start.
const KNOWN: u32 = 500;

/// The file of alerts, and what was read of it.
#[derive(Debug, Default)]
struct File {
    path: Option<PathBuf>,
    watched: Watched,
}

impl File {
    fn read(&self) -> anyhow::Result<alerts::AlertSettings> {
        let Some(path) = self.path.as_deref() else { return Ok(alerts::AlertSettings::default()) };
        let (name, text) = config::named_text(path, "")?;
        Ok(alerts::parse(&text, &name)?)
    }
}

/// What the fold rests on.
pub(super) struct Basis {
    pub(super) ingest: Ingest,
    pub(super) policy: Arc<Policy>,
    pub(super) book: PriceBook,
    /// The ledger's file, where one is kept.
    pub(super) ledger: Option<PathBuf>,
}

/// Whoever watches, and acts on what it sees, until it is stopped.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    /// Whether it is over; held for as long as a turn takes.
    is_over: Arc<Mutex<bool>>,
}

impl Watch {
    /// Waits until the turn under way is done, and lets none follow: what it does is written down before the ledger is closed.
    pub(super) fn stop(&self) {
        *self.turn() = true;
    }

    fn turn(&self) -> MutexGuard<'_, bool> {
        self.is_over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts to watch and to tell. A file that is named has to be there.
///
/// # Errors
/// Where the file cannot be used, or the system gives no thread.
pub(super) fn start(
    gateway: &Arc<Gateway>,
    runtime: &tokio::runtime::Handle,
    named: Option<PathBuf>,
    basis: Basis,
) -> anyhow::Result<Watch> {
    let usual = || config::user_dir().map(|dir| dir.join(alerts::FILE));
    let is_named = named.is_some();
    let path = named.or_else(usual);
    let file = File { watched: Watched::new(path.clone()), path };
    let is_there = is_named || file.path.as_deref().is_some_and(Path::exists);
    let settings = Arc::new(if is_there { file.read()? } else { alerts::AlertSettings::default() });
    let rules = Arc::new(settings.rules.clone());
    let notifier = gateway.alerts();
    notifier.set_settings(settings);
    let (send, lines) = channel();
    gateway.live().follow(Box::new(move |line| send.send(Arc::clone(line)).is_ok()));
    let limits: Vec<Limit> = gateway.live().limits().iter().map(|limit| (**limit).clone()).collect();
    let past = basis.ledger.filter(|path| path.is_file()).map(|path| {
        let began = now();
        let from = began - PAST;
        let from = gateway.live().budgets_since(began).map_or(from, |since| since.min(from));
        let rolling = gateway.rollouts().lock().unwrap_or_else(PoisonError::into_inner).since();
        let from = rolling.map_or(from, |since| since.min(from));
        (path, Range { from: Some(from), to: Some(began), ..Range::default() })
    });
    if let Some((path, _)) = &past {
        // Before anybody is told anything anew.
        match LedgerFile::open(path).and_then(|file| file.alarms(now(), KNOWN)) {
            Ok(alarms) => notifier.take_up(alarms),
            Err(error) => tracing::error!(%error, "the alerts of before cannot be read from the ledger"),
        }
    }
    let feed = AlertFeed::new(rules, &limits, (basis.ingest, basis.policy, basis.book))
        .telling(Arc::clone(gateway.rollouts()), Arc::clone(gateway.automations()));
    let (watching, watch) = (Arc::downgrade(gateway), Watch::default());
    let turns = watch.clone();
    let run = move || {
        Watching { gateway: watching, feed, file, limits: Vec::new(), fresh: None }.run(past, &lines, &turns);
    };
    std::thread::Builder::new().name("alerts".to_owned()).spawn(run).context("no thread for alerts")?;
    runtime.spawn(FutureExt::boxed(Arc::clone(notifier).deliver()));
    Ok(watch)
}

struct Watching {
    gateway: Weak<Gateway>,
    feed: AlertFeed,
    file: File,
    limits: Vec<Arc<Limit>>,
    /// Until when the gateway may still find what was spent of new limits before they came, and when it is asked next.
    fresh: Option<(Instant, Instant)>,
}

impl Watching {
    fn run(mut self, past: Option<(PathBuf, Range)>, lines: &Receiver<Arc<str>>, turns: &Watch) {
        if let Some((path, range)) = past {
            self.catch_up(&path, &range, turns);
            let turn = turns.turn();
            let Some(gateway) = self.gateway.upgrade().filter(|_| !*turn) else { return };
            gateway.end_orphans(&path);
        }
        loop {
            match lines.recv_timeout(LOOK) {
                Ok(line) => {
                    std::thread::sleep(GATHER);
                    self.feed.take(&line);
                    lines.try_iter().take(AT_ONCE).for_each(|line| self.feed.take(&line));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let turn = turns.turn();
            let Some(gateway) = self.gateway.upgrade().filter(|_| !*turn) else { return };
            self.raise(&gateway, lines);
            let changes = self.feed.pass(now());
            gateway.alerts().take(changes, Instant(i64::MIN));
            gateway.turn_rollouts();
            gateway.turn_automations();
            let courses = || gateway.courses(now());
            if let Some((steps, rows)) = self.feed.steer(now(), (courses, &gateway.rolling_routes())) {
                gateway.steer(steps, rows);
            }
            self.look(&gateway);
        }
    }

    /// Folds what the ledger holds, so that budgets, figures and what fires stand as they stood.
    fn catch_up(&mut self, path: &Path, range: &Range, turns: &Watch) {
        let mut lines = Lines { feed: &mut self.feed, waiting: Vec::new() };
        let options = ExportOptions::default();
        let read =
            LedgerFile::open(path).and_then(|file| file.export(range, options, &mut lines, &mut |_, _| true));
        if let Err(error) = read {
            tracing::error!(%error, "what was before cannot be read from the ledger: alerts go by what comes");
            return;
        }
        let changes = self.feed.finish();
        let turn = turns.turn();
        let Some(gateway) = self.gateway.upgrade().filter(|_| !*turn) else { return };
        let since = self.feed.last().map_or(Instant(i64::MAX), |last| last - UNTOLD);
        gateway.alerts().take(changes, since);
        let changes = self.feed.pass(now());
        gateway.alerts().take(changes, since);
        gateway.alerts().end_others(&self.feed.firing(), now());
    }

    /// Looks whether rules or limits have changed.
    fn look(&mut self, gateway: &Gateway) {
        match self.file.watched.changed().then(|| self.file.read()) {
            Some(Ok(settings)) => {
                let settings = Arc::new(settings);
                self.feed.set_rules(Arc::new(settings.rules.clone()));
                let receivers = settings.receivers.len() as u64;
                gateway.alerts().set_settings(settings);
                gateway.alerts().remark(format!(
                    "alerts: the file is read again; {} told",
                    crate::units::counted(receivers, "receiver")
                ));
            }
            Some(Err(error)) => {
                gateway.alerts().remark(format!("alerts: {error:#}; what was read before stays in force"));
            }
            None => {}
        }
        let limits = gateway.live().limits();
        let same = limits.len() == self.limits.len()
            && limits.iter().zip(&self.limits).all(|(one, other)| Arc::ptr_eq(one, other));
        if !same {
            let plain: Vec<Limit> = limits.iter().map(|limit| (**limit).clone()).collect();
            self.feed.set_limits(&plain);
            self.limits = limits;
            self.fresh = self.feed.awaits_past().then(|| (now() + COUNTED, now()));
        }
    }

    /// Takes over what the gateway has found to be spent of limits before they came. What it has counted since is on its way here,
    /// so that it is asked first, and then what is there is taken: else a call would count twice.
    fn raise(&mut self, gateway: &Gateway, lines: &Receiver<Arc<str>>) {
        let Some((until, next)) = self.fresh.filter(|(_, next)| *next <= now()) else { return };
        let standings = gateway.live().budgets(now());
        std::thread::sleep(GATHER);
        lines.try_iter().take(AT_ONCE).for_each(|line| self.feed.take(&line));
        let is_all = now() >= until;
        self.feed.raise(&standings, is_all);
        self.fresh = (!is_all).then(|| (until, next + Span::secs(1)));
    }
}

/// Passes whole lines on.
struct Lines<'f> {
    feed: &'f mut AlertFeed,
    waiting: Vec<u8>,
}

impl Write for Lines<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if let Some(end) = memchr::memrchr(b'\n', &self.waiting) {
            let rest = self.waiting.split_off(end + 1);
            self.feed.take_past(&String::from_utf8_lossy(&self.waiting));
            self.waiting = rest;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
