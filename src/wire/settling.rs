//! A prompt made fit for whoever gets it: who has the last word, what an assistant may show, names and ids of calls.
//!
//! Invariant: a result stays with its call, whatever either is called on the way.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};

use super::prompt::{Piece, Prompt, Reader, ToolChoice, go_on};
use super::{Accent, Dialect};

/// So many tools OpenAI takes.
const TOOLS: usize = 128;

impl Prompt<'_> {
    /// Settles a last turn by the assistant: a provider that goes on with one gets it without blanks at its end, which Claude
    /// refuses; others are asked to go on.
    pub(super) fn settle_prefill(&mut self, reader: Reader<'_>) {
        let Some(last) = self.turns.last_mut().filter(|turn| !turn.is_user) else { return };
        let takes = match reader.to {
            Dialect::OpenAiChat => reader.sending.accent == Accent::Mistral,
            to => to == Dialect::AnthropicMessages && !reader.sending.known.refuses_prefill(to),
        };
        if !takes {
            reader.leave_out(&format!("{} (prefill)", reader.turns()));
            self.say(true, vec![Piece::text(go_on(), None)]);
        } else if let Some(Piece::Text(said)) = last.parts.last_mut() {
            let end = said.text.trim_end().len();
            said.text.to_mut().truncate(end);
            let is_blank =
                |piece: &Piece<'_>| matches!(piece, Piece::Text(text) if text.text.trim().is_empty());
            if reader.to == Dialect::AnthropicMessages && last.parts.iter().all(is_blank) {
                reader.leave_out(&format!("{} (prefill)", reader.turns()));
            }
        }
    }

    /// Leaves pictures and documents out of the assistant's turns where the provider takes them from users alone: they are
    /// what another model made, and without them the conversation can go on.
    pub(super) fn settle_pictures(&mut self, reader: Reader<'_>) {
        if reader.to == Dialect::Gemini {
            return;
        }
        for turn in self.turns.iter_mut().filter(|turn| !turn.is_user) {
            turn.parts.retain(|piece| {
                let kind = match piece {
                    Piece::Image { .. } => "picture",
                    Piece::File { .. } => "document",
                    _ => return true,
                };
                reader.leave_out(&format!("{} ({kind})", reader.turns()));
                false
            });
            // A turn has to say something.
            if turn.parts.is_empty() {
                turn.parts.push(Piece::text("...", None));
            }
        }
    }

    /// Puts the results of a turn into the order of their calls: Google pairs them by their places.
    pub(super) fn answer_in_order(&mut self) {
        let mut order: HashMap<String, usize> = HashMap::new();
        for turn in &mut self.turns {
            if turn.is_user {
                let place = |part: &Piece<'_>| match part {
                    Piece::Result(result) => order.get(&*result.call).copied().unwrap_or(usize::MAX - 1),
                    _ => usize::MAX,
                };
                if !turn.parts.is_sorted_by_key(place) {
                    turn.parts.sort_by_key(place);
                }
                continue;
            }
            order.clear();
            for part in &turn.parts {
                if let Piece::Call { call, .. } = part {
                    let next = order.len();
                    order.entry(call.id.to_string()).or_insert(next);
                }
            }
        }
    }

    /// Gives calls the ids by which Kimi's models know their own: the name, and which of the conversation's it is. At others they
    /// fall into writing calls as text.
    pub(super) fn count_calls(&mut self) {
        let mut counted: HashMap<String, String> = HashMap::new();
        for part in self.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
            match part {
                Piece::Call { call, .. } => {
                    let id = format!("functions.{}:{}", call.name, counted.len());
                    let old = std::mem::replace(&mut call.id, id.clone().into());
                    counted.insert(old.into_owned(), id);
                }
                Piece::Result(result) => {
                    if let Some(id) = counted.get(&*result.call) {
                        result.call = id.clone().into();
                    }
                }
                _ => {}
            }
        }
    }

    /// Tells calls of one id apart, as servers make them that count anew in each answer: what tools gave back belongs to the
    /// nearest call before it.
    pub(super) fn settle_ids(&mut self) {
        let mut used: HashSet<String> = HashSet::new();
        let mut open: HashMap<String, (VecDeque<String>, bool)> = HashMap::new();
        for part in self.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
            match part {
                Piece::Call { call, .. } => {
                    let id = call.id.to_string();
                    let mut own = id.clone();
                    let mut nth = 1;
                    while !used.insert(own.clone()) {
                        nth += 1;
                        own = format!("{id}_{nth}");
                    }
                    let (waiting, is_answered) = open.entry(id).or_default();
                    if std::mem::take(is_answered) {
                        waiting.clear();
                    }
                    waiting.push_back(own.clone());
                    if own != call.id {
                        call.id = Cow::Owned(own);
                    }
                }
                Piece::Result(result) => {
                    let Some((waiting, is_answered)) = open.get_mut(&*result.call) else { continue };
                    *is_answered = true;
                    let own = if waiting.len() > 1 { waiting.pop_front() } else { waiting.front().cloned() };
                    if let Some(own) = own.filter(|own| **own != *result.call) {
                        result.call = Cow::Owned(own);
                    }
                }
                _ => {}
            }
        }
    }

    /// Leaves deferred tools out where there are more than OpenAI takes, those that were called before last.
    pub(super) fn settle_tools(&mut self, reader: Reader<'_>) {
        let mut over = self.tools.len().saturating_sub(TOOLS);
        if over == 0 || !reader.sending.known.is_openais || reader.to != Dialect::OpenAiChat {
            return;
        }
        let mut called: HashSet<&str> = HashSet::new();
        for part in self.turns.iter().flat_map(|turn| &turn.parts) {
            if let Piece::Call { call, .. } = part {
                called.insert(&call.name);
            }
        }
        if let Some(ToolChoice::Named(name)) = &self.choice {
            called.insert(name);
        }
        let mut gone: HashSet<String> = HashSet::new();
        for is_called in [false, true] {
            for tool in self.tools.iter().rev().filter(|tool| tool.is_deferred) {
                if over > 0 && called.contains(&*tool.name) == is_called && gone.insert(tool.name.to_string())
                {
                    over -= 1;
                }
            }
        }
        if !gone.is_empty() {
            self.tools.retain(|tool| !gone.contains(&*tool.name));
            reader.leave_out(&format!("tools (more than {TOOLS})"));
        }
    }

    /// Names tools so that every provider takes their names.
    pub(super) fn settle_names(&mut self) {
        let settle = |name: &mut Cow<'_, str>| {
            let sent = super::tools::sent_name(None, name);
            if sent != *name {
                *name = Cow::Owned(sent);
            }
        };
        self.tools.iter_mut().for_each(|tool| settle(&mut tool.name));
        if let Some(ToolChoice::Named(name)) = &mut self.choice {
            settle(name);
        }
        for part in self.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
            if let Piece::Call { call, .. } = part {
                settle(&mut call.name);
            }
        }
        self.forget_calls();
    }
}
