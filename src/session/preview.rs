//! How a prompt would be routed, and why, before anybody sends it.

use super::ingest::source_of;
use super::{Question, Snapshot};
use crate::classifier::{Basis, Measures, Tags, TaskClass};
use crate::outcome::Operation;
use crate::pricing::{Cost, Usage, charge};
use crate::routing::{Circumstance, Needs, RouteId, decide, on_grid};
use crate::units::{Count, PerMille};

/// An answer is taken to be this long where the window shows none of its kind.
const ANSWER: u64 = 300;
/// English text has about so many characters a token; the preview counts no tokens.
const CHARACTERS: usize = 4;

/// How a prompt would be routed.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// The kind of work.
    pub class: TaskClass,
    /// How likely the cheap answer will do; none without a signal.
    pub confidence: Option<PerMille>,
    /// What the opinion rests on.
    pub basis: Basis,
    /// What weighed most: in words, and in hundredths of a logit.
    pub features: Vec<(&'static str, i16)>,
    /// The route.
    pub route: RouteId,
    /// The rung it would start on.
    pub rung: usize,
    /// The reasons: stage and text.
    pub trail: Vec<(&'static str, String)>,
    /// The estimated cost on each rung of the route.
    pub costs: Vec<Cost>,
    /// Tokens of the prompt, estimated from its length.
    pub prompt_tokens: u64,
    /// Tokens of the answer, as long as answers of its kind are in the window.
    pub answer_tokens: u64,
    /// Whether the answer's length comes from the window.
    pub measured: bool,
}

/// Says how a prompt would be routed under the policy in force at the head; nothing where there is no classifier.
pub fn preview(question: &Question, snapshot: &Snapshot) -> Option<Preview> {
    let log = &snapshot.log;
    let classifier = log.judge.as_ref()?;
    let characters = question.prompt.chars().count();
    let prompt_tokens = u64::try_from(characters.div_ceil(CHARACTERS)).unwrap_or(u64::MAX).max(1);
    let task = (!question.task.is_empty()).then(|| question.task.parse().unwrap_or(TaskClass::Other));
    let opinion = classifier.classify(
        Some(&question.prompt),
        &Measures {
            prompt_tokens: Some(prompt_tokens),
            task,
            tags: Tags::of(&question.task, &question.project),
            ..Measures::default()
        },
    );
    let class = task.unwrap_or(opinion.class);
    let mut names = log.names.share();
    let asked = names.intern_model(&question.model);
    let names = &names;
    let policy = &snapshot.policy;
    let mut operation = Operation {
        at: snapshot.clock,
        class,
        team: names.find_team(&question.team).unwrap_or_default(),
        project: names.find_project(&question.project).unwrap_or_default(),
        asked,
        pinned: policy.is_choice(&question.model, names),
        ..Operation::default()
    };
    operation.set_confidence(opinion.confidence, source_of(opinion.basis));
    let circumstance = Circumstance {
        needs: Needs { window: on_grid(prompt_tokens), ..Needs::default() },
        ..Circumstance::default()
    };
    let decision = decide(policy, &operation.signals_by(&log.prices), &circumstance);
    let seen = snapshot.totals.tasks.get(class.index()).filter(|cell| cell.requests >= 20);
    let mean = seen.and_then(|cell| cell.tokens.output.checked_div(cell.requests)).filter(|&mean| mean > 0);
    let answer_tokens = mean.unwrap_or(ANSWER);
    let count = |tokens: u64| Count::new(tokens).unwrap_or(Count::UNKNOWN);
    let usage = Usage { input: count(prompt_tokens), output: count(answer_tokens), ..Usage::NONE };
    let ladder = &policy.route(decision.route).ladder;
    Some(Preview {
        class,
        confidence: operation.confidence(),
        basis: opinion.basis,
        features: opinion.top().iter().map(|one| (one.feature.describe(), one.milli_logits / 10)).collect(),
        route: decision.route,
        rung: usize::from(decision.rung),
        trail: decision
            .trail
            .iter()
            .map(|step| (step.stage(), step.describe(decision.route, policy, names)))
            .collect(),
        costs: ladder
            .iter()
            .map(|rung| charge(&usage, log.prices.rates(rung.model, snapshot.clock)).as_estimate())
            .collect(),
        prompt_tokens,
        answer_tokens,
        measured: mean.is_some(),
    })
}
