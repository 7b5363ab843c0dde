//! Programs of the operator's that judge answers, and a count of what all checks say.
//!
//! Invariants: no more of them run at once than there are places; one that says nothing that can be relied on says nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::{Instant as Clock, timeout};

use crate::checks::{Call, Command, Said, Says, Verdict};
use crate::notify::program::{self, Ran};
use crate::units::PerMille;

/// How many programs may run at once.
const PLACES: usize = 16;
/// The most bytes that are read of what a program writes.
const WRITTEN: usize = 64 * 1024;

/// The places for programs, and what checks have said.
#[derive(Debug)]
pub(super) struct Checkers {
    places: Semaphore,
    counts: Mutex<BTreeMap<(Arc<str>, Says), u64>>,
}

impl Default for Checkers {
    fn default() -> Self {
        Self { places: Semaphore::new(PLACES), counts: Mutex::default() }
    }
}

impl Checkers {
    /// Counts verdicts.
    pub(super) fn count(&self, verdicts: &[Verdict]) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for verdict in verdicts {
            *counts.entry(((*verdict.by).into(), verdict.says)).or_default() += 1;
        }
    }

    /// Has a program judge an answer, once there is a place for it; waiting is part of its time. `told` goes into its environment.
    ///
    /// # Errors
    /// Why it says nothing.
    pub(super) async fn ask(
        &self,
        command: &Command,
        said: &Said,
        told: &[(&str, &str)],
    ) -> Result<Verdict, String> {
        let began = Clock::now();
        let limit = Duration::from_millis(command.time_limit_ms.into());
        let Ok(Ok(_place)) = timeout(limit, self.places.acquire()).await else {
            return Err(format!("found no place within its {} ms", command.time_limit_ms));
        };
        let left = limit.saturating_sub(began.elapsed());
        let ran = program::run(&command.words, &input(said), told, (left, WRITTEN)).await?;
        read(&ran, command)
    }

    /// Returns how often each check said what.
    pub(super) fn counts(&self) -> BTreeMap<(Arc<str>, Says), u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Returns what a program gets: the text, or calls of tools as JSON where there is nothing else.
fn input(said: &Said) -> String {
    if said.calls.is_empty() || !said.text.trim().is_empty() {
        return said.text.clone();
    }
    let call = |call: &Call| serde_json::json!({"name": call.name, "arguments": call.arguments});
    serde_json::json!({"calls": said.calls.iter().map(call).collect::<Vec<_>>()}).to_string()
}

/// A verdict as a program writes it.
#[derive(Default, Deserialize)]
struct Told {
    verdict: Option<String>,
    /// From 0 to 1.
    score: Option<f64>,
    #[serde(default)]
    why: String,
}

/// Reads what a program says, by how it ended and what it wrote; an error where it says nothing that can be relied on.
fn read(ran: &Ran, command: &Command) -> Result<Verdict, String> {
    let by_code = match ran.code {
        Some(0) => Says::Passed,
        Some(1) => Says::Failed,
        Some(code) => return Err(format!("ended with {code}")),
        None => return Err("was ended by a signal".to_owned()),
    };
    let told = if ran.said.trim_ascii().is_empty() {
        Told::default()
    } else {
        serde_json::from_slice(&ran.said).map_err(|_| "wrote what is no verdict".to_owned())?
    };
    let mut says = match told.verdict.as_deref() {
        None => by_code,
        // A program that failed did not say that the answer is fit.
        Some("pass" | "passed") if by_code == Says::Passed => Says::Passed,
        Some("pass" | "passed") => return Err("wrote that it passed, and ended with 1".to_owned()),
        Some("fail" | "failed") => Says::Failed,
        Some("abstain" | "abstained") => Says::Abstained,
        Some(_) => return Err("wrote a verdict that is neither pass, fail nor abstain".to_owned()),
    };
    let score = told.score.map(|score| {
        PerMille::from_probability(score).ok_or_else(|| "wrote a score that is outside 0 to 1".to_owned())
    });
    let score = score.transpose()?;
    let mut why = told.why;
    if let (Some(least), Says::Passed) = (command.least, says) {
        let score = score.ok_or_else(|| "wrote no score, and `least` asks for one".to_owned())?;
        if score < least {
            (says, why) = (Says::Failed, format!("{score}‰ is below {least}‰"));
        }
    }
    Ok(Verdict { score, ..Verdict::new("", says, &why) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_believed_only_where_it_says_what_can_be_relied_on() {
        let command = |least| Command { words: vec![], time_limit_ms: 1, least: PerMille::new(least) };
        let told = |code, said: &str, least| {
            let ran = Ran { code, said: said.as_bytes().to_vec() };
            read(&ran, &command(least)).map(|verdict| verdict.says)
        };
        let (no, pass, fail) = (1001, Ok(Says::Passed), Ok(Says::Failed));
        assert_eq!(told(Some(0), "", no), pass);
        assert_eq!(told(Some(1), " \n", no), fail);
        assert_eq!(told(Some(0), r#"{"verdict":"fail","why":"x"}"#, no), fail);
        assert_eq!(told(Some(0), r#"{"verdict":"abstain"}"#, no), Ok(Says::Abstained));
        assert_eq!(told(Some(0), r#"{"score":0.7}"#, 700), pass);
        assert_eq!(told(Some(0), r#"{"score":0.699}"#, 700), fail);
        for (code, said, least) in [
            (Some(2), "", no),
            (None, "", no),
            (Some(0), "all good", no),
            (Some(0), "\u{0}\u{1}", no),
            (Some(0), r#"{"verdict":"maybe"}"#, no),
            (Some(0), r#"{"score":2}"#, no),
            (Some(0), r#"{"score":"high"}"#, no),
            (Some(1), r#"{"verdict":"pass"}"#, no),
            (Some(0), "", 700),
            (Some(0), r#"{"verdict":"pass"} {"verdict":"fail"}"#, no),
        ] {
            assert!(told(code, said, least).is_err(), "{code:?} {said}");
        }
    }
}
