//! Which requests of a log a candidate is tried on: a fair draw of those that can be asked again as they were.
//!
//! Invariant: the draw depends on seed and id alone, and a larger sample holds every smaller one.

use std::collections::{BTreeMap, BinaryHeap};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::Arms;
use crate::app::lessons::mixed;
use crate::app::{Cancel, Progress, input};
use crate::gateway::Bench;
use crate::ledger::{self, LedgerFile};
use crate::record::{self, Entry, ReadOptions, Record};
use crate::session::LoadError;
use crate::units::{SHADOW, words};

/// A request to be asked again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    rank: u64,
    /// Its id.
    pub id: String,
    /// What was asked.
    pub prompt: String,
    /// The model that served it.
    pub served: Arc<str>,
    /// Tokens of the answer then, where known.
    pub output: Option<u64>,
    /// The most tokens that its client wanted, where known.
    pub most_output: Option<u32>,
}

/// Why a request is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Left {
    /// The log does not hold what was asked.
    NoPrompt,
    /// It has no id that a label could name.
    NoId,
    /// It came late in a conversation of which the log holds the last turn alone.
    EarlierTurns,
    /// It offered tools or showed pictures, which the log does not hold.
    ToolsOrPictures,
    /// Only models with certain labels may see it.
    Reserved,
    /// No model answered it.
    Unanswered,
    /// The candidate served it.
    Own,
    /// The judge served it.
    Judges,
    /// Nobody serves its model any more.
    Unserved,
    /// It is longer than a judge is shown.
    TooLong,
}

words!(Left {
    NoPrompt = "no prompt in the log",
    NoId = "no id",
    EarlierTurns = "earlier turns are not in the log",
    ToolsOrPictures = "tools or pictures",
    Reserved = "labels of models required",
    Unanswered = "not answered",
    Own = "served by the candidate",
    Judges = "served by the judge",
    Unserved = "its model has no provider or no price",
    TooLong = "too long for a judge",
});

/// What was drawn.
#[derive(Debug, Default)]
pub struct Sampled {
    /// The questions, in the order of the draw.
    pub questions: Vec<Question>,
    /// Requests of the log.
    pub requests: u64,
    /// Those of them that could have been drawn.
    pub eligible: u64,
    /// How many of the others were left out, and why.
    pub left: BTreeMap<Left, u64>,
    /// Lines that could not be read.
    pub bad: u64,
}

/// Draws questions from a log.
///
/// # Errors
/// Where it cannot be read, or the work was cancelled.
pub fn sample(
    path: &Path,
    read: &ReadOptions,
    (bench, arms): (&Bench, &Arms),
    (count, seed): (usize, u64),
    cancel: &Cancel,
) -> anyhow::Result<Sampled> {
    let prompts = ledger::is_ledger(path).then(|| LedgerFile::open(path)).transpose()?;
    let mut draw =
        Draw { bench, arms, prompts, count, seed, found: Sampled::default(), drawn: BinaryHeap::new() };
    let mut failed = None;
    let mut progress = Progress::new(format!("reading {}", path.display()), None);
    let summary = record::open(&input(&[path.to_owned()]), read)?.for_each(|_, _, entry| {
        if cancel.is_raised() {
            return ControlFlow::Break(());
        }
        if let Ok(Entry::Request(record)) = entry
            && record.key != SHADOW
        {
            if let Err(error) = draw.take(&record) {
                failed = Some(error);
                return ControlFlow::Break(());
            }
            progress.update(0, draw.found.requests);
        }
        ControlFlow::Continue(())
    })?;
    progress.finish();
    if cancel.is_raised() {
        return Err(LoadError::Cancelled.into());
    }
    failed.map_or(Ok(()), Err)?;
    let mut found = draw.found;
    found.questions = draw.drawn.into_sorted_vec();
    found.bad = summary.bad;
    Ok(found)
}

struct Draw<'a> {
    bench: &'a Bench,
    arms: &'a Arms,
    /// Where the log is a ledger: what it keeps of prompts.
    prompts: Option<LedgerFile>,
    count: usize,
    seed: u64,
    found: Sampled,
    /// Those with the lowest ranks, the highest on top.
    drawn: BinaryHeap<Question>,
}

impl Draw<'_> {
    fn take(&mut self, record: &Record<'_>) -> anyhow::Result<()> {
        self.found.requests += 1;
        match self.question(record)? {
            Ok(question) => {
                self.found.eligible += 1;
                self.drawn.push(question);
                if self.drawn.len() > self.count {
                    self.drawn.pop();
                }
            }
            Err(left) => *self.found.left.entry(left).or_default() += 1,
        }
        Ok(())
    }

    fn question(&self, record: &Record<'_>) -> anyhow::Result<Result<Question, Left>> {
        let own = record.prompt.as_deref().filter(|text| !text.trim().is_empty());
        let kept = match (own, &self.prompts) {
            (None, Some(ledger)) => ledger.prompt(&record.id)?,
            _ => None,
        };
        let Some(prompt) = own.or(kept.as_deref()) else { return Ok(Err(Left::NoPrompt)) };
        Ok(self.fit(record, prompt))
    }

    fn fit(&self, record: &Record<'_>, prompt: &str) -> Result<Question, Left> {
        let refuse = |is_so: bool, left| if is_so { Err(left) } else { Ok(()) };
        refuse(record.id.is_empty(), Left::NoId)?;
        refuse(record.turn.unwrap_or(0) > 0 || record.history.unwrap_or(0) > 0, Left::EarlierTurns)?;
        refuse(record.tools.unwrap_or(0) > 0 || record.needs.vision, Left::ToolsOrPictures)?;
        refuse(!record.needs.require.is_empty(), Left::Reserved)?;
        let served = record.attempts.last().filter(|last| last.status.is_ok() && !last.model.is_empty());
        let served = served.ok_or(Left::Unanswered)?;
        refuse(self.bench.are_one(&served.model, &self.arms.model), Left::Own)?;
        refuse(self.bench.are_one(&served.model, &self.arms.judge), Left::Judges)?;
        refuse(self.bench.server(&served.model).is_none(), Left::Unserved)?;
        refuse(self.bench.prices(&served.model).is_err(), Left::Unserved)?;
        let most_output = record.needs.output;
        refuse(self.bench.prompt(&self.arms.model, prompt, most_output, 0).is_err(), Left::TooLong)?;
        Ok(Question {
            rank: mixed(self.seed, &record.id),
            id: record.id.to_string(),
            prompt: prompt.to_owned(),
            served: (&*served.model).into(),
            output: served.usage.output.get(),
            most_output,
        })
    }
}
