//! Public traces of real traffic: Azure, BurstGPT, Mooncake. Times and tokens, no money.
//!
//! BurstGPT and Mooncake tell times relative to the start of the trace; they are placed at [`TRACE_EPOCH`].

use std::borrow::Cow;

use super::fields::{TRACE_EPOCH, attempt};
use crate::record::csv::Row;
use crate::record::skip::Refusal;
use crate::record::usage::{Claim, Parts};
use crate::record::value::Object;
use crate::record::{Attempts, Record, Timing};
use crate::routing::Status;
use crate::units::{Instant, Span};

/// Reads a row of the Azure trace.
pub(super) fn azure(row: &Row<'_>) -> Result<Record<'static>, Refusal> {
    row.check()?;
    let at =
        Instant::parse(row.get("timestamp")).map_err(|error| Refusal::Bad(format!("TIMESTAMP: {error}")))?;
    let (input, output) = (row.count("contexttokens")?, row.count("generatedtokens")?);
    let only = attempt("", Parts { input, output, ..Parts::default() }.counted(Claim::WHOLE)?, Status::Ok);
    Ok(Record { at, attempts: Attempts::one(only), ..Record::default() })
}

/// Reads a row of a BurstGPT trace; a request that brought no tokens back failed.
pub(super) fn burstgpt(row: &Row<'_>) -> Result<Record<'static>, Refusal> {
    row.check()?;
    let seconds = row.micros("timestamp")?.ok_or_else(|| Refusal::bad("Timestamp: missing"))?;
    let (input, output) = (row.count("request tokens")?, row.count("response tokens")?);
    let status = if output == Some(0) { Status::Failed } else { Status::Ok };
    let counted = Parts { input, output, ..Parts::default() }.counted(Claim::WHOLE)?;
    let mut only = attempt(row.get("model"), counted, status);
    only.latency_ms = row.micros("elapsed time")?.and_then(|micros| u32::try_from(micros / 1000).ok());
    if !status.is_ok() {
        only.error = Cow::Borrowed("no response tokens");
    }
    Ok(Record {
        at: TRACE_EPOCH + Span(seconds),
        timing: Timing::Offset,
        project: Cow::Owned(row.get("log type").to_owned()),
        session: Cow::Owned(row.get("session id").to_owned()),
        attempts: Attempts::one(only),
        ..Record::default()
    })
}

/// Reads a line of a Mooncake trace: milliseconds from its start, and hashes of the prompt's 512-token blocks.
pub(super) fn mooncake(text: &str) -> Result<Record<'static>, Refusal> {
    let line = Object::read(text)?;
    let missing = || Refusal::bad("timestamp: missing; write milliseconds from the start of the trace");
    let seconds = line.measure("timestamp")?.0.ok_or_else(missing)? / 1000.0;
    let micros = crate::record::csv::micros_of(seconds).ok_or_else(missing)?;
    let (input, output) = (line.count("input_length")?.0, line.count("output_length")?.0);
    let only = attempt("", Parts { input, output, ..Parts::default() }.counted(Claim::WHOLE)?, Status::Ok);
    Ok(Record {
        at: TRACE_EPOCH + Span(micros),
        timing: Timing::Offset,
        prefix: line.get("hash_ids")?.typed::<Option<_>>()?.unwrap_or_default(),
        attempts: Attempts::one(only),
        ..Record::default()
    })
}
