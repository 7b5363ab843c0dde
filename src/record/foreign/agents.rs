//! Sessions of coding agents (kv-cache-tester): as rows, or raw, one session a document.
//!
//! Times are relative to each session, so sessions are placed one after another in the order of the log: the first
//! starts at [`TRACE_EPOCH`], each next one a minute after the last request of the one before. The same log always
//! gives the same times.

use std::borrow::Cow;
use std::ops::ControlFlow;

use rustc_hash::FxHashSet;

use super::fields::{TRACE_EPOCH, attempt};
use crate::classifier::TaskClass;
use crate::record::csv::{Row, micros_of};
use crate::record::known::{Sink, Told};
use crate::record::skip::Refusal;
use crate::record::usage::{Claim, Parts};
use crate::record::value::Object;
use crate::record::{Attempt, Attempts, Record, Timing};
use crate::routing::Status;
use crate::units::{Draw, Instant, Span};

/// The pause between two sessions.
const PAUSE: i64 = 60_000_000;

/// Where the current session stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    session: String,
    start: i64,
    furthest: i64,
}

impl Place {
    /// Returns the moment of a request `micros` into a session.
    fn at(&mut self, session: &str, micros: i64) -> Instant {
        if session != self.session {
            if !self.session.is_empty() {
                self.start = self.start.saturating_add(self.furthest).saturating_add(PAUSE);
            }
            session.clone_into(&mut self.session);
            self.furthest = 0;
        }
        self.furthest = self.furthest.max(micros);
        TRACE_EPOCH + Span(self.start.saturating_add(micros))
    }
}

/// Reads a row; without `api_time` its latency is unknown.
pub(super) fn row(row: &Row<'_>, place: &mut Place) -> Result<Record<'static>, Refusal> {
    row.check()?;
    let session = row.get("trace_id");
    let t = row.micros("t")?.ok_or_else(|| Refusal::bad("t: missing"))?;
    let parts = Parts {
        input: row.count("input_tokens")?,
        read: row.count("cached_prefix_tokens")?.unwrap_or(0),
        output: row.count("output_tokens")?,
        ..Parts::default()
    };
    let millis =
        |name| row.micros(name).map(|micros| micros.and_then(|micros| u32::try_from(micros / 1000).ok()));
    let mut only = attempt(row.get("model"), parts.counted(Claim::WHOLE)?, Status::Ok);
    only.latency_ms = millis("api_time")?;
    only.ttft_ms = millis("ttft")?;
    let turn = row.count("seq")?.and_then(|turn| u32::try_from(turn).ok());
    let at = place.at(session, t);
    Ok(request(session, row.get("agent"), at, turn, only))
}

fn request(
    session: &str,
    agent: &str,
    at: Instant,
    turn: Option<u32>,
    only: Attempt<'static>,
) -> Record<'static> {
    let id = turn.map(|turn| Cow::Owned(format!("{session}/{agent}/{turn}"))).unwrap_or_default();
    Record {
        id,
        at,
        timing: Timing::Placed,
        user: Cow::Owned(agent.to_owned()),
        session: Cow::Owned(session.to_owned()),
        task: Some(TaskClass::Agent),
        turn,
        attempts: Attempts::one(only),
        ..Record::default()
    }
}

/// How deep sub-agents may nest.
const DEEPEST: u32 = 16;

/// Reads a raw session. What was cached is the longest run of leading blocks that the session has seen before.
pub(super) fn session(text: &str, place: &mut Place, sink: &mut Sink<'_>) -> ControlFlow<()> {
    let (session, mut calls) = match Session::read(text) {
        Ok(read) => read,
        Err(reason) => return sink(Err(Refusal::Bad(reason))),
    };
    // Requests of sub-agents run beside those of the main agent.
    let time = |(_, call, _): &(String, Object<'_>, u32)| call.measure("t").ok()?.0;
    crate::units::sort_by(&mut calls, |a, b| time(a).unwrap_or(0.0).total_cmp(&time(b).unwrap_or(0.0)));
    let mut seen = FxHashSet::default();
    for (agent, call, turn) in calls {
        let one = session.call(&agent, &call, turn, &mut seen, place);
        sink(one.map(|record| Told::new(record, [None, None])))?;
    }
    ControlFlow::Continue(())
}

/// Lists the calls of an agent; one with requests of its own is a sub-agent.
fn flatten<'a>(
    calls: Vec<Object<'a>>,
    agent: &str,
    left: u32,
    out: &mut Vec<(String, Object<'a>, u32)>,
) -> Result<(), String> {
    let mut turn = 0;
    for (index, call) in calls.into_iter().enumerate() {
        let within = call.objects("requests")?;
        if within.is_empty() {
            out.push((agent.to_owned(), call, turn));
            turn += 1;
        } else if let Some(left) = left.checked_sub(1) {
            let name = call.word("agent_id")?;
            let name = if name.is_empty() { index.to_string() } else { name.into_owned() };
            flatten(within, &format!("{agent}/{name}"), left, out)?;
        }
    }
    Ok(())
}

struct Session<'a> {
    id: Cow<'a, str>,
    block_size: u64,
    /// Sets hashes apart that mean something within the session alone; zero where they do not.
    salt: u64,
}

/// A call of a session: its agent, what is told of it, its turn.
type Flat<'a> = (String, Object<'a>, u32);

impl<'a> Session<'a> {
    fn read(text: &'a str) -> Result<(Self, Vec<Flat<'a>>), String> {
        let session = Object::read(text)?;
        let (id, block_size) = (session.word("id")?, session.count("block_size")?.or_zero());
        let salt = if session.word("hash_id_scope")? == "local" { salt(&id) } else { 0 };
        let mut calls = Vec::new();
        flatten(session.objects("requests")?, "main", DEEPEST, &mut calls)?;
        Ok((Self { id, block_size, salt }, calls))
    }

    fn call(
        &self,
        agent: &str,
        call: &Object<'_>,
        turn: u32,
        seen: &mut FxHashSet<u64>,
        place: &mut Place,
    ) -> Result<Record<'static>, Refusal> {
        let t = call.measure("t")?.0.and_then(micros_of);
        let t = t.ok_or_else(|| Refusal::bad("t: missing, or not a number of seconds"))?;
        let hashes: Vec<u64> = call.get("hash_ids")?.typed::<Option<_>>()?.unwrap_or_default();
        let known = hashes.iter().take_while(|hash| seen.contains(*hash)).count() as u64;
        seen.extend(&hashes);
        let input = call.count("in")?.0;
        let parts = Parts {
            input,
            read: input.map_or(0, |input| known.saturating_mul(self.block_size).min(input)),
            output: call.count("out")?.0,
            ..Parts::default()
        };
        let mut only = attempt(&call.word("model")?, parts.counted(Claim::WHOLE)?, Status::Ok);
        only.latency_ms = call.measure("api_time")?.scaled(1000.0);
        only.ttft_ms = call.measure("ttft")?.scaled(1000.0);
        let mut record = request(&self.id, agent, place.at(&self.id, t), Some(turn), only);
        let apart =
            |hash: u64| if self.salt == 0 { hash } else { Draw::at(self.salt, hash.wrapping_sub(1)).next() };
        record.prefix = hashes.into_iter().map(apart).collect();
        Ok(record)
    }
}

/// Makes a number of a session's name (FNV-1a), never zero.
fn salt(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
        | 1
}
