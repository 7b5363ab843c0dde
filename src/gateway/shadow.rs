//! Shadow runs: a share of what a cheap model answered is asked again of a strong one, and a judge that is neither grades both
//! answers without knowing whose they are.
//!
//! Invariants: it begins when the client has its answer, and never holds traffic up; it spends no more in a day than its route may;
//! a judge that fails, or says nothing clear, has given no verdict.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use serde_json::{Map, Value, json};

use super::aside::{self, Asked};
use super::gate::InFlight;
use super::judge::{self, LONGEST, TEMPLATE, VERDICT_TOKENS, drawn};
use super::operation::{Operation, Outcome};
use super::purse;
use super::{Gateway, now};
use crate::config::ShadowSettings;
use crate::ledger::Label;
use crate::pricing::Cost;
use crate::routing::{AtMost, Parameters};
use crate::runaway::Whose;
use crate::session::Dispatch;
use crate::units::{PerMille, Pico};
use crate::wire::{self, Ask, Dialect};

/// The most bytes of text that a token stands for.
const BYTES_A_TOKEN: usize = 16;

/// Says whether a request is to be asked again, as far as can be said before it is answered.
pub(super) fn is_wanted(operation: &Operation) -> bool {
    let shadows = &operation.gateway.settings.shadow;
    if shadows.is_empty() {
        return false;
    }
    let Some(settings) = shadows.get(&*operation.placed.route) else { return false };
    let found = operation.ask.measures();
    // What only certain models may see goes to no other.
    let is_open = !operation.placed.ticket.is_reserved();
    let is_plain = is_open && found.tools == 0 && !found.has_images && found.choices <= 1;
    // Asked again, it would speak into a conversation that the provider keeps, and a judge would not see what it is about.
    let is_whole = !found.is_elsewhere && operation.ask.leans_on().is_none();
    let is_text = !matches!(operation.ask.dialect(), Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings);
    is_plain && is_whole && is_text && drawn(&operation.id, "share") % 1_000_000 < u64::from(settings.share)
}

/// A run to be made.
pub(super) struct Run {
    gateway: Arc<Gateway>,
    settings: ShadowSettings,
    ask: Ask,
    id: Arc<str>,
    seq: u64,
    whose: Whose,
    route: Arc<str>,
    cheap: Arc<str>,
    said: Said,
}

/// What the client had.
enum Said {
    Body(Bytes),
    Text(String),
}

/// Prepares a run for an operation that was drawn, where a cheap model answered it.
pub(super) fn of(operation: &mut Operation, dispatch: &Dispatch, outcome: &Outcome) -> Option<Run> {
    let said = match outcome {
        Outcome::Answer(body) if is_wanted(operation) => Said::Body(body.clone()),
        Outcome::Streamed(_) => Said::Text(operation.said.take()?),
        _ => return None,
    };
    let settings = operation.gateway.settings.shadow.get(&*operation.placed.route)?.clone();
    let book = operation.gateway.live.book();
    let is_own = [&settings.model, &settings.judge].into_iter().any(|own| book.are_one(&dispatch.model, own));
    let is_cheap = dispatch.rung.is_some_and(|rung| operation.placed.cheaper.contains(&rung.into()));
    // Of a real answer nothing made up may say how good it was.
    let gateway = &operation.gateway;
    let made_up = [&*settings.model, &*settings.judge].into_iter().find(|model| gateway.is_simulated(model));
    if let Some(model) = made_up.filter(|_| !gateway.is_simulated(&dispatch.model)) {
        tracing::info!(
            operation = &*operation.id,
            route = &*operation.placed.route,
            "no shadow run: {model} has no key, and what it said of a real answer would be made up"
        );
        return None;
    }
    (is_cheap && !is_own).then(|| Run {
        gateway: Arc::clone(&operation.gateway),
        settings,
        ask: operation.ask.clone(),
        id: Arc::clone(&operation.id),
        seq: operation.placed.seq,
        whose: operation.placed.ticket.whose(),
        route: Arc::clone(&operation.placed.route),
        cheap: Arc::clone(&dispatch.model),
        said,
    })
}

impl Run {
    /// Begins it, beside whatever else goes on; where all places are taken it is passed over.
    pub(super) fn begin(self) {
        let Ok(place) = Arc::clone(&self.gateway.shadows.places).try_acquire_owned() else { return };
        let Some(counted) = InFlight::take(&self.gateway).filter(|_| !self.gateway.is_draining()) else {
            return;
        };
        tokio::spawn(FutureExt::boxed(async move {
            let _held = (place, counted);
            if let Err(why) = Box::pin(self.run()).await {
                tracing::info!(
                    operation = &*self.id,
                    route = &*self.route,
                    "no verdict of a shadow run: {why}"
                );
            }
        }));
    }

    async fn run(&self) -> Result<(), String> {
        let cheap = match &self.said {
            Said::Body(body) => wire::said(self.ask.dialect(), body).ok_or("the answer has no text")?,
            Said::Text(text) => text.clone(),
        };
        if cheap.trim().is_empty() || cheap.len() > LONGEST {
            return Err(format!("the answer has {} bytes", cheap.len()));
        }
        let body: Value = serde_json::from_slice(self.ask.body()).map_err(|error| error.to_string())?;
        let (again, conversation) = again(self.ask.dialect(), body, &self.settings.model)?;
        let most = u32::try_from(self.gateway.settings.max_output_default).unwrap_or(u32::MAX);
        let output =
            again.measures().max_output.and_then(|most| u32::try_from(most).ok()).unwrap_or(most).min(most);
        // No tokenizer makes more tokens of a text than it has bytes, and the estimate is a quarter of those.
        let found = again.measures();
        let prompt = found.estimated_prompt_tokens.saturating_mul(4).saturating_add(found.beside + TEMPLATE);
        let (model, judge): (Arc<str>, Arc<str>) =
            (self.settings.model.as_str().into(), self.settings.judge.as_str().into());
        // The judge reads the request and both answers.
        let strong = (output as usize).saturating_mul(BYTES_A_TOKEN).min(LONGEST) as u64;
        let read = judge::reads(&judge::question(&judge, &conversation, &cheap, "")?) + strong;
        let bounds = [aside::at_most(prompt, output), aside::at_most(read, VERDICT_TOKENS)];
        let most = [self.most(&model, bounds[0])?, self.most(&judge, bounds[1])?];
        let held = most[0] + most[1];
        let what = format!("shadow run of route {}", self.route);
        if !self.gateway.sets_aside(&self.route, (&what, held), self.settings.max_spend_per_day) {
            return Err("what is left of today's money is not enough".to_owned());
        }
        let mut spent = Pico::ZERO;
        // What nobody told the cost of may have cost the most.
        let mut charge = |nth: usize, cost: Cost| spent += cost.known().unwrap_or(most[nth]);
        let verdict =
            self.compare((&again, &conversation), &cheap, (&model, &judge), bounds, &mut charge).await;
        self.gateway.shadows.settle(&self.route, held, spent);
        verdict
    }

    /// Returns the most that a call costs that has so many tokens at most.
    fn most(&self, model: &str, at_most: AtMost) -> Result<Pico, String> {
        let most = purse::most(&self.gateway.live.book(), model, at_most);
        most.ok_or_else(|| format!("{model} has no price, so nobody can say what it would spend"))
    }

    async fn compare(
        &self,
        (again, conversation): (&Ask, &str),
        cheap: &str,
        (model, judge): (&Arc<str>, &Arc<str>),
        [asking, reading]: [AtMost; 2],
        charge: &mut impl FnMut(usize, Cost),
    ) -> Result<(), String> {
        let asked = |ask, model, why, at_most: AtMost| Asked {
            ask,
            model,
            with: Parameters { max_output: Some(at_most.output), ..Parameters::NONE },
            route: &self.route,
            of: &self.id,
            why,
            word: None,
            at_most,
        };
        let strong = aside::call(&self.gateway, asked(again, model, "shadow", asking)).await;
        charge(0, strong.cost);
        if self.gateway.live.stop_of(&self.whose).is_some() {
            return Err("who asked was stopped meanwhile".to_owned());
        }
        let text = strong.text.map_err(|why| format!("{model}: {why}"))?;
        if text.len() > LONGEST {
            return Err(format!("the answer of {model} has {} bytes", text.len()));
        }
        // Whose answer comes first is drawn, so that a judge that likes the first one is wrong as often either way.
        let is_cheap_first = drawn(&self.id, "order") & 1 == 0;
        let (first, second) = if is_cheap_first { (cheap, &*text) } else { (&*text, cheap) };
        let question = judge::question(judge, conversation, first, second)?;
        if judge::reads(&question) > reading.prompt.into() {
            return Err(format!("what {judge} would read is longer than what was set aside for it"));
        }
        let judging = Asked {
            with: judge::briefly(judge, VERDICT_TOKENS),
            ..asked(&question, judge, "judgement", reading)
        };
        let came = aside::call(&self.gateway, judging).await;
        charge(1, came.cost);
        self.keep((model, &text), cheap).await;
        let grades = judge::grades(&came.text.map_err(|why| format!("{judge}: {why}"))?);
        let (first, second) = grades.ok_or_else(|| format!("{judge} gave no grades"))?;
        let (of_cheap, of_strong) = if is_cheap_first { (first, second) } else { (second, first) };
        self.label(&self.cheap, of_cheap, None);
        self.label(model, of_strong, strong.output);
        Ok(())
    }

    /// Adds what was compared to the file that is kept of it, if any.
    async fn keep(&self, (model, strong): (&Arc<str>, &str), cheap: &str) {
        let Some(path) = &self.settings.keep else { return };
        let ledger = self.gateway.ledger.state().path;
        let path = ledger.parent().map_or_else(|| path.clone(), |folder| folder.join(path));
        let outcomes = json!({&*self.cheap: {"answer": cheap}, &**model: {"answer": strong}});
        let mut line =
            json!({"id": &*self.id, "route": &*self.route, "prompt": self.ask.ask_text(), "outcomes": outcomes}).to_string();
        line.push('\n');
        let place = path.display().to_string();
        let kept = tokio::task::spawn_blocking(move || {
            // In one piece, so that lines of several runs do not mix.
            let mut options = OpenOptions::new();
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            crate::record::open_to_add(&path, &mut options)?.write_all(line.as_bytes())
        });
        if let Ok(Err(error)) = kept.await {
            tracing::warn!("{place}: what a shadow run compared cannot be kept: {error}");
        }
    }

    /// Tells ledger and readers of the log what the judge said of an answer.
    fn label(&self, model: &Arc<str>, quality: PerMille, output: Option<u64>) {
        let source = format!("judge {}", self.settings.judge).into();
        let (seq, model, quality) = (self.seq, Arc::clone(model), Some(quality));
        self.gateway.label(&self.id, Label { seq, model, quality, output, source, at: now() });
    }
}

/// The members that hold what was said, whichever dialect it is.
const CONVERSATION: [&str; 8] = [
    "system",
    "systemInstruction",
    "system_instruction",
    "instructions",
    "messages",
    "contents",
    "input",
    "prompt",
];

/// What is the client's own affair: how it is answered, how fast, and whether that is kept.
const LEFT_OUT: [&str; 8] =
    ["stream", "stream_options", "store", "background", "service_tier", "serviceTier", "speed", "prediction"];

/// Makes a request to be asked again of a model, in one piece; and what of it a judge is shown.
fn again(dialect: Dialect, mut body: Value, model: &str) -> Result<(Ask, String), String> {
    let members = body.as_object_mut().ok_or("the request is no object")?;
    for member in LEFT_OUT {
        members.remove(member);
    }
    // Nobody could ask for it later, or have it deleted.
    if dialect == Dialect::OpenAiResponses {
        members.insert("store".to_owned(), false.into());
    }
    if members.contains_key("model") {
        members.insert("model".to_owned(), model.into());
    }
    let shown: Map<String, Value> = CONVERSATION
        .iter()
        .filter_map(|member| members.get(*member).map(|value| ((*member).to_owned(), value.clone())))
        .collect();
    let shown = Value::Object(shown).to_string();
    if shown.len() > LONGEST {
        return Err(format!("the request has {} bytes", shown.len()));
    }
    let again = Ask::read_for(dialect, Bytes::from(body.to_string()), Some(model));
    Ok((again.map_err(|error| error.to_string())?, shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_asked_again_whole_and_the_judge_sees_what_was_said_alone() {
        let body = json!({
            "model": "auto", "stream": true, "stream_options": {"include_usage": true}, "user": "u-1", "max_tokens": 50,
            "messages": [{"role": "user", "content": "why?"}]
        });
        let (ask, shown) = again(Dialect::OpenAiChat, body, "large").unwrap();
        assert_eq!((ask.model(), ask.stream(), ask.measures().max_output), ("large", false, Some(50)));
        assert_eq!(shown, r#"{"messages":[{"content":"why?","role":"user"}]}"#);
        let kept = json!({"model": "auto", "input": "why?", "store": true, "service_tier": "priority"});
        let (ask, _) = again(Dialect::OpenAiResponses, kept, "large").unwrap();
        assert!(ask.keeps_nothing() && ask.tier().is_none(), "the provider would keep it in nobody's name");
    }

    #[test]
    fn a_share_is_drawn_as_often_as_it_says_and_either_answer_comes_first_as_often() {
        let ids = || (1..20_000).map(|at| format!("op-3f09c2aa11-{at:x}"));
        let taken: Vec<String> = ids().filter(|id| drawn(id, "share") % 1_000_000 < 20_000).collect();
        assert!((320..480).contains(&taken.len()), "{} of 20,000 at 2%", taken.len());
        let first = taken.iter().filter(|id| drawn(id, "order") & 1 == 0).count() * 100 / taken.len();
        assert!((38..62).contains(&first), "{first}% with the cheap answer first");
    }
}
