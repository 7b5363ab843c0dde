//! How providers' prompt caches work: `caching.toml` read into rules, an operator's own before those that come with the program.
//!
//! Invariant: every rule says where it is written and since when.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::FileError;
use super::reading::Reading;
use crate::pricing::thousandths;
use crate::prompt_cache::{Rule, Rules};
use crate::units::{PicoPerMillion, Span, from_toml};

/// The caching.toml that comes with the program.
pub const BUILTIN: &str = include_str!("../../config/caching.toml");

/// The file's name in the operator's configuration folder.
pub const FILE: &str = "caching.toml";

/// No cache asks for longer prompts.
const LONGEST: u32 = 1_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    #[expect(dead_code, reason = "for people: the day on which the file was checked")]
    checked: Option<String>,
    #[serde(default)]
    rule: Vec<RuleTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RuleTable {
    models: Spanned<Vec<String>>,
    minimum: Spanned<i64>,
    step: Option<Spanned<i64>>,
    ttl: Spanned<String>,
    ttl_long: Option<Spanned<String>>,
    read: Spanned<String>,
    write: Option<Spanned<String>>,
    write_long: Option<Spanned<String>>,
    storage: Option<Spanned<String>>,
    #[serde(default)]
    asked: bool,
    source: Spanned<String>,
    since: Spanned<String>,
}

impl Reading<'_> {
    fn tokens(&self, number: &Spanned<i64>, what: &str) -> Result<u32, FileError> {
        let found = u32::try_from(*number.get_ref()).ok().filter(|number| (1..=LONGEST).contains(number));
        found.ok_or_else(|| {
            self.wrong(number, format!("{what} = {}: write 1 to {LONGEST} tokens", number.get_ref()))
        })
    }

    fn ttl(&self, text: &Spanned<String>) -> Result<Span, FileError> {
        self.length(text, |span| span > Span::ZERO, "is no time; write \"5m\" or \"1h\"")
    }

    fn part_of_input(&self, text: &Spanned<String>, most: u32) -> Result<u32, FileError> {
        thousandths(text.get_ref()).filter(|share| *share <= most).ok_or_else(|| {
            let most = crate::pricing::as_factor(most);
            let what = format!(
                "`{}` is no part of the input price; write \"0.1\", with at most three decimals, up to {most}",
                text.get_ref()
            );
            self.wrong(text, what)
        })
    }

    fn said(&self, text: &Spanned<String>, what: &str) -> Result<(), FileError> {
        if text.get_ref().trim().is_empty() {
            return Err(
                self.wrong(text, format!("{what} is empty; say where the rule is written, and since when"))
            );
        }
        Ok(())
    }

    fn cache_rule(&self, table: &RuleTable) -> Result<(Vec<String>, Rule), FileError> {
        let models = table.models.get_ref();
        let is_pattern = |name: &String| {
            let bare = name.strip_suffix('*').unwrap_or(name);
            !bare.is_empty() && !bare.contains(['*', '/', '.']) && bare.to_lowercase() == *bare
        };
        if models.is_empty() || !models.iter().all(is_pattern) {
            let what = "models: write names in small letters, dots as \"-\", nothing before a \"/\", `*` at the end for any text";
            return Err(self.wrong(&table.models, what.to_owned()));
        }
        self.said(&table.source, "source")?;
        self.said(&table.since, "since")?;
        let rule = Rule {
            minimum: self.tokens(&table.minimum, "minimum")?,
            step: table.step.as_ref().map_or(Ok(1), |step| self.tokens(step, "step"))?,
            ttl: self.ttl(&table.ttl)?,
            ttl_long: table.ttl_long.as_ref().map(|ttl| self.ttl(ttl)).transpose()?,
            read: self.part_of_input(&table.read, 1000)?,
            write: table.write.as_ref().map_or(Ok(1000), |write| self.part_of_input(write, 10_000))?,
            write_long: table
                .write_long
                .as_ref()
                .map(|write| self.part_of_input(write, 10_000))
                .transpose()?,
            storage: table
                .storage
                .as_ref()
                .map(|price| {
                    PicoPerMillion::from_usd_per_million(price.get_ref())
                        .map_err(|error| self.wrong(price, format!("storage: {error}")))
                })
                .transpose()?,
            asked: table.asked,
        };
        Ok((models.clone(), rule))
    }
}

/// Reads rules from text.
///
/// # Errors
/// The first thing wrong, with its line and how to mend it.
pub fn parse(text: &str, origin: &str) -> Result<Rules, FileError> {
    let file: File = from_toml(text).map_err(|error| FileError::of_toml(origin, text, &error))?;
    let reading = Reading { text, origin };
    let rules = file.rule.iter().map(|table| reading.cache_rule(table)).collect::<Result<_, _>>()?;
    Ok(Rules { rules })
}

/// Returns the rules that hold: those of a folder's file, then those that come with the program.
///
/// # Errors
/// Where the file cannot be read or understood.
pub fn layered(folder: Option<&Path>) -> anyhow::Result<Rules> {
    let mut rules = Rules::default();
    if let Some(path) = folder.map(|folder| folder.join(FILE)).filter(|path| path.is_file()) {
        let (name, text) = super::named_text(&path, "")?;
        rules = parse(&text, &name)?;
    }
    rules.rules.extend(parse(BUILTIN, "built-in caching.toml")?.rules);
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_comes_with_the_program_says_what_providers_say() {
        let rules = parse(BUILTIN, "caching.toml").unwrap();
        let of = |model: &str| {
            let rule = rules.find(model).unwrap_or_else(|| panic!("{model}"));
            (rule.minimum, rule.step, rule.ttl, rule.read, rule.write)
        };
        let (five, half) = (Span::mins(5), Span::mins(30));
        assert_eq!(of("claude-opus-4-6"), (4096, 1, five, 100, 1250));
        assert_eq!(of("bedrock/claude-opus-4.7"), (2048, 1, five, 100, 1250));
        assert_eq!(of("claude-opus-4-8"), (1024, 1, five, 100, 1250));
        assert_eq!(of("claude-opus-5"), (512, 1, five, 100, 1250));
        assert_eq!(of("claude-fable-5-1"), (512, 1, five, 25, 1250));
        assert_eq!(of("openai/gpt-5.6-mini"), (1024, 1, half, 100, 1250));
        assert_eq!(of("gpt-5.2"), (1024, 128, Span::mins(10), 100, 1000));
        assert_eq!(of("gpt-4.1-nano").3, 250);
        assert_eq!(of("DeepSeek-V4-Flash").1, 64);
        assert_eq!(rules.find("llama-3"), None);
    }

    #[test]
    fn a_file_of_ones_own_comes_first_and_slips_are_told_with_their_line() {
        let folder = tempfile::tempdir().unwrap();
        let own = "[[rule]]\nmodels = [\"gpt-5*\"]\nminimum = 2048\nttl = \"1h\"\nread = \"0.1\"\nsource = \"measured\"\nsince = \"2026-11-01\"\n";
        std::fs::write(folder.path().join(FILE), own).unwrap();
        let rules = layered(Some(folder.path())).unwrap();
        assert_eq!(rules.find("gpt-5.6").unwrap().minimum, 2048);
        assert_eq!(rules.find("claude-opus-5").unwrap().minimum, 512);
        for (old, new, line, said) in [
            ("2048", "0", 3, "1 to 1000000"),
            ("\"1h\"", "\"soon\"", 4, "no time"),
            ("\"0.1\"", "\"1.5\"", 5, "no part of the input price"),
            ("gpt-5*", "GPT-5.*", 2, "small letters"),
            ("\"measured\"", "\"\"", 6, "where the rule is written"),
            ("minimum", "minimun", 3, "minimum"),
        ] {
            let error = parse(&own.replace(old, new), "caching.toml").unwrap_err().to_string();
            assert!(error.starts_with(&format!("caching.toml:{line}")), "{error}");
            assert!(error.contains(said), "{error}");
        }
    }
}
