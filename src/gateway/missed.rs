//! For readers that were away: what a caller may do here, and what became final since a place in the ledger's chain.
//!
//! Invariant: of the ledger one part at a time is read and held, and nothing of it stays open while a client takes its time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::Gateway;
use super::body::{self, Line, Reply};
use super::gate::admit;
use super::respond::json;
use crate::access::{Caller, Scope};
use crate::ledger::{Cursor, LedgerError, LedgerFile};
use crate::record;
use crate::wire::{ApiError, ErrorKind};

/// Links read at once: about half a megabyte of lines.
const LINKS: u64 = 1_024;
/// Parts that may wait in a reader's connection.
const IN_FLIGHT: usize = 2;
/// How long a reader may take nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Says what the caller may do, and where the ledger stands.
pub(super) fn rights(gateway: &Gateway, caller: &Caller) -> Response<Reply> {
    #[derive(Serialize)]
    struct Rights<'a> {
        key: &'a str,
        scopes: Vec<&'a str>,
        version: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        gateway: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cursor: Option<String>,
    }
    let newest = gateway.ledger.newest();
    let rights = Rights {
        key: &caller.name,
        scopes: caller.scopes.iter().map(Scope::name).collect(),
        version: env!("CARGO_PKG_VERSION"),
        gateway: newest.as_ref().map(|newest| newest.gateway.as_str()),
        cursor: newest.as_ref().map(ToString::to_string),
    };
    json(StatusCode::OK, serde_json::to_vec(&rights).unwrap_or_default())
}

/// The ledger, read part by part up to where it ended when the reading began.
struct Reading {
    file: LedgerFile,
    next: Cursor,
    end: u64,
}

impl Reading {
    fn begin(path: &Path, after: Cursor) -> Result<(Self, Vec<u8>), LedgerError> {
        let file = LedgerFile::open(path)?;
        let heads = file.heads()?;
        let end = heads.iter().find(|head| head.cursor.gateway == after.gateway);
        let end = end.map_or(0, |head| head.cursor.link);
        let mut reading = Self { file, next: after, end };
        let part = reading.part()?;
        Ok((reading, part))
    }

    fn part(&mut self) -> Result<Vec<u8>, LedgerError> {
        let mut part = Vec::new();
        let links = self.end.saturating_sub(self.next.link).min(LINKS);
        if let Some(next) = self.file.part_after(&self.next, links, &mut part)?.next {
            self.next = next;
        }
        Ok(part)
    }

    fn is_done(&self) -> bool {
        self.next.link >= self.end
    }
}

/// Answers with what became final after a place, as lines of the log in that order; the last says where to go on.
pub(super) async fn log(
    gateway: &Arc<Gateway>,
    headers: &HeaderMap,
    after: Option<String>,
) -> Result<Response<Reply>, ApiError> {
    if !gateway.keeps_ledger {
        let message = "this gateway keeps no ledger (--no-ledger), so what was missed cannot be told again";
        return Err(ApiError::new(ErrorKind::NotFound, message));
    }
    let Some(newest) = gateway.ledger.newest() else { return Err(unread("it is not open yet")) };
    let after = match after {
        Some(text) => text.parse().map_err(|_| {
            let message = format!("after={text}: write GATEWAY:LINK, as a line's `ledger.cursor` says it");
            ApiError::invalid(message).at("after")
        })?,
        None => Cursor { link: 0, ..newest },
    };
    if !gateway.budget.has_room(0) {
        return Err(gateway.budget.full());
    }
    let path = gateway.ledger.state().path;
    let begun = spawn_blocking(move || Reading::begin(&path, after)).await;
    let (reading, part) = begun.map_err(|_| unread("reading it failed"))?.map_err(|error| told(&error))?;
    let (line, reply) = body::line(IN_FLIGHT, &gateway.budget);
    tokio::spawn(FutureExt::boxed(forward(Arc::clone(gateway), headers.clone(), line, reading, part)));
    let mut response = Response::new(reply);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

async fn forward(
    gateway: Arc<Gateway>,
    key: HeaderMap,
    mut line: Line,
    mut reading: Reading,
    mut part: Vec<u8>,
) {
    loop {
        if !line.send(part.into(), PATIENCE).await || admit(&gateway, &key, &[Scope::Read], false).is_err() {
            return;
        }
        if reading.is_done() {
            if line.send(last_line(&reading.next).into(), PATIENCE).await {
                line.end();
            }
            return;
        }
        let read = spawn_blocking(move || {
            let part = reading.part();
            (reading, part)
        });
        (reading, part) = match read.await {
            Ok((reading, Ok(part))) => (reading, part),
            Ok((_, Err(error))) => {
                tracing::warn!(%error, "the ledger could not be read for a reader that was away");
                return;
            }
            Err(_) => return,
        };
    }
}

/// Writes where to go on, as a header: readers of logs pass over it.
fn last_line(cursor: &Cursor) -> Vec<u8> {
    #[derive(Serialize)]
    struct Last {
        pointsman: &'static str,
        v: u64,
        source: &'static str,
        cursor: String,
    }
    let cursor = cursor.to_string();
    let last = Last { pointsman: "log", v: record::VERSION, source: "pointsman ledger", cursor };
    let mut line = serde_json::to_vec(&last).unwrap_or_default();
    line.push(b'\n');
    line
}

fn told(error: &LedgerError) -> ApiError {
    let LedgerError::Place { wanted, known } = error else {
        tracing::warn!(%error, "the ledger could not be read for a reader that was away");
        return unread("reading it failed");
    };
    let message = format!(
        "after={wanted}: the ledger of this gateway has no such place; its chain ends with {known}. Begin anew without `after`"
    );
    ApiError::invalid(message).with_status(409)
}

fn unread(why: &str) -> ApiError {
    ApiError::new(ErrorKind::Overloaded, format!("the ledger cannot be read now: {why}")).again_after(1000)
}
