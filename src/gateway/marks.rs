//! Which requests are marked for providers' prompt caches.
//!
//! Invariant: only where a client set no mark itself; of Anthropic's only where what was seen of the model's prompts says that it
//! pays.

use std::hash::{BuildHasher as _, BuildHasherDefault};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use rustc_hash::FxHasher;

use crate::prompt_cache::{Again, Rules};
use crate::providers::Target;
use crate::units::{Instant, Sha256, hex};
use crate::wire::{Dialect, Form, keyed, marked};

/// Letters of the key that stands for a session.
const KEY: usize = 32;
/// The provider whose requests are brought together by a key.
const OPENAI: &str = "openai";

/// What is known of prompts that come again.
#[derive(Debug)]
pub(super) struct Marks {
    rules: Rules,
    again: Mutex<Again>,
    placed: AtomicU64,
}

/// What is marked.
pub(super) struct Prompt<'o> {
    pub(super) session: &'o str,
    /// Hashes of its beginnings.
    pub(super) prefix: &'o [u64],
    /// When it came.
    pub(super) at: Instant,
    pub(super) tokens: u64,
    /// The number of the cache that was asked last, and whether a mark pays there.
    pub(super) decided: &'o mut Option<(u64, bool)>,
}

impl Marks {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, again: Mutex::default(), placed: AtomicU64::new(0) }
    }

    /// Takes in a prompt that was answered before a restart.
    pub(super) fn recall(&self, target: &Target, provider: &str, prefix: &[u64], at: Instant) {
        if let Some(rule) =
            self.rules.find(target.known_as()).filter(|rule| rule.asked && !target.simulated())
        {
            let cache = number(provider, target.upstream());
            self.again.lock().unwrap_or_else(PoisonError::into_inner).take(cache, rule, prefix, at);
        }
    }

    /// Counts the requests that were marked.
    pub(super) fn placed(&self) -> u64 {
        self.placed.load(Ordering::Relaxed)
    }

    /// Marks the body of a call where that pays.
    pub(super) fn place(
        &self,
        prompt: &mut Prompt<'_>,
        (target, dialect): (&Target, Dialect),
        body: Bytes,
    ) -> Bytes {
        if target.form() != Form::Plain || target.simulated() {
            return body;
        }
        let changed = match dialect {
            Dialect::AnthropicMessages if self.pays(prompt, target) => marked(&body),
            Dialect::OpenAiChat | Dialect::OpenAiResponses
                if target.provider().split('/').next() == Some(OPENAI) =>
            {
                let key = || hex(&Sha256::digest(prompt.session.as_bytes()));
                (!prompt.session.is_empty()).then(key).and_then(|key| keyed(&body, key.get(..KEY)?))
            }
            _ => None,
        };
        let Some(changed) = changed else { return body };
        self.placed.fetch_add(1, Ordering::Relaxed);
        changed
    }

    /// Says whether what a mark costs is saved again; takes note of the prompt, once however often the model is asked.
    fn pays(&self, prompt: &mut Prompt<'_>, target: &Target) -> bool {
        // Each account has caches of its own.
        let cache = number(target.provider(), target.upstream());
        if let Some((_, pays)) = prompt.decided.filter(|(asked, _)| *asked == cache) {
            return pays;
        }
        let Some(rule) = self.rules.find(target.known_as()).filter(|rule| rule.asked) else { return false };
        let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        let pays = again.take(cache, rule, prompt.prefix, prompt.at);
        let pays = pays && prompt.tokens >= u64::from(rule.minimum);
        *prompt.decided = Some((cache, pays));
        pays
    }
}

/// Returns the number of a cache: a model's at an account.
fn number(provider: &str, upstream: &str) -> u64 {
    BuildHasherDefault::<FxHasher>::default().hash_one((provider, upstream))
}
