//! What a model is known to refuse, or to take where others do not: rules that come from `config/parameters.toml`.
//!
//! Invariants: a rule only ever leaves a member out or replaces its value, and the client is told either way; rules name
//! members as chat does, or by the path that one dialect has for them, and [`place`] says where others have the same.

use std::sync::Arc;

use super::Dialect;
use super::json::Value;

/// What is known of one model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a habit by itself")]
pub struct Known {
    /// The name that tells what it is, where its provider's does not.
    pub name: Option<Arc<str>>,
    /// What it refuses.
    pub rules: Vec<Arc<Rule>>,
    /// Whether it takes messages of role `system` in the middle of a conversation.
    pub takes_system: bool,
    /// Whether it wants back what it thought before it called a tool.
    pub wants_thoughts: bool,
    /// Whether it is the better for what it thought before it called a tool, though it takes a call without.
    pub keeps_thoughts: bool,
    /// Whether its server refuses thoughts in what the assistant said.
    pub refuses_thoughts: bool,
    /// Whether its servers know chat in its older form alone: one message of the system at the beginning, no role `developer`, a
    /// limit under the name `max_tokens`.
    pub older_chat: bool,
    /// Whether its server may know neither the role `developer` nor `max_completion_tokens`, whatever it serves.
    pub older_words: bool,
    /// Whether its server takes `json_object` as the form of an answer, and no schema.
    pub json_object_alone: bool,
    /// Whether a server that has OpenAI's responses serves it there alone.
    pub responses_alone: bool,
    /// Whether it takes no word of the user's right after what tools gave back.
    pub wants_turn_after_tools: bool,
    /// Whether it takes `reasoning_effort`, though it is not OpenAI's.
    pub takes_effort: bool,
    /// Whether its server has it think or not by `thinking.type`.
    pub takes_thinking: bool,
    /// Whether its server serves in a tier of the account's own choice where none is asked for.
    pub chooses_tier: bool,
    /// Whether it is OpenAI's own, or at a server of theirs, which takes no ids of calls longer than 40 characters and no more than
    /// 128 tools.
    pub is_openais: bool,
    /// Whether its server takes Anthropic's messages, and of what a request is tagged with the name of its user alone.
    pub tags_users_alone: bool,
    /// Whether its server is Google's own Gemini API, which knows no labels.
    pub lacks_labels: bool,
    /// Whether its server takes Anthropic's messages, and of an end user's name short words alone.
    pub plain_users: bool,
}

/// Members that a model refuses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Their names as chat has them, or their paths in the provider's dialect.
    pub members: Vec<String>,
    /// The dialects in which that holds; all where there is none.
    pub dialects: Vec<Dialect>,
    /// Only beside one of these members, or where one has a certain text or number (`thinking.type=enabled`); always where there is
    /// none.
    pub with: Vec<String>,
    /// Only with such an effort.
    pub effort: WithEffort,
    /// Only where the value is an object of this `type`.
    pub kind: Option<String>,
    /// A number, a range of them (`0.95..1`) or JSON that is taken all the same.
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

/// The name under which rules speak of a last turn by the assistant, which is no member.
const PREFILL: &str = "prefill";

/// Returns the path under which a dialect has a member that rules name as chat does.
pub(super) fn place(to: Dialect, member: &str) -> &str {
    match (to, member) {
        (Dialect::OpenAiResponses, "reasoning_effort") => "reasoning.effort",
        (Dialect::OpenAiResponses, "verbosity") => "text.verbosity",
        (Dialect::AnthropicMessages, "reasoning_effort") => "output_config.effort",
        (Dialect::AnthropicMessages, "stop") => "stop_sequences",
        (Dialect::Gemini, "temperature") => "generationConfig.temperature",
        (Dialect::Gemini, "top_p") => "generationConfig.topP",
        (Dialect::Gemini, "top_k") => "generationConfig.topK",
        (Dialect::Gemini, "stop") => "generationConfig.stopSequences",
        (Dialect::Gemini, "seed") => "generationConfig.seed",
        (Dialect::Gemini, "presence_penalty") => "generationConfig.presencePenalty",
        (Dialect::Gemini, "frequency_penalty") => "generationConfig.frequencyPenalty",
        (Dialect::Gemini, "logprobs") => "generationConfig.responseLogprobs",
        (Dialect::Gemini, "top_logprobs") => "generationConfig.logprobs",
        (Dialect::Gemini, "n") => "generationConfig.candidateCount",
        (Dialect::Gemini, "reasoning_effort") => "generationConfig.thinkingConfig",
        (Dialect::Gemini, "service_tier") => "serviceTier",
        _ => member,
    }
}

/// What is to be done with a member.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Change<'k> {
    pub(super) member: &'k str,
    pub(super) instead: Option<&'k str>,
}

impl Known {
    /// Says whether messages of a chat may have to be changed for it.
    pub(super) fn changes_chat(&self) -> bool {
        self.older_chat
            || self.older_words
            || self.wants_thoughts
            || self.refuses_thoughts
            || self.json_object_alone
            || self.wants_turn_after_tools
    }

    /// Says whether it refuses to go on with what the assistant is said to have begun.
    pub(super) fn refuses_prefill(&self, to: Dialect) -> bool {
        self.rules.iter().any(|rule| rule.speaks(to) && rule.members.iter().any(|member| member == PREFILL))
    }

    /// Returns what is to be changed in a request; `said` gives the value of a member that it holds.
    pub(super) fn changes<'a>(
        &self,
        to: Dialect,
        said: &dyn Fn(&str) -> Option<Value<'a>>,
    ) -> Vec<Change<'_>> {
        let mut changes: Vec<Change<'_>> = Vec::new();
        for rule in &self.rules {
            // What is left out already stands beside nothing.
            let is_gone = |name: &str| changes.iter().any(|one| one.member == name && one.instead.is_none());
            if !rule.holds(to, &|name: &str| said(name).filter(|_| !is_gone(name))) {
                continue;
            }
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
    fn speaks(&self, to: Dialect) -> bool {
        self.dialects.is_empty() || self.dialects.contains(&to)
    }

    fn holds<'a>(&self, to: Dialect, said: &dyn Fn(&str) -> Option<Value<'a>>) -> bool {
        let is_there = |with: &String| match with.split_once('=') {
            Some((name, word)) => {
                said(name).is_some_and(|value| value.text().map_or(value.raw() == word, |text| text == word))
            }
            None => said(with).is_some_and(|value| !value.is_null()),
        };
        let effort = || said("reasoning_effort").or_else(|| said("reasoning.effort")).and_then(Value::text);
        self.speaks(to)
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
            let (least, most) = keep.split_once("..").unwrap_or((keep, keep));
            let within = |said: f64| {
                least.parse().is_ok_and(|least| said >= least) && most.parse().is_ok_and(|most| said <= most)
            };
            value.raw() == keep || value.measure().is_some_and(within)
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
        let known = Known { rules: vec![Arc::new(rule)], ..Known::default() };
        let root = Value::of(body);
        let owned = |change: &Change<'_>| (change.member.to_owned(), change.instead.map(str::to_owned));
        let said = |path: &str| path.split('.').try_fold(root, Value::get);
        known.changes(Dialect::OpenAiChat, &said).iter().map(owned).collect()
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
    fn a_text_beside_it_decides_and_a_range_is_kept() {
        let rule = Rule {
            members: names(&["top_p"]),
            with: names(&["thinking.type=enabled"]),
            keep: Some("0.95..1".into()),
            ..Rule::default()
        };
        for (body, is_changed) in [
            (r#"{"top_p":0.5,"thinking":{"type":"enabled"}}"#, true),
            (r#"{"top_p":0.95,"thinking":{"type":"enabled"}}"#, false),
            (r#"{"top_p":1,"thinking":{"type":"enabled"}}"#, false),
            (r#"{"top_p":0.5,"thinking":{"type":"disabled"}}"#, false),
            (r#"{"top_p":0.5}"#, false),
        ] {
            assert_eq!(!changed(rule.clone(), body).is_empty(), is_changed, "{body}");
        }
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
