//! The tool calls that answers make, kept for requests that go on from an answer or in a conversation that its provider keeps: those
//! do not bring them along.
//!
//! Invariant: a hash is kept, never the text.

use std::hash::BuildHasher as _;

use super::Gateway;
use super::operation::{Operation, Outcome};
use super::remembered::Followed;
use crate::checks;
use crate::runaway::Call;
use crate::wire::{Ask, calls_of, hash_calls};

impl Gateway {
    /// Returns the tool call that a request follows, and how many turns there were before its answer.
    pub(super) fn call_before(&self, ask: &Ask) -> (Option<Call>, usize) {
        let answer = ask.leans_on().and_then(|(_, id)| id).and_then(|id| self.judged.find(&id));
        let before = match answer {
            Some(answer) => self.followed.find(&answer.operation),
            None => conversation(ask).and_then(|conversation| self.followed.find(&conversation)),
        };
        let before = before.unwrap_or_default();
        let own = ask.last_call(self.calls.build_hasher()).map(|(hash, _)| hash);
        let turns = before.turns.saturating_add(ask.turns());
        (own.or(before.call).map(|hash| Call::new(hash, turns)), turns)
    }
}

/// Returns by what a conversation is known that its provider keeps: only what was answered in it counts, and no answer has such an id.
fn conversation(ask: &Ask) -> Option<String> {
    ask.conversation().map(|id| format!("conversation {id}"))
}

impl Operation {
    /// Says whether what an answer calls is to be known to the requests that go on from it.
    pub(super) fn is_followed(&self) -> bool {
        self.turns.is_some()
    }

    /// Takes note of the calls of its answer.
    pub(super) fn calls_tools<'a>(&self, calls: impl Iterator<Item = &'a checks::Call>) {
        if let Some(turns) = self.turns {
            let call = hash_calls(calls, self.gateway.calls.build_hasher());
            let followed = Followed { call, turns: turns.saturating_add(1) };
            if let Some(conversation) = conversation(&self.ask) {
                self.gateway.followed.note(&conversation.into(), followed);
            }
            self.gateway.followed.note(&self.id, followed);
        }
    }

    /// Takes note of those of a whole answer.
    pub(super) fn calls_within(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Answer(body) if self.is_followed() => {
                self.calls_tools(calls_of(self.ask.dialect(), body).iter());
            }
            _ => {}
        }
    }
}
