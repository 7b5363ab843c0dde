//! What a model is known to refuse, or to take where others do not: rules that come from `config/parameters.toml`.
//!
//! Invariant: a rule only ever leaves a member out or replaces its value, and the client is told either way.

use std::sync::Arc;

use super::Dialect;
use super::json::Value;

/// What is known of one model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// What it refuses.
    pub rules: Vec<Arc<Rule>>,
    /// Whether it takes messages of role `system` in the middle of a conversation.
    pub takes_system: bool,
}

/// Members that a model refuses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Their names, as the provider's dialect has them.
    pub members: Vec<String>,
    /// The dialects in which that holds; all where there is none.
    pub dialects: Vec<Dialect>,
    /// Only beside one of these members; always where there is none.
    pub with: Vec<String>,
    /// Only with such an effort.
    pub effort: WithEffort,
    /// Only where the value is an object of this `type`.
    pub kind: Option<String>,
    /// A number that is taken all the same.
    pub keep: Option<String>,
    /// JSON to send instead; left out where there is none.
    pub instead: Option<String>,
}

/// With which effort of reasoning a rule holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithEffort {
    /// With any, and with none stated.
    #[default]
    Any,
    /// With any but an explicit `none`.
    UnlessNone,
    /// With one that is stated and is not `none`.
    Stated,
}

/// What is to be done with a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change<'k> {
    pub(super) member: &'k str,
    pub(super) instead: Option<&'k str>,
}

impl Known {
    /// Nothing.
    pub const NOTHING: Self = Self { rules: Vec::new(), takes_system: false };

    /// Gives what is to be changed in a request; `said` gives the value of a member that it holds.
    pub(super) fn changes<'k, 'a>(
        &'k self,
        to: Dialect,
        said: &impl Fn(&str) -> Option<Value<'a>>,
    ) -> Vec<Change<'k>> {
        let mut changes: Vec<Change<'k>> = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.holds(to, said)) {
            for member in &rule.members {
                let instead = rule.instead.as_deref();
                // A value that is set where none stands is a change as well.
                let value = said(member).filter(|value| !value.is_null());
                let is_new = changes.iter().all(|change| change.member != member);
                if is_new && rule.touches(value) {
                    changes.push(Change { member, instead });
                }
            }
        }
        changes
    }
}

impl Rule {
    fn holds<'a>(&self, to: Dialect, said: &impl Fn(&str) -> Option<Value<'a>>) -> bool {
        let is_there = |name: &String| said(name).is_some_and(|value| !value.is_null());
        let effort =
            || said("reasoning_effort").or_else(|| said("reasoning")?.get("effort")).and_then(Value::text);
        (self.dialects.is_empty() || self.dialects.contains(&to))
            && (self.with.is_empty() || self.with.iter().any(is_there))
            && match self.effort {
                WithEffort::Any => true,
                WithEffort::UnlessNone => effort().as_deref() != Some("none"),
                WithEffort::Stated => effort().is_some_and(|word| word != "none"),
            }
    }

    fn touches(&self, value: Option<Value<'_>>) -> bool {
        let Some(value) = value else {
            // Set where nothing stands, unless a certain value is to be replaced.
            return self.instead.is_some() && self.kind.is_none();
        };
        let is_kept = self.keep.as_deref().is_some_and(|keep| {
            value.raw() == keep || value.measure().is_some_and(|said| keep.parse() == Ok(said))
        });
        let is_kind = self.kind.is_none() || value.text_of("type") == self.kind.as_deref().map(Into::into);
        let is_said = self.instead.as_deref() != Some(value.raw());
        !is_kept && is_kind && is_said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(rule: Rule, body: &str) -> Vec<(String, Option<String>)> {
        let known = Known { rules: vec![Arc::new(rule)], takes_system: false };
        let root = Value::of(body);
        let owned = |change: &Change<'_>| (change.member.to_owned(), change.instead.map(str::to_owned));
        known.changes(Dialect::OpenAiChat, &|name| root.get(name)).iter().map(owned).collect()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_rule_leaves_out_what_is_refused_and_nothing_else() {
        let rule =
            Rule { members: names(&["temperature", "top_p"]), keep: Some("1".into()), ..Rule::default() };
        assert_eq!(
            changed(rule.clone(), r#"{"temperature":0.2,"top_p":1.0}"#),
            [("temperature".into(), None)]
        );
        assert_eq!(changed(rule, r#"{"temperature":null,"seed":1}"#), []);
        let both = Rule { members: names(&["top_p"]), with: names(&["temperature"]), ..Rule::default() };
        assert_eq!(changed(both.clone(), r#"{"top_p":0.5}"#), []);
        assert_eq!(changed(both, r#"{"top_p":0.5,"temperature":0}"#), [("top_p".into(), None)]);
    }

    #[test]
    fn effort_decides_where_the_rule_says_so() {
        let rule = |effort| Rule { members: names(&["temperature"]), effort, ..Rule::default() };
        let bodies = [
            r#"{"temperature":0}"#,
            r#"{"temperature":0,"reasoning_effort":"none"}"#,
            r#"{"temperature":0,"reasoning":{"effort":"low"}}"#,
        ];
        let holds = |effort| bodies.map(|body| !changed(rule(effort), body).is_empty());
        assert_eq!(holds(WithEffort::Any), [true, true, true]);
        assert_eq!(holds(WithEffort::UnlessNone), [true, false, true]);
        assert_eq!(holds(WithEffort::Stated), [false, false, true]);
    }

    #[test]
    fn a_value_is_replaced_or_set() {
        let effort = Rule {
            members: names(&["reasoning_effort"]),
            with: names(&["tools"]),
            instead: Some(r#""none""#.into()),
            ..Rule::default()
        };
        let set = [("reasoning_effort".to_owned(), Some(r#""none""#.to_owned()))];
        assert_eq!(changed(effort.clone(), r#"{"tools":[]}"#), set);
        assert_eq!(changed(effort.clone(), r#"{"tools":[],"reasoning_effort":"high"}"#), set);
        assert_eq!(changed(effort, r#"{"tools":[],"reasoning_effort":"none"}"#), []);
        let thinking = Rule {
            members: names(&["thinking"]),
            kind: Some("enabled".into()),
            instead: Some(r#"{"type":"adaptive"}"#.into()),
            ..Rule::default()
        };
        assert_eq!(changed(thinking.clone(), r#"{"thinking":{"type":"disabled"}}"#), []);
        assert_eq!(changed(thinking.clone(), "{}"), []);
        assert_eq!(changed(thinking, r#"{"thinking":{"type":"enabled","budget_tokens":9}}"#).len(), 1);
    }
}
