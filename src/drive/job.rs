//! What is sent: one job for each request of the log.

use std::ops::ControlFlow;

use super::{filler, prompt_bound};
use crate::record::{Entry, Error, Input, ReadOptions, Record, Skip, Summary, open};
use crate::units::{Draw, Instant, PerMille};

/// Tokens of a prompt, or of an answer, that the log does not tell.
const UNKNOWN_TOKENS: u64 = 200;
/// A longer prompt is cut to this, a longer answer is asked for no more than this.
const MOST_PROMPT: u64 = 1_000_000;
const MOST_OUTPUT: u64 = 128_000;

/// Sets the draw of streams apart from others by the same seed.
const STREAMS: u64 = 0x7374_7265_616d;

/// One request to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its place among the log's requests, from 0.
    pub place: u64,
    /// When it arrived then.
    pub at: Instant,
    /// Tags; empty where the log has none.
    pub team: String,
    /// The project.
    pub project: String,
    /// The kind of work.
    pub task: String,
    /// The session.
    pub session: String,
    /// What to say.
    pub prompt: Prompt,
    /// How long the answer may be.
    pub max_tokens: u64,
    /// Whether to ask for a stream.
    pub stream: bool,
}

/// Where a prompt comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// The log's own text.
    Own(String),
    /// Words made up from a seed, of about so many tokens.
    Filler {
        /// The seed; jobs of one session share it.
        seed: u64,
        /// The length.
        tokens: u64,
    },
}

impl Prompt {
    /// Returns the text.
    pub fn text(&self) -> String {
        match self {
            Self::Own(text) => text.clone(),
            Self::Filler { seed, tokens } => filler(*seed, *tokens),
        }
    }

    /// Returns a number of tokens that it does not exceed.
    pub fn bound(&self) -> u64 {
        match self {
            Self::Own(text) => prompt_bound(text),
            // Each word is a token to the usual tokenizers; half as much again for the unusual.
            Self::Filler { tokens, .. } => prompt_bound("") + tokens + tokens.div_ceil(2),
        }
    }
}

/// What a log holds, counted before anything is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Survey {
    /// Requests that would be sent.
    pub requests: u64,
    /// Those of them with a text of their own.
    pub with_text: u64,
    /// Those whose length the log does not tell either.
    pub without_length: u64,
    /// When the first arrived.
    pub first: Option<Instant>,
    /// The latest arrival.
    pub last: Option<Instant>,
    /// Lines that could not be read.
    pub bad: u64,
}

/// Counts what would be sent.
///
/// # Errors
/// Where the log cannot be read.
pub fn survey(input: &Input, options: &ReadOptions, limit: Option<u64>) -> Result<Survey, Error> {
    let mut survey = Survey::default();
    let summary = each(input, options, limit, |record, _| {
        survey.requests += 1;
        survey.with_text += u64::from(has_text(record));
        survey.without_length += u64::from(!has_text(record) && logged_prompt(record).is_none());
        survey.first = survey.first.or(Some(record.at));
        survey.last = survey.last.max(Some(record.at));
        ControlFlow::Continue(())
    })?;
    survey.bad = summary.bad;
    Ok(survey)
}

/// Reads a log's jobs one after another until `give` wants no more.
///
/// # Errors
/// Where the log cannot be read.
pub fn read_jobs(
    input: &Input,
    options: &ReadOptions,
    limit: Option<u64>,
    seed: u64,
    stream: PerMille,
    mut give: impl FnMut(Job) -> ControlFlow<()>,
) -> Result<Summary, Error> {
    each(input, options, limit, |record, place| give(job(record, place, seed, stream)))
}

fn each(
    input: &Input,
    options: &ReadOptions,
    limit: Option<u64>,
    mut f: impl FnMut(&Record<'_>, u64) -> ControlFlow<()>,
) -> Result<Summary, Error> {
    let mut place = 0;
    let mut visit = |entry: Result<Entry<'_>, &Skip>| {
        if limit.is_some_and(|limit| place >= limit) {
            return ControlFlow::Break(());
        }
        if let Ok(Entry::Request(record)) = entry {
            f(&record, place)?;
            place += 1;
        }
        ControlFlow::Continue(())
    };
    open(input, options)?.for_each(|_, _, entry| visit(entry))
}

fn has_text(record: &Record<'_>) -> bool {
    record.prompt.as_ref().is_some_and(|text| !text.trim().is_empty())
}

fn logged_prompt(record: &Record<'_>) -> Option<u64> {
    record.attempts.iter().rev().find_map(|attempt| attempt.usage.prompt())
}

fn job(record: &Record<'_>, place: u64, seed: u64, stream: PerMille) -> Job {
    let output = record.attempts.iter().rev().find_map(|attempt| attempt.usage.output.get());
    let prompt = match &record.prompt {
        Some(text) if has_text(record) => Prompt::Own(text.to_string()),
        _ => Prompt::Filler {
            seed: if record.session.is_empty() {
                Draw::at(seed, place).next()
            } else {
                name_seed(seed, &record.session)
            },
            tokens: logged_prompt(record).unwrap_or(UNKNOWN_TOKENS).clamp(1, MOST_PROMPT),
        },
    };
    Job {
        place,
        at: record.at,
        team: record.team.to_string(),
        project: record.project.to_string(),
        task: record.task.map(|task| task.name().to_owned()).unwrap_or_default(),
        session: record.session.to_string(),
        prompt,
        // An answer of no tokens cannot be asked for.
        max_tokens: output.unwrap_or(UNKNOWN_TOKENS).clamp(1, MOST_OUTPUT),
        stream: Draw::at(seed ^ STREAMS, place).next() % 1000 < u64::from(stream.get()),
    }
}

fn name_seed(seed: u64, name: &str) -> u64 {
    name.bytes().fold(seed, |sum, byte| Draw::at(sum, u64::from(byte)).next())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"{"pointsman":"log","v":1,"source":"a test"}
{"id":"1","at":"2026-05-23T10:00:00Z","team":"payments","session":"s","task":"extraction","prompt":"Find the sum.","model":"gpt-4.1","in":3808,"out":650}
{"id":"2","at":"2026-05-23T10:00:10Z","session":"s","model":"gpt-4.1","in":1000,"cache_read":200,"out":0}
no line
{"id":"3","at":"2026-05-23T10:00:20Z","session":"s","attempts":[]}
"#;

    fn jobs(limit: Option<u64>, stream: i64) -> Vec<Job> {
        let mut jobs = Vec::new();
        let input = Input::bytes("small", LOG.as_bytes());
        read_jobs(&input, &ReadOptions::default(), limit, 7, PerMille::clamped(stream), |job| {
            jobs.push(job);
            ControlFlow::Continue(())
        })
        .unwrap();
        jobs
    }

    #[test]
    fn own_text_goes_before_filler_and_lengths_follow_the_log() {
        let jobs = jobs(None, 0);
        assert_eq!(jobs.len(), 3);
        assert_eq!(jobs[0].prompt, Prompt::Own("Find the sum.".into()));
        assert_eq!(
            (jobs[0].max_tokens, jobs[0].team.as_str(), jobs[0].task.as_str()),
            (650, "payments", "extraction")
        );
        assert!(matches!(jobs[1].prompt, Prompt::Filler { tokens: 1200, .. }));
        assert_eq!(jobs[1].max_tokens, 1, "no tokens cannot be asked for");
        assert!(matches!(jobs[2].prompt, Prompt::Filler { tokens: UNKNOWN_TOKENS, .. }));
        assert!(jobs[1].prompt.text().starts_with(&jobs[2].prompt.text()), "turns of a session begin alike");
        assert!(jobs.iter().all(|job| !job.stream));
    }

    #[test]
    fn the_survey_says_beforehand_what_will_be_sent() {
        let input = Input::bytes("small", LOG.as_bytes());
        let all = survey(&input, &ReadOptions::default(), None).unwrap();
        assert_eq!((all.requests, all.with_text, all.without_length, all.bad), (3, 1, 1, 1));
        assert_eq!(all.last.unwrap() - all.first.unwrap(), crate::units::Span::secs(20));
        assert_eq!(survey(&input, &ReadOptions::default(), Some(2)).unwrap().requests, 2);
        assert_eq!(jobs(Some(2), 1000).iter().filter(|job| job.stream).count(), 2);
        assert!(jobs(Some(0), 0).is_empty());
    }
}
