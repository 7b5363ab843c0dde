//! What calls are signed with, kept until shortly before it ends.
//!
//! Invariants: it is asked for by one at a time, and by nobody for a while after that failed; while the last one is good,
//! nobody waits for the next; who asked may go away, what was asked for comes all the same.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::credential::{Credential, Fresh};

/// How long before its end one is renewed, at most.
const AHEAD: Duration = Duration::from_secs(300);
/// How long before its end one is used no more, at most.
const BEFORE: Duration = Duration::from_secs(15);
/// The first and the longest wait after one could not be had.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// The longest life that is believed; far more would overflow a clock.
const LONGEST_LIFE: Duration = Duration::from_secs(366 * 86_400);

/// The asking for one.
pub(super) type Asked = Pin<Box<dyn Future<Output = Result<Fresh, String>> + Send>>;
type Ask = Box<dyn Fn() -> Asked + Send + Sync>;

/// Keeps one, and has it renewed.
pub(in crate::providers) struct Keeper {
    ask: Ask,
    state: Mutex<State>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct State {
    held: Option<Arc<Credential>>,
    renew_at: Option<Instant>,
    ends_at: Option<Instant>,
    failures: u32,
    /// Why it could not be had, and until when nobody asks.
    failed: Option<(String, Instant)>,
}

impl State {
    /// Returns what is held and good, and whether it is about to end; why there is none; or nothing, where it is to be asked for.
    fn look(&self, now: Instant) -> Option<(Result<Arc<Credential>, String>, bool)> {
        let is_over = |at: Option<Instant>| at.is_some_and(|at| now >= at);
        let failed = self.failed.as_ref().filter(|(_, until)| now < *until);
        match &self.held {
            Some(held) if !is_over(self.ends_at) => {
                Some((Ok(Arc::clone(held)), is_over(self.renew_at) && failed.is_none()))
            }
            _ => failed.map(|(why, _)| (Err(why.clone()), false)),
        }
    }

    fn take(&mut self, asked: Result<Fresh, String>, now: Instant) -> Result<Arc<Credential>, String> {
        match asked {
            Ok(Fresh { credential, life }) => {
                let held = Arc::new(credential);
                let life = life.map(|life| life.min(LONGEST_LIFE));
                let before = |most: Duration| life.map(|life| now + life.saturating_sub(most.min(life / 5)));
                *self = Self {
                    held: Some(Arc::clone(&held)),
                    renew_at: before(AHEAD),
                    ends_at: before(BEFORE),
                    ..Self::default()
                };
                Ok(held)
            }
            Err(why) => {
                let pause = PAUSE.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
                self.failures = self.failures.saturating_add(1);
                self.failed = Some((why.clone(), now + pause));
                Err(why)
            }
        }
    }
}

impl Keeper {
    pub(super) fn new(ask: Ask) -> Arc<Self> {
        Arc::new(Self { ask, state: Mutex::default(), turn: Arc::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what is held now, good or not.
    pub(super) fn held(&self) -> Option<Arc<Credential>> {
        self.state().held.clone()
    }

    /// Lets go of one that was refused.
    pub(super) fn forget(&self, refused: &Arc<Credential>) {
        let mut state = self.state();
        if state.held.as_ref().is_some_and(|held| Arc::ptr_eq(held, refused)) {
            state.ends_at = Some(Instant::now());
        }
    }

    /// Returns what to sign with.
    pub(super) async fn get(self: &Arc<Self>, now: Instant) -> Result<Arc<Credential>, String> {
        let standing = self.state().look(now);
        if let Some((held, is_ageing)) = standing {
            if is_ageing && let Ok(turn) = Arc::clone(&self.turn).try_lock_owned() {
                let keeper = Arc::clone(self);
                tokio::spawn(async move {
                    if let Err(why) = keeper.renew().await {
                        tracing::warn!(%why, "what calls are signed with could not be renewed yet");
                    }
                    drop(turn);
                });
            }
            return held;
        }
        let turn = Arc::clone(&self.turn).lock_owned().await;
        // Somebody else may have asked meanwhile.
        let standing = self.state().look(Instant::now());
        if let Some((held, _)) = standing {
            return held;
        }
        let keeper = Arc::clone(self);
        let renewing = tokio::spawn(async move {
            let renewed = keeper.renew().await;
            drop(turn);
            renewed
        });
        renewing.await.unwrap_or_else(|_| Err("the asking ended early".to_owned()))
    }

    async fn renew(&self) -> Result<Arc<Credential>, String> {
        let asked = (self.ask)().await;
        self.state().take(asked, Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(life: Option<u64>) -> Fresh {
        Fresh { credential: Credential::token("t").unwrap(), life: life.map(Duration::from_secs) }
    }

    fn word(state: &State, now: Instant) -> &'static str {
        match state.look(now) {
            Some((Ok(_), false)) => "good",
            Some((Ok(_), true)) => "ageing",
            Some((Err(_), _)) => "failed",
            None => "nothing",
        }
    }

    #[test]
    fn a_token_is_renewed_before_it_ends_and_not_used_after() {
        let now = Instant::now();
        let at = |secs| now + Duration::from_secs(secs);
        let mut state = State::default();
        assert_eq!(word(&state, now), "nothing");
        state.take(Ok(fresh(Some(3600))), now).unwrap();
        let cases = [(0, "good"), (3299, "good"), (3300, "ageing"), (3584, "ageing"), (3585, "nothing")];
        for (secs, wanted) in cases {
            assert_eq!(word(&state, at(secs)), wanted, "{secs}");
        }
        // It could not be renewed: the old one serves on, and nobody asks for a second.
        assert!(state.take(Err("down".to_owned()), at(3300)).is_err());
        assert_eq!((word(&state, at(3300)), word(&state, at(3301))), ("good", "ageing"));
        assert!(state.take(Err("down".to_owned()), at(3590)).is_err());
        assert_eq!((word(&state, at(3591)), word(&state, at(3592))), ("failed", "nothing"));
        state.take(Ok(fresh(None)), at(3592)).unwrap();
        assert_eq!(word(&state, at(1_000_000)), "good", "what does not end is not renewed");
    }

    #[tokio::test]
    async fn one_asks_and_all_get_it_though_the_first_goes_away() {
        let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let gate = Arc::new(tokio::sync::Notify::new());
        let (count, open) = (Arc::clone(&asked), Arc::clone(&gate));
        let keeper = Keeper::new(Box::new(move || {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let open = Arc::clone(&open);
            Box::pin(async move {
                open.notified().await;
                Ok(fresh(Some(3600)))
            })
        }));
        let first = tokio::spawn({
            let keeper = Arc::clone(&keeper);
            async move { keeper.get(Instant::now()).await.map(drop) }
        });
        while asked.load(std::sync::atomic::Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        first.abort();
        let others: Vec<_> = (0..8)
            .map(|_| {
                let keeper = Arc::clone(&keeper);
                tokio::spawn(async move { keeper.get(Instant::now()).await.is_ok() })
            })
            .collect();
        gate.notify_one();
        for other in others {
            assert!(other.await.unwrap());
        }
        assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 1);
    }
}
