//! Brings what a provider adds into the order that block by block dialects need, and returns calls what they lack.
//!
//! Invariants: between a call's start and its end comes nothing but its arguments; they make up one JSON object, or the
//! answer is told as failed; every call has an id of its own; what is held back is never more than [`HELD`] bytes.
//!
//! Providers may let fragments of parallel calls alternate, and speak on before a call is whole. What comes too early is
//! held back until the current call is whole, which its JSON tells. A chat client takes fragments in any order, so for it
//! nothing is held.

use std::collections::{HashSet, VecDeque};

use super::calls::{CallIds, unfit};
use super::cited::{Citation, MOST};
use super::error::Result;
use super::finish::Finish;
use super::json::{Kind, Progress};
use super::reply::{Delta, Part};
use super::{Ask, Dialect, WireError};

/// The most bytes that are held back.
pub(super) const HELD: usize = 4 * 1024 * 1024;

/// Brings deltas into order.
pub(super) struct Order {
    /// Whether fragments of calls may alternate.
    is_free: bool,
    /// The client's dialect.
    to: Dialect,
    /// Which of the answers it is.
    choice: usize,
    ids: CallIds,
    calls: Vec<Call>,
    /// The call that is being told.
    current: Option<usize>,
    /// What has to wait for it.
    waiting: VecDeque<Piece>,
    /// How much text that is.
    pub(super) held: usize,
    finish: Finish,
    stop: Option<String>,
    /// The characters of text so far, and whether what was told last is text.
    chars: u64,
    speaks: bool,
    /// The citations so far, and those that wait for a text to stand at.
    cited: HashSet<u64>,
    pending: Vec<Citation>,
    /// Whether a citation found no place.
    pub(super) lost: bool,
}

#[derive(Default)]
struct Call {
    name: String,
    arguments: Progress,
    has_begun: bool,
}

/// Something that waits.
enum Piece {
    Part(Part),
    Cited(Citation),
    Call { call: usize, id: String, arguments: String },
}

impl Piece {
    /// Returns the text to which more of the same kind may be added.
    fn same(&mut self, delta: &Delta<'_>) -> Option<&mut String> {
        match (self, delta) {
            (Self::Part(Part::Text(text)), Delta::Text(_))
            | (Self::Part(Part::Refusal(text)), Delta::Refusal(_))
            | (Self::Part(Part::Thought(text)), Delta::Thought(_)) => Some(text),
            _ => None,
        }
    }
}

impl Order {
    /// Starts one of the answers to `ask`.
    pub(super) fn new(ask: &Ask, choice: usize) -> Self {
        Self {
            choice,
            is_free: ask.dialect() == Dialect::OpenAiChat,
            to: ask.dialect(),
            ids: CallIds::new(ask),
            calls: Vec::new(),
            current: None,
            waiting: VecDeque::new(),
            held: 0,
            finish: Finish::Other,
            stop: None,
            chars: 0,
            speaks: false,
            cited: HashSet::new(),
            pending: Vec::new(),
            lost: false,
        }
    }

    /// Takes what is added and tells what the client gets of it.
    pub(super) fn take(&mut self, delta: Delta<'_>, tell: &mut dyn FnMut(Delta<'_>)) -> Result<()> {
        match delta {
            Delta::Start { .. } | Delta::Logprobs(_) => tell(delta),
            Delta::Text(text)
            | Delta::Refusal(text)
            | Delta::Thought(text)
            | Delta::Picture { data: text, .. } => {
                if let Delta::Text(text) = delta {
                    self.chars += text.chars().count() as u64;
                }
                if self.is_at_rest() {
                    self.end_call(tell);
                    self.say(delta, tell);
                } else {
                    self.hold(text.len())?;
                    if let Some(last) = self.waiting.back_mut().and_then(|last| last.same(&delta)) {
                        last.push_str(text);
                    } else {
                        self.waiting.extend(Part::of(delta).map(Piece::Part));
                    }
                }
            }
            Delta::CallStart { id, name, .. } => {
                let call = self.calls.len();
                let id = self.ids.own(id, call + self.choice * 4096, name);
                self.calls.push(Call { name: name.to_owned(), ..Call::default() });
                if self.is_at_rest() {
                    self.end_call(tell);
                    self.current = Some(call);
                    self.say(Delta::CallStart { call, id: &id, name }, tell);
                } else {
                    self.hold(id.len() + name.len())?;
                    self.waiting.push_back(Piece::Call { call, id, arguments: String::new() });
                }
            }
            Delta::Cited(citation) => {
                let citation = citation.within(self.chars);
                if self.cited.contains(&citation.key()) {
                    return Ok(());
                }
                if self.cited.len() >= MOST {
                    self.lost = true;
                    return Ok(());
                }
                self.cited.insert(citation.key());
                if self.is_at_rest() {
                    self.say(Delta::Cited(&citation), tell);
                } else {
                    self.hold(citation.held())?;
                    self.waiting.push_back(Piece::Cited(citation));
                }
            }
            Delta::CallArguments { call, text } => self.arguments(call, text, tell)?,
            Delta::CallEnd { .. } | Delta::Other(_) | Delta::Choice(_) => {}
            Delta::Finish { finish, stop } => {
                self.finish = finish;
                self.stop = stop.map(str::to_owned);
            }
        }
        Ok(())
    }

    fn arguments(&mut self, nth: usize, text: &str, tell: &mut dyn FnMut(Delta<'_>)) -> Result<()> {
        let Some(call) = self.calls.get_mut(nth) else { return Ok(()) };
        call.arguments.push(text);
        // Blanks and `null` before any object are no arguments.
        if call.arguments.kind != Kind::Object {
            return Ok(());
        }
        let text = if std::mem::replace(&mut call.has_begun, true) { text } else { text.trim_start() };
        if self.is_free || self.current == Some(nth) {
            tell(Delta::CallArguments { call: nth, text });
            if !self.waiting.is_empty() {
                self.advance(tell);
            }
            return Ok(());
        }
        self.hold(text.len())?;
        let is_waiting = |piece: &mut Piece| match piece {
            Piece::Call { call, arguments, .. } if *call == nth => {
                arguments.push_str(text);
                true
            }
            _ => false,
        };
        // What comes for a call that was told already is blank, or the call is not valid any more and fails at the end.
        self.waiting.iter_mut().any(is_waiting);
        Ok(())
    }

    /// Says whether something new may be told now.
    fn is_at_rest(&self) -> bool {
        self.is_free || (self.waiting.is_empty() && self.is_current_whole())
    }

    fn is_current_whole(&self) -> bool {
        self.current.and_then(|call| self.calls.get(call)).is_none_or(|call| call.arguments.is_object())
    }

    fn hold(&mut self, bytes: usize) -> Result<()> {
        // An entry takes memory besides its bytes.
        self.held = self.held.saturating_add(bytes).saturating_add(32);
        if self.held > HELD { Err(WireError::TooMixed(HELD)) } else { Ok(()) }
    }

    /// Tells what waited, as far as calls are whole.
    fn advance(&mut self, tell: &mut dyn FnMut(Delta<'_>)) {
        while self.is_current_whole()
            && let Some(piece) = self.waiting.pop_front()
        {
            self.end_call(tell);
            self.tell(&piece, tell);
        }
        if self.waiting.is_empty() {
            self.held = 0;
        }
    }

    fn tell(&mut self, piece: &Piece, tell: &mut dyn FnMut(Delta<'_>)) {
        match piece {
            Piece::Part(part) => self.say(part.delta(), tell),
            Piece::Cited(citation) => self.say(Delta::Cited(citation), tell),
            Piece::Call { call, id, arguments } => {
                let name = self.calls.get(*call).map(|call| call.name.as_str()).unwrap_or_default();
                self.speaks = false;
                tell(Delta::CallStart { call: *call, id, name });
                if !arguments.is_empty() {
                    tell(Delta::CallArguments { call: *call, text: arguments });
                }
                self.current = Some(*call);
            }
        }
    }

    /// Tells what may be told now. A citation stands at a text that is being told: it waits for one where there is none.
    fn say(&mut self, delta: Delta<'_>, tell: &mut dyn FnMut(Delta<'_>)) {
        match delta {
            Delta::Cited(citation) if !self.speaks && !self.is_free => self.pending.push(citation.clone()),
            Delta::Cited(_) => tell(delta),
            _ => {
                self.speaks = matches!(delta, Delta::Text(_));
                tell(delta);
                if self.speaks {
                    self.pending.drain(..).for_each(|citation| tell(Delta::Cited(&citation)));
                }
            }
        }
    }

    /// Ends the call that is being told.
    fn end_call(&mut self, tell: &mut dyn FnMut(Delta<'_>)) {
        if self.is_free {
            return;
        }
        if let Some(call) = self.current.take() {
            self.ended(call, tell);
        }
    }

    fn ended(&self, nth: usize, tell: &mut dyn FnMut(Delta<'_>)) {
        if self.calls.get(nth).is_some_and(|call| call.arguments.is_nothing()) {
            tell(Delta::CallArguments { call: nth, text: "{}" });
        }
        tell(Delta::CallEnd { call: nth });
    }

    /// Tells all that waited and how the answer ended.
    ///
    /// Arguments that are cut by the limit of output stand as they are, as the client is told of the limit.
    pub(super) fn end(&mut self, tell: &mut dyn FnMut(Delta<'_>)) -> Result<()> {
        let is_truncated = self.finish == Finish::Length;
        if let Some(call) = self.calls.iter().find(|call| !is_truncated && !call.arguments.is_fit()) {
            return Err(unfit(&call.name));
        }
        self.end_call(tell);
        while let Some(piece) = self.waiting.pop_front() {
            self.tell(&piece, tell);
            self.end_call(tell);
        }
        if self.is_free {
            (0..self.calls.len()).for_each(|call| self.ended(call, tell));
        }
        // A message's text is closed by now; a response's can still be added to.
        self.lost |= !self.pending.is_empty() && (self.to == Dialect::AnthropicMessages || self.chars == 0);
        if !self.lost {
            self.pending.drain(..).for_each(|citation| tell(Delta::Cited(&citation)));
        }
        let finish = self.finish.beside(!self.calls.is_empty());
        tell(Delta::Finish { finish, stop: self.stop.as_deref() });
        Ok(())
    }
}
