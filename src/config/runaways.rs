//! Rules against runaways, as they stand in the file of budgets: `[runaways.NAME]`.
//!
//! Invariant: a rule looks for one thing; what fits together with nothing is told with its line.

use serde::Deserialize;
use toml::Spanned;

use super::place::FileError;
use super::reading::Reading;
use crate::runaway::{Kind, LONGEST, Rule, Test, Then, WIDEST};

/// One rule as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RuleKeys {
    each: Spanned<String>,
    then: Option<Spanned<String>>,
    same_call: Option<Spanned<i64>>,
    among: Option<Spanned<i64>>,
    times: Option<Spanned<i64>>,
    minutes: Option<Spanned<i64>>,
    history: Option<Spanned<i64>>,
    from_calls: Option<Spanned<i64>>,
    from_spend: Option<Spanned<toml::Value>>,
    calls: Option<Spanned<i64>>,
    spend: Option<Spanned<toml::Value>>,
}

/// Minutes with traffic that have to be known before a pace is judged, unless a rule says otherwise.
const HISTORY: u64 = 30;

/// The most calls that a rule may speak of.
const MOST: i64 = 1_000_000_000;

impl RuleKeys {
    /// Reads the rule.
    ///
    /// # Errors
    /// Where it says what cannot be, with its line.
    pub(super) fn rule(
        &self,
        name: &str,
        whole: &Spanned<Self>,
        reading: &Reading<'_>,
    ) -> Result<Rule, FileError> {
        let kinds: Vec<(&str, Kind)> = Kind::ALL.into_iter().collect();
        let each = reading.one_of(Some(&self.each), &kinds)?.unwrap_or(Kind::Key);
        let then = reading.one_of(self.then.as_ref(), &Then::ALL)?.unwrap_or_default();
        let named = reading.name(name, whole, "a rule")?;
        let small = |number: u64| u16::try_from(number).unwrap_or(u16::MAX);
        let many = |told: Option<&Spanned<i64>>| -> Result<Option<u64>, FileError> {
            told.map(|told| reading.whole(told, (1, MOST))).transpose()
        };
        let money = |told: Option<&Spanned<toml::Value>>| told.map(|told| reading.amount(told)).transpose();
        let number = |told: &Option<Spanned<i64>>, bounds: (i64, i64), usual: u64| {
            told.as_ref().map_or(Ok(usual), |told| reading.whole(told, bounds))
        };
        let is_pace = self.times.is_some();
        let foreign = |keys: &[(&str, bool)], of: &str| {
            let found = keys.iter().find(|(_, is_there)| *is_there);
            found.map(|(key, _)| reading.wrong(whole, format!("rule {name}: `{key}` does not go with {of}")))
        };
        let paced = [
            ("minutes", self.minutes.is_some()),
            ("history", self.history.is_some()),
            ("from-calls", self.from_calls.is_some()),
            ("from-spend", self.from_spend.is_some()),
        ];
        let capped = [("calls", self.calls.is_some()), ("spend", self.spend.is_some())];
        let looped = [("same-call", self.same_call.is_some()), ("among", self.among.is_some())];
        let invalid = |found: Option<FileError>| found.map_or(Ok(()), Err);
        let test = if let Some(same) = &self.same_call {
            invalid(foreign(&paced, "same-call"))?;
            invalid(foreign(&[capped.as_slice(), &[("times", is_pace)]].concat(), "same-call"))?;
            let same = small(reading.whole(same, (2, i64::from(WIDEST)))?);
            let bounds = (i64::from(same), i64::from(WIDEST));
            let among = small(number(&self.among, bounds, u64::from(same) * 2)?);
            Test::Loop { same, among: among.min(WIDEST) }
        } else if is_pace {
            invalid(foreign(&[looped, capped].concat(), "times"))?;
            let (calls, spend) = (many(self.from_calls.as_ref())?, money(self.from_spend.as_ref())?);
            if calls.is_none() && spend.is_none() {
                let what = "write from-calls = 150 or from-spend = 1, below which nothing is told";
                return Err(reading.wrong(whole, format!("rule {name} looks at nothing: {what}")));
            }
            let minutes = small(number(&self.minutes, (1, i64::from(LONGEST)), 5)?);
            let history = small(number(&self.history, (1, 10_000), HISTORY)?);
            let times = number(&self.times, (2, 10_000), 4)?;
            Test::Pace { times: u32::try_from(times).unwrap_or(u32::MAX), minutes, history, calls, spend }
        } else {
            invalid(foreign(&[looped.as_slice(), &paced].concat(), "calls and spend"))?;
            let (calls, spend) = (many(self.calls.as_ref())?, money(self.spend.as_ref())?);
            if calls.is_none() && spend.is_none() {
                let what = "write same-call = 12, times = 4, calls = 500 or spend = 20";
                return Err(reading.wrong(whole, format!("rule {name} looks for nothing: {what}")));
            }
            Test::Cap { calls, spend }
        };
        Ok(Rule { name: named, each, test, then })
    }
}

#[cfg(test)]
mod tests {
    use crate::config::budgets::parse_all;
    use crate::runaway::{Kind, Rule, Test, Then, built_in};
    use crate::units::Pico;

    fn rules(text: &str) -> Vec<Rule> {
        parse_all(text, "budgets.toml").unwrap().1
    }

    fn wrong(body: &str) -> String {
        parse_all(&format!("[runaways.a]\n{body}"), "budgets.toml").unwrap_err().to_string()
    }

    #[test]
    fn rules_are_read_as_written_and_none_is_not_the_same_as_an_empty_list() {
        assert_eq!(rules(""), built_in());
        assert_eq!(rules("[runaways]"), []);
        let text = "[runaways.loop]\neach = \"session\"\nsame-call = 8\nthen = \"freeze\"\n\
                    [runaways.cap]\neach = \"session\"\ncalls = 500\nspend = 20\nthen = \"cheapest\"\n\
                    [runaways.pace]\neach = \"key\"\ntimes = 6\nfrom-spend = \"0.5\"\n";
        let tests: Vec<_> = rules(text).into_iter().map(|rule| (rule.each, rule.test, rule.then)).collect();
        let usd = |cents: i128| Some(Pico(cents * 10_000_000_000));
        assert_eq!(
            tests,
            [
                (Kind::Session, Test::Cap { calls: Some(500), spend: usd(2_000) }, Then::Cheapest),
                (Kind::Session, Test::Loop { same: 8, among: 16 }, Then::Freeze),
                (
                    Kind::Key,
                    Test::Pace { times: 6, minutes: 5, history: 30, calls: None, spend: usd(50) },
                    Then::Tell
                ),
            ]
        );
    }

    #[test]
    fn slips_are_told_with_their_line() {
        let each = wrong("each = \"sesion\"\nsame-call = 5");
        assert!(each.contains("budgets.toml:2: ") && each.contains("session"), "{each}");
        assert!(wrong("each = \"key\"\nsame-call = 1").contains("budgets.toml:3: 1 is outside 2 to 64"));
        assert!(
            wrong("each = \"key\"\nsame-call = 9\namong = 4")
                .contains("budgets.toml:4: 4 is outside 9 to 64")
        );
        assert!(
            wrong("each = \"key\"\nsame-call = 9\nspend = 4").contains("`spend` does not go with same-call")
        );
        assert!(wrong("each = \"key\"").contains("looks for nothing"));
        assert!(wrong("each = \"key\"\ntimes = 4").contains("looks at nothing"));
        assert!(wrong("each = \"key\"\ntimse = 4").contains("timse"));
        assert!(wrong("each = \"key\"\nspend = -1").contains("is no amount in dollars"));
    }
}
