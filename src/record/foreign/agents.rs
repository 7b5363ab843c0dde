//! Sessions of coding agents (kv-cache-tester): as rows, or raw, one session a document.
//!
//! Times are relative to each session, so sessions are placed one after another in the order of the log: the first
//! starts at [`TRACE_EPOCH`], each next one a minute after the last request of the one before. The same log always
//! gives the same times.

use std::borrow::Cow;
use std::ops::ControlFlow;

use rustc_hash::FxHashSet;
use serde::Deserialize;

use super::fields::{TRACE_EPOCH, attempt};
use crate::classifier::TaskClass;
use crate::record::csv::{Row, micros_of};
use crate::record::json::{self, Measure, Num, Word, nullable};
use crate::record::known::{Sink, Told};
use crate::record::skip::Refusal;
use crate::record::usage::{Claim, Parts};
use crate::record::{Attempt, Attempts, Record, Timing};
use crate::routing::Status;
use crate::units::{Instant, Span};

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
pub(super) fn row<'b>(row: &Row<'_>, place: &mut Place) -> Result<Record<'b>, Refusal> {
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
    let mut only = attempt(row.get("model").to_owned(), parts.counted(Claim::WHOLE)?, Status::Ok);
    only.latency_ms = millis("api_time")?;
    only.ttft_ms = millis("ttft")?;
    let turn = row.count("seq")?.and_then(|turn| u32::try_from(turn).ok());
    let at = place.at(session, t);
    Ok(request(session, row.get("agent"), at, turn, only))
}

fn request<'b>(session: &str, agent: &str, at: Instant, turn: Option<u32>, only: Attempt<'b>) -> Record<'b> {
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

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Session {
    id: Word,
    block_size: Num,
    hash_id_scope: Word,
    #[serde(deserialize_with = "nullable")]
    requests: Vec<Call>,
}

/// A request, or a sub-agent with requests of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Call {
    t: Measure,
    model: Word,
    #[serde(rename = "in")]
    input: Num,
    #[serde(rename = "out")]
    output: Num,
    #[serde(deserialize_with = "nullable")]
    hash_ids: Vec<u64>,
    api_time: Measure,
    ttft: Measure,
    agent_id: Word,
    #[serde(deserialize_with = "nullable")]
    requests: Vec<Call>,
}

/// How deep sub-agents may nest.
const DEEPEST: u32 = 16;

/// Reads a raw session. What was cached is the longest run of leading blocks that the session has seen before.
pub(super) fn session(text: &str, place: &mut Place, sink: &mut Sink<'_>) -> ControlFlow<()> {
    let session: Session = match json::read(text) {
        Ok(session) => session,
        Err(reason) => return sink(Err(Refusal::Bad(reason))),
    };
    let mut calls = Vec::new();
    flatten(&session.requests, "main", DEEPEST, &mut calls);
    // Requests of sub-agents run beside those of the main agent.
    crate::units::sort_by(&mut calls, |(_, a, _), (_, b, _)| {
        a.t.0.unwrap_or(0.0).total_cmp(&b.t.0.unwrap_or(0.0))
    });
    let salt = if session.hash_id_scope.as_str() == "local" { salt(session.id.as_str()) } else { 0 };
    let mut seen = FxHashSet::default();
    for (agent, call, turn) in calls {
        let one = raw_call(&session, &agent, call, turn, salt, &mut seen, place);
        sink(one.map(|record| Told { record: record.into(), keys: [None, None], nested: None, open: None }))?;
    }
    ControlFlow::Continue(())
}

fn flatten<'c>(calls: &'c [Call], agent: &str, left: u32, out: &mut Vec<(String, &'c Call, u32)>) {
    let mut turn = 0;
    for (index, call) in calls.iter().enumerate() {
        if call.requests.is_empty() {
            out.push((agent.to_owned(), call, turn));
            turn += 1;
        } else if let Some(left) = left.checked_sub(1) {
            let name = if call.agent_id.is_empty() { index.to_string() } else { call.agent_id.0.clone() };
            flatten(&call.requests, &format!("{agent}/{name}"), left, out);
        }
    }
}

fn raw_call<'b>(
    session: &Session,
    agent: &str,
    call: &Call,
    turn: u32,
    salt: u64,
    seen: &mut FxHashSet<u64>,
    place: &mut Place,
) -> Result<Record<'b>, Refusal> {
    let t =
        call.t.0.and_then(micros_of).ok_or_else(|| Refusal::bad("t: missing, or not a number of seconds"))?;
    let known = call.hash_ids.iter().take_while(|hash| seen.contains(*hash)).count() as u64;
    seen.extend(&call.hash_ids);
    let read = known.saturating_mul(session.block_size.or_zero());
    let parts = Parts {
        input: call.input.0,
        read: call.input.0.map_or(0, |input| read.min(input)),
        output: call.output.0,
        ..Parts::default()
    };
    let mut only = attempt(call.model.0.clone(), parts.counted(Claim::WHOLE)?, Status::Ok);
    only.latency_ms = call.api_time.scaled(1000.0);
    only.ttft_ms = call.ttft.scaled(1000.0);
    let at = place.at(session.id.as_str(), t);
    let mut record = request(session.id.as_str(), agent, at, Some(turn), only);
    record.prefix =
        call.hash_ids.iter().map(|hash| if salt == 0 { *hash } else { mix(salt, *hash) }).collect();
    Ok(record)
}

/// Makes a number of a session's name (FNV-1a), never zero.
fn salt(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
        | 1
}

/// Keeps block hashes of different sessions apart (`SplitMix64`).
fn mix(salt: u64, hash: u64) -> u64 {
    let mut x = salt.wrapping_add(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
