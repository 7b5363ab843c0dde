//! Names of sessions: of them there may be millions, so the list is in shared blocks and blocks that nobody needs go.
//!
//! Invariant: an id means one name for ever; a forgotten id has none.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::id::SessionId;

/// Names in one block.
const BLOCK: usize = 1024;

/// The table of sessions.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    ids: FxHashMap<Arc<str>, u32>,
    /// Blocks of names; `None` where all of a block are forgotten.
    blocks: Vec<Option<Arc<Vec<Arc<str>>>>>,
    len: usize,
}

impl Sessions {
    pub(super) fn intern(&mut self, name: &str) -> SessionId {
        if let Some(&id) = self.ids.get(name) {
            return SessionId(id);
        }
        let Some(id) = u32::try_from(self.len).ok().filter(|&id| id != u32::MAX) else {
            return SessionId::NONE;
        };
        let shared: Arc<str> = name.into();
        self.ids.insert(Arc::clone(&shared), id);
        if self.len.is_multiple_of(BLOCK) {
            self.blocks.push(Some(Arc::new(Vec::with_capacity(BLOCK))));
        }
        // The newest block is there: it is made with its first name, and forgetting leaves it alone.
        if let Some(Some(block)) = self.blocks.last_mut() {
            Arc::make_mut(block).push(shared);
        }
        self.len += 1;
        SessionId(id)
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&str> {
        let index = id.index()?;
        let name = self.blocks.get(index / BLOCK)?.as_ref()?.get(index % BLOCK)?;
        (!name.is_empty()).then_some(&**name)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn share(&self) -> Self {
        Self { ids: FxHashMap::default(), blocks: self.blocks.clone(), len: self.len }
    }

    pub(super) fn forget(&mut self, keep: impl Fn(SessionId) -> bool) {
        let nothing: Arc<str> = "".into();
        let newest = self.blocks.len().saturating_sub(1);
        for (at, slot) in self.blocks.iter_mut().enumerate().take(newest) {
            let Some(block) = slot else { continue };
            let kept = |index: usize| u32::try_from(at * BLOCK + index).is_ok_and(|id| keep(SessionId(id)));
            let gone = (0..block.len()).filter(|&index| !kept(index)).count();
            if gone == block.len() {
                *slot = None;
            } else if gone > 0 {
                let names = block.iter().enumerate();
                let left = names.map(|(index, name)| Arc::clone(if kept(index) { name } else { &nothing }));
                *slot = Some(Arc::new(left.collect()));
            }
        }
        let first_of_newest = newest * BLOCK;
        self.ids.retain(|_, &mut id| id as usize >= first_of_newest || keep(SessionId(id)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgotten_sessions_give_their_memory_back_and_never_their_id() {
        let mut sessions = Sessions::default();
        for n in 0..3 * BLOCK {
            sessions.intern(&format!("s{n}"));
        }
        let reader = sessions.share();
        let last = u32::try_from(3 * BLOCK).unwrap();
        sessions.forget(|id| id == SessionId(1500));
        assert_eq!(sessions.blocks.iter().filter(|block| block.is_some()).count(), 2);
        assert_eq!(sessions.get(SessionId(1500)), Some("s1500"));
        assert_eq!((sessions.get(SessionId(7)), sessions.get(SessionId(1501))), (None, None));
        assert_eq!(reader.get(SessionId(7)), Some("s7"), "whoever reads the old list still finds it");
        assert_eq!(sessions.intern("s7"), SessionId(last), "a session that comes back is a new one");
        assert_eq!(sessions.intern("s1500"), SessionId(1500));
    }
}
