//! What becomes of each request: rung, attempts, tokens, latencies and labels, under an earlier policy than today's.

use super::draw::{Draws, Purpose};
use super::figures as f;
use super::incident::{GENERATED, Incidents, RUNAWAY, STORM};
use super::plan::Turn;
use super::prompt;
use super::scene::{
    Caching, FLASH, MODELS, Model, PROJECTS, Project, STRONG, Thread, humps, is_checked, overconfidence,
    sizes,
};
use super::warmth::{Prompt, Warmth, count};
use crate::classifier::TaskClass;
use crate::pricing::Usage;
use crate::record::{Attempt, Check, Label, Record, Status};
use crate::routing::{Policy, Signals, match_route};
use crate::units::{Count, ModelId, Names, PerMille};

/// Turns planned requests into records, in order of time.
pub(super) struct Server {
    draws: Draws,
    incidents: Incidents,
    policy: Policy,
    /// The models of each route's ladder.
    ladders: Vec<Vec<usize>>,
    warmth: Warmth,
    served: u64,
}

/// What is drawn once for a request, whatever model gets it.
struct Ask {
    class: TaskClass,
    prompt: Prompt,
    answer: u64,
    confidence: u64,
}

impl Server {
    pub(super) fn new(
        draws: Draws,
        incidents: Incidents,
        policy: Policy,
        names: &Names,
        threads: usize,
    ) -> Self {
        let place = |model: ModelId| MODELS.iter().position(|known| known.name == names.model(model));
        let ladders = policy
            .routes
            .iter()
            .map(|route| route.ladder.iter().filter_map(|rung| place(rung.model)).collect());
        Self { draws, incidents, ladders: ladders.collect(), policy, warmth: Warmth::new(threads), served: 0 }
    }

    /// Serves the next request.
    pub(super) fn serve(&mut self, turn: &Turn) -> Option<Record<'static>> {
        let project = PROJECTS.get(turn.project)?;
        let thread = self.draws.at(2).at(turn.thread as u64);
        let own = thread.at(1000 + u64::from(turn.place));
        let ask = self.ask(turn, project, thread, own);
        let known = !own.chance(Purpose::NoSignal, 30) || turn.runaway;
        let confidence = known.then(|| PerMille::clamped(i64::try_from(ask.confidence).unwrap_or(0)));
        let signals = Signals { class: ask.class, confidence, ..Signals::default() };
        let route = match_route(&self.policy, &signals);
        let ladder = self.ladders.get(route.index()).cloned().unwrap_or_default();
        let mut rung = self.policy.route(route).rung_for(confidence).min(ladder.len().checked_sub(1)?);
        // One in ten is served by a neighbouring rung, so that the log has answers of models that the policy would not ask.
        if !turn.runaway && own.chance(Purpose::Explore, 100) {
            let up = rung == 0 || rung + 1 < ladder.len() && own.chance(Purpose::Tail, 400);
            rung = if up { (rung + 1).min(ladder.len() - 1) } else { rung - 1 };
        }
        let (attempts, stormy) = self.attempts(turn, own, &ask, &ladder, rung);
        self.warmth.note(turn, &ask.prompt, ask.answer);
        self.served += 1;
        let session = project.thread != Thread::Single;
        let simulated = if turn.runaway {
            RUNAWAY
        } else if stormy {
            STORM
        } else {
            GENERATED
        };
        let written = (project.thread != Thread::Agent || turn.place == 0) && own.chance(Purpose::Text, 340);
        Some(Record {
            id: format!("r{:05}", self.served).into(),
            at: turn.at,
            team: project.team.into(),
            project: project.name.into(),
            user: user(project, thread, turn.runaway).into(),
            session: if session { format!("{}-{}", project.name, turn.thread).into() } else { "".into() },
            asked: "auto".into(),
            task: Some(ask.class),
            confidence,
            turn: session.then_some(turn.place),
            tools: (project.thread == Thread::Agent)
                .then(|| u32::try_from(thread.between(Purpose::Tools, 4, 14)).unwrap_or(0)),
            history: (session && turn.place > 0).then(|| u32::try_from(ask.prompt.earlier).unwrap_or(0)),
            prompt: written.then(|| prompt::write(ask.class, own).into()),
            labels: labels(own, &ask, &ladder),
            attempts: attempts.into(),
            simulated: simulated.into(),
            ..Record::default()
        })
    }

    fn ask(&self, turn: &Turn, project: &Project, thread: Draws, own: Draws) -> Ask {
        let class = project
            .classes
            .get(own.weighted(Purpose::Class, project.classes.iter().map(|class| class.1)))
            .map_or(TaskClass::Other, |class| class.0);
        let sizes = sizes(class);
        let drawn = own.from(Purpose::Prompt, sizes.prompt.0) * sizes.prompt.1 / 1000;
        let fresh = match (project.thread, turn.place) {
            (Thread::Agent, 1..) => {
                // A loop piles up what it fetched; an agent that gets on with its work adds less.
                let pile = if turn.runaway { 800 } else { 600 };
                (own.from(Purpose::Growth, &f::AGENT_GROWTH) * pile / 1000).min(9_000)
            }
            (Thread::Agent, 0) => drawn.saturating_sub(project.instructions),
            (Thread::Chat, 1..) => drawn / 2,
            _ => drawn,
        }
        .max(12);
        let answer = (own.from(Purpose::Output, sizes.answer.0) * sizes.answer.1 / 1000).clamp(1, 12_000);
        let confidence = if turn.runaway {
            own.between(Purpose::Confidence, 20, 170)
        } else {
            // An agent's calls are mostly as hard as its task.
            let keeps = project.thread == Thread::Agent && !own.chance(Purpose::Tail, 300);
            let humps = humps(class);
            let from = if keeps { thread } else { own };
            let (centre, spread, _) =
                humps[from.weighted(Purpose::Hump, humps.iter().map(|hump| hump.2)).min(humps.len() - 1)];
            let sway: u64 = (0..3).map(|n| own.at(n).below(Purpose::Confidence, 2 * spread + 1)).sum();
            (centre + sway).saturating_sub(3 * spread).clamp(4, 996)
        };
        let prompt = Prompt {
            instructions: project.instructions,
            earlier: self.warmth.context(turn.thread),
            fresh,
            broken: is_broken(turn, thread),
        };
        Ask { class, prompt, answer, confidence }
    }

    /// Plays the calls of a request; says also whether the storm touched one.
    fn attempts(
        &mut self,
        turn: &Turn,
        own: Draws,
        ask: &Ask,
        ladder: &[usize],
        first: usize,
    ) -> (Vec<Attempt<'static>>, bool) {
        let (mut attempts, mut stormy, mut rung) = (Vec::with_capacity(1), false, first);
        for number in 0..5u64 {
            let Some((index, model)) = ladder.get(rung).and_then(|&index| Some((index, MODELS.get(index)?)))
            else {
                break;
            };
            let call = own.at(number);
            let last = rung + 1 >= ladder.len();
            if model.name == FLASH && call.chance(Purpose::Storm, self.incidents.refused(turn.at)) {
                stormy = true;
                attempts.push(failed(
                    model,
                    Status::RateLimited,
                    "429",
                    call.between(Purpose::Pace, 70, 420),
                ));
                if number == 0 && call.chance(Purpose::Retry, 250) {
                    continue;
                }
                if last || !call.chance(Purpose::Fallback, 820) {
                    break;
                }
                rung += 1;
                continue;
            }
            let attempt = match call.below(Purpose::Fault, 10_000) {
                0..20 => failed(model, Status::ServerError, "503", call.between(Purpose::Pace, 300, 2_800)),
                20..32 => Attempt {
                    usage: Usage::UNKNOWN,
                    ..failed(model, Status::Timeout, "timeout", 60_000 + call.below(Purpose::Pace, 400))
                },
                32..50 => failed(model, Status::Rejected, "400", call.between(Purpose::Pace, 40, 160)),
                fault => {
                    let mut answered = self.answered(turn, call, ask, (index, model));
                    if fault < 80 {
                        answered.status = Status::Cancelled;
                        answered.usage.output = Count::UNKNOWN;
                        answered.usage.reasoning = Count::UNKNOWN;
                        answered.latency_ms = answered.latency_ms.map(|millis| millis / 2);
                        answered.ttft_ms = answered.ttft_ms.min(answered.latency_ms);
                    } else if is_checked(ask.class) {
                        let good = acceptable(own, ask, rung, ladder.len());
                        let caught = call.chance(Purpose::Check, if good { 4 } else { 450 });
                        answered.check = if caught { Check::Failed } else { Check::Passed };
                    }
                    answered
                }
            };
            let escalates = !last
                && (attempt.status.is_retryable()
                    || attempt.status.is_ok() && attempt.check == Check::Failed);
            attempts.push(attempt);
            if !escalates {
                break;
            }
            rung += 1;
        }
        (attempts, stormy)
    }

    fn answered(
        &mut self,
        turn: &Turn,
        call: Draws,
        ask: &Ask,
        (index, model): (usize, &'static Model),
    ) -> Attempt<'static> {
        let mut usage = self.warmth.read(turn, call, &ask.prompt, index);
        let mut output = ask.answer;
        if model.caching == Caching::Implicit && call.chance(Purpose::Reasoning, 350) {
            let reasoning = ask.answer * call.between(Purpose::Tail, 200, 900) / 1000;
            usage.reasoning = count(reasoning);
            output += reasoning;
        }
        usage.output = count(output);
        let fresh = usage.prompt().unwrap_or(0) - usage.cache_read.or_zero();
        let noise = call.from(Purpose::Pace, &f::PACE_NOISE);
        // Whoever flees from the storm is slow where everybody flees to.
        let crowd = if model.name == STRONG { 1000 + self.incidents.refused(turn.at) * 2 / 3 } else { 1000 };
        let first = (model.first + fresh * model.reading / 1000) * noise / 1000 * crowd / 1000;
        let rest = output * model.writing / 1000 * noise / 1000 * crowd / 1000;
        Attempt {
            model: model.name.into(),
            provider: model.provider.into(),
            usage,
            latency_ms: u32::try_from(first + rest).ok(),
            ttft_ms: u32::try_from(first).ok(),
            ..Attempt::default()
        }
    }
}

/// Says whether something at the head of the prompt changes with every call, so that no cache ever helps.
fn is_broken(turn: &Turn, thread: Draws) -> bool {
    turn.runaway && thread.chance(Purpose::Cache, 60)
}

fn failed(model: &'static Model, status: Status, error: &'static str, millis: u64) -> Attempt<'static> {
    Attempt {
        model: model.name.into(),
        provider: model.provider.into(),
        usage: Usage::NONE,
        latency_ms: u32::try_from(millis).ok(),
        status,
        error: error.into(),
        ..Attempt::default()
    }
}

fn user(project: &Project, thread: Draws, runaway: bool) -> String {
    if runaway {
        return "svc-crawler".to_owned();
    }
    let team: String = project.team.chars().take(3).collect();
    // The square of an even draw: a few users ask much, many ask little.
    let draw = thread.below(Purpose::User, 1000);
    format!("{team}-{:03}", draw * draw * project.users / 1_000_000)
}

/// Says whether the answer of a rung would be acceptable. Mostly a request is hard for every model or for none.
fn acceptable(own: Draws, ask: &Ask, rung: usize, rungs: usize) -> bool {
    let doubt = 1000 - ask.confidence.saturating_sub(overconfidence(ask.class)).min(1000);
    let last = rung + 1 == rungs && rung > 0;
    let doubt = match rung {
        0 => doubt,
        _ if last => doubt * 110 / 1000,
        _ => doubt * 330 / 1000,
    };
    let independent = rung > 0 && own.at(rung as u64).chance(Purpose::Strong, 150);
    let place = if independent { own.at(7 + rung as u64) } else { own };
    place.below(Purpose::Acceptable, 1000) >= doubt
}

/// Judges the answers of every rung for one request in twenty, as a shadow check does.
fn labels(own: Draws, ask: &Ask, ladder: &[usize]) -> Vec<Label<'static>> {
    if !own.chance(Purpose::Label, 50) {
        return Vec::new();
    }
    let shadow = own.chance(Purpose::Shadow, 350);
    ladder
        .iter()
        .enumerate()
        .filter_map(|(rung, &index)| {
            let place = own.at(20 + rung as u64);
            let quality = if acceptable(own, ask, rung, ladder.len()) {
                place.between(Purpose::Quality, 850, 1000)
            } else {
                place.between(Purpose::Quality, 120, 480)
            };
            Some(Label {
                model: MODELS.get(index)?.name.into(),
                quality: Some(PerMille::clamped(i64::try_from(quality).unwrap_or(0))),
                output: shadow
                    .then(|| (ask.answer * place.between(Purpose::Shadow, 780, 1290) / 1000).max(1)),
                ..Label::default()
            })
        })
        .collect()
}
