//! A price book: for each model, dated rows of rates with tiers by prompt size.

use std::collections::BTreeMap;

use super::Hours;
use crate::units::{Instant, Listing, Pico, PicoPerMillion};

/// Prices of one tier in pico-dollars per million tokens; an absent cache price means "billed as input".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tier {
    /// Fresh prompt tokens.
    pub input: PicoPerMillion,
    /// Prompt tokens read from cache.
    pub cache_read: Option<PicoPerMillion>,
    /// Prompt tokens written to a 5-minute cache.
    pub write_5m: Option<PicoPerMillion>,
    /// Prompt tokens written to a 1-hour cache.
    pub write_1h: Option<PicoPerMillion>,
    /// Answer tokens.
    pub output: PicoPerMillion,
    /// Reasoning tokens where they have a price of their own.
    pub reasoning: Option<PicoPerMillion>,
    /// Prompt tokens of sound.
    pub audio_input: Option<PicoPerMillion>,
    /// Prompt tokens of sound that were read from cache.
    pub audio_cached: Option<PicoPerMillion>,
    /// Answer tokens of sound.
    pub audio_output: Option<PicoPerMillion>,
    /// Prompt tokens of pictures; absent means "billed as input".
    pub image_input: Option<PicoPerMillion>,
    /// Answer tokens of pictures.
    pub image_output: Option<PicoPerMillion>,
}

impl Tier {
    /// Says whether it has any price of cache writes.
    pub fn prices_writes(&self) -> bool {
        self.write_5m.is_some() || self.write_1h.is_some()
    }

    /// The names of its prices, in the order in which logs and ledgers write them.
    pub const PRICES: [&'static str; 11] = [
        "input",
        "cache_read",
        "write_5m",
        "write_1h",
        "output",
        "reasoning",
        "audio_input",
        "audio_cached",
        "audio_output",
        "image_input",
        "image_output",
    ];

    /// Returns every price that there is, with its name.
    pub fn prices(&self) -> impl Iterator<Item = (&'static str, PicoPerMillion)> {
        let prices = [
            Some(self.input),
            self.cache_read,
            self.write_5m,
            self.write_1h,
            Some(self.output),
            self.reasoning,
            self.audio_input,
            self.audio_cached,
            self.audio_output,
            self.image_input,
            self.image_output,
        ];
        Self::PRICES.into_iter().zip(prices).filter_map(|(name, price)| Some((name, price?)))
    }

    fn map(&self, price: &mut impl FnMut(PicoPerMillion) -> PicoPerMillion) -> Self {
        Self {
            input: price(self.input),
            cache_read: self.cache_read.map(&mut *price),
            write_5m: self.write_5m.map(&mut *price),
            write_1h: self.write_1h.map(&mut *price),
            output: price(self.output),
            reasoning: self.reasoning.map(&mut *price),
            audio_input: self.audio_input.map(&mut *price),
            audio_cached: self.audio_cached.map(&mut *price),
            audio_output: self.audio_output.map(&mut *price),
            image_input: self.image_input.map(&mut *price),
            image_output: self.image_output.map(&mut *price),
        }
    }

    /// Returns the bucket that a part lies in (input, cache read, output), the price it is in the sum at, and its own.
    pub(super) fn part(&self, name: &str) -> Option<(usize, PicoPerMillion, Option<PicoPerMillion>)> {
        match name {
            "audio_input" => Some((0, self.input, self.audio_input)),
            "audio_cached" => Some((1, self.cache_read.unwrap_or(self.input), self.audio_cached)),
            "audio_output" => Some((2, self.output, self.audio_output)),
            "image_input" => Some((0, self.input, Some(self.image_input.unwrap_or(self.input)))),
            "image_output" => Some((2, self.output, self.image_output)),
            _ => None,
        }
    }

    /// Puts a tier together from prices by name.
    ///
    /// # Errors
    /// What `price` says, or what `missing` makes of a price that has to be there.
    pub fn build<E>(
        price: impl Fn(&'static str) -> Result<Option<PicoPerMillion>, E>,
        missing: impl Fn(&'static str) -> E,
    ) -> Result<Self, E> {
        let input = price("input")?.ok_or_else(|| missing("input"))?;
        // Catalogues write 0 where a write costs nothing besides: it is billed as input, and no prompt is free for being cold.
        let write = |told: Option<PicoPerMillion>| told.filter(|write| write.0 != 0 || input.0 == 0);
        Ok(Self {
            input,
            cache_read: price("cache_read")?,
            write_5m: write(price("write_5m")?),
            write_1h: write(price("write_1h")?),
            output: price("output")?.ok_or_else(|| missing("output"))?,
            reasoning: price("reasoning")?,
            audio_input: price("audio_input")?,
            audio_cached: price("audio_cached")?,
            audio_output: price("audio_output")?,
            image_input: price("image_input")?,
            image_output: price("image_output")?,
        })
    }
}

/// Prices of one service class: a base tier and more expensive (or cheaper) tiers for long prompts.
///
/// A tier is all or nothing: the length of the whole prompt picks it, and every token of the request is billed at it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Rates {
    /// Prices up to the first long-prompt tier.
    pub base: Tier,
    /// Tiers for prompts strictly longer than the given number of tokens, ascending.
    pub above: Vec<(u64, Tier)>,
}

impl Rates {
    /// Picks the tier for a prompt of `prompt` tokens, cached parts included.
    pub fn for_prompt(&self, prompt: u64) -> &Tier {
        self.above.iter().rev().find(|(above, _)| prompt > *above).map_or(&self.base, |(_, tier)| tier)
    }

    /// Returns the same with every price replaced.
    pub(super) fn map(&self, mut price: impl FnMut(PicoPerMillion) -> PicoPerMillion) -> Self {
        let base = self.base.map(&mut price);
        Self { base, above: self.above.iter().map(|(above, tier)| (*above, tier.map(&mut price))).collect() }
    }
}

/// Prices of a model from one moment on.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PriceRow {
    /// Start of validity, inclusive; `None` for "always until the next row".
    pub from: Option<Instant>,
    /// Ordinary rates.
    pub standard: Rates,
    /// Rates of the batch service, where offered.
    pub batch: Option<Rates>,
    /// Rates of other service tiers by name: `flex`, `priority`, `fast`.
    pub tiers: BTreeMap<String, Rates>,
    /// Prices of meters by name, each for a million: `web_search`.
    pub meters: BTreeMap<String, PicoPerMillion>,
    /// What the price of tokens is multiplied by, in thousandths, where a meter of that name is told: `region:us`.
    pub factors: BTreeMap<String, u32>,
    /// Hours of the week in which its price is another.
    pub scheduled: Vec<Scheduled>,
    /// Where the price was read, for people.
    pub source: Option<String>,
}

/// Prices that hold in some hours of the week instead of the row's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheduled {
    /// When.
    pub hours: Hours,
    /// What the price of tokens is multiplied by, in thousandths.
    pub times: u32,
    /// The row that comes of it, with the same start.
    pub row: PriceRow,
}

impl PriceRow {
    /// Returns the rates of a service tier; the ordinary ones for no name.
    pub(super) fn in_tier(&self, tier: &str) -> Option<&Rates> {
        match tier {
            "" => Some(&self.standard),
            "batch" => self.batch.as_ref(),
            tier => self.tiers.get(tier),
        }
    }

    /// Returns the same with every price at so many thousandths.
    #[must_use]
    pub fn times(&self, thousandths: u32) -> Self {
        let price = |price: PicoPerMillion| {
            let scaled = Pico(i128::from(price.0)).ratio(i128::from(thousandths), 1000);
            PicoPerMillion(i64::try_from(scaled.0).unwrap_or(i64::MAX))
        };
        let mut row = self.clone();
        row.all_rates().for_each(|rates| *rates = rates.map(price));
        row.meters.values_mut().for_each(|one| *one = price(*one));
        row.scheduled.iter_mut().for_each(|one| one.row = one.row.times(thousandths));
        row
    }

    /// Lists the rates of every service tier.
    pub(super) fn all_rates(&mut self) -> impl Iterator<Item = &mut Rates> {
        std::iter::once(&mut self.standard).chain(&mut self.batch).chain(self.tiers.values_mut())
    }

    /// Says whether it prices a meter, by itself or as a part of its tokens.
    fn prices_meter(&self, name: &str) -> bool {
        let own = self.standard.base.part(name).and_then(|(_, _, own)| own);
        own.is_some() || self.meters.contains_key(name)
    }
}

/// Reads a factor like `1.1` in thousandths; `None` where it is none that can be held exactly.
pub fn thousandths(text: &str) -> Option<u32> {
    const ONE: i64 = 1_000_000_000_000 / 1000;
    let price = PicoPerMillion::from_usd_per_million(text).ok()?.0;
    (price > 0 && price % ONE == 0).then(|| u32::try_from(price / ONE).ok()).flatten()
}

/// Writes a factor held in thousandths.
pub fn as_factor(thousandths: u32) -> String {
    PicoPerMillion(i64::from(thousandths) * 1_000_000_000).usd_per_million()
}

/// All prices of one model over time, and what is known about it besides.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ModelPrices {
    /// Who serves it: `openai`, `anthropic`, …
    pub provider: Option<String>,
    /// The longest prompt in tokens.
    pub max_input: Option<u64>,
    /// The longest answer in tokens.
    pub max_output: Option<u64>,
    /// The day from which the provider no longer promises it.
    pub deprecated: Option<String>,
    /// Meters that the provider bills besides tokens, each as written in the source; kept, not charged.
    pub other_meters: BTreeMap<String, String>,
    /// Rows by ascending start.
    pub rows: Vec<PriceRow>,
}

impl ModelPrices {
    /// Says whether any row prices a meter of that name.
    pub fn prices_meter(&self, meter: &str) -> bool {
        self.rows.iter().any(|row| row.prices_meter(meter))
    }

    /// Returns the prices in force at a moment, those of its hour where the row has such.
    pub fn at(&self, at: Instant) -> Option<&PriceRow> {
        self.dated(at).map(|row| row.in_force(at))
    }

    /// Returns the row in force at a moment, with all its hours.
    pub fn dated(&self, at: Instant) -> Option<&PriceRow> {
        self.rows.iter().rev().find(|row| row.from.is_none_or(|from| from <= at))
    }
}

/// Prices of many models, with a name and a date.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PriceBook {
    /// The book's name: `list`, `guide-2026`, …
    pub name: String,
    /// The day on which it was put together.
    pub dated: String,
    /// Where the prices come from.
    pub source: String,
    /// Prices by model name.
    pub models: BTreeMap<String, ModelPrices>,
    /// Other names under which a model is known.
    pub aliases: BTreeMap<String, String>,
}

/// How OpenRouter's names of others' models begin.
const RESELLER: &str = "openrouter/";

impl Listing for PriceBook {
    fn listed(&self, model: &str) -> Option<&str> {
        // A reseller passes prices on, not what its source promises of region or retention.
        let is_resold = model.starts_with(RESELLER) && !self.aliases.contains_key(model);
        self.find_named(model).filter(|_| !is_resold).map(|(listed, _)| listed)
    }
}

impl PriceBook {
    /// Finds a model's prices: by name, by alias, then without the prefix of whoever makes it (`openai/gpt-4.1`), then
    /// without a date suffix (`gpt-4.1-2025-04-14`, `claude-x-20251101`). A cloud, a region or a host in front
    /// (`azure/eu/`, `bedrock/`, `ollama/`) has prices of its own, so such a name is only found where the book lists it.
    pub fn find(&self, model: &str) -> Option<&ModelPrices> {
        self.find_named(model).map(|(_, prices)| prices)
    }

    /// Says whether two names are one model's.
    pub fn are_one(&self, one: &str, other: &str) -> bool {
        let listed = |model| self.find_named(model).map(|(name, _)| name);
        one == other || listed(one).is_some_and(|name| listed(other) == Some(name))
    }

    /// Finds a model's prices as [`PriceBook::find`] does, with the name under which the book lists them.
    pub fn find_named(&self, model: &str) -> Option<(&str, &ModelPrices)> {
        let known = |name: &str| {
            let listed = self.models.get_key_value(name);
            listed.or_else(|| self.models.get_key_value(self.aliases.get(name)?))
        };
        known(model)
            .or_else(|| known(without_date(model)))
            .or_else(|| {
                // OpenRouter passes the makers' own prices on.
                let named = model.strip_prefix(RESELLER).unwrap_or(model);
                let (maker, bare) = named.rsplit_once('/')?;
                let found = known(bare).or_else(|| known(without_date(bare)));
                found.filter(|(_, prices)| makes(maker, prices.provider.as_deref()))
            })
            .map(|(name, prices)| (name.as_str(), prices))
    }

    /// Returns every model whose name without its `provider/` prefix (and without a date) is the bare name asked for; where
    /// [`PriceBook::find`] finds nothing because providers disagree on the price, these are the names to choose from.
    pub fn candidates(&self, bare: &str) -> Vec<&str> {
        let wanted = bare_name(bare);
        self.models.keys().map(String::as_str).filter(|name| bare_name(name) == wanted).collect()
    }

    /// Says whether any row prices a meter of that name.
    pub fn prices_meter(&self, meter: &str) -> bool {
        self.models.values().flat_map(|prices| &prices.rows).any(|row| row.meters.contains_key(meter))
    }

    /// Adds a dated row for a model, keeping rows in order; the rows already there stay as they are.
    pub fn add_row(&mut self, model: &str, row: PriceRow) {
        let target = self.aliases.get(model).cloned().unwrap_or_else(|| model.to_owned());
        let prices = self.models.entry(target).or_default();
        let at = prices.rows.partition_point(|old| old.from <= row.from);
        prices.rows.insert(at, row);
    }
}

/// Makers of models by the names that stand before a model, all for the same prices; the first is how books call them.
const MAKERS: [&[&str]; 10] = [
    &["openai"],
    &["anthropic"],
    &["google", "gemini"],
    &["mistral", "mistralai"],
    &["xai", "x-ai"],
    &["deepseek"],
    &["cohere", "cohere_chat"],
    &["voyage", "voyageai"],
    &["perplexity"],
    &["moonshot", "moonshotai"],
];

/// Hosts on machines of one's own: a book that does not say whose a price is has it for these, too.
const OWN: [&str; 8] =
    ["ollama", "hosted_vllm", "vllm", "sglang", "llama_cpp", "llamafile", "lm_studio", "xinference"];

/// Says whether a prefix names the maker whose prices these are; where the book does not say whose, any maker.
fn makes(prefix: &str, provider: Option<&str>) -> bool {
    // LiteLLM tells Google's services apart in words of its own.
    let provider = provider.map(|provider| {
        if provider.starts_with("vertex_ai-") {
            "google"
        } else {
            provider.split('-').next().unwrap_or(provider)
        }
    });
    let named = |maker: &[&str]| maker.contains(&prefix);
    match provider {
        // LiteLLM tells Bedrock's interfaces apart.
        Some(provider) if prefix == "bedrock" => provider.starts_with(prefix),
        Some(provider) => {
            prefix == provider || MAKERS.iter().any(|maker| named(maker) && maker.contains(&provider))
        }
        None => MAKERS.iter().copied().any(named) || OWN.contains(&prefix),
    }
}

/// Cuts a `provider/` prefix and a date suffix off a model's name.
fn bare_name(model: &str) -> &str {
    without_date(model.rsplit('/').next().unwrap_or(model))
}

/// Cuts `-YYYY-MM-DD` or `-YYYYMMDD` off the end of a model's name, where that is a day of the calendar.
fn without_date(model: &str) -> &str {
    let Some((head, tail)) = model.rsplit_once('-') else { return model };
    let number = |text: &str, len: usize| {
        let is_number = text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u32>().ok()).flatten()
    };
    let split = || {
        let (head, month) = head.rsplit_once('-')?;
        let (head, year) = head.rsplit_once('-')?;
        Some((head, number(year, 4)?, number(month, 2)?, number(tail, 2)?))
    };
    let joined = || {
        let digits = number(tail, 8)?;
        Some((head, digits / 10_000, digits / 100 % 100, digits % 100))
    };
    let Some((head, year, month, day)) = joined().or_else(split) else { return model };
    let is_day =
        i32::try_from(year).is_ok_and(|year| chrono::NaiveDate::from_ymd_opt(year, month, day).is_some());
    if (2000..2100).contains(&year) && is_day { head } else { model }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dated_names_find_their_model_and_nothing_else() {
        let mut book = PriceBook::default();
        book.models.insert("gpt-4.1".into(), ModelPrices::default());
        book.models.insert("claude-opus-4-6".into(), ModelPrices::default());
        book.aliases.insert("opus".into(), "claude-opus-4-6".into());
        for name in [
            "gpt-4.1",
            "gpt-4.1-2025-04-14",
            "openai/gpt-4.1",
            "openai/gpt-4.1-2025-04-14",
            "opus",
            "claude-opus-4-6-20260201",
        ] {
            assert!(book.find(name).is_some(), "{name}");
        }
        for name in [
            "gpt-4",
            "gpt-4.1-mini",
            "gpt-4.1-20",
            "gpt-4.1-2025-99-99",
            "gpt-4.1-2025-02-29",
            "gpt-4.1-20250431",
            "gpt-4.1-12345678",
            "openai/gpt-4.1-2025-13-01",
            "",
        ] {
            assert!(book.find(name).is_none(), "{name}");
        }
    }

    #[test]
    fn a_cloud_a_region_or_a_host_has_prices_of_its_own() {
        let mut book = PriceBook::default();
        for (name, provider) in [("gpt-4.1", "openai"), ("gemini-2.5-pro", "google"), ("grok", "xai")] {
            let prices = ModelPrices { provider: Some(provider.into()), ..ModelPrices::default() };
            book.models.insert(name.into(), prices);
        }
        book.models.insert("azure/us/gpt-4.1".into(), ModelPrices::default());
        for name in [
            "openai/gpt-4.1",
            "openrouter/openai/gpt-4.1",
            "gemini/gemini-2.5-pro",
            "google/gemini-2.5-pro",
            "x-ai/grok",
            "azure/us/gpt-4.1-2025-04-14",
        ] {
            assert!(book.find(name).is_some(), "{name}");
        }
        for name in [
            "azure/eu/gpt-4.1-2025-04-14",
            "azure/gpt-4.1",
            "ollama/gpt-4.1",
            "github_copilot/gpt-4.1",
            "vertex_ai/gemini-2.5-pro",
            "bedrock/eu/gpt-4.1",
            "anthropic/gpt-4.1",
            "gpt-4.1@default",
            "eu.openai.gpt-4.1",
            "openai/gpt-4.1:free",
        ] {
            assert!(book.find(name).is_none(), "{name}");
        }
    }

    /// A session on `DeepSeek` would else grow cheaper with every prompt that its cache has lost.
    #[test]
    fn a_write_that_costs_nothing_besides_is_billed_as_input() {
        let build = |prices: [(&str, i64); 4]| {
            let price = |name: &str| {
                let found = prices.iter().find(|(known, _)| *known == name);
                Ok::<_, String>(found.map(|(_, price)| PicoPerMillion(*price)))
            };
            Tier::build(price, str::to_owned).unwrap()
        };
        let tier = build([("input", 5), ("output", 9), ("write_5m", 0), ("write_1h", 0)]);
        assert!(!tier.prices_writes(), "{tier:?}");
        let told = build([("input", 5), ("output", 9), ("write_5m", 6), ("write_1h", 10)]);
        assert_eq!((told.write_5m, told.write_1h), (Some(PicoPerMillion(6)), Some(PicoPerMillion(10))));
        let free = build([("input", 0), ("output", 0), ("write_5m", 0), ("write_1h", 0)]);
        assert!(free.prices_writes(), "all of a model at home is free");
    }

    #[test]
    fn a_price_change_adds_a_row_and_rewrites_none() {
        let price = |usd: &str| PriceRow {
            standard: Rates {
                base: Tier { input: PicoPerMillion::from_usd_per_million(usd).unwrap(), ..Tier::default() },
                above: vec![],
            },
            ..PriceRow::default()
        };
        let mut book = PriceBook::default();
        book.add_row("m", price("2"));
        book.add_row("m", PriceRow { from: Some(Instant(100)), ..price("1") });
        let at = |t| book.find("m").unwrap().at(Instant(t)).unwrap().standard.base.input.usd_per_million();
        assert_eq!(at(99), "2");
        assert_eq!(at(100), "1");
    }
}
