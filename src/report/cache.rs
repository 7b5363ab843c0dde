//! What prompt caches served and could have served, for people and programs.
//!
//! Invariant: what nobody knows is null, never zero: a log without hashes and sessions has no ideal share.

use serde::Serialize;

use super::sheet::{Format, Sheet, render};
use super::text::{count, dollars_rounded};
use crate::prompt_cache::{Rules, Study, Sums, Trial};
use crate::units::{ModelId, Names, Pico, members};

/// What a report on caches is about.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CacheScope {
    /// The logs.
    pub logs: Vec<String>,
    /// The price book: name and date.
    pub prices: String,
    /// How long the ideal cache holds: `inf`, `5m`, `1h`.
    pub ttl: String,
    /// What a reader should know of the figures.
    pub notes: Vec<String>,
}

members! {
    #[derive(Clone, Debug, Serialize)]
    struct SumsRow;
    fn new(sums: &Sums) {
        let is = |told: u64, figure: u64| (told > 0).then_some(figure);
        let usd = |told: bool, amount: Pico| told.then(|| amount.usd());
        // Shares that stand side by side are of the same prompts, unless none was compared.
        let [read, tells] = [sums.observed, sums.told].map(|of| if sums.compared > 0 { of[0] } else { of[1] });
        let (priced, told) = (sums.priced > 0, sums.priced > 0 && tells > 0);
    }
    /// Calls whose prompt has a known length.
    requests: u64 = sums.calls,
    prompt_tokens: u64 = sums.prompt,
    /// Tokens of the prompts of which is known what they have in common with others.
    compared_tokens: u64 = sums.compared,
    by_hashes: u64 = sums.by_hash,
    by_session: u64 = sums.by_session,
    not_compared: u64 = sums.unfounded,
    unknown_requests: u64 = sums.unknown,
    ideal_hit_tokens: Option<u64> = is(sums.compared, sums.ideal),
    /// Of `compared_tokens`.
    ideal_hit_share: Option<f64> = share(sums.ideal, sums.compared),
    /// What the provider's own minimum, steps and time to live leave of it.
    reachable_hit_tokens: Option<u64> = is(sums.ruled, sums.reachable),
    reachable_hit_share: Option<f64> = share(sums.reachable, sums.ruled),
    /// Of the compared prompts, where any was compared.
    observed_hit_tokens: Option<u64> = is(tells, read),
    observed_hit_share: Option<f64> = share(read, tells),
    /// Compared prompts with a price, answers apart.
    priced_requests: u64 = sums.priced,
    without_cache_usd: Option<String> = usd(priced, sums.without_cost),
    ideal_usd: Option<String> = usd(priced, sums.ideal_cost),
    observed_usd: Option<String> = usd(told, sums.observed_cost),
    /// What an ideal cache would have saved of what was spent.
    left_usd: Option<String> = usd(told, sums.observed_cost - sums.ideal_of_told),
}

#[derive(Clone, Debug, Serialize)]
struct PauseRow {
    after: &'static str,
    calls: u64,
    /// The share of what was expected to be warm that was read, in thousandths.
    read_permille: u16,
}

#[derive(Clone, Debug, Serialize)]
struct ModelRow {
    model: Option<String>,
    #[serde(flatten)]
    sums: SumsRow,
    /// The fewest tokens that its provider caches, and how long it holds them; null where nothing is known.
    minimum_tokens: Option<u32>,
    ttl_seconds: Option<i64>,
    survival: Vec<PauseRow>,
}

#[derive(Clone, Debug, Serialize)]
struct ArmRow {
    way: &'static str,
    usd: String,
    /// More than never switching, in thousandths; less where negative.
    beside_never_permille: Option<i64>,
    cheap_turns: u64,
    switches: u64,
    cache_read_tokens: u64,
}

#[derive(Clone, Debug, Serialize)]
struct SwitchRow {
    to: String,
    turns: u64,
    easy_turns: u64,
    /// Turns whose difficulty was drawn because the log has no confidence.
    drawn_turns: u64,
    ways: Vec<ArmRow>,
}

/// What prompt caches served and could have served.
#[derive(Clone, Debug, Serialize)]
pub struct CacheReport {
    schema: &'static str,
    #[serde(flatten)]
    scope: CacheScope,
    #[serde(flatten)]
    all: SumsRow,
    models: Vec<ModelRow>,
    switch: Option<SwitchRow>,
}

/// Returns a share with six decimals; none of nothing.
fn share(part: u64, whole: u64) -> Option<f64> {
    let millionths = (u128::from(part) * 1_000_000 + u128::from(whole) / 2).checked_div(u128::from(whole))?;
    u32::try_from(millionths).ok().map(|it| f64::from(it) / 1e6)
}

impl CacheReport {
    /// Draws it up.
    pub fn new(scope: CacheScope, study: &Study, names: &Names, rules: &Rules) -> Self {
        let mut all = Sums::default();
        let mut models = Vec::new();
        for (&model, sums) in study.models() {
            all.add(sums);
            let name = (model != ModelId::NONE).then(|| names.model(model).to_owned());
            let rule = name.as_deref().and_then(|name| rules.find(name));
            let survival = sums.survival.seen().map(|(after, calls, read)| PauseRow {
                after,
                calls,
                read_permille: read.get(),
            });
            models.push(ModelRow {
                model: name,
                sums: SumsRow::new(sums),
                minimum_tokens: rule.map(|rule| rule.minimum),
                ttl_seconds: rule.map(|rule| rule.ttl.0 / 1_000_000),
                survival: survival.collect(),
            });
        }
        crate::units::sort_by(&mut models, |a, b| {
            (b.sums.prompt_tokens, &a.model).cmp(&(a.sums.prompt_tokens, &b.model))
        });
        Self { schema: "pointsman.cache/1", scope, all: SumsRow::new(&all), models, switch: None }
    }

    /// Adds what switching came to.
    #[must_use]
    pub fn with_trial(mut self, to: &str, trial: &Trial, drawn: u64) -> Self {
        let never = trial.sums().next().map_or(Pico::ZERO, |(_, sums)| sums.cost).0;
        let ways = trial.sums().map(|(arm, sums)| ArmRow {
            way: arm.name(),
            usd: sums.cost.usd(),
            beside_never_permille: ((sums.cost.0 - never) * 1000)
                .checked_div(never)
                .and_then(|part| i64::try_from(part).ok()),
            cheap_turns: sums.cheap,
            switches: sums.switches,
            cache_read_tokens: sums.read,
        });
        self.switch = Some(SwitchRow {
            to: to.to_owned(),
            turns: trial.turns,
            easy_turns: trial.easy,
            drawn_turns: drawn,
            ways: ways.collect(),
        });
        self
    }

    /// Returns what a reader should know.
    pub fn notes(&self) -> &[String] {
        &self.scope.notes
    }

    /// Writes it as table, CSV or Markdown.
    pub fn text(&self, format: Format) -> String {
        let exact = format == Format::Csv;
        let number = |n: u64| if exact { n.to_string() } else { count(n) };
        let title = |text: String| if exact { String::new() } else { text };
        let scope = &self.scope;
        let none = || if exact { String::new() } else { "unknown".to_owned() };
        let percent = |share: Option<f64>| match share {
            Some(share) if exact => share.to_string(),
            Some(share) => format!("{:.1} %", share * 100.0),
            None => none(),
        };
        let usd = |usd: &Option<String>| match usd {
            Some(usd) if exact => usd.clone(),
            Some(usd) => dollars_rounded(usd),
            None => none(),
        };
        let tenths = |permille: i64, sign: &str| match permille.abs() {
            _ if exact => permille.to_string(),
            size => format!("{sign}{}.{} %", size / 10, size % 10),
        };
        let models = self.models.iter().map(|row| (row.model.as_deref().unwrap_or("(not named)"), &row.sums));
        let sheet = Sheet::of(
            title(format!("{} · ttl {} · prices {}", scope.logs.join(", "), scope.ttl, scope.prices)),
            models.chain((self.models.len() > 1).then_some(("(all)", &self.all))),
            &[
                ("model", &|(model, _)| (*model).to_owned()),
                (">calls", &|(_, sums)| number(sums.requests)),
                (">prompt tokens", &|(_, sums)| number(sums.prompt_tokens)),
                (">compared", &|(_, sums)| number(sums.compared_tokens)),
                (">ideal", &|(_, sums)| percent(sums.ideal_hit_share)),
                (">reachable", &|(_, sums)| percent(sums.reachable_hit_share)),
                (">observed", &|(_, sums)| percent(sums.observed_hit_share)),
                (">without cache", &|(_, sums)| usd(&sums.without_cache_usd)),
                (">ideal cost", &|(_, sums)| usd(&sums.ideal_usd)),
                (">observed cost", &|(_, sums)| usd(&sums.observed_usd)),
                (">left", &|(_, sums)| usd(&sums.left_usd)),
            ],
        );
        let pauses = Sheet::of(
            title("what was read of what should be warm, by the pause before".to_owned()),
            self.models.iter().flat_map(|row| row.survival.iter().map(|pause| (row.model.clone(), pause))),
            &[
                ("model", &|(model, _)| model.clone().unwrap_or_default()),
                ("pause", &|(_, pause)| pause.after.to_owned()),
                (">calls", &|(_, pause)| number(pause.calls)),
                (">read", &|(_, pause)| tenths(pause.read_permille.into(), "")),
            ],
        );
        let mut sheets = vec![sheet];
        sheets.extend(Some(pauses).filter(|pauses| !pauses.rows.is_empty()));
        if let Some(row) = &self.switch {
            let drawn = if row.drawn_turns > 0 { ", drawn by lot (simulated)" } else { "" };
            let head = format!(
                "sessions between their own model and {}: {} turns, {} of them easy{drawn}; what each way reads from caches is worked out, \"never\" too: a log may have read more",
                row.to,
                count(row.turns),
                count(row.easy_turns)
            );
            let beside = |part: i64| tenths(part, if part < 0 { "-" } else { "+" });
            let ways = Sheet::of(
                title(head),
                &row.ways,
                &[
                    ("way", &|way| way.way.to_owned()),
                    (">cost", &|way| usd(&Some(way.usd.clone()))),
                    (">beside never", &|way| way.beside_never_permille.map(beside).unwrap_or_default()),
                    (">turns there", &|way| number(way.cheap_turns)),
                    (">switches", &|way| number(way.switches)),
                    (">cache reads", &|way| number(way.cache_read_tokens)),
                ],
            );
            sheets.push(ways);
        }
        render(&sheets, format)
    }
}
