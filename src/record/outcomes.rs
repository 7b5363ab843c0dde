//! Sets of questions with what the answers of several models were worth: one JSON object a line, no requests, so no log format.
//!
//! Invariant: a line is held only while it is looked at; what it does not say is unknown, never zero.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::beginning::bare;
use super::cut::{BLOCK, MAX_ENTRY};
use super::input::Stream;
use super::{Error, Input};
use crate::units::Pico;

/// Lines by which it is known what is read.
const LOOKED_AT: usize = 64;

/// What is known of one model's answer.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct ModelOutcome {
    /// How good it was, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<f64>,
    /// What it said, where the line has that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Tokens of the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cost_usd: Option<Value>,
    /// Whether nobody real gave it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
}

impl OutcomeLine<'_> {
    /// Returns the id as text, where it has one.
    pub fn name(&self) -> Option<String> {
        match &self.id {
            Value::String(id) => Some(id.clone()),
            Value::Number(id) => Some(id.to_string()),
            _ => None,
        }
    }
}

impl ModelOutcome {
    /// Tells of an answer: its text, the tokens of prompt and answer, what it cost.
    pub fn answered(
        answer: String,
        (prompt, output): (Option<u64>, Option<u64>),
        cost: Option<Pico>,
    ) -> Self {
        let cost_usd = cost.and_then(|cost| serde_json::from_str(&cost.usd()).ok());
        let (answer, input_tokens, output_tokens) = (Some(answer), prompt, output);
        Self { answer, input_tokens, output_tokens, cost_usd, ..Self::default() }
    }

    /// Returns the quality where it is one: from 0 to 1.
    pub fn worth(&self) -> Option<f64> {
        self.quality.filter(|quality| (0.0..=1.0).contains(quality))
    }

    /// Returns what the call cost, where the line says.
    pub fn cost(&self) -> Option<Pico> {
        // Dollars as text are what we write ourselves.
        match self.cost_usd.as_ref()? {
            Value::String(text) => Pico::from_others(text, 12).ok(),
            number => Pico::from_others(&number.to_string(), 12).ok(),
        }
    }
}

/// One question.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct OutcomeLine<'a> {
    /// Its id, text or number.
    #[serde(default)]
    pub id: Value,
    /// The kind of work, in the set's own words.
    #[serde(default, borrow)]
    pub task: Option<Cow<'a, str>>,
    /// The project, where the set knows any.
    #[serde(default, borrow)]
    pub project: Option<Cow<'a, str>>,
    /// What was asked; none where only tags are known.
    #[serde(default, borrow)]
    pub prompt: Option<Cow<'a, str>>,
    /// Tools offered.
    #[serde(default)]
    pub n_tools: Option<u32>,
    /// What groups the same question across sets.
    #[serde(default, borrow)]
    pub split_key: Option<Cow<'a, str>>,
    /// By model.
    #[serde(borrow)]
    pub outcomes: BTreeMap<Cow<'a, str>, Option<ModelOutcome>>,
}

/// What a line of outcomes is known by, whatever is wrong within it.
#[derive(Deserialize)]
struct Known<'a> {
    #[serde(borrow, rename = "outcomes")]
    _outcomes: BTreeMap<Cow<'a, str>, Option<Map<String, Value>>>,
}

/// Lines of outcomes on their way in.
pub struct Outcomes {
    stream: Stream,
    bytes: Vec<u8>,
    read: Arc<AtomicU64>,
    total: Option<u64>,
    line: u64,
    is_over: bool,
}

impl Outcomes {
    /// Opens the first part of an input, plain or packed; `None` where none of its first lines is one of these.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn open(input: &Input) -> Result<Option<Self>, Error> {
        input.check()?;
        let read = Arc::new(AtomicU64::new(0));
        let Some(stream) = input.open(0, &read) else { return Ok(None) };
        let (stream, total) = (stream?, input.size());
        let mut outcomes = Self { stream, bytes: Vec::new(), read, total, line: 0, is_over: false };
        while !outcomes.bytes.contains(&b'\n') && outcomes.bytes.len() < MAX_ENTRY && !outcomes.is_over {
            outcomes.fill()?;
        }
        let mark = outcomes.bytes.len() - bare(&outcomes.bytes).len();
        outcomes.bytes.drain(..mark);
        // A line may be bad, and is told as such; what is read is known by the first that is a line at all.
        let lines = outcomes.bytes.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        let is_one = lines.take(LOOKED_AT).any(|line| serde_json::from_slice::<Known<'_>>(line).is_ok());
        Ok(is_one.then_some(outcomes))
    }

    fn fill(&mut self) -> Result<(), Error> {
        let read = self.stream.fill(&mut self.bytes, BLOCK);
        let count = read.map_err(|source| self.stream.failed(self.line, source))?;
        self.is_over = count == 0;
        Ok(())
    }

    /// Returns how many bytes were read, and how many there are where that is known.
    pub fn progress(&self) -> (u64, Option<u64>) {
        (self.read.load(Ordering::Relaxed), self.total)
    }

    /// Passes every line on, with its number from 1; one that cannot be read as what is wrong with it. Returns whether all was read:
    /// `each` may end it.
    ///
    /// # Errors
    /// Where reading fails on the way.
    pub fn each(
        mut self,
        mut each: impl FnMut(u64, Result<OutcomeLine<'_>, String>, &Self) -> bool,
    ) -> Result<(), Error> {
        loop {
            let mut bytes = std::mem::take(&mut self.bytes);
            let whole = if self.is_over {
                bytes.len()
            } else {
                bytes.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1)
            };
            for line in bytes.get(..whole).unwrap_or(&[]).split_inclusive(|&byte| byte == b'\n') {
                self.line += 1;
                let line = line.trim_ascii();
                if line.is_empty() {
                    continue;
                }
                let read = serde_json::from_slice(line).map_err(|error| error.to_string());
                if !each(self.line, read, &self) {
                    return Ok(());
                }
            }
            if self.is_over {
                return Ok(());
            }
            bytes.drain(..whole);
            if bytes.len() > MAX_ENTRY {
                let problem = format!("a line is longer than {} MiB", MAX_ENTRY >> 20);
                each(self.line + 1, Err(problem), &self);
                return Ok(());
            }
            self.bytes = bytes;
            self.fill()?;
        }
    }
}
