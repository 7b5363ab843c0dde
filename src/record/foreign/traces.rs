//! Public traces of real traffic: Azure, BurstGPT, Mooncake. Times and tokens, no money.
//!
//! BurstGPT and Mooncake tell times relative to the start of the trace; they are placed at [`TRACE_EPOCH`].

use std::borrow::Cow;

use serde::Deserialize;

use super::fields::{TRACE_EPOCH, attempt};
use crate::record::csv::Row;
use crate::record::json::{self, Measure, Num};
use crate::record::skip::Refusal;
use crate::record::usage::{Claim, Parts};
use crate::record::{Attempts, Record, Timing};
use crate::routing::Status;
use crate::units::{Instant, Span};

/// Reads a row of the Azure trace.
pub(super) fn azure<'b>(row: &Row<'_>) -> Result<Record<'b>, Refusal> {
    row.check()?;
    let at =
        Instant::parse(row.get("timestamp")).map_err(|error| Refusal::Bad(format!("TIMESTAMP: {error}")))?;
    let (input, output) = (row.count("contexttokens")?, row.count("generatedtokens")?);
    let only = attempt(
        String::new(),
        Parts { input, output, ..Parts::default() }.counted(Claim::WHOLE)?,
        Status::Ok,
    );
    Ok(Record { at, attempts: Attempts::one(only), ..Record::default() })
}

/// Reads a row of a BurstGPT trace; a request that brought no tokens back failed.
pub(super) fn burstgpt<'b>(row: &Row<'_>) -> Result<Record<'b>, Refusal> {
    row.check()?;
    let seconds = row.micros("timestamp")?.ok_or_else(|| Refusal::bad("Timestamp: missing"))?;
    let (input, output) = (row.count("request tokens")?, row.count("response tokens")?);
    let status = if output == Some(0) { Status::Failed } else { Status::Ok };
    let counted = Parts { input, output, ..Parts::default() }.counted(Claim::WHOLE)?;
    let mut only = attempt(row.get("model").to_owned(), counted, status);
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

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MooncakeLine {
    timestamp: Option<Measure>,
    input_length: Num,
    output_length: Num,
    hash_ids: Option<Vec<u64>>,
}

/// Reads a line of a Mooncake trace: milliseconds from its start, and hashes of the prompt's 512-token blocks.
pub(super) fn mooncake<'b>(text: &str) -> Result<Record<'b>, Refusal> {
    let line: MooncakeLine = json::read(text).map_err(Refusal::Bad)?;
    let missing = || Refusal::bad("timestamp: missing; write milliseconds from the start of the trace");
    let seconds = line.timestamp.and_then(|measure| measure.0).ok_or_else(missing)? / 1000.0;
    let micros = crate::record::csv::micros_of(seconds).ok_or_else(missing)?;
    let parts = Parts { input: line.input_length.0, output: line.output_length.0, ..Parts::default() };
    let only = attempt(String::new(), parts.counted(Claim::WHOLE)?, Status::Ok);
    Ok(Record {
        at: TRACE_EPOCH + Span(micros),
        timing: Timing::Offset,
        prefix: line.hash_ids.unwrap_or_default(),
        attempts: Attempts::one(only),
        ..Record::default()
    })
}
