//! Automations beside traffic: what requests that are over say of models, and what each automation wants of it.
//!
//! Invariant: readings are a fold over requests that are over, in the order in which they come; what only a gateway knows is
//! told from outside.

mod calls;
mod over;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::calls::Calls;
pub use self::over::{AutomationsTried, automate_over};
use crate::automation::{Automation, Proposal, Rule, Signal};
use crate::outcome::{Evidence, Outlook};
use crate::routing::{Circumstance, PolicySpec};
use crate::units::{Instant, Names, PerMille, Span};

/// One automation, and the calls that it looks at.
#[derive(Debug)]
struct Watched {
    automation: Automation,
    calls: Calls,
    /// Whether the model was down for the last request.
    down: Option<bool>,
}

/// All automations.
#[derive(Debug, Default)]
pub struct Automations {
    list: Vec<Watched>,
}

/// An automation at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AutomationRow {
    /// Its name, and its canary's.
    pub name: String,
    /// What is looked at.
    pub signal: String,
    /// The last reading; none where nobody knows.
    pub reading: Option<u64>,
    /// The same in words.
    pub told: String,
    /// From which reading on.
    pub on: u64,
    /// Until which.
    pub off: u64,
    /// Whether the signal says so.
    pub is_on: bool,
    /// The route.
    pub route: String,
    /// The rung that shifted sessions start on.
    pub to: String,
    /// The share of sessions that is shifted now, or would be.
    pub share: u16,
    /// The share in the end.
    pub most: u16,
    /// Whether it acts; else it only proposes.
    pub acts: bool,
    /// Since when the share is what it is.
    pub since: Option<Instant>,
    /// Why it could not act; empty where it could.
    pub refused: String,
}

impl AutomationRow {
    fn of(one: &Automation) -> Self {
        let rule = &one.rule;
        Self {
            name: rule.name.to_string(),
            signal: rule.signal.to_string(),
            reading: one.reading,
            told: rule.signal.told(one.reading),
            on: rule.bounds.on,
            off: rule.bounds.off,
            is_on: one.is_on,
            route: rule.route.to_string(),
            to: rule.to.to_string(),
            share: one.share.get(),
            most: rule.share.get(),
            acts: rule.acts,
            since: one.since,
            refused: one.refused.clone(),
        }
    }
}

impl Automations {
    /// Starts with rules; those whose canary is in the policy already go on at its share.
    pub fn new(rules: Vec<Rule>, spec: &PolicySpec) -> Self {
        let share = |rule: &Rule| {
            let canary = spec.routes.iter().find(|route| *route.name == *rule.name);
            let canary = canary.and_then(|route| route.canary.as_ref()).filter(|one| one.of == *rule.route);
            canary.map_or(PerMille::ZERO, |canary| PerMille::clamped(canary.share))
        };
        let watched = |rule: Rule| Watched {
            automation: Automation::new(
                Arc::new(rule.clone()),
                if rule.acts { share(&rule) } else { PerMille::ZERO },
            ),
            calls: Calls::default(),
            down: None,
        };
        Self { list: rules.into_iter().map(watched).collect() }
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Takes a request that is over.
    pub fn take(&mut self, evidence: &Evidence<'_>, outlook: &Outlook<'_>, names: &Names) {
        let operation = evidence.operation;
        let circumstance: &Circumstance = outlook.circumstances.get(operation.circumstance);
        for one in &mut self.list {
            let (Signal::Down(model) | Signal::Errors(model) | Signal::Latency(model)) =
                &one.automation.rule.signal
            else {
                continue;
            };
            let Some(model) = names.find_model(model) else { continue };
            one.down = Some(circumstance.is_down_as(names.identity(model)));
            let mut at = operation.at;
            for call in evidence.attempts().filter(|call| call.status.is_call()) {
                let millis = call.latency.get();
                at = at + Span::millis(u64::from(call.waited)) + Span::millis(millis.unwrap_or(0));
                if outlook.prices.same(call.model, model) {
                    one.calls.add(at, call.status, millis);
                }
            }
        }
    }

    /// Lets time reach a moment: what each wants now. `beside` tells what requests do not.
    pub fn pass(&mut self, at: Instant, beside: impl Fn(&Signal) -> Option<u64>) -> Vec<Proposal> {
        let mut wanted = Vec::new();
        for Watched { automation, calls, down } in &mut self.list {
            let reading = match &automation.rule.signal {
                Signal::Down(_) => down.map(u64::from),
                Signal::Errors(_) => calls.errors(at),
                Signal::Latency(_) => calls.mean_millis(at),
                Signal::Hours(..) => automation.rule.signal.by_clock(at),
                signal @ (Signal::Headroom(_) | Signal::Spend(_) | Signal::Pace(_)) => beside(signal),
            };
            automation.hear(reading);
            wanted.extend(automation.pass(at));
        }
        wanted
    }

    /// Finds one by name.
    pub fn find(&mut self, name: &str) -> Option<&mut Automation> {
        self.list.iter_mut().map(|one| &mut one.automation).find(|one| *one.rule.name == *name)
    }

    /// Lists them.
    pub fn all(&self) -> impl Iterator<Item = &Automation> {
        self.list.iter().map(|one| &one.automation)
    }

    /// Lists them as rows.
    pub fn rows(&self) -> Vec<AutomationRow> {
        self.all().map(AutomationRow::of).collect()
    }
}
