//! Work on large bodies, where it holds no other request of its thread up.
//!
//! Invariant: what takes a thread that serves long is not done on it; what is small is done at once.

use std::panic::resume_unwind;

use tokio::task::spawn_blocking;

/// From this size on a body, or an answer, is read and written anew on a thread apart: it takes milliseconds.
pub(super) const LARGE: usize = 1024 * 1024;

/// Does work on so many bytes.
pub(super) async fn on<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> T {
    if bytes < LARGE { work() } else { apart(work).await }
}

/// Does work on a thread apart. Should it panic, so does the caller.
pub(super) async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime ends, and the caller with it.
            Err(_) => std::future::pending().await,
        },
    }
}
