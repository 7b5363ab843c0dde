//! A candidate model on a sample of a log: what was asked is asked of it and of the model that served, and a judge that is neither
//! grades both answers without knowing whose they are.
//!
//! Invariants: nothing is sent while what was spent, what is under way at its most and the next call at its most could together
//! exceed the cap; what came is on disk before anything rests on it; what is there already is not asked again.

mod kept;
mod run;
mod sample;

use std::sync::Arc;

pub use kept::Kept;
pub use run::{End, Tried, run};
pub use sample::{Left, Question, Sampled, sample};

use crate::config::gateway::GatewaySettings;
use crate::gateway::Bench;
use crate::pricing::PriceBook;
use crate::providers::{Providers, from_system};
use crate::units::Pico;

/// The tokens of an answer whose length nobody knows, for estimates.
const USUAL_ANSWER: u64 = 300;

/// Who is tried, and who judges.
#[derive(Clone, Debug)]
pub struct Arms {
    /// The candidate.
    pub model: Arc<str>,
    /// The judge.
    pub judge: Arc<str>,
}

/// Sets up providers by the operator's settings, to be called at these prices; says what is not as it should be with their keys.
///
/// # Errors
/// Where settings cannot be used.
pub fn bench(settings: GatewaySettings, book: PriceBook) -> anyhow::Result<(Bench, Vec<String>)> {
    let spec = super::serve::read_providers(None)?;
    let providers = Providers::build(&spec, &from_system, std::time::Instant::now())?;
    let warnings = providers.warnings().to_vec();
    Ok((Bench::new(providers, settings, book), warnings))
}

/// What is still to be done, and about what that costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Questions without a verdict.
    pub questions: u64,
    /// Calls to the two models.
    pub answers: u64,
    /// Those of them to models that are only simulated.
    pub simulated: u64,
    /// About what all costs, verdicts included.
    pub about: Pico,
}

/// Foretells what is to be done.
///
/// # Errors
/// Where a model has no price, so that a cap could not be held.
pub fn estimate(bench: &Bench, arms: &Arms, questions: &[Question], kept: &Kept) -> Result<Estimate, String> {
    let mut sum = Estimate::default();
    for question in questions.iter().filter(|question| kept.verdict(question, arms).is_none()) {
        sum.questions += 1;
        let mut bytes = 0;
        for model in [&question.served, &arms.model] {
            if let Some(answer) = kept.answer(question, model) {
                bytes += answer.len() as u64;
                continue;
            }
            let usual = question.output.unwrap_or(USUAL_ANSWER);
            sum.about += bench.prompt(model, &question.prompt, question.most_output, usual)?.about;
            sum.answers += 1;
            sum.simulated += u64::from(bench.server(model).is_some_and(|(_, is_simulated)| is_simulated));
            bytes += usual * 4;
        }
        sum.about += bench.comparing(&arms.judge, &question.prompt, bytes)?;
    }
    Ok(sum)
}
