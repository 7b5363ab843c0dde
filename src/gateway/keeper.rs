//! Who keeps which answer, and whose it is: of the latest in memory, of the others in the ledger.
//!
//! Invariant: what is known of an id is what was noted last, whatever was restarted in between.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::{HeaderMap, Method};

use super::headers::{MODEL, OPERATION};
use super::operation::Operation;
use super::{Gateway, now};
use crate::ledger::{Entry, Kept};
use crate::units::Instant;
use crate::wire::Dialect;

/// How much of an answer is searched for its id, in bytes.
const SEARCHED: usize = 16 * 1024;
/// The longest id that is taken, in bytes.
const LONGEST: usize = 256;
/// What ids of items begin with.
const ITEMS: [&str; 14] =
    ["msg", "rs", "fc", "ctc", "ws", "fs", "ci", "ig", "lsh", "mcp", "sh", "apc", "cu", "cmp"];
/// The most items that are noted of an answer.
const MOST: usize = 256;

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
    let wanted = id.to_owned();
    let kept = gateway.look_up("who keeps an answer", move |file| file.kept(&wanted)).await??;
    gateway.stored.note(&kept.id, kept.clone());
    Some(kept)
}

/// Something being noted, which a gateway that ends waits for.
struct Noting(Arc<Gateway>);

impl Noting {
    fn begin(gateway: &Arc<Gateway>) -> Self {
        gateway.noting.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(gateway))
    }
}

impl Drop for Noting {
    fn drop(&mut self) {
        self.0.noting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Watches an answer on its way to the client for its id, which it bears near its beginning.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    gateway: Arc<Gateway>,
    kept: Kept,
    /// Whether it is worth being known after a restart.
    lasts: bool,
    /// The operation whose answer it is.
    operation: Arc<str>,
    seen: Vec<u8>,
    /// Whether its id is noted, and how many items may be.
    is_noted: bool,
    room: usize,
}

impl Watch {
    /// Begins to watch the answer to a request for OpenAI's responses.
    pub(super) fn over(
        gateway: &Arc<Gateway>,
        answer: &HeaderMap,
        (team, key): (&Arc<str>, &Arc<str>),
        is_stored: bool,
    ) -> Option<Self> {
        let model: Arc<str> = answer.get(MODEL)?.to_str().ok()?.into();
        let target = gateway.providers.target(&model)?;
        let keeps = !target.simulated()
            && target.dialect_for(Dialect::OpenAiResponses) == Some(Dialect::OpenAiResponses);
        let provider = keeps.then(|| Arc::clone(target.provider()));
        let lasts = provider.is_some() && is_stored;
        let kept = unnamed(provider, &model, team, key);
        let operation = answer.get(OPERATION).and_then(|id| id.to_str().ok()).unwrap_or_default().into();
        Some(Self {
            gateway: Arc::clone(gateway),
            kept,
            lasts,
            operation,
            seen: Vec::new(),
            is_noted: false,
            room: MOST,
        })
    }

    /// Notes that something else by its id is kept there, too, and whose it is.
    pub(super) fn owns(&self, id: &str) {
        note(&self.gateway, id, self.kept.clone(), self.lasts);
    }

    /// Looks at a piece of the answer; says whether to go on.
    pub(super) fn look(&mut self, piece: &[u8]) -> bool {
        if self.is_noted {
            return self.items(piece);
        }
        let room = SEARCHED.saturating_sub(self.seen.len());
        self.seen.extend_from_slice(piece.get(..room).unwrap_or(piece));
        if let Some(id) = id_in(&self.seen) {
            note(&self.gateway, id, self.kept.clone(), self.lasts);
            if let Some(judged) = self.gateway.judged.find(&self.operation) {
                self.gateway.judged.note(&id.into(), judged);
            }
            self.is_noted = true;
            return self.items(piece.get(room..).unwrap_or_default());
        }
        self.seen.len() < SEARCHED
    }

    /// Begins to watch what is told later of an answer that is kept.
    pub(super) fn of(gateway: &Arc<Gateway>, kept: Kept) -> Self {
        Self {
            gateway: Arc::clone(gateway),
            kept,
            lasts: true,
            operation: "".into(),
            seen: Vec::new(),
            is_noted: true,
            room: MOST,
        }
    }

    /// Notes the items in what was seen, which others may name as well. What is known of one already stays: a request can have its
    /// answer repeat an id.
    pub(super) fn items(&mut self, piece: &[u8]) -> bool {
        if self.kept.provider.is_none() {
            return false;
        }
        let is_item = |id: &&str| id.split_once('_').is_some_and(|(kind, _)| ITEMS.contains(&kind));
        // No more than so much of it lies here a second time.
        for part in std::iter::once(&[][..]).chain(piece.chunks(SEARCHED)) {
            self.seen.extend_from_slice(part);
            let found = memchr::memmem::find_iter(&self.seen, b"\"id\"");
            let ids = found.filter_map(|at| id_in(self.seen.get(at..)?)).filter(is_item);
            for id in ids.filter(|id| self.gateway.stored.find(id).is_none()).take(self.room) {
                self.room -= 1;
                let (noting, id) = (Noting::begin(&self.gateway), id.to_owned());
                let (kept, lasts) = (self.kept.clone(), self.lasts);
                tokio::spawn(async move {
                    let Noting(gateway) = &noting;
                    if find(gateway, &id).await.is_none() {
                        note(gateway, &id, kept, lasts);
                    }
                });
            }
            self.seen.drain(..self.seen.len().saturating_sub(LONGEST + 16));
        }
        self.room > 0
    }
}

/// Takes note that the id a client was told is not the one under which its answer is kept: the call that gave it failed.
pub(super) fn disown(operation: &Operation, id: &str, model: &Arc<str>) {
    if operation.ask.dialect() == Dialect::OpenAiResponses && !id.is_empty() {
        let kept = unnamed(None, model, &operation.team, &operation.key);
        note(&operation.gateway, id, kept, !operation.ask.keeps_nothing());
    }
}

/// Has a provider forget an answer that no client gets: it was not fit, and another is asked.
pub(super) fn discard(operation: &Operation, provider: Arc<str>, id: String) {
    let ask = &operation.ask;
    let is_kept = ask.dialect() == Dialect::OpenAiResponses && !ask.keeps_nothing() && is_id(&id);
    let gateway = Arc::clone(&operation.gateway);
    if is_kept && gateway.providers.keepers().contains(&provider) {
        tokio::spawn(async move {
            let mut held = gateway.budget.hold();
            let hold = &mut |size| held.follow(size);
            let told = gateway.providers.stored(&provider, &Method::DELETE, &id, "", None, hold).await;
            if !told.is_ok_and(|told| told.status < 300) {
                tracing::debug!(provider = &*provider, id, "an answer that nobody got may still be kept");
            }
        });
    }
}

/// Says who keeps an answer whose id is not known yet; no provider where it is translated or simulated.
fn unnamed(provider: Option<Arc<str>>, model: &Arc<str>, team: &Arc<str>, key: &Arc<str>) -> Kept {
    let [model, team, key] = [model, team, key].map(Arc::clone);
    Kept { id: "".into(), provider, model, team, key, at: Instant::default() }
}

/// Finds the id of a response: the first member of that name, whole or in an event.
pub(super) fn id_in(bytes: &[u8]) -> Option<&str> {
    let at = memchr::memmem::find(bytes, b"\"id\"")?;
    let rest = bytes.get(at + 4..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let rest = rest.strip_prefix(b"\"")?;
    let id = rest.get(..memchr::memchr(b'"', rest)?)?;
    std::str::from_utf8(id).ok().filter(|id| is_id(id))
}

/// Says whether this can be an id: nothing in it leads to another path.
pub(super) fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':');
    !text.is_empty() && text.len() <= LONGEST && !text.starts_with('.') && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_found_whole_and_streamed() {
        for (text, id) in [
            ("{\n  \"id\": \"resp_1a\",\n  \"object\": \"response\"", Some("resp_1a")),
            (
                "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_2\",",
                Some("resp_2"),
            ),
            (": ping\n\n", None),
            ("{\"id\":\"resp_", None),
            ("{\"id\":\"../admin\"}", None),
            ("{\"id\":7}", None),
        ] {
            assert_eq!(id_in(text.as_bytes()), id, "{text}");
        }
    }
}
