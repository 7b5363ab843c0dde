//! Progress on stderr: only where a person looks at it, only for work that takes longer than a moment.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::units::counted;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::units::marked;

/// Work shorter than this shows nothing.
const QUIET: Duration = Duration::from_millis(700);

/// Operations from which on it takes long enough to be told of.
const MANY: u64 = 100_000;

/// Tells on stderr how far an older ledger has been brought up to date, a line for each tenth.
pub(super) fn ledger_brought_on(done: u64, total: u64) {
    let tenth = |done: u64| done.saturating_mul(10) / total.max(1);
    if total >= MANY && (done == 0 || tenth(done) > tenth(done.saturating_sub(4_096))) {
        let text = format!("bringing the ledger up to date: {done} of {}\n", counted(total, "request"));
        // Where stderr is gone nobody misses it.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

/// Says whether Ctrl-C was pressed; the first press cancels, the second ends the program as usual.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Starts listening for Ctrl-C.
    pub fn on_interrupt() -> Self {
        let cancel = Self::default();
        #[cfg(unix)]
        {
            let flag = Arc::clone(&cancel.0);
            // Registered in this order, the second signal finds the flag raised and ends the program.
            let _ = signal_hook::flag::register_conditional_shutdown(
                signal_hook::consts::SIGINT,
                130,
                Arc::clone(&flag),
            );
            let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, flag);
        }
        cancel
    }

    /// Says whether to stop.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A bar with time left, fed by bytes read or steps done.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    /// Counts from the start, so that the pace is known by the time it is shown.
    bar: ProgressBar,
    is_shown: bool,
    what: String,
}

impl Progress {
    /// Starts counting; nothing is drawn yet.
    pub fn new(what: impl Into<String>, total: Option<u64>) -> Self {
        let what = marked(&what.into()).into_owned();
        let template = match total {
            Some(_) => "{msg} [{bar:24}] {percent:>3} %  {bytes_per_sec}  {eta} left",
            None => "{msg} {bytes} read  {bytes_per_sec}",
        };
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden())
            .with_style(style(template))
            .with_message(what.clone());
        Self { started: Instant::now(), bar, is_shown: false, what }
    }

    /// Tells how far the work is.
    pub fn update(&mut self, bytes: u64, requests: u64) {
        self.bar.set_position(bytes);
        if self.is_due() {
            self.bar.set_message(format!("{}: {}", self.what, counted(requests, "request")));
            self.show();
        }
    }

    /// Tells how many of all steps are done.
    pub fn step(&mut self, done: u64, total: u64) {
        if self.bar.length() != Some(total) {
            self.bar.set_length(total);
            self.bar.set_style(style("{msg} [{bar:24}] {percent:>3} %  {eta} left"));
        }
        self.bar.set_position(done);
        if self.is_due() {
            self.show();
        }
    }

    fn is_due(&self) -> bool {
        self.is_shown || self.started.elapsed() >= QUIET
    }

    fn show(&mut self) {
        if !self.is_shown {
            self.is_shown = true;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Takes the bar away.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}
