//! Worlds as TOML files: what is otherwise, from when to when. Errors name file, line and what would be right.

use serde::Deserialize;
use toml::Spanned;

use super::budgets;
use super::place::FileError;
use super::reading::Reading;
use crate::pricing::{Tier, thousandths};
use crate::routing::Status;
use crate::units::{Instant, PerMille, PicoPerMillion, Span, When, from_toml};
use crate::world::{Amount, Branch, Breaker, Change, Models, Moment, Quote, Repeat, Stretch, What, World};

/// The worlds that come with the program: name and text.
pub const BUILTIN: [(&str, &str); 6] = [
    ("price-cut", include_str!("../../config/worlds/price-cut.toml")),
    ("429-storm", include_str!("../../config/worlds/429-storm.toml")),
    ("runaway-agent", include_str!("../../config/worlds/runaway-agent.toml")),
    ("cache-ttl", include_str!("../../config/worlds/cache-ttl.toml")),
    ("dst-reset", include_str!("../../config/worlds/dst-reset.toml")),
    ("budget-race", include_str!("../../config/worlds/budget-race.toml")),
];

type Told = Option<Spanned<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    #[serde(default)]
    about: String,
    #[serde(default)]
    seed: u64,
    starts: Told,
    #[serde(default)]
    price: Vec<Spanned<Price>>,
    #[serde(default)]
    outage: Vec<Spanned<Outage>>,
    #[serde(default)]
    slow: Vec<Spanned<Slow>>,
    #[serde(default)]
    quota: Vec<Spanned<Quota>>,
    #[serde(default)]
    cache: Vec<Spanned<Cache>>,
    #[serde(default)]
    repeat: Vec<Spanned<Again>>,
    #[serde(default)]
    amount: Vec<Spanned<Limit>>,
    breaker: Option<Spanned<Shut>>,
    // Read as a file of budgets has them.
    budget: Option<toml::Value>,
    runaways: Option<toml::Value>,
    #[serde(default)]
    branch: Vec<Tried>,
}

/// Makes a table of a change: when and at which models, and what is its own.
macro_rules! change {
    ($name:ident { $($field:ident: $kind:ty),* $(,)? }) => {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct $name {
            #[serde(default)]
            models: Vec<String>,
            #[serde(default)]
            providers: Vec<String>,
            from: Told,
            to: Told,
            $($field: $kind,)*
        }

        impl $name {
            fn change(&self, reading: &Reading<'_>, what: What) -> Result<Change, FileError> {
                let models = Models { names: self.models.clone(), providers: self.providers.clone() };
                Ok(Change { stretch: reading.stretch(self.from.as_ref(), self.to.as_ref())?, models, what })
            }
        }
    };
}

type Figure = Option<Spanned<toml::Value>>;

change!(Price {
    times: Figure,
    input: Figure,
    cache_read: Figure,
    write_5m: Figure,
    write_1h: Figure,
    output: Figure,
    reasoning: Figure,
});
change!(Outage { share: Option<Spanned<u16>>, status: Told, takes: Told });
change!(Slow { times: Spanned<toml::Value> });
change!(Quota { calls: u32, every: Spanned<String> });
change!(Cache { ttl: Spanned<String> });

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Again {
    from: Told,
    to: Told,
    like: Option<String>,
    team: Option<String>,
    task: Option<String>,
    times: u32,
    every: Spanned<String>,
    #[serde(default)]
    grows: u32,
    session: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    from: Told,
    to: Told,
    #[serde(rename = "limit")]
    name: String,
    usd: Spanned<toml::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shut {
    failures: Option<u32>,
    cool_down: Told,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tried {
    name: String,
    policy: Option<String>,
    #[serde(default)]
    set: Vec<String>,
    #[serde(default = "yes")]
    budgets: bool,
    #[serde(default = "yes")]
    runaways: bool,
}

fn yes() -> bool {
    true
}

/// How a call fails in a world, under the names that files use.
const STATUSES: [(&str, Status); 3] = [
    ("rate_limited", Status::RateLimited),
    ("server_error", Status::ServerError),
    ("timeout", Status::Timeout),
];

impl Reading<'_> {
    fn stretch(
        &self,
        from: Option<&Spanned<String>>,
        to: Option<&Spanned<String>>,
    ) -> Result<Stretch, FileError> {
        let (start, end) = (self.when(from)?, self.when(to)?);
        let is_behind = match (start, end) {
            (Some(Moment::At(When::At(start))), Some(Moment::At(When::At(end)))) => end > start,
            (Some(Moment::After(start)), Some(Moment::After(end))) => end > start,
            _ => true,
        };
        if let Some(word) = to.filter(|_| !is_behind) {
            return Err(
                self.wrong(word, format!("`{}` is not behind the moment from which on", word.get_ref()))
            );
        }
        Ok(Stretch { from: start, to: end })
    }

    fn when(&self, word: Option<&Spanned<String>>) -> Result<Option<Moment>, FileError> {
        let Some(word) = word else { return Ok(None) };
        if let Some(after) = word.get_ref().strip_prefix('+').and_then(Span::parse) {
            return Ok(Some(Moment::After(after)));
        }
        let hint = "write +2h for two hours after the first request, 14:05 for that of the log's first day, or 2026-05-23T14:05:00Z";
        let told = When::parse(word.get_ref());
        told.map(|when| Some(Moment::At(when)))
            .map_err(|_| self.wrong(word, format!("`{}` is no moment; {hint}", word.get_ref())))
    }

    fn span(&self, word: &Spanned<String>) -> Result<Span, FileError> {
        let what = "is no length of time; write 250ms, 90s, 5m or 1h";
        self.length(word, |span| span <= Span::days(366), what)
    }

    fn times(&self, value: &Spanned<toml::Value>) -> Result<u32, FileError> {
        let text = match value.get_ref() {
            toml::Value::String(text) => text.trim().to_owned(),
            other => other.to_string(),
        };
        thousandths(&text).ok_or_else(|| {
            self.wrong(value, format!("`{text}` is no factor; write 0.5 or 3, with three decimals at most"))
        })
    }

    fn price(&self, price: &Spanned<Price>) -> Result<What, FileError> {
        let told = price.get_ref();
        let parts = [
            ("input", &told.input),
            ("cache_read", &told.cache_read),
            ("write_5m", &told.write_5m),
            ("write_1h", &told.write_1h),
            ("output", &told.output),
            ("reasoning", &told.reasoning),
        ];
        let names_any = parts.iter().any(|(_, part)| part.is_some());
        if let Some(times) = told.times.as_ref().filter(|_| !names_any) {
            return Ok(What::Price(Quote::Times(self.times(times)?)));
        }
        if told.times.is_some() {
            return Err(
                self.wrong(price, "a price is either `times` the one there is, or named whole".to_owned())
            );
        }
        let tier = Tier::build(
            |name| {
                let part = parts.iter().find(|(known, _)| *known == name).and_then(|(_, part)| part.as_ref());
                let amount = |part: &Spanned<toml::Value>| {
                    let amount = self.amount(part)?;
                    let million = i64::try_from(amount.0).map(PicoPerMillion);
                    million.map_err(|_| self.wrong(part, format!("{} is too much", amount.usd())))
                };
                part.map(amount).transpose()
            },
            |name| {
                self.wrong(
                    price,
                    format!("`{name}` is missing: dollars for a million tokens; or write times = 0.5"),
                )
            },
        )?;
        Ok(What::Price(Quote::Is(Box::new(tier))))
    }

    fn outage(&self, outage: &Outage) -> Result<What, FileError> {
        let share = outage.share.as_ref().map(|share| {
            let hint = "is outside 0 to 1000 per mille";
            PerMille::new(*share.get_ref())
                .ok_or_else(|| self.wrong(share, format!("share {} {hint}", share.get_ref())))
        });
        let takes = outage.takes.as_ref().map(|takes| self.span(takes)).transpose()?;
        let millis = takes.map_or(0, |takes| u32::try_from(takes.0 / 1000).unwrap_or(u32::MAX));
        let status = self.one_of(outage.status.as_ref(), &STATUSES)?.unwrap_or(Status::ServerError);
        Ok(What::Fails(share.transpose()?.unwrap_or(PerMille::ONE), status, millis))
    }
}

/// Reads a world from text; `origin` is for messages.
///
/// # Errors
/// Where the text is no TOML, has unknown keys, or says what cannot be, with its line.
pub fn parse(text: &str, origin: &str) -> Result<World, FileError> {
    let file: File = from_toml(text).map_err(|error| FileError::of_toml(origin, text, &error))?;
    let reading = Reading { text, origin };
    let mut world =
        World { title: file.title, about: file.about.trim().to_owned(), seed: file.seed, ..World::default() };
    if let Some(starts) = &file.starts {
        let told = Instant::parse(starts.get_ref());
        let told = told.map_err(|error| reading.wrong(starts, format!("`{}`: {error}", starts.get_ref())))?;
        world.starts = Some(told);
    }
    for price in &file.price {
        world.changes.push(price.get_ref().change(&reading, reading.price(price)?)?);
    }
    for outage in &file.outage {
        world.changes.push(outage.get_ref().change(&reading, reading.outage(outage.get_ref())?)?);
    }
    for slow in &file.slow {
        let what = What::Slow(reading.times(&slow.get_ref().times)?);
        world.changes.push(slow.get_ref().change(&reading, what)?);
    }
    for quota in &file.quota {
        let Quota { calls, every, .. } = quota.get_ref();
        let span = reading.span(every)?;
        if span <= Span::ZERO {
            return Err(reading.wrong(every, "a quota needs a length of time, such as 1m".to_owned()));
        }
        world.changes.push(quota.get_ref().change(&reading, What::Quota(*calls, span))?);
    }
    for cache in &file.cache {
        let what = What::Cache(reading.span(&cache.get_ref().ttl)?);
        world.changes.push(cache.get_ref().change(&reading, what)?);
    }
    for again in file.repeat {
        let again = again.into_inner();
        world.repeats.push(Repeat {
            stretch: reading.stretch(again.from.as_ref(), again.to.as_ref())?,
            every: reading.span(&again.every)?,
            like: again.like,
            team: again.team,
            task: again.task,
            times: again.times,
            grows: again.grows,
            session: again.session,
        });
    }
    // Budgets and rules are read where they stand, so that what is wrong there is told with its line.
    let (limits, rules) = budgets::parse_all(&only(text, &["budget", "runaways"]), origin)?;
    world.limits = file.budget.is_some().then_some(limits);
    world.rules = if file.runaways.is_some() { rules } else { Vec::new() };
    for amount in &file.amount {
        let Limit { from, to, name: limit, usd } = amount.get_ref();
        let known: Vec<String> = world.limits.iter().flatten().map(crate::budget::Limit::name).collect();
        if world.limits.is_some() && !known.contains(limit) {
            let hint = crate::units::choice(limit, &known);
            return Err(reading.wrong(amount, format!("no budget has the limit `{limit}`; {hint}")));
        }
        let stretch = reading.stretch(from.as_ref(), to.as_ref())?;
        world.amounts.push(Amount { stretch, limit: limit.clone(), amount: reading.amount(usd)? });
    }
    if let Some(shut) = &file.breaker {
        let usual = Breaker::default();
        let Shut { failures, cool_down } = shut.get_ref();
        let cool_down = cool_down.as_ref().map(|span| reading.span(span)).transpose()?;
        world.breaker = Breaker {
            failures: failures.unwrap_or(usual.failures).max(1),
            cool_down: cool_down.unwrap_or(usual.cool_down),
        };
    }
    for Tried { name, policy, set, budgets, runaways } in file.branch {
        world.branches.push(Branch { name, policy, set, budgets, runaways });
    }
    Ok(world)
}

/// Returns the text with nothing in it but the tables of some names, each on its line.
fn only(text: &str, names: &[&str]) -> String {
    let mut is_kept = false;
    let mut kept = String::with_capacity(text.len());
    for line in text.lines() {
        if let Some(head) = line.strip_prefix('[') {
            let name = head.trim_start_matches('[').split(['.', ']']).next().unwrap_or_default().trim();
            is_kept = names.contains(&name);
        }
        kept.push_str(if is_kept { line } else { "" });
        kept.push('\n');
    }
    kept
}
