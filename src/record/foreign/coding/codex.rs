//! Session logs (rollouts) of Codex: a line for each event; `token_count` tells the usage of the last call and of all so far.
//!
//! Invariants: a `token_count` whose total is that of the one before repeats it. A forked session begins with the history
//! of its parent, at its old times or rewritten: those calls are the parent's, known by its name and the total they led to.
//! So they count once whichever file is read first, and still count where the parent's is gone; calls of the fork's own are
//! known by its own name, so that two forks that did the same stay two.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::call::{Asked, Caller, NO_ANSWER, record};
use crate::record::foreign::fields::{attempt, maybe_moment, moment};
use crate::record::json::Num;
use crate::record::known::{REPEATED, Told, id_of};
use crate::record::skip::Refusal;
use crate::record::usage::{Claim, Parts, Writes};
use crate::record::value::{FromValue, Object, Value};
use crate::routing::Status;
use crate::units::Instant;

/// Tokens by kind, in the order of their names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tokens([Num; 5]);

const TOKENS: [&str; 5] = [
    "input_tokens",
    "cached_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
];

impl FromValue for Tokens {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        let (tokens, mut read) = (value.object()?, Self::default());
        for (count, name) in read.0.iter_mut().zip(TOKENS) {
            *count = tokens.count(name)?;
        }
        Ok(read)
    }
}

impl Tokens {
    fn counts(&self) -> [u64; 5] {
        self.0.map(Num::or_zero)
    }

    /// Returns what came since an earlier total; the total itself where it began anew.
    fn since(mut self, before: Option<[u64; 5]>) -> Self {
        let now = self.counts();
        let before = before.filter(|before| before.iter().zip(now).all(|(before, now)| *before <= now));
        for (count, before) in self.0.iter_mut().zip(before.unwrap_or_default()) {
            count.0 = count.0.map(|now| now.saturating_sub(before));
        }
        self
    }
}

/// What the file being read has told.
#[derive(Debug, Default)]
pub(super) struct Session {
    id: String,
    /// The session that this one began as, where it is a fork.
    parent: String,
    created: Option<Instant>,
    folder: String,
    sub_agent: String,
    model: String,
    /// Who serves it, as the settings name them.
    provider: String,
    asked: Asked,
    total: Option<[u64; 5]>,
    /// Calls so far, those of the parent included.
    calls: usize,
    /// Where in the parent's calls the next one is to be found, while this is still its history.
    next: Next,
}

/// How far the history of a parent goes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Nothing was read yet.
    #[default]
    Start,
    /// At this place of the parent's calls.
    At(usize),
    /// The history is over.
    Own,
}

/// One call of a session.
#[derive(Debug, Clone, Copy)]
struct Call {
    total: [u64; 5],
    at: Instant,
    key: Option<u64>,
}

/// The calls of the sessions read so far, by the names of those.
#[derive(Debug, Default)]
pub(super) struct Forks {
    sessions: FxHashMap<String, Vec<Call>>,
    calls: usize,
    /// Calls of sessions that are no forks, and of histories whose owner is not known for sure, by moment and total: a fork
    /// of a fork holds calls of its parent's parent.
    placed: FxHashMap<(i64, [u64; 5]), (Option<u64>, bool)>,
}

/// How many calls are remembered for forks to begin with.
const CALLS: usize = 1 << 20;
/// How long the rewritten times of a parent's history lie behind the start of a fork, where the parent's file is not known.
const REWRITTEN: i64 = 2_000_000;

/// Reads a line.
pub(super) fn line(text: &str, session: &mut Session, forks: &mut Forks) -> Result<Told, Refusal> {
    let line = Object::read(text)?;
    let (timestamp, payload) = (line.word("timestamp")?, line.object("payload")?);
    match (&*line.word("type")?, &*payload.word("type")?) {
        ("session_meta", _) => begin(session, &payload, &timestamp)?,
        ("turn_context", _) => {
            for (known, name) in [(&mut session.model, "model"), (&mut session.folder, "cwd")] {
                let told = payload.word(name)?;
                if !told.is_empty() {
                    *known = told.into_owned();
                }
            }
        }
        ("event_msg", "user_message") => {
            session.asked.ask(&payload.word("message")?);
        }
        ("response_item", "function_call" | "custom_tool_call") => {
            session.asked.called.call(&payload.word("name")?);
        }
        ("response_item", "local_shell_call") => session.asked.called.call("shell"),
        ("response_item", "web_search_call") => session.asked.called.call("web_search"),
        ("event_msg", "token_count") if payload.says("info")? => {
            let info = payload.object("info")?;
            let (total, last) = (info.maybe("total_token_usage")?, info.maybe("last_token_usage")?);
            return call((total, last), moment("timestamp", &timestamp)?, session, forks);
        }
        _ => {}
    }
    Err(NO_ANSWER)
}

/// Takes in what a session says of itself; the first says it, those of its parents may follow.
fn begin(session: &mut Session, payload: &Object<'_>, written: &str) -> Result<(), Refusal> {
    if !session.id.is_empty() {
        return Ok(());
    }
    session.id = payload.word("id")?.into_owned();
    session.folder = payload.word("cwd")?.into_owned();
    session.provider = payload.word("model_provider")?.into_owned();
    session.created = match maybe_moment("payload.timestamp", &payload.word("timestamp")?)? {
        Some(at) => Some(at),
        None => maybe_moment("timestamp", written)?,
    };
    // It may be a word: how the session was begun, or what kind of sub-agent it is.
    let within = |of: Option<Value<'_>>, name: &str| {
        let object = of.filter(|of| of.raw().starts_with('{'))?.object().ok()?;
        object
            .find(name)
            .ok()?
            .map(|value| (value.raw().to_owned(), value.word().unwrap_or_default().into_owned()))
    };
    let spawned = within(payload.find("source")?, "subagent");
    let spawn = spawned.as_ref().and_then(|(raw, _)| within(Some(Value::of(raw)), "thread_spawn"));
    let of_spawn = |name| within(Some(Value::of(&spawn.as_ref()?.0)), name).map(|(_, word)| word);
    let told =
        |names| payload.first(names).map(|word| Some(word.into_owned()).filter(|word| !word.is_empty()));
    session.parent = told(&["forked_from_id", "parent_thread_id"])?
        .or_else(|| of_spawn("parent_thread_id"))
        .unwrap_or_default();
    let kind = spawned.as_ref().map(|(_, word)| if word.is_empty() { "sub-agent" } else { word }.to_owned());
    session.sub_agent = told(&["agent_nickname", "agent_role"])?
        .or_else(|| of_spawn("agent_nickname").or_else(|| of_spawn("agent_role")))
        .or(kind)
        .unwrap_or_default();
    Ok(())
}

/// Reads the usage of a call: the total so far, and that of the call.
fn call(
    (told, last): (Option<Tokens>, Option<Tokens>),
    at: Instant,
    session: &mut Session,
    forks: &mut Forks,
) -> Result<Told, Refusal> {
    let total = told.as_ref().map(Tokens::counts);
    if total.is_some() && total == session.total {
        return Err(REPEATED);
    }
    let missed = told.filter(|_| session.total.is_some() && session.parent.is_empty());
    let missed = missed.map(|total| total.since(session.total)).filter(|grown| {
        let last = last.as_ref().map(Tokens::counts).unwrap_or_default();
        last != [0; 5]
            && grown.counts() != last
            && grown.counts().iter().zip(last).all(|(all, one)| *all >= one)
    });
    let last = match (last, told) {
        // The running total grew by more than the last call: others are missing, and their tokens count here.
        (Some(_), _) if missed.is_some() => missed.unwrap_or_default(),
        (Some(last), _) => last,
        (None, Some(total)) => total.since(session.total),
        (None, None) => return Err(NO_ANSWER),
    };
    if last.counts() == [0; 5] {
        session.total = total.or(session.total);
        return Err(NO_ANSWER);
    }
    let before = session.total.unwrap_or_default();
    let mut sum = [0u64; 5];
    for ((sum, before), now) in sum.iter_mut().zip(before).zip(last.counts()) {
        *sum = before.saturating_add(now);
    }
    let total = total.unwrap_or(sum);
    session.total = Some(total);
    let of_parent = inherited(session, forks, total, at);
    let is_guess = of_parent.is_some_and(|call| call.next == Next::Start);
    let owner = if of_parent.is_some() { session.parent.clone() } else { session.id.clone() };
    let known_as = |owner: &str| {
        let total = total.map(|count| count.to_string());
        let [input, cached, written, output, reasoning] = total.each_ref().map(String::as_str);
        id_of(&[owner, "codex", input, cached, written, output, reasoning])
    };
    let key = of_parent.and_then(|call| call.key).or_else(|| known_as(&owner));
    // A fork of this one that was read before it knows what this one inherited by this one's name.
    let also = of_parent.and_then(|_| known_as(&session.id)).filter(|_| !session.id.is_empty());
    let is_first = of_parent.is_none() && session.parent.is_empty();
    let key = if is_guess || is_first { forks.place(total, at, key, is_guess) } else { key };
    forks.remember(&session.id, session.calls, Call { total, at, key });
    session.calls += 1;

    let [input, cached, written, output, reasoning] = last.0;
    let parts = Parts {
        input: input.0,
        read: cached.or_zero(),
        writes: Writes { total: written.0, ..Writes::default() },
        output: output.0,
        reasoning: reasoning.0,
        ..Parts::default()
    };
    let mut counted = parts.counted(Claim::WHOLE)?;
    counted.is_guess |= missed.is_some();
    let mut only = attempt(&session.model, counted, Status::Ok);
    only.provider = match session.provider.as_str() {
        "" => Cow::Borrowed("openai"),
        told => Cow::Owned(told.to_owned()),
    };
    let caller = Caller {
        agent: "codex",
        session: &owner,
        folder: &session.folder,
        sub_agent: &session.sub_agent,
        asked: Some(&session.asked),
    };
    let id = if owner.is_empty() { String::new() } else { format!("{owner}/{}", total.iter().sum::<u64>()) };
    let record = record(&id, at, &caller, only);
    // A response's calls stand before its usage: from here on they are what the next one brings results of.
    session.asked.called.answer("");
    Ok(Told::new(record, [key.filter(|_| !owner.is_empty()), also]))
}

/// A call that a fork has of its parent.
#[derive(Debug, Clone, Copy)]
struct Inherited {
    /// The key that it has as the parent's, where the parent's file was read.
    key: Option<u64>,
    /// Where the next one is to be found.
    next: Next,
}

/// Says whether a call is of the history that a fork began with.
fn inherited(session: &mut Session, forks: &Forks, total: [u64; 5], at: Instant) -> Option<Inherited> {
    if session.parent.is_empty() || session.next == Next::Own {
        return None;
    }
    let found = if let Some(calls) = forks.sessions.get(&session.parent) {
        // What the parent did later cannot have been copied.
        let is_it =
            |call: &Call| call.total == total && session.created.is_none_or(|created| call.at <= created);
        let place = match session.next {
            Next::At(place) => Some(place).filter(|place| calls.get(*place).is_some_and(is_it)),
            _ => calls.iter().position(is_it),
        };
        place.map(|place| Inherited {
            key: calls.get(place).and_then(|call| call.key),
            next: Next::At(place + 1),
        })
    } else {
        let is_old = session.created.is_some_and(|created| at.0 <= created.0.saturating_add(REWRITTEN));
        is_old.then_some(Inherited { key: None, next: Next::Start })
    };
    session.next = found.map_or(Next::Own, |call| call.next);
    found
}

impl Forks {
    /// Returns the key under which a call was met before: in a history, or as a history's in the session that made it.
    fn place(&mut self, total: [u64; 5], at: Instant, key: Option<u64>, is_guess: bool) -> Option<u64> {
        if let Some((known, was_guess)) = self.placed.get(&(at.0, total))
            && (is_guess || *was_guess)
        {
            return *known;
        }
        if self.placed.len() < CALLS {
            self.placed.insert((at.0, total), (key, is_guess));
        }
        key
    }

    fn remember(&mut self, session: &str, place: usize, call: Call) {
        if session.is_empty() || self.calls >= CALLS {
            return;
        }
        if !self.sessions.contains_key(session) {
            self.sessions.insert(session.to_owned(), Vec::new());
        }
        // A copy of the file tells the same again.
        if let Some(calls) = self.sessions.get_mut(session).filter(|calls| calls.len() == place) {
            calls.push(call);
            self.calls += 1;
        }
    }
}
