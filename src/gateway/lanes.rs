//! The threads that serve, each with a runtime of its own.
//!
//! Invariant: a connection stays on the thread it was given to, with the calls that it causes and the connections to providers
//! that they use, so an ordinary request wakes no other thread.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::config::gateway::Threads;
use crate::providers;

/// How long work on blocking threads may take after the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// The threads that serve.
#[derive(Debug)]
pub(super) struct Lanes {
    all: Vec<Lane>,
}

#[derive(Debug)]
struct Lane {
    handle: Handle,
    connections: Arc<AtomicUsize>,
    /// Dropped, it ends the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Counts a connection of a lane while it lasts.
#[derive(Debug)]
pub(super) struct OnLane(Arc<AtomicUsize>);

impl Drop for OnLane {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lanes {
    /// Starts the threads.
    ///
    /// # Errors
    /// Where the system gives no thread, or nothing to wait for sockets with.
    pub(super) fn start(threads: Threads) -> std::io::Result<Self> {
        let threads = match threads {
            Threads::Number(threads) => threads.get(),
            Threads::Cores(_) => std::thread::available_parallelism().map_or(1, NonZero::get),
        };
        let all = (0..threads.min(providers::LANES)).map(Lane::start).collect::<Result<_, _>>()?;
        Ok(Self { all })
    }

    /// Returns the runtime of the thread with the fewest connections, and counts one more on it.
    pub(super) fn least(&self) -> Option<(&Handle, OnLane)> {
        let lane = self.all.iter().min_by_key(|lane| lane.connections.load(Ordering::Relaxed))?;
        lane.connections.fetch_add(1, Ordering::Relaxed);
        Some((&lane.handle, OnLane(Arc::clone(&lane.connections))))
    }
}

impl Lane {
    fn start(number: usize) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().thread_name("gateway-blocking").enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = move || {
            providers::enter_lane(number);
            // An error says that the sender is gone: the end.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_timeout(PATIENCE);
        };
        let thread = std::thread::Builder::new().name(format!("gateway-{number}")).spawn(serve)?;
        Ok(Self { handle, connections: Arc::default(), stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        for lane in &mut self.all {
            drop(lane.stop.take());
        }
        for lane in &mut self.all {
            if let Some(thread) = lane.thread.take() {
                let _ = thread.join();
            }
        }
    }
}
