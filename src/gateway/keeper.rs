//! Who keeps which answer, and whose it is: of the latest in memory, of the others in the ledger.
//!
//! Invariant: what is known of an id is what was noted last, whatever was restarted in between.

use std::sync::Arc;

use super::{Gateway, now};
use crate::ledger::{Entry, Kept, LedgerFile};

/// Notes who keeps an answer; where that `lasts`, the ledger hears of it.
pub(super) fn note(gateway: &Gateway, id: &str, kept: Kept, lasts: bool) {
    let kept = Kept { id: id.into(), at: now(), ..kept };
    gateway.stored.note(&kept.id, kept.clone());
    if lasts && gateway.keeps_ledger {
        gateway.ledger.record(Entry::Kept(Box::new(kept)));
    }
}

/// Finds who keeps an answer.
pub(super) async fn find(gateway: &Arc<Gateway>, id: &str) -> Option<Kept> {
    if let Some(kept) = gateway.stored.find(id) {
        return Some(kept);
    }
    if !gateway.keeps_ledger {
        return None;
    }
    let (path, wanted) = (gateway.ledger.state().path, id.to_owned());
    let found = tokio::task::spawn_blocking(move || LedgerFile::open(&path)?.kept(&wanted)).await;
    match found {
        Ok(Ok(found)) => found.inspect(|kept| gateway.stored.note(&kept.id, kept.clone())),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the ledger could not be searched for who keeps an answer");
            None
        }
        Err(_) => None,
    }
}
