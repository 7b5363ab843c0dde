//! The run of a trial: several questions at a time, each asked of both models and then put to the judge.
//!
//! Invariant: each call is made under a hold of the most that it can cost, which is settled once.

use std::cell::RefCell;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::time::{MissedTickBehavior, interval};

use super::{Arms, Kept, Question, USUAL_ANSWER};
use crate::app::{Cancel, Progress};
use crate::drive::{Cap, Hold, Refused};
use crate::gateway::{Asked, Bench, Came, grades};
use crate::units::{Pico, words};

/// Questions under way at a time.
const AT_ONCE: usize = 4;
/// How often Ctrl-C is looked for, and progress told.
const TICK: Duration = Duration::from_millis(100);
/// After so many failures in a row nothing more is tried.
const VAIN: u32 = 8;

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything was tried.
    Done,
    /// The next question could have broken the cap.
    Capped,
    /// Too many failed in a row.
    Failing,
    /// The operator stopped it.
    Stopped,
}

words!(End { Done = "done", Capped = "capped", Failing = "failing", Stopped = "stopped" });

/// What a run came to.
#[derive(Debug)]
pub struct Tried {
    /// Why it ended.
    pub end: End,
    /// Questions that were judged in it.
    pub judged: u64,
    /// Those that failed.
    pub failed: u64,
    /// Why the first did.
    pub first_failure: Option<String>,
    /// What was spent, unknown costs at their most.
    pub spent: Pico,
    /// The part of it that nobody told.
    pub assumed: Pico,
}

/// How one question ended.
enum Ended {
    Judged,
    Failed(String),
    /// The cap left no room for the judge.
    NoRoom,
}

struct Trial<'a> {
    bench: &'a Bench,
    arms: &'a Arms,
    kept: RefCell<&'a mut Kept>,
    cap: RefCell<Cap>,
}

/// What is set aside for a question: for each call to a model, and for the judge.
struct Held {
    calls: Vec<(Asked, Hold)>,
    judge: Hold,
}

/// Asks and judges what has no verdict yet, spending no more than `most`.
///
/// # Errors
/// Where what came cannot be written.
pub fn run(
    bench: &Bench,
    arms: &Arms,
    questions: &[Question],
    kept: &mut Kept,
    most: Pico,
    cancel: &Cancel,
) -> anyhow::Result<Tried> {
    let open: Vec<&Question> =
        questions.iter().filter(|question| kept.verdict(question, arms).is_none()).collect();
    let trial = Trial { bench, arms, kept: RefCell::new(kept), cap: RefCell::new(Cap::new(most)) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(crate::app::Internal::from_any)?.block_on(trial.all(&open, cancel))
}

impl Trial<'_> {
    async fn all(&self, open: &[&Question], cancel: &Cancel) -> anyhow::Result<Tried> {
        let (mut waiting, mut flying) = (open.iter().peekable(), FuturesUnordered::new());
        let mut tried = Tried {
            end: End::Done,
            judged: 0,
            failed: 0,
            first_failure: None,
            spent: Pico::ZERO,
            assumed: Pico::ZERO,
        };
        let (mut done, mut vain) = (0u64, 0u32);
        let mut progress = Progress::new("asking and judging", None);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            while tried.end == End::Done && flying.len() < AT_ONCE {
                let Some(question) = waiting.peek() else { break };
                match self.hold(question) {
                    Ok(Some(held)) => flying.push(self.one(question, held)),
                    // What is under way may cost less than its most and make room.
                    Ok(None) if flying.is_empty() => tried.end = End::Capped,
                    Ok(None) => break,
                    Err(why) => tried.note(why),
                }
                if tried.end == End::Done {
                    waiting.next();
                }
            }
            if flying.is_empty() {
                break;
            }
            tokio::select! {
                Some(ended) = flying.next() => {
                    done += 1;
                    match ended? {
                        Ended::Judged => (tried.judged, vain) = (tried.judged + 1, 0),
                        Ended::Failed(why) => {
                            tried.note(why);
                            vain += 1;
                        }
                        Ended::NoRoom => tried.end = End::Capped,
                    }
                    if vain >= VAIN {
                        tried.end = End::Failing;
                    }
                }
                _ = ticks.tick() => {}
            }
            progress.step(done, open.len() as u64);
            if cancel.is_raised() {
                tried.end = End::Stopped;
            }
        }
        progress.finish();
        let cap = self.cap.borrow();
        (tried.spent, tried.assumed) = (cap.spent(), cap.assumed());
        Ok(tried)
    }

    /// Sets aside what a question can cost; none where there is no room for it.
    fn hold(&self, question: &Question) -> Result<Option<Held>, String> {
        let (kept, mut cap) = (self.kept.borrow(), self.cap.borrow_mut());
        let (mut held, mut bytes) = (Vec::new(), 0);
        for model in [&question.served, &self.arms.model] {
            if let Some(answer) = kept.answer(question, model) {
                bytes += answer.len() as u64;
                continue;
            }
            bytes += question.output.unwrap_or(USUAL_ANSWER) * 4;
            let asked = self.bench.prompt(model, &question.prompt, question.most_output, USUAL_ANSWER)?;
            let Ok(hold) = cap.hold(asked.most) else {
                release(&mut cap, held);
                return Ok(None);
            };
            held.push((asked, hold));
        }
        let judge = self.bench.comparing(&self.arms.judge, &question.prompt, bytes);
        let judge = judge.map(|about| cap.hold(about).ok());
        if let Ok(Some(judge)) = judge {
            return Ok(Some(Held { calls: held, judge }));
        }
        release(&mut cap, held);
        judge.map(|_| None)
    }

    async fn one(&self, question: &Question, held: Held) -> std::io::Result<Ended> {
        let calls = held.calls.into_iter().map(|(asked, hold)| async move {
            let came = self.call(&asked, hold).await;
            (asked, came)
        });
        let came = futures::future::join_all(calls).await;
        let failed = came.iter().find_map(|(asked, came)| {
            came.text.as_ref().err().map(|why| format!("{}: {why}", asked.model()))
        });
        let (asked, is_turned, hold) = match self.put(question, came, held.judge, failed)? {
            Ok(asked) => asked,
            Err(ended) => return Ok(ended),
        };
        let verdict = self.call(&asked, hold).await.text;
        let judge = &self.arms.judge;
        Ok(match verdict.map(|text| grades(&text, is_turned)) {
            Ok(Some(verdict)) => {
                self.kept.borrow_mut().judged(question, self.arms, verdict)?;
                Ended::Judged
            }
            Ok(None) => Ended::Failed(format!("{judge} gave no grades")),
            Err(why) => Ended::Failed(format!("{judge}: {why}")),
        })
    }

    /// Keeps answers, and prepares what is asked of the judge, with a hold of its own: that of before was by what is usual.
    fn put(
        &self,
        question: &Question,
        came: Vec<(Asked, Came)>,
        usual: Hold,
        failed: Option<String>,
    ) -> std::io::Result<Result<(Asked, bool, Hold), Ended>> {
        let models = [&*question.served, &*self.arms.model];
        let (mut kept, mut cap) = (self.kept.borrow_mut(), self.cap.borrow_mut());
        cap.settle(usual, Some(Pico::ZERO));
        if !came.is_empty() {
            let came = came.into_iter().map(|(asked, came)| (asked.model().clone(), came));
            kept.answered(question, &models, came)?;
        }
        let [Some(served), Some(candidate)] = models.map(|model| kept.answer(question, model)) else {
            return Ok(Err(Ended::Failed(failed.unwrap_or_default())));
        };
        let compared =
            self.bench.compare(&self.arms.judge, (&question.id, &question.prompt), [served, candidate]);
        Ok(match compared {
            Ok((asked, is_turned)) => match cap.hold(asked.most) {
                Ok(hold) => Ok((asked, is_turned, hold)),
                Err(Refused) => Err(Ended::NoRoom),
            },
            Err(why) => Err(Ended::Failed(why)),
        })
    }

    /// Makes a call and books what it cost.
    async fn call(&self, asked: &Asked, hold: Hold) -> Came {
        let came = self.bench.call(asked).await;
        self.cap.borrow_mut().settle(hold, came.cost.known());
        came
    }
}

fn release(cap: &mut Cap, held: Vec<(Asked, Hold)>) {
    for (_, hold) in held {
        cap.settle(hold, Some(Pico::ZERO));
    }
}

impl Tried {
    fn note(&mut self, why: String) {
        self.failed += 1;
        self.first_failure.get_or_insert(why);
    }
}
