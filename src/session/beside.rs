//! Something that is worked out beside a player, in a thread of its own.
//!
//! Invariant: what is dropped is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};

/// A thread at work.
#[derive(Debug)]
pub(super) struct AtWork<T> {
    stop: Arc<AtomicBool>,
    result: Receiver<Option<T>>,
}

impl<T: Send + 'static> AtWork<T> {
    /// Starts one, which is told when it should stop; none where the system gives no thread.
    pub(super) fn start(
        name: &str,
        work: impl FnOnce(&AtomicBool) -> Option<T> + Send + 'static,
    ) -> Option<Self> {
        let (stop, (sender, result)) = (Arc::new(AtomicBool::new(false)), channel());
        let halt = Arc::clone(&stop);
        let run = move || {
            let _ = sender.send(work(&halt));
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(run).ok().map(|_| Self { stop, result })
    }

    /// Returns what came of it, if anything, once it is over.
    #[expect(clippy::option_option, reason = "that nothing came of it is no reason to wait on")]
    pub(super) fn over(&self) -> Option<Option<T>> {
        match self.result.try_recv() {
            Err(TryRecvError::Empty) => None,
            found => Some(found.ok().flatten()),
        }
    }
}

impl<T> Drop for AtWork<T> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
