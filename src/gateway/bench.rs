//! Models tried by hand: a prompt put to one, two answers put to a judge, each call on no books but its caller's.
//!
//! Invariants: what a call can cost at most is known before it is made; an answer is judged as in shadow runs.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::judge::{self, LONGEST, TEMPLATE, VERDICT_TOKENS, drawn};
use super::now;
use super::single::Ready;
use crate::config::gateway::GatewaySettings;
use crate::pricing::{Cost, PriceBook, PriceRow, bill, worst};
use crate::providers::Providers;
use crate::routing::Parameters;
use crate::units::{PerMille, Pico};
use crate::wire::{Ask, Dialect};

/// Waits for a provider's leave before a call is given up.
const WAITS: u32 = 5;
/// The longest of these.
const LONGEST_WAIT: std::time::Duration = std::time::Duration::from_secs(60);

/// The operator's providers and prices, for calls made by hand.
#[derive(Debug)]
pub struct Bench {
    providers: Providers,
    settings: GatewaySettings,
    book: PriceBook,
}

/// A call to be made.
#[derive(Debug)]
pub struct Asked {
    ask: Ask,
    model: Arc<str>,
    output: u32,
    /// The most that it can cost.
    pub most: Pico,
    /// About what it will.
    pub about: Pico,
}

impl Asked {
    /// Returns whom it asks.
    pub fn model(&self) -> &Arc<str> {
        &self.model
    }
}

/// What came of a call.
#[derive(Debug)]
pub struct Came {
    /// The text of the answer, where there was one; else why not.
    pub text: Result<String, String>,
    /// What it cost.
    pub cost: Cost,
    /// Tokens of the prompt.
    pub prompt: Option<u64>,
    /// Tokens of the answer.
    pub output: Option<u64>,
}

impl Bench {
    /// Sets it up.
    pub fn new(providers: Providers, settings: GatewaySettings, book: PriceBook) -> Self {
        Self { providers, settings, book }
    }

    /// Returns who serves a model, and whether only in simulation; `None` where nobody does.
    pub fn server(&self, model: &str) -> Option<(Arc<str>, bool)> {
        let target = self.providers.target(model)?;
        Some((Arc::clone(target.provider()), target.simulated()))
    }

    /// Returns the model that judges, as settings of shadow runs name it: the one that all of them name.
    pub fn judge(&self) -> Option<&str> {
        let mut judges = self.settings.shadow.values().map(|shadow| &*shadow.judge);
        let first = judges.next()?;
        judges.all(|other| other == first).then_some(first)
    }

    /// Says whether two names are one model's.
    pub fn are_one(&self, one: &str, other: &str) -> bool {
        self.book.are_one(one, other)
    }

    /// Says why calls to a model cannot be charged, if so.
    ///
    /// # Errors
    /// Where it has no price.
    pub fn prices(&self, model: &str) -> Result<(), String> {
        self.row(model).map(|_| ())
    }

    /// Returns the row of a model that is in force, with all its hours.
    fn row(&self, model: &str) -> Result<&PriceRow, String> {
        let row = self.book.find_named(model).and_then(|(_, prices)| prices.dated(now()));
        row.ok_or_else(|| format!("{model} has no price, so nobody can say what it would spend"))
    }

    fn asked(&self, ask: Ask, model: &str, output: u32, usual: u64) -> Result<Asked, String> {
        let row = self.row(model)?;
        // No tokenizer makes more tokens of a text than it has bytes; about four are usual.
        let bytes = ask.body().len() as u64;
        // It may begin in an hour that costs more.
        let most = worst(row.highest(), (bytes + TEMPLATE, u64::from(output)), false);
        let about = worst(row.in_force(now()), (bytes.div_ceil(4), usual.min(u64::from(output))), false);
        Ok(Asked { ask, model: model.into(), output, most, about })
    }

    /// Prepares a prompt for a model: at most so long an answer, usually so long a one.
    ///
    /// # Errors
    /// Where the model has no price, or the prompt is longer than a judge can be shown.
    pub fn prompt(
        &self,
        model: &str,
        prompt: &str,
        output: Option<u32>,
        usual: u64,
    ) -> Result<Asked, String> {
        if prompt.len() > LONGEST {
            return Err(format!("the prompt has {} bytes", prompt.len()));
        }
        let most = u32::try_from(self.settings.max_output_default).unwrap_or(u32::MAX);
        let output = output.unwrap_or(most).clamp(1, most);
        let body = json!({"model": model, "messages": messages(prompt), "max_tokens": output}).to_string();
        let ask = Ask::read(Dialect::OpenAiChat, Bytes::from(body)).map_err(|error| error.to_string())?;
        self.asked(ask, model, output, usual)
    }

    /// Prepares the question which of two answers to a prompt is how good, in an order that the request's id draws; says whether
    /// that turned them.
    ///
    /// # Errors
    /// Where the judge has no price, or an answer is empty or longer than a judge can be shown.
    pub fn compare(
        &self,
        model: &str,
        (id, prompt): (&str, &str),
        [first, second]: [&str; 2],
    ) -> Result<(Asked, bool), String> {
        if let Some(unfit) =
            [first, second].into_iter().find(|text| text.trim().is_empty() || text.len() > LONGEST)
        {
            return Err(format!("an answer has {} bytes", unfit.len()));
        }
        let is_turned = drawn(id, "order") & 1 == 1;
        let (one, other) = if is_turned { (second, first) } else { (first, second) };
        let conversation = json!({"messages": messages(prompt)}).to_string();
        let ask = judge::question(model, &conversation, one, other)?;
        Ok((self.asked(ask, model, VERDICT_TOKENS, USUAL_VERDICT)?, is_turned))
    }

    /// Returns about what judging two answers of so many bytes costs, and what is to be set aside for it.
    ///
    /// # Errors
    /// Where the judge has no price.
    pub fn comparing(&self, model: &str, prompt: &str, answers: u64) -> Result<Pico, String> {
        let conversation = json!({"messages": messages(prompt)}).to_string();
        let ask = judge::question(model, &conversation, "", "")?;
        let tokens = (ask.body().len() as u64 + answers).div_ceil(4);
        Ok(worst(self.row(model)?.in_force(now()), (tokens, USUAL_VERDICT), false))
    }

    /// Makes a call; waits where its provider asks to.
    pub async fn call(&self, asked: &Asked) -> Came {
        let with = Parameters { max_output: Some(asked.output), ..Parameters::NONE };
        let mut waited = 0;
        let ready = loop {
            match Ready::new((&self.providers, &self.settings), &asked.ask, &asked.model, &with) {
                Ok(ready) => break ready,
                Err(stands) => match stands.wait.filter(|wait| *wait <= LONGEST_WAIT && waited < WAITS) {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => return Came::nothing(stands.why),
                },
            }
            waited += 1;
        };
        let at = now();
        let (called, text) = ready.make((&self.providers, &self.settings), &self.book, |_| true).await;
        let row = self.row(called.billed.as_deref().unwrap_or(&asked.model)).ok().map(|row| row.in_force(at));
        let cost = bill(&called.usage, &called.terms, row);
        Came {
            text: text.map_err(|_| called.error.clone()),
            cost: if called.estimated { cost.as_estimate() } else { cost },
            prompt: called.usage.prompt(),
            output: called.usage.output.get(),
        }
    }
}

/// What a verdict usually takes.
const USUAL_VERDICT: u64 = 24;

fn messages(prompt: &str) -> serde_json::Value {
    json!([{"role": "user", "content": prompt}])
}

/// Reads a judge's verdict on what [`Bench::compare`] asked: how good the first and the second answer are.
pub fn grades(text: &str, is_turned: bool) -> Option<[PerMille; 2]> {
    let (one, other) = judge::grades(text)?;
    Some(if is_turned { [other, one] } else { [one, other] })
}

impl Came {
    fn nothing(why: String) -> Self {
        Self { text: Err(why), cost: Cost::Known(Pico::ZERO), prompt: None, output: None }
    }
}
