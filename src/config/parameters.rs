//! Which parameters which models are known to refuse: `parameters.toml` read into plain values.
//!
//! A user's file lies over the one that comes with the program. Invariant: every rule says where it is written and since when.

use std::path::Path;

use serde::Deserialize;

use super::FileError;

/// The parameters.toml that comes with the program.
pub const BUILTIN: &str = include_str!("../../config/parameters.toml");

/// The file's name in the operator's configuration folder.
pub const FILE: &str = "parameters.toml";

/// Makes what is known of models, and the file that tells it, of the habits that a model may have.
macro_rules! habits {
    ($($(#[$doc:meta])* $habit:ident,)*) => {
        /// What is known of models.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Parameters {
            /// What they refuse.
            pub rules: Vec<RuleSpec>,
            $($(#[$doc])* pub $habit: Patterns,)*
        }

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        struct File {
            checked: Option<String>,
            #[serde(default)]
            trust: Vec<String>,
            $($habit: Option<Habit>,)*
            #[serde(default)]
            rule: Vec<RuleSpec>,
        }

        impl File {
            /// Lists the habits that it tells of, under their names.
            fn habits(&self) -> impl Iterator<Item = (String, &Habit)> {
                let all = [$((stringify!($habit), &self.$habit)),*];
                all.into_iter().filter_map(|(name, habit)| Some((name.replace('_', "-"), habit.as_ref()?)))
            }

            /// Returns what the program knows.
            fn known(self) -> Parameters {
                let models = |habit: Option<Habit>| Patterns {
                    known: habit.map(|habit| habit.models).unwrap_or_default(),
                    ..Patterns::default()
                };
                Parameters { rules: self.rule, $($habit: models(self.$habit)),* }
            }

            /// Lays it over what the program knows.
            fn over(self, all: &mut Parameters) {
                for rule in &mut all.rules {
                    rule.except.extend(self.trust.iter().cloned());
                }
                all.rules.extend(self.rule);
                for (habit, models) in [$((self.$habit, &mut all.$habit)),*] {
                    models.except.clone_from(&self.trust);
                    models.own = habit.map(|habit| habit.models).unwrap_or_default();
                }
            }
        }
    };
}

habits! {
    /// Those that take messages of role `system` in the middle of a conversation.
    takes_system,
    /// Those that refuse a call of theirs without their thoughts.
    wants_thoughts,
    /// Those that are the better for their thoughts.
    keeps_thoughts,
    /// Those whose servers know chat in its older form alone.
    older_chat,
    /// Those that OpenAI serves in Responses alone.
    responses_alone,
    /// Those that take no word of the user's right after what tools gave back.
    wants_turn_after_tools,
    /// Those of other makers than OpenAI that take `reasoning_effort`.
    takes_effort,
    /// Those that think or not by `thinking.type`, at their makers' own servers.
    takes_thinking,
}

/// Models of which something is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patterns {
    /// Those that the program knows, as patterns.
    pub known: Vec<String>,
    /// Those of them of which the operator says that it is not so.
    pub except: Vec<String>,
    /// Those that the operator names besides.
    pub own: Vec<String>,
}

/// A rule of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RuleSpec {
    /// For which models, as patterns.
    pub models: Vec<String>,
    /// For which of them not.
    #[serde(default)]
    pub except: Vec<String>,
    /// The members that are refused.
    pub leave_out: Vec<String>,
    /// In which dialects; all where there is none.
    #[serde(default)]
    pub speaks: Vec<Speech>,
    /// Beside which members, or members of which text; always where there is none.
    #[serde(default)]
    pub with: Vec<String>,
    /// With which effort.
    #[serde(default)]
    pub effort: EffortSpec,
    /// Of which `type` the member is.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// A number, a range of them or JSON that is taken all the same.
    pub keep: Option<String>,
    /// JSON to send instead.
    pub instead: Option<String>,
    /// Where that is written.
    pub source: String,
    /// Since when.
    pub since: String,
}

/// A dialect in the words of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speech {
    /// OpenAI's chat.
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// Google's generateContent.
    Gemini,
}

/// With which effort a rule holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffortSpec {
    /// With any.
    #[default]
    Any,
    /// With any but an explicit `none`.
    UnlessNone,
    /// With one that is stated and is not `none`.
    Stated,
}

/// Why a file of parameters cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ParametersError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is no TOML, or a field is missing, unknown or wrong.
    #[error(transparent)]
    Field(#[from] FileError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Habit {
    models: Vec<String>,
    source: String,
    since: String,
}

/// Reads `parameters.toml` from the operator's folder, if there is one, over the program's own.
pub fn load(user_dir: Option<&Path>) -> Result<Parameters, ParametersError> {
    let Some(path) = user_dir.map(|dir| dir.join(FILE)).filter(|path| path.is_file()) else {
        return Ok(builtin()?);
    };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(&path)
        .map_err(|source| ParametersError::Io { path: name.clone(), source })?;
    Ok(parse(&name, &text)?)
}

/// Reads the file that comes with the program.
pub fn builtin() -> Result<Parameters, FileError> {
    Ok(read("built-in parameters.toml", BUILTIN)?.known())
}

/// Reads a user's file over the program's own.
pub fn parse(origin: &str, text: &str) -> Result<Parameters, FileError> {
    let user = read(origin, text)?;
    let mut all = builtin()?;
    user.over(&mut all);
    Ok(all)
}

/// Returns a model's name as patterns have it: without what stands before the last `/`, in small letters, dots as `-`.
pub fn plain(model: &str) -> String {
    let name = model.rsplit('/').next().unwrap_or(model);
    name.chars().map(|c| if c == '.' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn read(origin: &str, text: &str) -> Result<File, FileError> {
    let fail = |line: usize, what: String| FileError::new(origin, line, what);
    let file: File =
        crate::units::from_toml(text).map_err(|error| FileError::of_toml(origin, text, &error))?;
    let line_of = |nth: usize| {
        let mut heads = text.lines().enumerate().filter(|(_, line)| line.trim() == "[[rule]]");
        heads.nth(nth).map_or(1, |(line, _)| line + 1)
    };
    for (nth, rule) in file.rule.iter().enumerate() {
        if let Some(what) = rule.wrong() {
            return Err(fail(line_of(nth), what));
        }
    }
    let dates = file.checked.iter().chain(file.habits().map(|(_, habit)| &habit.since));
    if let Some(date) = dates.into_iter().find(|date| !is_date(date)) {
        return Err(fail(1, format!("{date:?} is no date; write it as 2026-11-28")));
    }
    if let Some((name, _)) = file.habits().find(|(_, habit)| habit.source.trim().is_empty()) {
        return Err(fail(1, format!("{name}: source: say where it is written")));
    }
    Ok(file)
}

impl RuleSpec {
    fn wrong(&self) -> Option<String> {
        let is_number = |text: &str| text.parse::<f64>().is_ok_and(f64::is_finite);
        let is_json = |text: &String| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        let is_kept = |text: &String| match text.split_once("..") {
            Some((least, most)) => is_number(least) && is_number(most),
            None => is_number(text) || is_json(text),
        };
        if self.models.is_empty() || self.leave_out.is_empty() {
            return Some("models and leave-out: name at least one each".to_owned());
        }
        if let Some(keep) = self.keep.as_ref().filter(|keep| !is_kept(keep)) {
            return Some(format!(
                "keep: {keep:?} is no number, range or JSON; write it as text, keep = \"1\""
            ));
        }
        if let Some(instead) = self.instead.as_ref().filter(|instead| !is_json(instead)) {
            return Some(format!("instead: {instead:?} is no JSON; write it as text, instead = '\"none\"'"));
        }
        if !is_date(&self.since) {
            return Some(format!("since: {:?} is no date; write it as 2026-11-28", self.since));
        }
        self.source.trim().is_empty().then(|| "source: say where it is written".to_owned())
    }
}

fn is_date(text: &str) -> bool {
    chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_the_program_is_dated_and_sourced() {
        let known = builtin().unwrap();
        assert!(known.rules.len() > 10 && !known.takes_system.known.is_empty());
        assert!(BUILTIN.contains("\nchecked = \"20"));
    }

    #[test]
    fn a_users_file_lies_over_it() {
        let text = "trust = [\"gpt-5*\"]\n[[rule]]\nmodels = [\"mine\"]\nleave-out = [\"seed\"]\nsource = \"tried\"\nsince = \"2026-11-01\"\n";
        let (own, both) = (builtin().unwrap(), parse("parameters.toml", text).unwrap());
        assert_eq!(both.rules.len(), own.rules.len() + 1);
        assert!(
            both.rules.iter().take(own.rules.len()).all(|rule| rule.except.contains(&"gpt-5*".to_owned()))
        );
        assert_eq!(both.takes_system.known, own.takes_system.known);
    }

    /// With the built-in lists gone, `DeepSeek` would get a limit that it ignores, and a hard budget would be pierced.
    #[test]
    fn a_list_of_ones_own_adds_to_that_of_the_program_and_trust_takes_out_of_it() {
        let text = "trust = [\"qwen*\"]\n[older-chat]\nmodels = [\"house\"]\nsource = \"tried\"\nsince = \"2026-11-01\"\n";
        let (own, both) = (builtin().unwrap(), parse("parameters.toml", text).unwrap());
        assert_eq!(both.older_chat.known, own.older_chat.known);
        assert_eq!(
            (both.older_chat.own, both.older_chat.except),
            (vec!["house".to_owned()], vec!["qwen*".to_owned()])
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let rule = "models = [\"m\"]\nleave-out = [\"seed\"]\nsource = \"s\"\n";
        for (text, want) in [
            (format!("\n[[rule]]\n{rule}since = \"soon\"\n"), "p.toml:2: since: \"soon\" is no date"),
            (
                format!("[[rule]]\n{rule}since = \"2026-01-01\"\nkeep = \"x\"\n"),
                "p.toml:1: keep: \"x\" is no number, range or JSON",
            ),
            (
                format!("[[rule]]\n{rule}since = \"2026-01-01\"\ninstead = \"{{\"\n"),
                "p.toml:1: instead: \"{\" is no JSON",
            ),
            (
                format!("[[rule]]\n{rule}since = \"2026-01-01\"\nwhen = 1\n"),
                "p.toml:6:1: `when` is no setting of rule[0]; write one of",
            ),
        ] {
            let said = parse("p.toml", &text).unwrap_err().to_string();
            assert!(said.starts_with(want), "{said}");
        }
    }
}
