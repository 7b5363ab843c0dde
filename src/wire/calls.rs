//! What calls of tools need to be of use in another dialect: an id of their own, and arguments that are an object.
//!
//! Invariant: a synthetic id is the same whenever the same answer is read, and differs from every other of the
//! answer and of the conversation it belongs to.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::error::Result;
use super::finish::Finish;
use super::json::Progress;
use super::reply::{Choice, Part};
use super::{Ask, WireError, faults};
use crate::units::{Sha256, hex};

/// Assigns the calls of one answer their ids.
#[derive(Clone)]
pub(super) struct CallIds {
    /// The request, which grows with its conversation, and its id.
    asked: Bytes,
    asked_as: Arc<str>,
    used: BTreeSet<String>,
}

impl CallIds {
    /// Starts the answer to `ask`.
    pub(super) fn new(ask: &Ask) -> Self {
        Self { asked: ask.body().clone(), asked_as: Arc::clone(&ask.id), used: BTreeSet::new() }
    }

    /// Returns the id of call `nth`: the provider's, or one made up where it gives none, or one that is used already.
    pub(super) fn own(&mut self, id: &str, nth: usize, name: &str) -> String {
        if !id.is_empty() && self.used.insert(id.to_owned()) {
            return id.to_owned();
        }
        let mut digest = Sha256::default();
        digest.update(&self.asked);
        digest.update(format!("\n{}\n{nth}\n{name}", self.asked_as));
        let made = call_id(&digest.finalize());
        self.used.insert(made.clone());
        made
    }
}

/// Returns an id of the client's kind for an answer that a provider of another dialect called `id`.
pub(super) fn own_id(prefix: &str, id: &str, ask: &Ask) -> String {
    if id.is_empty() { format!("{prefix}{}", ask.id) } else { as_own(prefix, id) }
}

/// Returns a provider's id the beginning that ids of the client's dialect have.
pub(super) fn as_own(prefix: &str, id: &str) -> String {
    if id.starts_with(prefix) { id.to_owned() } else { format!("{prefix}{id}") }
}

/// The longest id of a call that OpenAI's chat takes.
pub(super) const LONGEST_ID: usize = 40;

/// Returns a short id for a long one, the same whenever it comes.
pub(super) fn short_id(id: &str) -> String {
    call_id(&Sha256::digest(id.as_bytes()))
}

/// Writes an id that every dialect takes, of at most [`LONGEST_ID`] characters.
pub(super) fn call_id(digest: &[u8]) -> String {
    format!("call_{}", hex(digest.get(..12).unwrap_or(digest)))
}

/// Assigns the calls of a whole answer ids of their own, and `{}` where they have no arguments.
///
/// Says which of them has arguments that are no object. One that the limit of output cut off is taken away instead: the
/// client is told of the limit, and of the calls that are whole.
pub(super) fn settle(ask: &Ask, choice: &mut Choice) -> Result<()> {
    if choice.finish == Finish::Length {
        choice.parts.retain(|part| !matches!(part, Part::Call(call) if !is_fit(&call.arguments)));
    }
    let mut ids: Option<CallIds> = None;
    let mut verdict = Ok(());
    for (nth, call) in choice.calls_mut().enumerate() {
        let ids = ids.get_or_insert_with(|| CallIds::new(ask));
        let id = ids.own(&call.id, nth, &call.name);
        if id != call.id {
            call.id = Cow::Owned(id);
        }
        if progress(&call.arguments).is_nothing() {
            call.arguments = Cow::Borrowed("{}");
        } else if verdict.is_ok() && !is_fit(&call.arguments) {
            verdict = Err(unfit(&call.name));
        }
    }
    verdict
}

/// Says whether arguments are an object, or none at all.
pub(super) fn is_fit(arguments: &str) -> bool {
    progress(arguments).is_fit()
}

fn progress(arguments: &str) -> Progress {
    let mut progress = Progress::default();
    progress.push(arguments);
    progress
}

/// Makes the error of a stream with a call whose arguments are no JSON object.
pub(super) fn unfit_call() -> WireError {
    WireError::Unfit("the arguments of a call in it are not a JSON object".to_owned())
}

/// Makes the error of a call that says not what is called.
pub(super) fn nameless() -> WireError {
    WireError::Unfit("a call in it has no name".to_owned())
}

/// Makes the error of a call whose arguments are no JSON object. They are not quoted, as they are part of the answer.
pub(super) fn unfit(name: &str) -> WireError {
    let name = faults::clean(name);
    WireError::Unfit(format!("the arguments of its call of {name} are not a JSON object"))
}
