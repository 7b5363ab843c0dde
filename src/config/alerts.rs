//! Rules, receivers and silences of alerts as a TOML file: `alerts.toml`, a file of its own because it is read again whenever it changes,
//! which gateway.toml is not, and because its URLs may be secrets. Errors name file, line and what would be right.
//!
//! Invariant: the file that comes with the program says exactly what holds without it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use toml::Spanned;

use super::place::FileError;
use super::reading::Reading;
use crate::alert::{Level, Pattern, Rule, Rules, Silence, Source};
use crate::units::{Instant, Span, from_toml, nearest};

/// The file of one's own alerts.
pub const FILE: &str = "alerts.toml";

/// The alerts.toml that comes with the program.
pub const DEFAULT_ALERTS: &str = include_str!("../../config/alerts.toml");

/// The longest that a receiver is waited for.
const PATIENCE: Span = Span::mins(5);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: BTreeMap<String, Spanned<RuleTable>>,
    #[serde(default)]
    receiver: BTreeMap<String, Spanned<ReceiverTable>>,
    #[serde(default)]
    silence: BTreeMap<String, Spanned<SilenceTable>>,
    #[serde(default)]
    watch: Watch,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleTable {
    source: Option<Spanned<String>>,
    scope: Option<String>,
    thresholds: Option<Vec<Spanned<i64>>>,
    level: Option<Spanned<String>>,
    #[serde(default)]
    to: Vec<Spanned<String>>,
    #[serde(default)]
    off: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReceiverTable {
    kind: Spanned<String>,
    url: Option<Spanned<String>>,
    command: Option<Spanned<Vec<String>>>,
    timeout: Option<Spanned<String>>,
    least: Option<Spanned<String>>,
    resolved: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SilenceTable {
    rule: Option<String>,
    scope: Option<String>,
    until: Spanned<toml::Value>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Watch {
    false_alarms: Option<Spanned<f64>>,
    slot: Option<Spanned<String>>,
    failing_percent: Option<Spanned<i64>>,
    failing_calls: Option<Spanned<i64>>,
}

/// How a receiver is told.
#[derive(Clone, Debug)]
pub enum Way {
    /// A JSON object, posted.
    Webhook(SecretString),
    /// A message as Slack and those after its manner take it, posted.
    Slack(SecretString),
    /// A program that gets the JSON on its standard input; no shell.
    Command(Vec<String>),
}

/// Somebody who is told.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Its name.
    pub name: Arc<str>,
    /// How it is told.
    pub way: Way,
    /// How long it is waited for.
    pub timeout: Duration,
    /// The least urgent alerts that it is told of.
    pub least: Level,
    /// Whether it is told when they are over.
    pub resolved: bool,
}

/// What an alerts file says.
#[derive(Clone, Debug, Default)]
pub struct AlertSettings {
    /// What is told of.
    pub rules: Rules,
    /// Who is told, in the order of their names.
    pub receivers: Vec<Receiver>,
    /// Of what nobody is told for a while.
    pub silences: Vec<Silence>,
}

/// Says which names a misspelt one may have meant, or which there are.
fn hint(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()).first() {
        Some(near) => format!("{near}?"),
        None if known.is_empty() => "there is none".to_owned(),
        None => format!("one of {}", known.join(", ")),
    }
}

impl Reading<'_> {
    fn named<T: Copy>(
        &self,
        word: &Spanned<String>,
        known: &[(&str, T)],
        what: &str,
    ) -> Result<T, FileError> {
        let found = known.iter().find(|(name, _)| name == word.get_ref()).map(|(_, one)| *one);
        found.ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let written = word.get_ref();
            self.wrong(word, format!("`{written}` is no {what}; {}", hint(written, &names)))
        })
    }

    fn up_to(&self, number: &Spanned<i64>, most: u32, what: &str) -> Result<u32, FileError> {
        let found = u32::try_from(*number.get_ref()).ok().filter(|number| (1..=most).contains(number));
        found.ok_or_else(|| self.wrong(number, format!("{} is no {what}; 1 to {most}", number.get_ref())))
    }

    fn alert_name<T>(&self, name: &str, table: &Spanned<T>) -> Result<Arc<str>, FileError> {
        if name.is_empty() || !name.chars().all(|c| crate::units::is_safe(c) && c != '*') {
            return Err(self.wrong(table, format!("`{name}` is no name: letters, digits, - and .")));
        }
        Ok(name.into())
    }

    fn alert_rule(
        &self,
        name: &str,
        table: &Spanned<RuleTable>,
        receivers: &[&str],
    ) -> Result<Option<Rule>, FileError> {
        let told = table.get_ref();
        let named = Source::ALL.iter().find(|(source, _)| *source == name).map(|(_, source)| *source);
        let source = match (&told.source, named) {
            (Some(word), _) => self.named(word, &Source::ALL, "source")?,
            (None, Some(source)) => source,
            (None, None) => {
                let known = Source::ALL.map(|(name, _)| name);
                let what = format!(
                    "rule `{name}` says no source; write source = \"budget\" or call it by its source: {}",
                    hint(name, &known)
                );
                return Err(self.wrong(table, what));
            }
        };
        let mut rule = Rule { name: self.alert_name(name, table)?, ..Rule::usual(source) };
        if let Some(scope) = &told.scope {
            rule.scope = Pattern(scope.as_str().into());
        }
        if let Some(thresholds) = &told.thresholds {
            if source != Source::Budget {
                return Err(
                    self.wrong(table, format!("rule `{name}` has thresholds, which only budgets have"))
                );
            }
            let read = thresholds.iter().map(|one| self.up_to(one, 1000, "per cent of a limit"));
            rule.thresholds = read.collect::<Result<_, _>>()?;
            if let Some(place) = rule.thresholds.windows(2).position(|pair| pair[0] >= pair[1])
                && let Some(second) = thresholds.get(place + 1)
            {
                let what = "thresholds ascend: [50, 75, 90, 100]".to_owned();
                return Err(self.wrong(second, what));
            }
        }
        rule.level = match &told.level {
            Some(word) => Some(self.named(word, &Level::ALL, "level")?),
            None => None,
        };
        for to in &told.to {
            if !receivers.contains(&to.get_ref().as_str()) {
                let what =
                    format!("there is no receiver `{}`; {}", to.get_ref(), hint(to.get_ref(), receivers));
                return Err(self.wrong(to, what));
            }
            rule.to.push(to.get_ref().as_str().into());
        }
        Ok((!told.off).then_some(rule))
    }

    fn receiver(&self, name: &str, table: &Spanned<ReceiverTable>) -> Result<Receiver, FileError> {
        let told = table.get_ref();
        let kinds = [("webhook", 0), ("slack", 1), ("command", 2)];
        let kind = self.named(&told.kind, &kinds, "kind of receiver")?;
        let way = match (kind, &told.url, &told.command) {
            (2, None, Some(command)) => {
                if command.get_ref().first().is_none_or(String::is_empty) {
                    let what =
                        "write the program and its arguments: [\"/usr/local/bin/page\", \"ops\"]".to_owned();
                    return Err(self.wrong(command, what));
                }
                Way::Command(command.get_ref().clone())
            }
            (0, Some(url), None) => Way::Webhook(self.url(url)?),
            (1, Some(url), None) => Way::Slack(self.url(url)?),
            (2, ..) => {
                return Err(self.wrong(table, format!("receiver `{name}` takes command = [..] and no url")));
            }
            _ => {
                return Err(self.wrong(table, format!("receiver `{name}` takes url = \"..\" and no command")));
            }
        };
        let patient = |told: &Spanned<String>| {
            let fits = |span: Span| span > Span::ZERO && span <= PATIENCE;
            self.length(told, fits, "is no length up to 5m; write 10s")
        };
        let timeout = told.timeout.as_ref().map_or(Ok(Span::secs(10)), patient)?;
        let least = match &told.least {
            Some(word) => self.named(word, &Level::ALL, "level")?,
            None => Level::Notice,
        };
        let name = self.alert_name(name, table)?;
        let timeout = Duration::from_micros(u64::try_from(timeout.0).unwrap_or_default());
        Ok(Receiver { name, way, timeout, least, resolved: told.resolved.unwrap_or(true) })
    }

    /// Reads a URL. It is never quoted: it may be a secret.
    fn url(&self, url: &Spanned<String>) -> Result<SecretString, FileError> {
        let text = match url.get_ref().strip_prefix("env:") {
            Some(name) => std::env::var(name).map_err(|_| {
                self.wrong(
                    url,
                    format!("the environment has no `{name}`; set it where the gateway is started"),
                )
            })?,
            None => url.get_ref().clone(),
        };
        let is_url = text.parse::<http::Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some_and(|host| !host.is_empty())
        });
        if is_url {
            return Ok(text.into());
        }
        Err(self.wrong(url, "that is no URL; write \"https://...\" or \"env:NAME\"".to_owned()))
    }

    fn silence(&self, table: &SilenceTable) -> Result<Silence, FileError> {
        let until = match table.until.get_ref() {
            toml::Value::String(text) => Instant::parse(text).ok(),
            moment @ toml::Value::Datetime(_) => Instant::parse(&moment.to_string()).ok(),
            _ => None,
        };
        let until = until.ok_or_else(|| {
            self.wrong(&table.until, "until is a moment such as \"2026-12-01T00:00:00Z\"".to_owned())
        })?;
        let pattern =
            |text: &Option<String>| text.as_deref().map_or_else(Pattern::any, |text| Pattern(text.into()));
        Ok(Silence { rule: pattern(&table.rule), scope: pattern(&table.scope), until, who: FILE.to_owned() })
    }

    fn watch(&self, watch: &Watch, rules: &mut Rules) -> Result<(), FileError> {
        if let Some(number) = &watch.false_alarms {
            let found = Some(*number.get_ref()).filter(|number| (0.000_001..=1000.0).contains(number));
            rules.knobs.false_alarms = found.ok_or_else(|| {
                self.wrong(number, "false-alarms is a number a month, 0.000001 to 1000".to_owned())
            })?;
        }
        if let Some(word) = &watch.slot {
            // Slots are looked at by the minute.
            let fits = |span: Span| span.0 >= 60_000_000 && span <= Span::days(1) && span.0 % 60_000_000 == 0;
            rules.slot = self.length(word, fits, "is no length of whole minutes up to 1d; write 5m")?;
        }
        if let Some(number) = &watch.failing_percent {
            rules.failing = self.up_to(number, 100, "per cent of calls")?;
        }
        if let Some(number) = &watch.failing_calls {
            rules.least_calls = self.up_to(number, 1_000_000, "number of calls")?;
        }
        Ok(())
    }
}

/// Reads an alerts file from text; `origin` is for messages.
///
/// # Errors
/// Where the text is no TOML, has unknown keys, or says what cannot be, with its line.
pub fn parse(text: &str, origin: &str) -> Result<AlertSettings, FileError> {
    let file: File = from_toml(text).map_err(|error| FileError::of_toml(origin, text, &error))?;
    let reading = Reading { text, origin };
    let mut rules = Rules::default();
    let receivers: Vec<&str> = file.receiver.keys().map(String::as_str).collect();
    for (name, table) in &file.rule {
        let rule = reading.alert_rule(name, table, &receivers)?;
        rules.rules.retain(|usual| *usual.name != **name);
        rules.rules.extend(rule);
    }
    crate::units::sort_by(&mut rules.rules, |one, other| one.name.cmp(&other.name));
    reading.watch(&file.watch, &mut rules)?;
    let receivers = file.receiver.iter().map(|(name, table)| reading.receiver(name, table));
    let silences = file.silence.values().map(|table| reading.silence(table.get_ref()));
    Ok(AlertSettings {
        rules,
        receivers: receivers.collect::<Result<_, _>>()?,
        silences: silences.collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_comes_along_says_what_holds_without_it() {
        let read = parse(DEFAULT_ALERTS, "config/alerts.toml").unwrap();
        let mut usual = Rules::default();
        usual.rules.sort_by(|one, other| one.name.cmp(&other.name));
        assert_eq!(read.rules, usual);
        assert!(read.receivers.is_empty() && read.silences.is_empty());
        // What it shows in comments is right as well.
        let shown: Vec<&str> = DEFAULT_ALERTS
            .lines()
            .map(|line| {
                line.strip_prefix("# ")
                    .filter(|rest| rest.contains(" = ") || rest.starts_with('['))
                    .unwrap_or(line)
            })
            .collect();
        let shown = shown.join("\n").replace("env:CHAT_URL", "https://chat.example/T0/secret");
        let read = parse(&shown, "config/alerts.toml").unwrap();
        assert_eq!((read.receivers.len(), read.silences.len(), read.rules.rules.len()), (2, 1, 10));
        assert!(!format!("{read:?}").contains("secret"), "secrets are in no picture of the settings");
    }

    #[test]
    fn slips_are_told_with_their_line_and_what_would_be_right() {
        for (text, said) in [
            (
                "[rule.budgt]\noff = true",
                "alerts.toml:1: rule `budgt` says no source; write source = \"budget\" or call it by its source: budget?",
            ),
            ("[rule.x]\nsource = \"anomly\"", "alerts.toml:2: `anomly` is no source; anomaly?"),
            (
                "[rule.budget]\nthresholds = [\n50,\n40]",
                "alerts.toml:4: thresholds ascend: [50, 75, 90, 100]",
            ),
            ("[rule.budget]\nthresholds = [0]", "alerts.toml:2: 0 is no per cent of a limit; 1 to 1000"),
            ("[rule.budget]\nto = [\"chat\"]", "alerts.toml:2: there is no receiver `chat`; there is none"),
            ("[rule.budget]\nlevel = \"critcal\"", "alerts.toml:2: `critcal` is no level; critical?"),
            ("[receiver.a]\nkind = \"slak\"", "alerts.toml:2: `slak` is no kind of receiver; slack?"),
            (
                "[receiver.a]\nkind = \"slack\"",
                "alerts.toml:1: receiver `a` takes url = \"..\" and no command",
            ),
            (
                "[receiver.a]\nkind = \"command\"\ncommand = []",
                "alerts.toml:3: write the program and its arguments: [\"/usr/local/bin/page\", \"ops\"]",
            ),
            (
                "[receiver.a]\nkind = \"webhook\"\nurl = \"hooks.example/secret\"",
                "alerts.toml:3: that is no URL; write \"https://...\" or \"env:NAME\"",
            ),
            (
                "[receiver.a]\nkind = \"webhook\"\nurl = \"https://a\"\ntimeout = \"1h\"",
                "alerts.toml:4: `1h` is no length up to 5m; write 10s",
            ),
            (
                "[silence.a]\nuntil = \"soon\"",
                "alerts.toml:2: until is a moment such as \"2026-12-01T00:00:00Z\"",
            ),
            (
                "[watch]\nslot = \"90s\"",
                "alerts.toml:2: `90s` is no length of whole minutes up to 1d; write 5m",
            ),
        ] {
            assert_eq!(parse(text, "alerts.toml").unwrap_err().to_string(), said, "{text}");
        }
        assert!(parse("[rules]", "alerts.toml").unwrap_err().to_string().contains("`rules`"));
    }
}
